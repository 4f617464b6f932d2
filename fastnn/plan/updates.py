"""Optimizers in a plan: one pass over all parameters, at the end of the step's chain."""

import numpy as np

from .. import optimizers
from ..kernels.lanes import updates as kernels
from .tensors import Unsupported

_FLAT = optimizers._FLAT


class UpdateSteps:
    """The update record of an optimizer, in step with the optimizer's own state.

    Parameters
    ----------
    optimizer : SGD, Adam or AdamW
    params, grads : (P,) array
    cells : array

    Raises
    ------
    Unsupported
        If the optimizer has no kernel in the plan.
    """

    def __init__(self, optimizer, params, grads, cells):
        self.optimizer, self.cells = optimizer, cells
        optimizer._check(_FLAT, params, grads)
        optimizer._check_options()
        state = optimizer.state.get(_FLAT, {})
        none = np.empty(0, params.dtype)
        self.kind = type(optimizer)
        if self.kind is optimizers.SGD:
            moving = optimizer.momentum != 0
            self.arrays = {"velocity": state.get("velocity", np.zeros_like(params))} if moving else {}
            self.update = kernels.SGDUpdate(params, grads, self.arrays.get("velocity", none), cells, *self._options())
        elif self.kind in (optimizers.Adam, optimizers.AdamW):
            names = ("m", "v", "vmax") if optimizer.amsgrad else ("m", "v")
            self.arrays = {name: state.get(name, np.zeros_like(params)) for name in names}
            arrays = (self.arrays["m"], self.arrays["v"], self.arrays.get("vmax", none))
            self.update = kernels.AdamUpdate(params, grads, *arrays, cells, *self._options())
        else:
            raise Unsupported(f"{self.kind.__name__} has no kernel in the plan")
        cells[kernels.STEPS] = state.get("step", 0) if self.kind is not optimizers.SGD else int("velocity" in state)
        self.version = optimizer._version
        self._counts_steps = self.kind is not optimizers.SGD
        self._left, self._cells = None, memoryview(cells)  # which gives ints, and quickly

    def _options(self):
        o = self.optimizer
        if self.kind is optimizers.SGD:
            return o.lr, o.momentum, o.dampening, o.weight_decay, int(o.nesterov)
        return o.lr, *o.betas, o.eps, o.weight_decay, int(o.decoupled_weight_decay), int(o.amsgrad)

    def follow(self):
        """Take over options that the user has changed; False if that needs another plan."""
        o = self.optimizer
        o._check_options()
        state = o.state.get(_FLAT)
        if state is None:
            fresh = self.kind is optimizers.SGD and not self.arrays
            if not fresh and self.cells[kernels.STEPS] != 0:
                return False
        else:
            stepped = self.kind is optimizers.SGD or state["step"] == self.cells[kernels.STEPS]
            if not stepped or any(state.get(name) is not array for name, array in self.arrays.items()):
                return False
        try:
            self.update.set(*self._options())
        except ValueError:
            return False
        self.version, self._left = o._version, None
        return True

    def leave(self):
        """Let the optimizer know the state after one or more steps."""
        if self._left is not None:
            if self._counts_steps:
                self._left["step"] = self._cells[kernels.STEPS]
            return
        state = self.optimizer.state.setdefault(_FLAT, {})
        if self._counts_steps:
            state["step"] = self._cells[kernels.STEPS]
        state.update(self.arrays)
        self._left = state
