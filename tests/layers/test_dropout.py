import numpy as np
import pytest

import fastnn as fnn


def test_same_mask_forward_and_backward(dtype, impl):
    layer, x = fnn.Dropout(0.25, rng=0).use(impl), np.ones((50, 40), dtype)
    out = layer.forward(x, training=True)
    np.testing.assert_array_equal(layer.backward(x), out)
    assert set(np.unique(out)) == {0, dtype.type(1 / 0.75)}
    assert (out == 0).mean() == pytest.approx(0.25, abs=0.03)


def test_prediction_passes_x(rng):
    x = rng.standard_normal((3, 4))
    np.testing.assert_array_equal(fnn.Dropout(0.9).forward(x), x)


@pytest.mark.parametrize("p, value", [(0, 1), (1, 0)])
def test_ends(p, value, dtype):
    out = fnn.Dropout(p).forward(np.ones((5, 6), dtype), training=True)
    assert (out == value).all()


def test_seeds(dtype):
    x = np.ones((20, 30), dtype)
    one, two = fnn.Dropout(rng=4), fnn.Dropout(rng=4)
    first = one.forward(x, training=True)
    np.testing.assert_array_equal(first, two.forward(x, training=True))
    assert (first != one.forward(x, training=True)).any()
    other = fnn.Dropout(rng=4).forward(np.ones((20, 30)), training=True)
    np.testing.assert_array_equal(first == 0, other == 0)
    assert (fnn.Dropout().forward(x, training=True) != fnn.Dropout().forward(x, training=True)).any()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((-0.1,), ValueError, r"p must be within \[0, 1\], got -0.1"),
        ((1.1,), ValueError, r"p must be within \[0, 1\]"),
        ((float("nan"),), ValueError, "p must be finite"),
        (("half",), TypeError, "p must be a number"),
        ((0.5, True), ValueError, "inplace=True is not supported"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=f"Dropout: {message}"):
        fnn.Dropout(*arguments)
    with pytest.raises(TypeError, match="Dropout: rng"):
        fnn.Dropout(rng="seed")
