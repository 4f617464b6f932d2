"""Metrics of predicted classes: accuracy, confusion, precision, recall, F-score."""

import math
import warnings

import numpy as np

from ..layers.checks import as_bool, as_number
from .checks import as_classes, as_label_pair, as_weights, one_of, warn_undefined

_AVERAGES = (None, "binary", "micro", "macro", "weighted")


def accuracy_score(y_true, y_pred, *, normalize=True, sample_weight=None):
    """The fraction of samples whose class is predicted.

    Parameters
    ----------
    y_true, y_pred : (N,)
        Labels, integers or strings.
    normalize : bool
        False gives the number of samples instead, or their total weight.
    sample_weight : (N,), optional

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If shapes or kinds do not go together, or there are no samples.

    Examples
    --------
    >>> accuracy_score([0, 1, 2, 2], [0, 1, 2, 0])
    0.75
    """
    y_true, y_pred = as_label_pair("accuracy_score", y_true, y_pred)
    weights = as_weights("accuracy_score", sample_weight, len(y_true))
    right = y_true == y_pred
    if as_bool(normalize, "accuracy_score: normalize"):
        return float(np.average(right, weights=weights))
    return float(right.sum() if weights is None else weights[right].sum())


def confusion_matrix(y_true, y_pred, *, labels=None, sample_weight=None, normalize=None):
    """How many samples of each class are taken for each class.

    Parameters
    ----------
    y_true, y_pred : (N,)
        Labels, integers or strings.
    labels : (C,), optional
        Classes, in the order of rows and columns; samples of others, or taken for others, are left out. Default: all that
        occur, sorted.
    sample_weight : (N,), optional
    normalize : {"true", "pred", "all"}, optional
        Divide by the sum of each row, of each column, or of all; 0 where that is 0.

    Returns
    -------
    (C, C) array
        Entry i, j: samples of class i that were taken for class j; int64, or float64 if normalized or weighted with floats.

    Raises
    ------
    TypeError, ValueError
        If shapes or kinds do not go together, there are no samples, or none of the labels is in y_true.

    Examples
    --------
    >>> confusion_matrix(["cat", "dog", "dog", "cat", "dog"], ["cat", "dog", "cat", "cat", "dog"])
    array([[2, 0],
           [1, 2]])
    """
    name = "confusion_matrix"
    y_true, y_pred = as_label_pair(name, y_true, y_pred)
    weights = as_weights(name, sample_weight, len(y_true))
    one_of(name, normalize, "normalize", ("true", "pred", "all", None))
    classes = present(y_true, y_pred) if labels is None else as_classes(name, labels, y_true)
    rows, columns = _positions(y_true, classes), _positions(y_pred, classes)
    if (rows < 0).all():
        raise ValueError(f"{name}: expected at least one of the labels in y_true, got labels={classes.tolist()}")
    kept, count = (rows >= 0) & (columns >= 0), len(classes)
    matrix = _counts(rows * count + columns, kept, weights, count**2).reshape(count, count)
    if weights is not None and weights.dtype.kind != "f":
        matrix = matrix.astype(np.int64)
    if normalize is None:
        return matrix
    total = matrix.sum(axis={"true": 1, "pred": 0, "all": None}[normalize], keepdims=True)
    return np.divide(matrix, total, out=np.zeros(matrix.shape), where=total != 0)


def precision_recall_fscore_support(
    y_true,
    y_pred,
    *,
    beta=1.0,
    labels=None,
    pos_label=1,
    average=None,
    warn_for=("precision", "recall", "f-score"),
    sample_weight=None,
    zero_division="warn",
):
    """Precision, recall and F-score, and how many samples the classes have.

    Of a class with TP samples found, FP wrongly taken for it and FN missed, precision is TP / (TP + FP), recall
    TP / (TP + FN), and the F-score their harmonic mean, with recall counting beta times as much.

    Parameters
    ----------
    y_true, y_pred : (N,)
        Labels, integers or strings.
    beta : float
        Weight of recall in the F-score.
    labels : (C,), optional
        Classes, in this order. Default: all that occur, sorted. "binary" takes `pos_label` whatever they are.
    pos_label : int or str
        The class that average="binary" is about.
    average : {None, "binary", "micro", "macro", "weighted"}
        None: the scores of each class. "binary": those of `pos_label`, where there are two classes. "micro": of the sums of
        TP, FP and FN over the classes. "macro": the mean over the classes. "weighted": the mean, weighted with support.
    warn_for : tuple of str
        The scores whose divisions by zero are warned of.
    sample_weight : (N,), optional
    zero_division : {"warn", 0, 1, nan}
        The score where the divisor is 0; "warn" is 0 with an `UndefinedMetricWarning`. Means leave NaN out.

    Returns
    -------
    precision, recall, fscore : float, or (C,) array with average=None
    support : (C,) array with average=None, else None
        Samples that belong to each class, int64, or their weight, float64.

    Raises
    ------
    TypeError, ValueError
        If shapes or kinds do not go together, there are no samples, or average="binary" finds more than two classes, or two
        without `pos_label`.

    Examples
    --------
    >>> precision, recall, fscore, support = precision_recall_fscore_support([0, 0, 1, 1, 1], [0, 1, 1, 1, 0])
    >>> precision.round(3), support
    (array([0.5  , 0.667]), array([2, 3]))
    """
    options = {"labels": labels, "pos_label": pos_label, "average": average, "sample_weight": sample_weight}
    options |= {"zero_division": zero_division, "warn_for": warn_for}
    return _scores("precision_recall_fscore_support", y_true, y_pred, beta, **options)


def precision_score(y_true, y_pred, *, labels=None, pos_label=1, average="binary", sample_weight=None, zero_division="warn"):
    """Of the samples taken for a class, the fraction that belong to it: TP / (TP + FP).

    Parameters
    ----------
    y_true, y_pred, labels, pos_label, average, sample_weight, zero_division
        As for `precision_recall_fscore_support`; average is "binary" unless given.

    Returns
    -------
    float, or (C,) array with average=None

    Raises
    ------
    TypeError, ValueError
        As `precision_recall_fscore_support`.

    Examples
    --------
    >>> precision_score([0, 1, 1, 0], [0, 1, 0, 1])
    0.5
    """
    options = {"labels": labels, "pos_label": pos_label, "average": average, "sample_weight": sample_weight}
    options |= {"zero_division": zero_division, "warn_for": ("precision",)}
    return _scores("precision_score", y_true, y_pred, **options)[0]


def recall_score(y_true, y_pred, *, labels=None, pos_label=1, average="binary", sample_weight=None, zero_division="warn"):
    """Of the samples of a class, the fraction that is found: TP / (TP + FN).

    Parameters
    ----------
    y_true, y_pred, labels, pos_label, average, sample_weight, zero_division
        As for `precision_recall_fscore_support`; average is "binary" unless given.

    Returns
    -------
    float, or (C,) array with average=None

    Raises
    ------
    TypeError, ValueError
        As `precision_recall_fscore_support`.

    Examples
    --------
    >>> recall_score(["a", "b", "b", "b"], ["a", "b", "b", "a"], average=None).round(3)
    array([1.   , 0.667])
    """
    options = {"labels": labels, "pos_label": pos_label, "average": average, "sample_weight": sample_weight}
    options |= {"zero_division": zero_division, "warn_for": ("recall",)}
    return _scores("recall_score", y_true, y_pred, **options)[1]


def f1_score(y_true, y_pred, *, labels=None, pos_label=1, average="binary", sample_weight=None, zero_division="warn"):
    """The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    y_true, y_pred, labels, pos_label, average, sample_weight, zero_division
        As for `precision_recall_fscore_support`; average is "binary" unless given.

    Returns
    -------
    float, or (C,) array with average=None

    Raises
    ------
    TypeError, ValueError
        As `precision_recall_fscore_support`.

    Examples
    --------
    >>> f1_score([0, 1, 2, 2], [0, 2, 2, 2], average="micro")
    0.75
    """
    options = {"labels": labels, "pos_label": pos_label, "average": average, "sample_weight": sample_weight}
    options |= {"zero_division": zero_division, "warn_for": ("f-score",)}
    return _scores("f1_score", y_true, y_pred, **options)[2]


def present(y_true, y_pred):
    """All labels that occur, sorted."""
    return np.union1d(y_true, y_pred)


def _scores(name, y_true, y_pred, beta=1.0, *, labels, pos_label, average, sample_weight, zero_division, warn_for):
    """`precision_recall_fscore_support`, under the name of the function that was called."""
    y_true, y_pred = as_label_pair(name, y_true, y_pred)
    weights = as_weights(name, sample_weight, len(y_true))
    one_of(name, average, "average", _AVERAGES)
    beta2 = (math.inf if beta == math.inf else as_number(beta, f"{name}: beta", 0)) ** 2
    instead = _zero_division(name, zero_division)
    classes = _chosen(name, y_true, y_pred, labels, pos_label, average)

    rows, columns = _positions(y_true, classes), _positions(y_pred, classes)
    found, true, predicted = (
        _counts(at, kept, weights, len(classes))
        for at, kept in ((rows, (rows == columns) & (rows >= 0)), (rows, rows >= 0), (columns, columns >= 0))
    )
    if average == "micro":
        found, true, predicted = (counts.sum(keepdims=True) for counts in (found, true, predicted))

    def divide(numerator, divisor, score, of):
        undefined = divisor == 0
        if undefined.any() and zero_division == "warn" and score in warn_for:
            warn_undefined(name, f"the {score} is set to 0 where there are no {of} samples; zero_division= says otherwise")
        return np.divide(numerator, divisor, out=np.full(len(divisor), instead), where=~undefined)

    precision = divide(found, predicted, "precision", "predicted")
    recall = divide(found, true, "recall", "true")
    if beta2 == 0 or beta2 == math.inf:
        fscore = precision if beta2 == 0 else recall
    else:
        fscore = divide((1 + beta2) * found, beta2 * true + predicted, "f-score", "true or predicted")
    if average is None:
        return precision, recall, fscore, true
    means = (_mean(score, true if average == "weighted" else None) for score in (precision, recall, fscore))
    return (*means, None)


def _chosen(name, y_true, y_pred, labels, pos_label, average):
    """The classes that are scored, in their order."""
    classes = present(y_true, y_pred)
    if average == "binary":
        if len(classes) > 2:
            raise ValueError(
                f"{name}: average='binary' is for two classes, got {len(classes)}; "
                "choose average=None, 'micro', 'macro' or 'weighted'"
            )
        if isinstance(pos_label, str) != isinstance(classes[0], str) or (len(classes) == 2 and pos_label not in classes):
            raise ValueError(f"{name}: expected pos_label to be one of {classes.tolist()}, got {pos_label!r}")
        return as_classes(name, [pos_label], y_true)
    if pos_label is not None and pos_label != 1:
        text = f"{name}: pos_label={pos_label!r} counts only with average='binary'; labels=[{pos_label!r}] scores that class"
        warnings.warn(text, UserWarning, stacklevel=4)
    return classes if labels is None else as_classes(name, labels, y_true)


def _positions(y, classes):
    """Where each label is in `classes`; -1 for those that are not there."""
    order = np.argsort(classes)
    at = np.searchsorted(classes[order], y)
    at[at == len(classes)] = 0
    position = order[at]
    return np.where(classes[position] == y, position, -1)


def _counts(at, kept, weights, length):
    """How many of those kept are at each place, int64, or their weight, float64."""
    if weights is None:
        return np.bincount(at[kept], minlength=length)
    return np.bincount(at[kept], weights[kept], length).astype(np.float64)  # without any it would be int64


def _zero_division(name, value):
    """The number that takes the place of a division by zero."""
    if isinstance(value, str) and value == "warn":
        return 0.0
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and (value in (0, 1) or value != value):
        return float(value)
    raise ValueError(f"{name}: expected zero_division to be 'warn', 0, 1 or nan, got {value!r}")


def _mean(scores, weights):
    """The mean without NaN; all alike where no weight is left."""
    kept = ~np.isnan(scores)
    if not kept.any():
        return math.nan
    if weights is not None and not weights[kept].any():
        weights = None
    return float(np.average(scores[kept], weights=None if weights is None else weights[kept]))
