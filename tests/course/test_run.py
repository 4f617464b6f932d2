"""run.py, which runs lessons one after another."""

import os
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "examples" / "course" / "run.py"


def run(folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if key not in ("FASTNN_DATA", "FASTNN_CIFAR10")}
    command = [sys.executable, "-W", "error", RUN, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_output_goes_to_a_new_folder(tmp_path):
    done = run(tmp_path, "new/course", "--quick", "--only", "3")
    assert done.returncode == 0, done.stderr
    assert "output and pictures are in new/course" in done.stdout and "1/1" in done.stderr
    (text,) = (tmp_path / "new" / "course").iterdir()
    assert text.name == "03_forward_pass.txt" and "[0.31682708 0.69627909]" in text.read_text()


def test_one_that_fails_does_not_stop_the_others(tmp_path):
    done = run(tmp_path, "out", "--only", "17", "3", "--data", "nowhere")
    assert done.returncode == 1
    assert "FAILED" in done.stdout + done.stderr and "no such folder: nowhere" in done.stdout + done.stderr
    assert "[0.31682708 0.69627909]" in (tmp_path / "out" / "03_forward_pass.txt").read_text()


def test_there_are_lessons_of_the_numbers(tmp_path):
    done = run(tmp_path, "out", "--only", "3", "99")
    assert done.returncode == 2 and "expected numbers of lessons, 1 to 20, got 99" in done.stderr
    assert not list(tmp_path.iterdir())
