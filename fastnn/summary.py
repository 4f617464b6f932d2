"""A table of a network's layers: output shapes, parameters, multiply-adds, and whether it runs as a compiled plan."""

from .layers.base import Layer
from .layers.checks import as_shape
from .layers.concat import Concat
from .layers.containers import Residual, Sequential
from .plan.path import path_of


class Summary:
    """What `summary` found; its text is a table.

    Attributes
    ----------
    rows : list of dict
        One per layer: "name" (dotted, as in the state dict), "layer" (class name), "output_shape" (without the batch
        axis), "parameters" and "macs" (multiply-adds of one sample's forward). Of a block with branches, the first row
        is its own and counts only what its layers, in the rows below, do not.
    parameters, macs : int
        Totals.
    path : str
        How the network runs with the present settings: "compiled plan", or what runs layer by layer and why.
    """

    def __init__(self, network, input_shape):
        self.input_shape = as_shape(input_shape, "summary: input_shape")
        self.rows = []
        _collect(self.rows, network, "", self.input_shape)
        self.parameters = sum(row["parameters"] for row in self.rows)
        self.macs = sum(row["macs"] for row in self.rows)
        self.path = path_of(network, self.input_shape)

    def __str__(self):
        cells = [("Layer", "Output shape", "Parameters", "Multiply-adds")]
        for row in self.rows:
            cells.append(
                (
                    "  " * row["name"].count(".") + f"{row['name']} {row['layer']}".strip(),
                    str(row["output_shape"]),
                    f"{row['parameters']:,}",
                    f"{row['macs']:,}",
                )
            )
        cells.append(("Total", "", f"{self.parameters:,}", f"{self.macs:,}"))
        widths = [max(len(line[i]) for line in cells) for i in range(4)]
        lines = [
            "  ".join([a.ljust(widths[0]), b.ljust(widths[1]), c.rjust(widths[2]), d.rjust(widths[3])]) for a, b, c, d in cells
        ]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], f"Path: {self.path}"])

    __repr__ = __str__


def summary(network, input_shape):
    """Layers, output shapes, parameters and multiply-adds of a network, and whether it runs as a compiled plan.

    Parameters
    ----------
    network : Layer
    input_shape : tuple of int
        Of one sample, without the batch axis.

    Returns
    -------
    Summary
        ``str()`` of it is a table; ``.rows``, ``.parameters`` and ``.macs`` are the figures, ``.path`` says how it runs.

    Raises
    ------
    ValueError
        From the first layer that cannot take what reaches it.

    Examples
    --------
    >>> import fastnn as fnn
    >>> summary(fnn.Sequential(fnn.Conv2d(1, 2, 3), fnn.ReLU(), fnn.Flatten(), fnn.Dense(72, 10)), (1, 8, 8))
    Layer      Output shape  Parameters  Multiply-adds
    --------------------------------------------------
    0 Conv2d   (2, 6, 6)             20            648
    1 ReLU     (2, 6, 6)              0              0
    2 Flatten  (72,)                  0              0
    3 Dense    (10,)                730            720
    --------------------------------------------------
    Total                           750          1,368
    Path: compiled plan
    """
    if not isinstance(network, Layer):
        raise TypeError(f"summary: expected a fastnn network, got {network!r:.80}")
    return Summary(network, input_shape)


def _row(name, layer, output_shape, parameters, macs):
    return {
        "name": name,
        "layer": type(layer).__name__,
        "output_shape": tuple(output_shape),
        "parameters": int(parameters),
        "macs": int(macs),
    }


def _collect(rows, layer, name, shape):
    """Add the rows of `layer`, which gets samples of `shape`; returns its output shape."""
    prefix = f"{name}." if name else ""
    if isinstance(layer, Sequential):
        for key, child in layer.children().items():
            shape = _collect(rows, child, prefix + key, shape)
        return shape
    output_shape = layer.output_shape(shape)
    if isinstance(layer, (Residual, Concat)):
        rows.append(_row(name, layer, output_shape, 0, 0))
        for key, child in layer.children().items():
            _collect(rows, child, prefix + key, shape)
    else:
        # How data flows inside a network of the user's own is known to its forward alone: one row for all of it.
        parameters = sum(param.size for param in layer.params.values())
        rows.append(_row(name, layer, output_shape, parameters, layer.macs(shape)))
    return output_shape
