"""Losses over C classes: of labels, one-hot targets and probabilities."""

import math

import numpy as np

from ..layers.checks import as_bool, as_int, as_number
from .base import Loss, real_array


class ClassLoss(Loss):
    """A loss over C classes: class weights, labels, and the (N, C, L) view of predictions.

    Labels may come as class indices or one-hot, as integers or bools of the prediction's shape.
    """

    def __init__(self, weight, size_average, ignore_index, reduce, reduction):
        super().__init__(size_average, reduce, reduction)
        name = type(self).__name__
        self.ignore_index = as_int(ignore_index, f"{name}: ignore_index")
        self.weight = None if weight is None else real_array(name, "weight", weight)
        if self.weight is not None and self.weight.ndim != 1:
            raise ValueError(f"{name}: expected weight of shape (C,), got weight.shape={self.weight.shape}")
        if self.weight is not None and not (self.weight >= 0).all():
            raise ValueError(f"{name}: expected weights >= 0, got {self.weight[~(self.weight >= 0)][0]}")

    def check(self, shape, target):
        """Raise unless `target` holds labels, as class indices or one-hot, for predictions of `shape`."""
        name = type(self).__name__
        self._check_classes(shape)
        if is_one_hot_like(target, shape):
            return check_one_hot(name, target)
        if target.dtype.kind not in "iu":
            raise TypeError(f"{name}: expected integer class labels, got {target.dtype}")
        if target.shape != _labels_shape(shape):
            raise ValueError(f"{name}: expected labels of shape {_labels_shape(shape)}, got target.shape={target.shape}")
        self._check_range(target, shape[1] if len(shape) > 1 else shape[0])

    def _check_classes(self, shape):
        name = type(self).__name__
        if len(shape) == 0:
            raise ValueError(f"{name}: expected predictions of shape (N, C, ...), got prediction.shape=()")
        classes = shape[1] if len(shape) > 1 else shape[0]
        if classes == 0:
            raise ValueError(f"{name}: expected at least one class, got prediction.shape={shape}")
        if self.weight is not None and self.weight.size != classes:
            raise ValueError(
                f"{name}: expected {self.weight.size} classes (the length of weight), got prediction.shape={shape}"
            )

    def _check_range(self, labels, classes):
        if labels.size == 0 or (labels.min() >= 0 and labels.max() < classes):
            return
        wrong = ((labels < 0) | (labels >= classes)) & (labels != self.ignore_index)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            at = f" at target[{', '.join(map(str, index))}]" if index else ""
            raise ValueError(
                f"{type(self).__name__}: expected labels in 0..{classes - 1} (or ignore_index={self.ignore_index}), "
                f"got {labels[index]}{at}"
            )

    def _flatten(self, prediction):
        """x (N, C, L) of a prediction (N, C, ...) or (C,), and class weights (C,) in its dtype."""
        batched = prediction if prediction.ndim > 1 else prediction[None]
        N, C = batched.shape[:2]
        weight = np.ones(C, prediction.dtype) if self.weight is None else self.weight.astype(prediction.dtype)
        return batched.reshape(N, C, math.prod(batched.shape[2:])), weight

    def _total_weight(self, labels, weight):
        """Sum of the labels' class weights, ignored ones left out."""
        kept = labels != self.ignore_index
        if self.weight is None:
            return np.count_nonzero(kept)
        return weight[labels[kept]].sum(dtype=np.float64)


class CrossEntropyLoss(ClassLoss):
    """Cross-entropy between the softmax of logits, or probabilities, and classes.

    For labels ``loss = (1 - s) * w[t] * -logp[t] + s / C * sum_c w[c] * -logp[c]`` with ``logp = log_softmax(x)`` and
    label smoothing s; the mean divides by the sum of w[t]. For probabilities p ``loss = sum_c w[c] * p[c] * -logp[c]``
    with p smoothed likewise; the mean divides by the number of items.

    With ``from_logits=False`` the prediction x holds probabilities already, as Softmax gives them, and
    ``logp = log(x + eps)``; its gradient is ``-w[t] / (x[t] + eps)``. Probabilities are neither normalised nor clipped: a
    negative one that counts gives the loss NaN, a 0 without eps an infinite one. Classes that count nothing may hold anything.

    Shape: prediction (N, C), (N, C, d1, ...) or (C,); target one of

    - labels (N), (N, d1, ...) or () of any integer dtype
    - one-hot labels of the prediction's shape: integers or bools, one 1 for each item and 0 else. They are labels.
    - probabilities of the prediction's shape: floats, used in the prediction's dtype

    Parameters
    ----------
    weight : (C,), optional
        Weight of each class.
    size_average, reduce
        Not supported.
    ignore_index : int
        Items with this label count nothing. Not with probabilities as target.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float in 0..1
    from_logits : bool
        False: the prediction holds probabilities.
    eps : float, at least 0
        Added to probabilities before the logarithm is taken, which keeps loss and gradient finite at 0. Only with
        ``from_logits=False``.

    Notes
    -----
    Names and semantics of torch.nn.CrossEntropyLoss. `from_logits` is named after Keras, and is fastnn's like `eps` and
    integer one-hot targets. Logits are more accurate, and quicker: softmax and cross-entropy are one kernel then.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.random.default_rng(0).standard_normal((2, 3))
    >>> loss = CrossEntropyLoss()
    >>> round(loss(logits, np.array([0, 2])), 4)
    1.0085
    >>> loss.backward().round(4)
    array([[-0.3549,  0.1121,  0.2428],
           [ 0.1773,  0.0935, -0.2708]])
    >>> loss(logits, np.array([[1, 0, 0], [0, 0, 1]])) == loss(logits, np.array([0, 2]))
    True
    >>> loss = CrossEntropyLoss(from_logits=False, eps=1e-7)
    >>> round(loss(np.array([0.1, 0.6, 0.3]), 1), 6), loss.backward().round(4)
    (0.510825, array([ 0.    , -1.6667,  0.    ]))
    """

    def __init__(
        self,
        weight=None,
        size_average=None,
        ignore_index=-100,
        reduce=None,
        reduction="mean",
        label_smoothing=0.0,
        *,
        from_logits=True,
        eps=0.0,
    ):
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self.label_smoothing = as_number(label_smoothing, "CrossEntropyLoss: label_smoothing", 0, 1)
        self.from_logits = as_bool(from_logits, "CrossEntropyLoss: from_logits")
        self.eps = as_number(eps, "CrossEntropyLoss: eps", 0)
        if self.eps and self.from_logits:
            raise ValueError(f"CrossEntropyLoss: eps={eps!r} needs from_logits=False: logits have no logarithm to guard")

    def check(self, shape, target):
        """Raise unless `target` holds labels or probabilities for predictions of `shape`."""
        self._check_classes(shape)
        labels_shape, kind = _labels_shape(shape), target.dtype.kind
        if is_one_hot_like(target, shape):
            check_one_hot("CrossEntropyLoss", target)
        elif target.shape == labels_shape and kind in "iu":
            self._check_range(target, shape[1] if len(shape) > 1 else shape[0])
        elif target.shape == shape and kind == "f":
            if self.ignore_index >= 0:
                raise ValueError(
                    f"CrossEntropyLoss: ignore_index={self.ignore_index} is not supported with probabilities as target"
                )
        else:
            error = TypeError if target.shape in (labels_shape, shape) else ValueError
            raise error(
                f"CrossEntropyLoss: expected integer labels of shape {labels_shape}, or float probabilities or one-hot "
                f"integers of shape {shape}, got {target.dtype}, target.shape={target.shape}"
            )

    def _compute(self, prediction, target):
        x, weight = self._flatten(prediction)
        values, dx = np.empty((x.shape[0], x.shape[2]), x.dtype), np.empty_like(x)
        if target.dtype.kind == "f":
            target = np.asarray(target, dtype=x.dtype, order="C").reshape(x.shape)
            divisor = values.size
        else:
            target = _as_labels(target, prediction.shape)
            divisor = self._total_weight(target, weight)
        if values.size:
            (self._from_logits if self.from_logits else self._from_probabilities)(values, dx, x, target, weight)

        def gradient(factor):
            if values.size and not (np.ndim(factor) == 0 and factor == 1):
                scale = np.empty_like(values)
                scale[...] = np.reshape(factor, scale.shape) if np.ndim(factor) else factor
                self.kernels.cross_entropy.scale_rows(dx, scale)
            return dx.reshape(prediction.shape)

        return values.reshape(_labels_shape(prediction.shape)), divisor, gradient

    def _from_logits(self, values, dx, x, target, weight):
        family = self.kernels.cross_entropy
        if target.dtype.kind == "f":
            family.cross_entropy_probabilities_forward(values, dx, x, target, weight, self.label_smoothing)
        else:
            family.cross_entropy_forward(values, dx, x, target, weight, self.label_smoothing, self.ignore_index)

    def _from_probabilities(self, values, dx, x, target, weight):
        s, shares = self.label_smoothing, weight[:, None]
        if target.dtype.kind == "f":
            target = shares * ((1 - s) * target + s / x.shape[1])
        else:
            kept = target != self.ignore_index
            chosen = np.where(kept, target, 0)
            target = np.empty_like(x)
            target[...] = s / x.shape[1] * shares
            at = np.take_along_axis(target, chosen[:, None], axis=1) + ((1 - s) * weight[chosen])[:, None]
            np.put_along_axis(target, chosen[:, None], at, axis=1)
            target *= kept[:, None]
        self.kernels.losses.log_loss_forward(values, dx, x, target, self.eps)


class NLLLoss(ClassLoss):
    """Negative log-likelihood: ``-w[t] * x[t]`` of log-probabilities x (as `LogSoftmax` gives them) and labels t.

    Shape: prediction (N, C), (N, C, d1, ...) or (C,); target (N), (N, d1, ...) or () of any integer dtype, or one-hot
    integers or bools of the prediction's shape. The mean divides by the sum of w[t].

    Parameters
    ----------
    weight : (C,), optional
        Weight of each class.
    size_average, reduce
        Not supported.
    ignore_index : int
        Items with this label count nothing.
    reduction : {"mean", "sum", "none"}

    Notes
    -----
    Names and semantics of torch.nn.NLLLoss.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
    >>> round(NLLLoss()(np.log(p), np.array([0, 1])), 4)
    1.0397
    """

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        super().__init__(weight, size_average, ignore_index, reduce, reduction)

    def _compute(self, prediction, target):
        x, weight = self._flatten(prediction)
        labels = _as_labels(target, prediction.shape)
        kept = labels != self.ignore_index
        chosen = np.where(kept, labels, 0)
        # Ignored items are set to 0 rather than multiplied with it: a NaN prediction under an ignored label counts
        # nothing.
        item_weight = np.where(kept, weight[chosen], 0)
        picked = np.take_along_axis(x, chosen[:, None], axis=1)[:, 0]
        values = np.where(kept, -item_weight * picked, 0).astype(x.dtype, copy=False)

        def gradient(factor):
            dx = np.zeros_like(x)
            dvalues = np.where(kept, -item_weight * np.reshape(factor, labels.shape if np.ndim(factor) else ()), 0)
            np.put_along_axis(dx, chosen[:, None], dvalues[:, None].astype(x.dtype), axis=1)
            return dx.reshape(prediction.shape)

        return values.reshape(_labels_shape(prediction.shape)), self._total_weight(labels, weight), gradient


def _labels_shape(shape):
    """Shape of the labels for predictions (N, C, ...) or (C,)."""
    return (shape[0], *shape[2:]) if len(shape) > 1 else ()


def _as_labels(target, shape):
    """Labels, given as class indices or one-hot, as kernels take them: int64, (N, L), for predictions of `shape`."""
    if is_one_hot_like(target, shape):
        target = target.argmax(axis=one_hot_axis(target))
    shape = shape if len(shape) > 1 else (1, *shape)
    return np.asarray(target, dtype=np.int64, order="C").reshape(shape[0], math.prod(shape[2:]))


def one_hot_axis(target):
    """The axis of the classes."""
    return 1 if target.ndim > 1 else 0


def is_one_hot_like(target, shape):
    """Whether a target is meant one-hot: integers or bools of the shape of predictions. Labels have an axis less."""
    return target.dtype.kind in "iub" and target.ndim > 0 and target.shape == tuple(shape)


def one_hot_items(target):
    """Of each item of a target (N, C, ...) or (C,): whether it is one 1 and zeros.

    Examples
    --------
    >>> one_hot_items(np.array([[0, 1, 0], [0, 1, 1], [0.5, 0.5, 0], [0, 0, 0]]))
    array([ True, False, False, False])
    """
    axis, ones = one_hot_axis(target), target == 1
    return ((target == 0) | ones).all(axis=axis) & (np.count_nonzero(ones, axis=axis) == 1)


def check_one_hot(name, target):
    """Raise unless every item of an integer or bool target is one 1 and zeros."""
    good = one_hot_items(target)
    if good.all():
        return
    index = tuple(int(i) for i in np.argwhere(~good)[0])
    at = f" at target[{', '.join(map(str, (index[0], *':' * (target.ndim > 2), *index[1:])))}]" if index else ""
    row = np.moveaxis(target, one_hot_axis(target), -1)[index]
    values = np.array2string(row.astype(int) if row.dtype.kind == "b" else row, threshold=12, edgeitems=5)
    raise ValueError(
        f"{name}: expected one-hot targets, one 1 and zeros for each item (or labels of shape "
        f"{_labels_shape(target.shape)}), got {values}{at}"
    )
