"""Two-dimensional convolution: worked answers, the twin, every remainder, finite differences, NaN, threads."""

import numpy as np
import pytest

from fastnn.kernels.geometry import conv_output_size

# N, C, H, W, F, kernel, stride, padding, dilation, groups
CASES = {
    "unequal": (3, 4, 11, 13, 7, (5, 6), (1, 2), (0, 0), (1, 1), 1),
    "unequal_padded": (3, 2, 9, 14, 5, (4, 3), (2, 1), (1, 2), (1, 1), 1),
    "kernel_is_input": (3, 2, 5, 4, 6, (5, 4), (1, 1), (0, 0), (1, 1), 1),
    "one_by_one": (2, 5, 4, 7, 3, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "one_by_one_strided": (2, 5, 8, 7, 3, (1, 1), (2, 3), (0, 0), (1, 1), 1),
    "stride_beyond_kernel": (2, 3, 11, 9, 4, (2, 1), (3, 4), (0, 0), (1, 1), 1),
    "stride_not_dividing": (2, 3, 8, 12, 4, (3, 5), (2, 3), (1, 0), (1, 1), 1),
    "dilated": (2, 3, 10, 12, 4, (3, 2), (1, 2), (2, 1), (2, 3), 1),
    "window_in_the_padding": (2, 3, 3, 4, 5, (2, 2), (1, 1), (3, 2), (1, 1), 1),
    "groups": (2, 6, 7, 8, 4, (3, 2), (1, 1), (1, 0), (1, 1), 2),
    "groups_everything": (3, 6, 10, 11, 9, (2, 3), (2, 1), (1, 2), (2, 1), 3),
    "depthwise": (2, 5, 9, 8, 10, (3, 3), (1, 1), (1, 1), (1, 1), 5),
    "one_row": (2, 3, 1, 37, 4, (1, 4), (1, 1), (0, 2), (1, 1), 1),
    "one_sample": (1, 3, 8, 7, 5, (3, 2), (1, 1), (0, 1), (1, 1), 1),
    "no_samples": (0, 3, 8, 7, 5, (3, 2), (1, 1), (0, 1), (1, 1), 1),
    "lenet_first": (3, 1, 28, 28, 6, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    "lenet_second": (5, 6, 12, 12, 16, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    "three_by_three": (2, 17, 9, 10, 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "three_by_three_strided": (3, 3, 32, 32, 16, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "many_channels": (2, 70, 6, 5, 37, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "wide": (2, 2, 3, 150, 33, (2, 3), (1, 1), (0, 1), (1, 1), 1),
}


def output_size(H, W, kernel, stride, padding, dilation):
    sizes = zip((H, W), kernel, stride, padding, dilation)
    return tuple(conv_output_size(*axis) for axis in sizes)


def make(case, rng, dtype):
    N, C, H, W, F, kernel, stride, padding, dilation, groups = case
    OH, OW = output_size(H, W, kernel, stride, padding, dilation)
    shapes = (N, C, H, W), (F, C // groups, *kernel), (F,), (N, F, OH, OW)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    return *arrays, (stride, padding, dilation, groups)


def check_twins(case, rng, dtype, compare_twins):
    x, weight, bias, dout, options = make(case, rng, dtype)
    taps, positions = weight[0].size, dout[:, 0].size
    compare_twins("conv", "conv2d_forward", dout, x, weight, bias, *options, length=taps)
    compare_twins("conv", "conv2d_forward", dout, x, weight, None, *options, length=taps)
    compare_twins("conv", "conv2d_backward_input", x, dout, weight, *options, length=weight.size)
    compare_twins("conv", "conv2d_backward_weight", weight, x, dout, *options, length=positions)
    compare_twins("conv", "conv2d_backward_bias", bias, dout, length=positions)


# x is [[0, 1, 2], [3, 4, 5], [6, 7, 8]]: weight, stride, padding, dilation -> out; dx and dweight for dout all ones
WORKED = {
    "plain": (
        [[1, 10], [100, 1000]],
        ((1, 1), (0, 0), (1, 1)),
        [[4310, 5421], [7643, 8754]],
        [[1, 11, 10], [101, 1111, 1010], [100, 1100, 1000]],
        [[8, 12], [20, 24]],
    ),
    "stride_padding": (
        [[1, 10], [100, 1000]],
        ((2, 2), (1, 1), (1, 1)),
        [[0, 2100], [6030, 8754]],
        [[1000, 100, 1000], [10, 1, 10], [1000, 100, 1000]],
        [[4, 8], [8, 16]],
    ),
    "dilation": (
        [[1, 10], [100, 1000]],
        ((1, 1), (0, 0), (2, 2)),
        [[8620]],
        [[1, 0, 10], [0, 0, 0], [100, 0, 1000]],
        [[0, 2], [6, 8]],
    ),
    "not_square": (
        [[1, 10, 100]],
        ((2, 1), (0, 1), (1, 1)),
        [[100, 210, 21], [760, 876, 87]],
        [[11, 111, 110], [0, 0, 0], [11, 111, 110]],
        [[14, 24, 18]],
    ),
}


@pytest.mark.parametrize("case", WORKED)
def test_worked_answers(impl, case, dtype, run):
    weight, options, out, dx, dweight = WORKED[case]
    x = np.arange(9, dtype=dtype).reshape(1, 1, 3, 3)
    weight, out = np.array([[weight]], dtype), np.array([[out]], dtype)
    ones, k = np.ones_like(out), impl.conv
    result = run(k.conv2d_forward, np.empty_like(out), x, weight, np.array([0.5], dtype), *options, 1)
    np.testing.assert_array_equal(result, out + 0.5)
    result = run(k.conv2d_backward_input, np.empty_like(x), ones, weight, *options, 1)
    np.testing.assert_array_equal(result[0, 0], dx)
    result = run(k.conv2d_backward_weight, np.empty_like(weight), x, ones, *options, 1)
    np.testing.assert_array_equal(result[0, 0], dweight)
    assert run(k.conv2d_backward_bias, np.empty(1, dtype), ones)[0] == out.size


def test_worked_groups(impl, dtype, run):
    # filters 0, 1 see channels 0, 1; filters 2, 3 see channels 2, 3
    x = np.array([1, 2, 3, 4], dtype).reshape(1, 4, 1, 1)
    weight = np.array([[1, 10], [5, 0], [1, 10], [0, 5]], dtype).reshape(4, 2, 1, 1)
    dout = np.array([1, 2, 3, 4], dtype).reshape(1, 4, 1, 1)
    options = (1, 1), (0, 0), (1, 1), 2
    out = run(impl.conv.conv2d_forward, np.empty_like(dout), x, weight, None, *options)
    assert out.ravel().tolist() == [21, 5, 43, 20]
    dx = run(impl.conv.conv2d_backward_input, np.empty_like(x), dout, weight, *options)
    assert dx.ravel().tolist() == [11, 10, 3, 50]
    dweight = run(impl.conv.conv2d_backward_weight, np.empty_like(weight), x, dout, *options)
    assert dweight.reshape(4, 2).tolist() == [[1, 2], [2, 4], [9, 12], [12, 16]]


@pytest.mark.parametrize("case", CASES)
def test_twins(case, dtype, rng, compare_twins):
    check_twins(CASES[case], rng, dtype, compare_twins)


@pytest.mark.parametrize("remainder", range(16))
def test_twins_at_every_remainder_of_the_vector_width(remainder, dtype, rng, compare_twins):
    # output width, filters, channels and positions OH*OW each take every remainder
    F, C, W = 1 + (remainder + 5) % 16, 1 + (3 * remainder) % 16, 20 + remainder
    check_twins((2, C, 4, W, F, (2, 3), (1, 1), (0, 0), (1, 1), 1), rng, dtype, compare_twins)
    check_twins((1, 3, 5, 1 + remainder, 16 + F, (3, 3), (1, 1), (1, 1), (1, 1), 1), rng, dtype, compare_twins)
    check_twins((2, 2, 6, 5 + 2 * remainder, F, (3, 3), (2, 2), (1, 1), (1, 1), 1), rng, dtype, compare_twins)


def test_empty_batch_has_zero_gradients(impl, dtype, rng, run):
    x, weight, bias, dout, options = make(CASES["no_samples"], rng, dtype)
    assert not run(impl.conv.conv2d_backward_weight, np.empty_like(weight), x, dout, *options).any()
    assert not run(impl.conv.conv2d_backward_bias, np.empty_like(bias), dout).any()


@pytest.mark.parametrize(
    "case",
    [
        (2, 3, 5, 4, 4, (3, 2), (1, 1), (1, 0), (1, 1), 1),
        (2, 4, 6, 5, 6, (2, 2), (2, 1), (1, 2), (2, 1), 2),
        (1, 2, 4, 6, 3, (1, 2), (3, 3), (0, 0), (1, 1), 1),
    ],
    ids=["padded", "groups_strided_dilated", "stride_beyond_kernel"],
)
def test_finite_differences(impl, case, rng, run, assert_gradient):
    x, weight, bias, dout, options = make(case, rng, np.float64)
    out, k = np.empty_like(dout), impl.conv

    def forward():
        return run(k.conv2d_forward, out, x, weight, bias, *options)

    dx = run(k.conv2d_backward_input, np.empty_like(x), dout, weight, *options)
    dweight = run(k.conv2d_backward_weight, np.empty_like(weight), x, dout, *options)
    assert_gradient(dx, forward, x, dout)
    assert_gradient(dweight, forward, weight, dout)
    assert_gradient(run(k.conv2d_backward_bias, np.empty_like(bias), dout), forward, bias, dout)


@pytest.mark.parametrize("case", ["unequal_padded", "lenet_second", "three_by_three", "groups"])
def test_nan_reaches_exactly_the_windows_over_it(impl, case, dtype, rng, run):
    x, weight, bias, dout, options = make(CASES[case], rng, dtype)
    C, groups, at = x.shape[1], options[-1], (1, 0, 2, 3)
    # where the window covers the pixel: the output of weights 1 over an image that is 1 there and 0 elsewhere
    spot = np.zeros_like(x)
    spot[at] = 1
    reached = run(impl.conv.conv2d_forward, np.empty_like(dout), spot, np.ones_like(weight), None, *options) > 0.5
    assert reached[1].any() and (groups == 1 or not reached[:, dout.shape[1] // groups :].any())
    x[at] = np.nan
    out = run(impl.conv.conv2d_forward, np.empty_like(dout), x, weight, bias, *options)
    np.testing.assert_array_equal(np.isnan(out), reached)
    dweight = run(impl.conv.conv2d_backward_weight, np.empty_like(weight), x, dout, *options)
    channels = np.isnan(dweight[: dout.shape[1] // groups]).any(axis=(0, 2, 3))
    assert channels.tolist() == [True] + [False] * (C // groups - 1)
    dout[0, 0, 0, 0] = np.nan
    dx = run(impl.conv.conv2d_backward_input, np.empty_like(x), dout, weight, *options)
    assert np.isnan(dx[0]).any() and not np.isnan(dx[1:]).any()


@pytest.mark.parametrize("case", ["lenet_first", "lenet_second", "three_by_three", "three_by_three_strided", "groups"])
def test_threads(case, numba, rng, run, assert_same_bits):
    case = (37, *CASES[case][1:])
    x, weight, bias, dout, options = make(case, rng, np.float32)
    k = numba.conv
    assert_same_bits(lambda: run(k.conv2d_forward, np.empty_like(dout), x, weight, bias, *options))
    assert_same_bits(lambda: run(k.conv2d_backward_input, np.empty_like(x), dout, weight, *options))
    assert_same_bits(lambda: run(k.conv2d_backward_weight, np.empty_like(weight), x, dout, *options))
    assert_same_bits(lambda: run(k.conv2d_backward_bias, np.empty_like(bias), dout))
