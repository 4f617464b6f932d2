"""What layers of users may rely on: arrays, buffers, saved values, kernels."""

import threading

import numpy as np
import pytest

import fastnn as fnn
from fastnn.layers import Layer
from fastnn.layers.base import call_backward, running


class Power(Layer):
    """x ** exponent, written as plainly as a user might: no super().__init__, backward without need_dx."""

    def __init__(self, exponent):
        self.params = {"exponent": np.array([exponent])}
        self.grads = {"exponent": np.zeros(1)}

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x, *, training=False):
        out = x ** self.params["exponent"]
        self.saved = (x, out) if training else None
        return out

    def backward(self, dout):
        x, out = self.take_saved()
        self.grads["exponent"] = np.array([(dout * out * np.log(x)).sum()])
        return dout * self.params["exponent"] * out / x


def test_a_users_layer_in_a_network(rng, assert_gradient):
    network = fnn.Sequential(
        fnn.Dense(3, 4, dtype="float64", rng=0), fnn.Sigmoid(), Power(1.5), fnn.Dense(4, 2, dtype="float64", rng=1)
    )
    x, dout = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    network.forward(x, training=True)
    dx = network.backward(dout)
    grads = {name: grad.copy() for name, grad in network.grads.items()}
    assert np.shares_memory(network[2].grads["exponent"], network.flat_grads)
    assert_gradient(dx, lambda: network.forward(x), x, dout)
    for name, param in network.params.items():
        assert_gradient(grads[name], lambda: network.forward(x), param, dout)


def test_call_backward_does_without_need_dx(rng):
    layer, x = Power(2.0), rng.uniform(1, 2, (2, 3))
    layer.forward(x, training=True)
    assert call_backward(layer, np.ones_like(x), need_dx=False) is None
    assert layer.grads["exponent"] != 0


def test_gradients_appear_where_a_layer_has_none():
    class Offset(Layer):
        def __init__(self):
            self.params["offset"] = np.zeros(3, np.float32)

    network = fnn.Sequential(Offset())
    assert network.flat_grads.shape == network.flat_params.shape == (3,)
    assert np.shares_memory(network[0].grads["offset"], network.flat_grads)


def test_missing_methods_say_so():
    class Nothing(Layer):
        pass

    for call in (
        lambda: Nothing().forward(np.zeros((1, 2))),
        lambda: Nothing().backward(np.zeros((1, 2))),
        lambda: Nothing().output_shape((2,)),
    ):
        with pytest.raises(NotImplementedError, match=r"Nothing: .* is not defined"):
            call()
    with pytest.raises(AttributeError, match="'Nothing' object has no attribute 'weight'"):
        Nothing().weight  # noqa: B018
    assert repr(Nothing()) == "Nothing()"


def test_buffers_are_new_outside_a_training_step():
    layer = fnn.ReLU()
    assert not np.shares_memory(layer.buffer("out", (4,), np.float32), layer.buffer("out", (4,), np.float32))
    with running(reuse=False):
        assert not np.shares_memory(layer.buffer("out", (4,), np.float32), layer.buffer("out", (4,), np.float32))


def test_buffers_grow_and_are_kept_by_name_and_dtype():
    layer = fnn.ReLU()
    with running(reuse=True) as outermost:
        assert outermost
        first = layer.buffer("out", (4, 3), np.float32)
        smaller = layer.buffer("out", (2, 5), np.float32)
        assert smaller.shape == (2, 5) and np.shares_memory(first, smaller)
        assert not np.shares_memory(first, layer.buffer("dx", (4, 3), np.float32))
        assert layer.buffer("out", (4, 3), np.float64).dtype == np.float64
        larger = layer.buffer("out", (5, 3), np.float32)
        assert np.shares_memory(larger, layer.buffer("out", (4, 3), np.float32))
        with running(reuse=False) as outermost:
            assert not outermost
            assert not np.shares_memory(larger, layer.buffer("out", (4, 3), np.float32))
        with running(reuse=True):
            assert np.shares_memory(larger, layer.buffer("out", (4, 3), np.float32))
    assert not np.shares_memory(larger, layer.buffer("out", (4, 3), np.float32))


def test_an_error_ends_the_reuse_of_buffers():
    network = fnn.Sequential(fnn.Dense(2, 3), fnn.Dense(4, 5))
    with pytest.raises(ValueError, match="Dense: expected 4 input features"):
        network.forward(np.zeros((1, 2), np.float32), training=True)
    layer = network[0]
    assert not np.shares_memory(layer.buffer("out", (4,), np.float32), layer.buffer("out", (4,), np.float32))


def test_predicting_in_another_thread_leaves_a_training_step_alone(rng):
    layer, x = fnn.Dense(3, 2, rng=0), rng.standard_normal((4, 3)).astype(np.float32)
    out = layer.forward(x, training=True)
    worker = threading.Thread(target=lambda: layer.forward(x))
    worker.start()
    worker.join()
    layer.backward(np.ones_like(out))


def test_backward_may_run_in_another_thread(rng):
    layer, x = fnn.Tanh(), rng.standard_normal((4, 3))
    out, found = layer.forward(x, training=True), []
    worker = threading.Thread(target=lambda: found.append(layer.backward(np.ones_like(out))))
    worker.start()
    worker.join()
    np.testing.assert_allclose(found[0], 1 - out**2)
    with pytest.raises(RuntimeError):
        layer.backward(out)


def test_kernels(reference, numba):
    layer = fnn.ReLU()
    assert layer.kernels is numba
    with fnn.kernels.use("reference"):
        assert layer.kernels is reference
        assert layer.use("numba") is layer
        assert layer.kernels is numba  # its own choice goes first
    layer.use(reference)
    assert layer.kernels is reference
    layer.use(None)
    assert layer.kernels is numba
    with pytest.raises(ValueError, match="'fortran'"):
        layer.use("fortran")


def test_kernels_for_a_while(reference, numba):
    network = fnn.Sequential(fnn.ReLU(), fnn.Residual(fnn.Tanh()))
    parts = [layer for _, layer in network.walk()]
    with network.use("reference") as same:
        assert same is network
        assert {layer.kernels for layer in parts} == {reference}
        with network.use("numba"):
            assert {layer.kernels for layer in parts} == {numba}
        assert {layer.kernels for layer in parts} == {reference}
    assert {layer.kernels for layer in parts} == {numba}
    with pytest.raises(RuntimeError, match=r"with layer\.use"), network:
        pass


def test_running_on_twins_for_real(monkeypatch, reference):
    called = []
    plain = reference.dense.dense_forward
    monkeypatch.setattr(reference.dense, "dense_forward", lambda *a: (called.append(1), plain(*a))[1])
    layer, x = fnn.Dense(2, 3), np.ones((1, 2), np.float32)
    layer.use("reference").forward(x)
    assert called == [1]


def test_load_state_dict_of_one_layer():
    layer, other = fnn.BatchNorm1d(3), fnn.BatchNorm1d(3)
    layer.forward(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32), training=True)
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other.state["running_var"], layer.state["running_var"])
    assert other.state["num_batches_tracked"] == 1


def test_adding_a_parameter_again_writes_into_the_network():
    network = fnn.Sequential(fnn.Dense(2, 3, rng=0))
    network.flat_grads[...] = 5
    network[0].add_param("bias", np.full(3, 7, np.float32))
    np.testing.assert_array_equal(network.flat_params[6:], 7)
    np.testing.assert_array_equal(network.flat_grads, [5] * 6 + [0] * 3)
    assert np.shares_memory(network[0].grads["bias"], network.flat_grads)
