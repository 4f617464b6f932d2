"""Batch normalization: statistics, forward, and its gradients."""

from ._arrays import between, normal, ones
from ._kernels import Moving

CASES = {  # N, C, L
    "tiny": (2, 2, 4),
    "lenet_conv1": (128, 6, 24 * 24),
    "vgg_conv1": (32, 32, 32 * 32),
    "odd": (13, 5, 23 * 17),
}


class BatchnormStatistics(Moving):
    cases = CASES

    def _arguments(self, n, c, positions):
        return ones(c), ones(c), normal(n, c, positions)


class BatchnormForward(Moving):
    cases = CASES

    def _arguments(self, n, c, positions):
        statistics = normal(c), between(0.5, 2, c)
        return ones(n, c, positions), normal(n, c, positions), *statistics, normal(c), normal(c), 1e-5


class BatchnormBackwardParams(Moving):
    cases = CASES

    def _arguments(self, n, c, positions):
        x, dout = normal(n, c, positions), normal(n, c, positions)
        return ones(c), ones(c), x, dout, normal(c), between(0.5, 2, c), 1e-5


class BatchnormBackwardInput(Moving):
    cases = CASES

    def _arguments(self, n, c, positions):
        dout, x = normal(n, c, positions), normal(n, c, positions)
        return ones(n, c, positions), dout, x, normal(c), between(0.5, 2, c), normal(c), normal(c), normal(c), 1e-5
