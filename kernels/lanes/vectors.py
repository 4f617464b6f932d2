"""Vectors in kernels: a value for each lane, in a register.

    load(like, address)    store(address, v)    splat(like, number)
    + - * /   < <= == >=   of vectors, or a vector and a number of its element type
    & | ~   select(condition, a, b)   count(condition)   below(like, number)
    widen(v)               in double precision, more than a register then
    total(v)               sum over the lanes, a float64
    totals(like, address)  sums over the lanes of as many vectors as there are lanes, from an address on, as a vector
    lane_array(like, of)   an array of a value for each lane, on the stack, of the dtype of `of`

For loops whose values go from row to row of a block (maxima, sums): LLVM unrolls the inner loop over lanes, keeps the values in
as many scalar registers, and then finds nothing to vectorise. Loops over a whole block need none of this.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable
from numba.np.arrayobj import make_array, populate_array

from ..simd import I64, VECTOR_BYTES, Emitter


class Vector(types.Type):
    """Numba type of a vector."""

    def __init__(self, element, count):
        self.element, self.count = element, count
        super().__init__(f"Vector({element} x {count})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        element = ir.IntType(1) if kind.element == types.boolean else manager[kind.element].get_value_type()
        super().__init__(manager, kind, ir.VectorType(element, kind.count))


def _vector_of(dtype):
    return Vector(dtype, VECTOR_BYTES * 8 // dtype.bitwidth)


def _emitter(context, builder, kind):
    return Emitter(builder, context.get_value_type(kind.element), kind.count)


def _as_vector(context, builder, value, kind, vector):
    """A vector, or a number in all lanes."""
    return value if isinstance(kind, Vector) else _emitter(context, builder, vector).splat(value)


def _register(function, emit, compares=False):
    """Let compiled code apply an operator to two vectors of a type, or to one and a number of its element type."""

    @type_callable(function)
    def type_operator(context):
        def typer(a, b):
            vector = a if isinstance(a, Vector) else b
            if not isinstance(vector, Vector) or {a, b} - {vector, vector.element}:
                return None
            return Vector(types.boolean, vector.count) if compares else vector

        return typer

    def lower(context, builder, signature, args):
        kinds = signature.args
        vector = kinds[0] if isinstance(kinds[0], Vector) else kinds[1]
        return emit(builder, *[_as_vector(context, builder, v, kind, vector) for v, kind in zip(args, kinds)])

    for kinds in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(function, *kinds)(lower)


_register(operator.add, ir.IRBuilder.fadd)
_register(operator.iadd, ir.IRBuilder.fadd)
_register(operator.sub, ir.IRBuilder.fsub)
_register(operator.mul, ir.IRBuilder.fmul)
_register(operator.truediv, ir.IRBuilder.fdiv)
for _function, _sign in ((operator.lt, "<"), (operator.le, "<="), (operator.eq, "=="), (operator.ge, ">=")):
    _register(_function, lambda builder, a, b, sign=_sign: builder.fcmp_ordered(sign, a, b), compares=True)
_register(operator.and_, ir.IRBuilder.and_)
_register(operator.or_, ir.IRBuilder.or_)


@type_callable(operator.invert)
def _type_invert(context):
    return lambda v: v if isinstance(v, Vector) and v.element == types.boolean else None


@lower_builtin(operator.invert, Vector)
def _lower_invert(context, builder, signature, args):
    return builder.not_(args[0])


@intrinsic
def load(typingctx, like, address):
    """The vector at an address."""
    vector = _vector_of(like.dtype)

    def codegen(context, builder, signature, args):
        emit = _emitter(context, builder, vector)
        return emit.load(builder.inttoptr(args[1], emit.element.as_pointer()))

    return vector(like, types.int64), codegen


@intrinsic
def load_array(typingctx, array):
    """A `lane_array` as a vector."""
    vector = _vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        return _emitter(context, builder, vector).load(make_array(array)(context, builder, args[0]).data)

    return vector(array), codegen


@intrinsic
def store(typingctx, address, v):
    """Write a vector to an address."""

    def codegen(context, builder, signature, args):
        emit = _emitter(context, builder, v)
        emit.store(args[1], builder.inttoptr(args[0], emit.element.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, v), codegen


@intrinsic
def store_array(typingctx, array, v):
    """Write a vector to a `lane_array`."""

    def codegen(context, builder, signature, args):
        _emitter(context, builder, v).store(args[1], make_array(array)(context, builder, args[0]).data)
        return context.get_dummy_value()

    return types.void(array, v), codegen


@intrinsic
def splat(typingctx, like, number):
    """A number in all lanes."""
    vector = _vector_of(like.dtype)

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[1], signature.args[1], vector.element)
        return _emitter(context, builder, vector).splat(value)

    return vector(like, number), codegen


@intrinsic
def below(typingctx, like, number):
    """The condition that holds in the first `number` lanes."""
    vector = _vector_of(like.dtype)

    def codegen(context, builder, signature, args):
        # A 32-bit comparison: clamp what would not fit.
        limit = ir.Constant(I64, vector.count)
        clamped = builder.select(builder.icmp_signed("<", args[1], limit), args[1], limit)
        return _emitter(context, builder, vector).mask(clamped)

    return Vector(types.boolean, vector.count)(like, types.int64), codegen


@intrinsic
def select(typingctx, condition, a, b):
    """a where the condition holds, else b; one of them may be a number."""
    vector = a if isinstance(a, Vector) else b

    def codegen(context, builder, signature, args):
        values = [_as_vector(context, builder, v, kind, vector) for v, kind in zip(args[1:], signature.args[1:])]
        return builder.select(args[0], *values)

    return vector(condition, a, b), codegen


@intrinsic
def count(typingctx, condition):
    """Number of lanes in which the condition holds."""

    def codegen(context, builder, signature, args):
        bits = builder.bitcast(args[0], ir.IntType(condition.count))
        return builder.zext(builder.ctpop(bits), I64)

    return types.int64(condition), codegen


def _widened(context, builder, v, value):
    wide = _emitter(context, builder, Vector(types.float64, v.count)).vector
    return value if value.type == wide else builder.fpext(value, wide)


@intrinsic
def widen(typingctx, v):
    """The same values in double precision."""
    wide = Vector(types.float64, v.count)
    return wide(v), lambda context, builder, signature, args: _widened(context, builder, v, args[0])


@intrinsic
def total(typingctx, v):
    """Sum over the lanes in double precision."""

    def codegen(context, builder, signature, args):
        emit = Emitter(builder, ir.DoubleType(), v.count)
        sums = emit.lane_sums([_widened(context, builder, v, args[0])])
        return builder.extract_element(sums, ir.Constant(ir.IntType(32), 0))

    return types.float64(v), codegen


@intrinsic
def totals(typingctx, like, address):
    """Lane n: the sum over the lanes of the n-th vector from an address on. A few operations each, a fifth of a `total`'s."""
    vector = _vector_of(like.dtype)

    def codegen(context, builder, signature, args):
        emit = _emitter(context, builder, vector)
        base = builder.inttoptr(args[1], emit.element.as_pointer())
        rows = [emit.load(emit.at(base, ir.Constant(I64, n * emit.lanes))) for n in range(emit.lanes)]
        return emit.lane_sums(rows)

    return vector(like, types.int64), codegen


@intrinsic
def lane_array(typingctx, like, of):
    """An uninitialised array on the stack: a value of the dtype of `of` for each lane of the dtype of `like`."""
    lanes = _vector_of(like.dtype).count

    def codegen(context, builder, signature, args):
        kind = context.get_data_type(of.dtype)
        array = make_array(signature.return_type)(context, builder)
        itemsize, length = (context.get_constant(types.intp, n) for n in (context.get_abi_sizeof(kind), lanes))
        data = builder.bitcast(cgutils.alloca_once(builder, ir.ArrayType(kind, lanes)), kind.as_pointer())
        populate_array(array, data=data, shape=[length], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return types.Array(of.dtype, 1, "C")(like, of), codegen
