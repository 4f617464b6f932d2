"""Confusion matrices as heat maps."""

import numpy as np

from ..layers.checks import as_bool
from .style import finish, new_figure

MOST_FIGURES = 40  # classes; with more, the cells are too small for figures


def confusion_matrix(matrix, labels=None, *, normalize=False, path=None):
    """How often each class (rows) has been taken for which (columns): a heat map with the figures in its cells.

    Parameters
    ----------
    matrix : (K, K) of numbers
        Samples of class i predicted as j, at least 0.
    labels : sequence of K, optional
        Names of the classes; their numbers by default.
    normalize : bool
        Show each row in percent of its sum: where the samples of a class go.
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `normalize` is no bool.
    ValueError
        If the matrix is not square, has negative or non-finite entries, or not one label for each class.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> figure = confusion_matrix([[48, 2], [5, 45]], labels=["cat", "dog"], normalize=True)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['96', '4', '10', '90']
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"confusion_matrix: expected a square matrix, got matrix.shape={matrix.shape}")
    if matrix.dtype.kind not in "buif" or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("confusion_matrix: expected finite numbers of at least 0 in matrix")
    classes = len(matrix)
    labels = range(classes) if labels is None else list(labels)
    if len(labels) != classes:
        raise ValueError(f"confusion_matrix: expected {classes} labels, got {len(labels)}")
    if as_bool(normalize, "confusion_matrix: normalize"):
        sums = matrix.sum(axis=1, keepdims=True)
        matrix = np.divide(100 * matrix, sums, out=np.zeros(matrix.shape), where=sums != 0)

    size = min(max(4.5, 1.5 + 0.5 * classes), 14)
    figure = new_figure(size + 1, size)
    axes = figure.subplots()
    high = matrix.max() or 1
    picture = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=high)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="percent of the class" if normalize else "samples")
    axes.set_title("confusion matrix")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("actual class")
    long = max(len(str(label)) for label in labels) > 3
    axes.set_xticks(range(classes), labels, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(range(classes), labels)
    if classes <= MOST_FIGURES:
        whole = normalize or np.equal(np.mod(matrix, 1), 0).all()
        for (row, column), value in np.ndenumerate(matrix):
            text = f"{value:.0f}" if whole else f"{value:.3g}"
            ink = "white" if value > high / 2 else "black"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=9 if classes <= 12 else 6)
    return finish(figure, path)
