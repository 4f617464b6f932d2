"""Batch normalization, with a residual sum and a ReLU behind it taken along."""

import numpy as np

from ..kernels.gemm import EMPTY
from ..kernels.lanes import batchnorm
from ..kernels.lanes.layout import aligned_zeros
from .tensors import Op

_CHANNELS = 64  # of a merge that one thread takes at a time


class Norm(Op):
    residual = None

    def _arrays(self, program):
        """The layer's parameters and running statistics as kernels take them."""
        layer, state = self.layer, self.layer.state
        weight, bias = layer._affine()
        if not layer.track_running_stats:
            none = EMPTY[program.dtype]
            return weight, bias, none, none, np.empty(0, np.int64)
        return weight, bias, state["running_mean"], state["running_var"], state["num_batches_tracked"].reshape(1)

    def coefficients_for_prediction(self, program):
        """Mean, scale and shift of each channel from the running statistics, which a step ahead of all others works out."""
        weight, bias, mean, var, _ = self._arrays(program)
        coefficients = aligned_zeros((3, self.out.channels), program.dtype)
        args = EMPTY[program.dtype], coefficients, weight, bias, mean, var, float(self.layer.eps)
        channels = self.out.channels
        program.prepare(self.label, lambda place: [batchnorm.eval_coefficients.phase(args, channels, _CHANNELS)])
        return coefficients

    def forward(self, program, training):
        C, positions, like = self.out.channels, self.out.positions, EMPTY[program.dtype]
        x, out = program.value(self.x), program.value(self.out)
        layer = self.layer
        if training:
            *_, tracked = arrays = self._arrays(program)
            self.coefficients = aligned_zeros((3, C), program.dtype)
            self.partial = partial = program.partials(C)
            self.statistics = aligned_zeros((2, C), np.float64)
            momentum = -1.0 if layer.momentum is None else float(layer.momentum)

            def moments(place):
                args = (like, partial, place(x), tracked, positions, C, program.cells)
                return [batchnorm.moments.phase(args, 1)]

            def merge(place):
                args = (*arrays, float(layer.eps), momentum, positions, program.cells)
                return [batchnorm.merge.phase((like, self.statistics, self.coefficients, partial, *args), C, _CHANNELS)]

            program.block(self.label, moments, x)
            program.whole(self.label, merge)
        else:
            self.coefficients = self.coefficients_for_prediction(program)

        residual = None if self.residual is None else program.value(self.residual)

        def apply(place):
            places = place(out), place(x), place(x if residual is None else residual)
            args = (self.coefficients, positions, C, int(self.relu), int(residual is not None))
            return [batchnorm.apply.phase((like, *places, *args), 1)]

        program.block(self.label, apply, out, x, *([] if residual is None else [residual]))

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None:
            return
        C, positions, like = self.out.channels, self.out.positions, EMPTY[program.dtype]
        x, layer = program.value(self.x), self.layer
        weight, _ = layer._affine()
        dweight, dbias = (layer.grads.get(name, np.empty(C, program.dtype)) for name in ("weight", "bias"))
        gradients = aligned_zeros((3, C), program.dtype)
        mask, spaces = batchnorm.UNMASKED, [dout, x]
        masked = program.like(self.out) if self.relu and self.residual is not None else None
        if self.relu:
            mask = batchnorm.MASK_FROM_X if self.residual is None else batchnorm.MASK_FROM_OUT
        out = program.value(self.out) if mask == batchnorm.MASK_FROM_OUT else x
        partial = self.partial

        def sums(place):
            places = place(dout if masked is None else masked), place(dout), place(x), place(out)
            args = (self.coefficients, positions, C, mask, int(masked is not None))
            return [batchnorm.backward_sums.phase((like, partial, *places, *args), 1)]

        def merge(place):
            args = (dweight, dbias, gradients, partial, weight, self.coefficients, self.statistics, positions, program.cells)
            return [batchnorm.backward_merge.phase((like, *args), C, _CHANNELS)]

        program.block(self.label, sums, *spaces, out, *([] if masked is None else [masked]))
        if self.residual is not None:
            program.contribute(self.residual, dout if masked is None else masked)
        program.whole(self.label, merge)
        if not self.x.root.has_gradient:
            return
        dx = program.like(self.x)
        source = dout if masked is None else masked
        final_mask = mask if masked is None else batchnorm.UNMASKED

        def apply(place):
            places = place(dx), place(source), place(x), place(out if masked is None else x)
            args = (self.coefficients, gradients, positions, C, final_mask, program.cells)
            return [batchnorm.backward_apply.phase((like, *places, *args), 1)]

        program.block(self.label, apply, dx, source, x, *([out] if masked is None else []))
        program.contribute(self.x, dx)
