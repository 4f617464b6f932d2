"""Runs lessons of the course in this process."""

import contextlib
import io
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "course"


class Ran:
    """A lesson that has run: ``ran["name"]`` is a variable of the script.

    Attributes
    ----------
    printed : str
    out : pathlib.Path
        Folder of its pictures.
    """

    def __init__(self, variables, printed, out):
        self._variables, self.printed, self.out = variables, printed, out

    def __getitem__(self, name):
        return self._variables[name]

    def assert_pictures(self, *names):
        """The lesson has written exactly these pictures, and none is empty."""
        own = self._variables["lesson"].name
        assert {path.name for path in self.out.glob("*")} == {f"{own}_{name}.png" for name in names}
        assert all(path.read_bytes()[:4] == b"\x89PNG" for path in self.out.glob("*"))


@pytest.fixture(scope="module")
def run_lesson(tmp_path_factory):
    """(name, *arguments) -> Ran. Lessons run with ``--quick`` unless told ``quick=False``."""

    def run(name, *arguments, quick=True):
        out, printed = tmp_path_factory.mktemp(name), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, np.printoptions(), contextlib.redirect_stdout(printed):
            patch.syspath_prepend(FOLDER)
            patch.setattr(sys, "argv", [f"{name}.py", str(out), *(["--quick"] if quick else []), *arguments])
            variables = runpy.run_path(str(FOLDER / f"{name}.py"))
        return Ran(variables, printed.getvalue(), out)

    return run


@pytest.fixture(scope="session")
def full_mnist():
    """Skips where the full MNIST is missing."""
    if not os.environ.get("FASTNN_DATA"):
        pytest.skip("FASTNN_DATA does not name a folder with the full MNIST")
