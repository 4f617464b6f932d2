"""Samples shifted and mirrored on their way into the lanes.

    gather_augmented(like, source_like, out, room, sizes, strip, cells, scale, shift)

A strip of lines of each sample of a block is written down shifted, in the data's own type, then transposed like the
samples of `samples.gather`: strips are small enough to stay in the first-level cache between the two.
"""

import numpy as np

from .._kernel import kernel
from .._shifts import shifted_lines
from .._threads import SAMPLES, START
from ..simd import array_at, pointer
from .layout import DRAWS, INDEX, X, block_at, lanes_in, lanes_of, locate
from .samples import _addresses, _gather_block

_STRIP_BYTES = 1024  # of each sample
_LINE = 64


def strip_of(sample_shape, x_dtype, dtype):
    """How images (C, H, W) of a dtype are taken into lanes: lines at a time, and bytes of room for each lane.

    Examples
    --------
    >>> strip_of((3, 32, 32), np.uint8, np.float32)
    (32, 1088)
    """
    _, height, width = sample_shape
    line = width * np.dtype(x_dtype).itemsize
    lines = min(height, max(_STRIP_BYTES // line, -(-lanes_of(dtype) // width)))
    return lines, -(-lines * line // _LINE) * _LINE + _LINE  # lanes do not share cache sets


@kernel()
def gather_augmented(like, source_like, out, room, sizes, strip, cells, scale, shift, first, last, scratch):
    """As `samples.gather`, each sample shifted and mirrored as the data's draws say (see `image.gather_augmented`).

    Parameters
    ----------
    source_like : (0,) dtype of `like`, or uint8
        Type of the data at cells[X]. Bytes become byte * scale + shift, also those of the padding, which are 0.
    room : Place
        For the bytes of a block's strips.
    sizes : (C, H, W)
    strip : (lines, bytes)
        What `strip_of` gives.
    cells : (CELLS,) int64
        At cells[DRAWS] are three int64 for each sample of the data.
    """
    lanes, words = lanes_in(like), pointer(cells, 0)
    channels, height, width = sizes
    lines, step = strip
    pixels, part, itemsize = height * width, lines * width, source_like.itemsize
    factor, offset = like.dtype.type(scale), like.dtype.type(shift)
    samples, start, size = cells[SAMPLES], cells[START], channels * pixels
    order = array_at(words, cells[INDEX] + 8 * start, samples)
    sources, draws, rows, element = _addresses(), _addresses(), _addresses(), pointer(source_like, 0)
    for b in range(first, last):
        for lane in range(lanes):
            n = min(b * lanes + lane, samples - 1)
            sample = start + n if cells[INDEX] == 0 else order[n]
            sources[lane] = cells[X] + sample * size * itemsize
            draws[lane] = cells[DRAWS] + 24 * sample
            rows[lane] = locate(room, b, first, scratch) + lane * step
        block = block_at(like, out, b, first, scratch, size * lanes)
        for c in range(channels):
            for y in range(0, height, lines):
                y = min(y, height - lines)  # the last strip overlaps the one before
                for lane in range(lanes):
                    plane = array_at(element, sources[lane] + c * pixels * itemsize, pixels)
                    draw = array_at(words, draws[lane], 3)
                    moved = array_at(element, rows[lane], part)
                    shifted_lines(moved, plane, y, height, width, draw[0], draw[1], draw[2])
                    if part < lanes:  # an image smaller than a vector
                        for p in range(part):
                            value = like.dtype.type(moved[p])
                            value = value if itemsize > 1 else value * factor + offset
                            block[(p * channels + c) * lanes + lane] = value
                if part >= lanes:
                    for p in range(0, part, lanes):
                        p = min(p, part - lanes)  # the last block overlaps the one before
                        target = pointer(block, ((y * width + p) * channels + c) * lanes)
                        _gather_block(target, channels * lanes, rows, p, element, factor, offset)
