"""Elementwise functions over lane blocks of `size` elements, positions*C*LANES: the loops of `activations`, block by block.

    relu_forward       (like, out, x, size)                    relu_backward      (like, dx, dout, out, size)
    leaky_relu_forward (like, out, x, negative_slope, size)    leaky_relu_backward(like, dx, dout, x, negative_slope, size)
    sigmoid_forward    (like, out, x, size)                    sigmoid_backward   (like, dx, dout, out, size)
    tanh_forward       (like, out, x, size)                    tanh_backward      (like, dx, dout, out, size)
    add                (like, out, a, b, size)                 copy               (like, out, x, size)
    scale_by           (like, out, x, mask, size)

Arrays are Places. Any of the arrays read may lie where the one written does. Each kernel has its loop once more for that: a
loop over two arrays that turn out to overlap runs in scalars, while one over a single array goes element by element for sure.
(For sure if slices of it are known to start at the same place, hence the tests of `size`.)
"""

from .. import activations
from .._kernel import kernel
from ..simd import array_at, pointer
from .layout import block_at, locate


def _one_input(name, loop):
    """A kernel that runs ``loop(out, x, first, last)`` on each block."""

    def over_blocks(like, out, x, size, first, last, scratch):
        if size < 1:
            return
        for block in range(first, last):
            out_at, x_at = locate(out, block, first, scratch), locate(x, block, first, scratch)
            outs = array_at(pointer(like, 0), out_at, size)
            if x_at == out_at:
                loop(outs, outs, 0, size)
            else:
                loop(outs, array_at(pointer(like, 0), x_at, size), 0, size)

    return _named(name, over_blocks)


def _two_inputs(name, loop):
    """A kernel that runs ``loop(out, a, b, first, last)`` on each block."""

    def over_blocks(like, out, a, b, size, first, last, scratch):
        if size < 1:
            return
        for block in range(first, last):
            out_at, a_at, b_at = (
                locate(out, block, first, scratch),
                locate(a, block, first, scratch),
                locate(b, block, first, scratch),
            )
            outs = array_at(pointer(like, 0), out_at, size)
            if a_at == out_at:
                loop(outs, outs, array_at(pointer(like, 0), b_at, size), 0, size)
            elif b_at == out_at:
                loop(outs, array_at(pointer(like, 0), a_at, size), outs, 0, size)
            else:
                loop(outs, array_at(pointer(like, 0), a_at, size), array_at(pointer(like, 0), b_at, size), 0, size)

    return _named(name, over_blocks)


def _named(name, function):
    function.__name__ = function.__qualname__ = name  # by which the disk cache tells kernels apart
    return kernel()(function)


relu_forward = _one_input("relu_forward", activations.relu_forward.loop)
relu_backward = _two_inputs("relu_backward", activations.relu_backward.loop)
sigmoid_forward = _one_input("sigmoid_forward", activations.sigmoid_forward.loop)
sigmoid_backward = _two_inputs("sigmoid_backward", activations.sigmoid_backward.loop)
tanh_forward = _one_input("tanh_forward", activations.tanh_forward.loop)
tanh_backward = _two_inputs("tanh_backward", activations.tanh_backward.loop)
add = _two_inputs("add", activations.add.loop)
scale_by = _two_inputs("scale_by", activations.multiply.loop)  # dropout: the mask holds 0 or 1 / (1 - p)

_leaky_relu_forward = activations.leaky_relu_forward.loop
_leaky_relu_backward = activations.leaky_relu_backward.loop


@kernel()
def leaky_relu_forward(like, out, x, negative_slope, size, first, last, scratch):
    """x where it is positive, else negative_slope * x."""
    if size < 1:
        return
    for block in range(first, last):
        out_at, x_at = locate(out, block, first, scratch), locate(x, block, first, scratch)
        outs = array_at(pointer(like, 0), out_at, size)
        if x_at == out_at:
            _leaky_relu_forward(outs, outs, negative_slope, 0, size)
        else:
            _leaky_relu_forward(outs, array_at(pointer(like, 0), x_at, size), negative_slope, 0, size)


@kernel()
def leaky_relu_backward(like, dx, dout, x, negative_slope, size, first, last, scratch):
    """dout where x is positive, else negative_slope * dout."""
    if size < 1:
        return
    for block in range(first, last):
        dx_at, dout_at = locate(dx, block, first, scratch), locate(dout, block, first, scratch)
        dxs, xs = array_at(pointer(like, 0), dx_at, size), block_at(like, x, block, first, scratch, size)
        if dout_at == dx_at:
            _leaky_relu_backward(dxs, dxs, xs, negative_slope, 0, size)
        else:
            _leaky_relu_backward(dxs, array_at(pointer(like, 0), dout_at, size), xs, negative_slope, 0, size)


@kernel()
def copy(like, out, x, size, first, last, scratch):
    """x, somewhere else."""
    for block in range(first, last):
        outs, xs = block_at(like, out, block, first, scratch, size), block_at(like, x, block, first, scratch, size)
        for i in range(size):
            outs[i] = xs[i]
