"""Optimizer updates: worked answers, the twin over a few steps, NaN, threads."""

import itertools

import numpy as np
import pytest

# momentum, dampening, weight_decay, nesterov
SGD = {
    "plain": (0.0, 0.0, 0.0, 0),
    "decayed": (0.0, 0.0, 0.1, 0),
    "momentum": (0.9, 0.0, 0.0, 0),
    "dampened": (0.9, 0.3, 0.1, 0),
    "nesterov": (0.8, 0.0, 0.1, 1),
}

# weight_decay, decoupled, amsgrad
ADAM = {
    "-".join(filter(None, (d and "decayed", c and "decoupled", a and "amsgrad"))) or "plain": (d, c, a)
    for d, c, a in itertools.product((0.0, 0.1), (0, 1), (0, 1))
}

# weight_decay, momentum, centered
RMSPROP = {
    "-".join(filter(None, (d and "decayed", m and "momentum", c and "centered"))) or "plain": (d, m, c)
    for d, m, c in itertools.product((0.0, 0.1), (0.0, 0.8), (0, 1))
}

# lr_decay, weight_decay
ADAGRAD = {"plain": (0.0, 0.0), "slowing": (0.5, 0.0), "decayed": (0.0, 0.1), "both": (0.3, 0.1)}

LENGTHS = [0, *range(1, 18), 33, 1001]


def sgd_steps(k, param, grads, options, lr=0.1):
    """Parameters and velocity after one step per gradient, from copies."""
    momentum, dampening, weight_decay, nesterov = options
    param = param.copy()
    velocity = np.full(param.size if momentum else 0, np.nan, param.dtype)  # the first step must overwrite it
    for step, grad in enumerate(grads):
        before = grad.copy()
        arguments = lr, momentum, dampening, weight_decay, nesterov, int(step == 0)
        assert k.optim.sgd_update(param, grad, velocity, *arguments) is None
        assert grad.tobytes() == before.tobytes()
    return param, velocity


def adam_steps(k, param, grads, options, lr=0.1, betas=(0.8, 0.95), eps=1e-8):
    """Parameters and moments after one step per gradient, from copies."""
    weight_decay, decoupled, amsgrad = options
    param = param.copy()
    m, v = np.zeros((2, param.size), param.dtype)
    vmax = np.zeros(param.size if amsgrad else 0, param.dtype)
    for step, grad in enumerate(grads, start=1):
        before = grad.copy()
        arguments = lr, *betas, eps, weight_decay, step, decoupled, amsgrad
        assert k.optim.adam_update(param, grad, m, v, vmax, *arguments) is None
        assert grad.tobytes() == before.tobytes()
    return param, m, v, vmax


def rmsprop_steps(k, param, grads, options, lr=0.1, alpha=0.8, eps=1e-8):
    """Parameters, averages and velocity after one step per gradient, from copies."""
    weight_decay, momentum, centered = options
    param = param.copy()
    v = np.zeros(param.size, param.dtype)
    m, velocity = (np.zeros(param.size if needed else 0, param.dtype) for needed in (centered, momentum))
    for grad in grads:
        before = grad.copy()
        arguments = lr, alpha, eps, weight_decay, momentum, centered
        assert k.optim.rmsprop_update(param, grad, v, m, velocity, *arguments) is None
        assert grad.tobytes() == before.tobytes()
    return param, v, m, velocity


def adagrad_steps(k, param, grads, options, lr=0.1, eps=1e-10):
    """Parameters and sum of squares after one step per gradient, from copies."""
    lr_decay, weight_decay = options
    param, squares = param.copy(), np.full_like(param, 0.25)
    for step, grad in enumerate(grads, start=1):
        before = grad.copy()
        assert k.optim.adagrad_update(param, grad, squares, lr, lr_decay, eps, weight_decay, step) is None
        assert grad.tobytes() == before.tobytes()
    return param, squares


# options, parameters and velocity after two steps of lr 0.5 from 8 with gradients 4 and 2
SGD_WORKED = {
    "plain": ((0.0, 0.0, 0.0, 0), 8 - 2 - 1, None),
    "decayed": ((0.0, 0.0, 0.5, 0), 8 - 0.5 * (4 + 4) - 0.5 * (2 + 2), None),
    "momentum": ((0.5, 0.0, 0.0, 0), 8 - 2 - 2, 4),
    "dampened": ((0.5, 0.25, 0.0, 0), 8 - 2 - 1.75, 3.5),
    "nesterov": ((0.5, 0.0, 0.0, 1), 8 - 0.5 * (4 + 2) - 0.5 * (2 + 2), 4),
}


@pytest.mark.parametrize("case", SGD_WORKED)
def test_sgd_worked_answers(impl, case, dtype, assert_close):
    options, expected, expected_velocity = SGD_WORKED[case]
    param, velocity = sgd_steps(impl, np.array([8], dtype), np.array([[4], [2]], dtype), options, lr=0.5)
    assert_close(param, [expected])
    assert_close(velocity, [] if expected_velocity is None else [expected_velocity])


# options, parameters after two steps of lr 0.5, betas 0.5 and 0.75, eps 1 from 8 with gradients 4 and 0:
# corrected m/(sqrt(v) + 1) is 4/5, then (1/0.75) / (sqrt(3/0.4375) + 1)
SECOND = (1 / 0.75) / ((3 / 0.4375) ** 0.5 + 1)
SECOND_AMSGRAD = (1 / 0.75) / ((4 / 0.4375) ** 0.5 + 1)
ADAM_WORKED = {
    "plain": ((0.0, 0, 0), 8 - 0.4 - 0.5 * SECOND),
    "amsgrad": ((0.0, 0, 1), 8 - 0.4 - 0.5 * SECOND_AMSGRAD),
    "decoupled": ((0.5, 1, 0), (8 * 0.75 - 0.4) * 0.75 - 0.5 * SECOND),
}


@pytest.mark.parametrize("case", ADAM_WORKED)
def test_adam_worked_answers(impl, case, dtype, assert_close):
    options, expected = ADAM_WORKED[case]
    arguments = np.array([8], dtype), np.array([[4], [0]], dtype), options
    param, m, v, vmax = adam_steps(impl, *arguments, lr=0.5, betas=(0.5, 0.75), eps=1.0)
    assert_close(param, [expected])
    assert_close([*m, *v, *vmax], [1, 3, 4][: 2 + vmax.size])


# options, parameters after two steps of lr 0.5, alpha 0.75, eps 1 from 8 with gradients 4 and 0: v is 4, then 3; m is 1, then
# 0.75; the steps are 4 / (2 + 1) and 0, centered 4 / (sqrt(4 - 1) + 1) and 0
RMSPROP_WORKED = {
    "plain": ((0.0, 0.0, 0), 8 - 0.5 * 4 / 3, [3]),
    "momentum": ((0.0, 0.5, 0), 8 - 0.5 * 4 / 3 - 0.5 * 2 / 3, [3, 2 / 3]),
    "centered": ((0.0, 0.0, 1), 8 - 0.5 * 4 / (3**0.5 + 1), [3, 0.75]),
    "both": ((0.0, 0.5, 1), 8 - 0.75 * 4 / (3**0.5 + 1), [3, 0.75, 2 / (3**0.5 + 1)]),
}


@pytest.mark.parametrize("case", RMSPROP_WORKED)
def test_rmsprop_worked_answers(impl, case, dtype, assert_close):
    options, expected, arrays = RMSPROP_WORKED[case]
    start, grads = np.array([8], dtype), np.array([[4], [0]], dtype)
    param, v, m, velocity = rmsprop_steps(impl, start, grads, options, lr=0.5, alpha=0.75, eps=1.0)
    assert_close(param, [expected])
    assert_close(np.array([*v, *m, *velocity]), arrays)


def test_rmsprop_decays_weights(impl, dtype, assert_close):
    """The gradient is 4 + 0.5 * 8, v its square."""
    param, v, _, _ = rmsprop_steps(impl, np.array([8], dtype), np.array([[4]], dtype), (0.5, 0.0, 0), 0.5, 0.0, 0.0)
    assert_close(param, [7.5])
    assert_close(v, [64])


def test_rmsprop_variance_is_never_negative(impl, dtype, rng):
    """Gradients that do not change have a variance of 0, to which rounding adds a little, or less."""
    gradient = rng.standard_normal(1001).astype(dtype)
    for alpha in (0.0, 0.5, 0.9):
        param, *_ = rmsprop_steps(impl, np.zeros_like(gradient), [gradient] * 200, (0.0, 0.0, 1), 0.1, alpha, 1.0)
        assert np.isfinite(param).all()


# options, parameters after two steps of lr 0.5, eps 1 from 8 with gradients 2 and 1: the sum, from 0.25, is 4.25, then 5.25
ADAGRAD_WORKED = {
    "plain": ((0.0, 0.0), 8 - 0.5 * 2 / (4.25**0.5 + 1) - 0.5 / (5.25**0.5 + 1)),
    "slowing": ((0.25, 0.0), 8 - 0.5 * 2 / (4.25**0.5 + 1) - 0.4 / (5.25**0.5 + 1)),
}


@pytest.mark.parametrize("case", ADAGRAD_WORKED)
def test_adagrad_worked_answers(impl, case, dtype, assert_close):
    options, expected = ADAGRAD_WORKED[case]
    param, squares = adagrad_steps(impl, np.array([8], dtype), np.array([[2], [1]], dtype), options, lr=0.5, eps=1.0)
    assert_close(param, [expected])
    assert_close(squares, [5.25])


def test_adagrad_decays_weights(impl, dtype, assert_close):
    """The gradient is 2 + 0.5 * 8."""
    param, squares = adagrad_steps(impl, np.array([8], dtype), np.array([[2]], dtype), (0.0, 0.5), lr=0.5, eps=0.0)
    assert_close(param, [8 - 0.5 * 6 / 36.25**0.5])
    assert_close(squares, [36.25])


@pytest.mark.parametrize("case", SGD)
def test_sgd_twins(case, dtype, rng, numba, reference, assert_close):
    for length in LENGTHS:
        param, *grads = rng.standard_normal((4, length)).astype(dtype)
        results = [sgd_steps(k, param, grads, SGD[case]) for k in (numba, reference)]
        for actual, expected in zip(*results):
            assert_close(actual, expected)


@pytest.mark.parametrize("case", ADAM)
def test_adam_twins(case, dtype, rng, numba, reference, assert_close):
    for length in LENGTHS:
        param, *grads = rng.standard_normal((4, length)).astype(dtype)
        results = [adam_steps(k, param, grads, ADAM[case]) for k in (numba, reference)]
        for actual, expected in zip(*results):
            assert_close(actual, expected)


@pytest.mark.parametrize("case", RMSPROP)
def test_rmsprop_twins(case, dtype, rng, numba, reference, assert_close):
    for length in LENGTHS:
        param, *grads = rng.standard_normal((4, length)).astype(dtype)
        results = [rmsprop_steps(k, param, grads, RMSPROP[case]) for k in (numba, reference)]
        for actual, expected in zip(*results):
            assert_close(actual, expected)


@pytest.mark.parametrize("case", ADAGRAD)
def test_adagrad_twins(case, dtype, rng, numba, reference, assert_close):
    for length in LENGTHS:
        param, *grads = rng.standard_normal((4, length)).astype(dtype)
        results = [adagrad_steps(k, param, grads, ADAGRAD[case]) for k in (numba, reference)]
        for actual, expected in zip(*results):
            assert_close(actual, expected)


def test_nan_gradient_reaches_its_parameter(impl, dtype, rng):
    param, *grads = rng.standard_normal((3, 20)).astype(dtype)
    grads[0][7] = np.nan
    for result in sgd_steps(impl, param, grads, SGD["nesterov"]):
        assert np.flatnonzero(np.isnan(result)).tolist() == [7]
    for result in adam_steps(impl, param, grads, (0.1, 0, 1)):
        assert np.flatnonzero(np.isnan(result)).tolist() == [7]
    for result in rmsprop_steps(impl, param, grads, (0.1, 0.9, 1)):
        assert np.flatnonzero(np.isnan(result)).tolist() == [7]
    for result in adagrad_steps(impl, param, grads, (0.1, 0.1)):
        assert np.flatnonzero(np.isnan(result)).tolist() == [7]


def test_threads(numba, rng, assert_same_bits):
    param, *grads = rng.standard_normal((3, 200_003), np.float32)
    assert_same_bits(lambda: sgd_steps(numba, param, grads, SGD["nesterov"]))
    assert_same_bits(lambda: adam_steps(numba, param, grads, (0.1, 0, 1)))
    assert_same_bits(lambda: rmsprop_steps(numba, param, grads, (0.1, 0.9, 1)))
    assert_same_bits(lambda: adagrad_steps(numba, param, grads, (0.1, 0.1)))
