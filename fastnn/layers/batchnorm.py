"""Batch normalization of (N, C), (N, C, L) and (N, C, H, W) over everything but C."""

import math

import numpy as np

from .base import ShapedLayer
from .checks import as_bool, as_float_dtype, as_int, as_number, as_rng, only_cpu


class _BatchNorm(ShapedLayer):
    """What BatchNorm1d and BatchNorm2d share."""

    sample_ndims = ()
    layout = None  # what x may look like, for messages

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        *,
        bias=True,
        dtype=np.float32,
        rng=None,
    ):
        super().__init__()
        name = self.class_name
        self.num_features = C = as_int(num_features, f"{name}: num_features", minimum=1)
        self.eps = as_number(eps, f"{name}: eps", minimum=0)
        self.momentum = None if momentum is None else as_number(momentum, f"{name}: momentum", 0, 1)
        self.affine = as_bool(affine, f"{name}: affine")
        self.track_running_stats = as_bool(track_running_stats, f"{name}: track_running_stats")
        bias = as_bool(bias, f"{name}: bias")
        only_cpu(device, name)
        self.dtype = as_float_dtype(dtype, f"{name}: dtype")
        as_rng(rng, f"{name}: rng")

        if affine:
            self.add_param("weight", np.ones(C, self.dtype))
        if affine and bias:
            self.add_param("bias", np.zeros(C, self.dtype))
        if track_running_stats:
            self.state["running_mean"] = np.zeros(C, self.dtype)
            self.state["running_var"] = np.ones(C, self.dtype)
            self.state["num_batches_tracked"] = np.array(0, np.int64)
        self._bias_given = bias
        # What the kernels take for an absent weight or bias.
        self._ones, self._zeros = np.ones(C, self.dtype), np.zeros(C, self.dtype)

    def infer(self, shape, x_shape=None):
        if len(shape) not in self.sample_ndims:
            layout = self.layout if x_shape is not None else self.layout.replace("N, ", "")
            raise self.shape_error(layout.replace("C", str(self.num_features)), shape, x_shape)
        if shape[0] != self.num_features:
            raise self.shape_error(f"{self.num_features} channels", shape, x_shape)
        return shape

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        rows = self._rows(x)
        if training or not self.track_running_stats:
            mean, var = self._batch_statistics(x, rows, training)
        else:
            mean, var = self.state["running_mean"], self.state["running_var"]
        out = self.buffer("out", shape, x.dtype)
        if out.size:
            self.kernels.batchnorm.batchnorm_forward(self._rows(out), rows, mean, var, *self._affine(), self.eps)
        if training and self.track_running_stats:
            self._track(mean, var, rows)
        self.saved = (x, mean, var) if training else None
        return out

    def _batch_statistics(self, x, rows, training):
        count = rows.shape[0] * rows.shape[2]
        if count <= 1 and (training or count == 1):
            raise self.shape_error("more than 1 value per channel in training", x.shape[1:], x.shape)
        mean = self.buffer("mean", (self.num_features,), x.dtype)
        var = self.buffer("var", (self.num_features,), x.dtype)
        if count:
            self.kernels.batchnorm.batchnorm_statistics(mean, var, rows)
        return mean, var

    def _track(self, mean, var, rows):
        """Move the running statistics towards this batch's; momentum None averages over all batches alike."""
        state, count = self.state, rows.shape[0] * rows.shape[2]
        state["num_batches_tracked"] += 1
        step = 1 / int(state["num_batches_tracked"]) if self.momentum is None else self.momentum
        state["running_mean"] *= 1 - step
        state["running_mean"] += step * mean
        state["running_var"] *= 1 - step
        state["running_var"] += (step * count / (count - 1)) * var  # unbiased, unlike what normalises the batch

    def backward(self, dout, *, need_dx=True):
        x, mean, var = self.take_saved()
        dout = self._rows(self.as_dout(dout, x.shape, x.dtype))
        rows, kernels = self._rows(x), self.kernels.batchnorm
        # dx needs both sums, whether or not there are parameters of which they are gradients.
        dweight, dbias = (
            self.grads[name] if name in self.grads else self.buffer(f"d{name}", (self.num_features,), x.dtype)
            for name in ("weight", "bias")
        )
        kernels.batchnorm_backward_params(dweight, dbias, rows, dout, mean, var, self.eps)
        if not need_dx:
            return None
        dx = self.buffer("dx", x.shape, x.dtype)
        weight, _ = self._affine()
        kernels.batchnorm_backward_input(self._rows(dx), dout, rows, mean, var, weight, dweight, dbias, self.eps)
        return dx

    def _rows(self, x):
        """x as (N, C, L)."""
        return x.reshape(x.shape[0], self.num_features, math.prod(x.shape[2:]))

    def _affine(self):
        return self.params.get("weight", self._ones), self.params.get("bias", self._zeros)

    def get_config(self):
        return super().get_config(bias=self._bias_given)

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self._bias_given}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over the batch and the plane: (x - mean) / sqrt(var + eps) * weight + bias.

    In training the mean and the (biased) variance are the batch's; otherwise the running ones, which each training
    forward moves by `momentum` towards the batch's mean and unbiased variance.

    Shape: (N, C, H, W) -> (N, C, H, W)

    Parameters
    ----------
    num_features : int
        C.
    eps : float
    momentum : float or None
        Weight of the new batch in the running statistics; None averages over all batches alike.
    affine : bool
        Whether there are weight and bias.
    track_running_stats : bool
        Whether there are running statistics; without them every batch is normalised by its own.
    device : None or "cpu"
    bias : bool
        Whether there is a bias besides the weight.
    dtype : {float32, float64}
        Of the parameters and running statistics, and of every x.
    rng : int or numpy.random.Generator, optional
        As all layers with parameters take it; nothing is drawn from it.

    Attributes
    ----------
    params : {"weight": (C,), "bias": (C,)}
    state : {"running_mean": (C,), "running_var": (C,), "num_batches_tracked": () int64}

    Raises
    ------
    ValueError
        If an argument is out of range, x has not C channels, or in training there is only one value per channel.
    TypeError
        If x is not of the layer's dtype.

    Notes
    -----
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift"
    (2015), arXiv:1502.03167.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.BatchNorm2d(3)
    >>> x = np.random.default_rng(0).normal(5, 2, (8, 3, 4, 4)).astype(np.float32)
    >>> out = layer.forward(x, training=True)
    >>> [bool(abs(out.mean((0, 2, 3)).max()) < 1e-5), bool(abs(out.std((0, 2, 3)) - 1).max() < 1e-3)]
    [True, True]
    """

    sample_ndims = (3,)
    layout = "(N, C, H, W)"


class BatchNorm1d(_BatchNorm):
    """Normalise each channel over the batch (and the length): (x - mean) / sqrt(var + eps) * weight + bias.

    Shape: (N, C) -> (N, C) or (N, C, L) -> (N, C, L)

    Parameters
    ----------
    num_features : int
    eps : float
    momentum : float or None
    affine, track_running_stats : bool
    device : None or "cpu"
    bias : bool
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        All as in `BatchNorm2d`, with the same params and state.

    Raises
    ------
    ValueError, TypeError
        As `BatchNorm2d`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.BatchNorm1d(1, eps=0)
    >>> layer.forward(np.array([[1], [3]], np.float32), training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.state["running_mean"], layer.state["running_var"]
    (array([0.2], dtype=float32), array([1.1], dtype=float32))
    """

    sample_ndims = (1, 2)
    layout = "(N, C) or (N, C, L)"
