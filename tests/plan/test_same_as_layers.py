"""Steps and predictions of plans are those of the layers: every layer, loss, optimizer, kind of data and size of batch."""

import itertools
import math

import numpy as np
import pytest

import fastnn as fnn


def scrambled(layer):
    """The layer with random parameters: ones and zeros would hide which one goes where."""
    rng = np.random.default_rng(5)
    for param in layer.params.values():
        param[...] += 0.3 * rng.standard_normal(param.shape)
    return layer


# Name of the layer: shape of a sample, what comes before it, the layer. A Flatten and a Dense come behind.
LAYERS = {
    "Dense": ((7,), lambda d: [fnn.Dense(7, 5, dtype=d, rng=0)]),
    "Dense without bias": ((7,), lambda d: [fnn.Dense(7, 5, bias=False, dtype=d, rng=0)]),
    "Dense behind planes": ((3, 4, 5), lambda d: [fnn.Flatten(), fnn.Dense(60, 5, dtype=d, rng=0)]),
    "wide Dense": ((70,), lambda d: [fnn.Dense(70, 300, dtype=d, rng=0)]),
    "Conv1d": ((3, 11), lambda d: [fnn.Conv1d(3, 4, 3, stride=2, padding=2, dilation=2, dtype=d, rng=0)]),
    "Conv2d": ((2, 7, 6), lambda d: [fnn.Conv2d(2, 5, (3, 2), stride=(2, 1), padding=1, dtype=d, rng=0)]),
    "Conv2d 3x3": ((12, 8, 8), lambda d: [fnn.Conv2d(12, 13, 3, padding=1, dtype=d, rng=0)]),
    "Conv2d 1x1": ((5, 4, 4), lambda d: [fnn.Conv2d(5, 9, 1, bias=False, dtype=d, rng=0)]),
    "grouped Conv2d": ((6, 6, 6), lambda d: [fnn.Conv2d(6, 9, 3, groups=3, dtype=d, rng=0)]),
    "depthwise Conv2d": ((6, 6, 6), lambda d: [fnn.Conv2d(6, 6, 3, padding=1, groups=6, dtype=d, rng=0)]),
    "padding around one pixel": ((4, 1, 1), lambda d: [fnn.Conv2d(4, 6, 3, padding=1, dtype=d, rng=0)]),
    "padding around one value": ((6, 1), lambda d: [fnn.Conv1d(6, 4, 5, padding=2, dtype=d, rng=0)]),
    "taps beyond the image": ((3, 2, 1), lambda d: [fnn.Conv2d(3, 4, 5, padding=3, dtype=d, rng=0)]),
    "same padding": ((2, 6, 6), lambda d: [fnn.Conv2d(2, 3, 3, padding="same", dtype=d, rng=0)]),
    "two convolutions": (
        (2, 7, 7),
        lambda d: [fnn.Conv2d(2, 4, 3, dtype=d, rng=0), fnn.ReLU(), fnn.Conv2d(4, 3, 3, dtype=d, rng=1), fnn.ReLU()],
    ),
    "MaxPool1d": ((3, 11), lambda d: [fnn.Conv1d(3, 3, 1, dtype=d, rng=0), fnn.MaxPool1d(3, 2, 1, ceil_mode=True)]),
    "MaxPool2d": ((3, 7, 7), lambda d: [fnn.Conv2d(3, 3, 1, dtype=d, rng=0), fnn.MaxPool2d(3, 2, dilation=2)]),
    "ReLU, MaxPool2d": ((2, 8, 8), lambda d: [fnn.Conv2d(2, 3, 3, dtype=d, rng=0), fnn.ReLU(), fnn.MaxPool2d(2)]),
    "MaxPool2d, ReLU": ((2, 8, 8), lambda d: [fnn.Conv2d(2, 3, 3, dtype=d, rng=0), fnn.MaxPool2d(2), fnn.ReLU()]),
    "AvgPool1d": ((3, 11), lambda d: [fnn.Conv1d(3, 3, 1, dtype=d, rng=0), fnn.AvgPool1d(3, 2, 1)]),
    "AvgPool2d": (
        (3, 7, 7),
        lambda d: [fnn.Conv2d(3, 3, 1, dtype=d, rng=0), fnn.AvgPool2d(3, 2, 1, count_include_pad=False, divisor_override=4)],
    ),
    "AdaptiveAvgPool1d": ((3, 11), lambda d: [fnn.Conv1d(3, 3, 1, dtype=d, rng=0), fnn.AdaptiveAvgPool1d(4)]),
    "AdaptiveAvgPool2d": ((3, 7, 6), lambda d: [fnn.Conv2d(3, 3, 1, dtype=d, rng=0), fnn.AdaptiveAvgPool2d((3, 1))]),
    "LPPool1d": ((3, 11), lambda d: [fnn.Conv1d(3, 3, 1, dtype=d, rng=0), fnn.LPPool1d(1, 3, 2, ceil_mode=True)]),
    "LPPool2d": ((3, 7, 7), lambda d: [fnn.Conv2d(3, 3, 1, dtype=d, rng=0), fnn.ReLU(), fnn.LPPool2d(2, 3, 2)]),
    "LPPool2d of a fraction": (
        (3, 7, 6),
        lambda d: [fnn.Conv2d(3, 3, 1, dtype=d, rng=0), fnn.Sigmoid(), fnn.LPPool2d(1.5, (2, 3))],
    ),
    "BatchNorm1d": ((7,), lambda d: [fnn.Dense(7, 5, dtype=d, rng=0), fnn.BatchNorm1d(5, dtype=d)]),
    "BatchNorm1d of lengths": ((3, 6), lambda d: [fnn.BatchNorm1d(3, momentum=None, dtype=d)]),
    "BatchNorm2d": ((3, 5, 5), lambda d: [fnn.BatchNorm2d(3, dtype=d), fnn.ReLU()]),
    "plain BatchNorm2d": (
        (3, 5, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.BatchNorm2d(4, affine=False, dtype=d)],
    ),
    "BatchNorm2d without statistics": (
        (3, 5, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.BatchNorm2d(4, track_running_stats=False, dtype=d)],
    ),
    "BatchNorm2d without bias": (
        (3, 5, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.BatchNorm2d(4, bias=False, dtype=d)],
    ),
    "BatchNorm1d behind Flatten": ((3, 2, 2), lambda d: [fnn.Flatten(), fnn.BatchNorm1d(12, dtype=d)]),
    "Dropout": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.Dropout(0.4), fnn.ReLU()]),
    "Dropout of samples": ((3, 4, 4), lambda d: [fnn.Dropout(0.3), fnn.Conv2d(3, 2, 3, dtype=d, rng=0), fnn.Dropout(0.1)]),
    "all dropped": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.Dropout(1.0)]),
    "Flatten in part": (
        (3, 4, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.Flatten(2), fnn.Conv1d(4, 2, 3, dtype=d, rng=0)],
    ),
    "GroupNorm": (
        (3, 5, 5),
        lambda d: [fnn.Conv2d(3, 6, 2, dtype=d, rng=0), scrambled(fnn.GroupNorm(3, 6, dtype=d)), fnn.ReLU()],
    ),
    "GroupNorm of lengths": ((6, 7), lambda d: [scrambled(fnn.GroupNorm(2, 6, dtype=d)), fnn.Conv1d(6, 3, 2, dtype=d, rng=0)]),
    "GroupNorm of one axis": (
        (7,),
        lambda d: [fnn.Dense(7, 40, dtype=d, rng=0), fnn.ReLU(), scrambled(fnn.GroupNorm(4, 40, bias=False, dtype=d))],
    ),
    "GroupNorm behind Flatten": ((3, 2, 2), lambda d: [fnn.Flatten(), scrambled(fnn.GroupNorm(3, 12, dtype=d))]),
    "plain GroupNorm": (
        (3, 5, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.GroupNorm(1, 4, affine=False, dtype=d), fnn.ReLU()],
    ),
    "LayerNorm": ((7,), lambda d: [fnn.Dense(7, 37, dtype=d, rng=0), scrambled(fnn.LayerNorm(37, dtype=d)), fnn.Tanh()]),
    "LayerNorm without bias": (
        (7,),
        lambda d: [fnn.Dense(7, 5, dtype=d, rng=0), scrambled(fnn.LayerNorm(5, bias=False, dtype=d))],
    ),
    "plain LayerNorm": ((7,), lambda d: [fnn.LayerNorm(7, elementwise_affine=False, dtype=d)]),
    "LayerNorm of images": (
        (2, 5, 4),
        lambda d: [fnn.Conv2d(2, 6, 2, dtype=d, rng=0), scrambled(fnn.LayerNorm((6, 4, 3), dtype=d)), fnn.ReLU()],
    ),
    "LayerNorm of planes": ((3, 5, 4), lambda d: [scrambled(fnn.LayerNorm((5, 4), dtype=d)), fnn.AvgPool2d(2)]),
    "LayerNorm of lengths": ((3, 9), lambda d: [scrambled(fnn.LayerNorm(9, dtype=d)), fnn.Conv1d(3, 2, 3, dtype=d, rng=0)]),
    "LayerNorm behind Flatten": ((3, 2, 2), lambda d: [fnn.Flatten(), scrambled(fnn.LayerNorm(12, dtype=d))]),
    "LocalResponseNorm": (
        (3, 5, 5),
        lambda d: [fnn.Conv2d(3, 8, 2, dtype=d, rng=0), fnn.ReLU(), fnn.LocalResponseNorm(5, 0.8), fnn.MaxPool2d(2)],
    ),
    "LocalResponseNorm of samples": (
        (6, 5),
        lambda d: [fnn.LocalResponseNorm(2, 0.8, 0.6), fnn.Conv1d(6, 3, 2, dtype=d, rng=0)],
    ),
    "Flatten of some": ((3, 4, 5), lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.Flatten(1, 2), fnn.Tanh()]),
    "Flatten behind max-pooling": (
        (3, 6, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.MaxPool2d(2), fnn.Flatten(2), fnn.ReLU(), fnn.Softmax(1)],
    ),
    "Identity": ((7,), lambda d: [fnn.Identity(), fnn.Dense(7, 9, dtype=d, rng=0), fnn.Identity(), fnn.ReLU()]),
    "Residual of Identity": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.Residual(fnn.Tanh(), fnn.Identity())]),
    "Reshape of samples": ((60,), lambda d: [fnn.Reshape(3, 4, 5), fnn.Conv2d(3, 4, (2, 3), dtype=d, rng=0)]),
    "Reshape to one channel": ((60,), lambda d: [fnn.Reshape(1, -1, 5), fnn.Conv2d(1, 4, (2, 3), dtype=d, rng=0)]),
    "Reshape of features": (
        (7,),
        lambda d: [fnn.Dense(7, 24, dtype=d, rng=0), fnn.ReLU(), fnn.Reshape((2, 3, 4)), fnn.Conv2d(2, 3, 2, dtype=d, rng=1)],
    ),
    "Reshape of planes": (
        (3, 4, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.Reshape(3, 2, 8), fnn.Conv2d(3, 2, 2, dtype=d, rng=1)],
    ),
    "Reshape within channels": (
        (3, 4, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.Reshape(4, 2, 6), fnn.Conv2d(4, 2, 2, dtype=d, rng=1)],
    ),
    "Reshape and back": (
        (3, 4, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.Flatten(), fnn.Reshape(4, 3, 4), fnn.Conv2d(4, 2, 2, dtype=d)],
    ),
    "Reshape of lengths": ((6, 4), lambda d: [fnn.Reshape(8, 3), fnn.Conv1d(8, 2, 2, dtype=d, rng=0), fnn.Reshape(1, -1)]),
    "channels last": ((6, 5, 3), lambda d: [fnn.Permute(3, 1, 2), fnn.Conv2d(3, 4, 2, dtype=d, rng=0)]),
    "lengths first": ((9, 3), lambda d: [fnn.Permute(2, 1), fnn.Conv1d(3, 4, 2, dtype=d, rng=0)]),
    "channels last, shared": (
        (6, 5, 3),
        lambda d: [
            fnn.Concat(
                fnn.Sequential(fnn.Permute(3, 1, 2), fnn.Conv2d(3, 4, 1, dtype=d, rng=0), fnn.Flatten()),
                fnn.Sequential(fnn.Conv2d(6, 2, 1, dtype=d, rng=1), fnn.Flatten()),
            )
        ],
    ),
    "Permute in between": (
        (3, 4, 5),
        lambda d: [fnn.Conv2d(3, 4, 2, dtype=d, rng=0), fnn.Permute(2, 3, 1), fnn.ReLU(), fnn.Conv2d(3, 2, 2, dtype=d, rng=1)],
    ),
    "Permute to and fro": (
        (3, 4, 5),
        lambda d: [
            fnn.Permute(3, 2, 1),
            fnn.Tanh(),
            fnn.Permute(2, 1, 3),
            fnn.Conv2d(4, 2, 2, dtype=d, rng=0),
            fnn.Permute(1, 3, 2),
        ],
    ),
    "Permute of one channel": (
        (1, 4, 5),
        lambda d: [fnn.Permute(3, 1, 2), fnn.Permute(3, 1, 2), fnn.Conv2d(4, 2, 1, dtype=d, rng=0)],
    ),
    "Permute of one axis": ((7,), lambda d: [fnn.Permute(0, 1), fnn.Dense(7, 9, dtype=d, rng=0)]),
    "Lambda of a reshape": (
        (3, 6, 5),
        lambda d: [
            fnn.Conv2d(3, 4, 2, dtype=d, rng=0),
            fnn.Lambda(lambda x: x.reshape(len(x), 4, -1)),
            fnn.Conv1d(4, 3, 2, dtype=d, rng=1),
            fnn.ReLU(),
            fnn.AdaptiveAvgPool1d(1),
            fnn.Lambda(lambda x: x.reshape(len(x), -1)),
        ],
    ),
    "ReLU": ((7,), lambda d: [fnn.ReLU(), fnn.Dense(7, 9, dtype=d, rng=0), fnn.ReLU()]),
    "LeakyReLU": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.LeakyReLU(0.2)]),
    "Sigmoid": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.Sigmoid()]),
    "Tanh": ((3, 4, 4), lambda d: [fnn.Conv2d(3, 5, 2, dtype=d, rng=0), fnn.Tanh()]),
    "Hardtanh, ReLU6": ((7,), lambda d: [fnn.Hardtanh(-0.5, 1), fnn.Dense(7, 9, dtype=d, rng=0), fnn.ReLU6()]),
    "ELU": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.ELU(0.7)]),
    "GELU": ((3, 4, 4), lambda d: [fnn.Conv2d(3, 5, 2, dtype=d, rng=0), fnn.GELU(), fnn.GELU("tanh")]),
    "SiLU": ((3, 4, 4), lambda d: [fnn.Conv2d(3, 5, 2, dtype=d, rng=0), fnn.SiLU()]),
    "Softplus": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.Softplus(2.0, 1.0)]),
    "Softmax": ((7,), lambda d: [fnn.Dense(7, 9, dtype=d, rng=0), fnn.Softmax(1)]),
    "Softmax over channels": ((3, 4, 4), lambda d: [fnn.Conv2d(3, 5, 2, dtype=d, rng=0), fnn.Softmax(1)]),
    "LogSoftmax": ((3, 4), lambda d: [fnn.Conv1d(3, 5, 2, dtype=d, rng=0), fnn.LogSoftmax(1)]),
    "Softmax behind Flatten": ((3, 2, 2), lambda d: [fnn.Conv2d(3, 2, 1, dtype=d, rng=0), fnn.Flatten(), fnn.Softmax(1)]),
    "Residual": (
        (4, 6, 6),
        lambda d: [
            fnn.Conv2d(4, 4, 3, padding=1, dtype=d, rng=0),
            fnn.Residual(fnn.Sequential(fnn.Conv2d(4, 4, 3, padding=1, dtype=d, rng=1), fnn.BatchNorm2d(4, dtype=d))),
            fnn.ReLU(),
        ],
    ),
    "Residual with a shortcut": (
        (4, 6, 6),
        lambda d: [
            fnn.Residual(
                fnn.Sequential(fnn.Conv2d(4, 6, 3, 2, 1, dtype=d, rng=1), fnn.ReLU(), fnn.Dropout(0.2)),
                fnn.Sequential(fnn.Conv2d(4, 6, 1, 2, dtype=d, rng=2), fnn.BatchNorm2d(6, dtype=d), fnn.Dropout(0.2)),
            ),
        ],
    ),
    "Residual of nothing": ((7,), lambda d: [fnn.Dense(7, 4, dtype=d, rng=0), fnn.Residual(fnn.Sequential()), fnn.ReLU()]),
    "Residual in Residual": (
        (5,),
        lambda d: [fnn.Residual(fnn.Residual(fnn.Sequential(fnn.Dense(5, 5, dtype=d, rng=1), fnn.Tanh())))],
    ),
    "Concat": (
        (4, 6, 6),
        lambda d: [
            fnn.Conv2d(4, 5, 1, dtype=d, rng=0),
            fnn.Concat(
                fnn.Sequential(fnn.Conv2d(5, 3, 1, dtype=d, rng=1), fnn.ReLU()),
                fnn.Sequential(fnn.Conv2d(5, 2, 1, dtype=d, rng=2), fnn.ReLU(), fnn.Conv2d(2, 6, 3, padding=1, dtype=d, rng=3)),
                fnn.Sequential(fnn.Conv2d(5, 1, 1, dtype=d, rng=4), fnn.BatchNorm2d(1, dtype=d), fnn.ReLU()),
                fnn.MaxPool2d(3, 1, 1),
            ),
            fnn.MaxPool2d(2),
        ],
    ),
    "Concat of samples": ((3, 7), lambda d: [fnn.Concat(fnn.Conv1d(3, 4, 1, dtype=d, rng=0), fnn.Sequential(), fnn.Dropout())]),
    "Concat with nothing": (
        (7,),
        lambda d: [fnn.Dense(7, 4, dtype=d, rng=0), fnn.Concat(fnn.Sequential(), fnn.Dense(4, 3, dtype=d, rng=1), fnn.Tanh())],
    ),
    "Concat of one": ((7,), lambda d: [fnn.Concat(fnn.Dense(7, 4, dtype=d, rng=0)), fnn.ReLU()]),
    "Concat behind Flatten": (
        (3, 4, 4),
        lambda d: [
            fnn.Conv2d(3, 5, 2, dtype=d, rng=0),
            fnn.Concat(
                fnn.Flatten(), fnn.Sequential(fnn.MaxPool2d(2), fnn.Flatten()), fnn.Sequential(fnn.Tanh(), fnn.Flatten())
            ),
        ],
    ),
    "Concat in Concat": (
        (3, 4, 4),
        lambda d: [
            fnn.Concat(
                fnn.Residual(fnn.Concat(fnn.Conv2d(3, 1, 1, dtype=d, rng=0), fnn.Conv2d(3, 2, 1, dtype=d, rng=1))),
                fnn.Concat(fnn.Sequential(), fnn.Conv2d(3, 2, 1, dtype=d, rng=2)),
            )
        ],
    ),
    "Sequential in Sequential": ((7,), lambda d: [fnn.Sequential(fnn.Sequential(fnn.Dense(7, 4, dtype=d, rng=0)), fnn.Tanh())]),
}


def network_around(name, dtype):
    """(network, shape of a sample) with a classifier of 4 classes behind the layers of that name."""
    shape, make = LAYERS[name]
    layers = make(dtype)
    after = fnn.Sequential(*layers).output_shape(shape)
    return fnn.Sequential(*layers, fnn.Flatten(), fnn.Dense(int(np.prod(after)), 4, dtype=dtype, rng=9)), shape


def batch(rng, shape, samples, dtype, classes=4):
    return rng.standard_normal((samples, *shape)).astype(dtype), rng.integers(0, classes, samples)


def mlp(dtype=np.float64, outputs=3):
    return fnn.Sequential(fnn.Dense(4, 6, dtype=dtype, rng=0), fnn.Tanh(), fnn.Dense(6, outputs, dtype=dtype, rng=1))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, dtype, rng, pair, close):
    network, shape = network_around(name, dtype)
    both = pair(network)
    for samples in (19, 5, 33):
        both.step(*batch(rng, shape, samples, dtype))
        both.check()
    x, _ = batch(rng, shape, 21, dtype)
    close(*both.each("predict", x), dtype, "predictions")


# --- losses


def probabilities(rng, shape):
    p = rng.random(shape)
    return p / p.sum(axis=1, keepdims=True)


class Quartic(fnn.losses.Loss):
    """A loss of a user's own."""

    def check(self, shape, target):
        if target.shape != shape:
            raise ValueError("Quartic: another shape")

    def _compute(self, prediction, target):
        difference = prediction - target
        return difference**4, difference.size, lambda factor: 4 * difference**3 * difference.dtype.type(factor)


class Bare:
    """A user's loss that has only what is required."""

    def forward(self, prediction, target):
        self.difference = prediction - target
        return float((self.difference**2).sum())

    def backward(self):
        return 2 * self.difference


LOSSES = {
    "CrossEntropyLoss": (lambda: fnn.CrossEntropyLoss(), lambda rng, n: rng.integers(0, 3, n)),
    "weight": (lambda: fnn.CrossEntropyLoss(weight=[1, 0, 2.5]), lambda rng, n: rng.integers(0, 3, n)),
    "smoothing": (lambda: fnn.CrossEntropyLoss(label_smoothing=0.2), lambda rng, n: rng.integers(0, 3, n)),
    "sum": (lambda: fnn.CrossEntropyLoss(reduction="sum"), lambda rng, n: rng.integers(0, 3, n)),
    "ignore_index": (lambda: fnn.CrossEntropyLoss(ignore_index=1), lambda rng, n: rng.integers(0, 3, n)),
    "ignored below 0": (lambda: fnn.CrossEntropyLoss(), lambda rng, n: np.where(rng.random(n) < 0.5, -100, 1)),
    "all options": (
        lambda: fnn.CrossEntropyLoss(weight=[1, 3, 2.5], ignore_index=7, label_smoothing=0.1),
        lambda rng, n: rng.choice([0, 1, 2, 7], n),
    ),
    "all ignored": (lambda: fnn.CrossEntropyLoss(ignore_index=2), lambda rng, n: np.full(n, 2)),
    "no weight": (lambda: fnn.CrossEntropyLoss(weight=[0, 1, 1]), lambda rng, n: np.zeros(n, int)),
    "probabilities": (
        lambda: fnn.CrossEntropyLoss(weight=[1, 3, 2.5], label_smoothing=0.1),
        lambda rng, n: probabilities(rng, (n, 3)),
    ),
    "NLLLoss": (lambda: fnn.NLLLoss(weight=[1, 3, 2.5], ignore_index=0), lambda rng, n: rng.integers(0, 3, n)),
    "NLLLoss sum": (lambda: fnn.NLLLoss(reduction="sum"), lambda rng, n: rng.integers(0, 3, n)),
    "MSELoss": (lambda: fnn.MSELoss(), lambda rng, n: rng.standard_normal((n, 3))),
    "MSELoss sum": (lambda: fnn.MSELoss(reduction="sum"), lambda rng, n: rng.standard_normal((n, 3))),
    "MSELoss, half": (lambda: fnn.MSELoss(reduction="sum", factor=0.5), lambda rng, n: rng.standard_normal((n, 3))),
    "L1Loss": (lambda: fnn.L1Loss(), lambda rng, n: rng.standard_normal((n, 3))),
    "HuberLoss": (lambda: fnn.HuberLoss(delta=0.7), lambda rng, n: rng.standard_normal((n, 3))),
    "SmoothL1Loss": (lambda: fnn.SmoothL1Loss(reduction="sum", beta=0.7), lambda rng, n: rng.standard_normal((n, 3))),
    "SmoothL1Loss, beta 0": (lambda: fnn.SmoothL1Loss(beta=0), lambda rng, n: rng.standard_normal((n, 3))),
    "BCEWithLogitsLoss": (lambda: fnn.BCEWithLogitsLoss(), lambda rng, n: rng.random((n, 3))),
    "BCE with weights": (
        lambda: fnn.BCEWithLogitsLoss(weight=np.array([[1.0, 2, 3]]), pos_weight=[0.5, 1, 3], reduction="sum"),
        lambda rng, n: rng.random((n, 3)),
    ),
    "a user's": (lambda: Quartic(), lambda rng, n: rng.standard_normal((n, 3))),
    "a bare one": (lambda: Bare(), lambda rng, n: rng.standard_normal((n, 3))),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, rng, pair):
    make, target = LOSSES[name]
    both = pair(mlp(), make())
    for samples in (7, 20, 7):
        both.step(rng.standard_normal((samples, 4)), target(rng, samples))
        both.check()
        assert getattr(both.planned.loss, "divisor", None) == getattr(both.plain.loss, "divisor", None)


PROBABILITY_LOSSES = {
    "BCELoss": (fnn.Sigmoid, lambda: fnn.BCELoss(), lambda rng, n: rng.random((n, 3))),
    "BCELoss with weights": (
        fnn.Sigmoid,
        lambda: fnn.BCELoss(weight=[1.0, 2, 3], reduction="sum"),
        lambda rng, n: rng.integers(0, 2, (n, 3)).astype(float),
    ),
    "from probabilities": (
        lambda: fnn.Softmax(1),
        lambda: fnn.CrossEntropyLoss(from_logits=False),
        lambda rng, n: rng.integers(0, 3, n),
    ),
    "from probabilities, all options": (
        lambda: fnn.Softmax(1),
        lambda: fnn.CrossEntropyLoss([1, 3, 2.5], ignore_index=2, label_smoothing=0.1, from_logits=False, eps=1e-3),
        lambda rng, n: rng.integers(0, 3, n),
    ),
}


@pytest.mark.parametrize("name", PROBABILITY_LOSSES)
def test_losses_of_probabilities(name, rng, pair):
    behind, make, target = PROBABILITY_LOSSES[name]
    network = mlp()
    network.append(behind())
    both = pair(network, make())
    for samples in (7, 20, 7):
        both.step(rng.standard_normal((samples, 4)), target(rng, samples))
        both.check()
        assert both.planned.loss.divisor == both.plain.loss.divisor
    assert both.planned._plan.loss_reason is None


@pytest.mark.parametrize("last", [fnn.Sigmoid, fnn.Softmax, fnn.Flatten])
def test_binary_losses_of_probabilities_over_planes(last, rng, pair):
    """Only behind a Sigmoid, in whatever order, is it certain that predictions are in 0..1."""
    last = last(1) if last is fnn.Softmax else last()
    network = fnn.Sequential(fnn.Conv2d(2, 3, 2, dtype=np.float64, rng=0), fnn.Sigmoid(), last)
    both, shape = pair(network, fnn.BCELoss()), (60,) if isinstance(last, fnn.Flatten) else (3, 4, 5)
    both.step(rng.standard_normal((5, 2, 5, 6)), rng.random((5, *shape)))
    both.check()
    assert (both.planned._plan.loss_reason is None) == (not isinstance(last, fnn.Softmax))


@pytest.mark.parametrize("change", ["factor", "delta", "beta", "from_logits", "eps", "weight"])
def test_options_that_change_between_steps(change, rng, pair):
    loss = {
        "factor": lambda: fnn.MSELoss(),
        "delta": lambda: fnn.HuberLoss(),
        "beta": lambda: fnn.SmoothL1Loss(),
        "from_logits": lambda: fnn.CrossEntropyLoss(),
        "eps": lambda: fnn.CrossEntropyLoss(from_logits=False),
        "weight": lambda: fnn.BCELoss(weight=[1.0, 2, 3]),
    }[change]()
    network = mlp()
    network.append(fnn.Sigmoid())
    both = pair(network, loss)
    for step in range(4):
        target = rng.integers(0, 3, 9) if isinstance(loss, fnn.CrossEntropyLoss) else rng.random((9, 3))
        both.step(rng.standard_normal((9, 4)), target)
        both.check()
        for trainer in (both.planned, both.plain):
            if step == 1:
                value = {"from_logits": False, "weight": np.array([3.0, 2, 1])}.get(change, 0.25)
                setattr(trainer.loss, change, value)
            if step == 2 and change == "weight":
                trainer.loss.weight[0] = 7


@pytest.mark.parametrize("kind", ["labels", "probabilities", "values"])
@pytest.mark.parametrize("behind", [(), (fnn.Tanh,)])
def test_losses_over_planes(kind, behind, rng, pair):
    """Predictions (N, C, H, W): no plan takes labels at many positions, so the loss is computed between two chains."""
    network = fnn.Sequential(fnn.Conv2d(2, 3, 2, dtype=np.float64, rng=0), *(make() for make in behind))
    loss = fnn.MSELoss() if kind == "values" else fnn.CrossEntropyLoss()
    both = pair(network, loss)
    make = {
        "labels": lambda shape: rng.integers(0, 3, (shape[0], *shape[2:])),
        "probabilities": lambda shape: probabilities(rng, shape),
        "values": rng.standard_normal,
    }[kind]
    for samples in (5, 18):
        both.step(rng.standard_normal((samples, 2, 5, 6)), make((samples, 3, 4, 5)))
        both.check()


def test_losses_behind_flatten(rng, pair):
    """Blocks hold a flattened plane in another order than the targets have."""
    for loss, target in ((fnn.MSELoss(), rng.random((5, 60))), (Quartic(), rng.random((5, 60))), (fnn.NLLLoss(), np.arange(5))):
        both = pair(fnn.Sequential(fnn.Conv2d(2, 3, 2, dtype=np.float64, rng=0), fnn.Flatten()), loss)
        both.step(rng.standard_normal((5, 2, 5, 6)), target)
        both.check()


# --- optimizers


class Signs(fnn.optimizers.Optimizer):
    """An optimizer of a user's own."""

    def __init__(self, lr=0.1):
        super().__init__()
        self.lr = lr

    def _step(self, state, param, grad):
        state["steps"] = state.get("steps", 0) + 1
        param -= self.lr * np.sign(grad)


class BareOptimizer:
    """A user's optimizer that has only what is required."""

    def update(self, params, grads):
        params -= 0.1 * grads


class SlowAdam(fnn.Adam):
    """A subclass may do something else: its `_step` has to be called."""

    def _step(self, state, param, grad):
        super()._step(state, param, grad / 2)


OPTIMIZERS = {
    "SGD": lambda: fnn.SGD(lr=0.1),
    "decay": lambda: fnn.SGD(lr=0.1, weight_decay=0.1),
    "momentum": lambda: fnn.SGD(lr=0.1, momentum=0.9, dampening=0.3),
    "Nesterov": lambda: fnn.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda: fnn.Adam(lr=0.1),
    "Adam with options": lambda: fnn.Adam(lr=0.1, betas=(0.7, 0.9), eps=1e-3, weight_decay=0.1, amsgrad=True),
    "decoupled Adam": lambda: fnn.Adam(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True),
    "AdamW": lambda: fnn.AdamW(lr=0.1, weight_decay=0.1),
    "AdamW amsgrad": lambda: fnn.AdamW(lr=0.1, amsgrad=True),
    "RMSprop": lambda: fnn.RMSprop(),
    "RMSprop with options": lambda: fnn.RMSprop(0.01, 0.8, 1e-3, 0.1, 0.7, True),
    "Adagrad": lambda: fnn.Adagrad(lr=0.1),
    "Adagrad with options": lambda: fnn.Adagrad(0.1, 0.05, 0.1, 0.5, 1e-3),
    "a user's": lambda: Signs(),
    "a bare one": lambda: BareOptimizer(),
    "a subclass": lambda: SlowAdam(lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, rng, pair):
    both = pair(mlp(), optimizer=OPTIMIZERS[name]())
    for _ in range(4):
        both.step(*batch(rng, (4,), 7, np.float64, 3))
        both.check()


CHANGES = [
    ("SGD", {"lr": 0.5}),
    ("SGD", {"momentum": 0.5}),
    ("SGD", {"weight_decay": 0.5}),
    ("momentum", {"momentum": 0.0}),
    ("momentum", {"momentum": 0.3, "dampening": 0.0, "nesterov": True}),
    ("Nesterov", {"nesterov": False}),
    ("Adam", {"lr": 0.5, "betas": (0.5, 0.6), "eps": 0.1, "weight_decay": 0.2}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("AdamW amsgrad", {"amsgrad": False}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.5, "eps": 0.1, "weight_decay": 0.2}),
    ("RMSprop", {"momentum": 0.5}),
    ("RMSprop", {"centered": True, "eps": 1e-3}),
    ("RMSprop with options", {"momentum": 0.0}),
    ("RMSprop with options", {"centered": False}),
    ("Adagrad", {"lr": 0.5, "lr_decay": 0.3, "weight_decay": 0.2, "eps": 0.1}),
    ("Adagrad", {"initial_accumulator_value": 0.7}),
    ("a user's", {"lr": 0.5}),
]


@pytest.mark.parametrize("name,options", CHANGES)
def test_options_change_between_steps(name, options, rng, pair):
    both = pair(mlp(), optimizer=OPTIMIZERS[name]())
    before = {option: getattr(both.plain.optimizer, option) for option in options}
    for settings in ({}, options, {}, before, options):
        for trainer in (both.planned, both.plain):
            for option, value in settings.items():
                setattr(trainer.optimizer, option, value)
        for _ in range(2):
            both.step(*batch(rng, (4,), 7, np.float64, 3))
            both.check()


@pytest.mark.parametrize(
    "name",
    ["momentum", "Adam", "AdamW amsgrad", "RMSprop", "RMSprop with options", "Adagrad", "Adagrad with options", "a user's"],
)
def test_state_of_optimizers_is_everybodys(name, rng, pair):
    """Steps with and without plans, updates by hand, resets: all go on from one state."""
    both = pair(mlp(), optimizer=OPTIMIZERS[name]())
    x, y = batch(rng, (4,), 7, np.float64, 3)

    def step():
        for _ in range(2):
            both.step(x, y)
            both.check()

    def without_plan(trainer):
        with fnn.config(plan=False):
            trainer.step(x, y)

    def on_reference(trainer):
        with fnn.kernels.use("reference"):
            trainer.step(x, y)

    def by_hand(trainer):
        trainer.optimizer.update(trainer.network.flat_params, trainer.network.flat_grads)

    def fresh_state(trainer):
        trainer.optimizer.state = {}

    def reload(trainer):
        trainer.optimizer.load_state_dict(trainer.optimizer.state_dict())

    def other_lr(trainer):
        trainer.optimizer.lr *= 0.5

    step()
    for change in (without_plan, on_reference, by_hand, fresh_state, reload, other_lr, without_plan, other_lr):
        both.each(change)
        step()


@pytest.mark.parametrize("name,option,value", [("Adagrad", "initial_accumulator_value", 0.7), ("RMSprop", "centered", True)])
def test_options_change_before_the_first_step(name, option, value, rng, pair):
    """The plan is there already, with the state that steps would begin with."""
    both = pair(mlp(), optimizer=OPTIMIZERS[name]())
    x, y = batch(rng, (4,), 7, np.float64, 3)
    assert both.planned._plan_for(x, y, 7) is not None
    both.each(lambda trainer: setattr(trainer.optimizer, option, value))
    for _ in range(2):
        both.step(x, y)
        both.check()


def test_state_is_cleared_before_the_first_step_with_an_option(rng, pair):
    """The plan for the option is there already, with arrays of earlier steps among its new ones."""
    both = pair(mlp(), optimizer=OPTIMIZERS["RMSprop"]())
    x, y = batch(rng, (4,), 7, np.float64, 3)
    both.step(x, y)
    both.each(lambda trainer: setattr(trainer.optimizer, "momentum", 0.5))
    assert both.planned._plan_for(x, y, 7) is not None
    both.each(lambda trainer: setattr(trainer.optimizer, "state", {}))
    for _ in range(2):
        both.step(x, y)
        both.check()


# --- data


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "longlong", "intc", ">i4", ">i8"]


@pytest.mark.parametrize("name", INTEGERS)
def test_labels_of_every_integer_type(name, rng, pair):
    x, y = batch(rng, (4,), 9, np.float64, 3)
    both = pair(mlp())
    for _ in range(2):
        both.step(x, y.astype(name))
        both.check()
    both.each("fit", x, y.astype(name), batch_size=4, progress=False)
    both.check()


class Column:
    """Like a column of a table: it says what an array says, but is none."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.flags = array, array.shape, array.dtype, None

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


LAYOUTS = {
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "transposed": lambda a: np.asfortranarray(a),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": lambda a: np.frombuffer(b"." + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "subclass": lambda a: a.view(np.recarray),
    "list": lambda a: a.tolist(),
    "column": Column,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["float64", "uint8"])
def test_layouts(layout, kind, rng, pair, close):
    d = np.float64
    network = fnn.Sequential(fnn.Conv2d(2, 3, 2, dtype=d, rng=0), fnn.Flatten(), fnn.Dense(36, 3, dtype=d, rng=1))
    x = rng.random((9, 2, 4, 5)) if kind == "float64" else rng.integers(0, 256, (9, 2, 4, 5)).astype(np.uint8)
    y = rng.integers(0, 3, 9)
    change = LAYOUTS[layout]
    both = pair(network)
    for _ in range(2):  # the second step comes after one with plain arrays, too
        both.each("step", x, y)
        given = x if layout == "list" else change(x)
        both.step(given, change(y), plan=None if layout == "big-endian" else True)
        both.check()
    close(*both.each("predict", given), np.float64, "predictions")


def test_bytes_in_float32(rng, pair, close):
    network = fnn.Sequential(fnn.Conv2d(1, 3, 3, rng=0), fnn.ReLU(), fnn.MaxPool2d(2), fnn.Flatten(), fnn.Dense(27, 3, rng=1))
    x, y = rng.integers(0, 256, (21, 1, 8, 8)).astype(np.uint8), rng.integers(0, 3, 21)
    both = pair(network)
    for _ in range(3):
        both.step(x, y)
    both.check()
    close(*both.each("predict", x), np.float32, "predictions")


def test_batches_of_any_size(rng, pair):
    """The size changes from step to step; what lies in lanes and blocks beyond the batch counts nothing."""
    network = fnn.Sequential(
        fnn.Conv2d(2, 4, 3, padding=1, dtype=np.float64, rng=0),
        fnn.BatchNorm2d(4, dtype=np.float64),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Dense(16, 3, dtype=np.float64, rng=1),
    )
    both = pair(network, optimizer=fnn.SGD(lr=0.01))
    for samples in (*range(1, 18), 40, 3, 33, 1, 40, 7, 8, 9, 64, 2):
        x, y = batch(rng, (2, 4, 4), samples, np.float64, 3)
        x *= 10.0 ** rng.integers(-2, 3)  # what is left of a larger batch would show
        both.step(x, y)
        both.check()


def test_predictions_of_any_number(rng, close):
    network = fnn.Sequential(fnn.Conv2d(2, 4, 3, dtype=np.float64, rng=0), fnn.ReLU(), fnn.AvgPool2d(2))
    x = rng.standard_normal((60, 2, 6, 6))
    with fnn.config(plan=False):
        expected = network.predict(x)
    for samples in (*range(1, 20), 60):
        for _ in range(3):
            close(network.predict(x[:samples]), expected[:samples], np.float64, f"{samples} samples")


def test_dropout_shared_by_layers(rng, pair):
    """Layers that draw from one generator draw in the order in which layers run."""
    generator = np.random.default_rng(0)
    network = fnn.Sequential(
        fnn.Dropout(0.5, rng=generator),
        fnn.Residual(
            fnn.Sequential(fnn.Dropout(0.2, rng=generator), fnn.Dense(6, 6, dtype=np.float64, rng=0)),
            fnn.Sequential(fnn.Dense(6, 6, dtype=np.float64, rng=1), fnn.Dropout(0.6, rng=generator)),
        ),
        fnn.Dropout(0.5, rng=generator),
    )
    both = pair(network, seed=None)
    for samples in (5, 20):
        both.step(*batch(rng, (6,), samples, np.float64, 6))
        both.check()


def test_rate_of_dropout_changes(rng, pair):
    d = np.float64
    network = fnn.Sequential(fnn.Dense(4, 9, dtype=d, rng=0), fnn.Dropout(0.5), fnn.Dense(9, 3, dtype=d, rng=1))
    both = pair(network)
    for p in (0.5, 0.1, 1.0, 0.0):
        both.planned.network[1].p = both.plain.network[1].p = p
        both.step(*batch(rng, (4,), 9, np.float64, 3))
        both.check()


def test_channels_last_images(rng, pair, close):
    """Images as most files have them, in bytes: trained in epochs, and predicted."""
    layers = fnn.Permute(3, 1, 2), fnn.Conv2d(3, 4, 3, rng=0), fnn.ReLU(), fnn.Flatten(), fnn.Dense(192, 4, rng=1)
    both = pair(fnn.Sequential(*layers))
    images, labels = rng.integers(0, 256, (37, 10, 8, 3), np.uint8), rng.integers(0, 4, 37)
    for x in (images, images.astype(np.float32) / 255, np.ascontiguousarray(images[:, ::-1])):
        both.step(x, labels)
        both.each("fit", x, labels, batch_size=16, progress=False)
        both.check(gradients=False)
        close(*both.each("predict", x), np.float32, "predictions")
        assert "0 Permute" not in [step.label for step, _ in both.planned._plan.chains.steps]  # done on the way into lanes


@pytest.mark.parametrize("dims", [*itertools.permutations((1, 2, 3)), (1, 2), (2, 1)], ids=str)
@pytest.mark.parametrize("shape", [(2, 6, 5), (1, 3, 4), (4, 1, 3), (3, 5, 1)], ids=str)
def test_any_permutation_of_the_samples(shape, dims, rng, pair, close):
    d, shape = np.float64, shape[: len(dims)]
    permute = fnn.Permute(*dims)
    channels, *plane = permute.output_shape(shape)
    make = fnn.Conv2d if plane[1:] else fnn.Conv1d
    both = pair(fnn.Sequential(permute, make(channels, 4, 3, padding=1, dtype=d, rng=0), fnn.Flatten()))
    for samples in (9, 20):
        x, y = batch(rng, shape, samples, d, 4 * math.prod(plane))
        both.step(x, y)
        both.check()
        close(*both.each("predict", x), d, "predictions")


def test_lambdas_with_gradients(rng, pair, close):
    """Functions in Python: layer by layer, also where one is no reshape but for its gradient (which it reverses)."""
    gate = fnn.Lambda(lambda x: np.maximum(x, 0), lambda dout, x, out: dout * (out > 0))
    reverse = fnn.Lambda(lambda x: x, lambda dout, x: -dout)
    ends = fnn.Dense(4, 6, dtype=np.float64, rng=0), fnn.Dense(6, 3, dtype=np.float64, rng=1)
    both = pair(fnn.Sequential(ends[0], gate, reverse, ends[1]))
    expected = pair(fnn.Sequential(ends[0], fnn.ReLU(), ends[1]))
    x, y = batch(rng, (4,), 7, np.float64, 3)
    both.step(x, y, plan=False), expected.step(x, y)
    both.check()
    for name, sign in (("0.weight", -1), ("3.weight", 1)):
        close(both.planned.network.grads[name], sign * expected.planned.network.grads[name.replace("3", "2")], np.float64)
    both.planned.network[2] = fnn.Lambda(lambda x: x)
    both.planned.network[1] = fnn.ReLU()
    assert both.planned.network.summary((4,)).path == "compiled plan"
    both.planned.step(x, y)
    assert both.planned._plan is not None
    both.planned.network[2] = reverse
    both.planned.step(x, y)
    assert both.planned._plan is None
