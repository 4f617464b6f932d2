"""Losses: worked values, PyTorch as oracle, finite differences, and what they refuse."""

import copy
import math
import pickle

import numpy as np
import pytest

import fastnn as fnn

SHAPES = [(5, 3), (4, 7, 3), (2, 3, 4, 5)]
REDUCTIONS = ["mean", "sum", "none"]


def compare_with_torch(loss, torch_loss, x, target, torch_target, assert_close, rng):
    """Same loss and same gradient as PyTorch's, for a random upstream gradient."""
    import torch

    tx = torch.tensor(x, requires_grad=True)
    expected = torch_loss(tx, torch_target)
    got = loss.forward(x, target)
    assert isinstance(got, np.ndarray if loss.reduction == "none" else float)
    assert_close(np.asarray(got, x.dtype), expected.detach().numpy().astype(x.dtype), x.shape[1] * 8)
    dout = rng.standard_normal(tuple(expected.shape)).astype(x.dtype)
    expected.backward(torch.tensor(dout))
    dx = loss.backward(dout if loss.reduction == "none" else float(dout))
    assert dx.dtype == x.dtype and dx.flags.c_contiguous
    assert_close(dx, tx.grad.numpy(), x.shape[1] * 8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ignore_index", [-100, 1])
def test_cross_entropy_labels_equal_torch(shape, reduction, weighted, smoothing, ignore_index, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal(shape).astype(dtype)
    y = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    y.flat[0] = ignore_index
    weight = rng.random(shape[1]).astype(dtype) if weighted else None
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": smoothing}
    theirs = torch.nn.CrossEntropyLoss(weight=None if weight is None else torch.tensor(weight), **options)
    ours = fnn.CrossEntropyLoss(weight=weight, **options)
    compare_with_torch(ours, theirs, x, y, torch.tensor(y), assert_close, rng)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_probabilities_equal_torch(shape, reduction, weighted, smoothing, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal(shape).astype(dtype)
    p = rng.random(shape).astype(dtype)
    weight = rng.random(shape[1]).astype(dtype) if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing}
    theirs = torch.nn.CrossEntropyLoss(weight=None if weight is None else torch.tensor(weight), **options)
    ours = fnn.CrossEntropyLoss(weight=weight, **options)
    compare_with_torch(ours, theirs, x, p, torch.tensor(p), assert_close, rng)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_nll_equals_torch(shape, reduction, weighted, ignore_index, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal(shape).astype(dtype)
    y = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    y.flat[-1] = ignore_index
    weight = rng.random(shape[1]).astype(dtype) if weighted else None
    options = {"ignore_index": ignore_index, "reduction": reduction}
    theirs = torch.nn.NLLLoss(weight=None if weight is None else torch.tensor(weight), **options)
    compare_with_torch(fnn.NLLLoss(weight=weight, **options), theirs, x, y, torch.tensor(y), assert_close, rng)


DIFFERENCES = [
    ("MSELoss", {}),
    ("L1Loss", {}),
    ("HuberLoss", {}),
    ("HuberLoss", {"delta": 0.3}),
    ("HuberLoss", {"delta": 1e30}),
    ("SmoothL1Loss", {}),
    ("SmoothL1Loss", {"beta": 0.3}),
    ("SmoothL1Loss", {"beta": 0.0}),
    ("SmoothL1Loss", {"beta": 1e-40}),
]


@pytest.mark.parametrize("shape", [(5, 3), (7, 1), (2, 3, 4, 5)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name,options", DIFFERENCES)
def test_differences_equal_torch(name, options, shape, reduction, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    x, y = rng.standard_normal((2, *shape)).astype(dtype)
    y.flat[0] = x.flat[0]
    ours, theirs = (getattr(nn, name)(reduction=reduction, **options) for nn in (fnn, torch.nn))
    compare_with_torch(ours, theirs, x, y, torch.tensor(y), assert_close, rng)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight_shape", [None, (3,), (5, 3), (5, 1)])
def test_bce_equals_torch(reduction, weight_shape, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    x, y = rng.random((2, 5, 3)).astype(dtype)
    x.flat[:4], y.flat[:4] = [0, 0, 1, 1], [0, 1, 0, 1]
    if dtype == np.float64:
        x.flat[1:3] = 1e-9, 1 - 1e-9  # not 0 and 1: torch's 1e-12 in the gradient has the digits of float32
    weight = None if weight_shape is None else rng.random(weight_shape).astype(dtype)
    ours = fnn.BCELoss(weight, reduction=reduction)
    theirs = torch.nn.BCELoss(None if weight is None else torch.tensor(weight), reduction=reduction)
    compare_with_torch(ours, theirs, x, y, torch.tensor(y), assert_close, rng)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight_shape", [None, (3,), (5, 3), (5, 1)])
@pytest.mark.parametrize("positive_shape", [None, (3,), (1,)])
def test_bce_with_logits_equals_torch(reduction, weight_shape, positive_shape, dtype, rng, assert_close):
    torch = pytest.importorskip("torch")
    x = (10 * rng.standard_normal((5, 3))).astype(dtype)
    y = rng.random((5, 3)).astype(dtype)
    given = {"weight": weight_shape, "pos_weight": positive_shape}
    given = {name: rng.random(shape).astype(dtype) for name, shape in given.items() if shape is not None}
    ours = fnn.BCEWithLogitsLoss(reduction=reduction, **given)
    theirs = torch.nn.BCEWithLogitsLoss(reduction=reduction, **{k: torch.tensor(v) for k, v in given.items()})
    compare_with_torch(ours, theirs, x, y, torch.tensor(y), assert_close, rng)


@pytest.mark.parametrize("cls", [fnn.CrossEntropyLoss, fnn.NLLLoss])
def test_single_sample_without_batch_axis(cls, rng, assert_close):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal(4)
    theirs = getattr(torch.nn, cls.__name__)
    for reduction in REDUCTIONS:
        expected = theirs(reduction=reduction)(torch.tensor(x), torch.tensor(2)).numpy()
        assert_close(cls(reduction=reduction)(x, np.array(2)), expected)
    loss = cls()
    loss(x, 2)
    assert loss.backward().shape == (4,)


def test_worked_values():
    assert fnn.MSELoss()(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == 2.5
    assert math.isclose(fnn.CrossEntropyLoss()(np.zeros((2, 4)), np.array([0, 3])), math.log(4))
    assert math.isclose(fnn.NLLLoss()(np.log([[0.2, 0.8]]), np.array([1])), -math.log(0.8))
    assert math.isclose(fnn.BCEWithLogitsLoss()(np.zeros(3), np.array([0.0, 0.5, 1.0])), math.log(2))
    assert math.isclose(fnn.BCELoss()(np.full(3, 0.5), np.array([0.0, 0.5, 1.0])), math.log(2))
    assert fnn.L1Loss()(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == 1.5
    x, y = np.array([0.5, -3.0, 2.0]), np.zeros(3)
    assert fnn.HuberLoss(reduction="sum", delta=2.0)(x, y) == 0.125 + 2 * (3 - 1) + 2 * (2 - 1)
    assert fnn.SmoothL1Loss(reduction="sum", beta=2.0)(x, y) == 0.0625 + (3 - 1) + (2 - 1)


def test_bce_is_stable_at_both_ends(dtype):
    loss = fnn.BCEWithLogitsLoss(reduction="none")
    x = np.array([-1e4, -80, 80, 1e4], dtype)
    ones, zeros = np.ones(4, dtype), np.zeros(4, dtype)
    np.testing.assert_allclose(loss(x, ones), [1e4, 80, np.exp(-80.0), 0], rtol=1e-5)
    assert np.isfinite(loss.backward(ones)).all()
    np.testing.assert_allclose(loss(x, zeros), [0, np.exp(-80.0), 80, 1e4], rtol=1e-5)
    np.testing.assert_allclose(loss.backward(ones), [0, np.exp(-80.0), 1, 1], rtol=1e-5)


PARTS = {"weight": [0.5, 1, 2, 3], "label_smoothing": 0.1}
LOSSES = [
    ("cross-entropy", lambda **o: fnn.CrossEntropyLoss(weight=[0.5, 1, 2, 3], label_smoothing=0.1, **o), "labels"),
    ("cross-entropy, probabilities", lambda **o: fnn.CrossEntropyLoss(weight=[0.5, 1, 2, 3], **o), "floats"),
    ("nll", lambda **o: fnn.NLLLoss(weight=[0.5, 1, 2, 3], **o), "labels"),
    ("from probabilities", lambda **o: fnn.CrossEntropyLoss(from_logits=False, eps=0.01, **PARTS, **o), "labels"),
    ("probabilities, twice", lambda **o: fnn.CrossEntropyLoss(from_logits=False, eps=0.01, **PARTS, **o), "floats"),
    ("mse", lambda **o: fnn.MSELoss(**o), "floats"),
    ("mse with a factor", lambda **o: fnn.MSELoss(factor=0.3, **o), "floats"),
    ("l1", lambda **o: fnn.L1Loss(**o), "floats"),
    ("huber", lambda **o: fnn.HuberLoss(delta=0.4, **o), "floats"),
    ("smooth l1", lambda **o: fnn.SmoothL1Loss(beta=0.4, **o), "floats"),
    ("bce", lambda **o: fnn.BCELoss(weight=[0.5, 1, 2, 3], **o), "probabilities, channels last"),
    ("bce with logits", lambda **o: fnn.BCEWithLogitsLoss(pos_weight=[0.5, 1, 2, 3], **o), "channels last"),
]


@pytest.mark.parametrize("make,kind", [case[1:] for case in LOSSES], ids=[case[0] for case in LOSSES])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("which", ["numba", "reference"])
def test_gradients_by_finite_differences(make, kind, reduction, which, rng):
    shape = (3, 5, 4) if "channels last" in kind else (3, 4, 5)
    positive = "probabilities" in kind or not getattr(make(), "from_logits", True)
    x = 0.05 + 0.9 * rng.random(shape) if positive else rng.standard_normal(shape)
    target = rng.integers(0, 4, (3, 5)) if kind == "labels" else rng.random(shape)
    with fnn.kernels.use(which):
        assert fnn.gradcheck(make(reduction=reduction), x, target).ok


def test_kernels_and_twins_agree(rng, dtype, assert_close):
    x = rng.standard_normal((6, 11)).astype(dtype)
    y = rng.integers(0, 11, 6)
    results = []
    for which in ("numba", "reference"):
        loss = fnn.CrossEntropyLoss(label_smoothing=0.2).use(which)
        assert loss.kernels is fnn.kernels.resolve(which)
        results.append((loss(x, y), loss.backward()))
    assert_close(results[0][1], results[1][1], 11)
    assert math.isclose(results[0][0], results[1][0], rel_tol=1e-5)


@pytest.mark.parametrize("code", ["u1", "i1", "i4", "u8", ">i4", ">i8"])
def test_any_integer_dtype_serves_as_labels(code):
    x = np.eye(3)
    assert math.isclose(fnn.CrossEntropyLoss()(x, np.arange(3).astype(code)), fnn.CrossEntropyLoss()(x, np.arange(3)))


def test_views_and_foreign_byte_order(rng, dtype, assert_close):
    x = rng.standard_normal((4, 3, 5)).astype(dtype)
    y = rng.integers(0, 3, (4, 5))
    loss = fnn.CrossEntropyLoss()
    expected = loss(x, y), loss.backward()
    for view in (x.transpose(2, 1, 0).copy().transpose(2, 1, 0), x.astype(x.dtype.newbyteorder(">"))):
        before = view.copy()
        assert loss(view, np.asfortranarray(y)) == expected[0]
        dx = loss.backward()
        assert dx.dtype == dtype and dx.dtype.isnative
        assert_close(dx, expected[1])
        assert (view == before).all()


def test_backward_returns_the_callers_own_array(rng):
    x, y = rng.standard_normal((4, 3)), np.array([0, 1, 2, 0])
    for loss, target in ((fnn.CrossEntropyLoss(), y), (fnn.NLLLoss(), y), (fnn.MSELoss(), x + 1), (fnn.L1Loss(), x + 1)):
        loss(x, target)
        first = loss.backward()
        kept = first.copy()
        loss(-x, target)
        loss.backward()
        assert (first == kept).all()


def test_backward_needs_one_forward_each(rng):
    loss = fnn.MSELoss()
    with pytest.raises(RuntimeError, match="MSELoss: backward needs a forward"):
        loss.backward()
    loss(np.ones(2), np.zeros(2))
    loss.backward()
    with pytest.raises(RuntimeError, match="MSELoss"):
        loss.backward()


def test_empty_batch_is_as_in_torch():
    x, y = np.empty((0, 3)), np.empty(0, int)
    assert math.isnan(fnn.CrossEntropyLoss()(x, y))
    loss = fnn.CrossEntropyLoss(reduction="sum")
    assert loss(x, y) == 0 and loss.backward().shape == (0, 3)
    assert fnn.NLLLoss(reduction="none")(x, y).shape == (0,)
    for loss in (fnn.MSELoss, fnn.L1Loss, fnn.HuberLoss, fnn.SmoothL1Loss, fnn.BCELoss, fnn.BCEWithLogitsLoss):
        assert math.isnan(loss()(x, x)) and loss(reduction="sum")(x, x) == 0
    loss = fnn.CrossEntropyLoss(from_logits=False, reduction="sum")
    assert loss(x, y) == 0 and loss.backward().shape == (0, 3)


def test_all_ignored_is_nan_with_gradients_of_zero(rng):
    x, y = rng.standard_normal((2, 3)), np.array([-100, -100])
    for loss in (fnn.CrossEntropyLoss(), fnn.NLLLoss()):
        assert math.isnan(loss(x, y))
        assert (loss.backward() == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_divergence_stays_visible(bad):
    x = np.array([[bad, 0.0], [0.0, 0.0]])
    assert math.isnan(fnn.CrossEntropyLoss()(x, np.array([1, 0]))) or bad == np.inf
    assert not math.isfinite(fnn.CrossEntropyLoss()(x, np.array([1, 0])))
    assert not math.isfinite(fnn.MSELoss()(x, np.zeros((2, 2))))
    assert not math.isfinite(fnn.BCEWithLogitsLoss()(x, np.zeros((2, 2))))
    for loss in (fnn.L1Loss(), fnn.HuberLoss(), fnn.SmoothL1Loss(), fnn.CrossEntropyLoss(from_logits=False)):
        assert not math.isfinite(loss(x, np.eye(2)))
    if math.isnan(bad):
        for loss in (fnn.MSELoss(), fnn.L1Loss(), fnn.HuberLoss(), fnn.SmoothL1Loss(), fnn.BCELoss()):
            assert math.isnan(loss(x, np.zeros((2, 2)))) and math.isnan(loss.backward()[0, 0])
    loss = fnn.CrossEntropyLoss(reduction="none")
    assert np.isfinite(loss(x, np.array([-100, 0]))[1])


def test_divisor_joins_batches(rng):
    x, y = rng.standard_normal((7, 3)), rng.integers(0, 3, 7)
    loss = fnn.CrossEntropyLoss(weight=[1, 2, 5])
    whole = loss(x, y)
    parts = [(loss(x[part], y[part]), loss.divisor) for part in (slice(0, 4), slice(4, 7))]
    joined = sum(value * divisor for value, divisor in parts) / sum(divisor for _, divisor in parts)
    assert math.isclose(whole, joined)


def test_losses_copy_and_pickle(rng):
    loss = fnn.CrossEntropyLoss(weight=[1, 2, 3])
    loss(np.eye(3), np.arange(3))
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other(np.eye(3), np.arange(3)) == loss(np.eye(3), np.arange(3))


X = np.zeros((2, 3))
WRONG_FORWARD = [
    (fnn.CrossEntropyLoss(), X, np.array([0, 3]), ValueError, r"labels in 0..2 .*got 3 at target\[1\]"),
    (fnn.CrossEntropyLoss(), X, np.array([0, -1]), ValueError, r"got -1 at target\[1\]"),
    (fnn.CrossEntropyLoss(ignore_index=-1), X, np.array([-100, -1]), ValueError, r"ignore_index=-1.*got -100"),
    (fnn.CrossEntropyLoss(), X, np.array([0, 2**63], np.uint64), ValueError, "got 9223372036854775808"),
    (fnn.CrossEntropyLoss(), X, np.array([0.0, 1.0]), TypeError, "integer labels of shape .2,.*got float64"),
    (fnn.CrossEntropyLoss(), X, np.array([True, False]), TypeError, "got bool"),
    (fnn.CrossEntropyLoss(), X, np.array(["a", "b"]), TypeError, "integer labels"),
    (fnn.CrossEntropyLoss(), X, np.zeros((2, 3), complex), TypeError, "float probabilities or one-hot integers of shape .2, 3"),
    (fnn.CrossEntropyLoss(), X, np.array([[0], [1]]), ValueError, r"got int64, target.shape=\(2, 1\)"),
    (fnn.CrossEntropyLoss(), X, np.array([0, 1, 2]), ValueError, r"got int64, target.shape=\(3,\)"),
    (
        fnn.CrossEntropyLoss(),
        X.astype(int),
        np.array([0, 1]),
        TypeError,
        "expected float32 or float64 predictions, got int",
    ),
    (fnn.CrossEntropyLoss(), X.astype(np.float16), np.array([0, 1]), TypeError, "got float16"),
    (fnn.CrossEntropyLoss(), np.zeros((2, 0)), np.array([0, 0]), ValueError, "at least one class"),
    (fnn.CrossEntropyLoss(weight=[1, 2]), X, np.array([0, 1]), ValueError, "expected 2 classes"),
    (fnn.CrossEntropyLoss(ignore_index=0), X, X, ValueError, "ignore_index=0 is not supported with probabilities"),
    (fnn.NLLLoss(), X, X, TypeError, "NLLLoss: expected integer class labels, got float64"),
    (fnn.NLLLoss(), X, np.array([5, 0]), ValueError, r"NLLLoss: expected labels in 0..2"),
    (fnn.NLLLoss(), X, np.array([0]), ValueError, r"labels of shape \(2,\)"),
    (fnn.NLLLoss(), np.float64(1), np.array(0), ValueError, r"\(N, C, ...\)"),
    (fnn.MSELoss(), X, np.zeros(3), ValueError, r"\(2, 3\), got target.shape=\(3,\)"),
    (fnn.MSELoss(), X, np.zeros((2, 3), int), TypeError, "floating-point targets, got int64"),
    (fnn.MSELoss(), X, np.zeros((2, 3), complex), TypeError, "got complex128"),
    (fnn.L1Loss(), X, np.zeros((2, 3), int), TypeError, "L1Loss: expected floating-point targets, got int64"),
    (fnn.HuberLoss(), X, np.zeros(2), ValueError, r"HuberLoss: .*got target.shape=\(2,\)"),
    (fnn.SmoothL1Loss(), X, np.zeros(2), ValueError, r"SmoothL1Loss: .*got target.shape=\(2,\)"),
    (fnn.BCELoss(), X, np.zeros((2, 1)), ValueError, "prediction's shape"),
    (fnn.BCELoss(), X + 1.5, X, ValueError, r"predictions in 0..1, as Sigmoid gives them, got 1.5 at prediction\[0, 0\]"),
    (fnn.BCELoss(), np.array([0.5, -0.1]), np.zeros(2), ValueError, r"got -0.1 at prediction\[1\]"),
    (fnn.BCELoss(), np.float64(2), np.float64(0), ValueError, "got 2.0$"),
    (fnn.BCELoss(), X, X - 1, ValueError, r"targets in 0..1, got -1.0 at target\[0, 0\]"),
    (fnn.BCELoss(), X, X + np.nan, ValueError, "targets in 0..1, got nan"),
    (fnn.BCELoss(weight=[1, 2]), X, X, ValueError, r"BCELoss: expected weight that broadcasts to .*got weight.shape=\(2,\)"),
    (fnn.BCEWithLogitsLoss(), X, np.zeros((2, 1)), ValueError, "prediction's shape"),
    (fnn.BCEWithLogitsLoss(weight=[1, 2]), X, X, ValueError, r"weight that broadcasts to .*got weight.shape=\(2,\)"),
    (fnn.BCEWithLogitsLoss(pos_weight=np.ones((4, 2, 3))), X, X, ValueError, "pos_weight that broadcasts"),
]


@pytest.mark.parametrize("loss,x,target,error,match", WRONG_FORWARD)
def test_wrong_arrays_are_refused(loss, x, target, error, match):
    with pytest.raises(error, match=match):
        loss.forward(x, target)


WRONG_OPTIONS = [
    ("CrossEntropyLoss", {"label_smoothing": float("nan")}, ValueError),
    ("CrossEntropyLoss", {"label_smoothing": -0.1}, ValueError),
    ("CrossEntropyLoss", {"label_smoothing": 1.1}, ValueError),
    ("CrossEntropyLoss", {"label_smoothing": "0.1"}, TypeError),
    ("CrossEntropyLoss", {"reduction": "average"}, ValueError),
    ("CrossEntropyLoss", {"reduction": None}, TypeError),
    ("CrossEntropyLoss", {"ignore_index": 0.5}, TypeError),
    ("CrossEntropyLoss", {"weight": [1.0, float("nan")]}, ValueError),
    ("CrossEntropyLoss", {"weight": [1.0, -1.0]}, ValueError),
    ("CrossEntropyLoss", {"weight": [[1.0], [1.0]]}, ValueError),
    ("CrossEntropyLoss", {"weight": ["a"]}, TypeError),
    ("CrossEntropyLoss", {"size_average": True}, ValueError),
    ("NLLLoss", {"reduce": False}, ValueError),
    ("NLLLoss", {"weight": [1.0, float("inf")]}, ValueError),
    ("MSELoss", {"size_average": False}, ValueError),
    ("MSELoss", {"factor": 0}, ValueError),
    ("MSELoss", {"factor": -1.0}, ValueError),
    ("MSELoss", {"factor": float("inf")}, ValueError),
    ("MSELoss", {"factor": "2"}, TypeError),
    ("L1Loss", {"reduction": "average"}, ValueError),
    ("HuberLoss", {"delta": 0.0}, ValueError),
    ("HuberLoss", {"delta": -1}, ValueError),
    ("HuberLoss", {"delta": float("nan")}, ValueError),
    ("SmoothL1Loss", {"beta": -0.1}, ValueError),
    ("SmoothL1Loss", {"beta": None}, TypeError),
    ("SmoothL1Loss", {"size_average": True}, ValueError),
    ("CrossEntropyLoss", {"eps": 1e-7}, ValueError),
    ("CrossEntropyLoss", {"eps": -1e-7, "from_logits": False}, ValueError),
    ("CrossEntropyLoss", {"from_logits": 1}, TypeError),
    ("BCELoss", {"weight": [float("nan")]}, ValueError),
    ("BCEWithLogitsLoss", {"pos_weight": [float("nan")]}, ValueError),
    ("BCEWithLogitsLoss", {"weight": "x"}, TypeError),
]


@pytest.mark.parametrize("name,options,error", WRONG_OPTIONS)
def test_wrong_options_are_refused(name, options, error):
    with pytest.raises(error, match=name):
        getattr(fnn, name)(**options)


def test_wrong_upstream_gradients_are_refused():
    loss = fnn.MSELoss(reduction="none")
    loss(X, X)
    with pytest.raises(TypeError, match=r"needs dloss of shape \(2, 3\)"):
        loss.backward()
    with pytest.raises(ValueError, match=r"dloss.shape=\(3,\)"):
        loss.backward(np.ones(3))
    loss = fnn.MSELoss()
    loss(X, X)
    with pytest.raises(TypeError, match="expected dloss to be a number"):
        loss.backward(np.ones(3))


def test_signatures_are_torchs():
    torch = pytest.importorskip("torch")
    import inspect

    classes = [fnn.CrossEntropyLoss, fnn.NLLLoss, fnn.MSELoss, fnn.L1Loss, fnn.HuberLoss, fnn.SmoothL1Loss, fnn.BCELoss]
    for cls in (*classes, fnn.BCEWithLogitsLoss):
        ours = inspect.signature(cls).parameters
        # What torch does not have is given by name.
        ours = {name: p for name, p in ours.items() if p.kind is not p.KEYWORD_ONLY}
        theirs = inspect.signature(getattr(torch.nn, cls.__name__)).parameters
        assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]
