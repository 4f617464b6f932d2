"""Powers and roots, which pooling by norms is made of."""

from ._arrays import between, ones
from ._elementwise import TWO_CASES, Forward
from ._kernels import Moving


class PowerForward(Forward):
    cases = TWO_CASES
    scalars = (2.0,)


class PowerBackward(Moving):
    cases = TWO_CASES

    def _arguments(self, n):
        return ones(n), between(-1, 1, n), between(0.1, 1, n), 2.0


class RootForward(Moving):
    cases = TWO_CASES

    def _arguments(self, n):
        return ones(n), between(0.1, 1, n), 2.0, 4.0


class RootBackward(Moving):
    cases = TWO_CASES

    def _arguments(self, n):
        return ones(n), between(-1, 1, n), between(0.1, 1, n), 2.0, 4.0
