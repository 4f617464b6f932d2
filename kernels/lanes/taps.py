"""Which taps of a kernel meet which positions: the tables that affine kernels walk.

Positions that meet the same taps form a class; a class is a rectangle of rows times columns, with gaps if there is a stride.
Within one, tap k lies at the same distance from every position, so that a table of distances and one of positions describe it.
Border positions are classes with fewer taps: outputs and gradients of inputs never multiply by padding, and copy no image.

This is arithmetic in Python on a few numbers, done once for each shape and kept. All offsets are in bytes.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from .. import simd
from .tiles import DOT_COLUMNS, DOT_TALL, DOT_WIDE, MAX_WIDTH, TILE_ROWS, TILE_WIDTHS

_INNER = 16  # entries of a tap table to aim at: reduction channels are folded into shorter ones
JOINED_BELOW = 3  # positions: classes of fewer share tiles with those of other blocks
MIN_PART_ROWS = 8
_TILE_BYTES = 10 * 1024  # of one position's input: of more, a tile's columns do not stay in the level-1 cache
_DEPTHWISE_WIDTH = 3  # positions: of more, the input's vectors evict each other from the level-1 cache
_TILE_CYCLES = 24  # what a tile costs beside its multiply-adds
_FOLDED_ROWS = 8  # taps of a kernel that covers the whole plane from which on they are the rows of its input gradient


class Geometry(NamedTuple):
    """What an affine layer computes: a convolution. Dense layers have planes of 1 x 1, or kernels as large as the plane."""

    channels: int
    filters: int
    size: tuple
    out_size: tuple
    kernel: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int

    @property
    def taps(self):
        """Taps of a kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def depth(self):
        """Weights of a filter."""
        return self.channels // self.groups * self.taps

    @property
    def covers_plane(self):
        """Whether there is one output position, which meets every input position with a tap of its own."""
        return self.kernel == self.size and self.out_size == (1, 1) and self.padding == (0, 0) and self.dilation == (1, 1)


# Columns of the table of classes.
TAPS_AT, INNER, OUTER, A_OUTER, B_OUTER, POSITIONS_AT, POSITIONS, WIDTH = range(8)


class Tables(NamedTuple):
    """What an affine record needs beside places and weights."""

    classes: np.ndarray  # (classes, 8)
    taps: np.ndarray  # (entries, 2): where a weight and a vector of the input lie
    positions: np.ndarray  # (positions, 2): where a position's input and output lie in their blocks
    plans: np.ndarray  # (2 * MAX_WIDTH, 2): for tiles of each width, the steps that cover the rows; then those of the last part
    steps: np.ndarray  # (steps, 2): rows of a tile, how often
    shape: tuple  # groups, rows of a group, rows of a part, distance of rows in weights, output, bias
    group: tuple  # distance of groups in weights, input, output, bias


def forward_axis(size, out_size, kernel, stride, padding, dilation):
    """For each output position on an axis its valid taps: a list of (tap, input position)."""
    reads = [[(k, o * stride - padding + k * dilation) for k in range(kernel)] for o in range(out_size)]
    return [[(k, i) for k, i in row if 0 <= i < size] for row in reads]


def backward_axis(size, out_size, kernel, stride, padding, dilation):
    """For each input position on an axis the taps that read it: a list of (tap, output position)."""
    reads = [[(k, *divmod(i + padding - k * dilation, stride)) for k in range(kernel)] for i in range(size)]
    return [[(k, o) for k, o, rest in row if rest == 0 and 0 <= o < out_size] for row in reads]


def _axis_classes(reads):
    """Positions of an axis by their taps: a list of ([(tap, distance)], [(position, origin)])."""
    classes = {}
    for position, row in enumerate(reads):
        origin = row[0][1] if row else 0
        classes.setdefault(tuple((k, i - origin) for k, i in row), []).append((position, origin))
    return list(classes.items())


def plane_classes(axes, width):
    """Classes of a plane from the taps on its two axes, for an input of so many columns.

    Returns
    -------
    list of (taps, positions)
        taps: (kh, kw, distance in input positions), positions: (row, column, origin in input positions).
    """
    classes = []
    for row_taps, rows in _axis_classes(axes[0]):
        for column_taps, columns in _axis_classes(axes[1]):
            taps = [(kh, kw, h * width + w) for kh, h in row_taps for kw, w in column_taps]
            classes.append((taps, [(r, c, h * width + w) for r, h in rows for c, w in columns]))
    return classes


def _axes(axis, geometry):
    sizes = (geometry.size, geometry.out_size, geometry.kernel, geometry.stride, geometry.padding, geometry.dilation)
    return [axis(*(pair[d] for pair in sizes)) for d in range(2)]


def _tile_cycles(rows, width, depth, streamed):
    """About the cycles of a tile: multiply-adds two a cycle, four deep; loads from the level-1 or level-2 cache; the rest."""
    loads = 0.3 * rows + 2.7 * width if streamed else (rows + width) / 2
    return max(rows * width / 2, 4, loads) * depth + _TILE_CYCLES + rows * width


@functools.cache
def row_steps(rows, width, depth, streamed=False):
    """The cheapest tiles of that width that cover so many rows: a list of (rows of a tile, how often), and its cycles."""
    best = [(0.0, 0)]
    for count in range(1, rows + 1):
        sizes = [r for r in TILE_ROWS[width] if r <= count]
        best.append(min((best[count - r][0] + _tile_cycles(r, width, depth, streamed), r) for r in sizes))
    steps, left = {}, rows
    while left:
        steps[best[left][1]] = steps.get(best[left][1], 0) + 1
        left -= best[left][1]
    return sorted(steps.items(), reverse=True), best[rows][0]


def _best_width(rows, positions, depth, streamed):
    """Width of the tiles that cover so many positions at the least cost; the last tiles share evenly what is left."""

    def cycles(width):
        tiles = -(-positions // width)
        narrow = positions // tiles  # tiles are of this width or one more
        wider = positions - tiles * narrow
        each = [row_steps(rows, n, depth, streamed)[1] if n <= MAX_WIDTH else 0 for n in (narrow, narrow + 1)]
        return (tiles - wider) * each[0] + wider * each[1]

    return min(TILE_WIDTHS, key=lambda width: (round(cycles(width)), abs(width - 3)))


def _fold(taps, reduction):
    """How many reduction channels to take into a table of so many taps, so that the inner loop is long enough."""
    if taps == 0:
        return 1
    return next(q for q in range(1, reduction + 1) if reduction % q == 0 and (q * taps >= _INNER or q == reduction))


def _tables(planes, reduction, a_tap, a_outer, b_position, b_outer, c_position, rows, groups, steps, group, blocks, parts):
    """Tables of an affine record.

    Parameters
    ----------
    planes : list
        Of `plane_classes`, with positions as (number in the output, origin in the input).
    reduction : int
        Channels to sum over, a_outer apart in the weights, b_outer in the input.
    a_tap : callable
        Where the weight of a tap (kh, kw, distance) lies.
    b_position, c_position : int
        Distance of positions in input and output.
    rows, groups : int
        Rows of the weight matrix in each group.
    steps, group : tuple
        Distance of rows in weights, output, bias; of groups in weights, input, output, bias.
    blocks, parts : int
        How many blocks a call has, about; how many parts to split the output into.
    """
    classes, all_taps, all_positions = [], [], []
    depth = max(len(taps) for taps, _ in planes) * reduction
    streamed = depth * simd.VECTOR_BYTES > _TILE_BYTES
    for taps, positions in planes:
        fold = _fold(len(taps), reduction)
        entries = [(q * a_outer + a_tap(t), q * b_outer + t[2] * b_position) for q in range(fold) for t in taps]
        count = len(positions)
        width = _best_width(rows, count * blocks if count < JOINED_BELOW else count, depth, streamed)
        if groups > 1 and rows == 1:
            width = min(width, _DEPTHWISE_WIDTH)
        outer = reduction // fold if taps else 0
        classes.append((len(all_taps), len(entries), outer, fold * a_outer, fold * b_outer, len(all_positions), count, width))
        all_taps += entries
        all_positions += [(origin * b_position, number * c_position) for number, origin in positions]
    split_rows = parts > len(all_positions)
    part_rows = -(-rows // max(1, min(parts, rows // MIN_PART_ROWS))) if split_rows else rows
    plans, all_steps = [], []
    for count in (part_rows, rows % part_rows or part_rows):
        for width in range(1, MAX_WIDTH + 1):
            chosen = row_steps(count, width, depth, streamed)[0]
            plans.append((len(all_steps), len(all_steps) + len(chosen)))
            all_steps += chosen
    tables = [
        np.array(table, np.int64).reshape(-1, n)
        for table, n in ((classes, 8), (all_taps, 2), (all_positions, 2), (plans, 2), (all_steps, 2))
    ]
    return Tables(*tables, (groups, rows, part_rows, *steps), group)


@functools.cache
def forward_tables(geometry, dtype, blocks, parts=1):
    """Tables of an affine layer's output: rows are filters, sums run over channels and taps."""
    g, item = geometry, dtype.itemsize
    line = simd.VECTOR_BYTES
    channels, filters = g.channels // g.groups, g.filters // g.groups
    planes = [
        (taps, [(r * g.out_size[1] + c, origin) for r, c, origin in positions])
        for taps, positions in plane_classes(_axes(forward_axis, g), g.size[1])
    ]
    return _tables(
        planes,
        reduction=channels,
        a_tap=lambda t: (t[0] * g.kernel[1] + t[1]) * item,
        a_outer=g.taps * item,
        b_position=g.channels * line,
        b_outer=line,
        c_position=g.filters * line,
        rows=filters,
        groups=g.groups,
        steps=(g.depth * item, line, item),
        group=(filters * g.depth * item, channels * line, filters * line, filters * item),
        blocks=blocks,
        parts=parts,
    )


@functools.cache
def backward_input_tables(geometry, dtype, blocks, parts=1):
    """Tables of the gradient of an affine layer's input: rows are channels, sums run over filters and taps."""
    g, item = geometry, dtype.itemsize
    line = simd.VECTOR_BYTES
    channels, filters = g.channels // g.groups, g.filters // g.groups
    common = {
        "reduction": filters,
        "a_outer": g.depth * item,
        "b_position": g.filters * line,
        "b_outer": line,
        "blocks": blocks,
        "parts": parts,
    }
    if g.covers_plane and g.groups == 1 and g.taps >= _FOLDED_ROWS:
        # Every position meets one tap, and a channel's weights lie as its positions do: let these be the rows.
        return _tables(
            [([(0, 0, 0)], [(0, 0)])],
            a_tap=lambda t: 0,
            c_position=0,
            rows=g.taps,
            groups=channels,
            steps=(item, g.channels * line, 0),
            group=(g.taps * item, 0, line, 0),
            **common,
        )
    planes = [
        (taps, [(r * g.size[1] + c, origin) for r, c, origin in positions])
        for taps, positions in plane_classes(_axes(backward_axis, g), g.out_size[1])
    ]
    return _tables(
        planes,
        a_tap=lambda t: (t[0] * g.kernel[1] + t[1]) * item,
        c_position=g.channels * line,
        rows=channels,
        groups=g.groups,
        steps=(g.taps * item, line, 0),
        group=(filters * g.depth * item, filters * line, channels * line, 0),
        **common,
    )


PANEL_VECTORS = 3  # columns of x that are transposed at a time, in vectors
OUTER_BLOCKS = 8  # blocks that a panel holds: it stays in the level-1 cache
_STRIP = 64  # positions in one dot tile, about: its rows of both sides stay in the level-1 cache
_BORDERED_BELOW = 4  # channels of a group: of fewer, copies with borders are made, so that taps can be a tile's columns
_COPY_BYTES = 4 << 20  # of x, at a time
_BATCH = 16  # channels of small groups to copy together
_COPIED_FROM = 128  # multiply-adds with each vector of x: of so many, a copy pays
_ALIASING_BYTES = 512  # distances that are multiples of it map positions to few sets of a cache


class WeightTables(NamedTuple):
    """What the record of a weight gradient needs beside places and gradients."""

    blocks: np.ndarray  # (column blocks, 4): first and last tile, first and last channel
    tiles: np.ndarray  # (tiles, 3): class, first column, columns; the last is that of the bias
    columns: np.ndarray  # (columns, 2): where a column's first vector and its gradient lie
    positions: np.ndarray  # (positions, 2): where a position's vectors lie in dout and in x
    bounds: np.ndarray  # (classes, strips + 1): the positions of a class by strips; the last class is that of all positions
    steps: np.ndarray  # (row tiles, 2): first row, rows
    strips: np.ndarray  # (strips, 3): first position and how many; rows of a copy of x that it needs
    shape: tuple  # groups, blocks of a tile, groups whose copies are made together, channels of a group
    group: tuple  # distance of groups in dout, x, gradient, bias
    row: int  # distance of filters in the gradient
    copy_x: tuple  # bytes of a plane (0: no copy), its columns, x's rows and columns, those before them, x's pixel, channels
    copy_dout: tuple  # bytes of a pixel of dout (0: no copy), lines of a position in the copy


def _even(total, most):
    """A number as (nearly) equal parts of at most so much: a list of (first, count)."""
    parts = -(-total // most)
    bounds = [total * i // parts for i in range(parts + 1)]
    return [(a, b - a) for a, b in itertools.pairwise(bounds)]


def _met_by_tap(geometry, size, before):
    """Taps by the output rows and columns where they meet an input of that size: {(rows, columns): [(kh, kw)]}."""
    g, classes = geometry, {}
    for kh in range(g.kernel[0]):
        for kw in range(g.kernel[1]):
            met = []
            for d, k in enumerate((kh, kw)):
                start = k * g.dilation[d] - before[d]
                met.append(tuple(o for o in range(g.out_size[d]) if 0 <= o * g.stride[d] + start < size[d]))
            classes.setdefault(tuple(met), []).append((kh, kw))
    return classes


@functools.cache
def weight_tables(geometry, dtype, column_parts=1):
    """Tables of the gradient of an affine layer's weight: rows are filters, columns are taps of channels."""
    g, item, line = geometry, dtype.itemsize, simd.VECTOR_BYTES
    channels, filters, taps = g.channels // g.groups, g.filters // g.groups, g.taps
    pixels = g.out_size[0] * g.out_size[1]
    x_pixel, dout_pixel = g.channels * line, g.filters * line
    # Strips of output rows; of small planes, several blocks together.
    together = max(1, _STRIP // pixels)
    rows_of_strips = _even(g.out_size[0], max(1, min(g.out_size[0], round(_STRIP / g.out_size[1]))))
    # x in planes with borders, in planes, or where it is; dout's rows of a tile side by side, or where they are.
    size, before = g.size, g.padding
    inside = _met_by_tap(g, size, before)
    few = channels < _BORDERED_BELOW
    bordered = few and len(inside) > 1
    aliasing = x_pixel * g.stride[1] % _ALIASING_BYTES == 0
    uses = filters * taps // (g.stride[0] * g.stride[1])
    copied = bordered or (aliasing and (g.groups > 1 if few else uses >= _COPIED_FROM))
    if bordered:
        size = tuple((g.out_size[d] - 1) * g.stride[d] + (g.kernel[d] - 1) * g.dilation[d] + 1 for d in range(2))
        before = (0, 0)
        inside = _met_by_tap(g, size, before)
    width = size[1]
    plane = (size[0] * width // 2 * 2 + 1) * line if copied else 0
    x_step, channel_step = (line, plane) if copied else (x_pixel, line)
    tile_rows, tile_columns = DOT_WIDE if few and filters > DOT_TALL[0] else DOT_TALL
    if filters < tile_rows:
        tile_rows, tile_columns = filters, DOT_COLUMNS[filters]
    dout_copied = dout_pixel % _ALIASING_BYTES == 0 and filters > tile_rows and not few
    dout_step = tile_rows * line if dout_copied else dout_pixel

    positions, bounds = [], []
    everywhere = tuple(tuple(range(n)) for n in g.out_size)
    for rows, columns in [*inside, everywhere]:
        firsts = [first for first, _ in rows_of_strips] + [g.out_size[0]]
        bounds.append([len(positions) + len(columns) * sum(r < first for r in rows) for first in firsts])
        for r in rows:
            row = (r * g.stride[0] - before[0]) * width - before[1]
            positions += [((r * g.out_size[1] + c) * dout_step, (row + c * g.stride[1]) * x_step) for c in columns]

    blocks, tiles, all_columns = [], [], []
    most = max(-(-channels // column_parts), 1 if len(inside) == 1 else min(channels, tile_columns))
    batch = 1
    if few and g.groups > 1:  # lines of neighbouring groups lie side by side: fetch them together
        most, batch = channels, max(1, min(g.groups, _BATCH // channels))
    elif copied:
        most = max(1, min(most, _COPY_BYTES // (plane * together)))
    if most >= tile_columns:
        most = most // tile_columns * tile_columns
    for first_channel, count in _even(channels, most):
        first_tile, block_tiles = len(tiles), []
        for number, met in enumerate(inside.values()):
            columns = [(c, kh, kw) for c in range(first_channel, first_channel + count) for kh, kw in met]
            for first, n in _even(len(columns), tile_columns):
                block_tiles.append((columns[first][0], (number, len(all_columns) + first, n)))
            for c, kh, kw in columns:
                place = (kh * g.dilation[0] * width + kw * g.dilation[1]) * x_step + c * channel_step
                all_columns.append((place, (c * taps + kh * g.kernel[1] + kw) * item))
        tiles += [tile for _, tile in sorted(block_tiles, key=lambda tile: tile[0])]
        blocks.append((first_tile, len(tiles), first_channel, first_channel + count))
    tiles.append((len(inside), 0, 0))  # the bias

    strips = []
    for first, n in rows_of_strips:
        last_read = (first + n - 1) * g.stride[0] - before[0] + (g.kernel[0] - 1) * g.dilation[0]
        strips.append((first * g.out_size[1], n * g.out_size[1], max(0, min(size[0], last_read + 1))))
    tables = ((blocks, 4), (tiles, 3), (all_columns, 2), (positions, 2), (bounds, len(strips) + 1))
    left = g.padding if bordered else (0, 0)
    return WeightTables(
        *(np.array(table, np.int64).reshape(-1, n) for table, n in tables),
        steps=np.array(_even(filters, tile_rows), np.int64),
        strips=np.array(strips, np.int64),
        shape=(g.groups, together, batch, channels),
        group=(filters * line, channels * line, filters * g.depth * item, filters * item),
        row=g.depth * item,
        copy_x=(plane, width, *g.size, *left, x_pixel, most * batch),
        copy_dout=(dout_pixel if dout_copied else 0, tile_rows),
    )


class OuterTables(NamedTuple):
    """What the record of the weight gradient of a layer with one output position needs."""

    places: np.ndarray  # where each column's vector lies in x; the last column's once more, up to whole tiles
    plans: np.ndarray  # as in Tables
    steps: np.ndarray
    lanes: np.ndarray  # (LANES, 2): where a lane of dout and a row of a panel lie
    shape: tuple  # columns, filters, filters' distance in dout and in the gradient, in bytes


def has_one_position(geometry):
    """Whether a layer has one output position, which every tap meets."""
    return geometry.groups == 1 and geometry.covers_plane


@functools.cache
def outer_tables(geometry, dtype):
    """Tables of the weight gradient of a layer with one output position: a sum over samples alone, without lanes to add up."""
    g, item, line = geometry, dtype.itemsize, simd.VECTOR_BYTES
    lane_count = line // item
    places = [(t * g.channels + c) * line for c in range(g.channels) for t in range(g.taps)]
    plans, all_steps = [], []
    for width in range(1, PANEL_VECTORS + 1):
        chosen = row_steps(g.filters, width, OUTER_BLOCKS * lane_count)[0]
        plans.append((len(all_steps), len(all_steps) + len(chosen)))
        all_steps += chosen
    lanes = [(lane * item, lane * PANEL_VECTORS * line) for lane in range(lane_count)]
    return OuterTables(
        np.array(places + places[-1:] * (-len(places) % lane_count), np.int64),
        *(np.array(table, np.int64).reshape(-1, 2) for table in (plans, all_steps, lanes)),
        shape=(len(places), g.filters, line, len(places) * item),
    )
