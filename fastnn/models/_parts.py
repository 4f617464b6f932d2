"""What the networks share: arguments, sizes, initial values, the dense layers at the end."""

import math
from typing import NamedTuple

import numpy as np

from ..init import he_normal
from ..layers import Conv2d, Dense, Dropout, ReLU
from ..layers.checks import as_float_dtype, as_int, as_number, as_pair, as_rng

LARGEST_NEEDED = 1024  # no network here needs larger images


class Parts(NamedTuple):
    """The checked arguments of a network, and what it makes of them: layers, and the number of features."""

    name: str
    classes: int
    input_size: tuple
    channels: int
    dtype: np.dtype
    rng: np.random.Generator

    @property
    def options(self):
        return {"dtype": self.dtype, "rng": self.rng}

    def conv(self, in_channels, out_channels, kernel_size, stride=1, padding=0, **options):
        """A convolution in front of a ReLU: He's initial values, which keep the variance through it, and bias 0."""
        layer = Conv2d(in_channels, out_channels, kernel_size, stride, padding, **options, **self.options)
        layer.params["weight"][...] = he_normal(layer.params["weight"].shape, **self.options)
        if "bias" in layer.params:
            layer.params["bias"][...] = 0
        return layer

    def dropout(self, p):
        return Dropout(as_number(p, f"{self.name}: dropout", 0, 1), rng=self.rng.integers(1 << 63))

    def features(self, layers):
        """The number of values that `layers` make of one sample.

        Raises
        ------
        ValueError
            With the least size that is enough, if images are too small.
        """
        try:
            return math.prod(self._shape(layers, self.input_size))
        except ValueError:
            smallest = next((size for size in range(1, LARGEST_NEEDED) if self._fits(layers, size)), None)
        raise ValueError(f"{self.name}: expected an input_size of at least {smallest}, got {self.input_size}")

    def _shape(self, layers, size):
        shape = (self.channels, *size)
        for layer in layers:
            shape = layer.output_shape(shape)
        return shape

    def _fits(self, layers, size):
        try:
            self._shape(layers, (size, size))
        except ValueError:
            return False
        return True

    def head(self, features, hidden, dropout):
        """Three dense layers, with ReLU and dropout after the first two: the end of AlexNet and of what followed it."""
        hidden = as_int(hidden, f"{self.name}: hidden", 1)
        return [
            Dense(features, hidden, **self.options),
            ReLU(),
            self.dropout(dropout),
            Dense(hidden, hidden, **self.options),
            ReLU(),
            self.dropout(dropout),
            Dense(hidden, self.classes, **self.options),
        ]


def parts(name, classes, input_size, channels, dtype, rng):
    """Check what all networks take.

    Examples
    --------
    >>> parts("alexnet", 10, 64, 3, np.float32, 0).input_size
    (64, 64)
    >>> parts("alexnet", 0, 64, 3, np.float32, 0)
    Traceback (most recent call last):
    ...
    ValueError: alexnet: classes must be at least 1, got 0
    """
    return Parts(
        name,
        as_int(classes, f"{name}: classes", 1),
        as_pair(input_size, f"{name}: input_size", 1),
        as_int(channels, f"{name}: channels", 1),
        as_float_dtype(dtype, f"{name}: dtype"),
        as_rng(rng, f"{name}: rng"),
    )
