"""The layer: its contract, its arrays, its buffers, and how it is written to and rebuilt from JSON."""

import contextlib
import functools
import inspect
import math
import sys
import threading
from typing import NamedTuple

import numpy as np

from .. import kernels as default_kernels
from .arrays import ArrayDict
from .changes import note
from .checks import FLOATS, as_shape
from .config import layer_from_config as layer_from_config
from .config import register, registered_name, to_json

# Public attributes that are no changes: properties over what is noted where it is kept, or changes with each forward.
_QUIET = frozenset(("saved", "params", "grads", "state"))
_MADE_ON_FIRST_USE = {"_params": ArrayDict, "_grads": ArrayDict, "_state": ArrayDict, "_buffers": dict, "_stack": list}


class _Running(threading.local):
    """Where this thread is: how many networks deep, and whether layers may hand out reused buffers."""

    depth = 0
    reuse = False


_running = _Running()


@contextlib.contextmanager
def running(reuse):
    """A network at work in this thread. Yields whether it is the outermost one, whose results go to the user."""
    depth, before = _running.depth, _running.reuse
    _running.depth, _running.reuse = depth + 1, reuse
    try:
        yield depth == 0
    finally:
        _running.depth, _running.reuse = depth, before


def layers_reuse_buffers():
    """Whether this thread is inside a network's training step, where layers hand out the same arrays each time."""
    return _running.reuse


def aligned_empty(size, dtype):
    """An uninitialised flat array that starts at a cache line: a vector of it never lies across two."""
    dtype = np.dtype(dtype)
    block = np.empty(size * dtype.itemsize + 64, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + size * dtype.itemsize].view(dtype)


class Layer:
    """One step of a network. Subclass it to write your own.

    A layer provides::

        forward(x, *, training=False) -> out       training=True keeps what backward needs; switches dropout, batch norm
        backward(dout, *, need_dx=True) -> dx      overwrites grads; None instead of dx with need_dx=False
        output_shape(input_shape) -> tuple         both without the batch axis
        macs(input_shape) -> int                   multiply-adds of one sample's forward; 0 unless it says otherwise
        params, grads                              dicts of arrays: the same names, shapes and dtype
        state                                      dict of arrays that are saved but not trained

    Rules about arrays:

    - A layer never writes into its argument.
    - Inside a network's training step, what a layer returns is borrowed: valid until its next forward or backward.
      Everywhere else it is a new array, the caller's own (or a view of the argument, where a layer only reshapes).
    - Between ``forward(x, training=True)`` and ``backward``, x and the result must stay as they are.
    - ``forward(x)`` without training changes nothing in the layer, so any number of threads may call it at once.

    A subclass whose constructor keeps each argument in an attribute of the same name can be saved and loaded as it is;
    others define `get_config`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> class Scale(fnn.layers.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.add_param("scale", np.ones(1, np.float32))
    ...
    ...     def output_shape(self, input_shape):
    ...         return input_shape
    ...
    ...     def forward(self, x, *, training=False):
    ...         self.saved = x if training else None
    ...         return x * self.params["scale"]
    ...
    ...     def backward(self, dout, *, need_dx=True):
    ...         x = self.take_saved()
    ...         self.grads["scale"] = (x * dout).sum(keepdims=True).reshape(1)
    ...         return dout * self.params["scale"] if need_dx else None
    >>> Scale().forward(np.full((1, 2), 3, np.float32))
    array([[3., 3.]], dtype=float32)
    """

    is_network = False
    dtype = None
    """The float dtype that x must have; None takes float32 and float64."""

    _saved = _saved_by = None
    _kernels = _kernels_before = None
    _captures = None  # what `fastnn.capture` keeps for small predictions

    def __getattr__(self, name):
        # Made on first use, so that a subclass works whether or not it calls super().__init__().
        if name in _MADE_ON_FIRST_USE:
            return self.__dict__.setdefault(name, _MADE_ON_FIRST_USE[name]())
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name[0] != "_" and name not in _QUIET:
            note()

    def __delattr__(self, name):
        object.__delattr__(self, name)
        note()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        register(cls)

    # --- what a layer does

    def forward(self, x, *, training=False):
        """The layer's output for a batch x; axis 0 is the batch."""
        raise NotImplementedError(f"{self.class_name}: forward is not defined")

    def backward(self, dout, *, need_dx=True):
        """Gradient with respect to the x of the last training forward; overwrites `grads`."""
        raise NotImplementedError(f"{self.class_name}: backward is not defined")

    def output_shape(self, input_shape):
        """Shape of one sample's output, given that of one sample's input."""
        raise NotImplementedError(f"{self.class_name}: output_shape is not defined")

    def macs(self, input_shape):
        """Multiply-adds of the forward pass of one sample."""
        return 0

    def __call__(self, x, *, training=False):
        return self.forward(x, training=training)

    # --- arrays

    @property
    def params(self):
        """Trained arrays by name."""
        return self._params

    @params.setter
    def params(self, arrays):
        self._params.replace(arrays)

    @property
    def grads(self):
        """Gradients of the last backward, under the names of `params`."""
        return self._grads

    @grads.setter
    def grads(self, arrays):
        self._grads.replace(arrays)

    @property
    def state(self):
        """Arrays that are saved with the layer but not trained."""
        return self._state

    @state.setter
    def state(self, arrays):
        self._state.replace(arrays)

    def add_param(self, name, array):
        """Add a trained array and a gradient of zeros under the same name."""
        self.params[name] = array
        param = self.params[name]
        if name in self.grads:
            self.grads[name] = np.zeros_like(param)
        else:  # np.zeros takes no memory before it is written, and the network that the layer joins has room of its own
            self.grads.rebind(name, np.zeros(param.shape, param.dtype))

    def zero_grads(self):
        """Set all gradients to 0: what an empty batch gives."""
        for grad in self.grads.values():
            grad.fill(0)

    def buffer(self, name, shape, dtype):
        """An uninitialised array for a result or for scratch.

        Inside a network's training step it is the same memory each time, one block per name that only grows, so that
        steps allocate nothing and a smaller last batch costs nothing. Everywhere else it is a new array.
        """
        if not _running.reuse:
            return np.empty(shape, dtype)
        key = name, dtype
        block, view = self._buffers.get(key, (None, None))
        if view is not None and view.shape == shape:
            return view
        size = math.prod(shape)
        if block is None or block.size < size:
            block = aligned_empty(size, dtype)
        view = block[:size].reshape(shape)
        self._buffers[key] = block, view
        return view

    @property
    def saved(self):
        """What backward needs from the last training forward; None without one."""
        return self._saved

    @saved.setter
    def saved(self, value):
        # A prediction in one thread must not take away what a training step in another one is about to use.
        if value is None and self._saved_by != threading.get_ident():
            return
        own = self.__dict__  # past __setattr__: this happens in every step
        own["_saved"], own["_saved_by"] = value, None if value is None else threading.get_ident()

    def take_saved(self):
        """What the last forward saved, once.

        Raises
        ------
        RuntimeError
            If the last forward was not a training one, or if backward has been called since.
        """
        saved, own = self._saved, self.__dict__
        own["_saved"] = own["_saved_by"] = None
        if saved is None:
            raise RuntimeError(
                f"{self.class_name}: backward needs a forward(x, training=True) before it, one for each backward"
            )
        return saved

    def forget(self):
        """Let go of what a training forward saved, in this layer and all layers in it."""
        for _, layer in self.walk():
            layer._saved = layer._saved_by = None

    # --- kernels

    @property
    def kernels(self):
        """The kernel package that this layer runs on: its own choice (`use`), else the one in force."""
        return self._kernels or default_kernels.active()

    def use(self, which):
        """Run this layer, and all layers in it, on other kernels.

        Holds from now on; in a ``with`` statement, until its end.

        Parameters
        ----------
        which : {"numba", "reference"}, module or None
            None goes back to the kernels in force (`fastnn.kernels.use`).

        Returns
        -------
        Layer
            The layer itself.

        Examples
        --------
        >>> import fastnn as fnn
        >>> net = fnn.Sequential(fnn.ReLU())
        >>> with net.use("reference"):
        ...     print(net[0].kernels.__name__)
        fastnn.kernels.reference
        """
        chosen = None if which is None else default_kernels.resolve(which)
        layers = [layer for _, layer in self.walk()]
        self._kernels_before = [(layer, layer._kernels) for layer in layers]
        for layer in layers:
            layer._kernels = chosen
        note()
        return self

    def __enter__(self):
        if self._kernels_before is None:
            raise RuntimeError(f"{self.class_name}: write `with layer.use(kernels):`")
        self._stack.append(self._kernels_before)
        self._kernels_before = None
        return self

    def __exit__(self, *exception):
        for layer, kernels in self._stack.pop():
            layer._kernels = kernels
        note()

    # --- checks of x and dout

    @property
    def class_name(self):
        """The class name, as messages and summaries give it."""
        return type(self).__name__

    def as_input(self, x, what="x", dtype=None):
        """`x` as kernels want it: C-contiguous, aligned, writeable, native; a copy only where it is not.

        Raises
        ------
        TypeError
            If x is not of the layer's dtype; floats are not cast silently.
        """
        dtype = self.dtype if dtype is None else dtype
        dtypes = FLOATS if dtype is None else (dtype,)
        if type(x) is np.ndarray and x.dtype in dtypes and x.flags.carray:
            return x
        x = np.asarray(x)
        native = x.dtype.newbyteorder("=")
        if native not in dtypes:
            wanted = " or ".join(d.name for d in dtypes)
            raise TypeError(f"{self.class_name}: expected {wanted}, got {what}.dtype={x.dtype}")
        # Read-only memory counts as unfit, because Numba compiles every kernel anew for read-only arrays.
        return x if x.flags.carray and x.dtype.isnative else np.array(x, native, order="C")

    def as_dout(self, dout, shape, dtype):
        """`dout` fit for kernels, of the shape and dtype of the output that it is the gradient of."""
        dout = self.as_input(dout, "dout", dtype)
        if dout.shape != shape:
            raise ValueError(f"{self.class_name}: expected dout of shape {shape}, got dout.shape={dout.shape}")
        return dout

    def shape_error(self, expected, shape, x_shape):
        """The ValueError for a shape that does not fit: x's, or without x the one that output_shape was asked for."""
        got = f"input_shape={shape}" if x_shape is None else f"x.shape={x_shape}"
        return ValueError(f"{self.class_name}: expected {expected}, got {got}")

    # --- structure

    def walk(self, prefix=""):
        """(dotted name, layer) of this layer and, in a network, of all layers in it."""
        yield prefix, self

    # --- saving and loading

    def state_dict(self):
        """Copies of all parameters and state, under PyTorch's keys and in its order.

        Examples
        --------
        >>> import fastnn as fnn
        >>> list(fnn.Sequential(fnn.Dense(2, 3), fnn.BatchNorm1d(3, affine=False)).state_dict())
        ['0.weight', '0.bias', '1.running_mean', '1.running_var', '1.num_batches_tracked']
        """
        return {name: array.copy() for name, array in self._saved_arrays().items()}

    def load_state_dict(self, state_dict, strict=True):
        """Copy arrays into the layer, or network: from `state_dict`, or from a PyTorch module of the same layers.

        Everything is checked first; if anything is wrong, nothing changes.

        Parameters
        ----------
        state_dict : mapping from name to array, PyTorch tensor or number
        strict : bool
            Whether names must be exactly the network's; otherwise missing and unknown ones are passed over.

        Returns
        -------
        (missing_keys, unexpected_keys)

        Raises
        ------
        ValueError
            If names or shapes do not fit.
        TypeError
            If it is no mapping, or dtypes differ: nothing is cast silently.
        """
        if not hasattr(state_dict, "keys"):
            raise TypeError(f"{self.class_name}.load_state_dict: expected a dict of arrays, got {state_dict!r:.80}")
        own = self._saved_arrays()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        if strict and (missing or unexpected):
            raise ValueError(f"{self.class_name}.load_state_dict: missing {missing}, unexpected {unexpected}")
        loaded = {name: _as_array(state_dict[name]) for name in own if name in state_dict}
        for name, value in loaded.items():
            _check_fits(f"{self.class_name}.load_state_dict: {name!r}", value, own[name])
        for name, value in loaded.items():
            own[name][...] = value
        return Mismatch(missing, unexpected)

    def _saved_arrays(self):
        return {
            f"{name}.{key}" if name else key: array
            for name, layer in self.walk()
            if not layer.is_network
            for arrays in (layer.params, layer.state)
            for key, array in arrays.items()
        }

    # --- configuration

    def get_config(self, **arguments):
        """What rebuilds this layer, without its arrays: a dict for JSON with the class and the constructor's arguments.

        Parameters
        ----------
        **arguments
            For subclasses: constructor arguments that are not kept as attributes.

        Raises
        ------
        TypeError
            If an argument is not kept under its own name, or has no form in JSON.

        Examples
        --------
        >>> import fastnn as fnn
        >>> fnn.MaxPool1d(3, stride=2).get_config()["kernel_size"]
        [3]
        """
        config = {"class": registered_name(type(self))}
        for name, parameter in _constructor_parameters(type(self)):
            if name in ("rng", "device"):
                continue
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"{self.class_name}: a constructor with *{name} needs a get_config of its own")
            if name not in arguments and not hasattr(self, name):
                raise TypeError(f"{self.class_name}: keep constructor argument {name!r} as an attribute to save the layer")
            value = arguments[name] if name in arguments else getattr(self, name)
            config[name] = to_json(value, f"{self.class_name}: {name}")
        return config

    @classmethod
    def from_config(cls, arguments):
        """The layer for the arguments that `get_config` gave, nested layers already rebuilt."""
        return cls(**arguments)

    def extra_repr(self):
        """What stands between the parentheses of the layer's repr."""
        return ""

    def __repr__(self):
        return f"{self.class_name}({self.extra_repr()})"

    # --- copies

    def __getstate__(self):
        """Everything but scratch, for copies; a kernel package, which cannot be copied, goes by its name."""
        scratch = ("_buffers", "_saved", "_saved_by", "_kernels_before", "_stack", "_plans", "_captures")
        state = {name: value for name, value in self.__dict__.items() if name not in scratch}
        return {**state, "_kernels": self._kernels and self._kernels.__name__}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._kernels = self._kernels and sys.modules[self._kernels]
        note()


def _constructor_parameters(cls):
    """(name, parameter) of a class's constructor, without self."""
    return () if cls.__init__ is object.__init__ else list(inspect.signature(cls.__init__).parameters.items())[1:]


class ShapedLayer(Layer):
    """A layer whose output shape follows from one rule, `infer`, for `output_shape` and `forward` alike."""

    def infer(self, shape, x_shape=None):
        """Output shape of a sample of `shape`; `x_shape`, where there is an x, is what errors show."""
        raise NotImplementedError

    def output_shape(self, input_shape):
        """Shape of one sample's output, given that of one sample's input.

        Raises
        ------
        ValueError
            If the layer cannot take samples of that shape.
        """
        return self.infer(as_shape(input_shape, f"{self.class_name}: input_shape"))

    def batch_output_shape(self, x):
        """Shape of the output for the batch x."""
        if x.ndim == 0:
            raise self.shape_error("a batch", (), ())
        return (x.shape[0], *self.infer(x.shape[1:], x.shape))


class Mismatch(NamedTuple):
    """Names that `Layer.load_state_dict(..., strict=False)` passed over."""

    missing_keys: list
    unexpected_keys: list


def call_backward(layer, dout, need_dx):
    """layer.backward, for layers of users too, which may lack the `need_dx` argument."""
    if need_dx:
        return layer.backward(dout)
    if _knows_need_dx(type(layer)):
        return layer.backward(dout, need_dx=False)
    layer.backward(dout)
    return None


@functools.cache
def _knows_need_dx(cls):
    parameters = inspect.signature(cls.backward).parameters.values()
    return any(p.name == "need_dx" or p.kind is p.VAR_KEYWORD for p in parameters)


def _as_array(value):
    """A NumPy array of an array, a number, or a tensor that has .numpy()."""
    if hasattr(value, "detach"):
        value = value.detach()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def _check_fits(what, value, array):
    if value.shape != array.shape:
        raise ValueError(f"{what}: expected shape {array.shape}, got {value.shape}")
    # Counters may come in any integer type; floats must be what they are to become.
    fits = value.dtype.kind in "iu" if array.dtype.kind == "i" else value.dtype.newbyteorder("=") == array.dtype
    if not fits:
        raise TypeError(f"{what}: expected dtype {array.dtype}, got {value.dtype}")
