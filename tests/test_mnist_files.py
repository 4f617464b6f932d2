"""MNIST from CSV files and from the historical pickle, alone and in the folder that `mnist` is given."""

import gzip
import os
import pickle
import time

import numpy as np
import pytest

from fastnn.data import Mnist, MnistSplits, mnist, read_mnist_csv, read_mnist_pickle, write_idx

HEADER = "label," + ",".join(f"{i}x{j}" for i in range(28) for j in range(28))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("FASTNN_DATA", raising=False)


@pytest.fixture
def digits(rng):
    def part(count):
        return rng.integers(0, 256, (count, 1, 28, 28)).astype(np.uint8), rng.integers(0, 10, count)

    return Mnist(*part(7), *part(3), "drawn")


def lines_of(images, labels):
    rows = np.column_stack([labels, images.reshape(-1, 784)]).tolist()
    return [",".join(map(str, row)) for row in rows]


def assert_equal(found, expected):
    for got, array in zip(found[:4], expected[:4]):
        assert got.dtype == array.dtype and got.flags.c_contiguous and got.flags.writeable
        np.testing.assert_array_equal(got, array)


# --- CSV


@pytest.mark.parametrize("header", ["", HEADER, HEADER.replace("label", '"label"'), "\ufeff" + HEADER, "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("compressed", [False, True])
def test_csv(tmp_path, digits, header, end, compressed):
    paths = []
    for i, part in enumerate((digits[:2], digits[2:4])):
        data = header + (end if "label" in header else "") + end.join(lines_of(*part)) + (end if i else "")
        data = data.encode()
        paths.append(tmp_path / f"{i}.csv")
        paths[-1].write_bytes(gzip.compress(data) if compressed else data)
    found = read_mnist_csv(*paths)
    assert isinstance(found, Mnist)
    assert_equal(found, digits)
    assert found.source == f"{paths[0]} and {paths[1]}"


def test_csv_of_many_lines_with_spaces_and_blank_lines(tmp_path, rng):
    images, labels = rng.integers(0, 256, (5000, 1, 28, 28)).astype(np.uint8), rng.integers(0, 10, 5000)
    lines = lines_of(images, labels)
    lines[4000] = lines[4000].replace(",", ", ")
    lines.insert(4500, "")
    path = tmp_path / "digits.csv"
    path.write_text("\n".join(lines) + "\n\n\n")
    start = time.perf_counter()
    found = read_mnist_csv(path, path)
    assert time.perf_counter() - start < 10  # 0.15 s on an idle machine; 60,000 lines take a second
    np.testing.assert_array_equal(found.train_images, images)
    np.testing.assert_array_equal(found.test_labels, labels)


@pytest.mark.parametrize("text", ["", "\n\n", HEADER, HEADER + "\n"])
def test_csv_without_digits(tmp_path, text):
    path = tmp_path / "digits.csv"
    path.write_text(text)
    assert read_mnist_csv(path, path).train_images.shape == (0, 1, 28, 28)


@pytest.mark.parametrize(
    "change, what",
    [
        (lambda line: line + ",0", "expected a label and 784 pixels, got 786 entries"),
        (lambda line: line.rsplit(",", 1)[0], "got 784 entries"),
        (lambda line: line.replace(",", ";"), "got 1 entries"),
        (lambda line: "10" + line[1:], "label: expected an integer of 0 to 9, got '10'"),
        (lambda line: "-1" + line[1:], "label: expected an integer of 0 to 9, got '-1'"),
        (lambda line: line.rsplit(",", 1)[0] + ",256", "pixel 784: expected an integer of 0 to 255, got '256'"),
        (lambda line: line.rsplit(",", 1)[0] + ",", "pixel 784: expected an integer of 0 to 255, got ''"),
        (lambda line: line.rsplit(",", 1)[0] + ",0.5", "pixel 784: expected an integer of 0 to 255, got '0.5'"),
        (lambda line: line.rsplit(",", 1)[0] + ",\xb2", "pixel 784: expected an integer"),
        (lambda line: "five" + line[1:], "label: expected an integer of 0 to 9, got 'five'"),
        (lambda line: line + " " * 20000, "expected 785 numbers, got more than 16384 bytes"),
    ],
)
@pytest.mark.parametrize("header", [[], [HEADER]], ids=["plain", "header"])
@pytest.mark.parametrize("row", [1, 4200])
def test_csv_errors_name_the_line(tmp_path, rng, change, what, header, row):
    images, labels = np.zeros((row + 2, 784), np.uint8), np.full(row + 2, 5)
    lines = lines_of(images, labels)
    lines[row] = change(lines[row])
    path = tmp_path / "digits.csv"
    path.write_text("\n".join([*header, *lines]), encoding="utf-8")
    with pytest.raises(ValueError, match=what) as error:
        read_mnist_csv(path, path)
    assert str(error.value).startswith(f"{path}: line {row + 1 + len(header)}: ")


def test_csv_with_the_label_last(tmp_path):
    path = tmp_path / "digits.csv"
    path.write_text(",".join(f"pixel{i}" for i in range(1, 785)) + ",class\n" + "0," * 784 + "5\n")
    with pytest.raises(ValueError, match="line 1: expected the label first, got it last"):
        read_mnist_csv(path, path)


# --- the pickle


def floats(digits, scale=256, dtype=np.float32):
    """Three pairs, the last two training digits being for validation."""
    x, y, x_test, y_test = digits[:4]
    pairs = (x[:5], y[:5]), (x[5:], y[5:]), (x_test, y_test)
    return tuple(((x.reshape(-1, 784) / dtype(scale)).astype(dtype), y) for x, y in pairs)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("compressed", [False, True])
def test_pickle(tmp_path, digits, protocol, dtype, compressed):
    pairs = tuple((x.astype(dtype), y) for x, y in floats(digits))
    data = pickle.dumps(pairs, protocol)
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(data) if compressed else data)
    found = read_mnist_pickle(path)
    assert isinstance(found, MnistSplits)
    assert repr(found.validation) == "MnistPart(2 digits)"
    assert found.train.images is found[0][0]
    for part, (images, labels) in zip(found, pairs):
        assert part.images.dtype == np.float32 and part.images.dtype.isnative
        assert part.labels.dtype == np.int64
        np.testing.assert_array_equal(part.images, images)
        np.testing.assert_array_equal(part.labels, labels)


def test_pickle_that_runs_something(tmp_path):
    class Exploit:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "mark"),)

    path = tmp_path / "mnist.pkl"
    path.write_bytes(pickle.dumps((Exploit(), 1, 2), 2))
    for read in (read_mnist_pickle, lambda path: mnist(path.parent)):
        with pytest.raises(ValueError, match=r"mnist.pkl: refused at byte .*\.mkdir") as error:
            read(path)
        assert str(path) in str(error.value)
    assert not (tmp_path / "mark").exists()


GOOD = np.zeros((2, 784), np.float32), np.array([1, 2])


@pytest.mark.parametrize(
    "content, what",
    [
        ({"train": GOOD}, r"expected three pairs \(images, labels\): training, validation, test; got a dict of 1"),
        ((GOOD, GOOD), "got a tuple of 2"),
        ((GOOD, GOOD, 5), "got a tuple of 3"),
        (5, "got a int"),
        ((GOOD, GOOD, (GOOD[0][:, 1:], GOOD[1])), r"test part: expected images of shape \(N, 784\), floats, .*\(2, 783\)"),
        ((GOOD, (GOOD[0].astype(np.uint8), GOOD[1]), GOOD), "validation part: expected images .* floats, got uint8"),
        ((("x", "y"), GOOD, GOOD), "training part: expected images"),
        (([[[1.0], [1.0, 2.0]], [1]], GOOD, GOOD), "training part: expected images"),
        (((GOOD[0], GOOD[1] * 1.0), GOOD, GOOD), r"training part: expected labels of shape \(N,\), integers, got float64"),
        (((GOOD[0], GOOD[1][:, None]), GOOD, GOOD), r"expected labels of shape \(N,\)"),
        (((GOOD[0], GOOD[1][:1]), GOOD, GOOD), "expected 2 labels, one for each image, got 1"),
        (((GOOD[0], GOOD[1] + 8), GOOD, GOOD), "expected labels 0 to 9, got 10"),
        (((GOOD[0], GOOD[1] - 2), GOOD, GOOD), "expected labels 0 to 9, got -1"),
        (((GOOD[0] + 2, GOOD[1]), GOOD, GOOD), r"expected pixels within 0..1, got 2 to 2"),
        (((GOOD[0] + np.nan, GOOD[1]), GOOD, GOOD), "expected pixels within 0..1, got nan"),
    ],
)
def test_pickles_of_something_else(tmp_path, content, what):
    path = tmp_path / "mnist.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=what) as error:
        read_mnist_pickle(path)
    assert str(error.value).startswith(str(path))


# --- folders


@pytest.mark.parametrize("end", ["", ".gz"])
def test_folder_of_csv_files(tmp_path, digits, end):
    for name, part in (("mnist_train.csv", digits[:2]), ("mnist_test.csv", digits[2:4])):
        data = "\n".join([HEADER, *lines_of(*part)]).encode()
        (tmp_path / (name + end)).write_bytes(gzip.compress(data) if end else data)
    found = mnist(tmp_path)
    assert_equal(found, digits)
    assert repr(found) == f"Mnist(7 training digits, 3 test digits, full set from {tmp_path})"


@pytest.mark.parametrize("scale", [255, 256])
def test_folder_of_a_pickle(tmp_path, digits, scale):
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(floats(digits, scale))))
    found = mnist(tmp_path)
    assert isinstance(found, Mnist)
    assert_equal(found, digits)
    assert found.source == f"full set from {tmp_path}"


def test_pixels_that_were_never_bytes(tmp_path, digits):
    (tmp_path / "mnist.pkl").write_bytes(pickle.dumps(floats(digits, 300)))
    with pytest.raises(ValueError, match=r"expected pixels that were bytes, divided by 255 or 256; read_mnist_pickle takes"):
        mnist(tmp_path)


def test_idx_files_go_first_and_csv_files_second(tmp_path, digits):
    (tmp_path / "mnist.pkl").write_bytes(b"nothing")
    (tmp_path / "mnist_train.csv").write_text("\n".join(lines_of(*digits[:2])))
    with pytest.raises(FileNotFoundError, match=r"missing in .*: mnist_test\.csv \(plain or \.gz\)"):
        mnist(tmp_path)
    (tmp_path / "mnist_test.csv").write_text("\n".join(lines_of(*digits[2:4])))
    assert_equal(mnist(tmp_path), digits)
    write_idx(tmp_path / "train-labels-idx1-ubyte", digits.train_labels.astype(np.uint8))
    with pytest.raises(FileNotFoundError, match=r"missing in .*: train-images-idx3-ubyte, t10k-images"):
        mnist(tmp_path)
