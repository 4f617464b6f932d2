"""Batches of images from a data set, in NumPy.

    scale_uint8      (out, x, scale, shift)
    gather_rows      (out, x, index)
    gather_rows_uint8(out, x, index, scale, shift)
    gather_augmented (out, x, index, draws)

A batch has B rows of D values, or B images, taken from a data set of any length.
"""

import numpy as np


def scale_uint8(out, x, scale, shift):
    """Bytes to floats: ``out[i] = x[i]*scale + shift``.

    Parameters
    ----------
    out : (n,)
        Overwritten.
    x : (n,) uint8
    scale, shift : float

    Examples
    --------
    >>> out = np.empty(3)
    >>> scale_uint8(out, np.array([0, 128, 255], np.uint8), 2.0, -255.0)
    >>> out
    array([-255.,    1.,  255.])
    """
    np.multiply(x, scale, out=out, dtype=out.dtype)
    out += shift


def gather_rows(out, x, index):
    """Rows of a data set: ``out[b, d] = x[index[b], d]``.

    Parameters
    ----------
    out : (B, D)
        Overwritten; same dtype as x.
    x : (rows, D)
    index : (B,) int64
        Each in 0 ... rows-1.

    Examples
    --------
    >>> out = np.empty((2, 2))
    >>> gather_rows(out, np.arange(6.0).reshape(3, 2), np.array([2, 0]))
    >>> out
    array([[4., 5.],
           [0., 1.]])
    """
    if out.size == 0:
        return
    np.take(x, index, axis=0, out=out, mode="clip")  # "raise" would go through a second buffer


def gather_rows_uint8(out, x, index, scale, shift):
    """Rows of bytes as floats: ``out[b, d] = x[index[b], d]*scale + shift``.

    Parameters
    ----------
    out : (B, D)
        Overwritten.
    x : (rows, D) uint8
    index : (B,) int64
        Each in 0 ... rows-1.
    scale, shift : float

    Examples
    --------
    >>> out = np.empty((1, 2))
    >>> gather_rows_uint8(out, np.array([[0, 1], [2, 3]], np.uint8), np.array([1]), 0.5, 0.25)
    >>> out
    array([[1.25, 1.75]])
    """
    scale_uint8(out, x[index], scale, shift)


def gather_augmented(out, x, index, draws):
    """Images of a data set, each shifted down and to the right, then perhaps mirrored; zeros come in from outside.

    ``out[b, c, i, j] = x[index[b], c, i - down, k - right]`` with ``down, right, flip = draws[index[b]]`` and
    ``k = W - 1 - j if flip else j``.

    Parameters
    ----------
    out : (B, C, H, W)
        Overwritten; same dtype as x.
    x : (rows, C, H, W)
    index : (B,) int64
        Each in 0 ... rows-1.
    draws : (rows, 3) int64
        Of each image: pixels down, pixels to the right, 1 for a mirrored one.

    Examples
    --------
    >>> out = np.empty((1, 1, 1, 4))
    >>> gather_augmented(out, np.array([[[[1.0, 2.0, 3.0, 4.0]]]]), np.array([0]), np.array([[0, 1, 1]]))
    >>> out
    array([[[[3., 2., 1., 0.]]]])
    """
    if out.size == 0:
        return
    H, W = out.shape[2:]
    down, right, flip = draws[index].T[:, :, None]
    columns = np.where(flip != 0, W - 1 - np.arange(W), np.arange(W)) - right
    lines = np.arange(H) - down
    inside = ((lines >= 0) & (lines < H))[:, None, :, None] & ((columns >= 0) & (columns < W))[:, None, None, :]
    images, channels = index[:, None, None, None], np.arange(x.shape[1])[:, None, None]
    picked = x[images, channels, np.clip(lines, 0, H - 1)[:, None, :, None], np.clip(columns, 0, W - 1)[:, None, None, :]]
    out[...] = np.where(inside, picked, out.dtype.type(0))
