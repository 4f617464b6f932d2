"""Smooth functions of single elements, and their gradients."""

from ._elementwise import TWO_CASES, Backward, Forward


class EluForward(Forward):
    cases = TWO_CASES
    scalars = (1.0,)


class EluBackward(Backward):
    cases = TWO_CASES
    scalars = (1.0,)


class GeluForward(Forward):
    cases = TWO_CASES


class GeluBackward(Backward):
    cases = TWO_CASES


class GeluTanhForward(Forward):
    cases = TWO_CASES


class GeluTanhBackward(Backward):
    cases = TWO_CASES


class SiluForward(Forward):
    cases = TWO_CASES


class SiluBackward(Backward):
    cases = TWO_CASES


class SoftplusForward(Forward):
    cases = TWO_CASES
    scalars = (1.0, 20.0)


class SoftplusBackward(Backward):
    cases = TWO_CASES
    scalars = (1.0, 20.0)
