"""Local response normalization, and its gradient."""

from ._arrays import between, normal, ones
from ._kernels import Moving

CASES = {"tiny": (2, 4, 4), "lenet_conv2": (128, 16, 8 * 8)}  # N, C, L
SIZE, ALPHA, BETA, K = 5, 1e-4, 0.75, 1.0


class LrnForward(Moving):
    cases = CASES

    def _arguments(self, *shape):
        return ones(*shape), ones(*shape), normal(*shape), SIZE, ALPHA, BETA, K


class LrnBackward(Moving):
    cases = CASES

    def _arguments(self, *shape):
        return ones(*shape), normal(*shape), normal(*shape), between(1, 2, *shape), SIZE, ALPHA, BETA
