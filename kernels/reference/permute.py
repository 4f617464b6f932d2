"""NumPy twin of `fastnn.kernels.permute`."""

import numpy as np


def permute(out, x, strides):
    """Elements of each sample in another order: out[n, i, j, k] = x[n, i*strides[0] + j*strides[1] + k*strides[2]].

    Parameters
    ----------
    out : (N, A, B, C)
        Overwritten.
    x : (N, A*B*C)
    strides : three ints
        Elements of x from one index of each axis of out to the next.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 1, 3, 2))
    >>> permute(out, np.arange(6.0).reshape(1, 6), (0, 1, 3))
    >>> out[0, 0].tolist()
    [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    """
    i, j, k = np.ogrid[tuple(slice(size) for size in out.shape[1:])]
    out[...] = x[:, i * strides[0] + j * strides[1] + k * strides[2]]
