"""fastnn.plot.learning_curves: which lines, in which panel, colour and style."""

import numpy as np
import pytest

from fastnn.history import History
from fastnn.plot import learning_curves
from fastnn.plot.style import PALETTE

RUN = History(
    [
        {"epoch": 1, "loss": 0.9, "accuracy": 0.7, "val_loss": 0.8, "val_accuracy": 0.75},
        {"epoch": 2, "loss": 0.4, "accuracy": 0.9, "val_loss": 0.5, "val_accuracy": 0.85},
    ]
)


def lines(axes):
    return {line.get_label(): (line.get_color(), line.get_linestyle(), list(line.get_ydata())) for line in axes.lines}


def test_one_run():
    loss, accuracy = learning_curves(RUN).axes
    assert (loss.get_title(), accuracy.get_title(), loss.get_xlabel()) == ("loss", "accuracy", "epoch")
    assert lines(loss) == {"training": (PALETTE[0], "-", [0.9, 0.4]), "validation": (PALETTE[0], "--", [0.8, 0.5])}
    assert lines(accuracy) == {"training": (PALETTE[0], "-", [0.7, 0.9]), "validation": (PALETTE[0], "--", [0.75, 0.85])}


def test_several_runs_have_a_colour_each():
    other = History([{"epoch": 1, "loss": 2.0, "val_loss": 3.0}])
    loss, accuracy = learning_curves({"SGD": RUN, "Adam": other}).axes
    assert lines(loss)["SGD, training"][:2] == (PALETTE[0], "-")
    assert lines(loss)["SGD, validation"][:2] == (PALETTE[0], "--")
    assert lines(loss)["Adam, training"] == (PALETTE[1], "-", [2.0])
    assert lines(loss)["Adam, validation"] == (PALETTE[1], "--", [3.0])
    assert set(lines(accuracy)) == {"SGD, training", "SGD, validation"}


def test_more_runs_than_colours():
    figure = learning_curves({str(i): [1.0, i] for i in range(len(PALETTE) + 1)})
    assert len(figure.axes[0].lines) == len(PALETTE) + 1


def test_columns():
    (axes,) = learning_curves(RUN, columns=["accuracy"]).axes
    assert axes.get_title() == "accuracy"
    (axes,) = learning_curves(RUN, columns="val_loss").axes
    assert lines(axes) == {"validation": (PALETTE[0], "--", [0.8, 0.5])}
    (axes,) = learning_curves(History([{"epoch": 1, "loss": 1.0}])).axes
    assert axes.get_title() == "loss"


def test_sequences():
    (axes,) = learning_curves({"He": [3, 2, 1], "Xavier": np.array([3.0, 2.5])}, columns=["steps"]).axes
    assert axes.get_title() == "steps"
    assert {name: values for name, (_, _, values) in lines(axes).items()} == {"He": [3, 2, 1], "Xavier": [3.0, 2.5]}
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
    (axes,) = learning_curves([3, 2, 1]).axes
    assert list(lines(axes)) == ["loss"]


def test_epochs_without_a_figure_are_gaps():
    run = History([{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5, "val_loss": 0.7}])
    assert np.isnan(lines(learning_curves(run).axes[0])["validation"][2][0])


def test_interrupted_runs_keep_their_epoch_numbers():
    run = History([{"epoch": 5, "loss": 1.0}, {"epoch": 6, "loss": 0.5}])
    assert list(learning_curves(run).axes[0].lines[0].get_xdata()) == [5, 6]


@pytest.mark.parametrize(
    "history, columns, error, message",
    [
        ({}, None, ValueError, "at least one run"),
        ("best", None, TypeError, "expected history to be a History or numbers"),
        ({"a": RUN, "b": [1, 2]}, None, TypeError, "some of both"),
        ({"b": [[1, 2]]}, None, ValueError, r"history\['b'\] to be one number per epoch, got shape \(1, 2\)"),
        ({"b": [1, 2]}, ["loss", "accuracy"], ValueError, "one name in columns"),
        (RUN, ["loss", "speed"], ValueError, r"no run has columns \['speed'\], there are: accuracy"),
        (History([]), None, ValueError, "no run has loss or accuracy, there are: none"),
    ],
)
def test_wrong_arguments(history, columns, error, message):
    with pytest.raises(error, match=message):
        learning_curves(history, columns)
