"""The fully connected layer in NumPy: one BLAS product per function.

    dense_forward        (out, x, weight, bias)
    dense_backward_input (dx, dout, weight)
    dense_backward_weight(dweight, x, dout)
    dense_backward_bias  (dbias, dout)

N batch, IN inputs, OUT outputs.
"""

import numpy as np


def dense_forward(out, x, weight, bias):
    """Affine map of every row of x (``torch.nn.functional.linear``).

    ``out[n, o] = sum_i x[n, i] * weight[o, i] + bias[o]``

    Parameters
    ----------
    out : (N, OUT)
        Overwritten.
    x : (N, IN)
    weight : (OUT, IN)
    bias : (OUT,) or None

    Examples
    --------
    >>> out = np.empty((1, 2))
    >>> dense_forward(out, np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.5, 0.0]))
    >>> out
    array([[11.5, 17. ]])
    """
    # [N x IN] @ [IN x OUT] -> [N x OUT]
    np.matmul(x, weight.T, out=out)
    if bias is not None:
        out += bias


def dense_backward_input(dx, dout, weight):
    """Gradient of dense_forward with respect to x.

    ``dx[n, i] = sum_o dout[n, o] * weight[o, i]``

    Parameters
    ----------
    dx : (N, IN)
        Overwritten.
    dout : (N, OUT)
    weight : (OUT, IN)

    Examples
    --------
    >>> dx = np.empty((1, 2))
    >>> dense_backward_input(dx, np.array([[1.0, 10.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    >>> dx
    array([[53., 64.]])
    """
    # [N x OUT] @ [OUT x IN] -> [N x IN]
    np.matmul(dout, weight, out=dx)


def dense_backward_weight(dweight, x, dout):
    """Gradient of dense_forward with respect to weight.

    ``dweight[o, i] = sum_n dout[n, o] * x[n, i]``

    Parameters
    ----------
    dweight : (OUT, IN)
        Overwritten.
    x : (N, IN)
    dout : (N, OUT)

    Examples
    --------
    >>> dweight = np.empty((1, 2))
    >>> dense_backward_weight(dweight, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0], [10.0]]))
    >>> dweight
    array([[31., 42.]])
    """
    # [OUT x N] @ [N x IN] -> [OUT x IN]
    np.matmul(dout.T, x, out=dweight)


def dense_backward_bias(dbias, dout):
    """Gradient of dense_forward with respect to bias.

    ``dbias[o] = sum_n dout[n, o]``

    Parameters
    ----------
    dbias : (OUT,)
        Overwritten.
    dout : (N, OUT)

    Examples
    --------
    >>> dbias = np.empty(2)
    >>> dense_backward_bias(dbias, np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> dbias
    array([4., 6.])
    """
    np.sum(dout, axis=0, out=dbias)
