"""Windows over images: which of them a tap lies in, and pooling of 4 or 8 neighbouring ones at a time in vector registers.

Rows of small images are too short for Numba's loops to vectorise; a tile needs only 4 outputs in a row, and a caller covers
any longer row with tiles that may overlap.

    valid_range           windows at which a tap lies inside the image
    max_tile              maxima of any windows with column stride 1 to 3, and where they were
    mean_tile             weighted sums of such windows
    max_tile_2x2          maxima of 2x2 windows with stride 2, and where they were
    max_tile_2x2_back     gradients to the winners, unless some winner lies elsewhere
    mean_tile_2x2         means of 2x2 windows with stride 2
    mean_tile_2x2_back    gradients to all four cells

Tiles take raw addresses and read and write inside the windows only: lanes in the padding are masked off, and the last of the
loads that make up strided lanes ends with the last lane.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import jit
from .simd import I32, I64, Emitter

WIDE, NARROW = 8, 4  # outputs in a tile
MAX_STRIDE = 3


@jit
def valid_range(offset, size, positions, stride):
    """Positions first..last, of `positions`, for which ``position*stride + offset`` lies in 0..size-1."""
    first = min(max(0, (stride - 1 - offset) // stride), positions)
    return first, max(first, min(positions, (size - 1 - offset) // stride + 1))


def _constant(values):
    return ir.Constant(ir.VectorType(I32, len(values)), list(values))


class _Tile(Emitter):
    """Vector operations of one tile."""

    def store(self, value, pointer, align=None):
        target = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, target, align=align or self.align)

    def integers(self, scalar, step=0):
        """The lanes scalar, scalar + step, ... as int32."""
        undefined = ir.Constant(ir.VectorType(I32, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.trunc(scalar, I32), ir.Constant(I32, 0))
        every = self.builder.shuffle_vector(first, undefined, _constant([0] * self.lanes))
        return self.builder.add(every, _constant(range(0, step * self.lanes, step))) if step else every

    def inside(self, column, width):
        """Which of the columns column, column + 1, ... lie in 0..width-1."""
        return self.builder.icmp_unsigned("<", self.integers(column, 1), self.integers(width))

    def strided(self, row, column, stride, width=None, outside=None):
        """Elements column, column + stride, ... of a row. With `width`, those beyond 0..width-1 are the vector `outside`."""
        gathered, covered = None, 0
        for n in range(stride):
            offset = min(n * self.lanes, (self.lanes - 1) * stride + 1 - self.lanes)  # the last load ends with the last lane
            first = self.builder.add(column, ir.Constant(I64, offset))
            pointer = self.at(row, first)
            if width is None:
                part = self.load(pointer)
            else:
                inside = self.inside(first, width)
                part = self.builder.select(inside, self.masked_load(pointer, inside), outside)
            if n > 0:
                picks = []
                for lane in range(self.lanes):
                    wanted = lane * stride
                    if wanted < covered:
                        picks.append(wanted if n == 1 else lane)
                    else:
                        picks.append(min(self.lanes + wanted - offset, 2 * self.lanes - 1))
                part = self.builder.shuffle_vector(gathered, part, _constant(picks))
            gathered, covered = part, offset + self.lanes
        return gathered

    def pairs(self, row):
        """Even and odd elements of the first 2 * lanes of a row."""
        wide = ir.VectorType(self.element, 2 * self.lanes)
        values = self.builder.load(self.builder.bitcast(row, wide.as_pointer()), align=self.align)
        undefined = ir.Constant(wide, ir.Undefined)
        evens, odds = range(0, 2 * self.lanes, 2), range(1, 2 * self.lanes, 2)
        return [self.builder.shuffle_vector(values, undefined, _constant(picks)) for picks in (evens, odds)]

    def twice(self, value):
        """Each lane and its copy beside it."""
        picks = [lane for lane in range(self.lanes) for _ in range(2)]
        return self.builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), _constant(picks))

    def beats(self, value, best):
        """Lanes in which `value` takes the place of `best`, met earlier in the window: it is greater, or NaN."""
        greater = self.builder.fcmp_ordered(">", value, best)
        return self.builder.or_(greater, self.builder.fcmp_unordered("uno", value, value))

    def window_loop(self, plane, h, rows, dh, column, columns, dw, width, start, tap):
        """Carry `start` through ``tap(row, position, column of lane 0, values)`` over the taps of the windows.

        The position of lane 0 comes as a vector of equal lanes, kept in a register: to move it there at each tap is slow.
        """
        builder, step = self.builder, self.integers(dw)

        def over_rows(kh, values):
            offset = builder.mul(builder.add(h, builder.mul(kh, dh)), width)
            row = self.at(plane, offset)

            def over_columns(kw, values):
                *values, position = values
                values = tap(row, position, builder.add(column, builder.mul(kw, dw)), values)
                return [*values, builder.add(position, step)]

            return self.loop(columns, [*values, self.integers(builder.add(offset, column))], over_columns)[:-1]

        return self.loop(rows, start, over_rows)


def _element(context, signature):
    return context.get_value_type(signature.args[1].dtype)


def _dispatch(builder, value, cases, emit_case):
    """A switch: ``emit_case(case)`` for each number of a dict of cases."""
    after = builder.append_basic_block("after")
    switch = builder.switch(value, after)
    for number, case in cases.items():
        block = builder.append_basic_block("case")
        switch.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        emit_case(case)
        builder.branch(after)
    builder.position_at_end(after)


def _per_case(builder, lanes, stride, masked, emit_case):
    """Choose among tiles of both sizes, each stride, with and without masks, at run time."""
    code = builder.add(builder.mul(builder.add(builder.mul(lanes, ir.Constant(I64, 8)), stride), ir.Constant(I64, 2)), masked)
    cases = {
        (count * 8 + step) * 2 + mask: (count, step, mask)
        for count in (NARROW, WIDE)
        for step in range(1, MAX_STRIDE + 1)
        for mask in (0, 1)
    }
    _dispatch(builder, code, cases, emit_case)


def _per_size(builder, lanes, emit_case):
    _dispatch(builder, lanes, {NARROW: NARROW, WIDE: WIDE}, emit_case)


@intrinsic
def max_tile(typingctx, lanes, out, argmax, plane, h, rows, dh, column, columns, dw, width, stride, masked):
    """out[l] = maximum over the taps (h + kh*dh, column + l*stride + kw*dw), kh < rows, kw < columns; argmax[l] = where.

    rows, columns >= 1; all rows inside the plane. `masked`: columns may lie outside 0..width-1 and are passed over. Returns
    false when it has to leave a lane undone: nothing there but -inf, and the first column outside.
    """

    def codegen(context, builder, signature, args):
        lanes, out, argmax, plane, h, rows, dh, column, columns, dw, width, stride, masked = args
        element = _element(context, signature)
        answer = cgutils.alloca_once(builder, ir.IntType(1))

        def emit_case(case):
            count, step, mask = case
            tile = _Tile(builder, element, count)
            lowest, not_a_number = (ir.Constant(tile.vector, [float(value)] * count) for value in ("-inf", "nan"))
            nowhere = ir.Constant(ir.VectorType(I32, count), [-(2**31)] * count)

            # The maximum takes no notice of NaN, whose place is kept apart: so a tap waits for little of the one before.
            def tap(row, position, c, values):
                best, at, nan_at = values
                value = tile.strided(row, c, step, width, lowest) if mask else tile.strided(row, c, step)
                greater = builder.fcmp_ordered(">", value, best)
                is_nan = builder.fcmp_unordered("uno", value, value)
                return [
                    builder.select(greater, value, best),
                    builder.select(greater, position, at),
                    builder.select(is_nan, position, nan_at),
                ]

            if mask:
                start = [lowest, nowhere, nowhere]
            else:
                start = [lowest, tile.integers(builder.add(builder.mul(h, width), column)), nowhere]
            best, at, nan_at = tile.window_loop(plane, h, rows, dh, column, columns, dw, width, start, tap)
            has_nan = builder.icmp_signed("!=", nan_at, nowhere)
            at = builder.select(has_nan, nan_at, at)
            tile.store(builder.select(has_nan, not_a_number, best), out)
            tile.store(builder.add(at, _constant(range(0, step * count, step))), argmax, 4)
            found = builder.bitcast(builder.icmp_signed("!=", at, nowhere), ir.IntType(count))
            builder.store(builder.icmp_signed("==", found, ir.Constant(found.type, -1)), answer)

        _per_case(builder, lanes, stride, masked, emit_case)
        return builder.load(answer)

    n = types.int64
    return types.boolean(n, out, argmax, plane, n, n, n, n, n, n, n, n, n), codegen


@intrinsic
def mean_tile(typingctx, lanes, out, plane, h, rows, column, columns, width, stride, masked, weights, factor):
    """out[l] = weights[l] * factor * sum over the taps (h + kh, column + l*stride + kw); arguments as in `max_tile`."""

    def codegen(context, builder, signature, args):
        lanes, out, plane, h, rows, column, columns, width, stride, masked, weights, factor = args
        element, one = _element(context, signature), ir.Constant(I64, 1)

        def emit_case(case):
            count, step, mask = case
            tile = _Tile(builder, element, count)

            def tap(row, position, c, values):
                value = tile.strided(row, c, step, width, tile.zero) if mask else tile.strided(row, c, step)
                return [builder.fadd(values[0], value)]

            (total,) = tile.window_loop(plane, h, rows, one, column, columns, one, width, [tile.zero], tap)
            tile.store(builder.fmul(total, builder.fmul(tile.load(weights), tile.splat(factor))), out)

        _per_case(builder, lanes, stride, masked, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, plane, n, n, n, n, n, n, n, weights, weights.dtype), codegen


@intrinsic
def max_tile_2x2(typingctx, lanes, out, argmax, cells, position, width):
    """out[l] = maximum of cells[2l], cells[2l + 1] and the two below, `width` on; argmax[l] = its place.

    `position` is the place of cells[0] in its plane.
    """

    def codegen(context, builder, signature, args):
        lanes, out, argmax, cells, position, width = args
        element = _element(context, signature)

        def emit_case(count):
            tile = _Tile(builder, element, count)
            index = ir.VectorType(I32, count)

            def winner(row):
                left, right = tile.pairs(row)
                take = tile.beats(right, left)
                return builder.select(take, right, left), builder.zext(take, index)

            (top, top_at), (low, low_at) = winner(cells), winner(tile.at(cells, width))
            take = tile.beats(low, top)
            at = builder.select(take, builder.add(low_at, tile.integers(width)), top_at)
            tile.store(builder.select(take, low, top), out)
            tile.store(builder.add(at, tile.integers(position, 2)), argmax, 4)

        _per_size(builder, lanes, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, argmax, cells, n, n), codegen


@intrinsic
def mean_tile_2x2(typingctx, lanes, out, cells, scale, width):
    """out[l] = (cells[2l] + cells[2l + 1] + the two below, `width` on) * scale."""

    def codegen(context, builder, signature, args):
        lanes, out, cells, scale, width = args
        element = _element(context, signature)

        def emit_case(count):
            tile = _Tile(builder, element, count)
            a, b = tile.pairs(cells)
            c, d = tile.pairs(tile.at(cells, width))
            total = builder.fadd(builder.fadd(builder.fadd(a, b), c), d)
            tile.store(builder.fmul(total, tile.splat(scale)), out)

        _per_size(builder, lanes, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, cells, cells.dtype, n), codegen


@intrinsic
def max_tile_2x2_back(typingctx, lanes, cells, dout, argmax, position, width):
    """Set cells[2l], cells[2l + 1] and the two below to dout[l] where argmax[l] says so, else 0. Places as in `max_tile_2x2`.

    Returns whether every argmax[l] was one of its four cells.
    """

    def codegen(context, builder, signature, args):
        lanes, cells, dout, argmax, position, width = args
        element = _element(context, signature)
        answer = cgutils.alloca_once(builder, ir.IntType(1))

        def emit_case(count):
            tile = _Tile(builder, element, count)
            gradient = tile.twice(tile.load(dout))
            index = ir.VectorType(I32, count)
            winner = tile.twice(builder.load(builder.bitcast(argmax, index.as_pointer()), align=4))
            zero, mask = ir.Constant(gradient.type, [0.0] * 2 * count), ir.IntType(2 * count)
            hits = []
            for offset in (ir.Constant(I64, 0), width):
                here = _Tile(builder, element, 2 * count).integers(builder.add(position, offset), 1)
                hit = builder.icmp_signed("==", winner, here)
                tile.store(builder.select(hit, gradient, zero), tile.at(cells, offset))
                hits.append(builder.bitcast(hit, mask))
            found = builder.ctpop(builder.or_(*hits))
            builder.store(builder.icmp_signed("==", found, ir.Constant(mask, count)), answer)

        _per_size(builder, lanes, emit_case)
        return builder.load(answer)

    n = types.int64
    return types.boolean(n, cells, dout, argmax, n, n), codegen


@intrinsic
def mean_tile_2x2_back(typingctx, lanes, cells, dout, scale, width):
    """Set cells[2l], cells[2l + 1] and the two below to dout[l] * scale."""

    def codegen(context, builder, signature, args):
        lanes, cells, dout, scale, width = args
        element = _element(context, signature)

        def emit_case(count):
            tile = _Tile(builder, element, count)
            gradient = tile.twice(builder.fmul(tile.load(dout), tile.splat(scale)))
            tile.store(gradient, cells)
            tile.store(gradient, tile.at(cells, width))

        _per_size(builder, lanes, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, cells, dout, cells.dtype, n), codegen
