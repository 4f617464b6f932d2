"""Elementary functions of compiled loops: errors in units of the last place over the whole range, special values."""

import numpy as np
import pytest

from fastnn.kernels import _math
from fastnn.kernels._jit import jit

LIMITS = {"exp": 1.2, "exp_nonpositive": 1.2, "expm1_nonpositive": 1.5, "log": 1.0, "log1p_unit": 1.5}  # ulp
LIMITS |= {"tanh": 3.0, "sigmoid": 3.0}
DOMAIN = {"exp_nonpositive": (-np.inf, 0), "expm1_nonpositive": (-np.inf, 0), "log1p_unit": (0, 1)}
EXACT = {
    "exp": np.exp,
    "exp_nonpositive": np.exp,
    "expm1_nonpositive": np.expm1,
    "log1p_unit": np.log1p,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda v: np.where(v < 0, np.exp(v), 1) / (1 + np.exp(-abs(v))),
}


def _loop(name):
    function = getattr(_math, name)

    @jit
    def loop(out, x):
        for i in range(out.size):
            out[i] = function(x[i])

    return loop


@pytest.fixture(scope="module")
def apply():
    """apply(name, x) -> array of the function's values."""
    loops = {}

    def apply(name, x):
        out = np.empty_like(x)
        loops.setdefault(name, _loop(name))(out, x)
        return out

    return apply


def check(name, x, actual):
    """Errors against the function in a wider type, in units of the last place of x's type."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(wide))
        expected = exact.astype(x.dtype)
    finite = np.isfinite(expected) & np.isfinite(actual)
    # next to overflow one of the two may be infinite already
    edge = ~finite & (np.maximum(abs(expected), abs(actual)) == np.inf) & (np.minimum(abs(expected), abs(actual)) > 1e38)
    np.testing.assert_array_equal(actual[~finite & ~edge], expected[~finite & ~edge])
    errors = abs(actual[finite].astype(wide) - exact[finite]) / np.spacing(abs(expected[finite])).astype(wide)
    worst = np.argmax(errors)
    assert errors[worst] <= LIMITS[name], f"{name}({x[finite][worst]!r}) is off by {errors[worst]:.2f} ulp"


@pytest.mark.parametrize("name", LIMITS)
def test_accuracy_over_all_of_float32(name, apply):
    bits = np.arange(-(2**31), 2**31, 1021, dtype=np.int64).astype(np.int32)  # both signs, all exponents, subnormals
    x = bits.view(np.float32)
    x = x[np.isfinite(x)]
    if name in DOMAIN:
        x = x[(DOMAIN[name][0] <= x) & (x <= DOMAIN[name][1])]
    check(name, x, apply(name, x))


@pytest.mark.parametrize("name", LIMITS)
def test_accuracy_where_values_change(name, apply, rng, dtype):
    if dtype == np.float64 and np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("no wider type to compare with")
    spread = {"exp": 90, "exp_nonpositive": 90, "log": 3, "tanh": 6, "sigmoid": 40}.get(name, 2)
    spread *= 8 if dtype == np.float64 else 1
    x = rng.uniform(-spread, spread, 200_000)
    x[:1000] *= np.logspace(-30, 0, 1000)  # relative accuracy near 0
    x[-1000:] = 1 + x[-1000:] * np.logspace(-6, -2, 1000) / spread  # and next to log(1) = 0
    if name in ("exp_nonpositive", "expm1_nonpositive", "log"):
        x = abs(x) * (1 if name == "log" else -1)
    if name == "log1p_unit":
        x = abs(x) / abs(x).max()
    check(name, x.astype(dtype), apply(name, x.astype(dtype)))


def test_accuracy_over_all_exponents_of_float64(apply, rng):
    if np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("no wider type to compare with")
    bits = rng.integers(0, 0x7FF0_0000_0000_0000, 200_000)
    x = bits.view(np.float64)  # positive and finite
    for name, values in (("log", x), ("tanh", x), ("exp", np.r_[x, -x]), ("sigmoid", np.r_[x, -x])):
        check(name, values, apply(name, values))


@pytest.mark.parametrize("name", LIMITS)
def test_special_values(name, apply, dtype):
    inf, nan = np.inf, np.nan
    tiny = np.finfo(dtype).smallest_subnormal
    huge = np.finfo(dtype).max
    x = np.array([nan, inf, -inf, 0.0, -0.0, tiny, -tiny, huge, -huge], dtype)
    expected = {
        "exp": [nan, inf, 0, 1, 1, 1, 1, inf, 0],
        "exp_nonpositive": [nan, nan, 0, 1, 1, nan, 1, nan, 0],
        "expm1_nonpositive": [nan, nan, -1, 0, 0, nan, -tiny, nan, -1],
        "log1p_unit": [nan, nan, nan, 0, 0, tiny, nan, nan, nan],
        "log": [nan, inf, nan, -inf, -inf, np.log(tiny), nan, np.log(huge), nan],
        "tanh": [nan, 1, -1, 0, 0, tiny, -tiny, 1, -1],
        "sigmoid": [nan, 1, 0, 0.5, 0.5, 0.5, 0.5, 1, 0],
    }[name]
    expected = np.array(expected, dtype)
    lowest, highest = DOMAIN.get(name, (-inf, inf))
    defined = np.isnan(x) | (lowest <= x) & (x <= highest)
    np.testing.assert_allclose(apply(name, x)[defined], expected[defined], rtol=4 * np.finfo(dtype).eps)


def test_tanh_is_odd_and_sigmoid_stays_between_0_and_1(apply, rng, dtype):
    x = (rng.standard_normal(10_000) * 10).astype(dtype)
    np.testing.assert_array_equal(apply("tanh", -x), -apply("tanh", x))
    for name, lowest in (("tanh", -1), ("sigmoid", 0)):
        values = apply(name, x)
        assert values.min() >= lowest and values.max() <= 1


def test_ordered_integers_sort_as_floats(rng, dtype):
    @jit
    def keys(out, back, x):
        for i in range(x.size):
            out[i] = _math.ordered(x[i])
            back[i] = _math.unordered(_math.ordered(x[i]))

    x = np.array([-np.inf, -1e30, -1.5, -1e-40, -0.0, 0.0, 1e-40, 1.0, 1e30, np.inf, np.nan], dtype)
    out, back = np.empty(x.size, np.int32 if dtype == np.float32 else np.int64), np.empty_like(x)
    keys(out, back, x)
    assert (np.diff(out) > 0).all()
    assert back.tobytes() == x.tobytes()
