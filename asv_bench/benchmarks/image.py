"""Images of a data set into batches: bytes to floats, rows in another order, shifted and mirrored."""

import numpy as np

from ._arrays import normal, ones, small_integers
from ._kernels import Moving

CASES = {"tiny": (2, 1, 4, 4, 8), "lenet_batch": (128, 1, 28, 28, 6000)}  # N, C, H, W, images in the data set


class Images(Moving):
    cases = CASES

    @staticmethod
    def _shape(n, c, h, w, images):
        return f"{n}x{c}x{h}x{w} of {images}"


class Gathering(Images):
    def _bytes(self, arguments):
        """Of the data set only the rows of the batch."""
        out, x, index, *_ = arguments
        return out.nbytes + out.size * x.itemsize + index.nbytes


class ScaleUint8(Images):
    def _arguments(self, n, c, h, w, images):
        size = n * c * h * w
        return ones(size), small_integers(256, np.uint8, size), 1 / 255, 0.0


class GatherRows(Gathering):
    def _arguments(self, n, c, h, w, images):
        return ones(n, c * h * w), normal(images, c * h * w), small_integers(images, np.int64, n)


class GatherRowsUint8(Gathering):
    def _arguments(self, n, c, h, w, images):
        x = small_integers(256, np.uint8, images, c * h * w)
        return ones(n, c * h * w), x, small_integers(images, np.int64, n), 1 / 255, 0.0


class GatherAugmented(Gathering):
    def _arguments(self, n, c, h, w, images):
        x, index = normal(images, c, h, w), small_integers(images, np.int64, n)
        return ones(n, c, h, w), x, index, small_integers(2, np.int64, images, 3)
