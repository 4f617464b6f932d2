"""Cross-entropy of logits with its gradient, in NumPy.

    cross_entropy_forward              (loss, dx, x, target, weight, label_smoothing, ignore_index)
    cross_entropy_probabilities_forward(loss, dx, x, target, weight, label_smoothing)
    scale_rows                         (dx, scale)

N batch, C classes, L product of the axes after the class axis. With ``logp`` the logarithm of the softmax over the
classes, weights w and smoothing s, a target distribution q costs ``-sum_c w[c] * q[c] * logp[c]``; its gradient with
respect to the logits is ``p[k] * sum_c w[c]*q[c] - w[k]*q[k]``, p the softmax. Smoothing replaces q by
``(1 - s)*q + s/C``: Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016, section 7.
"""

import numpy as np

from .softmax import log_softmax_forward


@np.errstate(invalid="ignore")
def cross_entropy_forward(loss, dx, x, target, weight, label_smoothing, ignore_index):
    """Cross-entropy against class indices, and its gradient (``torch.nn.functional.cross_entropy``, unreduced).

    ``loss[n, l] = (1 - s)*w[t]*-logp[n, t, l] + s/C * sum_c w[c]*-logp[n, c, l]`` with ``t = target[n, l]``;
    ``dx[n, k, l] = p[n, k, l]*((1 - s)*w[t] + s/C*sum_c w[c]) - (1 - s)*w[t]*(k == t) - s/C*w[k]``.
    Both are 0 where ``t == ignore_index``.

    Parameters
    ----------
    loss : (N, L)
        Overwritten: the loss of each sample.
    dx : (N, C, L)
        Overwritten: the gradient of each sample's own loss with respect to its logits.
    x : (N, C, L)
        Logits.
    target : (N, L) int64
        Classes 0 ... C-1, or `ignore_index`.
    weight : (C,)
        Weight of each class (ones for none).
    label_smoothing : float
        s in [0, 1].
    ignore_index : int

    Examples
    --------
    >>> loss, dx = np.empty((2, 1)), np.empty((2, 2, 1))
    >>> x = np.log([[[1.0], [3.0]], [[5.0], [7.0]]])
    >>> cross_entropy_forward(loss, dx, x, np.array([[0], [-100]]), np.ones(2), 0.0, -100)
    >>> np.exp(loss).ravel().round(6)
    array([4., 1.])
    >>> dx[..., 0].round(6)
    array([[-0.75,  0.75],
           [ 0.  ,  0.  ]])
    """
    if dx.size == 0:
        return
    C = x.shape[1]
    ignored = target == ignore_index
    t = np.where(ignored, 0, target)[:, None, :]
    w_t = weight[t[:, 0]] * (1 - label_smoothing)
    log_softmax_forward(dx, x)

    loss[...] = -w_t * np.take_along_axis(dx, t, axis=1)[:, 0]
    mass = w_t
    if label_smoothing != 0:  # not merely an optimisation: 0 * (logp = -inf) is NaN
        share = weight * (label_smoothing / C)
        loss -= np.einsum("c,ncl->nl", share, dx)
        mass = w_t + share.sum()

    np.exp(dx, out=dx)
    dx *= mass[:, None, :]
    if label_smoothing != 0:
        dx -= share[:, None]
    np.put_along_axis(dx, t, np.take_along_axis(dx, t, axis=1) - w_t[:, None, :], axis=1)

    # assigned, not multiplied: an ignored sample may hold NaN
    np.copyto(loss, 0, where=ignored)
    np.copyto(dx, 0, where=ignored[:, None, :])


@np.errstate(invalid="ignore")
def cross_entropy_probabilities_forward(loss, dx, x, target, weight, label_smoothing):
    """Cross-entropy against class probabilities, and its gradient.

    With ``q = (1 - s)*target + s/C``: ``loss[n, l] = -sum_c w[c]*q[n, c, l]*logp[n, c, l]`` and
    ``dx[n, k, l] = p[n, k, l]*sum_c w[c]*q[n, c, l] - w[k]*q[n, k, l]``.

    Parameters
    ----------
    loss : (N, L)
        Overwritten: the loss of each sample.
    dx : (N, C, L)
        Overwritten: the gradient of each sample's own loss with respect to its logits.
    x : (N, C, L)
        Logits.
    target : (N, C, L)
        Probabilities; need not sum to 1.
    weight : (C,)
        Weight of each class (ones for none).
    label_smoothing : float
        s in [0, 1].

    Examples
    --------
    >>> loss, dx = np.empty((1, 1)), np.empty((1, 2, 1))
    >>> x, target = np.log([[[1.0], [3.0]]]), np.array([[[0.5], [0.5]]])
    >>> cross_entropy_probabilities_forward(loss, dx, x, target, np.ones(2), 0.0)
    >>> np.exp(2 * loss).round(4).item()  # (4/1 * 4/3)
    5.3333
    >>> dx.ravel().round(6)
    array([-0.25,  0.25])
    """
    if dx.size == 0:
        return
    C = x.shape[1]
    wq = target * (1 - label_smoothing)
    wq += label_smoothing / C
    wq *= weight[:, None]
    log_softmax_forward(dx, x)
    np.einsum("ncl,ncl->nl", wq, dx, out=loss)
    np.negative(loss, out=loss)
    np.exp(dx, out=dx)
    dx *= wq.sum(axis=1, keepdims=True)
    dx -= wq


def scale_rows(dx, scale):
    """Multiply the gradient of each sample by its own factor, in place: ``dx[n, c, l] *= scale[n, l]``.

    Parameters
    ----------
    dx : (N, C, L)
        Scaled in place.
    scale : (N, L)
        Reduction and upstream gradient.

    Examples
    --------
    >>> dx = np.ones((2, 3, 1))
    >>> scale_rows(dx, np.array([[2.0], [0.5]]))
    >>> dx[..., 0]
    array([[2. , 2. , 2. ],
           [0.5, 0.5, 0.5]])
    """
    dx *= scale[:, None, :]
