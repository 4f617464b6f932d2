"""Powers and roots, which pooling by norms is made of."""

from ._arrays import between, ones
from ._elementwise import CASES, Forward
from ._kernels import Moving


class PowerForward(Forward):
    cases = CASES
    scalars = (2.0,)


class PowerBackward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), between(-1, 1, n), between(0.1, 1, n), 2.0


class RootForward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), between(0.1, 1, n), 2.0, 4.0


class RootBackward(Moving):
    cases = CASES

    def _arguments(self, n):
        return ones(n), between(-1, 1, n), between(0.1, 1, n), 2.0, 4.0
