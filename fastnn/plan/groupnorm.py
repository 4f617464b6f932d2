"""Group and layer normalization."""

import math

import numpy as np

from ..kernels.gemm import EMPTY
from ..kernels.lanes import groupnorm
from .tensors import Op, Unsupported

_STATS = 3  # vectors for each group, from the way there to the way back


class SampleNorm(Op):
    """GroupNorm, or LayerNorm over all of a sample or over all positions of each channel."""

    def __init__(self, name, layer, inputs, out):
        super().__init__(name, layer, inputs, out)
        C, positions = out.channels, out.positions
        normalized = math.prod(getattr(layer, "normalized_shape", ()))
        if hasattr(layer, "num_groups"):
            groups, steps = layer.num_groups, (1, 0)
        elif normalized == out.size:
            groups, steps = 1, (positions, 1)
        elif normalized == positions:
            groups, steps = C, (0, 1)
        else:
            raise Unsupported(f"{name or 'network'} is a LayerNorm over the last of several axes")
        self.groups, self.sizes = groups, (positions, C, groups, *steps)

    def _vector_bytes(self, program, count):
        return count * program.lanes * program.dtype.itemsize

    def forward(self, program, training):
        x, out = program.value(self.x), program.value(self.out)
        self.stats = program.space(self._vector_bytes(program, _STATS * self.groups))
        likes, arguments = self._likes(program), (*self.layer._affine(), self.sizes, self.layer.eps)

        def make(place):
            return [groupnorm.groupnorm_forward.phase((*likes, place(out), place(self.stats), place(x), *arguments), 1)]

        program.block(self.label, make, out, self.stats, x)

    def _likes(self, program):
        return EMPTY[program.dtype], EMPTY[np.dtype(np.float64)]

    def backward(self, program):
        dout, grads = program.gradient(self.out), self.layer.grads
        need_dx = self.x.root.has_gradient
        if dout is None or not (grads or need_dx):
            return
        weight, _ = self.layer._affine()
        x, dx = program.value(self.x), program.like(self.x) if need_dx else dout
        none = np.empty((0, 0), program.dtype)
        sets = [program.gradient_sets(grads[name]) if name in grads else none for name in ("weight", "bias")]
        work = program.space(self._vector_bytes(program, 2 * weight.size), temporary=True)
        likes, settings = self._likes(program), (weight, self.sizes, program.chunk, int(need_dx))

        def make(place):
            places = place(work), place(dout), place(x), place(self.stats)
            return [groupnorm.groupnorm_backward.phase((*likes, place(dx), *sets, *places, *settings), 1)]

        program.block(self.label, make, dx, work, dout, x, self.stats)
        if need_dx:
            program.contribute(self.x, dx)
