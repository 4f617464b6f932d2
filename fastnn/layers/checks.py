"""Checks of constructor arguments, done once and in Python, so that no kernel ever meets a wrong value.

Every function takes the value and `what`, the text that starts its message ("Conv2d: kernel_size"), and returns the
value in its canonical form. Wrong types raise TypeError, values out of range ValueError.
"""

import math
import operator

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_int(value, what, minimum=None):
    """`value` as an int; bool does not count as one.

    Examples
    --------
    >>> as_int(np.int64(3), "Dense: in_features", minimum=1)
    3
    >>> as_int(0, "Dense: in_features", minimum=1)
    Traceback (most recent call last):
    ...
    ValueError: Dense: in_features must be at least 1, got 0
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{what} must be an int, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be an int, got {value!r}") from None
    if minimum is not None and number < minimum:
        raise ValueError(f"{what} must be at least {minimum}, got {number}")
    return number


def as_ints(value, what, length, minimum=None):
    """`length` ints from one int (repeated) or from a sequence of exactly `length`.

    Examples
    --------
    >>> as_ints(3, "Conv1d: stride", 1), as_ints([3, 5], "Conv2d: stride", 2)
    ((3,), (3, 5))
    """
    if not isinstance(value, (tuple, list, np.ndarray)):
        return (as_int(value, what, minimum),) * length
    if len(value) != length:
        raise ValueError(f"{what} must be an int or {length} of them, got {value!r}")
    return tuple(as_int(v, what, minimum) for v in value)


def as_pair(value, what="value", minimum=None):
    """Two ints from an int or a pair.

    Examples
    --------
    >>> as_pair(2), as_pair((2, 3))
    ((2, 2), (2, 3))
    """
    return as_ints(value, what, 2, minimum)


def as_number(value, what, minimum=-math.inf, maximum=math.inf):
    """`value` as a finite float within [minimum, maximum].

    Examples
    --------
    >>> as_number(1.5, "Dropout: p", 0, 1)
    Traceback (most recent call last):
    ...
    ValueError: Dropout: p must be within [0, 1], got 1.5
    """
    if isinstance(value, (bool, np.bool_, str, bytes)) or np.ndim(value) != 0:
        raise TypeError(f"{what} must be a number, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{what} must be finite, got {value!r}")
    if not minimum <= number <= maximum:
        wanted = f"within [{minimum}, {maximum}]" if math.isfinite(maximum) else f"at least {minimum}"
        raise ValueError(f"{what} must be {wanted}, got {value!r}")
    return number


def as_bool(value, what):
    """`value` as a bool; other types are refused, because a stray positional argument would be taken for one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{what} must be True or False, got {value!r}")
    return bool(value)


def as_float_dtype(dtype, what):
    """float32 or float64 as a native np.dtype; None is float32, the library's default.

    Examples
    --------
    >>> as_float_dtype("float64", "Dense: dtype")
    dtype('float64')
    """
    try:
        found = np.dtype(np.float32 if dtype is None else dtype)
    except TypeError:
        raise TypeError(f"{what} must be float32 or float64, got {dtype!r}") from None
    if found not in FLOATS:
        raise TypeError(f"{what} must be float32 or float64, got {dtype!r}")
    return found


def as_shape(shape, what):
    """A shape without the batch axis as a tuple of ints; a lone int is a shape of one axis."""
    if not isinstance(shape, (tuple, list, np.ndarray)):
        return (as_int(shape, what, 0),)
    return tuple(as_int(s, what, 0) for s in shape)


def as_rng(rng, what):
    """A NumPy Generator from None (fresh entropy), an int seed, or a Generator, which is used as it is."""
    try:
        return np.random.default_rng(rng)
    except TypeError:
        raise TypeError(f"{what} must be None, an int or a numpy.random.Generator, got {rng!r}") from None
    except ValueError as error:
        raise ValueError(f"{what} must be a non-negative int, got {rng!r}") from error


def only_default(value, default, what, why=""):
    """Refuse every value but the one supported."""
    if value is not default and value != default:
        raise ValueError(f"{what}={value!r} is not supported{why}; only {default!r} is")


def only_cpu(device, what):
    """PyTorch's `device` argument: None or "cpu"."""
    if device is not None and str(device) != "cpu":
        raise ValueError(f"{what}: device={device!r} is not supported; fastnn computes on the CPU")
