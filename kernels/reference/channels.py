"""NumPy twins of `fastnn.kernels.channels`."""


def copy_channels(out, x, to, start, channels):
    """Copy some channels: out[n, to + c, l] = x[n, start + c, l] for c = 0 ... channels - 1.

    Parameters
    ----------
    out : (N, C, L)
        Overwritten in these channels only.
    x : (N, D, L)
    to, start, channels : int
        First channel to write, first to read, and how many.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.zeros((1, 3, 1))
    >>> copy_channels(out, np.array([[[1.0], [2.0]]]), 1, 0, 2)
    >>> out.ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    out[:, to : to + channels] = x[:, start : start + channels]
