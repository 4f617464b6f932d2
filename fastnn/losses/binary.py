"""Losses of yes and no: values in 0..1 against targets in 0..1, element by element."""

import numpy as np

from .base import ElementLoss, broadcasts, real_array


class _BinaryLoss(ElementLoss):
    """A binary loss with a weight for each element."""

    def __init__(self, weight, size_average, reduce, reduction):
        super().__init__(size_average, reduce, reduction)
        self.weight = None if weight is None else real_array(type(self).__name__, "weight", weight)

    def check(self, shape, target):
        super().check(shape, target)
        self._check_weight("weight", shape)

    def _check_weight(self, name, shape):
        weight = getattr(self, name)
        if weight is not None and not broadcasts(weight.shape, shape):
            raise ValueError(
                f"{type(self).__name__}: expected {name} that broadcasts to prediction.shape={shape}, "
                f"got {name}.shape={weight.shape}"
            )

    def _apply_weight(self, values, dx, shape):
        if self.weight is not None:
            for array in (values.reshape(shape), dx.reshape(shape)):
                np.multiply(array, self.weight.astype(array.dtype), out=array)


class BCELoss(_BinaryLoss):
    """Binary cross-entropy of probabilities x, as Sigmoid gives them, with targets y in 0..1, the mean over all elements.

    ``loss = -w * (y * log(x) + (1 - y) * log(1 - x))`` with weights w and both logarithms no less than -100; the gradient
    is ``w * (x - y) / max((1 - x) * x, 1e-12)``. `BCEWithLogitsLoss` of what goes into the Sigmoid is more accurate.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.
    Predictions and targets outside 0..1 raise ValueError; predictions that are NaN give the loss NaN.

    Parameters
    ----------
    weight : array, optional
        Weight of each element; broadcast to the prediction's shape. The mean still divides by the number of elements.
    size_average, reduce
        Not supported.
    reduction : {"mean", "sum", "none"}

    Notes
    -----
    Names and semantics of torch.nn.BCELoss, which refuses NaN too.

    Examples
    --------
    >>> import numpy as np
    >>> loss = BCELoss()
    >>> round(loss(np.array([0.5, 0.0, 0.1]), np.array([1.0, 0.0, 0.0])), 4)
    0.2662
    >>> loss.backward().round(4)
    array([-0.6667,  0.    ,  0.3704])
    """

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(weight, size_average, reduce, reduction)

    def check(self, shape, target):
        """Raise unless `target` holds floats in 0..1 of `shape`, and the weights broadcast to it."""
        super().check(shape, target)
        wrong = ~((target >= 0) & (target <= 1))
        if wrong.any():
            raise ValueError(f"BCELoss: expected targets in 0..1, got {_first(target, wrong, 'target')}")

    def _run(self, values, dx, x, y, shape):
        wrong = (x < 0) | (x > 1)
        if wrong.any():
            found = _first(x.reshape(shape), wrong.reshape(shape), "prediction")
            raise ValueError(f"BCELoss: expected predictions in 0..1, as Sigmoid gives them, got {found}")
        self.kernels.losses.bce_forward(values, dx, x, y)
        self._apply_weight(values, dx, shape)


class BCEWithLogitsLoss(_BinaryLoss):
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
        super().__init__(weight, size_average, reduce, reduction)
        self.pos_weight = None if pos_weight is None else real_array(type(self).__name__, "pos_weight", pos_weight)

    def check(self, shape, target):
        """Raise unless `target` holds floats of `shape`, and the weights broadcast to it."""
        super().check(shape, target)
        self._check_weight("pos_weight", shape)

    def _run(self, values, dx, x, y, shape):
        positive = y
        if self.pos_weight is not None:
            positive = (self.pos_weight.astype(x.dtype) * y.reshape(shape)).reshape(-1)
        self.kernels.losses.bce_with_logits_forward(values, dx, x, y, positive)
        self._apply_weight(values, dx, shape)


def threshold(loss):
    """The prediction above which a binary loss means 1 rather than 0; None for other losses."""
    return 0.5 if isinstance(loss, BCELoss) else 0.0 if isinstance(loss, BCEWithLogitsLoss) else None


def _first(array, wrong, name):
    """The first wrong value of an array, and where it is."""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{array[index]} at {name}[{', '.join(map(str, index))}]" if index else f"{array}"
