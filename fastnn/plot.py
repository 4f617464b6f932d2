"""Pictures of a training run. Needs matplotlib (the extra ``plot``), which is imported on first use.

    training_figure(history, images, labels, predictions)      learning curves, and test images with their predictions
    plot_profile(profile, path=None)                           where the time of a training step goes
    save_figure(figure, path)                                  as a PNG, complete or not at all

Figures are made without pyplot: no display is needed and the backend that a user has chosen stays as it is.
"""

import numpy as np

from ._files import atomic_write

ROWS, COLUMNS = 4, 12
# Mistakes are rare and worth a look: up to this share of the grid is kept for them.
MISTAKES = 0.25
# Passes of a training step in the order of the legend.
PASSES = {
    "forward": "tab:blue",
    "loss": "tab:purple",
    "backward": "tab:red",
    "input gradient": "tab:orange",
    "weight gradient": "tab:green",
    "update": "tab:brown",
}


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
    require_matplotlib()
    from matplotlib.figure import Figure

    images, labels, predictions = np.asarray(images), np.asarray(labels), np.asarray(predictions)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3:
        raise ValueError(f"training_figure: expected images (N, 1, H, W) or (N, H, W), got images.shape={images.shape}")
    if not labels.shape == predictions.shape == (len(images),):
        raise ValueError(
            f"training_figure: expected {len(images)} labels and predictions, "
            f"got labels.shape={labels.shape}, predictions.shape={predictions.shape}"
        )

    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplot_mosaic([["loss", "accuracy"], ["digits", "digits"]], height_ratios=(2, 3))
    for name in ("loss", "accuracy"):
        _draw_curves(axes[name], history, name)
    shown = _choose(labels, predictions, ROWS * COLUMNS)
    _draw_grid(axes["digits"], images[shown], labels[shown], predictions[shown])
    return figure


def plot_profile(profile, path=None):
    """A bar for each step of a profile, as long as its time, in the colour of its pass; beside it how near the peak it is.

    Parameters
    ----------
    profile : Profile
        Of `network.profile`.
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `profile` is something else.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import fastnn as fnn
    >>> net = fnn.Sequential(fnn.Dense(64, 32, rng=0), fnn.ReLU(), fnn.Dense(32, 10, rng=1))
    >>> figure = plot_profile(net.profile(np.zeros((32, 64), np.float32), np.zeros(32, np.int64)))
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()][1:3]
    ['0 Dense + ReLU', '2 Dense']
    """
    if not hasattr(profile, "rows") or not hasattr(profile, "peak_gflops"):
        raise TypeError(f"plot_profile: expected profile to be what network.profile(x, y) gives, got {profile!r:.80}")
    require_matplotlib()
    from matplotlib.figure import Figure

    rows = [row for row in profile.rows if row["pass"] != "prepare"]
    names = [" + ".join([row["name"], *row["fused"]]) for row in rows]
    times = [row["seconds"] * 1e6 for row in rows]
    figure = Figure(figsize=(11, 1.6 + 0.22 * len(rows)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(rows)), times, color=[PASSES.get(row["pass"], "tab:gray") for row in rows])
    texts = [f"{row['percent']:.0f} %  {row['bound']}" if row["percent"] else row["bound"] for row in rows]
    axes.bar_label(bars, texts, padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.invert_yaxis()  # the first step on top
    axes.margins(x=0.15, y=0.01)
    axes.set_xlabel("microseconds, with percent of the machine's peak and what bounds it")
    axes.set_title(
        f"{profile.samples} samples, {profile.threads} thread{'s' if profile.threads > 1 else ''}: "
        f"{profile.seconds * 1e6:,.0f} us a step, {profile.gflops:,.0f} of {profile.peak_gflops:,.0f} GFLOP/s"
    )
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    present = [name for name in PASSES if any(row["pass"] == name for row in rows)]
    axes.legend([bars[next(i for i, row in enumerate(rows) if row["pass"] == name)] for name in present], present)
    if path is not None:
        save_figure(figure, path)
    return figure


def save_figure(figure, path):
    """Write `figure` to `path` as a PNG; the file appears complete or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or os.PathLike

    Raises
    ------
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
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)


def _draw_curves(axes, history, name):
    """One figure of the run by epoch: training and validation."""
    for column, label in ((name, "training"), (f"val_{name}", "test")):
        if column in history:
            axes.plot(history["epoch"], history[column], marker=".", label=label)
    axes.set_title(name)
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()


def _choose(labels, predictions, count):
    """Positions of at most `count` images, ascending: the first mistakes, the rest the first right ones."""
    wrong = np.flatnonzero(labels != predictions)
    right = np.flatnonzero(labels == predictions)
    # Where there are few right ones, mistakes take their places.
    wrong = wrong[: max(round(count * MISTAKES), count - len(right))]
    return np.sort(np.concatenate([wrong, right[: count - len(wrong)]]))


def _draw_grid(axes, images, labels, predictions):
    """All images in one picture, each with its prediction above it (a picture of its own for each takes seconds)."""
    from matplotlib.patches import Rectangle

    height, width = images.shape[1:]
    caption = max(height // 2, 8)  # rows of paper above each image
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * (height + caption) + 1, COLUMNS * width))  # + 1: room for the last frame
    for position, (image, label, prediction) in enumerate(zip(images, labels, predictions)):
        top, left = position // COLUMNS * (height + caption) + caption, position % COLUMNS * width
        sheet[top : top + height, left : left + width] = image
        right = label == prediction
        text = f"{prediction}" if right else f"{prediction}, is {label}"
        color = "black" if right else "red"
        axes.text(left + width / 2, top - 2, text, ha="center", va="bottom", color=color, fontsize=9)
        if not right:
            axes.add_patch(Rectangle((left, top), width - 1, height - 1, fill=False, edgecolor=color, linewidth=1.5))
    axes.set_title("predictions on test images, the first mistakes among them in red")
    axes.set_axis_off()
    if len(images):
        axes.imshow(sheet, cmap="gray_r", interpolation="nearest")
