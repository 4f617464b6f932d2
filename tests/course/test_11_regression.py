import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("11_regression")


def test_the_error_comes_down_to_the_noise(ran):
    assert ran["X"].shape == (1000, 2)
    np.testing.assert_array_equal(ran["X"][:, 1], 1)
    assert 0.9 < ran["mse"] / ran["noise"] < 1.1
    assert f"mean squared error of the network {ran['mse']:.5f}" in ran.printed


def test_least_squares(ran):
    A, rent = ran["A"], ran["rent"]
    np.testing.assert_allclose(ran["w"], np.linalg.lstsq(A, rent)[0], rtol=1e-9)
    np.testing.assert_allclose(ran["by_descent"], ran["w"], rtol=1e-6)


def test_a_closer_fit_is_not_a_better_prediction(ran):
    assert ran["fit"]["network"] < ran["fit"]["line"]
    assert ran["left_out"]["network"] > ran["left_out"]["line"]


def test_pictures(ran):
    ran.assert_pictures("cosine")
