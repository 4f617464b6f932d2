"""Group and layer normalization, and their gradients."""

import numpy as np

from ._arrays import between, normal, ones
from ._kernels import Moving

CASES = {"tiny": (2, 4, 4, 2), "lenet_conv2": (128, 16, 8 * 8, 4)}  # N, C, L, groups


def _statistics(*shape):
    """Means and reciprocal deviations, which are kept in float64."""
    return normal(*shape).astype(np.float64), between(0.5, 2, *shape).astype(np.float64)


class Groupnorm(Moving):
    cases = CASES

    @staticmethod
    def _shape(n, c, positions, groups):
        return f"{n}x{c}x{positions}, {groups} groups"


class GroupnormForward(Groupnorm):
    def _arguments(self, n, c, positions, groups):
        out, x = ones(n, c, positions), normal(n, c, positions)
        return out, *_statistics(n, groups), x, normal(c), normal(c), 1e-5


class GroupnormBackwardParams(Groupnorm):
    def _arguments(self, n, c, positions, groups):
        x, dout = normal(n, c, positions), normal(n, c, positions)
        return ones(c), ones(c), x, dout, *_statistics(n, groups)


class GroupnormBackwardInput(Groupnorm):
    def _arguments(self, n, c, positions, groups):
        dout, x = normal(n, c, positions), normal(n, c, positions)
        return ones(n, c, positions), dout, x, *_statistics(n, groups), normal(c)
