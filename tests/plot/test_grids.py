"""fastnn.plot.images and filters: pixels, captions, colours, scales."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fastnn.plot import filters, images

RED, BLACK = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)
NAMES = ["cat", "dog", "bird"]


def captions(figure):
    return [(text.get_text(), to_rgb(text.get_color())) for text in figure.axes[0].texts]


def sheet(figure):
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


def test_grey_images_lie_in_rows(rng):
    x = rng.random((5, 1, 4, 6))
    found = sheet(images(x, columns=3))
    for i, (top, left) in enumerate([(0, 0), (0, 7), (0, 14), (5, 0), (5, 7)]):
        np.testing.assert_array_equal(found[top : top + 4, left : left + 6], x[i, 0])
    assert np.isnan(found[:, 6]).all() and np.isnan(found[5:9, 14:]).all()  # paper


def test_grey_scale_is_common_and_larger_is_darker(rng):
    x = rng.normal(size=(4, 3, 7))
    picture = images(x).axes[0].images[0]
    assert picture.get_clim() == (x.min(), x.max())
    assert picture.cmap.name == "gray_r"


@pytest.mark.parametrize("last", [False, True], ids=["N3HW", "NHW3"])
@pytest.mark.parametrize("kind", ["uint8", "floats", "normalized"])
def test_colour_images(rng, last, kind):
    x = rng.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    expected = x / 255
    if kind == "floats":
        x = expected.astype(np.float32)
    if kind == "normalized":
        x = rng.normal(size=x.shape)
        expected = (x - x.min()) / (x.max() - x.min())
    found = sheet(images(x.transpose(0, 2, 3, 1) if last else x, columns=2))
    assert found.shape[2] == 4
    np.testing.assert_allclose(found[:4, 6:11, :3], expected[1].transpose(1, 2, 0), rtol=1e-6)
    assert (found[:4, 6:11, 3] == 1).all() and (found[:, 5, 3] == 0).all()


def test_captions():
    x = np.zeros((3, 8, 8))
    assert captions(images(x)) == []
    assert captions(images(x, [0, 1, 2])) == [("0", BLACK), ("1", BLACK), ("2", BLACK)]
    assert captions(images(x, predictions=[0, 1, 1], class_names=NAMES))[2] == ("dog", BLACK)
    figure = images(x, [0, 1, 2], [0, 1, 1], class_names=NAMES)
    assert captions(figure) == [("cat", BLACK), ("dog", BLACK), ("dog, is bird", RED)]
    assert len(figure.axes[0].patches) == 1


def test_probabilities():
    x = np.zeros((2, 8, 8))
    assert captions(images(x, [0, 1], [0, 1], probabilities=[0.9, 0.51]))[0] == ("0 90%", BLACK)
    table = np.array([[0.2, 0.7, 0.1], [0.25, 0.25, 0.5]])
    assert captions(images(x, [1, 1], probabilities=table, class_names=NAMES)) == [
        ("dog 70%", BLACK),
        ("bird 50%,\nis dog", RED),
    ]
    assert captions(images(x, predictions=[0, 0], probabilities=table))[1] == ("0 25%", BLACK)


def test_no_images(tmp_path):
    images(np.zeros((0, 1, 8, 8)), [], [], path=tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ([np.zeros((2, 4, 8, 8))], {}, r"got images\.shape=\(2, 4, 8, 8\)"),
        ([np.zeros((8, 8))], {}, r"got images\.shape=\(8, 8\)"),
        ([np.zeros((1001, 2, 2))], {}, "at most 1000 images, got 1001"),
        ([np.zeros((3, 8, 8)), [1, 2]], {}, r"expected labels of shape \(3,\), got labels\.shape=\(2,\)"),
        ([np.zeros((3, 8, 8)), [0, 1, 2], [0]], {}, "expected predictions of shape"),
        ([np.zeros((3, 8, 8)), [0, 1, 3]], {"class_names": NAMES}, "a name for class 3"),
        ([np.zeros((3, 8, 8))], {"probabilities": [0.5, 0.5]}, r"probabilities \(3,\) or \(3, classes\)"),
        ([np.zeros((3, 8, 8))], {"probabilities": [0.5, 0.5, 0.5]}, "expected predictions with"),
        ([np.zeros((1, 8, 8)), None, [2]], {"probabilities": [[0.5, 0.5]]}, "columns of probabilities"),
        ([np.zeros((3, 8, 8))], {"columns": 0}, "columns must be at least 1"),
    ],
)
def test_wrong_images(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        images(*arguments, **options)


def test_images_of_something_else():
    with pytest.raises(TypeError, match=r"got images\.dtype=<U1"):
        images(np.full((1, 2, 2), "a"))


def test_filters_of_one_channel(rng):
    weight = rng.normal(size=(5, 1, 3, 2))
    figure = filters(weight, columns=2)
    found = sheet(figure)
    np.testing.assert_array_equal(found[4:7, 3:5], weight[3, 0])
    scale = np.abs(weight).max()
    assert figure.axes[0].images[0].get_clim() == (-scale, scale)


def test_filters_of_several_channels_are_rows(rng):
    weight = rng.normal(size=(3, 4, 2, 2))
    found = sheet(filters(weight))
    assert found.shape == (3 * 3 + 1, 4 * 3)
    np.testing.assert_array_equal(found[6:8, 3:5], weight[2, 1])


def test_filters_of_colours(rng):
    weight = rng.normal(size=(4, 3, 5, 5))
    found = sheet(filters(weight))
    expected = 0.5 + weight[1].transpose(1, 2, 0) / (2 * np.abs(weight).max())
    np.testing.assert_allclose(found[:5, 6:11, :3], expected)


def test_filters_before_and_after_share_a_scale(rng):
    before = rng.normal(size=(4, 1, 3, 3))
    figure = filters({"before": before, "after": -3 * before})
    one, two = figure.axes[:2]
    assert (one.get_title(), two.get_title()) == ("before", "after")
    assert one.images[0].get_clim() == two.images[0].get_clim() == (-3 * np.abs(before).max(), 3 * np.abs(before).max())


def test_filters_of_zeros_and_nan(tmp_path):
    filters(np.zeros((2, 1, 3, 3)), tmp_path / "a.png")
    filters(np.full((2, 3, 3, 3), np.nan), tmp_path / "b.png")


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.zeros((4, 3, 3)), r"expected weight of shape \(F, C, KH, KW\), got shape \(4, 3, 3\)"),
        ({"after": np.zeros(4)}, r"weight\['after'\] of shape"),
        ({}, "at least one weight"),
        (np.zeros((0, 1, 3, 3)), "got shape"),
    ],
)
def test_wrong_filters(weight, message):
    with pytest.raises(ValueError, match=message):
        filters(weight)
