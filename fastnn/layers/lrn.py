"""Local response normalization across channels."""

import math

from .base import ShapedLayer
from .checks import as_int, as_number


class LocalResponseNorm(ShapedLayer):
    """Divide each value by what its neighbours in the channels respond: x / (k + alpha/size * sum of squares)**beta.

    The sum runs over `size` channels around each, at the same position: from ``c - size//2`` to ``c + (size - 1)//2``, as far
    as there are channels.

    Shape: (N, C, L) -> (N, C, L), (N, C, H, W) -> (N, C, H, W), or more axes

    Parameters
    ----------
    size : int
        Channels in a window.
    alpha : float
        Weight of the mean square, not below 0.
    beta : float
        Exponent. 0.5, 0.75 and 1 take square roots and no general power.
    k : float
        Added to the mean square, not below 0.

    Raises
    ------
    ValueError
        If an argument is out of range, or x has no axis behind the channels.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012), section 3.3.
    There alpha is not divided by the size: its (k, n, alpha, beta) = (2, 5, 1e-4, 0.75) is
    ``LocalResponseNorm(5, 5e-4, 0.75, 2.0)``.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.LocalResponseNorm(3, alpha=3.0, beta=0.5, k=0.0)
    >>> layer.forward(np.array([[[3], [0], [4]]], np.float32)).reshape(3)
    array([1., 0., 1.], dtype=float32)
    """

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        name = self.class_name
        self.size = as_int(size, f"{name}: size", minimum=1)
        self.alpha = as_number(alpha, f"{name}: alpha", minimum=0)
        self.beta = as_number(beta, f"{name}: beta")
        self.k = as_number(k, f"{name}: k", minimum=0)

    def infer(self, shape, x_shape=None):
        if len(shape) < 2:
            layout = "(N, C, L) or more axes" if x_shape is not None else "(C, L) or more axes"
            raise self.shape_error(layout, shape, x_shape)
        return shape

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        out = self.buffer("out", self.batch_output_shape(x), x.dtype)
        scale = self.buffer("scale", x.shape, x.dtype)
        if out.size:
            arrays = (self._cube(array) for array in (out, scale, x))
            self.kernels.lrn.lrn_forward(*arrays, self.size, self.alpha, self.beta, self.k)
        self.saved = (x, scale) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x, scale = self.take_saved()
        dout = self.as_dout(dout, x.shape, x.dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", x.shape, x.dtype)
        if dx.size:
            arrays = (self._cube(array) for array in (dx, dout, x, scale))
            self.kernels.lrn.lrn_backward(*arrays, self.size, self.alpha, self.beta)
        return dx

    def _cube(self, x):
        """x as (N, C, L)."""
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
