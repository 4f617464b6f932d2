"""Softmax and its logarithm over the middle axis, and their gradients."""

from ._arrays import between, normal, ones
from ._kernels import Moving

CASES = {"tiny": (2, 3, 1), "lenet_scores": (128, 10, 1)}  # N, C, L
MORE_CASES = {**CASES, "vgg_scores": (128, 1000, 1), "odd": (7, 21, 361)}


class Forward(Moving):
    def _arguments(self, *shape):
        return ones(*shape), normal(*shape)


class Backward(Moving):
    def _arguments(self, *shape):
        return ones(*shape), normal(*shape), between(-1, 0, *shape)


class SoftmaxForward(Forward):
    cases = MORE_CASES


class SoftmaxBackward(Backward):
    cases = MORE_CASES


class LogSoftmaxForward(Forward):
    cases = CASES


class LogSoftmaxBackward(Backward):
    cases = CASES
