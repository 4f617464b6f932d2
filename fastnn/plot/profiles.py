"""Where the time of a training step goes, as a bar chart."""

from .style import finish, new_figure

# Passes of a training step in the order of the legend.
PASSES = {
    "forward": "tab:blue",
    "loss": "tab:purple",
    "backward": "tab:red",
    "input gradient": "tab:orange",
    "weight gradient": "tab:green",
    "update": "tab:brown",
}


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
    >>> import numpy as np, fastnn as fnn
    >>> net = fnn.Sequential(fnn.Dense(64, 32, rng=0), fnn.ReLU(), fnn.Dense(32, 10, rng=1))
    >>> figure = plot_profile(net.profile(np.zeros((32, 64), np.float32), np.zeros(32, np.int64)))
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()][1:3]
    ['0 Dense + ReLU', '2 Dense']
    """
    if not hasattr(profile, "rows") or not hasattr(profile, "peak_gflops"):
        raise TypeError(f"plot_profile: expected profile to be what network.profile(x, y) gives, got {profile!r:.80}")
    rows = [row for row in profile.rows if row["pass"] != "prepare"]
    names = [" + ".join([row["name"], *row["fused"]]) for row in rows]
    times = [row["seconds"] * 1e6 for row in rows]
    figure = new_figure(11, 1.6 + 0.22 * len(rows))
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
    return finish(figure, path)
