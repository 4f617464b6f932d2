"""Axes in another order."""

from ._kernel import kernel


@kernel(
    items=lambda out, *_: out.shape[0] * out.shape[1],
    chunk=lambda out, *_: max(1, 8192 // max(1, out.shape[2] * out.shape[3])),
    cost=lambda out, *_: out.size // 2,
)
def permute(out, x, strides, first, last):
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
    Channels first, of a sample (2, 2, 3) whose channels come last:

    >>> import numpy as np
    >>> out = np.empty((1, 3, 2, 2))
    >>> permute(out, np.arange(12.0).reshape(1, 12), (1, 6, 3))
    >>> out[0, 1].tolist()
    [[1.0, 4.0], [7.0, 10.0]]
    """
    _, A, B, C = out.shape
    out, x = out.reshape(-1), x.reshape(-1)
    for row in range(first, last):
        n, i = row // A, row % A
        target, source = out[row * B * C :][: B * C], x[n * A * B * C + i * strides[0] :]
        for j in range(B):
            for k in range(C):
                target[j * C + k] = source[j * strides[1] + k * strides[2]]
