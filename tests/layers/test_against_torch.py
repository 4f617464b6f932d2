"""PyTorch as the oracle: signatures, reprs, initial values, results, gradients, state dicts."""

import inspect
import itertools

import numpy as np
import pytest

import fastnn as fnn

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread():
    """Its threads wait actively for work, which takes the cores from everyone else on a small machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


CONV2D = [
    {
        "in_channels": i,
        "out_channels": o,
        "kernel_size": k,
        "stride": s,
        "padding": p,
        "dilation": d,
        "groups": g,
        "bias": b,
    }
    for (i, o, g), k, s, (p, d), b in itertools.product(
        [(3, 4, 1), (4, 6, 2), (3, 6, 3)],
        [1, (3, 2), (2, 5)],
        [1, (2, 3)],
        [(0, 1), ((1, 2), 1), ((2, 1), (1, 2)), ("valid", 2), ("same", 1), ("same", (2, 1))],
        [True, False],
    )
    if not (p == "same" and s != 1)
]
CONV1D = [
    {"in_channels": i, "out_channels": o, "kernel_size": k, "stride": s, "padding": p, "dilation": d, "groups": g}
    for (i, o, g), k, s, (p, d) in itertools.product(
        [(3, 4, 1), (4, 2, 2)], [1, 4], [1, 3], [(0, 1), (2, 2), ("same", 1), ("same", 3)]
    )
    if not (p == "same" and s != 1)
]
MAXPOOL2D = [
    {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c}
    for k, s, p, d, c in itertools.product([2, (3, 2)], [None, 1, (2, 3)], [0, 1], [1, (2, 3)], [False, True])
]
AVGPOOL2D = [
    {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": c, "count_include_pad": i, "divisor_override": o}
    for k, s, p, c, i, o in itertools.product([2, (3, 2)], [None, 1, (2, 5)], [0, 1], [False, True], [False, True], [None, 3])
]
POOL1D = [
    {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": c}
    for k, s, p, c in itertools.product([2, 3], [None, 2, 4], [0, 1], [False, True])
]

LPPOOL2D = [
    {"kernel_size": k, "stride": s, "ceil_mode": c}
    for k, s, c in itertools.product([2, (3, 2)], [None, 1, (2, 5)], [False, True])
]
LPPOOL1D = [{"kernel_size": k, "stride": s, "ceil_mode": c} for k, s, c in itertools.product([2, 3], [None, 4], [False, True])]

# (class, arguments, shape of one sample). Strides that share no factor with the lists' lengths meet every option.
CASES = [
    *(("Conv2d", kw, (kw["in_channels"], 8, 10)) for kw in CONV2D[::7]),
    *(("Conv1d", kw, (kw["in_channels"], 11)) for kw in CONV1D),
    *(("MaxPool2d", kw, (2, 9, 7)) for kw in MAXPOOL2D[::3]),
    *(("AvgPool2d", kw, (2, 9, 7)) for kw in AVGPOOL2D[::5]),
    *(("MaxPool1d", kw, (2, 11)) for kw in POOL1D),
    *(("AvgPool1d", kw, (2, 11)) for kw in POOL1D),
    *(("LPPool2d", {"norm_type": p, **kw}, (2, 9, 7)) for p in (1, 2, 4) for kw in LPPOOL2D),
    *(("LPPool1d", {"norm_type": p, **kw}, (2, 11)) for p in (1, 2, 4) for kw in LPPOOL1D),
    *(("AdaptiveAvgPool2d", {"output_size": s}, (2, 7, 5)) for s in (1, 3, (2, 5), (None, 2), (4, None), (9, 6))),
    *(("AdaptiveAvgPool1d", {"output_size": s}, (2, 7)) for s in (1, 3, 7, 9)),
    *(("Linear", {"in_features": 5, "out_features": 3, "bias": b}, s) for b in (True, False) for s in ((5,), (2, 5))),
    *(("Flatten", kw, (2, 3, 4)) for kw in ({}, {"start_dim": 2}, {"start_dim": -3, "end_dim": 2}, {"end_dim": 1})),
    *(
        ("LocalResponseNorm", {"size": n, "alpha": a, "beta": b, "k": k}, shape)
        for n, (a, b, k), shape in itertools.product(
            [1, 2, 5, 8], [(1e-4, 0.75, 1.0), (0.9, 0.5, 2.0), (0.9, 0.6, 0.5)], [(7, 4), (7, 3, 4), (3, 2, 4, 3)]
        )
    ),
    ("ReLU", {}, (3, 4)),
    ("LeakyReLU", {}, (3, 4)),
    ("LeakyReLU", {"negative_slope": -0.3}, (3, 4)),
    ("Sigmoid", {}, (3, 4)),
    ("Tanh", {}, (3, 4)),
    *(("ELU", {"alpha": a}, (3, 4)) for a in (1.0, 0.3, -2.0)),
    *(("GELU", {"approximate": a}, (3, 4)) for a in ("none", "tanh")),
    ("SiLU", {}, (3, 4)),
    *(("Softplus", {"beta": b, "threshold": t}, (3, 4)) for b in (1.0, 2.5, -1.5) for t in (20.0, 0.5)),
    *(("Hardtanh", kw, (3, 4)) for kw in ({}, {"min_val": -0.5, "max_val": 0.25})),
    ("ReLU6", {}, (3, 4)),
    *(("Softmax", {"dim": d}, (3, 4)) for d in (0, 1, 2, -1)),
    *(("LogSoftmax", {"dim": d}, (3, 4)) for d in (0, 1, 2, -2)),
]
BATCHNORM = [
    {"eps": e, "momentum": m, "affine": a, "track_running_stats": t, "bias": b}
    for e, m, (a, b), t in itertools.product(
        [1e-5, 0.1], [0.1, None, 0.9], [(True, True), (True, False), (False, True)], [True, False]
    )
]
NAMES = [
    "Linear",
    "Conv1d",
    "Conv2d",
    "MaxPool1d",
    "MaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "LPPool1d",
    "LPPool2d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Dropout",
    "Flatten",
    "GroupNorm",
    "LayerNorm",
    "Identity",
    "LocalResponseNorm",
    "ReLU",
    "LeakyReLU",
    "Sigmoid",
    "Tanh",
    "ELU",
    "GELU",
    "SiLU",
    "Softplus",
    "Hardtanh",
    "ReLU6",
    "Softmax",
    "LogSoftmax",
]


def describe(case):
    return f"{case[0]}-" + "-".join(str(v).replace(" ", "") for v in case[1].values())


def pair(name, arguments, dtype):
    """The same layer twice: (ours, PyTorch's), with equal parameters."""
    ours = getattr(fnn, name)
    takes_dtype = {"dtype": dtype} if "dtype" in inspect.signature(ours).parameters else {}
    torch_dtype = {"dtype": getattr(torch, str(np.dtype(dtype)))} if takes_dtype else {}
    layer = ours(**arguments, **takes_dtype)
    module = getattr(torch.nn, name)(**arguments, **torch_dtype)
    module.load_state_dict({key: torch.from_numpy(value) for key, value in layer.state_dict().items()})
    return layer, module


def check_step(layer, module, x, close, length):
    """Training forward and backward of both: outputs and all gradients."""
    tensor = torch.tensor(x, requires_grad=True)
    expected = module(tensor)
    out = layer.forward(x, training=True)
    close(out, expected.detach().numpy(), length=length)
    dout = np.random.default_rng(1).standard_normal(out.shape).astype(out.dtype)
    expected.backward(torch.from_numpy(dout))
    close(layer.backward(dout), tensor.grad.numpy(), length=length)
    grads = dict(module.named_parameters())
    assert list(layer.params) == list(grads)
    for name, grad in layer.grads.items():
        close(grad, grads[name].grad.numpy(), length=4 * length)


def input_like(rng, shape, dtype, n=3):
    """Distinct values: no ties in maxima, none at the kink."""
    size = n * int(np.prod(shape))
    return ((rng.permutation(size) - size / 2 + 0.25) * (6 / size)).reshape(n, *shape).astype(dtype)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("case", CASES, ids=describe)
def test_results_and_gradients(case, rng, dtype, assert_close):
    name, arguments, shape = case
    layer, module = pair(name, arguments, dtype)
    x = input_like(rng, shape, dtype)
    check_step(layer, module, x, assert_close, length=200)
    assert_close(layer.forward(x), module(torch.from_numpy(x)).detach().numpy(), length=200)


@pytest.mark.parametrize("arguments", BATCHNORM, ids=lambda kw: "-".join(map(str, kw.values())))
@pytest.mark.parametrize("name, shape", [("BatchNorm1d", (3,)), ("BatchNorm1d", (3, 5)), ("BatchNorm2d", (3, 4, 5))])
def test_batch_norm(name, shape, arguments, rng, dtype, assert_close):
    layer, module = pair(name, {"num_features": 3, **arguments}, dtype)
    for param in layer.params.values():
        param[...] = rng.standard_normal(3) + 2
    module.load_state_dict({key: torch.from_numpy(value) for key, value in layer.state_dict().items()})
    for n in (4, 7, 5):
        x = (3 + 2 * rng.standard_normal((n, *shape))).astype(dtype)
        module.zero_grad()
        check_step(layer, module, x, assert_close, length=1000)
    state = module.state_dict()
    assert list(layer.state_dict()) == list(state)
    for key, value in layer.state.items():
        assert_close(value, state[key].numpy(), length=100)
        assert value.dtype == state[key].numpy().dtype
    module.eval()
    assert_close(layer.forward(x), module(torch.from_numpy(x)).detach().numpy(), length=1000)


SAMPLE_NORMS = [
    *(
        ("GroupNorm", {"num_groups": g, "num_channels": 12, "eps": e, "affine": a, "bias": b}, shape)
        for g, (e, a, b), shape in itertools.product(
            [1, 2, 3],
            [(1e-5, True, True), (0.1, True, False), (1e-5, False, True)],
            [(12,), (12, 4), (12, 3, 5), (12, 2, 1, 3)],
        )
    ),
    *(
        ("LayerNorm", {"normalized_shape": n, "eps": e, "elementwise_affine": a, "bias": b}, shape)
        for (n, shape), (e, a, b) in itertools.product(
            [(7, (7,)), ((5,), (3, 5)), ([3, 5], (3, 5)), ((4, 3), (2, 4, 3)), (5, (2, 3, 5))],
            [(1e-5, True, True), (0.1, True, False), (1e-5, False, True)],
        )
    ),
]


@pytest.mark.parametrize("case", SAMPLE_NORMS, ids=describe)
def test_norms_of_samples(case, rng, dtype, assert_close):
    name, arguments, shape = case
    layer, module = pair(name, arguments, dtype)
    for param in layer.params.values():
        param[...] = rng.standard_normal(param.shape) + 2
    module.load_state_dict({key: torch.from_numpy(value) for key, value in layer.state_dict().items()})
    assert list(layer.state_dict()) == list(module.state_dict())
    x = (3 + 2 * rng.standard_normal((5, *shape))).astype(dtype)
    check_step(layer, module, x, assert_close, length=1000)
    assert_close(layer.forward(x), module(torch.from_numpy(x)).detach().numpy(), length=1000)


@pytest.mark.parametrize("norm_type", [1, 2, 3, 4, 0.5, 1.5, 2.5])
def test_lp_pooling_of_zeros_and_signs(norm_type, rng, dtype, impl, assert_close):
    """Windows of nothing but 0, sums that are negative, negative values to fractional powers: NaN where PyTorch has it."""
    x = rng.standard_normal((2, 3, 6, 8)).astype(dtype)
    x[0], x[1, 1] = abs(x[0]), 0
    x[1, 0, :2, :2] = [[1, -1], [2, -2]]
    if norm_type != 1:  # for a sum that is NaN, PyTorch has a gradient of 0 there, for other norms NaN
        x[0, 0, 0, 0] = np.nan
    if norm_type < 1:
        x[x == 0] = 1  # its slope there is infinite
    layer, module = pair("LPPool2d", {"norm_type": norm_type, "kernel_size": 2}, dtype)
    check_step(layer.use(impl), module, x, assert_close, length=100)


def test_ties_and_nan_in_max_pooling(rng, dtype, impl):
    x = rng.integers(0, 3, (2, 3, 8, 7)).astype(dtype)
    x[0, 1, 3, 4] = np.nan
    for arguments in (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1, "padding": 1},
        {"kernel_size": 2, "dilation": 2},
    ):
        layer, module = pair("MaxPool2d", arguments, dtype)
        check_step(layer.use(impl), module, x, _exactly, length=1)


def _exactly(actual, expected, length):
    np.testing.assert_array_equal(actual, expected)


SPECIAL = ["ReLU", "LeakyReLU", "Sigmoid", "Tanh", "ELU", "GELU", "SiLU", "Softplus", "Hardtanh", "ReLU6"]


@pytest.mark.parametrize("name", [*SPECIAL, "Softmax", "LogSoftmax"])
def test_special_values(name, dtype, impl, assert_close):
    big = np.finfo(dtype).max / 4
    x = np.array([[0, -0.0, 1e4, -1e4, 1e-30], [big, -big, 700, -700, 1], [np.nan, 1, 2, 3, 4]], dtype)
    arguments = {"dim": 1} if "Softmax" in name else {}
    layer, module = pair(name, arguments, dtype)
    out = layer.use(impl).forward(x)
    assert_close(out, module(torch.from_numpy(x)).numpy(), length=100)


KINKS = [
    *((fnn.ELU(a), torch.nn.ELU(a), [0, -0.0]) for a in (1.0, 0.5)),
    (fnn.Hardtanh(-1, 2), torch.nn.Hardtanh(-1, 2), [-1, 2, np.nextafter(-1, 0), np.nextafter(2, 0)]),
    (fnn.ReLU6(), torch.nn.ReLU6(), [0, -0.0, 6, 5e-324]),
    (fnn.Softplus(1, 1), torch.nn.Softplus(1, 1), [1, np.nextafter(1, 2)]),
    (fnn.Softplus(2, 3), torch.nn.Softplus(2, 3), [1.5, np.nextafter(1.5, 2)]),
]


@pytest.mark.parametrize("layer, module, x", KINKS, ids=lambda value: repr(value) if isinstance(value, fnn.Layer) else "")
def test_gradients_at_kinks(layer, module, x, impl):
    x = np.array([x])
    check_step(layer.use(impl), module, x, _nearly, length=1)
    layer.use(None)


def _nearly(actual, expected, length):
    np.testing.assert_allclose(actual, expected, rtol=1e-14, atol=0)


OTHERS = {"self", "min_value", "max_value"}  # the last two are deprecated


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    """PyTorch's arguments, in its order and with its defaults; dtype and rng besides, by keyword."""
    own = inspect.signature(getattr(fnn, name)).parameters
    theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
    theirs = {k: p for k, p in theirs.items() if k not in OTHERS and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    positional = [k for k, p in own.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    expected = [k for k, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD and k != "dtype"]
    assert positional == expected
    for key, parameter in theirs.items():
        if key != "dtype":
            assert own[key].default == parameter.default
    assert set(own) - set(theirs) <= {"rng", "dtype"}


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("Linear", (3, 4)),
        ("Linear", (3, 4, False)),
        ("Conv2d", (4, 6, 3)),
        ("Conv2d", (4, 6, (3, 5), 2, (1, 0), 2, 2, False)),
        ("Conv2d", (4, 6, 3, 1, "same")),
        ("Conv1d", (4, 6, 3, 2, 1)),
        ("MaxPool2d", (2,)),
        ("MaxPool2d", ((3, 2), 2, 1, 1, False, True)),
        ("MaxPool1d", (3, 2)),
        ("AvgPool2d", (2,)),
        ("AvgPool1d", (3, 2, 1)),
        ("LPPool2d", (2, 3, 2)),
        ("LPPool2d", (1.5, (3, 2), (2, 1), True)),
        ("LPPool1d", (3, 2, 4)),
        ("AdaptiveAvgPool2d", (1,)),
        ("AdaptiveAvgPool2d", ((None, 3),)),
        ("AdaptiveAvgPool1d", (3,)),
        ("BatchNorm2d", (3, 1e-3, None)),
        ("BatchNorm1d", (3,)),
        ("Dropout", (0.2,)),
        ("Flatten", ()),
        ("GroupNorm", (2, 6)),
        ("GroupNorm", (2, 6, 0.1, False)),
        ("LayerNorm", (3,)),
        ("LayerNorm", ([3, 4], 0.1)),
        ("LayerNorm", ((3,), 1e-5, True, False)),
        ("LayerNorm", (3, 1e-5, False)),
        ("Identity", ()),
        ("LocalResponseNorm", (2,)),
        ("LocalResponseNorm", (5, 5e-4, 0.5, 2.0)),
        ("ReLU", ()),
        ("LeakyReLU", (0.1,)),
        ("Sigmoid", ()),
        ("ELU", ()),
        ("GELU", ()),
        ("GELU", ("tanh",)),
        ("SiLU", ()),
        ("Softplus", ()),
        ("Hardtanh", (-2.0, 2.0)),
        ("ReLU6", ()),
        ("Softmax", (1,)),
        ("LogSoftmax", (-1,)),
    ],
)
def test_repr(name, arguments):
    layer = repr(getattr(fnn, name)(*arguments)).removeprefix("Dense")
    assert layer.removeprefix("Linear") == repr(getattr(torch.nn, name)(*arguments)).removeprefix("Linear")


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("Linear", (50, 2000)),
        ("Conv2d", (8, 400, (3, 5))),
        ("Conv2d", (8, 800, 3, 1, 0, 1, 4)),
        ("Conv1d", (9, 900, 7)),
    ],
)
def test_initial_distribution(name, arguments, dtype):
    torch.manual_seed(0)
    layer = getattr(fnn, name)(*arguments, dtype=dtype, rng=0)
    module = getattr(torch.nn, name)(*arguments)
    for key, param in layer.params.items():
        theirs = getattr(module, key).detach().numpy()
        assert param.shape == theirs.shape and param.dtype == dtype
        # The extremes of this many uniform numbers lie within a percent of the bound.
        for extreme in (np.min, np.max):
            assert extreme(param) == pytest.approx(extreme(theirs), rel=0.02)
        assert param.std() == pytest.approx(theirs.std(), rel=0.1)
        assert abs(param.mean()) < 4 * theirs.std() / np.sqrt(param.size)


def both_networks(dtype):
    # No bias in front of a batch norm, which takes it out again: its gradient is nothing but rounding.
    spec = [
        ("Conv2d", (1, 4, 3, 1, 0, 1, 1, False)),
        ("BatchNorm2d", (4,)),
        ("ReLU", ()),
        ("MaxPool2d", (2,)),
        ("Flatten", ()),
        ("Linear", (36, 5, False)),
        ("BatchNorm1d", (5,)),
        ("Tanh", ()),
        ("Linear", (5, 3)),
    ]
    takes = ("Conv2d", "BatchNorm2d", "BatchNorm1d", "Linear")
    torch_dtype = getattr(torch, str(dtype))
    ours = [getattr(fnn, n)(*a, **({"dtype": dtype} if n in takes else {})) for n, a in spec]
    theirs = [getattr(torch.nn, n)(*a, **({"dtype": torch_dtype} if n in takes else {})) for n, a in spec]
    return fnn.Sequential(*ours), torch.nn.Sequential(*theirs)


def test_state_dicts_travel_both_ways(rng, dtype, assert_close):
    ours, theirs = both_networks(dtype)
    x = rng.standard_normal((6, 1, 8, 8)).astype(dtype)
    theirs(torch.from_numpy(x))  # moves the running statistics
    theirs.eval()
    expected = theirs(torch.from_numpy(x)).detach().numpy()

    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    assert_close(ours.forward(x), expected, length=1000)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.state_dict()["1.num_batches_tracked"] == 1

    ours.forward(x, training=True)
    expected = ours.forward(x)
    theirs.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in ours.state_dict().items()})
    assert_close(theirs(torch.from_numpy(x)).detach().numpy(), expected, length=1000)


def test_network_gradients(rng, dtype, assert_close):
    ours, theirs = both_networks(dtype)
    theirs.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in ours.state_dict().items()})
    check_step(ours, theirs, rng.standard_normal((6, 1, 8, 8)).astype(dtype), assert_close, length=20_000)


def test_state_dict_of_other_precision_is_refused():
    ours, _ = both_networks(np.dtype("float32"))
    _, theirs = both_networks(np.dtype("float64"))
    before = ours.state_dict()
    with pytest.raises(TypeError, match="expected dtype float32, got float64"):
        ours.load_state_dict(theirs.state_dict())
    for name, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_dropout_statistics(dtype):
    x = np.ones((100, 1000), dtype)
    out = fnn.Dropout(0.3, rng=0).forward(x, training=True)
    kept = np.float64(1) / 0.7
    assert set(np.unique(out)) == {0, x.dtype.type(kept)}
    assert (out == 0).mean() == pytest.approx(0.3, abs=0.005)
    assert (fnn.Dropout(1.0).forward(x, training=True) == 0).all()
    assert (fnn.Dropout(0.0).forward(x, training=True) == 1).all()
