"""Vectors inside Numba functions: what plain loops cannot say, written as LLVM IR with vectors of the host's width.

    Emitter                 IR of vector operations, for the register tiles in `tiles` and for `moves`
    pointer, shift          address of an array's element; a pointer some elements further on
    array_at, itemsize      memory at an address as an array; bytes of what a pointer points to

Pointer arithmetic is not checked, not even in bounds-checked builds: stay inside the array.
"""

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from . import host
from ._jit import jit

VECTOR_BYTES = host.vector_bytes()
# Sizes of the register tiles: accumulators, the vectors of one step and a broadcast scalar must fit the registers together.
# Outer tiles of up to OUTER_NARROW rows may be OUTER_WIDE vectors wide: fewer sums than 8 at a time leave the adders waiting.
if host.vector_registers() == 32:
    OUTER_ROWS, OUTER_NARROW, DOT_ROWS = (8, 6, 4, 3, 2, 1), 4, (6, 4, 2, 1)
else:
    OUTER_ROWS, OUTER_NARROW, DOT_ROWS = (4, 3, 2, 1), 2, (2, 1)
OUTER_VECTORS, OUTER_WIDE = 3, 6
DOT_COLUMNS = (4, 3, 2, 1)
DOT_WIDE = 8  # columns of the tile for one row: their sums are added up together
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
            every = range(2 * parts[0].type.count)
            parts = [self.shuffle(a, b, every) for a, b in zip(parts[::2], parts[1::2])]
        return parts[0]

    def shuffle(self, a, b, picked):
        """The picked lanes of two vectors, those of b counting on from those of a."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(picked)), list(picked)))

    def part(self, value, number, width):
        """Lanes number*width .. (number + 1)*width of a vector."""
        return self.shuffle(value, ir.Constant(value.type, ir.Undefined), range(number * width, (number + 1) * width))

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

        partials = self.lanes  # per sum; neighbours in their vector
        while partials > 1:
            width = vectors[0].type.count
            if len(vectors) > 1:
                pairs = list(zip(vectors[::2], vectors[1::2]))
            else:
                pairs, width = [(vectors[0], vectors[0])], width // 2
            evens, odds = range(0, 2 * width, 2), range(1, 2 * width, 2)
            vectors = [builder.fadd(self.shuffle(a, b, evens), self.shuffle(a, b, odds)) for a, b in pairs]
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
def retype(typingctx, like, address):
    """An address as a pointer of the same type as `like`."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

    return like(like, types.int64), codegen


@jit
def array_at(like, address, size):
    """The `size` elements at an address as an array; `like` is a pointer to the element type."""
    return carray(retype(like, address), (size,))
