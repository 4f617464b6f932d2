"""x * F(x) for distribution functions F of distributions that are symmetric about 0, and the derivatives: branch-free.

    silu(v)         v * sigmoid(v)                                           silu_slope(v)
    gelu(v)         v * Phi(v), Phi the standard normal distribution         gelu_slope(v)
    gelu_tanh(v)    v * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v**3))) / 2 gelu_tanh_slope(v)

Within 6 ulp over the whole range, far negative tail and subnormal results included, slopes within 8; where these cross 0,
within 1 ulp of 1. No overflow: 0 at -inf.

Method. Symmetry means F(-v) = 1 - F(v). With a = abs(v), the tail q = F(-a) and the density F',

    v * F(v)              = max(v, 0) - a * q
    its derivative        = s below 0, 1 - s above           where s = q - a * F'(a)

so one formula serves both sides, and all that is needed is a relatively accurate tail. It is exp(-u) times something smooth:

    logistic    q = exp(-u) / (1 + exp(-u))    u = a for silu, u = 2 * sqrt(2 / pi) * (a + 0.044715 * a**3) for gelu_tanh
    normal      q = exp(-u) * M(a)             u = a * a / 2

M, Mills' ratio over sqrt(2 * pi), is P(t) / (a + K) with t = (a - K) / (a + K), which maps all a >= 0 to -1 <= t < 1; P is a
polynomial that interpolates at Chebyshev nodes (to 3.7e-9 with K = 2, to 3.9e-18 with K = 4). The substitution is that of
Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x**2) erfc(x) in 0 <= x < inf" (1981).

An absolute error of u is a relative error of exp(-u), and u goes up to 100 (700). So u comes in two parts: the first is made of
the upper halves of the factors' digits, whose products are exact (Dekker, "A floating-point technique for extending the
available precision", 1971), the second of the rest.
"""

import math
from fractions import Fraction

import numpy as np

from ._jit import jit
from ._math import IN_ORDER, by_type, exp_scaled4, exp_scaled8, upper4, upper8

_f4 = np.float32
_inlined = jit(fastmath=IN_ORDER, forceinline=True)  # some are so long that LLVM would call them, which keeps a loop scalar

# 2 * sqrt(2 / pi), and 0.044715 times that, to more digits than any float has
_LINEAR = Fraction("1.59576912160573071175978423973752747")
_CUBIC = _LINEAR * Fraction("0.044715")

_P4 = tuple(
    map(
        _f4,
        (
            0.67240800481025927,
            -0.3314044756353548,
            0.028797375193797415,
            0.036719414514256705,
            -0.00046976990642390657,
            -0.0067346161331057509,
            -0.0019516115682326594,
            0.00082378608048503756,
            0.00083691694305844453,
            0.0001330260198901464,
            -0.00014959806301093367,
            -6.5819826218162765e-5,
        ),
    )
)
_P8 = (
    0.75528513041575149,
    -0.60789664197189211,
    0.38713740074221454,
    -0.18652185795965725,
    0.060396574890936561,
    -0.0075401889667267916,
    -0.0034796923673935952,
    0.0016308184575887012,
    0.00013334431240964574,
    -0.00023109493516945901,
    -1.9082584797734331e-6,
    3.5144686053003463e-5,
    7.1666632452210312e-7,
    -5.9201733230161029e-6,
    -6.2969656058158233e-7,
    1.0215540371961015e-6,
    2.7180452962592836e-7,
    -1.549649174224745e-7,
    -8.540841815685125e-8,
    1.3280797787310328e-8,
    1.961961086135556e-8,
    1.9182770203733403e-9,
    -2.5220994578780735e-9,
    -7.2624198104095793e-10,
)


@_inlined
def _mills4(a):
    c, share = _P4, _f4(1) / (a + _f4(2))
    t = (a - _f4(2)) * share
    s = t * t
    p = ((c[11] * t + c[10]) * s + (c[9] * t + c[8])) * s + (c[7] * t + c[6])
    return share * (((p * s + (c[5] * t + c[4])) * s + (c[3] * t + c[2])) * s + (c[1] * t + c[0]))


@_inlined
def _mills8(a):
    c, share = _P8, 1.0 / (a + 4.0)
    t = (a - 4.0) * share
    s = t * t
    f = s * s
    p = (c[23] * t + c[22]) * s + (c[21] * t + c[20])
    p = p * f + ((c[19] * t + c[18]) * s + (c[17] * t + c[16]))
    p = p * f + ((c[15] * t + c[14]) * s + (c[13] * t + c[12]))
    p = p * f + ((c[11] * t + c[10]) * s + (c[9] * t + c[8]))
    p = p * f + ((c[7] * t + c[6]) * s + (c[5] * t + c[4]))
    return share * (p * f + ((c[3] * t + c[2]) * s + (c[1] * t + c[0])))


def _functions(real, upper, exp_scaled, unscale, mills, largest):
    """The six functions for one type; `exp_scaled` is exp / `unscale`. Beyond each `largest` a, a * q is 0."""
    zero, half, one, unscale = real(0), real(0.5), real(1), real(unscale)
    largest_silu, largest_gelu, largest_gelu_tanh = map(real, largest)
    density = real(1 / math.sqrt(2 * math.pi))
    linear_high, linear_low = _in_two(real, _LINEAR)
    cubic_high, cubic_low = _in_two(real, _CUBIC)
    linear, cubic_slope = real(_LINEAR), real(3 * _CUBIC)

    @_inlined
    def capped(x, most):
        a = abs(x)
        return most if a > most else a  # this way round NaN stays

    @_inlined
    def gated(x, tail):
        return (zero if x < zero else x) - tail

    @_inlined
    def slope(x, s):
        return s if x < zero else one - s

    @_inlined
    def logistic(x, a, power):
        """For u with `power` = exp(-u) / unscale."""
        return gated(x, power * (a / (one + power * unscale)) * unscale)

    @_inlined
    def logistic_slope(x, a, power, du):
        share = one / (one + power * unscale)
        return slope(x, power * (share - a * du * share * share) * unscale)

    @_inlined
    def normal_power(a):
        head = upper(a)
        return exp_scaled(-half * (head * head), -half * ((a - head) * (a + head)))

    @_inlined
    def cubic_power(a):
        """u = a * (linear + cubic * a**2): sums and products in two parts each."""
        a_high = upper(a)
        a_low = a - a_high
        square = a * a
        square_high = upper(square)
        square_low = (a_high * a_high - square_high) + a_low * (a + a_high)
        product = cubic_high * square_high
        factor_high = upper(linear_high + product)
        factor_low = ((linear_high - factor_high) + product) + (cubic_high * square_low + (cubic_low * square + linear_low))
        return exp_scaled(-(a_high * factor_high), -(a_high * factor_low + a_low * (factor_high + factor_low)))

    @_inlined
    def silu(x):
        a = capped(x, largest_silu)
        return logistic(x, a, exp_scaled(-a, zero))

    @_inlined
    def silu_slope(x):
        a = capped(x, largest_silu)
        return logistic_slope(x, a, exp_scaled(-a, zero), one)

    @_inlined
    def gelu(x):
        a = capped(x, largest_gelu)
        return gated(x, normal_power(a) * (a * mills(a)) * unscale)

    @_inlined
    def gelu_slope(x):
        a = capped(x, largest_gelu)
        return slope(x, normal_power(a) * (mills(a) - a * density) * unscale)

    @_inlined
    def gelu_tanh(x):
        a = capped(x, largest_gelu_tanh)
        return logistic(x, a, cubic_power(a))

    @_inlined
    def gelu_tanh_slope(x):
        a = capped(x, largest_gelu_tanh)
        return logistic_slope(x, a, cubic_power(a), linear + cubic_slope * (a * a))

    return silu, silu_slope, gelu, gelu_slope, gelu_tanh, gelu_tanh_slope


def _in_two(real, number):
    """The upper half of a number's digits, as `upper` has them in compiled code, and the rest."""
    _, exponent = math.frexp(number)
    bits = (12 if real is _f4 else 26) - exponent
    high = Fraction(math.floor(number * Fraction(2) ** bits)) / Fraction(2) ** bits
    return real(high), real(number - high)


def _half_plus_half_tanh(v):
    return (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2


def silu(v):
    """v * sigmoid(v) of a float, from compiled code."""
    return v / (1 + np.exp(-v))


def silu_slope(v):
    """Derivative of `silu`."""
    q = 1 / (1 + np.exp(-v))
    return q + v * q * (1 - q)


def gelu(v):
    """v * Phi(v) of a float, from compiled code."""
    return v * math.erfc(-v / math.sqrt(2)) / 2


def gelu_slope(v):
    """Derivative of `gelu`."""
    return math.erfc(-v / math.sqrt(2)) / 2 + v * math.exp(-v * v / 2) / math.sqrt(2 * math.pi)


def gelu_tanh(v):
    """v * (1 + tanh(...)) / 2 of a float, from compiled code."""
    return v * _half_plus_half_tanh(v)


def gelu_tanh_slope(v):
    """Derivative of `gelu_tanh`."""
    q = _half_plus_half_tanh(v)
    return q + v * q * (1 - q) * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * v * v)


_OWN4 = _functions(_f4, upper4, exp_scaled4, 2**-64, _mills4, (110, 15, 11.1))
_OWN8 = _functions(np.float64, upper8, exp_scaled8, 2**-256, _mills8, (755, 39, 22))
for _function, _for4, _for8 in zip((silu, silu_slope, gelu, gelu_slope, gelu_tanh, gelu_tanh_slope), _OWN4, _OWN8):
    by_type(_function, _for4, _for8)
