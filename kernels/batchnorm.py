"""Batch normalization over all but the channel axis.   N samples, C channels, L positions; M = N*L values of a channel.

    batchnorm_statistics     (mean, var, x)
    batchnorm_forward        (out, x, mean, var, weight, bias, eps)
    batchnorm_backward_params(dweight, dbias, x, dout, mean, var, eps)
    batchnorm_backward_input (dx, dout, x, mean, var, weight, dweight, dbias, eps)

with xhat = (x - mean) / sqrt(var + eps). Sums over a channel are taken in float64, in two phases: the samples are cut into
groups, and the channels into blocks, by the shape alone; an item sums one block over one group, then a second phase adds the
groups' partial sums in their order. So the bits do not depend on the number of threads.

Where L is 1 neighbours in memory are channels, and the inner loops run along them.
"""

import math

import numpy as np

from ._jit import jit
from ._kernel import SERIAL_BELOW, kernel
from ._threads import run, workspace

_GROUP = 32768  # elements that one item sums
_CHUNK = 8192  # elements that one chunk normalises


def _partition(shape):
    """Samples in a group, channels in a block, groups, blocks: from the shape alone, items of about `_GROUP` elements."""
    N, C, L = shape
    block = max(1, min(C, _GROUP // max(1, L)))
    group = max(1, min(N, _GROUP // max(1, block * L)))
    return group, block, -(-N // group), -(-C // block)


def _sum_then_merge(sum_kernel, merge_kernel, x, sum_args, merge_args):
    """Run the two phases of a reduction of x to two numbers for each channel."""
    N, C, _ = x.shape
    group, block, groups, blocks = _partition(x.shape)
    partial = workspace("batchnorm.partial", (2, groups, C), np.float64)
    phases = [merge_kernel.phase((*merge_args, partial, x), C, 512)]
    if N > 0:
        phases.insert(0, sum_kernel.phase((partial, x, *sum_args, group, block), groups * blocks))
    run(phases, parallel=x.nbytes // 20 >= SERIAL_BELOW)


def batchnorm_statistics(mean, var, x):
    """Mean and biased variance: mean[c] = sum_nl x[n, c, l] / M, var[c] = sum_nl (x[n, c, l] - mean[c])**2 / M.

    Parameters
    ----------
    mean, var : (C,)
        Overwritten.
    x : (N, C, L)

    Notes
    -----
    One pass. Differences from the channel's first value are summed, with their squares, in float64: exact as long as that
    value is no more than some 1e6 standard deviations away from the mean, however large the mean itself.

    Examples
    --------
    >>> import numpy as np
    >>> mean, var = np.empty(1), np.empty(1)
    >>> batchnorm_statistics(mean, var, np.array([[[1e9, 1e9 + 2]]]))
    >>> float(mean[0]), float(var[0])
    (1000000001.0, 1.0)
    """
    _sum_then_merge(_sum_moments, _merge_moments, x, (), (mean, var))


@kernel(mixed=True)
def _sum_moments(partial, x, group, block, first, last):
    N, C, L = x.shape
    groups = partial.shape[1]
    partial, x = partial.reshape(-1), x.reshape(-1)
    for item in range(first, last):
        g, c_first = item % groups, item // groups * block
        c_last = min(C, c_first + block)
        sums = partial[g * C + c_first : g * C + c_last]
        squares = partial[(groups + g) * C + c_first : (groups + g) * C + c_last]
        origin = x[c_first * L : c_last * L]  # of the first sample: the values that others are compared with
        for c in range(sums.size):
            sums[c], squares[c] = 0, 0
        for n in range(g * group, min(N, (g + 1) * group)):
            x_n = x[(n * C + c_first) * L : (n * C + c_last) * L]
            if L == 1:
                for c in range(sums.size):
                    d = np.float64(x_n[c]) - np.float64(origin[c])
                    sums[c] += d
                    squares[c] += d * d
            else:
                for c in range(sums.size):
                    total, square, start = 0.0, 0.0, np.float64(origin[c * L])
                    row = x_n[c * L : (c + 1) * L]
                    for i in range(row.size):
                        d = np.float64(row[i]) - start
                        total += d
                        square += d * d
                    sums[c] += total
                    squares[c] += square


@kernel(mixed=True)
def _merge_moments(mean, var, partial, x, first, last):
    _, groups, C = partial.shape
    N, _, L = x.shape
    partial, x = partial.reshape(-1), x.reshape(-1)
    for c in range(first, last):
        total, square = 0.0, 0.0
        for g in range(groups if N > 0 else 0):
            total += partial[g * C + c]
            square += partial[(groups + g) * C + c]
        M = np.float64(N * L)
        shift = total / M
        variance = square / M - shift * shift
        mean[c] = shift + (np.float64(x[c * L]) if M > 0 else 0.0)
        var[c] = 0.0 if variance < 0 else variance  # rounding can leave a trace below 0; NaN stays


def batchnorm_forward(out, x, mean, var, weight, bias, eps):
    """Normalise: out[n, c, l] = xhat[n, c, l] * weight[c] + bias[c].

    Parameters
    ----------
    out : (N, C, L)
        Overwritten.
    x : (N, C, L)
    mean, var : (C,)
        Of the batch in training, else the running ones.
    weight, bias : (C,)
    eps : float

    Examples
    --------
    >>> import numpy as np
    >>> out, one = np.empty((1, 1, 2)), np.ones(1)
    >>> batchnorm_forward(out, np.array([[[1.0, 5.0]]]), 3 * one, 4 * one, one, 10 * one, 0.0)
    >>> out.reshape(2)
    array([ 9., 11.])
    """
    C = x.shape[1]
    scale = workspace("batchnorm.scale", (C,), x.dtype)
    phases = [
        _scale_of.phase((scale, var, weight, float(eps)), C, 4096),
        _normalise.phase((out, x, mean, scale, bias), *_rows(x.shape)),
    ]
    run(phases, parallel=x.nbytes // 40 >= SERIAL_BELOW)


def _rows(shape):
    """Items and chunk of a loop over rows: of L values, or where L is 1 of all channels of a sample."""
    N, C, L = shape
    return (N * C, max(1, _CHUNK // max(1, L))) if L != 1 else (N, max(1, _CHUNK // max(1, C)))


@jit
def _inverse_deviation(var, eps):
    return 1 / math.sqrt(np.float64(var) + eps)


@kernel()
def _scale_of(scale, var, weight, eps, first, last):
    for c in range(first, last):
        scale[c] = weight[c] * _inverse_deviation(var[c], eps)


@kernel()
def _normalise(out, x, mean, scale, bias, first, last):
    # x - mean before the multiplication: folding mean into the bias would lose digits where it is large
    _, C, L = x.shape
    out, x = out.reshape(-1), x.reshape(-1)
    if L == 1:
        for n in range(first, last):
            row, out_row = x[n * C : (n + 1) * C], out[n * C : (n + 1) * C]
            for c in range(C):
                out_row[c] = (row[c] - mean[c]) * scale[c] + bias[c]
        return
    for nc in range(first, last):
        c = nc % C
        row, out_row = x[nc * L : (nc + 1) * L], out[nc * L : (nc + 1) * L]
        mean_c, scale_c, bias_c = mean[c], scale[c], bias[c]
        for i in range(L):
            out_row[i] = (row[i] - mean_c) * scale_c + bias_c


def batchnorm_backward_params(dweight, dbias, x, dout, mean, var, eps):
    """Gradients of batchnorm_forward with respect to weight and bias.

    dweight[c] = sum_nl dout[n, c, l] * xhat[n, c, l]      dbias[c] = sum_nl dout[n, c, l]

    Parameters
    ----------
    dweight, dbias : (C,)
        Overwritten.
    x, dout : (N, C, L)
    mean, var : (C,)
        As in the forward call.
    eps : float

    Examples
    --------
    >>> import numpy as np
    >>> dweight, dbias, one = np.empty(1), np.empty(1), np.ones(1)
    >>> x, dout = np.array([[[1.0, 5.0]]]), np.array([[[1.0, 3.0]]])
    >>> batchnorm_backward_params(dweight, dbias, x, dout, 3 * one, 4 * one, 0.0)
    >>> float(dweight[0]), float(dbias[0])
    (2.0, 4.0)
    """
    _sum_then_merge(_sum_products, _merge_products, x, (dout, mean), (dweight, dbias, var, float(eps)))


@kernel(mixed=True)
def _sum_products(partial, x, dout, mean, group, block, first, last):
    N, C, L = x.shape
    groups = partial.shape[1]
    partial, x, dout = partial.reshape(-1), x.reshape(-1), dout.reshape(-1)
    for item in range(first, last):
        g, c_first = item % groups, item // groups * block
        c_last = min(C, c_first + block)
        sums = partial[g * C + c_first : g * C + c_last]
        products = partial[(groups + g) * C + c_first : (groups + g) * C + c_last]
        mean_g = mean[c_first:c_last]
        for c in range(sums.size):
            sums[c], products[c] = 0, 0
        for n in range(g * group, min(N, (g + 1) * group)):
            x_n, dout_n = x[(n * C + c_first) * L : (n * C + c_last) * L], dout[(n * C + c_first) * L : (n * C + c_last) * L]
            if L == 1:
                for c in range(sums.size):
                    sums[c] += dout_n[c]
                    products[c] += np.float64(dout_n[c]) * (np.float64(x_n[c]) - np.float64(mean_g[c]))
            else:
                for c in range(sums.size):
                    total, product, mean_c = 0.0, 0.0, np.float64(mean_g[c])
                    row, dout_row = x_n[c * L : (c + 1) * L], dout_n[c * L : (c + 1) * L]
                    for i in range(L):
                        d = np.float64(dout_row[i])
                        total += d
                        product += d * (np.float64(row[i]) - mean_c)
                    sums[c] += total
                    products[c] += product


@kernel(mixed=True)
def _merge_products(dweight, dbias, var, eps, partial, x, first, last):
    _, groups, C = partial.shape
    partial = partial.reshape(-1)
    for c in range(first, last):
        total, product = 0.0, 0.0
        for g in range(groups if x.shape[0] > 0 else 0):
            total += partial[g * C + c]
            product += partial[(groups + g) * C + c]
        dbias[c] = total
        dweight[c] = product * _inverse_deviation(var[c], eps)


def batchnorm_backward_input(dx, dout, x, mean, var, weight, dweight, dbias, eps):
    """Gradient of batchnorm_forward with respect to x, through mean and var as well (training mode).

    dx[n, c, l] = weight[c] / sqrt(var[c] + eps) * (dout[n, c, l] - dbias[c] / M - xhat[n, c, l] * dweight[c] / M)

    Parameters
    ----------
    dx : (N, C, L)
        Overwritten.
    dout, x : (N, C, L)
    mean, var : (C,)
        Of this batch.
    weight : (C,)
    dweight, dbias : (C,)
        What batchnorm_backward_params wrote.
    eps : float

    Examples
    --------
    >>> import numpy as np
    >>> dx, one = np.empty((1, 1, 2)), np.ones(1)
    >>> x, dout = np.array([[[1.0, 5.0]]]), np.array([[[1.0, 3.0]]])
    >>> batchnorm_backward_input(dx, dout, x, 3 * one, 4 * one, one, 2 * one, 4 * one, 0.0)
    >>> dx.reshape(2)  # two values always normalise to -1 and 1
    array([0., 0.])
    """
    N, C, L = x.shape
    scale = workspace("batchnorm.scale", (3, C), x.dtype)
    phases = [
        _gradient_scales.phase((scale, var, weight, dweight, dbias, float(eps), N * L), C, 4096),
        _backward_input.phase((dx, dout, x, mean, scale), *_rows(x.shape)),
    ]
    run(phases, parallel=x.nbytes // 30 >= SERIAL_BELOW)


@kernel()
def _gradient_scales(scale, var, weight, dweight, dbias, eps, M, first, last):
    # dx = scale[0] * dout + scale[1] * (x - mean) + scale[2]
    for c in range(first, last):
        inverse = _inverse_deviation(var[c], eps)
        factor = weight[c] * inverse
        scale[0, c] = factor
        scale[1, c] = -factor * inverse * dweight[c] / M
        scale[2, c] = -factor * dbias[c] / M


@kernel()
def _backward_input(dx, dout, x, mean, scale, first, last):
    _, C, L = x.shape
    dx, dout, x, scale = dx.reshape(-1), dout.reshape(-1), x.reshape(-1), scale.reshape(-1)
    if L == 1:
        a, b, shift = scale[:C], scale[C : 2 * C], scale[2 * C :]
        for n in range(first, last):
            row, dx_row, dout_row = x[n * C : (n + 1) * C], dx[n * C : (n + 1) * C], dout[n * C : (n + 1) * C]
            for c in range(C):
                dx_row[c] = a[c] * dout_row[c] + b[c] * (row[c] - mean[c]) + shift[c]
        return
    for nc in range(first, last):
        c = nc % C
        row, dx_row, dout_row = x[nc * L : (nc + 1) * L], dx[nc * L : (nc + 1) * L], dout[nc * L : (nc + 1) * L]
        mean_c, a_c, b_c, shift_c = mean[c], scale[c], scale[C + c], scale[2 * C + c]
        for i in range(L):
            dx_row[i] = a_c * dout_row[i] + b_c * (row[i] - mean_c) + shift_c
