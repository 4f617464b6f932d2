"""Local response normalization over lane blocks, against the NumPy twins."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels._threads import run
from fastnn.kernels.lanes import lrn
from fastnn.kernels.lanes.layout import Place, aligned_zeros, from_lanes, lanes_of, place_of, to_lanes

SHAPES = [(1, 1), (10, 3), (64, 2, 5), (4, 7), (3, 2, 5)]
SETTINGS = [(1, 0.7, 0.75, 1.0), (2, 0.7, 0.5, 2.0), (5, 0.7, 0.6, 1.0), (6, 0.7, 1.0, 0.5), (900, 0.7, 0.75, 1.0)]


def sizes(x):
    return int(np.prod(x.shape[2:])), x.shape[1]


def memory(rows, x):
    """Place of some vectors for each channel in scratch memory, and its size."""
    return Place(0, 0, 1), rows * x.shape[1] * lanes_of(x.dtype) * x.itemsize


def forward(x, settings, chunk=1):
    xs = to_lanes(x)
    outs = np.full_like(xs, np.nan)
    row, scratch = memory(1, x)
    args = x[:0].ravel(), place_of(outs), place_of(xs), row, *sizes(x), *settings
    run([lrn.lrn_forward.phase(args, len(xs), chunk)], scratch)
    return from_lanes(outs, len(x))


def backward(dout, x, settings, chunk=1):
    douts, xs = to_lanes(dout), to_lanes(x)
    dxs = np.full_like(xs, np.nan)
    rows, scratch = memory(3, x)
    args = x[:0].ravel(), place_of(dxs), place_of(douts), place_of(xs), rows, *sizes(x), *settings
    run([lrn.lrn_backward.phase(args, len(xs), chunk)], scratch)
    return from_lanes(dxs, len(x))


def twins(dout, x, settings):
    """(out, dx)"""
    k = fastnn.kernels.resolve("reference").lrn
    x, dout = (a.reshape(*a.shape[:2], -1) for a in (x, dout))
    out, scale, dx = (np.empty_like(x) for _ in range(3))
    k.lrn_forward(out, scale, x, *settings)
    k.lrn_backward(dx, dout, x, scale, *settings[:3])
    return out, dx


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twins(shape, settings, dtype, rng, assert_close):
    N = 2 * lanes_of(dtype) + 3
    x, dout = rng.standard_normal((2, N, *shape)).astype(dtype)
    out, dx = (a.reshape(x.shape) for a in twins(dout, x, settings))
    for chunk in (1, 3):
        assert_close(forward(x, settings, chunk), out, shape[0])
        assert_close(backward(dout, x, settings, chunk), dx, shape[0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_windows(value, dtype, rng):
    x, dout = rng.standard_normal((2, 20, 9, 4)).astype(dtype)
    x[17, 4, 2] = value
    settings = 3, 1.0, 0.75, 1.0
    out, dx = twins(dout, x, settings)
    np.testing.assert_allclose(forward(x, settings), out, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(backward(dout, x, settings), dx, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 3])
def test_local_places(chunk, dtype, rng):
    """Forward into scratch memory, backward from there: what comes out of the one is the dout of the other."""
    x = rng.standard_normal((4 * lanes_of(dtype) - 1, 5, 3)).astype(dtype)
    xs, settings = to_lanes(x), SETTINGS[2]
    dxs, step = aligned_zeros(xs.shape, dtype), xs[0].nbytes
    place, size = memory(3, x)
    out = Place(size, step, 1)
    like = x[:0].ravel()
    first = lrn.lrn_forward.phase((like, out, place_of(xs), place, *sizes(x), *settings), len(xs), chunk)
    args = like, place_of(dxs), out, place_of(xs), place, *sizes(x), *settings
    second = lrn.lrn_backward.phase(args, len(xs), chunk)
    first[4] = second.buffer_info()[0]  # the same chunk on the same thread
    run([first], size + chunk * step)
    np.testing.assert_array_equal(from_lanes(dxs, len(x)), backward(forward(x, settings), x, settings))


def test_threads(dtype, rng, assert_same_bits):
    x, dout = rng.standard_normal((2, 100, 13, 5, 7)).astype(dtype)
    assert_same_bits(lambda: (forward(x, SETTINGS[0]), backward(dout, x, SETTINGS[0])))
