"""What fastnn runs on: versions, processor, threads, compile cache."""

import platform
from importlib import metadata

from ._version import __version__
from .kernels import host


def info():
    """Facts about this installation and machine, for a bug report.

    Returns
    -------
    dict of str to str
        Versions (fastnn, python, numpy, numba, llvmlite), cpu, features, vector width, threads, threading layer,
        cache folder.

    Examples
    --------
    >>> list(info())[:5]
    ['fastnn', 'python', 'numpy', 'numba', 'llvmlite']
    """
    machine = host.describe()
    width = machine["vector_bytes"]
    return {
        "fastnn": __version__,
        "python": f"{platform.python_version()} ({platform.system()}, {platform.machine()})",
        **{name: metadata.version(name) for name in ("numpy", "numba", "llvmlite")},
        "cpu": machine["cpu"],
        "features": " ".join(machine["features"]),
        "vector width": f"{width} bytes ({width // 4} float32, {width // 8} float64)",
        "threads": str(machine["threads"]),
        "threading layer": machine["threading_layer"],
        "cache folder": machine["cache_dir"] or "none is writable: kernels are compiled anew by each process",
    }


def info_text(width=100):
    """The same facts as lines of text, names on the left; long values are wrapped at `width` columns.

    Examples
    --------
    >>> print(info_text())                                                      # doctest: +ELLIPSIS
    fastnn           ...
    """
    import textwrap

    facts = info()
    column = max(map(len, facts)) + 2
    return "\n".join(
        # A path is never broken: a line may be longer than `width` then.
        textwrap.fill(
            value,
            width,
            initial_indent=name.ljust(column),
            subsequent_indent=" " * column,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, value in facts.items()
    )
