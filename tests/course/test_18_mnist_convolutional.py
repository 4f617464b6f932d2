import numpy as np
import pytest

import fastnn as fnn


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("18_mnist_convolutional")


def check(ran):
    """What holds for few digits and for all."""
    assert list(ran["counts"].values()) == [13_564_800, 449_280, 780]
    assert ran["shift_difference"] < 1e-6
    assert ran["plan_difference"] < 1e-5
    assert "layer by layer, because of config(plan=False)" in ran.printed

    assert [network.summary((1, 28, 28)).parameters for network, _, _ in ran["table"].values()] == [3930, 433_890, 123_552]
    assert all(network.summary((1, 28, 28)).path == "compiled plan" for network, _, _ in ran["table"].values())
    assert ran.printed.count("Path: compiled plan") == 3
    assert "receptive fields: Conv2d 3, Conv2d 7, Conv2d 15\n" in ran.printed
    assert "MaxPool2d 16, Conv2d 24, Conv2d 32, MaxPool2d 36\n" in ran.printed

    assert ran["dead_at_first"] > 0 == ran["dead_after"]
    assert len(ran["small_history"]) == 10
    assert f"validation loss {ran['small_history']['val_loss'][-1]:.4f}" in ran.printed
    for name in ("classic", "deep"):
        assert f"test accuracy {ran[f'{name}_accuracy']:.2%}" in ran.printed
        assert ran[f"{name}_accuracy"] == pytest.approx(ran[f"{name}_history"]["val_accuracy"][-1])
    for name in ("small", "classic", "deep"):
        assert str(ran[f"{name}_history"]) in ran.printed
    assert ran.printed.count("images per second\n") == 3  # and once in the table's heading
    assert np.abs(ran["after"] - ran["before"]).max() > 0.05 > np.abs(ran["before"]).max()

    he, narrow = ran["spreads"].values()
    assert max(he) / min(he) < 10
    assert narrow[-1] / narrow[0] < 1e-4
    for accuracies in ran["moved_accuracies"].values():
        assert accuracies[0] > accuracies[2] > accuracies[4]
    ran.assert_pictures("maps", "filters", "found", "curves", "mistakes", "moved")


def test_reduced(ran):
    check(ran)
    assert ran["small_history"]["val_loss"][-1] < 0.4
    assert ran["classic_accuracy"] > 0.92
    assert ran["deep_accuracy"] > 0.85


def test_receptive_fields_are_what_reaches_a_neuron(ran, rng):
    """Of the pixels of an image, those on which a neuron's value depends."""
    layers = [fnn.Conv2d(1, 2, 3, rng=rng), fnn.Conv2d(2, 3, 5, stride=2, rng=rng), fnn.Conv2d(3, 2, 3, stride=3, rng=rng)]
    network = fnn.Sequential(*layers)
    x = rng.standard_normal((1, 1, 40, 40), dtype=np.float32)
    dout = np.zeros_like(network.forward(x, training=True))
    dout[0, 0, 2, 2] = 1
    rows, columns = np.nonzero(network.backward(dout)[0, 0])
    assert [r for _, r in ran["receptive_fields"](network)] == [3, 7, 11]
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 11


@pytest.mark.slow
def test_full(run_lesson, full_mnist):
    ran = run_lesson("18_mnist_convolutional", quick=False)
    check(ran)
    assert len(ran["validation"][1]) == 10_000
    assert ran["small_history"]["val_loss"][-1] <= 0.1267
    assert ran["classic_accuracy"] >= 0.989
    assert ran["deep_accuracy"] >= 0.992
    assert len(ran["deep_history"]) == 8
