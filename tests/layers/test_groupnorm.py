import numpy as np
import pytest

import fastnn as fnn


def test_worked_answers(impl):
    layer = fnn.GroupNorm(2, 4, eps=0, dtype="float64").use(impl)
    layer.params["weight"], layer.params["bias"] = np.array([2.0, 2, 1, 1]), np.array([10.0, 20, 0, 0])
    x = np.array([[1.0, 3, 10, 30]])
    np.testing.assert_allclose(layer.forward(x, training=True), [[8, 22, -1, 1]])
    np.testing.assert_allclose(layer.backward(np.array([[1.0, 3, 0, 0]])), [[0, 0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(layer.grads["weight"], [-1, 3, 0, 0])
    np.testing.assert_allclose(layer.grads["bias"], [1, 3, 0, 0])
    layer = fnn.LayerNorm((2, 2), eps=11.0, dtype="float64").use(impl)  # of variance 5
    np.testing.assert_allclose(layer.forward(np.array([[[1.0, 3], [5, 7]]])), [[[-0.75, -0.25], [0.25, 0.75]]])


def test_samples_do_not_depend_on_each_other_nor_on_training(rng, dtype):
    for layer, shape in ((fnn.GroupNorm(3, 6, dtype=dtype), (6, 4)), (fnn.LayerNorm(4, dtype=dtype), (6, 4))):
        x = rng.standard_normal((5, *shape)).astype(dtype)
        out = layer.forward(x, training=True)
        np.testing.assert_array_equal(out, layer.forward(x))
        np.testing.assert_array_equal(out[2:3], layer.forward(x[2:3]))


def test_special_numbers_of_groups(rng, assert_close):
    """One group is layer normalization without its weights; as many as channels: instance normalization."""
    x = rng.standard_normal((5, 6, 3, 4))
    one = fnn.GroupNorm(1, 6, dtype="float64").forward(x)
    assert_close(one, fnn.LayerNorm((6, 3, 4), dtype="float64").forward(x))
    each = fnn.GroupNorm(6, 6, eps=0.0, dtype="float64").forward(x)
    assert_close(each, (x - x.mean((2, 3), keepdims=True)) / x.std((2, 3), keepdims=True))


def test_one_value_in_a_group(impl):
    """It has no deviation; PyTorch refuses a single sample of this kind, and takes two."""
    out = fnn.GroupNorm(3, 3).use(impl).forward(np.array([[1, 2, 1e6]], np.float32))
    np.testing.assert_array_equal(out, [[0, 0, 0]])


def test_large_offset_keeps_its_digits(rng, impl):
    x = (10_000 + 0.01 * rng.standard_normal((4, 300))).astype(np.float32)
    centred = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
    expected = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(fnn.LayerNorm(300).use(impl).forward(x), expected, atol=1e-5)


def test_params_by_options():
    assert list(fnn.GroupNorm(2, 4).params) == list(fnn.LayerNorm(4).params) == ["weight", "bias"]
    assert fnn.LayerNorm((2, 3)).params["bias"].shape == (2, 3)
    assert list(fnn.GroupNorm(2, 4, bias=False).params) == list(fnn.LayerNorm(4, bias=False).params) == ["weight"]
    assert list(fnn.GroupNorm(2, 4, affine=False).params) == []
    assert list(fnn.LayerNorm(4, elementwise_affine=False).params) == []
    assert fnn.LayerNorm(4).get_config()["normalized_shape"] == [4]


@pytest.mark.parametrize("shape", [(0, 4), (0, 4, 3), (2, 4, 0)])
def test_no_elements(shape, dtype):
    layer, x = fnn.GroupNorm(2, 4, dtype=dtype), np.empty(shape, dtype)
    assert layer.forward(x, training=True).shape == shape
    assert layer.backward(x).shape == shape
    assert (layer.grads["weight"] == 0).all() and (layer.grads["bias"] == 0).all()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"num_groups": 0}, ValueError, "num_groups must be at least 1, got 0"),
        ({"num_groups": 4}, ValueError, "num_groups=4 must divide num_channels=6"),
        ({"num_channels": 6.0}, TypeError, "num_channels must be an int, got 6.0"),
        ({"eps": -1e-5}, ValueError, "eps must be at least 0"),
        ({"affine": 1}, TypeError, "affine must be True or False"),
        ({"bias": 0}, TypeError, "bias must be"),
        ({"device": "meta"}, ValueError, "device='meta' is not supported"),
        ({"dtype": int}, TypeError, "dtype must be"),
        ({"rng": "x"}, TypeError, "rng must be"),
    ],
)
def test_bad_arguments_of_groups(arguments, error, message):
    with pytest.raises(error, match=f"GroupNorm: {message}"):
        fnn.GroupNorm(**{"num_groups": 2, "num_channels": 6, **arguments})


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"normalized_shape": ()}, ValueError, r"normalized_shape must name at least one axis, got \(\)"),
        ({"normalized_shape": (3, 0)}, ValueError, "normalized_shape must be at least 1, got 0"),
        ({"normalized_shape": 2.5}, TypeError, "normalized_shape must be an int, got 2.5"),
        ({"normalized_shape": "3"}, TypeError, "normalized_shape must be an int, got '3'"),
        ({"eps": "1"}, TypeError, "eps must be a number"),
        ({"elementwise_affine": None}, TypeError, "elementwise_affine must be True or False"),
        ({"bias": 0}, TypeError, "bias must be"),
        ({"device": "cuda"}, ValueError, "device='cuda' is not supported"),
        ({"dtype": "float16"}, TypeError, "dtype must be"),
    ],
)
def test_bad_arguments_of_layers(arguments, error, message):
    with pytest.raises(error, match=f"LayerNorm: {message}"):
        fnn.LayerNorm(**{"normalized_shape": 3, **arguments})


def test_bad_shapes():
    for layer, shape, message in (
        (fnn.GroupNorm(2, 4), (2, 6, 3), r"GroupNorm: expected 4 channels, got x.shape=\(2, 6, 3\)"),
        (fnn.GroupNorm(2, 4), (4,), r"GroupNorm: expected 4 channels, got x.shape=\(4,\)"),
        (fnn.LayerNorm((3, 4)), (2, 4, 3), r"LayerNorm: expected \(N, ..., 3, 4\), got x.shape=\(2, 4, 3\)"),
        (fnn.LayerNorm((3, 4)), (3, 4), r"LayerNorm: expected \(N, ..., 3, 4\), got x.shape=\(3, 4\)"),
    ):
        with pytest.raises(ValueError, match=message):
            layer.forward(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match=r"LayerNorm: expected \(..., 3\), got input_shape=\(4,\)"):
        fnn.LayerNorm(3).output_shape((4,))


def test_layer_norm_over_the_last_of_several_axes_has_no_plan():
    network = fnn.Sequential(fnn.LayerNorm(4), fnn.Flatten(), fnn.Dense(24, 3))
    assert "0 is a LayerNorm over the last of several axes" in str(network.summary((2, 3, 4)))
    assert network.predict(np.ones((5, 2, 3, 4), np.float32)).shape == (5, 3)
