"""Dense: worked answers, the twin over every remainder of the vector width, finite differences, NaN, threads."""

import numpy as np
import pytest

# N, IN, OUT
CASES = {
    "unequal": (3, 5, 7),
    "one_of_each": (1, 1, 1),
    "one_sample": (1, 33, 18),
    "one_deep_sample": (1, 1100, 27),
    "one_input": (5, 1, 4),
    "one_output": (6, 9, 1),
    "no_samples": (0, 5, 7),
    "lenet": (64, 256, 120),
    "deep": (21, 1100, 10),  # more terms than a packed panel holds
    "wide": (19, 12, 530),
    "tall": (600, 7, 35),
}


def make(case, rng, dtype):
    N, IN, OUT = case
    shapes = (N, IN), (OUT, IN), (OUT,), (N, OUT)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def check_twins(case, rng, dtype, compare_twins):
    x, weight, bias, dout = make(case, rng, dtype)
    N, IN, OUT = case
    compare_twins("dense", "dense_forward", dout, x, weight, bias, length=IN)
    compare_twins("dense", "dense_forward", dout, x, weight, None, length=IN)
    compare_twins("dense", "dense_backward_input", x, dout, weight, length=OUT)
    compare_twins("dense", "dense_backward_weight", weight, x, dout, length=N)
    compare_twins("dense", "dense_backward_bias", bias, dout, length=N)


def test_worked_answers(impl, dtype, run):
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    weight = np.array([[1, 0, -1], [2, 2, 2], [0, 3, 0], [1, 1, 0]], dtype)
    bias = np.array([10, 20, 30, 40], dtype)
    dout = np.array([[1, 0, 2, 0], [0, 1, 0, 3]], dtype)
    k = impl.dense
    out = np.empty((2, 4), dtype)
    np.testing.assert_array_equal(run(k.dense_forward, out, x, weight, bias), [[8, 32, 36, 43], [8, 50, 45, 49]])
    np.testing.assert_array_equal(run(k.dense_forward, out, x, weight, None), [[-2, 12, 6, 3], [-2, 30, 15, 9]])
    dx = run(k.dense_backward_input, np.empty_like(x), dout, weight)
    np.testing.assert_array_equal(dx, [[1, 6, -1], [5, 5, 2]])
    dweight = run(k.dense_backward_weight, np.empty_like(weight), x, dout)
    np.testing.assert_array_equal(dweight, [[1, 2, 3], [4, 5, 6], [2, 4, 6], [12, 15, 18]])
    np.testing.assert_array_equal(run(k.dense_backward_bias, np.empty_like(bias), dout), [1, 1, 2, 3])


@pytest.mark.parametrize("case", CASES)
def test_twins(case, dtype, rng, compare_twins):
    check_twins(CASES[case], rng, dtype, compare_twins)


@pytest.mark.parametrize("remainder", range(16))
def test_twins_at_every_remainder_of_the_vector_width(remainder, dtype, rng, compare_twins):
    # each of the three sizes takes every remainder, with and without full vectors before it
    check_twins((remainder + 1, 32 + (5 * remainder) % 16, 16 + (remainder + 7) % 16), rng, dtype, compare_twins)
    check_twins((16 + (7 * remainder) % 16, 1 + (remainder + 3) % 16, remainder + 1), rng, dtype, compare_twins)


def test_empty_batch_has_zero_gradients(impl, dtype, run):
    x, dout = np.empty((0, 3), dtype), np.empty((0, 2), dtype)
    assert not run(impl.dense.dense_backward_weight, np.empty((2, 3), dtype), x, dout).any()
    assert not run(impl.dense.dense_backward_bias, np.empty(2, dtype), dout).any()


def test_finite_differences(impl, rng, run, assert_gradient):
    x, weight, bias, dout = make((3, 4, 5), rng, np.float64)
    out = np.empty_like(dout)

    def forward():
        return run(impl.dense.dense_forward, out, x, weight, bias)

    k = impl.dense
    assert_gradient(run(k.dense_backward_input, np.empty_like(x), dout, weight), forward, x, dout)
    assert_gradient(run(k.dense_backward_weight, np.empty_like(weight), x, dout), forward, weight, dout)
    assert_gradient(run(k.dense_backward_bias, np.empty_like(bias), dout), forward, bias, dout)


def test_nan_reaches_exactly_its_row(impl, dtype, rng, run):
    x, weight, bias, out = make((5, 19, 21), rng, dtype)
    x[3, 4] = np.nan
    assert np.isnan(run(impl.dense.dense_forward, out, x, weight, bias)).any(axis=1).tolist() == [False] * 3 + [
        True,
        False,
    ]
    dweight = run(impl.dense.dense_backward_weight, np.empty_like(weight), x, np.ones((5, 21), dtype))
    assert np.flatnonzero(np.isnan(dweight).any(axis=0)).tolist() == [4]


def test_threads(numba, rng, run, assert_same_bits):
    x, weight, bias, dout = make((130, 210, 90), rng, np.float32)
    k = numba.dense
    assert_same_bits(lambda: run(k.dense_forward, np.empty_like(dout), x, weight, bias))
    assert_same_bits(lambda: run(k.dense_backward_input, np.empty_like(x), dout, weight))
    assert_same_bits(lambda: run(k.dense_backward_weight, np.empty_like(weight), x, dout))
    x, weight, bias, dout = make((3000, 3, 150), rng, np.float32)  # the sum over samples is the long one
    assert_same_bits(lambda: run(k.dense_backward_weight, np.empty_like(weight), x, dout))
    assert_same_bits(lambda: run(k.dense_backward_bias, np.empty_like(bias), dout))
