"""Smooth activations in NumPy.   All arrays are flat, of one length n.

    elu_forward      (out, x, alpha)              elu_backward      (dx, dout, x, alpha)
    gelu_forward     (out, x)                     gelu_backward     (dx, dout, x)
    gelu_tanh_forward(out, x)                     gelu_tanh_backward(dx, dout, x)
    silu_forward     (out, x)                     silu_backward     (dx, dout, x)
    softplus_forward (out, x, beta, threshold)    softplus_backward (dx, dout, x, beta, threshold)

GELU and SiLU, which kernels put together from the tail of a distribution, are here products x * F(x) as defined, with F from
the standard library or NumPy, in float64. Numbers far out are clipped first: there F is 0 or 1, and inf * 0 would be NaN.
"""

import math

import numpy as np

_FAR = 1000  # F(-x) is 0 from here on
_erfc = np.frompyfunc(math.erfc, 1, 1)  # element by element, in Python: slow, and right to the last digits


def _clipped(x):
    """x in float64, never so far below 0 that x * 0 could be NaN."""
    return np.maximum(x.astype(np.float64), -_FAR)


def _normal(x):
    """The normal distribution's Phi(x), in float64."""
    return _erfc(x * -math.sqrt(0.5)).astype(np.float64) / 2


def _density(x):
    return np.exp(-0.5 * np.square(np.minimum(np.abs(x), _FAR))) / math.sqrt(2 * math.pi)


def _logistic(x):
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _cubic(x):
    """Twice the argument of tanh in the approximation of GELU: 1 + tanh(u) = 2 / (1 + exp(-2 * u))."""
    return math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)


def elu_forward(out, x, alpha):
    """Exponential linear unit: ``out[i] = x[i] if x[i] > 0 else alpha * (exp(x[i]) - 1)``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)
    alpha : float

    Notes
    -----
    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units", 2015.

    Examples
    --------
    >>> out = np.empty(2)
    >>> elu_forward(out, np.array([-1000.0, 2.0]), 0.5)
    >>> out
    array([-0.5,  2. ])
    """
    np.expm1(np.minimum(x, 0), out=out)
    out *= alpha
    np.copyto(out, x, where=x > 0)


def elu_backward(dx, dout, x, alpha):
    """Gradient of elu_forward: ``dx[i] = dout[i] if x[i] > 0 else dout[i] * alpha * exp(x[i])``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    x : (n,)
    alpha : float

    Examples
    --------
    >>> dx = np.empty(3)
    >>> elu_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 2.0]), 0.5)
    >>> dx
    array([0., 2., 5.])
    """
    np.exp(np.minimum(x, 0), out=dx)
    dx *= alpha
    dx *= dout
    np.copyto(dx, dout, where=x > 0)


def gelu_forward(out, x):
    """Gaussian error linear unit: ``out[i] = x[i] * Phi(x[i])``, Phi the standard normal distribution.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)

    Notes
    -----
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016. ``Phi(x) = erfc(-x / sqrt(2)) / 2``.

    Examples
    --------
    >>> out = np.empty(3)
    >>> gelu_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([  -0.,    0., 1000.])
    """
    wide = _clipped(x)
    out[...] = wide * _normal(wide)


def gelu_backward(dx, dout, x):
    """Gradient of gelu_forward: ``dx[i] = dout[i] * (Phi(x[i]) + x[i] * Phi'(x[i]))``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    x : (n,)

    Examples
    --------
    >>> dx = np.empty(2)
    >>> gelu_backward(dx, np.array([4.0, 5.0]), np.array([0.0, 1000.0]))
    >>> dx
    array([2., 5.])
    """
    wide = np.minimum(_clipped(x), _FAR)
    dx[...] = dout * (_normal(wide) + wide * _density(wide))


def gelu_tanh_forward(out, x):
    """Approximation of GELU: ``out[i] = x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 0.044715 * x[i]**3))) / 2``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)

    Examples
    --------
    >>> out = np.empty(3)
    >>> gelu_tanh_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([  -0.,    0., 1000.])
    """
    wide = _clipped(x)
    out[...] = wide * _logistic(_cubic(np.minimum(wide, _FAR)))


def gelu_tanh_backward(dx, dout, x):
    """Gradient of gelu_tanh_forward.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    x : (n,)

    Examples
    --------
    >>> dx = np.empty(2)
    >>> gelu_tanh_backward(dx, np.array([4.0, 5.0]), np.array([0.0, 1000.0]))
    >>> dx
    array([2., 5.])
    """
    wide = np.minimum(_clipped(x), _FAR)
    s = _logistic(_cubic(wide))
    dx[...] = dout * (s + wide * s * _logistic(-_cubic(wide)) * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * wide**2))


def silu_forward(out, x):
    """Sigmoid linear unit (swish): ``out[i] = x[i] / (1 + exp(-x[i]))``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)

    Notes
    -----
    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function approximation", 2017; as swish,
    Ramachandran, Zoph and Le, "Searching for activation functions", 2017.

    Examples
    --------
    >>> out = np.empty(3)
    >>> silu_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([  -0.,    0., 1000.])
    """
    wide = _clipped(x)
    out[...] = wide * _logistic(wide)


def silu_backward(dx, dout, x):
    """Gradient of silu_forward: ``dx[i] = dout[i] * (s + x[i] * s * (1 - s))``, s = sigmoid(x[i]).

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    x : (n,)

    Examples
    --------
    >>> dx = np.empty(2)
    >>> silu_backward(dx, np.array([4.0, 5.0]), np.array([0.0, 1000.0]))
    >>> dx
    array([2., 5.])
    """
    wide = np.minimum(_clipped(x), _FAR)
    s = _logistic(wide)
    dx[...] = dout * (s + wide * s * _logistic(-wide))


def softplus_forward(out, x, beta, threshold):
    """Smooth rectifier: ``out[i] = log(1 + exp(beta * x[i])) / beta``, or ``x[i]`` where ``beta * x[i] > threshold``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)
    beta, threshold : float

    Examples
    --------
    >>> out = np.empty(3)
    >>> softplus_forward(out, np.array([-1000.0, 0.0, 1000.0]), 1.0, 20.0)
    >>> out.round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """
    v = x * x.dtype.type(beta)
    with np.errstate(invalid="ignore"):  # of NaN
        np.logaddexp(v, 0, out=out)
    out /= beta
    np.copyto(out, x, where=v > threshold)


def softplus_backward(dx, dout, x, beta, threshold):
    """Gradient of softplus_forward: ``dx[i] = dout[i] * sigmoid(beta * x[i])``, or ``dout[i]`` where forward is x.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    x : (n,)
    beta, threshold : float

    Examples
    --------
    >>> dx = np.empty(3)
    >>> softplus_backward(dx, np.array([3.0, 4.0, 5.0]), np.array([-1000.0, 0.0, 1000.0]), 1.0, 20.0)
    >>> dx
    array([0., 2., 5.])
    """
    v = x * x.dtype.type(beta)
    np.multiply(dout, _logistic(v), out=dx)
    np.copyto(dx, dout, where=v > threshold)
