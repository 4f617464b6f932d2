"""Where the time of a training step goes: layer by layer, pass by pass, and how near each is to what the machine can do."""

import statistics
import time

import numpy as np

from .plan import Unsupported

_ROUNDS = 15
_LAUNCH_SECONDS = 2e-6  # what takes no longer is bound by being started


class Profile:
    """What `profile` measured; its text is a table.

    Attributes
    ----------
    rows : list of dict
        One for each step of the plan, in order: "name", "pass" ("weights", "forward", "loss",
        "backward", "input gradient", "weight gradient", "update"), "seconds" for the
        batch, "gflops" and "gbytes" (each per second), "percent" of the machine's peak in what bounds it, "bound"
        ("arithmetic", "memory" or "launch").
    samples, threads : int
    peak_gflops, peak_gbytes : float
        Of the machine, measured: multiply-adds in registers, copies within the cache.
    seconds : float
        Of a whole step, as it runs in training: its steps share phases and caches, so it is less than their sum.
    """

    def __init__(self, rows, samples, threads, peaks, seconds):
        self.rows, self.samples, self.threads, self.seconds = rows, samples, threads, seconds
        self.peak_gflops, self.peak_gbytes = peaks

    def __str__(self):
        cells = [("Step", "Pass", "us", "GFLOP/s", "GB/s", "% of peak", "Bound by")]
        for row in self.rows:
            numbers = f"{row['seconds'] * 1e6:.1f}", f"{row['gflops']:.1f}", f"{row['gbytes']:.1f}", f"{row['percent']:.0f}"
            cells.append((row["name"], row["pass"], *numbers, row["bound"]))
        widths = [max(len(line[i]) for line in cells) for i in range(7)]
        align = [str.ljust, str.ljust, str.rjust, str.rjust, str.rjust, str.rjust, str.ljust]
        lines = ["  ".join(put(c, w) for put, c, w in zip(align, line, widths)).rstrip() for line in cells]
        rule = "-" * max(map(len, lines))
        flops = sum(row["gflops"] * row["seconds"] for row in self.rows) / self.seconds
        total = [
            f"{self.samples} samples, {self.threads} threads: {self.seconds * 1e6:.1f} us a step, "
            f"{self.samples / self.seconds:,.0f} samples/s, {flops:.1f} GFLOP/s",
            f"peak: {self.peak_gflops:.0f} GFLOP/s, {self.peak_gbytes:.0f} GB/s in the cache",
        ]
        return "\n".join([lines[0], rule, *lines[1:], rule, *total])

    __repr__ = __str__

    def plot(self, path=None):
        """The table as a bar chart; see `fastnn.plot.plot_profile`."""
        from .plot import plot_profile

        return plot_profile(self, path)


def profile(network, x, y, loss=None, optimizer=None):
    """Time each step of a training step on a batch. The network's parameters stay as they are.

    Parameters
    ----------
    network : Network
    x, y : array
        A batch, as for `Trainer.step`.
    loss : Loss, optional
        Default `CrossEntropyLoss()`.
    optimizer : Optimizer, optional
        Default `SGD()`.

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        If the network has no compiled plan; the message says why. Or if x or y do not fit.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> net = fnn.Sequential(fnn.Conv2d(1, 4, 3), fnn.ReLU(), fnn.Flatten(), fnn.Dense(144, 10))
    >>> found = profile(net, np.zeros((32, 1, 8, 8), np.float32), np.zeros(32, np.int64))
    >>> [row["pass"] for row in found.rows if row["name"] == "0 Conv2d"]
    ['forward', 'backward', 'weight gradient']
    """
    import copy

    from .kernels._threads import BLOCKS, SAMPLES, START, STATUS, link, ready_threads, run_chain
    from .kernels.lanes.layout import INDEX, X, Y
    from .kernels.lanes.peak import measure
    from .losses import CrossEntropyLoss
    from .optimizers import SGD
    from .plan.training import TrainingPlan
    from .trainer import _check_fit, _data_set

    x, y = _data_set("profile", x, y)
    loss = CrossEntropyLoss() if loss is None else copy.copy(loss)
    optimizer = SGD() if optimizer is None else copy.deepcopy(optimizer)
    _check_fit(network, loss, x, y)
    network = copy.deepcopy(network)
    try:
        plan = TrainingPlan(network, loss, optimizer, x, y, len(x), separate=True)
        whole = TrainingPlan(network, loss, optimizer, x, y, len(x))
    except Unsupported as reason:
        raise ValueError(f"profile: this network has no compiled plan: {reason}") from None
    for which, name in ((plan.loss_reason, "loss"), (plan.update_reason, "optimizer")):
        if which is not None:
            raise ValueError(f"profile: the {name} has no kernels in the plan: {which}")
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y, plan.target_dtype)

    def seconds_of(run):
        times = []
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    threads = ready_threads()
    peaks = measure(plan.program.dtype, threads)
    heads = [link([item if isinstance(item, list) else [item] for item in made]) for _, made in plan.chains.steps]
    cells, chains = plan.cells, plan.chains
    chains.ready(threads)
    cells[[X, Y, INDEX, START, SAMPLES]] = x.ctypes.data, y.ctypes.data, 0, 0, len(x)
    cells[BLOCKS] = -(-len(x) // plan.program.lanes)
    for op in plan._drops:
        op.draw(len(x), plan.program.dtype)
    rows = []
    for _ in range(2):  # once through for all that later steps read, then for good
        rows.clear()
        for (step, _), head in zip(chains.steps, heads):
            seconds = seconds_of(lambda head=head: run_chain(head, threads, chains.scratch, chains.stride, cells.ctypes.data))
            if cells[STATUS]:
                raise ValueError("profile: a label is out of range")
            rows.append(_row(step, seconds, plan, peaks))
    whole.accept(x, y)
    whole.step(x, y)
    total = seconds_of(lambda: whole.step(x, y))
    return Profile(rows, len(x), threads, peaks, total)


def _row(step, seconds, plan, peaks):
    from .kernels._threads import BLOCKS, SAMPLES

    flops = 2 * step.macs * int(plan.cells[SAMPLES])
    moved = sum(space.step for space in step.spaces if not space.temporary) * int(plan.cells[BLOCKS])
    gflops, gbytes = flops / seconds / 1e9, moved / seconds / 1e9
    arithmetic, memory = 100 * gflops / peaks[0], 100 * gbytes / peaks[1]
    bound = "launch" if seconds < _LAUNCH_SECONDS else "arithmetic" if arithmetic >= memory else "memory"
    return {
        "name": step.label,
        "pass": step.kind,
        "seconds": seconds,
        "gflops": gflops,
        "gbytes": gbytes,
        "percent": max(arithmetic, memory),
        "bound": bound,
    }
