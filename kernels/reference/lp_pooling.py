"""Powers and roots around a mean, for LPPool, in NumPy.   All arrays are flat, of one length n.

power_forward(out, x, p)           power_backward(dx, dout, x, p)
root_forward (out, x, p, scale)    root_backward (dx, dout, out, p, scale)
"""

import numpy as np


def power_forward(out, x, p):
    """``out[i] = x[i]**p``: signed for odd p, NaN for negative x and fractions.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)
    p : float
        Above 0.

    Examples
    --------
    >>> out = np.empty(3)
    >>> power_forward(out, np.array([-2.0, 0.0, 3.0]), 3.0)
    >>> out
    array([-8.,  0., 27.])
    """
    with np.errstate(all="ignore"):
        np.power(x, p, out=out)


def power_backward(dx, dout, x, p):
    """Gradient of power_forward: ``dx[i] = dout[i] * p * x[i]**(p - 1)``.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout, x : (n,)
    p : float
        Above 0.

    Examples
    --------
    >>> dx = np.empty(2)
    >>> power_backward(dx, np.array([10.0, 10.0]), np.array([-2.0, 3.0]), 2.0)
    >>> dx
    array([-40.,  60.])
    """
    with np.errstate(all="ignore"):
        dx[...] = dout * (p * x ** (p - 1))


def root_forward(out, x, p, scale):
    """``out[i] = (scale * x[i])**(1/p)``: NaN for negative x, unless p is 1.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,)
    p : float
        Above 0.
    scale : float
        Above 0.

    Examples
    --------
    >>> out = np.empty(2)
    >>> root_forward(out, np.array([0.0, 6.25]), 2.0, 4.0)
    >>> out
    array([0., 5.])
    """
    with np.errstate(all="ignore"):
        np.power(scale * x, 1 / p, out=out)


def root_backward(dx, dout, out, p, scale):
    """Gradient of root_forward: ``dx[i] = dout[i] * scale/p * out[i]**(1 - p)``, and 0 where ``out[i]`` is 0.

    Parameters
    ----------
    dx : (n,)
        Overwritten.
    dout : (n,)
    out : (n,)
        What root_forward wrote.
    p, scale : float
        As in the forward call.

    Examples
    --------
    >>> dx = np.empty(2)
    >>> root_backward(dx, np.array([10.0, 10.0]), np.array([0.0, 5.0]), 2.0, 4.0)
    >>> dx
    array([0., 4.])
    """
    with np.errstate(all="ignore"):
        dx[...] = dout * (scale / p * out ** (1 - p))
    dx[out == 0] = 0
