"""Convolutions and dense layers: affine maps, with a ReLU taken along."""

import numpy as np

from ..kernels.gemm import EMPTY
from ..kernels.lanes import affine, affine_weight, depthwise, elementwise, fold, winograd, winograd_weight
from ..kernels.lanes.layout import aligned_zeros
from ..kernels.lanes.taps import Geometry
from .tensors import Op

PARTS = 16  # of a map or gradient that is a phase of its own: enough for the threads of a small machine to share evenly
# A dense layer with more weights than this is a phase of its own: its weights are then read once for all blocks of the batch.
_CHAINED_WEIGHT_BYTES = 1 << 16
# Transformed weights are made before all else; where they are larger than this, just before they are used, in shared memory.
_PREPARED_BYTES = 1 << 21
# Gradients of the weight are taken block by block where a block has enough positions for long sums and the gradients of all
# blocks together stay small.
_CHAINED_POSITIONS, _SETS_BYTES = 16, 8 << 20


class Affine(Op):
    norm = None  # a batch normalization behind it that predictions fold into the weights

    def __init__(self, name, layer, inputs, out):
        super().__init__(name, layer, inputs, out)
        C, H, W = self.x.plane
        if hasattr(layer, "in_features"):  # over a flattened plane a dense layer is a convolution with one window, all of it
            self.geometry = Geometry(C, layer.out_features, (H, W), (1, 1), (H, W), (1, 1), (0, 0), (1, 1), 1)
        else:
            settings = layer._kernel_pair, layer._stride, layer._padding, layer._dilation, layer.groups
            self.geometry = Geometry(C, layer.out_channels, (H, W), out.plane[1:], *settings)
        self.weight, self.bias = layer.params["weight"], layer.params.get("bias")
        self.macs = out.size * int(np.prod(self.weight.shape[1:]))

    # --- which kernel

    def _winograd_applies(self, program):
        g = self.geometry
        square = program.winograd and self.weight.ndim == 4
        return square and winograd.applies(self.weight.shape, g.stride, g.padding, g.dilation, g.groups)

    def _winograd_shape(self, program, backward):
        """The shape of this map, or of its input's gradient, as Winograd's convolution takes it; None where it does not pay."""
        g = self.geometry
        if not self._winograd_applies(program):
            return None
        if backward:
            shape = (*g.out_size, g.filters, g.channels, 2 - g.padding[0], 2 - g.padding[1])
        else:
            shape = (*g.size, g.channels, g.filters, *g.padding)
        return shape if winograd.worth_it(shape, program.dtype) else None

    def _winograd_weight_shape(self, program):
        """The shape as Winograd's gradient of the weight takes it; None where it does not pay."""
        g = self.geometry
        shape = (*g.size, g.channels, g.filters, *g.padding)
        if not self._winograd_applies(program):
            return None
        return shape if winograd_weight.weight_worth_it(shape, program.dtype) else None

    def _is_own_phase(self, program):
        dense = self.out.positions == 1
        return dense and program.blocks > 1 and self.weight.nbytes > _CHAINED_WEIGHT_BYTES

    def _winograd(self, program, out, x, shape, bias, flipped, relu, kind=None):
        """Steps of a convolution by Winograd's algorithm."""
        weight, chunks = self.weight, (program.blocks, program.chunk)
        u_shape = winograd.u_shape(shape[3], shape[2], program.dtype)
        temp = program.space(winograd.scratch_bytes(shape, program.dtype), temporary=True)
        u_bytes = int(np.prod(u_shape)) * program.dtype.itemsize
        if program.training and u_bytes > _PREPARED_BYTES:
            u = program.space(u_bytes, fixed=True)

            def transform(place):
                return [winograd.weight_record(place.array(u, u_shape, program.dtype), weight, flipped)]

            program.whole(self.label, transform, u, kind="weights")
            spaces = out, x, temp, u
        else:
            u, spaces = aligned_zeros(u_shape, program.dtype), (out, x, temp)
            program.prepare(self.label, lambda place: [winograd.weight_record(u, weight, flipped)])

        def make(place):
            transformed = u if isinstance(u, np.ndarray) else place.array(u, u_shape, program.dtype)
            return [winograd.winograd_record(place(out), place(x), transformed, bias, shape, relu, place(temp), *chunks)]

        program.block(self.label, make, *spaces, macs=self.macs, kind=kind)

    # --- forward and backward

    def _fold(self, program):
        """Make `weight` and `bias` arrays of the op's own, with the batch normalization in them, anew for each prediction."""
        weight, bias, dtype = self.weight, self.bias, program.dtype
        self.weight, self.bias = aligned_zeros(weight.shape, dtype), aligned_zeros((len(weight),), dtype)
        coefficients = self.norm.coefficients_for_prediction(program)
        rows, like = weight.reshape(len(weight), -1), EMPTY[dtype] if bias is None else bias
        args = self.weight.reshape(rows.shape), self.bias, rows, like, coefficients
        program.prepare(self.label, lambda place: [fold.fold.phase(args, len(rows), 16)])

    def forward(self, program, training):
        if self.norm is not None:
            self._fold(program)
        x, out = program.value(self.x), program.value(self.out)
        shape = self._winograd_shape(program, False)
        if shape is not None:
            self._winograd(program, out, x, shape, self.bias, 0, int(self.relu))
            return
        operands = self.weight, self.bias, self.geometry
        direct = depthwise if depthwise.applies(self.geometry) else affine
        if self._is_own_phase(program):

            def make_parts(place):
                args = (*operands, program.cells, PARTS)
                return [affine.forward_parts_record(place(out), place(x), *args, relu=self.relu)]

            program.whole(self.label, make_parts, out, x, macs=self.macs)
            return

        def make(place):
            args = (*operands, program.blocks, program.chunk)
            return [direct.forward_record(place(out), place(x), *args, relu=self.relu)]

        program.block(self.label, make, out, x, macs=self.macs)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None:
            return
        if self.relu:
            masked, out = program.like(self.out), program.value(self.out)
            like, size = EMPTY[program.dtype], self.out.size * program.lanes
            upstream = dout

            def mask(place):
                places = place(masked), place(upstream), place(out)
                return [elementwise.relu_backward.phase((like, *places, size), 1)]

            program.block(self.label, mask, masked, upstream, out)
            dout = masked
        self._backward_weight(program, dout)
        if self.x.root.has_gradient:
            dx = program.like(self.x)
            self._backward_input(program, dx, dout)
            program.contribute(self.x, dx)

    def _backward_input(self, program, dx, dout):
        kind = "input gradient"
        shape = self._winograd_shape(program, True)
        if shape is not None:
            self._winograd(program, dx, dout, shape, None, 1, 0, kind)
        elif self._is_own_phase(program):

            def make_parts(place):
                args = self.weight, self.geometry, program.cells, PARTS
                return [affine.backward_input_parts_record(place(dx), place(dout), *args)]

            program.whole(self.label, make_parts, dx, dout, macs=self.macs, kind=kind)
        else:
            direct = depthwise if depthwise.applies(self.geometry) else affine

            def make(place):
                args = self.weight, self.geometry, program.blocks, program.chunk
                return [direct.backward_input_record(place(dx), place(dout), *args)]

            program.block(self.label, make, dx, dout, macs=self.macs, kind=kind)

    def _backward_weight(self, program, dout):
        x, g = program.value(self.x), self.geometry
        dweight, dbias = self.layer.grads["weight"], self.layer.grads.get("bias")
        kind = "weight gradient"
        sets = -(-program.blocks // program.chunk)
        separate = depthwise.applies(g)  # channels: few weights, and the kernel sums lanes once for all positions
        if (separate or self.out.positions >= _CHAINED_POSITIONS) and sets * self.weight.nbytes <= _SETS_BYTES:
            weight_sets = program.gradient_sets(dweight)
            bias_sets = None if dbias is None else program.gradient_sets(dbias)
            places = weight_sets, bias_sets
            chunks = program.blocks, program.chunk
            shape = self._winograd_weight_shape(program)
            if separate:
                bytes_of_work = depthwise.weight_work_bytes(g, program.dtype)
            elif shape is None:
                bytes_of_work = affine_weight.weight_work_bytes(g, program.dtype, program.chunk)
            else:
                bytes_of_work = winograd_weight.weight_work_bytes(shape, program.dtype)
            work = program.space(bytes_of_work, temporary=True)

            def make(place):
                if shape is None:
                    record = depthwise.weight_record if separate else affine_weight.weight_record
                    return [record(*places, place(x), place(dout), g, *chunks, place(work))]
                record = winograd_weight.winograd_weight_record
                return [record(*places, place(x), place(dout), shape, *chunks, place(work))]

            program.block(self.label, make, x, dout, work, macs=self.macs, kind=kind)
            return
        work = program.space(affine_weight.weight_parts_work_bytes(g, program.dtype, PARTS), temporary=True)

        def make_parts(place):
            args = g, program.cells, PARTS, place(work)
            return [affine_weight.weight_parts_record(dweight, dbias, place(x), place(dout), *args)]

        program.defer(self.label, make_parts, x, dout, work, macs=self.macs, kind=kind)
