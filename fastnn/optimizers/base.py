"""What all optimizers share: options that are checked, state for each array, updates in place, saving and resuming."""

import copy
import math

import numpy as np

from .. import kernels as _kernels
from ..layers.changes import note_options
from ..layers.checks import as_number, only_default

FLAT = "flat"  # key of the state of a single flat array
EMPTY = {dtype: np.empty(0, dtype) for dtype in (np.dtype(np.float32), np.dtype(np.float64))}


class Number:
    """A hyperparameter that is checked whenever it is set: ``optimizer.lr = nan`` raises as the constructor does."""

    def __init__(self, minimum=-math.inf, maximum=math.inf):
        self.minimum, self.maximum = minimum, maximum

    def __set_name__(self, owner, name):
        self.name, self.slot = name, "_" + name

    def __get__(self, optimizer, owner=None):
        return self if optimizer is None else getattr(optimizer, self.slot)

    def __set__(self, optimizer, value):
        what = f"{type(optimizer).__name__}: {self.name}"
        setattr(optimizer, self.slot, as_number(value, what, self.minimum, self.maximum))


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
    lr = Number(0)
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
            params, grads = {FLAT: params}, {FLAT: grads}
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
        label = "" if key == FLAT else f" of {key!r}"
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

    def _arrays(self):
        """Arrays of state that a step needs with these options, by name, and the value that each is filled with at first."""
        return {}

    def _add_arrays(self, state, param):
        """`_arrays`, out of `state`; those that it lacks are made."""
        for name, value in self._arrays().items():
            if name not in state:
                state[name] = np.full_like(param, value)
        return state

    def _step(self, state, param, grad):
        raise NotImplementedError(f"{type(self).__name__} does not implement _step(state, param, grad)")

    def state_dict(self):
        """Everything a resumed run needs, as plain data: name, options, and copies of the state.

        Returns
        -------
        dict

        Examples
        --------
        >>> import fastnn as fnn
        >>> fnn.SGD(lr=0.1).state_dict()["options"]["lr"]
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


def only_defaults(owner, **options):
    """Refuse PyTorch's switches that have no counterpart here; None and False ask for nothing."""
    for name, value in options.items():
        if value is not None:
            only_default(value, False, f"{owner}: {name}")
