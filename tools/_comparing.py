"""`bench.py compare`: what may be slower than before, by `asv continuous`, and what is, measured side by side.

`_regressions` says why there are two steps and what they decide, `_paired` how the second one measures.
"""

import shutil
import sys
import zipfile
from pathlib import Path

import _asv
import _paired
from _asv import SUITE, Failure
from _regressions import read_changes

# Less is better for all of them: asv does not know of figures of which more is.
COMPARED = [r"\.time_\w+\(.*'numba'\)", r"\.peakmem_step\("]
ROUNDS = 2


def compare(arguments):
    """What is slower than before, each time that both commits are measured side by side."""
    after, before = _asv.commit_of("HEAD"), _asv.git("merge-base", _asv.commit_of(arguments.base), "HEAD")
    if before == after:
        raise Failure(f"nothing to compare: {arguments.base} has all of the commit that is checked out, {after[:8]}")
    if changed := _asv.uncommitted():
        print(f"{', '.join(changed)}: not as in commit {after[:8]}, which is what is measured", file=sys.stderr)
    folder, factor = SUITE / "compare", arguments.factor
    shutil.rmtree(folder, ignore_errors=True)
    machine, bench = _asv.machine_name(arguments.machine), arguments.bench or COMPARED
    changes, config = screen(folder, machine, (before, after), factor, bench)
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
    print(f"{len(found)} slower each time" if found else "nothing is slower")
    return 1 if found else 0


def screen(folder, machine, commits, factor, bench):
    """Changes between two commits as `asv continuous` measures them; its results go to a folder of their own."""
    config = _asv.write_config(folder / "asv.conf.json", results_dir=str(folder / "results"), html_dir=str(folder / "html"))
    options = ["--factor", str(factor), "--interleave-rounds", "--attribute", f"rounds={ROUNDS}", "--machine", machine]
    # Its exit code is not ours: other work on the machine makes it 1, a benchmark that the older commit fails at makes it 2.
    _asv.asv("continuous", *commits, *options, *_asv.each("--bench", bench), config=config)
    changes = read_changes(folder / "results", machine, *commits)
    if not changes:
        raise Failure("asv has measured nothing: see what it says above")
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
