import numpy as np
import pytest

import fastnn as fnn


def test_worked_answers(impl, dtype):
    x = np.array([[[[3, -4, 1], [0, 0, 2], [0, 0, 2]]]], dtype)
    np.testing.assert_allclose(fnn.LPPool2d(2, 2).use(impl).forward(x), [[[[5]]]], rtol=1e-6)
    np.testing.assert_allclose(fnn.LPPool2d(1, 2).use(impl).forward(x), [[[[-1]]]], rtol=1e-6)
    assert np.isnan(fnn.LPPool2d(3, 2).use(impl).forward(x)).all()  # the cube root of 27 - 64
    assert np.isnan(fnn.LPPool2d(1.5, 2).use(impl).forward(x)).all()
    # Windows cut off count as whole ones: 4 of one cell, 2 of two.
    expected = np.sqrt([[25, 2 * 5], [0, 4 * 4]])
    np.testing.assert_allclose(fnn.LPPool2d(2, 2, ceil_mode=True).use(impl).forward(x)[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_no_gradient_where_the_sum_is_0(p, impl):
    x = np.array([[[1.0, -1.0, 0.0, 0.0, 1.0, 2.0]]])
    layer = fnn.LPPool1d(p, 2).use(impl)
    layer.forward(x, training=True)
    dx = layer.backward(np.ones((1, 1, 3)))[0, 0]
    np.testing.assert_array_equal(dx[2:4], 0)
    assert (dx[4:] > 0).all() and np.isfinite(dx).all()
    if p != 2:
        np.testing.assert_array_equal(dx[:2], 0)


def test_shapes():
    assert fnn.LPPool2d(2, (3, 2), (2, 1)).output_shape((5, 9, 7)) == (5, 4, 6)
    assert fnn.LPPool2d(2, 2, ceil_mode=True).output_shape((5, 9, 7)) == (5, 5, 4)
    assert fnn.LPPool1d(2, 4).output_shape((5, 11)) == (5, 2)


@pytest.mark.parametrize("layer", [fnn.LPPool1d, fnn.LPPool2d])
def test_wrong_arguments(layer):
    name = layer.__name__
    for wrong in (0, -1.5):
        with pytest.raises(ValueError, match=f"{name}: norm_type must be above 0, got {wrong}"):
            layer(wrong, 2)
    with pytest.raises(ValueError, match=f"{name}: norm_type must be finite, got inf"):
        layer(float("inf"), 2)
    with pytest.raises(TypeError, match=f"{name}: norm_type must be a number"):
        layer("2", 2)
    with pytest.raises(ValueError, match=f"{name}: kernel_size must be at least 1"):
        layer(2, 0)
    with pytest.raises(ValueError, match=rf"{name}: expected .* of at least one window, kernel_size"):
        layer(2, 3).forward(np.zeros((1, 1, 2, 2)[: layer.spatial + 2]))
