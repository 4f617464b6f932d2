"""Optimizers: trajectories of torch.optim over many steps, flat arrays and dicts, state, and what they refuse."""

import copy

import numpy as np
import pytest

import fastnn as fnn

SGD_CASES = [
    {},
    {"lr": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"lr": 0.1, "weight_decay": 0.05},
    {"lr": 0.1, "momentum": 0.7, "dampening": 0.5, "weight_decay": 0.05},
    {"lr": 0.1, "momentum": 0.7, "nesterov": True, "weight_decay": 0.05},
    {"lr": 0.0, "momentum": 0.5},
]
ADAM_CASES = [
    {},
    {"lr": 0.05},
    {"lr": 0.05, "betas": (0.8, 0.9)},
    {"lr": 0.05, "betas": (0.0, 0.5), "eps": 1e-3},
    {"lr": 0.05, "weight_decay": 0.1},
    {"lr": 0.05, "amsgrad": True},
    {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1, "betas": (0.5, 0.6)},
]
RMSPROP_CASES = [
    {},
    {"lr": 0.05},
    {"lr": 0.05, "alpha": 0.7, "eps": 1e-3},
    {"lr": 0.05, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.05, "centered": True},
    {"lr": 0.01, "alpha": 0.9, "eps": 1e-2, "weight_decay": 0.1, "momentum": 0.5, "centered": True},
]
ADAGRAD_CASES = [
    {},
    {"lr": 0.1},
    {"lr": 0.1, "lr_decay": 0.05},
    {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-3},
    {"lr": 0.1, "initial_accumulator_value": 0.5},
    {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 2.0},
]
CASES = [
    *(("SGD", options) for options in SGD_CASES),
    *((name, options) for name in ("Adam", "AdamW") for options in ADAM_CASES),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    *(("RMSprop", options) for options in RMSPROP_CASES),
    *(("Adagrad", options) for options in ADAGRAD_CASES),
]
STEPS = 40


def gradient(params, step):
    """A deterministic gradient with curvature, noise and changing sign."""
    return {
        name: (0.3 * value + np.sin(7 * value + step)).astype(value.dtype) * (1 + step % 3) for name, value in params.items()
    }


@pytest.mark.parametrize("name,options", CASES, ids=str)
def test_trajectories_equal_torch(name, options, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    params = {"weight": rng.standard_normal((13, 5)).astype(dtype), "bias": rng.standard_normal(7).astype(dtype)}
    theirs = {key: torch.tensor(value, requires_grad=True) for key, value in params.items()}
    ours, reference = getattr(fnn, name)(**options), getattr(torch.optim, name)(theirs.values(), **options)
    for step in range(STEPS):
        # Both get the gradients of our point: rounding must not grow along the way.
        grads = gradient(params, step)
        for key, tensor in theirs.items():
            tensor.grad = torch.tensor(grads[key])
        ours.update(params, grads)
        reference.step()
        for key, tensor in theirs.items():
            assert_close(params[key], tensor.detach().numpy(), STEPS)


@pytest.mark.parametrize("name,options", CASES[2::5], ids=str)
def test_flat_arrays_give_the_same_as_dicts(name, options, rng, dtype, assert_close):
    start = rng.standard_normal(24).astype(dtype)
    flat, blocks = start.copy(), {"a": start[:10].reshape(2, 5).copy(), "b": start[10:].copy()}
    one, two = getattr(fnn, name)(**options), getattr(fnn, name)(**options)
    for step in range(5):
        one.update(flat, gradient({"": flat}, step)[""])
        two.update(blocks, gradient(blocks, step))
    assert_close(flat, np.concatenate([blocks["a"].reshape(-1), blocks["b"]]), 5)


@pytest.mark.parametrize("name,options", CASES[2::5], ids=str)
def test_kernels_and_twins_agree(name, options, rng, dtype, assert_close):
    param = np.linspace(-1, 1, 33).astype(dtype)
    twin, ours, reference = param.copy(), *(getattr(fnn, name)(**options).use(which) for which in ("numba", "reference"))
    for step in range(10):
        grad = gradient({"": param}, step)[""]  # for both: rounding must not grow along the way
        ours.update(param, grad)
        reference.update(twin, grad)
    assert_close(param, twin, 10)


def test_learning_rate_may_change_between_updates():
    x, optimizer = np.ones(3), fnn.SGD(lr=0.5)
    optimizer.update(x, np.ones(3))
    optimizer.lr = 0.25
    optimizer.update(x, np.ones(3))
    np.testing.assert_array_equal(x, 0.25)
    for wrong, error in ((float("nan"), ValueError), (-1, ValueError), ("1", TypeError), (None, TypeError)):
        with pytest.raises(error, match="SGD: lr"):
            optimizer.lr = wrong
    assert optimizer.lr == 0.25


def test_options_may_come_and_go():
    """What an option needs is made when it is switched on, and kept when it is off."""
    x, optimizer = np.ones(3), fnn.RMSprop(lr=0.1)
    for option, value, keys in (
        ("lr", 0.2, ["v"]),
        ("centered", True, ["v", "m"]),
        ("momentum", 0.5, ["v", "m", "velocity"]),
        ("centered", False, ["v", "m", "velocity"]),
    ):
        setattr(optimizer, option, value)
        optimizer.update(x, np.sin(x))
        assert list(optimizer.state["flat"]) == keys
    assert np.isfinite(x).all()
    optimizer.centered = "no"
    with pytest.raises(TypeError, match="RMSprop: centered"):
        optimizer.update(x, np.sin(x))


def test_accumulator_starts_once():
    """The initial value counts before the first step, and no more."""
    x, optimizer = np.array([1.0]), fnn.Adagrad(lr=1.0, initial_accumulator_value=3.0, eps=0.0)
    for value in (5.0, 100.0):
        optimizer.initial_accumulator_value = value
        optimizer.update(x, np.array([2.0]))
    assert optimizer.state["flat"]["squares"] == [13.0]
    np.testing.assert_allclose(x, 1 - 2 / 3 - 2 / 13**0.5)


def test_views_are_updated_in_place(rng):
    block, grads = rng.standard_normal((6, 8)), rng.standard_normal((6, 8))
    expected, view = block.copy(), block[::2, 1::3]
    expected[::2, 1::3] -= 0.5 * grads[::2, 1::3]
    fnn.SGD(lr=0.5).update(view, grads[::2, 1::3])
    np.testing.assert_allclose(block, expected, rtol=1e-15)


def test_gradients_stay_as_they_are(rng):
    for name, options in CASES:
        grads = rng.standard_normal(9)
        before = grads.copy()
        optimizer, x = getattr(fnn, name)(**options), np.ones(9)
        for _ in range(2):
            optimizer.update(x, grads)
        assert (grads == before).all()


def test_nan_gradients_stay_visible():
    for cls in (fnn.SGD, fnn.Adam, fnn.AdamW, fnn.RMSprop, fnn.Adagrad):
        x = np.ones(3)
        cls().update(x, np.array([1.0, np.nan, 1.0]))
        assert np.isnan(x).tolist() == [False, True, False]


def test_empty_arrays_are_fine():
    fnn.SGD(momentum=0.9).update({"a": np.empty((0, 3))}, {"a": np.empty((0, 3))})
    fnn.Adam().update({}, {})


@pytest.mark.parametrize("name,options", CASES, ids=str)
def test_resumed_run_gives_the_same_bits(name, options, rng):
    start = {"a": rng.standard_normal(5), "b": rng.standard_normal((2, 3))}
    whole, optimizer = copy.deepcopy(start), getattr(fnn, name)(**options)
    for step in range(8):
        if step == 4:
            halfway, state = copy.deepcopy(whole), optimizer.state_dict()
        optimizer.update(whole, gradient(whole, step))
    resumed = getattr(fnn, name)()
    resumed.load_state_dict(state)
    assert repr(resumed) == repr(optimizer)
    for step in range(4, 8):
        resumed.update(halfway, gradient(halfway, step))
    for key in start:
        assert whole[key].tobytes() == halfway[key].tobytes()


def test_state_dict_is_a_copy():
    optimizer, x = fnn.SGD(momentum=0.9), np.ones(3)
    optimizer.update(x, x.copy())
    state = optimizer.state_dict()
    before = state["state"]["flat"]["velocity"].copy()
    optimizer.update(x, x.copy())
    np.testing.assert_array_equal(state["state"]["flat"]["velocity"], before)


@pytest.mark.parametrize(
    "state,error",
    [
        (None, TypeError),
        ({}, ValueError),
        ({"optimizer": "Adam", "options": {}, "state": {}}, ValueError),
        ({"optimizer": "SGD", "options": {"lr": 1}, "state": {}}, ValueError),
        ({**fnn.SGD().state_dict(), "state": [1]}, ValueError),
        ({**fnn.SGD().state_dict(), "options": {**fnn.SGD().state_dict()["options"], "lr": -1}}, ValueError),
    ],
)
def test_wrong_state_is_refused(state, error):
    with pytest.raises(error, match="SGD"):
        fnn.SGD().load_state_dict(state)


WRONG_OPTIONS = [
    ("SGD", {"lr": float("nan")}, ValueError),
    ("SGD", {"lr": float("inf")}, ValueError),
    ("SGD", {"lr": -0.1}, ValueError),
    ("SGD", {"lr": "0.1"}, TypeError),
    ("SGD", {"lr": True}, TypeError),
    ("SGD", {"lr": None}, TypeError),
    ("SGD", {"momentum": -0.1}, ValueError),
    ("SGD", {"momentum": float("nan")}, ValueError),
    ("SGD", {"weight_decay": -1}, ValueError),
    ("SGD", {"dampening": float("nan")}, ValueError),
    ("SGD", {"nesterov": True}, ValueError),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, ValueError),
    ("SGD", {"nesterov": 1, "momentum": 0.9}, TypeError),
    ("SGD", {"maximize": True}, ValueError),
    ("SGD", {"fused": True}, ValueError),
    ("Adam", {"lr": float("nan")}, ValueError),
    ("Adam", {"betas": (0.9, 1.0)}, ValueError),
    ("Adam", {"betas": (-0.1, 0.9)}, ValueError),
    ("Adam", {"betas": (0.9, float("nan"))}, ValueError),
    ("Adam", {"betas": (0.9,)}, ValueError),
    ("Adam", {"betas": 0.9}, TypeError),
    ("Adam", {"eps": -1e-8}, ValueError),
    ("Adam", {"amsgrad": "yes"}, TypeError),
    ("Adam", {"capturable": True}, ValueError),
    ("AdamW", {"weight_decay": float("nan")}, ValueError),
    ("AdamW", {"foreach": True}, ValueError),
    ("RMSprop", {"lr": -1}, ValueError),
    ("RMSprop", {"alpha": 1.1}, ValueError),
    ("RMSprop", {"alpha": "0.9"}, TypeError),
    ("RMSprop", {"eps": float("nan")}, ValueError),
    ("RMSprop", {"momentum": -0.1}, ValueError),
    ("RMSprop", {"weight_decay": -0.1}, ValueError),
    ("RMSprop", {"centered": 1}, TypeError),
    ("RMSprop", {"capturable": True}, ValueError),
    ("RMSprop", {"foreach": True}, ValueError),
    ("RMSprop", {"maximize": True}, ValueError),
    ("RMSprop", {"differentiable": True}, ValueError),
    ("Adagrad", {"lr_decay": -0.1}, ValueError),
    ("Adagrad", {"weight_decay": -0.1}, ValueError),
    ("Adagrad", {"initial_accumulator_value": -1}, ValueError),
    ("Adagrad", {"eps": None}, TypeError),
    ("Adagrad", {"foreach": True}, ValueError),
    ("Adagrad", {"maximize": True}, ValueError),
    ("Adagrad", {"differentiable": True}, ValueError),
    ("Adagrad", {"fused": True}, ValueError),
]


@pytest.mark.parametrize("name,options,error", WRONG_OPTIONS)
def test_wrong_options_are_refused(name, options, error):
    with pytest.raises(error, match=f"^{name}: "):
        getattr(fnn, name)(**options)


READ_ONLY = np.ones(3)
READ_ONLY.flags.writeable = False
WRONG_ARRAYS = [
    (np.ones(3), np.ones(4), ValueError, r"shape \(3,\), got grads.shape=\(4,\)"),
    (np.ones(3), np.ones(3, np.float32), TypeError, "dtype float64, got float32"),
    (np.ones(3, int), np.ones(3, int), TypeError, "expected float32 or float64 parameters, got int64"),
    (np.ones(3, np.float16), np.ones(3, np.float16), TypeError, "got float16"),
    ([1.0], [1.0], TypeError, "NumPy array, got list"),
    ({"a": np.ones(3)}, np.ones(3), TypeError, "two dicts or two arrays"),
    ({"a": np.ones(3)}, {"b": np.ones(3)}, ValueError, "differ in a, b"),
    ({"a": np.ones(3), "b": np.ones(2)}, {"a": np.ones(3), "b": np.ones(3)}, ValueError, "of 'b' of shape"),
    (READ_ONLY, np.ones(3), ValueError, "read-only"),
]


@pytest.mark.parametrize("params,grads,error,match", WRONG_ARRAYS)
def test_wrong_arrays_are_refused_before_anything_changes(params, grads, error, match):
    before, optimizer = copy.deepcopy(params), fnn.SGD(lr=1.0, momentum=0.9)
    with pytest.raises(error, match=match):
        optimizer.update(params, grads)
    for old, new in zip(before.values(), params.values()) if isinstance(params, dict) else [(before, params)]:
        np.testing.assert_array_equal(old, new)
    assert optimizer.state == {}


def test_an_optimizer_serves_one_network():
    optimizer = fnn.Adam()
    optimizer.update(np.ones(3), np.ones(3))
    for other in (np.ones(4), np.ones(3, np.float32)):
        with pytest.raises(ValueError, match="use an optimizer of its own"):
            optimizer.update(other, other)


def test_signatures_are_torchs():
    torch = pytest.importorskip("torch")
    import inspect

    for cls in (fnn.SGD, fnn.Adam, fnn.AdamW, fnn.RMSprop, fnn.Adagrad):
        ours = inspect.signature(cls).parameters
        theirs = dict(inspect.signature(getattr(torch.optim, cls.__name__)).parameters)
        del theirs["params"]
        assert [(p.name, p.default, p.kind) for p in ours.values()] == [(p.name, p.default, p.kind) for p in theirs.values()]
