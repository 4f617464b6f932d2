"""Two-dimensional convolution in NumPy: im2col and one batched BLAS product per block of samples.

    conv2d_forward        (out, x, weight, bias, stride, padding, dilation, groups)
    conv2d_backward_input (dx, dout, weight, stride, padding, dilation, groups)
    conv2d_backward_weight(dweight, x, dout, stride, padding, dilation, groups)
    conv2d_backward_bias  (dbias, dout)

N batch, C channels, F filters, G groups, H x W input, KH x KW window, OH x OW output. Group g reads channels
``g*C//G ...`` and writes filters ``g*F//G ...``; below, K = C//G * KH * KW is the length of one window of a group and
P = OH*OW the number of positions. Source of the method: Chellapilla, Puri and Simard, "High performance convolutional
neural networks for document processing", 2006.
"""

import numpy as np

from .im2col import col2im, im2col

# Columns are made for so many samples at once that they hold about this many values: they then stay in the cache
# between im2col and the product, and the memory does not grow with the batch.
_BLOCK_VALUES = 2**20


def conv2d_forward(out, x, weight, bias, stride, padding, dilation, groups):
    """Cross-correlate x with every filter (``torch.nn.functional.conv2d``).

    ``out[n, f, i, j] = bias[f] + sum_{c,kh,kw} weight[f, c, kh, kw] * x[n, g*C//G + c, h, w]`` with g the group of f,
    ``h = i*SH - PH + kh*DH`` and ``w = j*SW - PW + kw*DW``; x is 0 outside the image.

    Parameters
    ----------
    out : (N, F, OH, OW)
        Overwritten.
    x : (N, C, H, W)
    weight : (F, C//groups, KH, KW)
    bias : (F,) or None
    stride, padding, dilation : (int, int)
    groups : int

    Examples
    --------
    >>> out = np.empty((1, 1, 1, 2))
    >>> x = np.arange(6.0).reshape(1, 1, 2, 3)
    >>> weight = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    >>> conv2d_forward(out, x, weight, np.array([0.5]), (1, 1), (0, 0), (1, 1), 1)
    >>> out
    array([[[[4310.5, 5421.5]]]])
    """
    _, F, OH, OW = out.shape
    G, P = groups, OH * OW
    w = weight.reshape(G, F // G, -1)
    for block, col in _columns(x, weight.shape, P, G):
        im2col(col, x[block], weight.shape[2:], stride, padding, dilation)
        # [F/G x K] @ [K x P] -> [F/G x P], for every sample and group
        np.matmul(w, col.reshape(len(col), G, -1, P), out=out[block].reshape(len(col), G, F // G, P))
    if bias is not None:
        out += bias[:, None, None]


def conv2d_backward_input(dx, dout, weight, stride, padding, dilation, groups):
    """Gradient of conv2d_forward with respect to x.

    ``dx[n, g*C//G + c, h, w] = sum of weight[f, c, kh, kw] * dout[n, f, i, j]`` over the filters f of group g and all
    taps and positions with ``i*SH - PH + kh*DH == h`` and ``j*SW - PW + kw*DW == w``.

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, F, OH, OW)
    weight : (F, C//groups, KH, KW)
    stride, padding, dilation : (int, int)
    groups : int

    Examples
    --------
    >>> dx = np.empty((1, 1, 1, 3))
    >>> weight = np.array([[[[1.0, 10.0]]]])
    >>> conv2d_backward_input(dx, np.array([[[[1.0, 2.0]]]]), weight, (1, 1), (0, 0), (1, 1), 1)
    >>> dx
    array([[[[ 1., 12., 20.]]]])
    """
    _, F, OH, OW = dout.shape
    G, P = groups, OH * OW
    w_transposed = weight.reshape(G, F // G, -1).transpose(0, 2, 1)
    for block, col in _columns(dx, weight.shape, P, G):
        # [K x F/G] @ [F/G x P] -> [K x P], for every sample and group
        dout_block = dout[block].reshape(len(col), G, F // G, P)
        np.matmul(w_transposed, dout_block, out=col.reshape(len(col), G, -1, P))
        col2im(dx[block], col, weight.shape[2:], stride, padding, dilation)


def conv2d_backward_weight(dweight, x, dout, stride, padding, dilation, groups):
    """Gradient of conv2d_forward with respect to weight.

    ``dweight[f, c, kh, kw] = sum_{n,i,j} dout[n, f, i, j] * x[n, g*C//G + c, i*SH - PH + kh*DH, j*SW - PW + kw*DW]``

    Parameters
    ----------
    dweight : (F, C//groups, KH, KW)
        Overwritten.
    x : (N, C, H, W)
    dout : (N, F, OH, OW)
    stride, padding, dilation : (int, int)
    groups : int

    Examples
    --------
    >>> dweight = np.empty((1, 1, 1, 2))
    >>> x = np.array([[[[1.0, 2.0, 3.0]]]])
    >>> conv2d_backward_weight(dweight, x, np.array([[[[1.0, 10.0]]]]), (1, 1), (0, 0), (1, 1), 1)
    >>> dweight
    array([[[[21., 32.]]]])
    """
    _, F, OH, OW = dout.shape
    G, P = groups, OH * OW
    dw = dweight.reshape(G, F // G, -1)
    dw[...] = 0
    for block, col in _columns(x, dweight.shape, P, G):
        im2col(col, x[block], dweight.shape[2:], stride, padding, dilation)
        # [F/G x P] @ [P x K] -> [F/G x K], for every sample and group, then the sum over samples
        dout_block = dout[block].reshape(len(col), G, F // G, P)
        dw += np.matmul(dout_block, col.reshape(len(col), G, -1, P).transpose(0, 1, 3, 2)).sum(axis=0)


def conv2d_backward_bias(dbias, dout):
    """Gradient of conv2d_forward with respect to bias.

    ``dbias[f] = sum_{n,i,j} dout[n, f, i, j]``

    Parameters
    ----------
    dbias : (F,)
        Overwritten.
    dout : (N, F, OH, OW)

    Examples
    --------
    >>> dbias = np.empty(2)
    >>> conv2d_backward_bias(dbias, np.array([[[[1.0, 2.0]], [[3.0, 4.0]]]]))
    >>> dbias
    array([3., 7.])
    """
    np.sum(dout, axis=(0, 2, 3), out=dbias)


def _columns(x, weight_shape, P, groups):
    """Pairs (slice of samples, scratch for their columns) that cover the batch of x."""
    N = x.shape[0]
    K = groups * weight_shape[1] * weight_shape[2] * weight_shape[3]
    step = max(1, min(N, _BLOCK_VALUES // max(1, K * P)))
    col = np.empty((step, K, P), x.dtype)
    for n in range(0, N, step):
        yield slice(n, min(n + step, N)), col[: N - n]
