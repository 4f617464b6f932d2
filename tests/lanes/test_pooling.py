"""Pooling of lane blocks, against the NumPy twins."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels._threads import run
from fastnn.kernels.geometry import pool_output_size
from fastnn.kernels.lanes import pooling
from fastnn.kernels.lanes.layout import Place, aligned_zeros, from_lanes, lanes_of, place_of, to_lanes

WINDOWS = {  # kernel, stride, padding, dilation, ceil_mode
    "2x2": ((2, 2), (2, 2), (0, 0), (1, 1), False),
    "2x2 ceil": ((2, 2), (2, 2), (0, 0), (1, 1), True),
    "3x3 overlapping": ((3, 3), (2, 2), (1, 1), (1, 1), False),
    "3x2 by 1": ((3, 2), (1, 1), (1, 0), (1, 1), False),
    "gaps": ((1, 2), (3, 3), (0, 0), (1, 1), False),
    "dilated": ((2, 3), (1, 2), (1, 1), (2, 2), False),
    "dilated by the stride's multiple": ((3, 2), (2, 3), (1, 0), (4, 2), True),
    "whole": ((5, 7), (5, 7), (0, 0), (1, 1), False),
}


def geometry_of(H, W, kernel, stride, padding, dilation, ceil_mode):
    out = [pool_output_size(*a, ceil_mode) for a in zip((H, W), kernel, stride, padding, dilation)]
    return (H, W, *out, *kernel, *stride, *padding, *dilation)


def blocks_like(shape, dtype):
    """Poisoned lane blocks for a batch (N, C, H, W)."""
    lanes = lanes_of(dtype)
    blocks = aligned_zeros((-(-shape[0] // lanes), *shape[2:], shape[1], lanes), dtype)
    blocks.fill(-77)
    return blocks


def twin(name, *outputs_and_arguments):
    getattr(fastnn.kernels.resolve("reference").pooling, name)(*outputs_and_arguments)


def max_pool(x, dout, geometry, relu=0, training=1, chunk=1):
    """Forward and backward through lanes: (out, dx)."""
    like, dtype = x[:0].ravel(), x.dtype
    taps_like = np.empty(0, pooling.taps_dtype(geometry))
    shape = (*x.shape[:2], *geometry[2:4])
    xs, outs, douts, dxs = to_lanes(x), blocks_like(shape, dtype), to_lanes(dout), blocks_like(x.shape, dtype)
    forward, backward = pooling.max_windows(geometry)
    taps = aligned_zeros(outs.shape, taps_like.dtype)
    where = place_of(taps) if training else Place(0, 0, 0)
    blocks, C = len(xs), x.shape[1]
    args = (like, taps_like, place_of(outs), where, place_of(xs), *forward, C, relu, training)
    phases = [pooling.max_pool_forward.phase(args, blocks, chunk)]
    if training:
        args = (like, taps_like, place_of(dxs), place_of(douts), where, *backward, C)
        phases.append(pooling.max_pool_backward.phase(args, blocks, chunk))
    run(phases)
    return from_lanes(outs, len(x)), from_lanes(dxs, len(x))


def batch(rng, dtype, geometry, N=None, C=3, integers=False):
    N = N or lanes_of(dtype) + 3
    x, dout = (
        (rng.integers(-3, 4, s) if integers else rng.standard_normal(s)).astype(dtype)
        for s in ((N, C, *geometry[:2]), (N, C, *geometry[2:4]))
    )
    return x, dout


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("C", [1, 2, 7])
def test_max_pool(rng, dtype, assert_close, window, C):
    geometry = geometry_of(9, 8, *WINDOWS[window])
    x, dout = batch(rng, dtype, geometry, C=C, integers=True)  # many equal maxima
    out, dx, argmax = np.empty_like(dout), np.empty_like(x), np.empty(dout.shape, np.int32)
    kernel, stride, padding, dilation, _ = WINDOWS[window]
    twin("maxpool2d_forward", out, argmax, x, kernel, stride, padding, dilation)
    twin("maxpool2d_backward", dx, dout, argmax)
    for chunk in (1, 3):
        actual_out, actual_dx = max_pool(x, dout, geometry, chunk=chunk)
        np.testing.assert_array_equal(actual_out, out)
        assert_close(actual_dx, dx)
    np.testing.assert_array_equal(max_pool(x, dout, geometry, training=0)[0], out)


@pytest.mark.parametrize("window", ["2x2", "3x3 overlapping", "dilated"])
def test_max_pool_with_relu(rng, dtype, assert_close, window):
    """The same as pooling and then rectifying, in both directions, NaN included."""
    geometry = geometry_of(8, 7, *WINDOWS[window])
    x, dout = batch(rng, dtype, geometry, integers=True)
    x[0, 0, 2, 3] = np.nan
    out, dx, argmax = np.empty_like(dout), np.empty_like(x), np.empty(dout.shape, np.int32)
    kernel, stride, padding, dilation, _ = WINDOWS[window]
    twin("maxpool2d_forward", out, argmax, x, kernel, stride, padding, dilation)
    expected = np.maximum(out, 0)
    twin("maxpool2d_backward", dx, np.where(expected <= 0, 0, dout), argmax)
    actual_out, actual_dx = max_pool(x, dout, geometry, relu=1)
    np.testing.assert_array_equal(actual_out, expected)
    assert_close(actual_dx, dx)
    np.testing.assert_array_equal(max_pool(x, dout, geometry, relu=1, training=0)[0], expected)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("window", ["2x2", "3x3 overlapping"])
def test_max_pool_of_nan_and_infinities(rng, dtype, assert_close, special, window):
    geometry = geometry_of(6, 9, *WINDOWS[window])
    x, dout = batch(rng, dtype, geometry)
    x[rng.random(x.shape) < 0.4] = special
    x[1] = special
    out, dx, argmax = np.empty_like(dout), np.empty_like(x), np.empty(dout.shape, np.int32)
    kernel, stride, padding, dilation, _ = WINDOWS[window]
    twin("maxpool2d_forward", out, argmax, x, kernel, stride, padding, dilation)
    twin("maxpool2d_backward", dx, dout, argmax)
    actual_out, actual_dx = max_pool(x, dout, geometry)
    np.testing.assert_array_equal(actual_out, out)
    assert_close(actual_dx, dx)


def test_max_pool_of_windows_without_a_cell(dtype):
    geometry = (2, 1, 3, 1, 2, 1, 1, 1, 2, 0, 5, 1)  # the taps jump over the image
    x, dout = np.ones((3, 2, 2, 1), dtype), np.ones((3, 2, 3, 1), dtype)
    out, dx = max_pool(x, dout, geometry)
    argmax, expected, expected_dx = np.empty(out.shape, np.int32), np.empty_like(out), np.empty_like(x)
    twin("maxpool2d_forward", expected, argmax, x, (2, 1), (1, 1), (2, 0), (5, 1))
    twin("maxpool2d_backward", expected_dx, dout, argmax)
    assert np.isneginf(expected).any()
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(dx, expected_dx)


def test_taps_of_large_windows(rng, dtype):
    geometry = geometry_of(20, 17, (17, 16), (3, 1), (8, 8), (1, 1), False)
    assert pooling.taps_dtype(geometry) is np.int32
    x, dout = batch(rng, dtype, geometry, N=3, C=1)
    out, dx, argmax = np.empty_like(dout), np.empty_like(x), np.empty(dout.shape, np.int32)
    twin("maxpool2d_forward", out, argmax, x, (17, 16), (3, 1), (8, 8), (1, 1))
    twin("maxpool2d_backward", dx, dout, argmax)
    actual_out, actual_dx = max_pool(x, dout, geometry)
    np.testing.assert_array_equal(actual_out, out)
    np.testing.assert_allclose(actual_dx, dx, rtol=1e-5, atol=1e-5)


def average(x, dout, tables, chunk=1):
    like, C = x[:0].ravel(), x.shape[1]
    forward, backward = tables
    xs, outs, douts, dxs = to_lanes(x), blocks_like(dout.shape, x.dtype), to_lanes(dout), blocks_like(x.shape, x.dtype)
    run(
        [
            pooling.avg_pool_forward.phase((like, place_of(outs), place_of(xs), *forward, C), len(xs), chunk),
            pooling.avg_pool_backward.phase((like, place_of(dxs), place_of(douts), *backward, C), len(xs), chunk),
        ]
    )
    return from_lanes(outs, len(x)), from_lanes(dxs, len(x))


@pytest.mark.parametrize("window", [name for name in WINDOWS if "dilated" not in name])
@pytest.mark.parametrize("count_include_pad, divisor", [(True, 0), (False, 0), (True, 5)])
def test_avg_pool(rng, dtype, assert_close, window, count_include_pad, divisor):
    geometry = geometry_of(9, 8, *WINDOWS[window])
    x, dout = batch(rng, dtype, geometry, C=5)
    out, dx = np.empty_like(dout), np.empty_like(x)
    averaging = (*WINDOWS[window][:3], count_include_pad, divisor)
    twin("avgpool2d_forward", out, x, *averaging)
    twin("avgpool2d_backward", dx, dout, *averaging)
    for chunk in (1, 3):
        actual_out, actual_dx = average(x, dout, pooling.mean_windows(geometry, count_include_pad, divisor, dtype), chunk)
        assert_close(actual_out, out, 9)
        assert_close(actual_dx, dx, 9)


@pytest.mark.parametrize("sizes", [(7, 5, 1, 1), (7, 5, 3, 2), (4, 6, 4, 6), (3, 2, 5, 7), (1, 10, 1, 4)])
def test_adaptive_avg_pool(rng, dtype, assert_close, sizes):
    x, dout = batch(rng, dtype, sizes, C=6)
    out, dx = np.empty_like(dout), np.empty_like(x)
    twin("adaptive_avgpool2d_forward", out, x)
    twin("adaptive_avgpool2d_backward", dx, dout)
    actual_out, actual_dx = average(x, dout, pooling.adaptive_windows(sizes, dtype))
    assert_close(actual_out, out, 35)
    assert_close(actual_dx, dx, 35)


def test_avg_pool_of_nan_and_infinities(rng, dtype):
    geometry = geometry_of(6, 6, *WINDOWS["3x3 overlapping"])
    x, dout = batch(rng, dtype, geometry, N=4)
    x[0, 0, 3, 3], x[1, 1, 2, 2], dout[2, 0, 1, 1] = np.nan, np.inf, -np.inf
    out, dx = np.empty_like(dout), np.empty_like(x)
    twin("avgpool2d_forward", out, x, (3, 3), (2, 2), (1, 1), True, 0)
    twin("avgpool2d_backward", dx, dout, (3, 3), (2, 2), (1, 1), True, 0)
    actual_out, actual_dx = average(x, dout, pooling.mean_windows(geometry, True, 0, dtype))
    np.testing.assert_allclose(actual_out, out, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(actual_dx, dx, rtol=1e-5, atol=1e-5)


def test_local_places(rng, dtype):
    """A chunk's winners and maxima in scratch memory, through both directions."""
    geometry = geometry_of(6, 6, *WINDOWS["2x2"])
    x, dout = batch(rng, dtype, geometry, N=3 * lanes_of(dtype) - 1)
    like, taps_like = np.empty(0, dtype), np.empty(0, np.uint8)
    xs, douts, dxs = to_lanes(x), to_lanes(dout), blocks_like(x.shape, dtype)
    out_bytes = douts[0].nbytes
    out, taps = Place(64, out_bytes, 1), Place(64 + 3 * out_bytes, douts[0].size, 1)
    forward, backward = pooling.max_windows(geometry)
    for chunk in (1, 3):
        first = pooling.max_pool_forward.phase((like, taps_like, out, taps, place_of(xs), *forward, 3, 0, 1), len(xs), chunk)
        second = (like, taps_like, place_of(dxs), place_of(douts), taps, *backward, 3)
        second = pooling.max_pool_backward.phase(second, len(xs), chunk)
        first[4] = second.buffer_info()[0]  # THEN_WORD: the same chunk, the same thread
        run([first], 64 + 6 * out_bytes)
        np.testing.assert_array_equal(from_lanes(dxs, len(x)), max_pool(x, dout, geometry)[1])
