"""What moved beyond noise, since when, and in which commit.

A time counts as moved when it is more than `NOISE` longer or shorter than before **and** the middle halves of the two
measurements' samples do not overlap. NumPy's time in the same runs goes with it as a witness: where both moved alike, it was
the machine rather than the code.
"""

import itertools
import math
from typing import NamedTuple

NOISE = 0.10


class Change(NamedTuple):
    """What a series did between two runs. `factor` is above 1 where it became worse."""

    series: object  # a rows.Series
    factor: float
    before: object  # Figures
    after: object
    commits: tuple  # before and after the step that did most of it
    witness: float | None  # NumPy's time, after / before

    @property
    def machine(self):
        """Whether NumPy's time moved alike, so that it was the machine rather than the code.

        Examples
        --------
        >>> [Change(None, 1.4, None, None, (), witness).machine for witness in (1.35, 1.2, 0.7, None)]
        [True, False, False, False]
        """
        return self.witness is not None and abs(math.log(self.factor / self.witness)) <= math.log(1 + NOISE)


def moved(before, after, noise=NOISE):
    """after / before of two times, if that is more than noise, else None.

    Examples
    --------
    >>> from asv_bench.dashboard.results import Figure
    >>> moved(Figure(1.0, 0.95, 1.05), Figure(1.3, 1.2, 1.4))
    1.3
    >>> moved(Figure(1.0, 0.9, 1.3), Figure(1.3, 1.2, 1.4)), moved(Figure(1.0, 1.0, 1.0), Figure(1.05, 1.05, 1.05))
    (None, None)
    """
    factor = quotient(before, after)
    if factor is None or 1 / (1 + noise) <= factor <= 1 + noise:
        return None
    apart = after.low > before.high if factor > 1 else after.high < before.low
    return factor if apart else None


def quotient(before, after):
    """after / before, None where one is missing or nothing can be said."""
    if before is None or after is None or before.value <= 0 or after.value <= 0:
        return None
    return after.value / before.value


def steps(figures):
    """Pairs of places of figures that follow each other, without those that are missing."""
    there = [place for place, figure in enumerate(figures) if figure is not None]
    return list(itertools.pairwise(there))


def last_step(figures):
    """The last step beyond noise: (place before, place after, after / before), or None."""
    for before, after in reversed(steps(figures)):
        factor = moved(figures[before], figures[after])
        if factor is not None:
            return before, after, factor
    return None


def since(series, commits, start):
    """What a series did from the run at place `start` to the last one: a Change, or None within noise.

    Parameters
    ----------
    series : rows.Series
        Its figures are of something of which less is better.
    commits : list of str
        Of the runs.
    start : int
    """
    figures = series.figures
    factor = moved(figures[start], figures[-1])
    if factor is None:
        return None
    direction = 1 if factor > 1 else -1
    between = [pair for pair in steps(figures) if pair[0] >= start]
    largest = max(between, key=lambda pair: direction * math.log(quotient(figures[pair[0]], figures[pair[1]]) or 1))
    witness = quotient(series.witness[start], series.witness[-1]) if series.witness else None
    return Change(series, factor, figures[start], figures[-1], tuple(commits[place] for place in largest), witness)


def noise_band(series, start):
    """What nine of ten of NumPy's times moved by at most from the run at place `start` to the last: a factor, None if unknown.

    No commit of ours changes what NumPy does, so this is what the machine and the measuring do.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> from asv_bench.dashboard.results import Figure
    >>> times = [[Figure(value, value, value) for value in pair] for pair in ((1.0, 1.0), (1.2, 1.0), (2.0, 2.1))]
    >>> round(noise_band([Some(witness=pair) for pair in times], 0), 2)
    1.2
    """
    ratios = [quotient(one.witness[start], one.witness[-1]) for one in series if one.witness]
    sizes = sorted(abs(math.log(ratio)) for ratio in ratios if ratio)
    return math.exp(sizes[math.ceil(0.9 * len(sizes)) - 1]) if sizes else None


def baseline(configuration, found):
    """The run to compare the last one with: place, and the tag it stands for (None where it is the first result).

    That is the newest run at or before the last tag before the last run. Without such a tag, or without a run that old, the
    first run.
    """
    place_of = [found.order[run.commit] for run in configuration.runs]
    for tag, commit in reversed(found.tags.items()):
        tagged = found.order.get(commit)
        if tagged is None or tagged >= place_of[-1]:
            continue
        older = [place for place, order in enumerate(place_of) if order <= tagged]
        return (older[-1], tag) if older else (0, None)
    return 0, None
