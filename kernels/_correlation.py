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

from . import simd

# Work of one half-width vector in units of a full one: 0.5 where both retire at the same rate, 1 where the width halves it.
_HALF_COST = 0.75
# Cost of copying one vector into a panel, in units of one filter's multiply-add of it.
_PACK_COST = 5.0
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
TAPS_AT, DEPTH, VECTORS_AT, VECTORS, WEIGHT_AT, HEIGHT, WIDTH, HALF, PACKED, ROW, COLUMN = range(11)


class Correlation(NamedTuple):
    """Tables of the correlations over one set of planes: one class for an output, SH*SW for an input's gradient."""

    planes: Planes
    phases: np.ndarray  # (planes.phases, 2): a, b
    offsets: np.ndarray  # where tap k of a class lies relative to an output's position, classes one after the other
    vectors: np.ndarray  # (vectors, 3): position in the planes, position among the class's pixels, valid lanes
    classes: np.ndarray  # (classes, 11)
    taps: tuple  # for each class, which kernel positions kh*KW + kw it sums over
    pixels: int  # of the largest class


def _row_vectors(height, width, plane_width, lanes):
    """Vectors that cover an output row by row: (position in the plane, position in the output, valid lanes)."""
    if plane_width == width:  # nothing between the rows: one long row
        height, width = 1, height * width
    starts = [(row, column) for row in range(height) for column in range(0, width, lanes)]
    return np.array([(r * plane_width + c, r * width + c, min(lanes, width - c)) for r, c in starts], np.int64)


def _tables(channels, filters, planes, phases, classes, itemsize):
    """A Correlation from its classes: (height, width, row, column, taps, where), `where` a list of (phase, rows, columns)."""
    index = {phase: i for i, phase in enumerate(phases)}
    plane = planes.height * planes.width
    offsets, vectors, table = [], [], []
    weight_at = 0
    for height, width, row, column, _, where in classes:
        taps = [index[phase] * plane + down * planes.width + right for phase, down, right in where]
        class_offsets = [c * planes.size + t for c in range(channels) for t in taps]
        full = _row_vectors(height, width, planes.width, simd.lanes(itemsize))
        half = _row_vectors(height, width, planes.width, max(1, simd.lanes(itemsize, half=True)))
        costs = {
            (False, False): len(full),
            (True, False): len(half) * _HALF_COST,
            (False, True): -(-height * width // simd.lanes(itemsize)) * (1 + _PACK_COST / filters),
        }
        use_half, packed = min(costs, key=costs.get)
        chosen = half if use_half else full
        at = sum(map(len, vectors))
        depth = len(class_offsets)
        table.append((len(offsets), depth, at, len(chosen), weight_at, height, width, use_half, packed, row, column))
        offsets += class_offsets
        vectors.append(chosen)
        weight_at += depth
    return Correlation(
        planes,
        np.array(phases, np.int64),
        np.array(offsets, np.int64),
        np.concatenate(vectors),
        np.array(table, np.int64),
        tuple(np.array(taps, np.int64) for *_, taps, _ in classes),
        max(height * width for height, width, *_ in classes),
    )


@cached
def forward(channels, filters, size, out_size, kernel, stride, padding, dilation, itemsize):
    """The correlation that makes a layer's output (and, with the same planes, the gradient of its weight)."""
    (h, w), (oh, ow), (kh, kw), (sh, sw), (ph, pw), (dh, dw) = size, out_size, kernel, stride, padding, dilation
    taps_h = [(i * dh % sh, i * dh // sh) for i in range(kh)]
    taps_w = [(j * dw % sw, j * dw // sw) for j in range(kw)]
    phases = sorted({(a, b) for a, _ in taps_h for b, _ in taps_w})
    height, width = oh + max(i for _, i in taps_h), ow + max(j for _, j in taps_w)
    planes = Planes(h, w, ph, pw, sh, sw, height, width, len(phases))
    where = [((a, b), i, j) for a, i in taps_h for b, j in taps_w]
    return _tables(channels, filters, planes, phases, [(oh, ow, 0, 0, list(range(kh * kw)), where)], itemsize)


@cached
def backward_input(channels, filters, size, out_size, kernel, stride, padding, dilation, itemsize):
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
    return _tables(filters, channels, planes, [(0, 0)], classes, itemsize)


def reduction_vectors(correlation, itemsize):
    """Vectors along the rows of an output, for sums over its pixels: (whole ones, partly valid ones, half width)."""
    _, _, _, _, _, height, width, *_ = correlation.classes[0]
    best = None
    for half in (False, True):
        lanes = simd.lanes(itemsize, half)
        if lanes < 1:
            continue
        vectors = _row_vectors(height, width, correlation.planes.width, lanes)
        is_whole = vectors[:, 2] == lanes
        cost = (is_whole.sum() + _PARTIAL_COST * (~is_whole).sum()) * (_HALF_COST if half else 1)
        if best is None or cost < best[0]:
            best = cost, vectors[is_whole], vectors[~is_whole], half
    return best[1:]
