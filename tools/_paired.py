"""Two commits side by side: a benchmark in a process for each, which take turns sample by sample.

Measurements that are minutes or seconds apart differ by whatever else the machine did meanwhile. Here a sample of one commit
follows a sample of the other, so that other work hits both alike, and what counts is the ratio of neighbours. What stays as it
is while a process lives (where its memory lies, on which CPUs its threads are) is why there are several pairs of processes.
"""

import contextlib
import math
import os
import subprocess
import threading
import time
from pathlib import Path
from statistics import median

from _regressions import between

SAMPLER = Path(__file__).with_name("_sampler.py")
PAIRS, MOST_PAIRS = 3, 12  # of processes: more only where they do not agree
AGREED = 1.1  # the largest of their ratios by the smallest
SECONDS, LEAST = 0.8, 5  # how long a pair takes samples, and how many of each at least
LIMIT = 300  # seconds until what does not answer counts as failed, as in asv.conf.json


def measure(python, suite, name, folders, environment=None):
    """How a benchmark changes from what is installed in one folder to what is in another.

    Parameters
    ----------
    python : path
        Has all that benchmarks need, beside what is in the folders.
    suite : path
        The package of the benchmarks.
    name : str
        ``module.Class.method('parameter', ...)``, as asv calls it.
    folders : pair of paths
        Before and after.
    environment : dict, optional
        More variables for the processes.

    Returns
    -------
    Change
        Its ratio is the median over pairs of processes of the median over neighbouring samples.
    """
    found, ratios = ([], []), []
    while len(ratios) < PAIRS or (len(ratios) < MOST_PAIRS and max(ratios) > AGREED * min(ratios)):
        samples = take_turns([_start(python, suite, name, folder, environment or {}) for folder in folders])
        if not all(samples):
            return between(name, *samples)  # it fails, and would again
        ratios.append(median(after / before for before, after in zip(*samples)))
        for taken, more in zip(found, samples):
            taken += more
    return between(name, *found)._replace(ratio=median(ratios))


def _start(python, suite, name, folder, environment):
    command = [python, SAMPLER, Path(suite).resolve(), name]
    variables = {**os.environ, **environment, "PYTHONPATH": str(folder)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables)


def _answer(process):
    """A line that a process writes; nothing if it ends without one."""
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    try:
        return process.stdout.readline()
    finally:
        limit.cancel()


def take_turns(processes):
    """Samples of each process, as many of each; none of one that fails, and then something of others."""
    samples = [[] for _ in processes]
    with contextlib.suppress(BrokenPipeError, ValueError):  # one ends too early, which its exit code says below
        once = [_answer(process).split()[-1:] == ["once"] for process in processes]
        start = time.perf_counter()
        while len(samples[0]) < LEAST or time.perf_counter() - start < SECONDS:
            turns = list(zip(processes, samples))
            for process, taken in turns if len(samples[0]) % 2 else turns[::-1]:  # who is first alternates too
                process.stdin.write("\n")
                process.stdin.flush()
                taken.append(float(_answer(process)))
            if any(once):
                break
    for process in processes:
        process.communicate()
    failed = [process.returncode != 0 for process in processes]
    return [[] if fails else [math.nan] for fails in failed] if any(failed) else samples
