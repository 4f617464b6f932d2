"""`asv publish`, through asv's own code.

asv draws graphs for the branches that its configuration names. Benchmarks are also run on commits that are on none of them
(a branch at work, the merge commit of a pull request), and a fresh checkout may lack a branch; so the branches that exist are
published, and ``HEAD`` as well where results need it.
"""

import importlib
import re
from pathlib import Path

from asv.commands.publish import Publish
from asv.config import Config
from asv.repo import NoSuchNameError, get_repo
from asv.util import ProcessError, UserError

importlib.import_module("asv.plugin_manager")  # loads asv's plugins: kinds of repositories, kinds of pages


def load(config, results_dir=None, html_dir=None):
    """asv's configuration, with all paths absolute.

    Raises
    ------
    asv.util.UserError
        If the file is missing or names no repository.
    """
    conf = Config.load(str(config))
    folder = Path(config).resolve().parent
    conf.results_dir = str(Path(results_dir).resolve() if results_dir else folder / conf.results_dir)
    conf.html_dir = str(Path(html_dir).resolve() if html_dir else folder / conf.html_dir)
    conf.env_dir = str(folder / conf.env_dir)
    if (folder / conf.repo).exists():
        conf.repo = str((folder / conf.repo).resolve())
    return conf


def branches(conf, repo, commits):
    """Branch -> its commits (a list), for the branches to publish so that as many of `commits` as possible have graphs."""
    found = {}
    for branch in conf.branches:
        try:
            repo.get_hash_from_name(branch)
        except (NoSuchNameError, ProcessError):
            continue
        found[repo.get_branch_name(branch)] = repo.get_branch_commits(branch)
    reached = {commit for of_branch in found.values() for commit in of_branch}
    head = repo.get_hashes_from_range("HEAD")
    if not found or (set(commits) - reached) & set(head):
        found["HEAD"] = head
    return found


def publish(conf, found):
    """Write asv's pages to ``conf.html_dir``, which is replaced.

    Raises
    ------
    asv.util.UserError
        If the folder holds anything that is not such pages: asv removes it first.
    """
    html = Path(conf.html_dir)
    if html.exists() and any(html.iterdir()) and not (html / "info.json").exists():
        raise UserError(f"{html} has other files than the dashboard's; name an empty or a new folder")
    conf.branches = list(found.branches)
    conf.regressions_first_commits = {**conf.regressions_first_commits, **dict.fromkeys(more_is_better(found.benchmarks))}
    Publish.run(conf, pull=False)


def more_is_better(benchmarks):
    r"""Patterns of the benchmarks whose figures are better when they grow: asv takes every growth for a regression.

    Examples
    --------
    >>> more_is_better({"a.track_rate": {"type": "track", "unit": "1/s"}, "a.time_b": {"type": "time", "unit": "seconds"}})
    ['^a\\.track_rate\\b']
    """
    costs = ("seconds", "s", "bytes")
    return [rf"^{re.escape(name)}\b" for name, one in benchmarks.items() if one["type"] == "track" and one["unit"] not in costs]


def repository(conf):
    """asv's view of the repository."""
    return get_repo(conf)
