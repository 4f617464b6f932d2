"""Softmax and its logarithm over the middle axis of (A, C, B) arrays, in NumPy.

    softmax_forward    (out, x)    softmax_backward    (dx, dout, out)
    log_softmax_forward(out, x)    log_softmax_backward(dx, dout, out)

A product of the axes before, C length of the normalised axis, B product of the axes after.
The largest value of each row is subtracted first: exp cannot overflow, and one term of the sum is 1. A row with +inf or
NaN, or of nothing but -inf, gives NaN (as PyTorch), without a warning.
"""

import numpy as np


@np.errstate(invalid="ignore")
def softmax_forward(out, x):
    """Normalised exponentials.

    ``out[a, c, b] = exp(x[a, c, b]) / sum_k exp(x[a, k, b])``

    Parameters
    ----------
    out : (A, C, B)
        Overwritten.
    x : (A, C, B)

    Examples
    --------
    >>> out = np.empty((1, 2, 1))
    >>> softmax_forward(out, np.log([[[1.0], [3.0]]]))
    >>> out.ravel().round(6)
    array([0.25, 0.75])
    """
    if out.size == 0:
        return
    np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)


def softmax_backward(dx, dout, out):
    """Gradient of softmax_forward with respect to x.

    ``dx[a, c, b] = out[a, c, b] * (dout[a, c, b] - sum_k dout[a, k, b] * out[a, k, b])``

    Parameters
    ----------
    dx : (A, C, B)
        Overwritten.
    dout : (A, C, B)
    out : (A, C, B)
        What softmax_forward wrote.

    Examples
    --------
    >>> dx = np.empty((1, 2, 1))
    >>> softmax_backward(dx, np.array([[[4.0], [0.0]]]), np.array([[[0.25], [0.75]]]))
    >>> dx.ravel()
    array([ 0.75, -0.75])
    """
    np.multiply(dout, out, out=dx)
    np.subtract(dout, dx.sum(axis=1, keepdims=True), out=dx)
    dx *= out


@np.errstate(invalid="ignore")
def log_softmax_forward(out, x):
    """Logarithm of the softmax.

    ``out[a, c, b] = x[a, c, b] - log(sum_k exp(x[a, k, b]))``

    Parameters
    ----------
    out : (A, C, B)
        Overwritten.
    x : (A, C, B)

    Examples
    --------
    >>> out = np.empty((1, 2, 1))
    >>> log_softmax_forward(out, np.array([[[1000.0], [0.0]]]))
    >>> out.ravel()
    array([    0., -1000.])
    """
    if out.size == 0:
        return
    np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))


def log_softmax_backward(dx, dout, out):
    """Gradient of log_softmax_forward with respect to x.

    ``dx[a, c, b] = dout[a, c, b] - exp(out[a, c, b]) * sum_k dout[a, k, b]``

    Parameters
    ----------
    dx : (A, C, B)
        Overwritten.
    dout : (A, C, B)
    out : (A, C, B)
        What log_softmax_forward wrote.

    Examples
    --------
    >>> dx = np.empty((1, 2, 1))
    >>> log_softmax_backward(dx, np.array([[[4.0], [0.0]]]), np.log([[[0.25], [0.75]]]))
    >>> dx.ravel().round(6)
    array([ 3., -3.])
    """
    np.exp(out, out=dx)
    dx *= dout.sum(axis=1, keepdims=True)
    np.subtract(dout, dx, out=dx)
