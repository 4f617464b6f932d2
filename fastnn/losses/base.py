"""What losses have in common: `Loss`, and `ElementLoss` of those that go element by element."""

import numpy as np

from .. import kernels as _kernels
from ..layers.changes import note_options
from ..layers.checks import as_number

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
        >>> import numpy as np, fastnn as fnn
        >>> fnn.CrossEntropyLoss().check((2, 10), np.array([3, 10]))
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


class ElementLoss(Loss):
    """A loss of each element alone: the target has the prediction's shape, the mean divides by the number of elements.

    Subclasses implement ``_run(values, dx, x, y, shape)``, which writes the loss and its gradient of flat arrays.
    """

    def check(self, shape, target):
        """Raise unless `target` holds floats of `shape`."""
        name = type(self).__name__
        if target.dtype.kind != "f":
            raise TypeError(f"{name}: expected floating-point targets, got {target.dtype}")
        if target.shape != shape:
            raise ValueError(f"{name}: expected a target of the prediction's shape {shape}, got target.shape={target.shape}")

    def _compute(self, prediction, target):
        x, y = prediction.reshape(-1), np.asarray(target, dtype=prediction.dtype, order="C").reshape(-1)
        values, dx = np.empty_like(x), np.empty_like(x)
        self._run(values, dx, x, y, prediction.shape)
        values, dx = values.reshape(prediction.shape), dx.reshape(prediction.shape)

        def gradient(factor):
            if np.ndim(factor) or factor != 1:
                np.multiply(dx, np.asarray(factor, dx.dtype), out=dx)
            return dx

        return values, values.size, gradient


def broadcasts(shape, to):
    """Whether an array of `shape` broadcasts to the shape `to`."""
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def real_array(owner, name, value):
    """A float64 copy of finite real numbers."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{owner}: expected {name} to be real numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{owner}: expected finite values in {name}, got {array[~np.isfinite(array)][0]}")
    return array


def as_positive(value, what):
    """`value` as a float above 0."""
    number = as_number(value, what, 0)
    if number == 0:
        raise ValueError(f"{what} must be above 0, got {value!r}")
    return number
