"""Local response normalization over lane blocks (positions, C, LANES).

    lrn_forward (like, out, x, row, positions, channels, size, alpha, beta, k)
    lrn_backward(like, dx, dout, x, rows, positions, channels, size, alpha, beta, k)

Position by position, with the loops of `fastnn.kernels.lrn` but for the windows: the terms of a sum are whole vectors here,
which it takes in turn. `row` and `rows` are places for one and for three vectors of each channel. Scales are not kept for the
way back: to sum a window of what is in the level-1 cache anyway is quicker than to read them.
"""

from .._jit import jit
from .._kernel import kernel
from .._lrn import inverse_power, multiply_by, rest_of_gradient, start_of_gradient
from ..simd import VECTOR_BYTES
from .layout import block_at, lanes_in, locate
from .vectors import load, splat, store


@jit
def _window_sums(like, to, a, b, channels, before, after, factor, offset):
    """At address `to`: offset + factor * sum of a*b over the channels from c - before to c + after, as far as they exist."""
    factor, offset = like.dtype.type(factor), like.dtype.type(offset)
    for c in range(channels):
        found = splat(like, 0)
        for d in range(max(0, c - before), min(channels, c + after + 1)):
            found += load(like, a + d * VECTOR_BYTES) * load(like, b + d * VECTOR_BYTES)
        store(to + c * VECTOR_BYTES, found * factor + offset)


@kernel()
def lrn_forward(like, out, x, row, positions, channels, size, alpha, beta, k, first, last, scratch):
    """out = x / (k + alpha/size * sum of x*x over a window of channels)**beta."""
    lanes = lanes_in(like)
    width = channels * lanes
    scale, scale_at = block_at(like, row, first, first, scratch, width), locate(row, first, first, scratch)
    for b in range(first, last):
        outs = block_at(like, out, b, first, scratch, positions * width)
        xs = block_at(like, x, b, first, scratch, positions * width)
        for p in range(positions):
            out_row, x_row = outs[p * width : (p + 1) * width], xs[p * width : (p + 1) * width]
            x_at = locate(x, b, first, scratch) + p * channels * VECTOR_BYTES
            _window_sums(like, scale_at, x_at, x_at, channels, size // 2, (size - 1) // 2, alpha / size, k)
            inverse_power(out_row, scale, beta)
            multiply_by(out_row, x_row)


@kernel()
def lrn_backward(like, dx, dout, x, rows, positions, channels, size, alpha, beta, k, first, last, scratch):
    """dx = dout * scale**-beta - 2*alpha*beta/size * x * sum of dout * x * scale**(-beta - 1) over a window turned around."""
    lanes = lanes_in(like)
    width = channels * lanes
    memory = block_at(like, rows, first, first, scratch, 3 * width)
    scale, ratio, sums = memory[:width], memory[width : 2 * width], memory[2 * width :]
    scale_at = locate(rows, first, first, scratch)
    ratio_at, sums_at = scale_at + channels * VECTOR_BYTES, scale_at + 2 * channels * VECTOR_BYTES
    for b in range(first, last):
        dxs = block_at(like, dx, b, first, scratch, positions * width)
        douts = block_at(like, dout, b, first, scratch, positions * width)
        xs = block_at(like, x, b, first, scratch, positions * width)
        for p in range(positions):
            dx_row, dout_row = dxs[p * width : (p + 1) * width], douts[p * width : (p + 1) * width]
            x_row = xs[p * width : (p + 1) * width]
            here = p * channels * VECTOR_BYTES
            x_at, dout_at = locate(x, b, first, scratch) + here, locate(dout, b, first, scratch) + here
            _window_sums(like, scale_at, x_at, x_at, channels, size // 2, (size - 1) // 2, alpha / size, k)
            start_of_gradient(dx_row, ratio, dout_row, x_row, scale, beta)
            _window_sums(like, sums_at, dout_at, ratio_at, channels, (size - 1) // 2, size // 2, 1, 0)
            rest_of_gradient(dx_row, sums, x_row, 2 * alpha * beta / size)
