"""Group and layer normalization: of each sample by itself.   N samples, C channels in G groups, L positions.

    groupnorm_forward        (out, mean, rstd, x, weight, bias, eps)
    groupnorm_backward_params(dweight, dbias, x, dout, mean, rstd)
    groupnorm_backward_input (dx, dout, x, mean, rstd, weight)

with xhat = (x - mean) * rstd, rstd = 1 / sqrt(var + eps), over the D = C/G * L values of one group of one sample. These lie one
behind another: they are a row. Layer normalization is the same with one group and L = 1: (rows, values, 1).

Statistics are float64 whatever x is, and so are all sums. xhat is taken as (x - high)*rstd - low*rstd, where mean = high + low
and high has the precision of x: the difference is then exact where x is near the mean, however large both are.

A row is summed by one thread, parameters in the two phases of `batchnorm`: no bits depend on the number of threads.
"""

import math

import numpy as np

from ._jit import jit
from ._kernel import kernel
from .batchnorm import _sum_then_merge

_CHUNK = 8192  # elements


def _row(x, mean):
    return x[0].size // mean.shape[1]


@jit
def _moments(row):
    """Mean and biased variance, float64.

    In one pass over differences from the first value. That is as good as two: it is one of the values itself, so its square
    is no more than the sum of squares, and there are digits to spare in float64.
    """
    origin, total, square = np.float64(row[0]), 0.0, 0.0
    for i in range(row.size):
        d = np.float64(row[i]) - origin
        total += d
        square += d * d
    shift = total / row.size
    variance = square / row.size - shift * shift
    return origin + shift, 0.0 if variance < 0 else variance  # rounding can leave a trace below 0; NaN stays


@jit
def _coefficients(x, mean, rstd):
    """high, scale and shift in the dtype of x: xhat = (x - high)*scale + shift."""
    high = x.dtype.type(mean)
    return high, x.dtype.type(rstd), x.dtype.type((np.float64(high) - mean) * rstd)


@kernel(
    items=lambda out, mean, *_: mean.size if out.size else 0,
    chunk=lambda out, mean, rstd, x, *_: max(1, _CHUNK // _row(x, mean)),
    cost=lambda out, *_: out.size,
    mixed=True,
)
def groupnorm_forward(out, mean, rstd, x, weight, bias, eps, first, last):
    """Normalise each group of channels of each sample: out[n, c, l] = xhat[n, c, l] * weight[c] + bias[c].

    Parameters
    ----------
    out : (N, C, L)
        Overwritten.
    mean, rstd : (N, G) float64
        Overwritten: mean and 1 / sqrt(variance + eps) of each row. G divides C.
    x : (N, C, L)
    weight, bias : (C,)
    eps : float

    Notes
    -----
    Wu and He, "Group normalization" (2018), arXiv:1803.08494; Ba, Kiros and Hinton, "Layer normalization" (2016),
    arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np
    >>> out, mean, rstd, one = np.empty((1, 4, 1)), np.empty((1, 2)), np.empty((1, 2)), np.ones(4)
    >>> groupnorm_forward(out, mean, rstd, np.array([[[1.0], [5.0], [7.0], [7.0]]]), one, 10 * one, 0.0)
    >>> mean, out.reshape(4)  # the second group has no variance
    (array([[3., 7.]]), array([ 9., 11., nan, nan]))
    """
    _, C, L = x.shape
    G = mean.shape[1]
    width, size = C // G, C // G * L
    out, x, mean, rstd = out.reshape(-1), x.reshape(-1), mean.reshape(-1), rstd.reshape(-1)
    for item in range(first, last):
        row, out_row = x[item * size : (item + 1) * size], out[item * size : (item + 1) * size]
        mean[item], variance = _moments(row)
        rstd[item] = 1 / math.sqrt(variance + eps)
        high, scale, shift = _coefficients(x, mean[item], rstd[item])
        weights, biases = weight[item % G * width : (item % G + 1) * width], bias[item % G * width : (item % G + 1) * width]
        if L == 1:
            for c in range(width):
                out_row[c] = ((row[c] - high) * scale + shift) * weights[c] + biases[c]
            continue
        for c in range(width):
            x_c, out_c = row[c * L : (c + 1) * L], out_row[c * L : (c + 1) * L]
            scale_c, shift_c = scale * weights[c], shift * weights[c] + biases[c]
            for i in range(L):
                out_c[i] = (x_c[i] - high) * scale_c + shift_c


def groupnorm_backward_params(dweight, dbias, x, dout, mean, rstd):
    """Gradients of groupnorm_forward with respect to weight and bias.

    dweight[c] = sum_nl dout[n, c, l] * xhat[n, c, l]      dbias[c] = sum_nl dout[n, c, l]

    Parameters
    ----------
    dweight, dbias : (C,)
        Overwritten.
    x, dout : (N, C, L)
    mean, rstd : (N, G) float64
        What groupnorm_forward wrote.

    Examples
    --------
    >>> import numpy as np
    >>> dweight, dbias, mean, rstd = np.empty(2), np.empty(2), np.array([[3.0]]), np.array([[0.5]])
    >>> groupnorm_backward_params(dweight, dbias, np.array([[[1.0], [5.0]]]), np.array([[[1.0], [3.0]]]), mean, rstd)
    >>> dweight, dbias
    (array([-1.,  3.]), array([1., 3.]))
    """
    _sum_then_merge(_sum_products, _merge_products, x, (dout, mean, rstd), (dweight, dbias))


@kernel(mixed=True)
def _sum_products(partial, x, dout, mean, rstd, group, block, first, last):
    N, C, L = x.shape
    parts, G = partial.shape[1], mean.shape[1]
    width = C // G
    partial, x, dout, mean, rstd = partial.reshape(-1), x.reshape(-1), dout.reshape(-1), mean.reshape(-1), rstd.reshape(-1)
    for item in range(first, last):
        part, c_first = item % parts, item // parts * block
        c_last = min(C, c_first + block)
        sums, products = partial[part * C : (part + 1) * C], partial[(parts + part) * C : (parts + part + 1) * C]
        for c in range(c_first, c_last):
            sums[c], products[c] = 0, 0
        for n in range(part * group, min(N, (part + 1) * group)):
            for g in range(c_first // width, (c_last - 1) // width + 1):
                high, scale, shift = _coefficients(x, mean[n * G + g], rstd[n * G + g])
                begin, end = max(c_first, g * width), min(c_last, (g + 1) * width)
                row, dout_row = x[(n * C + begin) * L : (n * C + end) * L], dout[(n * C + begin) * L : (n * C + end) * L]
                sums_g, products_g = sums[begin:end], products[begin:end]
                if L == 1:
                    for c in range(sums_g.size):
                        sums_g[c] += dout_row[c]
                        products_g[c] += dout_row[c] * ((row[c] - high) * scale + shift)
                    continue
                for c in range(sums_g.size):
                    x_c, dout_c = row[c * L : (c + 1) * L], dout_row[c * L : (c + 1) * L]
                    total, product = 0.0, 0.0
                    for i in range(L):
                        total += np.float64(dout_c[i])
                        product += np.float64(dout_c[i]) * np.float64((x_c[i] - high) * scale + shift)
                    sums_g[c] += total
                    products_g[c] += product


@kernel(mixed=True)
def _merge_products(dweight, dbias, partial, x, first, last):
    _, parts, C = partial.shape
    partial = partial.reshape(-1)
    for c in range(first, last):
        total, product = 0.0, 0.0
        for part in range(parts if x.shape[0] > 0 else 0):
            total += partial[part * C + c]
            product += partial[(parts + part) * C + c]
        dbias[c] = total
        dweight[c] = product


@kernel(
    items=lambda dx, dout, x, mean, *_: mean.size if dx.size else 0,
    chunk=lambda dx, dout, x, mean, *_: max(1, _CHUNK // _row(x, mean)),
    cost=lambda dx, *_: dx.size,
    mixed=True,
)
def groupnorm_backward_input(dx, dout, x, mean, rstd, weight, first, last):
    """Gradient of groupnorm_forward with respect to x, through mean and rstd as well.

    dx[n, c, l] = rstd * (dxhat[n, c, l] - sum(dxhat) / D - xhat[n, c, l] * sum(dxhat * xhat) / D), dxhat = dout * weight, with
    the sums over the group of c in sample n

    Parameters
    ----------
    dx : (N, C, L)
        Overwritten.
    dout, x : (N, C, L)
    mean, rstd : (N, G) float64
        What groupnorm_forward wrote.
    weight : (C,)

    Examples
    --------
    >>> import numpy as np
    >>> dx, mean, rstd = np.empty((1, 2, 1)), np.array([[3.0]]), np.array([[0.5]])
    >>> x, dout = np.array([[[1.0], [5.0]]]), np.array([[[1.0], [3.0]]])
    >>> groupnorm_backward_input(dx, dout, x, mean, rstd, np.ones(2))
    >>> dx.reshape(2)  # two values always normalise to -1 and 1
    array([0., 0.])
    """
    _, C, L = x.shape
    G = mean.shape[1]
    width, size = C // G, C // G * L
    dx, dout, x, mean, rstd = dx.reshape(-1), dout.reshape(-1), x.reshape(-1), mean.reshape(-1), rstd.reshape(-1)
    for item in range(first, last):
        at = slice(item * size, (item + 1) * size)
        row, dx_row, dout_row = x[at], dx[at], dout[at]
        weights = weight[item % G * width : (item % G + 1) * width]
        high, scale, shift = _coefficients(x, mean[item], rstd[item])
        total, product = 0.0, 0.0
        if L == 1:
            for c in range(width):
                d = dout_row[c] * weights[c]
                total += np.float64(d)
                product += np.float64(d) * np.float64((row[c] - high) * scale + shift)
        else:
            for c in range(width):
                x_c, dout_c = row[c * L : (c + 1) * L], dout_row[c * L : (c + 1) * L]
                total_c, product_c = 0.0, 0.0
                for i in range(L):
                    total_c += np.float64(dout_c[i])
                    product_c += np.float64(dout_c[i]) * np.float64((x_c[i] - high) * scale + shift)
                total += weights[c] * total_c
                product += weights[c] * product_c
        mean_d, mean_p = dx.dtype.type(total / size), dx.dtype.type(product / size)
        if L == 1:
            for c in range(width):
                dx_row[c] = scale * (dout_row[c] * weights[c] - mean_d - ((row[c] - high) * scale + shift) * mean_p)
            continue
        for c in range(width):
            x_c, dx_c, dout_c = row[c * L : (c + 1) * L], dx_row[c * L : (c + 1) * L], dout_row[c * L : (c + 1) * L]
            weight_c = weights[c]
            for i in range(L):
                dx_c[i] = scale * (dout_c[i] * weight_c - mean_d - ((x_c[i] - high) * scale + shift) * mean_p)
