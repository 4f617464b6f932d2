"""Elementwise functions in NumPy.   All arrays are flat, of one length n.

    relu_forward      (out, x)                    relu_backward      (dx, dout, out)
    leaky_relu_forward(out, x, negative_slope)    leaky_relu_backward(dx, dout, x, negative_slope)
    sigmoid_forward   (out, x)                    sigmoid_backward   (dx, dout, out)
    tanh_forward      (out, x)                    tanh_backward      (dx, dout, out)
    hardtanh_forward  (out, x, min_val, max_val)  hardtanh_backward  (dx, dout, out, min_val, max_val)
    multiply          (out, a, b)                 add                (out, a, b)

NaN propagates through all of them, and where the input was NaN the gradient passes (PyTorch's choice).
"""

import numpy as np


def relu_forward(out, x):
    """Rectified linear unit: ``out[i] = max(x[i], 0)``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)

    Notes
    -----
    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    Examples
    --------
    >>> out = np.empty(3)
    >>> relu_forward(out, np.array([-1.0, 2.0, np.nan]))
    >>> out
    array([ 0.,  2., nan])
    """
    np.maximum(x, 0, out=out)


def relu_backward(dx, dout, out):
    """Gradient of relu_forward: ``dx[i] = 0 if out[i] <= 0 else dout[i]``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    out : (n,)
        What relu_forward wrote.

    Examples
    --------
    >>> dx = np.empty(2)
    >>> relu_backward(dx, np.array([5.0, 6.0]), np.array([0.0, 2.0]))
    >>> dx
    array([0., 6.])
    """
    np.copyto(dx, dout)
    np.copyto(dx, 0, where=out <= 0)


def leaky_relu_forward(out, x, negative_slope):
    """Leaky rectified linear unit: ``out[i] = x[i] if x[i] > 0 else negative_slope * x[i]``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)
    negative_slope : float

    Notes
    -----
    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.

    Examples
    --------
    >>> out = np.empty(2)
    >>> leaky_relu_forward(out, np.array([-1.0, 2.0]), 0.25)
    >>> out
    array([-0.25,  2.  ])
    """
    np.multiply(x, negative_slope, out=out)
    np.copyto(out, x, where=x > 0)


def leaky_relu_backward(dx, dout, x, negative_slope):
    """Gradient of leaky_relu_forward: ``dx[i] = dout[i] if x[i] > 0 else negative_slope * dout[i]``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    x : (n,)
    negative_slope : float

    Examples
    --------
    >>> dx = np.empty(2)
    >>> leaky_relu_backward(dx, np.array([4.0, 4.0]), np.array([-1.0, 2.0]), 0.25)
    >>> dx
    array([1., 4.])
    """
    np.multiply(dout, negative_slope, out=dx)
    np.copyto(dx, dout, where=x > 0)


def sigmoid_forward(out, x):
    """Logistic function: ``out[i] = 1 / (1 + exp(-x[i]))``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)

    Notes
    -----
    With ``e = exp(-|x|)``, which cannot overflow, it is ``1/(1+e)`` for x >= 0 and ``e/(1+e)`` below.

    Examples
    --------
    >>> out = np.empty(3)
    >>> sigmoid_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(x))
    np.copyto(out, e)
    np.copyto(out, 1, where=x >= 0)
    e += 1
    out /= e


def sigmoid_backward(dx, dout, out):
    """Gradient of sigmoid_forward: ``dx[i] = dout[i] * out[i] * (1 - out[i])``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    out : (n,)
        What sigmoid_forward wrote.

    Examples
    --------
    >>> dx = np.empty(2)
    >>> sigmoid_backward(dx, np.array([4.0, 4.0]), np.array([0.5, 1.0]))
    >>> dx
    array([1., 0.])
    """
    np.subtract(1, out, out=dx)
    dx *= out
    dx *= dout


def tanh_forward(out, x):
    """Hyperbolic tangent: ``out[i] = tanh(x[i])``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)

    Examples
    --------
    >>> out = np.empty(2)
    >>> tanh_forward(out, np.array([0.0, 1000.0]))
    >>> out
    array([0., 1.])
    """
    np.tanh(x, out=out)


def tanh_backward(dx, dout, out):
    """Gradient of tanh_forward: ``dx[i] = dout[i] * (1 - out[i]**2)``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    out : (n,)
        What tanh_forward wrote.

    Examples
    --------
    >>> dx = np.empty(2)
    >>> tanh_backward(dx, np.array([4.0, 4.0]), np.array([0.5, 1.0]))
    >>> dx
    array([3., 0.])
    """
    np.multiply(out, out, out=dx)
    np.subtract(1, dx, out=dx)
    dx *= dout


def hardtanh_forward(out, x, min_val, max_val):
    """Clamp: ``out[i] = min(max(x[i], min_val), max_val)``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)
    min_val, max_val : float

    Examples
    --------
    >>> out = np.empty(4)
    >>> hardtanh_forward(out, np.array([-3.0, np.nan, 0.5, 2.0]), -1.0, 1.0)
    >>> out
    array([-1. ,  nan,  0.5,  1. ])
    """
    np.clip(x, min_val, max_val, out=out)


def hardtanh_backward(dx, dout, out, min_val, max_val):
    """Gradient of hardtanh_forward: ``dx[i] = 0 if out[i] <= min_val or out[i] >= max_val else dout[i]``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    out : (n,)
        What hardtanh_forward wrote.
    min_val, max_val : float

    Examples
    --------
    >>> dx = np.empty(3)
    >>> hardtanh_backward(dx, np.array([5.0, 6.0, 7.0]), np.array([-1.0, 0.5, 1.0]), -1.0, 1.0)
    >>> dx
    array([0., 6., 0.])
    """
    np.copyto(dx, dout)
    np.copyto(dx, 0, where=(out <= out.dtype.type(min_val)) | (out >= out.dtype.type(max_val)))


def multiply(out, a, b):
    """Product: ``out[i] = a[i] * b[i]``; dropout's forward (b its scaled mask) and its own backward.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    a, b : (n,)

    Examples
    --------
    >>> out = np.empty(2)
    >>> multiply(out, np.array([1.0, 2.0]), np.array([0.0, 2.0]))
    >>> out
    array([0., 4.])
    """
    np.multiply(a, b, out=out)


def add(out, a, b):
    """Sum: ``out[i] = a[i] + b[i]``; where a residual connection joins.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    a, b : (n,)

    Examples
    --------
    >>> out = np.empty(2)
    >>> add(out, np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    >>> out
    array([11., 22.])
    """
    np.add(a, b, out=out)
