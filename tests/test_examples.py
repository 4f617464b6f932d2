"""Every script in examples/ runs; one without an entry here fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"
# Arguments that make it quick, and what it prints then.
RUNS = {
    "train_lenet.py": (["--epochs", "1", "--samples", "1000", "--save", "lenet5.safetensors"], "test accuracy"),
    "own_kernel.py": ([], "plan and layers agree"),
}


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.py")))
def test_example_runs(tmp_path, name):
    arguments, printed = RUNS[name]
    environment = {key: value for key, value in os.environ.items() if key != "FASTNN_DATA"}
    done = subprocess.run(
        [sys.executable, "-W", "error", FOLDER / name, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
