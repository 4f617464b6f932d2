"""Writing files so that a reader never meets half of one."""

import contextlib
import errno
import os


@contextlib.contextmanager
def atomic_write(path):
    """Open `path` for writing bytes; it appears, or changes, only when the ``with`` block ends without an error.

    The bytes go to a new file in the same folder, which then takes the name. A symbolic link stays a link to its file.

    Parameters
    ----------
    path : str or os.PathLike

    Yields
    ------
    file : binary file object, write only

    Raises
    ------
    OSError
        If the folder is missing or not writable, or if `path` is a folder or a device. `path` is untouched then.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "greeting")
    ...     with atomic_write(path) as file:
    ...         _ = file.write(b"hello")
    ...     path.read_bytes()
    b'hello'
    """
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, "is a folder", os.fspath(path))
    if os.path.exists(target) and not os.path.isfile(target):
        # Renaming onto /dev/null would replace the device.
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, f"no such folder: {folder}", os.fspath(path))
    temporary = os.path.join(folder, f".fastnn-{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def check_writable(path):
    """Raise the OSError that `atomic_write` would raise at its start; leave nothing behind.

    Examples
    --------
    >>> check_writable("no/such/folder/model.safetensors")
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] no such folder: ...
    """

    class Abandoned(Exception):
        pass

    with contextlib.suppress(Abandoned), atomic_write(path):
        raise Abandoned
