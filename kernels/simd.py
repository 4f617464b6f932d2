"""Vectors inside Numba functions: what plain loops cannot say, written as LLVM IR with vectors of the host's width.

    Emitter                 IR of vector operations, for the register tiles in `tiles` and the moves below
    pointer, shift          address of an array's element; a pointer some elements further on
    array_at, itemsize      memory at an address as an array; bytes of what a pointer points to
    copy_vector, copy_half, copy_group, copy_every_second, transpose_block
                            moves between unaligned addresses

Pointer arithmetic is not checked, not even in bounds-checked builds: stay inside the array.
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
    OUTER_ROWS, OUTER_VECTORS, DOT_ROWS = (4, 3, 2, 1), 3, (2, 1)
DOT_COLUMNS = (4, 3, 2, 1)
MAX_ROWS = OUTER_ROWS[0]

I64 = ir.IntType(64)
I32 = ir.IntType(32)


def lanes(itemsize):
    """Elements in one vector."""
    return VECTOR_BYTES // itemsize


class Emitter:
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
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes))

    def fma(self, a, b, c):
        # fmuladd, not fma: without a fused instruction it is a multiplication and an addition, not a library call
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fmuladd.{self.suffix}"), [a, b, c]
        )

    def mask(self, count):
        """Lanes below `count`, an int64."""
        index = ir.VectorType(I32, self.lanes)
        undefined = ir.Constant(index, ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.trunc(count, I32), ir.Constant(I32, 0))
        limit = self.builder.shuffle_vector(first, undefined, ir.Constant(index, [0] * self.lanes))
        return self.builder.icmp_signed("<", ir.Constant(index, list(range(self.lanes))), limit)

    def masked_store(self, value, pointer, mask):
        target = self.vector.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [self.vector, target, I32, ir.VectorType(ir.IntType(1), self.lanes)])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.store.{self.suffix}.p0")
        self.builder.call(function, [value, self.builder.bitcast(pointer, target), ir.Constant(I32, self.align), mask])

    def masked_load(self, pointer, mask):
        source = self.vector.as_pointer()
        kind = ir.FunctionType(self.vector, [source, I32, ir.VectorType(ir.IntType(1), self.lanes), self.vector])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.load.{self.suffix}.p0")
        pointer = self.builder.bitcast(pointer, source)
        return self.builder.call(function, [pointer, ir.Constant(I32, self.align), mask, self.zero])

    def concatenate(self, parts):
        """Equally long vectors, a power of two of them, one behind the other."""
        while len(parts) > 1:
            every = ir.Constant(ir.VectorType(I32, 2 * parts[0].type.count), list(range(2 * parts[0].type.count)))
            parts = [self.builder.shuffle_vector(a, b, every) for a, b in zip(parts[::2], parts[1::2])]
        return parts[0]

    def part(self, value, number, width):
        """Lanes number*width .. (number + 1)*width of a vector."""
        taken = list(range(number * width, (number + 1) * width))
        undefined = ir.Constant(value.type, ir.Undefined)
        return self.builder.shuffle_vector(value, undefined, ir.Constant(ir.VectorType(I32, width), taken))

    def loop(self, count, start, body):
        """Carry `start` through ``body(k, values) -> values`` for k in range(count), count >= 1."""
        builder = self.builder
        before = builder.block
        head, after = builder.append_basic_block("k"), builder.append_basic_block("end")
        builder.branch(head)
        builder.position_at_end(head)
        k = builder.phi(I64)
        k.add_incoming(ir.Constant(I64, 0), before)
        carried = []
        for value in start:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            carried.append(phi)
        values = body(k, carried)
        following = builder.add(k, ir.Constant(I64, 1))
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
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))

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
        return self.concatenate(vectors)


def dispatch(builder, value, cases, emit):
    """Switch over an int64: ``emit(key)`` writes the block for each (number, key) of `cases`; other values do nothing."""
    after = builder.append_basic_block("after")
    switch = builder.switch(value, after)
    for number, key in cases:
        block = builder.append_basic_block("case")
        switch.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        emit(key)
        builder.branch(after)
    builder.position_at_end(after)


def function_of(module, name, result, arguments):
    """A function of this module by name, and whether it still needs a body. Never inlined: a tile wants all registers."""
    existing = module.globals.get(name)
    if existing is not None:
        return existing, False
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    return function, True


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
            emit = Emitter(builder, element, count(full))
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
        emit = Emitter(builder, element, count)
        low, high = emit.load(args[1]), emit.load(emit.at(args[1], ir.Constant(I64, count - 1)))
        half = (count + 1) // 2
        picked = list(range(0, count, 2)) + [count + 2 * (j - half) + count % 2 + 1 for j in range(half, count)]
        if count > 1:
            low = builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(I32, count), picked))
        emit.store(low, args[0])
        return context.get_dummy_value()

    return types.void(target, source), codegen


@intrinsic
def transpose_block(typingctx, target, target_row, source, source_row):
    """target[j, i] = source[i, j] for a block of lanes x lanes elements, rows at the given distances."""

    def codegen(context, builder, signature, args):
        element, count = _element_and_lanes(context, signature.args[0])
        name = f"transpose_{count}_{element}"
        function, new = function_of(builder.module, name, ir.VoidType(), [argument.type for argument in args])
        if new:
            inner = ir.IRBuilder(function.append_basic_block("entry"))
            emit = Emitter(inner, element, count)
            target, target_row, source, source_row = function.args
            at = [ir.Constant(I64, i) for i in range(count)]
            rows = [emit.load(emit.at(source, inner.mul(source_row, i))) for i in at]
            # Step h swaps the off-diagonal h x h blocks of every 2h x 2h block.
            step = 1
            while step < count:
                low = [j if not j & step else count + j - step for j in range(count)]
                high = [j + step if not j & step else count + j for j in range(count)]
                index = ir.VectorType(I32, count)
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
        return ir.Constant(I64, 4 if isinstance(context.get_value_type(signature.args[0].dtype), ir.FloatType) else 8)

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
