"""Max, average and adaptive average pooling."""

import numpy as np

from .. import layers
from ..kernels.gemm import EMPTY
from ..kernels.lanes import pooling
from .tensors import Op


class MaxPool(Op):
    """Max-pooling, with a ReLU before or behind it taken along: the two commute."""

    def _geometry(self):
        layer = self.layer
        sizes = *self.x.plane[1:], *self.out.plane[1:]
        return (*sizes, *layer._kernel, *layer._stride, *layer._padding, *layer._dilation)

    def forward(self, program, training):
        geometry = self._geometry()
        x, out = program.value(self.x), program.value(self.out)
        kind = pooling.taps_dtype(geometry)
        self.windows = pooling.max_windows(geometry)
        self.like, self.taps_like = EMPTY[program.dtype], np.empty(0, kind)
        self.taps = program.space(self.out.size * program.lanes * np.dtype(kind).itemsize)
        spaces = (out, x, self.taps) if training else (out, x)

        def make(place):
            taps = place(self.taps) if training else (0, 0, 0)
            places = place(out), taps, place(x)
            args = (*self.windows[0], self.x.channels, int(self.relu), int(training))
            return [pooling.max_pool_forward.phase((self.like, self.taps_like, *places, *args), 1)]

        program.block(self.label, make, *spaces)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        dx = program.like(self.x)

        def make(place):
            places = place(dx), place(dout), place(self.taps)
            args = (*self.windows[1], self.x.channels)
            return [pooling.max_pool_backward.phase((self.like, self.taps_like, *places, *args), 1)]

        program.block(self.label, make, dx, dout, self.taps)
        program.contribute(self.x, dx)


class AveragePool(Op):
    """Average pooling, with fixed windows or with windows that share out the plane."""

    def _windows(self, dtype):
        layer, sizes = self.layer, (*self.x.plane[1:], *self.out.plane[1:])
        if isinstance(layer, (layers.AdaptiveAvgPool1d, layers.AdaptiveAvgPool2d)):
            return pooling.adaptive_windows(sizes, dtype)
        kernel, stride, padding, count_include_pad, divisor = layer._averaging()
        geometry = (*sizes, *kernel, *stride, *padding, 1, 1)
        return pooling.mean_windows(geometry, count_include_pad, divisor, dtype)

    def forward(self, program, training):
        x, out = program.value(self.x), program.value(self.out)
        self.windows, self.like = self._windows(program.dtype), EMPTY[program.dtype]

        def make(place):
            args = (self.like, place(out), place(x), *self.windows[0], self.x.channels)
            return [pooling.avg_pool_forward.phase(args, 1)]

        program.block(self.label, make, out, x)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        dx = program.like(self.x)

        def make(place):
            args = (self.like, place(dx), place(dout), *self.windows[1], self.x.channels)
            return [pooling.avg_pool_backward.phase(args, 1)]

        program.block(self.label, make, dx, dout)
        program.contribute(self.x, dx)
