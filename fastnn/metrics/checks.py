"""Checks of labels, scores and weights: `name` is the metric's, with which every message begins."""

import warnings

import numpy as np


class UndefinedMetricWarning(UserWarning):
    """A score is a division by zero, and a number was put in its place."""


def warn_undefined(name, text):
    """Warn about the caller's caller."""
    warnings.warn(f"{name}: {text}", UndefinedMetricWarning, stacklevel=4)


def as_labels(name, y, what):
    """(N,) labels as an array of integers, whole floats or strings.

    Raises
    ------
    TypeError
        If they are of another kind, or some are strings and some are not.
    ValueError
        If there is another number of axes, or floats are no whole numbers.
    """
    y = np.asarray(y)
    if y.ndim != 1:
        hint = "; take scores.argmax(axis=1) for labels" if y.ndim == 2 else ""
        raise ValueError(f"{name}: expected {what} to be labels of shape (N,), got {what}.shape={y.shape}{hint}")
    if y.dtype.kind == "O":
        kinds = {isinstance(label, str) for label in y}
        if len(kinds) > 1:
            raise TypeError(f"{name}: expected {what} to be all strings or all numbers, got both")
        y = np.array(y.tolist())
    if y.dtype.kind not in "biufUT":
        raise TypeError(f"{name}: expected {what} to be integers or strings, got {y.dtype}")
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.floor(y)).all()):
        raise ValueError(f"{name}: expected {what} to be labels, got floats that are no whole numbers")
    return y


def as_label_pair(name, y_true, y_pred):
    """The two as labels of one kind and length, at least one of each."""
    y_true, y_pred = as_labels(name, y_true, "y_true"), as_labels(name, y_pred, "y_pred")
    check_same_kind(name, y_true, "y_true", y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"{name}: expected as many predictions as samples, {len(y_true)}, got y_pred.shape={y_pred.shape}")
    if len(y_true) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    return y_true, y_pred


def check_same_kind(name, one, what, other, which):
    """Raise if one holds strings and the other does not."""
    if _are_strings(one) != _are_strings(other):
        raise TypeError(f"{name}: expected {what} and {which} to be labels of one kind, got {one.dtype} and {other.dtype}")


def _are_strings(y):
    return y.dtype.kind in "UT"


def as_classes(name, labels, y):
    """`labels` as an array of different labels, of the kind of y."""
    labels = as_labels(name, labels, "labels")
    if len(labels) == 0:
        raise ValueError(f"{name}: expected labels to name at least one class, got none")
    check_same_kind(name, y, "y_true", labels, "labels")
    if len(np.unique(labels)) < len(labels):
        raise ValueError(f"{name}: expected different labels, got {labels.tolist()}")
    return labels


def as_weights(name, sample_weight, count):
    """(N,) weights, or None for none.

    Raises
    ------
    TypeError, ValueError
        If there are not `count` of them, or not all are finite numbers of at least 0, some of them above.
    """
    if sample_weight is None:
        return None
    weights = as_numbers(name, sample_weight, "sample_weight")
    if weights.shape != (count,):
        raise ValueError(f"{name}: expected {count} sample weights, got sample_weight.shape={weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"{name}: expected finite sample weights of at least 0, some of them above")
    return weights


def as_numbers(name, values, what):
    """An array of numbers: bools and integers as they are, floats in float64."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected {what} to be numbers, got {values.dtype}")
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def one_of(name, value, what, options):
    """Raise unless value is among the options."""
    if not any(value is option or (isinstance(value, str) and value == option) for option in options):
        raise ValueError(f"{name}: expected {what} to be one of {', '.join(map(repr, options))}; got {value!r}")
