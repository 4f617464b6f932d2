"""Winograd convolution F(4x4, 3x3) over lane blocks: 3x3 kernels of stride 1 with a quarter of the multiplications.

    weight_record      U of a layer's weight, for the convolution or, flipped, for the gradient of its input
    winograd_record    out = conv(x, weight) + bias, then ReLU if wished
    worth_it           whether that beats the direct kernel

Groups of three tiles of 4x4 outputs go through three steps, which `winograd_transforms` has: inputs to V, for MAX_ROWS filters
after the other 36 matrix products M = U V, and M to outputs. V of a group and M stay in the level-2 cache. A tile finds its
inputs by a table of addresses; what is outside the image has the address of zeros, and outputs beyond the plane's edge go where
nobody looks. So the loops know no borders.

Rounding: for Gaussian data and weights the root mean square and the greatest error in float32 are about twice those of the
direct kernel (16 to 512 channels: rms 5e-7 to 2e-6, greatest 5e-6 to 2e-5 of the outputs' standard deviation). A value that is
not finite can make all 16 outputs of its sample's tile NaN, not only those it takes part in.

The gradient of the input is the same convolution of dout with padding 2 - p and the flipped U.
"""

import functools

import numpy as np

from .. import simd
from .._jit import jit
from .._kernel import kernel
from ..gemm import EMPTY
from ..simd import MAX_ROWS, OUTER_VECTORS
from ..tiles import invoke, outer_rows
from . import winograd_transforms as transforms
from .layout import locate
from .winograd_transforms import M_POINT, M_ROW, POINTS, SIDE, TAPS, TILE

INDEX = np.empty(0, np.int64)
_LEAST = {dtype: np.full(1, -np.inf, dtype) for dtype in EMPTY}
_ZERO = {dtype: np.zeros(1, dtype) for dtype in EMPTY}


def u_shape(filters, channels, dtype):
    """Shape of U for a convolution from `channels` to `filters`: groups of MAX_ROWS filters, points, channels x MAX_ROWS.

    The last axis is a cache line longer than that: otherwise, for powers of two, all points would share one set of the cache.
    """
    return -(-filters // MAX_ROWS), POINTS, channels * MAX_ROWS + 64 // np.dtype(dtype).itemsize


def applies(weight_shape, stride, padding, dilation, groups):
    """Whether a layer has a kernel of 3x3, stride and dilation 1, one group, and padding of at most 2."""
    return (
        len(weight_shape) == 4
        and tuple(weight_shape[2:]) == (TAPS, TAPS)
        and tuple(stride) == tuple(dilation) == (1, 1)
        and max(padding) <= TAPS - 1
        and groups == 1
    )


def valid_taps(size, padding):
    """Pairs of an output and a tap inside the image, along one axis."""
    return sum(0 <= o + k - padding < size for o in range(size + 2 * padding - TAPS + 1) for k in range(TAPS))


def tiles_of(shape):
    """Rows and columns of 4x4 tiles that cover the output; `shape` as for `winograd_record`."""
    height, width, _, _, pad_h, pad_w = shape
    return tuple(-(-(size + 2 * pad - TAPS + 1) // TILE) for size, pad in ((height, pad_h), (width, pad_w)))


def worth_it(shape, dtype):
    """Whether Winograd's convolution is expected to take at most 1/1.15 of the direct kernel's time.

    Counts vector cycles of one block at two multiply-adds per cycle. Measured on Zen 5: products run at 95 % of that, a tile's
    transforms take 130 cycles per channel and 150 per filter, its tables 300; direct kernels reach 93 %, over the taps inside
    the image only.

    Examples
    --------
    >>> worth_it((16, 16, 64, 64, 1, 1), np.float32), worth_it((28, 28, 1, 8, 1, 1), np.float32)
    (True, False)
    """
    height, width, channels, filters, pad_h, pad_w = shape
    down, across = tiles_of(shape)
    tile = POINTS * channels * filters / 2 / 0.95 + 130 * channels + 150 * filters + 300
    direct = valid_taps(height, pad_h) * valid_taps(width, pad_w) * channels * filters / 2 / 0.93
    return direct >= 1.15 * down * across * tile


def parts_of(shape):
    """The most parts that a block can be split into: rows of tiles."""
    return max(1, tiles_of(shape)[0])


def scratch_bytes(shape, dtype):
    """Bytes of the local place `temp` of `winograd_record`: V, M, zeros, room for outputs beyond the edge, and tables."""
    _, _, channels, filters, _, _ = shape
    vectors = POINTS * v_vectors(channels) + POINTS * M_POINT + channels + filters
    return vectors * simd.VECTOR_BYTES + 8 * (POINTS + OUTER_VECTORS * TILE * TILE)


def v_vectors(channels):
    """Vectors between points of V: an odd number, so that the 36 points do not fall on the same sets of a cache."""
    return channels * OUTER_VECTORS | 1


_v_vectors = jit(v_vectors)  # for kernels; called from Python it would be compiled anew in every process


@jit
def next_vectors(left):
    """Vectors of the next outer tile when `left` are to do: 4 are rather taken as 2 and 2."""
    return OUTER_VECTORS - 1 if left == OUTER_VECTORS + 1 else min(left, OUTER_VECTORS)


@jit
def list_positions(table, size, top, start, image, height, outside):
    """Addresses of size x size positions of an image, from row `top` and column `start` on; `outside` for those not in it.

    `image` has an address, how many rows lie there (row r at r modulo so many), columns, vectors of a position.
    """
    base, rows, width, step = image
    for i in range(size):
        row = top + i
        line = base + row % rows * width * step * simd.VECTOR_BYTES
        for j in range(size):
            column = start + j
            inside = 0 <= row < height and 0 <= column < width
            table[i * size + j] = line + column * step * simd.VECTOR_BYTES if inside else outside


@kernel()
def transform_weight(like, u, weight, flipped, tile, first, last, scratch):
    """U of a layer's weight (F, C, 3, 3), or, `flipped`, of the rotated kernels from F to C. Items: groups of rows of U."""
    depth = weight.shape[0] if flipped else weight.shape[1]
    rows = weight.shape[1] if flipped else weight.shape[0]
    taps = TAPS * TAPS
    row_step, k_step = (taps, rows * taps) if flipped else (depth * taps, taps)
    tap, tap_step = (taps - 1, -1) if flipped else (0, 1)
    for g in range(first, last):
        target = simd.pointer(u, g * POINTS * u.shape[2])
        source = simd.pointer(weight, g * MAX_ROWS * row_step)
        valid = min(MAX_ROWS, rows - g * MAX_ROWS)
        invoke(tile, (1, 1, target, u.shape[2], source, row_step, k_step, valid, depth, tap, tap_step))


@kernel()
def convolve(like, index, out, x, u, bias, limit, shape, parts, temp, functions, first, last, scratch):
    """Items: blocks times parts. `index` is an empty int64 array, `limit` has the least output, `functions` the transforms."""
    height, width, channels, filters, pad_h, pad_w = shape
    transform_input, multiply_points, transform_output = functions
    out_h, out_w = height + 2 * pad_h - (TAPS - 1), width + 2 * pad_w - (TAPS - 1)
    lanes = simd.VECTOR_BYTES // like.itemsize
    vector = simd.VECTOR_BYTES
    down, across = (out_h + TILE - 1) // TILE, (out_w + TILE - 1) // TILE
    tiles = down * across
    v_point = _v_vectors(channels) * lanes
    v = locate(temp, first, first, scratch)
    m = v + POINTS * v_point * like.itemsize
    outside = m + POINTS * M_POINT * vector
    nowhere = outside + channels * vector
    tables = nowhere + filters * vector
    sources = simd.array_at(simd.pointer(index, 0), tables, POINTS)
    targets = simd.array_at(simd.pointer(index, 0), tables + 8 * POINTS, OUTER_VECTORS * TILE * TILE)
    zeros = simd.array_at(simd.pointer(like, 0), outside, channels * lanes)
    for i in range(zeros.size):
        zeros[i] = 0
    u_point = u.shape[2]
    # Tiles are counted through all blocks of the chunk: where a plane has few, a group takes those of several samples' blocks.
    tile = first // parts * tiles + down * (first % parts) // parts * across
    end = last // parts * tiles + down * (last % parts) // parts * across
    while tile < end:
        count = next_vectors(end - tile)
        for t in range(count):
            block, place = (tile + t) // tiles, (tile + t) % tiles
            x_b, out_b = locate(x, block, first, scratch), locate(out, block, first, scratch)
            top, start = place // across * TILE, place % across * TILE
            list_positions(sources, SIDE, top - pad_h, start - pad_w, (x_b, height, width, channels), height, outside)
            tile_targets = targets[t * TILE * TILE : (t + 1) * TILE * TILE]
            list_positions(tile_targets, TILE, top, start, (out_b, out_h, out_w, filters), out_h, nowhere)
            table = simd.pointer(sources, 0)
            invoke(transform_input, (1, 1, table, v + t * vector, v_point, count * lanes, channels))
        for f in range(0, filters, MAX_ROWS):
            group = min(MAX_ROWS, filters - f)
            r = 0
            while r < group:
                rows = outer_rows(group - r)
                a = simd.pointer(u, f // MAX_ROWS * POINTS * u_point + r)
                invoke(multiply_points, (rows, count, a, u_point, v, v_point, channels, m + r * M_ROW * vector))
                r += rows
            shift = simd.pointer(bias, f)
            for t in range(count):
                table = simd.pointer(targets, t * TILE * TILE)
                invoke(transform_output, (1, 1, m + t * vector, table, f * lanes, shift, simd.pointer(limit, 0), group))
        tile += count


@functools.cache
def _zeros(size, dtype):
    """No bias; kept, because records hold addresses."""
    return np.zeros(size, dtype)


def weight_record(u, weight, flipped):
    """A phase of its own that fills `u` (see `u_shape`) from a layer's weight (F, C, 3, 3).

    `flipped` is for the gradient of the input: `u` then has the shape for F channels and C filters.
    """
    tile = transforms.transform_filter(weight.dtype)
    return transform_weight.phase((EMPTY[weight.dtype], u, weight, int(flipped), tile), u.shape[0])


def winograd_record(out, x, u, bias, shape, relu, temp, items, chunk, parts=1):
    """A convolution of blocks of samples.

    Parameters
    ----------
    out, x : Place
        Blocks of (OH, OW, filters, LANES) and (height, width, channels, LANES).
    u : array
        As `weight_record` fills it.
    bias : (filters,) array, or None
    shape : tuple of int
        (height, width, channels, filters, pad_h, pad_w) of this convolution; OH = height + 2*pad_h - 2. The gradient of the
        input of a layer has (OH, OW, F, C, 2 - pad_h, 2 - pad_w).
    relu : bool
        Whether to cut off at 0; NaN stays.
    temp : Place
        Local, `scratch_bytes` long.
    items, chunk : int
        Blocks and how many a thread takes at a time, times `parts`.
    parts : int
        Split each block into so many bands (see `parts_of`), for threads to share few blocks: then x and out must not be local
        and the record is a phase of its own. Changes no bit of the result.
    """
    dtype = u.dtype
    bias = _zeros(shape[3], dtype) if bias is None else bias
    limit = (_ZERO if relu else _LEAST)[dtype]
    functions = tuple(f(dtype) for f in (transforms.transform_input, transforms.multiply_points, transforms.transform_output))
    args = (EMPTY[dtype], INDEX, tuple(out), tuple(x), u, bias, limit, tuple(shape), parts, tuple(temp), functions)
    return convolve.phase(args, items, chunk)
