"""CIFAR-10, photographs of 32 x 32 pixels in ten classes, by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton.

cifar10(path=None)      from a folder or an archive, of the python or the binary distribution

The formats are described at https://www.cs.toronto.edu/~kriz/cifar.html. The python distribution is read as data: its
pickle files can run nothing.
"""

import os
from typing import NamedTuple

import numpy as np

from ._cifar_files import collect
from ._pickle_machine import load

URL = "https://www.cs.toronto.edu/~kriz/cifar.html"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST = ("test_batch",)
PIXELS = 3 * 32 * 32


class Cifar10(NamedTuple):
    """The arrays of a set of small colour images, their classes, and where they come from.

    Attributes
    ----------
    train_images : (N, 3, 32, 32) uint8
        Red, green and blue planes. Networks take them as they are: a Trainer scales each batch to 0..1.
    train_labels : (N,) int64
        0 to 9.
    test_images : (M, 3, 32, 32) uint8
    test_labels : (M,) int64
    classes : tuple of str
        What the ten labels mean.
    source : str
        ``"CIFAR-10 from PATH"``, with ``part of`` in front where files were missing, or how it was generated.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple
    source: str

    def __repr__(self):
        return f"Cifar10({len(self.train_images)} training images, {len(self.test_images)} test images, {self.source})"


def cifar10(path=None, *, partial=False):
    """CIFAR-10 from the published files: 50,000 training and 10,000 test images.

    Parameters
    ----------
    path : str or os.PathLike, optional
        The folder cifar-10-batches-py (data_batch_1 to 5, test_batch, batches.meta) or cifar-10-batches-bin
        (data_batch_1.bin to 5, test_batch.bin, batches.meta.txt), the folder that one of these is in, or an archive
        (cifar-10-python.tar.gz, cifar-10-binary.tar.gz, or the folder that one of these is in), which is read without
        being unpacked. The python distribution goes first. Without `path`, the environment variable FASTNN_CIFAR10.
    partial : bool
        Take what is there. Otherwise all six files have to be there, none of them empty; the published ones hold 10,000
        images each, others may hold any number.

    Returns
    -------
    Cifar10
        train_images, train_labels, test_images, test_labels, classes and source.

    Raises
    ------
    FileNotFoundError
        If neither `path` nor FASTNN_CIFAR10 is given, or files are missing there; names them, and where to get them.
        `generated_cifar10` is a substitute that needs no files.
    ValueError
        If a file is damaged, or holds something other than 32 x 32 colour images and their labels.

    Examples
    --------
    >>> images = cifar10("/data/cifar-10-batches-py")                           # doctest: +SKIP
    >>> images                                                                  # doctest: +SKIP
    Cifar10(50000 training images, 10000 test images, CIFAR-10 from /data/cifar-10-batches-py)
    >>> cifar10("no/such/folder")
    Traceback (most recent call last):
    ...
    FileNotFoundError: CIFAR-10: no such file or folder: no/such/folder; it is at https://www.cs.toronto.edu/~kriz/cifar.html
    """
    if not isinstance(partial, (bool, np.bool_)):
        raise TypeError(f"cifar10: partial must be True or False, got {partial!r}")
    path = path if path is not None else os.environ.get("FASTNN_CIFAR10") or None
    if path is None:
        raise FileNotFoundError(f"CIFAR-10: expected path, or FASTNN_CIFAR10 in the environment; the files are at {URL}")
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"CIFAR-10: no such file or folder: {path}; it is at {URL}")
    names = {name + end for name in (*TRAIN, *TEST) for end in ("", ".bin")} | {"batches.meta", "batches.meta.txt"}
    files = collect(path, names)
    end = "" if any(name in files for name in (*TRAIN, *TEST)) else ".bin"
    missing = [name + end for name in (*TRAIN, *TEST) if name + end not in files]
    if missing and (not partial or len(missing) == 6):
        raise FileNotFoundError(f"CIFAR-10: missing in {path}: {', '.join(missing)}; the files are at {URL}")
    arrays = []
    for part in (TRAIN, TEST):
        batches = [_read(files, name + end, partial) for name in part if name + end in files]
        empty = np.empty((0, PIXELS), np.uint8), np.empty(0, np.int64)
        images, labels = (np.concatenate(arrays) for arrays in zip(*(batches or [empty])))
        arrays += [images.reshape(-1, 3, 32, 32), labels]
    return Cifar10(*arrays, _classes(files, end), f"{'part of ' if missing else ''}CIFAR-10 from {path}")


def _read(files, name, partial):
    """(N, 3072) uint8 and (N,) int64 of one batch."""
    where, data = files[name]
    images, labels = (_read_binary if name.endswith(".bin") else _read_pickled)(where, data)
    if len(images) == 0 and not partial:
        raise ValueError(f"{where}: expected images, got none")
    if labels.size and not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"{where}: expected labels 0 to 9, got {labels[(labels < 0) | (labels > 9)][0]}")
    return images, labels


def _read_binary(where, data):
    """Rows of a label's byte and 3072 pixels."""
    if len(data) % (1 + PIXELS):
        raise ValueError(f"{where}: truncated: expected rows of {1 + PIXELS} bytes, got {len(data)} bytes")
    rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + PIXELS)
    return rows[:, 1:], rows[:, 0].astype(np.int64)


def _read_pickled(where, data):
    """A dict with the rows of pixels, "data", and a list, "labels"."""
    batch = _load_dict(where, data)
    if not {"data", "labels"} <= set(batch):
        raise ValueError(f"{where}: expected a dict with data and labels, got one with {', '.join(map(str, batch))}")
    images, labels = batch["data"], batch["labels"]
    if type(images) is not np.ndarray or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != PIXELS:
        got = f"{images.dtype} of shape {images.shape}" if type(images) is np.ndarray else type(images).__name__
        raise ValueError(f"{where}: expected data of shape (N, {PIXELS}), uint8, got {got}")
    if type(labels) is list and all(type(label) is int and abs(label) < 1 << 63 for label in labels):
        labels = np.array(labels, np.int64)
    if type(labels) is not np.ndarray or labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        raise ValueError(f"{where}: expected labels to be {len(images)} ints, one for each image")
    return images, labels.astype(np.int64)


def _load_dict(where, data):
    """The dict that a pickle file holds, its keys as text: Python 3 may have written them as bytes."""
    found = load(data, where)
    if type(found) is not dict:
        raise ValueError(f"{where}: expected a dict, got a {type(found).__name__}")
    return {_text(key): value for key, value in found.items()}


def _text(value):
    return value.decode("latin1") if type(value) is bytes else value


def _classes(files, end):
    """The names of the ten classes: those in the file, where it is there."""
    name = "batches.meta.txt" if end else "batches.meta"
    if name not in files:
        return CLASSES
    where, data = files[name]
    if end:
        names = bytes(data).decode("latin1").split()
    else:
        names = _load_dict(where, data).get("label_names")
        names = [_text(name) for name in names] if type(names) is list else names
    if type(names) is not list or len(names) != 10 or not all(type(name) is str for name in names):
        raise ValueError(f"{where}: expected the names of 10 classes, got {names!r:.80}")
    return tuple(names)
