"""Targets of a data set: whether they are classes, and how many of them predictions meet.

Targets(values)       what a data set's targets are, found out once, for all of them together
count_hits(...)       correct predictions of a batch
"""

import functools

import numpy as np

from .losses import CrossEntropyLoss, NLLLoss, threshold
from .losses.classes import is_one_hot_like, one_hot_axis, one_hot_items

_ROWS = 4096  # looked at together: one temporary of all targets could be as large as the data set


class Targets:
    """The targets of a data set.

    Whether rows are one-hot is a matter of all of them: a regression may well have a batch that looks so.

    Parameters
    ----------
    values : (N, ...) array

    Examples
    --------
    >>> import fastnn as fnn
    >>> one_hot = Targets(np.eye(3)[[0, 2]])
    >>> one_hot.hits(fnn.MSELoss(), (2, 3)), Targets(np.ones((2, 3))).hits(fnn.MSELoss(), (2, 3))
    ('one-hot', None)
    >>> one_hot.for_loss(fnn.CrossEntropyLoss(), (3,)).values
    array([0, 2])
    """

    def __init__(self, values):
        self.values = values

    def _all(self, condition):
        """Whether a condition holds for every part of the values."""
        if self.values.dtype.kind not in "biuf":
            return False
        return all(condition(self.values[low : low + _ROWS]) for low in range(0, len(self.values), _ROWS))

    @functools.cached_property
    def is_one_hot(self):
        """Whether every item is one 1 and zeros."""
        return self._all(lambda part: one_hot_items(part).all())

    @functools.cached_property
    def is_binary(self):
        """Whether there is nothing but 0 and 1."""
        return self._all(lambda part: ((part == 0) | (part == 1)).all())

    @functools.cached_property
    def _as_labels(self):
        """One-hot targets as the `Targets` of their class indices."""
        return Targets(self.values.argmax(axis=one_hot_axis(self.values)))

    def for_step(self, loss, shape):
        """Class indices where the loss takes one-hot targets for labels, else the same; `shape` of a prediction, or None."""
        if type(loss) not in (CrossEntropyLoss, NLLLoss) or shape is None:
            return self
        return self._as_labels if is_one_hot_like(self.values, (len(self.values), *shape)) else self

    def for_loss(self, loss, shape):
        """`for_step`, and of floats that are one-hot, where the loss is the same.

        That is without class weights, which count otherwise in the mean over probabilities than in that over labels.
        """
        floats = self.values.dtype.kind == "f" and shape is not None and self.values.shape[1:] == tuple(shape)
        if floats and type(loss) is CrossEntropyLoss and loss.weight is None and self.is_one_hot:
            return self._as_labels
        return self.for_step(loss, shape)

    def hits(self, loss, shape):
        """How to count the correct among predictions of `shape` (N, ...): "labels", "one-hot", "binary", or None."""
        values, rest = self.values, tuple(shape[1:])
        if values.dtype.kind in "iu" and len(shape) > 1 and values.shape[1:] == rest[1:]:
            return "labels"
        if values.shape[1:] != rest:
            return None
        if rest and rest[0] > 1:
            return "one-hot" if self.is_one_hot else None
        return "binary" if rest in ((), (1,)) and threshold(loss) is not None and self.is_binary else None


def count_hits(kind, loss, prediction, target):
    """Correct predictions of a batch, and how many there are; `kind` is what `Targets.hits` says.

    Examples
    --------
    >>> import fastnn as fnn
    >>> count_hits("binary", fnn.BCELoss(), np.array([[0.2], [0.7], [0.4]]), np.array([[0.0], [1.0], [1.0]]))
    (2, 3)
    """
    if kind == "binary":
        return int(np.count_nonzero((prediction > threshold(loss)) == (target == 1))), target.size
    labels = target.argmax(axis=1) if kind == "one-hot" else target
    hits, ignored = prediction.argmax(axis=1) == labels, getattr(loss, "ignore_index", None)
    if ignored is None:
        return int(np.count_nonzero(hits)), labels.size
    kept = labels != ignored
    return int(np.count_nonzero(hits & kept)), int(np.count_nonzero(kept))
