"""`bench.py compare`: what may be slower than before, by `asv continuous`, and what is, measured side by side.

`_regressions` says why there are two steps and what they decide, `_paired` how the second one measures.
"""

import math
import shutil
import sys
import zipfile
from pathlib import Path

import _asv
import _git
import _paired
from _asv import SUITE
from _git import Failure
from _regressions import read_changes, table

# Less is better for all of them: asv does not know of figures of which more is.
COMPARED = r"\.time_\w+\(.*'numba'\)|\.peakmem_step\("
ROUNDS = 2


def compare(arguments):
    """What is slower than before, each time that both commits are measured side by side."""
    _asv.expect_benchmarks(arguments.bench, COMPARED)
    before, after = commits(arguments.base)
    if before == after:
        print(f"{arguments.base} has all of commit {after[:8]}, which is checked out: nothing is slower")
        return 0
    folder, factor = SUITE / "compare", arguments.factor
    shutil.rmtree(folder, ignore_errors=True)
    changes, config = screen(folder, _asv.machine_name(arguments.machine), (before, after), factor, arguments.bench)
    found = [change for change in changes if change.may_be_slower(factor)]
    print(f"\n{before[:8]} -> {after[:8]}: {len(found)} of {len(changes)} benchmarks may be slower by {factor}", flush=True)
    python, variables, folders = unpack(config, (before, after), folder) if found else (None, None, None)
    for measurement in range(1, arguments.again + 1):
        if not found:
            break
        print(f"side by side, {measurement} of {arguments.again}:")
        changes, found = found, []
        for change in changes:
            change = _paired.measure(python, SUITE / "benchmarks", change.name, folders, variables)
            print(f"  {change}", flush=True)
            found += [change] if change.is_slower(factor) else []
    print(f"\nslower by more than {factor}, each time:\n{table(found)}" if found else "\nnothing is slower")
    return 1 if found else 0


def commits(base):
    """The commit where what is checked out left the base, and what is checked out, with changes that are not committed."""
    head = _git.commit_of("HEAD")
    before, changed = _git.merge_base(_git.commit_of(base, "BASE"), head), _git.uncommitted()
    if changed:
        print(f"{', '.join(changed)}: measured as they are, not as in commit {head[:8]}", file=sys.stderr)
    return before, _git.commit_of_files() if changed else head


def those_compared(bench):
    """Regular expressions of the benchmarks that are compared, and match one of some others if there are any.

    >>> import re
    >>> dense = those_compared(["^dense"])
    >>> [any(re.search(regex, f"{name}.time_kernel('tiny', 'numba')") for regex in dense) for name in ("dense.A", "conv.A")]
    [True, False]
    """
    return [f"^(?=.*(?:{one})).*(?:{COMPARED})" for one in bench] or [COMPARED]


def screen(folder, machine, commits, factor, bench):
    """Changes between two commits as `asv continuous` measures them; its results go to a folder of their own."""
    config = _asv.write_config(folder / "asv.conf.json", results_dir=str(folder / "results"), html_dir=str(folder / "html"))
    options = ["--factor", str(factor), "--interleave-rounds", "--attribute", f"rounds={ROUNDS}", "--machine", machine]
    # Its exit code is not ours: other work on the machine makes it 1, a benchmark that the older commit fails at makes it 2.
    _asv.asv("continuous", *commits, *options, *_asv.each("--bench", those_compared(bench)), config=config)
    changes = read_changes(folder / "results", machine, *commits)
    if all(math.isnan(change.ratio) for change in changes):  # so it is too if there are none
        raise Failure(f"nothing was measured that works in commit {commits[0][:8]}: see what asv says above")
    return changes, config


def unpack(config, commits, folder):
    """Put what asv has built of the commits side by side.

    Returns
    -------
    python, variables, folders
        That of asv's environment, those of its matrix, and one with each commit's packages.
    """
    import asv.plugin_manager  # noqa: F401  knows the kinds of environments
    from asv.config import Config
    from asv.environment import get_environments

    conf = Config.load(str(config))
    environment = next(get_environments(conf, None))
    folders = [folder / commit for commit in commits]
    for commit, to in zip(commits, folders):
        wheels = list(Path(conf.env_dir, environment.dir_name, "asv-build-cache", commit).glob("*.whl"))
        if not wheels:
            raise Failure(f"asv could not build commit {commit[:8]}: see what it says above")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(to)
    return environment.find_executable("python"), environment.env_vars, folders
