"""The course of training runs."""

import math

import numpy as np

from ..history import History
from .grids import draw_sheet, grey_images
from .style import color, decorate, finish, new_figure

ROWS, COLUMNS = 4, 12
# Mistakes are rare and worth a look: up to this share of the grid is kept for them.
MISTAKES = 0.25


def training_figure(history, images, labels, predictions):
    """Loss and accuracy by epoch, above a grid of images with the classes predicted for them.

    Parameters
    ----------
    history : History
        Of `Trainer.fit`; columns that it lacks (no validation data, say) are left out.
    images : (N, 1, H, W) or (N, H, W)
        Grey images of any real dtype, larger is darker.
    labels, predictions : (N,) ints
        Classes as given and as predicted. Where they differ the image is framed and captioned in red.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If `images` is not a batch of grey images, or lengths differ.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> from fastnn.history import History
    >>> history = History([{"epoch": 1, "loss": 0.9, "accuracy": 0.7}, {"epoch": 2, "loss": 0.4, "accuracy": 0.9}])
    >>> figure = training_figure(history, np.zeros((3, 1, 28, 28)), np.array([1, 2, 3]), np.array([1, 2, 8]))
    >>> [axes.get_title() for axes in figure.axes]
    ['loss', 'accuracy', 'predictions on test images, the first mistakes among them in red']
    """
    figure = new_figure(11, 8)
    images, labels, predictions = grey_images("training_figure", images), np.asarray(labels), np.asarray(predictions)
    if not labels.shape == predictions.shape == (len(images),):
        raise ValueError(
            f"training_figure: expected {len(images)} labels and predictions, "
            f"got labels.shape={labels.shape}, predictions.shape={predictions.shape}"
        )

    axes = figure.subplot_mosaic([["loss", "accuracy"], ["digits", "digits"]], height_ratios=(2, 3))
    for name in ("loss", "accuracy"):
        _draw_runs(axes[name], {"": history}, name, "test")
    shown = _choose(labels, predictions, ROWS * COLUMNS)
    texts, wrong = [], labels[shown] != predictions[shown]
    for i, mistaken in zip(shown, wrong):
        texts.append(f"{predictions[i]}, is {labels[i]}" if mistaken else f"{predictions[i]}")
    axes["digits"].set_title("predictions on test images, the first mistakes among them in red")
    height = images.shape[1]
    draw_sheet(axes["digits"], images[shown], texts, wrong, COLUMNS, caption=max(height // 2, 8))
    return figure


def learning_curves(history, columns=None, path=None):
    """Figures by epoch, side by side; of several runs each in a colour of its own, validation in dashes.

    Parameters
    ----------
    history : History, or dict of label -> History or sequence of numbers
        One run or several. A sequence has one number per epoch (or per step, or whatever has been counted).
    columns : sequence of str, optional
        What to show, a panel each; "loss" also shows "val_loss". By default loss and accuracy, where runs have them.
        Of sequences only one panel can be shown, under this name; default "loss".
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `history` is something else.
    ValueError
        If there is no run, if no run has one of the `columns`, or a sequence is not one of numbers.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> from fastnn.history import History
    >>> history = History([{"epoch": 1, "loss": 0.9, "val_loss": 1.1}, {"epoch": 2, "loss": 0.4, "val_loss": 0.8}])
    >>> figure = learning_curves(history)
    >>> [(line.get_label(), line.get_linestyle()) for line in figure.axes[0].lines]
    [('training', '-'), ('validation', '--')]
    >>> figure = learning_curves({"SGD": [2.3, 1.1, 0.8], "Adam": [2.2, 0.7, 0.5]})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['SGD', 'Adam']
    """
    runs = _as_runs(history)
    columns = _as_columns(runs, columns)
    figure = new_figure(5.5 * len(columns), 4)
    for axes, name in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns):
        _draw_runs(axes, runs, name, "validation")
    return finish(figure, path)


def _as_runs(history):
    """Label -> History, or label -> array; one run has the label "" ."""
    runs = history if isinstance(history, dict) else {"": history}
    if not runs:
        raise ValueError("learning_curves: expected at least one run, got {}")
    found = {}
    for label, run in runs.items():
        where = "history" if label == "" else f"history[{label!r}]"
        if not isinstance(run, History):
            try:
                run = np.asarray(run, float)
            except (TypeError, ValueError):
                raise TypeError(f"learning_curves: expected {where} to be a History or numbers, got {run!r:.80}") from None
            if run.ndim != 1:
                raise ValueError(f"learning_curves: expected {where} to be one number per epoch, got shape {run.shape}")
        found[label] = run
    if len({isinstance(run, History) for run in found.values()}) > 1:
        raise TypeError("learning_curves: expected histories or sequences of numbers, got some of both")
    return found


def _as_columns(runs, columns):
    """The columns to show, of which each is in one of the runs."""
    columns = columns if columns is None else [columns] if isinstance(columns, str) else list(columns)
    histories = [run for run in runs.values() if isinstance(run, History)]
    if not histories:
        if columns is not None and len(columns) != 1:
            raise ValueError(f"learning_curves: expected one name in columns for sequences of numbers, got {columns}")
        return columns or ["loss"]
    present = {name for run in histories for name in run.columns}
    if columns is None:
        columns = [name for name in ("loss", "accuracy") if {name, f"val_{name}"} & present]
    missing = [name for name in columns if not {name, f"val_{name}"} & present]
    if missing or not columns:
        wanted = f"columns {missing}" if missing else "loss or accuracy"
        raise ValueError(f"learning_curves: no run has {wanted}, there are: {', '.join(sorted(present)) or 'none'}")
    return columns


def _draw_runs(axes, runs, name, validation):
    """One column of all runs by epoch: solid in training, dashed in validation."""
    for position, (label, run) in enumerate(runs.items()):
        if not isinstance(run, History):
            axes.plot(range(1, len(run) + 1), run, color=color(position), label=label or name)
            continue
        columns = ((name, "training", "-"), (f"val_{name}", validation, "--"))
        for column, part, line in columns if not name.startswith("val_") else ((name, validation, "--"),):
            if column in run:
                epochs = run["epoch"] if "epoch" in run else range(1, len(run) + 1)
                values = [math.nan if value is None else value for value in run[column]]
                text = f"{label}, {part}" if label else part
                axes.plot(epochs, values, line, marker=".", color=color(position), label=text)
    decorate(axes, name, "epoch")
    axes.locator_params(axis="x", integer=True)
    if axes.lines:
        axes.legend()


def _choose(labels, predictions, count):
    """Positions of at most `count` images, ascending: the first mistakes, the rest the first right ones."""
    wrong = np.flatnonzero(labels != predictions)
    right = np.flatnonzero(labels == predictions)
    # Where there are few right ones, mistakes take their places.
    wrong = wrong[: max(round(count * MISTAKES), count - len(right))]
    return np.sort(np.concatenate([wrong, right[: count - len(wrong)]]))
