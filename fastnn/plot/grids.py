"""Images and filters in rows and columns. All are one picture: a picture of its own for each takes seconds."""

import numpy as np

from ..layers.checks import as_int
from .style import WRONG, finish, new_figure

WIDEST = 12  # inches
MOST_IMAGES = 1000


def images(images, labels=None, predictions=None, *, columns=None, class_names=None, probabilities=None, path=None):
    """A grid of images, each under its class; where labels and predictions differ, both are given, in red.

    Parameters
    ----------
    images : (N, 1, H, W), (N, H, W), (N, 3, H, W) or (N, H, W, 3)
        Grey, larger is darker, or red, green and blue. Of any real dtype: uint8 as it is, floats in 0..1 too; others are
        shown from their least value to their greatest.
    labels : (N,), optional
        Classes as given.
    predictions : (N,), optional
        Classes as predicted; by default the most probable ones, if there are `probabilities` of all classes.
    columns : int, optional
        Images in a row; by default what fits.
    class_names : sequence of str, optional
        The name of class 0, 1, ...
    probabilities : (N,) or (N, classes), optional
        Of the predicted class, or of all classes (of `Softmax`, say): given in percent.
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If shapes do not fit, there are more than 1000 images, or a class has no name.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> figure = images(np.zeros((3, 1, 8, 8)), labels=[0, 1, 2], predictions=[0, 1, 1], class_names=["cat", "dog", "bird"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['cat', 'dog', 'dog, is bird']
    """
    where = "images"
    images = _grey_or_colour(where, images)
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{where}: expected at most {MOST_IMAGES} images, got {len(images)}; take some: images[:48]")
    texts, wrong = _captions(where, len(images), labels, predictions, class_names, probabilities)
    lines = max((text.count("\n") + 1 for text in texts if text), default=0)
    longest = max((len(line) for text in texts for line in text.split("\n")), default=0)

    height, width = images.shape[1:3]
    cell = max(0.9, 0.085 * longest + 0.1)  # inches: a letter of 9 points is as wide as that at most
    columns = max(1, min(len(images), int(WIDEST / cell))) if columns is None else as_int(columns, f"{where}: columns", 1)
    caption = int(np.ceil(width / cell * (0.17 * lines + 0.08))) if lines else 0
    gap = max(1, round(0.06 * width / cell))
    rows = -(-len(images) // columns)
    figure = new_figure(columns * cell * (width + gap) / width, max(0.5, rows * (height + caption + gap) * cell / width))
    draw_sheet(figure.subplots(), images, texts, wrong, columns, caption, gap)
    return finish(figure, path)


def filters(weight, path=None, columns=None):
    """Filters of a convolution on one scale, the same for positive and negative weights; one set, or before and after.

    Parameters
    ----------
    weight : (F, C, KH, KW), or dict of label -> (F, C, KH, KW)
        As in ``conv.params["weight"]``. Filters of one channel are shown as planes, blue is positive, red negative; of
        three channels as colour images, in which 0 is mid-grey; of others all planes, a filter in each row.
    path : str or os.PathLike, optional
        Where to write it as a PNG.
    columns : int, optional
        Planes, or colour images, in a row.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no weight, or one has not four axes.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Notes
    -----
    Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014): what first layers learn.

    Examples
    --------
    >>> import fastnn as fnn
    >>> conv = fnn.Conv2d(1, 8, 5, rng=0)
    >>> figure = filters({"before": conv.params["weight"], "after": 2 * conv.params["weight"]})
    >>> [axes.get_title() for axes in figure.axes][:2]
    ['before', 'after']
    """
    weights = weight if isinstance(weight, dict) else {"": weight}
    weights = {label: np.asarray(weight) for label, weight in weights.items()}
    if not weights:
        raise ValueError("filters: expected at least one weight, got {}")
    for label, weight in weights.items():
        if weight.ndim != 4 or not weight.size:
            name = f"weight[{label!r}]" if label else "weight"
            raise ValueError(f"filters: expected {name} of shape (F, C, KH, KW), got shape {weight.shape}")
    figure = new_figure(min(WIDEST, 5 * len(weights) + 1), 4.5)
    finite = np.concatenate([np.abs(weight[np.isfinite(weight)]).ravel() for weight in weights.values()])
    scale = float(finite.max(initial=0)) or 1.0
    panels = figure.subplots(1, len(weights), squeeze=False)[0]
    shown = []
    for axes, (label, weight) in zip(panels, weights.items()):
        filters_, channels, height, width = weight.shape
        if channels == 3:
            planes = 0.5 + weight.transpose(0, 2, 3, 1) / (2 * scale)
        else:
            planes = weight.reshape(filters_ * channels, height, width)
        default = int(np.ceil(np.sqrt(filters_))) if channels in (1, 3) else channels
        across = default if columns is None else as_int(columns, "filters: columns", 1)
        picture = draw_sheet(axes, planes, [], [], across, 0, 1, cmap="RdBu", limits=(-scale, scale))
        axes.set_title(label)
        if channels != 3:
            shown.append(picture)
    if shown:
        figure.colorbar(shown[0], ax=list(panels), shrink=0.8, label="weight")
    return finish(figure, path)


def grey_images(where, images):
    """(N, H, W) from grey images with or without their axis of one channel."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3:
        raise ValueError(f"{where}: expected images (N, 1, H, W) or (N, H, W), got images.shape={images.shape}")
    return images


def _grey_or_colour(where, images):
    """(N, H, W), or (N, H, W, 3) in 0..1."""
    images = np.asarray(images)
    if images.dtype.kind not in "buif":
        raise TypeError(f"{where}: expected images of numbers, got images.dtype={images.dtype}")
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim == 4 and images.shape[1] == 3:
        images = images.transpose(0, 2, 3, 1)
    if (images.ndim != 3 and not (images.ndim == 4 and images.shape[3] == 3)) or 0 in images.shape[1:]:
        raise ValueError(
            f"{where}: expected images (N, 1, H, W), (N, H, W), (N, 3, H, W) or (N, H, W, 3), got images.shape={images.shape}"
        )
    if images.ndim == 3:
        return images
    if images.dtype == np.uint8:
        return images / 255
    low, high = _limits(images)
    return images if low >= 0 and high <= 1 else (images - low) / ((high - low) or 1)


def _limits(values):
    """The least and greatest of the finite values."""
    finite = values[np.isfinite(values)]
    return (finite.min(), finite.max()) if finite.size else (0, 0)


def _captions(where, count, labels, predictions, class_names, probabilities):
    """The text above each image, and whether it is a mistake."""
    if probabilities is not None:
        probabilities = np.asarray(probabilities)
        if probabilities.ndim not in (1, 2) or len(probabilities) != count:
            raise ValueError(
                f"{where}: expected probabilities ({count},) or ({count}, classes), got shape {probabilities.shape}"
            )
        if predictions is None and probabilities.ndim == 2:
            predictions = probabilities.argmax(axis=1)
        if predictions is None:
            raise ValueError(f"{where}: expected predictions with one probability for each image")
    labels = _classes(where, "labels", labels, count)
    predictions = _classes(where, "predictions", predictions, count)
    if probabilities is not None and probabilities.ndim == 2:
        known = predictions.dtype.kind in "iu" and np.isin(predictions, np.arange(probabilities.shape[1])).all()
        if not known:
            raise ValueError(f"{where}: expected predictions to be columns of probabilities, of shape {probabilities.shape}")
        probabilities = probabilities[np.arange(count), predictions]

    def name(value):
        if class_names is None:
            return str(value)
        try:
            return str(class_names[value])
        except (IndexError, KeyError, TypeError):
            raise ValueError(f"{where}: expected class_names with a name for class {value!s}") from None

    texts, wrong = [], np.zeros(count, bool)
    if labels is not None and predictions is not None:
        wrong = labels != predictions
    for i in range(count):
        text = "" if labels is None and predictions is None else name((labels if predictions is None else predictions)[i])
        if probabilities is not None:
            text += f" {probabilities[i]:.0%}"
        if wrong[i]:
            # Short ones fit on one line.
            actual = f"is {name(labels[i])}"
            text += f", {actual}" if len(text) + len(actual) <= 12 else f",\n{actual}"
        texts.append(text)
    return texts, wrong


def _classes(where, what, classes, count):
    if classes is None:
        return None
    classes = np.asarray(classes)
    if classes.shape != (count,):
        raise ValueError(f"{where}: expected {what} of shape ({count},), got {what}.shape={classes.shape}")
    return classes


def draw_sheet(axes, images, texts, wrong, columns, caption, gap=0, *, cmap="gray_r", limits=None):
    """All images in one picture, each with its text above it, on transparent paper; returns matplotlib's image or None.

    `images` are (N, H, W), or (N, H, W, 3) in 0..1; `caption` is the number of rows of paper above each.
    """
    axes.set_axis_off()
    if not len(images):
        return None
    from matplotlib.patches import Rectangle

    height, width = images.shape[1:3]
    rows = -(-len(images) // columns)
    down, across = height + caption + gap, width + gap
    sheet = np.full((rows * down + 1, columns * across, *images.shape[3:]), np.nan)  # + 1: room for the last frame
    for position, image in enumerate(images):
        top, left = position // columns * down + caption, position % columns * across
        sheet[top : top + height, left : left + width] = image
        color = WRONG if len(wrong) and wrong[position] else "black"
        if len(texts) and texts[position]:
            text = texts[position]
            axes.text(left + width / 2, top - 2, text, ha="center", va="bottom", color=color, fontsize=9)
        if color == WRONG:
            axes.add_patch(Rectangle((left, top), width - 1, height - 1, fill=False, edgecolor=color, linewidth=1.5))
    if sheet.ndim == 2:
        low, high = _limits(images) if limits is None else limits
        return axes.imshow(sheet, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    return axes.imshow(_with_paper(sheet), interpolation="nearest")


def _with_paper(sheet):
    """Red, green, blue and opacity, 0 where there is paper."""
    opacity = np.isfinite(sheet).all(axis=-1, keepdims=True)
    return np.concatenate([np.where(opacity, np.clip(sheet, 0, 1), 0), opacity], axis=-1)
