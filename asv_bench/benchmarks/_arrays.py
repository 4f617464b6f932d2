"""Arrays of float32 for kernels, every page of them touched."""

import numpy as np

_rng = np.random.default_rng(0)


def normal(*shape):
    """Normal random numbers."""
    return _rng.standard_normal(shape, dtype=np.float32)


def between(low, high, *shape):
    """Uniform random numbers: probabilities, variances, what a root takes."""
    return _rng.uniform(low, high, shape).astype(np.float32)


def small_integers(end, dtype, *shape):
    """Random integers from 0 to `end` - 1: classes, bytes of images, positions of rows."""
    return _rng.integers(0, end, shape, dtype)


def ones(*shape):
    """Ones: outputs, which kernels overwrite, and weights."""
    return np.ones(shape, np.float32)
