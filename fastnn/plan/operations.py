"""Layers of a user's own in plans: `operation`."""

from ..layers.base import Layer
from ..layers.changes import note
from . import settings
from .tensors import Op

REGISTERED = {}  # layer type -> Op, for layers that fastnn does not know


def operation(layer_class):
    """Class decorator: the operation that stands for a layer type of your own in compiled plans.

    Networks with such layers then train and predict as plans, with your kernels in the same chains as fastnn's. It holds for
    exactly this type: a subclass may compute something else, and runs layer by layer until it has an operation too.

    Parameters
    ----------
    layer_class : type
        A subclass of `fastnn.Layer` that takes one array and gives one, and says its `output_shape`.

    Returns
    -------
    callable
        Which takes the subclass of `fastnn.plan.Op`, registers it and returns it.

    Raises
    ------
    TypeError
        If it is no layer type, or a network (whose layers go into plans one by one); or the operation is no `Op`.
    ValueError
        If it is one of fastnn's own layers.

    Examples
    --------
    A layer that negates, by a kernel over lane blocks; docs/plan.md explains each line.

    >>> import numpy as np, fastnn as fnn
    >>> from fastnn.plan import Op, block_at, kernel, operation
    >>> class Negate(fnn.Layer):
    ...     def output_shape(self, input_shape):
    ...         return input_shape
    ...
    ...     def forward(self, x, *, training=False):
    ...         return -x
    ...
    ...     def backward(self, dout, *, need_dx=True):
    ...         return -dout if need_dx else None
    >>> @kernel()
    ... def negate(like, out, x, size, first, last, scratch):
    ...     for block in range(first, last):
    ...         outs = block_at(like, out, block, first, scratch, size)
    ...         xs = block_at(like, x, block, first, scratch, size)
    ...         for i in range(size):
    ...             outs[i] = -xs[i]
    >>> @operation(Negate)
    ... class NegateOp(Op):
    ...     any_order = True
    ...
    ...     def run(self, program, out, x):
    ...         like, size = np.empty(0, program.dtype), self.x.size * program.lanes
    ...         program.block(self.label, lambda place: [negate.phase((like, place(out), place(x), size), 1)], out, x)
    ...
    ...     def forward(self, program, training):
    ...         self.run(program, program.value(self.out), program.value(self.x))
    ...
    ...     def backward(self, program):
    ...         dout, dx = program.gradient(self.out), program.like(self.x)
    ...         self.run(program, dx, dout)
    ...         program.contribute(self.x, dx)
    >>> network = fnn.Sequential(fnn.Dense(3, 2, rng=0), Negate())
    >>> network.summary((3,)).path
    'compiled plan'
    """
    if not isinstance(layer_class, type) or not issubclass(layer_class, Layer):
        raise TypeError(f"operation: expected layer_class to be a type of layer, got {layer_class!r:.80}")
    if layer_class.is_network:
        raise TypeError(f"operation: {layer_class.__name__} is a network; its layers go into plans one by one")
    if layer_class.__module__.startswith(Layer.__module__.rpartition(".")[0]):
        raise ValueError(f"operation: {layer_class.__name__} is fastnn's own layer; register a subclass of it")

    def register(op_class):
        if not isinstance(op_class, type) or not issubclass(op_class, Op):
            raise TypeError(f"operation: expected a subclass of fastnn.plan.Op, got {op_class!r:.80}")
        REGISTERED[layer_class] = op_class
        # What was made, or refused, before no longer holds. Plans know their settings by identity.
        settings._set(settings.current()._replace())
        note()
        return op_class

    return register
