"""Operations that take each element, or each position's channels, by itself."""

import numpy as np

from ..kernels._threads import SAMPLES, START
from ..kernels.gemm import EMPTY
from ..kernels.lanes import elementwise, samples, softmax
from ..kernels.lanes.layout import CELLS, INDEX, X, aligned_zeros
from ..layers.base import running
from .tensors import Op


class Pointwise(Op):
    """An activation."""

    @property
    def family(self):
        return self.layer.family

    def forward(self, program, training):
        x, out = program.value(self.x), program.value(self.out)
        kernel = getattr(elementwise, f"{self.family}_forward")
        args = (*map(float, self.layer.scalars()), self.out.size * program.lanes)
        like = EMPTY[program.dtype]
        program.block(self.label, lambda place: [kernel.phase((like, place(out), place(x), *args), 1)], out, x)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        kept, dx = program.value(self.x if self.layer.keeps == "x" else self.out), program.like(self.x)
        kernel = getattr(elementwise, f"{self.family}_backward")
        args = (*map(float, self.layer.scalars()), self.out.size * program.lanes)
        like = EMPTY[program.dtype]

        def make(place):
            return [kernel.phase((like, place(dx), place(dout), place(kept), *args), 1)]

        program.block(self.label, make, dx, dout, kept)
        program.contribute(self.x, dx)


class Add(Op):
    """The sum at the end of a residual block."""

    def forward(self, program, training):
        a, b = (program.value(x) for x in self.inputs)
        program.add(self.label, self.out, program.value(self.out), a, b)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is not None:
            for x in self.inputs:
                program.contribute(x, dout)


class Softmaxed(Op):
    """Softmax or its logarithm over the channels."""

    def _sizes(self):
        flat = len(self.out.sample_shape) == 1  # a flattened plane: all of it is one distribution, in any order
        return (1, self.out.size) if flat else (self.out.positions, self.out.channels)

    def forward(self, program, training):
        x, out = program.value(self.x), program.value(self.out)
        kernel, like = getattr(softmax, f"{self.layer.family}_forward"), EMPTY[program.dtype]
        program.block(self.label, lambda place: [kernel.phase((like, place(out), place(x), *self._sizes()), 1)], out, x)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        out, dx = program.value(self.out), program.like(self.x)
        kernel, like = getattr(softmax, f"{self.layer.family}_backward"), EMPTY[program.dtype]

        def make(place):
            return [kernel.phase((like, place(dx), place(dout), place(out), *self._sizes()), 1)]

        program.block(self.label, make, dx, dout, out)
        program.contribute(self.x, dx)


class Drop(Op):
    """Dropout. The layer draws a mask for the whole batch in Python before each step; the plan takes it into lanes."""

    def forward(self, program, training):
        x, out = program.value(self.x), program.value(self.out)
        like, size = EMPTY[program.dtype], self.out.size * program.lanes
        if not training:
            program.block(self.label, lambda place: [elementwise.copy.phase((like, place(out), place(x), size), 1)], out, x)
            return
        self.mask = program.like(self.out)
        self.cells = aligned_zeros((CELLS,), np.int64)
        sizes = self.out.channels, self.out.positions

        def make(place):
            mask = place(self.mask)
            return [
                samples.gather.phase((like, like, mask, *sizes, self.cells, 1.0, 0.0), 1),
                elementwise.scale_by.phase((like, place(out), place(x), mask, size), 1),
            ]

        program.block(self.label, make, out, x, self.mask)

    def draw(self, count, dtype):
        """Draw the masks of a batch of `count` samples; the layer keeps the array."""
        with running(reuse=True):
            mask = self.layer._draw_mask((count, *self.out.sample_shape), dtype)
        self.cells[[SAMPLES, START, INDEX, X]] = count, 0, 0, mask.ctypes.data

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        dx = program.like(self.x)
        like, size, mask = EMPTY[program.dtype], self.out.size * program.lanes, self.mask

        def make(place):
            return [elementwise.scale_by.phase((like, place(dx), place(dout), place(mask), size), 1)]

        program.block(self.label, make, dx, dout, mask)
        program.contribute(self.x, dx)
