"""Residual networks of basic blocks: two 3x3 convolutions and a way around them."""

import numpy as np

from ..layers import AdaptiveAvgPool2d, BatchNorm2d, Dense, Flatten, MaxPool2d, ReLU, Residual, Sequential
from ._parts import parts


def resnet18(classes=1000, input_size=224, channels=3, *, dtype=np.float32, rng=None):
    """ResNet-18: a 7x7 convolution, eight residual blocks in four stages, the mean of each plane, a dense layer.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 11,689,512 parameters as it is.

    Parameters
    ----------
    classes : int
    input_size : int or (H, W)
        Of the images; checked alone, since the mean over planes takes any. Planes become 32 times smaller.
    channels : int
        Of the images.
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        Where the initial parameters come from; an int makes them repeatable.

    Returns
    -------
    Sequential

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), arXiv:1512.03385, table 1; shortcuts are
    1x1 convolutions with batch normalization where a stage begins with other sizes (option B). Layers and their order are
    torchvision's. Initial values are He's in convolutions, PyTorch's in the dense layer.

    Examples
    --------
    >>> network = resnet18(10, 64, rng=0)
    >>> network.output_shape((3, 64, 64)), network.flat_params.size
    ((10,), 11181642)
    """
    return _for_large_images("resnet18", (2, 2, 2, 2), classes, input_size, channels, dtype, rng)


def resnet34(classes=1000, input_size=224, channels=3, *, dtype=np.float32, rng=None):
    """ResNet-34: `resnet18` with 3, 4, 6 and 3 blocks; 21,797,672 parameters as it is.

    Parameters, result and errors are those of `resnet18`.

    Examples
    --------
    >>> resnet34(10, 64, rng=0).output_shape((3, 64, 64))
    (10,)
    """
    return _for_large_images("resnet34", (3, 4, 6, 3), classes, input_size, channels, dtype, rng)


def resnet20(classes=10, input_size=32, channels=3, *, dtype=np.float32, rng=None):
    """ResNet-20 for small images: a 3x3 convolution, nine residual blocks of 16, 32 and 64 channels, a mean, a dense layer.

    Shape: (N, channels, H, W) -> (N, classes), scores before softmax. 272,474 parameters as it is.

    Parameters
    ----------
    classes : int
    input_size : int or (H, W)
        Of the images; checked alone, since the mean over planes takes any. Planes become 4 times smaller.
    channels : int
        Of the images.
    dtype : {float32, float64}
    rng : int or numpy.random.Generator, optional
        Where the initial parameters come from; an int makes them repeatable.

    Returns
    -------
    Sequential

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), arXiv:1512.03385, section 4.2. Where a stage
    begins, the paper's shortcut leaves out pixels and adds channels of zeros (option A: 269,722 parameters); here it is the
    1x1 convolution with batch normalization of its larger networks (option B), which compiled plans have kernels for.

    Examples
    --------
    >>> network = resnet20(rng=0)
    >>> network.output_shape((3, 32, 32)), network.flat_params.size
    ((10,), 272474)
    """
    return _for_small_images("resnet20", 3, classes, input_size, channels, dtype, rng)


def resnet56(classes=10, input_size=32, channels=3, *, dtype=np.float32, rng=None):
    """ResNet-56 for small images: `resnet20` with nine blocks in each stage; 855,770 parameters as it is.

    Parameters, result and errors are those of `resnet20`.

    Examples
    --------
    >>> resnet56(rng=0).output_shape((3, 32, 32))
    (10,)
    """
    return _for_small_images("resnet56", 9, classes, input_size, channels, dtype, rng)


def _for_large_images(name, counts, classes, input_size, channels, dtype, rng):
    make = parts(name, classes, input_size, channels, dtype, rng)
    stem = [*_conv_norm(make, make.channels, 64, 7, stride=2), ReLU(), MaxPool2d(3, 2, padding=1)]
    return _resnet(make, stem, 64, counts)


def _for_small_images(name, count, classes, input_size, channels, dtype, rng):
    make = parts(name, classes, input_size, channels, dtype, rng)
    return _resnet(make, [*_conv_norm(make, make.channels, 16, 3), ReLU()], 16, (count,) * 3)


def _resnet(make, stem, width, counts):
    """Stages of basic blocks behind `stem`; from the second on, each begins by halving planes and doubling channels."""
    layers, before = list(stem), width
    for stage, count in enumerate(counts):
        after = width << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            body = Sequential(
                *_conv_norm(make, before, after, 3, stride),
                ReLU(),
                *_conv_norm(make, after, after, 3),
            )
            shortcut = None if before == after else Sequential(*_conv_norm(make, before, after, 1, stride))
            layers += [Residual(body, shortcut), ReLU()]
            before = after
    layers += [AdaptiveAvgPool2d(1), Flatten()]
    return Sequential(*layers, Dense(make.features(layers), make.classes, **make.options))


def _conv_norm(make, before, after, kernel_size, stride=1):
    """A convolution that keeps the size of planes, or divides it by the stride, with batch normalization in place of a bias."""
    conv = make.conv(before, after, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return conv, BatchNorm2d(after, dtype=make.dtype)
