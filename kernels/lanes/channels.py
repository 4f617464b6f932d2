"""Channels of one tensor as channels of another: how branches are joined, and their gradient taken apart."""

from .. import simd
from .._kernel import kernel
from .layout import locate
from .vectors import load, store


@kernel()
def copy_channels(like, out, x, out_start, out_channels, x_start, x_channels, channels, positions, first, last, scratch):
    """out[p, out_start + c] = x[p, x_start + c] for c below `channels`. Elements are vectors over the samples."""
    line = simd.VECTOR_BYTES
    for b in range(first, last):
        source = locate(x, b, first, scratch) + x_start * line
        target = locate(out, b, first, scratch) + out_start * line
        for p in range(positions):
            to, at = target + p * out_channels * line, source + p * x_channels * line
            for c in range(0, channels * line, line):
                store(to + c, load(like, at + c))
