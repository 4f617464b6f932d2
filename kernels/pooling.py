"""Max and average pooling over windows.   N batch, C channels, H x W input, OH x OW output, KH x KW window.

    maxpool2d_forward         (out, argmax, x, kernel, stride, padding, dilation)
    maxpool2d_backward        (dx, dout, argmax)
    avgpool2d_forward         (out, x, kernel, stride, padding, count_include_pad, divisor)
    avgpool2d_backward        (dx, dout, kernel, stride, padding, count_include_pad, divisor)
    adaptive_avgpool2d_forward(out, x)
    adaptive_avgpool2d_backward(dx, dout)

Window (i, j) starts at row i*SH - PH and column j*SW - PW of its plane; only cells inside the plane take part. OH and OW
come from the arrays, so a last window may reach beyond the padding (ceil_mode).

All are parallel over the N*C planes, which share nothing. Rows of outputs are made of tiles (`_pool_tiles`); windows of 2x2
with stride 2, by far the most common, have tiles of their own.
"""

import numpy as np

from . import _pool_tiles as tiles
from ._jit import jit
from ._kernel import kernel
from ._math import scratch_array
from .im2col import valid_range
from .simd import pointer

_WIDE, _NARROW, _MAX_STRIDE = tiles.WIDE, tiles.NARROW, tiles.MAX_STRIDE


def _planes(array):
    return array.shape[0] * array.shape[1]


def _planes_per_chunk(array):
    """Planes that make about 8192 elements of the larger array."""
    return max(1, 8192 // max(1, array.shape[2] * array.shape[3]))


@jit
def _next_tile(j, OW):
    """Start and lanes of the tile that covers output j of a row; a single output where the row is shorter than a tile."""
    if OW >= _WIDE and OW - j > _NARROW:
        return min(j, OW - _WIDE), _WIDE
    if OW >= _NARROW:
        return min(j, OW - _NARROW), _NARROW
    return j, 1


@jit
def _is_2x2(H, W, OH, OW):
    """Whether 2x2 windows with stride 2 and these sizes lie inside the plane and their rows are long enough for tiles."""
    return 2 * OH <= H and 2 * OW <= W and OW >= _NARROW


@kernel(
    items=lambda out, argmax, x, *_: _planes(x),
    chunk=lambda out, argmax, x, *_: _planes_per_chunk(x),
    cost=lambda out, argmax, x, kernel, *_: out.size * kernel[0] * kernel[1] // 6,
)
def maxpool2d_forward(out, argmax, x, kernel, stride, padding, dilation, first, last):
    """Maximum of each window: out[n, c, i, j] = max over (kh, kw) of x[n, c, i*SH - PH + kh*DH, j*SW - PW + kw*DW].

    Parameters
    ----------
    out : (N, C, OH, OW)
        Overwritten.
    argmax : (N, C, OH, OW) int32
        Overwritten: position of the maximum in its flattened (H, W) plane.
    x : (N, C, H, W)
    kernel, stride, padding, dilation : pair of int

    Notes
    -----
    Of equal maxima the first in row-major order counts. NaN is greater than any number (the first one, if there are
    several). Padding never wins; a window without any cell gives -inf and position -1.

    Examples
    --------
    >>> import numpy as np
    >>> out, argmax = np.empty((1, 1, 1, 2)), np.empty((1, 1, 1, 2), np.int32)
    >>> maxpool2d_forward(out, argmax, np.array([[[[1.0, 3.0, 3.0, 2.0]]]]), (1, 2), (1, 2), (0, 0), (1, 1))
    >>> out.reshape(2), argmax.reshape(2)
    (array([3., 3.]), array([1, 2], dtype=int32))
    """
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = kernel, stride, padding, dilation
    out, argmax, x = out.reshape(-1), argmax.reshape(-1), x.reshape(-1)
    simple = KH == 2 and KW == 2 and SH == 2 and SW == 2 and PH == 0 and PW == 0 and DH == 1 and DW == 1
    if simple and _is_2x2(H, W, OH, OW):
        for row in range(first * OH, last * OH):
            i = row % OH
            j = 0
            while j < OW:
                j, lanes = _next_tile(j, OW)
                cells = pointer(x, row // OH * H * W + 2 * i * W + 2 * j)
                to, where = pointer(out, row * OW + j), pointer(argmax, row * OW + j)
                tiles.max_tile_2x2(lanes, to, where, cells, 2 * i * W + 2 * j, W)
                j += lanes
        return
    for row in range(first * OH, last * OH):
        plane, i = row // OH, row % OH
        kh_first, kh_last = valid_range(i * SH - PH, H, KH, DH)
        h, rows = i * SH - PH + kh_first * DH, kh_last - kh_first
        j = 0
        while j < OW:
            j, lanes = _next_tile(j, OW)
            if rows == 0 or lanes == 1 or SW > _MAX_STRIDE:
                for b in range(j, j + lanes):
                    _max_window(out, argmax, x, row * OW + b, plane * H * W, h, rows, DH, b * SW - PW, KW, DW, W)
            else:
                w = j * SW - PW
                border = w < 0 or w + (lanes - 1) * SW + (KW - 1) * DW >= W
                to, where = pointer(out, row * OW + j), pointer(argmax, row * OW + j)
                tiles.max_tile(lanes, to, where, pointer(x, plane * H * W), h, rows, DH, w, KW, DW, W, SW, border)
            j += lanes


@jit
def _max_window(out, argmax, x, at, plane, h, rows, dh, w, columns, dw, W):
    """One output, for rows and strides that tiles do not serve."""
    best, where = x.dtype.type(-np.inf), np.int32(-1)
    for kh in range(rows):
        row = (h + kh * dh) * W
        for kw in range(columns):
            column = w + kw * dw
            if 0 <= column < W:
                value = x[plane + row + column]
                if where < 0 or value > best or (value != value and best == best):
                    best, where = value, np.int32(row + column)
    out[at], argmax[at] = best, where


@kernel(
    items=lambda dx, *_: _planes(dx),
    chunk=lambda dx, *_: _planes_per_chunk(dx),
    cost=lambda dx, dout, argmax: dx.nbytes // 60 + dout.size // 4,
)
def maxpool2d_backward(dx, dout, argmax, first, last):
    """Gradient of maxpool2d_forward with respect to x.

    dx[n, c, argmax[n, c, i, j]] is the sum of dout[n, c, i, j] over the windows that chose it; 0 elsewhere.

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)
    argmax : (N, C, OH, OW) int32
        What maxpool2d_forward wrote; negative positions get nothing.

    Notes
    -----
    Windows of 2x2 with stride 2 show by their winners: while every winner lies in the 2x2 cells of its output, tiles write
    all cells at once. A plane in which one does not is done again by scattering.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 1, 1, 4))
    >>> maxpool2d_backward(dx, np.array([[[[5.0, 6.0]]]]), np.array([[[[1, 1]]]], np.int32))
    >>> dx.reshape(4)
    array([ 0., 11.,  0.,  0.])
    """
    _, _, H, W = dx.shape
    _, _, OH, OW = dout.shape
    dx, dout, argmax = dx.reshape(-1), dout.reshape(-1), argmax.reshape(-1)
    simple = H // 2 == OH and W // 2 == OW and _is_2x2(H, W, OH, OW)
    for plane in range(first, last):
        if simple and _max_2x2_back(dx, dout, argmax, plane, H, W, OH, OW):
            continue
        image, size = dx[plane * H * W : (plane + 1) * H * W], np.uint64(H * W)
        for k in range(image.size):
            image[k] = 0
        gradients = dout[plane * OH * OW : (plane + 1) * OH * OW]
        winners = argmax[plane * OH * OW : (plane + 1) * OH * OW]
        for q in range(gradients.size):
            k = np.uint64(winners[q])  # unsigned: negative ones are beyond the end
            if k < size:
                image[k] += gradients[q]


@jit
def _max_2x2_back(dx, dout, argmax, plane, H, W, OH, OW):
    """Gradient of one plane of 2x2 windows; False, and dx unfinished, when a winner lies outside its window."""
    for i in range(OH):
        at, row = plane * H * W + 2 * i * W, (plane * OH + i) * OW
        for w in range(2 * OW, W):
            dx[at + w] = 0
            dx[at + W + w] = 0
        j = 0
        while j < OW:
            j, lanes = _next_tile(j, OW)
            cells, gradients, winners = pointer(dx, at + 2 * j), pointer(dout, row + j), pointer(argmax, row + j)
            if not tiles.max_tile_2x2_back(lanes, cells, gradients, winners, 2 * i * W + 2 * j, W):
                return False
            j += lanes
    for k in range((plane * H + 2 * OH) * W, (plane + 1) * H * W):
        dx[k] = 0
    return True


@jit
def _extent(i, size, kernel, stride, padding, count_include_pad):
    """Cells of window i along one axis that count in the mean (PyTorch's rule)."""
    start = i * stride - padding
    end = min(start + kernel, size + padding)
    return end - start if count_include_pad else max(1, min(end, size) - max(start, 0))


@jit
def _column_counts(counts, W, kernel, stride, padding, count_include_pad, divisor):
    """Number of columns of each window, or the divisor instead."""
    for j in range(counts.size):
        counts[j] = divisor if divisor != 0 else _extent(j, W, kernel, stride, padding, count_include_pad)


@kernel(
    items=lambda out, x, *_: _planes(x),
    chunk=lambda out, x, *_: _planes_per_chunk(x),
    cost=lambda out, x, kernel, *_: out.size * kernel[0] * kernel[1] // 8,
    scratch=lambda out, *_: out.shape[3] * out.itemsize,
)
def avgpool2d_forward(out, x, kernel, stride, padding, count_include_pad, divisor, first, last, scratch):
    """Mean of each window: out[n, c, i, j] = sum over (kh, kw) of x[n, c, i*SH - PH + kh, j*SW - PW + kw] / count.

    Parameters
    ----------
    out : (N, C, OH, OW)
        Overwritten.
    x : (N, C, H, W)
    kernel, stride, padding : pair of int
    count_include_pad : int
        1: padding counts as zeros, up to row H + PH and column W + PW. 0: only cells of x count.
    divisor : int
        Takes the place of the count unless 0.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 1, 1, 2))
    >>> avgpool2d_forward(out, np.array([[[[1.0, 3.0, 5.0, 7.0]]]]), (1, 2), (1, 2), (0, 0), 1, 0)
    >>> out.reshape(2)
    array([2., 6.])
    """
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    (KH, KW), (SH, SW), (PH, PW) = kernel, stride, padding
    counts = scratch_array(scratch, 0, OW, x)
    _column_counts(counts, W, KW, SW, PW, count_include_pad, divisor)
    out, x = out.reshape(-1), x.reshape(-1)
    simple = KH == 2 and KW == 2 and SH == 2 and SW == 2 and PH == 0 and PW == 0 and _is_2x2(H, W, OH, OW)
    for row in range(first * OH, last * OH):
        plane, i = row // OH, row % OH
        kh_first, kh_last = valid_range(i * SH - PH, H, KH, 1)
        h, rows = i * SH - PH + kh_first, kh_last - kh_first
        count = x.dtype.type(1 if divisor != 0 else _extent(i, H, KH, SH, PH, count_include_pad))
        j = 0
        while j < OW:
            j, lanes = _next_tile(j, OW)
            w, to = j * SW - PW, pointer(out, row * OW + j)
            if simple:
                tiles.sum_tile_2x2(lanes, to, pointer(x, (plane * H + h) * W + w), W)
            elif rows == 0 or lanes == 1 or SW > _MAX_STRIDE:
                for b in range(j, j + lanes):
                    out[row * OW + b] = _sum_window(x, (plane * H + h) * W, rows, b * SW - PW, KW, W)
            else:
                border = w < 0 or w + (lanes - 1) * SW + KW > W
                tiles.sum_tile(lanes, to, pointer(x, plane * H * W), h, rows, w, KW, W, SW, border)
            j += lanes
        out_row = out[row * OW : (row + 1) * OW]
        for j in range(out_row.size):
            out_row[j] /= count * counts[j]


@jit
def _sum_window(x, at, rows, w, columns, W):
    """Sum of one window, clipped to columns 0..W-1, whose first row starts at `at`."""
    total = x.dtype.type(0)
    for kh in range(rows):
        row = x[at + kh * W + max(w, 0) : at + kh * W + max(0, min(w + columns, W))]
        for k in range(row.size):
            total += row[k]
    return total


@kernel(
    items=lambda dx, *_: _planes(dx),
    chunk=lambda dx, *_: _planes_per_chunk(dx),
    cost=lambda dx, dout, kernel, *_: dx.nbytes // 40 + dout.size * kernel[1] // 2,
    scratch=lambda dx, dout, *_: (dout.shape[2] * dx.shape[3] + 2 * dout.shape[3]) * dx.itemsize,
)
def avgpool2d_backward(dx, dout, kernel, stride, padding, count_include_pad, divisor, first, last, scratch):
    """Gradient of avgpool2d_forward with respect to x.

    dx[n, c, h, w] = sum over the windows (i, j) that hold (h, w) of dout[n, c, i, j] / count[i, j]

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)
    kernel, stride, padding, count_include_pad, divisor
        As in the forward call.

    Notes
    -----
    One axis after the other: each row of dout is spread over W columns in scratch, then added to the rows of its windows.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 1, 1, 4))
    >>> avgpool2d_backward(dx, np.array([[[[2.0, 4.0]]]]), (1, 2), (1, 2), (0, 0), 1, 0)
    >>> dx.reshape(4)
    array([1., 1., 2., 2.])
    """
    _, _, H, W = dx.shape
    _, _, OH, OW = dout.shape
    (KH, KW), (SH, SW), (PH, PW) = kernel, stride, padding
    simple = KH == 2 and KW == 2 and SH == 2 and SW == 2 and PH == 0 and PW == 0
    if simple and H == 2 * OH and W == 2 * OW and OW >= _NARROW:
        dx, dout = dx.reshape(-1), dout.reshape(-1)
        scale = dx.dtype.type(1 / divisor if divisor != 0 else 0.25)
        for row in range(first * OH, last * OH):
            j = 0
            while j < OW:
                j, lanes = _next_tile(j, OW)
                cells = pointer(dx, 2 * row * W + 2 * j)
                tiles.sum_tile_2x2_back(lanes, cells, pointer(dout, row * OW + j), scale, W)
                j += lanes
        return
    counts, scaled = scratch_array(scratch, 0, OW, dx), scratch_array(scratch, OW, OW, dx)
    spread = scratch_array(scratch, 2 * OW, OH * W, dx)
    _column_counts(counts, W, KW, SW, PW, count_include_pad, divisor)
    dx, dout = dx.reshape(-1), dout.reshape(-1)
    for plane in range(first, last):
        for i in range(OH):
            count = dx.dtype.type(1 if divisor != 0 else _extent(i, H, KH, SH, PH, count_include_pad))
            dout_row, spread_row = dout[(plane * OH + i) * OW : (plane * OH + i + 1) * OW], spread[i * W : (i + 1) * W]
            for j in range(OW):
                scaled[j] = dout_row[j] / (count * counts[j])
            for w in range(W):
                spread_row[w] = 0
            for kw in range(KW):
                j_first, j_last = valid_range(kw - PW, W, OW, SW)
                if SW == 1:
                    target = spread_row[j_first - PW + kw : j_last - PW + kw]
                    source = scaled[j_first:j_last]
                    for j in range(source.size):
                        target[j] += source[j]
                else:
                    for j in range(j_first, j_last):
                        spread_row[j * SW - PW + kw] += scaled[j]
        for h in range(H):
            # windows i with i*SH - PH <= h < i*SH - PH + KH
            i_first = max(0, (h + PH - KH + SH) // SH)
            i_last = min(OH, (h + PH) // SH + 1)
            dx_row = dx[(plane * H + h) * W : (plane * H + h + 1) * W]
            for w in range(W):
                dx_row[w] = 0
            for i in range(i_first, i_last):
                spread_row = spread[i * W : (i + 1) * W]
                for w in range(W):
                    dx_row[w] += spread_row[w]


@kernel(
    items=lambda out, x: _planes(x),
    chunk=lambda out, x: _planes_per_chunk(x),
    cost=lambda out, x: x.size // 4 + 4 * out.size,
)
def adaptive_avgpool2d_forward(out, x, first, last):
    """Mean over an OH x OW grid of windows that covers the plane.

    out[n, c, i, j] = mean of x[n, c, h, w] over floor(i*H/OH) <= h < ceil((i+1)*H/OH), likewise w.

    Parameters
    ----------
    out : (N, C, OH, OW)
        Overwritten.
    x : (N, C, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 1, 1, 2))
    >>> adaptive_avgpool2d_forward(out, np.array([[[[1.0, 2.0, 3.0]]]]))
    >>> out.reshape(2)
    array([1.5, 2.5])
    """
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    out, x = out.reshape(-1), x.reshape(-1)
    for row in range(first * OH, last * OH):
        plane, i = row // OH, row % OH
        h_first, h_last = i * H // OH, -(-(i + 1) * H // OH)
        for j in range(OW):
            w_first, w_last = j * W // OW, -(-(j + 1) * W // OW)
            rows, columns = h_last - h_first, w_last - w_first
            count = x.dtype.type(rows * columns)
            if columns == W:  # whole rows are neighbours in memory
                rows, columns = 1, rows * W
            at = (plane * H + h_first) * W + w_first
            total = x.dtype.type(0)
            for h in range(rows):
                cells = x[at + h * W : at + h * W + columns]
                for k in range(columns):
                    total += cells[k]
            out[row * OW + j] = total / count


@kernel(
    items=lambda dx, dout: _planes(dx),
    chunk=lambda dx, dout: _planes_per_chunk(dx),
    cost=lambda dx, dout: dx.size // 3 + 4 * dout.size,
)
def adaptive_avgpool2d_backward(dx, dout, first, last):
    """Gradient of adaptive_avgpool2d_forward with respect to x.

    dx[n, c, h, w] = sum over the windows (i, j) that hold (h, w) of dout[n, c, i, j] / count[i, j]

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 1, 1, 3))
    >>> adaptive_avgpool2d_backward(dx, np.array([[[[2.0, 4.0]]]]))
    >>> dx.reshape(3)
    array([1., 3., 2.])
    """
    _, _, H, W = dx.shape
    _, _, OH, OW = dout.shape
    dx, dout = dx.reshape(-1), dout.reshape(-1)
    for plane in range(first, last):
        image = dx[plane * H * W : (plane + 1) * H * W]
        for k in range(image.size):
            image[k] = 0
        for i in range(OH):
            h_first, h_last = i * H // OH, -(-(i + 1) * H // OH)
            for j in range(OW):
                w_first, w_last = j * W // OW, -(-(j + 1) * W // OW)
                rows, columns = h_last - h_first, w_last - w_first
                gradient = dout[(plane * OH + i) * OW + j] / dx.dtype.type(rows * columns)
                if columns == W:
                    rows, columns = 1, rows * W
                for h in range(rows):
                    cells = image[h_first * W + h * W + w_first : h_first * W + h * W + w_first + columns]
                    for k in range(columns):
                        cells[k] += gradient
