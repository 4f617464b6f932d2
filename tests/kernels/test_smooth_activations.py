"""Smooth activations: worked answers, the twin, the whole range of exponents, PyTorch's edges, gradients, threads."""

import math

import numpy as np
import pytest

NAN, INF = math.nan, math.inf
NAMES = ["elu", "gelu", "gelu_tanh", "silu", "softplus"]
LENGTHS = [0, *range(1, 18), 31, 33, 100, 8191, 8193]
PHI1 = 0.841344746068543  # of the standard normal distribution, at 1
DENSITY1 = math.exp(-0.5) / math.sqrt(2 * math.pi)
LN3 = math.log(3)  # sigmoid is 3/4 there

# name, further arguments, inputs, outputs, slopes
WORKED = [
    ("elu", (1.0,), [-1e4, -LN3, 0, 2, 1e4], [-1, -2 / 3, 0, 2, 1e4], [0, 1 / 3, 1, 1, 1]),
    ("elu", (0.5,), [-1e4, -LN3, 0, 2, 1e4], [-0.5, -1 / 3, 0, 2, 1e4], [0, 1 / 6, 0.5, 1, 1]),
    (
        *("gelu", ()),
        [-1e4, -1, 0, 1, 1e4],
        [0, PHI1 - 1, 0, PHI1, 1e4],
        [0, 1 - PHI1 - DENSITY1, 0.5, PHI1 + DENSITY1, 1],
    ),
    ("gelu_tanh", (), [-1e4, 0, 1e4], [0, 0, 1e4], [0, 0.5, 1]),
    ("gelu_tanh", (), [-1, 1], [-0.158808009391723, 0.841191990608277], [-0.082964083845926, 1.082964083845926]),
    (
        *("silu", ()),
        [-1e4, -LN3, 0, LN3, 1e4],
        [0, -LN3 / 4, 0, 0.75 * LN3, 1e4],
        [0, 0.25 - LN3 * 0.1875, 0.5, 0.75 + LN3 * 0.1875, 1],
    ),
    (
        *("softplus", (1.0, 20.0)),
        [-1e4, -LN3, 0, LN3, 1e4],
        [0, math.log(4 / 3), math.log(2), math.log(4), 1e4],
        [0, 0.25, 0.5, 0.75, 1],
    ),
    # the line begins above threshold / beta
    ("softplus", (2.0, 3.0), [0, 1.5, 1.5001], [math.log(2) / 2, 1.5242936, 1.5001], [0.5, 0.95257413, 1]),
    ("softplus", (-1.0, 20.0), [-30, 0, LN3], [-30, -math.log(2), -math.log(4 / 3)], [1, 0.5, 0.25]),
]
OPTIONS = {"elu": (0.75,), "softplus": (1.5, 4.0)}


def functions(k, name):
    return getattr(k.smooth_activations, f"{name}_forward"), getattr(k.smooth_activations, f"{name}_backward")


def options(name):
    return OPTIONS.get(name, ())


@pytest.mark.parametrize("case", WORKED, ids=lambda case: f"{case[0]}{case[1]}")
def test_worked_answers(impl, case, dtype, run):
    name, extra, x, expected, slopes = case
    x, (forward, backward) = np.array(x, dtype), functions(impl, name)
    near = {"rtol": 1e-6, "atol": 1e-7}
    np.testing.assert_allclose(run(forward, np.empty_like(x), x, *extra), expected, **near)
    np.testing.assert_allclose(run(backward, np.empty_like(x), np.full_like(x, 4), x, *extra), 4 * np.array(slopes), **near)


@pytest.mark.parametrize("name", NAMES)
def test_nan_and_infinity(impl, name, dtype, run):
    x = np.array([NAN, INF, -INF], dtype)
    forward, backward = functions(impl, name)
    lowest = -options("elu")[0] if name == "elu" else 0
    np.testing.assert_array_equal(run(forward, np.empty_like(x), x, *options(name)), [NAN, INF, lowest])
    np.testing.assert_array_equal(run(backward, np.empty_like(x), np.full_like(x, 3), x, *options(name)), [NAN, 3, 0])


@pytest.mark.parametrize("name", NAMES)
def test_twins(name, dtype, rng, compare_twins):
    for length in LENGTHS:
        x, dout = 3 * rng.standard_normal((2, length)).astype(dtype)
        compare_twins("smooth_activations", f"{name}_forward", np.empty_like(x), x, *options(name))
        compare_twins("smooth_activations", f"{name}_backward", np.empty_like(x), dout, x, *options(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_accurate_to_its_last_digits(numba, name, dtype, run, tolerance):
    """Relative, not only absolute, accuracy, over all magnitudes: small results must not lose their digits."""
    x = np.concatenate([np.linspace(-13, 80, 9301), np.geomspace(1e-30, 10, 2000), -np.geomspace(1e-30, 10, 2000)])
    x, alpha = x.astype(dtype), 0.75
    v = x.astype(np.float64)
    exact = {
        "elu": lambda: np.where(v > 0, v, alpha * np.expm1(np.minimum(v, 0))),
        "gelu": lambda: v * [math.erfc(-number / math.sqrt(2)) / 2 for number in v],
        "gelu_tanh": lambda: v / (1 + np.exp(-math.sqrt(8 / math.pi) * (v + 0.044715 * v**3))),
        "silu": lambda: v / (1 + np.exp(-v)),
        "softplus": lambda: np.where(v > 20, v, np.log1p(np.exp(np.minimum(v, 20)))),
    }[name]
    extra = {"elu": (alpha,), "softplus": (1.0, 20.0)}.get(name, ())
    with np.errstate(over="ignore"):
        expected = exact()
    out = run(functions(numba, name)[0], np.empty_like(x), x, *extra)
    normal = abs(expected) > np.finfo(dtype).smallest_normal
    np.testing.assert_allclose(out[normal], expected[normal], rtol=tolerance(dtype) / 2, atol=0)
    np.testing.assert_allclose(out[~normal], expected[~normal], rtol=0, atol=np.finfo(dtype).smallest_normal)


@pytest.mark.parametrize("name", NAMES)
def test_finite_differences(impl, name, rng, run, assert_gradient):
    x = (rng.permutation(24) - 11.6) / 4  # no value at the kink of elu, or where softplus turns into a line
    dout, out = rng.standard_normal((2, 24))
    forward, backward = functions(impl, name)
    dx = run(backward, np.empty_like(x), dout, x, *options(name))
    assert_gradient(dx, lambda: run(forward, out, x, *options(name)), x, dout)


@pytest.mark.parametrize("name", NAMES)
def test_threads(name, numba, rng, run, assert_same_bits):
    x, dout = rng.standard_normal((2, 300_001), np.float32)
    for function, arguments in zip(functions(numba, name), ((x,), (dout, x))):
        assert_same_bits(lambda f=function, a=arguments: run(f, np.empty_like(x), *a, *options(name)))
