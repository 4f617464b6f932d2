"""Axes joined into one."""

import math

from .base import ShapedLayer
from .checks import as_int


class Flatten(ShapedLayer):
    """Join the axes start_dim to end_dim into one; no data moves.

    Shape: (N, C, H, W) -> (N, C*H*W) by default.

    Parameters
    ----------
    start_dim, end_dim : int
        First and last axis to join, counting the batch as 0; negative ones from the end. The batch itself stays.

    Raises
    ------
    ValueError
        If x has no such axes, or they would include the batch.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Flatten().output_shape((16, 4, 4))
    (256,)
    >>> fnn.Flatten(2).forward(np.zeros((3, 16, 4, 4), np.float32)).shape
    (3, 16, 16)
    """

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = as_int(start_dim, "Flatten: start_dim")
        self.end_dim = as_int(end_dim, "Flatten: end_dim")
        if self.start_dim == 0 or self.end_dim == 0:
            raise ValueError(f"Flatten: axis 0 is the batch and stays, got start_dim={self.start_dim}, end_dim={self.end_dim}")

    def infer(self, shape, x_shape=None):
        ndim = len(shape) + 1
        first, last = (d + ndim if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 1 <= first <= last < ndim:
            joined = f"axes start_dim={self.start_dim} to end_dim={self.end_dim} behind the batch"
            raise self.shape_error(joined, shape, x_shape)
        return (*shape[: first - 1], math.prod(shape[first - 1 : last]), *shape[last:])

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        out = x.reshape(self.batch_output_shape(x))
        self.saved = (x.shape, out.shape, x.dtype) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, out_shape, dtype = self.take_saved()
        dout = self.as_dout(dout, out_shape, dtype)
        return dout.reshape(x_shape) if need_dx else None

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
