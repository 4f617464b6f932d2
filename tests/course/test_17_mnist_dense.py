import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("17_mnist_dense")


def check(ran):
    """What holds for few digits and for all."""
    assert ran["differences"] and max(ran["differences"]) < 1e-15
    assert ran["loss_by_hand"] == pytest.approx(ran["loss_by_layers"], rel=1e-14)
    assert f"loss by hand {ran['loss_by_hand']:.8f}, by layers {ran['loss_by_hand']:.8f}" in ran.printed
    assert ran["fit_difference"] < 1e-5

    assert len(ran["history"]) == 10
    assert str(ran["history"]) in ran.printed
    assert "images per second" in ran.printed
    assert ran["network"].summary((1, 28, 28)).path == "compiled plan"

    matrix, count = ran["matrix"], len(ran["test_labels"])
    assert matrix.sum() == count
    assert np.trace(matrix) / count == ran["accuracy"]
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(ran["test_labels"]))
    assert str(matrix) in ran.printed
    assert f"test accuracy {ran['accuracy']:.2%}" in ran.printed
    assert ran["same"] and ran["library_difference"] < 1e-15
    for c in range(10):
        assert f"{c:5d}  {ran['precision'][c]:9.2%}  {ran['recall'][c]:6.2%}\n" in ran.printed

    worst, sure, predicted, labels = (ran[name] for name in ("worst", "sure", "predicted", "test_labels"))
    assert len(worst) == 24
    assert (predicted[worst] != labels[worst]).all()
    assert (np.diff(sure[worst]) <= 0).all()
    assert sure[worst[-1]] >= sure[np.setdiff1d(ran["wrong"], worst)].max()
    i = worst[0]
    assert f"test digit {i:4d}: is {labels[i]}, taken for {predicted[i]} with probability {sure[i]:.3%}\n" in ran.printed

    assert ran["kept_accuracies"][0.9] > ran["kept_accuracies"][0.98] > ran["accuracy"]
    moved = list(ran["moved_accuracies"].values())
    assert moved[0] == ran["accuracy"]
    assert moved == sorted(moved, reverse=True)
    assert moved[4] < 0.5
    ran.assert_pictures("digits", "means", "curves", "confusion", "confused", "mistakes", "weights", "mixed")


def test_reduced(ran):
    check(ran)
    assert ran["nearest_accuracy"] == pytest.approx(0.83, abs=0.005)
    assert ran["loop_accuracy"] > 0.88
    assert ran["accuracy"] > 0.93
    assert abs(ran["mixed_accuracy"] - ran["accuracy"]) < 0.02


def test_moved_images(ran):
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    np.testing.assert_array_equal(ran["moved"](images, 0), images)
    np.testing.assert_array_equal(ran["moved"](images, 3)[1, 0], [[0, 0, 0, 12], [0, 0, 0, 16], [0, 0, 0, 20]])


@pytest.mark.slow
def test_full(run_lesson, full_mnist):
    ran = run_lesson("17_mnist_dense", quick=False)
    check(ran)
    assert ran["nearest_accuracy"] == pytest.approx(0.82, abs=0.005)
    assert ran["loop_accuracy"] > 0.96
    assert ran["accuracy"] >= 0.979
    assert abs(ran["mixed_accuracy"] - ran["accuracy"]) < 0.005
