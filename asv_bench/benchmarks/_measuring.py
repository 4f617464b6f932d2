"""How benchmarks measure: calls in a row, contestants in turn, the same threads for both, and nothing compiled meanwhile."""

import statistics
import time
from functools import partial

import numpy as np
from numba.core import event
from threadpoolctl import threadpool_info, threadpool_limits

import fastnn as fnn

SAMPLE_SECONDS = 0.01  # calls in a row that make one sample: waking a sleeping thread is not what is measured
QUIET_SECONDS = 0.01  # how long no thread may have been busy before the next contestant starts
ROUNDS = 5


def repeat(call, times):
    """Seconds of `times` calls in a row."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - start


def calls_in_sample(call):
    """How many calls fill a sample."""
    fastest = repeat(call, 1)
    if fastest >= SAMPLE_SECONDS:
        return 1
    fastest = min(repeat(call, 1) for _ in range(3))
    if fastest < SAMPLE_SECONDS / 100:  # too short for a clock
        fastest = repeat(call, 100) / 100
    return max(1, round(SAMPLE_SECONDS / fastest))


def in_turn(contestants):
    """Seconds of a call of each contestant, round by round: list of lists.

    Every round has each of them once, so that whatever disturbs the machine hits all.
    """
    times = [calls_in_sample(call) for call in contestants]
    found = [[] for _ in contestants]
    for _ in range(ROUNDS):
        for call, n, seconds in zip(contestants, times, found):
            settle()
            call()
            seconds.append(repeat(call, n) / n)
    return found


def settle(seconds=1.0):
    """Wait, so long at most, until this process is idle.

    A BLAS's threads wait for work in a busy loop, OpenBLAS's for a tenth of a second, which would be the next one's loss.
    """
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        busy = time.process_time()
        time.sleep(QUIET_SECONDS)
        if time.process_time() - busy < QUIET_SECONDS / 4:
            return


def median_ratio(numerators, denominators):
    """Median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(numerators, denominators))


def sgemm(size=1024):
    """NumPy's product of two square matrices: a call, and its floating-point operations."""
    a, out = np.ones((size, size), np.float32), np.ones((size, size), np.float32)
    return lambda: np.matmul(a, a, out=out), 2 * size**3


def copies(nbytes):
    """Ways to copy an array, which read and write so many bytes in all, and how many they are.

    NumPy's copy, which has one thread, is the fastest of a small array; of a large one it is fastnn's.
    """
    x = np.ones((64, 1, max(1, nbytes // 512)), np.float32)
    out = np.ones_like(x)
    ways = [partial(np.copyto, out, x)]
    if hasattr(fnn.kernels, "channels"):
        ways.append(partial(fnn.kernels.channels.copy_channels, out, x, 0, 0, 1))
    return ways, 2 * x.nbytes


def equal_threads():
    """Give NumPy's BLAS as many threads as fastnn uses.

    Returns
    -------
    int
        Threads of each side.

    Raises
    ------
    RuntimeError
        If the BLAS does not take that number.
    """
    threads = fnn.num_threads()
    threadpool_limits(threads, user_api="blas")
    for pool in threadpool_info():
        if pool["user_api"] == "blas" and pool["num_threads"] != threads:
            raise RuntimeError(f"benchmark: expected {threads} threads of {pool['internal_api']}, got {pool['num_threads']}")
    return threads


class Compilations:
    """Counts the passes of Numba's compiler from now on: above 0 means that something was compiled."""

    def __init__(self):
        class Listener(event.Listener):
            def on_start(_, event):
                self.count += 1

            def on_end(_, event):
                pass

        self.count = 0
        event.register("numba:run_pass", Listener())

    def expect_none(self):
        """Fail, and with it the benchmark, if something was compiled: its figure is not one of the kernel.

        Raises
        ------
        RuntimeError
        """
        if self.count:
            raise RuntimeError(f"benchmark: expected everything to be compiled in setup, got {self.count} passes while timed")
