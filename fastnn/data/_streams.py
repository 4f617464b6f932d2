"""Files that may be compressed with gzip, known by their content and not by their names."""

import contextlib
import os

_CHUNK = 1 << 20


@contextlib.contextmanager
def opened(path):
    """Open `path` for reading bytes, inflated if it is a gzip stream.

    Parameters
    ----------
    path : str or os.PathLike

    Yields
    ------
    stream : binary file object

    Raises
    ------
    ValueError
        Where a gzip stream turns out to be damaged. Names the file.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> import gzip, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "greeting")
    ...     _ = path.write_bytes(gzip.compress(b"hello"))
    ...     with opened(path) as stream:
    ...         print(stream.read())
    b'hello'
    """
    import gzip
    import zlib

    path = os.fspath(path)
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not compressed:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: damaged gzip stream: {error}") from error


def read_at_most(stream, limit, where):
    """All that `stream` holds; in chunks, so that a compressed bomb costs no more than `limit` bytes.

    Raises
    ------
    ValueError
        If it holds more than `limit` bytes.
    """
    data = bytearray()
    while chunk := stream.read(min(_CHUNK, limit + 1 - len(data))):
        data += chunk
        if len(data) > limit:
            raise ValueError(f"{where}: expected at most {limit} bytes (inflated, if it is compressed), got more")
    return data
