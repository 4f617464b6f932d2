"""The historical mnist.pkl: digits in three parts, as pairs of floats and labels.

read_mnist_pickle(path)
"""

import os
from typing import NamedTuple

import numpy as np

from ._mnist import check_labels
from .pickles import read_pickle

LIMIT = 1 << 31  # bytes: the historical file has 220 million; as text, protocol 0 has four to six for each
PARTS = ("training", "validation", "test")


class MnistPart(NamedTuple):
    """One part of a mnist.pkl.

    Attributes
    ----------
    images : (N, 784) float32
        Rows of 28 * 28 pixels; 0 is paper, 1 is ink. ``images.reshape(-1, 1, 28, 28)`` is what convolutions take.
    labels : (N,) int64
        0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def __repr__(self):
        return f"MnistPart({len(self.labels)} digits)"


class MnistSplits(NamedTuple):
    """The three pairs of a mnist.pkl.

    Attributes
    ----------
    train, validation, test : MnistPart
        (images, labels)
    """

    train: MnistPart
    validation: MnistPart
    test: MnistPart


def read_mnist_pickle(path):
    """Read a mnist.pkl or mnist.pkl.gz: three pairs of (N, 784) floats in 0..1 and (N,) labels.

    The historical file has 50,000 training, 10,000 validation and 10,000 test digits. It is read as data and can run
    nothing, see `read_pickle`. Pixels stay the floats that they are; `mnist(folder)` turns them back into bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Plain or gzip, known by its content.

    Returns
    -------
    MnistSplits
        (train, validation, test), each a pair (images, labels), (N, 784) float32 and (N,) int64.

    Raises
    ------
    ValueError
        If the file is damaged, names anything that is not plain data, or holds something else than such digits.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, pickle, tempfile
    >>> pair = np.zeros((2, 784), np.float32), np.array([7, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "mnist.pkl")
    ...     _ = path.write_bytes(pickle.dumps((pair, pair, pair)))
    ...     train, validation, (test_images, test_labels) = read_mnist_pickle(path)
    >>> validation.images.shape, test_labels
    ((2, 784), array([7, 1]))
    """
    path = os.fspath(path)
    pairs = read_pickle(path, encoding="bytes", limit=LIMIT)
    if not _is_sequence(pairs, 3) or not all(_is_sequence(pair, 2) for pair in pairs):
        raise ValueError(f"{path}: expected three pairs (images, labels): {', '.join(PARTS)}; got {_outline(pairs)}")
    return MnistSplits(*(_part(f"{path}: {part} part", *pair) for part, pair in zip(PARTS, pairs)))


def _is_sequence(value, length):
    return type(value) in (tuple, list) and len(value) == length


def _outline(value):
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list, dict)) else "")


def _part(where, images, labels):
    images, labels = _array(images), _array(labels)
    if images.dtype.kind != "f" or images.ndim != 2 or images.shape[1] != 784:
        raise ValueError(f"{where}: expected images of shape (N, 784), floats, got {images.dtype} of shape {images.shape}")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{where}: expected labels of shape (N,), integers, got {labels.dtype} of shape {labels.shape}")
    check_labels(labels, images, where)
    images = np.ascontiguousarray(images, np.float32)
    if images.size and not 0 <= images.min() <= images.max() <= 1:  # false for NaN as well
        raise ValueError(f"{where}: expected pixels within 0..1, got {images.min():g} to {images.max():g}")
    return MnistPart(images, labels.astype(np.int64))


def _array(value):
    """An array, also of a list of numbers; anything else becomes an array that no check lets through."""
    try:
        return np.asarray(value)
    except ValueError:  # lists of several lengths
        return np.empty((), object)
