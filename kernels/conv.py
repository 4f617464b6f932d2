"""Two-dimensional convolution (cross-correlation, as the field uses the word).

N batch, C channels, F filters, H x W input, OH x OW output, KH x KW kernel, G groups

    conv2d_forward        (out, x, weight, bias, stride, padding, dilation, groups)
    conv2d_backward_input (dx, dout, weight, stride, padding, dilation, groups)
    conv2d_backward_weight(dweight, x, dout, stride, padding, dilation, groups)
    conv2d_backward_bias  (dbias, dout)

x (N, C, H, W), weight (F, C/G, KH, KW), bias (F,) or None, out (N, F, OH, OW); stride, padding, dilation are pairs. With
ih = oh*SH - PH + kh*DH and iw = ow*SW - PW + kw*DW, and x zero outside the image::

    out[n, f, oh, ow]      = bias[f] + sum_{c, kh, kw} x[n, c, ih, iw] * weight[f, c, kh, kw]
    dx[n, c, ih, iw]       = sum_{f, kh, kw} dout[n, f, oh, ow] * weight[f, c, kh, kw]
    dweight[f, c, kh, kw]  = sum_{n, oh, ow} dout[n, f, oh, ow] * x[n, c, ih, iw]
    dbias[f]               = sum_{n, oh, ow} dout[n, f, oh, ow]

How a call travels: `_correlation` turns the shapes into tables; a thread copies one image into bordered planes in its scratch
memory (`_planes`); the register tiles of `simd` then walk the tables, in `_correlate` for out and dx, in `_correlate_weight`
for dweight. No im2col matrix is ever made.
"""

import math

from . import _correlation
from ._correlate import correlate_phase
from ._correlate_weight import correlate_weight, sum_sets, weight_tables
from ._kernel import SERIAL_BELOW, flat, kernel
from ._threads import run, workspace
from .gemm import EMPTY, FLOPS_PER_NS


def _is_large(*sizes):
    return 2.0 * math.prod(sizes) / FLOPS_PER_NS >= SERIAL_BELOW


def conv2d_forward(out, x, weight, bias, stride, padding, dilation, groups):
    """Convolution: out[n, f, oh, ow] = bias[f] + sum_{c, kh, kw} x[n, c, ih, iw] * weight[f, c, kh, kw].

    Parameters
    ----------
    out : (N, F, OH, OW)
        Overwritten.
    x : (N, C, H, W)
    weight : (F, C/G, KH, KW)
    bias : (F,) or None
    stride, padding, dilation : pair of int
    groups : int
        G: filters f*G//F share the channels of one group.

    Notes
    -----
    Parallel over samples (and groups, and blocks of filters where samples are few): every output has one writer.

    Examples
    --------
    >>> import numpy as np
    >>> x, weight = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> out = np.empty((1, 1, 2, 2))
    >>> conv2d_forward(out, x, weight, None, (1, 1), (0, 0), (1, 1), 1)
    >>> out[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    if out.size == 0:
        return
    sizes = (x.shape[2:], out.shape[2:], weight.shape[2:])
    correlation = _correlation.forward(weight.shape[1], *sizes, stride, padding, dilation, x.dtype)
    bias = EMPTY[x.dtype] if bias is None else bias
    phase, scratch = correlate_phase(out, x, flat(weight), bias, correlation, groups)
    run([phase], scratch, parallel=_is_large(out.size, *weight.shape[1:]))


@kernel()
def _gather_weight(target, weight, taps, counts, filters, channels, first, last):
    """Weights in the order of the input's gradient: for each class, target[g, c, f, t] = weight[g*F + f, c, taps[t]].

    `taps` has the taps of all classes, `counts` how many belong to each. Items: (group, channel).
    """
    for item in range(first, last):
        g, c = item // channels, item % channels
        class_at = tap_at = 0
        for n in range(counts.size):
            at = class_at + item * filters * counts[n]
            for f in range(filters):
                kernel_fc = weight[g * filters + f, c]
                for t in range(tap_at, tap_at + counts[n]):
                    target[at] = kernel_fc[taps[t]]
                    at += 1
            class_at += weight.shape[0] * channels * counts[n]
            tap_at += counts[n]


def conv2d_backward_input(dx, dout, weight, stride, padding, dilation, groups):
    """Gradient of conv2d_forward with respect to x: a correlation of dout with the transposed weight, for each stride phase.

    dx[n, c, ih, iw] = sum_{f, kh, kw} dout[n, f, oh, ow] * weight[f, c, kh, kw] over all oh*SH + kh*DH = ih + PH, and
    likewise in the width.

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, F, OH, OW)
    weight : (F, C/G, KH, KW)
    stride, padding, dilation : pair of int
    groups : int

    Notes
    -----
    Pixels ih of one remainder modulo SH meet the same taps: each of the SH*SW classes is a plain correlation of its own.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 1, 1, 3))
    >>> dout, weight = np.array([[[[1.0, 10.0]]]]), np.array([[[[2.0, 3.0]]]])
    >>> conv2d_backward_input(dx, dout, weight, (1, 1), (0, 0), (1, 1), 1)
    >>> dx[0, 0, 0]
    array([ 2., 23., 30.])
    """
    if dx.size == 0:
        return
    if dout.size == 0:
        dx[...] = 0
        return
    channels, filters = weight.shape[1], weight.shape[0] // groups
    sizes = (dx.shape[2:], dout.shape[2:], weight.shape[2:])
    correlation = _correlation.backward_input(filters, *sizes, stride, padding, dilation, dx.dtype)
    # Rows of the correlations: for each class of pixels, (channel, filter and tap). Their bytes are those of weight.
    gathered = workspace("conv.weight", (weight.size,), dx.dtype)
    flat_kernel = flat(weight, *weight.shape[:2], -1)
    args = (gathered, flat_kernel, correlation.taps, correlation.tap_counts, filters, channels)
    gather = _gather_weight.phase(args, groups * channels, max(1, groups * channels // 16))
    phase, scratch = correlate_phase(dx, dout, gathered, EMPTY[dx.dtype], correlation, groups, stride)
    run([gather, phase], scratch, parallel=_is_large(dout.size, *weight.shape[1:]))


def conv2d_backward_weight(dweight, x, dout, stride, padding, dilation, groups):
    """Gradient of conv2d_forward with respect to weight.

    dweight[f, c, kh, kw] = sum_{n, oh, ow} dout[n, f, oh, ow] * x[n, c, ih, iw].

    Parameters
    ----------
    dweight : (F, C/G, KH, KW)
        Overwritten.
    x : (N, C, H, W)
    dout : (N, F, OH, OW)
    stride, padding, dilation : pair of int
    groups : int

    Notes
    -----
    Parallel over sets of samples and blocks of filters; each set adds into a gradient of its own, and these are added up in
    the order of the sets. How many sets there are depends on the shapes alone.

    Examples
    --------
    >>> import numpy as np
    >>> dweight = np.empty((1, 1, 1, 2))
    >>> x, dout = np.array([[[[1.0, 2.0, 3.0]]]]), np.array([[[[1.0, 10.0]]]])
    >>> conv2d_backward_weight(dweight, x, dout, (1, 1), (0, 0), (1, 1), 1)
    >>> dweight[0, 0, 0]
    array([21., 32.])
    """
    if dweight.size == 0:
        return
    if dout.size == 0 or x.size == 0:
        dweight[...] = 0
        return
    args, sets, items, scratch = weight_tables(x.shape, dout.shape, dweight.shape, stride, padding, dilation, groups, x.dtype)
    target = flat(dweight, 1, -1) if sets == 1 else workspace("conv.dweight", (sets, dweight.size), dweight.dtype)
    phases = [correlate_weight.phase((target, x, dout, *args), items)]
    if sets > 1:
        phases.append(sum_sets.phase((flat(dweight), target), dweight.size, 4096))
    run(phases, scratch, parallel=_is_large(dout.size, *dweight.shape[1:]))


@kernel(items=lambda dbias, dout: dbias.size, cost=lambda dbias, dout: dout.size * 0.1)
def conv2d_backward_bias(dbias, dout, first, last):
    """Gradient of conv2d_forward with respect to bias: dbias[f] = sum_{n, oh, ow} dout[n, f, oh, ow].

    Parameters
    ----------
    dbias : (F,)
        Overwritten.
    dout : (N, F, OH, OW)

    Examples
    --------
    >>> import numpy as np
    >>> dbias = np.empty(2)
    >>> conv2d_backward_bias(dbias, np.ones((3, 2, 4, 5)))
    >>> dbias
    array([60., 60.])
    """
    N, F, OH, OW = dout.shape
    planes = dout.reshape(N * F, OH * OW)
    for f in range(first, last):
        total = dout.dtype.type(0)
        for n in range(N):
            plane = planes[n * F + f]
            for p in range(plane.size):
                total += plane[p]
        dbias[f] = total
