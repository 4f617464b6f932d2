import numpy as np
import pytest

from fastnn.layers.checks import (
    as_bool,
    as_float_dtype,
    as_int,
    as_ints,
    as_number,
    as_pair,
    as_rng,
    as_shape,
    only_cpu,
    only_default,
)


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_ints(value):
    found = as_int(value, "x")
    assert found == 3 and type(found) is int


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.True_, [3], np.array([3]), 3j])
def test_not_ints(value):
    with pytest.raises(TypeError, match="x must be an int, got"):
        as_int(value, "x")


def test_int_out_of_range():
    with pytest.raises(ValueError, match="Dense: in_features must be at least 1, got -2"):
        as_int(-2, "Dense: in_features", minimum=1)


def test_pairs():
    assert as_pair(2) == (2, 2)
    assert as_pair((2, 3)) == as_pair([2, 3]) == as_pair(np.array([2, 3])) == (2, 3)
    assert as_ints((4,), "x", 1) == as_ints(4, "x", 1) == (4,)
    for wrong in ((1,), (1, 2, 3), ()):
        with pytest.raises(ValueError, match="x must be an int or 2 of them"):
            as_pair(wrong, "x")
    for wrong in ("ab", 1.5, None, (1, 2.0), (1, "2"), (1, True)):
        with pytest.raises(TypeError, match="x must be an int"):
            as_pair(wrong, "x")
    with pytest.raises(ValueError, match="x must be at least 1, got 0"):
        as_pair((1, 0), "x", minimum=1)


def test_numbers():
    for value in (1, 1.0, np.float32(1), np.array(1.0), np.int64(1)):
        assert as_number(value, "p", 0, 1) == 1 and type(as_number(value, "p")) is float
    for wrong in ("1", None, True, 1j, [1.0], np.ones(1)):
        with pytest.raises(TypeError, match="p must be a number"):
            as_number(wrong, "p")
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="p must be finite"):
            as_number(wrong, "p", 0)
    with pytest.raises(ValueError, match=r"p must be within \[0, 1\], got 1.5"):
        as_number(1.5, "p", 0, 1)
    with pytest.raises(ValueError, match=r"p must be at least 0, got -1"):
        as_number(-1, "p", 0)


def test_bools():
    assert as_bool(np.True_, "x") is True
    for wrong in (1, 0, None, "yes"):
        with pytest.raises(TypeError, match="x must be True or False"):
            as_bool(wrong, "x")


def test_dtypes():
    assert as_float_dtype(None, "x") == np.float32
    assert as_float_dtype(float, "x") == as_float_dtype("float64", "x") == np.float64
    for wrong in ("float16", int, "complex128", ">f4", "nonsense", 3):
        with pytest.raises(TypeError, match="x must be float32 or float64"):
            as_float_dtype(wrong, "x")


def test_shapes():
    assert as_shape([3, np.int64(4)], "x") == (3, 4)
    assert as_shape(5, "x") == (5,)
    assert as_shape((), "x") == ()
    with pytest.raises(ValueError, match="x must be at least 0"):
        as_shape((3, -1), "x")
    with pytest.raises(TypeError, match="x must be an int"):
        as_shape((3, None), "x")


def test_generators():
    own = np.random.default_rng(0)
    assert as_rng(own, "x") is own
    assert as_rng(0, "x").integers(1000) == own.integers(1000)
    with pytest.raises(TypeError, match="x must be None, an int or a"):
        as_rng("seed", "x")
    with pytest.raises(ValueError, match="x must be a non-negative int, got -1"):
        as_rng(-1, "x")


def test_unsupported():
    only_default("zeros", "zeros", "Conv2d: padding_mode")
    with pytest.raises(ValueError, match="padding_mode='reflect' is not supported; only 'zeros' is"):
        only_default("reflect", "zeros", "Conv2d: padding_mode")
    only_cpu(None, "x")
    only_cpu("cpu", "x")
    with pytest.raises(ValueError, match="device='cuda' is not supported"):
        only_cpu("cuda", "x")
