"""History: the figures of each epoch of a training run, as plain data."""


class History:
    """Figures by epoch, as `Trainer.fit` returns them.

    Attributes
    ----------
    epochs : list of dict
        One per epoch: "epoch" (from 1), "loss", "accuracy", "val_loss", "val_accuracy" (where there is validation data;
        accuracies where targets are classes), "images_per_second" and "seconds" of the training part.

    Examples
    --------
    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"]
    [0.5, 0.25]
    >>> history.columns
    {'epoch': [1, 2], 'loss': [0.5, 0.25]}
    >>> history
    History: 2 epochs
    epoch    loss
        1  0.5000
        2  0.2500
    """

    def __init__(self, epochs=()):
        self.epochs = [dict(logs) for logs in epochs]

    @property
    def columns(self):
        """The same figures as a dict of lists, one value per epoch (None where an epoch has none)."""
        names = dict.fromkeys(name for logs in self.epochs for name in logs)
        return {name: [logs.get(name) for logs in self.epochs] for name in names}

    def append(self, logs):
        """Add the figures of one more epoch."""
        self.epochs.append(dict(logs))

    def __getitem__(self, name):
        columns = self.columns
        if name not in columns:
            raise KeyError(f"History: no column {name!r}, there are: {', '.join(columns) or 'none'}")
        return columns[name]

    def __contains__(self, name):
        return name in self.columns

    def __iter__(self):
        return iter(self.epochs)

    def __len__(self):
        return len(self.epochs)

    def __eq__(self, other):
        return self.epochs == other.epochs if isinstance(other, History) else NotImplemented

    __hash__ = None

    def __repr__(self):
        count = len(self.epochs)
        lines = [f"History: {count} epoch{'' if count == 1 else 's'}"]
        columns = {name: [name, *(_text(name, value) for value in values)] for name, values in self.columns.items()}
        widths = {name: max(map(len, cells)) for name, cells in columns.items()}
        for row in range(count + 1 if count else 0):
            lines.append("  ".join(cells[row].rjust(widths[name]) for name, cells in columns.items()))
        return "\n".join(lines)


def _text(name, value):
    """One figure for the table: rates without decimals, times with two, the rest with four."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    decimals = {"images_per_second": 0, "seconds": 2}.get(name, 4)
    return f"{value:,.{decimals}f}"
