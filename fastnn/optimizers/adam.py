"""Adam and AdamW."""

from ..layers.checks import as_bool, as_number
from .base import EMPTY, Number, Optimizer, only_defaults


class Adam(Optimizer):
    """Adaptive moments: ``param -= lr * m_hat / (sqrt(v_hat) + eps)``, m and v averages of gradient and its square.

    ``m_hat = m / (1 - beta1**step)``, likewise v_hat. With `amsgrad` the largest v so far takes v's place.

    Parameters
    ----------
    lr : float
    betas : pair of float in 0..1 (1 excluded)
    eps, weight_decay : float
    amsgrad : bool
    decoupled_weight_decay : bool
        True is AdamW: the decay shrinks the parameter directly, ``param *= 1 - lr * weight_decay``, instead of joining
        the gradient.
    foreach, maximize, capturable, differentiable, fused
        Not supported.

    Notes
    -----
    Names, defaults and trajectories of torch.optim.Adam.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([3.0, -4.0])
    >>> optimizer = Adam(lr=0.1)
    >>> for _ in range(2):
    ...     optimizer.update(x, 2 * x)
    >>> x.round(4)
    array([ 2.8001, -3.8001])
    """

    options = ("lr", "betas", "eps", "weight_decay", "amsgrad", "decoupled_weight_decay")
    eps = Number(0)
    weight_decay = Number(0)

    def __init__(
        self,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        super().__init__()
        rejected = {"foreach": foreach, "maximize": maximize, "capturable": capturable}
        only_defaults(type(self).__name__, **rejected, differentiable=differentiable, fused=fused)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.amsgrad, self.decoupled_weight_decay = amsgrad, decoupled_weight_decay
        self._check_options()

    @property
    def betas(self):
        """Decay of the two averages."""
        return self._betas

    @betas.setter
    def betas(self, value):
        name = type(self).__name__
        if not isinstance(value, (tuple, list)):
            raise TypeError(f"{name}: expected betas to be a pair of numbers, got {value!r}")
        if len(value) != 2:
            raise ValueError(f"{name}: expected betas to be a pair of numbers, got {value!r}")
        betas = tuple(as_number(beta, f"{name}: betas[{i}]", 0, 1) for i, beta in enumerate(value))
        if 1.0 in betas:
            raise ValueError(f"{name}: betas must be below 1, got {value!r}")
        self._betas = betas

    def _check_options(self):
        as_bool(self.amsgrad, f"{type(self).__name__}: amsgrad")
        as_bool(self.decoupled_weight_decay, f"{type(self).__name__}: decoupled_weight_decay")

    def _arrays(self):
        return dict.fromkeys(("m", "v", "vmax") if self.amsgrad else ("m", "v"), 0.0)

    def _step(self, state, param, grad):
        state["step"] = state.get("step", 0) + 1
        self._add_arrays(state, param)
        self.kernels.optim.adam_update(
            param,
            grad,
            state["m"],
            state["v"],
            state["vmax"] if self.amsgrad else EMPTY[param.dtype],
            self.lr,
            *self.betas,
            self.eps,
            self.weight_decay,
            state["step"],
            int(self.decoupled_weight_decay),
            int(self.amsgrad),
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: ``param *= 1 - lr * weight_decay`` before the step.

    Parameters
    ----------
    lr, betas, eps, weight_decay, amsgrad
        As `Adam`; weight_decay defaults to 0.01.
    maximize, foreach, capturable, differentiable, fused
        Not supported.

    Notes
    -----
    Names, defaults and trajectories of torch.optim.AdamW.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([3.0, -4.0])
    >>> AdamW(lr=0.1, weight_decay=0.5).update(x, 2 * x)
    >>> x.round(4)
    array([ 2.75, -3.7 ])
    """

    options = ("lr", "betas", "eps", "weight_decay", "amsgrad")

    def __init__(
        self,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        rejected = {"foreach": foreach, "maximize": maximize, "capturable": capturable}
        only_defaults("AdamW", **rejected, differentiable=differentiable, fused=fused)
        super().__init__(lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=True)
