"""Sums over the pixels of an output: the kernels behind conv2d_backward_weight."""

import numpy as np

from . import _correlation, simd
from ._correlate import ITEMS
from ._kernel import kernel
from ._planes import fill_planes, zero
from .gemm import dot_rows

_PLANE_BYTES = 192 * 1024  # of the planes that are worked on at a time
_FILTERS = 64  # in one item
_VECTORS = 128  # to sum over before lanes are added up, if the samples suffice


@kernel()
def correlate_weight(dweight, image, dout, offsets, whole, partial, phases, planes, shape, blocks, first, last, scratch):
    """dweight[s, f, k] = sum over the samples of set s and the pixels p of dout[n, f, p] * planes(image[n])[offsets[k] + p].

    Items: (set of samples, group, block of filters). The tables cover one block of samples: `whole` has (position in the
    planes, position in dout) of every full vector, `partial` these and the number of valid lanes of the others.
    """
    filters, channels, taps, half, groups, samples_per_set, whole_per_sample, partial_per_sample = shape
    block_samples, block_channels, block_filters = blocks
    plane_size = planes[6] * planes[7] * planes[8]
    depth = channels * taps
    samples, pixels = dout.shape[0], dout.shape[2] * dout.shape[3]
    filter_blocks = (filters + block_filters - 1) // block_filters
    like = simd.pointer(dweight, 0)
    space = simd.array_at(like, scratch, block_samples * block_channels * plane_size + simd.VECTOR_BYTES // simd.itemsize(like))
    whole_at, partial_at, planes_at = simd.pointer(whole, 0), simd.pointer(partial, 0), simd.pointer(space, 0)
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
                        columns = 4 if block * taps - k >= 4 else 1
                        to, b = simd.pointer(dweight, target + k), simd.pointer(offsets, k)
                        if half:
                            simd.dot_tile_at_half(
                                rows,
                                columns,
                                a,
                                pixels,
                                planes_at,
                                b,
                                whole_at,
                                wholes,
                                partial_at,
                                partials,
                                to,
                                depth,
                                accumulate,
                            )
                        else:
                            simd.dot_tile_at(
                                rows,
                                columns,
                                a,
                                pixels,
                                planes_at,
                                b,
                                whole_at,
                                wholes,
                                partial_at,
                                partials,
                                to,
                                depth,
                                accumulate,
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
def weight_tables(x_shape, dout_shape, weight_shape, stride, padding, dilation, groups, itemsize):
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
    correlation = _correlation.forward(channels, filters, *sizes, stride, padding, dilation, itemsize)
    whole, partial, half = _correlation.reduction_vectors(correlation, itemsize)

    filter_blocks = -(-filters // _FILTERS)
    block_filters = -(-filters // filter_blocks)
    size = correlation.planes.size
    block_samples = max(1, min(16, samples, _VECTORS // (len(whole) + len(partial)), _PLANE_BYTES // (size * itemsize)))
    block_channels = max(1, min(channels, _PLANE_BYTES // (size * itemsize * block_samples)))
    samples_per_set = -(-samples // min(samples, max(1, -(-ITEMS // (groups * filter_blocks)))))
    sets = -(-samples // samples_per_set)

    image_step, dout_step = block_channels * size, dout_shape[1] * dout_shape[2] * dout_shape[3]
    steps = [np.array((s * image_step, s * dout_step, 0)) for s in range(block_samples)]
    whole_table = np.concatenate([whole + step for step in steps])[:, :2]
    partial_table = np.concatenate([partial + step for step in steps])
    shape = (filters, channels, taps, int(half), groups, samples_per_set, len(whole), len(partial))
    blocks = (block_samples, block_channels, block_filters)
    tables = (correlation.offsets, np.ascontiguousarray(whole_table), partial_table, correlation.phases)
    scratch = block_samples * image_step * itemsize + simd.VECTOR_BYTES + 64
    return (*tables, tuple(correlation.planes), shape, blocks), sets, sets * groups * filter_blocks, scratch
