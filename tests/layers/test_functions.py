import copy

import numpy as np
import pytest

import fastnn as fnn


def flat(x):
    return x.reshape(len(x), -1)


def swish(x):
    return x / (1 + np.exp(-x))


def swish_layer():
    def backward(dout, x, out):
        sigmoid = 1 / (1 + np.exp(-x))
        return dout * (sigmoid + out * (1 - sigmoid))

    return fnn.Lambda(swish, backward)


LAYERS = {
    "two arguments": (lambda: fnn.Lambda(lambda x: x * x, lambda dout, x: 2 * x * dout), (3, 4)),
    "three arguments": (swish_layer, (5,)),
    "reshape": (lambda: fnn.Lambda(flat), (2, 3, 4)),
    "identity": (lambda: fnn.Lambda(lambda x: x), (3,)),
    "another size": (
        lambda: fnn.Lambda(lambda x: x.sum(axis=2), lambda dout, x: np.broadcast_to(dout[:, :, None], x.shape)),
        (3, 4),
    ),
    "views": (lambda: fnn.Lambda(lambda x: x[:, ::-1], lambda dout, x: dout[:, ::-1]), (4, 2)),
    "an option": (lambda: fnn.Lambda(lambda x: 2 * x, lambda dout, x, factor=2: factor * dout), (3,)),
    "any arguments": (lambda: fnn.Lambda(lambda x: 2 * x, lambda *args: 2 * args[0]), (3,)),
    "functions in C": (lambda: fnn.Lambda(np.square, lambda dout, x: 2 * x * dout), (3,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_finite_differences(name, rng):
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal((3, *shape))
    assert fnn.gradcheck(layer, x)
    assert fnn.gradcheck(fnn.Sequential(fnn.Tanh(), copy.deepcopy(layer), fnn.Tanh()), x)


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_and_dtypes(name, rng, dtype):
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal((3, *shape)).astype(dtype)
    before = x.copy()
    out = layer.forward(x, training=True)
    assert out.shape == (3, *layer.output_shape(shape)) and out.dtype == dtype and out.flags.carray
    dx = layer.backward(np.ones_like(out))
    assert dx.shape == x.shape and dx.dtype == dtype and dx.flags.carray
    np.testing.assert_array_equal(x, before)
    layer.forward(x, training=True)
    assert layer.backward(np.ones_like(out), need_dx=False) is None
    with pytest.raises(RuntimeError, match="Lambda: backward needs a forward"):
        layer.backward(out)
    assert layer.forward(x[:0], training=True).shape == (0, *out.shape[1:])
    assert layer.backward(out[:0]).shape == (0, *shape)


def test_no_gradient_without_backward():
    layer, x = fnn.Lambda(np.tanh), np.ones((3, 2))
    layer.forward(x)
    layer.forward(x, training=True)
    with pytest.raises(ValueError, match=r"Lambda: expected a backward, as forward does more than reshape x"):
        layer.backward(x)
    for function in (lambda x: x.transpose(0, 2, 1), lambda x: x[:, ::-1], lambda x: x.copy(), lambda x: x[:, :1]):
        layer, x = fnn.Lambda(function), np.ones((3, 2, 4))
        out = layer.forward(x, training=True)
        with pytest.raises(ValueError, match="Lambda: expected a backward"):
            layer.backward(np.zeros_like(out))


def test_in_front_of_all_parameters_no_gradient_is_needed(rng):
    scaled = fnn.Sequential(fnn.Lambda(lambda x: 2 * x - 1), fnn.Dense(3, 2, dtype=np.float64, rng=0))
    trainer = fnn.Trainer(scaled, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1))
    before = scaled.flat_params.copy()
    trainer.step(rng.standard_normal((5, 3)), rng.integers(0, 2, 5))
    assert (scaled.flat_params != before).any()
    behind = fnn.Sequential(fnn.Dense(3, 2, dtype=np.float64, rng=0), fnn.Lambda(np.tanh))
    with pytest.raises(ValueError, match="Lambda: expected a backward"):
        fnn.Trainer(behind, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1)).step(rng.standard_normal((5, 3)), rng.integers(0, 2, 5))


def test_x_is_safe():
    def overwrites(x):
        x[x < 0] = 0
        return x

    with pytest.raises(ValueError, match="read-only"):
        fnn.Lambda(overwrites).forward(-np.ones((3, 2)))


X = np.ones((3, 2))


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda x: x.tolist(), TypeError, r"Lambda: expected forward to return an array, got \[\["),
        (lambda x: None, TypeError, "Lambda: expected forward to return an array, got None"),
        (lambda x: x[:2], ValueError, r"Lambda: expected forward to return 3 samples for \(3, 2\), got \(2, 2\)"),
        (lambda x: np.array(1.0), ValueError, r"Lambda: expected forward to return 3 samples for \(3, 2\), got \(\)"),
        (lambda x: x.astype(np.float32), TypeError, "expected forward to return float64, the dtype of x, got float32"),
        (lambda x: x > 0, TypeError, "expected forward to return float64, the dtype of x, got bool"),
    ],
)
def test_wrong_results_of_forward(function, error, message):
    with pytest.raises(error, match=message):
        fnn.Lambda(function).forward(X)


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda dout, x: 1.0, TypeError, "Lambda: expected backward to return an array, got 1.0"),
        (
            lambda dout, x: dout[:, :1],
            ValueError,
            r"Lambda: expected backward to return dx of x's shape \(3, 2\), got \(3, 1\)",
        ),
        (
            lambda dout, x: dout.astype(np.float32),
            TypeError,
            "expected backward to return float64, the dtype of x, got float32",
        ),
    ],
)
def test_wrong_results_of_backward(function, error, message):
    layer = fnn.Lambda(lambda x: x, function)
    layer.forward(X, training=True)
    with pytest.raises(error, match=message):
        layer.backward(X)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="Lambda: forward must be a function, got 3"):
        fnn.Lambda(3)
    with pytest.raises(TypeError, match="Lambda: backward must be a function or None, got 3"):
        fnn.Lambda(np.tanh, 3)
    for wrong in (lambda: 0, lambda dout: dout, lambda a, b, c, d: a, lambda dout, x, *, scale: dout):
        with pytest.raises(
            TypeError, match=r"Lambda: backward must take \(dout, x\) or \(dout, x, out\), got a function of \("
        ):
            fnn.Lambda(np.tanh, wrong)


def test_a_trial_that_fails():
    layer = fnn.Sequential(fnn.Lambda(lambda x: x.reshape(len(x), 3, 7)))
    with pytest.raises(ValueError, match=r"Lambda: forward failed on a trial batch of shape \(2, 5\): ValueError: cannot resh"):
        layer.output_shape((5,))
    with pytest.raises(ValueError, match=r"Lambda: expected forward to return 2 samples"):
        fnn.Lambda(lambda x: x[0]).output_shape((5,))
    assert fnn.Lambda(np.log).output_shape((5,)) == (5,)  # of zeros: no warning


def test_functions_cannot_be_saved(tmp_path):
    network = fnn.Sequential(fnn.Dense(2, 2), fnn.Sequential(fnn.Lambda(swish)))
    with pytest.raises(TypeError, match=r"save: layer '1.0', Lambda\(swish\): functions cannot be saved; write a subclass"):
        network.save(tmp_path / "network.safetensors")
    assert list(tmp_path.iterdir()) == []
    assert list(network.state_dict()) == ["0.weight", "0.bias"]
    assert repr(fnn.Lambda(flat)) == "Lambda(flat)" and repr(fnn.Lambda(Callable())) == "Lambda(Callable)"


class Callable:
    def __call__(self, x):
        return x


def test_copies(rng):
    layer, x = swish_layer(), rng.standard_normal((3, 4))
    out = layer.forward(x, training=True)
    other = copy.deepcopy(fnn.Sequential(layer))
    np.testing.assert_array_equal(other.forward(x, training=True), out)
    np.testing.assert_array_equal(other.backward(out), layer.backward(out))
