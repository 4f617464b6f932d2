"""The IDX format, in which MNIST and its relatives are published: any array of its six types, plain or gzip.

    read_idx(path)
    write_idx(path, array)

A file is 00 00, a type code, the number of dimensions (one byte each), the dimensions (four bytes each), then the
elements in row-major order; everything is big-endian. See http://yann.lecun.com/exdb/mnist/.
"""

import math
import os
import struct

import numpy as np

from .._files import atomic_write

TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_CHUNK = 1 << 20


def read_idx(path):
    """Read an array from an IDX file.

    The file's size is compared with what its header claims before anything is allocated. A gzip stream (known by its
    content, not its name) is measured in chunks first and read into the array in a second pass, so that a false
    header or a compressed bomb costs no more than a chunk.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    array : ndarray
        Any number of dimensions that NumPy can hold; uint8, int8, int16, int32, float32 or float64, in the machine's
        byte order.

    Raises
    ------
    ValueError
        If the file is not IDX, is truncated, has bytes left over, or is a damaged gzip stream. Names the file.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "weights.idx.gz")
    ...     write_idx(path, np.array([[1.5, 2.5]], dtype=np.float32))
    ...     read_idx(path)
    array([[1.5, 2.5]], dtype=float32)
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if compressed:
            return _read_gzip(file, path)
        dtype, shape = _read_header(file, path)
        _check_size(path, dtype, shape, os.fstat(file.fileno()).st_size - file.tell())
        return _read_array(file, path, dtype, shape)


def write_idx(path, array):
    """Write an array as an IDX file, compressed with gzip where the name ends in ``.gz``.

    The file appears complete or not at all. Equal arrays give equal bytes (the gzip header holds no time and no name).

    Parameters
    ----------
    path : str or os.PathLike
    array : ndarray
        uint8, int8, int16, int32, float32 or float64, of any shape, strides and byte order.

    Raises
    ------
    TypeError
        If `array` is not an array, or IDX has no code for its dtype.
    ValueError
        If a dimension exceeds 2**32 - 1.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels.idx")
    ...     write_idx(path, np.array([5, 0, 4], dtype=np.uint8))
    ...     path.read_bytes().hex(" ")
    '00 00 08 01 00 00 00 03 05 00 04'
    """
    path = os.fspath(path)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"write_idx: expected an ndarray, got {type(array).__name__}")
    codes = {name: code for code, name in TYPES.items()}
    if array.dtype.name not in codes:
        raise TypeError(f"write_idx: expected dtype {', '.join(codes)}, got array.dtype={array.dtype}")
    if max(array.shape, default=0) >= 1 << 32:
        raise ValueError(f"write_idx: expected dimensions below 2**32, got array.shape={array.shape}")

    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[array.dtype.name], array.ndim, *array.shape)
    data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">"))
    with atomic_write(path) as file:
        if path.endswith(".gz"):
            import gzip

            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as stream:
                stream.write(header)
                stream.write(_as_bytes(data))
        else:
            file.write(header)
            file.write(_as_bytes(data))


def _read_gzip(file, path):
    """Read an array from an open gzip file: one pass to measure the stream, one to read it."""
    import gzip
    import zlib

    try:
        with gzip.GzipFile(fileobj=file) as stream:
            dtype, shape = _read_header(stream, path)
            claimed, actual = _byte_count(dtype, shape), 0
            # One byte too many is enough to know; what else a bomb holds is never inflated.
            while actual <= claimed and (got := len(stream.read(min(_CHUNK, claimed + 1 - actual)))):
                actual += got
        _check_size(path, dtype, shape, actual)
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as stream:
            stream.read(4 + 4 * len(shape))
            return _read_array(stream, path, dtype, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged gzip stream: {error}") from error


def _read_header(stream, path):
    """The dtype (big-endian) and shape that an IDX file claims."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise ValueError(f"{path}: truncated: expected an IDX header of at least 4 bytes, got {len(magic)}")
    if magic[:2] != b"\0\0" or magic[2] not in TYPES:
        codes = ", ".join(f"{code:02x}" for code in TYPES)
        raise ValueError(f"{path}: not an IDX file: expected 00 00 and one of the type codes {codes}, got {magic[:3].hex(' ')}")
    ndim = magic[3]
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"{path}: truncated: expected {ndim} dimensions of 4 bytes, got {len(sizes)} bytes")
    return np.dtype(TYPES[magic[2]]).newbyteorder(">"), struct.unpack(f">{ndim}I", sizes)


def _byte_count(dtype, shape):
    """Bytes that the elements take, in Python integers: 255 dimensions of 2**32 - 1 do not overflow."""
    return math.prod(shape) * dtype.itemsize


def _check_size(path, dtype, shape, actual):
    claimed = _byte_count(dtype, shape)
    if actual == claimed:
        return
    what, got = ("truncated", f"got {actual}") if actual < claimed else ("oversized", f"got at least {actual}")
    raise ValueError(f"{path}: {what}: expected {claimed} bytes for {dtype.name} of shape {shape}, {got}")


def _read_array(stream, path, dtype, shape):
    """Read the elements, which follow in `stream`."""
    try:
        array = np.empty(shape, dtype)
    except ValueError as error:  # more dimensions than NumPy has; or an empty array with huge other dimensions
        raise ValueError(f"{path}: NumPy cannot hold an array of shape {shape}: {error}") from error
    data = memoryview(_as_bytes(array))
    done = 0
    while done < len(data):
        got = stream.readinto(data[done : done + _CHUNK])
        if not got:
            raise ValueError(f"{path}: truncated while it was read")
        done += got
    return array if array.dtype.isnative else array.byteswap(inplace=True).view(array.dtype.newbyteorder())


def _as_bytes(array):
    """The memory of a C-contiguous array as uint8, one-dimensional."""
    return array.reshape(-1).view(np.uint8)
