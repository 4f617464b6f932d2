"""Powers and roots: worked answers, the twin, gradients, zeros and NaN, threads."""

import math

import numpy as np
import pytest

NAN, INF = math.nan, math.inf
POWERS = [1.0, 2.0, 3.0, 4.0, 0.5, 1.5]

WORKED_POWERS = {
    1.0: ([-2, 0, 3, NAN, INF], [-2, 0, 3, NAN, INF]),
    2.0: ([-2, 0, 3, NAN, -INF], [4, 0, 9, NAN, INF]),
    3.0: ([-2, 0, 3, NAN, -INF], [-8, 0, 27, NAN, -INF]),
    0.5: ([-4, 0, 9, NAN, INF], [NAN, 0, 3, NAN, INF]),
}
WORKED_ROOTS = {  # of twice these
    1.0: ([-2, 0, 3, NAN, INF], [-4, 0, 6, NAN, INF]),
    2.0: ([0, 2, 4.5, NAN, INF], [0, 2, 3, NAN, INF]),
    3.0: ([-4, 0, 4, NAN, INF], [NAN, 0, 2, NAN, INF]),
    0.5: ([-2, 0, 2, NAN], [16, 0, 16, NAN]),
}


@pytest.mark.parametrize("p", WORKED_POWERS)
def test_worked_powers(impl, p, dtype, run, assert_close):
    x, expected = (np.array(values, dtype) for values in WORKED_POWERS[p])
    assert_close(run(impl.lp_pooling.power_forward, np.empty_like(x), x, p), expected)


@pytest.mark.parametrize("p", WORKED_ROOTS)
def test_worked_roots(impl, p, dtype, run, assert_close):
    x, expected = (np.array(values, dtype) for values in WORKED_ROOTS[p])
    assert_close(run(impl.lp_pooling.root_forward, np.empty_like(x), x, p, 2.0), expected)


def test_worked_gradients(impl, dtype, run, assert_close):
    k, dout = impl.lp_pooling, np.array([10, 10, 10], dtype)

    def gradient(name, values, *options):
        return run(getattr(k, name), np.empty_like(dout), dout, np.array(values, dtype), *options)

    assert_close(gradient("power_backward", [-2, 0, 3], 1.0), [10, 10, 10])
    assert_close(gradient("power_backward", [-2, 0, 3], 3.0), [120, 0, 270])
    assert_close(gradient("root_backward", [-2, 0, NAN], 1.0, 6.0), [60, 0, 60])
    assert_close(gradient("root_backward", [2, 0, NAN], 2.0, 6.0), [15, 0, NAN])
    assert_close(gradient("root_backward", [2, 0, NAN], 3.0, 6.0), [5, 0, NAN])


@pytest.mark.parametrize("length", [0, 1, 7, 16, 33, 8193])
@pytest.mark.parametrize("p", POWERS)
def test_agrees_with_twin(p, length, dtype, rng, compare_twins):
    x, dout = rng.standard_normal(length).astype(dtype), rng.standard_normal(length).astype(dtype)
    if p % 1:
        x = abs(x)
    positive, out = abs(x), np.empty_like(x)
    positive[::5] = 0
    compare_twins("lp_pooling", "power_forward", out, x, p)
    compare_twins("lp_pooling", "power_backward", out, dout, x, p)
    compare_twins("lp_pooling", "root_forward", out, positive, p, 6.0)
    compare_twins("lp_pooling", "root_backward", out, dout, positive, p, 6.0)


@pytest.mark.parametrize("p", POWERS)
def test_gradients_are_finite_differences(impl, p, rng, run, assert_gradient):
    x, dout, k = rng.uniform(0.5, 2, 9), rng.standard_normal(9), impl.lp_pooling
    out = np.empty_like(x)

    def power():
        return run(k.power_forward, out, x, p)

    def root():
        return run(k.root_forward, out, x, p, 6.0)

    assert_gradient(run(k.power_backward, np.empty_like(x), dout, x, p), power, x, dout)
    assert_gradient(run(k.root_backward, np.empty_like(x), dout, root().copy(), p, 6.0), root, x, dout)


def test_same_bits_for_any_number_of_threads(numba, rng, assert_same_bits):
    x, out = rng.standard_normal(100_000), np.empty(100_000)

    def powers():
        numba.lp_pooling.power_forward(out, x, 2.0)
        return out

    assert_same_bits(powers)
