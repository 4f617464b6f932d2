"""Loops of local response normalization over flat arrays, which `lrn` and `lanes.lrn` share.

window_sums(sums, a, b, start, stride, before, after)
scale_of_sums(scale, factor, k)
inverse_power(out, scale, beta)
multiply_by(out, factor)
start_of_gradient(dx, ratio, dout, x, scale, beta), rest_of_gradient(dx, sums, x, factor)
"""

import math

from ._jit import jit
from ._math import exp, log


@jit
def window_sums(sums, a, b, start, stride, before, after):
    """sums[i] = sum of (a*b)[start + i + d*stride] over the d from -before to after for which that is inside the arrays."""
    for i in range(sums.size):
        sums[i] = 0
    reach = (a.size + stride - 1) // max(1, stride)  # a window may be wider than all channels
    for d in range(-min(before, reach), min(after, reach) + 1):
        shifted = start + d * stride
        low, high = max(0, -shifted), min(sums.size, a.size - shifted)
        if low < high:
            part, one, other = sums[low:high], a[shifted + low : shifted + high], b[shifted + low : shifted + high]
            for i in range(part.size):
                part[i] += one[i] * other[i]


@jit
def scale_of_sums(scale, factor, k):
    """scale = k + factor * scale."""
    factor, k = scale.dtype.type(factor), scale.dtype.type(k)
    for i in range(scale.size):
        scale[i] = k + factor * scale[i]


@jit(fastmath={"contract"})  # an estimated reciprocal root makes NaN of infinity
def inverse_power(out, scale, beta):
    """out = scale**-beta: by roots where these do, since a general power takes a logarithm and an exponential."""
    one, exponent = scale.dtype.type(1), scale.dtype.type(-beta)
    if beta == 0.75:
        for i in range(out.size):
            root = math.sqrt(scale[i])
            out[i] = one / (root * math.sqrt(root))
    elif beta == 0.5:
        for i in range(out.size):
            out[i] = one / math.sqrt(scale[i])
    elif beta == 1:
        for i in range(out.size):
            out[i] = one / scale[i]
    elif beta == 0:
        for i in range(out.size):
            out[i] = one
    else:
        for i in range(out.size):
            out[i] = exp(exponent * log(scale[i]))


@jit
def multiply_by(out, factor):
    """out *= factor."""
    for i in range(out.size):
        out[i] *= factor[i]


@jit
def start_of_gradient(dx, ratio, dout, x, scale, beta):
    """dx = dout * scale**-beta, and ratio = x * scale**(-beta - 1): what `rest_of_gradient` takes sums of, times dout."""
    inverse_power(dx, scale, beta)
    for i in range(dx.size):
        ratio[i] = x[i] * dx[i] / scale[i]
    multiply_by(dx, dout)


@jit
def rest_of_gradient(dx, sums, x, factor):
    """dx -= factor * x * sums."""
    factor = dx.dtype.type(factor)
    for i in range(dx.size):
        dx[i] -= factor * x[i] * sums[i]
