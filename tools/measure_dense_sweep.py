#!/usr/bin/env python3
"""Forward time per multiply-add of dense layers over widths and batches: are there cliffs?

    python tools/measure_dense_sweep.py                          all widths to 300, all batches to 512, of square layers
    python tools/measure_dense_sweep.py --layer 100xW            W outputs of 100 inputs
    python tools/measure_dense_sweep.py --plot sweep.png         with a picture
    python tools/measure_dense_sweep.py --write docs/performance.md

Sweeps run over all widths at some batches, and over all batches at some widths: by `predict` of a network, by a compiled plan
alone, and by the kernel that layers call. A step is the ratio of the times per multiply-add of two neighbours: "up" where the
larger layer or batch is slower for its size, "down" where it is faster (it reads the same weights for more samples, or wakes
another thread). It counts where both take longer than `--launches` times what a layer with one input and one output takes for
as many samples: below, the time is that of the call. Times are the least of several; neighbours with a large step are measured
again before that is believed.
"""

import argparse
import shlex
import sys
import time
from functools import partial

import numpy as np
from _tables import machine, markdown, warn_if_busy, write_section

WIDTHS, BATCHES = range(1, 301), range(1, 513)
AT_BATCHES, AT_WIDTHS = (1, 2, 4, 8, 16, 24, 32, 64, 128, 512), (10, 32, 64, 100, 128, 200, 300)
LARGE_STEP = 1.3  # is measured again
ATTEMPTS, SECONDS, AGAIN = 5, 50e-6, 8


def of_predict(inputs, outputs):
    """A function that gives, for a batch, the call that predicts with a dense layer."""
    import fastnn as fnn

    network = fnn.Sequential(fnn.Dense(inputs, outputs, rng=0))
    return lambda batch: partial(network.predict, np.ones((batch, inputs), np.float32), batch_size=batch)


def of_plan(inputs, outputs):
    """The same, by a plan."""
    import fastnn as fnn
    from fastnn.plan.prediction import PredictionPlan

    plan = PredictionPlan(fnn.Sequential(fnn.Dense(inputs, outputs, rng=0)), (inputs,), np.dtype(np.float32))
    return lambda batch: partial(plan.run, np.ones((batch, inputs), np.float32))


def of_kernels(inputs, outputs):
    """The same, by the kernel alone."""
    from fastnn.kernels import dense

    weight, bias = np.ones((outputs, inputs), np.float32), np.ones(outputs, np.float32)

    def call(batch):
        x, out = np.ones((batch, inputs), np.float32), np.ones((batch, outputs), np.float32)
        return partial(dense.dense_forward, out, x, weight, bias)

    return call


WAYS = {"predict": of_predict, "plan": of_plan, "kernels": of_kernels}


def seconds(call):
    """Least time of a call."""
    for _ in range(3):  # small predictions are recorded at the second
        call()
    best, times = float("inf"), 1
    for _ in range(ATTEMPTS):
        start = time.perf_counter()
        for _ in range(times):
            call()
        taken = (time.perf_counter() - start) / times
        best, times = min(best, taken), max(1, min(100, int(SECONDS / taken)))
    return best


class Line:
    """Neighbours along one axis: ``points`` are (inputs, outputs, batch)."""

    def __init__(self, way, axis, at, points):
        self.way, self.axis, self.at, self.points = way, axis, at, points
        self.seconds = np.full(len(points), np.inf)

    def measure(self, numbers):
        made, key = None, None
        for n in numbers:
            *sizes, batch = self.points[n]
            if sizes != key:
                made, key = WAYS[self.way](*sizes), sizes
            self.seconds[n] = min(self.seconds[n], seconds(made(batch)))

    def steps(self, least):
        """Ratios of times per multiply-add, neighbour by neighbour; 1 where one takes less than `least` has for its batch."""
        each = self.seconds / np.prod(np.array(self.points, np.float64), axis=1)
        ratios = each[1:] / each[:-1]
        counts = self.seconds >= [least[batch] for *_, batch in self.points]
        return np.where(counts[1:] & counts[:-1], ratios, 1.0)


def measure(way, layer, launches):
    """All lines of a way, and the times by batch below which steps do not count."""
    sizes = [[part == "W" or int(part) for part in layer.split("x")][i] for i in range(2)]

    def point(width, batch):
        return (*(width if size is True else size for size in sizes), batch)

    lines = [Line(way, "width", batch, [point(width, batch) for width in WIDTHS]) for batch in AT_BATCHES]
    lines += [Line(way, "batch", width, [point(width, batch) for batch in BATCHES]) for width in AT_WIDTHS]
    smallest = Line(way, "batch", 1, [(1, 1, batch) for batch in BATCHES])
    for line in [*lines, smallest, smallest]:
        line.measure(range(len(line.points)))
    least = dict(zip(BATCHES, launches * smallest.seconds))
    for _ in range(AGAIN):
        for line in lines:
            large = np.flatnonzero(np.abs(np.log(line.steps(least))) > np.log(LARGE_STEP))
            line.measure(sorted({*large, *(large + 1)}))
    return lines, least


def extremes(lines, least, count):
    """The largest steps up and down: ("up" or "down", ratio above 1, line, number of the first neighbour)."""
    found = sorted((step, i, n) for i, line in enumerate(lines) for n, step in enumerate(line.steps(least)))
    up = [("up", step, lines[i], n) for step, i, n in found[: -count - 1 : -1] if step > 1]
    return up + [("down", 1 / step, lines[i], n) for step, i, n in found[:count] if step < 1]


def plot(all_lines, path):
    """Time per multiply-add over widths and batches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(len(all_lines), 2, figsize=(12, 4 * len(all_lines)), squeeze=False, layout="constrained")
    for panels, (way, (lines, _)) in zip(grid, all_lines.items()):
        for panel, axis, other in zip(panels, ("width", "batch"), ("batch", "width")):
            for line in (line for line in lines if line.axis == axis):
                work = np.prod(np.array(line.points, np.float64), axis=1)
                positions = WIDTHS if axis == "width" else BATCHES
                panel.plot(positions, line.seconds / work * 1e12, linewidth=1, label=f"{other} {line.at}")
            panel.set(title=way, xlabel=axis, ylabel="ps per multiply-add", yscale="log", xscale="log")
            panel.legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(WAYS)}; default: all")
    parser.add_argument("--layer", default="WxW", metavar="INPUTSxOUTPUTS", help="W stands for the width; default: WxW")
    parser.add_argument("--launches", type=float, default=3.0, help="default: 3")
    parser.add_argument("--rows", type=int, default=3, help="of each way and direction")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plot", metavar="FILE")
    parser.add_argument("--write", nargs="+", metavar="FILE", default=(), help="documents: replace their table")
    arguments = parser.parse_args()
    unknown = set(arguments.ways) - set(WAYS)
    if unknown:
        parser.error(f"unknown ways: {', '.join(sorted(unknown))}")

    warn_if_busy()
    import fastnn as fnn

    if arguments.threads:
        fnn.set_num_threads(arguments.threads)
    all_lines = {way: measure(way, arguments.layer, arguments.launches) for way in arguments.ways or WAYS}
    rows = []
    for way, (lines, least) in all_lines.items():
        for which, step, line, n in extremes(lines, least, arguments.rows):
            (i, o, a), (j, p, b) = line.points[n : n + 2]
            times = " / ".join(f"{1e6 * t:.1f}" for t in line.seconds[n : n + 2])
            rows.append((way, f"{i}x{o}, batch {a}", f"{j}x{p}, batch {b}", times, which, f"{step:.2f}"))
    command = shlex.join(["python", "tools/measure_dense_sweep.py", *sys.argv[1:]])
    text = markdown(("way", "layer", "neighbour", "us", "step", "ratio"), rows)
    text += f"\n\n`{command}`: {machine(fnn.num_threads())}."
    print(text)
    if arguments.plot:
        plot(all_lines, arguments.plot)
    for document in arguments.write:
        write_section(document, "dense", text)


if __name__ == "__main__":
    main()
