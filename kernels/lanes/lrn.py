"""Local response normalization over lane blocks (positions, C, LANES).

    lrn_forward (like, out, x, row, positions, channels, size, alpha, beta, k)
    lrn_backward(like, dx, dout, x, rows, positions, channels, size, alpha, beta, k)

The loops of `fastnn.kernels.lrn`, position by position: there channels lie LANES elements apart. `row` and `rows` are places
for one and for three vectors of each channel. Scales are not kept for the way back: to sum a window of what is in the
level-1 cache anyway is quicker than to read them.
"""

from .._kernel import kernel
from .._lrn import inverse_power, multiply_by, rest_of_gradient, scale_of_sums, start_of_gradient, window_sums
from .layout import block_at, lanes_in


@kernel()
def lrn_forward(like, out, x, row, positions, channels, size, alpha, beta, k, first, last, scratch):
    """out = x / (k + alpha/size * sum of x*x over a window of channels)**beta."""
    lanes = lanes_in(like)
    width = channels * lanes
    scale = block_at(like, row, first, first, scratch, width)
    for b in range(first, last):
        outs = block_at(like, out, b, first, scratch, positions * width)
        xs = block_at(like, x, b, first, scratch, positions * width)
        for p in range(positions):
            out_row, x_row = outs[p * width : (p + 1) * width], xs[p * width : (p + 1) * width]
            window_sums(scale, x_row, x_row, 0, lanes, size // 2, (size - 1) // 2)
            scale_of_sums(scale, alpha / size, k)
            inverse_power(out_row, scale, beta)
            multiply_by(out_row, x_row)


@kernel()
def lrn_backward(like, dx, dout, x, rows, positions, channels, size, alpha, beta, k, first, last, scratch):
    """dx = dout * scale**-beta - 2*alpha*beta/size * x * sum of dout * x * scale**(-beta - 1) over a window turned around."""
    lanes = lanes_in(like)
    width = channels * lanes
    memory = block_at(like, rows, first, first, scratch, 3 * width)
    scale, ratio, sums = memory[:width], memory[width : 2 * width], memory[2 * width :]
    for b in range(first, last):
        dxs = block_at(like, dx, b, first, scratch, positions * width)
        douts = block_at(like, dout, b, first, scratch, positions * width)
        xs = block_at(like, x, b, first, scratch, positions * width)
        for p in range(positions):
            dx_row, dout_row = dxs[p * width : (p + 1) * width], douts[p * width : (p + 1) * width]
            x_row = xs[p * width : (p + 1) * width]
            window_sums(scale, x_row, x_row, 0, lanes, size // 2, (size - 1) // 2)
            scale_of_sums(scale, alpha / size, k)
            start_of_gradient(dx_row, ratio, dout_row, x_row, scale, beta)
            window_sums(sums, dout_row, ratio, 0, lanes, (size - 1) // 2, size // 2)
            rest_of_gradient(dx_row, sums, x_row, 2 * alpha * beta / size)
