"""Softmax and log-softmax over the middle axis: worked answers, the twin, extreme values, gradients, threads."""

import numpy as np
import pytest

NAMES = ["softmax", "log_softmax"]

# A, C, B
SHAPES = [(2, 3, 4), (1, 1, 1), (5, 10, 1), (3, 1, 7), (1, 37, 1), (4, 16, 17), (2, 33, 19), (7, 1000, 1), (0, 5, 3)]


def functions(k, name):
    return getattr(k.softmax, f"{name}_forward"), getattr(k.softmax, f"{name}_backward")


@pytest.mark.parametrize("shift", [0, 10_000, -10_000])
def test_worked_answers(impl, shift, dtype, run, assert_close):
    # two rows next to each other: exponentials 1, 2, 5 and 4, 4, 8
    x = np.array([[[0, 2], [1, 2], [np.log2(5), 3]]]) * np.log(2)
    x, p = (x + shift).astype(dtype), np.array([[[0.125, 0.25], [0.25, 0.25], [0.625, 0.5]]])
    digits = 1 if shift == 0 else 10_000**2  # as many digits as the shift took from x
    assert_close(run(impl.softmax.softmax_forward, np.empty_like(x), x), p, length=digits)
    assert_close(run(impl.softmax.log_softmax_forward, np.empty_like(x), x), np.log(p), length=digits)


def test_worked_gradients(impl, dtype, run, assert_close):
    p = np.array([0.125, 0.25, 0.625], dtype).reshape(1, 3, 1)
    dout = np.array([8, 0, 0], dtype).reshape(1, 3, 1)
    dx = run(impl.softmax.softmax_backward, np.empty_like(p), dout, p)
    assert_close(dx.ravel(), [0.875, -0.25, -0.625])
    dx = run(impl.softmax.log_softmax_backward, np.empty_like(p), dout, np.log(p))
    assert_close(dx.ravel(), [7, -2, -5])


def test_extreme_values(impl, dtype, run):
    inf = np.inf
    x = np.array([[0, -inf, 0], [1e30, 0, -1e30], [-inf, -inf, -inf], [inf, 0, 0], [np.nan, 0, 0]], dtype)[:, :, None]
    nothing = [np.nan] * 3
    out = run(impl.softmax.softmax_forward, np.empty_like(x), x)[..., 0]
    np.testing.assert_array_equal(out, [[0.5, 0, 0.5], [1, 0, 0], nothing, nothing, nothing])
    out = run(impl.softmax.log_softmax_forward, np.empty_like(x), x)[:2, :, 0]
    expected = np.array([[-np.log(2), -inf, -np.log(2)], [0, -1e30, -2e30]], dtype)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@pytest.mark.parametrize("shift", [0, 1e3, -1e5])
@pytest.mark.parametrize("shape", [(300, 10, 1), (5, 200, 1), (3, 10, 300)], ids=str)
def test_large_logits_lose_no_digits(impl, shape, shift, rng, run):
    """What is large about all logits cancels, without rounding, before anything is added to it."""
    x = (3 * rng.standard_normal(shape) + shift).astype(np.float32)
    exact = x.astype(np.float64) - x.max(1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(1, keepdims=True))
    out = run(impl.softmax.log_softmax_forward, np.empty_like(x), x)
    np.testing.assert_allclose(out, exact, rtol=1e-6, atol=1e-6)
    out = run(impl.softmax.softmax_forward, np.empty_like(x), x)
    np.testing.assert_allclose(out, np.exp(exact), rtol=5e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twins(name, shape, dtype, rng, reference, run, compare_twins):
    x, dout = 3 * rng.standard_normal((2, *shape)).astype(dtype)
    compare_twins("softmax", f"{name}_forward", np.empty_like(x), x, length=shape[1])
    out = run(functions(reference, name)[0], np.empty_like(x), x)
    compare_twins("softmax", f"{name}_backward", np.empty_like(x), dout, out, length=shape[1])


@pytest.mark.parametrize("name", NAMES)
def test_finite_differences(impl, name, rng, run, assert_gradient):
    x, dout = rng.standard_normal((2, 2, 5, 3))
    out = np.empty_like(x)
    forward, backward = functions(impl, name)
    dx = run(backward, np.empty_like(x), dout, run(forward, out, x).copy())
    assert_gradient(dx, lambda: run(forward, out, x), x, dout)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2001, 11, 1), (3, 11, 2001)], ids=str)
def test_threads(name, shape, numba, rng, run, assert_same_bits):
    x, dout = rng.standard_normal((2, *shape), np.float32)
    forward, backward = functions(numba, name)
    out = run(forward, np.empty_like(x), x)
    assert_same_bits(lambda: run(forward, np.empty_like(x), x))
    assert_same_bits(lambda: run(backward, np.empty_like(x), dout, out))
