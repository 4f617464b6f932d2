"""What kernels check themselves, because register tiles go by addresses: dtype and contiguity."""

import numpy as np
import pytest

from fastnn import kernels


def test_arrays_of_two_float_dtypes_are_refused():
    x, weight = np.ones((4, 3)), np.ones((2, 3))
    out = np.empty((4, 2), np.float32)
    with pytest.raises(TypeError, match="one float dtype, got float32 and float64"):
        kernels.dense.dense_forward(out, x, weight, None)
    with pytest.raises(TypeError, match="relu_forward: expected arrays of one float dtype"):
        kernels.activations.relu_forward(out.reshape(-1), np.ones(8))


def test_arrays_with_gaps_are_refused():
    with pytest.raises(ValueError, match="expected C-contiguous arrays, got strides"):
        kernels.activations.relu_forward(np.empty(5), np.ones(10)[::2])


def test_no_gradient_goes_into_a_copy():
    x, dout, options = np.ones((2, 3, 8, 8)), np.ones((2, 4, 6, 6)), ((1, 1), (0, 0), (1, 1), 1)
    strided = np.zeros((4, 3, 3, 6))[..., ::2]
    conv = kernels.conv
    with pytest.raises(ValueError, match="C-contiguous"):
        conv.conv2d_backward_weight(strided, x, dout, *options)
    with pytest.raises(ValueError, match="C-contiguous"):
        conv.conv2d_backward_input(np.zeros_like(x), dout, strided, *options)
    with pytest.raises(ValueError, match="C-contiguous"):
        conv.conv2d_forward(np.zeros_like(dout), x, strided, None, *options)
    with pytest.raises(ValueError, match="C-contiguous"):
        kernels.dense.dense_backward_input(np.zeros((2, 5)), np.ones((2, 3)), np.ones((3, 10))[:, ::2])


def test_unknown_dtypes_are_refused():
    with pytest.raises(TypeError, match=r"expected one of float32, float64, .* got float16"):
        kernels.activations.relu_forward(np.empty(5, np.float16), np.ones(5, np.float16))


def test_arguments_may_be_named():
    out = np.empty(2)
    kernels.activations.relu_forward(x=np.array([-1.0, 2.0]), out=out)
    np.testing.assert_array_equal(out, [0, 2])
