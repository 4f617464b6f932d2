"""Correlations over the planes of an image: the kernel behind conv2d_forward and conv2d_backward_input."""

from . import simd
from ._correlation import COLUMN, DEPTH, HEIGHT, PIECES, ROW, TAPS_AT, TILE, VECTORS, VECTORS_AT, WEIGHT_AT, WIDTH
from ._jit import jit
from ._kernel import kernel
from ._planes import fill_planes, zero
from .moves import spread_rows
from .tiles import ROW_BIAS, ZERO, invoke, outer_rows, outer_vectors

ITEMS = 16  # independent pieces of work to aim at, whatever the number of threads


@jit
def _tiles_of_class(tables, target, target_row, weight, bias, mode, filters, space, taps, vectors):
    """All tiles of one class: `filters` rows of weight at target, over the planes in space."""
    depth, count, tile, pieces = tables[DEPTH], tables[VECTORS], tables[TILE], tables[PIECES]
    f = 0
    while f < filters:
        rows = outer_rows(filters - f)
        w_f, to, b_f = simd.shift(weight, f * depth), simd.shift(target, f * target_row), simd.shift(bias, f)
        v = 0
        while v < count:
            tile_vectors = outer_vectors(rows, count - v)
            table = simd.shift(vectors, 3 * pieces * v)
            invoke(tile, (rows, tile_vectors, w_f, depth, space, taps, table, depth, to, target_row, mode, b_f))
            v += tile_vectors
        f += rows


@jit
def _spread(plane, columns, tables, stride_h, stride_w, pixels):
    """Put the pixels of one class into their places in a plane of so many columns."""
    height, width = tables[HEIGHT], tables[WIDTH]
    target = simd.shift(plane, tables[ROW] * columns + tables[COLUMN])
    if stride_w == 2:
        spread_rows(target, stride_h * columns, pixels, width, height, width)
    else:
        for i in range(height):
            for j in range(width):
                target[i * stride_h * columns + j * stride_w] = pixels[i * width + j]


@kernel()
def correlate(out, image, weight, bias, offsets, vectors, classes, phases, planes, shape, first, last, scratch):
    """out[n, f, pixel (i, j) of class c] = bias[f] + sum_k weight[c, f, k] * planes(image[n])[offsets[c, k] + position(i, j)].

    Pixel (i, j) of a class is out's (ROW + i*SH, COLUMN + j*SW). Items: (sample, group, part of the group's filters).
    `weight` is flat: classes one after the other, each (groups, filters, depth).
    """
    filters, channels, groups, parts, stride_h, stride_w, pixels_max = shape
    planes_size = channels * planes[8] * planes[6] * planes[7]
    direct = stride_h == 1 and stride_w == 1
    out_plane = out.shape[2] * out.shape[3]
    part_filters = (filters + parts - 1) // parts
    mode = ROW_BIAS if bias.size > 0 else ZERO
    # In scratch: the planes, and the pixels of a class that do not go straight to out.
    like = simd.pointer(out, 0)
    itemsize = simd.itemsize(like)
    space = simd.array_at(like, scratch, planes_size + simd.VECTOR_BYTES // itemsize)
    staged = simd.array_at(like, scratch + space.size * itemsize, 0 if direct else part_filters * pixels_max)
    zero(space)
    for item in range(first, last):
        n, g, part = item // (groups * parts), item // parts % groups, item % parts
        f_first = part * part_filters
        f_count = min(part_filters, filters - f_first)
        fill_planes(space, image, n, g * channels, channels, phases, planes)
        bias_at = simd.pointer(bias, g * filters + f_first if bias.size > 0 else 0)
        for c in range(classes.shape[0]):
            tables = classes[c]
            depth = tables[DEPTH]
            if direct:
                target, target_row = simd.pointer(out, ((n * groups + g) * filters + f_first) * out_plane), out_plane
            else:
                target, target_row = simd.pointer(staged, 0), tables[HEIGHT] * tables[WIDTH]
            if depth > 0:
                w = simd.pointer(weight, (tables[WEIGHT_AT] * groups + g * depth) * filters + f_first * depth)
                taps, vectors_at = simd.pointer(offsets, tables[TAPS_AT]), simd.pointer(vectors, 3 * tables[VECTORS_AT])
                source = simd.pointer(space, 0)
                _tiles_of_class(tables, target, target_row, w, bias_at, mode, f_count, source, taps, vectors_at)
            else:  # no tap reaches these pixels
                for i in range(f_count * target_row):
                    target[i] = 0
            if not direct:
                for f in range(f_count):
                    plane = simd.pointer(out, ((n * groups + g) * filters + f_first + f) * out_plane)
                    _spread(plane, out.shape[3], tables, stride_h, stride_w, simd.pointer(staged, f * target_row))


def correlate_phase(out, image, weight, bias, correlation, groups, stride=(1, 1)):
    """The phase that runs `correlate`, and the bytes of scratch memory it needs.

    `stride` is the distance of a class's pixels in out.
    """
    samples, filters, channels = out.shape[0], out.shape[1] // groups, image.shape[1] // groups
    planes = correlation.planes
    parts = 1
    if samples * groups < ITEMS:  # few samples: split the filters, at the price of more than one copy of the planes
        parts = max(1, min(-(-filters // simd.MAX_ROWS), ITEMS // (samples * groups)))
        parts = -(-filters // -(-filters // parts))  # no part is empty
    items = samples * groups * parts
    shape = (filters, channels, groups, parts, *stride, correlation.pixels)
    tables = (correlation.offsets, correlation.vectors, correlation.classes, correlation.phases, tuple(planes))
    staged = 0 if stride == (1, 1) else -(-filters // parts) * correlation.pixels
    scratch = (channels * planes.size + staged) * out.itemsize + simd.VECTOR_BYTES + 64
    return correlate.phase((out, image, weight, bias, *tables, shape), items, max(1, items // (2 * ITEMS))), scratch
