"""`bench.py share`: results of several machines, merged through a branch of git that holds nothing else.

A machine has a folder and a commit a file in it, so that there is little that two would write differently.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import _asv
from _git import Failure, git

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # as every repository of git calls it


def share(remote, branch):
    """Results of others come here, those from here go to them: through a branch that holds nothing else."""
    if not _asv.RESULTS.is_dir():
        raise Failure(f"there are no results in {_asv.RESULTS}: make bench")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "results"
        try:
            for _ in range(3):  # somebody else may push between fetch and push
                if share_once(tree, remote, branch):
                    machines = sorted(path.parent.name for path in _asv.RESULTS.glob("*/machine.json"))
                    print(f"branch {branch} of {remote}, and {_asv.RESULTS}, have results of: {', '.join(machines)}")
                    return
        finally:
            git("worktree", "prune", "--expire", "now")
    raise Failure(f"{remote} did not take the results: git push says why")


def share_once(tree, remote, branch):
    """Merge results both ways; whether the remote took them."""
    try:
        git("fetch", "--quiet", remote, branch)
        start = git("rev-parse", "FETCH_HEAD")
    except Failure:
        if git("ls-remote", remote, f"refs/heads/{branch}"):  # which says so if there is no such remote
            raise
        start = git("commit-tree", EMPTY_TREE, "-m", "Results of benchmarks")  # the first ones
    git("worktree", "add", "--quiet", "--force", "--detach", tree, start)
    try:
        merge_results(_asv.RESULTS, tree, replace=True)
        merge_results(tree, _asv.RESULTS)
        git("add", "--all", folder=tree)
        if git("status", "--porcelain", folder=tree):
            git("commit", "--quiet", "--no-verify", "--message", "Results of benchmarks", folder=tree)
        try:
            git("push", "--quiet", "--no-verify", remote, f"HEAD:refs/heads/{branch}", folder=tree)
        except Failure as failure:
            print(failure, file=sys.stderr)
            return False
        return True
    finally:
        git("worktree", "remove", "--force", tree)


def merge_results(source, target, replace=False):
    """Bring files of results into another folder.

    Of benchmarks that both have for a commit, those that were measured last stay; lines of .jsonl files are joined. The
    others, which say what benchmarks and machines are, are replaced or not.
    """
    for path in sorted(source.rglob("*.json*")):
        to = target / path.relative_to(source)
        if not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            continue
        text, old = (each.read_text(encoding="utf-8") for each in (path, to))
        if path.suffix == ".jsonl":
            text = "".join(f"{line}\n" for line in dict.fromkeys([*old.splitlines(), *text.splitlines()]))
        elif path.name not in ("benchmarks.json", "machine.json"):
            text = json.dumps(later(read(to, old), read(path, text)))
        elif not replace:
            continue
        half = to.with_suffix(".new")  # no reader, and no interruption, finds half a file
        half.write_text(text, encoding="utf-8")
        half.replace(to)


def read(path, text):
    """What is in one of asv's files of results."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"{path}: {error}; measure again, or remove it") from None


def later(one, other):
    """Two of asv's files of results as one: of each benchmark what was measured last.

    >>> one = {"result_columns": ["result", "started_at"], "results": {"a": [[1.0], 5], "b": [[2.0], 5]}}
    >>> later(one, {**one, "results": {"b": [[3.0], 6], "c": [[4.0], 4]}})["results"]
    {'a': [[1.0], 5], 'b': [[3.0], 6], 'c': [[4.0], 4]}
    """
    if one["result_columns"] != other["result_columns"]:
        raise Failure("results of two versions of asv: run asv update, with the configuration of asv_bench")
    column = one["result_columns"].index("started_at")
    results = dict(one["results"])
    for name, values in other["results"].items():
        if name not in results or values[column] > results[name][column]:
            results[name] = values
    return {**one, "results": results}
