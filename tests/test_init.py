"""Initial values: exact fans and gains, spread of large draws, torch.nn.init's formulas, repeatability, whole networks."""

import math
from functools import partial

import numpy as np
import pytest

import fastnn as fnn
from fastnn import init

WEIGHTS = {"dense": (300, 500), "conv1d": (40, 30, 7), "conv2d": (50, 20, 5, 3), "thin": (2000, 3)}

# name: (initializer, the standard deviation for fan_in, fan_out, whether uniform)
DRAWN = {
    "uniform": (partial(init.uniform, low=-0.5, high=0.5), lambda i, o: 0.5 / 3**0.5, True),
    "normal": (init.normal, lambda i, o: 0.01, False),
    "normal_std": (partial(init.normal, std=3.0), lambda i, o: 3.0, False),
    "xavier_uniform": (init.xavier_uniform, lambda i, o: (2 / (i + o)) ** 0.5, True),
    "xavier_uniform_gain": (partial(init.xavier_uniform, gain=5 / 3), lambda i, o: 5 / 3 * (2 / (i + o)) ** 0.5, True),
    "xavier_normal": (init.xavier_normal, lambda i, o: (2 / (i + o)) ** 0.5, False),
    "xavier_normal_gain": (partial(init.xavier_normal, gain=0.5), lambda i, o: 0.5 * (2 / (i + o)) ** 0.5, False),
    "he_uniform": (init.he_uniform, lambda i, o: (2 / i) ** 0.5, True),
    "he_uniform_out": (partial(init.he_uniform, mode="fan_out"), lambda i, o: (2 / o) ** 0.5, True),
    "he_normal": (init.he_normal, lambda i, o: (2 / i) ** 0.5, False),
    "he_normal_leaky": (partial(init.he_normal, negative_slope=0.5), lambda i, o: (2 / 1.25 / i) ** 0.5, False),
    "he_normal_out": (partial(init.he_normal, mode="fan_out"), lambda i, o: (2 / o) ** 0.5, False),
    "he_normal_linear": (partial(init.he_normal, nonlinearity="linear"), lambda i, o: (1 / i) ** 0.5, False),
    "lecun_normal": (init.lecun_normal, lambda i, o: (1 / i) ** 0.5, False),
}
ALL = {name: case[0] for name, case in DRAWN.items()} | {"orthogonal": init.orthogonal}


def test_fans_are_exact():
    assert init.fans((10, 120)) == (120, 10)
    assert init.fans((16, 6, 5, 3)) == (90, 240)
    assert init.fans((4, 3, 7)) == (21, 28)
    assert init.fans((8, 1, 3, 3)) == (9, 72)  # depthwise, as PyTorch counts


def test_gains_are_exact():
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("sigmoid") == init.calculate_gain("linear") == 1
    assert init.calculate_gain("leaky_relu", 0.5) == math.sqrt(1.6)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)


def test_constants(dtype):
    for value, array in ((0, init.zeros((2, 3), dtype=dtype)), (-1.5, init.constant((2, 3), -1.5, dtype=dtype))):
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, np.full((2, 3), value))


@pytest.mark.parametrize("shape", WEIGHTS.values(), ids=list(WEIGHTS))
@pytest.mark.parametrize("name", DRAWN)
def test_spread(name, shape):
    """Mean, standard deviation and shape of the distribution, within five standard errors."""
    function, expected, is_uniform = DRAWN[name]
    values, std = function(shape, rng=0, dtype="float64"), expected(*init.fans(shape))
    n = values.size
    assert values.shape == shape and values.flags.c_contiguous
    assert abs(values.mean()) < 5 * std / n**0.5
    kurtosis = 1.8 if is_uniform else 3
    assert abs(values.std() / std - 1) < 5 * ((kurtosis - 1) / (4 * n)) ** 0.5
    assert abs((values**4).mean() / std**4 - kurtosis) < 5 * (4.0 if is_uniform else 96**0.5) / n**0.5
    if is_uniform:
        assert (1 - 20 / n) * 3**0.5 * std < np.abs(values).max() <= 3**0.5 * std


def test_normal_has_a_mean_and_uniform_two_bounds():
    assert abs(init.normal(100_000, std=2.0, mean=7.0, rng=0).mean() - 7) < 0.05
    values = init.uniform((100_000,), 3, 5, rng=0)
    assert values.min() >= 3 and values.max() <= 5 and abs(values.mean() - 4) < 0.02


@pytest.mark.parametrize("name", ALL)
def test_repeatable(name):
    shape = (6, 4, 3)
    one, two = ALL[name](shape, rng=5), ALL[name](shape, rng=np.random.default_rng(5))
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, ALL[name](shape, rng=5, dtype=np.float64).astype(np.float32))
    shared = np.random.default_rng(5)
    assert (ALL[name](shape, rng=shared) != ALL[name](shape, rng=shared)).any()
    assert (ALL[name](shape) != ALL[name](shape)).any()


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3), (9, 2, 2, 2), (1, 6)])
def test_orthogonal(shape, dtype):
    weight = init.orthogonal(shape, gain=2.0, rng=1, dtype=dtype)
    assert weight.shape == shape and weight.dtype == dtype and weight.flags.c_contiguous
    flat = weight.reshape(shape[0], -1).astype(np.float64)
    product = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=20 * np.finfo(dtype).eps)


def test_orthogonal_has_no_preferred_sign():
    corners = [init.orthogonal((2, 2), rng=seed)[0, 0] > 0 for seed in range(400)]
    assert 140 < sum(corners) < 260


def test_formulas_are_torchs():
    """torch's draws have the spread that ours are made with: the bound to the last digit, the rest by statistics."""
    torch = pytest.importorskip("torch")
    their = torch.nn.init
    for nonlinearity in ("linear", "conv1d", "conv2d", "sigmoid", "tanh", "relu", "selu"):
        assert init.calculate_gain(nonlinearity) == their.calculate_gain(nonlinearity)
    assert init.calculate_gain("leaky_relu", 0.3) == their.calculate_gain("leaky_relu", 0.3)
    assert init.calculate_gain("leaky_relu") == their.calculate_gain("leaky_relu")
    pairs = [
        (init.xavier_uniform, their.xavier_uniform_, {}, {}),
        (init.xavier_uniform, their.xavier_uniform_, {"gain": 3.0}, {"gain": 3.0}),
        (init.xavier_normal, their.xavier_normal_, {"gain": 3.0}, {"gain": 3.0}),
        (init.kaiming_uniform, their.kaiming_uniform_, {}, {}),
        (init.kaiming_uniform, their.kaiming_uniform_, {"negative_slope": 5**0.5}, {"a": 5**0.5}),
        (init.kaiming_normal, their.kaiming_normal_, {"mode": "fan_out"}, {"mode": "fan_out"}),
        (init.kaiming_normal, their.kaiming_normal_, {"nonlinearity": "tanh"}, {"nonlinearity": "tanh"}),
    ]
    generator = torch.Generator().manual_seed(0)
    for ours, theirs, options, their_options in pairs:
        for shape in WEIGHTS.values():
            tensor = theirs(torch.empty(shape, dtype=torch.float64), **their_options, generator=generator).numpy()
            values = ours(shape, **options, rng=0, dtype="float64")
            assert abs(values.std() / tensor.std() - 1) < 8 / values.size**0.5
            if "uniform" in ours.__name__:
                assert abs(np.abs(values).max() / np.abs(tensor).max() - 1) < 20 / values.size


def test_layers_draw_what_kaiming_uniform_gives():
    """The layers' own default, PyTorch's: kaiming_uniform with a slope of sqrt(5)."""
    for layer in (fnn.Dense(12, 7, rng=3), fnn.Conv2d(3, 4, (2, 5), rng=3), fnn.Conv1d(3, 4, 5, rng=3)):
        weight = layer.params["weight"]
        np.testing.assert_allclose(weight, init.he_uniform(weight.shape, negative_slope=5**0.5, rng=3), rtol=1e-6)


def network():
    return fnn.Sequential(
        fnn.Conv2d(1, 3, 3, bias=False, rng=0),
        fnn.BatchNorm2d(3),
        fnn.Residual(fnn.Sequential(fnn.Conv2d(3, 3, 3, padding=1, rng=1))),
        fnn.Flatten(),
        fnn.Dense(48, 2, rng=2),
    )


def test_initialize_goes_through_the_network():
    net = network()
    block, before = net.flat_params, {key: value.copy() for key, value in net.params.items()}
    assert init.initialize(net, init.he_normal, rng=4) is net
    assert net.flat_params is block
    rng = np.random.default_rng(4)
    for key, value in net.params.items():
        if key in ("1.weight", "1.bias"):
            np.testing.assert_array_equal(value, before[key])
        elif key.endswith("bias"):
            assert not value.any()
        else:
            np.testing.assert_array_equal(value, init.he_normal(value.shape, rng=rng))


def test_initialize_single_layers_and_dtypes():
    layer = init.initialize(fnn.Conv1d(2, 3, 4, dtype="float64"), init.orthogonal, partial(init.constant, value=0.5), rng=0)
    np.testing.assert_array_equal(layer.params["weight"], init.orthogonal((3, 2, 4), rng=0, dtype="float64"))
    np.testing.assert_array_equal(layer.params["bias"], 0.5)


def test_initialize_leaves_what_is_none():
    net, untouched = network(), network()
    init.initialize(net, None, np.ones)
    np.testing.assert_array_equal(net.params["4.weight"], untouched.params["4.weight"])
    np.testing.assert_array_equal(net.params["4.bias"], 1)
    init.initialize(net, lambda shape: np.full(shape, 2), None)  # neither rng nor dtype, and integers
    np.testing.assert_array_equal(net.params["4.weight"], 2)
    np.testing.assert_array_equal(net.params["4.bias"], 1)


def test_a_plan_sees_new_weights(rng):
    net, x = network(), rng.standard_normal((20, 1, 6, 6)).astype(np.float32)
    net.predict(x)
    init.initialize(net, init.zeros, partial(init.constant, value=0.25))
    np.testing.assert_array_equal(net.predict(x), 0.25)


def test_initialize_changes_nothing_when_something_is_wrong():
    net = network()
    before = net.flat_params.copy()
    with pytest.raises(ValueError, match=r"expected values of shape \(3,\) for '2.body.0.bias', got \(4,\)"):
        init.initialize(net, init.he_normal, lambda shape: np.zeros(4))
    np.testing.assert_array_equal(net.flat_params, before)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: init.fans(7), ValueError, r"fans: shape must be a weight's, .* got \(7,\)"),
        (lambda: init.fans((3, 0)), ValueError, "fans: shape must be a weight's"),
        (lambda: init.fans((3, "4")), TypeError, "fans: shape must be an int"),
        (lambda: init.he_normal((3,)), ValueError, "he_normal: shape must be a weight's"),
        (lambda: init.he_normal((3, 4), mode="fan"), ValueError, "he_normal: mode must be 'fan_in' or 'fan_out', got 'fan'"),
        (lambda: init.he_normal((3, 4), nonlinearity="gelu"), ValueError, "calculate_gain: nonlinearity must be one of"),
        (lambda: init.he_uniform((3, 4), nonlinearity="relu", negative_slope=1), ValueError, "he_uniform: negative_slope goes"),
        (lambda: init.he_uniform((3, 4), negative_slope="0"), TypeError, "he_uniform: negative_slope must be a number"),
        (lambda: init.xavier_normal((3, 4), gain=float("nan")), ValueError, "xavier_normal: gain must be finite"),
        (lambda: init.xavier_uniform((3, 4), gain=-1), ValueError, "xavier_uniform: gain must be at least 0"),
        (lambda: init.xavier_uniform((3, 4), rng="seed"), TypeError, "xavier_uniform: rng must be None, an int or"),
        (lambda: init.lecun_normal((3, 4), dtype=int), TypeError, "lecun_normal: dtype must be float32 or float64"),
        (lambda: init.normal(3, 0.0, 0.01), TypeError, "positional"),  # which comes first, mean or std?
        (lambda: init.normal(3, std=-1), ValueError, "normal: std must be at least 0, got -1"),
        (lambda: init.uniform(3, 1, 0), ValueError, "uniform: low must be at most high=0.0, got 1.0"),
        (lambda: init.constant(3, None), TypeError, "constant: value must be a number"),
        (lambda: init.zeros((3, -1)), ValueError, "zeros: shape must be at least 0"),
        (lambda: init.initialize(fnn.Dense, init.zeros), TypeError, "initialize: expected network to be a Layer"),
        (lambda: init.initialize(fnn.Dense(2, 3), "zeros"), TypeError, "initialize: weight must be a function"),
        (lambda: init.initialize(fnn.Dense(2, 3), init.zeros, 0), TypeError, "initialize: bias must be a function"),
        (lambda: init.initialize(fnn.Dense(2, 3), init.zeros, rng=-1), ValueError, "initialize: rng must be a non-negative"),
        (lambda: init.initialize(fnn.Dense(2, 3), lambda s: np.full(s, "a")), TypeError, "expected numbers for 'weight'"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
