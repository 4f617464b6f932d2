"""Batch normalization: worked answers, the twin, statistics far from zero, finite differences, NaN, threads."""

import numpy as np
import pytest

# N, C, L
# not (2, 1, 1): two values always normalise to -1 and 1, and their gradient is rounding noise
SHAPES = [(3, 4, 5), (2, 1, 3), (7, 3, 1), (1, 2, 9), (4, 17, 33), (16, 5, 64), (130, 6, 1), (3, 2, 1100)]
EPS = 1e-5


def make(shape, rng, dtype):
    C = shape[1]
    x, dout = rng.standard_normal((2, *shape)).astype(dtype)
    x = (1 + np.arange(C, dtype=dtype)[:, None]) * x + rng.standard_normal((C, 1)).astype(dtype)
    weight, bias = rng.standard_normal((2, C)).astype(dtype)
    mean, var = rng.standard_normal(C).astype(dtype), (0.5 + rng.random(C)).astype(dtype)
    return x, dout, weight, bias, mean, var


def statistics(k, x, run):
    C = x.shape[1]
    return run(k.batchnorm.batchnorm_statistics, (np.empty(C, x.dtype), np.empty(C, x.dtype)), x)


def backward(k, x, dout, weight, mean, var, eps, run):
    dweight, dbias = run(
        k.batchnorm.batchnorm_backward_params, (np.empty_like(weight), np.empty_like(weight)), x, dout, mean, var, eps
    )
    arguments = dout, x, mean, var, weight, dweight, dbias, eps
    return run(k.batchnorm.batchnorm_backward_input, np.empty_like(x), *arguments), dweight, dbias


def test_worked_answers(impl, dtype, run, assert_close):
    # channel 0 holds 1, 3, 5, 7 (mean 4, variance 5), channel 1 holds 10, 10, 20, 20 (mean 15, variance 25)
    x = np.array([[[1, 3], [10, 20]], [[5, 7], [20, 10]]], dtype)
    mean, var = statistics(impl, x, run)
    assert_close(mean, [4, 15])
    assert_close(var, [5, 25])
    weight, bias = np.array([3, 10], dtype), np.array([1, -1], dtype)
    out = run(impl.batchnorm.batchnorm_forward, np.empty_like(x), x, mean, var, weight, bias, 11.0)  # deviations 4, 6
    assert_close(out, [[[-1.25, 0.25], [-28 / 3, 22 / 3]], [[1.75, 3.25], [22 / 3, -28 / 3]]])


def test_worked_gradients(impl, dtype, run, assert_close):
    x = np.array([[[-1, 1]], [[3, -3]]], dtype)  # mean 0, variance 5
    dout = np.array([[[4, 0]], [[8, 0]]], dtype)
    mean, var = statistics(impl, x, run)
    dx, dweight, dbias = backward(impl, x, dout, np.array([2], dtype), mean, var, 11.0, run)
    assert_close(dweight, [(-4 + 24) / 4])
    assert_close(dbias, [12])
    # (2/4) * (dout - 12/4 - x/4 * 5/4)
    assert_close(dx.ravel(), [0.65625, -1.65625, 2.03125, -1.03125])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twins(shape, dtype, rng, reference, run, compare_twins):
    x, dout, weight, bias, mean, var = make(shape, rng, dtype)
    M, per_channel = shape[0] * shape[2], (np.empty_like(mean), np.empty_like(var))
    compare_twins("batchnorm", "batchnorm_statistics", per_channel, x)
    compare_twins("batchnorm", "batchnorm_forward", np.empty_like(x), x, mean, var, weight, bias, EPS)
    compare_twins("batchnorm", "batchnorm_backward_params", per_channel, x, dout, mean, var, EPS, length=M)
    mean, var = statistics(reference, x, run)
    _, dweight, dbias = backward(reference, x, dout, weight, mean, var, EPS, run)
    arguments = dout, x, mean, var, weight, dweight, dbias, EPS
    compare_twins("batchnorm", "batchnorm_backward_input", np.empty_like(x), *arguments, length=M)


def test_empty_batch(impl, dtype, run):
    x, weight = np.empty((0, 3, 4), dtype), np.ones(3, dtype)
    out = run(impl.batchnorm.batchnorm_forward, np.empty_like(x), x, weight, weight, weight, weight, EPS)
    assert out.size == 0
    dx, dweight, dbias = backward(impl, x, x, weight, weight, weight, EPS, run)
    assert dx.size == 0 and not dweight.any() and not dbias.any()


def test_statistics_far_from_zero(impl, dtype, rng, run):
    """The variance keeps its digits when the mean is thousands of deviations away, and over long sums."""
    x = (5000 + rng.standard_normal((64, 2, 1024))).astype(dtype)
    mean, var = statistics(impl, x, run)
    exact = x.astype(np.longdouble)
    accuracy = 2 * np.finfo(dtype).eps if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2)).astype(float), rtol=accuracy)
    np.testing.assert_allclose(var, exact.var(axis=(0, 2)).astype(float), rtol=max(accuracy, 1e-9))


def test_constant_channel(impl, dtype, run, assert_close):
    x = np.full((3, 2, 4), 0.1, dtype)
    mean, var = statistics(impl, x, run)
    assert_close(mean, x[0, :, 0])
    np.testing.assert_allclose(var, 0, atol=1e-30)
    weight = np.ones(2, dtype)
    dx, *_ = backward(impl, x, np.ones_like(x), weight, mean, var, EPS, run)
    np.testing.assert_allclose(dx, 0, atol=1e-4)


def test_finite_differences(impl, rng, run, assert_gradient):
    x, dout, weight, bias, *_ = make((3, 2, 5), rng, np.float64)
    mean, var = statistics(impl, x, run)
    dx, dweight, dbias = backward(impl, x, dout, weight, mean, var, EPS, run)

    def forward():
        return run(impl.batchnorm.batchnorm_forward, np.empty_like(x), x, *statistics(impl, x, run), weight, bias, EPS)

    assert_gradient(dx, forward, x, dout)
    assert_gradient(dweight, forward, weight, dout)
    assert_gradient(dbias, forward, bias, dout)


def test_nan_stays_in_its_channel(impl, dtype, rng, run):
    x, dout, weight, bias, *_ = make((3, 4, 5), rng, dtype)
    x[1, 2, 3] = np.nan
    mean, var = statistics(impl, x, run)
    out = run(impl.batchnorm.batchnorm_forward, np.empty_like(x), x, mean, var, weight, bias, EPS)
    dx, dweight, _ = backward(impl, x, dout, weight, mean, var, EPS, run)
    reached = [False, False, True, False]
    for result in mean, var, dweight:
        assert np.isnan(result).tolist() == reached
    for result in out, dx:
        assert np.isnan(result).all(axis=(0, 2)).tolist() == np.isnan(result).any(axis=(0, 2)).tolist() == reached


@pytest.mark.parametrize("shape", [(37, 9, 144), (3001, 9, 1)], ids=str)
def test_threads(shape, numba, rng, run, assert_same_bits):
    x, dout, weight, bias, *_ = make(shape, rng, np.float32)
    mean, var = statistics(numba, x, run)
    k = numba.batchnorm
    assert_same_bits(lambda: statistics(numba, x, run))
    assert_same_bits(lambda: run(k.batchnorm_forward, np.empty_like(x), x, mean, var, weight, bias, EPS))
    assert_same_bits(lambda: backward(numba, x, dout, weight, mean, var, EPS, run))
