"""Geometry of bars and small graphs; the templates draw it as SVG."""

import math
from typing import NamedTuple

WIDTH, HEIGHT, MARGIN = 112.0, 28.0, 4.0
LEAST_SPAN = 1.5  # highest / lowest of what a small graph shows at least, for noise to look like noise
RUNS = 40  # the last ones, in a small graph


class Spark(NamedTuple):
    """A history as a small graph: pieces of a line, each a list of points, and where runs are missing none."""

    pieces: list  # of lists of (x, y)
    dots: list  # (x, y, place)


def spark(values):
    """Lay values out from left to right, on a logarithmic scale, their geometric middle in the middle.

    Parameters
    ----------
    values : list of float or None

    Examples
    --------
    >>> spark([1.0, None, 1.0, 1.0]).pieces
    [[(4.0, 14.0)], [(73.3, 14.0), (108.0, 14.0)]]
    """
    first, values = max(len(values) - RUNS, 0), values[-RUNS:]
    logs = [math.log(value) if value is not None and value > 0 else None for value in values]
    there = [log for log in logs if log is not None]
    if not there:
        return Spark([], [])
    middle = (max(there) + min(there)) / 2
    span = max(max(there) - min(there), math.log(LEAST_SPAN))
    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)
    pieces, dots = [[]], []
    for place, log in enumerate(logs):
        if log is None:
            pieces.append([])
            continue
        x = MARGIN + step * place if len(values) > 1 else WIDTH / 2
        y = HEIGHT / 2 - (log - middle) / span * (HEIGHT - 2 * MARGIN)
        pieces[-1].append((round(x, 1), round(y, 1)))
        dots.append((round(x, 1), round(y, 1), first + place))
    return Spark([piece for piece in pieces if piece], dots)


class Scale(NamedTuple):
    """A logarithmic axis of ratios, in percent of its width; 1 is on it."""

    low: float
    high: float

    @classmethod
    def of(cls, ratios):
        """From somewhat below the least to somewhat above the largest; at least from 0.5 to 10."""
        ratios = [ratio for ratio in ratios if ratio]
        return cls(min([0.5, *(0.9 * ratio for ratio in ratios)]), max([10.0, *(1.1 * ratio for ratio in ratios)]))

    def at(self, ratio):
        """
        >>> Scale(0.1, 10.0).at(1.0)
        50.0
        """
        place = math.log(ratio / self.low) / math.log(self.high / self.low)
        return round(100 * min(max(place, 0.0), 1.0), 2)

    def ticks(self):
        """
        >>> Scale(0.5, 130.0).ticks()
        [1, 2, 5, 10, 20, 50, 100]
        """
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        marks = [digit * 10**power if power >= 0 else digit / 10**-power for power in powers for digit in (1, 2, 5)]
        return [mark for mark in marks if self.low < mark < self.high]


def geometric_mean(values):
    """
    >>> round(geometric_mean([1.0, 100.0]), 6)
    10.0
    """
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None
