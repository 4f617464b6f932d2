import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import fastnn as fnn


def make(dtype=np.float32):
    def dense(i, o):
        return fnn.Dense(i, o, dtype=dtype, rng=10 * i + o)

    return fnn.Sequential(
        dense(4, 5),
        fnn.BatchNorm1d(5, dtype=dtype),
        fnn.Residual(fnn.Sequential(dense(5, 5), fnn.Tanh(), dense(5, 5))),
        fnn.Dropout(0.3, rng=0),
        dense(5, 3),
    )


NAMES = [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "2.body.0.weight",
    "2.body.0.bias",
    "2.body.2.weight",
    "2.body.2.bias",
    "4.weight",
    "4.bias",
]
SIZE = 25 + 10 + 30 + 30 + 18


def assert_flat(network):
    """One array for all parameters and one for all gradients, in order, and the layers hold views."""
    for arrays, flat in ((network.params, network.flat_params), (network.grads, network.flat_grads)):
        assert flat.ndim == 1 and flat.flags.c_contiguous
        at = 0
        for array in arrays.values():
            assert array.ctypes.data == flat.ctypes.data + at * flat.itemsize
            assert np.shares_memory(array, flat)
            at += array.size
        assert at == flat.size


# --- flat arrays


def test_one_array_for_parameters_and_one_for_gradients(dtype):
    network = make(dtype)
    weight, grad = network[0].params["weight"], network[0].grads["weight"]
    assert list(network.params) == list(network.grads) == NAMES
    assert network.flat_params.shape == network.flat_grads.shape == (SIZE,)
    assert network.dtype == network.flat_params.dtype == network.flat_grads.dtype == dtype
    assert_flat(network)
    assert network.flat_params is network.flat_params
    # Moved when the network was made, not later: what was taken from a layer since is still the layer's.
    assert network[0].params["weight"] is weight and network[0].grads["weight"] is grad
    network.flat_params.fill(2)
    assert (network[2].body[2].params["bias"] == 2).all()
    network[0].params["weight"] = np.full((5, 4), 3, dtype)
    assert (network.flat_params[:20] == 3).all()
    network.params["4.bias"] = np.full(3, 7, dtype)
    assert (network[4].params["bias"] == 7).all()


def test_values_survive_the_move():
    layer = fnn.Dense(4, 3, rng=0)
    weight, bias = (array.copy() for array in layer.params.values())
    network = fnn.Sequential(fnn.Dense(2, 4, rng=1), layer)
    np.testing.assert_array_equal(network[1].params["weight"], weight)
    np.testing.assert_array_equal(network[1].params["bias"], bias)


def test_adding_a_layer_moves_everything_together():
    network = fnn.Sequential(fnn.Dense(4, 5))
    network.flat_params.fill(1)
    network.append(fnn.Dense(5, 3))
    assert_flat(network)
    assert network.flat_params.size == 25 + 18
    assert (network.flat_params[:25] == 1).all()


def test_the_outermost_network_owns():
    inner = fnn.Sequential(fnn.Dense(3, 3), fnn.ReLU())
    outer = fnn.Sequential(fnn.Dense(4, 3), fnn.Residual(inner), fnn.Dense(3, 2))
    assert_flat(outer)
    assert_flat(inner)
    assert np.shares_memory(inner.flat_params, outer.flat_params)
    inner.append(fnn.Dense(3, 3))
    assert_flat(outer)
    assert_flat(inner)
    assert np.shares_memory(inner.flat_params, outer.flat_params)
    assert outer.flat_params.size == 15 + 24 + 8


def test_inner_network_asked_first_after_a_change():
    inner = fnn.Sequential(fnn.Dense(3, 3))
    outer = fnn.Sequential(fnn.Dense(4, 3), inner)
    inner.append(fnn.Dense(3, 3))
    assert_flat(inner)
    assert_flat(outer)
    assert_flat(inner)
    assert np.shares_memory(inner.flat_grads, outer.flat_grads)


def test_a_part_of_a_network_does_not_take_its_arrays_away():
    network = make()
    flat = network.flat_params
    part = network[:3]
    assert part.flat_params.base is flat or np.shares_memory(part.flat_params, flat)
    assert network.flat_params is flat
    assert_flat(part)
    x = np.ones((2, 4), np.float32)
    assert part.forward(x).shape == (2, 5)


def test_layers_in_two_networks_stay_one(rng):
    """Training either network trains the layers that they share."""
    shared = fnn.Dense(4, 4, rng=0)
    one, two = fnn.Sequential(shared, fnn.Dense(4, 2, rng=1)), fnn.Sequential(fnn.Dense(3, 4, rng=2), shared)
    for network in (one, two, one):
        network.flat_params.fill(0)
        assert not shared.params["weight"].any()
        network.flat_params.fill(1)
        assert shared.params["weight"].all()
        assert_flat(network)


def test_replacing_a_layer():
    network = make()
    network[-1] = fnn.Dense(5, 7, rng=0)
    assert network.output_shape((4,)) == (7,)
    assert_flat(network)
    assert network.flat_params.size == SIZE - 18 + 42


def test_old_arrays_are_let_go():
    inner = fnn.Sequential(fnn.Dense(50, 50))
    old = weakref.ref(inner.flat_params.base if inner.flat_params.base is not None else inner.flat_params)
    outer = fnn.Sequential(inner, fnn.Dense(50, 2))
    gc.collect()
    assert old() is None
    assert_flat(outer)


def test_dropped_networks_leave_nothing():
    network = make()
    network.forward(np.ones((4, 4), np.float32), training=True)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_mixed_dtypes():
    with pytest.raises(
        TypeError,
        match=r"Sequential: expected parameters of one dtype, got float32 \('0.weight'\) and float64 \('2.weight'\)",
    ):
        fnn.Sequential(fnn.Dense(2, 3), fnn.ReLU(), fnn.BatchNorm1d(3, dtype="float64"))
    network = fnn.Sequential(fnn.Dense(2, 3))
    with pytest.raises(TypeError, match="expected parameters of one dtype"):
        network.append(fnn.Dense(3, 2, dtype="float64"))
    assert len(network) == 1


def test_a_users_network_of_attributes(rng, assert_gradient):
    class Two(fnn.Network):
        def __init__(self):
            super().__init__()
            self.left = fnn.Dense(3, 2, dtype="float64", rng=0)
            self.right = fnn.Sequential(fnn.Dense(3, 2, dtype="float64", rng=1), fnn.Tanh())

        def forward(self, x, *, training=False):
            return self.left.forward(x, training=training) - self.right.forward(x, training=training)

        def backward(self, dout, *, need_dx=True):
            return self.left.backward(dout) + self.right.backward(-dout)

    network, x, dout = Two(), rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    assert list(network.params) == ["left.weight", "left.bias", "right.0.weight", "right.0.bias"]
    assert_flat(network)
    network.forward(x, training=True)
    dx, grads = network.backward(dout), {name: grad.copy() for name, grad in network.grads.items()}
    assert_gradient(dx, lambda: network.forward(x), x, dout)
    for name, param in network.params.items():
        assert_gradient(grads[name], lambda: network.forward(x), param, dout)


# --- copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_are_independent(copied):
    network = make()
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    out = network.forward(x)
    other = copied(network)
    assert_flat(other)
    assert not np.shares_memory(other.flat_params, network.flat_params)
    np.testing.assert_array_equal(other.forward(x), out)
    other.flat_params.fill(0)
    other.forward(x, training=True)
    np.testing.assert_array_equal(network.forward(x), out)
    assert network.state["1.num_batches_tracked"] == 0
    assert other.state["1.num_batches_tracked"] == 1


# --- state dicts


def test_state_dict_is_a_copy_under_pytorchs_keys():
    network = make()
    state = network.state_dict()
    assert list(state) == [
        *NAMES[:4],
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        *NAMES[4:],
    ]
    before = network.flat_params.copy()
    for array in state.values():
        array.fill(0)
    np.testing.assert_array_equal(network.flat_params, before)


def test_load_state_dict(rng):
    network, other = make(), make()
    other.flat_params[:] = rng.standard_normal(SIZE)
    other.state["1.running_mean"] = rng.standard_normal(5).astype(np.float32)
    state = other.state_dict()
    state["1.num_batches_tracked"] = 12  # a plain number
    state["0.weight"] = np.asfortranarray(state["0.weight"])
    state["0.bias"] = state["0.bias"].astype(">f4")
    flat = network.flat_params
    assert network.load_state_dict(state) == ([], [])
    assert network.flat_params is flat
    np.testing.assert_array_equal(flat, other.flat_params)
    np.testing.assert_array_equal(network.state["1.running_mean"], other.state["1.running_mean"])
    assert network.state["1.num_batches_tracked"] == 12


class Tensor:
    """What load_state_dict knows of PyTorch's tensors."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def numpy(self):
        return self.array


def test_load_tensors():
    network, state = make(), make().state_dict()
    network.load_state_dict({name: Tensor(array + 1) for name, array in state.items()})
    np.testing.assert_array_equal(network[0].params["bias"], state["0.bias"] + 1)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda s: s.pop("4.bias"), ValueError, r"missing \['4.bias'\], unexpected \[\]"),
        (lambda s: s.update(extra=1), ValueError, r"missing \[\], unexpected \['extra'\]"),
        (
            lambda s: s.update({"4.weight": np.zeros((5, 3), np.float32)}),
            ValueError,
            r"'4.weight': expected shape \(3, 5\), got \(5, 3\)",
        ),
        (lambda s: s.update({"4.bias": np.zeros(3)}), TypeError, "'4.bias': expected dtype float32, got float64"),
        (lambda s: s.update({"4.bias": np.zeros(3, int)}), TypeError, "'4.bias': expected dtype float32, got int64"),
        (lambda s: s.update({"4.bias": None}), ValueError, "'4.bias': expected shape"),
        (lambda s: s.update({"1.num_batches_tracked": 1.5}), TypeError, "expected dtype int64, got float64"),
        (
            lambda s: s.update({"1.num_batches_tracked": np.zeros(1, int)}),
            ValueError,
            r"expected shape \(\), got \(1,\)",
        ),
    ],
)
def test_a_wrong_state_dict_changes_nothing(change, error, message):
    network, before = make(), make().state_dict()
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    with pytest.raises(error, match=message):
        network.load_state_dict(state)
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_no_state_dict_at_all():
    with pytest.raises(TypeError, match="load_state_dict: expected a dict of arrays, got 3"):
        make().load_state_dict(3)


def test_not_strict():
    network = make()
    found = network.load_state_dict({"0.bias": np.full(5, 3, np.float32), "new": np.zeros(1)}, strict=False)
    assert found.unexpected_keys == ["new"]
    assert "0.bias" not in found.missing_keys and "0.weight" in found.missing_keys
    assert (network[0].params["bias"] == 3).all()
    with pytest.raises(ValueError, match="expected shape"):
        network.load_state_dict({"0.bias": np.zeros(4, np.float32)}, strict=False)


# --- running


def test_numba_and_twins_agree(dtype, rng, assert_close):
    network, other = make(dtype), make(dtype).use("reference")
    for n in (7, 4, 9):
        x, dout = rng.standard_normal((n, 4)).astype(dtype), rng.standard_normal((n, 3)).astype(dtype)
        assert_close(network.forward(x, training=True), other.forward(x, training=True), length=1000)
        assert_close(network.backward(dout), other.backward(dout), length=1000)
        assert_close(network.flat_grads, other.flat_grads, length=1000)
    assert_close(network.forward(x), other.forward(x), length=1000)


def test_kernels_for_layers_that_come_later(reference):
    network = fnn.Sequential(fnn.ReLU()).use("reference")
    network.append(fnn.Residual(fnn.Tanh()))
    assert {layer.kernels for _, layer in network.walk()} == {reference}


def test_walk():
    network = fnn.Sequential(fnn.ReLU(), fnn.Residual(fnn.Sequential(fnn.Tanh())))
    assert [(name, type(layer).__name__) for name, layer in network.walk()] == [
        ("", "Sequential"),
        ("0", "ReLU"),
        ("1", "Residual"),
        ("1.body", "Sequential"),
        ("1.body.0", "Tanh"),
    ]


def test_eight_threads_predict_on_one_network(rng):
    network = make()
    inputs = [rng.standard_normal((n, 4)).astype(np.float32) for n in range(1, 9)]
    expected = [network.forward(x) for x in inputs]
    wrong = []

    def work(x, out):
        for _ in range(50):
            if not np.array_equal(network.forward(x), out):
                wrong.append(len(x))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(inputs, expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_training_while_other_threads_predict(rng):
    """A training step in one thread is whole even if seven others predict on the same network meanwhile."""
    network, alone = make(), make()
    for each in (network, alone):
        each[3] = fnn.Dropout(0)
    x, dout = rng.standard_normal((6, 4)).astype(np.float32), rng.standard_normal((6, 3)).astype(np.float32)
    alone.forward(x, training=True)
    alone.backward(dout)
    stop, failed = threading.Event(), []

    def predict():
        while not stop.is_set():
            if network.forward(x[:3]).shape != (3, 3):
                failed.append(1)

    threads = [threading.Thread(target=predict) for _ in range(7)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            network.forward(x, training=True)
            network.backward(dout)
            np.testing.assert_array_equal(network.flat_grads, alone.flat_grads)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_eight_threads_train_eight_networks(rng):
    x, dout = rng.standard_normal((6, 4)).astype(np.float32), rng.standard_normal((6, 3)).astype(np.float32)

    def train(network, results):
        for _ in range(20):
            network.forward(x, training=True)
            network.backward(dout, need_dx=False)
            network.flat_params[:] -= 0.01 * network.flat_grads
        results.append(network.flat_params.copy())

    expected, results = [], []
    train(make(), expected)
    threads = [threading.Thread(target=train, args=(make(), results)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for params in results:
        np.testing.assert_array_equal(params, expected[0])


# --- the short way to train, predict and save


def test_fit_evaluate_predict(rng):
    x = rng.standard_normal((200, 2)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(np.int64)
    network = fnn.Sequential(fnn.Dense(2, 8, rng=0), fnn.Tanh(), fnn.Dense(8, 2, rng=1))
    history = network.fit(
        x,
        y,
        epochs=15,
        batch_size=16,
        loss=fnn.CrossEntropyLoss(),
        optimizer=fnn.SGD(lr=0.5),
        validation_data=(x, y),
        seed=0,
        progress=False,
        shuffle=True,
    )
    assert history["loss"][-1] < history["loss"][0]
    assert network.evaluate(x, y, loss=fnn.CrossEntropyLoss())["accuracy"] > 0.9
    out = network.predict(x, batch_size=33)
    assert out.shape == (200, 2)
    np.testing.assert_allclose(out, network.forward(x), rtol=1e-5, atol=1e-6)


def test_fit_with_defaults(rng):
    network = fnn.Sequential(fnn.Dense(2, 2, rng=0))
    x, y = rng.standard_normal((8, 2)).astype(np.float32), np.arange(8) % 2
    before = network.flat_params.copy()
    assert len(network.fit(x, y, progress=False)["loss"]) == 1
    assert (network.flat_params != before).any()


def test_save(tmp_path, rng):
    network, x = make(), rng.standard_normal((3, 4)).astype(np.float32)
    network.forward(x, training=True)
    network.save(tmp_path / "model.safetensors")
    again = fnn.load(tmp_path / "model.safetensors")
    assert repr(again) == repr(network)
    np.testing.assert_array_equal(again.forward(x), network.forward(x))
    assert_flat(again)


def test_summary():
    text = str(make().summary((4,)))
    assert "Residual" in text or "Dense" in text
