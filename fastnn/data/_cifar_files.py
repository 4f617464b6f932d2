"""Finds the files of CIFAR-10 in folders and archives, and reads them into memory.

collect(path, names)
"""

import os

from ._streams import opened, read_at_most

FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")
LARGEST = 1 << 26  # bytes of a file; the published ones have 31 million
LARGEST_ARCHIVE = 1 << 29  # bytes of an archive, inflated; the published ones have 186 million


def collect(path, names):
    """{name: (where, data)} of those files that are there.

    Parameters
    ----------
    path : str
        A folder with such files, a folder with such a folder or archive in it, or an archive.
    names : set of str

    Raises
    ------
    ValueError
        If a file is too large or an archive is damaged.
    """
    if not os.path.isdir(path):
        return _from_archive(path, names)
    for folder in (path, *(os.path.join(path, name) for name in FOLDERS)):
        found = {name: os.path.join(folder, name) for name in names if os.path.isfile(os.path.join(folder, name))}
        if any("_batch" in name for name in found):
            return {name: (where, _from_file(where)) for name, where in found.items()}
    for name in ARCHIVES:
        if os.path.isfile(os.path.join(path, name)):
            return _from_archive(os.path.join(path, name), names)
    return {}


def _from_file(path):
    with open(path, "rb") as stream:
        return read_at_most(stream, LARGEST, path)


def _from_archive(path, names):
    """The regular files of a tar archive by the last part of their names; nothing is written to disk."""
    import tarfile

    found = {}
    try:
        with opened(path) as stream, tarfile.open(fileobj=_Limited(stream, path), mode="r|") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if name in names and member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    where = f"{path}: {member.name}"
                    found[name] = where, read_at_most(archive.extractfile(member), LARGEST, where)
    except tarfile.TarError as error:
        raise ValueError(f"{path}: expected a folder or a tar archive of CIFAR-10: {error}") from error
    return found


class _Limited:
    """A stream that ends in an error instead of in a bomb."""

    def __init__(self, stream, where):
        self.stream, self.where, self.left = stream, where, LARGEST_ARCHIVE

    def read(self, length):
        data = self.stream.read(length)
        self.left -= len(data)
        if self.left < 0:
            raise ValueError(f"{self.where}: expected at most {LARGEST_ARCHIVE} bytes in the archive, got more")
        return data
