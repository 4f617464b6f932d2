"""Metrics of scores: whether the right class is among the best, how well scores tell two classes apart."""

import math

import numpy as np

from ..layers.checks import as_bool, as_int
from .checks import as_classes, as_labels, as_numbers, as_weights, warn_undefined


def top_k_accuracy_score(y_true, y_score, *, k=2, normalize=True, sample_weight=None, labels=None):
    """The fraction of samples whose class has one of the k highest scores.

    Of equal scores the one of the later class is the higher.

    Parameters
    ----------
    y_true : (N,)
        Labels, integers or strings.
    y_score : (N, C)
        Scores of the classes in the order of their labels: probabilities, or any others. For two classes also (N,): those of
        the second, which is predicted above 0.5 if all are within 0..1, else above 0.
    k : int
    normalize : bool
        False gives the number of samples instead, or their total weight.
    sample_weight : (N,), optional
    labels : (C,), optional
        All classes, sorted; needed if not all occur in y_true.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If shapes or kinds do not go together, there are no samples, scores are NaN, or y_true has labels beyond `labels`.

    Warns
    -----
    UndefinedMetricWarning
        If k is not below C: everything is right then.

    Examples
    --------
    >>> scores = [[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]]
    >>> top_k_accuracy_score([0, 1, 2, 2], scores, k=2)
    0.75
    """
    name = "top_k_accuracy_score"
    y_true, y_score = _labels_and_scores(name, y_true, y_score)
    weights = as_weights(name, sample_weight, len(y_true))
    k, normalize = as_int(k, f"{name}: k", 1), as_bool(normalize, f"{name}: normalize")
    classes = np.unique(y_true) if labels is None else as_classes(name, labels, y_true)
    if (classes[1:] < classes[:-1]).any():
        raise ValueError(f"{name}: expected labels to be sorted, got {classes.tolist()}")
    if not np.isin(y_true, classes).all():
        raise ValueError(f"{name}: expected all of y_true among the labels, got others too")
    if y_score.ndim == 1 and len(classes) <= 2:
        cut = 0.5 if y_score.min() >= 0 and y_score.max() <= 1 else 0.0
        y_score = np.stack([y_score <= cut, y_score > cut], axis=1)
    elif y_score.ndim != 2 or y_score.shape[1] != len(classes):
        raise ValueError(
            f"{name}: expected scores of {len(classes)} classes, got y_score.shape={y_score.shape}; "
            "labels= names those that do not occur in y_true"
        )
    count = y_score.shape[1]
    if k >= count:
        warn_undefined(name, f"with k={k} and {count} classes every sample counts as right")
    at = np.searchsorted(classes, y_true)[:, None]
    own = np.take_along_axis(y_score, at, axis=1)
    better = (y_score > own) | ((y_score == own) & (np.arange(count) > at))
    right = better.sum(axis=1) < k
    if normalize:
        return float(np.average(right, weights=weights))
    return float(right.sum() if weights is None else weights[right].sum())


def roc_auc_score(y_true, y_score, *, sample_weight=None):
    """The area under the ROC curve of two classes: the probability that one of the second class has the higher score.

    Equal scores count as one half.

    Parameters
    ----------
    y_true : (N,)
        Labels of two classes, integers or strings; the greater one is the second.
    y_score : (N,)
        Scores, probabilities or any others, higher for the second class.
    sample_weight : (N,), optional

    Returns
    -------
    float
        NaN if only one class occurs.

    Raises
    ------
    TypeError, ValueError
        If shapes or kinds do not go together, there are no samples or more than two classes, or scores are NaN.

    Warns
    -----
    UndefinedMetricWarning
        If only one class occurs.

    Notes
    -----
    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic curve" (1982).

    Examples
    --------
    >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    name = "roc_auc_score"
    y_true, y_score = _labels_and_scores(name, y_true, y_score)
    if y_score.ndim != 1:
        raise ValueError(f"{name}: expected scores of shape (N,), those of the second class, got y_score.shape={y_score.shape}")
    weights = as_weights(name, sample_weight, len(y_true))
    classes = np.unique(y_true)
    if len(classes) > 2:
        raise ValueError(f"{name}: expected two classes, got {len(classes)}")
    weights = np.ones(len(y_true)) if weights is None else weights
    values, at = np.unique(y_score, return_inverse=True)
    second = (y_true == classes[-1]) & (len(classes) == 2)
    above, below = (np.bincount(at, weights * part, len(values)) for part in (second, ~second))
    pairs = above.sum() * below.sum()
    if pairs == 0:
        warn_undefined(name, "it is not defined, because only one class occurs")
        return math.nan
    return float((above * (np.cumsum(below) - below / 2)).sum() / pairs)


def _labels_and_scores(name, y_true, y_score):
    """(N,) labels and (N, ...) scores that go with them."""
    y_true, y_score = as_labels(name, y_true, "y_true"), as_numbers(name, y_score, "y_score")
    if y_score.shape[:1] != y_true.shape:
        raise ValueError(f"{name}: expected scores for {len(y_true)} samples, got y_score.shape={y_score.shape}")
    if len(y_true) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    if np.isnan(y_score).any():
        raise ValueError(f"{name}: expected numbers in y_score, got NaN")
    return y_true, y_score
