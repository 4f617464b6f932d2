import numpy as np
import pytest

import fastnn as fnn


def test_identity():
    layer, x = fnn.Identity(), np.arange(6.0).reshape(3, 2)
    assert layer.forward(x, training=True) is x
    assert layer.backward(2 * x).tolist() == (2 * x).tolist()
    assert layer.output_shape((2, 3)) == (2, 3) and layer.output_shape(()) == ()
    out = fnn.Sequential(layer).forward(x)
    assert not np.shares_memory(out, x)


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ((60,), (60,)),
        ((-1,), (60,)),
        ((5, 4, 3), (5, 4, 3)),
        (((5, 4, 3),), (5, 4, 3)),
        (([5, -1],), (5, 12)),
        ((-1, 2, 2, 3), (5, 2, 2, 3)),
        ((1, 60), (1, 60)),
    ],
)
def test_reshape(arguments, shape):
    layer, x = fnn.Reshape(*arguments), np.arange(120.0).reshape(2, 3, 4, 5)
    out = layer.forward(x, training=True)
    np.testing.assert_array_equal(out, x.reshape(2, *shape))
    assert np.shares_memory(out, x) and layer.output_shape((3, 4, 5)) == shape
    np.testing.assert_array_equal(layer.backward(out), x)


def test_reshape_to_one_number():
    assert fnn.Reshape(()).forward(np.zeros((3, 1))).shape == (3,)
    assert fnn.Reshape(()).output_shape((1, 1)) == ()


@pytest.mark.parametrize(
    "shape, message",
    [
        ((7,), r"Reshape: expected samples of 7 elements for shape=\(7,\), got x.shape=\(2, 3, 4\)"),
        ((5, -1), r"Reshape: expected samples of a multiple of 5 elements for shape=\(5, -1\), got x.shape=\(2, 3, 4\)"),
        ((0, -1), "a multiple of 0 elements"),
        ((), r"expected samples of 1 elements for shape=\(\)"),
    ],
)
def test_reshape_that_does_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        fnn.Reshape(shape).forward(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match=r"got input_shape=\(3, 4\)"):
        fnn.Reshape(shape).output_shape((3, 4))


@pytest.mark.parametrize(
    "dims, shape",
    [
        ((3, 1, 2), (5, 3, 4)),
        ((0, 3, 1, 2), (5, 3, 4)),
        (((3, 1, 2),), (5, 3, 4)),
        (([0, 3, 1, 2],), (5, 3, 4)),
        ((1, 2, 3), (3, 4, 5)),
        ((3, 2, 1), (5, 4, 3)),
    ],
)
def test_permute(dims, shape, impl):
    layer, x = fnn.Permute(*dims).use(impl), np.arange(120.0).reshape(2, 3, 4, 5)
    out = layer.forward(x, training=True)
    assert out.shape == (2, *shape) == (2, *layer.output_shape((3, 4, 5)))
    np.testing.assert_array_equal(out, x.transpose(0, *layer.dims))
    np.testing.assert_array_equal(layer.backward(out), x)
    assert out.flags.c_contiguous


def test_permute_of_another_number_of_axes():
    with pytest.raises(ValueError, match=r"Permute: expected samples of 3 axes for dims=\(3, 1, 2\), got x.shape=\(2, 3, 4\)"):
        fnn.Permute(3, 1, 2).forward(np.zeros((2, 3, 4)))


@pytest.mark.parametrize("dims", [(0,), (2,), (1, 1), (0, 2, 3), (1, 0, 2), (-1, 1), (1, 2, 4), (0, 0, 1)])
def test_no_permutation(dims):
    with pytest.raises(ValueError, match="Permute: dims must be the axes of x, numbered from 1, in their new order"):
        fnn.Permute(*dims)


def test_wrong_arguments():
    for layer in (fnn.Reshape, fnn.Permute):
        name = layer.__name__
        with pytest.raises(ValueError, match=f"{name}: .* must be one or more ints, got none"):
            layer()
        with pytest.raises(TypeError, match=f"{name}: .* must be an int, got 1.5"):
            layer(1.5)
        with pytest.raises(TypeError, match=f"{name}: .* must be an int"):
            layer((1, 2), 3)
    with pytest.raises(ValueError, match=r"Reshape: shape may have one -1, got \(-1, -1\)"):
        fnn.Reshape(-1, -1)
    with pytest.raises(ValueError, match="Reshape: shape must be at least -1, got -2"):
        fnn.Reshape(-2, 3)
    with pytest.raises(ValueError, match=r"Permute: dims must be the axes"):
        fnn.Permute(())
