"""lenet5: the network it has always been, and others."""

import numpy as np

import fastnn as fnn
from fastnn.models import lenet5


def test_default_network():
    rng = np.random.default_rng(5)
    layers = [fnn.Conv2d(1, 6, 5, rng=rng), fnn.ReLU(), fnn.MaxPool2d(2)]
    layers += [fnn.Conv2d(6, 16, 5, rng=rng), fnn.ReLU(), fnn.MaxPool2d(2), fnn.Flatten()]
    layers += [fnn.Dense(256, 120, rng=rng), fnn.ReLU(), fnn.Dense(120, 84, rng=rng), fnn.ReLU(), fnn.Dense(84, 10, rng=rng)]
    expected, network = fnn.Sequential(*layers), lenet5(rng=5)
    assert repr(network) == repr(expected) and network.flat_params.size == 44_426
    assert network.flat_params.tobytes() == expected.flat_params.tobytes()


def test_the_papers_images():
    network = lenet5(10, 32, rng=0)
    assert network[:6].output_shape((1, 32, 32)) == (16, 5, 5)
    # 156 and 48,120 of the paper's figures, which are of the same layers; its second convolution is not on all channels.
    sizes = [sum(p.size for p in layer.params.values()) for layer in network if layer.params]
    assert sizes == [156, 2416, 48_120, 10_164, 850] and sum(sizes) == 61_706


def test_paths_and_saving(check_paths, check_saved, tmp_path):
    network = lenet5(4, (18, 21), 2, dtype=np.float64, rng=0)
    check_paths(network, (2, 18, 21), batch=5)
    check_saved(network, (2, 18, 21), tmp_path)
