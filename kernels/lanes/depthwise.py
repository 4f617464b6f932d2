"""Depthwise convolutions over lane blocks (as many groups as channels) and their gradients: bound by memory, not by arithmetic.

    forward_record, backward_input_record, weight_record     as in `affine` and `affine_weight`; items are blocks

Each is a list of calls of the tiles in `depthwise_tiles`, which take all channels. A call knows no dilation: the output falls
into as many subsampled planes as the dilation has residues, and the gradient of an input into as many as the stride has, each
with its share of the taps.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from .. import simd
from .._jit import jit
from .._kernel import flat, kernel
from ..gemm import EMPTY
from ..tiles import invoke
from . import depthwise_tiles as tiles
from .layout import lanes_of, locate
from .taps import _even

_MOST_TAPS, _MOST_STRIDE, _MOST_FILTERS = 7, 4, 4  # along an axis; filters of a channel: of more, general tiles share loads
_NO_BIAS = {dtype: np.zeros(1, dtype) for dtype in EMPTY}


class _Axis(NamedTuple):
    """A correlation without dilation along one axis: what y, x and taps it takes, in positions of theirs."""

    y: tuple  # first, distance, count
    x: tuple
    taps: tuple
    stride: int
    padding: int  # positions of x before the first, negative: after it


def applies(geometry):
    """Whether these records take a layer, and take less time than the general ones.

    Examples
    --------
    >>> from fastnn.kernels.lanes.taps import Geometry
    >>> applies(Geometry(8, 8, (9, 9), (9, 9), (3, 3), (1, 1), (1, 1), (1, 1), 8))
    True
    """
    g = geometry
    small = max(g.kernel) <= _MOST_TAPS and max(g.stride) <= _MOST_STRIDE
    many = 1 < g.groups == g.channels and g.filters <= _MOST_FILTERS * g.channels
    return many and small and g.out_size != (1, 1)


def _residue(start, step):
    """The smallest position from 0 on that is so many steps beyond `start`, and how many."""
    return start % step, -(start // step)


def _forward_axis(size, out_size, kernel, stride, padding, dilation):
    """Output o meets input o * stride - padding + k * dilation: outputs by residues of the dilation."""
    common = math.gcd(stride, dilation)
    pitch = dilation // common
    axes = []
    for first in range(min(pitch, out_size)):
        x_first, before = _residue(first * stride - padding, dilation)
        x = x_first, dilation, -(-(size - x_first) // dilation)
        axes.append(_Axis((first, pitch, -(-(out_size - first) // pitch)), x, (0, 1, kernel), stride // common, before))
    return axes


def _backward_axis(size, out_size, kernel, stride, padding, dilation):
    """Input i meets output (i + padding - k * dilation) / stride: inputs by residues of the stride, then of the dilation."""
    common = math.gcd(stride, dilation)
    pitch, tap_step = dilation // common, stride // common
    axes = []
    for first in range(min(stride * pitch, size)):
        taps = [k for k in range(kernel) if (first + padding - k * dilation) % stride == 0]
        y = first, stride * pitch, -(-(size - first) // (stride * pitch))
        if not taps:
            axes.append(_Axis(y, (0, 1, 0), (0, 1, 0), 1, 0))
            continue
        x_first, before = _residue((first + padding - taps[-1] * dilation) // stride, pitch)
        x = x_first, pitch, -(-(out_size - x_first) // pitch)
        axes.append(_Axis(y, x, (taps[-1], -tap_step, len(taps)), 1, before))
    return axes


def _strips(axis, most):
    """Columns of an axis in strips: (first, count, whether they meet x)."""
    (_, _, count), (_, _, x_count), (_, _, taps) = axis.y, axis.x, axis.taps
    meets = [taps > 0 and -taps < q * axis.stride - axis.padding < x_count for q in range(count)]
    begin = meets.index(True) if any(meets) else count
    end = begin + sum(meets)
    parts = [(0, begin, False), (begin, end, True), (end, count, False)]
    return [(a + first, n, met) for a, b, met in parts if a < b for first, n in _even(b - a, most)]


def _passes(rows, most):
    """An axis with at most so many taps at a time."""
    first, step, count = rows.taps
    return [
        rows._replace(taps=(first + at * step, step, min(most, count - at)), padding=rows.padding - at)
        for at in range(0, max(count, 1), most)
    ]


def _axes(axis, geometry):
    sizes = (geometry.size, geometry.out_size, geometry.kernel, geometry.stride, geometry.padding, geometry.dilation)
    return [axis(*(pair[d] for pair in sizes)) for d in range(2)]


def _call(rows, columns, strip, y_plane, x_plane, tap_distances):
    """The words of a call that tell where rows, columns and taps lie. Planes: (columns, bytes of a pixel)."""
    c, width, _ = strip
    column = c * columns.stride - columns.padding
    (y_width, y_pixel), (x_width, x_pixel), (tap_row, tap) = y_plane, x_plane, tap_distances
    return {
        tiles.WIDTH: width,
        tiles.Y_AT: (rows.y[0] * y_width + columns.y[0] + c * columns.y[1]) * y_pixel,
        tiles.Y_ROW: rows.y[1] * y_width * y_pixel,
        tiles.Y_COLUMN: columns.y[1] * y_pixel,
        tiles.X_AT: ((rows.x[0] - rows.padding * rows.x[1]) * x_width + columns.x[0] + column * columns.x[1]) * x_pixel,
        tiles.X_ROW: rows.x[1] * x_width * x_pixel,
        tiles.X_COLUMN: columns.x[1] * x_pixel,
        tiles.TAP_AT: rows.taps[0] * tap_row + columns.taps[0] * tap,
        tiles.TAP_ROW: rows.taps[1] * tap_row,
        tiles.TAP_COLUMN: columns.taps[1] * tap,
        tiles.ROWS: rows.y[2],
        tiles.ROW_FIRST: rows.padding,
        tiles.ROW_LAST: rows.padding + rows.x[2],
        tiles.COLUMN_FIRST: -column,
        tiles.COLUMN_LAST: columns.x[2] - column,
    }


def _by_filter(call, geometry, y_has_filters, tap_bytes, bias_bytes):
    """A call for each of the filters of a channel, with the words that tell where those lie; `bytes` are those of a filter."""
    line, times = simd.VECTOR_BYTES, geometry.filters // geometry.channels
    of_filters, of_channels = ("Y", "X") if y_has_filters else ("X", "Y")
    at, step, other_step = (getattr(tiles, n) for n in (f"{of_filters}_AT", f"{of_filters}_CHANNEL", f"{of_channels}_CHANNEL"))
    calls = []
    for time in range(times):
        words = {at: call[at] + time * line, step: times * line, other_step: line, tiles.CHANNELS: geometry.channels}
        words |= {tiles.TAP_AT: call[tiles.TAP_AT] + time * tap_bytes, tiles.TAP_CHANNEL: times * tap_bytes}
        words |= {tiles.BIAS_AT: time * bias_bytes, tiles.BIAS_CHANNEL: times * bias_bytes}
        calls.append(call | words)
    return calls


def _table(calls):
    table = np.zeros((len(calls), tiles.WORDS), np.int64)
    for row, call in zip(table, calls):
        row[list(call)] = list(call.values())
    return table


@functools.cache
def _correlate_calls(geometry, dtype, backward, with_bias, relu):
    """Calls that make a layer's output, or the gradient of its input."""
    g, item, line = geometry, dtype.itemsize, simd.VECTOR_BYTES
    out, x = (g.out_size[1], g.filters * line), (g.size[1], g.channels * line)
    planes = (x, out) if backward else (out, x)
    table = []
    for rows, columns in itertools.product(*_axes(_backward_axis if backward else _forward_axis, g)):
        kernel, stride = (rows.taps[2], columns.taps[2]), (rows.stride, columns.stride)
        for strip in _strips(columns, tiles.correlate_width(kernel, stride)):
            options = (kernel, stride) if strip[2] and kernel[0] > 0 else ((0, 0), (1, 1))
            later = max(0, tiles.ages(options[0][0], options[1][0]) - 1)
            # Steps over padding above the plane finish no row.
            skipped = max(0, min(later, rows.padding // rows.stride))
            call = _call(rows, columns, strip, *planes, (g.kernel[1] * item, item))
            call |= {tiles.STEP_FIRST: skipped, tiles.STEPS: rows.y[2] + later - skipped}
            call |= {tiles.TILE: tiles.correlate(dtype, *options), tiles.OPTION: tiles.RELU if relu else tiles.NONE}
            calls = _by_filter(call, g, not backward, g.taps * item, item if with_bias else 0)
            if backward:
                calls[1:] = [call | {tiles.OPTION: tiles.ADD} for call in calls[1:]]
            table += calls
    return _table(table)


@functools.cache
def _weight_calls(geometry, dtype, with_bias):
    """Calls that sum the gradient of a layer's weight."""
    g, line = geometry, simd.VECTOR_BYTES
    planes = (g.out_size[1], g.filters * line), (g.size[1], g.channels * line)
    table = []
    for all_rows, columns in itertools.product(*_axes(_forward_axis, g)):
        stride = all_rows.stride, columns.stride
        most, width = tiles.taps_size(g.kernel, stride)
        for number, rows in enumerate(_passes(all_rows, most)):
            bias = with_bias and number == 0
            for strip in _strips(columns, width):
                options = ((rows.taps[2], columns.taps[2]), stride) if strip[2] else ((0, 0), (1, 1))
                later = max(0, tiles.ages(options[0][0], options[1][0]) - 1)
                call = _call(rows, columns, strip, *planes, (g.kernel[1] * line, line))
                call |= {tiles.STEPS: rows.y[2] + later, tiles.OPTION: tiles.BIAS if bias else tiles.NONE}
                call[tiles.TILE] = tiles.correlate_taps(dtype, *options, width)
                if strip[2] or bias:
                    table += _by_filter(call, g, True, g.taps * line, line)
    return _table(table)


@jit
def _call_all(calls, y, x, weight, bias):
    for n in range(calls.shape[0]):
        call = calls.ctypes.data + n * calls.shape[1] * calls.itemsize
        invoke(calls[n, tiles.TILE], (calls[n, tiles.WIDTH], 1, call, y, x, weight, bias))


@kernel()
def depthwise(like, out, x, weight, bias, calls, first, last, scratch):
    """out[c] = bias[c] + the correlation of x[c] and weight[c], as `calls` say. Items: blocks."""
    for block in range(first, last):
        places = locate(out, block, first, scratch), locate(x, block, first, scratch)
        _call_all(calls, *places, weight.ctypes.data, bias.ctypes.data)


@kernel()
def depthwise_weight(like, dweight, dbias, x, dout, work, calls, chunk, lane_sums, first, last, scratch):
    """dweight[s], dbias[s] = sums over the blocks of set s, positions and lanes. Items: blocks, `chunk` a set."""
    lanes = simd.VECTOR_BYTES // like.itemsize
    taps, filters = dweight.shape[1], dbias.shape[1]
    groups = (taps + filters + lanes - 1) // lanes
    sums_at = locate(work, first, first, scratch)
    sums = simd.array_at(simd.pointer(like, 0), sums_at, groups * lanes * lanes)
    for i in range(sums.size):
        sums[i] = 0
    for block in range(first, last):
        places = locate(dout, block, first, scratch), locate(x, block, first, scratch)
        _call_all(calls, *places, sums_at, sums_at + taps * simd.VECTOR_BYTES)
    invoke(lane_sums, (1, 1, sums_at, sums_at, groups))
    row = dweight[first // chunk]
    for i in range(taps):
        row[i] = sums[i]
    if filters > 0:
        row = dbias[first // chunk]
        for i in range(filters):
            row[i] = sums[taps + i]


def forward_record(out, x, weight, bias, geometry, blocks, chunk, *, relu=False):
    """The record of a layer's output over blocks. `weight` lies as (filters, 1, taps), `bias` may be None.

    Parameters
    ----------
    out, x : Place
    geometry : taps.Geometry
    blocks, chunk : int
        Items of the record (or the cell that holds them) and how many a thread takes at a time.
    relu : bool
        Whether a rectifier follows.
    """
    dtype = weight.dtype
    calls = _correlate_calls(geometry, dtype, False, bias is not None, relu)
    args = (EMPTY[dtype], tuple(out), tuple(x), flat(weight), _NO_BIAS[dtype] if bias is None else bias, calls)
    return depthwise.phase(args, blocks, chunk)


def backward_input_record(dx, dout, weight, geometry, blocks, chunk):
    """The record of the gradient of a layer's input over blocks."""
    dtype = weight.dtype
    calls = _correlate_calls(geometry, dtype, True, False, False)
    args = (EMPTY[dtype], tuple(dx), tuple(dout), flat(weight), _NO_BIAS[dtype], calls)
    return depthwise.phase(args, blocks, chunk)


def weight_record(dweight_sets, dbias_sets, x, dout, geometry, blocks, chunk, work):
    """The record of a layer's weight gradient over blocks: each chunk of them overwrites a set of its own.

    Parameters
    ----------
    dweight_sets : (sets, filters * taps)
    dbias_sets : (sets, filters) or None
    x, dout : Place
    geometry : taps.Geometry
    blocks, chunk : int
        Items of the record (or the cell that holds them) and how many a thread takes at a time.
    work : Place
        Scratch memory of `weight_work_bytes`.
    """
    dtype = dweight_sets.dtype
    calls = _weight_calls(geometry, dtype, dbias_sets is not None)
    dbias_sets = EMPTY[dtype].reshape(0, 0) if dbias_sets is None else dbias_sets
    places = tuple(x), tuple(dout), tuple(work)
    args = (EMPTY[dtype], dweight_sets, dbias_sets, *places, calls, chunk, tiles.lane_sums(dtype))
    return depthwise_weight.phase(args, blocks, chunk)


def weight_work_bytes(geometry, dtype):
    """Bytes of scratch memory that `weight_record` needs: a vector for each weight and bias."""
    lanes = lanes_of(dtype)
    return -(-geometry.filters * (geometry.taps + 1) // lanes) * lanes * simd.VECTOR_BYTES
