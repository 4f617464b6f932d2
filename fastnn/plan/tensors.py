"""Tensors and operations of a plan's graph."""

import math


class Unsupported(Exception):
    """Why a network, or a part of it, cannot run as a plan."""


class Tensor:
    """What flows between operations.

    Parameters
    ----------
    sample_shape : tuple of int
        Of one sample, as layers see it.
    plane : (C, H, W)
        Of one sample, as lane blocks hold it.
    alias : Tensor, optional
        The tensor whose memory this is, where only the shape differs.

    Attributes
    ----------
    root : Tensor
        The tensor that owns the memory.
    has_gradient : bool
        Of roots: whether the loss depends on parameters through it.
    """

    def __init__(self, sample_shape, plane, alias=None):
        self.sample_shape, self.plane = sample_shape, plane
        self.root = self if alias is None else alias.root
        self.has_gradient = False

    @property
    def channels(self):
        return self.plane[0]

    @property
    def positions(self):
        return self.plane[1] * self.plane[2]

    @property
    def size(self):
        """Elements of one sample."""
        return math.prod(self.plane)


class Op:
    """One operation of a graph: how it adds its steps to a program.

    Subclasses implement ``forward(program, training)`` and ``backward(program)``, in terms of `Program.block`,
    `Program.whole`, `Program.value`, `Program.gradient` and `Program.contribute`. docs/plan.md shows one.

    Attributes
    ----------
    name : str
        The layer's dotted name.
    layer : Layer or None
    inputs : list of Tensor
    out : Tensor
    params : dict of arrays
        The layer's trained arrays.
    label : str
        Name and type of the layer, as profiles show it.
    relu : bool
        Whether it takes along the ReLU behind it.
    any_order : bool
        Of operations for layers of a user's own: whether it may get the features of a flattened plane pixel by pixel, as
        blocks hold them; otherwise they come in the order of the sample.
    """

    relu = any_order = False

    def __init__(self, name, layer, inputs, out):
        self.name, self.layer, self.inputs, self.out = name, layer, inputs, out
        self.params = {} if layer is None or layer.is_network else layer.params
        self.label = f"{name} {type(layer).__name__}" if layer is not None else f"{name} {type(self).__name__}"

    @property
    def x(self):
        """The first input."""
        return self.inputs[0]

    def forward(self, program, training):
        raise NotImplementedError

    def backward(self, program):
        raise NotImplementedError
