"""ZFNet."""

import numpy as np

from ..layers import Flatten, MaxPool2d, ReLU, Sequential
from ._parts import parts
from .alexnet import local_response_norm


def zfnet(classes=1000, input_size=224, channels=3, *, hidden=4096, dropout=0.5, dtype=np.float32, rng=None):
    """ZFNet: AlexNet with a first layer of 7x7 filters at stride 2, and without groups.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 62,357,608 parameters as it is.

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
    Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014), figure 3: planes of 110, 55, 26, 13, 13,
    13, 13 and 6 pixels, which come out with 1 pixel of padding in the first layer, and windows over the edge (``ceil_mode``) in
    the pooling. The paper gives no constants for its normalization; they are AlexNet's here.

    Examples
    --------
    >>> network = zfnet(10, 64, hidden=64, rng=0)
    >>> network[:15].output_shape((3, 64, 64)), network.output_shape((3, 64, 64))
    ((256, 1, 1), (10,))
    """
    make = parts("zfnet", classes, input_size, channels, dtype, rng)
    layers = [
        make.conv(make.channels, 96, 7, stride=2, padding=1),
        ReLU(),
        MaxPool2d(3, 2, ceil_mode=True),
        local_response_norm(),
        make.conv(96, 256, 5, stride=2),
        ReLU(),
        MaxPool2d(3, 2, ceil_mode=True),
        local_response_norm(),
        make.conv(256, 384, 3, padding=1),
        ReLU(),
        make.conv(384, 384, 3, padding=1),
        ReLU(),
        make.conv(384, 256, 3, padding=1),
        ReLU(),
        MaxPool2d(3, 2),
        Flatten(),
    ]
    return Sequential(*layers, *make.head(make.features(layers), hidden, dropout))
