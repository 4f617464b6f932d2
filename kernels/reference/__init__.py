"""The kernels' twins in pure NumPy: same names, same signatures, another algorithm.

They are the oracle of the tests and the baseline of the benchmarks, and what ``kernels.use("reference")`` runs on.
"""

from . import (
    activations,
    batchnorm,
    channels,
    conv,
    cross_entropy,
    dense,
    groupnorm,
    im2col,
    image,
    losses,
    lp_pooling,
    lrn,
    optim,
    permute,
    pooling,
    smooth_activations,
    softmax,
)
