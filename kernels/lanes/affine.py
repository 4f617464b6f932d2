"""Convolutions and dense layers over lane blocks, and the gradients of their inputs: one kernel.

Rows of the weight matrix times columns of the input: a column is one position of one block, found by tables (`taps`) right in
the input. Nothing is packed and nothing is copied.

    forward_record, backward_input_record               items are blocks: for chains
    forward_parts_record, backward_input_parts_record   items are parts of the output of all blocks: a phase of its own
"""

import numpy as np

from .._jit import jit
from .._kernel import flat, kernel
from .._threads import BLOCKS
from ..gemm import EMPTY
from ..tiles import invoke
from . import tiles
from .layout import locate
from .taps import (
    A_OUTER,
    B_OUTER,
    INNER,
    JOINED_BELOW,
    MAX_WIDTH,
    OUTER,
    POSITIONS,
    POSITIONS_AT,
    TAPS_AT,
    WIDTH,
    backward_input_tables,
    forward_tables,
)


@jit
def _rows_times_columns(frame, tile, steps, plan, width, weight, bias, shape, group):
    """All rows of all groups times the columns in the frame, by the steps of a plan."""
    groups, a_row, c_row, bias_row = shape
    a_group, b_group, c_group, bias_group = group
    row = 0
    for s in range(plan[0], plan[1]):
        rows, times = steps[s, 0], steps[s, 1]
        frame[tiles.A] = weight + row * a_row
        frame[tiles.B_AT] = 0
        frame[tiles.C_AT] = row * c_row
        frame[tiles.BIAS] = bias + row * bias_row
        row += rows * times
        if times == 1 or groups == 1:
            by_group = times == 1
            frame[tiles.REPEAT] = groups if by_group else times
            frame[tiles.A_STEP] = a_group if by_group else rows * a_row
            frame[tiles.B_STEP] = b_group if by_group else 0
            frame[tiles.C_STEP] = c_group if by_group else rows * c_row
            frame[tiles.BIAS_STEP] = bias_group if by_group else rows * bias_row
            invoke(tile, (rows, width, frame))
            continue
        frame[tiles.REPEAT] = times
        frame[tiles.A_STEP] = rows * a_row
        frame[tiles.B_STEP] = 0
        frame[tiles.C_STEP] = rows * c_row
        frame[tiles.BIAS_STEP] = rows * bias_row
        for _ in range(groups):
            invoke(tile, (rows, width, frame))
            frame[tiles.A] += a_group
            frame[tiles.B_AT] += b_group
            frame[tiles.C_AT] += c_group
            frame[tiles.BIAS] += bias_group


@jit
def _class_of_positions(frame, tile, steps, plans, table, width, weights, columns_of_class):
    """The columns of one class, as many as `width` at a time: (positions, how many, of how many blocks, places)."""
    weight, bias, shape, group = weights
    positions, count, blocks, places = columns_of_class
    out, out_step, x, x_step = places
    left = count * blocks
    block, position = 0, 0
    while left > 0:
        tile_count = (left + width - 1) // width
        columns = (left + tile_count - 1) // tile_count
        for v in range(columns):
            frame[tiles.COLUMNS + 2 * v] = x + block * x_step + positions[position, 0]
            frame[tiles.COLUMNS + 2 * v + 1] = out + block * out_step + positions[position, 1]
            position += 1
            if position == count:
                position = 0
                block += 1
        _rows_times_columns(frame, tile, steps, plans[table + columns - 1], columns, weight, bias, shape, group)
        left -= columns


@kernel()
def affine(
    like, out, x, weight, bias, classes, taps, positions, plans, steps, shape, group, options, cells, tile, first, last, scratch
):
    """out[c, v] = start + sum_k weight[c, k] * x[k, v] for rows c of all groups, positions v of a class, its table's entries k.

    Items: blocks, or, if there are `parts` of them, parts of the positions or else of the rows of all blocks.
    `options`: how sums start, whether a rectifier follows, parts (0: items are blocks).
    """
    groups, rows, part_rows, a_row, c_row, bias_row = shape
    start, relu, parts = options
    frame = tiles.frame()
    frame[tiles.A_ROW] = a_row
    frame[tiles.C_ROW] = c_row
    frame[tiles.START] = start
    frame[tiles.RELU] = relu
    weight_at, bias_at, taps_at = weight.ctypes.data, bias.ctypes.data, taps.ctypes.data
    row_shape = (groups, a_row, c_row, bias_row)
    by_rows = part_rows < rows
    for item in range(first, last if parts > 0 else first + 1):
        first_block, last_block = (0, cells[BLOCKS]) if parts > 0 else (first, last)
        row = item * part_rows if by_rows else 0
        table = MAX_WIDTH if by_rows and row + part_rows >= rows else 0
        a, bias_a = weight_at + row * a_row, bias_at + row * bias_row
        # Whole blocks first, then the classes whose few positions share tiles with those of other blocks.
        for joined in range(2):
            step = last_block - first_block if joined else 1
            for block in range(first_block, last_block, max(1, step)):
                out_b = locate(out, block, first, scratch) + row * c_row
                x_b = locate(x, block, first, scratch)
                places = (out_b, out[1], x_b, x[1])
                for c in range(classes.shape[0]):
                    count = classes[c, POSITIONS]
                    if (count < JOINED_BELOW) != (joined == 1):
                        continue
                    begin, end = 0, count
                    if parts > 0 and not by_rows:
                        begin, end = count * item // parts, count * (item + 1) // parts
                    if begin == end:
                        continue
                    frame[tiles.TAPS] = taps_at + 16 * classes[c, TAPS_AT]
                    frame[tiles.INNER] = classes[c, INNER]
                    frame[tiles.OUTER] = classes[c, OUTER]
                    frame[tiles.A_OUTER] = classes[c, A_OUTER]
                    frame[tiles.B_OUTER] = classes[c, B_OUTER]
                    columns = positions[classes[c, POSITIONS_AT] + begin :], end - begin, step, places
                    weights = a, bias_a, row_shape, group
                    _class_of_positions(frame, tile, steps, plans, table, classes[c, WIDTH], weights, columns)


NO_CELLS = np.zeros(1, np.int64)


def _record(tables, out, x, weight, bias, items, chunk, relu, accumulate, parts, cells):
    dtype = weight.dtype
    start = tiles.ACCUMULATE if accumulate else tiles.ZERO if bias is None else tiles.WITH_BIAS
    arrays = (flat(weight), EMPTY[dtype] if bias is None else bias, *tables[:5])
    options = (start, int(relu), parts)
    args = (EMPTY[dtype], tuple(out), tuple(x), *arrays, tables.shape, tables.group, options, cells, tiles.affine(dtype))
    return affine.phase(args, items, chunk)


def forward_record(out, x, weight, bias, geometry, blocks, chunk, *, relu=False, accumulate=False):
    """The record of a layer's output over blocks. `weight` lies as (filters, channels of a group, taps), `bias` may be None.

    Parameters
    ----------
    out, x : Place
    geometry : taps.Geometry
    blocks, chunk : int
        Items of the record (or the cell that holds them) and how many a thread takes at a time.
    relu : bool
        Whether a rectifier follows.
    accumulate : bool
        Whether to add to what is in `out`, without a bias.
    """
    tables = forward_tables(geometry, weight.dtype, chunk)
    return _record(tables, out, x, weight, bias, blocks, chunk, relu, accumulate, 0, NO_CELLS)


def forward_parts_record(out, x, weight, bias, geometry, cells, parts, *, relu=False, accumulate=False):
    """As `forward_record`, for all blocks of a batch, in so many parts: a phase of its own."""
    tables = forward_tables(geometry, weight.dtype, 3, parts)
    return _record(tables, out, x, weight, bias, parts_of(tables, parts), 1, relu, accumulate, parts, cells)


def backward_input_record(dx, dout, weight, geometry, blocks, chunk, *, accumulate=False):
    """The record of the gradient of a layer's input over blocks; `accumulate` adds to what is in `dx`."""
    tables = backward_input_tables(geometry, weight.dtype, chunk)
    return _record(tables, dx, dout, weight, None, blocks, chunk, False, accumulate, 0, NO_CELLS)


def backward_input_parts_record(dx, dout, weight, geometry, cells, parts, *, accumulate=False):
    """As `backward_input_record`, for all blocks of a batch, in so many parts: a phase of its own."""
    tables = backward_input_tables(geometry, weight.dtype, 3, parts)
    return _record(tables, dx, dout, weight, None, parts_of(tables, parts), 1, False, accumulate, parts, cells)


def parts_of(tables, parts):
    """How many parts the tables really have."""
    _, rows, part_rows, *_ = tables.shape
    return -(-rows // part_rows) if part_rows < rows else parts
