"""Pooling: worked answers, the twin, ties, NaN, padding, windows of ceil_mode, finite differences, threads."""

import numpy as np
import pytest

from fastnn.kernels.geometry import pool_output_size

# N, C, H, W, kernel, stride, padding, dilation, ceil_mode
CASES = {
    "unequal": (2, 3, 11, 13, (4, 5), (1, 6), (0, 0), (1, 1), False),
    "lenet": (3, 6, 24, 24, (2, 2), (2, 2), (0, 0), (1, 1), False),
    "odd_left_over": (2, 3, 7, 9, (2, 2), (2, 2), (0, 0), (1, 1), False),
    "odd_ceil": (2, 3, 7, 9, (2, 2), (2, 2), (0, 0), (1, 1), True),
    "overlap": (2, 3, 8, 10, (3, 2), (2, 1), (1, 1), (1, 1), False),
    "overlap_ceil": (2, 3, 8, 11, (3, 4), (2, 3), (1, 2), (1, 1), True),
    "ceil_beyond_the_padding": (2, 3, 6, 10, (3, 3), (4, 5), (1, 1), (1, 1), True),
    "kernel_is_input": (2, 3, 5, 4, (5, 4), (1, 1), (0, 0), (1, 1), False),
    "one_by_one": (2, 3, 4, 5, (1, 1), (1, 1), (0, 0), (1, 1), False),
    "stride_beyond_kernel": (2, 3, 11, 9, (2, 1), (3, 4), (0, 0), (1, 1), False),
    "stride_not_dividing": (2, 3, 10, 8, (3, 2), (2, 3), (0, 0), (1, 1), False),
    "dilated": (2, 3, 10, 12, (3, 2), (1, 2), (1, 1), (2, 3), False),
    "dilated_ceil": (2, 3, 10, 11, (2, 3), (3, 2), (1, 1), (3, 2), True),
    "one_row": (2, 3, 1, 37, (1, 3), (1, 2), (0, 1), (1, 1), False),
    "one_sample": (1, 2, 6, 34, (2, 2), (2, 2), (0, 0), (1, 1), False),
    "no_samples": (0, 3, 6, 8, (2, 2), (2, 2), (0, 0), (1, 1), False),
}
UNDILATED = {name: case for name, case in CASES.items() if case[7] == (1, 1)}

# N, C, H, W, OH, OW
ADAPTIVE = {
    "unequal": (2, 3, 11, 13, 4, 5),
    "global": (2, 3, 5, 7, 1, 1),
    "dividing": (2, 3, 8, 12, 4, 3),
    "larger_than_input": (2, 3, 4, 3, 7, 5),
    "same": (2, 3, 4, 5, 4, 5),
    "one_row": (2, 3, 1, 17, 1, 6),
    "no_samples": (0, 3, 8, 6, 2, 3),
}


def output_size(H, W, kernel, stride, padding, dilation, ceil_mode):
    return tuple(pool_output_size(*axis, ceil_mode) for axis in zip((H, W), kernel, stride, padding, dilation))


def make(case, rng, dtype):
    """x with all values distinct and far apart (no maximum changes under a finite difference), random dout."""
    N, C, H, W, *geometry = case
    x = rng.permutation(N * C * H * W).reshape(N, C, H, W).astype(dtype)
    x = x / 8 - 10
    dout = rng.standard_normal((N, C, *output_size(H, W, *geometry))).astype(dtype)
    return x, dout, geometry[:4]


def maxpool(k, x, shape, geometry, run):
    out, argmax = np.empty(shape, x.dtype), np.empty(shape, np.int32)
    return run(k.pooling.maxpool2d_forward, (out, argmax), x, *geometry)


# x, kernel, stride, padding, dilation, output size, out, argmax
IMAGE = [[1, 5, 2, 0], [5, 3, 4, 4], [0, 1, 9, 8]]
MAX_WORKED = {
    "plain": (IMAGE, (2, 2), (1, 2), (0, 0), (1, 1), (2, 2), [[5, 4], [5, 9]], [[1, 6], [4, 10]]),
    "row_major_tie": ([[2, 2], [2, 2]], (2, 2), (1, 1), (0, 0), (1, 1), (1, 1), [[2]], [[0]]),
    "overlap": (IMAGE, (3, 3), (1, 1), (0, 0), (1, 1), (1, 2), [[9, 9]], [[10, 10]]),
    "padding_never_wins": ([[-3, -2]], (2, 2), (1, 1), (1, 1), (1, 1), (2, 3), [[-3, -2, -2]] * 2, [[0, 1, 1]] * 2),
    "dilation": (IMAGE, (2, 2), (1, 1), (0, 0), (2, 2), (1, 2), [[9, 8]], [[10, 11]]),
    "ceil": (IMAGE, (2, 3), (2, 3), (0, 0), (1, 1), (2, 2), [[5, 4], [9, 8]], [[1, 7], [10, 11]]),
    "kernel_is_input": (IMAGE, (3, 4), (1, 1), (0, 0), (1, 1), (1, 1), [[9]], [[10]]),
    "minus_infinity": ([[-np.inf] * 3], (1, 2), (1, 1), (0, 1), (1, 1), (1, 4), [[-np.inf] * 4], [[0, 0, 1, 2]]),
}

# x, kernel, stride, padding, count_include_pad, divisor, output size, out
AVG_WORKED = {
    "plain": ([[1, 5, 2], [4, 2, 7]], (2, 2), (1, 1), (0, 0), True, 0, (1, 2), [[3, 4]]),
    "padding_counts": ([[4, 8]], (2, 2), (1, 1), (1, 1), True, 0, (2, 3), [[1, 3, 2]] * 2),
    "padding_does_not": ([[4, 8]], (2, 2), (1, 1), (1, 1), False, 0, (2, 3), [[4, 6, 8]] * 2),
    "divisor": ([[4, 8]], (2, 2), (1, 1), (1, 1), True, 2, (2, 3), [[2, 6, 4]] * 2),
    "not_square": ([[1, 2, 3, 4, 5]], (1, 3), (1, 2), (0, 0), True, 0, (1, 2), [[2, 4]]),
    "ceil": ([[1, 2, 3, 4, 6]], (1, 2), (1, 2), (0, 0), True, 0, (1, 3), [[1.5, 3.5, 6]]),
    # windows at -1, 2 and 5 of 3 columns each; the last holds column 5 and one column of padding, not the one beyond
    "ceil_beyond_the_padding": ([[1, 2, 3, 4, 5, 6]], (1, 3), (1, 3), (0, 1), True, 0, (1, 3), [[1, 4, 3]]),
    "ceil_in_the_image": ([[1, 2, 3, 4, 5, 6]], (1, 3), (1, 3), (0, 1), False, 0, (1, 3), [[1.5, 4, 6]]),
}


@pytest.mark.parametrize("case", MAX_WORKED)
def test_max_worked_answers(impl, case, dtype, run):
    x, *geometry, size, out, argmax = MAX_WORKED[case]
    x, shape = np.array([[x]], dtype), (1, 1, *size)
    result, position = maxpool(impl, x, shape, geometry, run)
    np.testing.assert_array_equal(result[0, 0], out)
    np.testing.assert_array_equal(position[0, 0], argmax)
    dout = np.arange(1, result.size + 1, dtype=dtype).reshape(shape)
    expected = np.bincount(np.ravel(argmax), dout.ravel(), x.size).reshape(x.shape)
    dx = run(impl.pooling.maxpool2d_backward, np.empty_like(x), dout, position)
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize("case", AVG_WORKED)
def test_avg_worked_answers(impl, case, dtype, run, assert_close):
    x, kernel, stride, padding, *counting, size, expected = AVG_WORKED[case]
    x = np.array([[x]], dtype)
    out = np.empty((1, 1, *size), dtype)
    assert_close(run(impl.pooling.avgpool2d_forward, out, x, kernel, stride, padding, *counting)[0, 0], expected)


def test_avg_backward_worked_answer(impl, dtype, run, assert_close):
    dout = np.array([[[[3, 6, 12]]]], dtype)  # windows {-, 0, 1}, {2, 3, 4}, {5, -}
    dx, k = np.empty((1, 1, 1, 6), dtype), impl.pooling
    run(k.avgpool2d_backward, dx, dout, (1, 3), (1, 3), (0, 1), True, 0)
    assert_close(dx.ravel(), [1, 1, 2, 2, 2, 6])
    run(k.avgpool2d_backward, dx, dout, (1, 3), (1, 3), (0, 1), False, 0)
    assert_close(dx.ravel(), [1.5, 1.5, 2, 2, 2, 12])


def test_adaptive_worked_answers(impl, dtype, run, assert_close):
    x = np.array([[[[1, 2, 3, 4, 6], [3, 4, 5, 6, 8]]]], dtype)
    out, k = np.empty((1, 1, 1, 3), dtype), impl.pooling
    run(k.adaptive_avgpool2d_forward, out, x)  # columns 0..1, 1..3, 3..4
    assert_close(out.ravel(), [2.5, 4, 6])
    dx = run(k.adaptive_avgpool2d_backward, np.empty_like(x), np.array([[[[4, 12, 8]]]], dtype))
    assert_close(dx[0, 0], [[1, 3, 2, 4, 2]] * 2)


@pytest.mark.parametrize("case", CASES)
def test_max_twins(case, dtype, rng, compare_twins, reference, run):
    x, dout, geometry = make(CASES[case], rng, dtype)
    argmax = np.empty(dout.shape, np.int32)
    compare_twins("pooling", "maxpool2d_forward", (dout, argmax), x, *geometry)
    tied = rng.integers(0, 2, x.shape).astype(dtype)  # nearly every window now holds ties
    compare_twins("pooling", "maxpool2d_forward", (dout, argmax), tied, *geometry)
    _, argmax = maxpool(reference, tied, dout.shape, geometry, run)
    compare_twins("pooling", "maxpool2d_backward", x, dout, argmax, length=x.shape[2] * x.shape[3])


@pytest.mark.parametrize("case", UNDILATED)
def test_avg_twins(case, dtype, rng, compare_twins):
    x, dout, (kernel, stride, padding, _) = make(UNDILATED[case], rng, dtype)
    for counting in (True, 0), (False, 0), (True, 3):
        options = kernel, stride, padding, *counting
        compare_twins("pooling", "avgpool2d_forward", dout, x, *options, length=kernel[0] * kernel[1])
        compare_twins("pooling", "avgpool2d_backward", x, dout, *options, length=kernel[0] * kernel[1])


@pytest.mark.parametrize("case", ADAPTIVE)
def test_adaptive_twins(case, dtype, rng, compare_twins):
    N, C, H, W, OH, OW = ADAPTIVE[case]
    x = rng.standard_normal((N, C, H, W)).astype(dtype)
    dout = rng.standard_normal((N, C, OH, OW)).astype(dtype)
    compare_twins("pooling", "adaptive_avgpool2d_forward", dout, x, length=H * W)
    compare_twins("pooling", "adaptive_avgpool2d_backward", x, dout, length=OH * OW)


@pytest.mark.parametrize("remainder", range(16))
def test_twins_at_every_remainder_of_the_vector_width(remainder, rng, compare_twins):
    for kernel, stride in ((2, 2), (2, 2)), ((3, 2), (1, 1)):
        case = (1, 3, 6, 2 * (17 + remainder), kernel, stride, (0, 0), (1, 1), False)
        x, dout, geometry = make(case, rng, np.dtype(np.float32))
        compare_twins("pooling", "maxpool2d_forward", (dout, np.empty(dout.shape, np.int32)), x, *geometry)
        compare_twins("pooling", "avgpool2d_forward", dout, x, *geometry[:3], True, 0, length=kernel[0] * kernel[1])
        compare_twins("pooling", "avgpool2d_backward", x, dout, *geometry[:3], True, 0, length=kernel[0] * kernel[1])


@pytest.mark.parametrize("case", ["unequal", "lenet", "overlap", "odd_ceil", "dilated"])
def test_nan_wins(impl, case, dtype, rng, run):
    x, dout, geometry = make(CASES[case], rng, dtype)
    before, _ = maxpool(impl, x, dout.shape, geometry, run)
    spot = np.full_like(x, -np.inf)
    spot[1, 2, 3, 4] = 0
    covers, _ = maxpool(impl, spot, dout.shape, geometry, run)
    x[1, 2, 3, 4] = np.nan
    out, argmax = maxpool(impl, x, dout.shape, geometry, run)
    assert (covers == 0).any()
    np.testing.assert_array_equal(out, np.where(covers == 0, np.nan, before))
    assert (argmax[covers == 0] == 3 * x.shape[3] + 4).all()


def test_several_nans(impl, dtype, run):
    x = np.array([[[[np.nan, 1, np.nan, 7], [2, np.nan, 9, 8]]]], dtype)
    out, argmax = maxpool(impl, x, (1, 1, 1, 3), ((2, 2), (1, 1), (0, 0), (1, 1)), run)
    assert np.isnan(out).all()
    assert argmax.ravel().tolist() == [5, 5, 2]  # the last of several, as in PyTorch


def test_window_without_a_tap_in_the_image(impl, dtype, run):
    # taps at -1 and 4 of columns 0..3
    x = np.arange(4, dtype=dtype).reshape(1, 1, 1, 4)
    out, argmax = maxpool(impl, x, (1, 1, 1, 1), ((1, 2), (1, 1), (0, 1), (1, 5)), run)
    assert out.item() == -np.inf
    assert argmax.item() == -1
    dx = run(impl.pooling.maxpool2d_backward, np.empty_like(x), np.ones_like(out), argmax)
    assert not dx.any()


def test_avg_nan_stays_in_its_windows(impl, dtype, rng, run):
    x, dout, (kernel, stride, padding, _) = make(CASES["overlap"], rng, dtype)
    spot = np.zeros_like(x)
    spot[1, 2, 3, 4] = 1
    options = kernel, stride, padding, True, 0
    covers = run(impl.pooling.avgpool2d_forward, np.empty_like(dout), spot, *options) > 0
    x[1, 2, 3, 4] = np.nan
    out = run(impl.pooling.avgpool2d_forward, np.empty_like(dout), x, *options)
    np.testing.assert_array_equal(np.isnan(out), covers)
    out = run(impl.pooling.adaptive_avgpool2d_forward, np.empty((2, 3, 2, 2), dtype), x)
    assert np.argwhere(np.isnan(out)).tolist() == [[1, 2, 0, 0]]


@pytest.mark.parametrize("case", ["overlap_ceil", "dilated", "stride_beyond_kernel"])
def test_max_finite_differences(impl, case, rng, run, assert_gradient):
    x, dout, geometry = make((1, 2, *CASES[case][2:]), rng, np.float64)
    _, argmax = maxpool(impl, x, dout.shape, geometry, run)
    dx = run(impl.pooling.maxpool2d_backward, np.empty_like(x), dout, argmax)
    assert_gradient(dx, lambda: maxpool(impl, x, dout.shape, geometry, run)[0], x, dout)


@pytest.mark.parametrize("counting", [(True, 0), (False, 0), (True, 5)], ids=["padding", "image", "divisor"])
def test_avg_finite_differences(impl, counting, rng, run, assert_gradient):
    x, dout, (kernel, stride, padding, _) = make((1, 2, *CASES["overlap_ceil"][2:]), rng, np.float64)
    options, out = (kernel, stride, padding, *counting), np.empty_like(dout)
    dx = run(impl.pooling.avgpool2d_backward, np.empty_like(x), dout, *options)
    assert_gradient(dx, lambda: run(impl.pooling.avgpool2d_forward, out, x, *options), x, dout)


def test_adaptive_finite_differences(impl, rng, run, assert_gradient):
    x, dout = rng.standard_normal((1, 2, 5, 7)), rng.standard_normal((1, 2, 3, 4))
    out = np.empty_like(dout)
    dx = run(impl.pooling.adaptive_avgpool2d_backward, np.empty_like(x), dout)
    assert_gradient(dx, lambda: run(impl.pooling.adaptive_avgpool2d_forward, out, x), x, dout)


@pytest.mark.parametrize("case", ["lenet", "overlap"])
def test_threads(case, numba, rng, run, assert_same_bits):
    k = numba.pooling
    x, dout, geometry = make((37, 8, *CASES[case][2:]), rng, np.dtype(np.float32))
    _, argmax = maxpool(numba, x, dout.shape, geometry, run)
    counting = *geometry[:3], True, 0
    assert_same_bits(lambda: maxpool(numba, x, dout.shape, geometry, run))
    assert_same_bits(lambda: run(k.maxpool2d_backward, np.empty_like(x), dout, argmax))
    assert_same_bits(lambda: run(k.avgpool2d_forward, np.empty_like(dout), x, *counting))
    assert_same_bits(lambda: run(k.avgpool2d_backward, np.empty_like(x), dout, *counting))


def test_adaptive_threads(numba, rng, run, assert_same_bits):
    x, dout = rng.standard_normal((37, 8, 24, 24), np.float32), rng.standard_normal((37, 8, 5, 7), np.float32)
    assert_same_bits(lambda: run(numba.pooling.adaptive_avgpool2d_forward, np.empty_like(dout), x))
    assert_same_bits(lambda: run(numba.pooling.adaptive_avgpool2d_backward, np.empty_like(x), dout))
