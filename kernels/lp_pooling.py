"""What surrounds a mean to make it a norm, for LPPool.   All arrays are flat, of one length and one float dtype.

    power_forward(out, x, p)           power_backward(dx, dout, x, p)
    root_forward (out, x, p, scale)    root_backward (dx, dout, out, p, scale)

The p-norm of a window of K cells is (K * mean of x^p)^(1/p): a power, the mean (`pooling.avgpool2d_forward`), a root. For p 1
and 2, by far the most common, loops are vectorised.
"""

import math

from ._kernel import kernel
from .activations import of_arithmetic


@kernel(**of_arithmetic)
def power_forward(out, x, p, first, last):
    """out[i] = x[i]^p: signed for odd p, NaN for negative x and fractions.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)
    p : float
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> power_forward(out, np.array([-2.0, 0.0, 3.0]), 3.0)
    >>> out
    array([-8.,  0., 27.])
    """
    out, x, exponent = out[first:last], x[first:last], x.dtype.type(p)
    if p == 1:
        for i in range(out.size):
            out[i] = x[i]
    elif p == 2:
        for i in range(out.size):
            out[i] = x[i] * x[i]
    else:
        for i in range(out.size):
            out[i] = math.pow(x[i], exponent)


@kernel(**of_arithmetic)
def power_backward(dx, dout, x, p, first, last):
    """Gradient of power_forward: dx[i] = dout[i] * p * x[i]^(p - 1).

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout, x : (size,)
    p : float
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(2)
    >>> power_backward(dx, np.array([10.0, 10.0]), np.array([-2.0, 3.0]), 2.0)
    >>> dx
    array([-40.,  60.])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    factor, exponent = x.dtype.type(p), x.dtype.type(p - 1)
    if p == 1:
        for i in range(dx.size):
            dx[i] = dout[i]
    elif p == 2:
        for i in range(dx.size):
            dx[i] = dout[i] * (x[i] + x[i])
    else:
        for i in range(dx.size):
            dx[i] = dout[i] * (factor * math.pow(x[i], exponent))


@kernel(**of_arithmetic)
def root_forward(out, x, p, scale, first, last):
    """out[i] = (scale * x[i])^(1/p): NaN for negative x, unless p is 1.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)
    p : float
        Above 0.
    scale : float
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(2)
    >>> root_forward(out, np.array([0.0, 6.25]), 2.0, 4.0)
    >>> out
    array([0., 5.])
    """
    out, x = out[first:last], x[first:last]
    factor, exponent = x.dtype.type(scale), x.dtype.type(1 / p)
    if p == 1:
        for i in range(out.size):
            out[i] = x[i] * factor
    elif p == 2:
        for i in range(out.size):
            out[i] = math.sqrt(x[i] * factor)
    else:
        for i in range(out.size):
            out[i] = math.pow(x[i] * factor, exponent)


@kernel(**of_arithmetic)
def root_backward(dx, dout, out, p, scale, first, last):
    """Gradient of root_forward: dx[i] = dout[i] * scale/p * out[i]^(1 - p), and 0 where out[i] is 0.

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    out : (size,)
        What root_forward wrote.
    p, scale : float
        As in the forward call.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(2)
    >>> root_backward(dx, np.array([10.0, 10.0]), np.array([0.0, 5.0]), 2.0, 4.0)
    >>> dx
    array([0., 4.])
    """
    dx, dout, out = dx[first:last], dout[first:last], out[first:last]
    zero, factor, exponent = dx.dtype.type(0), dx.dtype.type(scale / p), dx.dtype.type(1 - p)
    if p == 1:
        for i in range(dx.size):
            dx[i] = zero if out[i] == zero else dout[i] * factor
    elif p == 2:
        for i in range(dx.size):
            dx[i] = zero if out[i] == zero else dout[i] * factor / out[i]
    else:
        for i in range(dx.size):
            dx[i] = zero if out[i] == zero else dout[i] * (factor * math.pow(out[i], exponent))
