"""What all pictures share: how figures are made and written, colours, grid lines."""

import os

from .._files import atomic_write

# Okabe and Ito's colours, which stay apart for colour-blind eyes, without the yellow that white paper swallows.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WRONG = "red"


def require_matplotlib():
    """Raise ImportError, with the way to mend it, where matplotlib is missing.

    Examples
    --------
    >>> require_matplotlib()
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "fastnn-numba[plot]"') from error


def new_figure(width, height):
    """An empty figure of so many inches; its parts make room for each other."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def decorate(axes, title=None, xlabel=None, ylabel=None):
    """Titles, and a light grid behind the data."""
    axes.set_title(title or "")
    axes.set_xlabel(xlabel or "")
    axes.set_ylabel(ylabel or "")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)


def color(position):
    """The colour of the line, or class, number `position`; the palette starts again when it is used up."""
    return PALETTE[position % len(PALETTE)]


def finish(figure, path):
    """The figure itself, written as a PNG first where there is a path."""
    if path is not None:
        save_figure(figure, path)
    return figure


def save_figure(figure, path):
    """Write `figure` to `path` as a PNG; the file appears complete or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or os.PathLike
        A name that ends in .pdf, .svg or another format of matplotlib's gives such a file instead.

    Raises
    ------
    TypeError
        If `figure` is no figure.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from matplotlib.figure import Figure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(Figure(), pathlib.Path(folder, "empty.png"))
    ...     pathlib.Path(folder, "empty.png").read_bytes()[:4]
    b'\\x89PNG'
    """
    if not hasattr(figure, "savefig"):
        raise TypeError(f"save_figure: expected a matplotlib figure, got {figure!r:.80}")
    ending = os.path.splitext(os.fspath(path))[1][1:].lower()
    known = ending in figure.canvas.get_supported_filetypes()
    with atomic_write(path) as file:
        figure.savefig(file, format=ending if known else "png", dpi=120)
