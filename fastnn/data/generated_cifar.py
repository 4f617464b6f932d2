"""Generated images in the form of CIFAR-10, for lessons and tests where the real ones are not at hand.

generated_cifar10(train, test, seed=0)
"""

import numpy as np

from ..layers.checks import as_int, as_number
from .cifar import Cifar10

CLASSES = (
    "disc",
    "ring",
    "square",
    "frame",
    "triangle",
    "cross",
    "horizontal stripes",
    "vertical stripes",
    "diagonal stripes",
    "checkerboard",
)
_AT_ONCE = 1000  # images


def generated_cifar10(train=5000, test=1000, *, noise=0.15, seed=0):
    """Generated images of ten classes of shapes and gratings. They are not CIFAR-10; they only have its form.

    Each image has a shape or a grating of one random colour on a background of another, its place, size and phase at
    random, and noise. Colours say nothing about the class, and no pixel does on its own: a linear classifier hardly does
    better than guessing, a small convolutional network is right nine times in ten after some epochs.

    Parameters
    ----------
    train, test : int
        How many images; of each class as many, up to one, in random order.
    noise : float
        Standard deviation of what is added to each value, on a scale of 0..1.
    seed : int
        The same images for the same seed; the test images do not depend on `train`.

    Returns
    -------
    Cifar10
        train_images, train_labels, test_images, test_labels, classes and source, which says that they are generated.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense.

    Examples
    --------
    >>> images = generated_cifar10(200, 100, seed=1)
    >>> images
    Cifar10(200 training images, 100 test images, generated with seed 1, not CIFAR-10)
    >>> images.train_images.shape, images.train_images.dtype
    ((200, 3, 32, 32), dtype('uint8'))
    >>> images.classes[images.train_labels[0]]
    'frame'
    """
    counts = as_int(train, "generated_cifar10: train", 0), as_int(test, "generated_cifar10: test", 0)
    noise = as_number(noise, "generated_cifar10: noise", 0)
    seed = as_int(seed, "generated_cifar10: seed", 0)
    arrays = []
    for part, count in enumerate(counts):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(part,)))
        labels = rng.permutation(np.arange(count) % 10)
        images = np.empty((count, 3, 32, 32), np.uint8)
        for low in range(0, count, _AT_ONCE):
            images[low : low + _AT_ONCE] = _draw(labels[low : low + _AT_ONCE], noise, rng)
        arrays += [images, labels]
    return Cifar10(*arrays, CLASSES, f"generated with seed {seed}, not CIFAR-10")


def _draw(labels, noise, rng):
    """(N, 3, 32, 32) uint8, one image for each label."""
    N = len(labels)
    masks = np.empty((N, 32, 32), np.float32)
    for label in range(10):
        of_class = labels == label
        masks[of_class] = _masks(label, np.count_nonzero(of_class), rng)
    # Two colours that can be told apart: opposite halves of the range in at least one of red, green and blue.
    back = rng.random((N, 3), np.float32)
    front = rng.random((N, 3), np.float32)
    which = np.arange(N), rng.integers(0, 3, N)
    front[which] = (back[which] + rng.uniform(0.35, 0.65, N)) % 1
    back, front = back[:, :, np.newaxis, np.newaxis], front[:, :, np.newaxis, np.newaxis]
    images = back + masks[:, np.newaxis] * (front - back)
    images += np.float32(noise) * rng.standard_normal(images.shape, np.float32)
    return np.rint(255 * images.clip(0, 1)).astype(np.uint8)


def _masks(label, count, rng):
    """(count, 32, 32) bool: where the shape is, or every other stripe."""
    down, right, radius, period, phase = rng.uniform(
        [[11], [11], [6], [5], [0]], [[21], [21], [10], [9], [1]], (5, count)
    ).astype(np.float32)[:, :, np.newaxis, np.newaxis]
    y, x = np.arange(32, dtype=np.float32)[:, np.newaxis] - down, np.arange(32, dtype=np.float32) - right
    distance, corner = np.hypot(x, y), np.maximum(abs(x), abs(y))
    stripes = {6: y, 7: x, 8: (x + y) * np.float32(0.7)}
    if label in stripes:
        return (stripes[label] / period + phase) % 1 < 0.5
    if label == 0:
        return distance < radius
    if label == 1:
        return (distance < radius) & (distance > 0.55 * radius)
    if label == 2:
        return corner < 0.9 * radius
    if label == 3:
        return (corner < 0.9 * radius) & (corner > 0.5 * radius)
    if label == 4:
        return (y < 0.7 * radius) & (2 * abs(x) < y + 1.1 * radius)
    if label == 5:
        return (np.minimum(abs(x), abs(y)) < 0.3 * radius) & (corner < radius)
    return ((x / period + phase) % 1 < 0.5) ^ ((y / period + phase) % 1 < 0.5)
