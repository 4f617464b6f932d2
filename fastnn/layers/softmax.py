"""Softmax and its logarithm along one axis."""

import math

from .base import ShapedLayer
from .checks import as_int


class _Normalised(ShapedLayer):
    """Runs a softmax kernel over x as (A, C, B): the axes before `dim`, dim itself, the axes behind it."""

    family = None

    def __init__(self, dim=None):
        super().__init__()
        self.dim = None if dim is None else as_int(dim, f"{self.class_name}: dim")

    def axis(self, ndim, shape, x_shape):
        """The axis that `dim` names in a batch of `ndim` axes."""
        if self.dim is None:
            if ndim not in (2, 4):
                raise self.shape_error("2 or 4 axes unless dim is given", shape, x_shape)
            return 1
        if not -ndim <= self.dim < ndim:
            raise self.shape_error(f"an axis dim={self.dim} (of the batch)", shape, x_shape)
        return self.dim % ndim

    def infer(self, shape, x_shape=None):
        self.axis(len(shape) + 1, shape, x_shape)
        return shape

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        out = self.buffer("out", self.batch_output_shape(x), x.dtype)
        split = self._split(x)
        if out.size:
            getattr(self.kernels.softmax, f"{self.family}_forward")(out.reshape(split), x.reshape(split))
        self.saved = out if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        out = self.take_saved()
        dout = self.as_dout(dout, out.shape, out.dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", out.shape, out.dtype)
        split = self._split(out)
        if dx.size:
            kernel = getattr(self.kernels.softmax, f"{self.family}_backward")
            kernel(dx.reshape(split), dout.reshape(split), out.reshape(split))
        return dx

    def _split(self, x):
        axis = self.axis(x.ndim, x.shape[1:], x.shape)
        return math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])

    def extra_repr(self):
        return f"dim={self.dim}"


class Softmax(_Normalised):
    """exp(x) over its sum along one axis: positive numbers that sum to 1. Large x do not overflow.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    dim : int, optional
        The axis, counting the batch as 0. Without it, axis 1 of x with two or four axes.

    Raises
    ------
    ValueError
        If x has no such axis.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Before a loss on logits (`CrossEntropyLoss`) leave it out: the loss holds it.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Softmax(1).forward(np.array([[0.3, 2.9, 4.0]])).round(4)
    array([[0.0182, 0.2452, 0.7366]])
    """

    family = "softmax"


class LogSoftmax(_Normalised):
    """Logarithm of `Softmax`, computed as x - log(sum(exp(x))) without overflow or log(0). Goes with `NLLLoss`.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    dim : int, optional
        The axis, counting the batch as 0. Without it, axis 1 of x with two or four axes.

    Raises
    ------
    ValueError
        If x has no such axis.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.LogSoftmax(1).forward(np.array([[0.0, 0.0, 1000.0]]))
    array([[-1000., -1000.,     0.]])
    """

    family = "log_softmax"
