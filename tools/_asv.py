"""asv and git as the commands of `bench.py` use them: a machine that is known without questions, paths that hold anywhere."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "asv_bench"
RESULTS = SUITE / "results"
MEASURED = ("fastnn", "kernels", "pyproject.toml")  # what results depend on, beside the benchmarks themselves


class Failure(Exception):
    """What the user can put right: shown without a traceback."""


def git(*arguments, folder=None):
    """What git prints, without spaces at its ends."""
    done = subprocess.run(["git", "-C", folder or ROOT, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"git {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout.strip()


def commit_of(name):
    """Hash of the commit that a name stands for."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except Failure:
        raise Failure(f"expected the name of a commit, got {name!r}") from None


def uncommitted():
    """Files that make what is measured another thing than the commit that is checked out."""
    return [line.split(maxsplit=1)[1] for line in git("status", "--porcelain", "--", *MEASURED).splitlines()]


def machine_name(name=None):
    """Name that results of this machine are kept under; makes it known to asv where it is not."""
    from asv.machine import Machine, MachineCollection
    from asv.util import load_json

    path = Path(MachineCollection.get_machine_file_path())
    known = load_json(str(path), MachineCollection.api_version) if path.is_file() else {}
    known.pop("version", None)
    if name is None:
        name = platform.node()
        if name not in known and len(known) == 1:
            return next(iter(known))  # asv's own rule: it was given another name than the host's
    if name not in known:
        MachineCollection.save(name, lasting(Machine.get_defaults()) | {"machine": name})
        print(f"{path}: this machine is {name!r}")
    return name


def lasting(facts):
    """What asv finds out about a machine, without what another boot changes: each set of facts has a graph of its own.

    >>> lasting({"os": "Linux 6.11.0-1018-azure", "ram": "25276502016", "num_cpu": "2"})
    {'os': 'Linux', 'ram': '25 GB', 'num_cpu': '2'}
    """
    ram = facts["ram"]
    return facts | {"os": facts["os"].split()[0], "ram": f"{round(int(ram) / 1e9)} GB" if ram.isdigit() else ram}


def asv(command, *arguments, config=None):
    """Run asv, by default with the suite's configuration; returns its exit code: 1 for an error, 2 where benchmarks failed."""
    # For the plugin of asv_bench, which asv looks for in the folder of the configuration and wherever Python looks.
    path = os.pathsep.join(filter(None, (str(SUITE), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        # A checkout may be without the branches that have graphs, and asv wants to find them, whatever it measures.
        config = config or write_config(Path(folder) / "asv.conf.json", branches=["HEAD"])
        command = [sys.executable, "-m", "asv", command, "--config", config, *arguments]
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}).returncode


def write_config(path, **changes):
    """The suite's configuration with other values, at another place."""
    from asv.util import load_json

    config = load_json(str(SUITE / "asv.conf.json"), js_comments=True)
    for name in ("repo", "benchmark_dir", "env_dir", "results_dir", "html_dir"):
        config[name] = str((SUITE / config[name]).resolve())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**config, **changes}, indent=1), encoding="utf-8")
    return path


def each(option, values):
    """
    >>> each("--bench", ["a", "b"])
    ['--bench', 'a', '--bench', 'b']
    """
    return [word for value in values for word in (option, value)]
