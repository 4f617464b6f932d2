"""Normalization of each sample by itself: over groups of channels, or over the last axes."""

import math

import numpy as np

from .base import ShapedLayer
from .checks import as_bool, as_float_dtype, as_int, as_number, as_rng, only_cpu


class _SampleNorm(ShapedLayer):
    """What GroupNorm and LayerNorm share: they run the same kernels over x as `_cube` makes it, (N, C, L)."""

    groups = 1  # rows of a sample of the cube

    def __init__(self, shape, eps, affine, bias, device, dtype, rng):
        super().__init__()
        name = self.class_name
        self.eps = as_number(eps, f"{name}: eps", minimum=0)
        only_cpu(device, name)
        self.dtype = as_float_dtype(dtype, f"{name}: dtype")
        as_rng(rng, f"{name}: rng")
        if affine:
            self.add_param("weight", np.ones(shape, self.dtype))
        if affine and bias:
            self.add_param("bias", np.zeros(shape, self.dtype))
        self._bias_given = bias
        # What the kernels take for an absent weight or bias.
        self._ones, self._zeros = np.ones(shape, self.dtype), np.zeros(shape, self.dtype)

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        out = self.buffer("out", self.batch_output_shape(x), x.dtype)
        cube = self._cube(x)
        mean, rstd = (self.buffer(name, (cube.shape[0], self.groups), np.float64) for name in ("mean", "rstd"))
        if out.size:
            self.kernels.groupnorm.groupnorm_forward(self._cube(out), mean, rstd, cube, *self._affine(), self.eps)
        self.saved = (x, mean, rstd) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x, mean, rstd = self.take_saved()
        dout = self._cube(self.as_dout(dout, x.shape, x.dtype))
        cube, kernels = self._cube(x), self.kernels.groupnorm
        weight, bias = self._affine()
        if self.grads:
            dweight, dbias = (
                self.grads[name].reshape(-1) if name in self.grads else self.buffer(f"d{name}", bias.shape, x.dtype)
                for name in ("weight", "bias")
            )
            kernels.groupnorm_backward_params(dweight, dbias, cube, dout, mean, rstd)
        if not need_dx:
            return None
        dx = self.buffer("dx", x.shape, x.dtype)
        if dx.size:
            kernels.groupnorm_backward_input(self._cube(dx), dout, cube, mean, rstd, weight)
        return dx

    def _affine(self):
        """Weight and bias as kernels take them."""
        return self.params.get("weight", self._ones).reshape(-1), self.params.get("bias", self._zeros).reshape(-1)

    def get_config(self):
        return super().get_config(bias=self._bias_given)


class GroupNorm(_SampleNorm):
    """Normalise groups of channels of each sample: (x - mean) / sqrt(var + eps) * weight + bias.

    Mean and (biased) variance are of all values in the group: its channels, at all positions. Other samples have no part in
    it, and training and prediction are the same.

    Shape: (N, C) -> (N, C), (N, C, L) -> (N, C, L), (N, C, H, W) -> (N, C, H, W), or more axes

    Parameters
    ----------
    num_groups : int
        Of equal size. 1 normalises all channels together, num_channels each by itself (instance normalization).
    num_channels : int
        C.
    eps : float
    affine : bool
        Whether there are weight and bias.
    device : None or "cpu"
    bias : bool
        Whether there is a bias besides the weight.
    dtype : {float32, float64}
        Of the parameters, and of every x.
    rng : int or numpy.random.Generator, optional
        As all layers with parameters take it; nothing is drawn from it.

    Attributes
    ----------
    params : {"weight": (C,), "bias": (C,)}

    Raises
    ------
    ValueError
        If an argument is out of range, num_groups does not divide num_channels, or x has not C channels.
    TypeError
        If x is not of the layer's dtype.

    Notes
    -----
    Wu and He, "Group normalization" (2018), arXiv:1803.08494.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.GroupNorm(2, 4, eps=0)
    >>> layer.forward(np.array([[1, 3, 10, 30]], np.float32))
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, *, bias=True, dtype=np.float32, rng=None):
        name = self.class_name
        num_groups = as_int(num_groups, f"{name}: num_groups", minimum=1)
        num_channels = as_int(num_channels, f"{name}: num_channels", minimum=1)
        if num_channels % num_groups:
            raise ValueError(f"{name}: num_groups={num_groups} must divide num_channels={num_channels}")
        affine, bias = as_bool(affine, f"{name}: affine"), as_bool(bias, f"{name}: bias")
        super().__init__((num_channels,), eps, affine, bias, device, dtype, rng)
        self.num_groups, self.num_channels, self.affine = num_groups, num_channels, affine

    @property
    def groups(self):
        """Rows of a sample."""
        return self.num_groups

    def infer(self, shape, x_shape=None):
        if shape[:1] != (self.num_channels,):
            raise self.shape_error(f"{self.num_channels} channels", shape, x_shape)
        return shape

    def _cube(self, x):
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))

    def extra_repr(self):
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={'bias' in self.params}"


class LayerNorm(_SampleNorm):
    """Normalise over the last axes: (x - mean) / sqrt(var + eps) * weight + bias.

    Mean and (biased) variance are of the values over these axes, for each index of the axes in front of them. weight and bias
    have an element for each of the values. Training and prediction are the same.

    Shape: (N, ..., *normalized_shape) -> (N, ..., *normalized_shape)

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Sizes of the last axes; an int stands for one axis.
    eps : float
    elementwise_affine : bool
        Whether there are weight and bias.
    bias : bool
        Whether there is a bias besides the weight.
    device : None or "cpu"
    dtype : {float32, float64}
        Of the parameters, and of every x.
    rng : int or numpy.random.Generator, optional
        As all layers with parameters take it; nothing is drawn from it.

    Attributes
    ----------
    params : {"weight": normalized_shape, "bias": normalized_shape}

    Raises
    ------
    ValueError
        If an argument is out of range, or x does not end with those axes behind the batch.
    TypeError
        If x is not of the layer's dtype.

    Notes
    -----
    Ba, Kiros and Hinton, "Layer normalization" (2016), arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.LayerNorm(4, eps=0)
    >>> layer.forward(np.array([[1, 1, 3, 3], [10, 30, 10, 30]], np.float32))
    array([[-1., -1.,  1.,  1.],
           [-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape,
        eps=1e-5,
        elementwise_affine=True,
        bias=True,
        device=None,
        *,
        dtype=np.float32,
        rng=None,
    ):
        name = self.class_name
        shape = normalized_shape if isinstance(normalized_shape, (tuple, list, np.ndarray)) else (normalized_shape,)
        if len(shape) == 0:
            raise ValueError(f"{name}: normalized_shape must name at least one axis, got {normalized_shape!r}")
        shape = tuple(as_int(size, f"{name}: normalized_shape", minimum=1) for size in shape)
        affine = as_bool(elementwise_affine, f"{name}: elementwise_affine")
        super().__init__(shape, eps, affine, as_bool(bias, f"{name}: bias"), device, dtype, rng)
        self.normalized_shape, self.elementwise_affine = shape, affine

    def infer(self, shape, x_shape=None):
        if shape[-len(self.normalized_shape) :] != self.normalized_shape:
            sizes = ", ".join(map(str, self.normalized_shape))
            raise self.shape_error(f"(N, ..., {sizes})" if x_shape is not None else f"(..., {sizes})", shape, x_shape)
        return shape

    def _cube(self, x):
        size = math.prod(self.normalized_shape)
        return x.reshape(x.size // size, size, 1)

    def extra_repr(self):
        settings = f"eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={'bias' in self.params}"
        return f"{self.normalized_shape}, {settings}"
