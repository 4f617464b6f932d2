"""Convolution over one or two spatial axes, on the same two-dimensional kernels (one axis: H = 1)."""

import math

import numpy as np

from ..kernels.geometry import conv_output_size
from .base import ShapedLayer
from .checks import as_bool, as_float_dtype, as_int, as_ints, as_rng, only_cpu, only_default
from .dense import uniform


class _Conv(ShapedLayer):
    """What Conv1d and Conv2d share. `spatial` is the number of spatial axes."""

    spatial = None
    axes = None  # their names in messages

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        *,
        dtype=np.float32,
        rng=None,
    ):
        super().__init__()
        name = self.class_name
        self.in_channels = as_int(in_channels, f"{name}: in_channels", minimum=1)
        self.out_channels = as_int(out_channels, f"{name}: out_channels", minimum=1)
        self.kernel_size = as_ints(kernel_size, f"{name}: kernel_size", self.spatial, minimum=1)
        self.stride = as_ints(stride, f"{name}: stride", self.spatial, minimum=1)
        self.dilation = as_ints(dilation, f"{name}: dilation", self.spatial, minimum=1)
        self.groups = as_int(groups, f"{name}: groups", minimum=1)
        self.padding = self._checked_padding(padding)
        for what in ("in_channels", "out_channels"):
            if getattr(self, what) % self.groups:
                raise ValueError(f"{name}: {what} must be divisible by groups={self.groups}, got {getattr(self, what)}")
        bias = as_bool(bias, f"{name}: bias")
        only_default(padding_mode, "zeros", f"{name}: padding_mode")
        self.padding_mode = padding_mode
        only_cpu(device, name)
        self.dtype = as_float_dtype(dtype, f"{name}: dtype")
        rng = as_rng(rng, f"{name}: rng")

        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.add_param("weight", uniform(rng, bound, shape, self.dtype))
        if bias:
            self.add_param("bias", uniform(rng, bound, (self.out_channels,), self.dtype))
        self._set_geometry()

    def _checked_padding(self, padding):
        name = self.class_name
        if not isinstance(padding, str):
            return as_ints(padding, f"{name}: padding", self.spatial, minimum=0)
        if padding not in ("same", "valid"):
            raise ValueError(f"{name}: padding must be ints, 'same' or 'valid', got {padding!r}")
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError(f"{name}: padding='same' needs stride 1, got stride={self.stride}")
        return padding

    def _set_geometry(self):
        """The constructor's arguments as kernels take them: pairs, and zeros in numbers."""
        taps = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
        behind = (0,) * self.spatial
        if self.padding == "same":
            # Kernels pad alike at both ends. For an odd number of zeros, x is copied into a plane one longer.
            before, behind = tuple(t // 2 for t in taps), tuple(t % 2 for t in taps)
        else:
            before = behind if self.padding == "valid" else self.padding
        self._axes = list(zip(self.kernel_size, self.stride, before, self.dilation, behind))
        self._kernel_pair = as_plane_pair(self.kernel_size, 1)
        self._stride, self._dilation = as_plane_pair(self.stride, 1), as_plane_pair(self.dilation, 1)
        self._padding, self._behind = as_plane_pair(before, 0), as_plane_pair(behind, 0)

    def infer(self, shape, x_shape=None):
        if len(shape) != self.spatial + 1:
            batch = "" if x_shape is None else "N, "
            raise self.shape_error(f"({batch}{self.in_channels}, {self.axes})", shape, x_shape)
        if shape[0] != self.in_channels:
            raise self.shape_error(f"{self.in_channels} input channels", shape, x_shape)
        out = [
            conv_output_size(size + behind, kernel, stride, before, dilation)
            for size, (kernel, stride, before, dilation, behind) in zip(shape[1:], self._axes)
        ]
        if min(out) < 1 or min(shape) < 1:
            smallest = tuple(max(1, d * (k - 1) + 1 - 2 * p - b) for k, _, p, d, b in self._axes)
            raise self.shape_error(f"({self.axes}) of at least {smallest}", shape, x_shape)
        return (self.out_channels, *out)

    def macs(self, input_shape):
        return math.prod(self.output_shape(input_shape)) * math.prod(self.params["weight"].shape[1:])

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self.buffer("out", shape, x.dtype)
        planes = as_planes(x)
        if out.size:
            if any(self._behind):
                planes = self._with_zeros_behind(planes)
            self.kernels.conv.conv2d_forward(
                as_planes(out),
                planes,
                as_planes(self.params["weight"]),
                self.params.get("bias"),
                self._stride,
                self._padding,
                self._dilation,
                self.groups,
            )
        self.saved = (x.shape, planes, shape) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, planes, out_shape = self.take_saved()
        dout = as_planes(self.as_dout(dout, out_shape, planes.dtype))
        if dout.size == 0:
            self.zero_grads()
            return self.buffer("dx", x_shape, planes.dtype) if need_dx else None
        geometry = self._stride, self._padding, self._dilation, self.groups
        kernels = self.kernels.conv
        kernels.conv2d_backward_weight(as_planes(self.grads["weight"]), planes, dout, *geometry)
        if "bias" in self.grads:
            kernels.conv2d_backward_bias(self.grads["bias"], dout)
        if not need_dx:
            return None
        dx = self.buffer("dx", x_shape, planes.dtype)
        if not any(self._behind):
            kernels.conv2d_backward_input(as_planes(dx), dout, as_planes(self.params["weight"]), *geometry)
            return dx
        longer = self.buffer("dx behind", planes.shape, planes.dtype)
        kernels.conv2d_backward_input(longer, dout, as_planes(self.params["weight"]), *geometry)
        H, W = as_planes(dx).shape[2:]
        as_planes(dx)[...] = longer[:, :, :H, :W]
        return dx

    def _with_zeros_behind(self, x):
        N, C, H, W = x.shape
        longer = self.buffer("x behind", (N, C, H + self._behind[0], W + self._behind[1]), x.dtype)
        longer[:, :, :H, :W] = x
        longer[:, :, H:] = 0
        longer[:, :, :, W:] = 0
        return longer

    def get_config(self):
        return super().get_config(bias="bias" in self.params)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self.spatial:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.spatial:
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if "bias" not in self.params:
            text += ", bias=False"
        return text


def as_plane_pair(values, absent):
    """The pair for a kernel, from one value per spatial axis; `absent` stands for the H that one axis lacks."""
    return values if len(values) == 2 else (absent, *values)


def as_planes(x):
    """(N, C, L) as (N, C, 1, L); four axes as they are."""
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], 1, x.shape[2])


class Conv2d(_Conv):
    """Filters slide over H x W planes: an output is a window's weighted sum over its group's channels, plus bias.

    The filters are not flipped (cross-correlation), as in PyTorch.

    Shape: (N, C, H, W) -> (N, F, OH, OW), OH = (H + 2*PH - DH*(KH - 1) - 1) // SH + 1, likewise OW.

    Parameters
    ----------
    in_channels, out_channels : int
        C and F.
    kernel_size, stride, dilation : int or pair
        (KH, KW), the step, and the distance between the window's taps.
    padding : int, pair, "same" or "valid"
        Zeros added at each end of H and W. "valid" adds none. "same" adds what keeps OH = H and OW = W, the odd one
        behind, and needs stride 1.
    groups : int
        Channels and filters fall into so many groups, each convolved by itself; C makes it a depthwise convolution.
    bias : bool
    padding_mode : "zeros"
    device : None or "cpu"
    dtype : {float32, float64}
        Of the parameters, and of every x.
    rng : int or numpy.random.Generator, optional
        For the initial values of both parameters: U(-b, b), b = 1/sqrt(C/groups * KH * KW), PyTorch's.

    Attributes
    ----------
    params : {"weight": (F, C // groups, KH, KW), "bias": (F,)}

    Raises
    ------
    ValueError
        If an argument is out of range, or x has not C channels or is smaller than the window.
    TypeError
        If x is not of the layer's dtype.

    Notes
    -----
    Arithmetic: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), arXiv:1603.07285.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> blur = fnn.Conv2d(1, 1, 3, padding="same", bias=False, rng=0)
    >>> blur.params["weight"] = np.ones((1, 1, 3, 3), np.float32)
    >>> blur.forward(np.ones((1, 1, 2, 4), np.float32))
    array([[[[4., 6., 6., 4.],
             [4., 6., 6., 4.]]]], dtype=float32)
    >>> fnn.Conv2d(1, 6, 5).output_shape((1, 28, 28))
    (6, 24, 24)
    """

    spatial = 2
    axes = "H, W"


class Conv1d(_Conv):
    """Filters slide along one axis: an output is a window's weighted sum over its group's channels, plus bias.

    Shape: (N, C, L) -> (N, F, OL), OL = (L + 2*P - D*(K - 1) - 1) // S + 1.

    Parameters
    ----------
    in_channels, out_channels : int
        C and F.
    kernel_size, stride, dilation : int or tuple of one
    padding : int, tuple of one, "same" or "valid"
    groups : int
    bias : bool
    padding_mode : "zeros"
    device : None or "cpu"
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        All as in `Conv2d`.

    Attributes
    ----------
    params : {"weight": (F, C // groups, K), "bias": (F,)}

    Raises
    ------
    ValueError, TypeError
        As `Conv2d`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.Conv1d(1, 1, 3, bias=False, rng=0)
    >>> layer.params["weight"] = np.array([[[0.5, 1, 0.5]]], np.float32)
    >>> layer.forward(np.array([[[0, 5, 13, 18, 12]]], np.float32))
    array([[[11.5, 24.5, 30.5]]], dtype=float32)
    """

    spatial = 1
    axes = "L"
