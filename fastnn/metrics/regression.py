"""Metrics of predicted values."""

import math

import numpy as np

from ..layers.checks import as_bool
from .checks import as_numbers, as_weights, one_of, warn_undefined


def mean_squared_error(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    """The mean of the squared differences.

    Parameters
    ----------
    y_true, y_pred : (N,) or (N, O)
    sample_weight : (N,), optional
    multioutput : {"uniform_average", "raw_values"} or (O,)
        The mean over the outputs, one error for each output, or a mean with these weights.

    Returns
    -------
    float, or (O,) array

    Raises
    ------
    TypeError, ValueError
        If shapes do not go together, there are no samples, or values are not finite numbers.

    Examples
    --------
    >>> mean_squared_error([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
    0.375
    """
    name = "mean_squared_error"
    y_true, y_pred, weights = _values(name, y_true, y_pred, sample_weight)
    return _over_outputs(name, np.average((y_true - y_pred) ** 2, axis=0, weights=weights), multioutput)


def mean_absolute_error(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    """The mean size of the differences.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput
        As for `mean_squared_error`.

    Returns
    -------
    float, or (O,) array

    Raises
    ------
    TypeError, ValueError
        As `mean_squared_error`.

    Examples
    --------
    >>> mean_absolute_error([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
    0.5
    """
    name = "mean_absolute_error"
    y_true, y_pred, weights = _values(name, y_true, y_pred, sample_weight)
    return _over_outputs(name, np.average(np.abs(y_true - y_pred), axis=0, weights=weights), multioutput)


def r2_score(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average", force_finite=True):
    """The share of the variance that predictions explain: 1 for perfect ones, 0 for the mean, less for worse.

    1 - sum (y_true - y_pred)**2 / sum (y_true - mean)**2, the coefficient of determination.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for `mean_squared_error`.
    multioutput : {"uniform_average", "raw_values", "variance_weighted"} or (O,)
        As for `mean_squared_error`; "variance_weighted" is a mean weighted with the variance of each output.
    force_finite : bool
        Of outputs without variance: 1 if all predictions are right, else 0. False leaves NaN and -inf.

    Returns
    -------
    float, or (O,) array
        NaN for a single sample.

    Raises
    ------
    TypeError, ValueError
        As `mean_squared_error`.

    Warns
    -----
    UndefinedMetricWarning
        For a single sample.

    Examples
    --------
    >>> r2_score([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 3.0, 4.5])
    0.9
    """
    name = "r2_score"
    y_true, y_pred, weights = _values(name, y_true, y_pred, sample_weight)
    force_finite = as_bool(force_finite, f"{name}: force_finite")
    if len(y_true) < 2:
        warn_undefined(name, "it is not defined for a single sample")
        return math.nan
    weights = np.ones(len(y_true)) if weights is None else weights
    left = weights @ (y_true - y_pred) ** 2
    spread = weights @ (y_true - np.average(y_true, axis=0, weights=weights)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1 - left / spread
    if force_finite:
        scores = np.where(spread != 0, scores, np.where(left != 0, 0.0, 1.0))
    if isinstance(multioutput, str) and multioutput == "variance_weighted":
        return float(np.average(scores, weights=spread if spread.any() else None))
    return _over_outputs(name, scores, multioutput, ("variance_weighted",))


def _values(name, y_true, y_pred, sample_weight):
    """(N, O) values in float64, twice, and (N,) weights or None."""
    pair = []
    for what, values in (("y_true", y_true), ("y_pred", y_pred)):
        values = as_numbers(name, values, what).astype(np.float64)
        if values.ndim not in (1, 2):
            raise ValueError(f"{name}: expected {what} of shape (N,) or (N, O), got {what}.shape={values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite numbers in {what}, got NaN or infinity")
        pair.append(values.reshape(len(values), -1) if values.size else values.reshape(-1, 1))
    if pair[0].shape != pair[1].shape:
        shapes = np.shape(y_true), np.shape(y_pred)
        raise ValueError(f"{name}: expected y_pred of the shape of y_true, {shapes[0]}, got y_pred.shape={shapes[1]}")
    if pair[0].size == 0:
        raise ValueError(f"{name}: expected at least one sample, got y_true.shape={np.shape(y_true)}")
    return *pair, as_weights(name, sample_weight, len(pair[0]))


def _over_outputs(name, errors, multioutput, more=()):
    """The errors of all outputs, or their mean."""
    if isinstance(multioutput, str):
        one_of(name, multioutput, "multioutput", ("raw_values", "uniform_average", *more))
        return errors if multioutput == "raw_values" else float(np.mean(errors))
    weights = as_numbers(name, multioutput, "multioutput")
    if weights.shape != errors.shape or not weights.sum() > 0:
        raise ValueError(f"{name}: expected multioutput to have {len(errors)} weights, not all 0, got {multioutput!r}")
    return float(np.average(errors, weights=weights))
