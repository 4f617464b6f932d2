"""The gradient of a 3x3 convolution's weight by Winograd's algorithm, over lane blocks: F(4x4, 3x3) turned around.

A tile's output is linear in the transformed weight: Y = A^T [U * V] A for each pair of channel and filter. So the gradient of U
at each of the 36 points is a sum over tiles and samples, and the gradient of the weight is that of U by way of G::

    D = A dY A^T      V = B^T d B      P[point] = sum D[point] V[point]^T      dW = G^T P G

A quarter of the direct sums' multiplications, as for the output. The 36 sums over tiles and samples are matrix products [F x K]
@ [K x C]: for these, vectors must run along channels instead of samples. So positions are transposed on their way in, row of
tiles by row of tiles into rings of rows, and the transforms run over vectors of channels: they do not care what a vector holds.
Tiles are collected in groups, so that P, which does not fit the nearest cache, is seldom loaded and stored, and sums are short.

Rounding in float32, for Gaussian data: rms 1e-6, greatest 1e-5 of the gradient's standard deviation, like the output's, for any
number of samples; the direct kernel, whose dot tiles keep a sum for each lane, has a seventh of that.
"""

import functools

import numpy as np

from .. import simd
from .._kernel import kernel
from ..gemm import EMPTY
from ..moves import transpose_block
from ..tiles import invoke, outer_rows
from . import winograd_transforms as transforms
from .layout import lanes_of, locate
from .winograd import INDEX, list_positions, next_vectors, tiles_of, valid_taps
from .winograd_transforms import POINTS, SIDE, TAPS, TILE

_NO_BIAS = {dtype: np.empty((0, 0), dtype) for dtype in EMPTY}
_GROUP, _GROUP_BYTES = 12, 6 << 20  # most tiles in a group, most bytes of its V and D


def _padded(shape, dtype):
    """Channels and filters up to whole vectors."""
    lanes = lanes_of(dtype)
    return tuple(-(-count // lanes) * lanes for count in shape[2:4])


@functools.cache
def _layout(shape, dtype):
    """Tiles in a group; and vectors of V, D, P, the rings of x and dout, zeros, sums for the bias, one transformed filter.

    A position is one vector longer than it need be: strides of powers of two would fill few sets of the caches.
    """
    _, width, _, filters, _, pad_w = shape
    c, f = _padded(shape, dtype)
    group = max(1, min(_GROUP, _GROUP_BYTES // (POINTS * (c + f) * simd.VECTOR_BYTES)))
    ring_x, ring_d = SIDE * width * (c + 1), TILE * (width + 2 * pad_w - TAPS + 1) * (f + 1)
    sums = POINTS * filters * (c // lanes_of(dtype))
    return group, (POINTS * (group * c | 1), POINTS * (group * f | 1), sums, ring_x, ring_d, max(c, f), filters, TAPS * TAPS)


def weight_worth_it(shape, dtype):
    """Whether this is expected to take at most 1/1.15 of the direct kernel's time; `shape` is that of the layer's output.

    Counted as in `winograd.worth_it`: 280 cycles for each channel and filter of a tile, 20 for each weight.

    Examples
    --------
    >>> weight_worth_it((16, 16, 64, 64, 1, 1), np.float32), weight_worth_it((28, 28, 1, 8, 1, 1), np.float32)
    (True, False)
    """
    height, width, channels, filters, pad_h, pad_w = shape
    c, f = _padded(shape, dtype)
    down, across = tiles_of(shape)
    tile = POINTS * c * filters / 2 / 0.85 + 280 * (c + f)
    direct = valid_taps(height, pad_h) * valid_taps(width, pad_w) * channels * filters / 2 / 0.85
    return direct >= 1.15 * (down * across * tile + 20 * c * filters)


def weight_work_bytes(shape, dtype):
    """Bytes of the local place `work` of `winograd_weight_record`."""
    return sum(_layout(tuple(shape), np.dtype(dtype))[1]) * simd.VECTOR_BYTES + 8 * POINTS


@kernel()
def accumulate_weight(
    like, index, dweights, dbiases, x, dout, shape, group, sizes, chunk, work, functions, first, last, scratch
):
    """Items: blocks; `sizes` are those of `_layout`, `functions` the transforms and the outer tile."""
    height, width, channels, filters, pad_h, pad_w = shape
    transform_input, transform_gradient, transform_back, accumulate = functions
    out_h, out_w = height + 2 * pad_h - (TAPS - 1), width + 2 * pad_w - (TAPS - 1)
    lanes, vector = simd.VECTOR_BYTES // like.itemsize, simd.VECTOR_BYTES
    down, across = (out_h + TILE - 1) // TILE, (out_w + TILE - 1) // TILE
    kind = simd.pointer(like, 0)
    c, f = (channels + lanes - 1) // lanes * lanes, (filters + lanes - 1) // lanes * lanes
    v_point, d_point = (group * c | 1) * lanes, (group * f | 1) * lanes
    v = locate(work, first, first, scratch)
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
    add, slot = 0, 0
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
                table = simd.pointer(sources, 0)
                list_positions(sources, SIDE, top - pad_h, start - pad_w, (x_ring_at, SIDE, width, c + 1), height, outside)
                invoke(transform_input, (1, 1, table, v + slot * c * vector, v_point, lanes, c))
                list_positions(sources, TILE, top, start, (d_ring_at, TILE, out_w, f + 1), out_h, outside)
                invoke(transform_gradient, (1, 1, table, d + slot * f * vector, d_point, lanes, f))
                slot += 1
                at_end = block == last - 1 and tile_row == down - 1 and tile_column == across - 1
                if slot == group or at_end:
                    for point in range(POINTS):
                        k = 0
                        while k < c:
                            vectors = next_vectors((c - k) // lanes)
                            b = v + point * v_point * like.itemsize + k * like.itemsize
                            r = 0
                            while r < filters:
                                rows = outer_rows(filters - r)
                                a = d + point * d_point * like.itemsize + r * like.itemsize
                                p = simd.pointer(sums, (point * filters + r) * c + k)
                                invoke(accumulate, (rows, vectors, a, f, b, c, slot * lanes, p, c, add))
                                r += rows
                            k += vectors * lanes
                    add, slot = 1, 0
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


def winograd_weight_record(dweight_sets, dbias_sets, x, dout, shape, blocks, chunk, work):
    """Gradients of weight and bias: every chunk of blocks overwrites its own set, for `updates.sum_sets`.

    Parameters
    ----------
    dweight_sets : (sets, F*C*9) array
        Chunk number n writes set n.
    dbias_sets : (sets, F) array, or None
    x, dout : Place
        Blocks of (H, W, C, LANES) and (OH, OW, F, LANES); dout is 0 in lanes without a sample.
    shape : tuple of int
        (H, W, C, F, pad_h, pad_w), as for the layer's output.
    blocks, chunk : int
        Items of the record and how many a thread takes at a time.
    work : Place
        Local, `weight_work_bytes` long.
    """
    dtype, shape = dweight_sets.dtype, tuple(shape)
    group, sizes = _layout(shape, dtype)
    first, last = (transforms.transform_input, transforms.transform_gradient), transforms.transform_filter_gradient
    functions = tuple(make(dtype) for make in (*first, last, transforms.accumulate_products))
    dbias_sets = _NO_BIAS[dtype] if dbias_sets is None else dbias_sets
    args = (
        EMPTY[dtype],
        INDEX,
        dweight_sets,
        dbias_sets,
        tuple(x),
        tuple(dout),
        shape,
        group,
        sizes,
        chunk,
        tuple(work),
        functions,
    )
    return accumulate_weight.phase(args, blocks, chunk)
