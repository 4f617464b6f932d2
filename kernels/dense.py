"""The fully connected layer.   N batch, IN inputs, OUT outputs

    dense_forward        (out, x, weight, bias)
    dense_backward_input (dx, dout, weight)
    dense_backward_weight(dweight, x, dout)
    dense_backward_bias  (dbias, dout)

x (N, IN), weight (OUT, IN), bias (OUT,) or None, out (N, OUT). With L the loss and dout = dL/dout, the chain rule over
out[n, o] = sum_i x[n, i] * weight[o, i] + bias[o] gives the three gradients.
"""

from . import gemm
from ._kernel import kernel


def dense_forward(out, x, weight, bias):
    """Affine map of every row: out[n, o] = sum_i x[n, i] * weight[o, i] + bias[o].

    Parameters
    ----------
    out : (N, OUT)
        Overwritten.
    x : (N, IN)
    weight : (OUT, IN)
    bias : (OUT,) or None

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 2))
    >>> dense_forward(out, np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    >>> out
    array([[3.5, 6. ]])
    """
    # [N x IN] @ [OUT x IN].T -> [N x OUT]
    gemm.multiply_nt(out, x, weight, bias=bias)


def dense_backward_input(dx, dout, weight):
    """Gradient of dense_forward with respect to x: dx[n, i] = sum_o dout[n, o] * weight[o, i].

    Parameters
    ----------
    dx : (N, IN)
        Overwritten.
    dout : (N, OUT)
    weight : (OUT, IN)

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 2))
    >>> dense_backward_input(dx, np.array([[1.0, 10.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]))
    >>> dx
    array([[ 1., 31.]])
    """
    # [N x OUT] @ [OUT x IN] -> [N x IN]
    gemm.multiply(dx, dout, weight)


def dense_backward_weight(dweight, x, dout):
    """Gradient of dense_forward with respect to weight: dweight[o, i] = sum_n dout[n, o] * x[n, i].

    Parameters
    ----------
    dweight : (OUT, IN)
        Overwritten.
    x : (N, IN)
    dout : (N, OUT)

    Examples
    --------
    >>> import numpy as np
    >>> dweight = np.empty((2, 2))
    >>> dense_backward_weight(dweight, np.array([[1.0, 2.0]]), np.array([[1.0, 10.0]]))
    >>> dweight
    array([[ 1.,  2.],
           [10., 20.]])
    """
    # [N x OUT].T @ [N x IN] -> [OUT x IN]
    gemm.multiply(dweight, dout, x, a_transposed=True)


@kernel(items=lambda dbias, dout: dbias.size, chunk=lambda dbias, dout: 64, cost=lambda dbias, dout: dout.size * 0.1)
def dense_backward_bias(dbias, dout, first, last):
    """Gradient of dense_forward with respect to bias: dbias[o] = sum_n dout[n, o].

    Parameters
    ----------
    dbias : (OUT,)
        Overwritten.
    dout : (N, OUT)

    Notes
    -----
    Parallel over blocks of outputs, so that no element has two writers.

    Examples
    --------
    >>> import numpy as np
    >>> dbias = np.empty(2)
    >>> dense_backward_bias(dbias, np.array([[1.0, 10.0], [2.0, 20.0]]))
    >>> dbias
    array([ 3., 30.])
    """
    total = dbias[first:last]
    total[:] = 0
    for n in range(dout.shape[0]):
        row = dout[n, first:last]
        for o in range(total.size):
            total[o] += row[o]
