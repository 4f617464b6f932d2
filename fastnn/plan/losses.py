"""Losses in a plan: from the network's output to its gradient, without leaving the lanes."""

import numpy as np

from .. import kernels as fastnn_kernels
from .. import losses
from ..kernels.gemm import EMPTY
from ..kernels.lanes import losses as kernels
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
        if target.dtype.kind not in "iu":
            raise Unsupported(f"{kind.__name__} of probabilities has no kernels in the plan")
        return target.dtype if target.dtype in LABELS else LABELS[0]
    return np.dtype(dtype)


class LossSteps:
    """The steps of a loss in a program, and where its results appear.

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

    def __init__(self, program, loss, output, target_kind):
        self.results, self.meters = np.zeros(kernels.RESULTS), np.zeros(kernels.METERS)
        self.partial = program.partials(1).reshape(program.blocks, 2)
        self.program, self.loss, self.output, self.kind = program, loss, output, target_kind
        self.like, self.mean = EMPTY[program.dtype], int(loss.reduction == "mean")
        self.elements, self.counts_hits = 0, False
        if loss.reduction not in ("mean", "sum"):
            raise Unsupported("a loss without reduction")
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
        args = self.partial, self.results, self.meters, self.program.cells, self.mean, self.elements
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
        settings = C, weight, float(self.loss.label_smoothing), self.loss.ignore_index, self.mean
        shared = self.partial, self.results, self.program.cells
        self._step(lambda dx, x: (self.like, labels, dx, x, *settings, *shared), kernels.cross_entropy)

    def nll(self):
        C, weight, labels = self._classes()
        settings = C, weight, self.loss.ignore_index, self.mean
        shared = self.partial, self.results, self.program.cells
        self._step(lambda dx, x: (self.like, labels, dx, x, *settings, *shared), kernels.nll)

    def mse(self):
        sizes = self.output.channels, self.output.positions
        self.elements = self.output.size
        shared = self.mean, self.partial, self.program.cells
        self._step(lambda dx, x: (self.like, dx, x, *sizes, *shared), kernels.mse)

    def bce_with_logits(self):
        sizes, dtype = (self.output.channels, self.output.positions), self.program.dtype
        self.elements = self.output.size
        shape, loss = self.output.sample_shape, self.loss

        def element_weights():
            return [kernels.element_weights(array, shape, dtype) for array in (loss.weight, loss.pos_weight)]

        try:
            weights = element_weights()
        except ValueError as error:
            raise Unsupported(str(error)) from None
        if loss.weight is not None or loss.pos_weight is not None:
            self._follow(lambda: [np.copyto(*pair) for pair in zip(weights, element_weights())])
        shared = self.mean, self.partial, self.program.cells
        self._step(lambda dx, x: (self.like, dx, x, *sizes, *weights, *shared), kernels.bce_with_logits)


_STEPS = {
    losses.CrossEntropyLoss: LossSteps.cross_entropy,
    losses.NLLLoss: LossSteps.nll,
    losses.MSELoss: LossSteps.mse,
    losses.BCEWithLogitsLoss: LossSteps.bce_with_logits,
}
