"""The gradient of the weight by Winograd's algorithm.
"""

import functools

import numpy as np

from .. import simd, tiles
from .._kernel import kernel
from ..gemm import EMPTY
from ..moves import transpose_block
from ..simd import OUTER_VECTORS
from ..tiles import ACCUMULATE, ZERO, invoke, outer_rows
from . import winograd_transforms as transforms
from .layout import lanes_of, locate
from .winograd_transforms import POINTS, SIDE, TAPS, TILE

_INDEX = np.empty(0, np.int64)


def _layout(shape, dtype, group):
    """Vectors of V, D, P, ring x, ring d, zeros, bias sums, taps."""
    height, width, channels, filters, pad_h, pad_w = shape
    lanes = lanes_of(dtype)
    c, f = -(-channels // lanes) * lanes, -(-filters // lanes) * lanes
    out_w = width + 2 * pad_w - TAPS + 1
    return (
        POINTS * (group * c | 1),
        POINTS * (group * f | 1),
        POINTS * filters * (c // lanes),
        SIDE * width * (c + 1),
        TILE * out_w * (f + 1),
        max(c, f),
        filters,
        TAPS * TAPS,
    )


def group_of(shape, dtype):
    import os
    g = int(os.environ.get("WG", 0))
    if g: return g
    lanes = lanes_of(dtype)
    c, f = -(-shape[2] // lanes) * lanes, -(-shape[3] // lanes) * lanes
    return max(1, min(8, (600 << 10) // (POINTS * (c + f) * simd.VECTOR_BYTES)))


def weight_work_bytes(shape, dtype):
    return sum(_layout(shape, dtype, group_of(shape, dtype))) * simd.VECTOR_BYTES + 8 * (POINTS + TILE * TILE)


@kernel()
def accumulate_weight(like, index, dweights, dbiases, x, dout, shape, group, sizes, chunk, temp, functions, first, last, scratch):
    height, width, channels, filters, pad_h, pad_w = shape
    transform_input, transform_gradient, transform_back, outer = functions
    out_h, out_w = height + 2 * pad_h - (TAPS - 1), width + 2 * pad_w - (TAPS - 1)
    lanes, vector = simd.VECTOR_BYTES // like.itemsize, simd.VECTOR_BYTES
    down, across = (out_h + TILE - 1) // TILE, (out_w + TILE - 1) // TILE
    kind = simd.pointer(like, 0)
    c, f = (channels + lanes - 1) // lanes * lanes, (filters + lanes - 1) // lanes * lanes
    v_point, d_point = (group * c | 1) * lanes, (group * f | 1) * lanes
    v = locate(temp, first, first, scratch)
    d = v + sizes[0] * vector
    sums = simd.array_at(kind, d + sizes[1] * vector, sizes[2] * lanes)
    x_ring_at = d + (sizes[1] + sizes[2]) * vector
    d_ring_at = x_ring_at + sizes[3] * vector
    outside = d_ring_at + sizes[4] * vector
    x_ring, d_ring = simd.array_at(kind, x_ring_at, sizes[3] * lanes), simd.array_at(kind, d_ring_at, sizes[4] * lanes)
    zeros = simd.array_at(kind, outside, (sizes[5] + sizes[6]) * lanes)
    for i in range(zeros.size):
        zeros[i] = 0
    shifts = zeros[sizes[5] * lanes :]
    taps = simd.array_at(kind, outside + (sizes[5] + sizes[6]) * vector, sizes[7] * lanes)
    tables = outside + (sizes[5] + sizes[6] + sizes[7]) * vector
    sources = simd.array_at(simd.pointer(index, 0), tables, POINTS)
    mode, slot = ZERO, 0
    for block in range(first, last):
        x_b = simd.array_at(kind, locate(x, block, first, scratch), height * width * channels * lanes)
        d_b = simd.array_at(kind, locate(dout, block, first, scratch), out_h * out_w * filters * lanes)
        ready = 0  # rows of x that are in its ring
        for tile_row in range(down):
            top = tile_row * TILE
            until = min(height, top - pad_h + SIDE)
            for row in range(max(ready, top - pad_h), until):
                for column in range(width):
                    target, source = (row % SIDE * width + column) * (c + 1) * lanes, (row * width + column) * channels * lanes
                    for k in range(0, channels, lanes):
                        to, at = simd.pointer(x_ring, target + k), simd.pointer(x_b, source + k * lanes)
                        transpose_block(to, c, at, lanes, channels - k)
            ready = max(ready, until)
            for row in range(top, min(out_h, top + TILE)):
                for column in range(out_w):
                    target, source = (row % TILE * out_w + column) * (f + 1) * lanes, (row * out_w + column) * filters * lanes
                    for k in range(0, filters, lanes):
                        to, at = simd.pointer(d_ring, target + k), simd.pointer(d_b, source + k * lanes)
                        transpose_block(to, f, at, lanes, filters - k)
                    if dbiases.size > 0:
                        upstream = d_b[source : source + filters * lanes]
                        for i in range(filters * lanes):
                            shifts[i] += upstream[i]
            for tile_column in range(across):
                start = tile_column * TILE
                for i in range(SIDE):
                    for j in range(SIDE):
                        row, column = top + i - pad_h, start + j - pad_w
                        inside = 0 <= row < height and 0 <= column < width
                        place = x_ring_at + (row % SIDE * width + column) * (c + 1) * vector
                        sources[i * SIDE + j] = place if inside else outside
                table = simd.pointer(sources, 0)
                invoke(transform_input, (1, 1, table, v + slot * c * vector, v_point, lanes, c))
                for i in range(TILE):
                    for j in range(TILE):
                        inside = top + i < out_h and start + j < out_w
                        place = d_ring_at + (i * out_w + start + j) * (f + 1) * vector
                        sources[i * TILE + j] = place if inside else outside
                invoke(transform_gradient, (1, 1, table, d + slot * f * vector, d_point, lanes, f))
                slot += 1
                at_end = block == last - 1 and tile_row == down - 1 and tile_column == across - 1
                if slot == group or at_end:
                    for point in range(POINTS):
                        k = 0
                        while k < c:
                            left = (c - k) // lanes
                            vectors = min(OUTER_VECTORS, left) if left != OUTER_VECTORS + 1 else OUTER_VECTORS - 1
                            b = v + point * v_point * like.itemsize + k * like.itemsize
                            r = 0
                            while r < filters:
                                rows = outer_rows(filters - r)
                                a = d + point * d_point * like.itemsize + r * like.itemsize
                                p = simd.pointer(sums, (point * filters + r) * c + k)
                                size = vectors * lanes
                                invoke(outer, (rows, vectors, a, 1, f, b, c, size, slot * lanes, p, c, mode, p))
                                r += rows
                            k += size
                    mode, slot = ACCUMULATE, 0
    dweight = dweights[first // chunk]
    for r in range(filters):
        for k in range(0, channels, lanes):
            invoke(transform_back, (1, 1, simd.pointer(sums, r * c + k), filters * c, simd.pointer(taps, 0)))
            for i in range(min(lanes, channels - k)):
                for tap in range(TAPS * TAPS):
                    dweight[(r * channels + k + i) * TAPS * TAPS + tap] = taps[tap * lanes + i]
    if dbiases.size > 0:
        for r in range(filters):
            total = like.dtype.type(0)
            for i in range(lanes):
                total += shifts[r * lanes + i]
            dbiases[first // chunk, r] = total


def winograd_weight_record(dweights, dbiases, x, dout, shape, blocks, chunk, work):
    dtype = dweights.dtype
    group = group_of(shape, dtype)
    functions = tuple(
        f(dtype) for f in (transforms.transform_input, transforms.transform_gradient, transforms.transform_filter_gradient, tiles.outer)
    )
    dbiases = np.empty((0, 0), dtype) if dbiases is None else dbiases
    args = (EMPTY[dtype], _INDEX, dweights, dbiases, tuple(x), tuple(dout), tuple(shape), group, _layout(shape, dtype, group), chunk)
    return accumulate_weight.phase((*args, tuple(work), functions), blocks, chunk)
