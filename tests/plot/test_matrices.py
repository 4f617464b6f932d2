"""fastnn.plot.confusion_matrix: figures, percentages, names."""

import numpy as np
import pytest

from fastnn.plot import confusion_matrix

MATRIX = np.array([[8, 2, 0], [1, 3, 4], [0, 0, 0]])


def figures(figure):
    texts = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    size = round(len(texts) ** 0.5)
    return [[texts[column, row] for column in range(size)] for row in range(size)]


def test_counts_stand_in_their_cells():
    figure = confusion_matrix(MATRIX)
    assert figures(figure) == [["8", "2", "0"], ["1", "3", "4"], ["0", "0", "0"]]
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "actual class")
    np.testing.assert_array_equal(axes.images[0].get_array(), MATRIX)


def test_rows_in_percent():
    figure = confusion_matrix(MATRIX, normalize=True)
    assert figures(figure) == [["80", "20", "0"], ["12", "38", "50"], ["0", "0", "0"]]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array().sum(axis=1), [100, 100, 0])


def test_names():
    axes = confusion_matrix(MATRIX, ["cat", "dog", "automobile"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog", "automobile"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "automobile"]


def test_figures_are_readable_on_dark_cells():
    inks = {text.get_text(): text.get_color() for text in confusion_matrix(MATRIX).axes[0].texts}
    assert inks["8"] == "white" and inks["1"] == "black"


def test_fractions_and_many_classes(tmp_path):
    assert figures(confusion_matrix([[0.25, 0.75], [1.0, 0.0]]))[0] == ["0.25", "0.75"]
    figure = confusion_matrix(np.eye(100), path=tmp_path / "a.png")
    assert len(figure.axes[0].texts) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_normalize_is_a_bool():
    with pytest.raises(TypeError, match="confusion_matrix: normalize must be True or False, got 'pred'"):
        confusion_matrix(MATRIX, normalize="pred")


@pytest.mark.parametrize(
    "matrix, labels, message",
    [
        (np.zeros((2, 3)), None, r"square matrix, got matrix\.shape=\(2, 3\)"),
        (np.zeros(4), None, "square matrix"),
        ([[1, -1], [0, 1]], None, "at least 0"),
        ([[1, np.nan], [0, 1]], None, "finite"),
        (np.eye(2), ["a"], "expected 2 labels, got 1"),
    ],
)
def test_wrong_arguments(matrix, labels, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(matrix, labels)
