"""Patches of an image as columns, and back."""

from ._arrays import normal, ones
from ._windows import Sliding, positions

CASES = {  # N, C, H, W, window, stride, padding
    "tiny": (1, 1, 4, 4, 3, 1, 0),
    "lenet_conv2": (128, 6, 12, 12, 5, 1, 0),
    "vgg_conv1": (16, 32, 32, 32, 3, 1, 1),
    "odd": (13, 5, 23, 17, 3, 2, 1),
}


def _columns(c, h, w, size, stride, padding):
    oh, ow = positions(h, w, size, stride, padding)
    return c * size * size, oh * ow


def _window(size, stride, padding):
    return (size, size), (stride, stride), (padding, padding), (1, 1)


class Im2col(Sliding):
    cases = CASES

    def _arguments(self, n, c, h, w, *window):
        return ones(n, *_columns(c, h, w, *window)), normal(n, c, h, w), *_window(*window)


class Col2im(Sliding):
    cases = CASES

    def _arguments(self, n, c, h, w, *window):
        return ones(n, c, h, w), normal(n, *_columns(c, h, w, *window)), *_window(*window)
