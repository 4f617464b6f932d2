import numpy as np
import pytest

import fastnn as fnn


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("04_losses")


def test_squared_errors(ran):
    y, y_wrong, t = ran["y"], ran["y_wrong"], ran["t"]
    half, mean = ran["sum_squared_error"], ran["mean_squared_error"]
    np.testing.assert_allclose([half(y, t), half(y_wrong, t), mean(y, t)], [0.0975, 0.5975, 0.0195], rtol=1e-12)
    assert "half the sum of squares 0.09750000" in ran.printed
    assert "mean squared error      0.01950000" in ran.printed


def test_cross_entropy(ran):
    assert ran["right"] == pytest.approx(0.510825457099338, abs=1e-15)
    assert ran["wrong"] == pytest.approx(2.302584092994546, abs=1e-14)
    assert "cross-entropy 0.510825457099338" in ran.printed


def test_batches(ran):
    mean = (0.510825457099338 + 2.302584092994546) / 2
    for name in ("batch_one_hot", "batch_labels"):
        assert ran[name] == pytest.approx(mean, abs=1e-14)


def test_gradients(ran, numerical_gradient):
    y, t = np.linspace(0.1, 0.7, 10), ran["t"]
    batch, one_hot = np.stack([y, y**2]), np.eye(10)[[2, 7]]
    yes, t_yes = ran["yes"].copy(), ran["t_yes"]
    for loss, gradient, arguments in (
        ("sum_squared_error", "sum_squared_error_gradient", (y, t)),
        ("mean_squared_error", "mean_squared_error_gradient", (y, t)),
        ("cross_entropy", "cross_entropy_gradient", (y, t)),
        ("cross_entropy_one_hot", "cross_entropy_batch_gradient", (batch, one_hot)),
        ("binary_cross_entropy", "binary_cross_entropy_gradient", (yes, t_yes)),
    ):
        numeric = numerical_gradient(lambda loss=loss, a=arguments: np.asarray(ran[loss](*a)), arguments[0], 1.0)
        np.testing.assert_allclose(ran[gradient](*arguments), numeric, atol=1e-7)


def test_yes_or_no_and_scores(ran):
    expected = -np.log([0.9, 0.8, 0.4]).mean()
    assert ran["binary_cross_entropy"](ran["yes"], ran["t_yes"]) == pytest.approx(expected, rel=1e-14)
    x = np.random.default_rng(0).standard_normal((5, 4))
    labels = np.array([0, 3, 1, 1, 2])
    assert ran["cross_entropy_scores"](x, labels) == pytest.approx(fnn.CrossEntropyLoss()(x, labels), rel=1e-14)
    assert "loss from probabilities 16.1181\nloss from scores        1000.0000\n" in ran.printed
    assert "from scores 1000.0000, gradient [-1.  1.]" in ran.printed


def test_options_of_the_losses_give_the_same(ran):
    assert len(ran["differences"]) == 5
    assert max(ran["differences"].values()) < 1e-14
    assert ran["single"] == pytest.approx(0.510825457099338, abs=1e-15)
    assert "one sample 0.510825457099338" in ran.printed
    np.testing.assert_array_equal(fnn.data.one_hot(ran["labels"], 10), ran["one_hot"])


def test_pictures(ran):
    ran.assert_pictures("compared")
