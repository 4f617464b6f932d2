"""Two-dimensional convolution and its three gradients."""

from abc import abstractmethod

from ._arrays import normal, ones
from ._kernels import Moving, Multiplying
from ._windows import described, positions

CASES = {  # N, C, H, W, filters, kernel, stride, padding
    "tiny": (1, 1, 6, 6, 2, 3, 1, 0),
    "lenet_conv2": (128, 6, 12, 12, 16, 5, 1, 0),
    "vgg_conv3": (32, 32, 16, 16, 64, 3, 1, 1),
    "odd": (13, 5, 23, 17, 7, 3, 2, 1),
}
BIAS = {name: (n, f, *positions(h, w, *window)) for name, (n, _, h, w, f, *window) in CASES.items()}


class Convolution(Multiplying):
    """One of the three that multiply."""

    cases = CASES

    @staticmethod
    def _shape(n, c, h, w, f, *window):
        return f"{n}x{c}x{h}x{w}, {f} filters {described(*window)}"

    @abstractmethod
    def _arrays(self, x, weight, out):
        """Arrays of a call for the shapes of image, filters and output."""

    def _arguments(self, n, c, h, w, f, k, stride, padding):
        image, small = (n, c, h, w), (n, f, *positions(h, w, k, stride, padding))
        return *self._arrays(image, (f, c, k, k), small), (stride, stride), (padding, padding), (1, 1), 1

    def _flops(self, n, c, h, w, f, k, stride, padding):
        oh, ow = positions(h, w, k, stride, padding)
        return 2 * n * f * oh * ow * c * k * k


class Conv2dForward(Convolution):
    def _arrays(self, x, weight, out):
        return ones(*out), normal(*x), normal(*weight), normal(weight[0])


class Conv2dBackwardInput(Convolution):
    def _arrays(self, x, weight, out):
        return ones(*x), normal(*out), normal(*weight)


class Conv2dBackwardWeight(Convolution):
    def _arrays(self, x, weight, out):
        return ones(*weight), normal(*x), normal(*out)


class Conv2dBackwardBias(Moving):
    cases = BIAS

    def _arguments(self, n, f, oh, ow):
        return ones(f), normal(n, f, oh, ow)
