"""Batch normalization in NumPy.   N batch, C channels, L product of the axes after the channels, M = N*L.

    batchnorm_statistics     (mean, var, x)
    batchnorm_forward        (out, x, mean, var, weight, bias, eps)
    batchnorm_backward_params(dweight, dbias, x, dout, mean, var, eps)
    batchnorm_backward_input (dx, dout, x, mean, var, weight, dweight, dbias, eps)

Source: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
shift", 2015. Below, ``xhat[n, c, l] = (x[n, c, l] - mean[c]) / sqrt(var[c] + eps)``.
"""

import numpy as np


def batchnorm_statistics(mean, var, x):
    """Mean and biased variance of each channel.

    ``mean[c] = sum_{n,l} x[n, c, l] / M``, ``var[c] = sum_{n,l} (x[n, c, l] - mean[c])**2 / M``

    Parameters
    ----------
    mean, var : (C,)
        Overwritten.
    x : (N, C, L)

    Notes
    -----
    Both sums run in float64 over differences from the float64 mean: no digits cancel when the mean is far from 0. The
    statistics of an empty batch are 0.

    Examples
    --------
    >>> mean, var = np.empty(1), np.empty(1)
    >>> batchnorm_statistics(mean, var, np.array([[[1.0, 2.0]], [[3.0, 6.0]]]))
    >>> mean, var
    (array([3.]), array([3.5]))
    """
    M = max(1, x.shape[0] * x.shape[2])
    mean64 = x.sum(axis=(0, 2), dtype=np.float64) / M
    centred = x - mean64[:, None]
    mean[...] = mean64
    var[...] = np.einsum("ncl,ncl->c", centred, centred) / M


def batchnorm_forward(out, x, mean, var, weight, bias, eps):
    """Normalise, scale and shift each channel.

    ``out[n, c, l] = (x[n, c, l] - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]``

    Parameters
    ----------
    out : (N, C, L)
        Overwritten.
    x : (N, C, L)
    mean, var : (C,)
        Of this batch in training, running estimates otherwise.
    weight, bias : (C,)
        Ones and zeros when the layer is not affine.
    eps : float

    Examples
    --------
    >>> out = np.empty((1, 1, 2))
    >>> one = np.ones(1)
    >>> batchnorm_forward(out, np.array([[[3.0, 7.0]]]), 5 * one, 4 * one, 10 * one, one, 0.0)
    >>> out
    array([[[-9., 11.]]])
    """
    np.subtract(x, mean[:, None], out=out)
    out *= (weight / np.sqrt(var + eps))[:, None]
    out += bias[:, None]


def batchnorm_backward_params(dweight, dbias, x, dout, mean, var, eps):
    """Gradients of batchnorm_forward with respect to weight and bias.

    ``dweight[c] = sum_{n,l} dout[n, c, l] * xhat[n, c, l]``, ``dbias[c] = sum_{n,l} dout[n, c, l]``

    Parameters
    ----------
    dweight, dbias : (C,)
        Overwritten.
    x, dout : (N, C, L)
    mean, var : (C,)
        The statistics that batchnorm_forward used.
    eps : float

    Examples
    --------
    >>> dweight, dbias, one = np.empty(1), np.empty(1), np.ones(1)
    >>> x, dout = np.array([[[3.0, 7.0]]]), np.array([[[1.0, 5.0]]])
    >>> batchnorm_backward_params(dweight, dbias, x, dout, 5 * one, 4 * one, 0.0)
    >>> dweight, dbias
    (array([4.]), array([6.]))
    """
    centred = x - mean[:, None]
    centred *= dout
    np.sum(centred, axis=(0, 2), out=dweight)
    dweight /= np.sqrt(var + eps)
    np.sum(dout, axis=(0, 2), out=dbias)


def batchnorm_backward_input(dx, dout, x, mean, var, weight, dweight, dbias, eps):
    """Gradient of batchnorm_forward with respect to x, where mean and var are those of x itself.

    ``dx[n, c, l] = weight[c]/sqrt(var[c] + eps) * (dout[n, c, l] - dbias[c]/M - xhat[n, c, l]*dweight[c]/M)``

    Parameters
    ----------
    dx : (N, C, L)
        Overwritten.
    dout, x : (N, C, L)
    mean, var : (C,)
        What batchnorm_statistics wrote for x.
    weight : (C,)
    dweight, dbias : (C,)
        What batchnorm_backward_params wrote.
    eps : float

    Notes
    -----
    ``dbias/M`` is what reaches dx through the mean, ``xhat*dweight/M`` what reaches it through the variance.

    Examples
    --------
    >>> dx, one = np.empty((1, 1, 3)), np.ones(1)
    >>> x, dout = np.array([[[-1.0, 0.0, 1.0]]]), np.array([[[1.0, 0.0, 0.0]]])
    >>> batchnorm_backward_input(dx, dout, x, 0 * one, one * 2 / 3, one, -one * 1.5**0.5, one, 0.0)
    >>> (dx * 1.5**-0.5).round(6)
    array([[[ 0.166667, -0.333333,  0.166667]]])
    """
    if dx.size == 0:
        return
    M = dx.shape[0] * dx.shape[2]
    inverse_std = 1 / np.sqrt(var + eps)
    np.subtract(x, mean[:, None], out=dx)
    dx *= (inverse_std * dweight / M)[:, None]
    np.subtract(dout, dx, out=dx)
    dx -= (dbias / M)[:, None]
    dx *= (weight * inverse_std)[:, None]
