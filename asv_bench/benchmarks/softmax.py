"""Softmax and its logarithm over the middle axis, and their gradients."""

from ._arrays import between, normal, ones
from ._kernels import Moving

TWO_CASES = {"tiny": (2, 3, 1), "lenet_scores": (128, 10, 1)}  # N, C, L
CASES = {**TWO_CASES, "vgg_scores": (128, 1000, 1), "odd": (7, 21, 361)}


class Forward(Moving):
    def _arguments(self, *shape):
        return ones(*shape), normal(*shape)


class Backward(Moving):
    def _arguments(self, *shape):
        return ones(*shape), normal(*shape), between(-1, 0, *shape)


class SoftmaxForward(Forward):
    cases = CASES


class SoftmaxBackward(Backward):
    cases = CASES


class LogSoftmaxForward(Forward):
    cases = CASES


class LogSoftmaxBackward(Backward):
    cases = CASES
