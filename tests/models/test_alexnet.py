"""alexnet and zfnet: parameters and planes of the papers, normalization, the same layer by layer and as plans."""

import itertools

import numpy as np
import pytest

import fastnn as fnn
from fastnn.models import alexnet, zfnet


def dense(*sizes):
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))


def conv(channels, filters, window):
    return channels * filters * window**2 + filters


# Per group; 60,965,224 and 62,357,608 are the figures usually given.
ALEXNET = conv(3, 96, 11) + 2 * conv(48, 128, 5) + conv(256, 384, 3) + 2 * conv(192, 192, 3) + 2 * conv(192, 128, 3)
ZFNET = conv(3, 96, 7) + conv(96, 256, 5) + conv(256, 384, 3) + conv(384, 384, 3) + conv(384, 256, 3)


def planes(network, size, kinds):
    shape, found = (3, size, size), []
    for layer in network:
        shape = layer.output_shape(shape)
        if isinstance(layer, kinds):
            found.append(shape[:2])
    return found


def test_alexnet_of_the_paper():
    network = alexnet(rng=0)
    assert network.flat_params.size == ALEXNET + dense(9216, 4096, 4096, 1000) == 60_965_224
    found = planes(network, 224, (fnn.Conv2d, fnn.MaxPool2d))
    assert found == [(96, 55), (96, 27), (256, 27), (256, 13), (384, 13), (384, 13), (256, 13), (256, 6)]
    assert [layer.groups for layer in network if isinstance(layer, fnn.Conv2d)] == [1, 2, 1, 2, 2]


def test_zfnet_of_the_paper():
    network = zfnet(rng=0)
    assert network.flat_params.size == ZFNET + dense(9216, 4096, 4096, 1000) == 62_357_608
    found = planes(network, 224, (fnn.Conv2d, fnn.MaxPool2d))
    assert found == [(96, 110), (96, 55), (256, 26), (256, 13), (384, 13), (384, 13), (256, 13), (256, 6)]


def test_normalization_is_the_papers(rng):
    layer = next(layer for layer in alexnet(2, 63, hidden=4, rng=0) if isinstance(layer, fnn.LocalResponseNorm))
    a = rng.normal(size=(2, 9, 3, 4)) * 100
    expected = np.empty_like(a)
    for i in range(9):
        near = a[:, max(0, i - 2) : i + 3]  # n = 5
        expected[:, i] = a[:, i] / (2 + 1e-4 * (near**2).sum(axis=1)) ** 0.75
    np.testing.assert_allclose(layer.forward(a), expected, rtol=1e-10)


@pytest.mark.parametrize("function", [alexnet, zfnet])
def test_paths_and_saving(function, check_paths, check_saved, tmp_path):
    network = function(4, (67, 64), hidden=32, dropout=0.25, dtype=np.float64, rng=0)
    check_paths(network, (3, 67, 64))
    check_saved(network, (3, 67, 64), tmp_path)


@pytest.mark.parametrize("function", [alexnet, zfnet])
def test_signals_do_not_vanish(function, rng):
    network = function(10, 64, hidden=256, rng=0)
    out = network[:15].forward(rng.normal(size=(4, 3, 64, 64)).astype(np.float32))
    assert 0.03 < out.std() < 3
