"""Activations: worked answers, the twin over every remainder, the whole range of exponents, NaN, gradients, threads."""

import math

import numpy as np
import pytest

NAN, INF = math.nan, math.inf
SLOPE = 0.125

# name -> further arguments, inputs, outputs
WORKED = {
    "relu": ((), [-2, -0.0, 0, 3, NAN, INF, -INF], [0, 0, 0, 3, NAN, INF, 0]),
    "leaky_relu": ((SLOPE,), [-2, 0, 3, NAN, INF, -INF], [-0.25, 0, 3, NAN, INF, -INF]),
    "hardtanh": ((-1, 2), [-1.5, -1, 0.5, 2, 1e4, -1e4, NAN, INF, -INF], [-1, -1, 0.5, 2, 2, -1, NAN, 2, -1]),
    "sigmoid": ((), [0, math.log(3), -math.log(3), 1e4, -1e4, NAN, INF, -INF], [0.5, 0.75, 0.25, 1, 0, NAN, 1, 0]),
    "tanh": ((), [0, math.log(2), -math.log(2), 1e4, -1e4, NAN, INF, -INF], [0, 0.6, -0.6, 1, -1, NAN, 1, -1]),
}

# name -> further arguments, dout, what the gradient is computed from (x for leaky_relu, out for the others), dx
WORKED_BACKWARD = {
    "relu": ((), [5, 6, 7, 8], [0, 2, NAN, 1e-30], [0, 6, 7, 8]),
    "leaky_relu": ((SLOPE,), [8, 8, 8], [-1, 0, 2], [1, 1, 8]),
    "hardtanh": ((-1, 2), [5, 6, 7, 8, 9], [-1, -0.9, NAN, 1.9, 2], [0, 6, 7, 8, 0]),
    "sigmoid": ((), [8, 8, 8, 8], [0, 0.25, 0.5, 1], [0, 1.5, 2, 0]),
    "tanh": ((), [8, 8, 8, 8], [-1, -0.5, 0, 1], [0, 6, 8, 0]),
}

LENGTHS = [0, *range(1, 18), 31, 33, 100, 8191, 8193]


def functions(k, name):
    return getattr(k.activations, f"{name}_forward"), getattr(k.activations, f"{name}_backward")


def options(name):
    return WORKED[name][0]


@pytest.mark.parametrize("name", WORKED)
def test_worked_answers(impl, name, dtype, run, assert_close):
    extra, x, expected = WORKED[name]
    x = np.array(x, dtype)
    assert_close(run(functions(impl, name)[0], np.empty_like(x), x, *extra), expected)


@pytest.mark.parametrize("name", WORKED)
def test_worked_gradients(impl, name, dtype, run, assert_close):
    extra, dout, source, expected = WORKED_BACKWARD[name]
    dout, source = np.array(dout, dtype), np.array(source, dtype)
    assert_close(run(functions(impl, name)[1], np.empty_like(dout), dout, source, *extra), expected)


def test_worked_add_multiply(impl, dtype, run):
    a, b = np.array([1, -2, NAN, 4], dtype), np.array([10, 0.5, 1, INF], dtype)
    out = np.empty_like(a)
    np.testing.assert_array_equal(run(impl.activations.add, out, a, b), [11, -1.5, NAN, INF])
    np.testing.assert_array_equal(run(impl.activations.multiply, out, a, b), [10, -1, NAN, INF])


@pytest.mark.parametrize("name", WORKED)
def test_twins(name, dtype, rng, compare_twins):
    for length in LENGTHS:
        x, dout = 3 * rng.standard_normal((2, length)).astype(dtype)
        compare_twins("activations", f"{name}_forward", np.empty_like(x), x, *options(name))
        x = np.clip(x, -1.5, 1.5)  # beyond, 1 - tanh**2 loses digits, and how many depends on the rounding
        sources = {"relu": np.maximum(x, 0), "leaky_relu": x, "sigmoid": 1 / (1 + np.exp(-x)), "tanh": np.tanh(x)}
        source = sources.get(name, np.clip(x, -1, 2))
        compare_twins("activations", f"{name}_backward", np.empty_like(x), dout, source, *options(name))


@pytest.mark.parametrize("name", ["add", "multiply"])
def test_twins_of_two_arrays(name, dtype, rng, compare_twins):
    for length in LENGTHS:
        a, b = rng.standard_normal((2, length)).astype(dtype)
        compare_twins("activations", name, np.empty_like(a), a, b)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_every_value_is_accurate_to_its_last_digits(impl, name, dtype, run, tolerance):
    """Relative, not only absolute, accuracy, over all magnitudes: small results must not lose their digits."""
    x = np.concatenate([np.linspace(-80, 80, 20_001), np.geomspace(1e-30, 80, 2000), -np.geomspace(1e-30, 80, 2000)])
    x = x.astype(dtype)
    exact = x.astype(np.longdouble)
    exact = 1 / (1 + np.exp(-exact)) if name == "sigmoid" else np.tanh(exact)
    out = run(functions(impl, name)[0], np.empty_like(x), x)
    np.testing.assert_allclose(out, exact.astype(np.float64), rtol=tolerance(dtype), atol=0)


@pytest.mark.parametrize("name", WORKED)
def test_finite_differences(impl, name, rng, run, assert_gradient):
    x = (rng.permutation(24) - 11.5) / 4  # no value at a kink
    dout, out = rng.standard_normal((2, 24))
    forward, backward = functions(impl, name)
    run(forward, out, x, *options(name))
    dx = run(backward, np.empty_like(x), dout, x if name == "leaky_relu" else out.copy(), *options(name))
    assert_gradient(dx, lambda: run(forward, out, x, *options(name)), x, dout)


@pytest.mark.parametrize("name", WORKED)
def test_threads(name, numba, rng, run, assert_same_bits):
    x, dout = rng.standard_normal((2, 300_001), np.float32)
    for function, arguments in zip(functions(numba, name), ((x,), (dout, x))):
        assert_same_bits(lambda f=function, a=arguments: run(f, np.empty_like(x), *a, *options(name)))


def test_threads_of_two_arrays(numba, rng, run, assert_same_bits):
    a, b = rng.standard_normal((2, 300_001), np.float32)
    assert_same_bits(lambda: run(numba.activations.add, np.empty_like(a), a, b))
    assert_same_bits(lambda: run(numba.activations.multiply, np.empty_like(a), a, b))
