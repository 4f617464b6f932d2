"""Smooth activations and their gradients.   All arrays are flat, of one length and one float dtype.

    elu_forward      (out, x, alpha)              elu_backward      (dx, dout, x, alpha)
    gelu_forward     (out, x)                     gelu_backward     (dx, dout, x)
    gelu_tanh_forward(out, x)                     gelu_tanh_backward(dx, dout, x)
    silu_forward     (out, x)                     silu_backward     (dx, dout, x)
    softplus_forward (out, x, beta, threshold)    softplus_backward (dx, dout, x, beta, threshold)

Gradients are computed from x: the output does not tell it (two x have one GELU), or not with all digits (exp(x) from ELU's
exp(x) - 1). Loops are written as in `activations`; NaN stays NaN, and nothing overflows on the way.
"""

from ._gates import gelu, gelu_slope, gelu_tanh, gelu_tanh_slope, silu, silu_slope
from ._kernel import kernel
from ._math import exp_nonpositive, expm1_nonpositive, log1p_unit, sigmoid
from .activations import of_arithmetic


@kernel(**of_arithmetic)
def elu_forward(out, x, alpha, first, last):
    """Exponential linear unit: out[i] = x[i] where x[i] > 0, else alpha * (exp(x[i]) - 1), with all digits near 0.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)
    alpha : float

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> elu_forward(out, np.array([-1000.0, -1e-20, 2.0]), 0.5)
    >>> out
    array([-5.e-01, -5.e-21,  2.e+00])
    """
    out, x = out[first:last], x[first:last]
    zero, scale = x.dtype.type(0), x.dtype.type(alpha)
    for i in range(out.size):
        out[i] = x[i] if x[i] > zero else scale * expm1_nonpositive(x[i])


@kernel(**of_arithmetic)
def elu_backward(dx, dout, x, alpha, first, last):
    """Gradient of elu_forward with respect to x: dx[i] = dout[i] where x[i] > 0, else dout[i] * alpha * exp(x[i]).

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    x : (size,)
        Input of the forward call.
    alpha : float

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> elu_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 2.0]), 0.5)
    >>> dx
    array([0., 2., 5.])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    zero, scale = x.dtype.type(0), x.dtype.type(alpha)
    for i in range(dx.size):
        dx[i] = dout[i] if x[i] > zero else dout[i] * (scale * exp_nonpositive(x[i]))


@kernel(**of_arithmetic)
def gelu_forward(out, x, first, last):
    """Gaussian error linear unit: out[i] = x[i] * Phi(x[i]), Phi the standard normal distribution; 0 at -inf.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> gelu_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([  -0.,    0., 1000.])
    """
    out, x = out[first:last], x[first:last]
    for i in range(out.size):
        out[i] = gelu(x[i])


@kernel(**of_arithmetic)
def gelu_backward(dx, dout, x, first, last):
    """Gradient of gelu_forward with respect to x: dx[i] = dout[i] * (Phi(x[i]) + x[i] * Phi'(x[i])).

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    x : (size,)
        Input of the forward call.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> gelu_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 1000.0]))
    >>> dx
    array([-0.,  2.,  5.])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    for i in range(dx.size):
        dx[i] = dout[i] * gelu_slope(x[i])


@kernel(**of_arithmetic)
def gelu_tanh_forward(out, x, first, last):
    """Approximation of GELU: out[i] = x[i] * (1 + tanh(u(x[i]))) / 2, u(x) = sqrt(2 / pi) * (x + 0.044715 * x**3).

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> gelu_tanh_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([  -0.,    0., 1000.])
    """
    out, x = out[first:last], x[first:last]
    for i in range(out.size):
        out[i] = gelu_tanh(x[i])


@kernel(**of_arithmetic)
def gelu_tanh_backward(dx, dout, x, first, last):
    """Gradient of gelu_tanh_forward with respect to x: dx[i] = dout[i] * (s + x[i] * s * (1 - s) * 2 * u'(x[i])).

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    x : (size,)
        Input of the forward call. s is (1 + tanh(u(x[i]))) / 2.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> gelu_tanh_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 1000.0]))
    >>> dx
    array([-0.,  2.,  5.])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    for i in range(dx.size):
        dx[i] = dout[i] * gelu_tanh_slope(x[i])


@kernel(**of_arithmetic)
def silu_forward(out, x, first, last):
    """Sigmoid linear unit (swish): out[i] = x[i] * sigmoid(x[i]); 0 at -inf.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> silu_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([  -0.,    0., 1000.])
    """
    out, x = out[first:last], x[first:last]
    for i in range(out.size):
        out[i] = silu(x[i])


@kernel(**of_arithmetic)
def silu_backward(dx, dout, x, first, last):
    """Gradient of silu_forward with respect to x: dx[i] = dout[i] * (s + x[i] * s * (1 - s)).

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    x : (size,)
        Input of the forward call. s is sigmoid(x[i]).

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> silu_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 1000.0]))
    >>> dx
    array([-0.,  2.,  5.])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    for i in range(dx.size):
        dx[i] = dout[i] * silu_slope(x[i])


@kernel(**of_arithmetic)
def softplus_forward(out, x, beta, threshold, first, last):
    """Smooth rectifier: out[i] = log(1 + exp(beta * x[i])) / beta, or x[i] where beta * x[i] > threshold.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)
    beta, threshold : float

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> softplus_forward(out, np.array([-1000.0, 0.0, 1000.0]), 1.0, 20.0)
    >>> out.round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """
    out, x = out[first:last], x[first:last]
    zero, scale, unscale = x.dtype.type(0), x.dtype.type(beta), x.dtype.type(1 / beta)
    most = x.dtype.type(threshold)
    for i in range(out.size):
        v = scale * x[i]
        # log(1 + exp(v)) = max(v, 0) + log(1 + exp(-|v|)): exp cannot overflow, and the logarithm keeps all digits
        smooth = ((v if v > zero else zero) + log1p_unit(exp_nonpositive(-abs(v)))) * unscale
        out[i] = x[i] if v > most else smooth


@kernel(**of_arithmetic)
def softplus_backward(dx, dout, x, beta, threshold, first, last):
    """Gradient of softplus_forward with respect to x: dx[i] = dout[i] * sigmoid(beta * x[i]), or dout[i] where forward is x.

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    x : (size,)
        Input of the forward call.
    beta, threshold : float

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> softplus_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 1000.0]), 1.0, 20.0)
    >>> dx
    array([0., 2., 5.])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    scale, most = x.dtype.type(beta), x.dtype.type(threshold)
    for i in range(dx.size):
        v = scale * x[i]
        dx[i] = dout[i] if v > most else dout[i] * sigmoid(v)
