"""The optimizers' updates, as most people use them."""

import numpy as np

from ._arrays import between, normal
from ._kernels import Moving

CASES = {"tiny": (32,), "lenet": (44_426,), "vgg_small": (815_018,), "odd": (10_007,)}  # parameters
NONE = np.empty(0, np.float32)


class SgdUpdate(Moving):
    cases = CASES
    updated = (0,)

    def _arguments(self, n):
        return normal(n), normal(n), NONE, 1e-6, 0.0, 0.0, 0.0, 0, 0


class MomentumUpdate(Moving):
    kernel = "sgd_update"
    cases = CASES
    updated = (0, 2)
    nesterov = 0

    def _arguments(self, n):
        return normal(n), normal(n), normal(n), 1e-6, 0.9, 0.0, 0.0, self.nesterov, 0


class NesterovUpdate(MomentumUpdate):
    nesterov = 1


class AdamUpdate(Moving):
    cases = CASES
    updated = (0, 2, 3)
    weight_decay, decoupled = 0.0, 0

    def _arguments(self, n):
        state = normal(n), between(0, 1, n), NONE
        return normal(n), normal(n), *state, 1e-6, 0.9, 0.999, 1e-8, self.weight_decay, 5, self.decoupled, 0


class AdamwUpdate(AdamUpdate):
    kernel = "adam_update"
    weight_decay, decoupled = 0.01, 1


class RmspropUpdate(Moving):
    cases = CASES
    updated = (0, 2)

    def _arguments(self, n):
        return normal(n), normal(n), between(0, 1, n), NONE, NONE, 1e-6, 0.99, 1e-8, 0.0, 0.0, 0


class AdagradUpdate(Moving):
    cases = CASES
    updated = (0, 2)

    def _arguments(self, n):
        return normal(n), normal(n), between(0, 1, n), 1e-6, 0.0, 1e-10, 0.0, 5
