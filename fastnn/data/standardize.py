"""Data of mean 0 and standard deviation 1.

standardize(x)
"""

import numpy as np

from ..layers.checks import as_int

_AT_ONCE = 1 << 20  # elements


def standardize(x, mean=None, std=None, *, axis=0):
    """Subtract the mean of each column and divide by its standard deviation.

    As scikit-learn's ``StandardScaler``: columns of one value are not divided. Test data is to be standardized with what
    came of the training data::

        x_train, mean, std = standardize(x_train)
        x_test, _, _ = standardize(x_test, mean, std)

    Parameters
    ----------
    x : (N, ...) array of floats, integers or bools
    mean, std : array or float, optional
        From another call. Both or none.
    axis : int or tuple of int
        What means are taken over, 0 among them: 0 for a mean of each column; (0, 2, 3) for one of each channel of images
        (N, C, H, W).

    Returns
    -------
    z : array of x's shape
        float64 if `x` is, else float32.
    mean, std : float64 arrays
        With 1 for each of `axis`, so that they fit any number of samples. `std` is 1 where all values are equal.

    Raises
    ------
    TypeError, ValueError
        For data that is empty or holds NaN or infinity, a mean or standard deviation alone or that does not fit `x`, and
        standard deviations that are not positive.

    Examples
    --------
    >>> z, mean, std = standardize(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> z
    array([[-1., 0.],
           [ 1., 0.]])
    >>> mean, std
    (array([[2., 5.]]), array([[1., 1.]]))
    """
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"standardize: expected x to be numbers, got x.dtype={x.dtype}")
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"standardize: expected at least one sample, got x.shape={x.shape}")
    if not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"standardize: expected finite values, got x[{', '.join(map(str, first))}]={x[first]}")
    if (mean is None) != (std is None):
        raise ValueError("standardize: expected both mean and std, or none of them")
    axes = _axes(axis, x.ndim)
    dtype = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    if mean is None:
        mean, std = _moments(x, axes)
    else:
        mean, std = _given(mean, "mean", x.shape), _given(std, "std", x.shape)
        if not (std > 0).all():
            raise ValueError(f"standardize: expected std to be positive, got {std.min()}")
    z = np.empty(x.shape, dtype)
    for part in _parts(x):
        # In float64 until the end: a mean that is large beside the deviations costs no digits.
        z[part] = (x[part] - mean) / std
    return z, mean, std


def _parts(x):
    """Slices of samples, so that float64 copies are of a part of the data."""
    step = max(1, _AT_ONCE * len(x) // x.size)
    return [slice(low, low + step) for low in range(0, len(x), step)]


def _axes(axis, ndim):
    axes = tuple(as_int(a, "standardize: axis") for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    axes = tuple(a + ndim if a < 0 else a for a in axes)
    if 0 not in axes or len(set(axes)) < len(axes) or not all(0 <= a < ndim for a in axes):
        raise ValueError(f"standardize: expected axis to be different axes of x, 0 among them, got {axis!r} for {ndim} axes")
    return axes


def _moments(x, axes):
    """Mean and standard deviation over `axes`, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        mean = x.mean(axis=axes, dtype=np.float64, keepdims=True)
        squares = sum(np.square(x[part] - mean).sum(axis=axes, keepdims=True) for part in _parts(x))
        std = np.sqrt(squares * (mean.size / x.size))
    constant = x.min(axis=axes, keepdims=True) == x.max(axis=axes, keepdims=True)
    std = np.where(constant | (std == 0), 1.0, std)
    if not np.isfinite(mean).all() or not np.isfinite(std).all():
        raise ValueError(f"standardize: expected values whose squares are finite, got up to {np.abs(x).max():g}")
    return mean, std


def _given(value, name, shape):
    value = np.asarray(value, np.float64)
    value = value.reshape((1,) * (len(shape) - value.ndim) + value.shape) if value.ndim < len(shape) else value
    try:
        fits = np.broadcast_shapes(value.shape, (1, *shape[1:])) == (1, *shape[1:])
    except ValueError:
        fits = False
    if not fits or not np.isfinite(value).all():
        raise ValueError(f"standardize: expected {name} to be finite and to fit x.shape={shape}, got shape {value.shape}")
    return value
