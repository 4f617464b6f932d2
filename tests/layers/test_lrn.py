import numpy as np
import pytest

import fastnn as fnn


def test_worked_answers(impl):
    x = np.array([[[1.0, 2], [2, 0], [3, 1]]])
    out = fnn.LocalResponseNorm(2, 2.0, 1.0, 1.0).use(impl).forward(x)
    np.testing.assert_allclose(out, [[[1 / 2, 2 / 5], [1 / 3, 0], [3 / 14, 1 / 2]]])
    np.testing.assert_allclose(fnn.LocalResponseNorm(1, beta=0.0).use(impl).forward(x), x)


@pytest.mark.parametrize("shape", [(2, 5, 1), (2, 5, 3), (2, 5, 3, 2), (2, 5, 3, 1, 2), (2, 5, 1, 3, 1, 2)])
def test_positions_of_any_number_of_axes(shape, rng, dtype, impl):
    x, dout = rng.standard_normal((2, *shape)).astype(dtype)
    layer, flat = (fnn.LocalResponseNorm(3, 1.0).use(impl) for _ in range(2))
    out, expected = layer.forward(x, training=True), flat.forward(x.reshape(2, 5, -1), training=True)
    np.testing.assert_array_equal(out.reshape(2, 5, -1), expected)
    np.testing.assert_array_equal(layer.backward(dout).reshape(2, 5, -1), flat.backward(dout.reshape(2, 5, -1)))


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_no_elements(shape, dtype):
    layer, x = fnn.LocalResponseNorm(2), np.empty(shape, dtype)
    assert layer.forward(x, training=True).shape == shape
    assert layer.backward(x).shape == shape


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"size": 2.0}, TypeError, "size must be an int, got 2.0"),
        ({"alpha": -1e-4}, ValueError, "alpha must be at least 0, got -0.0001"),
        ({"beta": np.inf}, ValueError, "beta must be finite, got inf"),
        ({"beta": "1"}, TypeError, "beta must be a number"),
        ({"k": -1}, ValueError, "k must be at least 0, got -1"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=f"LocalResponseNorm: {message}"):
        fnn.LocalResponseNorm(**{"size": 3, **arguments})


def test_bad_shapes():
    layer = fnn.LocalResponseNorm(3)
    for shape in ((4,), (4, 3)):
        with pytest.raises(ValueError, match=r"LocalResponseNorm: expected \(N, C, L\) or more axes, got x.shape="):
            layer.forward(np.zeros(shape))
    with pytest.raises(ValueError, match=r"LocalResponseNorm: expected \(C, L\) or more axes, got input_shape=\(4,\)"):
        layer.output_shape((4,))
