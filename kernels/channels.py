"""Channels of one array as channels of another."""

from ._kernel import kernel


@kernel(
    items=lambda out, *_: out.shape[0],
    chunk=lambda out, x, to, start, channels: max(1, 8192 // max(1, channels * out.shape[2])),
    cost=lambda out, x, to, start, channels: out.shape[0] * (4 + channels * out.shape[2] // 6),
)
def copy_channels(out, x, to, start, channels, first, last):
    """Copy some channels: out[n, to + c, l] = x[n, start + c, l] for c = 0 ... channels - 1.

    Parameters
    ----------
    out : (N, C, L)
        Overwritten in these channels only.
    x : (N, D, L)
    to, start, channels : int
        First channel to write, first to read, and how many.

    Notes
    -----
    Several arrays become the channels of one by a call for each, and one array is taken apart again by as many.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.zeros((1, 4, 2))
    >>> copy_channels(out, np.array([[[1.0, 2.0], [3.0, 4.0]]]), 1, 0, 2)
    >>> out[0].tolist()
    [[0.0, 0.0], [1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]
    """
    _, C, L = out.shape
    D, size = x.shape[1], channels * L
    out, x = out.reshape(-1), x.reshape(-1)
    for n in range(first, last):
        target, source = out[(n * C + to) * L :][:size], x[(n * D + start) * L :][:size]
        for i in range(size):
            target[i] = source[i]
