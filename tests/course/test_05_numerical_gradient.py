import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("05_numerical_gradient")


def test_derivative(ran):
    central, f = ran["central_difference"], ran["f"]
    np.testing.assert_allclose([central(f, 5.0), central(f, 10.0)], [0.2, 0.3], atol=1e-11)
    assert "x =  5: forward 0.2000009999992, central 0.1999999999991" in ran.printed
    np.testing.assert_allclose(central(np.exp, 0.5), np.exp(0.5), rtol=1e-8)


def test_the_best_steps(ran):
    for name, bounds in {"forward": (1e-9, 1e-7), "central": (1e-7, 1e-4)}.items():
        assert bounds[0] < ran["steps"][ran["errors"][name].argmin()] < bounds[1]


def test_gradient(ran):
    np.testing.assert_allclose(ran["g"], [6, 8], atol=1e-9)
    assert "gradient at (3, 4): [6. 8.]" in ran.printed
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(ran["numerical_gradient"](lambda x: (x**3).sum(), x), 3 * x**2, atol=1e-6)
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_descent(ran):
    expected = 0.8**100 * np.array([-3, 4])
    np.testing.assert_allclose(ran["path"][-1], expected, rtol=1e-6)
    np.testing.assert_allclose(ran["point"], expected, rtol=1e-12)
    assert ran["path"].shape == (101, 2)
    assert "after 100 steps at rate 0.1: [-6.11110793e-10  8.14814391e-10]" in ran.printed
    assert "after 100 steps of SGD: [-6.11110793e-10  8.14814391e-10]" in ran.printed


def test_rates(ran):
    for rate, points in ran["paths"].items():
        np.testing.assert_allclose(points[-1], (1 - 2 * rate) ** 30 * np.array([-3, 4]), rtol=1e-6)


def test_network(ran):
    assert ran["difference"] < 1e-8
    assert (np.sign(ran["dweight"]) == [[1, 1], [1, 1], [-1, -1]]).all()
    assert ran["loss"](ran["trained"]) < 0.02 < 1 < ran["loss"](ran["weight"])


def test_pictures(ran):
    ran.assert_pictures("tangents", "errors", "gradients", "paths", "rates")
