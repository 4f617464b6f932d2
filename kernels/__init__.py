"""fastnn.kernels: arrays in, arrays out.

One module per family, each with a pure-NumPy twin of the same names and signatures in `fastnn.kernels.reference`.
Written arrays come first, then inputs, then scalars; a gradient is ``d`` + the forward name.

    im2col         im2col, col2im
    dense          dense_forward, dense_backward_input, dense_backward_weight, dense_backward_bias
    conv           conv2d_forward, conv2d_backward_input, conv2d_backward_weight, conv2d_backward_bias
    lp_pooling     power_*, root_*
    permute        permute
    pooling        maxpool2d_*, avgpool2d_*, adaptive_avgpool2d_*
    activations    relu_*, leaky_relu_*, sigmoid_*, tanh_*, hardtanh_*, add, multiply
    smooth_activations  elu_*, gelu_*, gelu_tanh_*, silu_*, softplus_*
    softmax        softmax_*, log_softmax_*
    cross_entropy  cross_entropy_forward, cross_entropy_probabilities_forward, scale_rows
    losses         mse_forward, huber_forward, bce_forward, bce_with_logits_forward, log_loss_forward
    channels       copy_channels
    batchnorm      batchnorm_statistics, batchnorm_forward, batchnorm_backward_params, batchnorm_backward_input
    groupnorm      groupnorm_forward, groupnorm_backward_params, groupnorm_backward_input
    lrn            lrn_forward, lrn_backward
    optim          sgd_update, adam_update, rmsprop_update, adagrad_update
    image          scale_uint8, gather_rows, gather_rows_uint8, gather_augmented

Kernels do not check their arguments: layers do, once, before the first call.
"""

import contextlib
import contextvars
import sys
from types import ModuleType

from numba.core import config

from . import (
    activations,
    batchnorm,
    channels,
    conv,
    cross_entropy,
    dense,
    geometry,
    groupnorm,
    im2col,
    image,
    losses,
    lp_pooling,
    lrn,
    optim,
    permute,
    pooling,
    reference,
    smooth_activations,
    softmax,
)

_active = contextvars.ContextVar("fastnn_kernels", default=None)


def resolve(which):
    """The kernel package that `which` names: "numba", "reference", or a package itself.

    Raises
    ------
    ValueError
        If `which` is neither.

    Examples
    --------
    >>> resolve("reference").__name__
    'fastnn.kernels.reference'
    """
    named = {"numba": sys.modules[__name__], "reference": reference}
    if isinstance(which, ModuleType) and which in named.values():
        return which
    if isinstance(which, str) and which in named:
        return named[which]
    raise ValueError(f"kernels: expected 'numba', 'reference' or one of the two packages, got {which!r}")


def active():
    """The kernel package in force in this context: `fastnn.kernels`, or what an enclosing `use` chose.

    With ``NUMBA_DISABLE_JIT=1`` it is the NumPy one: register tiles cannot run as Python.
    """
    return _active.get() or (reference if config.DISABLE_JIT else sys.modules[__name__])


@contextlib.contextmanager
def use(which):
    """Run everything inside the ``with`` block on other kernels.

    Parameters
    ----------
    which : {"numba", "reference"} or module

    Examples
    --------
    >>> with use("reference"):
    ...     print(active().__name__)
    fastnn.kernels.reference
    """
    token = _active.set(resolve(which))
    try:
        yield active()
    finally:
        _active.reset(token)
