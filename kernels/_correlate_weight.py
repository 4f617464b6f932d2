"""Sums over the pixels of an output: the kernels behind conv2d_backward_weight."""

import numpy as np

from . import _correlation, simd, tiles
from ._correlate import ITEMS
from ._kernel import kernel
from ._planes import fill_planes, zero
from .tiles import dot_rows, invoke

_PLANE_BYTES = 192 * 1024  # of the planes that are worked on at a time
_FILTERS = 64  # in one item
_SET_VECTORS = 128  # to sum over in a set, if the samples suffice
_BLOCK_VECTORS = 64  # in one sum: then a tile's rows of dout, read again for every few taps, stay in the level-1 cache


@kernel()
def correlate_weight(dweight, image, dout, offsets, whole, partial, phases, planes, shape, blocks, tile, first, last, scratch):
    """dweight[s, f, k] = sum over the samples of set s and the pixels p of dout[n, f, p] * planes(image[n])[offsets[k] + p].

    Items: (set of samples, group, block of filters). The tables, for `tiles.dot_at`, cover one block of samples.
    """
    filters, channels, taps, groups, samples_per_set, whole_per_sample, partial_per_sample = shape
    block_samples, block_channels, block_filters = blocks
    plane_size = planes[6] * planes[7] * planes[8]
    depth = channels * taps
    samples, pixels = dout.shape[0], dout.shape[2] * dout.shape[3]
    filter_blocks = (filters + block_filters - 1) // block_filters
    like = simd.pointer(dweight, 0)
    space = simd.array_at(like, scratch, block_samples * block_channels * plane_size + simd.VECTOR_BYTES // simd.itemsize(like))
    wholes_at, partials_at, planes_at = simd.pointer(whole, 0), simd.pointer(partial, 0), simd.pointer(space, 0)
    zero(space)
    for item in range(first, last):
        sample_set, g = item // (groups * filter_blocks), item // filter_blocks % groups
        f_first = item % filter_blocks * block_filters
        f_last = min(filters, f_first + block_filters)
        n_first = sample_set * samples_per_set
        n_last = min(samples, n_first + samples_per_set)
        for n0 in range(n_first, n_last, block_samples):
            count = min(block_samples, n_last - n0)
            wholes, partials = count * whole_per_sample, count * partial_per_sample
            accumulate = 1 if n0 > n_first else 0
            for c0 in range(0, channels, block_channels):
                block = min(block_channels, channels - c0)
                for s in range(count):
                    at = s * block_channels * plane_size
                    part = space[at : at + block_channels * plane_size]
                    fill_planes(part, image, n0 + s, g * channels + c0, block, phases, planes)
                f = f_first
                while f < f_last:
                    rows = dot_rows(f_last - f)
                    a = simd.pointer(dout, ((n0 * groups + g) * filters + f) * pixels)
                    target = ((sample_set * groups + g) * filters + f) * depth + c0 * taps
                    k = 0
                    while k < block * taps:
                        columns = min(4, block * taps - k)
                        to, b_k = simd.pointer(dweight, target + k), simd.pointer(offsets, k)
                        invoke(
                            tile,
                            (
                                rows,
                                columns,
                                a,
                                pixels,
                                planes_at,
                                b_k,
                                wholes_at,
                                wholes,
                                partials_at,
                                partials,
                                to,
                                depth,
                                accumulate,
                            ),
                        )
                        k += columns
                    f += rows


@kernel()
def sum_sets(total, parts, first, last):
    """total[i] = sum_s parts[s, i], in the order of s."""
    total_i = total[first:last]
    part = parts[0, first:last]
    for i in range(total_i.size):
        total_i[i] = part[i]
    for s in range(1, parts.shape[0]):
        part = parts[s, first:last]
        for i in range(total_i.size):
            total_i[i] += part[i]


@_correlation.cached
def weight_tables(x_shape, dout_shape, weight_shape, stride, padding, dilation, groups, dtype):
    """How to split a weight gradient, from the shapes alone.

    Returns
    -------
    args : tuple
        Arguments of `correlate_weight` behind dout.
    sets, items, scratch : int
        Sets of samples that add into gradients of their own, items, bytes of scratch memory.
    """
    samples, channels, filters = x_shape[0], weight_shape[1], weight_shape[0] // groups
    taps = weight_shape[2] * weight_shape[3]
    sizes = (x_shape[2:], dout_shape[2:], weight_shape[2:])
    correlation = _correlation.forward(channels, *sizes, stride, padding, dilation, dtype)
    pieces, whole, partial = _correlation.reduction_vectors(correlation, dtype)

    # As many sets as there are items to aim at, if their samples are enough for long sums; then fewer filters to an item.
    vectors = len(whole) + len(partial)
    filter_blocks = -(-filters // _FILTERS)
    sets = max(1, min(samples, ITEMS // (groups * filter_blocks), samples * vectors // _SET_VECTORS))
    samples_per_set = -(-samples // sets)
    sets = -(-samples // samples_per_set)
    if sets * groups * filter_blocks < ITEMS // 2:  # every block of filters costs another copy of the planes
        filter_blocks = -(-ITEMS // (sets * groups))
    tile = simd.DOT_ROWS[0]
    block_filters = min(filters, max(2 * tile, -(-filters // (filter_blocks * tile)) * tile))
    filter_blocks = -(-filters // block_filters)

    plane_bytes = correlation.planes.size * dtype.itemsize
    block_samples = max(1, min(16, samples_per_set, _BLOCK_VECTORS // vectors, _PLANE_BYTES // plane_bytes))
    block_channels = max(1, min(channels, _PLANE_BYTES // (plane_bytes * block_samples)))

    # The tables again for every sample of a block: it lies one image further on, in the planes and in dout.
    image_step, dout_step = block_channels * correlation.planes.size, dout_shape[1] * dout_shape[2] * dout_shape[3]
    step = np.array([dout_step] + [image_step] * pieces)
    whole_table = np.concatenate([whole + s * step for s in range(block_samples)])
    partial_table = np.concatenate([partial + s * np.append(step, 0) for s in range(block_samples)])
    shape = (filters, channels, taps, groups, samples_per_set, len(whole), len(partial))
    blocks = (block_samples, block_channels, block_filters)
    tables = (correlation.offsets, whole_table, partial_table, correlation.phases, tuple(correlation.planes))
    scratch = block_samples * image_step * dtype.itemsize + simd.VECTOR_BYTES + 64
    return (*tables, shape, blocks, tiles.dot_at(dtype, pieces)), sets, sets * groups * filter_blocks, scratch
