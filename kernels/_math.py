"""Elementary functions that LLVM can vectorise: branch-free polynomials, float32 and float64.

    exp(v)            within 1.2 ulp, subnormal results included
    exp_nonpositive   exp for v <= 0, quicker
    expm1_nonpositive exp - 1 for v <= 0, within 1.5 ulp, relative accuracy down to the smallest arguments
    log(v)            within 1 ulp, subnormal arguments included
    log1p_unit(v)     log(1 + v) for v in 0..1, within 1.5 ulp
    tanh(v)           within 3 ulp, relative accuracy down to the smallest arguments, exactly odd
    sigmoid(v)        within 3 ulp, no overflow on either side
    exp_scaled4, exp_scaled8, upper4, upper8, by_type    parts of such functions
    ordered(v)        an integer that sorts as the float does, NaN (of positive sign) above all: its maximum vectorises
    unordered(k)      back
    scratch_array(scratch, offset, count, like)    part of a kernel's scratch memory as an array

A libm call per element, which is what ``math.exp`` compiles to, keeps a loop scalar: 10 to 40 times slower.

Method. ``x = k*ln2 + r`` with integer k and ``|r| <= ln2 / 2``; then ``exp(x) = 2**k * (1 + r + r*r*Q(r))``, Q a polynomial
that interpolates at Chebyshev nodes. k comes from adding 1.5 * 2**23 (2**52): the sum's low bits are the rounded integer,
in registers of any width and without a rounding instruction. exp(x) - 1 is ``2**k * (r + r*r*Q(r)) + (2**k - 1)``. For log,
``x = 2**k * m`` with m around 1 and, with ``s = (m - 1) / (m + 1)``, ``log(m) = 2*atanh(s)``; for log1p, m is 1 + v or half of
that, and m - 1 comes from v without rounding. Reassociation would undo the splitting: it is off here.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ._jit import jit
from .simd import array_at, pointer

IN_ORDER = {"contract"}  # fastmath of functions whose sums must not be reassociated
_f4, _f8 = np.float32, np.float64

_EXP4 = tuple(map(_f4, (0.5, 0.16666576305560638, 0.041666553762567638, 0.0083632927530306023, 0.0013926325618133462)))
_EXP8 = (
    0.5000000000000001,
    0.16666666666666667468,
    0.041666666666623476764,
    0.0083333333333300117609,
    0.0013888888917538295848,
    0.00019841269863303223296,
    0.000024801520792572692843,
    2.7557268072890098263e-6,
    2.762032742826823816e-7,
    2.5100569275813682631e-8,
)
_LOG4 = tuple(map(_f4, (0.66666685603273560, 0.39988550988935757, 0.29590317357160397)))
_LOG8 = (
    0.6666666666666669907,
    0.39999999999893221763,
    0.28571428628810995598,
    0.22222210674238515246,
    0.18182922513515941633,
    0.15330617306743304885,
    0.14630031364122860468,
)

# ln2 in two parts; products of the first with any k are exact.
_LN2_HIGH4, _LN2_LOW4 = _f4(0.693359375), _f4(-0.00021219444005469058)
_LN2_HIGH8, _LN2_LOW8 = 0.6931471803691238, 1.9082149292705877e-10
_LOG2E4, _LOG2E8 = _f4(1 / math.log(2)), 1 / math.log(2)
_ROUND4, _ROUND8 = _f4(1.5 * 2**23), 1.5 * 2.0**52
_ROUND_BITS4, _ROUND_BITS8 = np.int32(_ROUND4.view(np.int32)), np.int64(np.float64(_ROUND8).view(np.int64))
_UPPER4, _UPPER8 = np.int32(-(2**12)), np.int64(-(2**27))
# Beyond these arguments exp is 0 or infinite.
_EXP_MIN4, _EXP_MAX4 = _f4(-104), _f4(89)
_EXP_MIN8, _EXP_MAX8 = -746.0, 710.0
_SQRT_HALF_BITS4 = np.int32(_f4(0.5**0.5).view(np.int32))
_SQRT_HALF_BITS8 = np.int64(_f8(0.5**0.5).view(np.int64))
_ONE4, _TWO4, _HALF4 = _f4(1), _f4(2), _f4(0.5)
_TANH_MAX4, _TANH_MAX8 = _f4(10), 20.0  # tanh is 1 beyond
_EXPM1_MIN4, _EXPM1_MIN8 = _f4(-20), -40.0  # exp(v) - 1 is -1 below
_SQRT2_LESS_1 = 2**0.5 - 1


def _bitcast(numba_from, numba_to):
    """An intrinsic that keeps the bits and changes the type."""

    @intrinsic
    def cast(typingctx, value):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return numba_to(numba_from), codegen

    return cast


_bits4, _bits8 = _bitcast(types.float32, types.int32), _bitcast(types.float64, types.int64)
_float4, _float8 = _bitcast(types.int32, types.float32), _bitcast(types.int64, types.float64)


@intrinsic
def _power_of_two(typingctx, k):
    """2**k as a float of k's width, for k in the range of normal exponents."""
    if k not in (types.int32, types.int64):
        return None
    result, bias, shift = (types.float32, 127, 23) if k == types.int32 else (types.float64, 1023, 52)

    def codegen(context, builder, signature, args):
        integer = args[0].type
        exponent = builder.shl(builder.add(args[0], ir.Constant(integer, bias)), ir.Constant(integer, shift))
        return builder.bitcast(exponent, context.get_value_type(signature.return_type))

    return result(k), codegen


@jit(fastmath=IN_ORDER)
def _reduce4(x):
    """k (int32) and r with x = k*ln2 + r."""
    shifted = x * _LOG2E4 + _ROUND4
    k = np.int32(_bits4(shifted) - _ROUND_BITS4)
    whole = shifted - _ROUND4
    return k, (x - whole * _LN2_HIGH4) - whole * _LN2_LOW4


@jit(fastmath=IN_ORDER)
def _reduce8(x):
    shifted = x * _LOG2E8 + _ROUND8
    k = _bits8(shifted) - _ROUND_BITS8
    whole = shifted - _ROUND8
    return k, (x - whole * _LN2_HIGH8) - whole * _LN2_LOW8


@jit(fastmath=IN_ORDER)
def _expm1_reduced4(r):
    """exp(r) - 1 for |r| <= ln2 / 2."""
    c = _EXP4
    q = (((c[4] * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0]
    return q * (r * r) + r


@jit(fastmath=IN_ORDER)
def _expm1_reduced8(r):
    c = _EXP8
    s = r * r
    high = ((c[9] * r + c[8]) * s + (c[7] * r + c[6])) * s + (c[5] * r + c[4])
    q = (high * s + (c[3] * r + c[2])) * s + (c[1] * r + c[0])
    return q * s + r


@jit(fastmath=IN_ORDER)
def _exp4(x):
    x = _EXP_MAX4 if x > _EXP_MAX4 else x  # this way round NaN stays
    x = _EXP_MIN4 if x < _EXP_MIN4 else x
    k, r = _reduce4(x)
    y = _expm1_reduced4(r) + _ONE4
    half = np.int32(k >> 1)  # two steps: 2**k alone would overflow at either end
    return y * _power_of_two(half) * _power_of_two(np.int32(k - half))


@jit(fastmath=IN_ORDER)
def _exp8(x):
    x = _EXP_MAX8 if x > _EXP_MAX8 else x
    x = _EXP_MIN8 if x < _EXP_MIN8 else x
    k, r = _reduce8(x)
    y = _expm1_reduced8(r) + 1.0
    half = k >> 1
    return y * _power_of_two(half) * _power_of_two(k - half)


@jit(fastmath=IN_ORDER)
def _exp_nonpositive4(x):
    x = _EXP_MIN4 if x < _EXP_MIN4 else x
    k, r = _reduce4(x)
    # two steps again, since 2**k can be subnormal; the second is a constant
    return (_expm1_reduced4(r) + _ONE4) * _power_of_two(np.int32(k + 64)) * _f4(2**-64)


@jit(fastmath=IN_ORDER)
def _exp_nonpositive8(x):
    x = _EXP_MIN8 if x < _EXP_MIN8 else x
    k, r = _reduce8(x)
    return (_expm1_reduced8(r) + 1.0) * _power_of_two(k + 256) * 2.0**-256


@jit(fastmath=IN_ORDER)
def exp_scaled4(high, low):
    """exp(high + low) * 2**64 for a sum within -114..0, low being the smaller by far: nothing in between is subnormal."""
    shifted = (high + low) * _LOG2E4 + _ROUND4
    whole = shifted - _ROUND4
    r = ((high - whole * _LN2_HIGH4) - whole * _LN2_LOW4) + low
    return (_expm1_reduced4(r) + _ONE4) * _power_of_two(np.int32(_bits4(shifted) - _ROUND_BITS4 + 64))


@jit(fastmath=IN_ORDER)
def exp_scaled8(high, low):
    """exp(high + low) * 2**256 for a sum within -800..0."""
    shifted = (high + low) * _LOG2E8 + _ROUND8
    whole = shifted - _ROUND8
    r = ((high - whole * _LN2_HIGH8) - whole * _LN2_LOW8) + low
    return (_expm1_reduced8(r) + 1.0) * _power_of_two(_bits8(shifted) - _ROUND_BITS8 + 256)


@jit(fastmath=IN_ORDER)
def upper4(x):
    """x with the first 12 of its 24 digits: products of two such numbers are exact."""
    return _float4(np.int32(_bits4(x) & _UPPER4))


@jit(fastmath=IN_ORDER)
def upper8(x):
    """x with the first 26 of its 53 digits."""
    return _float8(_bits8(x) & _UPPER8)


@jit(fastmath=IN_ORDER)
def _expm1_nonpositive4(x):
    x = _EXPM1_MIN4 if x < _EXPM1_MIN4 else x
    k, r = _reduce4(x)
    power = _power_of_two(k)
    return _expm1_reduced4(r) * power + (power - _ONE4)


@jit(fastmath=IN_ORDER)
def _expm1_nonpositive8(x):
    x = _EXPM1_MIN8 if x < _EXPM1_MIN8 else x
    k, r = _reduce8(x)
    power = _power_of_two(k)
    return _expm1_reduced8(r) * power + (power - 1.0)


@jit(fastmath=IN_ORDER)
def _tanh4(x):
    # With e = exp(2|x|) - 1, kept relatively accurate near 0: tanh(|x|) = e / (e + 2).
    size = abs(x)
    size = _TANH_MAX4 if size > _TANH_MAX4 else size
    k, r = _reduce4(size + size)
    power = _power_of_two(k)
    e = _expm1_reduced4(r) * power + (power - _ONE4)
    return math.copysign(e / (e + _TWO4), x)


@jit(fastmath=IN_ORDER)
def _tanh8(x):
    size = abs(x)
    size = _TANH_MAX8 if size > _TANH_MAX8 else size
    k, r = _reduce8(size + size)
    power = _power_of_two(k)
    e = _expm1_reduced8(r) * power + (power - 1.0)
    return math.copysign(e / (e + 2.0), x)


@jit(fastmath=IN_ORDER)
def _sigmoid4(x):
    # exp of a number that is not positive cannot overflow: 1/(1 + e) for x >= 0, e/(1 + e) below.
    e = _exp_nonpositive4(-abs(x))
    return (_ONE4 if x >= 0 else e) / (_ONE4 + e)


@jit(fastmath=IN_ORDER)
def _sigmoid8(x):
    e = _exp_nonpositive8(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


@jit(fastmath=IN_ORDER)
def _log_near_1_4(whole, f):
    """whole*ln2 + log(1 + f) for 1 + f in sqrt(1/2)..sqrt(2)."""
    s = f / (f + _TWO4)
    z = s * s
    c = _LOG4
    rest = ((c[2] * z + c[1]) * z + c[0]) * z
    square = _HALF4 * f * f
    return whole * _LN2_HIGH4 - ((square - (s * (square + rest) + whole * _LN2_LOW4)) - f)


@jit(fastmath=IN_ORDER)
def _log_near_1_8(whole, f):
    s = f / (f + 2.0)
    z = s * s
    c = _LOG8
    rest = ((((((c[6] * z + c[5]) * z + c[4]) * z + c[3]) * z + c[2]) * z + c[1]) * z + c[0]) * z
    square = 0.5 * f * f
    return whole * _LN2_HIGH8 - ((square - (s * (square + rest) + whole * _LN2_LOW8)) - f)


@jit(fastmath=IN_ORDER)
def _log4(x):
    subnormal = x < _f4(2**-126)
    scaled = x * _f4(2**23) if subnormal else x
    bits = _bits4(scaled)
    k = np.int32(np.int32(bits - _SQRT_HALF_BITS4) >> 23)
    f = _float4(np.int32(bits - np.int32(k << 23))) - _ONE4  # the mantissa in sqrt(1/2)..sqrt(2), less 1
    whole = _f4(np.int32(k - 23) if subnormal else k)
    y = _log_near_1_4(whole, f)
    y = x if x == _f4(np.inf) else y
    y = _f4(-np.inf) if x == 0 else y
    return y if x >= 0 else _f4(np.nan)


@jit(fastmath=IN_ORDER)
def _log8(x):
    subnormal = x < 2.0**-1022
    scaled = x * 2.0**52 if subnormal else x
    bits = _bits8(scaled)
    k = (bits - _SQRT_HALF_BITS8) >> 52
    f = _float8(bits - (k << 52)) - 1.0
    whole = float(k - 52 if subnormal else k)
    y = _log_near_1_8(whole, f)
    y = x if x == np.inf else y
    y = -np.inf if x == 0 else y
    return y if x >= 0 else np.nan


@jit(fastmath=IN_ORDER)
def _log1p_unit4(x):
    upper = x > _f4(_SQRT2_LESS_1)
    return _log_near_1_4(_ONE4 if upper else _f4(0), _HALF4 * x - _HALF4 if upper else x)


@jit(fastmath=IN_ORDER)
def _log1p_unit8(x):
    upper = x > _SQRT2_LESS_1
    return _log_near_1_8(1.0 if upper else 0.0, 0.5 * x - 0.5 if upper else x)


def exp(v):
    """exp of a float, from compiled code."""
    return np.exp(v)


def exp_nonpositive(v):
    """exp of a float that is not positive (or NaN), from compiled code."""
    return np.exp(v)


def expm1_nonpositive(v):
    """exp(v) - 1 of a float that is not positive (or NaN), from compiled code."""
    return np.expm1(v)


def log1p_unit(v):
    """log(1 + v) of a float within 0..1 (or NaN), from compiled code."""
    return np.log1p(v)


def log(v):
    """Natural logarithm of a float, from compiled code; -inf at 0, NaN below."""
    return np.log(v)


def tanh(v):
    """Hyperbolic tangent of a float, from compiled code."""
    return np.tanh(v)


def sigmoid(v):
    """1 / (1 + exp(-v)) of a float, from compiled code."""
    return 1 / (1 + np.exp(-v))


def by_type(function, for_float32, for_float64):
    """Have compiled code that calls `function` run the version for its argument's type."""

    @overload(function, strict=False, jit_options={"forceinline": True})  # a call would keep the loop scalar
    def choose(v):
        if v == types.float32:
            return lambda v: for_float32(v)
        if v == types.float64:
            return lambda v: for_float64(v)
        return None


by_type(exp, _exp4, _exp8)
by_type(exp_nonpositive, _exp_nonpositive4, _exp_nonpositive8)
by_type(expm1_nonpositive, _expm1_nonpositive4, _expm1_nonpositive8)
by_type(log, _log4, _log8)
by_type(log1p_unit, _log1p_unit4, _log1p_unit8)
by_type(tanh, _tanh4, _tanh8)
by_type(sigmoid, _sigmoid4, _sigmoid8)


@intrinsic
def ordered(typingctx, v):
    """The integer of a float's width that sorts as the float does.

    NaN of positive sign comes above all, NaN of negative sign below all. Its own inverse on bits: see `unordered`.
    """
    if v not in (types.float32, types.float64):
        return None
    integer = types.int32 if v == types.float32 else types.int64

    def codegen(context, builder, signature, args):
        bits = builder.bitcast(args[0], context.get_value_type(signature.return_type))
        return _flip_negative(builder, bits)

    return integer(v), codegen


@intrinsic
def unordered(typingctx, k):
    """The float that `ordered` turned into this integer."""
    if k not in (types.int32, types.int64):
        return None
    result = types.float32 if k == types.int32 else types.float64

    def codegen(context, builder, signature, args):
        return builder.bitcast(_flip_negative(builder, args[0]), context.get_value_type(signature.return_type))

    return result(k), codegen


def _flip_negative(builder, bits):
    """Invert all bits but the sign of negative numbers: floats sort by magnitude, integers by two's complement."""
    width = bits.type.width
    sign = builder.ashr(bits, ir.Constant(bits.type, width - 1))
    return builder.xor(bits, builder.and_(sign, ir.Constant(bits.type, 2 ** (width - 1) - 1)))


@jit
def scratch_array(scratch, offset, count, like):
    """`count` elements of scratch memory, of the dtype of the array `like`, `offset` elements from its start."""
    return array_at(pointer(like, 0), scratch + offset * like.itemsize, count)
