"""Gradient descent."""

from ..layers.checks import as_bool
from .base import EMPTY, Number, Optimizer, only_defaults


class SGD(Optimizer):
    """Gradient descent: ``param -= lr * v`` with the velocity ``v = momentum * v + (1 - dampening) * g``.

    ``g = grad + weight_decay * param``; the first v is g. With `nesterov` the step is ``lr * (g + momentum * v)``.

    Parameters
    ----------
    lr, momentum, dampening, weight_decay : float
    nesterov : bool
        Needs a momentum and no dampening.
    maximize, foreach, differentiable, fused
        Not supported.

    Notes
    -----
    Names, defaults and trajectories of torch.optim.SGD.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = SGD(lr=0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.update(x, 2 * x)
    >>> x.round(6)
    array([ 1.62, -2.16])
    """

    options = ("lr", "momentum", "dampening", "weight_decay", "nesterov")
    momentum = Number(0)
    dampening = Number()
    weight_decay = Number(0)

    def __init__(
        self,
        lr=1e-3,
        momentum=0.0,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        super().__init__()
        only_defaults("SGD", maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused)
        self.lr, self.momentum, self.dampening, self.weight_decay = lr, momentum, dampening, weight_decay
        self.nesterov = nesterov
        self._check_options()

    def _check_options(self):
        as_bool(self.nesterov, "SGD: nesterov")
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "SGD: expected nesterov=True with momentum > 0 and dampening = 0, "
                f"got momentum={self.momentum}, dampening={self.dampening}"
            )

    def _arrays(self):
        return {"velocity": 0.0} if self.momentum != 0 else {}

    def _step(self, state, param, grad):
        velocity, first = EMPTY[param.dtype], 0
        if self.momentum != 0:
            first = int("velocity" not in state)
            velocity = self._add_arrays(state, param)["velocity"]
        self.kernels.optim.sgd_update(
            param, grad, velocity, self.lr, self.momentum, self.dampening, self.weight_decay, int(self.nesterov), first
        )
