"""Gradients of the weights and biases of convolutions and dense layers over lane blocks.

    weight_record         items are blocks; every chunk of them has a set of gradients of its own, for `updates.sum_sets`
    weight_parts_record   items are parts of the gradient, each summed over all blocks: a phase of its own

Convolutions: dot tiles of filters times taps sum over positions, vector by vector, and add up lanes at the end. Layers with one
output position would have more lanes to add up than products: there, x is transposed instead, in small panels, so that
vectors run along the weights of a filter.
"""

import numpy as np

from .. import simd
from .._jit import jit
from .._kernel import flat, kernel
from .._threads import BLOCKS
from ..gemm import EMPTY
from ..moves import copy_four, copy_two, copy_vector
from ..tiles import invoke
from . import tiles
from .layout import block_at, locate
from .taps import (
    OUTER_BLOCKS,
    PANEL_VECTORS,
    has_one_position,
    outer_tables,
    weight_tables,
)


@jit
def _copy_to_planes(pointer, target, source, first_channel, last_channel, begin, end, copy):
    """Fill rows begin .. end of planes, one for each channel, from x; with borders of zeros, if they have any."""
    plane, width, height, columns, top, left, pixel, _ = copy
    line = simd.VECTOR_BYTES // simd.itemsize(pointer)
    plane, pixel = plane // simd.itemsize(pointer), pixel // simd.itemsize(pointer)
    target = simd.retype(pointer, target)
    source = simd.retype(pointer, source)
    channels = last_channel - first_channel
    for r in range(begin, end):
        if width != columns or left > 0 or r < top or r >= top + height:
            for c in range(channels):
                zeros = simd.shift(target, c * plane + r * width * line)
                for i in range(width * line):
                    zeros[i] = 0
        if r >= top and r < top + height:
            row = simd.shift(source, (r - top) * columns * pixel + first_channel * line)
            for w in range(min(columns, width - left)):
                to = simd.shift(target, (r * width + left + w) * line)
                at = simd.shift(row, w * pixel)
                for c in range(channels):
                    copy_vector(simd.shift(to, c * plane), simd.shift(at, c * line))


@jit
def _copy_rows_of_tile(pointer, target, source, positions, rows, copy):
    """Put the vectors of a tile's rows side by side, position by position."""
    pixel, lines = copy
    line = simd.VECTOR_BYTES // simd.itemsize(pointer)
    pixel = pixel // simd.itemsize(pointer)
    target = simd.retype(pointer, target)
    source = simd.retype(pointer, source)
    for p in range(positions):
        to, at = simd.shift(target, p * lines * line), simd.shift(source, p * pixel)
        if rows == 6:
            copy_four(to, at)
            copy_two(simd.shift(to, 4 * line), simd.shift(at, 4 * line))
        elif rows == 5:
            copy_four(to, at)
            copy_vector(simd.shift(to, 4 * line), simd.shift(at, 4 * line))
        else:
            for i in range(rows):
                copy_vector(simd.shift(to, i * line), simd.shift(at, i * line))


@kernel()
def affine_weight(
    like,
    dweight,
    dbias,
    x,
    dout,
    work,
    column_blocks,
    column_tiles,
    columns,
    positions,
    bounds,
    steps,
    strips,
    shape,
    group,
    row,
    copy_x,
    copy_dout,
    options,
    cells,
    tile,
    first,
    last,
    scratch,
):
    """dweight[s, f, c] = sum over the blocks of set s, positions and lanes of dout[f] * x[c], dbias[s, f] that of dout[f].

    Items: blocks, `chunk` of them a set; or, if `options` say so, parts (groups, rows, columns) of one set for all blocks.
    `options`: chunk, parts of groups, rows, columns.
    """
    groups, together, batch, group_channels = shape
    a_group, b_group, c_group, bias_group = group
    chunk, group_parts, row_parts, column_parts = options
    plane, channels = copy_x[0], copy_x[7]
    dout_lines = copy_dout[1]
    frame = tiles.frame()
    pointer = simd.pointer(like, 0)
    item_bytes, line = like.itemsize, simd.VECTOR_BYTES
    whole = group_parts > 0
    x_copies = locate(work, 0, 0, scratch)
    dout_copies = x_copies + plane * channels * together
    bias_tile = column_tiles.shape[0] - 1
    for item in range(first, last if whole else first + 1):
        g_first, g_last, s_first, s_last, c_first, c_last = 0, groups, 0, steps.shape[0], 0, column_blocks.shape[0]
        first_block, last_block, target = first, last, 0
        if whole:
            part = item // (row_parts * column_parts)
            g_first, g_last = groups * part // group_parts, groups * (part + 1) // group_parts
            part = item // column_parts % row_parts
            s_first, s_last = steps.shape[0] * part // row_parts, steps.shape[0] * (part + 1) // row_parts
            part = item % column_parts
            c_first, c_last = c_last * part // column_parts, c_last * (part + 1) // column_parts
            first_block, last_block = 0, cells[BLOCKS]
        else:
            target = first // chunk
        dweight_at = dweight.ctypes.data + target * dweight.shape[1] * item_bytes
        dbias_at = dbias.ctypes.data + target * dbias.shape[1] * item_bytes
        for block in range(first_block, last_block, together):
            count = min(together, last_block - block)
            frame[tiles.DOT_OUTER] = count
            frame[tiles.DOT_A_OUTER] = dout[1]
            frame[tiles.DOT_B_OUTER] = channels * plane if plane > 0 else x[1]
            dout_at, x_at = locate(dout, block, first, scratch), locate(x, block, first, scratch)
            for number in range((g_last - g_first + batch - 1) // batch * (c_last - c_first)):
                g0, column_block = g_first + number // (c_last - c_first) * batch, c_first + number % (c_last - c_first)
                g_end = min(g0 + batch, g_last)
                t_first, t_last = column_blocks[column_block, 0], column_blocks[column_block, 1]
                channel, last_channel = column_blocks[column_block, 2], column_blocks[column_block, 3]
                last_channel += (g_end - g0 - 1) * group_channels
                with_bias = 1 if dbias.size > 0 and column_block == 0 else 0
                rows_copied = 0
                for strip in range(strips.shape[0]):
                    pixel, pixels, rows_needed = strips[strip, 0], strips[strip, 1], strips[strip, 2]
                    frame[tiles.ADDING] = 0 if block == first_block and strip == 0 else 1
                    if plane > 0 and rows_needed > rows_copied:
                        for n in range(count):
                            to, source = x_copies + n * channels * plane, x_at + n * x[1] + g0 * b_group
                            _copy_to_planes(pointer, to, source, channel, last_channel, rows_copied, rows_needed, copy_x)
                        rows_copied = rows_needed
                    for part in range((g_end - g0) * (s_last - s_first)):
                        g, s = g0 + part // (s_last - s_first), s_first + part % (s_last - s_first)
                        f, rows = steps[s, 0], steps[s, 1]
                        frame[tiles.DOT_B] = x_at + g * b_group
                        if plane > 0:
                            frame[tiles.DOT_B] = x_copies + ((g - g0) * group_channels - channel) * plane
                        a = dout_at + g * a_group + f * line
                        if copy_dout[0] > 0:
                            for n in range(count):
                                to = dout_copies + n * pixels * dout_lines * line
                                source = a + n * dout[1] + pixel * copy_dout[0]
                                _copy_rows_of_tile(pointer, to, source, pixels, rows, copy_dout)
                            a = dout_copies - pixel * dout_lines * line
                            frame[tiles.DOT_A_OUTER] = pixels * dout_lines * line
                        frame[tiles.DOT_A] = a
                        frame[tiles.DOT_C] = dweight_at + g * c_group + f * row
                        frame[tiles.DOT_C_ROW] = row
                        for t in range(t_first, t_last + with_bias):
                            at = bias_tile if t == t_last else t
                            of_class = column_tiles[at, 0]
                            begin = bounds[of_class, strip]
                            frame[tiles.ENTRIES] = positions.ctypes.data + 16 * begin
                            frame[tiles.COUNT] = bounds[of_class, strip + 1] - begin
                            frame[tiles.PLACES] = columns.ctypes.data + 16 * column_tiles[at, 1]
                            if t == t_last:
                                frame[tiles.DOT_C] = dbias_at + g * bias_group + f * item_bytes
                                frame[tiles.DOT_C_ROW] = item_bytes
                            invoke(tile, (rows, column_tiles[at, 2], frame))


@jit
def _add_tail(target, target_row, source, rows, columns, lane_count, adding):
    """The first columns of rows of LANES values into the gradient."""
    for f in range(rows):
        for j in range(columns):
            value = source[f * lane_count + j]
            target[f * target_row + j] = target[f * target_row + j] + value if adding else value


@kernel()
def affine_weight_outer(
    like,
    dweight,
    dbias,
    x,
    dout,
    work,
    places,
    plans,
    steps,
    lanes,
    shape,
    options,
    cells,
    tile,
    transpose,
    first,
    last,
    scratch,
):
    """dweight[s, f, c] = sum over the samples of set s of dout[f] * x[c], dbias[s, f] that of dout[f].

    Items: blocks, `chunk` of them a set; or, if there are `parts`, parts of the columns of one set for all blocks.
    `options`: chunk, parts.
    """
    columns, filters, a_row, c_row = shape
    chunk, parts = options
    lane_count = lanes.shape[0]
    item_bytes = like.itemsize
    vectors = (columns + lane_count - 1) // lane_count
    panels = (vectors + PANEL_VECTORS - 1) // PANEL_VECTORS
    line, panel_row = simd.VECTOR_BYTES, PANEL_VECTORS * simd.VECTOR_BYTES
    panel = locate(work, 0, 0, scratch)
    tail = panel + OUTER_BLOCKS * lane_count * panel_row
    pointer = simd.pointer(like, 0)
    frame = tiles.frame()
    frame[tiles.A_ROW] = a_row
    frame[tiles.TAPS] = lanes.ctypes.data
    frame[tiles.INNER] = lane_count
    frame[tiles.A_OUTER] = dout[1]
    frame[tiles.B_OUTER] = lane_count * panel_row
    frame[tiles.RELU] = 0
    frame[tiles.BIAS] = 0
    frame[tiles.B_AT] = 0
    frame[tiles.B_STEP] = 0
    for item in range(first, last if parts > 0 else first + 1):
        first_panel, last_panel = (panels * item // parts, panels * (item + 1) // parts) if parts > 0 else (0, panels)
        first_block, last_block = (0, cells[BLOCKS]) if parts > 0 else (first, last)
        target = 0 if parts > 0 else first // chunk
        dweight_at = dweight.ctypes.data + target * filters * columns * item_bytes
        for block in range(first_block, last_block, OUTER_BLOCKS):
            count = min(OUTER_BLOCKS, last_block - block)
            adding = 1 if block > first_block else 0
            frame[tiles.OUTER] = count
            for p in range(first_panel, last_panel):
                begin, end = p * PANEL_VECTORS, min(vectors, (p + 1) * PANEL_VECTORS)
                for n in range(count):
                    source = locate(x, block + n, first, scratch)
                    for v in range(begin, end):
                        to = panel + n * lane_count * panel_row + (v - begin) * line
                        invoke(transpose, (1, 1, to, panel_row, source, places.ctypes.data + 8 * v * lane_count))
                whole = min(end, columns // lane_count) - begin
                for part in range(2):  # whole vectors, then what is left of a row
                    width = whole if part == 0 else end - begin - whole
                    if width == 0:
                        continue
                    column = begin if part == 0 else begin + whole
                    c_row_part = c_row if part == 0 else line
                    frame[tiles.C_ROW] = c_row_part
                    frame[tiles.START] = tiles.ACCUMULATE if adding and part == 0 else tiles.ZERO
                    for v in range(width):
                        frame[tiles.COLUMNS + 2 * v] = panel + (column - begin + v) * line
                        frame[tiles.COLUMNS + 2 * v + 1] = dweight_at + (column + v) * line if part == 0 else tail
                    f = 0
                    for s in range(plans[width - 1, 0], plans[width - 1, 1]):
                        rows, times = steps[s, 0], steps[s, 1]
                        frame[tiles.A] = locate(dout, block, first, scratch) + f * a_row
                        frame[tiles.C_AT] = f * c_row_part
                        frame[tiles.REPEAT] = times
                        frame[tiles.A_STEP] = rows * a_row
                        frame[tiles.C_STEP] = rows * c_row_part
                        invoke(tile, (rows, width, frame))
                        f += rows * times
                    if part == 1:
                        to = simd.array_at(pointer, dweight_at + column * line, filters * columns)
                        rest = simd.array_at(pointer, tail, filters * lane_count)
                        _add_tail(to, columns, rest, filters, columns - column * lane_count, lane_count, adding)
        if dbias.size > 0 and first_panel == 0:
            sums = dbias[target]
            for f in range(filters):
                sums[f] = 0
            for block in range(first_block, last_block):
                values = block_at(like, dout, block, first, scratch, filters * lane_count)
                for f in range(filters):
                    total = sums[f]
                    for i in range(lane_count):
                        total += values[f * lane_count + i]
                    sums[f] = total


_NO_CELLS = np.zeros(1, np.int64)


def _dot_args(dweight, dbias, x, dout, tables, work, options, cells):
    dtype = dweight.dtype
    none = EMPTY[dtype].reshape(0, 0)
    args = (EMPTY[dtype], dweight, none if dbias is None else dbias, tuple(x), tuple(dout), tuple(work))
    return (*args, *tables, options, cells, tiles.dot(dtype))


def _outer_args(dweight, dbias, x, dout, geometry, work, options, cells):
    dtype = dweight.dtype
    none = EMPTY[dtype].reshape(0, 0)
    args = (EMPTY[dtype], dweight, none if dbias is None else dbias, tuple(x), tuple(dout), tuple(work))
    return (*args, *outer_tables(geometry, dtype), options, cells, tiles.affine(dtype), tiles.transpose(dtype))


def weight_record(dweight_sets, dbias_sets, x, dout, geometry, blocks, chunk, work):
    """The record of a layer's weight gradient over blocks: each chunk of them overwrites a set of its own.

    Parameters
    ----------
    dweight_sets : (sets, filters * channels of a group * taps)
    dbias_sets : (sets, filters) or None
    x, dout : Place
    geometry : taps.Geometry
    blocks, chunk : int
        Items of the record (or the cell that holds them) and how many a thread takes at a time.
    work : Place
        Scratch memory of `weight_work_bytes`, at a cache line.
    """
    if has_one_position(geometry):
        args = _outer_args(dweight_sets, dbias_sets, x, dout, geometry, work, (chunk, 0), _NO_CELLS)
        return affine_weight_outer.phase(args, blocks, chunk)
    tables = weight_tables(geometry, dweight_sets.dtype)
    args = _dot_args(dweight_sets, dbias_sets, x, dout, tables, work, (chunk, 0, 0, 0), _NO_CELLS)
    return affine_weight.phase(args, blocks, chunk)


def weight_work_bytes(geometry, dtype, chunk=1):
    """Bytes of scratch memory that `weight_record` needs."""
    dtype = np.dtype(dtype)
    if has_one_position(geometry):
        lane_count = simd.lanes(dtype.itemsize)
        return (OUTER_BLOCKS * lane_count * PANEL_VECTORS + geometry.filters) * simd.VECTOR_BYTES
    return _copies_bytes(weight_tables(geometry, dtype))


def weight_parts_record(dweight, dbias, x, dout, geometry, cells, parts, work):
    """The record of a layer's weight gradient for all blocks of a batch, in about so many parts: a phase of its own.

    Gradients may have any shape; `work` as in `weight_record`, of `weight_parts_work_bytes`.
    """
    dweight, dbias = (None if gradient is None else flat(gradient, 1, gradient.size) for gradient in (dweight, dbias))
    if has_one_position(geometry):
        columns = geometry.depth
        parts = min(parts, -(-columns // (PANEL_VECTORS * simd.lanes(dweight.itemsize))))
        args = _outer_args(dweight, dbias, x, dout, geometry, work, (0, parts), cells)
        return affine_weight_outer.phase(args, parts)
    tables, group_parts = _parts_tables(geometry, dweight.dtype, parts)
    column_parts = min(len(tables.blocks), -(-parts // group_parts))
    row_parts = min(len(tables.steps), -(-parts // (group_parts * column_parts)))
    options = (0, group_parts, row_parts, column_parts)
    args = _dot_args(dweight, dbias, x, dout, tables, work, options, cells)
    return affine_weight.phase(args, group_parts * row_parts * column_parts)


def _parts_tables(geometry, dtype, parts):
    group_parts = min(geometry.groups, parts)
    return weight_tables(geometry, dtype, -(-parts // group_parts)), group_parts


def weight_parts_work_bytes(geometry, dtype, parts):
    """Bytes of scratch memory that `weight_parts_record` needs."""
    if has_one_position(geometry):
        return weight_work_bytes(geometry, dtype)
    return _copies_bytes(_parts_tables(geometry, np.dtype(dtype), parts)[0])


def _copies_bytes(tables):
    """Bytes of the copies of x and dout."""
    together = tables.shape[1]
    x = tables.copy_x[0] * tables.copy_x[-1]
    dout = int(tables.strips[:, 1].max()) * tables.copy_dout[1] * simd.VECTOR_BYTES if tables.copy_dout[0] else 0
    return together * (x + dout)
