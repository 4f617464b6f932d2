import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("09_xor")


def test_the_error_by_hand(ran):
    assert len(ran["errors"]) == 1000
    assert ran["errors"][-1] < 0.001
    np.testing.assert_allclose(ran["outputs"], [0, 1, 1, 0], atol=0.1)


def test_the_network_runs_the_same_course(ran):
    assert ran["history"]["loss"][-1] < 0.001
    assert ran["difference"] < 1e-9
    np.testing.assert_allclose(ran["predictions"], ran["outputs"], atol=1e-8)


def test_it_shows_what_it_found(ran):
    assert f"mean error {ran['history']['loss'][-1]:.6f}" in ran.printed
    ran.assert_pictures("learned")
