"""GoogLeNet: parameters and planes of the paper's table 1 and of torchvision's variant, the same on both paths."""

import itertools

import numpy as np
import pytest

import fastnn as fnn
from fastnn.models import googlenet
from fastnn.models.googlenet import BLOCKS


def block_parameters(before, one, three_in, three, five_in, five, pooled, extra, window):
    """Weights, and `extra` parameters for each output of a convolution."""
    weights = before * (one + three_in + five_in + pooled) + 9 * three_in * three + window**2 * five_in * five
    return weights + extra * (one + three_in + three + five_in + five + pooled)


def parameters(extra, window):
    stem = 3 * 64 * 49 + 64 * 64 + 64 * 192 * 9 + extra * (64 + 64 + 192)
    return stem + sum(block_parameters(*sizes, extra, window) for sizes in BLOCKS.values()) + 1024 * 1000 + 1000


def test_parameters_of_the_paper():
    assert googlenet(rng=0).flat_params.size == parameters(extra=1, window=5) == 6_998_552


def test_parameters_of_torchvision():
    assert googlenet(batch_norm=True, rng=0).flat_params.size == parameters(extra=2, window=3) == 6_624_904


@pytest.mark.parametrize("batch_norm", [False, True])
def test_planes_of_the_paper(batch_norm):
    network, shape, found = googlenet(batch_norm=batch_norm, rng=0), (3, 224, 224), []
    for layer in network:
        shape = layer.output_shape(shape)
        if isinstance(layer, (fnn.Concat, fnn.MaxPool2d)):
            found.append(shape[:2])
    assert found == [
        *[(64, 56), (192, 28), (256, 28), (480, 28), (480, 14)],
        *[(512, 14), (512, 14), (512, 14), (528, 14), (832, 14)],
        *[(832, 7), (832, 7), (1024, 7)],
    ]
    assert shape == (1000,)
    assert any(isinstance(layer, fnn.LocalResponseNorm) for layer in network) != batch_norm


def test_channels_of_blocks_follow_each_other():
    for one, two in itertools.pairwise(BLOCKS.values()):
        assert one[1] + one[3] + one[5] + one[6] == two[0]


def test_dropout():
    def p(**options):
        return next(layer.p for layer in googlenet(2, 32, rng=0, **options) if isinstance(layer, fnn.Dropout))

    assert (p(), p(batch_norm=True), p(dropout=0.1)) == (0.4, 0.2, 0.1)


def torch_googlenet(torch, classes):
    """torchvision's, without auxiliary classifiers: modules in its order."""
    nn = torch.nn

    def conv(before, after, window, stride=1):
        layer = nn.Conv2d(before, after, window, stride, window // 2, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(after, eps=0.001), nn.ReLU())

    class Inception(nn.Module):
        def __init__(self, before, one, three_in, three, five_in, five, pooled):
            super().__init__()
            self.branch1 = conv(before, one, 1)
            self.branch2 = nn.Sequential(conv(before, three_in, 1), conv(three_in, three, 3))
            self.branch3 = nn.Sequential(conv(before, five_in, 1), conv(five_in, five, 3))
            self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv(before, pooled, 1))

        def forward(self, x):
            return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)

    blocks = {name: Inception(*sizes) for name, sizes in BLOCKS.items()}
    return nn.Sequential(
        conv(3, 64, 7, 2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        conv(64, 64, 1),
        conv(64, 192, 3),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        *[blocks[name] for name in ("3a", "3b")],
        nn.MaxPool2d(3, 2, ceil_mode=True),
        *[blocks[name] for name in ("4a", "4b", "4c", "4d", "4e")],
        nn.MaxPool2d(2, 2, ceil_mode=True),
        *[blocks[name] for name in ("5a", "5b")],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(1024, classes),
    )


def test_same_as_torch(torch_twin, rng):
    torch = pytest.importorskip("torch")
    network = googlenet(5, (64, 75), batch_norm=True, rng=0)
    module = torch_twin(network, torch_googlenet(torch, 5)).eval()
    x = rng.normal(size=(2, 3, 64, 75)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.forward(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_paths_and_saving(batch_norm, check_paths, check_saved, tmp_path):
    network = googlenet(4, (33, 36), 2, batch_norm=batch_norm, dtype=np.float64, rng=0)
    check_paths(network, (2, 33, 36))
    check_saved(network, (2, 33, 36), tmp_path)
