"""Norms over windows of one or two axes: powers, average pooling, and a root."""

import math

from .checks import as_number
from .conv import as_planes
from .pooling import _Pool, short


class _LPPool(_Pool):
    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__()
        self.norm_type = as_number(norm_type, f"{self.class_name}: norm_type")
        if self.norm_type <= 0:
            raise ValueError(f"{self.class_name}: norm_type must be above 0, got {norm_type!r}")
        self._set_windows(kernel_size, stride, 0, 1, ceil_mode)

    def _averaging(self):
        return self._kernel, self._stride, (0, 0), 1, 0

    def _scale(self):
        return float(math.prod(self.kernel_size))

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self.buffer("out", shape, x.dtype)
        if out.size:
            powers, mean = self.buffer("powers", x.shape, x.dtype), self.buffer("mean", shape, x.dtype)
            k = self.kernels
            k.lp_pooling.power_forward(powers.reshape(-1), x.reshape(-1), self.norm_type)
            k.pooling.avgpool2d_forward(as_planes(mean), as_planes(powers), *self._averaging())
            k.lp_pooling.root_forward(out.reshape(-1), mean.reshape(-1), self.norm_type, self._scale())
        self.saved = (x, out) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x, out = self.take_saved()
        dout = self.as_dout(dout, out.shape, out.dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", x.shape, x.dtype)
        if dx.size:
            dmean, dpowers = self.buffer("dmean", out.shape, x.dtype), self.buffer("powers", x.shape, x.dtype)
            k = self.kernels
            k.lp_pooling.root_backward(dmean.reshape(-1), dout.reshape(-1), out.reshape(-1), self.norm_type, self._scale())
            k.pooling.avgpool2d_backward(as_planes(dpowers), as_planes(dmean), *self._averaging())
            k.lp_pooling.power_backward(dx.reshape(-1), dpowers.reshape(-1), x.reshape(-1), self.norm_type)
        return dx

    def extra_repr(self):
        windows = f"kernel_size={short(self.kernel_size)}, stride={short(self.stride)}"
        return f"norm_type={self.norm_type:g}, {windows}, ceil_mode={self.ceil_mode}"


class LPPool2d(_LPPool):
    """The p-norm of each KH x KW window: (sum of x^p)^(1/p), with p = norm_type.

    Shape: (N, C, H, W) -> (N, C, OH, OW), OH = (H - KH) // SH + 1, likewise OW.

    Parameters
    ----------
    norm_type : float
        p, above 0. 1 is the sum, 2 the Euclidean norm; the larger, the nearer to the maximum.
    kernel_size : int or pair
    stride : int or pair, optional
        kernel_size if not given: windows side by side.
    ceil_mode : bool
        Round OH and OW up. The sum over a window that reaches beyond x is scaled up as if it were whole.

    Raises
    ------
    ValueError
        If an argument is out of range, or x is not (N, C, H, W) or smaller than a window.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Equal to torch.nn.LPPool2d. Powers keep the sign: negative x, and negative sums, give NaN where p makes them so. Where
    the sum is 0, which has no derivative, the gradient is 0.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.LPPool2d(2, (1, 2)).forward(np.array([[[[3, -4, 0, 0]]]], np.float32))
    array([[[[5., 0.]]]], dtype=float32)
    """

    spatial = 2
    axes = "H, W"


class LPPool1d(_LPPool):
    """The p-norm of each window of K entries: (sum of x^p)^(1/p), with p = norm_type.

    Shape: (N, C, L) -> (N, C, OL), OL = (L - K) // S + 1.

    Parameters
    ----------
    norm_type : float
    kernel_size : int or tuple of one
    stride : int or tuple of one, optional
    ceil_mode : bool
        All as in `LPPool2d`.

    Raises
    ------
    ValueError, TypeError
        As `LPPool2d`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.LPPool1d(1, 2).forward(np.array([[[1, 3, 2, 0]]], np.float32))
    array([[[4., 2.]]], dtype=float32)
    """

    spatial = 1
    axes = "L"
