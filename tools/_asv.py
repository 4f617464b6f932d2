"""asv as the commands of `bench.py` use it: a machine that is known without questions, paths that hold anywhere."""

import importlib.util
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _git import ROOT, Failure

SUITE = ROOT / "asv_bench"
RESULTS = SUITE / "results"


def installed_elsewhere():
    """The package's folder, in a list, if this Python imports another than that of this repository."""
    spec = importlib.util.find_spec("fastnn")
    if spec is None:
        raise Failure(f"fastnn is not installed in {sys.executable}: pip install -e '.[bench]'")
    folder = Path(spec.origin).resolve().parent
    return [] if folder == ROOT / "fastnn" else [str(folder)]


def expect_benchmarks(expressions, among=""):
    """Fail unless each regular expression matches a benchmark, of those that another does.

    asv only says so if there is none for all of them.
    """
    from asv_runner.discovery import disc_benchmarks

    if str(SUITE) not in sys.path:
        sys.path.insert(0, str(SUITE))
    names = [
        f"{benchmark.name}({', '.join(params)})" if params else benchmark.name
        for benchmark in (disc_benchmarks(str(SUITE / "benchmarks")) if expressions else ())
        for params in itertools.product(*benchmark.params)
    ]
    names = [name for name in names if re.search(among, name)]
    for expression in expressions:
        if not any(re.search(expression, name) for name in names):
            raise Failure(f"BENCH: expected a part of a name like {names[0]}, got {expression!r}, which matches none")


def machine_name(name=None):
    """Name that results of this machine are kept under; makes it known to asv where it is not."""
    from asv.machine import Machine, MachineCollection
    from asv.util import load_json

    if name is not None and (not name.strip(". ") or re.search(r"[/\\\0]", name)):
        raise Failure(f"MACHINE: expected the name of a folder, got {name!r}")
    path = Path(MachineCollection.get_machine_file_path())
    known = load_json(str(path), MachineCollection.api_version) if path.is_file() else {}
    known.pop("version", None)
    if name is None:
        name = platform.node() or "unnamed"
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
        config = config or write_config(Path(folder) / "asv.conf.json")
        command = [sys.executable, "-m", "asv", command, "--config", config, *arguments]
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:
                process.wait()  # it is interrupted too, and ends the benchmark that it runs
                raise


def write_config(path, **changes):
    """The suite's configuration with other values, at another place."""
    from asv.util import load_json

    config = load_json(str(SUITE / "asv.conf.json"), js_comments=True)
    for name in ("repo", "benchmark_dir", "env_dir", "results_dir", "html_dir"):
        config[name] = str((SUITE / config[name]).resolve())
    # A checkout may be without the branches that have graphs, and asv wants to find them, whatever it measures.
    config["branches"] = ["HEAD"]
    if sys.platform == "linux":
        # Processes that are forked from one which has imported everything: by default that takes longer than measuring.
        config["launch_method"] = "forkserver"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**config, **changes}, indent=1), encoding="utf-8")
    return path


def each(option, values):
    """
    >>> each("--bench", ["a", "b"])
    ['--bench', 'a', '--bench', 'b']
    """
    return [word for value in values for word in (option, value)]
