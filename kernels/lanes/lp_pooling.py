"""Powers and roots over lane blocks of `size` elements: the loops of `lp_pooling`, block by block.

    power_forward(like, out, x, p, size)           power_backward(like, dx, dout, x, p, size)
    root_forward (like, out, x, p, scale, size)    root_backward (like, dx, dout, out, p, scale, size)

Arrays are Places, and no two of them are the same.
"""

from .. import lp_pooling
from .._kernel import kernel
from .layout import block_at

_power_forward, _power_backward = lp_pooling.power_forward.loop, lp_pooling.power_backward.loop
_root_forward, _root_backward = lp_pooling.root_forward.loop, lp_pooling.root_backward.loop


@kernel()
def power_forward(like, out, x, p, size, first, last, scratch):
    """x^p."""
    for b in range(first, last):
        outs, xs = block_at(like, out, b, first, scratch, size), block_at(like, x, b, first, scratch, size)
        _power_forward(outs, xs, p, 0, size)


@kernel()
def power_backward(like, dx, dout, x, p, size, first, last, scratch):
    """dout * p * x^(p - 1)."""
    for b in range(first, last):
        dxs, douts = block_at(like, dx, b, first, scratch, size), block_at(like, dout, b, first, scratch, size)
        _power_backward(dxs, douts, block_at(like, x, b, first, scratch, size), p, 0, size)


@kernel()
def root_forward(like, out, x, p, scale, size, first, last, scratch):
    """(scale * x)^(1/p)."""
    for b in range(first, last):
        outs, xs = block_at(like, out, b, first, scratch, size), block_at(like, x, b, first, scratch, size)
        _root_forward(outs, xs, p, scale, 0, size)


@kernel()
def root_backward(like, dx, dout, out, p, scale, size, first, last, scratch):
    """dout * scale/p * out^(1 - p), and 0 where out is 0."""
    for b in range(first, last):
        dxs, douts = block_at(like, dx, b, first, scratch, size), block_at(like, dout, b, first, scratch, size)
        _root_backward(dxs, douts, block_at(like, out, b, first, scratch, size), p, scale, 0, size)
