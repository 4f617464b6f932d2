"""Max and average pooling of lane blocks.   C channels, H x W input, OH x OW output, KH x KW window.

    max_pool_forward (like, taps_like, out, taps, x, *forward, channels, relu, training)
    max_pool_backward(like, taps_like, dx, dout, taps, *backward, channels)
    avg_pool_forward (like, out, x, *forward, channels)       average and adaptive average pooling
    avg_pool_backward(like, dx, dout, *backward, channels)

Which cells a window has, and which windows a cell, is known when a plan is made. `max_windows`, `mean_windows` and
`adaptive_windows` put it into tables (`forward`, `backward`): stride, padding, dilation, ceil_mode and adaptive shares are gone
in there. So kernels walk rectangles, with running maxima and sums in registers: forward, the cells of a window; backward, the
windows of a cell, added up in one order, or where windows do not overlap, the cells of a window again.
"""

from math import gcd

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._jit import jit
from .._kernel import kernel
from ..moves import _in_function
from ..simd import I32, I64, pointer
from .layout import block_at, lanes_in

NO_TAP = -1  # of an output that no input gets the gradient of; 255 in uint8


def taps_dtype(geometry):
    """What the numbers of taps KH*KW fit: uint8 or int32.

    Examples
    --------
    >>> taps_dtype((4, 4, 2, 2, 2, 2, 2, 2, 0, 0, 1, 1))
    <class 'numpy.uint8'>
    """
    return np.uint8 if geometry[4] * geometry[5] <= 255 else np.int32


def max_windows(geometry):
    """Tables of max pooling: what its kernels get as ``*forward`` and ``*backward``.

    Parameters
    ----------
    geometry : (H, W, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW)

    Returns
    -------
    forward : rows (OH, 3), columns (OW, 3), steps
        For each output row (column): first tap inside the image, number of such taps, input row of the first.
    backward : row_windows (H, 3), column_windows (W, 3), *forward, window_steps
        For each input row (column): first output row that has it, number of such, its tap in the first.
    """
    (rows, row_windows, row_steps), (columns, column_windows, column_steps) = (_axis(*geometry[axis::2]) for axis in (0, 1))
    _, W, _, OW, _, KW, *_, DH, DW = geometry
    forward = rows, columns, (W, KW, DH, DW)
    apart = max(row_windows[:, 1].max(), column_windows[:, 1].max()) <= 1
    return forward, (row_windows, column_windows, *forward, (int(apart), OW, *row_steps, *column_steps))


def mean_windows(geometry, count_include_pad, divisor, dtype):
    """Tables of average pooling: those of `max_windows`, with one over the cells of each row and each column of windows.

    Parameters
    ----------
    geometry : (H, W, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW)
    count_include_pad : bool
    divisor : int
        Takes the place of the count unless 0.
    dtype : float dtype
    """
    shares = []
    for axis in (0, 1):
        size, outputs, kernel, stride, padding, _ = geometry[axis::2]
        start = np.arange(outputs) * stride - padding
        end = np.minimum(start + kernel, size + padding)  # what ceil_mode adds beyond the padding never counts
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size)
        shares.append(1 / np.maximum(end - start, 1))
    if divisor:
        shares = [np.full(len(shares[0]), 1 / divisor), np.ones(len(shares[1]))]
    return _with_shares(*max_windows(geometry), shares, dtype)


def adaptive_windows(sizes, dtype):
    """Tables of adaptive average pooling from (H, W, OH, OW): output i has cells floor(i*H/OH) .. ceil((i+1)*H/OH) - 1."""
    cells, windows, shares = [], [], []
    for size, outputs in (sizes[0::2], sizes[1::2]):
        i = np.arange(outputs)
        start, end = i * size // outputs, -(-(i + 1) * size // outputs)
        cells.append(np.stack([0 * i, end - start, start], axis=1))
        first, last = (np.searchsorted(edge, np.arange(size), "right") for edge in (end, start))
        windows.append(np.stack([first, last - first, 0 * first], axis=1))
        shares.append(1 / (end - start))
    forward = *cells, (sizes[1], 0, 1, 1)
    apart = max(window[:, 1].max() for window in windows) <= 1
    return _with_shares(forward, (*windows, *forward, (int(apart), sizes[3], 1, 0, 1, 0)), shares, dtype)


def _with_shares(forward, backward, shares, dtype):
    shares = [share.astype(dtype) for share in shares]
    return (*forward, *shares), (*backward, *shares)


def _axis(size, outputs, kernel, stride, padding, dilation):
    """Tables of one axis: cells of each output, outputs of each cell, steps of output and tap between the latter."""
    cells, windows = np.zeros((outputs, 3), np.int64), np.zeros((size, 3), np.int64)
    for i in range(outputs):
        start = i * stride - padding
        taps = [k for k in range(kernel) if 0 <= start + k * dilation < size]
        if taps:
            cells[i] = taps[0], len(taps), start + taps[0] * dilation
        for k in taps:
            window = windows[start + k * dilation]
            if window[1] == 0:
                window[::2] = i, k
            window[1] += 1
    # i*stride + k*dilation stays the same over these steps.
    common = gcd(stride, dilation)
    return cells, windows, (dilation // common, -(stride // common))


def _over_lines(emit, lines, work):
    """``work(first, n)`` for all lines, n at a time: enough that one waits for no other, few enough for the registers."""
    builder = emit.builder
    two, three = ir.Constant(I64, 2), ir.Constant(I64, 3)
    groups = builder.lshr(lines, two)
    with builder.if_then(builder.icmp_signed(">", groups, ir.Constant(I64, 0))):
        emit.loop(groups, [], lambda k, _: work(builder.shl(k, two), 4) or [])
    left = builder.and_(lines, three)
    for n in (1, 2, 3):
        with builder.if_then(builder.icmp_signed("==", left, ir.Constant(I64, n))):
            work(builder.sub(lines, left), n)


def _over_rectangle(emit, rows, columns, start, body):
    """Carry `start` through ``body(r, c, values) -> values`` over rows x columns, at least one of each."""
    return emit.loop(rows, start, lambda r, values: emit.loop(columns, values, lambda c, values: body(r, c, values)))


def _over_quarters(emit, rows, columns, start, body):
    """`_over_rectangle`, with 2 x 2 unrolled: for bodies that are long enough to gain from it."""
    builder = emit.builder
    two = ir.Constant(I64, 2)
    quarters = builder.and_(builder.icmp_signed("==", rows, two), builder.icmp_signed("==", columns, two))
    with builder.if_else(quarters) as (yes, no):
        with yes:
            unrolled = start
            for r, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
                unrolled = body(ir.Constant(I64, r), ir.Constant(I64, c), unrolled)
            yes_block = builder.block
        with no:
            looped = _over_rectangle(emit, rows, columns, start, body)
            no_block = builder.block
    merged = []
    for pair in zip(unrolled, looped):
        phi = builder.phi(pair[0].type)
        for value, block in zip(pair, (yes_block, no_block)):
            phi.add_incoming(value, block)
        merged.append(phi)
    return merged


def _combine(builder, r, row_step, c, column_step):
    return builder.add(builder.mul(r, row_step), builder.mul(c, column_step))


def _numbers(emit):
    """The type of vectors of tap numbers in registers: as wide as the elements, which is what comparisons select best."""
    return ir.VectorType(ir.IntType(8 * emit.align), emit.lanes)


def _splat_number(emit, number):
    """An int64 in all lanes."""
    kind = _numbers(emit)
    number = number if kind.element == I64 else emit.builder.trunc(number, kind.element)
    undefined = ir.Constant(kind, ir.Undefined)
    first = emit.builder.insert_element(undefined, number, ir.Constant(I32, 0))
    return emit.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, emit.lanes), [0] * emit.lanes))


def _lines_at(emit, base, first, n, offset=None):
    """Addresses of n lines from line `first` on, `offset` elements further."""
    builder = emit.builder
    start = builder.mul(first, ir.Constant(I64, emit.lanes))
    if offset is not None:
        start = builder.add(start, offset)
    return [builder.gep(base, [builder.add(start, ir.Constant(I64, k * emit.lanes))]) for k in range(n)]


def _load_numbers(emit, address):
    """A line of tap numbers, widened."""
    narrow = ir.VectorType(address.type.pointee, emit.lanes)
    value = emit.builder.load(emit.builder.bitcast(address, narrow.as_pointer()), align=1)
    return value if narrow == _numbers(emit) else emit.builder.zext(value, _numbers(emit))


def _store_numbers(emit, value, address):
    narrow = ir.VectorType(address.type.pointee, emit.lanes)
    value = value if narrow == value.type else emit.builder.trunc(value, narrow)
    emit.builder.store(value, emit.builder.bitcast(address, narrow.as_pointer()), align=1)


def _make_max_window(with_taps):
    """An intrinsic for one window: maxima and, unless in vain, the numbers of their taps."""

    @intrinsic
    def max_window(typingctx, out, taps, x, lines, rows, columns, row_step, column_step, tap, tap_step, relu):
        def body(emit, out, taps, x, lines, rows, columns, row_step, column_step, tap, tap_step, relu):
            builder = emit.builder
            lowest = ir.Constant(emit.vector, [float("-inf")] * emit.lanes)
            rectify = builder.icmp_signed("!=", relu, ir.Constant(I64, 0))
            floor = builder.select(rectify, emit.zero, lowest)

            def work(first, n):
                def step(r, c, values):
                    number = _splat_number(emit, builder.add(tap, builder.add(builder.mul(r, tap_step), c)))
                    cells = _lines_at(emit, x, first, n, _combine(builder, r, row_step, c, column_step))
                    maxima, winners = [], []
                    for k, cell in enumerate(cells):
                        value = emit.load(cell)
                        above = builder.fcmp_ordered(">", value, values[k])
                        wins = builder.or_(above, builder.fcmp_unordered("uno", value, value))
                        maxima.append(builder.select(wins, value, values[k]))
                        if with_taps:
                            winners.append(builder.select(wins, number, values[n + k]))
                    return maxima + winners

                # Were all cells -inf, the first would win.
                numbers = [_splat_number(emit, tap)] * n if with_taps else []
                values = _over_quarters(emit, rows, columns, [lowest] * n + numbers, step)
                for k, to in enumerate(_lines_at(emit, out, first, n)):
                    below = builder.fcmp_ordered(">", floor, values[k])
                    emit.store(builder.select(below, floor, values[k]), to)
                if with_taps:
                    no_tap = ir.Constant(_numbers(emit), [NO_TAP] * emit.lanes)
                    for k, to in enumerate(_lines_at(emit, taps, first, n)):
                        cut = builder.fcmp_ordered("<=", values[k], emit.zero)
                        rectified = builder.select(cut, no_tap, values[n + k])
                        _store_numbers(emit, builder.select(rectify, rectified, values[n + k]), to)

            _over_lines(emit, lines, work)

        n = types.int64
        name = f"max_window_{taps.dtype}_{int(with_taps)}"
        return types.void(out, taps, x, n, n, n, n, n, n, n, n), _in_function(name, body)

    return max_window


_max_window_taps, _max_window = _make_max_window(True), _make_max_window(False)


@intrinsic
def _collect(typingctx, dx, dout, taps, lines, rows, columns, row_step, column_step, tap, tap_row, tap_column):
    """dx = sum of dout over a rectangle of windows, where their taps are tap + r*tap_row + c*tap_column."""

    def body(emit, dx, dout, taps, lines, rows, columns, row_step, column_step, tap, tap_row, tap_column):
        builder = emit.builder

        def work(first, n):
            def step(r, c, sums):
                number = _splat_number(emit, builder.add(tap, _combine(builder, r, tap_row, c, tap_column)))
                offset = _combine(builder, r, row_step, c, column_step)
                pairs = zip(_lines_at(emit, dout, first, n, offset), _lines_at(emit, taps, first, n, offset))
                following = []
                for total, (gradient, winner) in zip(sums, pairs):
                    ours = builder.icmp_signed("==", _load_numbers(emit, winner), number)
                    following.append(builder.fadd(total, builder.select(ours, emit.load(gradient), emit.zero)))
                return following

            sums = _over_rectangle(emit, rows, columns, [emit.zero] * n, step)
            for total, to in zip(sums, _lines_at(emit, dx, first, n)):
                emit.store(total, to)

        _over_lines(emit, lines, work)

    n = types.int64
    return types.void(dx, dout, taps, n, n, n, n, n, n, n, n), _in_function(f"collect_{taps.dtype}", body)


@intrinsic
def _deal_out(typingctx, dx, dout, taps, lines, rows, columns, row_step, column_step, tap, tap_step):
    """dx of one window = dout where the tap won, else 0."""

    def body(emit, dx, dout, taps, lines, rows, columns, row_step, column_step, tap, tap_step):
        builder = emit.builder

        def work(first, n):
            gradients = [emit.load(at) for at in _lines_at(emit, dout, first, n)]
            winners = [_load_numbers(emit, at) for at in _lines_at(emit, taps, first, n)]

            def step(r, c, _):
                number = _splat_number(emit, builder.add(tap, builder.add(builder.mul(r, tap_step), c)))
                cells = _lines_at(emit, dx, first, n, _combine(builder, r, row_step, c, column_step))
                for gradient, winner, to in zip(gradients, winners, cells):
                    emit.store(builder.select(builder.icmp_signed("==", winner, number), gradient, emit.zero), to)
                return []

            _over_quarters(emit, rows, columns, [], step)

        _over_lines(emit, lines, work)

    n = types.int64
    return types.void(dx, dout, taps, n, n, n, n, n, n, n), _in_function(f"deal_out_{taps.dtype}", body)


@intrinsic
def _sum_window(typingctx, out, x, lines, rows, columns, row_step, column_step, scale):
    """out = sum of x over a rectangle, times scale."""

    def body(emit, out, x, lines, rows, columns, row_step, column_step, scale):
        builder = emit.builder
        scale = emit.splat(scale)

        def work(first, n):
            def step(r, c, sums):
                cells = _lines_at(emit, x, first, n, _combine(builder, r, row_step, c, column_step))
                return [builder.fadd(total, emit.load(cell)) for total, cell in zip(sums, cells)]

            sums = _over_rectangle(emit, rows, columns, [emit.zero] * n, step)
            for total, to in zip(sums, _lines_at(emit, out, first, n)):
                emit.store(builder.fmul(total, scale), to)

        _over_lines(emit, lines, work)

    n = types.int64
    return types.void(out, x, n, n, n, n, n, out.dtype), _in_function("sum_window", body)


@intrinsic
def _repeat(typingctx, dx, dout, lines, rows, columns, row_step, column_step, scale):
    """dx of one window = dout * scale."""

    def body(emit, dx, dout, lines, rows, columns, row_step, column_step, scale):
        scale = emit.splat(scale)

        def work(first, n):
            shares = [emit.builder.fmul(emit.load(at), scale) for at in _lines_at(emit, dout, first, n)]

            def step(r, c, _):
                cells = _lines_at(emit, dx, first, n, _combine(emit.builder, r, row_step, c, column_step))
                for share, to in zip(shares, cells):
                    emit.store(share, to)
                return []

            _over_quarters(emit, rows, columns, [], step)

        _over_lines(emit, lines, work)

    n = types.int64
    return types.void(dx, dout, n, n, n, n, n, dx.dtype), _in_function("repeat", body)


@intrinsic
def _share_out(typingctx, dx, dout, lines, rows, columns, row_step, column_step, row_shares, column_shares):
    """dx = sum of dout * row_shares[r] * column_shares[c] over a rectangle of windows."""

    def body(emit, dx, dout, lines, rows, columns, row_step, column_step, row_shares, column_shares):
        builder = emit.builder

        def work(first, n):
            def step(r, c, sums):
                share = builder.fmul(*(builder.load(emit.at(base, k)) for base, k in ((row_shares, r), (column_shares, c))))
                gradients = _lines_at(emit, dout, first, n, _combine(builder, r, row_step, c, column_step))
                return [emit.fma(emit.load(gradient), emit.splat(share), total) for total, gradient in zip(sums, gradients)]

            sums = _over_rectangle(emit, rows, columns, [emit.zero] * n, step)
            for total, to in zip(sums, _lines_at(emit, dx, first, n)):
                emit.store(total, to)

        _over_lines(emit, lines, work)

    n = types.int64
    return types.void(dx, dout, n, n, n, n, n, row_shares, column_shares), _in_function("share_out", body)


@jit
def _fill(line, start, count, value):
    for k in range(start, start + count):
        line[k] = value


@kernel()
def max_pool_forward(like, taps_like, out, taps, x, rows, columns, steps, channels, relu, training, first, last, scratch):
    """Maximum of each window, with relu = 1 at least 0, and the number kh*KW + kw of its tap.

    Of equal maxima the first counts; of NaNs, which win over all numbers, the last. An output that passes no gradient on, cut
    off by relu or of a window without a cell, gets NO_TAP. Without `training`, `taps` stays untouched.
    """
    W, KW, DH, DW = steps
    size, OH, OW = channels * lanes_in(like), rows.shape[0], columns.shape[0]
    down, right = DH * W * size, DW * size
    for b in range(first, last):
        xs = block_at(like, x, b, first, scratch, 0)
        outs = block_at(like, out, b, first, scratch, OH * OW * size)
        winners = block_at(taps_like, taps, b, first, scratch, OH * OW * size)
        for i in range(OH):
            for j in range(OW):
                at, height, width, tap = (i * OW + j) * size, rows[i, 1], columns[j, 1], rows[i, 0] * KW + columns[j, 0]
                to, winner, cells = (
                    pointer(outs, at),
                    pointer(winners, at),
                    pointer(xs, (rows[i, 2] * W + columns[j, 2]) * size),
                )
                if height * width == 0:
                    _fill(outs, at, size, 0 if relu else -np.inf)
                    if training:
                        _fill(winners, at, size, NO_TAP)
                elif training:
                    _max_window_taps(to, winner, cells, channels, height, width, down, right, tap, KW, relu)
                else:
                    _max_window(to, winner, cells, channels, height, width, down, right, tap, KW, relu)


@kernel()
def max_pool_backward(
    like,
    taps_like,
    dx,
    dout,
    taps,
    row_windows,
    column_windows,
    rows,
    columns,
    steps,
    window_steps,
    channels,
    first,
    last,
    scratch,
):
    """dx = sum of dout over the windows that the cell won."""
    W, KW, DH, DW = steps
    apart, OW, row_step, tap_row, column_step, tap_column = window_steps
    size, H, OH = channels * lanes_in(like), row_windows.shape[0], rows.shape[0]
    for b in range(first, last):
        dxs = block_at(like, dx, b, first, scratch, H * W * size)
        douts = block_at(like, dout, b, first, scratch, 0)
        winners = block_at(taps_like, taps, b, first, scratch, 0)
        _clear_uncovered(dxs, row_windows, column_windows, size)
        if apart:
            for i in range(OH):
                for j in range(OW):
                    at, height, width, tap = (i * OW + j) * size, rows[i, 1], columns[j, 1], rows[i, 0] * KW + columns[j, 0]
                    cells, gradient = pointer(dxs, (rows[i, 2] * W + columns[j, 2]) * size), pointer(douts, at)
                    down, right = DH * W * size, DW * size
                    if height * width > 0:
                        _deal_out(cells, gradient, pointer(winners, at), channels, height, width, down, right, tap, KW)
        else:
            for h in range(H):
                for w in range(W):
                    height, width = row_windows[h, 1], column_windows[w, 1]
                    at, tap = (
                        (row_windows[h, 0] * OW + column_windows[w, 0]) * size,
                        row_windows[h, 2] * KW + column_windows[w, 2],
                    )
                    cell, gradients, numbers = pointer(dxs, (h * W + w) * size), pointer(douts, at), pointer(winners, at)
                    down, right, tap_down = row_step * OW * size, column_step * size, tap_row * KW
                    if height * width > 0:
                        _collect(cell, gradients, numbers, channels, height, width, down, right, tap, tap_down, tap_column)


@jit
def _clear_uncovered(dx, row_windows, column_windows, size):
    """Set the cells that no window has to 0."""
    W = column_windows.shape[0]
    for h in range(row_windows.shape[0]):
        if row_windows[h, 1] == 0:
            _fill(dx, h * W * size, W * size, 0)
        else:
            for w in range(W):
                if column_windows[w, 1] == 0:
                    _fill(dx, (h * W + w) * size, size, 0)


@kernel()
def avg_pool_forward(like, out, x, rows, columns, steps, row_shares, column_shares, channels, first, last, scratch):
    """Sum of each window's cells, times its row's and its column's share."""
    W, _, DH, DW = steps
    size, OH, OW = channels * lanes_in(like), rows.shape[0], columns.shape[0]
    for b in range(first, last):
        xs = block_at(like, x, b, first, scratch, 0)
        outs = block_at(like, out, b, first, scratch, OH * OW * size)
        for i in range(OH):
            for j in range(OW):
                at, height, width = (i * OW + j) * size, rows[i, 1], columns[j, 1]
                to, cells, scale = (
                    pointer(outs, at),
                    pointer(xs, (rows[i, 2] * W + columns[j, 2]) * size),
                    row_shares[i] * column_shares[j],
                )
                if height * width == 0:
                    _fill(outs, at, size, 0)
                else:
                    _sum_window(to, cells, channels, height, width, DH * W * size, DW * size, scale)


@kernel()
def avg_pool_backward(
    like,
    dx,
    dout,
    row_windows,
    column_windows,
    rows,
    columns,
    steps,
    window_steps,
    row_shares,
    column_shares,
    channels,
    first,
    last,
    scratch,
):
    """dx = sum over the windows that have the cell of dout, times the window's row's and column's share."""
    W, _, DH, DW = steps
    apart, OW, row_step, _, column_step, _ = window_steps
    size, H, OH = channels * lanes_in(like), row_windows.shape[0], rows.shape[0]
    for b in range(first, last):
        dxs = block_at(like, dx, b, first, scratch, H * W * size)
        douts = block_at(like, dout, b, first, scratch, 0)
        _clear_uncovered(dxs, row_windows, column_windows, size)
        if apart:
            for i in range(OH):
                for j in range(OW):
                    height, width, scale = rows[i, 1], columns[j, 1], row_shares[i] * column_shares[j]
                    cells, gradient = pointer(dxs, (rows[i, 2] * W + columns[j, 2]) * size), pointer(douts, (i * OW + j) * size)
                    if height * width > 0:
                        _repeat(cells, gradient, channels, height, width, DH * W * size, DW * size, scale)
        else:
            for h in range(H):
                for w in range(W):
                    i, j, height, width = row_windows[h, 0], column_windows[w, 0], row_windows[h, 1], column_windows[w, 1]
                    cell, gradients = pointer(dxs, (h * W + w) * size), pointer(douts, (i * OW + j) * size)
                    down, right = row_step * OW * size, column_step * size
                    if height * width > 0:
                        row, column = pointer(row_shares, i), pointer(column_shares, j)
                        _share_out(cell, gradients, channels, height, width, down, right, row, column)
