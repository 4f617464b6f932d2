"""Losses with their gradients in one pass: worked answers, twins, finite differences, ends of the range, threads."""

import math

import numpy as np
import pytest

SIZES = [0, 1, 7, 64, 1003]
# width, slope, divisor
PIECES = {"l1": (0.0, 1.0, 1.0), "huber": (0.7, 0.7, 1.0), "smooth l1": (0.7, 1.0, 0.7), "wide": (1e30, 1e30, 1.0)}
CASES = {
    "mse_forward": lambda rng, x: (rng.standard_normal(x.shape).astype(x.dtype), 0.3),
    "bce_forward": lambda rng, x: (rng.random(x.shape).astype(x.dtype),),
    "bce_with_logits_forward": lambda rng, x: tuple(rng.random((2, *x.shape)).astype(x.dtype)),
    **{
        f"huber_forward, {name}": lambda rng, x, pieces=pieces: (rng.standard_normal(x.shape).astype(x.dtype), *pieces)
        for name, pieces in PIECES.items()
    },
}


def inputs(case, rng, size, dtype):
    """Name of the kernel, x and the other arguments."""
    name = case.split(",")[0]
    x = (rng.random(size) if name == "bce_forward" else 3 * rng.standard_normal(size)).astype(dtype)
    return name, x, CASES[case](rng, x)


WORKED = {
    "mse": ("mse_forward", [1, 2], [0, 4], (0.5,), [0.5, 2], [1, -2]),
    "l1": ("huber_forward", [1, -4, 3], [0, 0, 3], PIECES["l1"], [1, 4, 0], [1, -1, 0]),
    "huber": ("huber_forward", [1, -4, 3, 2], [0, 0, 3, 0], (2, 2, 1), [0.5, 6, 0, 2], [1, -2, 0, 2]),
    "smooth l1": ("huber_forward", [1, -4, 3, 2], [0, 0, 3, 0], (2, 1, 2), [0.25, 3, 0, 1], [0.5, -1, 0, 1]),
    "bce": ("bce_forward", [0.5, 0.25, 0], [1, 0, 1], (), [math.log(2), math.log(4 / 3), 100], [-2, 4 / 3, -1e12]),
    "logits": ("bce_with_logits_forward", [0, 1e3], [1, 0], (np.array([3.0, 0]),), [3 * math.log(2), 1e3], [-1.5, 1]),
}


@pytest.mark.parametrize("case", WORKED)
def test_worked_answers(impl, case, dtype, run, assert_close):
    name, x, y, options, expected, gradient = WORKED[case]
    x, y = np.array(x, dtype), np.array(y, dtype)
    options = [option.astype(dtype) if isinstance(option, np.ndarray) else float(option) for option in options]
    loss, dx = run(getattr(impl.losses, name), (np.empty_like(x), np.empty_like(x)), x, y, *options)
    assert_close(loss, expected)
    assert_close(dx, gradient)


def test_worked_log_loss(impl, dtype, run, assert_close):
    x = np.array([0.5, 0.25, -7, 0.25, 0.5, 0], dtype).reshape(1, 3, 2)
    target = np.array([2, 1, 0, 0.5, 0, 0], dtype).reshape(1, 3, 2)
    loss, dx = run(impl.losses.log_loss_forward, (np.empty((1, 2), dtype), np.empty_like(x)), x, target, 0.0)
    assert_close(loss / math.log(2), [[2, 3]])
    assert_close(dx.reshape(6), [-4, -4, 0, -2, 0, 0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_twins(case, size, dtype, rng, compare_twins):
    name, x, others = inputs(case, rng, size, dtype)
    compare_twins("losses", name, (np.empty_like(x), np.empty_like(x)), x, *others, length=16)


@pytest.mark.parametrize("shape", [(2, 3, 4), (33, 10, 1), (1, 1, 1), (3, 17, 5), (0, 4, 2)], ids=str)
@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_log_loss_twins(shape, eps, dtype, rng, compare_twins):
    x, target = rng.random((2, *shape)).astype(dtype)
    target[::2, ::2] = 0
    x[::2, ::4] = np.nan  # of no consequence
    outputs = np.empty((shape[0], shape[2]), dtype), np.empty_like(x)
    compare_twins("losses", "log_loss_forward", outputs, x, target, eps, length=shape[1])


@pytest.mark.parametrize("case", [case for case in CASES if "wide" not in case])
def test_finite_differences(impl, case, rng, run, assert_gradient):
    name, x, others = inputs(case, rng, 11, np.float64)
    kernel, own, dout = getattr(impl.losses, name), (np.empty(11), np.empty(11)), rng.standard_normal(11)
    dx = run(kernel, (np.empty(11), np.empty(11)), x, *others)[1]
    assert_gradient(dx * dout, lambda: run(kernel, own, x, *others)[0], x, dout)


def test_log_loss_finite_differences(impl, rng, run, assert_gradient):
    x, target, dout = 0.1 + rng.random((2, 3, 4)), rng.random((2, 3, 4)), rng.standard_normal((2, 4))
    own, kernel = (np.empty((2, 4)), np.empty_like(x)), impl.losses.log_loss_forward
    dx = run(kernel, (np.empty((2, 4)), np.empty_like(x)), x, target, 0.01)[1]
    assert_gradient(dx * dout[:, None], lambda: run(kernel, own, x, target, 0.01)[0], x, dout)


@pytest.mark.parametrize("case", CASES)
def test_infinities_and_nan(case, dtype, numba, reference, run, assert_close):
    name = case.split(",")[0]
    values = [0, 1, 0.5, np.nan, 1e-30] if name == "bce_forward" else [0, 1, np.inf, -np.inf, np.nan, 1e30, 100, -100]
    x, y = (np.ascontiguousarray(a.reshape(-1), dtype) for a in np.meshgrid(values, [0, 1, 0.5]))
    others = (y.copy(),) if "logits" in name else (0.3,) if name == "mse_forward" else PIECES.get(case.partition(", ")[2], ())
    with np.errstate(all="ignore"):
        found = [run(getattr(k.losses, name), (np.empty_like(x), np.empty_like(x)), x, y, *others) for k in (numba, reference)]
    for one, other in zip(*found):
        assert_close(one, other, 16)
        assert np.isnan(one[np.isnan(x)]).all()


def test_small_losses_are_relatively_accurate(dtype, impl, run):
    x = np.linspace(-40, -1, 64).astype(dtype)
    p, zeros = (1 / (1 + np.exp(-x.astype(np.float64)))).astype(dtype), np.zeros_like(x)
    for name, at, others in (("bce_with_logits_forward", x, (zeros, zeros)), ("bce_forward", p, (zeros,))):
        loss, _ = run(getattr(impl.losses, name), (np.empty_like(x), np.empty_like(x)), at, *others)
        wide = at.astype(np.float64)
        expected = np.log1p(np.exp(wide)) if at is x else -np.log1p(-wide)
        np.testing.assert_allclose(loss, expected, 8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("case", CASES)
def test_same_bits_with_any_number_of_threads(case, dtype, rng, numba, assert_same_bits):
    name, x, others = inputs(case, rng, 50_001, dtype)

    def function():
        loss, dx = np.empty_like(x), np.empty_like(x)
        getattr(numba.losses, name)(loss, dx, x, *others)
        return loss, dx

    assert_same_bits(function)
