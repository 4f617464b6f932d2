"""Winograd convolution over lane blocks and its gradients against direct sums: sizes, paddings, bias, threads, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn import kernels
from fastnn.kernels import reference
from fastnn.kernels._threads import run, threads
from fastnn.kernels.lanes import winograd, winograd_weight
from fastnn.kernels.lanes.layout import Place, aligned_zeros, from_lanes, place_of, to_lanes

TEMP = Place(0, 0, 1)


def convolve(x, weight, bias=None, padding=(1, 1), *, flipped=False, relu=False, chunk=1, parts=1):
    """What `winograd_record` makes of a batch (N, C, H, W)."""
    channels, filters = weight.shape[:2] if flipped else weight.shape[1::-1]
    blocks = to_lanes(x)
    u = aligned_zeros(winograd.u_shape(filters, channels, x.dtype), x.dtype)
    u[:] = np.nan
    shape = (*x.shape[2:], channels, filters, *padding)
    size = [n + 2 * p - 2 for n, p in zip(x.shape[2:], padding)]
    out = aligned_zeros((len(blocks), *size, filters, blocks.shape[-1]), x.dtype)
    out[:] = np.nan
    record = winograd.winograd_record(
        place_of(out), place_of(blocks), u, bias, shape, relu, TEMP, len(blocks) * parts, chunk, parts
    )
    run([winograd.weight_record(u, weight, flipped), record], winograd.scratch_bytes(shape, x.dtype))
    return from_lanes(out, len(x))


def direct(x, weight, bias=None, padding=(1, 1)):
    out = np.empty((len(x), len(weight), *[n + 2 * p - 2 for n, p in zip(x.shape[2:], padding)]), x.dtype)
    reference.conv.conv2d_forward(out, x, weight, bias, (1, 1), padding, (1, 1), 1)
    return out


def gradient(dout, weight, size, padding):
    dx = np.empty((len(dout), weight.shape[1], *size), dout.dtype)
    reference.conv.conv2d_backward_input(dx, dout, weight, (1, 1), padding, (1, 1), 1)
    return dx


def weight_gradients(x, dout, padding=(1, 1), *, bias=True, chunk=1):
    """Sums of the sets that `winograd_weight_record` leaves behind."""
    blocks, gradients = to_lanes(x), to_lanes(dout)
    left = len(x) % blocks.shape[-1]
    if left:
        gradients[-1, ..., left:] = 0
    sets, channels, filters = -(-len(blocks) // chunk), x.shape[1], dout.shape[1]
    dweights = np.full((sets, filters * channels * 9), np.nan, x.dtype)
    dbiases = np.full((sets, filters), np.nan, x.dtype) if bias else None
    shape = (*x.shape[2:], channels, filters, *padding)
    places = place_of(blocks), place_of(gradients)
    record = winograd_weight.winograd_weight_record(dweights, dbiases, *places, shape, len(blocks), chunk, TEMP)
    run([record], winograd_weight.weight_work_bytes(shape, x.dtype))
    return dweights.sum(0).reshape(filters, channels, 3, 3), dbiases.sum(0) if bias else None


def direct_weight_gradient(x, dout, padding=(1, 1)):
    dweight = np.empty((dout.shape[1], x.shape[1], 3, 3), x.dtype)
    reference.conv.conv2d_backward_weight(dweight, x, dout, (1, 1), padding, (1, 1), 1)
    return dweight


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_forward_and_input_gradient(data):
    draw = data.draw
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    height, width = (draw(st.integers(max(1, 3 - 2 * p), 17)) for p in padding)
    samples, channels, filters = draw(st.integers(1, 35)), draw(st.integers(1, 9)), draw(st.integers(1, 18))
    chunk, relu = draw(st.sampled_from([1, 3])), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x, weight = rng.standard_normal((samples, channels, height, width)), rng.standard_normal((filters, channels, 3, 3))
    bias = rng.standard_normal(filters) if draw(st.booleans()) else None
    expected = direct(x, weight, bias, padding)
    out = convolve(x, weight, bias, padding, relu=relu, chunk=chunk)
    scale = 1e-10 * (1 + np.abs(expected).max())
    np.testing.assert_allclose(out, np.maximum(expected, 0) if relu else expected, rtol=0, atol=scale)
    dout = rng.standard_normal(expected.shape)
    dx = convolve(dout, weight, None, (2 - padding[0], 2 - padding[1]), flipped=True, chunk=chunk)
    expected = gradient(dout, weight, (height, width), padding)
    np.testing.assert_allclose(dx, expected, rtol=0, atol=1e-10 * (1 + np.abs(expected).max()))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_weight_gradient(data):
    draw = data.draw
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    size = [draw(st.integers(max(1, 3 - 2 * p), 17)) for p in padding]
    samples, channels, filters = draw(st.integers(1, 35)), draw(st.integers(1, 40)), draw(st.integers(1, 18))
    chunk, bias = draw(st.sampled_from([1, 3])), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.standard_normal((samples, channels, *size))
    dout = rng.standard_normal((samples, filters, *[n + 2 * p - 2 for n, p in zip(size, padding)]))
    dweight, dbias = weight_gradients(x, dout, padding, bias=bias, chunk=chunk)
    expected = direct_weight_gradient(x, dout, padding)
    np.testing.assert_allclose(dweight, expected, rtol=0, atol=1e-10 * (1 + np.abs(expected).max()))
    if bias:
        np.testing.assert_allclose(dbias, dout.sum((0, 2, 3)), atol=1e-10)


def test_weight_gradient_in_single_precision():
    rng = np.random.default_rng(0)
    x, dout = (rng.standard_normal((64, 16, 20, 20)).astype(np.float32) for _ in range(2))
    exact = direct_weight_gradient(x.astype(np.float64), dout.astype(np.float64))
    for chunk in (1, 4):
        dweight, _ = weight_gradients(x, dout, chunk=chunk)
        assert np.sqrt(np.mean((dweight - exact) ** 2)) < 4e-6 * exact.std()
        assert np.abs(dweight - exact).max() < 4e-5 * exact.std()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weight_gradient_has_the_same_bits_for_any_threads(dtype):
    rng = np.random.default_rng(0)
    x, dout = (rng.standard_normal((70, c, 9, 11)).astype(dtype) for c in (5, 13))
    for chunk in (1, 3):
        with threads(1):
            expected = weight_gradients(x, dout, chunk=chunk)
        for count in (2, 3):
            with threads(count):
                for one, many in zip(expected, weight_gradients(x, dout, chunk=chunk)):
                    np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("channels", [16, 128])
def test_error_in_single_precision_is_a_few_times_the_direct_kernels(channels):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((16, channels, 12, 12)), rng.standard_normal((16, channels, 3, 3))
    x, weight = x.astype(np.float32), weight.astype(np.float32)
    exact = direct(x.astype(np.float64), weight.astype(np.float64))
    other = np.empty(exact.shape, np.float32)
    kernels.conv.conv2d_forward(other, x, weight, None, (1, 1), (1, 1), (1, 1), 1)
    error, usual = (np.abs(found - exact) for found in (convolve(x, weight), other))
    assert np.sqrt(np.mean(error**2)) < 4 * np.sqrt(np.mean(usual**2))
    assert error.max() < 4 * usual.max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_threads_chunks_and_parts(dtype):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((70, 5, 18, 11)).astype(dtype), rng.standard_normal((13, 5, 3, 3)).astype(dtype)
    with threads(1):
        expected = convolve(x, weight)
    for count, chunk, parts in [(2, 1, 1), (2, 3, 1), (3, 1, 2), (2, 3, 5), (2, 2, winograd.parts_of((18, 11, 5, 13, 1, 1)))]:
        with threads(count):
            np.testing.assert_array_equal(convolve(x, weight, chunk=chunk, parts=parts), expected)


def test_local_places():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((40, 4, 6, 5)), rng.standard_normal((4, 4, 3, 3))
    blocks = to_lanes(x)
    shape = (6, 5, 4, 4, 1, 1)
    u = aligned_zeros(winograd.u_shape(4, 4, x.dtype), x.dtype)
    run([winograd.weight_record(u, weight, False)])
    out = aligned_zeros(blocks.shape, x.dtype)
    step = out[0].nbytes
    between = Place(-(-winograd.scratch_bytes(shape, x.dtype) // 64) * 64, step, 1)
    records = [
        winograd.winograd_record(target, source, u, None, shape, False, TEMP, len(blocks), 3)
        for target, source in ((between, place_of(blocks)), (place_of(out), between))
    ]
    records[0][4] = records[1].buffer_info()[0]  # one phase of two records
    run(records[:1], between.base + 3 * step)
    np.testing.assert_allclose(from_lanes(out, 40), direct(direct(x, weight), weight), atol=1e-10)


def test_what_is_not_finite_stays_so_and_within_its_sample():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((5, 3, 9, 9)), rng.standard_normal((4, 3, 3, 3))
    x[1, 2, 4, 4], x[3, 0, 0, 0] = np.nan, np.inf
    expected = direct(x, weight)
    out, cut = convolve(x, weight), convolve(x, weight, relu=True)
    broken = ~np.isfinite(expected)
    assert not np.isfinite(out[broken]).any()
    assert np.isnan(out[1, :, 3:6, 3:6]).all() and np.isnan(cut[1, :, 3:6, 3:6]).all()
    whole = [0, 2, 4]
    np.testing.assert_allclose(out[whole], expected[whole], atol=1e-10)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (((8, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1), True),
        (((8, 4, 3, 3), (1, 1), (0, 2), (1, 1), 1), True),
        (((8, 4, 3, 3), (1, 1), (3, 1), (1, 1), 1), False),
        (((8, 4, 3, 3), (2, 1), (1, 1), (1, 1), 1), False),
        (((8, 4, 3, 3), (1, 1), (1, 1), (2, 2), 1), False),
        (((8, 4, 3, 3), (1, 1), (1, 1), (1, 1), 2), False),
        (((8, 4, 3, 5), (1, 1), (1, 1), (1, 1), 1), False),
        (((8, 4, 3), (1,), (1,), (1,), 1), False),
    ],
)
def test_applies(arguments, expected):
    assert winograd.applies(*arguments) is expected


def test_small_planes_and_few_channels_are_left_to_the_direct_kernel():
    worth = [(16, 16, 64, 64, 1, 1), (8, 8, 128, 128, 1, 1), (32, 32, 32, 32, 1, 1), (32, 32, 16, 16, 1, 1)]
    not_worth = [(28, 28, 1, 8, 1, 1), (2, 2, 64, 64, 1, 1), (32, 32, 16, 3, 1, 1), (5, 5, 16, 16, 1, 1)]
    for worth_it in (winograd.worth_it, winograd_weight.weight_worth_it):
        assert all(worth_it(shape, np.float32) for shape in worth)
        assert not any(worth_it(shape, np.float32) for shape in not_worth)
