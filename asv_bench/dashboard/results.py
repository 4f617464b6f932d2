"""asv's result files as histories: for each machine and its settings, figures of commits in their order.

asv draws one line for each set of what it calls parameters: machine, Python, versions that its matrix names, environment
variables. A `Configuration` here is the same set, so that a row of our page and its graph have the same points.
"""

import ast
import datetime
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

from asv.benchmarks import Benchmarks
from asv.results import iter_results
from asv.util import UserError

from . import publishing, text, versions

MACHINE_FACTS = ("machine", "cpu", "num_cpu", "ram", "os", "arch")
THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Figure(NamedTuple):
    """A measured figure and, where asv has samples, the quartiles about it."""

    value: float
    low: float
    high: float


@dataclass
class Run:
    """All figures of one commit: ``figures[benchmark, parameters]``, parameters as a tuple; None where a benchmark failed."""

    commit: str
    date: datetime.datetime  # of the commit
    measured: datetime.datetime  # when the last benchmark started
    figures: dict


@dataclass
class Configuration:
    """A machine with its settings, and the runs on it in the order of their commits."""

    machine: dict
    parameters: dict  # as asv has them: with the machine's facts, and environment variables as env-NAME
    threads: str
    branch: str
    runs: list = field(default_factory=list)
    versions: dict = field(default_factory=dict)
    state: dict = field(default_factory=dict)  # those of the parameters that tell its graphs from others'

    @property
    def last(self):
        return self.runs[-1]

    def history(self, benchmark, *parameters):
        """The Figure of each run, None where a run has none."""
        return [run.figures.get((benchmark, parameters)) for run in self.runs]

    def tried(self, benchmark, *parameters):
        """Whether any run has a result, or a failure, of a benchmark."""
        return any((benchmark, parameters) in run.figures for run in self.runs)


@dataclass
class Found:
    """All that there is to show."""

    configurations: list  # the one with the newest run first
    benchmarks: dict  # name -> what asv knows of it
    branches: dict  # those with graphs: name -> commits
    tags: dict  # name -> commit, in the order of the commits
    order: dict  # commit -> its place among all commits
    left_out: list  # commits that have results and no place: not in this repository, or not on its branches


def read(conf):
    """Read all results.

    Parameters
    ----------
    conf : asv.config.Config
        From `publishing.load`.

    Returns
    -------
    found : Found

    Raises
    ------
    asv.util.UserError
        If there are no results, or none of a commit on a branch of this repository.
    """
    stored = list(iter_results(conf.results_dir))
    if not stored:
        raise UserError(f"no results in {conf.results_dir}: run `make bench` first")
    benchmarks = Benchmarks.load(conf)
    repo = publishing.repository(conf)
    commits = {result.commit_hash for result in stored}
    branches = publishing.branches(conf, repo, commits)
    tags = repo.get_tags()
    order = repo.get_revisions(commits | set(tags.values()))
    shown = {commit for of_branch in branches.values() for commit in of_branch} & commits
    left_out = sorted(commits - shown)
    if not shown:
        names = ", ".join(commit[: conf.hash_length] for commit in left_out)
        raise UserError(f"all results in {conf.results_dir} are of commits that are on no branch of this repository: {names}")
    gathered = {}
    for result in stored:
        if result.commit_hash in shown:
            parameters = dict(result.params) | {f"env-{name}": value for name, value in result.env_vars.items()}
            gathered.setdefault(tuple(sorted(parameters.items(), key=str)), []).append(result)
    configurations = [_configuration(results, benchmarks, branches, order) for results in gathered.values()]
    configurations.sort(key=lambda c: (order[c.last.commit], c.last.measured, c.threads), reverse=True)
    _tell_apart(configurations, branches)
    for configuration in configurations:
        configuration.versions = _versions(conf, configuration)
    in_order = dict(sorted(tags.items(), key=lambda item: order.get(item[1], -1)))
    return Found(configurations, dict(benchmarks), branches, in_order, order, left_out)


def _configuration(results, benchmarks, branches, order):
    """Results of one machine and setting; where several are of one commit, what was measured last counts."""
    first = results[0]
    parameters = {name: "" if value is None else value for name, value in first.params.items()}
    parameters |= {f"env-{name}": value for name, value in first.env_vars.items()}
    runs = {}
    for result in sorted(results, key=lambda r: max(r.started_at.values(), default=0) or 0):
        run = _run(result, benchmarks)
        if result.commit_hash in runs:
            run.figures = runs[result.commit_hash].figures | run.figures
        runs[result.commit_hash] = run
    last = max(runs, key=order.get)
    branch = next(name for name, commits in branches.items() if last in commits)
    threads = next((first.env_vars[name] for name in THREADS if first.env_vars.get(name)), "")
    machine = {name: first.params.get(name) for name in MACHINE_FACTS}
    return Configuration(machine, parameters, threads, branch, [runs[commit] for commit in sorted(runs, key=order.get)])


def _run(result, benchmarks):
    figures = {}
    for name in result.get_result_keys(benchmarks):
        params = benchmarks[name]["params"]
        values = result.get_result_value(name, params)
        stats = result.get_result_stats(name, params)
        for chosen, value, spread in zip(itertools.product(*params), values, stats):
            parameters = tuple(map(_plain, chosen))
            if value is None:
                figures[name, parameters] = None
            elif text.is_figure(value):  # else it is NaN, for what was not to be run
                spread = spread or {}
                low, high = (spread.get(quartile) for quartile in ("q_25", "q_75"))
                figure = Figure(value, low if text.is_figure(low) else value, high if text.is_figure(high) else value)
                figures[name, parameters] = figure
    started = [_when(time) for time in result.started_at.values() if time]
    date = _when(result.date)
    return Run(result.commit_hash, date, max(started, default=date), figures)


def _plain(value):
    """asv keeps parameters as what `repr` says of them."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _when(milliseconds):
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)


def _tell_apart(configurations, branches):
    """Set `state` of each: as few parameters as tell its graphs from those of the others, the machine's name always."""
    for configuration in configurations:
        mine = configuration.parameters
        configuration.state = {"machine": mine["machine"]}
        others = [other for other in configurations if other is not configuration]
        others = [other for other in others if other.parameters["machine"] == mine["machine"]]
        for name in dict.fromkeys(name for each in configurations for name in each.parameters):
            same = [other for other in others if other.parameters.get(name) == mine.get(name)]
            if len(same) < len(others):
                configuration.state[name], others = mine.get(name), same
        if len(branches) > 1:
            configuration.state["branch"] = configuration.branch


def _versions(conf, configuration):
    """Python and packages of the last run: what was noted beside the results, else what asv's matrix says."""
    known = {"python": configuration.parameters.get("python")}
    known |= {
        name.removeprefix("pip+"): value
        for name, value in configuration.parameters.items()
        if value and name not in (*MACHINE_FACTS, "python") and not name.startswith("env-")
    }
    noted = versions.read(conf.results_dir, configuration.machine["machine"], configuration.last.commit)
    return {name: value for name, value in (known | noted).items() if value}
