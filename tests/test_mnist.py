"""fastnn.data.mnist: the embedded digits, folders of IDX files, and what is wrong with them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastnn.data import Mnist, mnist, mnist_subset, write_idx

MODULE = sys.modules["fastnn.data.mnist"]  # the function hides its module
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


@pytest.fixture(autouse=True)
def full_set(monkeypatch):
    """The folder that FASTNN_DATA named, if any; the tests themselves start without it."""
    folder = os.environ.get("FASTNN_DATA")
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    return folder


@pytest.fixture
def arrays(rng):
    return [
        rng.integers(0, 256, (7, 28, 28)).astype(np.uint8),
        rng.integers(0, 10, 7).astype(np.uint8),
        rng.integers(0, 256, (3, 28, 28)).astype(np.uint8),
        rng.integers(0, 10, 3).astype(np.uint8),
    ]


@pytest.fixture
def folder(tmp_path, arrays):
    for name, array in zip(NAMES, arrays):
        write_idx(tmp_path / name, array)
    return tmp_path


def assert_holds(digits, arrays):
    assert digits.train_images.shape == (7, 1, 28, 28) and digits.test_images.shape == (3, 1, 28, 28)
    for got, expected in zip(digits, arrays):
        assert got.dtype == (np.int64 if expected.ndim == 1 else np.uint8)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got.reshape(expected.shape), expected)


def test_embedded_subset():
    digits = mnist()
    assert isinstance(digits, Mnist)
    assert digits.source == "embedded subset"
    assert "embedded subset" in repr(digits)
    for images, labels, count in (
        (digits.train_images, digits.train_labels, 600),
        (digits.test_images, digits.test_labels, 100),
    ):
        assert images.shape == (10 * count, 1, 28, 28) and images.dtype == np.uint8
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(np.bincount(labels), [count] * 10)
        # Real digits: ink on a tenth to a third of the sheet, none at its rim on average, no two alike.
        assert 0.1 < (images > 0).mean() < 0.35
        assert images[:, :, 0].mean() < 0.1
        assert len({image.tobytes() for image in images}) == len(images)


def test_embedded_parts_share_no_digit():
    digits = mnist_subset()
    train = {image.tobytes() for image in digits.train_images}
    assert not any(image.tobytes() in train for image in digits.test_images)


def test_slices_hold_all_classes():
    digits = mnist_subset()
    for labels in (digits.train_labels[:200], digits.train_labels[-200:], digits.test_labels[:200]):
        assert np.bincount(labels, minlength=10).min() >= 5


def test_arrays_are_the_callers_own():
    first = mnist_subset()
    first.train_images[:] = 0
    assert mnist_subset().train_images.any()


def test_embedded_file_is_small_and_quick_to_read():
    assert MODULE.SUBSET.stat().st_size <= 1_600_000
    start = time.perf_counter()
    mnist_subset()
    assert time.perf_counter() - start < 2  # 0.03 s on an idle machine


def test_damaged_embedded_file_is_noticed(tmp_path, monkeypatch):
    data = bytearray(MODULE.SUBSET.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.npz").write_bytes(data)
    monkeypatch.setattr(MODULE, "SUBSET", tmp_path / "damaged.npz")
    with pytest.raises(ValueError, match=r"damaged\.npz"):
        mnist_subset()


def test_licence_names_the_authors():
    text = MODULE.SUBSET.with_name("mnist_subset.LICENSE").read_text(encoding="utf-8")
    for words in ("Yann LeCun", "Corinna Cortes", "CC BY-SA 3.0", "creativecommons.org/licenses/by-sa/3.0"):
        assert words in text


def test_folder(folder, arrays):
    digits = mnist(folder)
    assert_holds(digits, arrays)
    assert digits.source == f"full set from {folder}"
    assert repr(digits) == f"Mnist(7 training digits, 3 test digits, full set from {folder})"
    assert_holds(mnist(str(folder)), arrays)


def test_environment_names_the_folder(folder, arrays, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("FASTNN_DATA", str(folder))
    assert_holds(mnist(), arrays)
    assert mnist_subset().source == "embedded subset"
    with pytest.raises(FileNotFoundError):  # the argument goes first
        mnist(tmp_path_factory.mktemp("empty"))


def test_empty_environment_variable_is_none(monkeypatch):
    monkeypatch.setenv("FASTNN_DATA", "")
    assert mnist().source == "embedded subset"


@pytest.mark.parametrize("spelling", ["{}.gz", "dots", "dots.gz"])
def test_other_spellings(tmp_path, arrays, spelling):
    for name, array in zip(NAMES, arrays):
        dots = name.replace("-idx", ".idx")
        write_idx(tmp_path / {"{}.gz": name + ".gz", "dots": dots, "dots.gz": dots + ".gz"}[spelling], array)
    assert_holds(mnist(tmp_path), arrays)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_missing_file_is_named(folder, monkeypatch, name, by):
    (folder / name).unlink()
    monkeypatch.setenv("FASTNN_DATA", str(folder) if by == "environment" else "")
    with pytest.raises(FileNotFoundError, match=rf"missing in .*: {name} \(plain or \.gz\)$"):
        mnist(folder if by == "argument" else None)


def test_missing_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*none"):
        mnist()


@pytest.mark.parametrize(
    "name, array, message",
    [
        (NAMES[0], np.zeros((7, 27, 28), np.uint8), r"expected \(N, 28, 28\) images of uint8, got .*\(7, 27, 28\)"),
        (NAMES[0], np.zeros((7, 28, 28), np.int8), "got int8"),
        (NAMES[0], np.zeros(7, np.uint8), r"got uint8 of shape \(7,\)"),
        (NAMES[2], np.zeros((3, 28, 28, 1), np.uint8), r"\(3, 28, 28, 1\)"),
        (NAMES[1], np.zeros((7, 28, 28), np.uint8), r"expected \(N,\) labels"),
        (NAMES[1], np.zeros(7, np.int32), "got int32"),
        (NAMES[1], np.zeros(8, np.uint8), "expected 7 labels, one for each image, got 8"),
        (NAMES[3], np.full(3, 10, np.uint8), "expected labels 0 to 9, got 10"),
    ],
)
def test_wrong_content_is_refused_by_file(folder, name, array, message):
    write_idx(folder / name, array)
    with pytest.raises(ValueError, match=message) as error:
        mnist(folder)
    assert str(folder / name) in str(error.value)


def test_damaged_file_is_refused(folder):
    path = folder / NAMES[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="truncated"):
        mnist(folder)


def test_empty_set(tmp_path):
    for name in NAMES:
        write_idx(tmp_path / name, np.zeros((0, 28, 28) if "images" in name else 0, np.uint8))
    assert mnist(tmp_path).train_images.shape == (0, 1, 28, 28)


def test_full_set(full_set):
    if full_set is None:
        pytest.skip("needs the full MNIST: set FASTNN_DATA to the folder with its four files")
    digits = mnist(full_set)
    assert digits.train_images.shape == (60000, 1, 28, 28) and digits.test_images.shape == (10000, 1, 28, 28)
    np.testing.assert_array_equal(digits.train_labels[:10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    assert digits.train_images.sum(dtype=np.int64) == 1567298545


def test_subset_comes_from_the_full_set(full_set):
    if full_set is None:
        pytest.skip("needs the full MNIST: set FASTNN_DATA to the folder with its four files")
    script = Path(__file__).parents[1] / "tools" / "make_mnist_subset.py"
    done = subprocess.run([sys.executable, script, full_set, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr
