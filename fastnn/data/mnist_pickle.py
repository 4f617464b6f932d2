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


class MnistSplits(NamedTuple):
    """The three parts of a mnist.pkl, and where they come from.

    Attributes
    ----------
    train_images : (N, 1, 28, 28) float32
        0 is paper, 1 is ink.
    train_labels : (N,) int64
        0 to 9.
    validation_images : (L, 1, 28, 28) float32
    validation_labels : (L,) int64
    test_images : (M, 1, 28, 28) float32
    test_labels : (M,) int64
    source : str
        The name of the file.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str

    def __repr__(self):
        counts = (f"{len(self[2 * i])} {part} digits" for i, part in enumerate(PARTS))
        return f"MnistSplits({', '.join(counts)}, {self.source})"


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
        train_images, train_labels, validation_images, validation_labels, test_images, test_labels and source.

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
    ...     digits = read_mnist_pickle(path)
    >>> digits.validation_images.shape, digits.validation_labels
    ((2, 1, 28, 28), array([7, 1]))
    """
    path = os.fspath(path)
    pairs = read_pickle(path, encoding="bytes", limit=LIMIT)
    if not _is_sequence(pairs, 3) or not all(_is_sequence(pair, 2) for pair in pairs):
        raise ValueError(f"{path}: expected three pairs (images, labels): {', '.join(PARTS)}; got {_outline(pairs)}")
    fields = []
    for part, (images, labels) in zip(PARTS, pairs):
        fields += _part(f"{path}: {part} part", images, labels)
    return MnistSplits(*fields, path)


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
    return images.reshape(-1, 1, 28, 28), labels.astype(np.int64)


def _array(value):
    """An array, also of a list of numbers; anything else becomes an array that no check lets through."""
    try:
        return np.asarray(value)
    except ValueError:  # lists of several lengths
        return np.empty((), object)
