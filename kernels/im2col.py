"""Columns of windows, and back.   N batch, C channels, H x W input, KH x KW window, OH x OW positions of it.

    im2col(col, x, kernel, stride, padding, dilation)
    col2im(x, col, kernel, stride, padding, dilation)

Tap (kh, kw) of the window at position (i, j) lies at row i*SH - PH + kh*DH and column j*SW - PW + kw*DW of the input.
Both are parallel over the N*C planes of the image: what a plane's columns hold comes from that plane alone.
"""

from ._kernel import kernel
from ._planes import zero
from ._windows import valid_range
from .moves import add_rows, copy_rows
from .simd import pointer


def _chunk(col, x):
    """Planes whose columns hold about 16384 elements."""
    N, C = x.shape[:2]
    return max(1, 16384 * N * C // max(1, col.size))


@kernel(
    items=lambda col, x, *_: x.shape[0] * x.shape[1],
    chunk=lambda col, x, *_: _chunk(col, x),
    cost=lambda col, x, *_: col.size // 4,
)
def im2col(col, x, kernel, stride, padding, dilation, first, last):
    """Windows as columns: col[n, (c, kh, kw), (i, j)] = x[n, c, i*SH - PH + kh*DH, j*SW - PW + kw*DW], 0 in the padding.

    Parameters
    ----------
    col : (N, C*KH*KW, OH*OW)
        Overwritten.
    x : (N, C, H, W)
    kernel, stride, padding, dilation : pair of int

    Examples
    --------
    >>> import numpy as np
    >>> col = np.empty((1, 2, 3))
    >>> im2col(col, np.array([[[[1.0, 2.0, 3.0]]]]), (1, 2), (1, 1), (0, 1), (1, 2))
    >>> col
    array([[[0., 1., 2.],
            [2., 3., 0.]]])
    """
    _, _, H, W = x.shape
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = kernel, stride, padding, dilation
    OW = (W + 2 * PW - DW * (KW - 1) - 1) // SW + 1
    OH = col.shape[2] // OW if OW > 0 else 0
    x, col = x.reshape(-1), col.reshape(-1)
    at = first * KH * KW * OH * OW
    for plane in range(first, last):
        for kh in range(KH):
            i_first, i_last = valid_range(kh * DH - PH, H, OH, SH)
            for kw in range(KW):
                j_first, j_last = valid_range(kw * DW - PW, W, OW, SW)
                rows, count = i_last - i_first, j_last - j_first
                if rows < OH or count < OW:
                    zero(col[at : at + OH * OW])
                if rows > 0 and count > 0:
                    h, w = i_first * SH - PH + kh * DH, j_first * SW - PW + kw * DW
                    target, source = pointer(col, at + i_first * OW + j_first), pointer(x, (plane * H + h) * W + w)
                    if SW <= 2:
                        copy_rows(target, OW, source, SH * W, rows, count, SW)
                    else:
                        for i in range(rows):
                            for j in range(count):
                                target[i * OW + j] = source[i * SH * W + j * SW]
                at += OH * OW


@kernel(
    items=lambda x, col, *_: x.shape[0] * x.shape[1],
    chunk=lambda x, col, *_: _chunk(col, x),
    cost=lambda x, col, *_: col.size // 3,
)
def col2im(x, col, kernel, stride, padding, dilation, first, last):
    """Adjoint of im2col: x[n, c, h, w] is the sum of all entries of col that im2col would have read from there.

    Parameters
    ----------
    x : (N, C, H, W)
        Overwritten.
    col : (N, C*KH*KW, OH*OW)
    kernel, stride, padding, dilation : pair of int

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty((1, 1, 1, 3))
    >>> col2im(x, np.array([[[9.0, 1.0, 2.0], [20.0, 30.0, 9.0]]]), (1, 2), (1, 1), (0, 1), (1, 2))
    >>> x
    array([[[[ 1., 22., 30.]]]])
    """
    _, _, H, W = x.shape
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = kernel, stride, padding, dilation
    OW = (W + 2 * PW - DW * (KW - 1) - 1) // SW + 1
    OH = col.shape[2] // OW if OW > 0 else 0
    x, col = x.reshape(-1), col.reshape(-1)
    at = first * KH * KW * OH * OW
    for plane in range(first, last):
        zero(x[plane * H * W : (plane + 1) * H * W])
        for kh in range(KH):
            i_first, i_last = valid_range(kh * DH - PH, H, OH, SH)
            for kw in range(KW):
                j_first, j_last = valid_range(kw * DW - PW, W, OW, SW)
                rows, count = i_last - i_first, j_last - j_first
                if rows > 0 and count > 0:
                    h, w = i_first * SH - PH + kh * DH, j_first * SW - PW + kw * DW
                    target, source = pointer(x, (plane * H + h) * W + w), pointer(col, at + i_first * OW + j_first)
                    if SW == 1:
                        add_rows(target, SH * W, source, OW, rows, count)
                    else:
                        for i in range(rows):
                            for j in range(count):
                                target[i * SH * W + j * SW] += source[i * OW + j]
                at += OH * OW
