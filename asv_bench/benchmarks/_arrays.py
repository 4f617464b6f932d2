"""Arrays of float32 for kernels, every page of them touched."""

import numpy as np

_rng = np.random.default_rng(0)


def normal(*shape):
    """Normal random numbers."""
    return _rng.standard_normal(shape, dtype=np.float32)


def positive(*shape):
    """Random numbers above 0: variances, sums of squares, what a root takes."""
    return np.abs(normal(*shape)) + np.float32(0.1)


def ones(*shape):
    """Ones: outputs, which kernels overwrite, and weights."""
    return np.ones(shape, np.float32)


def labels(classes, *shape):
    """Random classes, int64."""
    return _rng.integers(0, classes, shape)
