"""Class indices as vectors.

one_hot(labels)
"""

import numpy as np

from ..layers.checks import as_int


def one_hot(labels, classes=None, dtype=np.float32):
    """A vector for each label: 1 at the label's place, 0 elsewhere, along a new last axis.

    As ``torch.nn.functional.one_hot``, but of floats, as losses that compare vectors take them.

    Parameters
    ----------
    labels : (...) integers
        0 to classes - 1.
    classes : int, optional
        The length of the vectors; without it, the largest label plus 1.
    dtype : dtype

    Returns
    -------
    (..., classes) array of `dtype`

    Raises
    ------
    TypeError
        If `labels` are not integers.
    ValueError
        For labels out of range, and without `classes` if there are no labels.

    Examples
    --------
    >>> one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" and labels.size:
        raise TypeError(f"one_hot: expected labels to be integers, got labels.dtype={labels.dtype}")
    if classes is None:
        if not labels.size:
            raise ValueError("one_hot: expected classes where there are no labels")
        if labels.min() < 0:
            raise ValueError(f"one_hot: expected labels of at least 0, got {labels.min()}")
        classes = int(labels.max()) + 1
    classes = as_int(classes, "one_hot: classes", 1)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise ValueError(f"one_hot: expected labels 0 to {classes - 1}, got {wrong}")
    out = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(out, labels.astype(np.int64)[..., np.newaxis], 1, axis=-1)
    return out
