"""fastnn.plot.curves, paths and decision_regions."""

import numpy as np
import pytest

import fastnn as fnn
from fastnn.plot import curves, decision_regions, paths
from fastnn.plot.style import PALETTE


def test_curves_from_values_and_functions(tmp_path):
    x = np.linspace(-1, 1, 5)
    figure = curves(x, {"tanh": np.tanh, "slope": 1 - np.tanh(x) ** 2}, title="tanh", path=tmp_path / "a.png")
    (axes,) = figure.axes
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("tanh", "x", "y")
    assert [line.get_color() for line in axes.lines] == list(PALETTE[:2])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), np.tanh(x))
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), 1 - np.tanh(x) ** 2)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "x, ys, error, message",
    [
        (np.zeros(3), {}, ValueError, "at least one function"),
        (np.zeros(3), [1, 2, 3], TypeError, "expected ys to be a dict"),
        (np.zeros((3, 1)), {"a": np.sin}, ValueError, r"got x\.shape=\(3, 1\)"),
        (np.zeros(3), {"a": [1, 2]}, ValueError, r"3 values of 'a', as many as x, got shape \(2,\)"),
        (np.zeros(3), {"a": np.sum}, ValueError, r"got shape \(\)"),
    ],
)
def test_wrong_curves(x, ys, error, message):
    with pytest.raises(error, match=message):
        curves(x, ys)


def bowl(x, y):
    return x**2 / 20 + y**2


def test_paths_start_at_a_circle_and_end_at_a_cross(tmp_path):
    points = {"SGD": [[-7, 2], [-5, -1], [0, 0]], "Adam": np.array([[-7, 2], [-1, 1]])}
    (axes,) = paths(bowl, points, path=tmp_path / "a.png").axes
    assert [line.get_marker() for line in axes.lines] == [".", "o", "X"] * 2
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), points["SGD"])
    np.testing.assert_array_equal(axes.lines[2].get_xydata(), [[0, 0]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["SGD", "Adam"]
    left, right = axes.get_xlim()
    assert left == pytest.approx(-7.7) and right == pytest.approx(0.7)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_contours_are_spread_over_the_picture():
    (axes,) = paths(bowl, {}, bounds=(-10, 10, -5, 5), levels=9).axes
    levels = axes.collections[0].levels
    x, y = np.meshgrid(np.linspace(-10, 10, 200), np.linspace(-5, 5, 200))
    np.testing.assert_allclose([(bowl(x, y) <= level).mean() for level in levels], np.arange(1, 10) / 10, atol=1e-3)
    (axes,) = paths(bowl, {}, bounds=(-10, 10, -5, 5), levels=[1, 2]).axes
    assert list(axes.collections[0].levels) == [1, 2]


def test_divergence_and_plateaus_can_be_shown(tmp_path):
    paths(bowl, {"too fast": [[1, 1], [np.inf, 1]]}, path=tmp_path / "a.png")
    paths(lambda x, y: 0 * x, {}, bounds=(0, 1, 0, 1), path=tmp_path / "b.png")


@pytest.mark.parametrize(
    "function, points, options, error, message",
    [
        (3, {}, {}, TypeError, "expected a function of two arrays"),
        (bowl, [[0, 0]], {}, TypeError, "expected points to be a dict"),
        (bowl, {"a": [0, 0]}, {}, ValueError, r"points\['a'\] of shape \(T, 2\), got shape \(2,\)"),
        (bowl, {}, {}, ValueError, "at least one finite point"),
        (bowl, {}, {"bounds": (1, 0, 0, 1)}, ValueError, "expected bounds"),
        (bowl, {"a": [[0, 0]]}, {"levels": "many"}, TypeError, "paths: levels must be an int, got 'many'"),
        (bowl, {"a": [[0, 0]]}, {"levels": 0}, ValueError, "paths: levels must be at least 1, got 0"),
        (lambda x, y: 0.0, {}, {"bounds": (0, 1, 0, 1)}, ValueError, r"from function, as its arguments, got \(\)"),
    ],
)
def test_wrong_paths(function, points, options, error, message):
    with pytest.raises(error, match=message):
        paths(function, points, **options)


X = np.array([[0, 0], [1, 2], [2, 0], [3, 2]], np.float32)


def test_regions_are_the_predictions(tmp_path):
    seen = []

    def right_half(points):
        seen.append(points)
        return (points[:, 0] > 1.5).astype(int)

    figure = decision_regions(right_half, X, [0, 0, 1, 1], path=tmp_path / "a.png")
    (axes,) = figure.axes
    assert seen[0].dtype == np.float32 and seen[0].shape == (200 * 200, 2)
    picture = axes.images[0].get_array()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 2
    assert (picture[:, 0] == picture[0, 0]).all() and (picture[:, -1] == picture[0, -1]).all()
    assert picture[0, 99].tolist() == picture[0, 0].tolist() != picture[0, 100].tolist()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["class 0", "class 1"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_regions_are_the_right_way_up():
    picture = decision_regions(lambda points: (points[:, 1] > 1).astype(int), X, [0, 1, 0, 1]).axes[0]
    assert picture.images[0].origin == "lower"
    low, high = picture.images[0].get_array()[[0, -1], 0]
    assert low[2] > low[0] and high[0] > high[2]  # class 0 is blue, class 1 red


def test_regions_of_a_network_and_of_scores():
    net = fnn.Sequential(fnn.Dense(2, 3, rng=0))
    one = decision_regions(net, X, [0, 1, 2, 2], class_names=["a", "b", "c"]).axes[0]
    two = decision_regions(lambda points: net.predict(points), X, [0, 1, 2, 2]).axes[0]
    np.testing.assert_array_equal(one.images[0].get_array(), two.images[0].get_array())
    assert [text.get_text() for text in one.get_legend().get_texts()] == ["a", "b", "c"]


def test_regions_of_yes_and_no():
    one = decision_regions(lambda points: points[:, 0] > 1.5, X, np.array([False, False, True, True])).axes[0]
    two = decision_regions(lambda points: (points[:, 0] > 1.5).astype(int), X, [0, 0, 1, 1]).axes[0]
    np.testing.assert_array_equal(one.images[0].get_array(), two.images[0].get_array())
    assert len(one.collections) == len(two.collections) == 2


def test_regions_need_a_name_for_each_class():
    with pytest.raises(ValueError, match="expected class_names with a name for class 1"):
        decision_regions(lambda points: (points[:, 0] > 1.5).astype(int), X, [0, 0, 1, 1], class_names=["a"])


@pytest.mark.parametrize(
    "predict, x, y, error, message",
    [
        (3, X, [0, 0, 1, 1], TypeError, "expected a network or a function"),
        (len, X[:, :1], [0, 0, 1, 1], ValueError, r"got x\.shape=\(4, 1\)"),
        (len, X, [0, 0, 1], ValueError, r"expected 4 classes, ints from 0, got y\.shape=\(3,\)"),
        (len, X, [0, 0, 0.5, 1], ValueError, r"y\.dtype=float64"),
        (len, X, [0, 0, 1, 1], ValueError, r"scores \(40000, K\) from predict, got \(\)"),
        (lambda p: p[:, :1], X, [0, 0, 1, 1], ValueError, r"got \(40000, 1\)"),
        (lambda p: 0.5 + 0 * p[:, 0], X, [0, 0, 1, 1], ValueError, r"got float32 from 0\.5 to 0\.5; of one score"),
        (lambda p: -np.ones(len(p), int), X, [0, 0, 1, 1], ValueError, "ints from 0 or bools, got int64 from -1 to -1"),
    ],
)
def test_wrong_regions(predict, x, y, error, message):
    with pytest.raises(error, match=message):
        decision_regions(predict, x, y)
