"""Activations: one function applied to each entry."""

from .base import ShapedLayer
from .checks import as_number, only_default


class _Elementwise(ShapedLayer):
    """Runs a kernel over x as one flat array. `family` names it, in the kernels' `module`; backward needs x or the output, as
    `keeps` says."""

    module = "activations"
    family = None
    keeps = "out"

    def scalars(self):
        """Arguments of the kernel besides arrays."""
        return ()

    def infer(self, shape, x_shape=None):
        return shape

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        out = self.buffer("out", self.batch_output_shape(x), x.dtype)
        if out.size:
            kernel = getattr(getattr(self.kernels, self.module), f"{self.family}_forward")
            kernel(out.reshape(-1), x.reshape(-1), *self.scalars())
        self.saved = (x if self.keeps == "x" else out) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        kept = self.take_saved()
        dout = self.as_dout(dout, kept.shape, kept.dtype)
        if not need_dx:
            return None
        dx = self.buffer("dx", kept.shape, kept.dtype)
        if dx.size:
            kernel = getattr(getattr(self.kernels, self.module), f"{self.family}_backward")
            kernel(dx.reshape(-1), dout.reshape(-1), kept.reshape(-1), *self.scalars())
        return dx


def _not_in_place(layer, inplace):
    only_default(inplace, False, f"{layer.class_name}: inplace", why=", a layer never writes into its argument")
    return False


class ReLU(_Elementwise):
    """max(x, 0). The gradient at 0 is 0, NaN stays NaN.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    inplace : False

    Raises
    ------
    ValueError
        If inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.ReLU().forward(np.array([[-1, 0, 2]], np.float32))
    array([[0., 0., 2.]], dtype=float32)
    """

    family = "relu"

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = _not_in_place(self, inplace)


class LeakyReLU(_Elementwise):
    """x where it is positive, negative_slope * x elsewhere.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    negative_slope : float
    inplace : False

    Raises
    ------
    ValueError
        If negative_slope is not finite, or inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Maas et al., "Rectifier nonlinearities improve neural network acoustic models" (2013).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.LeakyReLU(0.5).forward(np.array([[-1, 0, 2]], np.float32))
    array([[-0.5,  0. ,  2. ]], dtype=float32)
    """

    family = "leaky_relu"
    keeps = "x"

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope = as_number(negative_slope, "LeakyReLU: negative_slope")
        self.inplace = _not_in_place(self, inplace)

    def scalars(self):
        return (self.negative_slope,)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class Sigmoid(_Elementwise):
    """1 / (1 + exp(-x)).

    Shape: (N, ...) -> (N, ...)

    Raises
    ------
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Sigmoid().forward(np.array([[-100, 0, 100]], np.float32)).round(4)
    array([[0. , 0.5, 1. ]], dtype=float32)
    """

    family = "sigmoid"


class Tanh(_Elementwise):
    """Hyperbolic tangent.

    Shape: (N, ...) -> (N, ...)

    Raises
    ------
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Tanh().forward(np.array([[-1, 0, 1]], np.float32)).round(4)
    array([[-0.7616,  0.    ,  0.7616]], dtype=float32)
    """

    family = "tanh"


class Hardtanh(_Elementwise):
    """x clamped to min_val..max_val. The gradient at the two ends is 0, NaN stays NaN.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    min_val, max_val : float
    inplace : False

    Raises
    ------
    ValueError
        If min_val or max_val is not finite, min_val is not below max_val, or inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Hardtanh().forward(np.array([[-3, 0.5, 2]], np.float32))
    array([[-1. ,  0.5,  1. ]], dtype=float32)
    """

    family = "hardtanh"

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        super().__init__()
        self.min_val = as_number(min_val, f"{self.class_name}: min_val")
        self.max_val = as_number(max_val, f"{self.class_name}: max_val")
        if not self.min_val < self.max_val:
            raise ValueError(f"{self.class_name}: min_val must be below max_val, got {min_val!r} and {max_val!r}")
        self.inplace = _not_in_place(self, inplace)

    def scalars(self):
        return (self.min_val, self.max_val)

    def extra_repr(self):
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """min(max(x, 0), 6). The gradient at 0 and at 6 is 0, NaN stays NaN.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    inplace : False

    Raises
    ------
    ValueError
        If inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.ReLU6().forward(np.array([[-1, 2, 8]], np.float32))
    array([[0., 2., 6.]], dtype=float32)
    """

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self):
        return ""
