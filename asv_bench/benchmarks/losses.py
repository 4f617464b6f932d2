"""Losses of single elements, and of probabilities over classes, each with its gradient."""

from ._arrays import between, normal, ones
from ._kernels import Moving

CASES = {"tiny": (32,), "lenet_images": (128 * 28 * 28,)}  # elements
CLASSES = {"tiny": (2, 3, 1), "lenet_scores": (128, 10, 1)}  # N, C, L


class MseForward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), ones(n), normal(n), normal(n), 1.0


class HuberForward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), ones(n), normal(n), normal(n), 1.0, 1.0, 1.0


class BceForward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), ones(n), between(0.01, 0.99, n), between(0, 1, n)


class BceWithLogitsForward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), ones(n), normal(n), between(0, 1, n), between(0, 1, n)


class LogLossForward(Moving):
    cases = CLASSES

    def _arguments(self, n, c, positions):
        x, target = (between(0.01, 1, n, c, positions) for _ in range(2))
        return ones(n, positions), ones(n, c, positions), x, target, 1e-7
