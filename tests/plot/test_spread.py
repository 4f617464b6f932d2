"""fastnn.plot.activations and activation_histograms: what layers give, and common axes."""

import numpy as np
import pytest

import fastnn as fnn
from fastnn.plot import activation_histograms, activations


def test_activations_are_the_layers_outputs(rng):
    block = fnn.Residual(fnn.Sequential(fnn.Dense(6, 6, rng=1), fnn.Tanh()))
    net = fnn.Sequential(fnn.Dense(4, 6, rng=0), fnn.Sequential(fnn.ReLU(), block), fnn.Dense(6, 3, rng=2))
    x = rng.normal(size=(5, 4)).astype(np.float32)
    found = activations(net, x)
    assert list(found) == ["0 Dense", "1.0 ReLU", "1.1 Residual", "2 Dense"]
    np.testing.assert_array_equal(found["0 Dense"], net[0].forward(x))
    np.testing.assert_array_equal(found["2 Dense"], net.forward(x))
    assert found["1.0 ReLU"] is not found["0 Dense"] and found["1.0 ReLU"].min() == 0


def test_activations_are_those_of_prediction(rng):
    net = fnn.Sequential(fnn.Dropout(0.5), fnn.BatchNorm1d(4))
    x = rng.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(activations(net, x)["0 Dropout"], x)
    assert net[1].state["num_batches_tracked"] == 0


def test_activations_of_images_and_of_one_layer(rng):
    x = rng.integers(0, 256, (3, 1, 4, 4)).astype(np.uint8)
    found = activations(fnn.Conv2d(1, 2, 3, rng=0), x)
    assert list(found) == ["Conv2d"]
    np.testing.assert_allclose(found["Conv2d"], fnn.Conv2d(1, 2, 3, rng=0).forward(x.astype(np.float32) / 255))


def test_activations_of_something_else():
    with pytest.raises(TypeError, match="expected a fastnn network, got 3"):
        activations(3, np.zeros((1, 1)))


def heights(axes):
    return np.array([bar.get_height() for bar in axes.patches])


def test_shares_and_common_axes():
    figure = activation_histograms({"a": np.zeros((2, 3)), "b": np.array([0, 1, 2, 4.0])})
    a, b = figure.axes
    assert a.get_xlim() == b.get_xlim() and a.get_ylim() == b.get_ylim()
    assert heights(a).sum() == pytest.approx(1) and heights(a)[0] == pytest.approx(1)
    assert heights(b)[[0, 10, 20, 39]] == pytest.approx([0.25] * 4)
    assert a.get_title().startswith("a\n0 ± 0")
    assert len(heights(a)) == 40


def test_what_is_not_finite_is_counted():
    a, b = activation_histograms({"a": [np.nan, np.inf, 1.0, 2.0], "b": [np.nan]}).axes
    assert a.get_title().endswith("2 not finite") and heights(a).sum() == pytest.approx(0.5)
    assert b.get_title().endswith("1 not finite")


def test_many_layers_fill_rows(tmp_path):
    figure = activation_histograms({str(i): np.arange(3) for i in range(7)}, tmp_path / "a.png")
    assert [axes.get_visible() for axes in figure.axes] == [True] * 7 + [False] * 3
    assert [bool(axes.get_xlabel()) for axes in figure.axes[:7]] == [False, False, True, True, True, True, True]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "found, error, message",
    [
        ({}, ValueError, "at least one array"),
        ({"a": []}, ValueError, r"activations\['a'\], got an empty array"),
        ([1, 2], TypeError, "expected a dict"),
        ({"a": ["x"]}, TypeError, r"expected numbers in activations\['a'\], got <U1"),
    ],
)
def test_wrong_activations(found, error, message):
    with pytest.raises(error, match=message):
        activation_histograms(found)
