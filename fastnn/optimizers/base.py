"""Optimizers: how parameters follow their gradients.

    SGD      gradient descent with momentum, Nesterov momentum, weight decay
    Adam     adaptive moments
    AdamW    Adam with decoupled weight decay

    optimizer.update(params, grads)      in place, over dicts of arrays or two flat arrays

Names, arguments, defaults and trajectories are torch.optim's; the parameters come with each update instead of with the
constructor. State (velocity, moments) is kept per array, by its key.
"""

import copy
import math

import numpy as np

from . import kernels as _kernels
from .layers.changes import note_options
from .layers.checks import as_bool, as_number, only_default

_FLAT = "flat"  # key of the state of a single flat array
_EMPTY = {dtype: np.empty(0, dtype) for dtype in (np.dtype(np.float32), np.dtype(np.float64))}


class _Number:
    """A hyperparameter that is checked whenever it is set: ``optimizer.lr = nan`` raises as the constructor does."""

    def __init__(self, minimum=-math.inf):
        self.minimum = minimum

    def __set_name__(self, owner, name):
        self.name, self.slot = name, "_" + name

    def __get__(self, optimizer, owner=None):
        return self if optimizer is None else getattr(optimizer, self.slot)

    def __set__(self, optimizer, value):
        setattr(optimizer, self.slot, as_number(value, f"{type(optimizer).__name__}: {self.name}", self.minimum))


class Optimizer:
    """What every optimizer has: checked options, state per array, `update`.

    Subclasses name their options in ``options`` and implement ``_step(state, param, grad)`` over flat arrays of one
    dtype; `state` is a dict of their own arrays and numbers, empty before the first step.

    Attributes
    ----------
    lr : float
        Learning rate; may be set between updates.
    state : dict of dict
        State by key of the array ("flat" for a single array).
    """

    options = ("lr",)
    lr = _Number(0)
    _version = 0  # counts assignments: a plan that holds the options asks whether they are still the same

    def __init__(self):
        self.state = {}
        self._own_kernels = None

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        self.__dict__["_version"] = self._version + 1
        note_options()

    @property
    def kernels(self):
        """The kernel package in force: this optimizer's own choice (`use`), else `kernels.active()`."""
        return self._own_kernels or _kernels.active()

    def use(self, which):
        """Run on other kernels: "numba", "reference", one of the two packages, or None for `kernels.active()`."""
        self._own_kernels = None if which is None else _kernels.resolve(which)
        return self

    def update(self, params, grads):
        """One step of every parameter, in place.

        Parameters
        ----------
        params, grads : dict of arrays, or two arrays
            With the same keys; each gradient with its parameter's shape and dtype, float32 or float64.

        Raises
        ------
        TypeError, ValueError
            For different keys, shapes or dtypes, or read-only parameters; nothing has been changed then.
        """
        name = type(self).__name__
        if isinstance(params, dict) != isinstance(grads, dict):
            raise TypeError(f"{name}: expected params and grads to be two dicts or two arrays")
        if not isinstance(params, dict):
            params, grads = {_FLAT: params}, {_FLAT: grads}
        if params.keys() != grads.keys():
            missing = sorted(map(str, params.keys() ^ grads.keys()))
            raise ValueError(f"{name}: expected gradients for the same keys as parameters, differ in {', '.join(missing)}")
        for key, param in params.items():
            self._check(key, param, grads[key])
        self._check_options()
        for key, param in params.items():
            if param.size:
                self._update_array(key, param, grads[key])

    def _update_array(self, key, param, grad):
        """Step one array; one that is not C-contiguous goes through a contiguous copy."""
        native = param.dtype.newbyteorder("=")
        contiguous = np.asarray(param, dtype=native, order="C")
        gradient = np.asarray(grad, dtype=native, order="C")
        self._step(self.state.setdefault(key, {}), contiguous.reshape(-1), gradient.reshape(-1))
        if contiguous is not param:
            param[...] = contiguous

    def _check(self, key, param, grad):
        """Raise unless `param` and `grad` belong together and to the state kept for this key."""
        name = type(self).__name__
        label = "" if key == _FLAT else f" of {key!r}"
        for kind, array in (("parameters", param), ("gradients", grad)):
            if not isinstance(array, np.ndarray):
                raise TypeError(f"{name}: expected {kind}{label} to be a NumPy array, got {type(array).__name__}")
            if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
                raise TypeError(f"{name}: expected float32 or float64 {kind}{label}, got {array.dtype}")
        if param.dtype != grad.dtype:
            raise TypeError(f"{name}: expected gradients{label} of the parameters' dtype {param.dtype}, got {grad.dtype}")
        if param.shape != grad.shape:
            raise ValueError(f"{name}: expected gradients{label} of shape {param.shape}, got grads.shape={grad.shape}")
        if not param.flags.writeable:
            raise ValueError(f"{name}: expected writeable parameters{label}, got a read-only array")
        for slot, array in self.state.get(key, {}).items():
            if isinstance(array, np.ndarray) and array.size and (array.size != param.size or array.dtype != param.dtype):
                raise ValueError(
                    f"{name}: the state {slot!r}{label} belongs to {array.size} {array.dtype} parameters, "
                    f"got {param.size} of {param.dtype}; use an optimizer of its own for each network"
                )

    def _check_options(self):
        """Raise for options that do not go together. Called at construction and before each update."""

    def _step(self, state, param, grad):
        raise NotImplementedError(f"{type(self).__name__} does not implement _step(state, param, grad)")

    def state_dict(self):
        """Everything a resumed run needs, as plain data: name, options, and copies of the state.

        Returns
        -------
        dict

        Examples
        --------
        >>> SGD(lr=0.1).state_dict()["options"]["lr"]
        0.1
        """
        options = {name: getattr(self, name) for name in self.options}
        return {"optimizer": type(self).__name__, "options": options, "state": copy.deepcopy(self.state)}

    def load_state_dict(self, state_dict):
        """Take options and state from `state_dict`, as another optimizer of the same class gave them.

        Raises
        ------
        TypeError, ValueError
            If it is not from this class or is incomplete.
        """
        name = type(self).__name__
        if not isinstance(state_dict, dict):
            raise TypeError(f"{name}: expected a dict as state_dict gives it, got {type(state_dict).__name__}")
        if state_dict.get("optimizer") != name:
            raise ValueError(f"{name}: expected the state of {name}, got that of {state_dict.get('optimizer')!r}")
        options, state = state_dict.get("options"), state_dict.get("state")
        if not isinstance(options, dict) or set(options) != set(self.options):
            raise ValueError(f"{name}: expected the options {', '.join(self.options)}, got {options!r}")
        if not isinstance(state, dict) or not all(isinstance(slots, dict) for slots in state.values()):
            raise ValueError(f"{name}: expected a dict of dicts as 'state'")
        fresh = type(self)(**options)
        for option in self.options:
            setattr(self, option, getattr(fresh, option))
        self.state = copy.deepcopy(state)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.options)})"


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
    momentum = _Number(0)
    dampening = _Number()
    weight_decay = _Number(0)

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
        _only_defaults("SGD", maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused)
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

    def _step(self, state, param, grad):
        velocity, first = _EMPTY[param.dtype], 0
        if self.momentum != 0:
            first = int("velocity" not in state)
            if first:
                state["velocity"] = np.zeros_like(param)
            velocity = state["velocity"]
        self.kernels.optim.sgd_update(
            param, grad, velocity, self.lr, self.momentum, self.dampening, self.weight_decay, int(self.nesterov), first
        )


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
    eps = _Number(0)
    weight_decay = _Number(0)

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
        _only_defaults(type(self).__name__, **rejected, differentiable=differentiable, fused=fused)
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

    def _step(self, state, param, grad):
        if not state:
            state.update(step=0, m=np.zeros_like(param), v=np.zeros_like(param))
        if self.amsgrad and "vmax" not in state:
            state["vmax"] = np.zeros_like(param)
        state["step"] += 1
        self.kernels.optim.adam_update(
            param,
            grad,
            state["m"],
            state["v"],
            state["vmax"] if self.amsgrad else _EMPTY[param.dtype],
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
        _only_defaults("AdamW", **rejected, differentiable=differentiable, fused=fused)
        super().__init__(lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=True)


def _only_defaults(owner, **options):
    """Refuse PyTorch's switches that have no counterpart here; None and False ask for nothing."""
    for name, value in options.items():
        if value is not None:
            only_default(value, False, f"{owner}: {name}")
