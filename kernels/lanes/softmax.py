"""Softmax and its logarithm over the channels of lane blocks (positions, C, LANES).

    softmax_forward    (like, out, x, positions, channels)    softmax_backward    (like, dx, dout, out, positions, channels)
    log_softmax_forward(like, out, x, positions, channels)    log_softmax_backward(like, dx, dout, out, positions, channels)

None works in place. A sample that holds NaN or +inf at a position becomes NaN there.

Exponentials run over all channels at once. The rest goes by lines, the vectors of one channel: LLVM unrolls loops over so few
elements before it could make vectors of them, so they are written as vectors. Nor may these operations be reassociated: unless
the maximum goes first, small differences drown in large numbers.
"""

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import simd
from .._jit import jit
from .._kernel import kernel
from .._math import exp_nonpositive, log
from ..simd import I64, pointer
from .layout import block_at, lanes_in


def _lanes(element):
    return simd.lanes(4 if isinstance(element, ir.FloatType) else 8)


_ROOM = 16  # elements of a temporary line: a loop over 8, which would do for float64, is unrolled and scalar


@intrinsic
def _on_stack(typingctx, like):
    """Room for one line on the stack; `like` is a pointer to the type of its elements."""

    def codegen(context, builder, signature, args):
        return cgutils.alloca_once(builder, context.get_value_type(signature.return_type).pointee, size=_ROOM)

    return like(like), codegen


def _in_lines(body):
    """Code generation that writes ``body(emitter, *arguments)`` in place."""

    def codegen(context, builder, signature, args):
        element = context.get_value_type(signature.args[0]).pointee
        body(simd.Emitter(builder, element, _lanes(element)), *args)
        return context.get_dummy_value()

    return codegen


def _at(emit, base, c):
    return emit.at(base, emit.builder.mul(c, ir.Constant(I64, emit.lanes)))


def _fold(start, combine):
    """An intrinsic (to, a, b, channels): line `to` = ``combine(builder, line so far, a[c], b[c])`` over all c."""

    @intrinsic
    def fold(typingctx, to, a, b, channels):
        def body(emit, to, a, b, channels):
            def step(c, values):
                return [combine(emit.builder, *values, *(emit.load(_at(emit, base, c)) for base in (a, b)))]

            (total,) = emit.loop(channels, [ir.Constant(emit.vector, [start] * emit.lanes)], step)
            emit.store(total, to)

        return types.void(to, a, b, types.int64), _in_lines(body)

    return fold


def _each(combine):
    """An intrinsic (out, a, b, line, channels): out[c] = ``combine(builder, a[c], b[c], line)`` for all c."""

    @intrinsic
    def each(typingctx, out, a, b, line, channels):
        def body(emit, out, a, b, line, channels):
            line = emit.load(line)

            def step(c, _):
                lines = [emit.load(_at(emit, base, c)) for base in (a, b)]
                emit.store(combine(emit.builder, *lines, line), _at(emit, out, c))
                return []

            emit.loop(channels, [], step)

        return types.void(out, a, b, line, types.int64), _in_lines(body)

    return each


# NaN is never the largest; it shows in the sum.
_largest = _fold(float("-inf"), lambda do, best, a, b: do.select(do.fcmp_ordered(">", a, best), a, best))
_total = _fold(0.0, lambda do, total, a, b: do.fadd(total, a))
_dot = _fold(0.0, lambda do, total, a, b: do.fadd(total, do.fmul(a, b)))
_minus = _each(lambda do, a, b, line: do.fsub(a, line))
_over = _each(lambda do, a, b, line: do.fdiv(a, line))
_minus_times = _each(lambda do, a, b, line: do.fsub(a, do.fmul(b, line)))  # a - b*line
_times_minus = _each(lambda do, a, b, line: do.fmul(b, do.fsub(a, line)))  # (a - line)*b


@jit
def _exponentiate(values):
    """Replace values that are nowhere positive by their exponentials."""
    for i in range(values.size):
        values[i] = exp_nonpositive(values[i])


@jit
def _take_logarithms(values):
    for i in range(values.size):
        values[i] = log(values[i])


@kernel()
def softmax_forward(like, out, x, positions, channels, first, last, scratch):
    """out[c] = exp(x[c] - max x) / sum of exp(x - max x), over c."""
    size, line = channels * lanes_in(like), _on_stack(pointer(like, 0))
    for b in range(first, last):
        xs, outs = (
            block_at(like, x, b, first, scratch, positions * size),
            block_at(like, out, b, first, scratch, positions * size),
        )
        for p in range(positions):
            row, to = pointer(xs, p * size), pointer(outs, p * size)
            _largest(line, row, row, channels)
            _minus(to, row, row, line, channels)
            _exponentiate(carray(to, (size,)))
            _total(line, to, to, channels)
            _over(to, to, to, line, channels)


@kernel()
def softmax_backward(like, dx, dout, out, positions, channels, first, last, scratch):
    """dx[c] = out[c] * (dout[c] - sum of dout * out), over c."""
    size, line = channels * lanes_in(like), _on_stack(pointer(like, 0))
    for b in range(first, last):
        dxs = block_at(like, dx, b, first, scratch, positions * size)
        douts = block_at(like, dout, b, first, scratch, positions * size)
        outs = block_at(like, out, b, first, scratch, positions * size)
        for p in range(positions):
            gradients, row = pointer(douts, p * size), pointer(outs, p * size)
            _dot(line, gradients, row, channels)
            _times_minus(pointer(dxs, p * size), gradients, row, line, channels)


@kernel()
def log_softmax_forward(like, out, x, positions, channels, first, last, scratch):
    """out[c] = (x[c] - max x) - log(sum of exp(x - max x)), over c."""
    size, line, total = channels * lanes_in(like), _on_stack(pointer(like, 0)), _on_stack(pointer(like, 0))
    totals = carray(total, (_ROOM,))
    for i in range(_ROOM):
        totals[i] = 1
    for b in range(first, last):
        xs, outs = (
            block_at(like, x, b, first, scratch, positions * size),
            block_at(like, out, b, first, scratch, positions * size),
        )
        for p in range(positions):
            row, to = pointer(xs, p * size), pointer(outs, p * size)
            _largest(line, row, row, channels)
            _minus(to, row, row, line, channels)
            _exponentiate(carray(to, (size,)))
            _total(total, to, to, channels)
            _take_logarithms(totals)
            _minus(to, row, row, line, channels)
            _minus(to, to, to, total, channels)


@kernel()
def log_softmax_backward(like, dx, dout, out, positions, channels, first, last, scratch):
    """dx[c] = dout[c] - exp(out[c]) * sum of dout, over c."""
    size, line = channels * lanes_in(like), _on_stack(pointer(like, 0))
    for b in range(first, last):
        dxs = block_at(like, dx, b, first, scratch, positions * size)
        douts = block_at(like, dout, b, first, scratch, positions * size)
        outs = block_at(like, out, b, first, scratch, positions * size)
        for i in range(dxs.size):
            dxs[i] = exp_nonpositive(outs[i])
        for p in range(positions):
            to, gradients = pointer(dxs, p * size), pointer(douts, p * size)
            _total(line, gradients, gradients, channels)
            _minus_times(to, gradients, to, line, channels)
