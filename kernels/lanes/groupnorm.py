"""Group and layer normalization over lane blocks (positions, C, LANES): each sample, so each lane, by itself.

    groupnorm_forward (like, double, out, stats, x, weight, bias, sizes, eps)
    groupnorm_backward(like, double, dx, dweight, dbias, work, dout, x, stats, weight, sizes, chunk, need_dx)

`sizes` is (positions, C, G, channel step, position step). A group is C/G neighbouring channels at all positions; the weight of
channel c at position p is number c*(channel step) + p*(position step), so that there may be one for each channel (1, 0), for
each element of a sample (positions, 1), or for each position (0, 1).

`stats` is the place of three vectors for each group, from forward to backward: xhat = (x - high)*rstd + shift, as in
`fastnn.kernels.groupnorm`. `work` is memory for two vectors for each weight. dweight and dbias are arrays with a row for each
chunk, or with none where a layer has no such parameter. `double` is an empty array of float64.
"""

import math

import numpy as np

from .._jit import jit
from .._kernel import kernel
from ..simd import VECTOR_BYTES
from .layout import block_at, lanes_in, locate
from .vectors import lane_array, load, load_array, splat, store, store_array, total, totals, widen

_STATS = 3  # vectors of a group


@jit
def _moments(like, sums, squares, x_at, g, sizes):
    """Sums of a group's differences from its first value, and of their squares, into arrays of a value for each lane."""
    positions, C, G, _, _ = sizes
    width = C // G
    origin = widen(load(like, x_at + g * width * VECTOR_BYTES))
    added, squared = widen(splat(like, 0)), widen(splat(like, 0))
    for p in range(positions):
        at = x_at + (p * C + g * width) * VECTOR_BYTES
        for c in range(width):
            d = widen(load(like, at + c * VECTOR_BYTES)) - origin
            added += d
            squared += d * d
    store_array(sums, added)
    store_array(squares, squared)


@kernel(mixed=True)
def groupnorm_forward(like, double, out, stats, x, weight, bias, sizes, eps, first, last, scratch):
    """out = xhat*weight + bias."""
    positions, C, G, channel_step, position_step = sizes
    lanes, width = lanes_in(like), C // G
    sums, squares = lane_array(like, double), lane_array(like, double)
    for b in range(first, last):
        x_at, out_at = locate(x, b, first, scratch), locate(out, b, first, scratch)
        xs = block_at(like, x, b, first, scratch, C * lanes)
        kept = block_at(like, stats, b, first, scratch, G * _STATS * lanes)
        for g in range(G):
            _moments(like, sums, squares, x_at, g, sizes)
            origins, kept_g = xs[g * width * lanes :], kept[g * _STATS * lanes :]
            for i in range(lanes):
                difference = sums[i] / (width * positions)
                variance = squares[i] / (width * positions) - difference * difference
                variance = 0.0 if variance < 0 else variance
                mean, rstd = np.float64(origins[i]) + difference, 1 / math.sqrt(variance + eps)
                high = like.dtype.type(mean)
                kept_g[i], kept_g[lanes + i], kept_g[2 * lanes + i] = high, rstd, (np.float64(high) - mean) * rstd
            kept_at = locate(stats, b, first, scratch) + g * _STATS * VECTOR_BYTES
            high, rstd, shift = _statistics(like, kept_at)
            for p in range(positions):
                start = (p * C + g * width) * VECTOR_BYTES
                number = p * position_step + g * width * channel_step
                for c in range(width):
                    xhat = (load(like, x_at + start + c * VECTOR_BYTES) - high) * rstd + shift
                    at = number + c * channel_step
                    store(out_at + start + c * VECTOR_BYTES, xhat * weight[at] + bias[at])


@jit
def _statistics(like, address):
    return load(like, address), load(like, address + VECTOR_BYTES), load(like, address + 2 * VECTOR_BYTES)


@jit
def _mean(like, narrow, wide, added, count):
    """A sum in double precision over so many, as a vector of the dtype of `like`."""
    store_array(wide, added)
    for i in range(narrow.size):
        narrow[i] = wide[i] / count
    return load_array(narrow)


@jit
def _add_lanes(like, narrow, out, address, length, step):
    """Sums over the lanes of vectors from an address on, into an array: number c of row r to element r + c*step."""
    lanes = lanes_in(like)
    for r in range(out.size // length):
        row = address + r * length * VECTOR_BYTES
        for start in range(0, length - lanes + 1, lanes):
            store_array(narrow, totals(like, row + start * VECTOR_BYTES))
            for i in range(lanes):
                out[r + (start + i) * step] = narrow[i]
        for c in range(length // lanes * lanes, length):
            out[r + c * step] = total(load(like, row + c * VECTOR_BYTES))


@kernel(mixed=True)
def groupnorm_backward(
    like,
    double,
    dx,
    dweight,
    dbias,
    work,
    dout,
    x,
    stats,
    weight,
    sizes,
    chunk,
    need_dx,
    first,
    last,
    scratch,
):
    """Sums of dout and dout*xhat; with `need_dx` dx = rstd * (dout*weight - mean of that - xhat * mean of dout*weight*xhat)."""
    positions, C, G, channel_step, position_step = sizes
    lanes, width = lanes_in(like), C // G
    narrow, wide = lane_array(like, like), lane_array(like, double)
    added = block_at(like, work, first, first, scratch, 2 * weight.size * lanes)
    for i in range(added.size):
        added[i] = 0
    dbias_at = locate(work, first, first, scratch)
    dweight_at = dbias_at + weight.size * VECTOR_BYTES
    # sums lie in the order of the block: where each element has a weight, position by position
    each = position_step > 0 and channel_step > 0
    row_step, sum_step = C if each else position_step, min(1, channel_step)
    for b in range(first, last):
        x_at, dout_at = locate(x, b, first, scratch), locate(dout, b, first, scratch)
        for g in range(G):
            high, rstd, shift = _statistics(like, locate(stats, b, first, scratch) + g * _STATS * VECTOR_BYTES)
            upstream, along = widen(splat(like, 0)), widen(splat(like, 0))
            for p in range(positions):
                start = (p * C + g * width) * VECTOR_BYTES
                number = p * position_step + g * width * channel_step
                sums_at = dbias_at + (p * row_step + g * width * sum_step) * VECTOR_BYTES
                products_at = sums_at + weight.size * VECTOR_BYTES
                for c in range(width):
                    at = c * sum_step * VECTOR_BYTES
                    d = load(like, dout_at + start + c * VECTOR_BYTES)
                    xhat = (load(like, x_at + start + c * VECTOR_BYTES) - high) * rstd + shift
                    store(sums_at + at, load(like, sums_at + at) + d)
                    store(products_at + at, load(like, products_at + at) + d * xhat)
                    d = d * weight[number + c * channel_step]
                    upstream += widen(d)
                    along += widen(d * xhat)
            if need_dx == 0:
                continue
            dx_at, count = locate(dx, b, first, scratch), np.float64(width * positions)
            mean_d, mean_p = _mean(like, narrow, wide, upstream, count), _mean(like, narrow, wide, along, count)
            for p in range(positions):
                start = (p * C + g * width) * VECTOR_BYTES
                number = p * position_step + g * width * channel_step
                for c in range(width):
                    d = load(like, dout_at + start + c * VECTOR_BYTES) * weight[number + c * channel_step]
                    xhat = (load(like, x_at + start + c * VECTOR_BYTES) - high) * rstd + shift
                    store(dx_at + start + c * VECTOR_BYTES, rstd * (d - mean_d - xhat * mean_p))
    length, step = (C, positions) if each else (weight.size, 1)
    if dweight.size > 0:
        _add_lanes(like, narrow, dweight[first // chunk], dweight_at, length, step)
    if dbias.size > 0:
        _add_lanes(like, narrow, dbias[first // chunk], dbias_at, length, step)
