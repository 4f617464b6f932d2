"""Softmax and its logarithm over the channels of lane blocks (positions, C, LANES).

    softmax_forward    (like, out, x, positions, channels)    softmax_backward    (like, dx, dout, out, positions, channels)
    log_softmax_forward(like, out, x, positions, channels)    log_softmax_backward(like, dx, dout, out, positions, channels)

All work in place: `out` may be `x`, `dx` may be `dout`. A sample that holds NaN or +inf at a position becomes NaN there.
"""

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import simd
from .._jit import jit
from .._kernel import kernel
from .._math import exp_nonpositive, log
from ..simd import pointer
from .layout import block_at, lanes_in


@intrinsic
def _on_stack(typingctx, like):
    """Room for one line on the stack; `like` is a pointer to the type of its elements."""

    def codegen(context, builder, signature, args):
        element = context.get_value_type(signature.return_type).pointee
        return cgutils.alloca_once(builder, element, size=simd.lanes(4 if isinstance(element, ir.FloatType) else 8))

    return like(like), codegen


@jit
def _line(like):
    """An array of one element for each lane, as temporary memory."""
    return carray(_on_stack(pointer(like, 0)), (lanes_in(like),))


@jit
def _rows(like, place, block, first, scratch, positions, channels):
    """A block as an array (positions, channels, lanes)."""
    lanes = lanes_in(like)
    return block_at(like, place, block, first, scratch, positions * channels * lanes).reshape(positions, channels, lanes)


@jit(fastmath={"contract"})
def _minus(a, b):
    """a - b, not to be reassociated: the maximum goes first, or what is left of large numbers drowns in it."""
    return a - b


@jit
def _find_maxima(maxima, x):
    """Largest of the channels in each lane of x (C, lanes). Of NaN, if the first is not, any: it shows in the sum."""
    for lane in range(maxima.size):
        maxima[lane] = x[0, lane]
    for c in range(1, x.shape[0]):
        for lane in range(maxima.size):
            maxima[lane] = x[c, lane] if x[c, lane] > maxima[lane] else maxima[lane]


@kernel()
def softmax_forward(like, out, x, positions, channels, first, last, scratch):
    """out[c] = exp(x[c] - max x) / sum of exp(x - max x), over c."""
    lanes, maxima, sums, line = lanes_in(like), _line(like), _line(like), _line(like)
    for b in range(first, last):
        xs = _rows(like, x, b, first, scratch, positions, channels)
        outs = _rows(like, out, b, first, scratch, positions, channels)
        for p in range(positions):
            _find_maxima(maxima, xs[p])
            for lane in range(lanes):
                sums[lane] = 0
            for c in range(channels):
                for lane in range(lanes):
                    line[lane] = exp_nonpositive(xs[p, c, lane] - maxima[lane])
                for lane in range(lanes):
                    outs[p, c, lane] = line[lane]
                    sums[lane] += line[lane]
            for lane in range(lanes):
                sums[lane] = like.dtype.type(1) / sums[lane]
            for c in range(channels):
                for lane in range(lanes):
                    outs[p, c, lane] *= sums[lane]


@kernel()
def softmax_backward(like, dx, dout, out, positions, channels, first, last, scratch):
    """dx[c] = out[c] * (dout[c] - sum of dout * out), over c."""
    lanes, dots = lanes_in(like), _line(like)
    for b in range(first, last):
        dxs = _rows(like, dx, b, first, scratch, positions, channels)
        douts = _rows(like, dout, b, first, scratch, positions, channels)
        outs = _rows(like, out, b, first, scratch, positions, channels)
        for p in range(positions):
            for lane in range(lanes):
                dots[lane] = 0
            for c in range(channels):
                for lane in range(lanes):
                    dots[lane] += douts[p, c, lane] * outs[p, c, lane]
            for c in range(channels):
                for lane in range(lanes):
                    dxs[p, c, lane] = outs[p, c, lane] * (douts[p, c, lane] - dots[lane])


@kernel()
def log_softmax_forward(like, out, x, positions, channels, first, last, scratch):
    """out[c] = x[c] - max x - log(sum of exp(x - max x)), over c."""
    lanes, maxima, sums = lanes_in(like), _line(like), _line(like)
    for b in range(first, last):
        xs = _rows(like, x, b, first, scratch, positions, channels)
        outs = _rows(like, out, b, first, scratch, positions, channels)
        for p in range(positions):
            _find_maxima(maxima, xs[p])
            for lane in range(lanes):
                sums[lane] = 0
            for c in range(channels):
                for lane in range(lanes):
                    sums[lane] += exp_nonpositive(xs[p, c, lane] - maxima[lane])
            for lane in range(lanes):
                sums[lane] = log(sums[lane])
            for c in range(channels):
                for lane in range(lanes):
                    outs[p, c, lane] = _minus(_minus(xs[p, c, lane], maxima[lane]), sums[lane])


@kernel()
def log_softmax_backward(like, dx, dout, out, positions, channels, first, last, scratch):
    """dx[c] = dout[c] - exp(out[c]) * sum of dout, over c."""
    lanes, sums, line = lanes_in(like), _line(like), _line(like)
    for b in range(first, last):
        dxs = _rows(like, dx, b, first, scratch, positions, channels)
        douts = _rows(like, dout, b, first, scratch, positions, channels)
        outs = _rows(like, out, b, first, scratch, positions, channels)
        for p in range(positions):
            for lane in range(lanes):
                sums[lane] = 0
            for c in range(channels):
                for lane in range(lanes):
                    sums[lane] += douts[p, c, lane]
            for c in range(channels):
                for lane in range(lanes):
                    line[lane] = exp_nonpositive(outs[p, c, lane]) * sums[lane]
                for lane in range(lanes):
                    dxs[p, c, lane] = douts[p, c, lane] - line[lane]
