"""Maximum and mean over windows."""

import numpy as np

from ._arrays import normal, ones
from ._kernels import Moving
from ._windows import Sliding, positions

CASES = {  # N, C, H, W, window, stride, padding
    "tiny": (1, 1, 4, 4, 2, 2, 0),
    "lenet_pool1": (128, 6, 24, 24, 2, 2, 0),
    "vgg_pool1": (32, 32, 32, 32, 2, 2, 0),
    "odd": (13, 5, 23, 17, 3, 2, 1),
}
ADAPTIVE = {  # N, C, H, W, OH, OW
    "tiny": (1, 1, 4, 4, 1, 1),
    "lenet_pool2": (128, 16, 8, 8, 4, 4),
    "vgg_last": (128, 512, 8, 8, 1, 1),
    "odd": (13, 5, 23, 17, 5, 3),
}


def _window(size, stride, padding):
    return (size, size), (stride, stride), (padding, padding)


class Maxpool2dForward(Sliding):
    cases = CASES

    def _arguments(self, n, c, h, w, *window):
        out = n, c, *positions(h, w, *window)
        return ones(*out), np.ones(out, np.int32), normal(n, c, h, w), *_window(*window), (1, 1)


class Maxpool2dBackward(Sliding):
    cases = CASES

    def _arguments(self, n, c, h, w, size, stride, padding):
        oh, ow = positions(h, w, size, stride, padding)
        i, j = np.minimum(np.arange(oh) * stride, h - 1), np.minimum(np.arange(ow) * stride, w - 1)
        argmax = np.tile((i[:, None] * w + j).astype(np.int32), (n, c, 1, 1))  # a position in each window
        return ones(n, c, h, w), normal(n, c, oh, ow), argmax


class Avgpool2dForward(Sliding):
    cases = CASES

    def _arguments(self, n, c, h, w, *window):
        return ones(n, c, *positions(h, w, *window)), normal(n, c, h, w), *_window(*window), True, 0


class Avgpool2dBackward(Sliding):
    cases = CASES

    def _arguments(self, n, c, h, w, *window):
        return ones(n, c, h, w), normal(n, c, *positions(h, w, *window)), *_window(*window), True, 0


class Adaptive(Moving):
    cases = ADAPTIVE

    @staticmethod
    def _shape(n, c, h, w, oh, ow):
        return f"{n}x{c}x{h}x{w}, {oh}x{ow} outputs"


class AdaptiveAvgpool2dForward(Adaptive):
    def _arguments(self, n, c, h, w, oh, ow):
        return ones(n, c, oh, ow), normal(n, c, h, w)


class AdaptiveAvgpool2dBackward(Adaptive):
    def _arguments(self, n, c, h, w, oh, ow):
        return ones(n, c, h, w), normal(n, c, oh, ow)
