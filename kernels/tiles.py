"""The register tiles that carry the arithmetic of dense layers and convolutions.

A tile keeps rows x vectors accumulators in vector registers while it sums over k; Numba's own loops cannot express that.

    outer(dtype)             c[i, j] = init + sum_k a[i, k] * b[k, j]   scalars of a, broadcast, times vectors of b along j
    outer_at(dtype, pieces)  the same, vectors of b and c at tabulated places: convolution without im2col
    dot(dtype)               c[i, j] (+)= sum_k a[i, k] * b[j, k]       vectors along k on both sides, lanes added up last
    dot_at(dtype, pieces)    the same, vectors of a and b at tabulated places

Each is compiled on its own, kept in the disk cache, and called by its address (`invoke`), so that no kernel compiles it again.
One address serves all sizes of a tile: it switches over rows and vectors to a function for each.

The offset tables are the idea of M. Dukhan, "The Indirect Convolution Algorithm" (2019): entry k of a table says where tap k
lies relative to an output pixel, so the columns of im2col never exist in memory. A vector that covers more than one short row
of an image is loaded in 2 or 4 `pieces`.
"""

import functools
import threading

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._jit import jit
from ._kernel import compile_entry
from .simd import (
    DOT_COLUMNS,
    DOT_ROWS,
    DOT_WIDE,
    I64,
    OUTER_NARROW,
    OUTER_ROWS,
    OUTER_VECTORS,
    OUTER_WIDE,
    Emitter,
    dispatch,
    function_of,
    lanes,
)

# How an outer tile's accumulators start.
ZERO, ACCUMULATE, ROW_BIAS, COLUMN_BIAS = range(4)

_ELEMENTS = {np.dtype(np.float32): ir.FloatType(), np.dtype(np.float64): ir.DoubleType()}
_lock = threading.Lock()


@intrinsic
def invoke(typingctx, tile, arguments):
    """Call the tile at an address with a tuple of ints and pointers."""

    def codegen(context, builder, signature, args):
        values = [builder.extract_value(args[1], n) for n in range(len(signature.args[1].types))]
        words = [builder.ptrtoint(v, I64) if isinstance(v.type, ir.PointerType) else v for v in values]
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(words))
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), words)
        return context.get_dummy_value()

    ints = [t if isinstance(t, types.CPointer) else types.int64 for t in arguments.types]
    return types.void(types.int64, types.Tuple(ints)), codegen


@jit
def outer_rows(left):
    """Rows of the next outer tile when `left` rows are to do: the largest size that fits."""
    for rows in OUTER_ROWS:
        if rows <= left:
            return rows
    return 1


@jit
def outer_vectors(rows, left):
    """Vectors of the next outer tile of so many rows when `left` vectors are to do."""
    if rows <= OUTER_NARROW and left >= OUTER_WIDE:
        return OUTER_WIDE
    return min(left, OUTER_VECTORS)


@jit
def dot_rows(left):
    """Rows of the next dot tile when `left` rows are to do."""
    for rows in DOT_ROWS:
        if rows <= left:
            return rows
    return 1


def _switching_tile(name, dtype, sizes, argument_names, body):
    """Address of a function (rows, vectors, *arguments) of ints that switches to one function for each of `sizes`.

    ``body(emitter, rows, vectors, *arguments)`` writes such a function.
    """
    element, count = _ELEMENTS[dtype], lanes(dtype.itemsize)

    def codegen(context, builder, signature, args):
        rows, vectors, *rest = args

        def call(size):
            function, _ = function_of(builder.module, f"{name}_{size[0]}x{size[1]}", ir.VoidType(), [I64] * len(rest))
            emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), element, count)
            body(emit, *size, *function.args)
            builder.call(function, rest)

        number = builder.add(builder.mul(rows, ir.Constant(I64, 16)), vectors)
        dispatch(builder, number, [(r * 16 + v, (r, v)) for r, v in sizes], call)
        return context.get_dummy_value()

    arity = 2 + len(argument_names)
    scope = {"intrinsic": intrinsic, "codegen": codegen, "kind": types.void(*[types.int64] * arity)}
    names = ", ".join(("rows", "vectors", *argument_names))
    source = f"@intrinsic\ndef tile(typingctx, {names}):\n    return kind, codegen\n\ndef entry({names}):\n    tile({names})\n"
    exec(compile(source, __file__, "exec"), scope)
    return compile_entry(scope["entry"], __name__, name, scope["kind"])


def _kept(make):
    """Keep what `make(dtype, ...)` compiled, one at a time."""
    compiled = {}

    @functools.wraps(make)
    def address(dtype, *options):
        key = dtype, *options
        if key not in compiled:
            with _lock:
                if key not in compiled:
                    compiled[key] = make(np.dtype(dtype), *options)
        return compiled[key].address

    return address


OUTER_SIZES = [
    (r, v) for r in OUTER_ROWS for v in (*range(1, OUTER_VECTORS + 1), OUTER_WIDE) if v < OUTER_WIDE or r <= OUTER_NARROW
]
DOT_SIZES = [*((r, n) for r in DOT_ROWS for n in DOT_COLUMNS), (1, DOT_WIDE)]


def piece_counts(itemsize):
    """In how many pieces a vector may be loaded: 1, 2, 4, as far as it has lanes."""
    return [n for n in (1, 2, 4) if n <= lanes(itemsize)]


@_kept
def outer(dtype):
    """Address of (rows, vectors, a, a_row, a_k, b, b_k, columns, depth, c, c_row, mode, bias).

    b and c are row-major with `columns` valid columns; b must be readable for whole vectors. Steps a_row ... in elements.
    """
    names = ("a", "a_row", "a_k", "b", "b_k", "columns", "depth", "c", "c_row", "mode", "bias")
    return _switching_tile(f"outer_{dtype}", dtype, OUTER_SIZES, names, _outer_body)


@_kept
def outer_at(dtype, pieces):
    """Address of (rows, vectors, a, a_row, b, offsets, table, depth, c, c_row, mode, bias).

    Row k of b starts at element offsets[k]; `table` has, for each piece of each vector, its place in b, its place in c, and its
    valid lanes. Modes ZERO and ROW_BIAS.
    """
    names = ("a", "a_row", "b", "offsets", "table", "depth", "c", "c_row", "mode", "bias")
    body = functools.partial(_outer_at_body, pieces)
    return _switching_tile(f"outer_at{pieces}_{dtype}", dtype, OUTER_SIZES, names, body)


@_kept
def dot(dtype):
    """Address of (rows, columns, a, a_row, b, b_row, depth, tail, c, c_row, accumulate).

    Rows of a and b are `depth` whole vectors long and `tail` elements more.
    """
    names = ("a", "a_row", "b", "b_row", "depth", "tail", "c", "c_row", "accumulate")
    return _switching_tile(f"dot_{dtype}", dtype, DOT_SIZES, names, _dot_body)


@_kept
def dot_at(dtype, pieces):
    """Address of (rows, columns, a, a_row, b, offsets, whole, wholes, partial, partials, c, c_row, accumulate).

    Row j of b starts at element offsets[j]. Tables: `whole` has the place in a and the places in b of a vector's pieces;
    `partial` the same and the number of valid lanes. Vectors of a are contiguous.
    """
    names = ("a", "a_row", "b", "offsets", "whole", "wholes", "partial", "partials", "c", "c_row", "accumulate")
    return _switching_tile(f"dot_at{pieces}_{dtype}", dtype, DOT_SIZES, names, functools.partial(_dot_at_body, pieces))


def _elements(emit, address):
    return emit.builder.inttoptr(address, emit.element.as_pointer())


def _rows_of(emit, base, step, count):
    return [emit.at(base, emit.builder.mul(step, ir.Constant(I64, i))) for i in range(count)]


def _entries(emit, table, first, count):
    """Words first .. first + count of a table of int64 at an address; `first` an int or a value."""
    builder = emit.builder
    base = builder.inttoptr(table, I64.as_pointer())
    first = ir.Constant(I64, first) if isinstance(first, int) else first
    return [builder.load(emit.at(base, builder.add(first, ir.Constant(I64, n)))) for n in range(count)]


def _joined(builder, branches):
    """Phi nodes over lists of values, one (values, block) for each way in."""
    joined = []
    for n in range(len(branches[0][0])):
        phi = builder.phi(branches[0][0][n].type)
        for values, block in branches:
            phi.add_incoming(values[n], block)
        joined.append(phi)
    return joined


def _start(emit, mode, cases):
    """Accumulators by mode: `cases` maps a mode to a function that makes them; the first is the default."""
    builder = emit.builder
    done = builder.append_basic_block("start")
    blocks = [builder.append_basic_block("init") for _ in cases]
    switch = builder.switch(mode, blocks[0])
    ways = []
    for block, (number, make) in zip(blocks, cases.items()):
        if block is not blocks[0]:
            switch.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        ways.append((make(), builder.block))
        builder.branch(done)
    builder.position_at_end(done)
    return _joined(builder, ways)


def _outer_sums(emit, rows, vectors, start, depth, a_rows, a_k, load_b):
    """start + sum_k a[i, k] * b[k, v]; `load_b(k)` gives the vectors of step k."""
    builder = emit.builder

    def step(k, sums):
        b_k = load_b(k)
        at = builder.mul(a_k, k) if a_k is not None else k
        result = []
        for i in range(rows):
            scalar = emit.splat(builder.load(emit.at(a_rows[i], at)))
            result += [emit.fma(scalar, b_k[v], sums[i * vectors + v]) for v in range(vectors)]
        return result

    return emit.loop(depth, start, step)


def _zeros(emit, rows, vectors):
    return lambda: [emit.zero] * (rows * vectors)


def _row_bias(emit, bias, rows, vectors):
    def values():
        splats = [emit.splat(emit.builder.load(emit.at(bias, ir.Constant(I64, i)))) for i in range(rows)]
        return [splats[i] for i in range(rows) for _ in range(vectors)]

    return values


def _outer_body(emit, rows, vectors, a, a_row, a_k, b, b_k, columns, depth, c, c_row, mode, bias):
    builder = emit.builder
    a, b, c, bias = (_elements(emit, address) for address in (a, b, c, bias))
    offsets = [ir.Constant(I64, v * emit.lanes) for v in range(vectors)]
    counts = [builder.sub(columns, offset) for offset in offsets]
    masks = [emit.mask(count) for count in counts]
    a_rows, c_rows = _rows_of(emit, a, a_row, rows), _rows_of(emit, c, c_row, rows)
    cells = [(i, v) for i in range(rows) for v in range(vectors)]

    def column_bias():
        values = [emit.masked_load(emit.at(bias, offsets[v]), masks[v]) for v in range(vectors)]
        return [values[v] for _, v in cells]

    cases = {
        ZERO: _zeros(emit, rows, vectors),
        ACCUMULATE: lambda: [emit.masked_load(emit.at(c_rows[i], offsets[v]), masks[v]) for i, v in cells],
        COLUMN_BIAS: column_bias,
    }

    def load_b(k):
        row = emit.at(b, builder.mul(b_k, k))
        return [emit.load(emit.at(row, offset)) for offset in offsets]

    sums = _outer_sums(emit, rows, vectors, _start(emit, mode, cases), depth, a_rows, a_k, load_b)
    full_width = ir.Constant(I64, emit.lanes)
    for v in range(vectors):
        with builder.if_else(builder.icmp_signed(">=", counts[v], full_width)) as (full, partial):
            with full:
                for i in range(rows):
                    emit.store(sums[i * vectors + v], emit.at(c_rows[i], offsets[v]))
            with partial:
                for i in range(rows):
                    emit.masked_store(sums[i * vectors + v], emit.at(c_rows[i], offsets[v]), masks[v])
    builder.ret_void()


def _outer_at_body(pieces, emit, rows, vectors, a, a_row, b, offsets, table, depth, c, c_row, mode, bias):
    builder = emit.builder
    a, b, c, bias = (_elements(emit, address) for address in (a, b, c, bias))
    piece = Emitter(builder, emit.element, emit.lanes // pieces)
    places = [[_entries(emit, table, 3 * (v * pieces + p), 3) for p in range(pieces)] for v in range(vectors)]
    a_rows, c_rows = _rows_of(emit, a, a_row, rows), _rows_of(emit, c, c_row, rows)

    def load_b(k):
        row = emit.at(b, _entries(emit, offsets, k, 1)[0])
        return [emit.concatenate([piece.load(emit.at(row, place[0])) for place in vector]) for vector in places]

    cases = {ZERO: _zeros(emit, rows, vectors), ROW_BIAS: _row_bias(emit, bias, rows, vectors)}
    sums = _outer_sums(emit, rows, vectors, _start(emit, mode, cases), depth, a_rows, None, load_b)
    full_width = ir.Constant(I64, piece.lanes)
    for v, vector in enumerate(places):
        for p, (_, offset, count) in enumerate(vector):
            values = [
                emit.part(sums[i * vectors + v], p, piece.lanes) if pieces > 1 else sums[i * vectors + v] for i in range(rows)
            ]
            mask = piece.mask(count)
            with builder.if_else(builder.icmp_signed(">=", count, full_width)) as (full, partial):
                with full:
                    for i in range(rows):
                        piece.store(values[i], emit.at(c_rows[i], offset))
                with partial:
                    for i in range(rows):
                        piece.masked_store(values[i], emit.at(c_rows[i], offset), mask)
    builder.ret_void()


def _dot_sums(emit, rows, columns, steps):
    """Sums of products over several loops: `steps` has (count, load), load(k) giving the vectors of a's and of b's rows."""
    builder = emit.builder
    sums = [emit.zero] * (rows * columns)
    for count, load in steps:

        def step(k, values, load=load):
            a_k, b_k = load(k)
            return [emit.fma(a_k[i], b_k[j], values[i * columns + j]) for i in range(rows) for j in range(columns)]

        before = builder.block
        some, after = builder.append_basic_block("some"), builder.append_basic_block("summed")
        builder.cbranch(builder.icmp_signed(">", count, ir.Constant(I64, 0)), some, after)
        builder.position_at_end(some)
        summed = emit.loop(count, sums, step)
        last = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        sums = _joined(builder, [(sums, before), (summed, last)])
    return sums


def _store_sums(emit, rows, columns, sums, c, c_row, accumulate):
    """c[i, j] (+)= the sum over the lanes of sums[i, j]."""
    builder = emit.builder
    padding = [emit.zero] if columns == 3 else []  # lane_sums wants a power of two
    results = [emit.lane_sums([*sums[i * columns : (i + 1) * columns], *padding]) for i in range(rows)]
    c_rows = _rows_of(emit, _elements(emit, c), c_row, rows)
    places = [(0, 2), (2, 1)] if columns == 3 else [(0, columns)]
    with builder.if_else(builder.icmp_signed("!=", accumulate, ir.Constant(I64, 0))) as (add, overwrite):
        for branch, adding in ((add, True), (overwrite, False)):
            with branch:
                for result, row in zip(results, c_rows):
                    for first, width in places:
                        value = emit.part(result, first // width, width) if padding else result
                        pointer = emit.at(row, ir.Constant(I64, first))
                        if adding:
                            before = builder.load(builder.bitcast(pointer, value.type.as_pointer()), align=emit.align)
                            value = builder.fadd(before, value)
                        emit.store(value, pointer)
    builder.ret_void()


def _dot_body(emit, rows, columns, a, a_row, b, b_row, depth, tail, c, c_row, accumulate):
    builder = emit.builder
    width, zero = ir.Constant(I64, emit.lanes), ir.Constant(I64, 0)
    a_rows = _rows_of(emit, _elements(emit, a), a_row, rows)
    b_rows = _rows_of(emit, _elements(emit, b), b_row, columns)

    def whole(k):
        at = builder.mul(k, width)
        return [[emit.load(emit.at(row, at)) for row in side] for side in (a_rows, b_rows)]

    def rest(_):
        at, mask = builder.mul(depth, width), emit.mask(tail)
        return [[emit.masked_load(emit.at(row, at), mask) for row in side] for side in (a_rows, b_rows)]

    rests = builder.zext(builder.icmp_signed(">", tail, zero), I64)
    sums = _dot_sums(emit, rows, columns, [(depth, whole), (rests, rest)])
    _store_sums(emit, rows, columns, sums, c, c_row, accumulate)


def _dot_at_body(pieces, emit, rows, columns, a, a_row, b, offsets, whole, wholes, partial, partials, c, c_row, accumulate):
    builder = emit.builder
    piece = Emitter(builder, emit.element, emit.lanes // pieces)
    a_rows = _rows_of(emit, _elements(emit, a), a_row, rows)
    b = _elements(emit, b)
    b_rows = [emit.at(b, offset) for offset in _entries(emit, offsets, 0, columns)]

    def load_whole(k):
        a_at, *b_at = _entries(emit, whole, builder.mul(k, ir.Constant(I64, 1 + pieces)), 1 + pieces)
        a_k = [emit.load(emit.at(row, a_at)) for row in a_rows]
        return a_k, [emit.concatenate([piece.load(emit.at(row, at)) for at in b_at]) for row in b_rows]

    def load_partial(k):
        # Both sides under the mask: what lies beside an image may be NaN, and 0 * NaN is NaN.
        a_at, *b_at, valid = _entries(emit, partial, builder.mul(k, ir.Constant(I64, 2 + pieces)), 2 + pieces)
        mask = emit.mask(valid)
        a_k = [emit.masked_load(emit.at(row, a_at), mask) for row in a_rows]
        masks = [piece.mask(builder.sub(valid, ir.Constant(I64, p * piece.lanes))) for p in range(pieces)]
        b_k = [emit.concatenate([piece.masked_load(emit.at(row, at), m) for at, m in zip(b_at, masks)]) for row in b_rows]
        return a_k, b_k

    sums = _dot_sums(emit, rows, columns, [(wholes, load_whole), (partials, load_partial)])
    _store_sums(emit, rows, columns, sums, c, c_row, accumulate)
