"""Training beside PyTorch: measured once where that is installed, kept beside asv's results, shown from there.

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
import time
from pathlib import Path

from asv.machine import Machine
from asv.util import UserError

from . import publishing
from .versions import append, read_lines

NAME = "against_pytorch.jsonl"
TOOL = Path(__file__).resolve().parents[2] / "tools" / "measure_training.py"
OPTIONS = ("--rounds", "5", "--seconds", "0.3")
SAME = ("arch", "cpu", "num_cpu")  # what two names of one machine have in common


def provide(conf, found, machine=None, anew=False):
    """Measure if that is asked for, or if PyTorch is installed and nothing was kept of this machine, which has results.

    Parameters
    ----------
    conf : asv.config.Config
    found : results.Found
    machine : str, optional
        asv's name of this machine, by default as `this_machine` finds it.
    anew : bool, optional
        Measure in any case, and fail if that fails.

    Raises
    ------
    asv.util.UserError
        With `anew`, if this machine has no results, which figures would be shown with, or if measuring fails.
    """
    name = this_machine(found.configurations, machine)
    if anew:
        if name is None:
            said = machine or Machine.get_unique_machine_name()
            raise UserError(
                f"no results of this machine, {said!r}, to show PyTorch with: run `make bench`, or give its --machine"
            )
        measure(conf, name)
    elif name is not None and installed() and read(conf.results_dir, name) is None:
        print(
            f"measuring training beside PyTorch, once, for {name!r}: about two minutes; --no-torch leaves it out",
            file=sys.stderr,
            flush=True,
        )
        try:
            measure(conf, name)
        except UserError as error:
            print(f"the dashboard is without PyTorch: {error}", file=sys.stderr)


def installed():
    """Whether PyTorch is; does not import it."""
    return importlib.util.find_spec("torch") is not None


def this_machine(configurations, machine=None):
    """The name that results of this machine are kept under, None if there are none.

    That is `machine`, or the name that asv has for it; results under another name are its own too if they are of such a
    processor, as after ``make bench MACHINE=name``. The newest run counts.
    """
    known = {configuration.machine["machine"]: configuration.machine for configuration in configurations}
    name = machine or Machine.get_unique_machine_name()
    if machine or name in known:
        return name if name in known else None
    facts = Machine.get_defaults()
    return next((other for other, its in known.items() if all(its.get(fact) == facts[fact] for fact in SAME)), None)


def load_of_others(seconds=1.0):
    """CPUs that are busy now, while this process sleeps. The usual load is a mean that what ran a minute ago is in as well."""
    try:
        idle = -idle_seconds()
        time.sleep(seconds)
        return max(0.0, os.cpu_count() - (idle + idle_seconds()) / seconds)
    except OSError:  # not Linux
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def idle_seconds():
    """Seconds that CPUs had nothing to do since the system started, all of them together."""
    _, idle = Path("/proc/uptime").read_text(encoding="ascii").split()
    return float(idle)


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
    if not installed():
        print("PyTorch is not installed: nothing to compare with", file=sys.stderr)
        return
    load = load_of_others()
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
