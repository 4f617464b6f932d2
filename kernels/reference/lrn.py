"""Local response normalization in NumPy.   N samples, C channels, L positions.

    lrn_forward (out, scale, x, size, alpha, beta, k)
    lrn_backward(dx, dout, x, scale, size, alpha, beta)

Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012, section 3.3;
there alpha is not divided by the size.
"""

import numpy as np


def _window_sums(x, before, after):
    """``sum of x[n, d, l] over c - before <= d <= c + after``, zeros beyond the channels."""
    C = x.shape[1]
    before, after = min(before, C), min(after, C)
    padded = np.pad(x, ((0, 0), (before, after), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, before + after + 1, axis=1).sum(axis=-1)


@np.errstate(divide="ignore", invalid="ignore")
def lrn_forward(out, scale, x, size, alpha, beta, k):
    """Divide each value by a power of its own and its neighbours' squares.

    ``scale[n, c, l] = k + alpha/size * sum_d x[n, d, l]**2``, d from ``c - size//2`` to ``c + (size - 1)//2``,
    ``out = x * scale**-beta``

    Parameters
    ----------
    out, scale : (N, C, L)
        Overwritten.
    x : (N, C, L)
    size : int
        Channels in a window, counted as if there were more than C.
    alpha, beta, k : float

    Examples
    --------
    >>> out, scale = np.empty((2, 1, 2, 1))
    >>> lrn_forward(out, scale, np.array([[[1.0], [2.0]]]), 2, 4.0, 1.0, 1.0)  # a window of channel c: c - 1 and c
    >>> scale.reshape(2), out.reshape(2).round(4)
    (array([ 3., 11.]), array([0.3333, 0.1818]))
    """
    scale[...] = _window_sums(x * x, size // 2, (size - 1) // 2)
    scale *= alpha / size
    scale += k
    np.power(scale, -beta, out=out)
    out *= x


@np.errstate(divide="ignore", invalid="ignore")
def lrn_backward(dx, dout, x, scale, size, alpha, beta):
    """Gradient of lrn_forward with respect to x.

    ``dx = dout * scale**-beta - 2*alpha*beta/size * x * sum_d (dout * x * scale**(-beta - 1))[n, d, l]``,
    d from ``c - (size - 1)//2`` to ``c + size//2``

    Parameters
    ----------
    dx : (N, C, L)
        Overwritten.
    dout, x : (N, C, L)
    scale : (N, C, L)
        What lrn_forward wrote.
    size : int
    alpha, beta : float

    Examples
    --------
    >>> dx, one = np.empty((1, 1, 1)), np.ones((1, 1, 1))
    >>> lrn_backward(dx, one, 2 * one, 5 * one, 1, 1.0, 1.0)  # of x / (1 + x*x) at 2: (1 - x*x) / (1 + x*x)**2
    >>> dx.reshape(1).round(4)
    array([-0.12])
    """
    power = scale**-beta
    sums = _window_sums(dout * x * power / scale, (size - 1) // 2, size // 2)
    np.multiply(dout, power, out=dx)
    dx -= (2 * alpha * beta / size) * x * sums
