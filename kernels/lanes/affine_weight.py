"""Gradients of the weights and biases of convolutions and dense layers over lane blocks.

    weight_record         items are blocks; every chunk of them has a set of gradients of its own, for `sum_sets_record`
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
from ..tiles import invoke
from . import tiles
from .layout import block_at, locate
from .taps import (
    OUTER_BLOCKS,
    PANEL_VECTORS,
    TILE_COLUMNS,
    TILE_COLUMNS_AT,
    TILE_POSITIONS,
    TILE_POSITIONS_AT,
    has_one_position,
    outer_tables,
    weight_tables,
)


@jit
def _copy_bordered(like, target, source, copy):
    """Put x's rows into a bordered copy."""
    _, target_row, at, rows, row_bytes, source_row = copy
    pointer = simd.pointer(like, 0)
    for r in range(rows):
        to = simd.array_at(pointer, target + at + r * target_row, row_bytes // like.itemsize)
        row = simd.array_at(pointer, source + r * source_row, row_bytes // like.itemsize)
        for i in range(to.size):
            to[i] = row[i]


@kernel()
def affine_weight(
    like, dweight, dbias, x, dout, work, columns_tiles, columns, positions, steps, shape, group, row, copy, options, cells, tile,
    first, last, scratch,
):
    """dweight[s, f, c] = sum over the blocks of set s, positions and lanes of dout[f] * x[c], dbias[s, f] that of dout[f].

    Items: blocks, `chunk` of them a set; or, if `parts` says so, parts (groups, rows, columns) of one set for all blocks.
    `options`: chunk, parts of groups, rows, columns.
    """
    groups, strips, together = shape
    a_group, b_group, c_group, bias_group = group
    chunk, group_parts, row_parts, column_parts = options
    frame = tiles.frame()
    item_bytes = like.itemsize
    whole = group_parts > 0
    all_tiles = columns_tiles.shape[0] - 1
    for item in range(first, last if whole else first + 1):
        g_first, g_last, s_first, s_last, t_first, t_last = 0, groups, 0, steps.shape[0], 0, all_tiles
        first_block, last_block, target = first, last, 0
        if whole:
            part = item // (row_parts * column_parts)
            g_first, g_last = groups * part // group_parts, groups * (part + 1) // group_parts
            part = item // column_parts % row_parts
            s_first, s_last = steps.shape[0] * part // row_parts, steps.shape[0] * (part + 1) // row_parts
            part = item % column_parts
            t_first, t_last = all_tiles * part // column_parts, all_tiles * (part + 1) // column_parts
            first_block, last_block = 0, cells[BLOCKS]
        else:
            target = first // chunk
        dweight_at = dweight.ctypes.data + target * dweight.shape[1] * item_bytes
        dbias_at = dbias.ctypes.data + target * dbias.shape[1] * item_bytes
        with_bias = dbias.size > 0 and t_first == 0
        copies_at = locate(work, 0, 0, scratch)
        if copy[0] > 0:
            copies = block_at(like, work, 0, 0, scratch, min(together, last_block - first_block) * copy[0] // item_bytes)
            for i in range(copies.size):
                copies[i] = 0
        for block in range(first_block, last_block, together):
            count = min(together, last_block - block)
            frame[tiles.DOT_OUTER] = count
            frame[tiles.DOT_A_OUTER] = dout[1]
            frame[tiles.DOT_B_OUTER] = copy[0] if copy[0] > 0 else x[1]
            frame[tiles.DOT_C_ROW] = row
            a, b = locate(dout, block, first, scratch), locate(x, block, first, scratch)
            if copy[0] > 0:
                for n in range(count):
                    _copy_bordered(like, copies_at + n * copy[0], locate(x, block + n, first, scratch), copy)
                b = copies_at
            for strip in range(strips):
                frame[tiles.ADDING] = 0 if block == first_block and strip == 0 else 1
                for g in range(g_first, g_last):
                    frame[tiles.DOT_B] = b + g * b_group
                    for s in range(s_first, s_last):
                        f, rows = steps[s, 0], steps[s, 1]
                        frame[tiles.DOT_A] = a + g * a_group + f * simd.VECTOR_BYTES
                        frame[tiles.DOT_C] = dweight_at + g * c_group + f * row
                        for t in range(t_first, t_last + 1 if with_bias else t_last):
                            number = all_tiles if t == t_last else t
                            met = columns_tiles[number, TILE_POSITIONS]
                            begin, end = met * strip // strips, met * (strip + 1) // strips
                            frame[tiles.ENTRIES] = positions.ctypes.data + 16 * (
                                columns_tiles[number, TILE_POSITIONS_AT] + begin
                            )
                            frame[tiles.COUNT] = end - begin
                            frame[tiles.PLACES] = columns.ctypes.data + 16 * columns_tiles[number, TILE_COLUMNS_AT]
                            if number == all_tiles:
                                frame[tiles.DOT_C] = dbias_at + g * bias_group + f * item_bytes
                                frame[tiles.DOT_C_ROW] = item_bytes
                            invoke(tile, (rows, columns_tiles[number, TILE_COLUMNS], frame))
                        frame[tiles.DOT_C_ROW] = row


@jit
def _add_tail(target, target_row, source, rows, columns, lane_count, adding):
    """The first columns of rows of LANES values into the gradient."""
    for f in range(rows):
        for j in range(columns):
            value = source[f * lane_count + j]
            target[f * target_row + j] = target[f * target_row + j] + value if adding else value


@kernel()
def affine_weight_outer(
    like, dweight, dbias, x, dout, work, places, plans, steps, lanes, shape, options, cells, tile, transpose, first, last, scratch
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


@kernel()
def sum_sets(total, sets, cells, chunk, first, last):
    """total[i] = sum of sets[s, i] over the sets that the batch's blocks fill, in the order of s. Items: elements."""
    used = (cells[BLOCKS] + chunk - 1) // chunk
    total_i = total[first:last]
    part = sets[0, first:last]
    for i in range(total_i.size):
        total_i[i] = part[i]
    for s in range(1, used):
        part = sets[s, first:last]
        for i in range(total_i.size):
            total_i[i] += part[i]


_SUM_CHUNK = 4096
_NO_CELLS = np.zeros(1, np.int64)


def _dot_args(dweight, dbias, x, dout, geometry, work, options, cells):
    dtype = dweight.dtype
    tables = weight_tables(geometry, dtype)
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
    args = _dot_args(dweight_sets, dbias_sets, x, dout, geometry, work, (chunk, 0, 0, 0), _NO_CELLS)
    return affine_weight.phase(args, blocks, chunk)


def weight_work_bytes(geometry, dtype, chunk):
    """Bytes of scratch memory that `weight_record` needs."""
    dtype = np.dtype(dtype)
    if has_one_position(geometry):
        lane_count = simd.lanes(dtype.itemsize)
        return (OUTER_BLOCKS * lane_count * PANEL_VECTORS + geometry.filters) * simd.VECTOR_BYTES
    tables = weight_tables(geometry, dtype)
    return tables.copy[0] * min(chunk, tables.shape[2])


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
    tables = weight_tables(geometry, dweight.dtype)
    group_parts = min(geometry.groups, parts)
    column_parts = min(len(tables.tiles) - 1, -(-parts // group_parts))
    row_parts = min(len(tables.steps), -(-parts // (group_parts * column_parts)))
    options = (0, group_parts, row_parts, column_parts)
    args = _dot_args(dweight, dbias, x, dout, geometry, work, options, cells)
    return affine_weight.phase(args, group_parts * row_parts * column_parts)


def weight_parts_work_bytes(geometry, dtype, parts):
    """Bytes of scratch memory that `weight_parts_record` needs."""
    tables_chunk = 1 << 30
    return weight_work_bytes(geometry, dtype, tables_chunk)


def sum_sets_record(total, sets, cells, chunk):
    """The record that adds up the sets of gradients of a batch's blocks, `chunk` to a set, into `total`, of any shape."""
    total = flat(total)
    return sum_sets.phase((total, sets, cells, chunk), total.size, _SUM_CHUNK)
