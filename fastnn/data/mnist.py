"""MNIST, handwritten digits of 28 x 28 grey pixels, by Yann LeCun and Corinna Cortes.

mnist(path=None)     the full set from a folder of IDX files, else the subset that ships with fastnn
mnist_subset()       that subset: 6,000 training and 1,000 test digits, as many of each class
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .idx import read_idx

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


class Mnist(NamedTuple):
    """The arrays of a set of digits, and where they come from.

    Attributes
    ----------
    train_images : (N, 1, 28, 28) uint8
        0 is paper, 255 is ink. Networks take them as they are: a Trainer scales each batch to 0..1.
    train_labels : (N,) int64
        0 to 9.
    test_images : (M, 1, 28, 28) uint8
    test_labels : (M,) int64
    source : str
        ``"embedded subset"`` or ``"full set from FOLDER"``.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str

    def __repr__(self):
        return f"Mnist({len(self.train_images)} training digits, {len(self.test_images)} test digits, {self.source})"


def mnist(path=None):
    """Handwritten digits: the full set where its files are at hand, else the embedded subset.

    Parameters
    ----------
    path : str or os.PathLike, optional
        Folder with the four files of MNIST in IDX format, plain or gzip: train-images-idx3-ubyte,
        train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (also spelled train-images.idx3-ubyte
        and so on). Without it, the folder that the environment variable FASTNN_DATA names; without that, the subset.

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
    paths, missing = {}, []
    for name, spellings in FILES.items():
        candidates = [folder / (spelling + suffix) for spelling in spellings for suffix in ("", ".gz")]
        paths[name] = next((path for path in candidates if path.is_file()), None)
        if paths[name] is None:
            missing.append(spellings[0])
    if missing:
        raise FileNotFoundError(f"MNIST: missing in {folder}: {', '.join(missing)} (plain or .gz)")
    arrays = {name: read_idx(path) for name, path in paths.items()}
    for name, path in paths.items():
        _check(path, arrays[name], images=name.endswith("images"))
    for part in ("train", "test"):
        images, labels = len(arrays[f"{part}_images"]), len(arrays[f"{part}_labels"])
        if images != labels:
            raise ValueError(f"{paths[f'{part}_labels']}: expected {images} labels, one for each image, got {labels}")
    return _as_mnist(arrays, f"full set from {folder}")


def _check(path, array, *, images):
    """Raise ValueError unless `array`, read from `path`, can be what its name says."""
    expected = "(N, 28, 28) images" if images else "(N,) labels"
    fits = array.ndim == 3 and array.shape[1:] == (28, 28) if images else array.ndim == 1
    if not fits or array.dtype != np.uint8:
        raise ValueError(f"{path}: expected {expected} of uint8, got {array.dtype} of shape {array.shape}")
    if not images and array.size and array.max() > 9:
        raise ValueError(f"{path}: expected labels 0 to 9, got {array.max()}")


def _as_mnist(arrays, source):
    """Give images their channel axis and labels the dtype that losses take."""
    fields = []
    for part in ("train", "test"):
        fields += [arrays[f"{part}_images"][:, np.newaxis], arrays[f"{part}_labels"].astype(np.int64)]
    return Mnist(*fields, source)
