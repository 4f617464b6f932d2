"""Pieces of a row of pooling windows as LLVM IR: 4 or 8 neighbouring outputs at a time, in vector registers.

Rows of small images are too short for Numba's loops to vectorise; a tile needs only 4 outputs in a row, and a caller covers
any longer row with tiles that may overlap.

    max_tile             maxima of any windows with column stride 1 to 3, and where they were
    sum_tile             sums of such windows
    max_tile_2x2         maxima of 2x2 windows with stride 2
    sum_tile_2x2         sums of them
    max_tile_2x2_back    gradients to the winners of 2x2 windows, unless some winner lies elsewhere
    sum_tile_2x2_back    gradients to all four cells

All take raw addresses and read and write inside the windows only: lanes in the padding are masked off, and the last of the
loads that make up strided lanes ends with the last lane.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import _dispatch, _Emitter

WIDE, NARROW = 8, 4  # outputs in a tile
MAX_STRIDE = 3

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _constant(values):
    return ir.Constant(ir.VectorType(_I32, len(values)), list(values))


class _Tile(_Emitter):
    """Vector operations of one tile."""

    def integers(self, scalar, step=0):
        """The lanes scalar, scalar + step, ... as int32."""
        undefined = ir.Constant(ir.VectorType(_I32, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.trunc(scalar, _I32), ir.Constant(_I32, 0))
        every = self.builder.shuffle_vector(first, undefined, _constant([0] * self.lanes))
        return self.builder.add(every, _constant(range(0, step * self.lanes, step))) if step else every

    def inside(self, column, step, width):
        """Which of the columns column, column + step, ... lie in 0..width-1."""
        return self.builder.icmp_unsigned("<", self.integers(column, step), self.integers(width))

    def strided(self, row, column, stride, width):
        """Elements column, column + stride, ... of a row; `width` None: all are there, else 0 where a column is outside."""
        gathered, covered = None, 0
        for n in range(stride):
            offset = min(n * self.lanes, (self.lanes - 1) * stride + 1 - self.lanes)  # the last load ends with the last lane
            first = self.builder.add(column, ir.Constant(_I64, offset))
            pointer = self.at(row, first)
            part = self.load(pointer) if width is None else self.masked_load(pointer, self.inside(first, 1, width))
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

    def store_pairs(self, evens, odds, row):
        both = [lane + side * self.lanes for lane in range(self.lanes) for side in (0, 1)]
        self.store(self.builder.shuffle_vector(evens, odds, _constant(both)), row)

    def beats(self, value, best):
        """Lanes in which `value` replaces `best`: it is greater, or NaN and `best` is not."""
        greater = self.builder.fcmp_unordered(">", value, best)
        return self.builder.and_(greater, self.builder.fcmp_ordered("ord", best, best))

    def window_loop(self, plane, h, rows, dh, column, columns, dw, width, start, tap):
        """Carry `start` through ``tap(row, offset of the row, column of lane 0, values)`` over the taps of the windows."""
        builder = self.builder

        def over_rows(kh, values):
            offset = builder.mul(builder.add(h, builder.mul(kh, dh)), width)
            row = self.at(plane, offset)

            def over_columns(kw, values):
                return tap(row, offset, builder.add(column, builder.mul(kw, dw)), values)

            return self.loop(columns, values, over_columns)

        return self.loop(rows, start, over_rows)


def _element(context, signature):
    return context.get_value_type(signature.args[1].dtype)


def _per_case(builder, lanes, stride, masked, emit_case):
    """Choose among tiles of both sizes, each stride, with and without masks, at run time."""
    code = builder.add(builder.mul(builder.add(builder.mul(lanes, ir.Constant(_I64, 8)), stride), ir.Constant(_I64, 2)), masked)
    cases = [
        ((count * 8 + step) * 2 + mask, (count, step, mask))
        for count in (NARROW, WIDE)
        for step in range(1, MAX_STRIDE + 1)
        for mask in (0, 1)
    ]
    _dispatch(builder, (code, cases), emit_case)


def _per_size(builder, lanes, emit_case):
    _dispatch(builder, (lanes, [(NARROW, NARROW), (WIDE, WIDE)]), emit_case)


@intrinsic
def max_tile(typingctx, lanes, out, argmax, plane, h, rows, dh, column, columns, dw, width, stride, masked):
    """out[l] = maximum over the taps (h + kh*dh, column + l*stride + kw*dw), kh < rows, kw < columns; argmax[l] = where.

    rows, columns >= 1; all rows inside the plane. `masked`: columns may lie outside 0..width-1 and are passed over; where none is
    inside, out is -inf and argmax is -1.
    """

    def codegen(context, builder, signature, args):
        lanes, out, argmax, plane, h, rows, dh, column, columns, dw, width, stride, masked = args
        element = _element(context, signature)

        def emit_case(case):
            count, step, mask = case
            tile = _Tile(builder, element, count)

            def tap(row, offset, c, values):
                best, at = values
                value = tile.strided(row, c, step, width if mask else None)
                take = builder.or_(tile.beats(value, best), builder.icmp_signed("<", at, _constant([0] * count)))
                if mask:
                    take = builder.and_(take, tile.inside(c, step, width))
                here = tile.integers(builder.add(offset, c), step)
                return [builder.select(take, value, best), builder.select(take, here, at)]

            lowest = ir.Constant(tile.vector, [float("-inf")] * count)
            start = [lowest, _constant([-1] * count)]
            best, at = tile.window_loop(plane, h, rows, dh, column, columns, dw, width, start, tap)
            tile.store(best, out)
            store_integers(tile, at, argmax)

        _per_case(builder, lanes, stride, masked, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, argmax, plane, n, n, n, n, n, n, n, n, n), codegen


def store_integers(tile, value, pointer):
    tile.builder.store(value, tile.builder.bitcast(pointer, value.type.as_pointer()), align=4)


@intrinsic
def sum_tile(typingctx, lanes, out, plane, h, rows, column, columns, width, stride, masked):
    """out[l] = sum over the taps (h + kh, column + l*stride + kw); arguments as in `max_tile`."""

    def codegen(context, builder, signature, args):
        lanes, out, plane, h, rows, column, columns, width, stride, masked = args
        element, one = _element(context, signature), ir.Constant(_I64, 1)

        def emit_case(case):
            count, step, mask = case
            tile = _Tile(builder, element, count)

            def tap(row, offset, c, values):
                return [builder.fadd(values[0], tile.strided(row, c, step, width if mask else None))]

            (total,) = tile.window_loop(plane, h, rows, one, column, columns, one, width, [tile.zero], tap)
            tile.store(total, out)

        _per_case(builder, lanes, stride, masked, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, plane, n, n, n, n, n, n, n), codegen


@intrinsic
def max_tile_2x2(typingctx, lanes, out, argmax, cells, position, width):
    """out[l] = maximum of cells[2l], cells[2l + 1] and the two below, `width` on; argmax[l] = its place, cells[0] being `position`."""

    def codegen(context, builder, signature, args):
        lanes, out, argmax, cells, position, width = args
        element = _element(context, signature)

        def emit_case(count):
            tile = _Tile(builder, element, count)
            index = ir.VectorType(_I32, count)

            def winner(row):
                left, right = tile.pairs(row)
                take = tile.beats(right, left)
                return builder.select(take, right, left), builder.zext(take, index)

            (top, top_at), (low, low_at) = winner(cells), winner(tile.at(cells, width))
            take = tile.beats(low, top)
            at = builder.select(take, builder.add(low_at, tile.integers(width)), top_at)
            tile.store(builder.select(take, low, top), out)
            store_integers(tile, builder.add(at, tile.integers(position, 2)), argmax)

        _per_size(builder, lanes, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, argmax, cells, n, n), codegen


@intrinsic
def sum_tile_2x2(typingctx, lanes, out, cells, width):
    """out[l] = cells[2l] + cells[2l + 1] + the two below, `width` on."""

    def codegen(context, builder, signature, args):
        lanes, out, cells, width = args
        element = _element(context, signature)

        def emit_case(count):
            tile = _Tile(builder, element, count)
            a, b = tile.pairs(cells)
            c, d = tile.pairs(tile.at(cells, width))
            tile.store(builder.fadd(builder.fadd(builder.fadd(a, b), c), d), out)

        _per_size(builder, lanes, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, cells, n), codegen


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
            index = ir.VectorType(_I32, count)
            gradient = tile.load(dout)
            at = builder.load(builder.bitcast(argmax, index.as_pointer()), align=4)
            cell = builder.sub(at, tile.integers(position, 2))
            one = ir.Constant(_I64, 1)
            hits = [
                builder.icmp_signed("==", cell, tile.integers(offset))
                for offset in (ir.Constant(_I64, 0), one, width, builder.add(width, one))
            ]
            a, b, c, d = (builder.select(hit, gradient, tile.zero) for hit in hits)
            tile.store_pairs(a, b, cells)
            tile.store_pairs(c, d, tile.at(cells, width))
            found = builder.or_(builder.or_(hits[0], hits[1]), builder.or_(hits[2], hits[3]))
            bits = builder.bitcast(found, ir.IntType(count))
            builder.store(builder.icmp_signed("==", bits, ir.Constant(bits.type, -1)), answer)

        _per_size(builder, lanes, emit_case)
        return builder.load(answer)

    n = types.int64
    return types.boolean(n, cells, dout, argmax, n, n), codegen


@intrinsic
def sum_tile_2x2_back(typingctx, lanes, cells, dout, scale, width):
    """Set cells[2l], cells[2l + 1] and the two below to dout[l] * scale."""

    def codegen(context, builder, signature, args):
        lanes, cells, dout, scale, width = args
        element = _element(context, signature)

        def emit_case(count):
            tile = _Tile(builder, element, count)
            gradient = builder.fmul(tile.load(dout), tile.splat(scale))
            tile.store_pairs(gradient, gradient, cells)
            tile.store_pairs(gradient, gradient, tile.at(cells, width))

        _per_size(builder, lanes, emit_case)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, cells, dout, cells.dtype, n), codegen
