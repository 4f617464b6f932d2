"""How a convolution becomes a one-dimensional correlation over flat memory: the tables that the conv kernels walk.

Stride, padding and dilation go into one copy: each channel of an image is laid out as planes, one for each phase of the
stride, with a border of zeros::

    plane[a, b][i, j] = image[i*SH + a - top, j*SW + b - left]        0 outside the image

There output (oh, ow) finds tap (kh, kw) at a distance that does not depend on (oh, ow): in plane (kh*DH % SH, kw*DW % SW), at
row oh + kh*DH // SH, column ow + kw*DW // SW. So a table of one offset for each tap and channel describes the whole layer, for
the output, the gradient of the weight and, with the roles of image and output swapped, the gradient of the input.

This is arithmetic in Python on a few numbers, done once for each shape and kept.
"""

import functools
from typing import NamedTuple

import numpy as np

from . import simd, tiles

# Cost of a vector that is loaded in so many pieces, relative to one that is loaded whole.
_PIECES_COST = {1: 1.0, 2: 1.05, 4: 1.2}
# A partly valid vector is loaded under a mask in a loop of its own.
_PARTIAL_COST = 1.5

cached = functools.lru_cache(maxsize=512)


class Planes(NamedTuple):
    """Layout of the bordered, phase-split copy of an image of `rows` x `columns` pixels."""

    rows: int
    columns: int
    top: int
    left: int
    stride_h: int
    stride_w: int
    height: int  # rows of a plane
    width: int  # columns of a plane
    phases: int  # planes of a channel

    @property
    def size(self):
        """Elements of all planes of one channel."""
        return self.phases * self.height * self.width


# Columns of the table of classes, one row for each correlation that a kernel makes from one set of planes.
TAPS_AT, DEPTH, VECTORS_AT, VECTORS, WEIGHT_AT, HEIGHT, WIDTH, ROW, COLUMN, TILE, PIECES = range(11)


class Correlation(NamedTuple):
    """Tables of the correlations over one set of planes: one class for an output, SH*SW for an input's gradient."""

    planes: Planes
    phases: np.ndarray  # (planes.phases, 2): a, b
    offsets: np.ndarray  # where tap k of a class lies relative to an output's position, classes one after the other
    vectors: np.ndarray  # (pieces, 3): position in the planes, position among the class's pixels, valid lanes
    classes: np.ndarray  # (classes, 11)
    taps: np.ndarray  # the kernel positions kh*KW + kw that each class sums over, classes one after the other
    tap_counts: np.ndarray  # (classes,)
    pixels: int  # of the largest class


def _row_pieces(height, width, plane_width, lanes):
    """Pieces that cover an output row by row: (position in the plane, position in the output, valid lanes)."""
    if plane_width == width:  # nothing between the rows: one long row
        height, width = 1, height * width
    starts = [(row, column) for row in range(height) for column in range(0, width, lanes)]
    return np.array([(r * plane_width + c, r * width + c, min(lanes, width - c)) for r, c in starts], np.int64)


def _vectors(height, width, plane_width, dtype):
    """Vectors that cover an output, each loaded in the number of pieces that costs least: (pieces per vector, pieces).

    Pieces are those of `_row_pieces`, filled up to whole vectors with empty ones.
    """
    best = None
    for count in tiles.piece_counts(dtype.itemsize):
        pieces = _row_pieces(height, width, plane_width, simd.lanes(dtype.itemsize) // count)
        missing = -len(pieces) % count
        cost = (len(pieces) + missing) // count * _PIECES_COST[count]
        if best is None or cost < best[0]:
            best = cost, count, np.concatenate([pieces, np.repeat(pieces[-1:] * (1, 1, 0), missing, axis=0)])
    return best[1:]


def _tables(channels, planes, phases, classes, dtype):
    """A Correlation from its classes: (height, width, row, column, taps, where), `where` a list of (phase, rows, columns)."""
    index = {phase: i for i, phase in enumerate(phases)}
    plane = planes.height * planes.width
    offsets, vectors, table = [], [], []
    weight_at = vectors_at = 0
    for height, width, row, column, _, where in classes:
        taps = [index[phase] * plane + down * planes.width + right for phase, down, right in where]
        class_offsets = [c * planes.size + t for c in range(channels) for t in taps]
        depth = len(class_offsets)
        pieces, chosen = _vectors(height, width, planes.width, dtype)
        tile = tiles.outer_at(dtype, pieces) if depth else 0
        count = len(chosen) // pieces
        table.append((len(offsets), depth, vectors_at, count, weight_at, height, width, row, column, tile, pieces))
        offsets += class_offsets
        vectors.append(chosen)
        vectors_at += len(chosen)
        weight_at += depth
    return Correlation(
        planes,
        np.array(phases, np.int64),
        np.array(offsets, np.int64),
        np.concatenate(vectors),
        np.array(table, np.int64),
        np.array([tap for *_, taps, _ in classes for tap in taps], np.int64),
        np.array([len(taps) for *_, taps, _ in classes], np.int64),
        max(height * width for height, width, *_ in classes),
    )


@cached
def forward(channels, size, out_size, kernel, stride, padding, dilation, dtype):
    """The correlation that makes a layer's output (and, with the same planes, the gradient of its weight)."""
    (h, w), (oh, ow), (kh, kw), (sh, sw), (ph, pw), (dh, dw) = size, out_size, kernel, stride, padding, dilation
    taps_h = [(i * dh % sh, i * dh // sh) for i in range(kh)]
    taps_w = [(j * dw % sw, j * dw // sw) for j in range(kw)]
    phases = sorted({(a, b) for a, _ in taps_h for b, _ in taps_w})
    height, width = oh + max(i for _, i in taps_h), ow + max(j for _, j in taps_w)
    planes = Planes(h, w, ph, pw, sh, sw, height, width, len(phases))
    where = [((a, b), i, j) for a, i in taps_h for b, j in taps_w]
    return _tables(channels, planes, phases, [(oh, ow, 0, 0, list(range(kh * kw)), where)], dtype)


@cached
def backward_input(filters, size, out_size, kernel, stride, padding, dilation, dtype):
    """The correlations over planes of dout that make the input's gradient: one for each phase of the stride.

    Pixel ih = SH*q + r - PH gets weight[kh] * dout[oh] where SH*oh + kh*DH - PH = ih: with kh*DH = SH*m + r, oh = q - m.
    """

    def axis(n, k, s, p, d):
        """For each phase r: (first pixel, number of pixels, q of the first pixel, [(tap, m)])."""
        found = []
        for r in range(s):
            q = max(0, -((r - p) // s))
            first = s * q + r - p
            found.append((first, len(range(first, n, s)), q, [(i, i * d // s) for i in range(k) if i * d % s == r]))
        return found

    def bounds(phases):
        """The rows of dout that some pixel meets, borders included."""
        reached = [(q - m, q - m + count) for _, count, q, taps in phases for _, m in taps if count]
        return (min(low for low, _ in reached), max(high for _, high in reached)) if reached else (0, 1)

    (oh, ow) = out_size
    rows, columns = (axis(size[i], kernel[i], stride[i], padding[i], dilation[i]) for i in range(2))
    (low_h, high_h), (low_w, high_w) = bounds(rows), bounds(columns)
    planes = Planes(oh, ow, -low_h, -low_w, 1, 1, high_h - low_h, high_w - low_w, 1)
    classes = []
    for first_h, count_h, q_h, taps_h in rows:
        for first_w, count_w, q_w, taps_w in columns:
            if count_h and count_w:
                taps = [i * kernel[1] + j for i, _ in taps_h for j, _ in taps_w]
                where = [((0, 0), q_h - m - low_h, q_w - n - low_w) for _, m in taps_h for _, n in taps_w]
                classes.append((count_h, count_w, first_h, first_w, taps, where))
    return _tables(filters, planes, [(0, 0)], classes, dtype)


def reduction_vectors(correlation, dtype):
    """Vectors for sums over the pixels of an output: (pieces, whole ones, partly valid ones).

    Rows of the tables are (position in the output, positions of the pieces in the planes), and for the partly valid ones the
    number of valid lanes. A vector of the output's side is contiguous: pieces are used only where they fill the rows.
    """
    height, width = correlation.classes[0, HEIGHT], correlation.classes[0, WIDTH]
    best = None
    for count in tiles.piece_counts(dtype.itemsize):
        lanes = simd.lanes(dtype.itemsize) // count
        pieces = _row_pieces(height, width, correlation.planes.width, lanes)
        if count > 1 and (pieces[:, 2] < lanes).any():
            continue
        missing = -len(pieces) % count
        padded = np.concatenate([pieces, np.repeat(pieces[-1:] * (1, 1, 0), missing, axis=0)]).reshape(-1, count, 3)
        rows = np.concatenate([padded[:, :1, 1], padded[:, :, 0], padded[:, :, 2].sum(axis=1)[:, None]], axis=1)
        is_whole = rows[:, -1] == simd.lanes(dtype.itemsize)
        cost = (is_whole.sum() + _PARTIAL_COST * (~is_whole).sum()) * _PIECES_COST[count]
        if best is None or cost < best[0]:
            best = cost, count, rows[is_whole, :-1], rows[~is_whole]
    return best[1:]
