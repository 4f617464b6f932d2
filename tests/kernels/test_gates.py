"""x * F(x) and their slopes: errors in units of the last place over the whole range, against longer numbers; special values."""

import math

import numpy as np
import pytest

from fastnn.kernels import _gates
from fastnn.kernels._jit import jit

LIMIT, SLOPE_LIMIT = 6, 8  # ulp
NAMES = ["silu", "gelu", "gelu_tanh"]
WIDE = np.longdouble

pytestmark = pytest.mark.skipif(np.finfo(WIDE).nmant <= 52, reason="no wider type to compare with")


@pytest.fixture(scope="module")
def apply():
    """apply(name, x) -> array of the function's values."""
    loops = {}

    def make(function):
        @jit
        def loop(out, x):
            for i in range(out.size):
                out[i] = function(x[i])

        return loop

    def apply(name, x):
        out = np.empty_like(x)
        loops.setdefault(name, make(getattr(_gates, name)))(out, x)
        return out

    return apply


def logistic(v):
    """Tail 1 / (1 + exp(v)) of the logistic distribution, for v >= 0."""
    e = np.exp(-v)
    return e / (1 + e)


def normal(a):
    """Tail of the normal distribution for a >= 0: its power series, far out its continued fraction."""
    density = np.exp(-a * a / 2) / np.sqrt(2 * WIDE(math.pi) + WIDE(2.4492935982947064e-16))
    near, far = np.minimum(a, 3), np.maximum(a, 3)
    term, total = near.copy(), near.copy()
    for n in range(1, 80):
        term = term * near * near / (2 * n + 1)
        total = total + term
    rest = far.copy()
    for n in range(300, 0, -1):
        rest = far + n / rest
    scale = np.exp(-near * near / 2) / np.sqrt(2 * WIDE(math.pi) + WIDE(2.4492935982947064e-16))
    return np.where(a < 3, WIDE(0.5) - scale * total, density / rest), density


def exact(name, x):
    """Value, slope, and the size of the larger of the terms that make up the slope."""
    x = x.astype(WIDE)
    a = abs(x)
    if name == "gelu":
        q, density = normal(a)
    else:
        pi = WIDE(math.pi) + WIDE(1.2246467991473532e-16)
        linear, share = (WIDE(1), WIDE(0)) if name == "silu" else (np.sqrt(8 / pi), WIDE("0.044715"))
        q = logistic(linear * (a + share * a**3))
        density = q * (1 - q) * linear * (1 + 3 * share * a * a)
    below, gradient = q - a * density, 1 - q + a * density
    return np.where(x < 0, -a * q, a * (1 - q)), np.where(x < 0, below, gradient), np.where(x < 0, a * density, gradient)


@pytest.mark.parametrize("name", NAMES)
def test_accuracy(name, apply, rng, dtype):
    farthest = (
        {"silu": 105, "gelu": 14.4, "gelu_tanh": 10.9}
        if dtype == np.float32
        else {"silu": 745, "gelu": 38.5, "gelu_tanh": 21.5}
    )
    x = np.concatenate(
        [
            rng.uniform(-farthest[name], farthest[name], 20_000),
            rng.uniform(-3, 3, 20_000),
            *(sign * 10 ** rng.uniform(-37, 0, 2000) for sign in (1, -1)),
        ]
    ).astype(dtype)
    value, slope, size = exact(name, x)
    errors = abs(apply(name, x).astype(WIDE) - value) / np.spacing(abs(value).astype(dtype))
    assert errors.max() <= LIMIT, f"{name}({x[errors.argmax()]!r}) is off by {errors.max():.2f} ulp"
    # Where the slope crosses 0 it is the difference of two terms: a few ulp of these.
    spacing = np.maximum(np.spacing(abs(slope).astype(dtype)), np.spacing(size.astype(dtype)))
    errors = abs(apply(f"{name}_slope", x).astype(WIDE) - slope) / spacing
    assert errors.max() <= SLOPE_LIMIT, f"slope of {name} at {x[errors.argmax()]!r} is off by {errors.max():.2f} ulp"


@pytest.mark.parametrize("name", NAMES)
def test_special_values(name, apply, dtype):
    huge, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    x = np.array([np.nan, np.inf, -np.inf, huge, -huge, 0, -0.0], dtype)
    np.testing.assert_array_equal(apply(name, x), np.array([np.nan, np.inf, 0, huge, 0, 0, 0], dtype))
    np.testing.assert_array_equal(apply(f"{name}_slope", x), [np.nan, 1, 0, 1, 0, 0.5, 0.5])
    x = np.array([8 * tiny, -8 * tiny], dtype)
    np.testing.assert_array_equal(apply(name, x), x / 2)


@pytest.mark.parametrize("name", NAMES)
def test_far_tail_ends_at_zero_without_a_jump(name, apply, dtype):
    """Subnormal results shrink steadily to 0, and stay there."""
    x = -np.linspace(0.9, 1.1, 5001).astype(dtype) * {"silu": 108, "gelu": 14.3, "gelu_tanh": 10.95}[name]
    if dtype == np.float64:
        x = -np.linspace(0.9, 1.1, 5001) * {"silu": 750, "gelu": 38.5, "gelu_tanh": 21.5}[name]
    values = apply(name, x)
    assert values[0] < 0 and values[-1] == 0 and (np.diff(values) >= 0).all()
    assert abs(values[values < 0][-1]) < 4 * np.finfo(dtype).smallest_subnormal
