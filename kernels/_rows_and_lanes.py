"""Exponentials and sums over the middle axis of (A, C, B) arrays, which softmax and cross-entropy share.

Where B = 1 an item is a row of C neighbours; exponentials of all rows of a chunk are taken in one flat loop, so that short
rows (ten classes) fill the vectors too. Otherwise an item is a block of up to `LANES` neighbouring b at one a, and every loop
runs along b.

    over_rows, over_blocks                settings of kernels over rows and over blocks
    row_max, row_sum, row_exponentials    of rows
    block_of, lane_exponentials           of blocks

The maximum is subtracted before exp: nothing overflows.
"""

from ._jit import jit
from ._math import exp_nonpositive, ordered, unordered

LANES = 256
_CHUNK = 8192  # elements


def _rows_chunk(shape):
    return max(1, _CHUNK // max(1, shape[1]))


# Settings of a kernel over rows or blocks whose second argument is (A, C, B).
over_rows = {
    "items": lambda out, x, *_: x.shape[0] if x.size else 0,
    "chunk": lambda out, x, *_: _rows_chunk(x.shape),
    "cost": lambda out, x, *_: x.size,
    "scratch": lambda out, x, *_: _rows_chunk(x.shape) * x.itemsize,
}
over_blocks = {
    "items": lambda out, x, *_: x.shape[0] * -(-x.shape[2] // LANES) if x.size else 0,
    "chunk": lambda out, x, *_: max(1, _CHUNK // max(1, x.shape[1] * min(x.shape[2], LANES))),
    "cost": lambda out, x, *_: x.size,
    "scratch": lambda out, x, *_: 4 * LANES * x.itemsize,
}


@jit
def block_of(item, B):
    """Of a block: its a, its first b and its number of lanes."""
    blocks = (B + LANES - 1) // LANES
    b = item % blocks * LANES
    return item // blocks, b, min(LANES, B - b)


@jit
def row_max(row):
    """Largest element; where NaN occurs, NaN or another element."""
    best = ordered(row[0])
    for c in range(row.size):
        best = max(best, ordered(row[c]))
    return unordered(best)


@jit
def row_sum(row):
    total = row.dtype.type(0)
    for c in range(row.size):
        total += row[c]
    return total


@jit
def row_exponentials(out, x, maxima, C):
    """For flat rows of C: maxima[r] = largest of row r of x, out = exp(x - maxima)."""
    for r in range(maxima.size):
        row, out_row = x[r * C : (r + 1) * C], out[r * C : (r + 1) * C]
        largest = row_max(row)
        maxima[r] = largest
        for c in range(C):
            out_row[c] = row[c] - largest
    for i in range(out.size):
        out[i] = exp_nonpositive(out[i])


@jit
def lane_exponentials(out, maxima, sums, x, start, C, B):
    """For lanes l from `start`: maxima[l] = largest of x over c, out = exp(x - maxima), sums[l] = sum of out over c."""
    for b in range(maxima.size):
        maxima[b] = x[start + b]
    for c in range(1, C):
        row = x[start + c * B : start + c * B + maxima.size]
        for b in range(maxima.size):
            maxima[b] = row[b] if row[b] > maxima[b] else maxima[b]
    for b in range(sums.size):
        sums[b] = 0
    for c in range(C):
        at = start + c * B
        row, out_row = x[at : at + sums.size], out[at : at + sums.size]
        for b in range(sums.size):
            out_row[b] = exp_nonpositive(row[b] - maxima[b])
        for b in range(sums.size):
            sums[b] += out_row[b]
