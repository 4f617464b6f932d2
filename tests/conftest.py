"""Fixtures of all tests: random numbers, implementations, tolerances, poisoned outputs, gradients, threads.

Helpers are fixtures that return functions, because test files do not import each other.

    rng                   a seeded generator, the same for every test
    dtype                 float32 and float64 (parametrized)
    impl                  fastnn.kernels and fastnn.kernels.reference (parametrized)
    numba, reference      one of the two
    tolerance             (dtype, length=1) -> relative tolerance of a sum of so many terms
    assert_close          (actual, expected, length=1)
    poison                (*arrays) -> arrays, filled with NaN or with a large negative integer
    run                   (kernel, outputs, *arguments) -> outputs, poisoned before, arguments checked after
    compare_twins         (family, name, outputs, *arguments, length=1): both implementations, same results
    numerical_gradient    (function, x, dout) -> gradient of sum(function() * dout) with respect to x
    assert_gradient       (gradient, function, x, dout): gradient against numerical_gradient
    assert_same_bits      (function): same results with 1, 2 and 3 threads, to the last bit
"""

import numpy as np
import pytest

import fastnn
import fastnn.kernels


@pytest.fixture
def rng():
    return np.random.default_rng(20_240_607)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=["numba", "reference"])
def impl(request):
    return fastnn.kernels.resolve(request.param)


@pytest.fixture(scope="session")
def numba():
    return fastnn.kernels.resolve("numba")


@pytest.fixture(scope="session")
def reference():
    return fastnn.kernels.resolve("reference")


def _tolerance(dtype, length=1):
    """Relative tolerance for results of that dtype that are sums of `length` products in some order.

    Rounding errors of a sum grow like the square root of its length; float64 has digits to spare for a fixed bound.
    """
    if np.dtype(dtype) == np.float64:
        return 1e-10
    return 16 * float(np.finfo(np.float32).eps) * max(1, length) ** 0.5


GRADIENT_STEP = 1e-6
GRADIENT_TOLERANCE = 1e-6


def _assert_within(actual, expected, rtol):
    """Equal up to rtol times the largest finite magnitude; NaN and infinities in the same places."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    finite = np.abs(expected[np.isfinite(expected)])
    scale = max(float(finite.max(initial=0)), float(np.finfo(np.float32).tiny))
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)


def _assert_close(actual, expected, length=1):
    """`actual` equals `expected` within rounding of its dtype; sums of `length` terms may differ in their order."""
    actual = np.asarray(actual)
    if actual.dtype.kind == "f":
        _assert_within(actual, expected, _tolerance(actual.dtype, length))
    else:
        np.testing.assert_array_equal(actual, expected)


def _poison(*arrays):
    for array in arrays:
        array.fill(np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).min // 3)
    return arrays


def _run(kernel, outputs, *arguments):
    """Call ``kernel(*outputs, *arguments)`` on poisoned outputs; return them (one array if there is one)."""
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    _poison(*outputs)
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    assert kernel(*outputs, *arguments) is None
    for position, (old, new) in enumerate(zip(before, arguments)):
        if isinstance(new, np.ndarray):
            assert old.tobytes() == new.tobytes(), f"argument {len(outputs) + position} was changed"
    return outputs[0] if len(outputs) == 1 else outputs


def _compare_twins(family, name, outputs, *arguments, length=1):
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    results = []
    for which in ("numba", "reference"):
        kernel = getattr(getattr(fastnn.kernels.resolve(which), family), name)
        own = tuple(np.empty_like(o) for o in outputs)
        _run(kernel, own, *arguments)
        results.append(own)
    for actual, expected in zip(*results):
        _assert_close(actual, expected, length)


def _numerical_gradient(function, x, dout):
    """Central differences of ``(function() * dout).sum()`` over the entries of x, which `function` reads anew."""
    assert x.dtype == np.float64, "finite differences need float64"
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + GRADIENT_STEP
        above = np.copy(function())
        x[index] = value - GRADIENT_STEP
        below = np.copy(function())
        x[index] = value
        gradient[index] = ((above - below) * dout).sum() / (2 * GRADIENT_STEP)
    return gradient


def _assert_gradient(gradient, function, x, dout):
    _assert_within(gradient, _numerical_gradient(function, x, dout), GRADIENT_TOLERANCE)


def _assert_same_bits(function):
    """`function` returns one array or several; it runs once for each number of threads."""
    results = []
    for threads in (1, 2, 3):
        with fastnn.threads(threads):
            arrays = function()
        results.append([np.copy(a) for a in (arrays if isinstance(arrays, (tuple, list)) else (arrays,))])
    for other in results[1:]:
        for one, two in zip(results[0], other):
            assert one.tobytes() == two.tobytes(), f"{np.sum(one != two)} of {one.size} values differ"


def _function_fixture(name, function):
    def fixture():
        return function

    fixture.__doc__ = function.__doc__
    return pytest.fixture(scope="session", name=name)(fixture)


tolerance = _function_fixture("tolerance", _tolerance)
assert_close = _function_fixture("assert_close", _assert_close)
poison = _function_fixture("poison", _poison)
run = _function_fixture("run", _run)
compare_twins = _function_fixture("compare_twins", _compare_twins)
numerical_gradient = _function_fixture("numerical_gradient", _numerical_gradient)
assert_gradient = _function_fixture("assert_gradient", _assert_gradient)
assert_same_bits = _function_fixture("assert_same_bits", _assert_same_bits)
