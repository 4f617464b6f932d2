"""The fully connected layer."""

import math

import numpy as np

from .base import ShapedLayer
from .checks import as_bool, as_float_dtype, as_int, as_rng, only_cpu

DRAWN_AT_ONCE = 1 << 16


class Dense(ShapedLayer):
    """Every output is a weighted sum of all inputs: out = x @ weight.T + bias. Also under PyTorch's name, `Linear`.

    Shape: (N, ..., IN) -> (N, ..., OUT), over the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    device : None or "cpu"
    dtype : {float32, float64}
        Of the parameters, and of every x.
    rng : int or numpy.random.Generator, optional
        For the initial values, drawn from U(-1/sqrt(IN), 1/sqrt(IN)).

    Attributes
    ----------
    params : {"weight": (OUT, IN), "bias": (OUT,)}

    Raises
    ------
    ValueError
        If sizes are below 1, or the last axis of x is not IN.
    TypeError
        If x is not of the layer's dtype.

    Notes
    -----
    The initial distribution is PyTorch's: LeCun et al., "Efficient BackProp" (1998), with a bound of sqrt(1/IN).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.Dense(2, 1, rng=0)
    >>> layer.params["weight"] = np.array([[2, 3]], np.float32)
    >>> layer.params["bias"] = np.array([1], np.float32)
    >>> layer.forward(np.array([[1, 1], [0, 2]], np.float32))
    array([[6.],
           [7.]], dtype=float32)
    """

    def __init__(self, in_features, out_features, bias=True, device=None, *, dtype=np.float32, rng=None):
        super().__init__()
        self.in_features = as_int(in_features, "Dense: in_features", minimum=1)
        self.out_features = as_int(out_features, "Dense: out_features", minimum=1)
        bias = as_bool(bias, "Dense: bias")
        only_cpu(device, "Dense")
        self.dtype = as_float_dtype(dtype, "Dense: dtype")
        rng = as_rng(rng, "Dense: rng")

        bound = 1 / math.sqrt(self.in_features)
        self.add_param("weight", uniform(rng, bound, (self.out_features, self.in_features), self.dtype))
        if bias:
            self.add_param("bias", uniform(rng, bound, (self.out_features,), self.dtype))

    def infer(self, shape, x_shape=None):
        if len(shape) == 0:
            raise self.shape_error(f"samples of shape (..., {self.in_features})", shape, x_shape)
        if shape[-1] != self.in_features:
            raise self.shape_error(f"{self.in_features} input features", shape, x_shape)
        return (*shape[:-1], self.out_features)

    def macs(self, input_shape):
        return math.prod(self.output_shape(input_shape)) * self.in_features

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self.buffer("out", shape, x.dtype)
        if out.size:
            self.kernels.dense.dense_forward(
                out.reshape(-1, self.out_features),
                x.reshape(-1, self.in_features),
                self.params["weight"],
                self.params.get("bias"),
            )
        self.saved = (x, shape) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x, out_shape = self.take_saved()
        dout = self.as_dout(dout, out_shape, x.dtype)
        dx = self.buffer("dx", x.shape, x.dtype) if need_dx else None
        if dout.size == 0:
            self.zero_grads()
            return dx
        rows, drows = x.reshape(-1, self.in_features), dout.reshape(-1, self.out_features)
        kernels = self.kernels.dense
        kernels.dense_backward_weight(self.grads["weight"], rows, drows)
        if "bias" in self.grads:
            kernels.dense_backward_bias(self.grads["bias"], drows)
        if need_dx:
            kernels.dense_backward_input(dx.reshape(rows.shape), drows, self.params["weight"])
        return dx

    def get_config(self):
        return super().get_config(bias="bias" in self.params)

    def extra_repr(self):
        bias = "bias" in self.params
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={bias}"


Linear = Dense


def uniform(rng, bound, shape, dtype):
    """U(-bound, bound), drawn in float64 so that one seed gives the same values in either precision.

    Piece by piece: a large layer's values need not exist in float64 all at once.
    """
    out = np.empty(shape, dtype)
    flat = out.reshape(-1)
    for first in range(0, flat.size, DRAWN_AT_ONCE):
        part = flat[first : first + DRAWN_AT_ONCE]
        part[...] = rng.uniform(-bound, bound, part.size)
    return out
