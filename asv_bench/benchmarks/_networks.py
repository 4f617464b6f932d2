"""The networks that are benchmarked: layers, shape of a sample, batch, optimizer.

Those of tools/measure_training.py, the larger ones with smaller batches: NumPy takes the same.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

import fastnn as fnn


class Workload(NamedTuple):
    """A network, as a function from the package to a list of its layers, and how to train it."""

    title: str
    layers: Callable
    shape: tuple
    batch: int
    optimizer: str = "SGD"
    options: tuple = (("lr", 0.01), ("momentum", 0.9))

    def trainer(self, impl):
        """A trainer of a new network on the kernels that `impl` names."""
        network = fnn.Sequential(*self.layers(fnn))
        if impl == "numpy":
            network.use("reference")
        optimizer = getattr(fnn, self.optimizer)(**dict(self.options))
        return fnn.Trainer(network, fnn.CrossEntropyLoss(), optimizer, seed=0)

    def data(self):
        """Samples and their classes."""
        rng = np.random.default_rng(0)
        return rng.standard_normal((self.batch, *self.shape), dtype=np.float32), rng.integers(0, 10, self.batch)


def mlp(nn):
    layers = [part for i, o in pairwise((784, 256, 128, 10)) for part in (nn.Linear(i, o, rng=0), nn.ReLU())]
    return layers[:-1]


def lenet5(nn):
    front = [nn.Conv2d(1, 6, 5, rng=0), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5, rng=0), nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Linear(256, 120, rng=0), nn.ReLU(), nn.Linear(120, 84, rng=0), nn.ReLU(), nn.Linear(84, 10, rng=0)]
    return [*front, nn.Flatten(), *dense]


def stride_cnn(nn):
    widths = pairwise((1, 16, 16, 10))
    front = [part for i, o in widths for part in (nn.Conv2d(i, o, 3, stride=2, padding=1, rng=0), nn.ReLU())]
    return [*front, nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def _normed(nn, channels, filters, size=3, stride=1, bias=True):
    convolution = nn.Conv2d(channels, filters, size, stride=stride, padding=size // 2, bias=bias, rng=0)
    return [convolution, nn.BatchNorm2d(filters)]


def vgg_small(nn):
    layers = []
    for channels, filters in pairwise((3, 32, 64, 128)):
        layers += [*_normed(nn, channels, filters), nn.ReLU(), *_normed(nn, filters, filters), nn.ReLU(), nn.MaxPool2d(2)]
    return [*layers, nn.Flatten(), nn.Linear(2048, 256, rng=0), nn.ReLU(), nn.Linear(256, 10, rng=0)]


def resnet20(nn):
    layers, channels = [*_normed(nn, 3, 16, bias=False), nn.ReLU()], 16
    for filters in (16, 32, 64):
        for _ in range(3):
            stride = 1 if filters == channels else 2
            body = [*_normed(nn, channels, filters, 3, stride, False), nn.ReLU(), *_normed(nn, filters, filters, bias=False)]
            beside = nn.Sequential(*_normed(nn, channels, filters, 1, stride, False)) if filters != channels else None
            layers += [nn.Residual(nn.Sequential(*body), beside), nn.ReLU()]
            channels = filters
    return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10, rng=0)]


WORKLOADS = {
    "Mlp": Workload("perceptron 784-256-128-10", mlp, (784,), 128),
    "Lenet5": Workload("LeNet-5", lenet5, (1, 28, 28), 128, "Adam", (("lr", 1e-3),)),
    "StrideCnn": Workload("strided CNN", stride_cnn, (1, 28, 28), 64),
    "VggSmall": Workload("VGG-small", vgg_small, (3, 32, 32), 64),
    "Resnet20": Workload("ResNet-20", resnet20, (3, 32, 32), 64),
}
