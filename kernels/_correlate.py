"""Correlations over the planes of an image: the kernel behind conv2d_forward and conv2d_backward_input."""

from . import simd
from ._correlation import (
    COLUMN,
    DEPTH,
    HALF,
    HEIGHT,
    PACKED,
    ROW,
    TAPS_AT,
    VECTORS,
    VECTORS_AT,
    WEIGHT_AT,
    WIDTH,
)
from ._jit import jit
from ._kernel import kernel
from ._planes import fill_panel, fill_planes, panel_segments, zero
from .gemm import tile_rows
from .simd import ACCUMULATE, OUTER_VECTORS, ROW_BIAS, ZERO

_PANEL_DEPTH = 1024  # taps in one packed panel: it stays in the level-2 cache
ITEMS = 16  # independent pieces of work to aim at, whatever the number of threads


@jit
def _filters_along_rows(c, target, target_row, weight, depth, first, last, bias, bias_at, space, offsets, vectors, classes):
    """All tiles of filters first..last for class `c`: vectors follow the rows of the output."""
    count = classes[c, VECTORS]
    taps = simd.pointer(offsets, classes[c, TAPS_AT])
    source = simd.pointer(space, 0)
    mode = ROW_BIAS if bias.size > 0 else ZERO
    v = 0
    while v < count:
        tile_vectors = min(OUTER_VECTORS, count - v)
        table = simd.pointer(vectors, 3 * (classes[c, VECTORS_AT] + v))
        f = first
        while f < last:
            rows = tile_rows(last - f)
            w_f, to = simd.shift(weight, f * depth), simd.shift(target, (f - first) * target_row)
            b_f = simd.pointer(bias, bias_at + f if bias.size > 0 else 0)
            if classes[c, HALF]:
                simd.outer_tile_at_half(
                    rows, tile_vectors, w_f, depth, 1, source, taps, table, depth, to, target_row, mode, b_f
                )
            else:
                simd.outer_tile_at(rows, tile_vectors, w_f, depth, 1, source, taps, table, depth, to, target_row, mode, b_f)
            f += rows
        v += OUTER_VECTORS


@jit
def _filters_by_panels(
    c, target, target_row, weight, depth, first, last, bias, bias_at, space, offsets, classes, plane_width, panel, segments
):
    """All tiles of filters first..last for class `c`: pixels packed into panels, for rows that are shorter than vectors."""
    width = classes[c, WIDTH]
    pixels = classes[c, HEIGHT] * width
    lane_count = simd.VECTOR_BYTES // simd.itemsize(target)
    panel_width = lane_count * OUTER_VECTORS
    source = simd.pointer(panel, 0)
    p = 0
    while p < pixels:
        valid = min(panel_width, pixels - p)
        tile_vectors = (valid + lane_count - 1) // lane_count
        runs = panel_segments(segments, p, valid, width, plane_width)
        k0 = 0
        while k0 < depth:
            kc = min(_PANEL_DEPTH, depth - k0)
            fill_panel(panel, space, offsets, classes[c, TAPS_AT] + k0, kc, segments, runs, panel_width)
            mode = ACCUMULATE if k0 > 0 else (ROW_BIAS if bias.size > 0 else ZERO)
            f = first
            while f < last:
                rows = tile_rows(last - f)
                w_f, to = simd.shift(weight, f * depth + k0), simd.shift(target, (f - first) * target_row + p)
                b_f = simd.pointer(bias, bias_at + f if bias.size > 0 else 0)
                simd.outer_tile(rows, tile_vectors, w_f, depth, 1, source, panel_width, valid, kc, to, target_row, mode, b_f)
                f += rows
            k0 += kc
        p += panel_width


@kernel()
def correlate(out, image, weight, bias, offsets, vectors, classes, phases, planes, shape, first, last, scratch):
    """out[n, f, pixel (i, j) of class c] = bias[f] + sum_k weight[c, f, k] * planes(image[n])[offsets[c, k] + position(i, j)].

    Pixel (i, j) of a class is out's (ROW + i*SH, COLUMN + j*SW). Items: (sample, group, part of the group's filters).
    `weight` is flat: classes one after the other, each (groups, filters, depth).
    """
    filters, channels, groups, parts, stride_h, stride_w, depth_max, pixels_max = shape
    planes_size = channels * planes[8] * planes[6] * planes[7]
    direct = stride_h == 1 and stride_w == 1
    out_plane = out.shape[2] * out.shape[3]
    part_filters = (filters + parts - 1) // parts
    like = simd.pointer(out, 0)
    itemsize = simd.itemsize(like)
    lane_count = simd.VECTOR_BYTES // itemsize
    panel_width = lane_count * OUTER_VECTORS
    # In scratch: the planes, one panel and its segments, and the pixels of a class that do not go straight to out.
    space = simd.array_at(like, scratch, planes_size + lane_count)
    at = scratch + space.size * itemsize
    panel = simd.array_at(like, at, (min(depth_max, _PANEL_DEPTH) + 1) * panel_width)
    at = (at + panel.size * itemsize + 7) // 8 * 8
    segments = simd.array_at(simd.pointer(offsets, 0), at, 3 * (panel_width + 1))
    staged = simd.array_at(like, at + segments.size * 8, 0 if direct else part_filters * pixels_max)
    zero(space)
    for item in range(first, last):
        n, g, part = item // (groups * parts), item // parts % groups, item % parts
        f_first, f_last = part * part_filters, min(filters, (part + 1) * part_filters)
        fill_planes(space, image, n, g * channels, channels, phases, planes)
        for c in range(classes.shape[0]):
            depth, height, width = classes[c, DEPTH], classes[c, HEIGHT], classes[c, WIDTH]
            if direct:
                target, target_row = simd.pointer(out, ((n * groups + g) * filters + f_first) * out_plane), out_plane
            else:
                target, target_row = simd.pointer(staged, 0), height * width
            weight_at = classes[c, WEIGHT_AT] * groups * filters + g * filters * depth
            w = simd.pointer(weight, weight_at)
            bias_at = g * filters
            if depth == 0:  # no tap reaches these pixels
                for i in range((f_last - f_first) * target_row):
                    target[i] = 0
            elif classes[c, PACKED]:
                _filters_by_panels(
                    c,
                    target,
                    target_row,
                    w,
                    depth,
                    f_first,
                    f_last,
                    bias,
                    bias_at,
                    space,
                    offsets,
                    classes,
                    planes[7],
                    panel,
                    segments,
                )
            else:
                _filters_along_rows(
                    c, target, target_row, w, depth, f_first, f_last, bias, bias_at, space, offsets, vectors, classes
                )
            if not direct:
                for f in range(f_first, f_last):
                    plane = out[n, g * filters + f]
                    for i in range(height):
                        row = plane[classes[c, ROW] + i * stride_h]
                        row = row[classes[c, COLUMN] :]
                        at = (f - f_first) * target_row + i * width
                        pixels = staged[at : at + width]
                        for j in range(pixels.size):
                            row[j * stride_w] = pixels[j]


def correlate_phase(out, image, weight, bias, correlation, groups, stride=(1, 1)):
    """The phase that runs `correlate`, and the bytes of scratch memory it needs.

    `stride` is the distance of a class's pixels in out.
    """
    samples, filters, channels = out.shape[0], out.shape[1] // groups, image.shape[1] // groups
    planes, itemsize = correlation.planes, out.itemsize
    parts = 1
    if samples * groups < ITEMS:  # few samples: split the filters, at the price of more than one copy of the planes
        parts = max(1, min(-(-filters // simd.MAX_ROWS), ITEMS // (samples * groups)))
        parts = -(-filters // -(-filters // parts))  # no part is empty
    items = samples * groups * parts
    depth = int(correlation.classes[:, DEPTH].max())
    shape = (filters, channels, groups, parts, *stride, depth, correlation.pixels)
    tables = (correlation.offsets, correlation.vectors, correlation.classes, correlation.phases, tuple(planes))
    width = simd.lanes(itemsize) * OUTER_VECTORS
    space = channels * planes.size + simd.lanes(itemsize)
    panel = (min(depth, _PANEL_DEPTH) + 1) * width
    staged = 0 if stride == (1, 1) else -(-filters // parts) * correlation.pixels
    scratch = (space + panel + staged) * itemsize + 3 * 8 * (width + 1) + 64
    return correlate.phase((out, image, weight, bias, *tables, shape), items, max(1, items // 64)), scratch
