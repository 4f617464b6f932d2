"""Networks by name.

lenet5(classes=10)      LeNet-5 with ReLU and max-pooling, for (1, 28, 28) images
"""

import numpy as np

from .layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sequential


def lenet5(classes=10, *, dtype=np.float32, rng=None):
    """LeNet-5 in its present-day form: two convolutions with ReLU and max-pooling, three dense layers.

    Shape: (N, 1, 28, 28) -> (N, classes), scores before softmax.

    Parameters
    ----------
    classes : int
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        Where the initial parameters come from; an int makes them repeatable.

    Returns
    -------
    Sequential

    Notes
    -----
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998.

    Examples
    --------
    >>> lenet5(rng=0).output_shape((1, 28, 28))
    (10,)
    """
    options = {"dtype": dtype, "rng": np.random.default_rng(rng)}
    return Sequential(
        Conv2d(1, 6, 5, **options),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 16, 5, **options),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Dense(16 * 4 * 4, 120, **options),
        ReLU(),
        Dense(120, 84, **options),
        ReLU(),
        Dense(84, classes, **options),
    )


MODELS = {"lenet5": lenet5}
