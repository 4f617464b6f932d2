"""im2col and col2im: worked answers, the twin, adjointness, threads."""

import numpy as np
import pytest

from fastnn.kernels.geometry import conv_output_size

# N, C, H, W, kernel, stride, padding, dilation
CASES = {
    "unequal": (3, 4, 11, 13, (5, 6), (1, 2), (0, 0), (1, 1)),
    "kernel_is_input": (2, 3, 5, 4, (5, 4), (1, 1), (0, 0), (1, 1)),
    "one_by_one": (2, 3, 4, 5, (1, 1), (1, 1), (0, 0), (1, 1)),
    "stride_beyond_kernel": (2, 3, 11, 9, (2, 1), (3, 4), (0, 0), (1, 1)),
    "overlap_padded": (2, 3, 8, 7, (3, 2), (2, 1), (1, 2), (1, 1)),
    "dilated": (2, 3, 10, 12, (3, 2), (1, 2), (2, 1), (2, 3)),
    "window_in_the_padding": (2, 1, 3, 4, (2, 2), (1, 1), (3, 2), (1, 1)),
    "one_row": (2, 3, 1, 19, (1, 4), (1, 3), (0, 2), (1, 1)),
    "one_sample": (1, 3, 6, 7, (3, 2), (1, 1), (0, 1), (1, 1)),
    "no_samples": (0, 3, 6, 7, (3, 2), (1, 1), (0, 1), (1, 1)),
}


def make(case, rng, dtype):
    N, C, H, W, kernel, stride, padding, dilation = case
    OH = conv_output_size(H, kernel[0], stride[0], padding[0], dilation[0])
    OW = conv_output_size(W, kernel[1], stride[1], padding[1], dilation[1])
    x = rng.standard_normal((N, C, H, W)).astype(dtype)
    col = rng.standard_normal((N, C * kernel[0] * kernel[1], OH * OW)).astype(dtype)
    return x, col, (kernel, stride, padding, dilation)


# kernel, stride, padding, dilation, columns of [[0, 1, 2], [3, 4, 5]] one row per tap, and col2im of ones
WORKED = {
    "plain": ((2, 2), (1, 1), (0, 0), (1, 1), [[0, 1], [1, 2], [3, 4], [4, 5]], [[1, 2, 1], [1, 2, 1]]),
    "stride": ((1, 1), (2, 2), (0, 0), (1, 1), [[0, 2]], [[1, 0, 1], [0, 0, 0]]),
    "padding": ((2, 1), (2, 2), (1, 0), (1, 1), [[0, 0, 3, 5], [0, 2, 0, 0]], [[1, 0, 1], [1, 0, 1]]),
    "dilation": ((2, 2), (1, 1), (0, 0), (1, 2), [[0], [2], [3], [5]], [[1, 0, 1], [1, 0, 1]]),
    "kernel_is_input": ((2, 3), (1, 1), (0, 0), (1, 1), [[0], [1], [2], [3], [4], [5]], [[1, 1, 1], [1, 1, 1]]),
}


@pytest.mark.parametrize("case", WORKED)
def test_worked_answers(impl, case, dtype, run):
    *geometry, columns, coverage = WORKED[case]
    x = np.arange(6, dtype=dtype).reshape(1, 1, 2, 3)
    columns = np.array(columns, dtype)[None]
    np.testing.assert_array_equal(run(impl.im2col.im2col, np.empty_like(columns), x, *geometry), columns)
    covered = run(impl.im2col.col2im, np.empty_like(x), np.ones_like(columns), *geometry)
    np.testing.assert_array_equal(covered[0, 0], coverage)


@pytest.mark.parametrize("case", CASES)
def test_twins(case, dtype, rng, compare_twins):
    x, col, geometry = make(CASES[case], rng, dtype)
    compare_twins("im2col", "im2col", col, x, *geometry)
    compare_twins("im2col", "col2im", x, col, *geometry)


@pytest.mark.parametrize("case", CASES)
def test_col2im_is_the_adjoint(impl, case, rng, run):
    x, col, geometry = make(CASES[case], rng, np.float64)
    left = (run(impl.im2col.im2col, np.empty_like(col), x, *geometry) * col).sum()
    right = (run(impl.im2col.col2im, np.empty_like(x), col, *geometry) * x).sum()
    assert left == pytest.approx(right, rel=1e-10, abs=1e-10)


def test_nan_stays_where_it_is(impl, dtype, rng, run):
    x, col, geometry = make((2, 2, 5, 6, (3, 2), (1, 1), (1, 1), (1, 1)), rng, dtype)
    expected = run(impl.im2col.im2col, np.empty_like(col), x, *geometry) == x[1, 1, 2, 3]
    x[1, 1, 2, 3] = np.nan
    np.testing.assert_array_equal(np.isnan(run(impl.im2col.im2col, col, x, *geometry)), expected)


def test_threads(numba, rng, run, assert_same_bits):
    x, col, geometry = make((7, 5, 32, 31, (3, 3), (1, 1), (1, 1), (1, 1)), rng, np.float32)
    assert_same_bits(lambda: run(numba.im2col.im2col, np.empty_like(col), x, *geometry))
    assert_same_bits(lambda: run(numba.im2col.col2im, np.empty_like(x), col, *geometry))
