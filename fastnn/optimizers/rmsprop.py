"""RMSprop."""

from ..layers.checks import as_bool
from .base import EMPTY, Number, Optimizer, only_defaults


class RMSprop(Optimizer):
    """Steps measured in the gradient's recent size: ``param -= lr * g / (sqrt(v) + eps)``, v a running mean of ``g**2``.

    ``g = grad + weight_decay * param`` and ``v = alpha * v + (1 - alpha) * g**2``. If `centered`, the running mean of g
    squared is taken off v, which leaves the variance. With `momentum` the steps add up in a velocity.

    Parameters
    ----------
    lr : float
    alpha : float in 0..1
        What v keeps of itself.
    eps, weight_decay, momentum : float
    centered : bool
    capturable, foreach, maximize, differentiable
        Not supported.

    Notes
    -----
    Tieleman and Hinton (2012), lecture 6.5. Names, defaults and trajectories of torch.optim.RMSprop; but a variance that
    rounding makes negative counts as 0 instead of giving NaN, and alpha above 1 is refused.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = RMSprop(lr=0.1)
    >>> for _ in range(2):
    ...     optimizer.update(x, 2 * x)
    >>> x.round(4)
    array([ 1.4434, -2.3981])
    """

    options = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")
    alpha = Number(0, 1)
    eps = Number(0)
    weight_decay = Number(0)
    momentum = Number(0)

    def __init__(
        self,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0.0,
        momentum=0.0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        super().__init__()
        rejected = {"capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable}
        only_defaults("RMSprop", **rejected)
        self.lr, self.alpha, self.eps, self.weight_decay = lr, alpha, eps, weight_decay
        self.momentum, self.centered = momentum, centered
        self._check_options()

    def _check_options(self):
        as_bool(self.centered, "RMSprop: centered")

    def _arrays(self):
        m, velocity = {"m": 0.0} if self.centered else {}, {"velocity": 0.0} if self.momentum != 0 else {}
        return {"v": 0.0, **m, **velocity}

    def _step(self, state, param, grad):
        arrays, none = self._add_arrays(state, param), EMPTY[param.dtype]
        self.kernels.optim.rmsprop_update(
            param,
            grad,
            arrays["v"],
            arrays.get("m", none),
            arrays.get("velocity", none),
            self.lr,
            self.alpha,
            self.eps,
            self.weight_decay,
            self.momentum,
            int(self.centered),
        )
