"""Functions of single elements, and their gradients."""

from ._arrays import normal, ones
from ._kernels import Moving

TWO_CASES = {"tiny": (32,), "lenet_conv1": (128 * 6 * 24 * 24,)}  # elements
CASES = {**TWO_CASES, "vgg_conv1": (32 * 32 * 32 * 32,), "odd": (10_007,)}


class Forward(Moving):
    """out = f(x)"""

    scalars = ()  # further arguments

    def _arguments(self, n):
        return ones(n), normal(n), *self.scalars


class Backward(Moving):
    """dx = dout * f'(x), from x or from what f wrote"""

    scalars = ()

    def _arguments(self, n):
        return ones(n), normal(n), normal(n), *self.scalars
