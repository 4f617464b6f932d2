"""Optimizers in a plan: one pass over all parameters, at the end of the step's chain."""

from typing import NamedTuple

import numpy as np

from .. import kernels as fastnn_kernels
from .. import optimizers
from ..kernels.lanes import updates as kernels
from ..optimizers.base import FLAT
from .tensors import Unsupported


class _Records(NamedTuple):
    """How an optimizer becomes records of a plan.

    Attributes
    ----------
    update : class
        Of `kernels.lanes.updates`; made from params, grads, the arrays, cells and the options.
    arrays : tuple of str
        Names of all arrays that its state can have, in their order in `update`.
    options : function
        From the optimizer to the numbers behind them, which `update.set` takes too.
    """

    update: type
    arrays: tuple
    options: object


def _sgd_options(o):
    return o.lr, o.momentum, o.dampening, o.weight_decay, int(o.nesterov)


def _adam_options(o):
    return o.lr, *o.betas, o.eps, o.weight_decay, int(o.decoupled_weight_decay), int(o.amsgrad)


def _rmsprop_options(o):
    return o.lr, o.alpha, o.eps, o.weight_decay, o.momentum, int(o.centered)


def _adagrad_options(o):
    return o.lr, o.lr_decay, o.eps, o.weight_decay


_ADAM = _Records(kernels.AdamUpdate, ("m", "v", "vmax"), _adam_options)
_RECORDS = {
    optimizers.SGD: _Records(kernels.SGDUpdate, ("velocity",), _sgd_options),
    optimizers.Adagrad: _Records(kernels.AdagradUpdate, ("squares",), _adagrad_options),
    optimizers.Adam: _ADAM,
    optimizers.AdamW: _ADAM,
    optimizers.RMSprop: _Records(kernels.RMSpropUpdate, ("v", "m", "velocity"), _rmsprop_options),
}
_COUNTING = (optimizers.Adagrad, optimizers.Adam)  # their state has the number of steps


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
        kind = type(optimizer)
        if kind not in _RECORDS:
            raise Unsupported(f"{kind.__name__} has no kernel in the plan")
        if optimizer._own_kernels not in (None, fastnn_kernels):
            raise Unsupported(f"{kind.__name__} runs on the reference kernels")
        optimizer._check(FLAT, params, grads)
        optimizer._check_options()
        self.optimizer, self.cells, self._records = optimizer, cells, _RECORDS[kind]
        self._counts_steps = isinstance(optimizer, _COUNTING)
        self._first = optimizer._arrays()
        state, none = optimizer.state.get(FLAT, {}), np.empty(0, params.dtype)
        fresh = {name: np.full_like(params, value) for name, value in self._first.items() if name not in state}
        self.arrays = {name: fresh[name] if name in fresh else state[name] for name in self._first}
        arrays = (self.arrays.get(name, none) for name in self._records.arrays)
        self.update = self._records.update(params, grads, *arrays, cells, *self._records.options(optimizer))
        # Without a count the cell only tells whether there have been steps: SGD's first one makes the velocity.
        cells[kernels.STEPS] = state.get("step", 0) if self._counts_steps else int(len(fresh) < len(self.arrays))
        self._version = optimizer._version
        self.left, self._cells = None, memoryview(cells)  # which gives ints, and quickly

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
            if self.arrays and (self.cells[kernels.STEPS] != 0 or o._arrays() != self._first):  # they hold something else
                return False
        elif any(state.get(name) is not array for name, array in self.arrays.items()):
            return False
        elif self._counts_steps:
            self.cells[kernels.STEPS] = state["step"]
        if o._version != self._version:
            o._check_options()
            try:
                self.update.set(*self._records.options(o))
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
