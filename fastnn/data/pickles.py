"""Pickle files, read as data: arrays, numbers, strings, lists, tuples and dicts, and nothing else.

read_pickle(path)
"""

import os

from ..layers.checks import as_int
from ._pickle_machine import ENCODINGS, LIMIT, load
from ._streams import opened, read_at_most


def read_pickle(path, *, encoding="latin1", limit=LIMIT):
    """Read plain data from a pickle file, plain or gzip, of any protocol, by Python 2 or 3 and NumPy 1 or 2.

    ``pickle.load`` runs whatever function a file names. This reader has no means to: it admits NumPy arrays and scalars of
    numbers, bools, bytes and strings, their dtypes, Python's None, bools, ints, floats, bytes, strings, lists, tuples and
    dicts, and refuses the file at the first thing that is none of them. What a file claims about its sizes is compared with
    the bytes that are there before memory is allocated.

    Parameters
    ----------
    path : str or os.PathLike
    encoding : "latin1" or "bytes"
        What the strings of Python 2 become: str, or bytes as they are. Arrays are the same with both.
    limit : int
        Bytes that the file may hold, once inflated, and again that arrays may be made of: a compressed bomb ends there.

    Returns
    -------
    object
        Arrays are the caller's own, in the byte order of the file.

    Raises
    ------
    ValueError
        If the file holds, or names, anything else; if it is damaged, truncated, has bytes left over, exceeds `limit`,
        holds more than 16 million instructions, 100 levels, 10,000 keys that are tuples or ints of more than 60 bits, or
        data that contains itself. Names the file, the position and what was refused.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, pickle, tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "batch.pkl")
    ...     _ = path.write_bytes(pickle.dumps({"labels": [3, 8], "data": np.eye(2, dtype=np.uint8)}))
    ...     read_pickle(path)
    {'labels': [3, 8], 'data': array([[1, 0], [0, 1]], dtype=uint8)}
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"read_pickle: encoding must be 'latin1' or 'bytes', got {encoding!r}")
    limit = as_int(limit, "read_pickle: limit", 0)
    path = os.fspath(path)
    with opened(path) as stream:
        data = read_at_most(stream, limit, path)
    return load(data, path, encoding, limit)
