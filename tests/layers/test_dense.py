import numpy as np
import pytest

import fastnn as fnn


def test_worked_answer(impl):
    layer = fnn.Dense(3, 2, dtype="float64").use(impl)
    layer.params["weight"] = np.array([[1.0, 2, 3], [4, 5, 6]])
    layer.params["bias"] = np.array([10.0, 20])
    x = np.array([[1.0, 0, -1], [2, 1, 0]])
    np.testing.assert_array_equal(layer.forward(x, training=True), [[8, 18], [14, 33]])
    np.testing.assert_array_equal(layer.backward(np.array([[1.0, 0], [0, 2]])), [[1, 2, 3], [8, 10, 12]])
    np.testing.assert_array_equal(layer.grads["weight"], [[1, 0, -1], [4, 2, 0]])
    np.testing.assert_array_equal(layer.grads["bias"], [1, 2])


def test_linear_is_dense():
    assert fnn.Linear is fnn.Dense
    assert fnn.Linear(4, 2).output_shape((4,)) == (2,)


def test_seeds():
    one, two = fnn.Dense(40, 30, rng=3), fnn.Dense(40, 30, rng=3)
    np.testing.assert_array_equal(one.params["weight"], two.params["weight"])
    double = fnn.Dense(40, 30, rng=3, dtype=np.float64)
    np.testing.assert_array_equal(one.params["weight"], double.params["weight"].astype(np.float32))
    shared = np.random.default_rng(3)
    assert (fnn.Dense(4, 3, rng=shared).params["weight"] != fnn.Dense(4, 3, rng=shared).params["weight"]).any()
    assert (fnn.Dense(4, 3).params["weight"] != fnn.Dense(4, 3).params["weight"]).any()


def test_initial_values_lie_within_the_bound(dtype):
    layer = fnn.Dense(64, 500, dtype=dtype, rng=0)
    for param in layer.params.values():
        assert param.dtype == dtype
        assert 0.12 < np.abs(param).max() <= 0.125


def test_macs():
    assert fnn.Dense(5, 3).macs((5,)) == 15
    assert fnn.Dense(5, 3).macs((2, 4, 5)) == 8 * 15


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((0, 3), ValueError, "Dense: in_features must be at least 1, got 0"),
        ((3, -1), ValueError, "Dense: out_features must be at least 1, got -1"),
        ((3.0, 1), TypeError, "Dense: in_features must be an int, got 3.0"),
        ((3, None), TypeError, "Dense: out_features must be an int"),
        ((3, 4, 5), TypeError, "Dense: bias must be True or False, got 5"),
        ((3, 4, True, "cuda"), ValueError, "Dense: device='cuda' is not supported"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        fnn.Dense(*arguments)


def test_bad_dtype_and_rng():
    with pytest.raises(TypeError, match="Dense: dtype must be float32 or float64"):
        fnn.Dense(2, 3, dtype=np.int32)
    with pytest.raises(TypeError, match="Dense: rng must be"):
        fnn.Dense(2, 3, rng="seed")
    with pytest.raises(TypeError):
        fnn.Dense(2, 3, True, None, np.float32)  # dtype goes by name


def test_bad_shapes():
    layer = fnn.Dense(3, 2)
    with pytest.raises(ValueError, match=r"Dense: expected 3 input features, got x.shape=\(2, 4\)"):
        layer.forward(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"Dense: expected samples of shape \(..., 3\), got x.shape=\(3,\)"):
        layer.forward(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"Dense: expected 3 input features, got input_shape=\(4,\)"):
        layer.output_shape((4,))
