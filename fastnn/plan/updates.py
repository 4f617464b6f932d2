"""Optimizers in a plan: one pass over all parameters, at the end of the step's chain."""

import numpy as np

from .. import kernels as fastnn_kernels
from .. import optimizers
from ..kernels.lanes import updates as kernels
from ..optimizers.base import FLAT
from .tensors import Unsupported


class UpdateSteps:
    """The update record of an optimizer, in step with the optimizer's own state.

    Parameters
    ----------
    optimizer : Optimizer
    params, grads : (P,) array
    cells : array

    Attributes
    ----------
    left : dict or None
        The optimizer's state, where the last step has left its own; None where the next one has to look after it.

    Raises
    ------
    Unsupported
        If the optimizer has no kernel in the plan.
    """

    def __init__(self, optimizer, params, grads, cells):
        self.optimizer, self.cells = optimizer, cells
        self.kind = type(optimizer)
        if self.kind not in (optimizers.SGD, optimizers.Adam, optimizers.AdamW):
            raise Unsupported(f"{self.kind.__name__} has no kernel in the plan")
        if optimizer._own_kernels not in (None, fastnn_kernels):
            raise Unsupported(f"{self.kind.__name__} runs on the reference kernels")
        optimizer._check(FLAT, params, grads)
        optimizer._check_options()
        state = optimizer.state.get(FLAT, {})
        none = np.empty(0, params.dtype)
        if self.kind is optimizers.SGD:
            moving = optimizer.momentum != 0
            self.arrays = {"velocity": state.get("velocity", np.zeros_like(params))} if moving else {}
            self.update = kernels.SGDUpdate(params, grads, self.arrays.get("velocity", none), cells, *self._options())
        else:
            names = ("m", "v", "vmax") if optimizer.amsgrad else ("m", "v")
            self.arrays = {name: state.get(name, np.zeros_like(params)) for name in names}
            arrays = (self.arrays["m"], self.arrays["v"], self.arrays.get("vmax", none))
            self.update = kernels.AdamUpdate(params, grads, *arrays, cells, *self._options())
        cells[kernels.STEPS] = state.get("step", 0) if self.kind is not optimizers.SGD else int("velocity" in state)
        self._version = optimizer._version
        self._counts_steps = self.kind is not optimizers.SGD
        self.left, self._cells = None, memoryview(cells)  # which gives ints, and quickly

    def _options(self):
        o = self.optimizer
        if self.kind is optimizers.SGD:
            return o.lr, o.momentum, o.dampening, o.weight_decay, int(o.nesterov)
        return o.lr, *o.betas, o.eps, o.weight_decay, int(o.decoupled_weight_decay), int(o.amsgrad)

    def follow(self):
        """Take over options and state that the user, or steps without the plan, have changed.

        Returns
        -------
        bool
            False if that needs another plan.
        """
        o = self.optimizer
        state = o.state.get(FLAT)
        if not state:
            if self.arrays and self.cells[kernels.STEPS] != 0:  # they are no longer zeros
                return False
        elif any(state.get(name) is not array for name, array in self.arrays.items()):
            return False
        elif self._counts_steps:
            self.cells[kernels.STEPS] = state["step"]
        if o._version != self._version:
            o._check_options()
            try:
                self.update.set(*self._options())
            except ValueError:
                return False
            self._version = o._version
        self.left = None
        return True

    def leave(self):
        """Let the optimizer know the state after one or more steps."""
        if self.left is not None:
            if self._counts_steps:
                self.left["step"] = self._cells[kernels.STEPS]
            return
        state = self.optimizer.state.setdefault(FLAT, {})
        if self._counts_steps:
            state["step"] = self._cells[kernels.STEPS]
        state.update(self.arrays)
        self.left = state
