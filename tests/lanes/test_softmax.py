"""Softmax and its logarithm over the channels of lane blocks, against the NumPy twins."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels._threads import run
from fastnn.kernels.lanes import softmax
from fastnn.kernels.lanes.layout import Place, aligned_zeros, from_lanes, lanes_of, place_of, to_lanes

SHAPES = [(1,), (10,), (300,), (4, 7), (3, 2, 5)]


def forward(name, x, chunk=1):
    xs = to_lanes(x)
    outs = aligned_zeros(xs.shape, x.dtype)
    args = (x[:0].ravel(), place_of(outs), place_of(xs), xs[0, ..., 0, 0].size, x.shape[1])
    run([getattr(softmax, name).phase(args, len(xs), chunk)])
    return from_lanes(outs, len(x))


def backward(name, dout, out, chunk=1):
    douts, outs = to_lanes(dout), to_lanes(out)
    dxs = aligned_zeros(outs.shape, out.dtype)
    args = (out[:0].ravel(), place_of(dxs), place_of(douts), place_of(outs), outs[0, ..., 0, 0].size, out.shape[1])
    run([getattr(softmax, name).phase(args, len(outs), chunk)])
    return from_lanes(dxs, len(out))


def twin(name, *arrays):
    result = np.empty_like(arrays[0])
    cubes = [a.reshape(a.shape[0], a.shape[1], -1) for a in (result, *arrays)]
    getattr(fastnn.kernels.resolve("reference").softmax, name)(*cubes)
    return result


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(rng, dtype, assert_close, name, shape):
    N = 2 * lanes_of(dtype) + 3
    x, dout = ((3 * rng.standard_normal((N, *shape))).astype(dtype) for _ in range(2))
    out = twin(f"{name}_forward", x)
    dx = twin(f"{name}_backward", dout, out)
    for chunk in (1, 3):
        assert_close(forward(f"{name}_forward", x, chunk), out, shape[0])
        assert_close(backward(f"{name}_backward", dout, out, chunk), dx, shape[0])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("special", [np.nan, -np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_nan_infinities_and_large_numbers(rng, dtype, assert_close, name, special):
    x = rng.standard_normal((20, 6)).astype(dtype)
    for n in range(6):
        x[n, n] = special
    x[7] = special
    x[8, 2:] = special
    out = twin(f"{name}_forward", x)
    actual = forward(f"{name}_forward", x)
    np.testing.assert_allclose(actual, out, rtol=1e-5, atol=1e-6)
    dout = rng.standard_normal(x.shape).astype(dtype)
    with np.errstate(invalid="ignore"):
        expected = twin(f"{name}_backward", dout, out)
    np.testing.assert_allclose(backward(f"{name}_backward", dout, out), expected, rtol=1e-4, atol=1e-5)


def test_local_places(rng, dtype):
    """Maxima and sums of a chunk whose blocks lie in scratch memory: forward there, backward from there."""
    x, dout = (rng.standard_normal((3 * lanes_of(dtype), 5, 2)).astype(dtype) for _ in range(2))
    xs, douts = to_lanes(x), to_lanes(dout)
    dxs, out = aligned_zeros(xs.shape, dtype), Place(128, xs[0].nbytes, 1)
    like = x[:0].ravel()
    for chunk in (1, 3):
        first = softmax.softmax_forward.phase((like, out, place_of(xs), 2, 5), 3, chunk)
        second = softmax.softmax_backward.phase((like, place_of(dxs), place_of(douts), out, 2, 5), 3, chunk)
        first[4] = second.buffer_info()[0]  # the same chunk on the same thread
        run([first], 128 + xs.nbytes)
        expected = backward("softmax_backward", dout, forward("softmax_forward", x))
        np.testing.assert_array_equal(from_lanes(dxs, len(x)), expected)
