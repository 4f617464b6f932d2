"""Functions of single elements and their gradients, and what joins two branches."""

from ._arrays import normal, ones
from ._elementwise import CASES, Backward, Forward
from ._kernels import Moving


class ReluForward(Forward):
    cases = CASES


class ReluBackward(Backward):
    cases = CASES


class LeakyReluForward(Forward):
    cases = CASES
    scalars = (0.01,)


class LeakyReluBackward(Backward):
    cases = CASES
    scalars = (0.01,)


class SigmoidForward(Forward):
    cases = CASES


class SigmoidBackward(Backward):
    cases = CASES


class TanhForward(Forward):
    cases = CASES


class TanhBackward(Backward):
    cases = CASES


class HardtanhForward(Forward):
    cases = CASES
    scalars = (-1.0, 1.0)


class HardtanhBackward(Backward):
    cases = CASES
    scalars = (-1.0, 1.0)


class Multiply(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), normal(n), normal(n)


class Add(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), normal(n), normal(n)
