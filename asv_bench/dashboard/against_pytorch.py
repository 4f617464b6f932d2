"""Training beside PyTorch: measured where that is installed, kept beside asv's results, shown from there.

``results/<machine>/against_pytorch.jsonl`` has a line for each measurement, so that publishing needs no PyTorch. Its name does
not end in ``.json``, because asv takes all files that do for results. `tools/measure_training.py` measures: both libraries take
turns, with the same threads, PyTorch in the faster of its memory layouts.
"""

import datetime
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from asv.machine import Machine
from asv.util import UserError

from . import publishing
from .versions import append, read_lines

NAME = "against_pytorch.jsonl"
TOOL = Path(__file__).resolve().parents[2] / "tools" / "measure_training.py"
OPTIONS = ("--rounds", "5", "--seconds", "0.3")


def measure(conf, machine=None, options=OPTIONS):
    """Measure the networks of `tools/measure_training.py` and keep what comes out; without PyTorch, say so and do nothing.

    Parameters
    ----------
    conf : asv.config.Config
    machine : str, optional
        asv's name of this machine, by default as asv finds it.
    options : sequence of str, optional
        For that script.

    Raises
    ------
    asv.util.UserError
        If the script fails.
    """
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: nothing to compare with", file=sys.stderr)
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "training.json")
        done = subprocess.run([sys.executable, str(TOOL), *options, "--json", str(written)], stdout=subprocess.DEVNULL)
        if done.returncode:
            raise UserError(f"{TOOL.name} failed with exit code {done.returncode}")
        measured = json.loads(written.read_text(encoding="utf-8"))
    commit = publishing.repository(conf).get_hash_from_name("HEAD")
    path = Path(conf.results_dir) / (machine or Machine.get_unique_machine_name()) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    append(path, {"commit": commit, "date": datetime.date.today().isoformat(), "load": round(load, 2), **measured})


def read(results_dir, machine):
    """What was measured last on a machine, None if nothing was.

    Returns
    -------
    dict or None
        With ``commit``, ``date``, ``load`` (what others asked of the machine when it began: above 0.5 figures are rough),
        ``machine`` (a line that describes it), ``peak_gflops`` and ``results``: a list of dicts with
        ``network``, ``batch``, ``fastnn`` and ``peer_rate`` in samples per second, ``gflops``, ``ratio``, ``ratio_min``,
        ``ratio_max``; the last four of PyTorch only where it was measured.
    """
    lines = [line for line in read_lines(Path(results_dir) / machine / NAME) if line.get("results")]
    return lines[-1] if lines else None
