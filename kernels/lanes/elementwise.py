"""Elementwise functions over lane blocks of `size` elements, positions*C*LANES: the loops of `activations` and
`smooth_activations`, block by block.

    relu_forward      (like, out, x, size)                    relu_backward      (like, dx, dout, out, size)
    leaky_relu_forward(like, out, x, negative_slope, size)    leaky_relu_backward(like, dx, dout, x, negative_slope, size)
    sigmoid_forward   (like, out, x, size)                    sigmoid_backward   (like, dx, dout, out, size)
    tanh_forward      (like, out, x, size)                    tanh_backward      (like, dx, dout, out, size)
    hardtanh_forward  (like, out, x, min_val, max_val, size)  hardtanh_backward  (like, dx, dout, out, min_val, max_val, size)
    elu_forward       (like, out, x, alpha, size)             elu_backward       (like, dx, dout, x, alpha, size)
    gelu_forward      (like, out, x, size)                    gelu_backward      (like, dx, dout, x, size)
    gelu_tanh_forward (like, out, x, size)                    gelu_tanh_backward (like, dx, dout, x, size)
    silu_forward      (like, out, x, size)                    silu_backward      (like, dx, dout, x, size)
    softplus_forward  (like, out, x, beta, threshold, size)   softplus_backward  (like, dx, dout, x, beta, threshold, size)
    add               (like, out, a, b, size)                 copy               (like, out, x, size)
    scale_by          (like, out, x, mask, size)

Arrays are Places. Any of the arrays read may lie where the one written does. Each kernel has its loop once more for that: a
loop over two arrays that turn out to overlap runs in scalars, while one over a single array goes element by element for sure.
(For sure if slices of it are known to start at the same place, hence the tests of `size`.)
"""

from .. import activations, smooth_activations
from .._jit import jit
from .._kernel import kernel
from ..simd import array_at, pointer
from .layout import block_at, locate


def _one_input(name, loop, scalars=0):
    """A kernel that runs ``loop(out, x, *scalars, first, last)`` on each block, with so many scalars."""
    call = (
        jit(inline="always")(lambda out, x, s, size: loop(out, x, 0, size)),
        jit(inline="always")(lambda out, x, s, size: loop(out, x, s[0], 0, size)),
        jit(inline="always")(lambda out, x, s, size: loop(out, x, s[0], s[1], 0, size)),
    )[scalars]

    @jit(inline="always")
    def each(like, out, x, s, size, first, last, scratch):
        if size < 1:
            return
        for block in range(first, last):
            out_at, x_at = locate(out, block, first, scratch), locate(x, block, first, scratch)
            outs = array_at(pointer(like, 0), out_at, size)
            if x_at == out_at:
                call(outs, outs, s, size)
            else:
                call(outs, array_at(pointer(like, 0), x_at, size), s, size)

    def no_scalar(like, out, x, size, first, last, scratch):
        each(like, out, x, (), size, first, last, scratch)

    def one_scalar(like, out, x, p, size, first, last, scratch):
        each(like, out, x, (p,), size, first, last, scratch)

    def two_scalars(like, out, x, p, q, size, first, last, scratch):
        each(like, out, x, (p, q), size, first, last, scratch)

    return _named(name, (no_scalar, one_scalar, two_scalars)[scalars])


def _two_inputs(name, loop, scalars=0):
    """A kernel that runs ``loop(out, a, b, *scalars, first, last)`` on each block, with so many scalars."""
    call = (
        jit(inline="always")(lambda out, a, b, s, size: loop(out, a, b, 0, size)),
        jit(inline="always")(lambda out, a, b, s, size: loop(out, a, b, s[0], 0, size)),
        jit(inline="always")(lambda out, a, b, s, size: loop(out, a, b, s[0], s[1], 0, size)),
    )[scalars]

    @jit(inline="always")
    def each(like, out, a, b, s, size, first, last, scratch):
        if size < 1:
            return
        for block in range(first, last):
            out_at, a_at = locate(out, block, first, scratch), locate(a, block, first, scratch)
            b_at = locate(b, block, first, scratch)
            outs = array_at(pointer(like, 0), out_at, size)
            if a_at == out_at:
                call(outs, outs, array_at(pointer(like, 0), b_at, size), s, size)
            elif b_at == out_at:
                call(outs, array_at(pointer(like, 0), a_at, size), outs, s, size)
            else:
                call(outs, array_at(pointer(like, 0), a_at, size), array_at(pointer(like, 0), b_at, size), s, size)

    def no_scalar(like, out, a, b, size, first, last, scratch):
        each(like, out, a, b, (), size, first, last, scratch)

    def one_scalar(like, out, a, b, p, size, first, last, scratch):
        each(like, out, a, b, (p,), size, first, last, scratch)

    def two_scalars(like, out, a, b, p, q, size, first, last, scratch):
        each(like, out, a, b, (p, q), size, first, last, scratch)

    return _named(name, (no_scalar, one_scalar, two_scalars)[scalars])


def _named(name, function):
    function.__name__ = function.__qualname__ = name  # by which the disk cache tells kernels apart
    return kernel()(function)


relu_forward = _one_input("relu_forward", activations.relu_forward.loop)
relu_backward = _two_inputs("relu_backward", activations.relu_backward.loop)
leaky_relu_forward = _one_input("leaky_relu_forward", activations.leaky_relu_forward.loop, 1)
leaky_relu_backward = _two_inputs("leaky_relu_backward", activations.leaky_relu_backward.loop, 1)
sigmoid_forward = _one_input("sigmoid_forward", activations.sigmoid_forward.loop)
sigmoid_backward = _two_inputs("sigmoid_backward", activations.sigmoid_backward.loop)
tanh_forward = _one_input("tanh_forward", activations.tanh_forward.loop)
tanh_backward = _two_inputs("tanh_backward", activations.tanh_backward.loop)
hardtanh_forward = _one_input("hardtanh_forward", activations.hardtanh_forward.loop, 2)
hardtanh_backward = _two_inputs("hardtanh_backward", activations.hardtanh_backward.loop, 2)
elu_forward = _one_input("elu_forward", smooth_activations.elu_forward.loop, 1)
elu_backward = _two_inputs("elu_backward", smooth_activations.elu_backward.loop, 1)
gelu_forward = _one_input("gelu_forward", smooth_activations.gelu_forward.loop)
gelu_backward = _two_inputs("gelu_backward", smooth_activations.gelu_backward.loop)
gelu_tanh_forward = _one_input("gelu_tanh_forward", smooth_activations.gelu_tanh_forward.loop)
gelu_tanh_backward = _two_inputs("gelu_tanh_backward", smooth_activations.gelu_tanh_backward.loop)
silu_forward = _one_input("silu_forward", smooth_activations.silu_forward.loop)
silu_backward = _two_inputs("silu_backward", smooth_activations.silu_backward.loop)
softplus_forward = _one_input("softplus_forward", smooth_activations.softplus_forward.loop, 2)
softplus_backward = _two_inputs("softplus_backward", smooth_activations.softplus_backward.loop, 2)
add = _two_inputs("add", activations.add.loop)
scale_by = _two_inputs("scale_by", activations.multiply.loop)  # dropout: the mask holds 0 or 1 / (1 - p)


@kernel()
def copy(like, out, x, size, first, last, scratch):
    """x, somewhere else."""
    for block in range(first, last):
        outs, xs = block_at(like, out, block, first, scratch, size), block_at(like, x, block, first, scratch, size)
        for i in range(size):
            outs[i] = xs[i]
