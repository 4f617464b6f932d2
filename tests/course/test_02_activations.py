import numpy as np
import pytest

STABLE = [9.99954600e-01, 4.53978686e-05, 2.06106005e-09]


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("02_activations")


def test_values(ran):
    x = np.array([-2.0, 0.0, 0.5, 7.0])
    f = {name: function(x) for name, (function, _) in ran["functions"].items()}
    np.testing.assert_array_equal(f["step"], [0, 0, 1, 1])
    np.testing.assert_array_equal(f["sign"], [-1, 0, 1, 1])
    np.testing.assert_array_equal(f["identity"], x)
    np.testing.assert_array_equal(f["absolute value"], [2, 0, 0.5, 7])
    np.testing.assert_array_equal(f["ReLU"], [0, 0, 0.5, 7])
    np.testing.assert_allclose(f["LeakyReLU"], [-0.2, 0, 0.5, 7])
    np.testing.assert_array_equal(f["Hardtanh"], [-1, 0, 0.5, 1])
    np.testing.assert_array_equal(f["ReLU6"], [0, 0, 0.5, 6])
    np.testing.assert_allclose(f["sigmoid"], 1 / (1 + np.exp(-x)), rtol=1e-14)
    np.testing.assert_allclose(f["Softplus"], np.log(1 + np.exp(x)), rtol=1e-14)
    np.testing.assert_allclose(f["ELU"][:2], [np.exp(-2) - 1, 0])
    np.testing.assert_allclose(f["GELU"], [-0.04550026, 0, 0.34573123, 7], atol=5e-9)


def test_derivatives(ran):
    assert len(ran["errors"]) == 14
    assert max(ran["errors"].values()) < 1e-8
    assert ran["jacobian_error"] < 1e-9
    np.testing.assert_allclose(ran["dx"], ran["dout"] @ ran["jacobian"], rtol=1e-12)


def test_softmax(ran):
    np.testing.assert_allclose(ran["stable"], STABLE, rtol=5e-9)
    np.testing.assert_allclose(ran["p"], [0.01821127, 0.24519181, 0.73659691], atol=5e-9)
    assert "naive : [nan nan nan]\nstable: [9.99954600e-01 4.53978686e-05 2.06106005e-09]\n" in ran.printed
    assert "softmax of 0.3, 2.9, 4.0: [0.01821127 0.24519181 0.73659691] with the sum 1.0" in ran.printed
    batch = ran["softmax"](np.array([[0.3, 2.9, 4.0], [1010, 1000, 990]]))
    np.testing.assert_allclose(batch, [ran["p"], ran["stable"]])


def test_layers_give_the_same(ran):
    assert {"ELU", "GELU", "SiLU", "Softplus", "Hardtanh", "ReLU6"} < set(ran["differences"])
    assert max(ran["differences"].values()) < 1e-14
    np.testing.assert_allclose(ran["p_layer"], ran["p"], rtol=1e-14)
    np.testing.assert_allclose(ran["dx_layer"], ran["dx"], rtol=1e-14)
    assert "stable        [9.99954600e-01 4.53978686e-05 2.06106005e-09]" in ran.printed


def test_pictures(ran):
    ran.assert_pictures("all")
