import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("08_computational_graph")


def test_apples(ran):
    np.testing.assert_allclose([ran[name] for name in ("fruit", "price")], [200, 220])
    np.testing.assert_allclose([ran[name] for name in ("dfruit", "dapple", "dnumber", "dtax")], [1.1, 2.2, 110, 200])
    assert "price 220\nslopes: apple 2.2, number 110, tax 200\n" in ran.printed


def test_apples_and_oranges(ran):
    np.testing.assert_allclose(ran["both"], 715)
    np.testing.assert_allclose(np.concatenate(list(ran["slopes"].values())), [2.2, 110, 3.3, 165, 650])
    assert "price 715\n" in ran.printed


def test_slopes_of_a_value_used_twice_add_up(ran):
    assert ran["left_slope"] + ran["right_slope"] == 6
    assert "slope 3 + 3 = 6" in ran.printed


def test_sigmoid(ran):
    y = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose([ran["y"], ran["dx"]], [y, y * (1 - y)], rtol=1e-15)
    assert max(ran["forward_difference"], ran["backward_difference"]) < 1e-15


def test_own_network_and_layers_agree(ran):
    assert set(ran["differences"]) == {"loss", "dx", "0.weight", "0.bias", "2.weight", "2.bias"}
    assert max(ran["differences"].values()) < 1e-14
    assert len(ran["layers"]) == len(ran["network"]) == 3


def test_gradient_checks(ran):
    assert set(ran["check"].errors) == {"x", "0.weight", "0.bias", "2.weight", "2.bias"}
    assert ran["check"].ok and ran["loss_check"].ok and ran["right"].ok
    assert max(ran["check"].errors.values()) < 1e-7
    assert not ran["wrong"].ok
    assert ran["wrong"].worst["error"] == pytest.approx(0.5)
    assert "gradcheck of Sequential: ok" in ran.printed
    assert "gradcheck of Square: FAILED" in ran.printed


def test_pictures(ran):
    ran.assert_pictures("apples", "sigmoid")
