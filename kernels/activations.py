"""Elementwise functions and their gradients.   All arrays are flat, of one length and one float dtype.

    relu_forward       (out, x)                    relu_backward      (dx, dout, out)
    leaky_relu_forward (out, x, negative_slope)    leaky_relu_backward(dx, dout, x, negative_slope)
    sigmoid_forward    (out, x)                    sigmoid_backward   (dx, dout, out)
    tanh_forward       (out, x)                    tanh_backward      (dx, dout, out)
    hardtanh_forward   (out, x, min_val, max_val)  hardtanh_backward  (dx, dout, out, min_val, max_val)
    add                (out, a, b)                 multiply           (out, a, b)

Each loop runs over slices from first to last: indices that start at 0 and end at a size need no test for wrapping around,
so the loop vectorises. NaN stays NaN everywhere: comparisons are written so that it falls on the side of the value.
"""

from ._kernel import kernel
from ._math import sigmoid, tanh

_CHUNK = 8192  # elements: a few arrays of it fit a core's own cache

# Settings of kernels whose time goes into moving arrays, and into computing.
of_memory = {
    "items": lambda out, *_: out.size,
    "chunk": lambda *_: _CHUNK,
    "cost": lambda out, *_: out.nbytes // 40,
}
of_arithmetic = {**of_memory, "cost": lambda out, *_: out.nbytes // 16}


@kernel(**of_memory)
def relu_forward(out, x, first, last):
    """Rectifier: out[i] = max(x[i], 0); NaN stays.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> relu_forward(out, np.array([-1.0, np.nan, 2.0]))
    >>> out
    array([ 0., nan,  2.])
    """
    out, x = out[first:last], x[first:last]
    zero = x.dtype.type(0)
    for i in range(out.size):
        out[i] = zero if zero > x[i] else x[i]


@kernel(**of_memory)
def relu_backward(dx, dout, out, first, last):
    """Gradient of relu_forward with respect to x: dx[i] = dout[i] where out[i] > 0, else 0.

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    out : (size,)
        What relu_forward wrote (its input serves as well). The gradient at 0 is 0, at NaN it is dout.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> relu_backward(dx, np.array([5.0, 6.0, 7.0]), np.array([0.0, 1.0, 2.0]))
    >>> dx
    array([0., 6., 7.])
    """
    dx, dout, out = dx[first:last], dout[first:last], out[first:last]
    zero = dx.dtype.type(0)
    for i in range(dx.size):
        value = dout[i]  # read in any case: a load under a condition keeps the loop scalar where vectors cannot be masked
        dx[i] = zero if out[i] <= zero else value


@kernel(**of_memory)
def leaky_relu_forward(out, x, negative_slope, first, last):
    """Rectifier with a slope below 0: out[i] = x[i] where x[i] > 0, else negative_slope * x[i].

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)
    negative_slope : float

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(2)
    >>> leaky_relu_forward(out, np.array([-1.0, 2.0]), 0.5)
    >>> out
    array([-0.5,  2. ])
    """
    out, x = out[first:last], x[first:last]
    zero, slope = x.dtype.type(0), x.dtype.type(negative_slope)
    for i in range(out.size):
        out[i] = x[i] if x[i] > zero else slope * x[i]


@kernel(**of_memory)
def leaky_relu_backward(dx, dout, x, negative_slope, first, last):
    """Gradient of leaky_relu_forward with respect to x: dx[i] = dout[i] where x[i] > 0, else negative_slope * dout[i].

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    x : (size,)
        Input of the forward call: with a negative slope its output does not tell the side.
    negative_slope : float

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(2)
    >>> leaky_relu_backward(dx, np.array([3.0, 4.0]), np.array([-1.0, 2.0]), 0.5)
    >>> dx
    array([1.5, 4. ])
    """
    dx, dout, x = dx[first:last], dout[first:last], x[first:last]
    zero, slope = x.dtype.type(0), x.dtype.type(negative_slope)
    for i in range(dx.size):
        dx[i] = dout[i] if x[i] > zero else slope * dout[i]


@kernel(**of_arithmetic)
def sigmoid_forward(out, x, first, last):
    """Logistic function: out[i] = 1 / (1 + exp(-x[i])), to a few ulp and without overflow.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> sigmoid_forward(out, np.array([-1000.0, 0.0, 1000.0]))
    >>> out
    array([0. , 0.5, 1. ])
    """
    out, x = out[first:last], x[first:last]
    for i in range(out.size):
        out[i] = sigmoid(x[i])


@kernel(**of_memory)
def sigmoid_backward(dx, dout, out, first, last):
    """Gradient of sigmoid_forward with respect to x: dx[i] = dout[i] * (1 - out[i]) * out[i].

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    out : (size,)
        What sigmoid_forward wrote.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(2)
    >>> sigmoid_backward(dx, np.array([1.0, 4.0]), np.array([0.0, 0.5]))
    >>> dx
    array([0., 1.])
    """
    dx, dout, out = dx[first:last], dout[first:last], out[first:last]
    one = dx.dtype.type(1)
    for i in range(dx.size):
        dx[i] = dout[i] * (one - out[i]) * out[i]


@kernel(**of_arithmetic)
def tanh_forward(out, x, first, last):
    """Hyperbolic tangent: out[i] = tanh(x[i]), to a few ulp, for small x too.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> tanh_forward(out, np.array([-1000.0, 0.0, 1e-20]))
    >>> out
    array([-1.e+00,  0.e+00,  1.e-20])
    """
    out, x = out[first:last], x[first:last]
    for i in range(out.size):
        out[i] = tanh(x[i])


@kernel(**of_memory)
def tanh_backward(dx, dout, out, first, last):
    """Gradient of tanh_forward with respect to x: dx[i] = dout[i] * (1 - out[i]**2).

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    out : (size,)
        What tanh_forward wrote.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(2)
    >>> tanh_backward(dx, np.array([1.0, 4.0]), np.array([0.0, 0.5]))
    >>> dx
    array([1., 3.])
    """
    dx, dout, out = dx[first:last], dout[first:last], out[first:last]
    one = dx.dtype.type(1)
    for i in range(dx.size):
        dx[i] = dout[i] * (one - out[i] * out[i])


@kernel(**of_memory)
def hardtanh_forward(out, x, min_val, max_val, first, last):
    """Clamp: out[i] = min(max(x[i], min_val), max_val); NaN stays.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    x : (size,)
    min_val, max_val : float

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(4)
    >>> hardtanh_forward(out, np.array([-3.0, np.nan, 0.5, 2.0]), -1.0, 1.0)
    >>> out
    array([-1. ,  nan,  0.5,  1. ])
    """
    out, x = out[first:last], x[first:last]
    low, high = x.dtype.type(min_val), x.dtype.type(max_val)
    for i in range(out.size):
        v = low if low > x[i] else x[i]
        out[i] = high if high < v else v


@kernel(**of_memory)
def hardtanh_backward(dx, dout, out, min_val, max_val, first, last):
    """Gradient of hardtanh_forward with respect to x: dx[i] = dout[i] where min_val < out[i] < max_val, else 0.

    Parameters
    ----------
    dx : (size,)
        Overwritten.
    dout : (size,)
    out : (size,)
        What hardtanh_forward wrote (its input serves as well). The gradient at the ends is 0, at NaN it is dout.
    min_val, max_val : float

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty(3)
    >>> hardtanh_backward(dx, np.array([5.0, 6.0, 7.0]), np.array([-1.0, 0.5, 1.0]), -1.0, 1.0)
    >>> dx
    array([0., 6., 0.])
    """
    dx, dout, out = dx[first:last], dout[first:last], out[first:last]
    zero, low, high = dx.dtype.type(0), dx.dtype.type(min_val), dx.dtype.type(max_val)
    for i in range(dx.size):
        value = dout[i]
        dx[i] = zero if (out[i] <= low) | (out[i] >= high) else value


@kernel(**of_memory)
def add(out, a, b, first, last):
    """Sum: out[i] = a[i] + b[i].

    Parameters
    ----------
    out : (size,)
        Overwritten.
    a, b : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(2)
    >>> add(out, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> out
    array([4., 6.])
    """
    out, a, b = out[first:last], a[first:last], b[first:last]
    for i in range(out.size):
        out[i] = a[i] + b[i]


@kernel(**of_memory)
def multiply(out, a, b, first, last):
    """Product: out[i] = a[i] * b[i]; forward and backward of dropout, `b` being the scaled mask.

    Parameters
    ----------
    out : (size,)
        Overwritten.
    a, b : (size,)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(2)
    >>> multiply(out, np.array([1.0, 2.0]), np.array([0.0, 1.25]))
    >>> out
    array([0. , 2.5])
    """
    out, a, b = out[first:last], a[first:last], b[first:last]
    for i in range(out.size):
        out[i] = a[i] * b[i]
