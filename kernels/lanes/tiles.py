"""Register tiles over lane blocks: every vector is one value of LANES samples, so nothing is masked, shuffled or packed.

    affine(dtype)    c[i, v] = start_i + sum_k a[i, k] * b[k, v]     scalars of a, broadcast, times vectors of b
    dot(dtype)       c[i, j] (+)= sum_k a[i, k] . b[j, k]            vectors on both sides, lanes added up last

Vectors b[k, v] lie where tables say. A tile takes its arguments from a frame of int64 words, which its caller changes little
from call to call; the columns v have addresses of their own, so that any positions of any blocks may share a tile. Steps and
offsets are in bytes.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import host
from ..moves import transposed
from ..simd import I64
from ..tiles import _entries, _joined, _kept, _start, _switching_tile

# Rows that an affine tile of a width may have: accumulators, the vectors of one step and a broadcast share the registers.
if host.vector_registers() == 32:
    TILE_ROWS = {
        1: (24, 16, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1),
        2: (12, 10, 8, 7, 6, 5, 4, 3, 2, 1),
        3: (8, 7, 6, 5, 4, 3, 2, 1),
        4: (6, 5, 4, 3, 2, 1),
        5: (5, 4, 3, 2, 1),
        6: (4, 3, 2, 1),
        7: (3, 2, 1),
        8: (2, 1),
    }
else:
    TILE_ROWS = {1: (12, 8, 6, 4, 3, 2, 1), 2: (6, 4, 3, 2, 1), 3: (4, 3, 2, 1), 4: (3, 2, 1), 5: (2, 1), 6: (2, 1)}
TILE_WIDTHS = tuple(TILE_ROWS)
MAX_WIDTH = max(TILE_WIDTHS)

# Words of an affine tile's frame, followed by the addresses in b and c of each column.
A, A_ROW, A_OUTER, TAPS, INNER, B_OUTER, OUTER, C_ROW, START, BIAS, RELU = range(11)
REPEAT, A_STEP, B_STEP, C_STEP, BIAS_STEP, B_AT, C_AT = range(11, 18)
COLUMNS = 18
FRAME_WORDS = COLUMNS + 2 * MAX_WIDTH

# Rows of a dot tile and most columns, down to 0: the sums of a's rows alone. Then (rows, columns) to take where a is in the
# level-1 cache, and where b is.
if host.vector_registers() == 32:
    DOT_COLUMNS = {6: 4, 5: 5, 4: 5, 3: 8, 2: 8, 1: 9}
    DOT_TALL, DOT_WIDE = (6, 4), (3, 8)
else:
    DOT_COLUMNS = {3: 4, 2: 5, 1: 6}
    DOT_TALL, DOT_WIDE = (3, 4), (2, 5)

# Words of a dot tile's frame. ENTRIES are pairs (place in a, place in b), PLACES pairs (column of b, its place in c).
(DOT_A, DOT_B, ENTRIES, COUNT, DOT_OUTER, DOT_A_OUTER, DOT_B_OUTER, PLACES, DOT_C, DOT_C_ROW, ADDING) = range(11)

# How accumulators start.
ZERO, WITH_BIAS, ACCUMULATE = range(3)

_BYTES = ir.IntType(8).as_pointer()


@intrinsic
def frame(typingctx):
    """Uninitialised words on the stack, for a tile's arguments."""

    def codegen(context, builder, signature, args):
        return cgutils.alloca_once(builder, I64, FRAME_WORDS)

    return types.CPointer(types.int64)(), codegen


def _multiples(emit, step, count):
    """A function of a base: addresses base + i * step, four from one register and three multiples of the step."""
    builder = emit.builder
    multiples = [ir.Constant(I64, 0), step, builder.mul(step, ir.Constant(I64, 2)), builder.mul(step, ir.Constant(I64, 3))]
    four = builder.mul(step, ir.Constant(I64, 4))

    def addresses(base):
        result = []
        for i in range(count):
            if i and i % 4 == 0:
                base = emit.at(base, four)
            result.append(emit.at(base, multiples[i % 4]) if i % 4 else base)
        return result

    return addresses


def _affine_body(emit, rows, width, arguments):
    builder = emit.builder
    words = _entries(emit, arguments, 0, COLUMNS + 2 * width)
    a, bias = (builder.inttoptr(words[n], _BYTES) for n in (A, BIAS))
    b = [builder.inttoptr(words[COLUMNS + 2 * v], _BYTES) for v in range(width)]
    c = [builder.inttoptr(words[COLUMNS + 2 * v + 1], _BYTES) for v in range(width)]
    a_rows, c_rows = _multiples(emit, words[A_ROW], rows), _multiples(emit, words[C_ROW], rows)
    scalar = emit.element.as_pointer()
    # max(limit, x), written so that NaN falls on the side of x
    relu = builder.icmp_signed("!=", words[RELU], ir.Constant(I64, 0))
    limit = emit.splat(builder.select(relu, ir.Constant(emit.element, 0.0), ir.Constant(emit.element, float("-inf"))))

    def read(pointer):
        return emit.splat(builder.load(builder.bitcast(pointer, scalar)))

    def once(n, _):
        a_n, b_n = emit.at(a, builder.mul(n, words[A_STEP])), builder.add(words[B_AT], builder.mul(n, words[B_STEP]))
        c_at = builder.add(words[C_AT], builder.mul(n, words[C_STEP]))
        c_n = [emit.at(column, c_at) for column in c]

        def from_bias():
            bias_n = emit.at(bias, builder.mul(n, words[BIAS_STEP]))
            values = [read(emit.at(bias_n, ir.Constant(I64, i * emit.align))) for i in range(rows)]
            return [values[i] for i in range(rows) for _ in range(width)]

        def from_c():
            columns = [[emit.load(p) for p in c_rows(column)] for column in c_n]
            return [columns[v][i] for i in range(rows) for v in range(width)]

        cases = {ZERO: lambda: [emit.zero] * (rows * width), WITH_BIAS: from_bias, ACCUMULATE: from_c}
        start = _start(emit, words[START], cases)

        def outer(o, sums):
            a_o, b_o = emit.at(a_n, builder.mul(o, words[A_OUTER])), builder.add(b_n, builder.mul(o, words[B_OUTER]))

            def inner(k, sums):
                a_k, b_k = _entries(emit, words[TAPS], builder.mul(k, ir.Constant(I64, 2)), 2)
                b_k = builder.add(b_o, b_k)
                vectors = [emit.load(emit.at(column, b_k)) for column in b]
                scalars = [read(p) for p in a_rows(emit.at(a_o, a_k))]
                return [emit.fma(scalars[i], vectors[v], sums[i * width + v]) for i in range(rows) for v in range(width)]

            return emit.loop(words[INNER], sums, inner)

        # A class that no tap meets has nothing to sum.
        sums = _if_positive(emit, words[OUTER], start, lambda: emit.loop(words[OUTER], start, outer))
        for v in range(width):
            for i, p in enumerate(c_rows(c_n[v])):
                x = sums[i * width + v]
                emit.store(builder.select(builder.fcmp_ordered(">", limit, x), limit, x), p)
        return []

    emit.loop(words[REPEAT], [], once)
    builder.ret_void()


@_kept
def affine(dtype):
    """Address of (rows, width, frame)."""
    sizes = [(rows, width) for width, all_rows in TILE_ROWS.items() for rows in all_rows]
    return _switching_tile(f"lanes_affine_{dtype}", dtype, sizes, ("frame",), _affine_body)


def _dot_body(emit, rows, columns, arguments):
    builder = emit.builder
    words = _entries(emit, arguments, 0, 11)
    a, b, c = (builder.inttoptr(words[n], _BYTES) for n in (DOT_A, DOT_B, DOT_C))
    places = _entries(emit, words[PLACES], 0, 2 * columns)
    b_columns = [emit.at(b, place) for place in places[::2]]
    line = emit.lanes * emit.align
    size = rows * max(1, columns)

    def outer(o, sums):
        a_o, b_o = emit.at(a, builder.mul(o, words[DOT_A_OUTER])), builder.mul(o, words[DOT_B_OUTER])

        def inner(k, sums):
            a_k, b_k = _entries(emit, words[ENTRIES], builder.mul(k, ir.Constant(I64, 2)), 2)
            a_k, b_k = emit.at(a_o, a_k), builder.add(b_o, b_k)
            a_rows = [emit.load(emit.at(a_k, ir.Constant(I64, i * line))) for i in range(rows)]
            if not columns:
                return [builder.fadd(total, row) for total, row in zip(sums, a_rows)]
            b_rows = [emit.load(emit.at(column, b_k)) for column in b_columns]
            return [emit.fma(a_rows[i], b_rows[j], sums[i * columns + j]) for i in range(rows) for j in range(columns)]

        return emit.loop(words[COUNT], sums, inner)

    zeros = [emit.zero] * size
    sums = _if_positive(emit, words[COUNT], zeros, lambda: emit.loop(words[DOT_OUTER], zeros, outer))
    results = _lane_sums(emit, sums)
    scalar = emit.element.as_pointer()
    with builder.if_else(builder.icmp_signed("!=", words[ADDING], ir.Constant(I64, 0))) as (add, overwrite):
        for branch, adding in ((add, True), (overwrite, False)):
            with branch:
                for i in range(rows):
                    row = emit.at(c, builder.mul(words[DOT_C_ROW], ir.Constant(I64, i)))
                    for j in range(max(1, columns)):
                        pointer = builder.bitcast(emit.at(row, places[2 * j + 1]) if columns else row, scalar)
                        value = results[i * max(1, columns) + j]
                        builder.store(builder.fadd(builder.load(pointer), value) if adding else value, pointer)
    builder.ret_void()


def _if_positive(emit, count, default, make):
    """The values that `make` writes code for where count > 0, else the default ones."""
    builder = emit.builder
    before = builder.block
    some, after = builder.append_basic_block("some"), builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed(">", count, ir.Constant(I64, 0)), some, after)
    builder.position_at_end(some)
    values = make()
    last = builder.block
    builder.branch(after)
    builder.position_at_end(after)
    return _joined(builder, [(default, before), (values, last)])


def _lane_sums(emit, vectors):
    """The sum over the lanes of each vector, as scalars."""
    builder, results = emit.builder, []
    while len(results) < len(vectors):
        left = len(vectors) - len(results)
        count = next(n for n in (16, 8, 4, 2, 1) if n <= min(left, emit.lanes))
        total = emit.lane_sums(vectors[len(results) : len(results) + count])
        results += [builder.extract_element(total, ir.Constant(ir.IntType(32), n)) for n in range(count)]
    return results


@_kept
def dot(dtype):
    """Address of (rows, columns, frame)."""
    sizes = [(rows, columns) for rows, most in DOT_COLUMNS.items() for columns in range(most + 1)]
    return _switching_tile(f"lanes_dot_{dtype}", dtype, sizes, ("frame",), _dot_body)


def _transpose_body(emit, rows, columns, target, target_row, source, places):
    builder = emit.builder
    target, source = (builder.inttoptr(address, _BYTES) for address in (target, source))
    vectors = [emit.load(emit.at(source, place)) for place in _entries(emit, places, 0, emit.lanes)]
    for i, column in enumerate(transposed(emit, vectors)):
        emit.store(column, emit.at(target, builder.mul(target_row, ir.Constant(I64, i))))
    builder.ret_void()


@_kept
def transpose(dtype):
    """Address of (1, 1, target, target_row, source, places): LANES vectors at source + places[j] become columns at target."""
    names = ("target", "target_row", "source", "places")
    return _switching_tile(f"lanes_transpose_{dtype}", dtype, [(1, 1)], names, _transpose_body)
