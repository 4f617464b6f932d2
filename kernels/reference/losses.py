"""Losses of single elements and their gradients, in NumPy.   All arrays are flat, of one length n.

mse_forward            (loss, dx, x, target, factor)
huber_forward          (loss, dx, x, target, width, slope, divisor)
bce_forward            (loss, dx, x, target)
bce_with_logits_forward(loss, dx, x, target, positive)
log_loss_forward       (loss, dx, x, target, eps)                     over classes: (N, C, L)
"""

import numpy as np


def mse_forward(loss, dx, x, target, factor):
    """Squared difference: ``loss[i] = factor*(x[i] - target[i])**2``, ``dx[i] = 2*factor*(x[i] - target[i])``.

    Parameters
    ----------
    loss, dx : (n,)
        Overwritten.
    x, target : (n,)
    factor : float

    Examples
    --------
    >>> loss, dx = np.empty((2, 1))
    >>> mse_forward(loss, dx, np.array([3.0]), np.array([1.0]), 1.0)
    >>> loss, dx
    (array([4.]), array([4.]))
    """
    np.subtract(x, target, out=dx)
    np.square(dx, out=loss)
    loss *= factor
    dx *= 2 * factor


def huber_forward(loss, dx, x, target, width, slope, divisor):
    """With ``d = x[i] - target[i]``: ``d**2/(2*divisor)`` where ``abs(d) < width``, else ``slope*(abs(d) - width/2)``.

    ``dx[i]`` is ``d/divisor`` or ``slope*sign(d)``.

    Parameters
    ----------
    loss, dx : (n,)
        Overwritten.
    x, target : (n,)
    width, slope, divisor : float
        width, width, 1: Huber, "Robust estimation of a location parameter", 1964. beta, 1, beta: Girshick, "Fast R-CNN",
        2015, equation 3, for beta = 1. 0, 1, 1: the absolute difference.

    Examples
    --------
    >>> loss, dx = np.empty((2, 2))
    >>> huber_forward(loss, dx, np.array([1.0, 9.0]), np.zeros(2), 2.0, 1.0, 2.0)
    >>> loss, dx
    (array([0.25, 8.  ]), array([0.5, 1. ]))
    """
    difference = x - target
    size = np.abs(difference)
    inside = size < width
    with np.errstate(over="ignore", invalid="ignore"):  # where the other case holds
        dx[...] = np.where(inside, difference / divisor, slope * np.sign(difference))
        loss[...] = np.where(inside, difference**2 / (2 * divisor), slope * (size - width / 2))


def bce_forward(loss, dx, x, target):
    """Binary cross-entropy of probabilities, logarithms no less than -100 (``torch.nn.functional.binary_cross_entropy``).

    ``loss[i] = -target[i]*log(x[i]) - (1 - target[i])*log(1 - x[i])``,
    ``dx[i] = (x[i] - target[i])/max((1 - x[i])*x[i], 1e-12)``.

    Parameters
    ----------
    loss, dx : (n,)
        Overwritten.
    x, target : (n,)
        In 0..1.

    Examples
    --------
    >>> loss, dx = np.empty((2, 2))
    >>> bce_forward(loss, dx, np.array([0.5, 1.0]), np.array([0.0, 0.0]))
    >>> loss.round(4), dx
    (array([  0.6931, 100.    ]), array([2.e+00, 1.e+12]))
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        loss[...] = -target * np.maximum(np.log(x), -100) - (1 - target) * np.maximum(np.log1p(-x), -100)
    dx[...] = (x - target) / np.maximum((1 - x) * x, 1e-12)


def bce_with_logits_forward(loss, dx, x, target, positive):
    """Binary cross-entropy of the sigmoid of logits.

    ``loss[i] = (1 - target[i])*log(1 + exp(x[i])) + positive[i]*log(1 + exp(-x[i]))``,
    ``dx[i] = (1 - target[i])*sigmoid(x[i]) - positive[i]*sigmoid(-x[i])``.

    Parameters
    ----------
    loss, dx : (n,)
        Overwritten.
    x, target : (n,)
    positive : (n,)
        The target, times the weight of positives.

    Examples
    --------
    >>> loss, dx = np.empty((2, 1))
    >>> bce_with_logits_forward(loss, dx, np.zeros(1), np.ones(1), np.full(1, 3.0))
    >>> loss.round(4), dx
    (array([2.0794]), array([-1.5]))
    """
    with np.errstate(invalid="ignore", under="ignore"):
        loss[...] = (1 - target) * np.logaddexp(0, x) + positive * np.logaddexp(0, -x)
        # sigmoid(x) = exp(-log(1 + exp(-x)))
        dx[...] = (1 - target) * np.exp(-np.logaddexp(0, -x)) - positive * np.exp(-np.logaddexp(0, x))


def log_loss_forward(loss, dx, x, target, eps):
    """Cross-entropy of probabilities against a distribution over the classes; terms of target 0 count nothing.

    ``loss[n, l] = -sum_c target[n, c, l]*log(x[n, c, l] + eps)``, ``dx[n, c, l] = -target[n, c, l]/(x[n, c, l] + eps)``.

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
    >>> loss, dx = np.empty((1, 1)), np.empty((1, 2, 1))
    >>> log_loss_forward(loss, dx, np.array([[[0.25], [0.0]]]), np.array([[[1.0], [0.0]]]), 0.0)
    >>> loss.round(4), dx.ravel()
    (array([[1.3863]]), array([-4.,  0.]))
    """
    counts = target != 0
    shifted = np.where(counts, x + x.dtype.type(eps), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss[...] = -(target * np.log(shifted)).sum(axis=1)
        dx[...] = np.where(counts, -target / shifted, 0)
