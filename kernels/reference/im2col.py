"""Patches of an image as columns and back, in NumPy: strided views one way, one shifted addition per tap the other way.

    im2col(col, x, kernel, stride, padding, dilation)
    col2im(x, col, kernel, stride, padding, dilation)

N batch, C channels, H x W input, KH x KW window, OH x OW positions of the window.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def im2col(col, x, kernel, stride, padding, dilation):
    """Copy every window of x into a column (``torch.nn.functional.unfold``).

    ``col[n, (c*KH + kh)*KW + kw, i*OW + j] = x[n, c, i*SH - PH + kh*DH, j*SW - PW + kw*DW]``, 0 outside the image.

    Parameters
    ----------
    col : (N, C*KH*KW, OH*OW)
        Overwritten.
    x : (N, C, H, W)
    kernel, stride, padding, dilation : (int, int)

    Notes
    -----
    A convolution becomes one matrix product over such columns: Chellapilla, Puri and Simard, "High performance
    convolutional neural networks for document processing", 2006.

    Examples
    --------
    >>> x = np.arange(6.0).reshape(1, 1, 2, 3)
    >>> col = np.empty((1, 4, 2))
    >>> im2col(col, x, (2, 2), (1, 1), (0, 0), (1, 1))
    >>> col[0]
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    if col.size == 0:
        return
    N, C = x.shape[:2]
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    extent = DH * (KH - 1) + 1, DW * (KW - 1) + 1
    # (N, C, OH, OW, KH, KW), a view: every window position, then every stride-th one, then every dilation-th tap
    windows = sliding_window_view(_padded(x, padding), extent, axis=(2, 3))[:, :, ::SH, ::SW, ::DH, ::DW]
    OH, OW = windows.shape[2:4]
    col.reshape(N, C, KH, KW, OH, OW)[...] = windows.transpose(0, 1, 4, 5, 2, 3)


def col2im(x, col, kernel, stride, padding, dilation):
    """Adjoint of im2col: add every column back to where it came from (``torch.nn.functional.fold``).

    ``x[n, c, h, w]`` is the sum of all ``col[n, (c*KH + kh)*KW + kw, i*OW + j]`` with ``i*SH - PH + kh*DH == h`` and
    ``j*SW - PW + kw*DW == w``.

    Parameters
    ----------
    x : (N, C, H, W)
        Overwritten.
    col : (N, C*KH*KW, OH*OW)
    kernel, stride, padding, dilation : (int, int)

    Examples
    --------
    >>> x = np.empty((1, 1, 2, 3))
    >>> col2im(x, np.ones((1, 4, 2)), (2, 2), (1, 1), (0, 0), (1, 1))
    >>> x[0, 0]  # how many windows cover each pixel
    array([[1., 2., 1.],
           [1., 2., 1.]])
    """
    if x.size == 0:
        return
    N, C, H, W = x.shape
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = kernel, stride, padding, dilation
    OH = (H + 2 * PH - DH * (KH - 1) - 1) // SH + 1
    OW = (W + 2 * PW - DW * (KW - 1) - 1) // SW + 1
    taps = col.reshape(N, C, KH, KW, OH, OW)
    padded = np.zeros((N, C, H + 2 * PH, W + 2 * PW), x.dtype)
    for kh in range(KH):
        rows = slice(kh * DH, kh * DH + (OH - 1) * SH + 1, SH)
        for kw in range(KW):
            columns = slice(kw * DW, kw * DW + (OW - 1) * SW + 1, SW)
            padded[:, :, rows, columns] += taps[:, :, kh, kw]
    x[...] = padded[:, :, PH : PH + H, PW : PW + W]


def _padded(x, padding):
    """x with PH rows and PW columns of zeros on each side; x itself where there are none."""
    PH, PW = padding
    if PH == 0 and PW == 0:
        return x
    N, C, H, W = x.shape
    padded = np.zeros((N, C, H + 2 * PH, W + 2 * PW), x.dtype)
    padded[:, :, PH : PH + H, PW : PW + W] = x
    return padded
