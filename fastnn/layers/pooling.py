"""Max, average and adaptive average pooling over one or two axes, on the two-dimensional kernels (one axis: H = 1)."""

import math

import numpy as np

from ..kernels.geometry import pool_output_size
from .base import ShapedLayer
from .checks import as_bool, as_int, as_ints, only_default
from .conv import as_plane_pair, as_planes

LARGEST_PLANE = 2**31 - 1  # positions of maxima are kept in int32


class _Pool(ShapedLayer):
    """Windows of one size at regular steps: what max and average pooling share."""

    spatial = None
    axes = None

    def _set_windows(self, kernel_size, stride, padding, dilation, ceil_mode):
        name, n = self.class_name, self.spatial
        self.kernel_size = as_ints(kernel_size, f"{name}: kernel_size", n, minimum=1)
        self.stride = as_ints(kernel_size if stride is None else stride, f"{name}: stride", n, minimum=1)
        self.padding = as_ints(padding, f"{name}: padding", n, minimum=0)
        self.ceil_mode = as_bool(ceil_mode, f"{name}: ceil_mode")
        dilation = as_ints(dilation, f"{name}: dilation", n, minimum=1)
        for p, k, d in zip(self.padding, self.kernel_size, dilation):
            # As in PyTorch, so that no window lies in the padding alone.
            if p > (d * (k - 1) + 1) // 2:
                raise ValueError(
                    f"{name}: padding must be at most half the window, got padding={self.padding} "
                    f"for kernel_size={self.kernel_size}, dilation={dilation}"
                )
        self._windows = list(zip(self.kernel_size, self.stride, self.padding, dilation))
        self._kernel, self._stride = as_plane_pair(self.kernel_size, 1), as_plane_pair(self.stride, 1)
        self._padding, self._dilation = as_plane_pair(self.padding, 0), as_plane_pair(dilation, 1)
        return dilation

    def infer(self, shape, x_shape=None):
        check_planes(self, shape, x_shape)
        out = tuple(pool_output_size(size, *window, self.ceil_mode) for size, window in zip(shape[1:], self._windows))
        if min(out) < 1:
            raise self.shape_error(f"({self.axes}) of at least one window, kernel_size={self.kernel_size}", shape, x_shape)
        return (shape[0], *out)


class _MaxPool(_Pool):
    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        super().__init__()
        self.dilation = self._set_windows(kernel_size, stride, padding, dilation, ceil_mode)
        only_default(return_indices, False, f"{self.class_name}: return_indices")
        self.return_indices = False

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self.buffer("out", shape, x.dtype)
        argmax = self.buffer("argmax", shape, np.int32)
        if out.size:
            self.kernels.pooling.maxpool2d_forward(
                as_planes(out),
                as_planes(argmax),
                as_planes(x),
                self._kernel,
                self._stride,
                self._padding,
                self._dilation,
            )
        self.saved = (x.shape, argmax, x.dtype) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, argmax, dtype = self.take_saved()
        dout = self.as_dout(dout, argmax.shape, dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", x_shape, dtype)
        if dx.size:
            self.kernels.pooling.maxpool2d_backward(as_planes(dx), as_planes(dout), as_planes(argmax))
        return dx

    def extra_repr(self):
        return (
            f"kernel_size={short(self.kernel_size)}, stride={short(self.stride)}, padding={short(self.padding)}, "
            f"dilation={short(self.dilation)}, ceil_mode={self.ceil_mode}"
        )


class _AvgPool(_Pool):
    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self.buffer("out", shape, x.dtype)
        if out.size:
            self.kernels.pooling.avgpool2d_forward(as_planes(out), as_planes(x), *self._averaging())
        self.saved = (x.shape, shape, x.dtype) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, out_shape, dtype = self.take_saved()
        dout = self.as_dout(dout, out_shape, dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", x_shape, dtype)
        if dx.size:
            self.kernels.pooling.avgpool2d_backward(as_planes(dx), as_planes(dout), *self._averaging())
        return dx

    def _averaging(self):
        return self._kernel, self._stride, self._padding, self.count_include_pad, self._divisor


class _AdaptiveAvgPool(ShapedLayer):
    spatial = None
    axes = None

    def __init__(self, output_size):
        super().__init__()
        what, n = f"{self.class_name}: output_size", self.spatial
        sizes = output_size if isinstance(output_size, (tuple, list, np.ndarray)) else (output_size,) * n
        if len(sizes) != n:
            raise ValueError(f"{what} must be an int, None or {n} of them, got {output_size!r}")
        self.output_size = tuple(None if s is None else as_int(s, what, minimum=1) for s in sizes)

    def infer(self, shape, x_shape=None):
        check_planes(self, shape, x_shape)
        return (shape[0], *(size if out is None else out for size, out in zip(shape[1:], self.output_size)))

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self.buffer("out", shape, x.dtype)
        if out.size:
            self.kernels.pooling.adaptive_avgpool2d_forward(as_planes(out), as_planes(x))
        self.saved = (x.shape, shape, x.dtype) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, out_shape, dtype = self.take_saved()
        dout = self.as_dout(dout, out_shape, dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", x_shape, dtype)
        if dx.size:
            self.kernels.pooling.adaptive_avgpool2d_backward(as_planes(dx), as_planes(dout))
        return dx

    def extra_repr(self):
        return f"output_size={short(self.output_size)}"


class MaxPool2d(_MaxPool):
    """Maximum of each KH x KW window. The gradient goes to the winner; among equals, to the first in row-major order.

    Shape: (N, C, H, W) -> (N, C, OH, OW), OH = (H + 2*PH - DH*(KH - 1) - 1) // SH + 1, likewise OW.

    Parameters
    ----------
    kernel_size : int or pair
    stride : int or pair, optional
        kernel_size if not given: windows side by side.
    padding : int or pair
        At each end, at most half the window; never wins.
    dilation : int or pair
        Distance between the window's taps.
    return_indices : False
    ceil_mode : bool
        Round OH and OW up: a last window may reach beyond the padding, if it starts before it.

    Raises
    ------
    ValueError
        If an argument is out of range, or x is not (N, C, H, W) or smaller than a window.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Equal to torch.nn.MaxPool2d, NaN included: a window with NaN gives NaN.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> fnn.MaxPool2d(2).forward(x)
    array([[[[ 5.,  7.],
             [13., 15.]]]], dtype=float32)
    """

    spatial = 2
    axes = "H, W"


class MaxPool1d(_MaxPool):
    """Maximum of each window of K entries. The gradient goes to the winner; among equals, to the first.

    Shape: (N, C, L) -> (N, C, OL), OL = (L + 2*P - D*(K - 1) - 1) // S + 1.

    Parameters
    ----------
    kernel_size : int or tuple of one
    stride : int or tuple of one, optional
    padding, dilation : int or tuple of one
    return_indices : False
    ceil_mode : bool
        All as in `MaxPool2d`.

    Raises
    ------
    ValueError, TypeError
        As `MaxPool2d`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.MaxPool1d(2).forward(np.array([[[1, 3, 2, 0]]], np.float32))
    array([[[3., 2.]]], dtype=float32)
    """

    spatial = 1
    axes = "L"


class AvgPool2d(_AvgPool):
    """Mean of each KH x KW window.

    Shape: (N, C, H, W) -> (N, C, OH, OW), OH = (H + 2*PH - KH) // SH + 1, likewise OW.

    Parameters
    ----------
    kernel_size : int or pair
    stride : int or pair, optional
        kernel_size if not given: windows side by side.
    padding : int or pair
        Zeros at each end, at most half the window.
    ceil_mode : bool
        Round OH and OW up: a last window may reach beyond the padding, if it starts before it.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor.
    divisor_override : int, optional
        Divide by this instead of the number of entries.

    Raises
    ------
    ValueError
        If an argument is out of range, or x is not (N, C, H, W) or smaller than a window.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Equal to torch.nn.AvgPool2d, divisors of windows cut off by ceil_mode included.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> fnn.AvgPool2d(2).forward(x)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]], dtype=float32)
    """

    spatial = 2
    axes = "H, W"

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        super().__init__()
        self._set_windows(kernel_size, stride, padding, 1, ceil_mode)
        self.count_include_pad = as_bool(count_include_pad, "AvgPool2d: count_include_pad")
        if divisor_override is not None:
            divisor_override = as_int(divisor_override, "AvgPool2d: divisor_override", minimum=1)
        self.divisor_override = divisor_override
        self._divisor = divisor_override or 0

    def extra_repr(self):
        return f"kernel_size={short(self.kernel_size)}, stride={short(self.stride)}, padding={short(self.padding)}"


class AvgPool1d(_AvgPool):
    """Mean of each window of K entries.

    Shape: (N, C, L) -> (N, C, OL), OL = (L + 2*P - K) // S + 1.

    Parameters
    ----------
    kernel_size : int or tuple of one
    stride : int or tuple of one, optional
    padding : int or tuple of one
    ceil_mode, count_include_pad : bool
        All as in `AvgPool2d`.

    Raises
    ------
    ValueError, TypeError
        As `AvgPool2d`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.AvgPool1d(2).forward(np.array([[[1, 3, 2, 0]]], np.float32))
    array([[[2., 1.]]], dtype=float32)
    """

    spatial = 1
    axes = "L"
    _divisor = 0

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        super().__init__()
        self._set_windows(kernel_size, stride, padding, 1, ceil_mode)
        self.count_include_pad = as_bool(count_include_pad, "AvgPool1d: count_include_pad")

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean over OH x OW windows that cover the plane, whatever its size.

    Shape: (N, C, H, W) -> (N, C, OH, OW). Window i covers rows floor(i*H/OH) to ceil((i+1)*H/OH), likewise columns.

    Parameters
    ----------
    output_size : int, None or pair of them
        (OH, OW); None keeps the size of x.

    Raises
    ------
    ValueError
        If a size is below 1, or x is not (N, C, H, W).
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Equal to torch.nn.AdaptiveAvgPool2d.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> x = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    >>> fnn.AdaptiveAvgPool2d((1, None)).forward(x)
    array([[[[1.5, 2.5, 3.5]]]], dtype=float32)
    """

    spatial = 2
    axes = "H, W"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean over OL windows that cover the axis, whatever its length.

    Shape: (N, C, L) -> (N, C, OL). Window i covers entries floor(i*L/OL) to ceil((i+1)*L/OL).

    Parameters
    ----------
    output_size : int, None or tuple of one
        OL; None keeps the length of x.

    Raises
    ------
    ValueError, TypeError
        As `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.AdaptiveAvgPool1d(2).forward(np.array([[[1, 3, 2]]], np.float32))
    array([[[2. , 2.5]]], dtype=float32)
    """

    spatial = 1
    axes = "L"


def check_planes(layer, shape, x_shape):
    """Refuse samples that are not (C, H, W), or (C, L), or that have an axis without entries."""
    if len(shape) != layer.spatial + 1:
        batch = "" if x_shape is None else "N, "
        raise layer.shape_error(f"({batch}C, {layer.axes})", shape, x_shape)
    if min(shape) < 1:
        raise layer.shape_error("no axis of length 0", shape, x_shape)
    if math.prod(shape[1:]) > LARGEST_PLANE:
        raise layer.shape_error(f"planes of at most {LARGEST_PLANE} entries", shape, x_shape)


def short(values):
    """One number for equal ones, as they were most likely given."""
    return values[0] if all(v == values[0] for v in values) else values
