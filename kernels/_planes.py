"""The copy of an image that the convolution kernels work on: bordered planes, one for each phase of the stride."""

from . import simd
from ._jit import jit
from .moves import copy_rows


@jit
def zero(space):
    """Set every element to 0."""
    for i in range(space.size):
        space[i] = 0


@jit
def fill_planes(space, image, n, channel, channels, phases, planes):
    """Lay out `channels` channels of image n from `channel` on: plane[i, j] = image[i*SH + a - top, j*SW + b - left].

    The border is expected to be zero already and stays so: the interior has the same place in every image.
    """
    rows, columns, top, left, stride_h, stride_w, height, width, phase_count = planes
    at = 0
    for c in range(channels):
        source = ((n * image.shape[1] + channel + c) * rows) * columns
        for phase in range(phase_count):
            a, b = phases[phase, 0], phases[phase, 1]
            # ceil((top - a) / SH) and so on: the first row and column of the plane that lie inside the image
            i_first = max(0, -((a - top) // stride_h))
            i_last = min(height, (rows - 1 + top - a) // stride_h + 1)
            j_first = max(0, -((b - left) // stride_w))
            count = min(width, (columns - 1 + left - b) // stride_w + 1) - j_first
            if count > 0:
                row = source + (i_first * stride_h + a - top) * columns + j_first * stride_w + b - left
                target = simd.pointer(space, at + i_first * width + j_first)
                pixel = simd.pointer(image, row)
                if stride_w <= 2:
                    copy_rows(target, width, pixel, stride_h * columns, i_last - i_first, count, stride_w)
                else:
                    for i in range(i_last - i_first):
                        for j in range(count):
                            target[i * width + j] = pixel[i * stride_h * columns + j * stride_w]
            at += height * width
