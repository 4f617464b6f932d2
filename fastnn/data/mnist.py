"""MNIST, handwritten digits of 28 x 28 grey pixels, by Yann LeCun and Corinna Cortes.

mnist(path=None)     the full set from a folder of IDX or CSV files or a pickle, else the subset that ships with fastnn
mnist_subset()       that subset: 6,000 training and 1,000 test digits, as many of each class
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from ._mnist import Mnist as Mnist
from ._mnist import check_labels
from .idx import read_idx
from .mnist_csv import read_mnist_csv
from .mnist_pickle import read_mnist_pickle

SUBSET = Path(__file__).with_name("mnist_subset.npz")
# Of the file that tools/make_mnist_subset.py wrote.
SUBSET_SHA256 = "bce0b3ff62dafc53fba3aad4e454c2703220075a6fbf360d8f6960891e31915a"
# Each file under the names it goes by; any of them may also be compressed (".gz").
FILES = {
    name: (f"{part}-{kind}-idx{ndim}-ubyte", f"{part}-{kind}.idx{ndim}-ubyte")
    for name, part, kind, ndim in (
        ("train_images", "train", "images", 3),
        ("train_labels", "train", "labels", 1),
        ("test_images", "t10k", "images", 3),
        ("test_labels", "t10k", "labels", 1),
    )
}
CSV_FILES = ("mnist_train.csv", "mnist_test.csv")
PICKLE_FILE = "mnist.pkl"


def mnist(path=None):
    """Handwritten digits: the full set where its files are at hand, else the embedded subset.

    Parameters
    ----------
    path : str or os.PathLike, optional
        Folder with the four files of MNIST in IDX format: train-images-idx3-ubyte, train-labels-idx1-ubyte,
        t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (also spelled train-images.idx3-ubyte and so on). Where there is
        none of these, mnist_train.csv and mnist_test.csv (see `read_mnist_csv`); where there are none of those either,
        mnist.pkl (see `read_mnist_pickle`), its validation digits behind its training digits and its floats turned back
        into bytes. Any file may be compressed: train-images-idx3-ubyte.gz. Without `path`, the folder that the
        environment variable FASTNN_DATA names; without that, the subset.

    Returns
    -------
    Mnist
        train_images, train_labels, test_images, test_labels and source, which says which set it is.

    Raises
    ------
    FileNotFoundError
        If `path` or FASTNN_DATA is set but a file is missing there; names what is missing.
    ValueError
        If a file is damaged, or holds something other than 28 x 28 images or their labels.

    Examples
    --------
    >>> digits = mnist()                                                        # doctest: +SKIP
    >>> digits                                                                  # doctest: +SKIP
    Mnist(60000 training digits, 10000 test digits, full set from /data/mnist)
    >>> mnist("no/such/folder")
    Traceback (most recent call last):
    ...
    FileNotFoundError: MNIST: no such folder: no/such/folder
    """
    if path is None:
        path = os.environ.get("FASTNN_DATA") or None
    return mnist_subset() if path is None else _read_folder(Path(path))


def mnist_subset():
    """The digits that ship with fastnn: 600 training and 100 test digits of each class, in the order of the full set.

    Returns
    -------
    Mnist
        Arrays of the caller's own.

    Raises
    ------
    ValueError
        If the file in the installed package is not the one that was published.

    Examples
    --------
    >>> digits = mnist_subset()
    >>> digits
    Mnist(6000 training digits, 1000 test digits, embedded subset)
    >>> digits.train_images.shape, digits.train_images.dtype
    ((6000, 1, 28, 28), dtype('uint8'))
    >>> digits.test_labels[:5]
    array([1, 0, 4, 5, 9])
    """
    import io

    packed = SUBSET.read_bytes()
    if hashlib.sha256(packed).hexdigest() != SUBSET_SHA256:
        raise ValueError(f"{SUBSET}: damaged: expected a file of SHA-256 {SUBSET_SHA256}")
    with np.load(io.BytesIO(packed)) as arrays:
        return _as_mnist(arrays, "embedded subset")


def _read_folder(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"MNIST: no such folder: {folder}")
    source = f"full set from {folder}"
    paths = {name: _find(folder, *spellings) for name, spellings in FILES.items()}
    missing = [FILES[name][0] for name, path in paths.items() if path is None]
    if not missing:
        return _read_idx_files(paths, source)
    csvs, pickled = [_find(folder, name) for name in CSV_FILES], _find(folder, PICKLE_FILE)
    if len(missing) == len(FILES) and any(csvs):
        missing = [name for name, path in zip(CSV_FILES, csvs) if path is None]
        if not missing:
            return read_mnist_csv(*csvs)._replace(source=source)
    elif len(missing) == len(FILES) and pickled:
        return _from_pickle(pickled, source)
    raise FileNotFoundError(f"MNIST: missing in {folder}: {', '.join(missing)} (plain or .gz)")


def _find(folder, *names):
    """The file by one of its names, plain or compressed; None if there is none."""
    return next((path for name in names for end in ("", ".gz") if (path := folder / (name + end)).is_file()), None)


def _read_idx_files(paths, source):
    arrays = {name: read_idx(path) for name, path in paths.items()}
    for name, path in paths.items():
        images = name.endswith("images")
        _check(path, arrays[name], images=images)
    for part in ("train", "test"):
        check_labels(arrays[f"{part}_labels"], arrays[f"{part}_images"], paths[f"{part}_labels"])
    return _as_mnist(arrays, source)


def _check(path, array, *, images):
    """Raise ValueError unless `array`, read from `path`, has the shape and dtype that its name says."""
    expected = "(N, 28, 28) images" if images else "(N,) labels"
    fits = array.ndim == 3 and array.shape[1:] == (28, 28) if images else array.ndim == 1
    if not fits or array.dtype != np.uint8:
        raise ValueError(f"{path}: expected {expected} of uint8, got {array.dtype} of shape {array.shape}")


def _from_pickle(path, source):
    """The parts of a pickle in the order of the original set, as bytes: MNIST's last 10,000 became its validation part."""
    parts = read_mnist_pickle(path)
    train, validation, test = (_as_uint8(path, part.images).reshape(-1, 1, 28, 28) for part in parts)
    labels = np.concatenate([parts.train.labels, parts.validation.labels])
    return Mnist(np.concatenate([train, validation]), labels, test, parts.test.labels, source)


def _as_uint8(path, images):
    """Pixels of 0..1 as the bytes that they were: the historical file has them divided by 256, others by 255."""
    out = np.empty(images.shape, np.uint8)
    for scale in (256, 255):
        for low in range(0, len(images), 1000):  # in the cache
            scaled = images[low : low + 1000] * np.float32(scale)
            pixels = np.rint(scaled)
            if pixels.max() > 255 or np.abs(scaled - pixels).max() > 1e-3:
                break
            out[low : low + 1000] = pixels
        else:
            return out
    raise ValueError(f"{path}: expected pixels that were bytes, divided by 255 or 256; read_mnist_pickle takes any within 0..1")


def _as_mnist(arrays, source):
    """Give images their channel axis and labels the dtype that losses take."""
    fields = []
    for part in ("train", "test"):
        fields += [arrays[f"{part}_images"][:, np.newaxis], arrays[f"{part}_labels"].astype(np.int64)]
    return Mnist(*fields, source)
