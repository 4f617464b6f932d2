"""LeNet-5."""

import numpy as np

from ..layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sequential
from ._parts import parts


def lenet5(classes=10, input_size=28, channels=1, *, dtype=np.float32, rng=None):
    """LeNet-5 in its present-day form: two convolutions with ReLU and max-pooling, three dense layers.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 44,426 parameters as it is, for MNIST; 61,706 for the
    paper's images of 32 x 32, which are MNIST's with a margin.

    Parameters
    ----------
    classes : int
    input_size : int or (H, W)
        Of the images, at least 16.
    channels : int
        Of the images: 1 for grey, 3 for colour.
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        Where the initial parameters come from; an int makes them repeatable.

    Returns
    -------
    Sequential

    Raises
    ------
    ValueError
        If the images are too small, or an argument is out of range.

    Notes
    -----
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998.

    Examples
    --------
    >>> lenet5(rng=0).output_shape((1, 28, 28))
    (10,)
    """
    make = parts("lenet5", classes, input_size, channels, dtype, rng)
    layers = [
        Conv2d(make.channels, 6, 5, **make.options),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 16, 5, **make.options),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
    ]
    return Sequential(
        *layers,
        Dense(make.features(layers), 120, **make.options),
        ReLU(),
        Dense(120, 84, **make.options),
        ReLU(),
        Dense(84, make.classes, **make.options),
    )
