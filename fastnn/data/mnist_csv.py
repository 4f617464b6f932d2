"""MNIST as CSV: a digit in each line, its label first, then its 784 pixels.

read_mnist_csv(train_path, test_path)
"""

import os
import warnings

import numpy as np

from ._mnist import Mnist
from ._streams import opened

COLUMNS = 785
_AT_ONCE = 4096  # lines
_BOM = "\xef\xbb\xbf"  # of UTF-8, as spreadsheets write it
_LONGEST = 1 << 14  # bytes of a line: 785 numbers of 3 digits, with room for spaces


def read_mnist_csv(train_path, test_path):
    """Read two CSV files of digits, plain or gzip, with a header line or without.

    Parameters
    ----------
    train_path, test_path : str or os.PathLike
        In each line a label, 0 to 9, and 784 pixels, 0 to 255, row by row, with commas between them.

    Returns
    -------
    Mnist
        train_images, train_labels, test_images, test_labels and source.

    Raises
    ------
    ValueError
        If a file holds anything else. Names the file and the line.
    OSError
        If a file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "mnist_test.csv")
    ...     _ = path.write_text("7" + ",255" * 784 + "\\n")
    ...     digits = read_mnist_csv(path, path)
    >>> digits.test_labels, digits.test_images.shape
    (array([7]), (1, 1, 28, 28))
    """
    train_path, test_path = os.fspath(train_path), os.fspath(test_path)
    return Mnist(*_read(train_path), *_read(test_path), f"{train_path} and {test_path}")


def _read(path):
    """(images, labels) of one file."""
    parts = [np.empty((0, COLUMNS), np.uint8)]
    with opened(path) as stream:
        number, lines = 1, _lines(stream, path, 1)
        while lines:
            if number == 1:
                lines[0] = lines[0].removeprefix(_BOM)
            skipped = number == 1 and _is_header(lines[0], path)
            parts.append(_parse(lines[skipped:], path, number + skipped))
            number += len(lines)
            lines = _lines(stream, path, number)
    table = np.concatenate(parts)
    images, labels = table[:, 1:].reshape(-1, 1, 28, 28), table[:, 0].astype(np.int64)
    return np.ascontiguousarray(images), labels


def _lines(stream, path, number):
    """The next lines, `number` being the first one's; none at the end of the file."""
    lines = []
    while len(lines) < _AT_ONCE and (line := stream.readline(_LONGEST + 1)):
        if len(line) > _LONGEST:
            raise ValueError(f"{path}: line {number + len(lines)}: expected {COLUMNS} numbers, got more than {_LONGEST} bytes")
        lines.append(line.decode("latin1"))
    return lines


def _is_header(line, path):
    """Whether a first line has names in it: its first entry is not a number."""
    first, *_, last = (entry.strip().strip('"') for entry in (line + ",").split(",")[:COLUMNS])
    if last.lower() in ("label", "class"):
        raise ValueError(f"{path}: line 1: expected the label first, got it last")
    return bool(first) and not first.lstrip("+-").replace(".", "").isdecimal()


def _parse(lines, path, number):
    """(len(lines), 785) uint8; blank lines are left out."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return np.empty((0, COLUMNS), np.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # older NumPy reads "3.7" as 3, with a warning
            table = np.loadtxt(filled, np.uint8, comments=None, delimiter=",", ndmin=2)
    except (ValueError, Warning):
        table = None
    if table is None or table.shape[1] != COLUMNS or table[:, 0].max() > 9:
        _find_error(lines, path, number)
    return table


def _find_error(lines, path, number):
    """Raise ValueError for the first line that is wrong; NumPy counts in another way."""
    for i, line in enumerate(lines, number):
        entries = line.split(",") if line.strip() else []
        if entries and len(entries) != COLUMNS:
            raise ValueError(f"{path}: line {i}: expected a label and 784 pixels, got {len(entries)} entries")
        for j, entry in enumerate(entries):
            text, (what, most) = entry.strip(), ("label", 9) if j == 0 else (f"pixel {j}", 255)
            if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
                raise ValueError(f"{path}: line {i}: {what}: expected an integer of 0 to {most}, got {text!r:.20}")
    raise ValueError(f"{path}: lines {number} to {number + len(lines) - 1}: expected a label and 784 pixels in each")
