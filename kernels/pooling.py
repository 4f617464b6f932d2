"""Max and average pooling over windows.   N batch, C channels, H x W input, OH x OW output, KH x KW window.

    maxpool2d_forward         (out, argmax, x, kernel, stride, padding, dilation)
    maxpool2d_backward        (dx, dout, argmax)
    avgpool2d_forward         (out, x, kernel, stride, padding, count_include_pad, divisor)
    avgpool2d_backward        (dx, dout, kernel, stride, padding, count_include_pad, divisor)
    adaptive_avgpool2d_forward(out, x)
    adaptive_avgpool2d_backward(dx, dout)

Window (i, j) starts at row i*SH - PH and column j*SW - PW of its plane; only cells inside the plane take part. OH and OW
come from the arrays, so a last window may reach beyond the padding (ceil_mode).

All are parallel over the N*C planes, which share nothing. Rows of outputs are made of tiles (`_windows`); windows of 2x2
with stride 2, by far the most common, have tiles of their own.
"""

import numpy as np

from . import _windows as tiles
from ._jit import jit
from ._kernel import kernel
from ._math import scratch_array
from .simd import pointer


def _planes(array):
    return array.shape[0] * array.shape[1]


def _planes_per_chunk(array):
    """Planes that make about 8192 elements of the larger array."""
    return max(1, 8192 // max(1, array.shape[2] * array.shape[3]))


@jit
def _tile_lanes(OW):
    """Size of the tiles that cover a row of outputs, the last one overlapping; 0 where the row is too short."""
    if OW >= tiles.WIDE:
        return tiles.WIDE
    return tiles.NARROW if OW >= tiles.NARROW else 0


def _in_quarters(x, out, kernel, stride, padding):
    """Whether each output stands for 2x2 cells of its own, and rows are long enough for tiles."""
    (H, W), (OH, OW) = x.shape[2:], out.shape[2:]
    plain = (*kernel, *stride, *padding) == (2, 2, 2, 2, 0, 0)
    return plain and 2 * OH <= H and 2 * OW <= W and OW >= tiles.NARROW


def maxpool2d_forward(out, argmax, x, kernel, stride, padding, dilation):
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
    Of equal maxima the first in row-major order counts; of NaNs, which win over all numbers, the last (as in PyTorch).
    Padding never wins; a window without any cell, which dilation can make, gives -inf and position -1.

    Examples
    --------
    >>> import numpy as np
    >>> out, argmax = np.empty((1, 1, 1, 2)), np.empty((1, 1, 1, 2), np.int32)
    >>> maxpool2d_forward(out, argmax, np.array([[[[1.0, 3.0, 3.0, 2.0]]]]), (1, 2), (1, 2), (0, 0), (1, 1))
    >>> out.reshape(2), argmax.reshape(2)
    (array([3., 3.]), array([1, 2], dtype=int32))
    """
    if _in_quarters(x, out, kernel, stride, padding) and tuple(dilation) == (1, 1):
        _max_quarters(out, argmax, x)
    else:
        _max_windows(out, argmax, x, kernel, stride, padding, dilation)


@kernel(
    items=lambda out, argmax, x: _planes(x),
    chunk=lambda out, argmax, x: _planes_per_chunk(x),
    cost=lambda out, argmax, x: out.size * 2 // 3,
)
def _max_quarters(out, argmax, x, first, last):
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    out, argmax, x = out.reshape(-1), argmax.reshape(-1), x.reshape(-1)
    lanes = _tile_lanes(OW)
    for plane in range(first, last):
        for i in range(OH):
            row = (plane * OH + i) * OW
            for start in range(0, OW, lanes):
                j = min(start, OW - lanes)
                at = 2 * (i * W + j)
                cells = pointer(x, plane * H * W + at)
                tiles.max_tile_2x2(lanes, pointer(out, row + j), pointer(argmax, row + j), cells, at, W)


@kernel(
    items=lambda out, argmax, x, *_: _planes(x),
    chunk=lambda out, argmax, x, *_: _planes_per_chunk(x),
    cost=lambda out, argmax, x, kernel, *_: out.size * kernel[0] * kernel[1] // 4,
)
def _max_windows(out, argmax, x, kernel, stride, padding, dilation, first, last):
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    (_, KW), (SH, SW), (PH, PW), (DH, DW) = kernel, stride, padding, dilation
    out, argmax, x = out.reshape(-1), argmax.reshape(-1), x.reshape(-1)
    lanes = _tile_lanes(OW) if SW <= tiles.MAX_STRIDE else 0
    for plane in range(first, last):
        for i in range(OH):
            row, image = (plane * OH + i) * OW, plane * H * W
            kh_first, kh_last = tiles.valid_range(i * SH - PH, H, kernel[0], DH)
            h, rows = i * SH - PH + kh_first * DH, kh_last - kh_first
            if lanes == 0 or rows == 0:
                for j in range(OW):
                    _max_window(out, argmax, x, row + j, image, h, rows, DH, j * SW - PW, KW, DW, W)
                continue
            for start in range(0, OW, lanes):
                j = min(start, OW - lanes)
                w = j * SW - PW
                border = w < 0 or w + (lanes - 1) * SW + (KW - 1) * DW >= W
                to, where = pointer(out, row + j), pointer(argmax, row + j)
                if not tiles.max_tile(lanes, to, where, pointer(x, image), h, rows, DH, w, KW, DW, W, SW, border):
                    for b in range(j, j + lanes):
                        _max_window(out, argmax, x, row + b, image, h, rows, DH, b * SW - PW, KW, DW, W)


@jit
def _max_window(out, argmax, x, at, image, h, rows, dh, w, columns, dw, W):
    """One output, for rows and strides that tiles do not serve."""
    best, where = x.dtype.type(-np.inf), np.int32(-1)
    for kh in range(rows):
        row = (h + kh * dh) * W
        for kw in range(columns):
            column = w + kw * dw
            if 0 <= column < W:
                value = x[image + row + column]
                if where < 0 or value > best or value != value:
                    best, where = value, np.int32(row + column)
    out[at], argmax[at] = best, where


@kernel(
    items=lambda dx, *_: _planes(dx),
    chunk=lambda dx, *_: _planes_per_chunk(dx),
    cost=lambda dx, dout, argmax: dx.size // 6,
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
    simple = H // 2 == OH and W // 2 == OW and OW >= tiles.NARROW
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


@jit(inline="always")
def _max_2x2_back(dx, dout, argmax, plane, H, W, OH, OW):
    """Gradient of one plane of 2x2 windows; False, and dx unfinished, when a winner lies outside its window."""
    lanes = _tile_lanes(OW)
    for i in range(OH):
        image, row = plane * H * W, (plane * OH + i) * OW
        for start in range(0, OW, lanes):
            j = min(start, OW - lanes)
            at, cells = 2 * (i * W + j), pointer(dx, image + 2 * (i * W + j))
            if not tiles.max_tile_2x2_back(lanes, cells, pointer(dout, row + j), pointer(argmax, row + j), at, W):
                return False
    _zero_beyond_quarters(dx, plane, H, W, OH, OW)
    return True


@jit
def _extent(i, size, kernel, stride, padding, count_include_pad):
    """Cells of window i along one axis that count in the mean (PyTorch's rule)."""
    start = i * stride - padding
    end = min(start + kernel, size + padding)
    return end - start if count_include_pad else max(1, min(end, size) - max(start, 0))


@jit
def _column_weights(weights, W, kernel, stride, padding, count_include_pad, divisor):
    """One over the number of columns of each window, or over the divisor."""
    for j in range(weights.size):
        weights[j] = 1 / (divisor if divisor != 0 else _extent(j, W, kernel, stride, padding, count_include_pad))


def avgpool2d_forward(out, x, kernel, stride, padding, count_include_pad, divisor):
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
    if _in_quarters(x, out, kernel, stride, padding):
        _mean_quarters(out, x, 1 / (divisor or 4))
    else:
        _mean_windows(out, x, kernel, stride, padding, count_include_pad, divisor)


@kernel(
    items=lambda out, x, _: _planes(x),
    chunk=lambda out, x, _: _planes_per_chunk(x),
    cost=lambda out, x, _: out.size // 3,
)
def _mean_quarters(out, x, scale, first, last):
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    scale = x.dtype.type(scale)
    out, x = out.reshape(-1), x.reshape(-1)
    lanes = _tile_lanes(OW)
    for plane in range(first, last):
        for i in range(OH):
            for start in range(0, OW, lanes):
                j = min(start, OW - lanes)
                cells = pointer(x, (plane * H + 2 * i) * W + 2 * j)
                tiles.mean_tile_2x2(lanes, pointer(out, (plane * OH + i) * OW + j), cells, scale, W)


@kernel(
    items=lambda out, x, *_: _planes(x),
    chunk=lambda out, x, *_: _planes_per_chunk(x),
    cost=lambda out, x, kernel, *_: out.size * kernel[0] * kernel[1] // 6,
    scratch=lambda out, *_: out.shape[3] * out.itemsize,
)
def _mean_windows(out, x, kernel, stride, padding, count_include_pad, divisor, first, last, scratch):
    _, _, H, W = x.shape
    _, _, OH, OW = out.shape
    (KH, KW), (SH, SW), (PH, PW) = kernel, stride, padding
    weights = scratch_array(scratch, 0, OW, x)
    _column_weights(weights, W, KW, SW, PW, count_include_pad, divisor)
    out, x = out.reshape(-1), x.reshape(-1)
    lanes = _tile_lanes(OW) if SW <= tiles.MAX_STRIDE else 0
    for plane in range(first, last):
        for i in range(OH):
            row, image = (plane * OH + i) * OW, plane * H * W
            kh_first, kh_last = tiles.valid_range(i * SH - PH, H, KH, 1)
            h, rows = i * SH - PH + kh_first, kh_last - kh_first
            factor = x.dtype.type(1 if divisor != 0 else 1 / _extent(i, H, KH, SH, PH, count_include_pad))
            if lanes == 0 or rows == 0:
                for j in range(OW):
                    out[row + j] = _sum_window(x, image + h * W, rows, j * SW - PW, KW, W) * (weights[j] * factor)
                continue
            for start in range(0, OW, lanes):
                j = min(start, OW - lanes)
                w, to = j * SW - PW, pointer(out, row + j)
                border = w < 0 or w + (lanes - 1) * SW + KW > W
                weights_j = pointer(weights, j)
                tiles.mean_tile(lanes, to, pointer(x, image), h, rows, w, KW, W, SW, border, weights_j, factor)


@jit
def _sum_window(x, at, rows, w, columns, W):
    """Sum of one window, clipped to columns 0..W-1, whose first row starts at `at`."""
    total = x.dtype.type(0)
    for kh in range(rows):
        row = x[at + kh * W + max(w, 0) : at + kh * W + max(0, min(w + columns, W))]
        for k in range(row.size):
            total += row[k]
    return total


def avgpool2d_backward(dx, dout, kernel, stride, padding, count_include_pad, divisor):
    """Gradient of avgpool2d_forward with respect to x.

    dx[n, c, h, w] = sum over the windows (i, j) that hold (h, w) of dout[n, c, i, j] / count[i, j]

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)
    kernel, stride, padding, count_include_pad, divisor
        As in the forward call.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 1, 1, 4))
    >>> avgpool2d_backward(dx, np.array([[[[2.0, 4.0]]]]), (1, 2), (1, 2), (0, 0), 1, 0)
    >>> dx.reshape(4)
    array([1., 1., 2., 2.])
    """
    if _in_quarters(dx, dout, kernel, stride, padding):
        _mean_quarters_back(dx, dout, 1 / (divisor or 4))
    else:
        _mean_windows_back(dx, dout, kernel, stride, padding, count_include_pad, divisor)


@kernel(
    items=lambda dx, *_: _planes(dx),
    chunk=lambda dx, *_: _planes_per_chunk(dx),
    cost=lambda dx, *_: dx.size // 8,
)
def _mean_quarters_back(dx, dout, scale, first, last):
    _, _, H, W = dx.shape
    _, _, OH, OW = dout.shape
    scale = dx.dtype.type(scale)
    dx, dout = dx.reshape(-1), dout.reshape(-1)
    lanes = _tile_lanes(OW)
    for plane in range(first, last):
        for i in range(OH):
            for start in range(0, OW, lanes):
                j = min(start, OW - lanes)
                cells = pointer(dx, (plane * H + 2 * i) * W + 2 * j)
                tiles.mean_tile_2x2_back(lanes, cells, pointer(dout, (plane * OH + i) * OW + j), scale, W)
        _zero_beyond_quarters(dx, plane, H, W, OH, OW)


@jit(inline="always")
def _zero_beyond_quarters(dx, plane, H, W, OH, OW):
    """Set the cells right of and below the 2x2 cells of all outputs to 0."""
    if W > 2 * OW:
        for h in range(2 * OH):
            for w in range(2 * OW, W):
                dx[(plane * H + h) * W + w] = 0
    if H > 2 * OH:
        for k in range((plane * H + 2 * OH) * W, (plane + 1) * H * W):
            dx[k] = 0


def _spread_width(W):
    return -(-W // tiles.WIDE) * tiles.WIDE


@kernel(
    items=lambda dx, *_: _planes(dx),
    chunk=lambda dx, *_: _planes_per_chunk(dx),
    cost=lambda dx, dout, kernel, *_: dx.size // 2 + dout.size * kernel[1] // 2,
    scratch=lambda dx, dout, kernel, *_: (
        dx.itemsize * (dout.shape[3] + (dout.shape[2] + 1) * _spread_width(dx.shape[3]) + kernel[1] + tiles.WIDE)
    ),
)
def _mean_windows_back(dx, dout, kernel, stride, padding, count_include_pad, divisor, first, last, scratch):
    # One axis after the other. A row of dout is laid out with the starts of its windows at their columns, zeros between;
    # then sums over KW neighbours spread it over the columns, and sums over such rows make the rows of dx.
    _, _, H, W = dx.shape
    _, _, OH, OW = dout.shape
    (KH, KW), (SH, SW), (PH, PW) = kernel, stride, padding
    width = (W + tiles.WIDE - 1) // tiles.WIDE * tiles.WIDE
    weights, ones = scratch_array(scratch, 0, OW, dx), scratch_array(scratch, OW, tiles.WIDE, dx)
    starts = scratch_array(scratch, OW + tiles.WIDE, width + KW, dx)  # column w at w + KW - 1
    spread = scratch_array(scratch, OW + tiles.WIDE + width + KW, OH * width, dx)
    _column_weights(weights, W, KW, SW, PW, count_include_pad, divisor)
    for k in range(ones.size):
        ones[k] = 1
    for k in range(starts.size):
        starts[k] = 0
    dx, dout = dx.reshape(-1), dout.reshape(-1)
    one, lanes, reaching = dx.dtype.type(1), _tile_lanes(W), min(OW, (W - 1 + PW) // SW + 1)
    for plane in range(first, last):
        for i in range(OH):
            factor = dx.dtype.type(1 if divisor != 0 else 1 / _extent(i, H, KH, SH, PH, count_include_pad))
            row = dout[(plane * OH + i) * OW : (plane * OH + i + 1) * OW]
            for j in range(reaching):
                starts[j * SW - PW + KW - 1] = row[j] * (weights[j] * factor)
            for w in range(0, width, tiles.WIDE):
                to = pointer(spread, i * width + w)
                tiles.mean_tile(tiles.WIDE, to, pointer(starts, 0), 0, 1, w, KW, width, 1, 0, pointer(ones, 0), one)
        for h in range(H):
            # windows i with i*SH - PH <= h < i*SH - PH + KH
            i_first, i_last = max(0, (h + PH - KH + SH) // SH), min(OH, (h + PH) // SH + 1)
            row, rows = (plane * H + h) * W, i_last - i_first
            if lanes == 0 or rows <= 0:
                for w in range(W):
                    total = dx.dtype.type(0)
                    for i in range(i_first, i_last):
                        total += spread[i * width + w]
                    dx[row + w] = total
                continue
            for start in range(0, W, lanes):
                w = min(start, W - lanes)
                to = pointer(dx, row + w)
                tiles.mean_tile(lanes, to, pointer(spread, 0), i_first, rows, w, 1, width, 1, 0, pointer(ones, 0), one)


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
