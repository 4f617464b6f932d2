"""Losses in a plan: from the network's output to its gradient, without leaving the lanes."""

import numpy as np

from .. import kernels as fastnn_kernels
from .. import layers, losses
from ..kernels.gemm import EMPTY
from ..kernels.lanes import losses as kernels
from .reorder import Reorder
from .tensors import Unsupported

LABELS = tuple(map(np.dtype, (np.int64, np.int32, np.uint8)))


def target_dtype(loss, target, dtype):
    """The dtype in which the plan takes a target, to which others are converted once.

    Raises
    ------
    Unsupported
        If the loss, or the loss of such a target, has no kernels in the plan; it is then computed in Python.
    """
    kind = type(loss)
    if kind not in _STEPS:
        raise Unsupported(f"{kind.__name__} has no kernels in the plan")
    if loss._own_kernels not in (None, fastnn_kernels):
        raise Unsupported(f"{kind.__name__} runs on the reference kernels")
    if kind in (losses.CrossEntropyLoss, losses.NLLLoss):
        if target.dtype.kind not in "iu" or target.ndim != 1:  # `Targets` has made labels of what is one-hot
            raise Unsupported(f"{kind.__name__} has kernels in the plan for one label for each sample")
        return target.dtype if target.dtype in LABELS else LABELS[0]
    return np.dtype(dtype)


class LossSteps:
    """The steps of a loss in a program, and where its results appear.

    Parameters
    ----------
    program : Program
    loss : Loss
    graph : Graph
    target_kind : numpy.dtype
    hits : {"one-hot", "binary", None}
        What the targets of a loss by elements are, if correct predictions are to be counted.

    Attributes
    ----------
    results : (RESULTS,) float64 array
        Of the last batch: loss, divisor and so on, under the names in `kernels.lanes.losses`.
    meters : (METERS,) float64 array
        Sums over batches.
    follow : callable or None
        To call before a step: takes over what the user has written into the weights of the loss. None without weights.
    """

    follow = None

    def __init__(self, program, loss, graph, target_kind, hits=None):
        self.results, self.meters = np.zeros(kernels.RESULTS), np.zeros(kernels.METERS)
        self.partial = program.partials(1).reshape(program.blocks, 2)
        self.program, self.loss, self.graph, self.output, self.kind = program, loss, graph, graph.output, target_kind
        self.like, self.mean = EMPTY[program.dtype], int(loss.reduction == "mean")
        self.elements, self.hits, self.counts_hits = 0, hits, False
        if loss.reduction not in ("mean", "sum"):
            raise Unsupported("a loss without reduction")
        if hits is not None and self.output.positions != 1:
            raise Unsupported("accuracies at several positions")
        _STEPS[type(loss)](self)

    def _step(self, make_args, kernel):
        program, dx = self.program, self.program.like(self.output)
        x = program.value(self.output)

        def make(place):
            return [kernel.phase(make_args(place(dx), place(x)), 1)]

        program.block(type(self.loss).__name__, make, dx, x)
        program.contribute(self.output, dx)

    def value(self):
        """The loss of the last batch."""
        self.loss.__dict__["divisor"] = self.results.item(kernels.DIVISOR)
        return self.results.item(kernels.LOSS)

    def finish(self):
        """The record that adds up what the blocks found; it comes behind them."""
        counted = int(self.elements > 0 and self.counts_hits)
        args = self.partial, self.results, self.meters, self.program.cells, self.mean, self.elements, counted
        return kernels.finish_loss.phase(args, 1)

    def _follow(self, follow):
        self.follow = follow
        follow()

    def _classes(self):
        """Arguments that losses over classes share; labels are checked before anything else."""
        if self.output.positions != 1:
            raise Unsupported("a loss over classes at several positions")
        self.counts_hits = True
        C, loss, labels = self.output.channels, self.loss, np.empty(0, self.kind)
        weight = np.ones(C, self.program.dtype)
        if loss.weight is not None:
            self._follow(lambda: np.copyto(weight, loss.weight, casting="same_kind"))
        args = labels, weight, C, loss.ignore_index, self.results, self.program.cells
        self.program.prepare("labels", lambda place: [kernels.check_labels.phase(args, 1)], first=True)
        return C, weight, labels

    def cross_entropy(self):
        C, weight, labels = self._classes()
        loss, shared = self.loss, (self.partial, self.results, self.program.cells)
        settings, ignored = (C, weight, float(loss.label_smoothing)), (loss.ignore_index, self.mean)
        if loss.from_logits:
            self._step(lambda dx, x: (self.like, labels, dx, x, *settings, *ignored, *shared), kernels.cross_entropy)
        else:
            settings += (float(loss.eps),)
            self._step(lambda dx, x: (self.like, labels, dx, x, *settings, *ignored, *shared), kernels.log_loss)

    def nll(self):
        C, weight, labels = self._classes()
        settings = C, weight, self.loss.ignore_index, self.mean
        shared = self.partial, self.results, self.program.cells
        self._step(lambda dx, x: (self.like, labels, dx, x, *settings, *shared), kernels.nll)

    def _elements(self, kernel, *settings):
        """The step of a loss that goes element by element, and the one that counts hits."""
        sizes, shared = (self.output.channels, self.output.positions), (self.mean, self.partial, self.program.cells)
        self.elements = self.output.size
        self._step(lambda dx, x: (self.like, dx, x, *sizes, *settings, *shared), kernel)
        if self.hits is not None:
            self._count_hits()

    def _count_hits(self):
        self.counts_hits, x = True, self.program.value(self.output)
        args = self.output.channels, float(losses.threshold(self.loss) or 0), self.partial, self.program.cells
        self.program.block("accuracy", lambda place: [kernels.count_hits.phase((self.like, place(x), *args), 1)], x)

    def mse(self):
        self._elements(kernels.mse, float(self.loss.factor))

    def huber(self):
        self._elements(kernels.huber, *map(float, self.loss.pieces))

    def bce(self):
        if not self._behind_sigmoid():
            raise Unsupported("a BCELoss of predictions that may be outside 0..1")
        args, weights = (self.like, self.output.size, self.program.cells), self._element_weights("weight")
        self.program.prepare("targets", lambda place: [kernels.check_range.phase(args, 1)], first=True)
        self._elements(kernels.bce, *weights)

    def _behind_sigmoid(self):
        """Whether the output is what a Sigmoid made, in whatever order."""
        makers, tensor = {op.out.root: op for op in self.graph.ops}, self.output.root
        while isinstance(makers.get(tensor), Reorder):
            tensor = makers[tensor].x.root
        return type(getattr(makers.get(tensor), "layer", None)) is layers.Sigmoid

    def bce_with_logits(self):
        self._elements(kernels.bce_with_logits, *self._element_weights("weight", "pos_weight"))

    def _element_weights(self, *names):
        """Weights of a sample's elements, under these names in the loss, in the order of a block."""
        shape, dtype, loss = self.output.sample_shape, self.program.dtype, self.loss

        def element_weights():
            return [kernels.element_weights(getattr(loss, name), shape, dtype) for name in names]

        try:
            weights = element_weights()
        except ValueError as error:
            raise Unsupported(str(error)) from None
        if any(getattr(loss, name) is not None for name in names):
            self._follow(lambda: [np.copyto(*pair) for pair in zip(weights, element_weights())])
        return weights


_STEPS = {
    losses.CrossEntropyLoss: LossSteps.cross_entropy,
    losses.NLLLoss: LossSteps.nll,
    losses.MSELoss: LossSteps.mse,
    losses.L1Loss: LossSteps.huber,
    losses.HuberLoss: LossSteps.huber,
    losses.SmoothL1Loss: LossSteps.huber,
    losses.BCELoss: LossSteps.bce,
    losses.BCEWithLogitsLoss: LossSteps.bce_with_logits,
}
