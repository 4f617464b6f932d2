"""Training steps and epochs as plans."""

import math
import time
from ctypes import addressof, c_char

import numpy as np

from .. import kernels
from ..kernels._threads import BLOCKS, SAMPLES, START, STATUS, STEPS, VALUE, ready_threads, run_batches, run_chain, run_step
from ..kernels.gemm import EMPTY
from ..kernels.lanes import augment, samples, updates
from ..kernels.lanes.layout import CELLS, DRAWS, INDEX, OUT, X, Y, aligned_zeros
from ..kernels.lanes.losses import CORRECT, DIVISOR, LABELS, LOSS, TOTAL, WEIGHT
from ..layers import changes
from . import settings
from .graph import Graph, check_types
from .losses import LossSteps, target_dtype
from .normalization import Norm
from .pointwise import Drop
from .program import Program
from .tensors import Unsupported
from .updates import FLAT, UpdateSteps

UINT8_SCALE, UINT8_SHIFT = 1 / 255, 0.0
ARRAYS = ("params", "grads", "state")  # whose addresses a training plan holds
_SLICE_SECONDS = 0.05  # of an epoch, between two looks at the progress bar and at Ctrl-C
_SERIAL_BELOW = 15_000  # nanoseconds of one thread's work in a step: less is not worth waking another
_MACS_PER_NS = 50  # of one thread, roughly


def gather_step(program, graph, source):
    """The step that takes samples into lanes; `source` is an empty array of their dtype."""
    x = program.value(graph.input)
    args = graph.input.channels, graph.input.positions, program.cells, UINT8_SCALE, UINT8_SHIFT
    like = EMPTY[program.dtype]
    program.block("samples", lambda place: [samples.gather.phase((like, source, place(x), *args), 1)], x)


def augmented_gather_step(program, graph, source):
    """`gather_step` for an epoch with augmentation."""
    x, plane, like = program.value(graph.input), graph.input.plane, EMPTY[program.dtype]
    strip = augment.strip_of(plane, source.dtype, program.dtype)
    room = program.space(program.lanes * strip[1], temporary=True)

    def make(place):
        args = place(x), place(room), plane, strip, program.cells, UINT8_SCALE, UINT8_SHIFT
        return [augment.gather_augmented.phase((like, source, *args), 1)]

    program.block("samples", make, x, room)


def scatter_step(program, tensor):
    """The step that brings a tensor's lanes into the rows of an array."""
    x, like = program.value(tensor), EMPTY[program.dtype]
    args = tensor.channels, tensor.positions, program.cells
    program.block("predictions", lambda place: [samples.scatter.phase((like, place(x), *args), 1)], x)


def source_like(x, dtype):
    """An empty array of the dtype of samples: the network's, or uint8."""
    if x.dtype != dtype and x.dtype != np.uint8:
        raise Unsupported(f"samples of dtype {x.dtype}")
    return np.empty(0, x.dtype)


class TrainingPlan:
    """A training step of a network, a loss and an optimizer, for samples and targets of one shape and dtype.

    Parameters
    ----------
    network, loss, optimizer
    x, y : array
        Samples and targets like those to come.
    size : int
        Samples in the largest batch.
    separate : bool
        For profiles: see `Program`.
    augmented : bool
        Whether samples are augmented, as `begin` is told: for epochs only, `step` takes no batch.
    hits : {"one-hot", "binary", None}
        Whether, and how, to count correct predictions of a loss that goes element by element.

    Raises
    ------
    Unsupported
        If a layer has no kernels in the plan. (A loss or an optimizer without them runs in Python, between two chains.)
    """

    def __init__(self, network, loss, optimizer, x, y, size, *, separate=False, augmented=False, hits=None):
        check_types(network)
        self.augmented, self.hits = augmented, hits
        self.network, self.loss, self.optimizer, self.size = network, loss, optimizer, size
        self._count, self._options = changes.count(), changes.options
        params, grads = getattr(network, "flat_params", None), getattr(network, "flat_grads", None)
        if params is None or not params.size:
            raise Unsupported("nothing in it can be trained")
        self._signature = changes.signature(network, ARRAYS)
        self._settings, dtype = settings.current(), params.dtype
        self.sample_shape, self.x_dtype = x.shape[1:], x.dtype
        self.target_shape, self.given_dtype = y.shape[1:], y.dtype
        try:
            self.target_dtype, self.loss_reason = target_dtype(loss, y, dtype), None
        except Unsupported as reason:
            self.target_dtype, self.loss_reason = y.dtype, str(reason)
        self.graph = Graph(network, self.sample_shape, plain=self.loss_reason is None)
        lanes = Program(dtype, 1, 1, training=True).lanes
        options = {"training": True, "winograd": self._settings.winograd, "separate": separate}
        self.program = program = Program(dtype, -(-size // lanes), 1, **options)
        self.cells, self._cells_at = program.cells, program.cells.ctypes.data

        if augmented:
            augmented_gather_step(program, self.graph, source_like(x, dtype))
        else:
            self.graph.order_samples()
            gather_step(program, self.graph, source_like(x, dtype))
        for op in self.graph.ops:
            op.forward(program, True)
        program.kind = "loss"
        self.loss_steps = None
        if self.loss_reason is None:
            try:
                self.loss_steps = LossSteps(program, loss, self.graph, self.target_dtype, hits)
            except Unsupported as reason:
                self.loss_reason = str(reason)
        if self.loss_steps is None:
            self._loss_in_python()
        program.kind = "backward"
        for op in reversed(self.graph.ops):
            if op.out.root.has_gradient:
                op.backward(program)
        program.kind = "update"
        self._add_update(params, grads)
        self.chains = program.build()

        run_order = {layer: place for place, (_, layer) in enumerate(network.walk())}  # layers may share a generator
        self._drops = sorted((op for op in self.graph.ops if isinstance(op, Drop)), key=lambda op: run_order[op.layer])
        self._in_python = self._drops or self.loss_steps is None or self.update is None
        self._smallest = min((op.out.positions for op in self.graph.ops if isinstance(op, Norm)), default=2)
        work = sum(step.macs for step, _ in self.chains.steps) * size / _MACS_PER_NS
        self._parallel = work + 30 * len(self.chains.steps) * program.blocks >= _SERIAL_BELOW
        self._loss_version = loss._version if self.loss_steps else None
        self._order = None
        if self.loss_steps is not None:
            self.cells[VALUE] = self.loss_steps.results.ctypes.data + 8 * LOSS
        self._slice = 1  # batches

    # --- what the chains are made of

    def _loss_in_python(self):
        """Predictions out, and behind a hole in the chain their gradient in."""
        program, output = self.program, self.graph.output
        scatter_step(program, output)
        program.hole()
        self._dout_cells = aligned_zeros((CELLS,), np.int64)
        dout, like = program.like(output), EMPTY[program.dtype]
        args = output.channels, output.positions, self._dout_cells, 1.0, 0.0
        program.block("gradient", lambda place: [samples.gather.phase((like, like, place(dout), *args), 1)], dout)
        program.contribute(output, dout)

    def _add_update(self, params, grads):
        """The loss of the batch, sums of gradients, and the optimizer's update."""
        program = self.program
        program.close()
        sums = []
        for sets, grad in program.sums:
            begin = (grad.ctypes.data - grads.ctypes.data) // grads.itemsize
            args = grads, sets, begin, program.chunk, program.cells
            sums.append(updates.sum_sets.phase(args, params.size, updates.CHUNK))
        loss = [self.loss_steps.finish()] if self.loss_steps else []
        try:
            self.update, self.update_reason = UpdateSteps(self.optimizer, params, grads, program.cells), None
            phases = [[*loss, *self.update.update.prepare], [*sums, self.update.update.record]]
        except Unsupported as reason:
            self.update, self.update_reason = None, str(reason)
            phases = [loss, sums]
        program.whole("update", lambda place: [phase for phase in phases if phase])

    # --- whether it still fits

    def is_current(self):
        """Whether network, loss, optimizer and settings are those that the plan was made for; takes new options over."""
        options = changes.options
        if changes.latest != self._count:
            count = changes.count()
            if changes.signature(self.network, ARRAYS) != self._signature:
                return False
            self._count = count
        if options != self._options:
            if self._settings is not settings.current():
                return False
            if self._loss_version is not None and self.loss._version != self._loss_version:
                return False
        if self.update is not None and not self.update.follow():
            return False
        self._options = options
        return True

    def fits(self, x, y, size, augmented=False, hits=None):
        """Whether the plan can take batches of up to `size` such samples and targets."""
        same = (
            augmented == self.augmented
            and hits in (None, self.hits)
            and x.shape[1:] == self.sample_shape
            and x.dtype == self.x_dtype
        )
        return same and y.shape[1:] == self.target_shape and y.dtype == self.given_dtype and size <= self.size

    def convert(self, x, y):
        """A batch that fits, as `stepper`'s functions take it."""
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y, self.target_dtype)
        return x.view(self.x_dtype), y.view(self.target_dtype)  # equal dtypes may be two objects

    def can_take(self, count):
        """Whether batch normalization has more than one value per channel in a batch of so many."""
        return count * self._smallest > 1

    # --- one step

    def stepper(self, x_shape, y_shape):
        """A function of (x, y) that makes one step on a batch of these shapes, which have been checked.

        It returns the loss, or None, with nothing done, if a batch is of another kind. A function with all it needs in its
        closure, because with a tiny network the way into compiled code takes longer than the step. It keeps the plan alive;
        the plan does not keep it.
        """
        x_dtype, y_dtype, count, chains, cells = self.x_dtype, self.target_dtype, x_shape[0], self.chains, self.cells
        head, stride, cells_at, in_python = chains.heads[0], chains.stride, self._cells_at, self._in_python
        words, optimizer, update = memoryview(cells), self.optimizer, self.update
        chosen, leave, from_buffer = kernels._active.get, update and update.leave, c_char.from_buffer
        if self.loss_steps is None:
            check, output_shape = getattr(self.loss, "check", None), self.graph.output.sample_shape
        else:
            check, divisors, own = None, memoryview(self.loss_steps.results), self.loss.__dict__
            follow = self.loss_steps.follow

        def step(x, y):
            try:
                if x.shape != x_shape or y.shape != y_shape or x.dtype is not x_dtype or y.dtype is not y_dtype:
                    return None
            except AttributeError:  # not an array
                return None
            moved = changes.latest != self._count or changes.options != self._options or chosen() is not None
            if not moved and update is not None:
                moved = optimizer.state.get(FLAT) is not update.left
            if moved and (chosen() not in (None, kernels) or not self.is_current()):
                return None
            try:
                x_at, y_at = addressof(from_buffer(x)), addressof(from_buffer(y))
            except (TypeError, ValueError):  # with gaps, or read-only
                if not all(isinstance(a, np.ndarray) and a.flags.c_contiguous for a in (x, y)):
                    return None
                x_at, y_at = x.ctypes.data, y.ctypes.data
            if in_python:
                if check is not None:
                    check((count, *output_shape), y)
                cells[X], cells[Y], cells[INDEX] = x_at, y_at, 0
                return self._run_in_pieces(0, count, y)
            threads = ready_threads() if self._parallel else 1
            if threads > chains.threads:
                chains.ready(threads)
            if follow is not None:
                follow()
            value = run_step(head, threads, chains.scratch, stride, cells_at, x_at, y_at, count)
            if words[STATUS] != 0:
                words[STATUS] = 0
                return None
            leave()
            own["divisor"] = divisors[DIVISOR]
            return value

        return step

    def _failed(self):
        """Whether a chain was ended before its time, by a wrong label; makes ready for the next one."""
        failed, self.cells[STATUS] = self.cells[STATUS] != 0, 0
        return failed

    def _run_in_pieces(self, start, count, y, meter=None):
        """One step with dropout, a loss or an optimizer that work in Python.

        It takes `count` samples from `start` on, of the data whose addresses are in the cells. Returns the loss, or None, with
        nothing done, if a label is out of range.
        """
        cells, chains, loss, program = self.cells, self.chains, self.loss, self.program
        cells[START], cells[SAMPLES], cells[BLOCKS] = start, count, -(-count // program.lanes)
        threads = ready_threads() if self._parallel else 1
        chains.ready(threads)

        def run(number):
            run_chain(chains.heads[number], threads, chains.scratch, chains.stride, self._cells_at)

        before = [op.layer.rng.bit_generator.state for op in self._drops]
        for op in self._drops:
            op.draw(count, program.dtype)
        if self.loss_steps is None:
            prediction = np.empty((count, *self.graph.output.sample_shape), program.dtype)
            cells[OUT] = prediction.ctypes.data
            run(0)
            target = y if cells[INDEX] == 0 and len(y) == count else y[self._rows(start, count)]
            value = loss.forward(prediction, target)
            if meter is not None:
                meter.add(value, loss, prediction, target)
            rows = int(cells[BLOCKS]) * program.lanes
            dout = np.zeros((rows, *prediction.shape[1:]), program.dtype)  # lanes beyond the batch have no gradient
            dout[:count] = self.network.as_dout(loss.backward(), prediction.shape, prediction.dtype)
            self._dout_cells[[SAMPLES, START, INDEX, X]] = rows, 0, 0, dout.ctypes.data
            if self.update is not None:
                cells[STEPS] += 1
            run(1)
        else:
            if self.loss_steps.follow is not None:
                self.loss_steps.follow()
            run(0)
            if self._failed():
                for op, state in zip(self._drops, before):
                    op.layer.rng.bit_generator.state = state
                return None
            value = self.loss_steps.value()
        if self.update is None:
            self.optimizer.update(self.network.flat_params, self.network.flat_grads)
        else:
            self.update.leave()
        return value

    def _rows(self, start, count):
        return slice(start, start + count) if self._order is None else self._order[start : start + count]

    # --- epochs

    def begin(self, x, y, order, draws=None):
        """Data for `advance`: C-contiguous x and y of the plan's dtypes, and the order of the samples, or None for theirs.

        A plan for augmented samples needs the draws for all of them too.
        """
        self._x, self._y, self._order, self._draws = x, y, order, draws
        self.cells[X], self.cells[Y] = x.ctypes.data, y.ctypes.data
        self.cells[INDEX] = 0 if order is None else order.ctypes.data
        self.cells[DRAWS] = 0 if draws is None else draws.ctypes.data
        if self.loss_steps is not None:
            self.loss_steps.meters[:] = 0

    def advance(self, start, end, batch, meter):
        """Train on samples from `start` on, batch by batch, towards `end`, for a moment; returns how far it came.

        Raises
        ------
        ValueError
            If a label is out of range.
        """
        cells, chains = self.cells, self.chains
        if self._in_python:
            count = min(batch, end - start)
            if self._run_in_pieces(start, count, self._y, meter) is None:
                raise ValueError("Trainer: a label is out of range")
            return start + count
        if self.loss_steps.follow is not None:
            self.loss_steps.follow()
        stop = min(end, start + self._slice * batch)
        cells[START] = start
        threads = ready_threads() if self._parallel else 1
        chains.ready(threads)
        before = time.perf_counter()
        run_batches(chains.heads[0], threads, chains.scratch, chains.stride, self._cells_at, stop, batch)
        seconds = time.perf_counter() - before
        self.update.leave()
        if self._failed():
            raise ValueError("Trainer: a label is out of range")
        self.loss_steps.value()
        done = math.ceil((stop - start) / batch)
        self._slice = max(1, min(2 * self._slice, int(_SLICE_SECONDS / max(seconds / done, 1e-9))))
        return stop

    def end(self):
        """Let go of the epoch's data."""
        self._x = self._y = self._order = self._draws = None

    def figures(self, meter):
        """Loss and accuracy since `begin`, as `Trainer` reports them."""
        if self.loss_steps is None:
            return meter.figures()
        meters = self.loss_steps.meters
        total, weight = float(meters[TOTAL]), float(meters[WEIGHT])
        mean = self.loss.reduction == "mean"
        found = {"loss": total if not mean else total / weight if weight else float("nan")}
        if self.loss_steps.counts_hits:
            labels = float(meters[LABELS])
            found["accuracy"] = float(meters[CORRECT]) / labels if labels else float("nan")
        return found
