"""Group and layer normalization: worked answers, the twin, values far from zero, finite differences, NaN, threads."""

import numpy as np
import pytest

# N, C, L and G; where L is 1 and G too, it is layer normalization
# no groups of two values: these normalise to -1 and 1, and their gradient is rounding noise
CASES = [(3, 4, 5, 2), (2, 1, 3, 1), (7, 3, 1, 1), (5, 12, 1, 3), (1, 6, 9, 3), (4, 8, 33, 4), (130, 6, 1, 1), (3, 2, 1100, 2)]
CASES += [(2, 5000, 1, 1), (40, 40, 7, 5)]
EPS = 1e-5


def make(case, rng, dtype):
    *shape, G = case
    x, dout = rng.standard_normal((2, *shape)).astype(dtype)
    x = (1 + np.arange(shape[1], dtype=dtype)[:, None]) * x + rng.standard_normal((shape[1], 1)).astype(dtype)
    weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
    return x, dout, weight, bias, G


def forward(k, x, weight, bias, G, run, eps=EPS):
    """(out, mean, rstd)"""
    outputs = np.empty_like(x), *np.empty((2, len(x), G))
    return run(k.groupnorm.groupnorm_forward, outputs, x, weight, bias, eps)


def backward(k, x, dout, weight, mean, rstd, run):
    """(dx, dweight, dbias)"""
    params = np.empty_like(weight), np.empty_like(weight)
    dweight, dbias = run(k.groupnorm.groupnorm_backward_params, params, x, dout, mean, rstd)
    dx = run(k.groupnorm.groupnorm_backward_input, np.empty_like(x), dout, x, mean, rstd, weight)
    return dx, dweight, dbias


def test_worked_answers(impl, dtype, run, assert_close):
    # groups 1, 3, 5, 7 (mean 4, variance 5) and 10, 10, 20, 20 (mean 15, variance 25)
    x = np.array([[[1, 3], [5, 7], [10, 20], [20, 10]]], dtype)
    weight, bias = np.array([3, 1, 10, 1], dtype), np.array([1, 0, -1, 0], dtype)
    out, mean, rstd = forward(impl, x, weight, bias, 2, run, 11.0)  # deviations 4, 6
    assert_close(mean, [[4, 15]])
    assert_close(rstd, [[1 / 4, 1 / 6]])
    assert_close(out, [[[-1.25, 0.25], [0.25, 0.75], [-28 / 3, 22 / 3], [5 / 6, -5 / 6]]])


def test_worked_gradients(impl, dtype, run, assert_close):
    x = np.array([[[-1, 1], [3, -3]]], dtype)  # mean 0, variance 5
    dout = np.array([[[4, 0], [4, 0]]], dtype)
    weight = np.array([2, 4], dtype)
    _, mean, rstd = forward(impl, x, weight, weight, 1, run, 11.0)
    dx, dweight, dbias = backward(impl, x, dout, weight, mean, rstd, run)
    assert_close(dweight, [-1, 3])
    assert_close(dbias, [4, 4])
    # dxhat is 8, 0, 16, 0, its mean 6, its mean product with xhat (-8/4 + 48/4)/4 = 2.5
    assert_close(dx.ravel(), [(2 + 0.625) / 4, (-6 - 0.625) / 4, (10 - 1.875) / 4, (-6 + 1.875) / 4])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_twins(case, dtype, rng, reference, run, compare_twins):
    x, dout, weight, bias, G = make(case, rng, dtype)
    outputs = np.empty_like(x), *np.empty((2, len(x), G))
    compare_twins("groupnorm", "groupnorm_forward", outputs, x, weight, bias, EPS, length=100)
    _, mean, rstd = forward(reference, x, weight, bias, G, run)
    params = np.empty_like(weight), np.empty_like(weight)
    compare_twins("groupnorm", "groupnorm_backward_params", params, x, dout, mean, rstd, length=x.size)
    compare_twins("groupnorm", "groupnorm_backward_input", np.empty_like(x), dout, x, mean, rstd, weight, length=1000)


@pytest.mark.parametrize("shape, G", [((5, 6, 40), 2), ((5, 240, 1), 1)], ids=str)
def test_values_far_from_zero(impl, shape, G, rng, run):
    """Mean 1e4, deviation 1e-2 in float32: as good as for the differences from the mean, which have no rounding."""
    x = (1e4 + 1e-2 * rng.standard_normal(shape)).astype(np.float32)
    dout = rng.standard_normal(shape).astype(np.float32)
    weight, bias = rng.standard_normal((2, shape[1])).astype(np.float32)
    out, mean, rstd = forward(impl, x, weight, bias, G, run, 0.0)
    rows = x.astype(np.float64).reshape(len(x), G, -1)
    np.testing.assert_allclose(mean, rows.mean(axis=2), rtol=1e-14)
    np.testing.assert_allclose(rstd, 1 / rows.std(axis=2), rtol=1e-6)
    near = (x.astype(np.float64) - np.repeat(mean, shape[1] // G, axis=1)[:, :, None]) * 100
    expected = forward(impl, near, weight.astype(np.float64), bias.astype(np.float64), G, run, 0.0)
    np.testing.assert_allclose(out, expected[0], atol=1e-5)
    gradients = backward(impl, x, dout, weight, mean, rstd, run)
    wanted = backward(impl, near, dout.astype(np.float64), weight.astype(np.float64), *expected[1:], run)
    np.testing.assert_allclose(gradients[0], wanted[0] * 100, atol=1e-3)
    for actual, exact in zip(gradients[1:], wanted[1:]):
        np.testing.assert_allclose(actual, exact, atol=1e-3)


def test_a_first_value_unlike_the_others(numba, rng, run):
    """Differences are taken from it: the worst value for that."""
    x = np.ones((1, 1, 1000), np.float64)
    x[0, 0, 0] = 1e8
    _, _, rstd = forward(numba, x, np.ones(1), np.ones(1), 1, run, 0.0)
    np.testing.assert_allclose(rstd[0, 0], 1 / x.std(), rtol=1e-10)


@pytest.mark.parametrize("case", [(2, 4, 3, 2), (3, 5, 1, 1), (2, 6, 1, 2)], ids=str)
def test_finite_differences(impl, case, rng, run, assert_gradient):
    x, dout, weight, bias, G = make(case, rng, np.float64)
    _, mean, rstd = forward(impl, x, weight, bias, G, run)
    dx, dweight, dbias = backward(impl, x, dout, weight, mean, rstd, run)

    def out():
        return forward(impl, x, weight, bias, G, run)[0]

    assert_gradient(dx, out, x, dout)
    assert_gradient(dweight, out, weight, dout)
    assert_gradient(dbias, out, bias, dout)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("L", [1, 5])
def test_what_is_not_finite_stays_in_its_group(impl, value, L, dtype, rng, run):
    x, dout, weight, bias, G = make((3, 6, L, 3), rng, dtype)
    x[1, 2, L - 1] = value
    out, mean, rstd = forward(impl, x, weight, bias, G, run)
    dx, dweight, dbias = backward(impl, x, dout, weight, mean, rstd, run)
    for result in out, dx:
        assert np.isnan(result[1, 2:4]).all()
        assert np.isfinite(np.delete(result, 1, 0)).all() and np.isfinite(np.delete(result[1], [2, 3], 0)).all()
    assert np.isnan(dweight).tolist() == [False, False, True, True, False, False]
    assert np.isfinite(dbias).all()


def test_no_samples(impl, dtype, run):
    x, weight = np.empty((0, 4, 3), dtype), np.ones(4, dtype)
    dx, dweight, dbias = backward(impl, x, x, weight, *np.empty((2, 0, 2)), run)
    assert dx.shape == x.shape and (dweight == 0).all() and (dbias == 0).all()


@pytest.mark.parametrize("case", [(37, 12, 144, 3), (3001, 90, 1, 1)], ids=str)
def test_threads(case, numba, rng, run, assert_same_bits):
    x, dout, weight, bias, G = make(case, rng, np.float32)
    _, mean, rstd = forward(numba, x, weight, bias, G, run)
    assert_same_bits(lambda: forward(numba, x, weight, bias, G, run))
    assert_same_bits(lambda: backward(numba, x, dout, weight, mean, rstd, run))
