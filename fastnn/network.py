"""The network: layers that hold layers, with one flat array of parameters and one of gradients."""

from typing import NamedTuple

import numpy as np

from .capture import replay
from .layers.arrays import ArrayDict, ArrayViews
from .layers.base import Layer, running
from .layers.changes import note
from .layers.checks import FLOATS


class Network(Layer):
    """A layer made of layers: the base of `Sequential` and `Residual`, and of your own.

    ``Network(*layers)`` itself is ``Sequential(*layers)``, to be filled by `add` where it is empty.

    In a subclass, every attribute that is a layer belongs to the network, under its attribute's name. Define `forward`
    and `backward` in terms of them; or `run_forward(x, training)` and `run_backward(dout, need_dx)` instead, which may
    pass the layers' borrowed arrays along, checks and copies being done around them.

    All parameters lie in one array, `flat_params`, and all gradients in another, `flat_grads`; the layers hold views.
    In a network of networks the outermost owns them. Ask for them rather than keep them: adding a layer moves them.

    Attributes
    ----------
    params, grads, state : dict of arrays
        Of all layers, under dotted names ("0.weight"), PyTorch's. Assigning copies into the layer's array.
    flat_params, flat_grads : (P,) array
    dtype : numpy.dtype or None
        That of the parameters; None without any.

    Examples
    --------
    >>> import fastnn as fnn
    >>> class Gated(fnn.Network):
    ...     def __init__(self, features):
    ...         super().__init__()
    ...         self.features = features
    ...         self.dense = fnn.Dense(features, features, rng=0)
    ...         self.gate = fnn.Sequential(fnn.Dense(features, features, rng=1), fnn.Sigmoid())
    ...
    ...     def output_shape(self, input_shape):
    ...         return input_shape
    ...
    ...     def run_forward(self, x, training):
    ...         a, b = self.dense.forward(x, training=training), self.gate.forward(x, training=training)
    ...         self.sides = a, b
    ...         return a * b
    ...
    ...     def run_backward(self, dout, need_dx):
    ...         a, b = self.sides
    ...         return self.dense.backward(dout * b) + self.gate.backward(dout * a)
    >>> net = Gated(4)
    >>> list(net.params)
    ['dense.weight', 'dense.bias', 'gate.0.weight', 'gate.0.bias']
    >>> net.flat_params.shape
    (40,)
    >>> fnn.Network().add(fnn.Dense(2, 3)).add(fnn.Tanh())
    Sequential(
      (0): Dense(in_features=2, out_features=3, bias=True)
      (1): Tanh()
    )
    """

    is_network = True

    def __new__(cls, *arguments, **options):
        if cls is Network:
            from .layers.containers import Sequential

            cls = Sequential
        elif cls.__init__ is object.__init__ and (arguments or options):
            raise TypeError(f"{cls.__name__}() takes no arguments")  # which `object` leaves to whoever defines __new__
        return super().__new__(cls)

    # --- structure

    def children(self):
        """The layers directly inside, by name; by default all attributes that are layers."""
        return {name: value for name, value in self.__dict__.items() if isinstance(value, Layer)}

    def walk(self, prefix=""):
        """(dotted name, layer) of the network itself and of all layers in it, depth first."""
        yield prefix, self
        for name, child in self.children().items():
            yield from child.walk(f"{prefix}.{name}" if prefix else name)

    def leaves(self):
        """(dotted name, layer) of all layers that hold no others."""
        return ((name, layer) for name, layer in self.walk() if not layer.is_network)

    def adopt(self):
        """Check a new set of children and move their arrays together; containers call it whenever they change.

        Raises
        ------
        TypeError
            If a child is not a layer, or the parameters are not all of one dtype.
        ValueError
            If a layer is in the network twice.
        """
        for name, child in self.children().items():
            if not isinstance(child, Layer):
                raise TypeError(f"{self.class_name}: expected layers, got {child!r:.80} as {name!r}")
            if child is self or any(layer is self for _, layer in child.walk()):
                raise ValueError(f"{self.class_name}: a network cannot hold itself")
        self._check_no_layer_twice()
        if self._kernels is not None:
            for _, layer in self.walk():
                layer._kernels = self._kernels
        both = [self._slots(kind) for kind in ("params", "grads")]
        _common_dtype(self.class_name, both[0])
        # Layers that another network has in its arrays, as after net[:3], stay there until flat_params is asked for.
        if all(_owns_whole_blocks([slot.array for slot in slots]) for slots in both):
            self._flat("params")
            self._flat("grads")
        note()

    def _check_no_layer_twice(self):
        seen = {}
        for name, layer in self.walk():
            if id(layer) in seen:
                raise ValueError(
                    f"{self.class_name}: one {layer.class_name} object is in the network twice, as {seen[id(layer)]!r} "
                    f"and {name!r}; use copy.deepcopy for a second layer"
                )
            seen[id(layer)] = name

    # --- arrays

    @property
    def params(self):
        """All trained arrays, under dotted names."""
        self._flat("params")
        return ArrayViews((slot.name, slot.array) for slot in self._slots("params"))

    @property
    def grads(self):
        """All gradients, under dotted names."""
        self._flat("grads")
        return ArrayViews((slot.name, slot.array) for slot in self._slots("grads"))

    @property
    def state(self):
        """All arrays that are saved but not trained, under dotted names."""
        return ArrayViews((f"{name}.{key}", array) for name, layer in self.leaves() for key, array in layer.state.items())

    @property
    def dtype(self):
        """The dtype of the parameters; None without any."""
        return next((array.dtype for _, layer in self.leaves() for array in layer.params.values()), None)

    @property
    def flat_params(self):
        """All parameters as one array, of which the layers hold views."""
        return self._flat("params")

    @property
    def flat_grads(self):
        """All gradients as one array, in the order of `flat_params`."""
        return self._flat("grads")

    def _slots(self, kind):
        slots = []
        for name, layer in self.leaves():
            params, arrays = layer.params, getattr(layer, kind)
            for key in params:
                if key not in arrays:
                    arrays[key] = np.zeros_like(params[key])
                slots.append(_Slot(f"{name}.{key}", arrays, key, arrays[key]))
        return slots

    def _flat(self, kind):
        slots = self._slots(kind)
        known = self.__dict__.get(f"_flat_{kind}")
        if known is not None and len(known[0]) == len(slots) and all(a is s.array for a, s in zip(known[0], slots)):
            return known[1]
        flat = _block_around([slot.array for slot in slots])
        if flat is None:
            self._check_no_layer_twice()
            flat = _move_together(self.class_name, slots)
            for _, layer in self.walk():  # what networks inside remember would keep the old arrays alive
                layer.__dict__.pop(f"_flat_{kind}", None)
        self.__dict__[f"_flat_{kind}"] = [s.arrays[s.key] for s in slots], flat
        return flat

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_flat_params", "_flat_grads")}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.adopt()

    # --- running

    def forward(self, x, *, training=False):
        """The network's output for a batch x. The result is the caller's own.

        Raises
        ------
        TypeError, ValueError
            From the layer that cannot take what reaches it.
        """
        x = self.as_input(x)
        if x.ndim == 0:
            raise self.shape_error("a batch", (), ())
        with running(reuse=training) as outermost:
            self.saved = None
            out = self.run_forward(x, training)
            self.saved = (out.shape, out.dtype) if training else None
        borrowed = training or np.may_share_memory(out, x)
        return out.copy() if outermost and borrowed else out

    def backward(self, dout, *, need_dx=True):
        """Gradient with respect to the x of the last training forward, the caller's own; overwrites `grads`.

        With need_dx=False it is left out, and so is all work that only leads to it; the result is None.
        """
        dout = self.as_dout(dout, *self.take_saved())
        with running(reuse=True) as outermost:
            dx = self.run_backward(dout, need_dx)
        return dx.copy() if outermost and dx is not None else dx

    def run_forward(self, x, training):
        """The output for x, which may be a layer's borrowed array."""
        raise NotImplementedError(f"{self.class_name}: forward is not defined")

    def run_backward(self, dout, need_dx):
        """The gradient with respect to x, which may be a layer's borrowed array; None when not needed."""
        raise NotImplementedError(f"{self.class_name}: backward is not defined")

    # --- saving, training, use

    def save(self, path):
        """Write architecture, parameters and state to a safetensors file; `fastnn.load` reads it."""
        from .serialization import save

        save(self, path)

    def fit(
        self,
        x,
        y,
        *,
        epochs=1,
        batch_size=32,
        loss=None,
        optimizer=None,
        validation_data=None,
        callbacks=(),
        seed=None,
        progress=True,
        **options,
    ):
        """Train on x and y. `Trainer.fit` says more; each call starts a new Trainer, hence a new optimizer state.

        Parameters
        ----------
        loss : Loss, optional
            Default `CrossEntropyLoss()`.
        optimizer : Optimizer, optional
            Default `Adam(lr=0.001)`.
        x, y, epochs, batch_size, validation_data, callbacks, progress, **options
            As for `Trainer.fit`.
        seed : int, optional
            As for `Trainer`.

        Returns
        -------
        History
        """
        from .losses import CrossEntropyLoss
        from .optimizers import Adam
        from .trainer import Trainer

        loss = CrossEntropyLoss() if loss is None else loss
        optimizer = Adam(lr=0.001) if optimizer is None else optimizer
        return Trainer(self, loss, optimizer, seed=seed).fit(
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=validation_data,
            callbacks=callbacks,
            progress=progress,
            **options,
        )

    def evaluate(self, x, y, *, batch_size=256, loss=None):
        """Loss, and accuracy where there are classes, on x and y.

        Returns
        -------
        dict
        """
        from .trainer import evaluate

        return evaluate(self, x, y, batch_size=batch_size, loss=loss)

    def predict(self, x, *, batch_size=256):
        """The output for all of x, computed batch by batch. Any number of threads may call it at once."""
        out = replay(self, x, batch_size)
        if out is not None:
            return out
        from .trainer import predict

        return predict(self, x, batch_size=batch_size)

    def profile(self, x, y, *, loss=None, optimizer=None):
        """Time each step of a training step on a batch: where the time goes and what bounds it. See `fastnn.profiling`."""
        from .profiling import profile

        return profile(self, x, y, loss, optimizer)

    def summary(self, input_shape):
        """Layers, output shapes, parameters and multiply-adds for samples of `input_shape`."""
        from .summary import summary

        return summary(self, input_shape)

    def __repr__(self):
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children().items()]
        return "\n  ".join([f"{self.class_name}(", *lines]) + "\n)" if lines else f"{self.class_name}()"


class _Slot(NamedTuple):
    """Where one array of a network lives: its dotted name, the dict that holds it, its key there, and the array."""

    name: str
    arrays: ArrayDict
    key: str
    array: np.ndarray


def _common_dtype(name, slots):
    """The dtype of all parameters; float32 without any."""
    dtypes = {}
    for slot in slots:
        dtypes.setdefault(slot.array.dtype, slot.name)
    if len(dtypes) > 1:
        found = " and ".join(f"{dtype} ({where!r})" for dtype, where in dtypes.items())
        raise TypeError(f"{name}: expected parameters of one dtype, got {found}")
    dtype = next(iter(dtypes), FLOATS[0])
    if dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64 parameters, got {dtype} ({dtypes[dtype]!r})")
    return dtype


def _owner(array):
    return array if array.base is None else array.base


def _owns_whole_blocks(arrays):
    """Whether the blocks of memory that hold `arrays` hold nothing else."""
    owners, sizes = {}, {}
    for array in arrays:
        owner = _owner(array)
        owners[id(owner)] = owner
        sizes[id(owner)] = sizes.get(id(owner), 0) + array.size
    return all(owners[key].size == size for key, size in sizes.items())


def _block_around(arrays):
    """The piece of one flat array that consists of `arrays` in their order; None if they do not lie like that."""
    if not arrays:
        return None
    owner = _owner(arrays[0])
    if not isinstance(owner, np.ndarray) or owner.ndim != 1:
        return None
    start = address = arrays[0].ctypes.data
    for array in arrays:
        if _owner(array) is not owner or array.ctypes.data != address or not array.flags.c_contiguous:
            return None
        address += array.nbytes
    first = (start - owner.ctypes.data) // owner.itemsize
    return owner[first : first + (address - start) // owner.itemsize]


def _move_together(name, slots):
    """Copy the arrays into a new flat one, leave views of it in their place, and return it."""
    dtype = _common_dtype(name, slots)
    flat = np.empty(sum(slot.array.size for slot in slots), dtype)
    at = 0
    for slot in slots:
        view = flat[at : at + slot.array.size].reshape(slot.array.shape)
        view[...] = slot.array
        slot.arrays.rebind(slot.key, view)
        at += view.size
    return flat
