"""Losses over classes: one-hot targets, probabilities as predictions."""

import math

import numpy as np
import pytest

import fastnn as fnn

# The worked example of many textbooks: ten probabilities, the answer is class 2.
Y = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])
T = np.eye(10)[2]


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("which", ["numba", "reference"])
def test_textbook_answers(which):
    squares = fnn.MSELoss(reduction="sum", factor=0.5).use(which)
    assert math.isclose(squares(Y, T), 0.0975, rel_tol=1e-12)
    np.testing.assert_allclose(squares.backward(), Y - T, rtol=1e-15)
    loss = fnn.CrossEntropyLoss(from_logits=False, eps=1e-7).use(which)
    for target in (2, np.array(2), T, T.astype(int), T.astype(bool)):
        assert math.isclose(loss(Y, target), 0.510825457099338, rel_tol=1e-14)
        np.testing.assert_allclose(loss.backward(), -T / (Y + 1e-7), rtol=1e-14)
    batch = np.stack([Y, Y[::-1], Y])
    for target in (np.array([2, 7, 2]), np.stack([T, T[::-1], T])):
        assert math.isclose(loss(batch, target), 0.510825457099338, rel_tol=1e-14)
        np.testing.assert_allclose(loss.backward()[0], -T / (Y + 1e-7) / 3, rtol=1e-14)


def test_factor_multiplies_loss_and_gradient(rng, dtype, assert_close):
    x, y = rng.standard_normal((2, 4, 3)).astype(dtype)
    for reduction in ("mean", "sum"):
        plain, scaled = fnn.MSELoss(reduction=reduction), fnn.MSELoss(reduction=reduction, factor=0.3)
        assert math.isclose(scaled(x, y), 0.3 * plain(x, y), rel_tol=1e-6)
        assert_close(scaled.backward(), 0.3 * plain.backward())
    values = fnn.MSELoss(reduction="none", factor=3)(x, y)
    assert_close(values, 3 * (x - y) ** 2)


@pytest.mark.parametrize("shape", [(5, 3), (4, 7, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("target", ["labels", "ignored", "one-hot", "probabilities"])
def test_options_mean_with_probabilities_what_they_mean_with_logits(
    shape, reduction, weighted, smoothing, target, dtype, rng, assert_close
):
    """Both losses see the same logp. Gradients: through the softmax, that of probabilities is that of logits."""
    x = rng.standard_normal(shape).astype(dtype)
    y = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    if target == "ignored":
        y.flat[0] = 1
    if target == "one-hot":
        y = np.moveaxis(np.eye(shape[1], dtype=np.int32)[y], -1, 1)
    if target == "probabilities":
        y = rng.random(shape).astype(dtype)
    options = {"weight": rng.random(shape[1]) if weighted else None, "reduction": reduction, "label_smoothing": smoothing}
    options["ignore_index"] = 1 if target == "ignored" else -100
    logits, probabilities = fnn.CrossEntropyLoss(**options), fnn.CrossEntropyLoss(from_logits=False, **options)
    p = softmax(x)
    expected, got = logits(x, y), probabilities(p, y)
    assert_close(np.asarray(got, dtype), np.asarray(expected, dtype), 64)
    assert logits.divisor == probabilities.divisor
    dout = rng.standard_normal(got.shape) if reduction == "none" else 0.7
    dp, dx = probabilities.backward(dout), logits.backward(dout)
    assert dp.dtype == dtype
    assert_close(p * (dp - (dp * p).sum(axis=1, keepdims=True)), dx, 64)


def test_eps_keeps_loss_and_gradient_finite(dtype):
    p, y = np.array([[0, 1, 0], [1, 0, 0]], dtype), np.array([0, 0])
    loss = fnn.CrossEntropyLoss(from_logits=False)
    assert loss(p, y) == math.inf
    loss = fnn.CrossEntropyLoss(from_logits=False, eps=1e-7)
    assert math.isclose(loss(p, y), -math.log(1e-7) / 2, rel_tol=1e-6)
    np.testing.assert_allclose(loss.backward(), [[-0.5e7, 0, 0], [-0.5, 0, 0]], rtol=1e-6)


def test_probabilities_that_count_nothing_may_be_anything(dtype):
    p = np.array([[np.nan, 0.5, -1, 0], [np.nan] * 4], dtype)
    loss = fnn.CrossEntropyLoss(from_logits=False)
    for target in (np.array([1, -100]), np.array([[0, 1, 0, 0], [0, 0, 0, 0]], dtype)):
        value = loss(p, target)
        assert math.isclose(value * loss.divisor, math.log(2), rel_tol=1e-6)
        assert np.isfinite(loss.backward()).all()
    assert math.isnan(loss(p, np.array([2, -100])))  # of a negative probability


@pytest.mark.parametrize("cls", [fnn.CrossEntropyLoss, fnn.NLLLoss])
@pytest.mark.parametrize("shape", [(5, 3), (4, 7, 3), (2, 3, 4, 5), (6,)])
@pytest.mark.parametrize("code", ["?", "u1", "i4", ">i8"])
def test_one_hot_targets_are_labels(cls, shape, code, rng):
    x, C = rng.standard_normal(shape), shape[1] if len(shape) > 1 else shape[0]
    labels = rng.integers(0, C, (shape[0], *shape[2:]) if len(shape) > 1 else ())
    one_hot = np.eye(C)[labels].astype(code)
    if len(shape) > 1:
        one_hot = np.moveaxis(one_hot, -1, 1)
    for options in ({}, {"weight": rng.random(C), "ignore_index": 1}, {"reduction": "none"}):
        loss = cls(**options)
        expected, divisor, factor = loss(x, labels), loss.divisor, np.ones(labels.shape) if loss.reduction == "none" else 1
        gradient = loss.backward(factor)
        np.testing.assert_array_equal(loss(x, one_hot), expected)
        assert loss.divisor == divisor or math.isnan(divisor)
        np.testing.assert_array_equal(loss.backward(factor), gradient)


X = np.zeros((2, 3))
NOT_ONE_HOT = [
    (X, np.array([[1, 0, 0], [0, 1, 1]]), r"got \[0 1 1\] at target\[1\]"),
    (X, np.array([[1, 0, 0], [0, 2, 0]]), r"got \[0 2 0\] at target\[1\]"),
    (X, np.array([[0, 0, 0], [0, 1, 0]]), r"got \[0 0 0\] at target\[0\]"),
    (X, np.array([[1, 0, 0], [0, 0, -1]]), r"labels of shape \(2,\)\), got \[ 0  0 -1\] at target\[1\]"),
    (X, np.array([[True, False, False], [True, False, True]]), r"got \[1 0 1\] at target\[1\]"),
    (np.zeros(3), np.array([1, 1, 0]), r"got \[1 1 0\]$"),
    (np.zeros((1, 2, 3)), np.array([[[1, 1, 0], [0, 0, 0]]]), r"got \[0 0\] at target\[0, :, 2\]"),
]


@pytest.mark.parametrize("cls", [fnn.CrossEntropyLoss, fnn.NLLLoss])
@pytest.mark.parametrize("x,target,match", NOT_ONE_HOT)
def test_targets_that_are_not_one_hot_are_refused(cls, x, target, match):
    with pytest.raises(ValueError, match=f"{cls.__name__}: expected one-hot targets.*{match}"):
        cls()(x, target)
