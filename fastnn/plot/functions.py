"""Functions of one and two variables, and the regions of a classifier."""

import numpy as np

from ..layers.checks import as_int
from .style import color, decorate, finish, new_figure


def curves(x, ys, *, title=None, xlabel="x", ylabel="y", path=None):
    """Functions over a common x, each a line: an activation and its derivative, say.

    Parameters
    ----------
    x : (N,) of numbers
    ys : dict of label -> (N,) of numbers, or function
        Values at x; or a function, which is called with x.
    title, xlabel, ylabel : str, optional
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `ys` is no dict.
    ValueError
        If there is no function, x has not one axis, or values are not as many as x.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> x = np.linspace(-4, 4, 101)
    >>> figure = curves(x, {"tanh": np.tanh, "its derivative": 1 - np.tanh(x) ** 2}, title="hyperbolic tangent")
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['tanh', 'its derivative']
    """
    if not isinstance(ys, dict):
        raise TypeError(f"curves: expected ys to be a dict of label -> values, got {ys!r:.80}")
    if not ys:
        raise ValueError("curves: expected at least one function, got {}")
    x = np.asarray(x)
    if x.ndim != 1:
        raise ValueError(f"curves: expected x of one axis, got x.shape={x.shape}")
    found = {label: np.asarray(y(x) if callable(y) else y) for label, y in ys.items()}
    for label, y in found.items():
        if y.shape != x.shape:
            raise ValueError(f"curves: expected {len(x)} values of {label!r}, as many as x, got shape {y.shape}")
    figure = new_figure(6.5, 4.2)
    axes = figure.subplots()
    for position, (label, y) in enumerate(found.items()):
        axes.plot(x, y, color=color(position), label=label)
    decorate(axes, title, xlabel, ylabel)
    axes.legend()
    return finish(figure, path)


def paths(function, points, *, bounds=None, levels=20, title=None, path=None):
    """The ways of descents over the contours of a function of two variables.

    Parameters
    ----------
    function : callable
        ``function(x, y)`` of two arrays of one shape, element by element.
    points : dict of label -> (T, 2) of numbers
        The positions of each descent in order: where it starts (a circle), to where it ends (a cross).
    bounds : (left, right, bottom, top), optional
        What is shown; by default all points, with some room around them.
    levels : int or sequence of numbers
        Contours: so many, each with as much of the picture between it and the next; or those of these values.
    title : str, optional
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `points` is no dict, `function` cannot be called, or `levels` is no number.
    ValueError
        If points have not two coordinates, the function's values not the shape of its arguments, or bounds are empty.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> def valley(x, y):
    ...     return x**2 / 20 + y**2
    >>> steps = np.arange(10)[:, None]
    >>> figure = paths(valley, {"SGD": [-7, 2] * np.array([0.9, -0.8]) ** steps}, bounds=(-8, 8, -3, 3))
    >>> figure.axes[0].lines[0].get_label()
    'SGD'
    """
    if not callable(function):
        raise TypeError(f"paths: expected a function of two arrays, got {function!r:.80}")
    if not isinstance(points, dict):
        raise TypeError(f"paths: expected points to be a dict of label -> (T, 2), got {points!r:.80}")
    points = {label: np.asarray(places, float) for label, places in points.items()}
    for label, places in points.items():
        if places.ndim != 2 or places.shape[1] != 2 or not len(places):
            raise ValueError(f"paths: expected points[{label!r}] of shape (T, 2), got shape {places.shape}")
    if bounds is None:
        bounds = _bounds(np.concatenate([np.zeros((0, 2)), *points.values()]), "paths")
    x, y = _mesh(bounds, 200, "paths")
    z = np.asarray(function(x, y))
    if z.shape != x.shape:
        raise ValueError(f"paths: expected values of shape {x.shape} from function, as its arguments, got {z.shape}")
    if np.ndim(levels) == 0:
        levels = as_int(levels, "paths: levels", 1)
        # Equal shares of the picture between contours, not of the height: flat valleys have theirs too.
        finite = z[np.isfinite(z)]
        levels = np.unique(np.quantile(finite, np.linspace(0, 1, levels + 2)[1:-1])) if finite.size else []

    figure = new_figure(6.5, 5)
    axes = figure.subplots()
    if len(levels):
        axes.contour(x, y, z, levels=levels, cmap="Greys_r", linewidths=0.8, alpha=0.7)
    for position, (label, places) in enumerate(points.items()):
        ink = color(position)
        axes.plot(*places.T, color=ink, marker=".", markersize=4, linewidth=1.2, label=label)
        axes.plot(*places[0], color=ink, marker="o", markersize=7, markerfacecolor="none")
        axes.plot(*places[-1], color=ink, marker="X", markersize=8)
    decorate(axes, title, "x", "y")
    axes.set_xlim(*bounds[:2])
    axes.set_ylim(*bounds[2:])
    if points:
        axes.legend()
    return finish(figure, path)


def decision_regions(predict, x, y, *, class_names=None, title=None, path=None):
    """Which class is predicted where, for samples of two features; over it the samples in the colours of their classes.

    Parameters
    ----------
    predict : Network or callable
        ``predict(points)`` of (M, 2) gives classes (M,), ints or bools, or scores (M, K), of which the greatest counts.
    x : (N, 2) of floats
        Samples. `predict` gets points of their dtype.
    y : (N,) of ints or bools
        Their classes, 0 to K - 1.
    class_names : sequence of str, optional
    title : str, optional
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If `predict` can predict nothing.
    ValueError
        If shapes do not fit, y or what `predict` gives is no array of classes, or a class has no name.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> x = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], np.float32)
    >>> figure = decision_regions(lambda points: (points[:, 0] > points[:, 1]).astype(int), x, [0, 0, 0, 1])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['class 0', 'class 1']
    """
    predict = getattr(predict, "predict", predict)
    if not callable(predict):
        raise TypeError(f"decision_regions: expected a network or a function of points, got {predict!r:.80}")
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"decision_regions: expected x of shape (N, 2), got x.shape={x.shape}")
    if y.shape != (len(x),) or not _are_classes(y):
        raise ValueError(f"decision_regions: expected {len(x)} classes, ints from 0, got y.shape={y.shape}, y.dtype={y.dtype}")
    bounds = _bounds(x, "decision_regions")
    across, down = _mesh(bounds, 200, "decision_regions")
    points = np.stack([across.ravel(), down.ravel()], axis=1)
    found = np.asarray(predict(points.astype(x.dtype if x.dtype.kind == "f" else np.float32)))
    if found.ndim == 2 and found.shape[1] > 1:
        found = found.argmax(axis=1)
    if found.shape != (len(points),):
        raise ValueError(
            f"decision_regions: expected classes ({len(points)},) or scores ({len(points)}, K) from predict, got {found.shape}"
        )
    if not _are_classes(found):
        raise ValueError(
            f"decision_regions: expected classes from predict, ints from 0 or bools, got {found.dtype} from {found.min()} to "
            f"{found.max()}; of one score for each point take predict(points) > 0.5"
        )

    figure = new_figure(6, 5)
    axes = figure.subplots()
    from matplotlib.colors import to_rgb

    found, y = found.astype(int), y.astype(int)
    classes = np.union1d(y, found)
    most = classes.max()
    if class_names is not None and len(class_names) <= most:
        raise ValueError(f"decision_regions: expected class_names with a name for class {most}, got {class_names!r:.80}")
    inks = np.array([to_rgb(color(c)) for c in range(most + 1)])
    regions = 1 - 0.3 * (1 - inks[found])  # the colour of the class, paler
    axes.imshow(regions.reshape(*across.shape, 3), extent=bounds, origin="lower", aspect="auto", interpolation="nearest")
    for c in classes:
        name = f"class {c}" if class_names is None else str(class_names[c])
        axes.scatter(*x[y == c].T, s=18, color=[inks[c]], edgecolors="white", linewidths=0.5, label=name)
    decorate(axes, title, "feature 0", "feature 1")
    axes.legend()
    return finish(figure, path)


def _are_classes(y):
    """Whether an array holds classes: bools, or ints from 0."""
    return y.dtype.kind == "b" or (y.dtype.kind in "iu" and (y.size == 0 or y.min() >= 0))


def _bounds(points, where):
    """(left, right, bottom, top) around all finite points, with a tenth of room."""
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError(f"{where}: expected at least one finite point")
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    room = np.where(high > low, 0.1 * (high - low), 1.0)
    return tuple(float(value) for pair in zip(low - room, high + room) for value in pair)


def _mesh(bounds, count, where):
    """Two (count, count) arrays of the coordinates of a grid."""
    bounds = np.asarray(bounds, float)
    if bounds.shape != (4,) or not (bounds[0] < bounds[1] and bounds[2] < bounds[3]):
        raise ValueError(f"{where}: expected bounds (left, right, bottom, top), got {tuple(bounds.tolist())}")
    return np.meshgrid(np.linspace(*bounds[:2], count), np.linspace(*bounds[2:], count))
