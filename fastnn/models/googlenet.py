"""GoogLeNet: Inception blocks."""

import numpy as np

from ..layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Concat,
    Dense,
    Flatten,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ..layers.checks import as_bool
from ._parts import parts
from .alexnet import local_response_norm

# Table 1 of the paper: channels in; 1x1; 1x1 in front of 3x3, 3x3; 1x1 in front of 5x5, 5x5; 1x1 behind the pooling.
BLOCKS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def googlenet(classes=1000, input_size=224, channels=3, *, batch_norm=False, dropout=None, dtype=np.float32, rng=None):
    """GoogLeNet: three convolutions, nine Inception blocks, the mean of each plane, a dense layer.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 6,998,552 parameters as it is.

    Parameters
    ----------
    classes : int
    input_size : int or (H, W)
        Of the images, at least 31, or 15 with `batch_norm`; the mean over planes takes any. Planes become 32 times smaller.
    channels : int
        Of the images.
    batch_norm : bool
        torchvision's variant, of 6,624,904 parameters: batch normalization after each convolution in place of bias and local
        response normalization, 3x3 convolutions where the paper has 5x5 ones, and a 2x2 window in the last max-pooling.
    dropout : float, optional
        Probability, in front of the dense layer; by default 0.4 as in the paper, or 0.2 with `batch_norm`.
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        Where the initial parameters and the dropout masks come from; an int makes them repeatable.

    Returns
    -------
    Sequential

    Raises
    ------
    ValueError
        If the images are too small, or an argument is out of range.

    Notes
    -----
    Szegedy et al., "Going deeper with convolutions" (2014), arXiv:1409.4842, table 1, without the two auxiliary classifiers,
    which are there for training alone. Initial values are He's in convolutions, PyTorch's in the dense layer.

    Examples
    --------
    >>> network = googlenet(10, 32, rng=0)
    >>> network.output_shape((3, 32, 32)), network.flat_params.size
    ((10,), 5983802)
    """
    make = parts("googlenet", classes, input_size, channels, dtype, rng)
    batch_norm = as_bool(batch_norm, "googlenet: batch_norm")
    if dropout is None:
        dropout = 0.2 if batch_norm else 0.4

    def conv(before, after, kernel_size, stride=1):
        layer = make.conv(before, after, kernel_size, stride, padding=kernel_size // 2, bias=not batch_norm)
        return [layer, BatchNorm2d(after, eps=0.001, dtype=make.dtype), ReLU()] if batch_norm else [layer, ReLU()]

    def inception(before, one, three_in, three, five_in, five, pooled):
        return Concat(
            Sequential(*conv(before, one, 1)),
            Sequential(*conv(before, three_in, 1), *conv(three_in, three, 3)),
            Sequential(*conv(before, five_in, 1), *conv(five_in, five, 3 if batch_norm else 5)),
            Sequential(MaxPool2d(3, 1, padding=1), *conv(before, pooled, 1)),
        )

    def pool(window):
        return MaxPool2d(window, 2, ceil_mode=True)

    def norm():
        return [] if batch_norm else [local_response_norm()]

    layers = [*conv(make.channels, 64, 7, 2), pool(3), *norm()]
    layers += [*conv(64, 64, 1), *conv(64, 192, 3), *norm(), pool(3)]
    for name, sizes in BLOCKS.items():
        if name in ("4a", "5a"):
            layers.append(pool(2 if batch_norm and name == "5a" else 3))
        layers.append(inception(*sizes))
    layers += [AdaptiveAvgPool2d(1), Flatten()]
    features = make.features(layers)
    return Sequential(*layers, make.dropout(dropout), Dense(features, make.classes, **make.options))
