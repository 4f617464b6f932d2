"""What is slower than before: the decision of `bench.py compare`.

A machine with other work on it measures anything from once to several times the true time, and minutes later something else;
what asv calls a significant change is then often none, as its samples are not independent. So there are two steps. What
`asv continuous` found **may** be slower if the median or the best of its samples is, by the factor: other work makes samples
slow, never fast, so it moves a median easily and a best sample less. That is measured again with both commits side by side
(`_paired`), and **is** slower if median and best are, in each of these measurements.

A benchmark that worked before and fails now, or has nothing to measure any more, counts as infinitely slower.
"""

import itertools
import math
from pathlib import Path
from statistics import median
from typing import NamedTuple

from _tables import markdown
from asv.results import iter_results_for_machine_and_hash
from asv.util import human_value


class Change(NamedTuple):
    """How many times as long, or as much memory, a benchmark takes as before; infinity where it fails now, NaN if it is new."""

    name: str
    ratio: float  # of medians
    best_ratio: float  # of the best samples
    before: float = math.nan  # seconds or bytes, the medians
    after: float = math.nan

    def may_be_slower(self, factor):
        """Whether median or best sample is slower by more than the factor.

        >>> [Change("a", *ratios).may_be_slower(1.2) for ratios in ((1.5, 1.1), (1.0, 1.3), (1.0, 0.9))]
        [True, True, False]
        """
        return self.ratio > factor or self.best_ratio > factor

    def is_slower(self, factor):
        """Whether both are.

        >>> [Change("a", *ratios).is_slower(1.2) for ratios in ((1.5, 1.1), (1.5, 1.4), (math.inf, math.inf))]
        [False, True, True]
        """
        return self.ratio > factor and self.best_ratio > factor

    def __str__(self):
        """
        >>> print(Change("dense.DenseForward.time_kernel('tiny', 'numba')", 2.04, 1.98))
        dense.DenseForward.time_kernel('tiny', 'numba'): x 2.04, best sample x 1.98
        >>> print(Change("networks.Lenet5.time_step('numba')", math.inf, math.inf))
        networks.Lenet5.time_step('numba'): fails
        """
        return f"{self.name}: " + (
            "fails" if math.isinf(self.ratio) else f"x {self.ratio:.2f}, best sample x {self.best_ratio:.2f}"
        )


def between(name, before, after):
    """The change from some samples to others; no samples are those of a benchmark that fails.

    >>> between("a", [2.0, 1.0, 3.0], [3.0, 2.0, 4.0])
    Change(name='a', ratio=1.5, best_ratio=2.0, before=2.0, after=3.0)
    >>> between("a", [2.0], []).ratio, between("a", [], [2.0]).ratio, between("a", [], []).ratio
    (inf, nan, nan)
    """
    if not before or not after:
        ratio = math.inf if before else math.nan
        return Change(name, ratio, ratio)
    return Change(name, median(after) / median(before), min(after) / min(before), median(before), median(after))


def table(changes):
    """Markdown: by how much each is slower, the slowest first.

    >>> print(table([Change("dense.Dense.time_kernel('tiny', 'numba')", 2.0, 1.9, 1e-5, 2e-5)]))
    | benchmark | before | after | times as much |
    |:--|--:|--:|--:|
    | dense.Dense.time_kernel('tiny', 'numba') | 10.0μs | 20.0μs | 2.00 |
    """

    def cells(change):
        unit = "bytes" if ".peakmem_" in change.name else "seconds"
        values = (human_value(value, unit) if value == value else "" for value in (change.before, change.after))
        return change.name, *values, "fails" if math.isinf(change.ratio) else f"{change.ratio:.2f}"

    ordered = sorted(changes, key=lambda change: change.ratio, reverse=True)
    return markdown(("benchmark", "before", "after", "times as much"), map(cells, ordered))


def read_changes(results_dir, machine, before, after):
    """Changes between two commits, of the benchmarks in asv's files of results, by name."""
    old, new = (_samples(results_dir, machine, commit) for commit in (before, after))
    return [between(name, old.get(name, []), new.get(name, [])) for name in sorted({*old, *new})]


def _samples(results_dir, machine, commit):
    """Samples of a commit's benchmarks; of memory the one figure that there is."""
    found = {}
    if not (Path(results_dir) / machine).is_dir():
        return found
    for results in iter_results_for_machine_and_hash(str(results_dir), machine, commit):
        for key in results.get_all_result_keys():
            params = results.get_result_params(key)
            values, samples = results.get_result_value(key, params), results.get_result_samples(key, params)
            for chosen, value, taken in zip(itertools.product(*params), values, samples):
                name = f"{key}({', '.join(chosen)})" if chosen else key
                if value is None:
                    found[name] = []
                elif not math.isnan(value):  # NaN: not chosen, or not for this commit
                    found[name] = taken or [value]
    return found
