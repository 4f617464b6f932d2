"""Losses of single elements with their slopes, for kernels that go element by element.

    huber(difference, width, slope, divisor)      -> value, slope
    bce(probability, target)                      -> value, slope
    bce_with_logits(logit, target, positive)      -> value, slope
    log1p_negative(v)                             log(1 + v) for v in -1..0

Branch-free, so that loops over them vectorise; NaN stays NaN. Two logarithms are too much for LLVM to inline of itself, and a
call keeps the loop scalar: hence `forceinline`. (Numba's own inlining would put the caller's flags in place of those here, and
reassociation cancels what keeps log1p accurate.)
"""

from ._jit import jit
from ._math import exp_nonpositive, log, log1p_unit


@jit(fastmath={"contract"}, forceinline=True)
def log1p_negative(v):
    """log(1 + v): what 1 + v loses to rounding is put back, to first order."""
    zero, one = type(v)(0), type(v)(1)
    total = one + v
    return log(total) + ((v - (total - one)) / total if total > zero else zero)


@jit(fastmath={"contract"}, forceinline=True)  # no multiplying by 1 / divisor, which may be infinite
def huber(difference, width, slope, divisor):
    """Of ``kernels.losses.huber_forward``."""
    zero, half = type(difference)(0), type(difference)(0.5)
    size = abs(difference)
    inner = difference / divisor
    outer = slope if difference > zero else (-slope if difference < zero else difference)
    if size < width:
        return half * difference * inner, inner
    return slope * (size - half * width), outer


@jit(fastmath={"contract"}, forceinline=True)
def bce(probability, target):
    """Of ``kernels.losses.bce_forward``."""
    one, lowest, least = type(probability)(1), type(probability)(-100), type(probability)(1e-12)
    log_p, log_q = log(probability), log1p_negative(-probability)
    log_p = lowest if log_p < lowest else log_p
    log_q = lowest if log_q < lowest else log_q
    spread = (one - probability) * probability
    spread = least if spread < least else spread
    return (target - one) * log_q - target * log_p, (probability - target) / spread


@jit(fastmath={"contract"}, forceinline=True)
def bce_with_logits(logit, target, positive):
    """Of ``kernels.losses.bce_with_logits_forward``."""
    zero, one = type(logit)(0), type(logit)(1)
    negative = one - target
    # With exp(-|v|) nothing overflows, and neither tail is the small difference of two large numbers.
    decay = exp_nonpositive(-abs(logit))
    log_term = log1p_unit(decay)
    value = negative * (log_term + max(logit, zero)) + positive * (log_term + max(-logit, zero))
    slope = negative * (one if logit > zero else decay) - positive * (decay if logit > zero else one)
    return value, slope / (one + decay)
