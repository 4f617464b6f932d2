"""Cross-entropy of scores, each with its gradient."""

import numpy as np

from ._arrays import between, normal, ones, small_integers
from ._kernels import Moving
from .softmax import CASES, TWO_CASES


class CrossEntropyForward(Moving):
    cases = CASES

    def _arguments(self, n, c, positions):
        target = small_integers(c, np.int64, n, positions)
        return ones(n, positions), ones(n, c, positions), normal(n, c, positions), target, ones(c), 0.0, -100


class CrossEntropyProbabilitiesForward(Moving):
    cases = TWO_CASES

    def _arguments(self, n, c, positions):
        target = between(0, 1, n, c, positions)
        return ones(n, positions), ones(n, c, positions), normal(n, c, positions), target, ones(c), 0.0


class ScaleRows(Moving):
    cases = TWO_CASES
    updated = (0,)

    def _arguments(self, n, c, positions):
        return normal(n, c, positions), ones(n, positions)
