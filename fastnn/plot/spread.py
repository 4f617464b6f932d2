"""How the values that layers compute are spread: vanishing, saturating and dead activations show here."""

import math

import numpy as np

from ..layers.base import Layer
from ..layers.containers import Sequential
from .style import color, decorate, finish, new_figure

PANELS = 5  # in a row


def activations(network, x):
    """What each layer makes of x, in prediction: layer by layer, not as a compiled plan.

    Parameters
    ----------
    network : Layer
    x : (N, ...) of the network's dtype, or uint8
        Images of uint8 become 0..1, as in `Trainer.fit`.

    Returns
    -------
    dict of str -> array
        The output of each layer under its name in summaries ("0 Conv2d"). The layers of a Sequential in a Sequential have
        entries of their own ("2.0 Dense"); other networks, a Residual say, have one entry.

    Raises
    ------
    TypeError
        If `network` is no layer.
    TypeError, ValueError
        From the layer that cannot take what reaches it.

    Examples
    --------
    >>> import fastnn as fnn
    >>> network = fnn.Sequential(fnn.Dense(20, 16, rng=0), fnn.ReLU(), fnn.Dense(16, 3, rng=1))
    >>> {name: out.shape for name, out in activations(network, np.ones((5, 20), np.float32)).items()}
    {'0 Dense': (5, 16), '1 ReLU': (5, 16), '2 Dense': (5, 3)}
    """
    if not isinstance(network, Layer):
        raise TypeError(f"activations: expected a fastnn network, got {network!r:.80}")
    x = np.asarray(x)
    if x.dtype == np.uint8:
        dtype = np.dtype(np.float32 if network.dtype is None else network.dtype)
        x = x.astype(dtype) / dtype.type(255)
    found = {}
    _collect(found, network, "", x)
    return found


def _collect(found, layer, name, x):
    if isinstance(layer, Sequential):
        for key, child in layer.children().items():
            x = _collect(found, child, f"{name}.{key}" if name else key, x)
        return x
    out = found[f"{name} {layer.class_name}".strip()] = layer.forward(x)
    return out


def activation_histograms(activations, path=None):
    """A histogram of each array, side by side on common axes: the share of values in each of 40 intervals.

    Parameters
    ----------
    activations : dict of label -> array
        Of `activations`, say, or of weights or gradients by name.
    path : str or os.PathLike, optional
        Where to write it as a PNG.

    Returns
    -------
    matplotlib.figure.Figure
        Titles give mean and standard deviation, and the number of values that are not finite, if any.

    Raises
    ------
    TypeError
        If `activations` is no dict, or something in it no array of numbers.
    ValueError
        If there is nothing in it, or an empty array.
    OSError
        If the file cannot be written.
    ImportError
        Without matplotlib.

    Notes
    -----
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), look at
    initialisations in this way.

    Examples
    --------
    >>> figure = activation_histograms({"sigmoid": np.linspace(0.4, 0.6, 100), "tanh": np.linspace(-1, 1, 100)})
    >>> figure.axes[0].get_title()
    'sigmoid\\n0.5 ± 0.0583'
    """
    if not isinstance(activations, dict):
        raise TypeError(f"activation_histograms: expected a dict of label -> array, got {activations!r:.80}")
    if not activations:
        raise ValueError("activation_histograms: expected at least one array, got {}")
    values = {label: np.asarray(array).ravel() for label, array in activations.items()}
    for label, flat in values.items():
        if flat.dtype.kind not in "biuf":
            raise TypeError(f"activation_histograms: expected numbers in activations[{label!r}], got {flat.dtype}")
        if not flat.size:
            raise ValueError(f"activation_histograms: expected values in activations[{label!r}], got an empty array")
    finite = {label: flat[np.isfinite(flat)].astype(float) for label, flat in values.items()}
    low = min((flat.min() for flat in finite.values() if flat.size), default=0.0)
    high = max((flat.max() for flat in finite.values() if flat.size), default=1.0)
    edges = np.histogram_bin_edges([low, high], 40)

    across = min(PANELS, len(values))
    rows = math.ceil(len(values) / across)
    figure = new_figure(max(3.5, 2.5 * across), 2.6 * rows + 0.2)
    panels = figure.subplots(rows, across, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(values) :]:
        axes.set_visible(False)
    for position, (axes, (label, flat)) in enumerate(zip(panels.flat, finite.items())):
        title = f"{label}\n{flat.mean():.3g} ± {flat.std():.3g}" if flat.size else f"{label}\n"
        if lost := values[label].size - flat.size:
            title += f"\n{lost} not finite"
        axes.hist(flat, edges, weights=np.full(flat.size, 1 / values[label].size), color=color(0))
        lowest = position + across >= len(values)
        decorate(axes, title, "value" if lowest else None, None if position % across else "share of values")
        axes.tick_params(labelbottom=lowest)
        axes.title.set_fontsize(9)
    return finish(figure, path)
