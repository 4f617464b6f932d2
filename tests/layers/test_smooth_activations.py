import numpy as np
import pytest

import fastnn as fnn

LAYERS = [fnn.ELU(), fnn.ELU(0.5), fnn.GELU(), fnn.GELU("tanh"), fnn.SiLU(), fnn.Softplus(), fnn.Softplus(2, 3)]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_values_and_slopes(layer, impl, dtype):
    x, v = np.linspace(-3, 3, 60, dtype=dtype).reshape(4, 15), np.linspace(-3, 3, 60)
    slopes = {  # by differences of the definitions
        "ELU": lambda v: np.where(v > 0, v, getattr(layer, "alpha", 1) * np.expm1(v)),
        "GELU": lambda v: v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))) / 2,
        "SiLU": lambda v: v / (1 + np.exp(-v)),
        "Softplus": lambda v: np.where(v * layer.beta > layer.threshold, v, np.log1p(np.exp(v * layer.beta)) / layer.beta),
    }[type(layer).__name__]
    # the two kinds of GELU differ by less than 5e-4, and their slopes by less than 1e-3
    atol = 1e-3 if repr(layer) == repr(fnn.GELU()) else 1e-5
    layer.use(impl)
    np.testing.assert_allclose(layer.forward(x, training=True).reshape(-1), slopes(v), atol=atol)
    dx = layer.backward(np.full_like(x, 2)).reshape(-1)
    np.testing.assert_allclose(dx, (slopes(v + 1e-6) - slopes(v - 1e-6)) / 1e-6, atol=2 * atol)
    layer.use(None)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_nan_infinity_and_far_out(layer, impl, dtype):
    layer.use(impl)
    x = np.array([[np.nan, np.inf, -np.inf, 1e4, -1e4]], dtype)
    lowest = -layer.alpha if isinstance(layer, fnn.ELU) else 0
    np.testing.assert_array_equal(layer.forward(x, training=True)[0], [np.nan, np.inf, lowest, 1e4, lowest])
    np.testing.assert_array_equal(layer.backward(np.ones_like(x))[0], [np.nan, 1, 0, 1, 0])
    layer.use(None)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("shape", [(4,), (4, 0), (2, 3, 4, 5, 6)])
def test_any_shape(layer, shape):
    x = np.ones(shape, np.float32)
    out = layer.forward(x, training=True)
    assert out.shape == shape == layer.backward(out).shape
    assert layer.output_shape(shape[1:]) == shape[1:]
    assert layer.macs(shape[1:]) == 0


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_configuration(layer):
    again = fnn.layers.layer_from_config(layer.get_config())
    assert type(again) is type(layer) and repr(again) == repr(layer) and again.get_config() == layer.get_config()


def test_bad_arguments():
    for cls in (fnn.ELU, fnn.SiLU):
        with pytest.raises(ValueError, match=f"{cls.__name__}: inplace=True is not supported, a layer never writes"):
            cls(inplace=True)
    with pytest.raises(ValueError, match="ELU: alpha must be finite"):
        fnn.ELU(np.nan)
    for wrong in ("erf", None, True):
        with pytest.raises(ValueError, match="GELU: expected approximate 'none' or 'tanh', got"):
            fnn.GELU(wrong)
    with pytest.raises(ValueError, match="Softplus: beta must not be 0"):
        fnn.Softplus(0)
    with pytest.raises(ValueError, match="Softplus: threshold must be finite"):
        fnn.Softplus(1, np.inf)
