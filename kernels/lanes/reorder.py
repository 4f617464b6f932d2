"""Features of a flattened plane: pixel by pixel, as blocks hold planes, or channel by channel, as samples have them."""

from .._kernel import kernel
from .layout import block_at, lanes_in


@kernel()
def reorder(like, out, x, channels, positions, back, first, last, scratch):
    """out[c*positions + p] = x[p*channels + c]; with `back` the other way round. Elements are vectors over the samples."""
    lanes = lanes_in(like)
    size = channels * positions * lanes
    for b in range(first, last):
        source, target = block_at(like, x, b, first, scratch, size), block_at(like, out, b, first, scratch, size)
        for c in range(channels):
            for p in range(positions):
                plane, sample = (p * channels + c) * lanes, (c * positions + p) * lanes
                i, j = (plane, sample) if back == 0 else (sample, plane)
                row, to = source[i : i + lanes], target[j : j + lanes]
                for lane in range(lanes):
                    to[lane] = row[lane]
