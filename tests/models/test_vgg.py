"""VGG: parameters of the paper's columns, torchvision's layers, the same layer by layer and as plans."""

import numpy as np
import pytest

from fastnn.models import vgg11, vgg13, vgg16, vgg19
from fastnn.models.vgg import CHANNELS, STAGES

COUNTS = {"vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240}
HEAD = 512 * 7 * 7 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_by_hand(name):
    total, before = HEAD, 3
    for count, after in zip(STAGES[name], CHANNELS):
        for _ in range(count):
            total += before * after * 9 + after
            before = after
    assert total == COUNTS[name]


@pytest.mark.parametrize("function", [vgg11, vgg13, vgg16, vgg19])
def test_parameters_of_the_features(function):
    """All that the tables decide; the head in its full size is another, slow test."""
    network = function(1000, 224, hidden=1, rng=0)
    head = 512 * 7 * 7 + 1 + 1 + 1 + 1000 + 1000
    assert network.flat_params.size - head == COUNTS[function.__name__] - HEAD


@pytest.mark.slow
def test_parameters_of_vgg16():
    network = vgg16(rng=0)
    assert network.flat_params.size == COUNTS["vgg16"]
    assert network.output_shape((3, 224, 224)) == (1000,)


def test_batch_norm_adds_scales_and_shifts():
    plain, normed = vgg11(2, 32, hidden=4, rng=0), vgg11(2, 32, hidden=4, batch_norm=True, rng=0)
    assert normed.flat_params.size - plain.flat_params.size == 2 * (64 + 128 + 2 * 256 + 4 * 512)
    names = [layer.class_name for layer in normed[:3]]
    assert names == ["Conv2d", "BatchNorm2d", "ReLU"]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_same_as_torch(batch_norm, torch_twin, rng):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layers, before = [], 3
    for after in (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"):
        if after == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if batch_norm else [nn.ReLU()]
        before = after
    head = [nn.Flatten(), nn.Linear(512 * 2, 48), nn.ReLU(), nn.Dropout(), nn.Linear(48, 48), nn.ReLU(), nn.Dropout()]
    network = vgg11(5, (32, 64), hidden=48, batch_norm=batch_norm, rng=0)
    module = torch_twin(network, nn.Sequential(*layers, *head, nn.Linear(48, 5))).eval()
    x = rng.normal(size=(2, 3, 32, 64)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.forward(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_paths_and_saving(check_paths, check_saved, tmp_path):
    network = vgg11(4, (32, 35), 2, hidden=16, dropout=0.25, batch_norm=True, dtype=np.float64, rng=0)
    check_paths(network, (2, 32, 35))
    check_saved(network, (2, 32, 35), tmp_path)


def test_paths_without_batch_norm(check_paths):
    check_paths(vgg11(4, 32, hidden=16, dropout=0, dtype=np.float64, rng=0), (3, 32, 32))


def test_signals_do_not_vanish(rng):
    """19 layers under PyTorch's own initial values leave a thousandth; under He's they keep their size."""
    network = vgg19(10, 32, hidden=64, rng=0)
    out = network[:-8].forward(rng.normal(size=(4, 3, 32, 32)).astype(np.float32))
    assert 0.1 < out.std() < 10
