"""Tables of measurements: Markdown, the machine they were made on, and their places in a document."""

import datetime
import os
import platform
import re
import sys
from importlib import metadata


def markdown(header, rows):
    """A table of cells; the first column is of words, the others are of figures.

    Examples
    --------
    >>> print(markdown(("network", "rate"), [("lenet", "5")]))
    | network | rate |
    |:--|--:|
    | lenet | 5 |
    """
    rule = "|:--|" + "--:|" * (len(header) - 1)
    return "\n".join(["| " + " | ".join(header) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)])


def machine(threads, *packages):
    """A line that says where and with which versions something was measured."""
    from fastnn.info import info

    facts = info()
    versions = [f"{name} {metadata.version(package)}" for name, package in packages]
    on = f"{_cpu_name() or platform.machine()} ({facts['cpu']}, vectors of {facts['vector width']})"
    used = f"{threads} thread{'s' if threads != 1 else ''} on {os.cpu_count()} CPUs"
    python = f"Python {platform.python_version()}"
    date = datetime.date.today().isoformat()
    return ", ".join([on, used, f"fastnn {facts['fastnn']}", *versions, f"Numba {facts['numba']}", python, date])


def _cpu_name():
    """What the processor calls itself, on Linux."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    except OSError:
        return None
    return found and found[1]


def has_torch():
    """Whether PyTorch is installed; does not import it."""
    try:
        metadata.version("torch")
    except metadata.PackageNotFoundError:
        return False
    return True


def warn_if_busy():
    """Say so where others are at work: figures are then rough, and those of engines that spin while they wait far too low."""
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print(f"warning: the machine is busy, its load is {os.getloadavg()[0]:.1f}", file=sys.stderr)


def write_section(path, name, text):
    """Replace what stands in a document between the comments ``<!-- measured: name -->`` and ``<!-- end -->``."""
    with open(path, encoding="utf-8") as file:
        document = file.read()
    section = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    found = section.search(document)
    if found is None:
        sys.exit(f"{path} has no section <!-- measured: {name} --> ... <!-- end -->")
    with open(path, "w", encoding="utf-8") as file:
        file.write(document[: found.start()] + found[1] + text + "\n" + found[2] + document[found.end() :])
