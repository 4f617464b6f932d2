"""Versions of packages, kept beside asv's results: asv notes only those that its matrix names.

``results/<machine>/versions.jsonl`` has a line for each run: files of several runs merge by putting one under the other. Its
name does not end in ``.json``, because asv takes all files that do for results.

    python -m asv_bench.dashboard.versions --commit HASH     adds a line, of the packages of the Python that runs it
"""

import argparse
import json
import platform
from importlib import metadata
from pathlib import Path

from asv.machine import Machine

NAME = "versions.jsonl"
PACKAGES = {"fastnn": "fastnn-numba", "numpy": "numpy", "numba": "numba", "llvmlite": "llvmlite", "asv": "asv"}


def current():
    """Versions of Python and of the packages that count, of those that are installed: name -> version."""
    found = {"python": platform.python_version()}
    for name, package in PACKAGES.items():
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def record(results_dir, machine, commit):
    """Note the versions of this Python's packages for a run on a commit.

    Parameters
    ----------
    results_dir : path
        asv's folder of results.
    machine : str
        asv's name of the machine.
    commit : str
        The whole hash.
    """
    path = Path(results_dir) / machine / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    append(path, {"commit": commit, "versions": current()})


def read(results_dir, machine, commit):
    """Versions noted last for a commit; empty if there are none."""
    noted = [line for line in read_lines(Path(results_dir) / machine / NAME) if line.get("commit") == commit]
    return dict(noted[-1].get("versions", {})) if noted else {}


def append(path, line):
    """Add a line to a file of JSON lines."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(path):
    """The objects in a file of JSON lines, none if it is missing."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main():
    parser = argparse.ArgumentParser(description="note the versions of this Python's packages beside asv's results")
    parser.add_argument("--commit", required=True, help="the whole hash of the commit that was measured")
    parser.add_argument("--results", default=Path(__file__).resolve().parents[1] / "results", metavar="FOLDER")
    parser.add_argument("--machine", default=Machine.get_unique_machine_name(), help="default: as asv finds it")
    options = parser.parse_args()
    record(options.results, options.machine, options.commit)


if __name__ == "__main__":
    main()
