"""Adagrad."""

from .base import Number, Optimizer, only_defaults


class Adagrad(Optimizer):
    """Steps that shrink where gradients have been large: ``param -= rate * g / (sqrt(sum of g**2 so far) + eps)``.

    ``g = grad + weight_decay * param``, ``rate = lr / (1 + (step - 1) * lr_decay)``.

    Parameters
    ----------
    lr, lr_decay, weight_decay : float
    initial_accumulator_value : float
        What the sum of squares begins with, before the first step.
    eps : float
    foreach, maximize, differentiable, fused
        Not supported.

    Notes
    -----
    Duchi, Hazan and Singer (2011). Names, defaults and trajectories of torch.optim.Adagrad.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = Adagrad(lr=0.1)
    >>> for _ in range(2):
    ...     optimizer.update(x, 2 * x)
    >>> x.round(4)
    array([ 2.8305, -3.8302])
    """

    options = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
    lr_decay = Number(0)
    weight_decay = Number(0)
    initial_accumulator_value = Number(0)
    eps = Number(0)

    def __init__(
        self,
        lr=1e-2,
        lr_decay=0.0,
        weight_decay=0.0,
        initial_accumulator_value=0.0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__()
        only_defaults("Adagrad", foreach=foreach, maximize=maximize, differentiable=differentiable, fused=fused)
        self.lr, self.lr_decay, self.weight_decay, self.eps = lr, lr_decay, weight_decay, eps
        self.initial_accumulator_value = initial_accumulator_value

    def _arrays(self):
        return {"squares": self.initial_accumulator_value}

    def _step(self, state, param, grad):
        state["step"] = state.get("step", 0) + 1
        squares = self._add_arrays(state, param)["squares"]
        options = self.lr, self.lr_decay, self.eps, self.weight_decay
        self.kernels.optim.adagrad_update(param, grad, squares, *options, state["step"])
