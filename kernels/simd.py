"""The two register tiles that carry the arithmetic of dense layers and convolutions.

A tile keeps ROWS x VECTORS accumulators in vector registers while it sums over k; Numba's own loops cannot express that, so
the tiles are written as LLVM IR with vectors of the host's width.

    outer_tile        c[i, j] = init + sum_k a[i, k] * b[k, j]    scalars of a, broadcast, times vectors of b along j
    outer_tile_at     the same, vectors of b and c at tabulated offsets: convolution without im2col
    dot_tile          c[i, j] (+)= sum_k a[i, k] * b[j, k]        vectors along k on both sides, lanes added up at the end
    dot_tile_at       the same, vectors of a and b at tabulated offsets
    copy_vector, copy_half, copy_group, copy_every_second, transpose_block   moves between unaligned addresses
    pointer           address of an element of an array

The offset tables are the idea of M. Dukhan, "The Indirect Convolution Algorithm" (2019): entry k of a table says where tap k
lies relative to an output pixel, so the columns of im2col never exist in memory.
"""

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from . import host
from ._jit import jit

VECTOR_BYTES = host.vector_bytes()
# Accumulators, the vectors of one step and a broadcast scalar must fit the registers together.
if host.vector_registers() == 32:
    OUTER_ROWS, OUTER_VECTORS, DOT_ROWS = (8, 6, 4, 3, 2, 1), 3, (6, 4, 2, 1)
else:
    OUTER_ROWS, OUTER_VECTORS, DOT_ROWS = (4, 2, 1), 3, (2, 1)
DOT_COLUMNS = (4, 1)
MAX_ROWS = OUTER_ROWS[0]

# How an outer tile's accumulators start.
ZERO, ACCUMULATE, ROW_BIAS, COLUMN_BIAS = range(4)

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


def lanes(itemsize, half=False):
    """Elements in one vector; `half` for vectors of half the register's width, which suit short rows."""
    return VECTOR_BYTES // itemsize // (2 if half else 1)


class _Emitter:
    """IR of vector operations on one element type and number of lanes, inside one function."""

    def __init__(self, builder, element, count):
        self.builder, self.element, self.lanes = builder, element, count
        self.vector = ir.VectorType(element, count)
        bits = 32 if isinstance(element, ir.FloatType) else 64
        self.suffix = f"v{count}f{bits}"
        self.align = bits // 8
        self.zero = ir.Constant(self.vector, [0.0] * count)

    def at(self, base, offset):
        return self.builder.gep(base, [offset])

    def load(self, pointer):
        cast = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(cast, align=self.align)

    def store(self, value, pointer):
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=self.align)

    def splat(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_I32, self.lanes), [0] * self.lanes))

    def fma(self, a, b, c):
        # fmuladd, not fma: without a fused instruction it is a multiplication and an addition, not a library call
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fmuladd.{self.suffix}"), [a, b, c]
        )

    def mask(self, count):
        """Lanes below `count`, an int64."""
        index = ir.VectorType(_I32, self.lanes)
        undefined = ir.Constant(index, ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.trunc(count, _I32), ir.Constant(_I32, 0))
        limit = self.builder.shuffle_vector(first, undefined, ir.Constant(index, [0] * self.lanes))
        return self.builder.icmp_signed("<", ir.Constant(index, list(range(self.lanes))), limit)

    def masked_store(self, value, pointer, mask):
        target = self.vector.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [self.vector, target, _I32, ir.VectorType(ir.IntType(1), self.lanes)])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.store.{self.suffix}.p0")
        self.builder.call(function, [value, self.builder.bitcast(pointer, target), ir.Constant(_I32, self.align), mask])

    def masked_load(self, pointer, mask):
        source = self.vector.as_pointer()
        kind = ir.FunctionType(self.vector, [source, _I32, ir.VectorType(ir.IntType(1), self.lanes), self.vector])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.load.{self.suffix}.p0")
        pointer = self.builder.bitcast(pointer, source)
        return self.builder.call(function, [pointer, ir.Constant(_I32, self.align), mask, self.zero])

    def loop(self, count, start, body):
        """Carry `start` through ``body(k, values) -> values`` for k in range(count), count >= 1."""
        builder = self.builder
        before = builder.block
        head, after = builder.append_basic_block("k"), builder.append_basic_block("end")
        builder.branch(head)
        builder.position_at_end(head)
        k = builder.phi(_I64)
        k.add_incoming(ir.Constant(_I64, 0), before)
        carried = []
        for value in start:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            carried.append(phi)
        values = body(k, carried)
        following = builder.add(k, ir.Constant(_I64, 1))
        k.add_incoming(following, builder.block)
        for phi, value in zip(carried, values):
            phi.add_incoming(value, builder.block)
        back = builder.cbranch(builder.icmp_signed("<", following, count), head, after)
        back.set_metadata("llvm.loop", self._no_unrolling())
        builder.position_at_end(after)
        return values

    def _no_unrolling(self):
        """Loop metadata that forbids unrolling: two steps at once want more registers than there are, and spill."""
        module = self.builder.module
        option = module.add_metadata(["llvm.loop.unroll.disable"])
        identity = module.add_metadata([option, f"loop {len(module.metadata)}"])
        identity.operands = (identity, option)  # LLVM knows a loop's metadata by its reference to itself
        return identity

    def lane_sums(self, vectors):
        """The sums over the lanes of each of 2**m vectors, as one vector of 2**m: a tree of pairwise additions."""
        builder = self.builder

        def shuffle(a, b, lanes):
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(lanes)), lanes))

        partials = self.lanes  # per sum; neighbours in their vector
        while partials > 1:
            width = vectors[0].type.count
            if len(vectors) > 1:
                pairs = list(zip(vectors[::2], vectors[1::2]))
            else:
                pairs, width = [(vectors[0], vectors[0])], width // 2
            evens, odds = list(range(0, 2 * width, 2)), list(range(1, 2 * width, 2))
            vectors = [builder.fadd(shuffle(a, b, evens), shuffle(a, b, odds)) for a, b in pairs]
            partials //= 2
        while len(vectors) > 1:
            every = list(range(2 * vectors[0].type.count))
            vectors = [shuffle(a, b, every) for a, b in zip(vectors[::2], vectors[1::2])]
        return vectors[0]


def _function(module, name, result, arguments):
    """A function of this module by name, and whether it still needs a body. Never inlined: a tile wants all registers."""
    existing = module.globals.get(name)
    if existing is not None:
        return existing, False
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    return function, True


def _outer_body(emit, rows, vectors, a, a_row, a_k, b, step_k, place, depth, c, c_row, mode, bias):
    """Body of an outer tile. `step_k(k)`: offset of b's row k; `place(v)`: offsets in b and c, and valid lanes, of vector v."""
    builder = emit.builder
    row = [ir.Constant(_I64, i) for i in range(rows)]
    a_rows = [emit.at(a, builder.mul(a_row, i)) for i in row]
    c_rows = [emit.at(c, builder.mul(c_row, i)) for i in row]
    places = [place(v) for v in range(vectors)]
    masks = [emit.mask(count) for _, _, count in places]

    # How the accumulators start: one block for each mode, joined by phi nodes.
    done = builder.append_basic_block("start")
    otherwise = builder.append_basic_block("zero")
    switch = builder.switch(mode, otherwise)
    starts = []

    def case(number, values):
        if number is None:
            builder.position_at_end(otherwise)
        else:
            block = builder.append_basic_block("init")
            switch.add_case(ir.Constant(_I64, number), block)
            builder.position_at_end(block)
        starts.append((values(), builder.block))
        builder.branch(done)

    cells = [(i, v) for i in range(rows) for v in range(vectors)]
    case(None, lambda: [emit.zero for _ in cells])
    case(ACCUMULATE, lambda: [emit.masked_load(emit.at(c_rows[i], places[v][1]), masks[v]) for i, v in cells])

    def row_bias():
        values = [emit.splat(builder.load(emit.at(bias, i))) for i in row]
        return [values[i] for i, _ in cells]

    def column_bias():
        values = [emit.masked_load(emit.at(bias, places[v][1]), masks[v]) for v in range(vectors)]
        return [values[v] for _, v in cells]

    case(ROW_BIAS, row_bias)
    case(COLUMN_BIAS, column_bias)
    builder.position_at_end(done)
    start = []
    for n in range(len(cells)):
        phi = builder.phi(emit.vector)
        for values, block in starts:
            phi.add_incoming(values[n], block)
        start.append(phi)

    def body(k, sums):
        base = emit.at(b, step_k(k))
        b_k = [emit.load(emit.at(base, places[v][0])) for v in range(vectors)]
        a_k_offset = builder.mul(a_k, k)
        result = []
        for i in range(rows):
            scalar = emit.splat(builder.load(emit.at(a_rows[i], a_k_offset)))
            result += [emit.fma(scalar, b_k[v], sums[i * vectors + v]) for v in range(vectors)]
        return result

    sums = emit.loop(depth, start, body)
    full_width = ir.Constant(_I64, emit.lanes)
    for v, (_, offset, count) in enumerate(places):
        with builder.if_else(builder.icmp_signed(">=", count, full_width)) as (full, partial):
            with full:
                for i in range(rows):
                    emit.store(sums[i * vectors + v], emit.at(c_rows[i], offset))
            with partial:
                for i in range(rows):
                    emit.masked_store(sums[i * vectors + v], emit.at(c_rows[i], offset), masks[v])
    builder.ret_void()


def _dispatch(builder, cases, call):
    """Switch over (value, key) cases of an int64, calling ``call(key)`` in each."""
    value, keys = cases
    after = builder.append_basic_block("tiled")
    switch = builder.switch(value, after)
    for number, key in keys:
        block = builder.append_basic_block("tile")
        switch.add_case(ir.Constant(_I64, number), block)
        builder.position_at_end(block)
        call(key)
        builder.branch(after)
    builder.position_at_end(after)


def _make_outer(indexed, half):
    """The outer tile as an intrinsic: one function for each number of rows and vectors, chosen at run time."""

    def codegen(context, builder, signature, args):
        rows, vectors, *rest = args
        element = context.get_value_type(signature.args[2].dtype)
        count = lanes(4 if isinstance(element, ir.FloatType) else 8, half)
        value = builder.add(builder.mul(rows, ir.Constant(_I64, 8)), vectors)
        keys = [(r * 8 + v, (r, v)) for r in OUTER_ROWS for v in range(1, OUTER_VECTORS + 1)]

        def call(key):
            kinds = [argument.type for argument in rest]
            name = f"outer_{key[0]}x{key[1]}x{count}_{element}_{'at' if indexed else 'linear'}"
            function, new = _function(builder.module, name, ir.VoidType(), kinds)
            if new:
                inner = ir.IRBuilder(function.append_basic_block("entry"))
                emit = _Emitter(inner, element, count)
                if indexed:
                    a, a_row, a_k, b, offsets, table, depth, c, c_row, mode, bias = function.args

                    def place(v):
                        return [inner.load(emit.at(table, ir.Constant(_I64, 3 * v + n))) for n in range(3)]

                    def step_k(k):
                        return inner.load(emit.at(offsets, k))
                else:
                    a, a_row, a_k, b, b_k, columns, depth, c, c_row, mode, bias = function.args

                    def place(v):
                        offset = ir.Constant(_I64, v * count)
                        return offset, offset, inner.sub(columns, offset)

                    def step_k(k):
                        return inner.mul(b_k, k)

                _outer_body(emit, *key, a, a_row, a_k, b, step_k, place, depth, c, c_row, mode, bias)
            builder.call(function, rest)

        _dispatch(builder, (value, keys), call)
        return context.get_dummy_value()

    if indexed:

        @intrinsic
        def tile(typingctx, rows, vectors, a, a_row, a_k, b, offsets, table, depth, c, c_row, mode, bias):
            n, p, table_type = types.int64, types.CPointer(a.dtype), types.CPointer(types.int64)
            return types.void(n, n, p, n, n, p, table_type, table_type, n, p, n, n, p), codegen
    else:

        @intrinsic
        def tile(typingctx, rows, vectors, a, a_row, a_k, b, b_k, columns, depth, c, c_row, mode, bias):
            n, p = types.int64, types.CPointer(a.dtype)
            return types.void(n, n, p, n, n, p, n, n, n, p, n, n, p), codegen

    return tile


outer_tile = _make_outer(indexed=False, half=False)
outer_tile_half = _make_outer(indexed=False, half=True)
outer_tile_at = _make_outer(indexed=True, half=False)
outer_tile_at_half = _make_outer(indexed=True, half=True)


def _make_dot(indexed, half=False):
    """The dot tile as an intrinsic. `depth` counts whole vectors; rows of the linear tile may end in `tail` further lanes."""

    def codegen(context, builder, signature, args):
        rows, columns, *rest = args
        element = context.get_value_type(signature.args[2].dtype)
        count = lanes(4 if isinstance(element, ir.FloatType) else 8, half)
        value = builder.add(builder.mul(rows, ir.Constant(_I64, 8)), columns)
        keys = [(r * 8 + n, (r, n)) for r in DOT_ROWS for n in DOT_COLUMNS]

        def call(key):
            kinds = [argument.type for argument in rest]
            name = f"dot_{key[0]}x{key[1]}x{count}_{element}_{'at' if indexed else 'linear'}"
            function, new = _function(builder.module, name, ir.VoidType(), kinds)
            if new:
                _dot_body(
                    _Emitter(ir.IRBuilder(function.append_basic_block("entry")), element, count), *key, indexed, function.args
                )
            builder.call(function, rest)

        _dispatch(builder, (value, keys), call)
        return context.get_dummy_value()

    if indexed:

        @intrinsic
        def tile(typingctx, rows, columns, a, a_row, b, offsets, whole, depth, partial, tail, c, c_row, accumulate):
            n, p, table = types.int64, types.CPointer(a.dtype), types.CPointer(types.int64)
            return types.void(n, n, p, n, p, table, table, n, table, n, p, n, n), codegen
    else:

        @intrinsic
        def tile(typingctx, rows, columns, a, a_row, b, b_row, depth, tail, c, c_row, accumulate):
            n, p = types.int64, types.CPointer(a.dtype)
            return types.void(n, n, p, n, p, n, n, n, p, n, n), codegen

    return tile


def _dot_body(emit, rows, columns, indexed, args):
    builder = emit.builder
    width = ir.Constant(_I64, emit.lanes)
    zero = ir.Constant(_I64, 0)
    if indexed:
        a, a_row, b, offsets, whole, depth, partial, tail, c, c_row, accumulate = args
        b_rows = [emit.at(b, builder.load(emit.at(offsets, ir.Constant(_I64, j)))) for j in range(columns)]
    else:
        a, a_row, b, b_row, depth, tail, c, c_row, accumulate = args
        b_rows = [emit.at(b, builder.mul(b_row, ir.Constant(_I64, j))) for j in range(columns)]
    a_rows = [emit.at(a, builder.mul(a_row, ir.Constant(_I64, i))) for i in range(rows)]

    def multiply(a_at, b_at, sums, load):
        b_k = [load(emit.at(pointer, b_at)) for pointer in b_rows]
        result = []
        for i in range(rows):
            a_k = load(emit.at(a_rows[i], a_at))
            result += [emit.fma(a_k, b_k[j], sums[i * columns + j]) for j in range(columns)]
        return result

    def entry(table, k, words):
        at = emit.at(table, builder.mul(k, ir.Constant(_I64, words)))
        return [builder.load(emit.at(at, ir.Constant(_I64, n))) for n in range(words)]

    def whole_step(k, sums):
        b_at, a_at = entry(whole, k, 2) if indexed else [builder.mul(k, width)] * 2
        return multiply(a_at, b_at, sums, emit.load)

    def partial_step(k, sums):
        # The indexed tile has `tail` vectors that are partly valid; the linear one has at most one, of `tail` lanes.
        b_at, a_at, valid = entry(partial, k, 3) if indexed else [*[builder.mul(depth, width)] * 2, tail]
        mask = emit.mask(valid)
        return multiply(a_at, b_at, sums, lambda pointer: emit.masked_load(pointer, mask))

    def loop_unless_empty(count, start, step):
        before = builder.block
        some, joined = builder.append_basic_block("some"), builder.append_basic_block("joined")
        builder.cbranch(builder.icmp_signed(">", count, zero), some, joined)
        builder.position_at_end(some)
        sums = emit.loop(count, start, step)
        last = builder.block
        builder.branch(joined)
        builder.position_at_end(joined)
        return _join(builder, [(start, before), (sums, last)])

    sums = loop_unless_empty(depth, [emit.zero] * (rows * columns), whole_step)
    partials = tail if indexed else builder.zext(builder.icmp_signed(">", tail, zero), _I64)
    sums = loop_unless_empty(partials, sums, partial_step)
    results = [emit.lane_sums(sums[i * columns : (i + 1) * columns]) for i in range(rows)]
    pointers = [emit.at(c, builder.mul(c_row, ir.Constant(_I64, i))) for i in range(rows)]
    with builder.if_else(builder.icmp_signed("!=", accumulate, zero)) as (add, overwrite):
        with add:
            for value, pointer in zip(results, pointers):
                cast = builder.bitcast(pointer, value.type.as_pointer())
                emit.store(builder.fadd(builder.load(cast, align=emit.align), value), pointer)
        with overwrite:
            for value, pointer in zip(results, pointers):
                emit.store(value, pointer)
    builder.ret_void()


def _join(builder, branches):
    """Phi nodes over lists of values, one (values, block) for each way in."""
    joined = []
    for n in range(len(branches[0][0])):
        phi = builder.phi(branches[0][0][n].type)
        for values, block in branches:
            phi.add_incoming(values[n], block)
        joined.append(phi)
    return joined


dot_tile = _make_dot(indexed=False)
dot_tile_at = _make_dot(indexed=True)
dot_tile_at_half = _make_dot(indexed=True, half=True)


@intrinsic
def pointer(typingctx, array, offset):
    """Address of element `offset` of an array's memory. Arithmetic on it is not checked: keep inside the array."""

    def codegen(context, builder, signature, args):
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return types.CPointer(array.dtype)(array, types.int64), codegen


def _element_and_lanes(context, pointer_type):
    element = context.get_value_type(pointer_type.dtype)
    return element, lanes(4 if isinstance(element, ir.FloatType) else 8)


def _make_copy(count):
    """An intrinsic that copies ``count(lanes)`` elements between unaligned addresses in one move."""

    @intrinsic
    def copy(typingctx, target, source):
        def codegen(context, builder, signature, args):
            element, full = _element_and_lanes(context, signature.args[0])
            emit = _Emitter(builder, element, count(full))
            emit.store(emit.load(args[1]), args[0])
            return context.get_dummy_value()

        return types.void(target, source), codegen

    return copy


copy_vector = _make_copy(lambda full: full)
copy_half = _make_copy(lambda full: max(1, full // 2))
copy_group = _make_copy(lambda full: MAX_ROWS)


@intrinsic
def copy_every_second(typingctx, target, source):
    """target[j] = source[2*j] for one vector; nothing behind the last element taken is read."""

    def codegen(context, builder, signature, args):
        element, count = _element_and_lanes(context, signature.args[0])
        emit = _Emitter(builder, element, count)
        low, high = emit.load(args[1]), emit.load(emit.at(args[1], ir.Constant(_I64, count - 1)))
        half = (count + 1) // 2
        picked = list(range(0, count, 2)) + [count + 2 * (j - half) + count % 2 + 1 for j in range(half, count)]
        if count > 1:
            low = builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(_I32, count), picked))
        emit.store(low, args[0])
        return context.get_dummy_value()

    return types.void(target, source), codegen


@intrinsic
def transpose_block(typingctx, target, target_row, source, source_row):
    """target[j, i] = source[i, j] for a block of lanes x lanes elements, rows at the given distances."""

    def codegen(context, builder, signature, args):
        element, count = _element_and_lanes(context, signature.args[0])
        name = f"transpose_{count}_{element}"
        function, new = _function(builder.module, name, ir.VoidType(), [argument.type for argument in args])
        if new:
            inner = ir.IRBuilder(function.append_basic_block("entry"))
            emit = _Emitter(inner, element, count)
            target, target_row, source, source_row = function.args
            at = [ir.Constant(_I64, i) for i in range(count)]
            rows = [emit.load(emit.at(source, inner.mul(source_row, i))) for i in at]
            # Step h swaps the off-diagonal h x h blocks of every 2h x 2h block.
            step = 1
            while step < count:
                low = [j if not j & step else count + j - step for j in range(count)]
                high = [j + step if not j & step else count + j for j in range(count)]
                index = ir.VectorType(_I32, count)
                for i in range(count):
                    if not i & step:
                        upper, lower = rows[i], rows[i + step]
                        rows[i] = inner.shuffle_vector(upper, lower, ir.Constant(index, low))
                        rows[i + step] = inner.shuffle_vector(upper, lower, ir.Constant(index, high))
                step *= 2
            for i in range(count):
                emit.store(rows[i], emit.at(target, inner.mul(target_row, at[i])))
            inner.ret_void()
        builder.call(function, args)
        return context.get_dummy_value()

    n = types.int64
    return types.void(target, n, source, n), codegen


@intrinsic
def shift(typingctx, base, offset):
    """The pointer `offset` elements further on."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return base(base, types.int64), codegen


@intrinsic
def itemsize(typingctx, base):
    """Bytes of the element that a pointer points to."""

    def codegen(context, builder, signature, args):
        return ir.Constant(_I64, 4 if isinstance(context.get_value_type(signature.args[0].dtype), ir.FloatType) else 8)

    return types.int64(base), codegen


@intrinsic
def _retype(typingctx, like, address):
    """An address as a pointer of the same type as `like`."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

    return like(like, types.int64), codegen


@jit
def array_at(like, address, size):
    """The `size` elements at an address as an array; `like` is a pointer to the element type."""
    return carray(_retype(like, address), (size,))
