"""The copy of an image that the convolution kernels work on: bordered planes, one for each phase of the stride."""

from . import simd
from ._jit import jit


@jit
def zero(space):
    """Set every element to 0."""
    for i in range(space.size):
        space[i] = 0


@jit
def _copy_row(target, source, count):
    """Copy `count` elements, not one more. Short rows go by halves of a vector or element by element."""
    full = simd.VECTOR_BYTES // simd.itemsize(target)
    if count >= full:
        j = 0
        while j + full <= count:
            simd.copy_vector(simd.shift(target, j), simd.shift(source, j))
            j += full
        if j < count:
            simd.copy_vector(simd.shift(target, count - full), simd.shift(source, count - full))
    elif count >= full // 2 and full > 1:
        simd.copy_half(target, source)
        simd.copy_half(simd.shift(target, count - full // 2), simd.shift(source, count - full // 2))
    else:
        for j in range(count):
            target[j] = source[j]


@jit
def _copy_every_second(target, source, count):
    """target[j] = source[2*j] for `count` elements, touching no others."""
    full = simd.VECTOR_BYTES // simd.itemsize(target)
    if count >= full:
        j = 0
        while j + full <= count:
            simd.copy_every_second(simd.shift(target, j), simd.shift(source, 2 * j))
            j += full
        if j < count:
            simd.copy_every_second(simd.shift(target, count - full), simd.shift(source, 2 * (count - full)))
    else:
        for j in range(count):
            target[j] = source[2 * j]


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
                for i in range(i_first, i_last):
                    row = source + (i * stride_h + a - top) * columns + j_first * stride_w + b - left
                    target = simd.pointer(space, at + i * width + j_first)
                    pixel = simd.pointer(image, row)
                    if stride_w == 1:
                        _copy_row(target, pixel, count)
                    elif stride_w == 2:
                        _copy_every_second(target, pixel, count)
                    else:
                        for j in range(count):
                            target[j] = pixel[j * stride_w]
            at += height * width
