"""Commits as the commands of `bench.py` use them, and files that are not committed."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ("fastnn", "kernels", "pyproject.toml")  # what results depend on, beside the benchmarks themselves


class Failure(Exception):
    """What the user can put right: shown without a traceback."""


def git(*arguments, folder=None, index=None):
    """What git prints, without spaces at its ends; `index` is a file instead of the folder's own index."""
    variables = {**os.environ, **({"GIT_INDEX_FILE": str(index)} if index else {})}
    try:
        done = subprocess.run(["git", "-C", folder or ROOT, *arguments], capture_output=True, text=True, env=variables)
    except FileNotFoundError:
        raise Failure("git is not installed") from None
    if done.returncode:
        raise Failure(f"git {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout.strip()


def commit_of(name, argument="HEAD"):
    """Hash of the commit that a name stands for; an error names the argument that has the name."""
    git("rev-parse", "--git-dir")  # says what is wrong with the folder, if something is
    try:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except Failure:
        raise Failure(f"{argument}: expected the name of a commit, got {name!r}") from None


def merge_base(base, head):
    """The last commit that two have in common."""
    try:
        return git("merge-base", base, head)
    except Failure:
        hint = ": git fetch --unshallow" if shallow() else ""
        raise Failure(f"BASE: {base[:8]} and {head[:8]}, which is checked out, have no commit in common here{hint}") from None


def shallow():
    """Whether the repository is without its past."""
    return git("rev-parse", "--is-shallow-repository") == "true"


def expect_commits(range_of_commits):
    """Fail unless there are commits in a range, which git's words describe, or one of asv's."""
    if range_of_commits in ("ALL", "NEW", "EXISTING", "TAGS"):
        return
    try:
        found = git("rev-list", "--max-count=1", *shlex.split(range_of_commits), "--")
    except (Failure, ValueError):
        found = ""
    if not found:
        raise Failure(f"RANGE: expected commits as in git log, such as main~5..main, got {range_of_commits!r}")


def uncommitted():
    """Files that make what is measured another thing than the commit that is checked out."""
    return [line.split(maxsplit=1)[1] for line in git("status", "--porcelain", "--", *MEASURED).splitlines()]


def commit_of_files():
    """Hash of a commit of the files that are measured as they are now: no branch has it, and git's index stays as it is."""
    if shallow():  # clones of it, as asv makes, have only what branches have
        raise Failure("HEAD: expected a commit with all changes, as this clone is without its past: git fetch --unshallow")
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        git("read-tree", "HEAD", index=index)
        git("add", "--all", "--", *MEASURED, index=index)
        tree = git("write-tree", index=index)
    identity = ("-c", "user.name=benchmarks", "-c", "user.email=benchmarks@localhost")
    return git(*identity, "commit-tree", tree, "-p", "HEAD", "-m", "Changes that are not committed")
