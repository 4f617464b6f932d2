"""Losses of single elements and their gradients in one pass.   All arrays are flat, of one length and one float dtype.

    mse_forward            (loss, dx, x, target, factor)
    huber_forward          (loss, dx, x, target, width, slope, divisor)
    bce_forward            (loss, dx, x, target)
    bce_with_logits_forward(loss, dx, x, target, positive)
    log_loss_forward       (loss, dx, x, target, eps)                     over classes: (N, C, L)

`loss` is of each element (of each position), not reduced; `dx` is its gradient. Loops run over slices from first to last,
as in `activations`.
"""

from ._jit import jit
from ._kernel import kernel
from ._losses import bce, bce_with_logits, huber
from ._math import log
from ._rows_and_lanes import row_sum

_CHUNK = 8192  # elements
_copy = {
    "items": lambda loss, *_: loss.size,
    "chunk": lambda *_: _CHUNK,
    "cost": lambda loss, *_: loss.nbytes // 20,
}
_transcendental = {**_copy, "cost": lambda loss, *_: loss.nbytes // 4}


@kernel(**_copy)
def mse_forward(loss, dx, x, target, factor, first, last):
    """Squared differences: loss[i] = factor * (x[i] - target[i])**2, dx[i] = 2 * factor * (x[i] - target[i]).

    Parameters
    ----------
    loss, dx : (size,)
        Overwritten.
    x, target : (size,)
    factor : float

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((2, 2))
    >>> mse_forward(loss, dx, np.array([1.0, 2.0]), np.array([0.0, 4.0]), 0.5)
    >>> loss, dx
    (array([0.5, 2. ]), array([ 1., -2.]))
    """
    loss, dx, x, target = loss[first:last], dx[first:last], x[first:last], target[first:last]
    once, twice = x.dtype.type(factor), x.dtype.type(2 * factor)
    for i in range(loss.size):
        difference = x[i] - target[i]
        loss[i] = once * (difference * difference)
        dx[i] = twice * difference


@kernel(**_copy)
def huber_forward(loss, dx, x, target, width, slope, divisor, first, last):
    """Parabola near 0, straight lines beyond: with d = x[i] - target[i],

    loss[i] = d**2 / (2 * divisor) where abs(d) < width, else slope * (abs(d) - width / 2)
    dx[i]   = d / divisor          where abs(d) < width, else slope * sign(d); 0 at d = 0

    The two meet if slope = width / divisor. Huber's loss has slope = width and divisor 1, the smooth L1 loss slope 1 and
    divisor = width, the L1 loss slope 1 and width 0.

    Parameters
    ----------
    loss, dx : (size,)
        Overwritten.
    x, target : (size,)
    width, slope, divisor : float

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((2, 3))
    >>> huber_forward(loss, dx, np.array([1.0, -4.0, 3.0]), np.array([0.0, 0.0, 3.0]), 2.0, 2.0, 1.0)
    >>> loss, dx
    (array([0.5, 6. , 0. ]), array([ 1., -2.,  0.]))
    """
    loss, dx, x, target = loss[first:last], dx[first:last], x[first:last], target[first:last]
    width, slope, divisor = x.dtype.type(width), x.dtype.type(slope), x.dtype.type(divisor)
    for i in range(loss.size):
        loss[i], dx[i] = huber(x[i] - target[i], width, slope, divisor)


@kernel(**_transcendental)
def bce_forward(loss, dx, x, target, first, last):
    """Binary cross-entropy of probabilities:

    loss[i] = -target[i] * max(log(x[i]), -100) - (1 - target[i]) * max(log(1 - x[i]), -100)
    dx[i]   = (x[i] - target[i]) / max((1 - x[i]) * x[i], 1e-12)

    Parameters
    ----------
    loss, dx : (size,)
        Overwritten.
    x, target : (size,)
        In 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((2, 2))
    >>> bce_forward(loss, dx, np.array([0.5, 0.0]), np.array([1.0, 1.0]))
    >>> loss.round(4), dx
    (array([  0.6931, 100.    ]), array([-2.e+00, -1.e+12]))
    """
    loss, dx, x, target = loss[first:last], dx[first:last], x[first:last], target[first:last]
    for i in range(loss.size):
        loss[i], dx[i] = bce(x[i], target[i])


@kernel(**_transcendental)
def bce_with_logits_forward(loss, dx, x, target, positive, first, last):
    """Binary cross-entropy of the sigmoid of logits, without overflow and accurate in both tails:

    loss[i] = (1 - target[i]) * log(1 + exp(x[i])) + positive[i] * log(1 + exp(-x[i]))
    dx[i]   = (1 - target[i]) * sigmoid(x[i]) - positive[i] * sigmoid(-x[i])

    Parameters
    ----------
    loss, dx : (size,)
        Overwritten.
    x, target : (size,)
    positive : (size,)
        The target, times the weight of positives.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((2, 2))
    >>> target = np.array([0.0, 1.0])
    >>> bce_with_logits_forward(loss, dx, np.array([0.0, -1000.0]), target, target)
    >>> loss.round(4), dx
    (array([6.931e-01, 1.000e+03]), array([ 0.5, -1. ]))
    """
    loss, dx, x, target = loss[first:last], dx[first:last], x[first:last], target[first:last]
    positive = positive[first:last]
    for i in range(loss.size):
        loss[i], dx[i] = bce_with_logits(x[i], target[i], positive[i])


@jit(inline="always")
def _share(target, value):
    """`value`, but 0 where the target is 0, whatever value is there: infinite, or NaN."""
    return value if target != 0 else type(value)(0)


@kernel(
    items=lambda loss, dx, x, *_: x.shape[0] if x.size else 0,
    chunk=lambda loss, dx, x, *_: max(1, _CHUNK // max(1, x[0].size)),
    cost=lambda loss, dx, x, *_: x.nbytes // 4,
)
def log_loss_forward(loss, dx, x, target, eps, first, last):
    """Cross-entropy of probabilities x against a distribution over the C classes, with a small number in the logarithm:

    loss[n, l]  = -sum_c target[n, c, l] * log(x[n, c, l] + eps)
    dx[n, c, l] = -target[n, c, l] / (x[n, c, l] + eps)

    Classes whose target is 0 count nothing, whatever their probability.

    Parameters
    ----------
    loss : (N, L)
        Overwritten.
    dx : (N, C, L)
        Overwritten.
    x, target : (N, C, L)
    eps : float

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((1, 1)), np.empty((1, 3, 1))
    >>> x, target = np.array([[[0.5], [0.5], [0.0]]]), np.array([[[0.0], [1.0], [0.0]]])
    >>> log_loss_forward(loss, dx, x, target, 0.0)
    >>> loss.round(4), dx.reshape(3)
    (array([[0.6931]]), array([ 0., -2.,  0.]))
    """
    _, C, L = x.shape
    loss = loss.reshape(-1)[first * L : last * L]
    rows = slice(first * C * L, last * C * L)
    dx, x, target = dx.reshape(-1)[rows], x.reshape(-1)[rows], target.reshape(-1)[rows]
    small = x.dtype.type(eps)
    for i in range(dx.size):  # one flat loop, so that short rows fill the vectors too; dx keeps the terms for the moment
        dx[i] = _share(target[i], -target[i] * log(x[i] + small))
    for n in range(last - first):
        loss_n, terms = loss[n * L : (n + 1) * L], dx[n * C * L : (n + 1) * C * L]
        if L == 1:
            loss_n[0] = row_sum(terms)
            continue
        for i in range(L):
            loss_n[i] = terms[i]
        for c in range(1, C):
            terms_c = terms[c * L : (c + 1) * L]
            for i in range(L):
                loss_n[i] += terms_c[i]
    for i in range(dx.size):
        dx[i] = _share(target[i], -target[i] / (x[i] + small))
