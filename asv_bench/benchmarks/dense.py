"""Dense layers: out = x @ weight.T + bias."""

from ._arrays import normal, ones
from ._kernels import Moving, Multiplying

CASES = {  # N, IN, OUT
    "tiny": (2, 3, 4),
    "lenet_fc1": (128, 256, 120),
    "vgg_fc1": (128, 2048, 256),
    "odd": (37, 301, 119),
}
BIAS = {name: (n, outputs) for name, (n, _, outputs) in CASES.items()}


class Products(Multiplying):
    """One of the three matrix products."""

    cases = CASES

    @staticmethod
    def _shape(n, inputs, outputs):
        return f"{n}x{inputs}, {outputs} outputs"

    def _flops(self, n, inputs, outputs):
        return 2 * n * inputs * outputs


class DenseForward(Products):
    def _arguments(self, n, inputs, outputs):
        return ones(n, outputs), normal(n, inputs), normal(outputs, inputs), normal(outputs)


class DenseBackwardInput(Products):
    def _arguments(self, n, inputs, outputs):
        return ones(n, inputs), normal(n, outputs), normal(outputs, inputs)


class DenseBackwardWeight(Products):
    def _arguments(self, n, inputs, outputs):
        return ones(outputs, inputs), normal(n, inputs), normal(n, outputs)


class DenseBackwardBias(Moving):
    cases = BIAS

    def _arguments(self, n, outputs):
        return ones(outputs), normal(n, outputs)
