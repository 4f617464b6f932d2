"""Where the time of a training step goes: layer by layer, pass by pass, and how near each is to what the machine can do."""

import copy
import statistics
import time

import numpy as np
from numba.core import config as numba_config

from .layers.base import call_backward
from .optimizers import SGD
from .plan import Unsupported
from .plan.path import PLAN, switched_off, untrainable
from .targets import Targets

_ROUNDS, _FEWEST_ROUNDS, _SECONDS = 15, 3, 0.2  # of one measurement: rounds, fewer where they take longer than that together
_LAUNCH_SECONDS = 2e-6  # what takes no longer is bound by being started
_CALL_SECONDS = 10e-6  # the same for a layer called from Python
_COUNTED_PERCENT, _MOVED_PERCENT = 10, 25  # of the peak, with and without multiply-adds: what is slower does something else
_IN_CACHE = 0.6  # of the pace in the cache: slower copies come from further away
_COPY_BYTES = 256 << 20  # that a measurement of the pace of copies moves at most


class Profile:
    """What `profile` measured; its text is a table.

    Attributes
    ----------
    rows : list of dict
        One for each step, in order:

        - "name": the layer's name and type, as in a summary
        - "pass": "prepare", "forward", "loss", "backward", "input gradient", "weight gradient" or "update"
        - "fused": names of what it takes along, such as ``("ReLU",)``
        - "seconds": for the batch
        - "gflops", "gbytes": billions of multiplications and additions, and of bytes read and written, per second
        - "percent": of the machine's peak in what bounds it; bytes compare with copies of as many bytes, Winograd's
          algorithm with the multiply-adds that it saves, so that it may exceed 100
        - "bound": "arithmetic" (multiply-adds), "cache", "memory", "other work" (exponentials, comparisons, Python) or
          "launch" (it is over before it is well begun)
    path : str
        As in a summary: "compiled plan", or "layer by layer" and why.
    samples, threads : int
    peak_gflops, peak_gbytes : float
        Of the machine, measured: multiply-adds in registers, copies within the cache.
    seconds : float
        Of a whole step, as it runs in training. In a plan its steps share phases and caches, and it can be less than their
        sum.
    gflops : float
        Of a whole step.
    """

    def __init__(self, rows, path, samples, threads, peaks, seconds):
        self.rows, self.path, self.samples, self.threads, self.seconds = rows, path, samples, threads, seconds
        self.peak_gflops, self.peak_gbytes = peaks
        self.gflops = sum(row["gflops"] * row["seconds"] for row in rows) / seconds

    def __str__(self):
        total = sum(row["seconds"] for row in self.rows)
        cells = [("Step", "Pass", "us", "share", "GFLOP/s", "GB/s", "% of peak", "Bound by")]
        for row in self.rows:
            seconds, rates = row["seconds"], [f"{row[rate]:.1f}" if row[rate] else "-" for rate in ("gflops", "gbytes")]
            cells.append(
                (
                    " + ".join([row["name"], *row["fused"]]),
                    row["pass"],
                    f"{seconds * 1e6:.1f}",
                    f"{100 * seconds / total:.1f} %",
                    *rates,
                    f"{row['percent']:.0f}" if row["percent"] else "-",
                    row["bound"],
                )
            )
        cells.append(("Total", "", f"{total * 1e6:.1f}", "", "", "", "", ""))
        widths = [max(len(line[i]) for line in cells) for i in range(8)]
        align = [str.ljust, str.ljust, *[str.rjust] * 5, str.ljust]
        lines = ["  ".join(put(c, w) for put, c, w in zip(align, line, widths)).rstrip() for line in cells]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], *self._footer()])

    def _footer(self):
        share = 100 * self.gflops / self.peak_gflops
        return [
            f"A step as it runs: {self.seconds * 1e6:.1f} us for {self.samples} samples on {self.threads} "
            f"thread{'s' if self.threads > 1 else ''}: {self.samples / self.seconds:,.0f} samples/s, "
            f"{self.gflops:.1f} GFLOP/s, {share:.0f} % of peak",
            f"Peak: {self.peak_gflops:.0f} GFLOP/s of direct multiply-adds, {self.peak_gbytes:.0f} GB/s in the cache",
            f"Path: {self.path}",
        ]

    __repr__ = __str__

    def plot(self, path=None):
        """The table as a bar chart; see `fastnn.plot.plot_profile`."""
        from .plot import plot_profile

        return plot_profile(self, path)


def profile(network, x, y, loss=None, optimizer=None):
    """Time the parts of a training step on a batch. Network, loss and optimizer stay as they are.

    A network that runs as a compiled plan is timed step by step of the plan, each on its own, on all threads; any other one
    layer by layer, forward and backward.

    Parameters
    ----------
    network : Layer
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
    TypeError, ValueError
        If x or y do not fit.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> net = fnn.Sequential(fnn.Conv2d(1, 4, 3), fnn.ReLU(), fnn.Flatten(), fnn.Dense(144, 10))
    >>> found = profile(net, np.zeros((32, 1, 8, 8), np.float32), np.zeros(32, np.int64))
    >>> found.path
    'compiled plan'
    >>> [row["pass"] for row in found.rows if row["name"] == "0 Conv2d"]
    ['forward', 'backward', 'weight gradient']
    """
    from .trainer import Trainer, _check_fit, _data_set, _kernels_of

    x, y = _data_set("profile", x, y)
    network, loss, optimizer = copy.deepcopy(network), copy.copy(loss), copy.deepcopy(optimizer)
    trainer = Trainer(network, loss, SGD() if optimizer is None else optimizer)  # checks them; its loss is the default one
    loss, optimizer = trainer.loss, trainer.optimizer
    y = Targets(y).for_step(loss, _check_fit(network, loss, x, y)).values
    reason = switched_off(network) or untrainable(network)
    if reason is None:
        try:
            return _profile_plan(network, loss, optimizer, x, y)
        except Unsupported as unsupported:
            reason = str(unsupported)
    with _kernels_of(network):
        return _profile_layers(network, loss, optimizer, x, y, f"layer by layer, because {reason}")


def _median_seconds(run):
    """Median time of a call."""
    return statistics.median(_times(run))


def _times(run):
    """Times of as many calls as are worth while."""
    times = []
    while len(times) < _FEWEST_ROUNDS or (len(times) < _ROUNDS and sum(times) < _SECONDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


class _Machine:
    """What the machine can do at most, with so many threads in a dtype."""

    def __init__(self, dtype, threads):
        self.dtype, self.threads, self._paces = dtype, threads, {}
        self.gflops = self.gbytes = float("nan")
        if not numba_config.DISABLE_JIT:  # without, there is nothing to measure with
            from .kernels.lanes.peak import measure

            # Once more than it remembers: another process may have had a core of ours at that time.
            again = measure.__wrapped__(dtype, threads)
            self.gflops, self.gbytes = map(max, measure(dtype, threads), again)

    def pace(self, moved):
        """GB/s of copies that read and write as many bytes, to the next power of two, or of copies in the cache."""
        key = max(moved - 1, 1).bit_length()
        if key not in self._paces:
            self._paces[key] = self.gbytes if moved <= 1 << 18 else self._measure(min(1 << key, _COPY_BYTES))
        return self._paces[key]

    def _measure(self, moved):
        if numba_config.DISABLE_JIT:
            return self.gbytes
        from .kernels._threads import run
        from .kernels.lanes.peak import copies

        size = moved // 2 // self.threads // self.dtype.itemsize
        out, x = np.ones((2, self.threads, size), self.dtype)
        phase = copies.phase((out, x, 1), self.threads)
        return min(self.gbytes, moved / min(_times(lambda: run([phase], parallel=self.threads > 1))) / 1e9)

    def row(self, name, which, seconds, *, flops=0, moved=0, fused=(), launch=_LAUNCH_SECONDS):
        """One row of a profile."""
        gflops, gbytes, pace = flops / seconds / 1e9, moved / seconds / 1e9, self.pace(moved)
        arithmetic, memory = 100 * gflops / self.gflops, 100 * gbytes / pace
        if seconds < launch:
            bound = "launch"
        elif max(arithmetic, memory) < (_COUNTED_PERCENT if flops else _MOVED_PERCENT):
            bound = "other work"
        elif arithmetic >= memory:
            bound = "arithmetic"
        else:
            bound = "cache" if pace > _IN_CACHE * self.gbytes else "memory"
        return {
            "name": name,
            "pass": which,
            "fused": tuple(fused),
            "seconds": seconds,
            "gflops": gflops,
            "gbytes": gbytes,
            "percent": max(arithmetic, memory),
            "bound": bound,
        }


# --- networks with a plan


def _profile_plan(network, loss, optimizer, x, y):
    from .kernels._threads import ready_threads
    from .plan.training import TrainingPlan

    plan = TrainingPlan(network, loss, optimizer, x, y, len(x), separate=True)
    whole = TrainingPlan(network, loss, optimizer, x, y, len(x))
    if not plan.can_take(len(x)):
        raise Unsupported("batch normalization has one value per channel in this batch")
    x, y = plan.convert(x, y)
    threads = ready_threads()
    machine = _Machine(plan.program.dtype, threads)
    rows = _Steps(plan, loss, optimizer, x, y, threads, machine).rows()
    planned_step = whole.stepper(x.shape, y.shape)

    def step():
        if planned_step(x, y) is None:
            raise RuntimeError("profile: the plan refused a batch that it was made for")

    step()
    return Profile(rows, PLAN, len(x), threads, (machine.gflops, machine.gbytes), _median_seconds(step))


class _Steps:
    """The steps of a training plan on one batch, each of them run by itself."""

    def __init__(self, plan, loss, optimizer, x, y, threads, machine):
        from .kernels import _threads as threading_
        from .kernels.lanes import layout

        self.plan, self.loss, self.optimizer, self.machine, self.threads = plan, loss, optimizer, machine, threads
        self.x, self.y, self.samples = x, y, len(x)
        self.blocks = -(-len(x) // plan.program.lanes)
        self.run_chain, self.link, self.status = threading_.run_chain, threading_.link, threading_.STATUS
        plan.chains.ready(threads)
        data = [layout.X, layout.Y, layout.INDEX, threading_.START, threading_.SAMPLES, threading_.BLOCKS]
        plan.cells[data] = x.ctypes.data, y.ctypes.data, 0, 0, self.samples, self.blocks
        for op in plan._drops:
            op.draw(self.samples, plan.program.dtype)
        if plan.loss_steps is None:
            rows = self.blocks * plan.program.lanes
            output = plan.graph.output
            self.prediction = np.empty((self.samples, *output.sample_shape), plan.program.dtype)
            self.dout = np.zeros((rows, *output.sample_shape), plan.program.dtype)
            plan.cells[layout.OUT] = self.prediction.ctypes.data
            plan._dout_cells[data[:1] + data[2:]] = self.dout.ctypes.data, 0, 0, rows, self.blocks

    def rows(self):
        """A row for each step. All run once first: what a step reads is then what a step before has made."""
        plan, made = self.plan, []
        for step, records in plan.chains.steps:
            made.append((step, self.link([item if isinstance(item, list) else [item] for item in records])))
        for _, head in made:
            self._run(head)
            if plan.cells[self.status]:
                raise ValueError("profile: expected labels in range, got one that is not")
        nothing = _median_seconds(lambda: self._run(0))
        fused = {op.label: self._fused(op) for op in plan.graph.ops}
        weights = {op.label: sum(array.nbytes for array in op.params.values()) for op in plan.graph.ops}
        rows = []
        for step, head in made:
            if plan.loss_steps is None and step.label == "gradient":
                rows.append(self._loss_in_python())
            seconds = max(_median_seconds(lambda head=head: self._run(head)) - nothing, 1e-8)
            taken = fused.get(step.label, ()) if step.kind == "forward" else ()
            moved = self._bytes(step, weights.get(step.label, 0) if step.macs else 0)
            sizes = {"flops": 2 * step.macs * self.samples, "moved": moved, "fused": taken}
            rows.append(self.machine.row(step.label, "prepare" if step.kind == "weights" else step.kind, seconds, **sizes))
        if plan.update is None:
            rows.append(self._update_in_python())
        return rows

    def _run(self, head):
        chains = self.plan.chains
        self.run_chain(head, self.threads, chains.scratch, chains.stride, self.plan.cells.ctypes.data)

    def _fused(self, op):
        taken = ["BatchNorm"] if getattr(op, "norm", None) is not None else []
        return [*taken, *(["sum"] if getattr(op, "residual", None) is not None else []), *(["ReLU"] if op.relu else [])]

    def _bytes(self, step, weights):
        """What a step reads and writes, each array once."""
        spaces = {id(space): space for space in step.spaces if not space.temporary}
        moved = sum(space.bytes(self.blocks) for space in spaces.values()) + weights
        if step.kind == "forward" and step.label == "samples":
            moved += self.x.nbytes
        if step.kind == "update":
            params, plan = self.plan.network.flat_params, self.plan
            state = 0 if plan.update is None else sum(array.nbytes for array in plan.update.arrays.values())
            moved += (0 if plan.update is None else 2 * params.nbytes + 2 * state) + params.nbytes
            moved += sum(sets.nbytes + grad.nbytes for sets, grad in plan.program.sums)
        return moved

    def _loss_in_python(self):
        def run():
            self.loss.forward(self.prediction, self.y)
            self.dout[: self.samples] = self.loss.backward()

        seconds = _median_seconds(run)
        sizes = {"moved": 2 * self.prediction.nbytes, "launch": _CALL_SECONDS}
        return self.machine.row(type(self.loss).__name__, "loss", seconds, **sizes)

    def _update_in_python(self):
        network = self.plan.network
        params, grads = network.flat_params, network.flat_grads
        seconds = _median_seconds(lambda: self.optimizer.update(params, grads))
        sizes = {"moved": 3 * params.nbytes, "launch": _CALL_SECONDS}
        return self.machine.row(type(self.optimizer).__name__, "update", seconds, **sizes)


# --- networks without one


class _Watch:
    """Times the layers of a network as its forward and backward call them, step after step."""

    def __init__(self, network):
        self.entries = {}  # (name, pass) -> {"seconds": of each step, "flops", "moved"}; in the order of the first step
        self.step = -1
        for name, layer in network.walk():
            if not layer.is_network:
                label = f"{name} {type(layer).__name__}".strip()
                # In this object only, and past __setattr__: it is a copy that nobody else has.
                layer.__dict__["forward"] = self._forward(label, layer, layer.forward)
                layer.__dict__["backward"] = self._backward(label, layer, layer.backward, type(layer).backward)

    def _note(self, label, which, seconds, flops, moved):
        entry = self.entries.setdefault((label, which), {"seconds": [], "flops": 0, "moved": 0})
        if len(entry["seconds"]) <= self.step:
            entry["seconds"] += [0.0] * (self.step + 1 - len(entry["seconds"]))
            entry["flops"] = entry["moved"] = 0
        entry["seconds"][self.step] += seconds  # a network may call a layer more than once in a step
        entry["flops"] += flops
        entry["moved"] += moved

    def _forward(self, label, layer, run):
        def forward(x, *, training=False):
            start = time.perf_counter()
            out = run(x, training=training)
            seconds = time.perf_counter() - start
            shape = np.shape(x)
            layer.__dict__["_watched"] = macs = layer.macs(shape[1:]) * shape[0], _nbytes(x)
            self._note(label, "forward", seconds, 2 * macs[0], _nbytes(x) + _nbytes(out) + _params_bytes(layer))
            return out

        return forward

    def _backward(self, label, layer, run, method):
        def backward(dout, **options):
            start = time.perf_counter()
            dx = run(dout, **options)
            seconds = time.perf_counter() - start
            macs, x_bytes = layer.__dict__["_watched"]
            passes = (1 if layer.params else 0) + (0 if dx is None else 1)
            moved = _nbytes(dout) + x_bytes + _nbytes(dx) + 2 * _params_bytes(layer)
            self._note(label, "backward", seconds, 2 * macs * passes, moved)
            return dx

        backward.__wrapped__ = method
        return backward


def _nbytes(array):
    return getattr(array, "nbytes", 0)


def _params_bytes(layer):
    return sum(param.nbytes for param in layer.params.values())


def _profile_layers(network, loss, optimizer, x, y, path):
    from .kernels._threads import num_threads
    from .trainer import _Batches, _float_dtype

    if x.dtype == np.uint8:
        x = _Batches(x, network, len(x)).take(0, len(x))
    params = getattr(network, "flat_params", None)
    grads = getattr(network, "flat_grads", None)
    watch, others = None, {"loss": [], "update": []}
    sizes = {}

    def step():
        prediction = network.forward(x, training=True)
        start = time.perf_counter()
        loss.forward(prediction, y)
        dout = loss.backward()
        others["loss"].append(time.perf_counter() - start)
        sizes["loss"] = 2 * _nbytes(prediction)
        call_backward(network, dout, need_dx=False)
        start = time.perf_counter()
        if params is None:
            optimizer.update(network.params, network.grads)
        elif params.size:
            optimizer.update(params, grads)
        others["update"].append(time.perf_counter() - start)
        if watch is not None:
            watch.step += 1

    step()  # compiles, and makes buffers
    seconds = _median_seconds(step)
    others["loss"].clear()
    others["update"].clear()
    watch = _Watch(network)
    watch.step = 0
    _median_seconds(step)
    threads = num_threads()
    machine = _Machine(np.dtype(_float_dtype(network)), threads)
    rows = {"forward": [], "backward": []}
    for (name, which), entry in watch.entries.items():
        taken = statistics.median(entry["seconds"])
        counted = {"flops": entry["flops"], "moved": entry["moved"], "launch": _CALL_SECONDS}
        rows[which].append(machine.row(name, which, taken, **counted))
    moved = 3 * sum(param.nbytes for param in network.params.values())
    for which, what, size in (("loss", loss, sizes["loss"]), ("update", optimizer, moved)):
        taken = statistics.median(others[which])
        rows[which] = [machine.row(type(what).__name__, which, taken, moved=size, launch=_CALL_SECONDS)]
    every = [*rows["forward"], *rows["loss"], *rows["backward"], *rows["update"]]
    return Profile(every, path, len(x), threads, (machine.gflops, machine.gbytes), seconds)
