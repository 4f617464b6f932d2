"""Softmax + cross-entropy + gradient in one call: worked answers, the twin, ignored targets, gradients, threads."""

import math

import numpy as np
import pytest

# N, C, L
SHAPES = [(2, 3, 4), (5, 10, 1), (1, 1, 1), (3, 17, 5), (33, 2, 1), (2, 100, 3), (0, 4, 2)]
IGNORE = -100


def make(shape, rng, dtype):
    N, C, L = shape
    x = 2 * rng.standard_normal(shape).astype(dtype)
    target = rng.integers(0, C, (N, L))
    probabilities = rng.random(shape).astype(dtype)
    weight = (0.5 + rng.random(C)).astype(dtype)
    return x, target, probabilities, weight


def outputs(x):
    return np.empty((x.shape[0], x.shape[2]), x.dtype), np.empty_like(x)


# softmax is 1/8, 1/4, 5/8; target, weight, smoothing -> loss / log(2) without the terms of log2(5/8), and gradient
WORKED = {
    "first": (0, [1, 1, 1], 0.0, 3, [-0.875, 0.25, 0.625]),
    "second": (1, [1, 1, 1], 0.0, 2, [0.125, -0.75, 0.625]),
    "weighted": (1, [9, 4, 9], 0.0, 8, [0.5, -3, 2.5]),
    # q = 0.75 on the target + 0.25 / 3 * 3 classes, the third of no weight: 0.75*12*2 + 1*3 + 1*2
    "smoothed": (1, [12, 12, 0], 0.25, 23, [11 / 8 - 1, 11 / 4 - 10, 55 / 8]),
    "ignored": (IGNORE, [1, 2, 3], 0.25, 0, [0, 0, 0]),
}


@pytest.mark.parametrize("case", WORKED)
def test_worked_answers(impl, case, dtype, run, assert_close):
    target, weight, smoothing, loss, gradient = WORKED[case]
    x, weight = np.log(np.array([1, 2, 5], dtype)).reshape(1, 3, 1), np.array(weight, dtype)
    target = np.array([[target]])
    result, dx = run(impl.cross_entropy.cross_entropy_forward, outputs(x), x, target, weight, smoothing, IGNORE)
    assert_close(result.ravel() / math.log(2), [loss])
    assert_close(dx.ravel(), gradient)


def test_worked_probabilities(impl, dtype, run, assert_close):
    x = np.log(np.array([1, 2, 5], dtype)).reshape(1, 3, 1)
    target, weight = np.array([0.5, 0.5, 0], dtype).reshape(1, 3, 1), np.array([2, 4, 8], dtype)
    forward = impl.cross_entropy.cross_entropy_probabilities_forward
    loss, dx = run(forward, outputs(x), x, target, weight, 0.0)
    assert_close(loss.ravel() / math.log(2), [1 * 3 + 2 * 2])
    assert_close(dx.ravel(), [3 / 8 - 1, 3 / 4 - 2, 15 / 8])


def test_worked_scale_rows(impl, dtype):
    dx = np.arange(12, dtype=dtype).reshape(2, 3, 2)
    impl.cross_entropy.scale_rows(dx, np.array([[1, 10], [0, -1]], dtype))
    assert dx.tolist() == [[[0, 10], [2, 30], [4, 50]], [[0, -7], [0, -9], [0, -11]]]


def test_ignored_targets(impl, dtype, rng, run):
    x, target, _, weight = make((4, 3, 2), rng, dtype)
    target[1, 0] = target[3] = IGNORE
    x[1, :, 0] = np.nan  # not even NaN comes through
    forward = impl.cross_entropy.cross_entropy_forward
    loss, dx = run(forward, outputs(x), x, target, weight, 0.25, IGNORE)
    ignored = target == IGNORE
    assert not loss[ignored].any() and not dx.transpose(0, 2, 1)[ignored].any()
    assert (loss[~ignored] > 0).all() and dx.transpose(0, 2, 1)[~ignored].all()
    # an index of a class may be the ignored one
    loss, _ = run(forward, outputs(x), x, np.full_like(target, 2), weight, 0.0, 2)
    assert not loss.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(300, 10, 1), (3, 10, 300)], ids=str)
def test_large_logits_lose_no_digits(impl, shape, smoothing, rng, run):
    """What is large about all logits cancels, without rounding, before anything is added to it."""
    N, C, L = shape
    x = (3 * rng.standard_normal(shape) + 1e4).astype(np.float32)
    target, weight = rng.integers(0, C, (N, L)), np.ones(C, np.float32)
    exact = x.astype(np.float64) - x.max(1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(1, keepdims=True))
    shares = np.where(np.arange(C)[:, None] == target[:, None], 1 - smoothing, 0) + smoothing / C
    outputs = np.empty((N, L), np.float32), np.empty_like(x)
    loss, _ = run(impl.cross_entropy.cross_entropy_forward, outputs, x, target, weight, smoothing, -100)
    np.testing.assert_allclose(loss, -(shares * exact).sum(1), rtol=2e-6, atol=2e-6)
    distribution = (shares * np.ones(shape)).astype(np.float32)
    loss, _ = run(impl.cross_entropy.cross_entropy_probabilities_forward, outputs, x, distribution, weight, 0.0)
    np.testing.assert_allclose(loss, -(shares * exact).sum(1), rtol=2e-6, atol=2e-6)


def test_extreme_logits(impl, dtype, run, assert_close):
    x = np.array([[1e4, 0, -1e4], [-np.inf, 0, 0], [np.nan, 0, 0]], dtype)[:, :, None]
    target, weight = np.array([[1], [2], [1]]), np.ones(3, dtype)
    loss, dx = run(impl.cross_entropy.cross_entropy_forward, outputs(x), x, target, weight, 0.0, IGNORE)
    assert_close(loss.ravel(), [1e4, math.log(2), np.nan])
    assert_close(dx[:2, :, 0], [[1, -1, 0], [0, 0.5, -0.5]])
    assert np.isnan(dx[2]).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twins(shape, smoothing, dtype, rng, compare_twins):
    x, target, probabilities, weight = make(shape, rng, dtype)
    target[::2, ::3] = IGNORE
    for w in weight, np.ones_like(weight):
        both = "cross_entropy", "cross_entropy_forward", outputs(x), x
        compare_twins(*both, target, w, smoothing, IGNORE, length=shape[1])
        both = "cross_entropy", "cross_entropy_probabilities_forward", outputs(x), x
        compare_twins(*both, probabilities, w, smoothing, length=shape[1])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scale_rows_twins(shape, dtype, rng, numba, reference, assert_close):
    dx = rng.standard_normal(shape).astype(dtype)
    scale = rng.standard_normal((shape[0], shape[2])).astype(dtype)
    expected, unchanged = dx.copy(), scale.copy()
    numba.cross_entropy.scale_rows(dx, scale)
    reference.cross_entropy.scale_rows(expected, scale)
    assert_close(dx, expected)
    assert (scale == unchanged).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_finite_differences(impl, smoothing, rng, run, assert_gradient):
    x, target, probabilities, weight = make((2, 5, 3), rng, np.float64)
    target[1, 2] = IGNORE
    scale, own = rng.standard_normal((2, 3)), outputs(x)
    k = impl.cross_entropy
    for forward, arguments in (
        (k.cross_entropy_forward, (target, weight, smoothing, IGNORE)),
        (k.cross_entropy_probabilities_forward, (probabilities, weight, smoothing)),
    ):
        dx = run(forward, outputs(x), x, *arguments)[1]
        k.scale_rows(dx, scale)
        assert_gradient(dx, lambda f=forward, a=arguments: run(f, own, x, *a)[0], x, scale)


@pytest.mark.parametrize("shape", [(3001, 10, 1), (5, 11, 700)], ids=str)
def test_threads(shape, numba, rng, run, assert_same_bits):
    x, target, probabilities, weight = make(shape, rng, np.float32)
    k = numba.cross_entropy
    assert_same_bits(lambda: run(k.cross_entropy_forward, outputs(x), x, target, weight, 0.1, IGNORE))
    assert_same_bits(lambda: run(k.cross_entropy_probabilities_forward, outputs(x), x, probabilities, weight, 0.1))

    def scaled():
        dx = x.copy()
        k.scale_rows(dx, probabilities[:, 0])
        return dx

    probabilities = np.ascontiguousarray(probabilities[:, :1])
    assert_same_bits(scaled)
