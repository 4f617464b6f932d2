"""Moves of rows and blocks between unaligned addresses, in whole vectors.

    copy_group        MAX_ROWS neighbours
    copy_vector       a whole vector
    transpose_block   a block of lanes x lanes elements
    copy_rows         rows of equal length; every element or every second one of the source
    add_rows          rows of equal length, to what the target has
    spread_rows       rows of equal length to every second element of the target

Steps between rows are in elements. Nothing beside the named elements is read or written.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd import I64, MAX_ROWS, Emitter, function_of, lanes


def _element(context, pointer_type):
    return context.get_value_type(pointer_type.dtype)


def _lanes(element):
    return lanes(4 if isinstance(element, ir.FloatType) else 8)


def _in_function(name, body):
    """Code generation that calls a function of its own, once in a module, which ``body(emitter, *arguments)`` writes."""

    def codegen(context, builder, signature, args):
        element = _element(context, signature.args[0])
        kinds = [argument.type for argument in args]
        function, new = function_of(builder.module, f"{name}_{element}", ir.VoidType(), kinds)
        if new:
            emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), element, _lanes(element))
            body(emit, *function.args)
            emit.builder.ret_void()
        builder.call(function, args)
        return context.get_dummy_value()

    return codegen


def _make_copy(count):
    """An intrinsic that copies ``count(lanes)`` elements in one move."""

    @intrinsic
    def copy(typingctx, target, source):
        def codegen(context, builder, signature, args):
            element = _element(context, signature.args[0])
            emit = Emitter(builder, element, count(_lanes(element)))
            emit.store(emit.load(args[1]), args[0])
            return context.get_dummy_value()

        return types.void(target, source), codegen

    return copy


copy_group = _make_copy(lambda full: MAX_ROWS)
copy_vector = _make_copy(lambda full: full)
copy_two = _make_copy(lambda full: 2 * full)
copy_four = _make_copy(lambda full: 4 * full)


def transposed(emit, rows):
    """The columns of a square block whose rows are these vectors."""
    rows, count, step = list(rows), len(rows), 1
    while step < count:  # swap the off-diagonal step x step blocks of every block twice as large
        low = [j if not j & step else count + j - step for j in range(count)]
        high = [j + step if not j & step else count + j for j in range(count)]
        for i in range(count):
            if not i & step:
                upper, lower = rows[i], rows[i + step]
                rows[i], rows[i + step] = emit.shuffle(upper, lower, low), emit.shuffle(upper, lower, high)
        step *= 2
    return rows


@intrinsic
def transpose_block(typingctx, target, target_row, source, source_row, valid):
    """target[j, i] = source[i, j] for a block of lanes x lanes elements, rows at the given distances.

    Of the source's rows only the first `valid`, at least one, are read: the last of them stands for the others.
    """

    def body(emit, target, target_row, source, source_row, valid):
        builder, count = emit.builder, emit.lanes
        at = [ir.Constant(I64, i) for i in range(count)]
        last = builder.sub(valid, ir.Constant(I64, 1))
        numbers = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in at]
        rows = transposed(emit, [emit.load(emit.at(source, builder.mul(source_row, number))) for number in numbers])
        for i in range(count):
            emit.store(rows[i], emit.at(target, builder.mul(target_row, at[i])))

    n = types.int64
    return types.void(target, n, source, n, n), _in_function("transpose", body)


def _row_loop(emit, rows, count, whole, rest):
    """For each row r: ``whole(r, v)`` for its full vectors, then ``rest(r, v, elements left)`` if any are."""
    builder, width, zero = emit.builder, ir.Constant(I64, emit.lanes), ir.Constant(I64, 0)
    vectors, left = builder.udiv(count, width), builder.urem(count, width)
    some, partial = builder.icmp_signed(">", vectors, zero), builder.icmp_signed(">", left, zero)

    def row(r, _):
        with builder.if_then(some):
            emit.loop(vectors, [], lambda v, _: whole(r, v) or [])
        with builder.if_then(partial):
            rest(r, vectors, left)
        return []

    with builder.if_then(builder.icmp_signed(">", rows, zero)):
        emit.loop(rows, [], row)


@intrinsic
def copy_rows(typingctx, target, target_row, source, source_row, rows, count, stride):
    """target[r, j] = source[r, j*stride] for j < count, stride 1 or 2."""

    def body(emit, target, target_row, source, source_row, rows, count, stride):
        builder, n = emit.builder, emit.lanes
        width = ir.Constant(I64, n)

        def places(r, v, step):
            offset = builder.mul(v, width)
            to = emit.at(target, builder.add(builder.mul(r, target_row), offset))
            return to, emit.at(source, builder.add(builder.mul(r, source_row), builder.mul(offset, ir.Constant(I64, step))))

        # Every second of 2n elements: the last load ends with the last element taken, so the second begins at n - 1.
        second = ir.Constant(I64, n - 1)
        half = (n + 1) // 2
        evens = [*range(0, n, 2), *(2 * j + 1 for j in range(half, n))]

        def every(r, v):
            to, at = places(r, v, 1)
            emit.store(emit.load(at), to)

        def every_left(r, v, left):
            to, at = places(r, v, 1)
            mask = emit.mask(left)
            emit.masked_store(emit.masked_load(at, mask), to, mask)

        def every_second(r, v):
            to, at = places(r, v, 2)
            emit.store(emit.shuffle(emit.load(at), emit.load(emit.at(at, second)), evens), to)

        def every_second_left(r, v, left):
            to, at = places(r, v, 2)
            reach = builder.sub(builder.mul(left, ir.Constant(I64, 2)), ir.Constant(I64, 1))
            low = emit.masked_load(at, emit.mask(reach))
            high = emit.masked_load(emit.at(at, second), emit.mask(builder.sub(reach, second)))
            emit.masked_store(emit.shuffle(low, high, evens), to, emit.mask(left))

        with builder.if_else(builder.icmp_signed("==", stride, ir.Constant(I64, 1))) as (one, two):
            with one:
                _row_loop(emit, rows, count, every, every_left)
            with two:
                _row_loop(emit, rows, count, every_second, every_second_left)

    n = types.int64
    return types.void(target, n, source, n, n, n, n), _in_function("copy_rows", body)


@intrinsic
def add_rows(typingctx, target, target_row, source, source_row, rows, count):
    """target[r, j] += source[r, j] for j < count."""

    def body(emit, target, target_row, source, source_row, rows, count):
        builder, width = emit.builder, ir.Constant(I64, emit.lanes)

        def places(r, v):
            offset = builder.mul(v, width)
            to, at = (builder.add(builder.mul(r, row), offset) for row in (target_row, source_row))
            return emit.at(target, to), emit.at(source, at)

        def whole(r, v):
            to, at = places(r, v)
            emit.store(builder.fadd(emit.load(to), emit.load(at)), to)

        def rest(r, v, left):
            to, at = places(r, v)
            mask = emit.mask(left)
            emit.masked_store(builder.fadd(emit.masked_load(to, mask), emit.masked_load(at, mask)), to, mask)

        _row_loop(emit, rows, count, whole, rest)

    n = types.int64
    return types.void(target, n, source, n, n, n), _in_function("add_rows", body)


@intrinsic
def spread_rows(typingctx, target, target_row, source, source_row, rows, count):
    """target[r, 2*j] = source[r, j] for j < count; the elements between stay as they are."""

    def body(emit, target, target_row, source, source_row, rows, count):
        builder, n = emit.builder, emit.lanes
        width, two = ir.Constant(I64, n), ir.Constant(I64, 2)
        is_even = ir.Constant(ir.VectorType(ir.IntType(1), n), [lane % 2 == 0 for lane in range(n)])

        def put(r, v, value, valid):
            row = emit.at(target, builder.add(builder.mul(r, target_row), builder.mul(builder.mul(v, width), two)))
            for part in range(2):
                doubled = emit.shuffle(value, value, [(part * n + lane) // 2 for lane in range(n)])
                first = ir.Constant(I64, part * n)
                inside = emit.mask(builder.sub(builder.mul(valid, two), first))
                emit.masked_store(doubled, emit.at(row, first), builder.and_(inside, is_even))

        def at(r, v):
            return emit.at(source, builder.add(builder.mul(r, source_row), builder.mul(v, width)))

        def whole(r, v):
            put(r, v, emit.load(at(r, v)), width)

        def rest(r, v, left):
            put(r, v, emit.masked_load(at(r, v), emit.mask(left)), left)

        _row_loop(emit, rows, count, whole, rest)

    n = types.int64
    return types.void(target, n, source, n, n, n), _in_function("spread_rows", body)
