import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("12_classification")


def test_logistic_regression_by_hand_and_by_network(ran):
    np.testing.assert_allclose(ran["by_network"], ran["probabilities"], rtol=1e-10)
    gradient = ran["X"].T @ (ran["probabilities"] - ran["passed"]) / 20
    assert np.abs(gradient).max() < 1e-6  # at the minimum


def test_thresholds_trade_errors(ran):
    matrices = list(ran["matrices"].values())
    assert all(matrix.sum() == 20 for matrix in matrices)
    false_positives, false_negatives = [m[0, 1] for m in matrices], [m[1, 0] for m in matrices]
    assert false_positives == sorted(false_positives, reverse=True)
    assert false_negatives == sorted(false_negatives)
    np.testing.assert_array_equal(ran["library"], ran["matrices"][0.5])


def test_softmax_regression(ran):
    np.testing.assert_allclose(ran["layer"].params["weight"].T, ran["weights"], rtol=1e-10)
    np.testing.assert_array_equal(ran["guesses"], ran["scores"].argmax(axis=1))
    assert ran["matrix"].sum() == 24
    assert np.trace(ran["matrix"]) >= 22
    assert str(ran["matrix"]) in ran.printed


def test_pictures(ran):
    ran.assert_pictures("threshold", "regions", "confusion")
