"""Features of a flattened plane: pixel by pixel, as blocks hold planes, or channel by channel, as samples have them."""

from .. import simd
from .._kernel import kernel
from .layout import locate
from .vectors import load, store


@kernel()
def reorder(like, out, x, channels, positions, back, first, last, scratch):
    """out[c*positions + p] = x[p*channels + c]; with `back` the other way round. Elements are vectors over the samples."""
    for b in range(first, last):
        source, target = locate(x, b, first, scratch), locate(out, b, first, scratch)
        for c in range(channels):
            for p in range(positions):
                plane, sample = (p * channels + c) * simd.VECTOR_BYTES, (c * positions + p) * simd.VECTOR_BYTES
                i, j = (plane, sample) if back == 0 else (sample, plane)
                store(target + j, load(like, source + i))
