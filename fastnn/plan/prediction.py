"""Predictions as plans: the forward part, for any number of samples, in any number of threads at once."""

import threading

import numpy as np

from ..kernels._threads import START, ready_threads, run_batches
from ..kernels.lanes.layout import INDEX, OUT, X
from ..layers import changes
from . import settings
from .graph import Graph, check_types
from .normalization import Norm
from .program import Program
from .tensors import Unsupported
from .training import gather_step, scatter_step, source_like

_KEPT = 4  # plans of one network that wait for the next call
_SLICE_MACS = 4 << 30  # of one call into compiled code, some tens of milliseconds: then Ctrl-C is heard
_SERIAL_MACS = 500_000  # some 10 microseconds of one thread: less is not worth waking another
_DENSE_BLOCKS = 32
_ARRAYS = ("params", "state")
_lock = threading.Lock()


class PredictionPlan:
    """The forward pass of a network for samples of one shape and dtype, with memory of its own.

    Raises
    ------
    Unsupported
        If a layer has no kernels in the plan.
    """

    def __init__(self, network, sample_shape, x_dtype):
        self._count = changes.count()
        self._signature = changes.signature(network, _ARRAYS)
        self._settings = settings.current()
        self.key = sample_shape, x_dtype
        dtype = network_dtype(network, x_dtype)
        graph = Graph(network, sample_shape)
        for op in graph.ops:
            if isinstance(op, Norm) and not op.layer.track_running_stats:
                raise Unsupported(f"{op.name} normalizes predictions batch by batch")
        graph.fold()
        graph.order_samples()
        # Samples of a network of dense layers alone take so little memory that each layer can be a phase over many blocks.
        blocks = _DENSE_BLOCKS if all(op.out.positions == 1 for op in graph.ops) else 1
        program = Program(dtype, blocks, 1, training=False, winograd=self._settings.winograd)
        gather_step(program, graph, source_like(np.empty(0, x_dtype), dtype))
        for op in graph.ops:
            op.forward(program, False)
        scatter_step(program, graph.output)
        self.output_shape, self.dtype, self.cells = graph.output.sample_shape, program.dtype, program.cells
        self.chains = program.build()
        macs = max(1, sum(step.macs for step, _ in self.chains.steps))
        self._slice = max(1, _SLICE_MACS // macs // program.lanes) * program.lanes
        if blocks > 1:
            self._slice = min(self._slice, blocks * program.lanes)
        self._parallel_above = _SERIAL_MACS // macs

    def is_current(self, network):
        """Whether the network is still the one that the plan was made for."""
        if changes.latest != self._count:
            count = changes.count()
            if changes.signature(network, _ARRAYS) != self._signature:
                return False
            self._count = count
        return self._settings is settings.current()

    def run(self, x):
        """Predictions for C-contiguous samples: a new array."""
        out = np.empty((len(x), *self.output_shape), self.dtype)
        cells, chains, parallel = self.cells, self.chains, len(x) > self._parallel_above
        threads = ready_threads() if parallel else 1
        chains.ready(threads)
        cells[INDEX] = 0
        for start in range(0, len(x), self._slice):
            part, rows = x[start : start + self._slice], out[start:]
            cells[X], cells[OUT], cells[START] = part.ctypes.data, rows.ctypes.data, 0
            run_batches(chains.heads[0], threads, chains.scratch, chains.stride, cells.ctypes.data, len(part), len(part))
        return out


def network_dtype(network, x_dtype):
    """The dtype in which a network computes: its parameters', else that of floats given to it, else float32."""
    for _, layer in network.walk():
        if layer.dtype is not None:
            return np.dtype(layer.dtype)
        for param in layer.params.values():
            return param.dtype
    return np.dtype(np.float32) if x_dtype == np.uint8 else np.dtype(x_dtype)


def predict(network, x):
    """Predictions by a plan, or None where there can be none; x has been checked."""
    if not x.flags.c_contiguous or not x.dtype.isnative or not x.size:
        return None
    key = x.shape[1:], x.dtype
    with _lock:
        kept = network.__dict__.setdefault("_plans", [])
        plan = next((p for p in kept if p.key == key), None)
        if plan is not None:
            kept.remove(plan)
    if not isinstance(plan, PredictionPlan):
        try:
            check_types(network)
        except Unsupported:
            return None
    if plan is not None and not plan.is_current(network):
        plan = None
    if isinstance(plan, _Refusal):
        _keep(network, plan)
        return None
    if plan is None:
        try:
            plan = PredictionPlan(network, *key)
        except Unsupported as reason:
            _keep(network, _Refusal(network, key, str(reason)))
            return None
    try:
        return plan.run(x)
    finally:
        _keep(network, plan)


def _keep(network, plan):
    with _lock:
        kept = network.__dict__.setdefault("_plans", [])
        kept.insert(0, plan)
        del kept[_KEPT:]


class _Refusal:
    """That a network cannot be planned, as long as it stays as it is."""

    def __init__(self, network, key, reason):
        self.key, self.reason = key, reason
        self._count, self._signature = changes.count(), changes.signature(network, _ARRAYS)
        self._settings = settings.current()

    is_current = PredictionPlan.is_current
