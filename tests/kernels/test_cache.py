"""The compile cache: never stale, never needed, nothing compiled at import."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import kernels

RELU = """
import numpy as np
from fastnn.kernels import dense, _jit
out = np.empty((2, 2))
dense.dense_forward(out, np.ones((2, 3)), np.ones((2, 3)), None)
print(out[0, 0], _jit.cache_dir())
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package whose files can be edited, and a way to run code on it with its own cache."""
    package = tmp_path / "site" / "fastnn"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastnn.__file__).parent, package, ignore=skip)
    shutil.copytree(Path(kernels.__file__).parent, package / "kernels", ignore=skip, dirs_exist_ok=True)

    def run(code, **environment):
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        env["PYTHONPATH"] = str(package.parent)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={**env, **environment}, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    run.package = package
    run.cache = tmp_path / "cache"
    return run


def test_editing_a_callee_in_another_file_runs_the_new_code(copy):
    assert copy(RELU)[0] == "3.0"
    assert copy(RELU)[0] == "3.0"
    tile = copy.package / "kernels" / "tiles.py"
    text = tile.read_text()
    # Where a dot tile stores its sums, store their negatives.
    edited = text.replace(
        "                        emit.store(value, pointer)", "                        emit.store(builder.fneg(value), pointer)"
    )
    assert edited != text
    tile.write_text(edited)
    assert copy(RELU)[0] == "-3.0"
    tile.write_text(text)
    assert copy(RELU)[0] == "3.0"


def test_second_process_loads_what_the_first_compiled(copy):
    copy(RELU)
    before = {path: path.stat().st_mtime_ns for path in copy.cache.rglob("*.nb?")}
    assert before
    copy(RELU)
    assert {path: path.stat().st_mtime_ns for path in copy.cache.rglob("*.nb?")} == before


def test_works_without_any_writable_place(copy):
    copy.cache.write_text("a file where the cache folder should be")
    value, folder = copy(RELU)
    assert (value, folder) == ("3.0", "None")


def test_import_compiles_nothing_and_starts_no_thread(copy):
    code = """
import threading, time
import fastnn
from fastnn.kernels import _threads
from numba.core import event
assert threading.active_count() == 1, threading.enumerate()
assert _threads._pool.workers == 0
print(len(_threads._execute.overloads))
"""
    assert copy(code) == ["0"]
    assert not list(copy.cache.rglob("*.nb?"))


def test_bounds_checked_code_has_its_own_folder(copy):
    plain, checked = copy(RELU, NUMBA_BOUNDSCHECK="0")[1], copy(RELU, NUMBA_BOUNDSCHECK="1")[1]
    assert plain != checked


@pytest.mark.parametrize("features", [("generic", ""), ("haswell", "+avx,+avx2,+fma,+bmi,+sse4.2")], ids=["generic", "avx2"])
def test_other_instruction_sets_give_the_same_results(copy, features):
    if "x86" not in platform.machine().lower():
        pytest.skip("names of x86 processors")
    code = """
import numpy as np
from fastnn import kernels
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    x, weight, bias = (rng.standard_normal(s).astype(dtype) for s in ((3, 2, 11, 13), (5, 2, 3, 2), (5,)))
    out, dx, dweight = np.full((3, 5, 6, 7), np.nan, dtype), np.full_like(x, np.nan), np.full_like(weight, np.nan)
    dout = rng.standard_normal(out.shape).astype(dtype)
    a, w = rng.standard_normal((37, 21)).astype(dtype), rng.standard_normal((19, 21)).astype(dtype)
    y, dw = np.full((37, 19), np.nan, dtype), np.full_like(w, np.nan)
    results = []
    for k in (kernels, kernels.reference):
        options = ((2, 2), (1, 1), (1, 1), 1)
        k.conv.conv2d_forward(out, x, weight, bias, *options)
        k.conv.conv2d_backward_input(dx, dout, weight, *options)
        k.conv.conv2d_backward_weight(dweight, x, dout, *options)
        k.dense.dense_forward(y, a, w, None)
        k.dense.dense_backward_weight(dw, a, y)
        s = np.full_like(y, np.nan)
        k.activations.sigmoid_forward(s.reshape(-1), y.reshape(-1))
        results.append([v.copy() for v in (out, dx, dweight, y, dw, s)])
    for one, other in zip(*results):
        tolerance = 1e-4 if dtype == np.float32 else 1e-11
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
print(kernels.host.vector_bytes())
"""
    name, flags = features
    found = copy(code, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=flags)
    assert found == [{"generic": "16", "haswell": "32"}[name]]
