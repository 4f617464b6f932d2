"""AlexNet."""

import numpy as np

from ..layers import Flatten, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from ._parts import parts


def local_response_norm():
    """x / (2 + 1e-4 * sum of the squares of 5 channels)^0.75, the paper's; PyTorch's alpha is divided by the 5."""
    return LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def alexnet(classes=1000, input_size=224, channels=3, *, hidden=4096, dropout=0.5, dtype=np.float32, rng=None):
    """AlexNet: five convolutions, overlapping max-pooling, local response normalization, three dense layers.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 60,965,224 parameters as it is.

    Parameters
    ----------
    classes : int
    input_size : int or (H, W)
        Of the images, at least 63.
    channels : int
        Of the images.
    hidden : int
        Units of the first two dense layers.
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
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012). As there,
    convolutions 2, 4 and 5 are in two groups. The first pads by 2 on each side, since the paper's 55 x 55 planes behind it need
    more than its 224 pixels. torchvision's `alexnet` is another network (Krizhevsky 2014: no groups, no normalization). Initial
    values are He's in convolutions, PyTorch's in dense layers.

    Examples
    --------
    >>> network = alexnet(10, 67, hidden=64, rng=0)
    >>> network[:15].output_shape((3, 67, 67)), network.output_shape((3, 67, 67))
    ((256, 1, 1), (10,))
    """
    make = parts("alexnet", classes, input_size, channels, dtype, rng)
    layers = [
        make.conv(make.channels, 96, 11, stride=4, padding=2),
        ReLU(),
        local_response_norm(),
        MaxPool2d(3, 2),
        make.conv(96, 256, 5, padding=2, groups=2),
        ReLU(),
        local_response_norm(),
        MaxPool2d(3, 2),
        make.conv(256, 384, 3, padding=1),
        ReLU(),
        make.conv(384, 384, 3, padding=1, groups=2),
        ReLU(),
        make.conv(384, 256, 3, padding=1, groups=2),
        ReLU(),
        MaxPool2d(3, 2),
        Flatten(),
    ]
    return Sequential(*layers, *make.head(make.features(layers), hidden, dropout))
