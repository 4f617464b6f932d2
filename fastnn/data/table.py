"""Tables from CSV files.

read_csv(path)
"""

import csv
import io
import os

import numpy as np

from ._streams import opened


def read_csv(path, columns=None):
    """Read a table with a header line: an array for each column.

    Parameters
    ----------
    path : str or os.PathLike
        Text in UTF-8 with commas between entries, which may be in quotes; plain or gzip.
    columns : list of str, optional
        Which columns, in which order; without it, all of them.

    Returns
    -------
    dict of str to (N,) array
        float64 where all entries of a column are numbers or empty, an empty one being NaN; else str, as they stand.
        ``np.column_stack(list(table.values()))`` makes a matrix of columns of numbers.

    Raises
    ------
    ValueError
        If a line has more or fewer entries than the header, a name is in it twice, a column is missing, or the file is not
        text in UTF-8. Names the file, and the line where there is one.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "admissions.csv")
    ...     _ = path.write_text("name,grade,admitted\\nAda,1.3,1\\nBob,,0\\n")
    ...     read_csv(path)
    {'name': array(['Ada', 'Bob'], dtype='<U3'), 'grade': array([1.3, nan]), 'admitted': array([1., 0.])}
    """
    path = os.fspath(path)
    if isinstance(columns, str):
        raise TypeError(f"read_csv: expected columns to be a list of names, got {columns!r}")
    with opened(path) as stream:
        reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
        try:
            names = [name.strip() for name in next(reader, [])]
            _check_names(names, path)
            wanted = names if columns is None else list(columns)
            if missing := [name for name in wanted if name not in names]:
                raise ValueError(f"{path}: expected columns {', '.join(map(repr, missing))}, got {', '.join(map(repr, names))}")
            entries = [[] for _ in names]
            for row in reader:
                if not row:
                    continue  # a blank line
                if len(row) != len(names):
                    raise ValueError(f"{path}: line {reader.line_num}: expected {len(names)} entries, got {len(row)}")
                for column, entry in zip(entries, row):
                    column.append(entry)
        except csv.Error as error:
            raise ValueError(f"{path}: line {reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: expected text in UTF-8: {error}") from error
    return {name: _column(entries[names.index(name)]) for name in wanted}


def _check_names(names, path):
    if not names:
        raise ValueError(f"{path}: line 1: expected the names of columns, got nothing")
    for name in names:
        if not name or names.count(name) > 1:
            raise ValueError(f"{path}: line 1: expected a name of its own for each column, got {name!r}")


def _column(entries):
    """float64 if all entries are numbers or empty, and one is a number; else str."""
    try:
        if any("_" in entry for entry in entries):  # which Python takes for a number's separator
            raise ValueError
        numbers = [float(entry) if entry.strip() else np.nan for entry in entries]
    except ValueError:
        return np.array(entries, str)
    return np.array(numbers, np.float64) if any(map(str.strip, entries)) or not entries else np.array(entries, str)
