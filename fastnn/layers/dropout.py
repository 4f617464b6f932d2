"""Dropout."""

import numpy as np

from .activations import _not_in_place
from .base import ShapedLayer
from .checks import as_number, as_rng


class Dropout(ShapedLayer):
    """In training, sets each entry to 0 with probability p and divides the others by 1 - p. Otherwise x itself.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    p : float
        Probability, within [0, 1].
    inplace : False
    rng : int or numpy.random.Generator, optional
        Draws the masks; kept as the attribute `rng`. One seed gives the same masks in float32 and float64.

    Raises
    ------
    ValueError
        If p is not within [0, 1], or inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014), in the inverted form.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.Dropout(0.5, rng=0)
    >>> out = layer.forward(np.ones((2, 4), np.float32), training=True)
    >>> sorted(set(out.reshape(-1).tolist()))
    [0.0, 2.0]
    >>> layer.forward(np.ones((1, 4), np.float32))
    array([[1., 1., 1., 1.]], dtype=float32)
    """

    def __init__(self, p=0.5, inplace=False, *, rng=None):
        super().__init__()
        self.p = as_number(p, "Dropout: p", 0, 1)
        self.inplace = _not_in_place(self, inplace)
        self.rng = as_rng(rng, "Dropout: rng")

    def infer(self, shape, x_shape=None):
        return shape

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        if not training:
            self.saved = None
            return x
        mask = self._draw_mask(shape, x.dtype)
        out = self.buffer("out", shape, x.dtype)
        if out.size:
            self.kernels.activations.multiply(out.reshape(-1), x.reshape(-1), mask.reshape(-1))
        self.saved = mask
        return out

    def backward(self, dout, *, need_dx=True):
        mask = self.take_saved()
        dout = self.as_dout(dout, mask.shape, mask.dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", mask.shape, mask.dtype)
        if dx.size:
            self.kernels.activations.multiply(dx.reshape(-1), dout.reshape(-1), mask.reshape(-1))
        return dx

    def _draw_mask(self, shape, dtype):
        """0 with probability p, 1 / (1 - p) otherwise."""
        mask = self.buffer("mask", shape, dtype)
        if self.p == 1:
            mask.fill(0)
            return mask
        uniform = self.buffer("uniform", shape, np.float32)
        self.rng.random(out=uniform, dtype=np.float32)
        np.greater_equal(uniform, np.float32(self.p), out=mask)
        mask *= 1 / (1 - self.p)
        return mask

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"
