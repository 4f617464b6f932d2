"""Mini-batches of a data set, for training loops of one's own.

batches(x, y)
"""

import numpy as np

from ..layers.checks import as_bool, as_int, as_rng


def batches(x, y=None, batch_size=32, *, shuffle=False, drop_last=False, rng=None):
    """Iterate over a data set once, batch by batch.

    As ``torch.utils.data.DataLoader`` over arrays. Batches in order are views, shuffled ones are copies. uint8 images stay
    what they are; only `Trainer` scales them.

    Parameters
    ----------
    x : (N, ...) array
    y : (N, ...) array, optional
    batch_size : int
    shuffle : bool
        In random order, each sample once.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    rng : None, int or numpy.random.Generator
        Draws the order. An int gives the same order each time: pass a Generator for another one in each epoch.

    Returns
    -------
    iterator
        Of pairs (x, y) of up to `batch_size` samples, or of x alone without `y`.

    Raises
    ------
    TypeError, ValueError
        For lengths that differ, and arguments that make no sense; at once, not at the first batch.

    Examples
    --------
    >>> x, y = np.arange(10.0).reshape(5, 2), np.array([0, 1, 0, 1, 1])
    >>> for xb, yb in batches(x, y, batch_size=2):
    ...     print(xb.shape, yb)
    (2, 2) [0 1]
    (2, 2) [0 1]
    (1, 2) [1]
    >>> [yb.tolist() for _, yb in batches(x, y, 2, shuffle=True, drop_last=True, rng=0)]
    [[0, 1], [1, 0]]
    """
    x = np.asarray(x)
    if x.ndim == 0:
        raise ValueError("batches: expected samples along axis 0, got x.shape=()")
    if y is not None:
        y = np.asarray(y)
        if y.ndim == 0 or len(y) != len(x):
            raise ValueError(f"batches: expected x and y of one length, got x.shape={x.shape}, y.shape={y.shape}")
    size = as_int(batch_size, "batches: batch_size", 1)
    end = len(x) - len(x) % size if as_bool(drop_last, "batches: drop_last") else len(x)
    rng = as_rng(rng, "batches: rng")
    order = rng.permutation(len(x)) if as_bool(shuffle, "batches: shuffle") else None
    return _iterate(x, y, order, end, size)


def _iterate(x, y, order, end, size):
    for low in range(0, end, size):
        part = slice(low, min(low + size, end))
        part = part if order is None else order[part]
        yield x[part] if y is None else (x[part], y[part])
