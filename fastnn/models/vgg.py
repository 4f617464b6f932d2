"""VGG networks."""

import numpy as np

from ..layers import BatchNorm2d, Flatten, MaxPool2d, ReLU, Sequential
from ..layers.checks import as_bool
from ._parts import parts

CHANNELS = (64, 128, 256, 512, 512)
# Convolutions in each of the five stages; the paper's columns A, B, D and E.
STAGES = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def vgg11(classes=1000, input_size=224, channels=3, *, batch_norm=False, hidden=4096, dropout=0.5, dtype=np.float32, rng=None):
    """VGG-11: eight 3x3 convolutions in five stages, each ended by max-pooling, and three dense layers.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 132,863,336 parameters as it is.

    Parameters
    ----------
    classes : int
    input_size : int or (H, W)
        Of the images, at least 32.
    channels : int
        Of the images.
    batch_norm : bool
        Batch normalization between each convolution and its ReLU: without it deep ones are hard to train.
    hidden : int
        Units of the first two dense layers; less is enough for small images.
    dropout : float
        Probability, after each of these.
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
    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014), arXiv:1409.1556,
    column A. Layers and their order are torchvision's; for images of other sizes it pools to 7x7 in front of the dense layers,
    which here have the size that the images give. Initial values are He's in convolutions, PyTorch's in dense layers.

    Examples
    --------
    >>> network = vgg11(10, 32, hidden=64, rng=0)
    >>> network.output_shape((3, 32, 32)), network.flat_params.size
    ((10,), 9258122)
    """
    return _vgg("vgg11", classes, input_size, channels, batch_norm, hidden, dropout, dtype, rng)


def vgg13(classes=1000, input_size=224, channels=3, *, batch_norm=False, hidden=4096, dropout=0.5, dtype=np.float32, rng=None):
    """VGG-13: `vgg11` with two convolutions in each stage, the paper's column B; 133,047,848 parameters as it is.

    Parameters, result and errors are those of `vgg11`.

    Examples
    --------
    >>> vgg13(10, 32, hidden=64, rng=0).output_shape((3, 32, 32))
    (10,)
    """
    return _vgg("vgg13", classes, input_size, channels, batch_norm, hidden, dropout, dtype, rng)


def vgg16(classes=1000, input_size=224, channels=3, *, batch_norm=False, hidden=4096, dropout=0.5, dtype=np.float32, rng=None):
    """VGG-16: `vgg11` with 2, 2, 3, 3 and 3 convolutions, the paper's column D; 138,357,544 parameters as it is.

    Parameters, result and errors are those of `vgg11`.

    Examples
    --------
    >>> vgg16(10, 32, hidden=64, rng=0).output_shape((3, 32, 32))
    (10,)
    """
    return _vgg("vgg16", classes, input_size, channels, batch_norm, hidden, dropout, dtype, rng)


def vgg19(classes=1000, input_size=224, channels=3, *, batch_norm=False, hidden=4096, dropout=0.5, dtype=np.float32, rng=None):
    """VGG-19: `vgg11` with 2, 2, 4, 4 and 4 convolutions, the paper's column E; 143,667,240 parameters as it is.

    Parameters, result and errors are those of `vgg11`.

    Examples
    --------
    >>> vgg19(10, 32, hidden=64, rng=0).output_shape((3, 32, 32))
    (10,)
    """
    return _vgg("vgg19", classes, input_size, channels, batch_norm, hidden, dropout, dtype, rng)


def _vgg(name, classes, input_size, channels, batch_norm, hidden, dropout, dtype, rng):
    make = parts(name, classes, input_size, channels, dtype, rng)
    batch_norm = as_bool(batch_norm, f"{name}: batch_norm")
    layers, before = [], make.channels
    for count, after in zip(STAGES[name], CHANNELS):
        for _ in range(count):
            layers.append(make.conv(before, after, 3, padding=1))
            layers += [BatchNorm2d(after, dtype=make.dtype)] if batch_norm else []
            layers.append(ReLU())
            before = after
        layers.append(MaxPool2d(2))
    layers.append(Flatten())
    return Sequential(*layers, *make.head(make.features(layers), hidden, dropout))
