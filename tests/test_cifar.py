"""cifar10: both published formats, folders and archives, what is missing or wrong; generated images of the same form."""

import gzip
import io
import os
import pickle
import sys
import tarfile

import numpy as np
import pytest

import fastnn as fnn
from fastnn.data import Cifar10, cifar10, generated_cifar10

NAMES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ROWS = 4


@pytest.fixture(autouse=True)
def no_folder_by_default(monkeypatch):
    monkeypatch.delenv("FASTNN_CIFAR10", raising=False)


@pytest.fixture
def arrays(rng):
    """(images, labels) of each file."""
    return [(rng.integers(0, 256, (ROWS, 3072)).astype(np.uint8), rng.integers(0, 10, ROWS)) for _ in NAMES]


def pickled(images, labels, protocol=2, keys=bytes):
    """A batch as https://www.cs.toronto.edu/~kriz/cifar.html describes it; `keys` as Python 2 strings are read, or str."""
    batch = {"batch_label": "batch", "labels": labels.tolist(), "data": images, "filenames": ["x.png"] * len(images)}
    return pickle.dumps({key.encode() if keys is bytes else key: value for key, value in batch.items()}, protocol)


def contents(arrays, kind):
    """name -> bytes of all files."""
    if kind == "bin":
        files = {f"{name}.bin": np.column_stack([y, x]).astype(np.uint8).tobytes() for name, (x, y) in zip(NAMES, arrays)}
        return files | {"batches.meta.txt": "\n".join(CLASSES).encode() + b"\n\n"}
    files = {name: pickled(x, y) for name, (x, y) in zip(NAMES, arrays)}
    return files | {"batches.meta": pickle.dumps({b"label_names": [name.encode() for name in CLASSES]}, 2)}


@pytest.fixture(params=["py", "bin"])
def kind(request):
    return request.param


@pytest.fixture
def folder(tmp_path, arrays, kind):
    folder = tmp_path / f"cifar-10-batches-{kind}"
    folder.mkdir()
    for name, data in contents(arrays, kind).items():
        (folder / name).write_bytes(data)
    return folder


def archive(path, folder, files, compressed=True):
    with tarfile.open(path, "w:gz" if compressed else "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def assert_holds(found, arrays):
    assert isinstance(found, Cifar10) and found.classes == CLASSES
    images, labels = (np.concatenate(a) for a in zip(*arrays))
    assert found.train_images.shape == (5 * ROWS, 3, 32, 32) and found.test_images.shape == (ROWS, 3, 32, 32)
    for part, rows in (("train", slice(0, 5 * ROWS)), ("test", slice(5 * ROWS, None))):
        got_images, got_labels = getattr(found, f"{part}_images"), getattr(found, f"{part}_labels")
        assert got_images.dtype == np.uint8 and got_labels.dtype == np.int64
        assert got_images.flags.c_contiguous and got_images.flags.writeable
        # The first 1024 of a row are the red plane, row by row.
        np.testing.assert_array_equal(got_images[:, 0, 0, 1], images[rows, 1])
        np.testing.assert_array_equal(got_images[:, 2, 31, 30], images[rows, 3070])
        np.testing.assert_array_equal(got_images.reshape(-1, 3072), images[rows])
        np.testing.assert_array_equal(got_labels, labels[rows])


def test_folder_and_its_parent(folder, arrays):
    found = cifar10(folder)
    assert_holds(found, arrays)
    assert repr(found) == f"Cifar10(20 training images, 4 test images, CIFAR-10 from {folder})"
    assert_holds(cifar10(str(folder.parent)), arrays)


def test_environment_names_the_folder(folder, arrays, monkeypatch):
    monkeypatch.setenv("FASTNN_CIFAR10", str(folder))
    assert_holds(cifar10(), arrays)


@pytest.mark.parametrize("compressed", [True, False])
def test_archive(tmp_path, arrays, kind, compressed):
    name = {"py": "cifar-10-python.tar.gz", "bin": "cifar-10-binary.tar.gz"}[kind]
    path = archive(tmp_path / name, f"cifar-10-batches-{kind}", contents(arrays, kind), compressed)
    assert_holds(cifar10(path), arrays)
    assert_holds(cifar10(tmp_path), arrays)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("keys", [bytes, str])
def test_pickles_of_any_protocol(tmp_path, arrays, protocol, keys):
    for name, (x, y) in zip(NAMES, arrays):
        (tmp_path / name).write_bytes(pickled(x, y, protocol, keys))
    assert_holds(cifar10(tmp_path), arrays)  # without batches.meta


def test_python_distribution_goes_first(folder, arrays, kind):
    other = folder.parent / f"cifar-10-batches-{'bin' if kind == 'py' else 'py'}"
    other.mkdir()
    for name, data in contents(arrays, other.name[-3:].strip("-")).items():
        (other / name).write_bytes(data)
    assert_holds(cifar10(folder.parent), arrays)
    (folder.parent / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"")
    with pytest.raises(ValueError, match="data_batch_1: damaged pickle"):
        cifar10(folder.parent)


def test_missing_files_are_named(folder, kind):
    end = ".bin" if kind == "bin" else ""
    (folder / f"data_batch_3{end}").unlink()
    (folder / f"test_batch{end}").unlink()
    message = (
        rf"missing in .*: data_batch_3{end}, test_batch{end}; the files are at https://www.cs.toronto.edu/~kriz/cifar.html"
    )
    with pytest.raises(FileNotFoundError, match=message):
        cifar10(folder)


def test_partial_sets(folder, kind, arrays):
    end = ".bin" if kind == "bin" else ""
    for name in NAMES[1:]:
        (folder / f"{name}{end}").unlink()
    found = cifar10(folder, partial=True)
    assert found.train_images.shape == (ROWS, 3, 32, 32) and found.test_images.shape == (0, 3, 32, 32)
    assert found.source == f"part of CIFAR-10 from {folder}"
    np.testing.assert_array_equal(found.train_labels, arrays[0][1])


def test_an_empty_batch(folder, kind):
    if kind != "bin":
        pytest.skip("a pickle file holds its arrays or is damaged")
    (folder / "data_batch_3.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"data_batch_3.bin: expected images, got none"):
        cifar10(folder)
    assert len(cifar10(folder, partial=True).train_labels) == 4 * ROWS


@pytest.mark.parametrize("partial", [False, True])
def test_nothing_there(tmp_path, partial):
    with pytest.raises(FileNotFoundError, match=r"expected path, or FASTNN_CIFAR10 .* https://www\.cs\.toronto\.edu"):
        cifar10(partial=partial)
    with pytest.raises(FileNotFoundError, match=r"missing in .*: data_batch_1.bin, .*, test_batch.bin; the files are at"):
        cifar10(tmp_path, partial=partial)
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*none; it is at https"):
        cifar10(tmp_path / "none", partial=partial)
    with pytest.raises(TypeError, match="partial must be True or False"):
        cifar10(tmp_path, partial=1)


def test_damaged_binary_file(folder, kind):
    if kind == "py":
        pytest.skip("for the binary format")
    path = folder / "data_batch_2.bin"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"data_batch_2.bin: truncated: expected rows of 3073 bytes, got 12291 bytes"):
        cifar10(folder)
    path.write_bytes(b"\x0a" + data[1:])
    with pytest.raises(ValueError, match=r"data_batch_2.bin: expected labels 0 to 9, got 10"):
        cifar10(folder)
    path.write_bytes(data)
    (folder / "batches.meta.txt").write_text("airplane\n")
    with pytest.raises(ValueError, match=r"batches.meta.txt: expected the names of 10 classes, got \['airplane'\]"):
        cifar10(folder)


@pytest.mark.parametrize(
    "batch, what",
    [
        ([1], "expected a dict, got a list"),
        ({"data": np.zeros((ROWS, 3072), np.uint8)}, "expected a dict with data and labels, got one with data"),
        ({"data": np.zeros((ROWS, 3071), np.uint8), "labels": [1] * ROWS}, r"expected data of shape \(N, 3072\), uint8"),
        ({"data": np.zeros((ROWS, 3072)), "labels": [1] * ROWS}, "got float64"),
        ({"data": b"abc", "labels": [1] * ROWS}, "got bytes"),
        ({"data": np.zeros((ROWS, 3072), np.uint8), "labels": [1]}, "expected labels to be 4 ints"),
        ({"data": np.zeros((ROWS, 3072), np.uint8), "labels": [1.0] * ROWS}, "expected labels to be 4 ints"),
        ({"data": np.zeros((ROWS, 3072), np.uint8), "labels": [1 << 70] * ROWS}, "expected labels to be 4 ints"),
        ({"data": np.zeros((ROWS, 3072), np.uint8), "labels": [1, 2, 3, 300]}, "expected labels 0 to 9, got 300"),
        ({"data": np.zeros((ROWS, 3072), np.uint8), "labels": [1, 2, 3, -1]}, "expected labels 0 to 9, got -1"),
    ],
)
def test_pickles_of_something_else(tmp_path, arrays, batch, what):
    for name, data in contents(arrays, "py").items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "data_batch_4").write_bytes(pickle.dumps(batch))
    with pytest.raises(ValueError, match=what) as error:
        cifar10(tmp_path)
    assert str(tmp_path / "data_batch_4") in str(error.value)


def test_archive_that_runs_something(tmp_path, arrays):
    class Exploit:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "mark"),)

    files = contents(arrays, "py") | {"data_batch_5": pickle.dumps({b"data": Exploit(), b"labels": []}, 2)}
    path = archive(tmp_path / "cifar.tar.gz", "cifar-10-batches-py", files)
    with pytest.raises(ValueError, match=r"cifar-10-batches-py/data_batch_5: refused at byte .*\.mkdir"):
        cifar10(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
@pytest.mark.parametrize("link", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_archive_with_links(tmp_path, arrays, target, link):
    files = contents(arrays, "py")
    files.pop("data_batch_1")
    path = tmp_path / "cifar.tar"
    archive(path, "cifar-10-batches-py", files, compressed=False)
    with tarfile.open(path, "a") as tar:
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        member.type, member.linkname = link, target
        tar.addfile(member)
    with pytest.raises(FileNotFoundError, match=r"missing in .*: data_batch_1;"):
        cifar10(path)


def test_archives_that_are_damaged_or_too_large(tmp_path, arrays, monkeypatch):
    files = sys.modules["fastnn.data._cifar_files"]
    path = archive(tmp_path / "cifar.tar.gz", "cifar-10-batches-py", contents(arrays, "py"))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"cifar\.tar\.gz: (damaged gzip stream|expected a folder or a tar archive)"):
        cifar10(path)
    for wrong in (b"", b"hello", gzip.compress(b"hello" * 1000)):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="expected a folder or a tar archive of CIFAR-10"):
            cifar10(path)
    path.write_bytes(data)
    monkeypatch.setattr(files, "LARGEST", 10_000)
    with pytest.raises(ValueError, match="expected at most 10000 bytes"):
        cifar10(path)
    monkeypatch.setattr(files, "LARGEST", 1 << 26)
    monkeypatch.setattr(files, "LARGEST_ARCHIVE", 50_000)
    with pytest.raises(ValueError, match="expected at most 50000 bytes in the archive"):
        cifar10(path)


# --- generated


def test_generated_images_have_the_form():
    images = generated_cifar10(205, 31, seed=3)
    assert isinstance(images, Cifar10) and len(set(images.classes)) == 10
    assert "generated" in images.source and "not CIFAR-10" in repr(images)
    for part, count in ((images[:2], 205), (images[2:4], 31)):
        assert part[0].shape == (count, 3, 32, 32) and part[0].dtype == np.uint8 and part[1].dtype == np.int64
        counts = np.bincount(part[1], minlength=10)
        assert len(counts) == 10 and counts.max() - counts.min() <= 1
        assert len({image.tobytes() for image in part[0]}) == count
    assert generated_cifar10(0, 0).train_images.shape == (0, 3, 32, 32)


def test_generated_images_depend_on_the_seed_alone():
    first, again, other = (
        generated_cifar10(50, 20, seed=1),
        generated_cifar10(50, 20, seed=1),
        generated_cifar10(50, 20, seed=2),
    )
    assert all((a == b).all() for a, b in zip(first[:4], again[:4]))
    assert (first.train_images != other.train_images).any()
    assert (generated_cifar10(10, 20, seed=1).test_images == first.test_images).all()
    assert not {image.tobytes() for image in first.train_images} & {image.tobytes() for image in first.test_images}


def test_noise_is_what_differs():
    clean = generated_cifar10(100, 0, noise=0)
    assert all(len(np.unique(image.reshape(3, -1), axis=1).T) == 2 for image in clean.train_images)  # two colours


def test_generated_images_can_be_learned():
    images = generated_cifar10(1500, 300, noise=0.05)
    network = fnn.Sequential(
        fnn.Conv2d(3, 12, 5, stride=2, rng=0),
        fnn.ReLU(),
        fnn.Conv2d(12, 24, 3, stride=2, rng=1),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Dense(24 * 3 * 3, 10, rng=2),
    )
    trainer = fnn.Trainer(network, None, fnn.Adam(lr=3e-3), seed=0)
    trainer.fit(images.train_images, images.train_labels, epochs=8, progress=False)
    assert trainer.evaluate(images.test_images, images.test_labels)["accuracy"] > 0.4  # a guess is right one time in ten


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"train": -1}, ValueError, "train must be at least 0"),
        ({"test": 1.5}, TypeError, "test must be an int"),
        ({"noise": -1}, ValueError, "noise must be at least 0"),
        ({"seed": None}, TypeError, "seed must be an int"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=f"generated_cifar10: {message}"):
        generated_cifar10(**arguments)
