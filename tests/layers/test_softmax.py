import numpy as np
import pytest

import fastnn as fnn


def test_worked_answers(impl):
    softmax = fnn.Softmax(1).use(impl)
    np.testing.assert_allclose(softmax.forward(np.array([[0.3, 2.9, 4.0]]))[0], [0.01821127, 0.24519181, 0.73659691], rtol=1e-6)
    large = softmax.forward(np.array([[1010.0, 1000, 990]]))[0]
    np.testing.assert_allclose(large, [9.99954600e-01, 4.53978686e-05, 2.06106005e-09], rtol=1e-8)
    log = fnn.LogSoftmax(1).use(impl)
    np.testing.assert_allclose(log.forward(np.array([[1010.0, 1000, 990]]))[0], np.log(large), rtol=1e-9, atol=1e-15)
    assert log.forward(np.array([[0.0, 1e5]]))[0].tolist() == [-1e5, 0]


@pytest.mark.parametrize("dim", [0, 1, 2, 3, -1, -4])
def test_sums_to_one_along_its_axis(dim, dtype, rng):
    out = fnn.Softmax(dim).forward(rng.standard_normal((2, 3, 4, 5)).astype(dtype))
    np.testing.assert_allclose(out.sum(axis=dim), 1, rtol=1e-5)


def test_the_axis_that_goes_without_saying(rng):
    for shape in ((4, 3), (2, 3, 4, 5)):
        x = rng.standard_normal(shape)
        np.testing.assert_array_equal(fnn.Softmax().forward(x), fnn.Softmax(1).forward(x))
    with pytest.raises(ValueError, match=r"Softmax: expected 2 or 4 axes unless dim is given, got x.shape=\(2, 3, 4\)"):
        fnn.Softmax().forward(np.zeros((2, 3, 4)))


@pytest.mark.parametrize("cls", [fnn.Softmax, fnn.LogSoftmax])
def test_errors(cls):
    with pytest.raises(TypeError, match=f"{cls.__name__}: dim must be an int"):
        cls(1.0)
    for dim in (2, -3):
        with pytest.raises(ValueError, match=rf"{cls.__name__}: expected an axis dim={dim} .* got x.shape=\(2, 3\)"):
            cls(dim).forward(np.zeros((2, 3)))
        with pytest.raises(ValueError, match=r"got input_shape=\(3,\)"):
            cls(dim).output_shape((3,))
    assert cls(1).forward(np.zeros((3, 0))).shape == (3, 0)
