import numpy as np
import pytest

import fastnn as fnn

X = np.array([[-2.0, -0.5, 0.0, 0.5, 3.0]])
ANSWERS = {
    "relu": (fnn.ReLU, [0, 0, 0, 0.5, 3], [0, 0, 0, 1, 1]),
    "leaky_relu": (fnn.LeakyReLU, [-0.02, -0.005, 0, 0.5, 3], [0.01, 0.01, 0.01, 1, 1]),
    "sigmoid": (fnn.Sigmoid, 1 / (1 + np.exp(-X[0])), np.exp(-X[0]) / (1 + np.exp(-X[0])) ** 2),
    "tanh": (fnn.Tanh, np.tanh(X[0]), 1 - np.tanh(X[0]) ** 2),
    "hardtanh": (fnn.Hardtanh, [-1, -0.5, 0, 0.5, 1], [0, 1, 1, 1, 0]),
    "relu6": (fnn.ReLU6, [0, 0, 0, 0.5, 3], [0, 0, 0, 1, 1]),
}


@pytest.mark.parametrize("name", list(ANSWERS))
def test_values_and_slopes(name, impl, dtype):
    cls, values, slopes = ANSWERS[name]
    layer, x = cls().use(impl), X.astype(dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(layer.forward(x, training=True)[0], values, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(layer.backward(np.full_like(x, 2))[0], 2 * np.asarray(slopes), rtol=rtol, atol=1e-12)


CLASSES = [fnn.ReLU, fnn.LeakyReLU, fnn.Sigmoid, fnn.Tanh, fnn.Hardtanh, fnn.ReLU6]


@pytest.mark.parametrize("cls", CLASSES)
def test_nan_and_infinity(cls, impl, dtype):
    out = cls().use(impl).forward(np.array([[np.nan, np.inf, -np.inf, 1]], dtype))[0]
    assert np.isnan(out[0])
    assert not np.isnan(out[1:]).any()


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("shape", [(4,), (4, 0), (2, 3, 4, 5, 6)])
def test_any_shape(cls, shape):
    layer, x = cls(), np.ones(shape, np.float32)
    out = layer.forward(x, training=True)
    assert out.shape == shape == layer.backward(out).shape
    assert layer.output_shape(shape[1:]) == shape[1:]
    assert layer.macs(shape[1:]) == 0


def test_bad_arguments():
    for cls in (fnn.ReLU, fnn.LeakyReLU, fnn.Hardtanh, fnn.ReLU6):
        with pytest.raises(ValueError, match=f"{cls.__name__}: inplace=True is not supported, a layer never writes"):
            cls(inplace=True)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="LeakyReLU: negative_slope must be finite"):
            fnn.LeakyReLU(wrong)
    with pytest.raises(TypeError, match="LeakyReLU: negative_slope must be a number"):
        fnn.LeakyReLU("0.1")
    for low, high in ((1, 1), (2, 1)):
        with pytest.raises(ValueError, match=f"Hardtanh: min_val must be below max_val, got {low} and {high}"):
            fnn.Hardtanh(low, high)
    with pytest.raises(ValueError, match="Hardtanh: max_val must be finite"):
        fnn.Hardtanh(0, np.inf)
    for cls in (fnn.Sigmoid, fnn.Tanh):
        with pytest.raises(TypeError):
            cls(1)
