"""A network as a list of operations on tensors: what plans are compiled from.

`lower` walks the layers; `fuse` joins operations that one kernel does in one pass. An operation that no plan knows raises
`Unsupported` with the reason, and the network runs layer by layer.
"""

import math

from .. import kernels, layers
from .affine import Affine
from .concat import Joined
from .groupnorm import SampleNorm
from .lp_pooling import LPPool
from .lrn import LocalResponse
from .normalization import Norm
from .operations import REGISTERED
from .pointwise import Add, Drop, Pointwise, Softmaxed
from .pooling import AveragePool, MaxPool
from .reorder import Reorder, keeps_order
from .tensors import Tensor, Unsupported


class Graph:
    """Operations in an order in which they can run.

    Parameters
    ----------
    network : Layer
    input_shape : tuple of int
        Of one sample.
    plain : bool
        Whether the output has to have its features in the order of the sample, even behind Flatten.

    Attributes
    ----------
    input, output : Tensor
    ops : list of Op
    """

    def __init__(self, network, input_shape, plain=False):
        self.ops = []
        self.input = self.tensor(input_shape)
        self.output = self._lower("", network, self.input)
        if plain:
            self.output = self._plain("output", self.output)
        self._fuse()
        self._mark_gradients()

    def tensor(self, sample_shape, plane=None):
        """A tensor for samples of a shape; `plane` is how blocks hold it where that differs."""
        if plane is None:
            if len(sample_shape) > 3 or len(sample_shape) == 0 or math.prod(sample_shape) == 0:
                raise Unsupported(f"samples of shape {tuple(sample_shape)} do not fit its blocks")
            plane = (sample_shape[0], *(1,) * (3 - len(sample_shape)), *sample_shape[1:])
        return Tensor(tuple(sample_shape), plane)

    # --- from layers to operations

    def _lower(self, name, layer, x):
        kind = type(layer)
        if layer._kernels not in (None, kernels):
            raise Unsupported(f"{name or 'network'} runs on the reference kernels")
        if "forward" in layer.__dict__ or "backward" in layer.__dict__:
            raise Unsupported(f"{name or 'network'} has a method replaced in this one object")
        if kind is layers.Sequential:
            for key, child in layer.children().items():
                x = self._lower(f"{name}.{key}" if name else key, child, x)
            return x
        if kind is layers.Residual:
            prefix = f"{name}." if name else ""
            beside = x if layer.shortcut is None else self._lower(prefix + "shortcut", layer.shortcut, x)
            body = self._lower(prefix + "body", layer.body, x)
            if body.sample_shape != beside.sample_shape:
                raise Unsupported(f"{name or 'network'} has a body and a shortcut of different shapes")
            if body.plane != beside.plane:
                body, beside = self._plain(name, body), self._plain(name, beside)
            return self._add(Add(name, layer, [body, beside], self.tensor(body.sample_shape, body.plane)))
        if kind is layers.Concat:
            return self._concat(name, layer, x)
        if kind in REGISTERED:
            return self._own(name, layer, x, REGISTERED[kind])
        if kind not in _LOWERINGS:
            raise _unknown(name, kind)
        return _LOWERINGS[kind](self, name, layer, x)

    def _add(self, op):
        self.ops.append(op)
        return op.out

    def _plain(self, name, x):
        """x with its features in the order of its sample shape: after Flatten, blocks still hold planes."""
        if x.sample_shape == (x.size,) and x.positions > 1:
            return self._in_order(name, None, x)
        return x

    def _in_order(self, name, layer, x):
        """x as features in the order of the sample: channel by channel, where blocks hold planes pixel by pixel."""
        axes, plane = [(x.channels, 1), (x.positions, x.channels)], (x.size, 1, 1)
        if keeps_order(axes):
            return Tensor((x.size,), plane, alias=x)
        return self._add(Reorder(name, layer, [x], Tensor((x.size,), plane), axes))

    def _concat(self, name, layer, x):
        prefix = f"{name}." if name else ""
        parts = [self._plain(name, self._lower(prefix + key, branch, x)) for key, branch in layer.children().items()]
        try:
            shape = layer._joined([part.sample_shape for part in parts])
        except ValueError:
            raise Unsupported(f"{name or 'network'} has branches of different shapes") from None
        return self._add(Joined(name, layer, parts, self.tensor(shape)))

    def _identity(self, name, layer, x):
        return x

    def _reshape(self, name, layer, x):
        shape = layer.output_shape(x.sample_shape)
        if len(shape) == 1 or shape == x.sample_shape:
            return Tensor(shape, x.plane, alias=x)
        out = self.tensor(shape)
        if out.channels == x.channels:
            return Tensor(shape, out.plane, alias=x)
        features = self._in_order(name, layer, x)
        return self._reorder(name, layer, features, out, [(out.positions, 1), (out.channels, out.positions)])

    def _lambda(self, name, layer, x):
        if not layer.only_reshapes(x.sample_shape):
            raise Unsupported(f"{name or 'network'} is a Lambda, whose function has no kernels in the plan")
        return self._reshape(name, layer, x)

    def _permute(self, name, layer, x):
        out = self.tensor(layer.output_shape(x.sample_shape))
        if len(layer.dims) == 1:
            return x
        C, H, W = x.plane
        x_axes = ((C, 1), (H, W * C), (W, C)) if len(layer.dims) == 3 else ((C, 1), (W, C))
        first, *planes = (x_axes[d - 1] for d in layer.dims)
        return self._reorder(name, layer, x, out, [*planes, first])

    def _reorder(self, name, layer, x, out, axes):
        if keeps_order(axes):
            return Tensor(out.sample_shape, out.plane, alias=x)
        return self._add(Reorder(name, layer, [x], out, axes))

    def _affine(self, name, layer, x):
        shape = layer.output_shape(x.sample_shape)
        if isinstance(layer, layers.Dense):
            if len(x.sample_shape) != 1:
                raise Unsupported(f"{name or 'network'} is a Dense over the last of several axes")
        elif any(layer._behind):
            raise Unsupported(f"{name or 'network'} pads its two ends differently")
        return self._add(Affine(name, layer, [x], self.tensor(shape)))

    def _norm(self, name, layer, x):
        x = self._plain(name, x)
        return self._add(Norm(name, layer, [x], self.tensor(x.sample_shape, x.plane)))

    def _sample_norm(self, name, layer, x):
        layer.output_shape(x.sample_shape)
        x = self._plain(name, x)
        return self._add(SampleNorm(name, layer, [x], self.tensor(x.sample_shape, x.plane)))

    def _local_response(self, name, layer, x):
        return self._add(LocalResponse(name, layer, [x], self.tensor(layer.output_shape(x.sample_shape), x.plane)))

    def _pointwise(self, name, layer, x):
        return self._add(Pointwise(name, layer, [x], self.tensor(x.sample_shape, x.plane)))

    def _softmax(self, name, layer, x):
        axis = layer.axis(len(x.sample_shape) + 1, x.sample_shape, None)
        if axis != 1:
            raise Unsupported(f"{name or 'network'} is a {type(layer).__name__} over axis {axis}")
        return self._add(Softmaxed(name, layer, [x], self.tensor(x.sample_shape, x.plane)))

    def _dropout(self, name, layer, x):
        return self._add(Drop(name, layer, [x], self.tensor(x.sample_shape, x.plane)))

    def _pool(self, name, layer, x):
        kind = _POOLINGS.get(type(layer), AveragePool)
        return self._add(kind(name, layer, [x], self.tensor(layer.output_shape(x.sample_shape))))

    def _own(self, name, layer, x, make):
        """A layer type that `operation` has registered."""
        try:
            shape = layer.output_shape(x.sample_shape)
        except NotImplementedError:
            raise Unsupported(f"{name or 'network'} is a {type(layer).__name__}, which has no output_shape") from None
        if not make.any_order:
            x = self._plain(name, x)
        plane = x.plane if shape == x.sample_shape else None
        return self._add(make(name, layer, [x], self.tensor(shape, plane)))

    # --- fusions

    def _consumers(self):
        found = {}
        for op in self.ops:
            for x in op.inputs:
                found.setdefault(x.root, []).append(op)
        found.setdefault(self.output.root, []).append(None)
        return found

    def _only_consumer(self, consumers, tensor):
        found = consumers.get(tensor.root, [])
        return found[0] if len(found) == 1 else None

    def _next_alike(self, consumers, op):
        """The only operation on what `op` makes, if it sees that in the same shape."""
        following = self._only_consumer(consumers, op.out)
        return following if following is not None and following.out.plane == op.out.plane else None

    def _fuse(self):
        """Join ReLU with max-pooling, batch normalization with a residual sum, and both with ReLU; affine maps with ReLU."""
        consumers = self._consumers()
        for op in list(self.ops):
            if isinstance(op, Pointwise) and op.family == "relu":
                following = self._only_consumer(consumers, op.out)
                if isinstance(following, MaxPool) and following.inputs[0] is op.out:
                    following.inputs[0], following.relu = op.inputs[0], True
                    self.ops.remove(op)
                    consumers = self._consumers()
        for op in list(self.ops):
            if isinstance(op, Norm):
                following = self._next_alike(consumers, op)
                if isinstance(following, Add) and following.inputs[0].root is op.out.root:
                    op.residual = following.inputs[1]
                    op.inputs.append(op.residual)
                    self._absorb(op, following)
                    consumers = self._consumers()
            if isinstance(op, (Norm, MaxPool, Affine)) and not op.relu:
                following = self._next_alike(consumers, op)
                if isinstance(following, Pointwise) and following.family == "relu":
                    op.relu = True
                    self._absorb(op, following)
                    consumers = self._consumers()

    def fold(self):
        """Fold batch normalizations that stand right behind affine maps into these, for prediction."""
        consumers = self._consumers()
        for op in list(self.ops):
            following = self._only_consumer(consumers, op.out)
            if not isinstance(op, Affine) or op.relu or not isinstance(following, Norm) or following.x is not op.out:
                continue
            if following.residual is None:
                op.norm, op.relu = following, following.relu
                self._absorb(op, following)

    def order_samples(self):
        """Let samples come into lanes in the order that a reordering at the very beginning makes of them."""
        following = self._only_consumer(self._consumers(), self.input)
        ordered = following.samples_in_order() if isinstance(following, Reorder) else None
        if ordered is not None:
            self.input = ordered
            self.ops.remove(following)

    def _absorb(self, op, following):
        """Let `op` make the output of `following`, which it now does too; it takes that one's place in the order."""
        op.out = following.out
        self.ops.remove(op)
        self.ops[self.ops.index(following)] = op

    def _mark_gradients(self):
        for op in self.ops:
            op.out.root.has_gradient = bool(op.params) or any(x.root.has_gradient for x in op.inputs)


_LOWERINGS = {
    layers.Flatten: Graph._reshape,
    layers.Identity: Graph._identity,
    layers.Lambda: Graph._lambda,
    layers.Permute: Graph._permute,
    layers.Reshape: Graph._reshape,
    layers.Dense: Graph._affine,
    layers.Conv1d: Graph._affine,
    layers.Conv2d: Graph._affine,
    layers.BatchNorm1d: Graph._norm,
    layers.BatchNorm2d: Graph._norm,
    layers.GroupNorm: Graph._sample_norm,
    layers.LayerNorm: Graph._sample_norm,
    layers.LocalResponseNorm: Graph._local_response,
    layers.ReLU: Graph._pointwise,
    layers.LeakyReLU: Graph._pointwise,
    layers.Sigmoid: Graph._pointwise,
    layers.Tanh: Graph._pointwise,
    layers.Hardtanh: Graph._pointwise,
    layers.ReLU6: Graph._pointwise,
    layers.ELU: Graph._pointwise,
    layers.GELU: Graph._pointwise,
    layers.SiLU: Graph._pointwise,
    layers.Softplus: Graph._pointwise,
    layers.Softmax: Graph._softmax,
    layers.LogSoftmax: Graph._softmax,
    layers.Dropout: Graph._dropout,
    layers.LPPool1d: Graph._pool,
    layers.LPPool2d: Graph._pool,
    layers.MaxPool1d: Graph._pool,
    layers.MaxPool2d: Graph._pool,
    layers.AvgPool1d: Graph._pool,
    layers.AvgPool2d: Graph._pool,
    layers.AdaptiveAvgPool1d: Graph._pool,
    layers.AdaptiveAvgPool2d: Graph._pool,
}
_POOLINGS = {layers.LPPool1d: LPPool, layers.LPPool2d: LPPool, layers.MaxPool1d: MaxPool, layers.MaxPool2d: MaxPool}
_CONTAINERS = layers.Sequential, layers.Residual, layers.Concat


def check_types(network):
    """Look for layers that no plan knows, before anything that takes longer: such networks ask again and again.

    Raises
    ------
    Unsupported
    """
    for name, layer in network.walk():
        kind = type(layer)
        if kind not in _LOWERINGS and kind not in _CONTAINERS and kind not in REGISTERED:
            raise _unknown(name, kind)


def _unknown(name, kind):
    return Unsupported(f"{name or 'network'} is a {kind.__name__}, which has no kernels in the plan")
