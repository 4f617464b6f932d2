"""Smooth functions of single elements, and their gradients."""

from ._elementwise import CASES, Backward, Forward


class EluForward(Forward):
    cases = CASES
    scalars = (1.0,)


class EluBackward(Backward):
    cases = CASES
    scalars = (1.0,)


class GeluForward(Forward):
    cases = CASES


class GeluBackward(Backward):
    cases = CASES


class GeluTanhForward(Forward):
    cases = CASES


class GeluTanhBackward(Backward):
    cases = CASES


class SiluForward(Forward):
    cases = CASES


class SiluBackward(Backward):
    cases = CASES


class SoftplusForward(Forward):
    cases = CASES
    scalars = (1.0, 20.0)


class SoftplusBackward(Backward):
    cases = CASES
    scalars = (1.0, 20.0)
