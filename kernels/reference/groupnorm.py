"""Group and layer normalization in NumPy.   N samples, C channels in G groups, L positions, D = C/G * L values of a group.

    groupnorm_forward        (out, mean, rstd, x, weight, bias, eps)
    groupnorm_backward_params(dweight, dbias, x, dout, mean, rstd)
    groupnorm_backward_input (dx, dout, x, mean, rstd, weight)

Sources: Wu and He, "Group normalization", 2018; Ba, Kiros and Hinton, "Layer normalization", 2016. Below,
``xhat[n, c, l] = (x[n, c, l] - mean[n, g]) * rstd[n, g]``, g the group of c. All of it is computed in float64.
"""

import numpy as np


def _rows(x, groups):
    """x as (N, G, D)."""
    N, C, L = x.shape
    return x.reshape(N, groups, C // groups * L)


def _normalised(x, mean, rstd):
    """xhat as (N, G, D), float64."""
    return (_rows(x, mean.shape[1]) - mean[..., None]) * rstd[..., None]


@np.errstate(divide="ignore", invalid="ignore")
def groupnorm_forward(out, mean, rstd, x, weight, bias, eps):
    """Normalise each group of channels of each sample, scale and shift each channel.

    ``out[n, c, l] = xhat[n, c, l] * weight[c] + bias[c]``

    Parameters
    ----------
    out : (N, C, L)
        Overwritten.
    mean, rstd : (N, G) float64
        Overwritten: the mean and ``1 / sqrt(variance + eps)`` of each group.
    x : (N, C, L)
    weight, bias : (C,)
        Ones and zeros when the layer is not affine.
    eps : float

    Examples
    --------
    >>> out, mean, rstd, one = np.empty((1, 2, 2)), np.empty((1, 1)), np.empty((1, 1)), np.ones(2)
    >>> groupnorm_forward(out, mean, rstd, np.array([[[1.0, 1.0], [5.0, 5.0]]]), 2 * one, one, 12.0)
    >>> mean, rstd, out
    (array([[3.]]), array([[0.25]]), array([[[0., 0.],
            [2., 2.]]]))
    """
    rows = _rows(x, mean.shape[1])
    np.mean(rows, axis=2, dtype=np.float64, out=mean)
    centred = rows - mean[..., None]
    variance = np.einsum("ngd,ngd->ng", centred, centred) / rows.shape[2]
    np.divide(1, np.sqrt(variance + eps), out=rstd)
    xhat = (centred * rstd[..., None]).reshape(x.shape)
    out[...] = xhat * weight[:, None] + bias[:, None]


@np.errstate(invalid="ignore")
def groupnorm_backward_params(dweight, dbias, x, dout, mean, rstd):
    """Gradients of groupnorm_forward with respect to weight and bias.

    ``dweight[c] = sum_{n,l} dout[n, c, l] * xhat[n, c, l]``, ``dbias[c] = sum_{n,l} dout[n, c, l]``

    Parameters
    ----------
    dweight, dbias : (C,)
        Overwritten.
    x, dout : (N, C, L)
    mean, rstd : (N, G) float64
        What groupnorm_forward wrote.

    Examples
    --------
    >>> dweight, dbias, one = np.empty(1), np.empty(1), np.ones((1, 1))
    >>> groupnorm_backward_params(dweight, dbias, np.array([[[2.0, 6.0]]]), np.array([[[1.0, 5.0]]]), 4 * one, one / 2)
    >>> dweight, dbias
    (array([4.]), array([6.]))
    """
    xhat = _normalised(x, mean, rstd).reshape(x.shape)
    dweight[...] = np.einsum("ncl,ncl->c", xhat, dout)
    dbias[...] = dout.sum(axis=(0, 2), dtype=np.float64)


@np.errstate(invalid="ignore")
def groupnorm_backward_input(dx, dout, x, mean, rstd, weight):
    """Gradient of groupnorm_forward with respect to x, whose statistics mean and rstd are.

    ``dx = rstd * (dxhat - mean of dxhat - xhat * mean of (dxhat * xhat))`` with ``dxhat = dout * weight``, means over a group

    Parameters
    ----------
    dx : (N, C, L)
        Overwritten.
    dout, x : (N, C, L)
    mean, rstd : (N, G) float64
        What groupnorm_forward wrote.
    weight : (C,)

    Notes
    -----
    What is taken away from ``dxhat`` are its components along the constant and along ``xhat``, in which ``xhat`` cannot move.

    Examples
    --------
    >>> dx, one = np.empty((1, 1, 3)), np.ones((1, 1))
    >>> x, dout = np.array([[[-1.0, 0.0, 1.0]]]), np.array([[[1.0, 0.0, 0.0]]])
    >>> groupnorm_backward_input(dx, dout, x, 0 * one, one * 1.5**0.5, np.ones(1))
    >>> (dx * 1.5**-0.5).round(6)
    array([[[ 0.166667, -0.333333,  0.166667]]])
    """
    xhat = _normalised(x, mean, rstd)
    dxhat = np.multiply(dout, weight[:, None], dtype=np.float64).reshape(xhat.shape)
    along = np.einsum("ngd,ngd->ng", dxhat, xhat)[..., None] / xhat.shape[2]
    dxhat -= dxhat.mean(axis=2, keepdims=True)
    dx[...] = ((dxhat - xhat * along) * rstd[..., None]).reshape(x.shape)
