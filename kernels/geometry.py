"""Output sizes of convolution and pooling: the only helper that kernels and their twins share.

conv_output_size(size, kernel, stride, padding, dilation)
pool_output_size(size, kernel, stride, padding, dilation, ceil_mode)
"""


def conv_output_size(size, kernel, stride=1, padding=0, dilation=1):
    """Number of positions of a window along one axis.

    ``(size + 2*padding - dilation*(kernel - 1) - 1) // stride + 1``; below 1 the window does not fit.

    Parameters
    ----------
    size, kernel, stride, padding, dilation : int
        Input length, window length, step, zeros added at each end, distance between window taps.

    Returns
    -------
    int

    Examples
    --------
    >>> conv_output_size(28, 5)
    24
    >>> conv_output_size(32, 3, stride=2, padding=1)
    16
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def pool_output_size(size, kernel, stride, padding=0, dilation=1, ceil_mode=False):
    """Number of pooling windows along one axis.

    As `conv_output_size`; with `ceil_mode` a last, partly filled window counts too, provided that it starts inside the
    input or its left padding (PyTorch's rule).

    Examples
    --------
    >>> pool_output_size(5, 2, 2), pool_output_size(5, 2, 2, ceil_mode=True)
    (2, 3)
    """
    if not ceil_mode:
        return conv_output_size(size, kernel, stride, padding, dilation)
    out = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    if (out - 1) * stride >= size + padding:
        out -= 1
    return out
