import numpy as np
import pytest

import fastnn as fnn


def test_worked_answer(impl):
    layer = fnn.BatchNorm1d(1, eps=0, momentum=0.5, dtype="float64").use(impl)
    layer.params["weight"], layer.params["bias"] = np.array([2.0]), np.array([10.0])
    np.testing.assert_allclose(layer.forward(np.array([[1.0], [3]]), training=True), [[8], [12]])
    np.testing.assert_allclose(layer.backward(np.array([[1.0], [3]])), [[0], [0]], atol=1e-12)
    np.testing.assert_allclose(layer.grads["weight"], [2])
    np.testing.assert_allclose(layer.grads["bias"], [4])
    # Towards mean 2 and unbiased variance 2, by half.
    assert layer.state["running_mean"] == 1 and layer.state["running_var"] == 1.5
    np.testing.assert_allclose(layer.forward(np.array([[1.0]])), [[10]])


def test_prediction_uses_running_statistics_and_leaves_them(rng, dtype):
    layer, x = fnn.BatchNorm2d(3, dtype=dtype), rng.standard_normal((4, 3, 2, 5)).astype(dtype)
    layer.state["running_mean"] = np.array([1, 2, 3], dtype)
    before = layer.state_dict()
    out = layer.forward(x)
    np.testing.assert_allclose(out, (x - np.array([1, 2, 3]).reshape(3, 1, 1)) / np.sqrt(1 + 1e-5), rtol=1e-5, atol=1e-5)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_cumulative_average(rng):
    layer = fnn.BatchNorm1d(2, momentum=None, dtype="float64")
    batches = rng.standard_normal((5, 8, 2))
    for batch in batches:
        layer.forward(batch, training=True)
    np.testing.assert_allclose(layer.state["running_mean"], batches.mean(axis=(0, 1)))
    np.testing.assert_allclose(layer.state["running_var"], batches.var(axis=1, ddof=1).mean(axis=0))
    assert layer.state["num_batches_tracked"] == 5


def test_state_and_params_by_options():
    assert list(fnn.BatchNorm2d(3).state) == ["running_mean", "running_var", "num_batches_tracked"]
    assert fnn.BatchNorm2d(3).state["num_batches_tracked"].dtype == np.int64
    assert fnn.BatchNorm2d(3).state["num_batches_tracked"].shape == ()
    assert list(fnn.BatchNorm2d(3, track_running_stats=False).state) == []
    assert list(fnn.BatchNorm2d(3, affine=False).params) == []
    assert list(fnn.BatchNorm2d(3, bias=False).params) == ["weight"]


def test_large_offset_keeps_its_digits(rng, impl):
    x = (10_000 + rng.standard_normal((64, 3, 8, 8))).astype(np.float32)
    out = fnn.BatchNorm2d(3).use(impl).forward(x, training=True)
    centred = x - x.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    expected = centred / np.sqrt((centred**2).mean(axis=(0, 2, 3), keepdims=True) + 1e-5)
    np.testing.assert_allclose(out, expected, atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (0, 3), (0, 3, 4), (2, 3, 0)])
def test_one_value_per_channel_cannot_be_normalised(shape):
    layer, x = fnn.BatchNorm1d(3), np.ones(shape, np.float32)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"BatchNorm1d: expected more than 1 value per channel in training, got x.shape"):
        layer.forward(x, training=True)
    assert layer.forward(x).shape == shape
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_one_value_without_running_statistics():
    layer = fnn.BatchNorm2d(3, track_running_stats=False)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer.forward(np.ones((1, 3, 1, 1), np.float32))
    assert layer.forward(np.ones((0, 3, 2, 2), np.float32)).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("cls", [fnn.BatchNorm1d, fnn.BatchNorm2d])
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"num_features": 0}, ValueError, "num_features must be at least 1"),
        ({"num_features": 2.0}, TypeError, "num_features must be an int"),
        ({"eps": -1e-5}, ValueError, "eps must be at least 0"),
        ({"eps": float("nan")}, ValueError, "eps must be finite"),
        ({"eps": "1"}, TypeError, "eps must be a number"),
        ({"momentum": 1.5}, ValueError, r"momentum must be within \[0, 1\]"),
        ({"affine": 1}, TypeError, "affine must be True or False"),
        ({"track_running_stats": None}, TypeError, "track_running_stats must be"),
        ({"bias": 0}, TypeError, "bias must be"),
        ({"device": "meta"}, ValueError, "device='meta' is not supported"),
        ({"dtype": int}, TypeError, "dtype must be"),
        ({"rng": "x"}, TypeError, "rng must be"),
    ],
)
def test_bad_arguments(cls, arguments, error, message):
    with pytest.raises(error, match=f"{cls.__name__}: {message}"):
        cls(**{"num_features": 3, **arguments})


def test_bad_shapes():
    for layer, x, message in (
        (fnn.BatchNorm2d(3), (2, 3, 4), r"BatchNorm2d: expected \(N, 3, H, W\), got x.shape=\(2, 3, 4\)"),
        (fnn.BatchNorm2d(3), (2, 4, 5, 5), r"BatchNorm2d: expected 3 channels, got x.shape=\(2, 4, 5, 5\)"),
        (fnn.BatchNorm1d(3), (3,), r"BatchNorm1d: expected \(N, 3\) or \(N, 3, L\), got x.shape=\(3,\)"),
        (fnn.BatchNorm1d(3), (2, 3, 4, 5), r"BatchNorm1d: expected \(N, 3\) or"),
    ):
        with pytest.raises(ValueError, match=message):
            layer.forward(np.zeros(x, np.float32))
    with pytest.raises(ValueError, match=r"BatchNorm1d: expected \(3\) or \(3, L\), got input_shape=\(\)"):
        fnn.BatchNorm1d(3).output_shape(())
