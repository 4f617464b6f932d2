"""Losses: how far predictions are from targets, and the gradient of that.

    CrossEntropyLoss     logits against class indices or probabilities
    NLLLoss              log-probabilities against class indices
    MSELoss              squared differences
    BCEWithLogitsLoss    logits against values in 0..1, element by element

    loss.forward(prediction, target) -> float        also loss(prediction, target)
    loss.backward() -> dprediction                   of the last forward

Names, arguments, defaults and results are torch.nn's. N batch, C classes, L the remaining axes flattened.
"""

import math

import numpy as np

from . import kernels as _kernels
from .layers.changes import note_options
from .layers.checks import as_int, as_number

_REDUCTIONS = ("mean", "sum", "none")


class Loss:
    """What every loss has: a reduction, `forward`, `backward`, and the kernels it runs on.

    Subclasses implement `check` and ``_compute(prediction, target) -> (values, divisor, gradient)``: the loss of each
    item, what the mean divides their sum by, and a function of the upstream factor that returns dprediction.

    Attributes
    ----------
    reduction : {"mean", "sum", "none"}
    divisor : float or None
        What the last forward divided by when taking the mean (items, or their total class weight). The mean over
        several batches is the mean of their losses weighted with it.
    """

    _version = 0  # counts changes of settings, for plans

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name not in ("divisor", "_saved"):  # what each forward leaves behind
            self.__dict__["_version"] = self._version + 1
            note_options()

    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        name = type(self).__name__
        if size_average is not None or reduce is not None:
            raise ValueError(f"{name}: size_average and reduce are not supported, use reduction=")
        if not isinstance(reduction, str):
            raise TypeError(f"{name}: expected reduction to be a string, got {reduction!r}")
        if reduction not in _REDUCTIONS:
            raise ValueError(f"{name}: expected reduction 'mean', 'sum' or 'none', got {reduction!r}")
        self.reduction = reduction
        self.divisor = None
        self._own_kernels = None
        self._saved = None

    @property
    def kernels(self):
        """The kernel package this loss runs on: its own choice (`use`), else `kernels.active()`."""
        return self._own_kernels or _kernels.active()

    def use(self, which):
        """Run on other kernels: "numba", "reference", one of the two packages, or None for `kernels.active()`."""
        self._own_kernels = None if which is None else _kernels.resolve(which)
        return self

    def forward(self, prediction, target):
        """Loss of a batch.

        Parameters
        ----------
        prediction : array of float32 or float64
        target : array
            See the class.

        Returns
        -------
        float, or array for ``reduction="none"``

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype; for a wrong shape or labels out of range.
        """
        prediction = self._check_prediction(prediction)
        target = np.asarray(target)
        self.check(prediction.shape, target)
        # A diverged network shows as an infinite or NaN loss, not as a warning.
        with np.errstate(all="ignore"):
            values, divisor, gradient = self._compute(prediction, target)
            self.divisor = float(divisor)
            self._saved = (gradient, values.shape, prediction.dtype)
            if self.reduction == "none":
                return values
            total = values.sum(dtype=np.float64)
            return float(total if self.reduction == "sum" else np.float64(total) / self.divisor)

    __call__ = forward

    def backward(self, dloss=None):
        """Gradient of the last forward with respect to its prediction.

        Parameters
        ----------
        dloss : float or array, optional
            Gradient of the final objective with respect to this loss; default 1. With ``reduction="none"`` an array of
            the shape that forward returned, and required.

        Returns
        -------
        array
            A new one, of the prediction's shape and dtype.

        Raises
        ------
        RuntimeError
            Without a forward before it.
        """
        name = type(self).__name__
        if self._saved is None:
            raise RuntimeError(f"{name}: backward needs a forward before it, once each")
        gradient, shape, dtype = self._saved
        if self.reduction == "none":
            if dloss is None:
                raise TypeError(f"{name}: backward needs dloss of shape {shape} when reduction='none'")
            dloss = np.asarray(dloss)
            if dloss.shape != shape:
                raise ValueError(f"{name}: expected dloss of shape {shape}, got dloss.shape={dloss.shape}")
            if dloss.dtype.kind not in "fiu":
                raise TypeError(f"{name}: expected dloss of real numbers, got {dloss.dtype}")
            factor = dloss.astype(dtype, copy=False)
        else:
            factor = 1.0
            if dloss is not None:
                dloss = np.asarray(dloss)
                if dloss.ndim or dloss.dtype.kind not in "fiu":
                    raise TypeError(f"{name}: expected dloss to be a number, got {dloss!r}")
                factor = float(dloss)
            if self.reduction == "mean":
                # A batch that weighs nothing (every label ignored) has the loss NaN and, as in PyTorch, gradients of
                # zero.
                factor = factor / self.divisor if self.divisor else 0.0
        self._saved = None
        with np.errstate(all="ignore"):
            return gradient(factor)

    def check(self, shape, target):
        """Raise unless `target` fits predictions of `shape`; `forward` does so before any computation.

        Parameters
        ----------
        shape : tuple of int
        target : array

        Raises
        ------
        TypeError, ValueError

        Examples
        --------
        >>> import numpy as np
        >>> CrossEntropyLoss().check((2, 10), np.array([3, 10]))
        Traceback (most recent call last):
        ValueError: CrossEntropyLoss: expected labels in 0..9 (or ignore_index=-100), got 10 at target[1]
        """

    def __repr__(self):
        return f"{type(self).__name__}()"

    def __getstate__(self):
        return {**self.__dict__, "_saved": None}

    def _check_prediction(self, prediction):
        """`prediction` as a C-contiguous float32 or float64 array of native byte order."""
        prediction = np.asarray(prediction)
        if prediction.dtype.kind != "f" or prediction.dtype.itemsize not in (4, 8):
            raise TypeError(f"{type(self).__name__}: expected float32 or float64 predictions, got {prediction.dtype}")
        return np.asarray(prediction, dtype=prediction.dtype.newbyteorder("="), order="C")


class _ClassLoss(Loss):
    """A loss over C classes: class weights, labels, and the (N, C, L) view of predictions."""

    def __init__(self, weight, size_average, ignore_index, reduce, reduction):
        super().__init__(size_average, reduce, reduction)
        name = type(self).__name__
        self.ignore_index = as_int(ignore_index, f"{name}: ignore_index")
        self.weight = None if weight is None else _real_array(name, "weight", weight)
        if self.weight is not None and self.weight.ndim != 1:
            raise ValueError(f"{name}: expected weight of shape (C,), got weight.shape={self.weight.shape}")
        if self.weight is not None and not (self.weight >= 0).all():
            raise ValueError(f"{name}: expected weights >= 0, got {self.weight[~(self.weight >= 0)][0]}")

    def check(self, shape, target):
        """Raise unless `target` holds labels for predictions of `shape`."""
        name = type(self).__name__
        self._check_classes(shape)
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


class CrossEntropyLoss(_ClassLoss):
    """Cross-entropy between the softmax of logits and labels or probabilities.

    For labels ``loss = (1 - s) * w[t] * -logp[t] + s / C * sum_c w[c] * -logp[c]`` with ``logp = log_softmax(x)`` and
    label smoothing s; the mean divides by the sum of w[t]. For probabilities p ``loss = sum_c w[c] * p[c] * -logp[c]``
    with p smoothed likewise; the mean divides by the number of items.

    Shape: prediction (N, C), (N, C, d1, ...) or (C,); target labels (N), (N, d1, ...) or () of any integer dtype, or
    probabilities of the prediction's shape (floats; used in the prediction's dtype).

    Parameters
    ----------
    weight : (C,), optional
        Weight of each class.
    size_average, reduce
        Not supported.
    ignore_index : int
        Items with this label count nothing. Not with probabilities.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float in 0..1

    Notes
    -----
    Names and semantics of torch.nn.CrossEntropyLoss.

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
    """

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0):
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self.label_smoothing = as_number(label_smoothing, "CrossEntropyLoss: label_smoothing", 0, 1)

    def check(self, shape, target):
        """Raise unless `target` holds labels or probabilities for predictions of `shape`."""
        self._check_classes(shape)
        labels_shape, kind = _labels_shape(shape), target.dtype.kind
        if target.shape == labels_shape and kind in "iu":
            self._check_range(target, shape[1] if len(shape) > 1 else shape[0])
        elif target.shape == shape and kind == "f":
            if self.ignore_index >= 0:
                raise ValueError(
                    f"CrossEntropyLoss: ignore_index={self.ignore_index} is not supported with probabilities as target"
                )
        else:
            error = TypeError if target.shape in (labels_shape, shape) else ValueError
            raise error(
                f"CrossEntropyLoss: expected integer labels of shape {labels_shape} or float probabilities of shape "
                f"{shape}, got {target.dtype}, target.shape={target.shape}"
            )

    def _compute(self, prediction, target):
        x, weight = self._flatten(prediction)
        family = self.kernels.cross_entropy
        values = np.empty((x.shape[0], x.shape[2]), x.dtype)
        dx = np.empty_like(x)
        if target.dtype.kind == "f":
            target = np.asarray(target, dtype=x.dtype, order="C").reshape(x.shape)
            divisor = values.size
            if values.size:
                family.cross_entropy_probabilities_forward(values, dx, x, target, weight, self.label_smoothing)
        else:
            labels = _as_labels(target, values.shape)
            divisor = self._total_weight(labels, weight)
            if values.size:
                args = (labels, weight, self.label_smoothing, self.ignore_index)
                family.cross_entropy_forward(values, dx, x, *args)

        def gradient(factor):
            if values.size and not (np.ndim(factor) == 0 and factor == 1):
                scale = np.empty_like(values)
                scale[...] = np.reshape(factor, scale.shape) if np.ndim(factor) else factor
                family.scale_rows(dx, scale)
            return dx.reshape(prediction.shape)

        return values.reshape(_labels_shape(prediction.shape)), divisor, gradient


class NLLLoss(_ClassLoss):
    """Negative log-likelihood: ``-w[t] * x[t]`` of log-probabilities x (as `LogSoftmax` gives them) and labels t.

    Shape: prediction (N, C), (N, C, d1, ...) or (C,); target (N), (N, d1, ...) or () of any integer dtype. The mean
    divides by the sum of w[t].

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
        labels = _as_labels(target, (x.shape[0], x.shape[2]))
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


class MSELoss(Loss):
    """Squared difference ``(x - y)**2``, the mean over all elements.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.

    Parameters
    ----------
    size_average, reduce
        Not supported.
    reduction : {"mean", "sum", "none"}

    Notes
    -----
    Names and semantics of torch.nn.MSELoss, except that shapes must be equal instead of broadcast.

    Examples
    --------
    >>> import numpy as np
    >>> loss = MSELoss()
    >>> loss(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    2.5
    >>> loss.backward()
    array([ 1., -2.])
    """

    def check(self, shape, target):
        """Raise unless `target` holds floats of `shape`."""
        _check_like(self, shape, target)

    def _compute(self, prediction, target):
        difference = prediction - target.astype(prediction.dtype, copy=False)
        return difference**2, difference.size, lambda factor: _scaled(2 * difference, factor)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of the sigmoid of logits x with targets y in 0..1, the mean over all elements.

    ``loss = w * ((1 - y) * log(1 + exp(x)) + p * y * log(1 + exp(-x)))`` with weights w and positive weights p,
    computed without overflow for any x.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.

    Parameters
    ----------
    weight : array, optional
        Weight of each element; broadcast to the prediction's shape. The mean still divides by the number of elements.
    size_average, reduce
        Not supported.
    reduction : {"mean", "sum", "none"}
    pos_weight : array, optional
        Weight of the positive part; broadcast to the prediction's shape.

    Notes
    -----
    Names and semantics of torch.nn.BCEWithLogitsLoss.

    Examples
    --------
    >>> import numpy as np
    >>> loss = BCEWithLogitsLoss()
    >>> round(loss(np.array([0.0, -1000.0, -2.0]), np.array([1.0, 0.0, 0.0])), 4)
    0.2734
    >>> loss.backward().round(4)
    array([-0.1667,  0.    ,  0.0397])
    """

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
        super().__init__(size_average, reduce, reduction)
        name = type(self).__name__
        self.weight = None if weight is None else _real_array(name, "weight", weight)
        self.pos_weight = None if pos_weight is None else _real_array(name, "pos_weight", pos_weight)

    def check(self, shape, target):
        """Raise unless `target` holds floats of `shape`, and the weights broadcast to it."""
        _check_like(self, shape, target)
        for name, weight in (("weight", self.weight), ("pos_weight", self.pos_weight)):
            if weight is not None and not _broadcasts(weight.shape, shape):
                raise ValueError(
                    f"BCEWithLogitsLoss: expected {name} that broadcasts to prediction.shape={shape}, "
                    f"got {name}.shape={weight.shape}"
                )

    def _compute(self, prediction, target):
        x, y = prediction, target.astype(prediction.dtype, copy=False)
        positive = y if self.pos_weight is None else self.pos_weight.astype(x.dtype) * y
        # With exp(-|x|) nothing overflows, and neither tail is the small difference of two large numbers.
        decay = np.exp(-np.abs(x))
        log_term = np.log1p(decay)
        values = (1 - y) * (log_term + np.maximum(x, 0)) + positive * (log_term + np.maximum(-x, 0))
        slope = ((1 - y) * np.where(x > 0, 1, decay) - positive * np.where(x > 0, decay, 1)) / (1 + decay)
        if self.weight is not None:
            weight = self.weight.astype(x.dtype)
            values, slope = values * weight, slope * weight
        return values, values.size, lambda factor: _scaled(slope, factor)


def _labels_shape(shape):
    """Shape of the labels for predictions (N, C, ...) or (C,)."""
    return (shape[0], *shape[2:]) if len(shape) > 1 else ()


def _as_labels(target, shape):
    """Labels as kernels take them: int64, (N, L)."""
    return np.asarray(target, dtype=np.int64, order="C").reshape(shape)


def _broadcasts(shape, to):
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _real_array(owner, name, value):
    """A float64 copy of finite real numbers."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{owner}: expected {name} to be real numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{owner}: expected finite values in {name}, got {array[~np.isfinite(array)][0]}")
    return array


def _check_like(loss, shape, target):
    """Raise unless `target` holds floats of `shape`."""
    name = type(loss).__name__
    if target.dtype.kind != "f":
        raise TypeError(f"{name}: expected floating-point targets, got {target.dtype}")
    if target.shape != shape:
        raise ValueError(f"{name}: expected a target of the prediction's shape {shape}, got target.shape={target.shape}")


def _scaled(array, factor):
    """array * factor in the array's dtype."""
    return np.asarray(array * np.asarray(factor, array.dtype))
