"""Batch normalization over lane blocks.   C channels, `positions` = H*W; M = SAMPLES*positions values of a channel.

    moments          (like, partial, x, num_batches_tracked, positions, channels, cells)
  W merge            (like, statistics, coefficients, partial, weight, bias, running_mean, running_var, num_batches_tracked, eps,
                      momentum, positions, cells)
  W eval_coefficients(like, coefficients, weight, bias, running_mean, running_var, eps)
    apply            (like, out, x, residual, coefficients, positions, channels, relu, add)
    backward_sums    (like, partial, dmasked, dout, x, out, coefficients, positions, channels, mask, store)
  W backward_merge   (like, dweight, dbias, gradients, partial, weight, coefficients, statistics, positions, cells)
    backward_apply   (like, dx, dout, x, out, coefficients, gradients, positions, channels, mask, cells)

Those marked W have channels as items, the others blocks; their sums go from one to the other in

    partial      (blocks, 2, C) float64   of each block: mean and sum of squared deviations, or sums of dy and dy * (x - mean)
    statistics   (2, C) float64           mean, 1 / sqrt(var + eps)
    coefficients (3, C)                   mean, scale, shift:   out = (x - mean)*scale + shift
    gradients    (3, C)                   a, b, c:              dx = a*dy + b*(x - mean) + c

dy is dout, masked by the ReLU if that is fused in. Arrays over blocks are Places, and those of the same shape may be one.

A group of channels at a time walks the positions of a block with its coefficients and sums in vector registers. Sums of
float32 run over a few positions, then go into float64. Squares are of differences from a value of the same run of positions, so
they are as large as the deviations among themselves, wherever their mean is and however it drifts over the image.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._jit import jit
from .._kernel import kernel
from .._threads import BLOCKS, SAMPLES
from ..batchnorm import _inverse_deviation
from ..host import vector_registers
from ..simd import I64, VECTOR_BYTES, Emitter, dispatch, function_of, pointer
from .layout import locate

UNMASKED, MASK_FROM_X, MASK_FROM_OUT = range(3)  # dy = dout; the ReLU's side recomputed from x; read from its output

_RUN = 16  # positions between two additions into float64
_GROUPS = (8, 4, 2, 1) if vector_registers() == 32 else (4, 2, 1)  # channels whose sums or coefficients the registers hold


def _by_group(name, variants, body):
    """An intrinsic (pointer, channels in the group, variant, further arguments) that calls the function for these.

    ``body(emitter, group, variant, *arguments)`` writes that function; arguments are ints, addresses among them.
    """

    @intrinsic
    def call(typingctx, like, group, variant, arguments):
        def codegen(context, builder, signature, args):
            element = context.get_value_type(signature.args[0].dtype)
            count = VECTOR_BYTES // (4 if isinstance(element, ir.FloatType) else 8)
            values = [builder.extract_value(args[3], n) for n in range(len(signature.args[3]))]

            def emit_call(key):
                function, new = function_of(builder.module, f"{name}_{key[0]}_{key[1]}", ir.VoidType(), [I64] * len(values))
                if new:
                    emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), element, count)
                    body(emit, *key, *function.args)
                    emit.builder.ret_void()
                builder.call(function, values)

            number = builder.add(builder.mul(args[1], ir.Constant(I64, 8)), args[2])
            dispatch(builder, number, [(8 * g + v, (g, v)) for g in _GROUPS for v in variants], emit_call)
            return context.get_dummy_value()

        return types.void(like, types.int64, types.int64, types.UniTuple(types.int64, len(arguments))), codegen

    return call


def _index(number):
    return ir.Constant(I64, number)


class _Block:
    """A group of channels of a block at an address: vectors by position and channel within the group."""

    def __init__(self, emit, address, channels):
        self.emit, self.base = emit, emit.builder.inttoptr(address, emit.element.as_pointer())
        self.step = emit.builder.mul(channels, _index(emit.lanes))

    def at(self, position, channel):
        offset = self.emit.builder.mul(position, self.step)
        return self.emit.at(self.emit.at(self.base, offset), _index(channel * self.emit.lanes))

    def load(self, position, channel):
        return self.emit.load(self.at(position, channel))

    def store(self, value, position, channel):
        self.emit.store(value, self.at(position, channel))


def _coefficients(emit, group, address, channels):
    """The three rows of (3, channels) coefficients, each as a vector for each channel of the group."""
    base = emit.builder.inttoptr(address, emit.element.as_pointer())
    rows = [emit.at(base, emit.builder.mul(channels, _index(row))) for row in range(3)]
    return [[emit.splat(emit.builder.load(emit.at(row, _index(g)))) for g in range(group)] for row in rows]


def _double(emit):
    return Emitter(emit.builder, ir.DoubleType(), VECTOR_BYTES // 8)


def _widened(emit, vector):
    """A vector's lanes as vectors of float64: one or two."""
    wide = _double(emit)
    if emit.lanes == wide.lanes:
        return [vector]
    return [emit.builder.fpext(emit.part(vector, n, wide.lanes), wide.vector) for n in range(emit.lanes // wide.lanes)]


def _in_runs(emit, positions, start, body):
    """Carry `start` through ``body(first position, positions, values) -> values`` for each run of positions."""
    builder = emit.builder
    runs = builder.sdiv(builder.add(positions, _index(_RUN - 1)), _index(_RUN))

    def run(number, values):
        first = builder.mul(number, _index(_RUN))
        left = builder.sub(positions, first)
        count = builder.select(builder.icmp_signed("<", left, _index(_RUN)), left, _index(_RUN))
        return body(first, count, values)

    return emit.loop(runs, start, run)


def _lane_sums(emit, sums):
    """Sums over the lanes of each channel, as one vector; `sums` has the vectors of float64 of each channel."""
    wide = _double(emit)
    return wide.lane_sums([parts[0] if len(parts) == 1 else emit.builder.fadd(*parts) for parts in sums])


def _zero_where(emit, condition, value):
    return emit.builder.select(condition, ir.Constant(value.type, [0.0] * value.type.count), value)


def _emit_moments(emit, group, variant, partial, x, positions, channels, valid):
    builder, wide = emit.builder, _double(emit)
    x = _Block(emit, x, channels)
    firsts = [builder.load(x.at(_index(0), g)) for g in range(group)]
    origins = firsts if emit.lanes == wide.lanes else [builder.fpext(first, wide.element) for first in firsts]
    parts = emit.lanes // wide.lanes

    def run(first, count, totals):
        starts = [x.load(first, g) for g in range(group)]

        def step(k, sums):
            result = []
            for g in range(group):
                d = builder.fsub(x.load(builder.add(first, k), g), starts[g])
                result += [builder.fadd(sums[2 * g], d), emit.fma(d, d, sums[2 * g + 1])]
            return result

        sums = emit.loop(count, [emit.zero] * (2 * group), step)
        n, result = wide.splat(builder.sitofp(count, wide.element)), []
        for g in range(group):
            starts_g, sums_g, squares_g = (_widened(emit, v) for v in (starts[g], sums[2 * g], sums[2 * g + 1]))
            for p in range(parts):
                # from differences from the start of the run to differences from the origin of the block
                total, square = totals[2 * (g * parts + p) : 2 * (g * parts + p) + 2]
                d = builder.fsub(starts_g[p], wide.splat(origins[g]))
                nd = builder.fmul(n, d)
                square = builder.fadd(square, wide.fma(d, builder.fadd(builder.fadd(sums_g[p], sums_g[p]), nd), squares_g[p]))
                result += [builder.fadd(total, builder.fadd(sums_g[p], nd)), square]
        return result

    totals = _in_runs(emit, positions, [wide.zero] * (2 * group * parts), run)
    masks = [wide.mask(builder.sub(valid, _index(p * wide.lanes))) for p in range(parts)]
    totals = [builder.select(masks[n // 2 % parts], total, wide.zero) for n, total in enumerate(totals)]
    split = [totals[2 * g * parts : 2 * (g + 1) * parts] for g in range(group)]
    total, square = (_lane_sums(emit, [parts_g[which::2] for parts_g in split]) for which in range(2))
    narrow = Emitter(builder, wide.element, group)
    n = narrow.splat(builder.sitofp(builder.mul(valid, positions), wide.element))
    origin = ir.Constant(narrow.vector, ir.Undefined)
    for g in range(group):
        origin = builder.insert_element(origin, origins[g], ir.Constant(ir.IntType(32), g))
    shift = builder.fdiv(total, n)
    deviation = builder.fsub(square, builder.fmul(shift, total))
    # rounding can leave a trace below 0; NaN stays
    deviation = _zero_where(emit, builder.fcmp_ordered("<", deviation, narrow.zero), deviation)
    partial = builder.inttoptr(partial, wide.element.as_pointer())
    wide.store(builder.fadd(origin, shift), partial)
    wide.store(deviation, emit.at(partial, channels))


def _emit_apply(emit, group, add, out, x, residual, coefficients, positions, channels, relu):
    builder = emit.builder
    mean, scale, shift = _coefficients(emit, group, coefficients, channels)
    out, x, residual = (_Block(emit, address, channels) for address in (out, x, residual))
    nonzero = builder.icmp_signed("!=", relu, _index(0))
    floor = emit.splat(builder.select(nonzero, ir.Constant(emit.element, 0.0), ir.Constant(emit.element, float("-inf"))))

    def step(k, _):
        for g in range(group):
            value = emit.fma(builder.fsub(x.load(k, g), mean[g]), scale[g], shift[g])
            if add:
                value = builder.fadd(value, residual.load(k, g))
            out.store(builder.select(builder.fcmp_ordered(">", floor, value), floor, value), k, g)
        return []

    emit.loop(positions, [], step)


def _masked(emit, mask, dy, centred, scale, shift, out):
    """dout with 0 where the output of the ReLU is; `out` loads that output."""
    if mask == UNMASKED:
        return dy
    # the same operations as in apply: the same bits, the same side
    value = emit.fma(centred, scale, shift) if mask == MASK_FROM_X else out()
    return _zero_where(emit, emit.builder.fcmp_ordered("<=", value, emit.zero), dy)


_STORE = 4  # added to the mask


def _emit_backward_sums(emit, group, variant, partial, dmasked, dout, x, out, coefficients, positions, channels):
    builder, wide = emit.builder, _double(emit)
    mask, store = variant % _STORE, variant >= _STORE
    mean, scale, shift = _coefficients(emit, group, coefficients, channels)
    dmasked, dout, x, out = (_Block(emit, address, channels) for address in (dmasked, dout, x, out))
    parts = emit.lanes // wide.lanes

    def run(first, count, totals):
        def step(k, sums):
            at, result = builder.add(first, k), []
            for g in range(group):
                centred = builder.fsub(x.load(at, g), mean[g])
                dy = _masked(emit, mask, dout.load(at, g), centred, scale[g], shift[g], lambda g=g: out.load(at, g))
                if store:
                    dmasked.store(dy, at, g)
                result += [builder.fadd(sums[2 * g], dy), emit.fma(dy, centred, sums[2 * g + 1])]
            return result

        sums = emit.loop(count, [emit.zero] * (2 * group), step)
        widened = [part for total in sums for part in _widened(emit, total)]
        return [builder.fadd(total, part) for total, part in zip(totals, widened)]

    totals = _in_runs(emit, positions, [wide.zero] * (2 * group * parts), run)
    split = [totals[n : n + parts] for n in range(0, len(totals), parts)]
    partial = builder.inttoptr(partial, wide.element.as_pointer())
    wide.store(_lane_sums(emit, split[::2]), partial)
    wide.store(_lane_sums(emit, split[1::2]), emit.at(partial, channels))


def _emit_backward_apply(emit, group, mask, dx, dout, x, out, coefficients, gradients, positions, channels, valid):
    builder = emit.builder
    mean, scale, shift = _coefficients(emit, group, coefficients, channels)
    a, b, c = _coefficients(emit, group, gradients, channels)
    dx, dout, x, out = (_Block(emit, address, channels) for address in (dx, dout, x, out))
    lanes = emit.mask(valid)

    def step(k, _):
        for g in range(group):
            centred = builder.fsub(x.load(k, g), mean[g])
            dy = _masked(emit, mask, dout.load(k, g), centred, scale[g], shift[g], lambda g=g: out.load(k, g))
            value = emit.fma(a[g], dy, emit.fma(b[g], centred, c[g]))
            dx.store(builder.select(lanes, value, emit.zero), k, g)
        return []

    emit.loop(positions, [], step)


_moments = _by_group("moments", (0,), _emit_moments)
_apply = _by_group("apply", (0, 1), _emit_apply)
_backward_sums = _by_group("backward_sums", (0, 1, 2, _STORE + 1, _STORE + 2), _emit_backward_sums)
_backward_apply = _by_group("backward_apply", (0, 1, 2), _emit_backward_apply)


@jit
def _group(left):
    """Channels of the next group when so many are left."""
    for size in _GROUPS:
        if size <= left:
            return size
    return 1


@jit
def _address(array):
    return array.ctypes.data


@jit
def _valid(cells, block, lanes):
    """Lanes of a block that hold samples."""
    return min(lanes, cells[SAMPLES] - block * lanes)


@kernel(mixed=True)
def moments(like, partial, x, num_batches_tracked, positions, channels, cells, first, last, scratch):
    """Mean and sum of squared deviations of each channel in each block; counts the batch (for merge, which comes after)."""
    if first == 0 and num_batches_tracked.size > 0:
        num_batches_tracked[0] += 1
    for block in range(first, last):
        source, valid = locate(x, block, first, scratch), _valid(cells, block, VECTOR_BYTES // like.itemsize)
        target = _address(partial) + 16 * block * channels
        c = 0
        while c < channels:
            group = _group(channels - c)
            _moments(pointer(like, 0), group, 0, (target + 8 * c, source + c * VECTOR_BYTES, positions, channels, valid))
            c += group


@kernel(mixed=True)
def merge(
    like, statistics, coefficients, partial, weight, bias, running_mean, running_var, num_batches_tracked, eps, momentum,
    positions, cells, first, last,
):  # fmt: skip
    """Statistics of the batch from those of its blocks, in their order; moves the running ones.

    Without running statistics these arrays are empty. A momentum below 0 averages over all batches alike.
    """
    lanes = VECTOR_BYTES // like.itemsize
    mean, squares = statistics[0, first:last], statistics[1, first:last]
    for c in range(mean.size):
        mean[c], squares[c] = 0, 0
    for block in range(cells[BLOCKS]):
        before = np.float64(block * lanes)
        samples = np.float64(_valid(cells, block, lanes))
        fraction = samples / (before + samples)
        cross = before * fraction * positions
        mean_b, squares_b = partial[block, 0, first:last], partial[block, 1, first:last]
        for c in range(mean.size):
            d = mean_b[c] - mean[c]
            mean[c] += d * fraction
            squares[c] += squares_b[c] + d * d * cross
    count = np.float64(cells[SAMPLES] * positions)
    step = momentum if momentum >= 0 or num_batches_tracked.size == 0 else 1 / np.float64(num_batches_tracked[0])
    for c in range(first, last):
        var = statistics[1, c] / count
        if running_mean.size > 0:
            running_mean[c] = (1 - step) * running_mean[c] + step * statistics[0, c]
            # unbiased, unlike what normalises the batch
            running_var[c] = (1 - step) * running_var[c] + step * count / (count - 1) * var
        statistics[1, c] = _inverse_deviation(var, eps)
        coefficients[0, c] = statistics[0, c]
        coefficients[1, c] = weight[c] * statistics[1, c]
        # what rounding the mean has cut off goes into the shift
        coefficients[2, c] = bias[c] + (np.float64(coefficients[0, c]) - statistics[0, c]) * weight[c] * statistics[1, c]


@kernel()
def eval_coefficients(like, coefficients, weight, bias, running_mean, running_var, eps, first, last):
    """Coefficients from the running statistics."""
    for c in range(first, last):
        coefficients[0, c] = running_mean[c]
        coefficients[1, c] = weight[c] * _inverse_deviation(running_var[c], eps)
        coefficients[2, c] = bias[c]


@kernel()
def apply(like, out, x, residual, coefficients, positions, channels, relu, add, first, last, scratch):
    """(x - mean)*scale + shift, plus `residual` if `add`, then rectified if `relu`."""
    for block in range(first, last):
        target, source, added = (
            locate(out, block, first, scratch),
            locate(x, block, first, scratch),
            locate(residual, block, first, scratch),
        )
        table = _address(coefficients)
        c = 0
        while c < channels:
            group, at = _group(channels - c), c * VECTOR_BYTES
            arguments = target + at, source + at, added + at, table + c * like.itemsize, positions, channels, relu
            _apply(pointer(like, 0), group, add, arguments)
            c += group


@kernel(mixed=True)
def backward_sums(
    like, partial, dmasked, dout, x, out, coefficients, positions, channels, mask, store, first, last, scratch
):  # fmt: skip
    """Sums of dy and dy * (x - mean) of each channel in each block. If `store`, dy goes to `dmasked`."""
    variant = mask + _STORE if store and mask != UNMASKED else mask
    for block in range(first, last):
        target, gradient, source, output = (
            locate(dmasked, block, first, scratch),
            locate(dout, block, first, scratch),
            locate(x, block, first, scratch),
            locate(out, block, first, scratch),
        )
        sums, table = _address(partial) + 16 * block * channels, _address(coefficients)
        c = 0
        while c < channels:
            group, at = _group(channels - c), c * VECTOR_BYTES
            arguments = (
                sums + 8 * c, target + at, gradient + at, source + at, output + at, table + c * like.itemsize,
                positions, channels,
            )  # fmt: skip
            _backward_sums(pointer(like, 0), group, variant, arguments)
            c += group


@kernel(mixed=True)
def backward_merge(
    like, dweight, dbias, gradients, partial, weight, coefficients, statistics, positions, cells, first, last
):  # fmt: skip
    """Gradients of weight and bias, and the coefficients of dx, from the sums of the blocks in their order."""
    count = np.float64(cells[SAMPLES] * positions)
    for c in range(first, last):
        total, product = 0.0, 0.0
        for block in range(cells[BLOCKS]):
            total += partial[block, 0, c]
            product += partial[block, 1, c]
        inverse = statistics[1, c]
        # by how much the mean in the coefficients is too large, from rounding
        excess = np.float64(coefficients[0, c]) - statistics[0, c]
        product = (product + excess * total) * inverse
        factor = weight[c] * inverse
        slope = -factor * inverse * product / count
        dbias[c], dweight[c] = total, product
        gradients[0, c] = factor
        gradients[1, c] = slope
        gradients[2, c] = slope * excess - factor * total / count


@kernel()
def backward_apply(
    like, dx, dout, x, out, coefficients, gradients, positions, channels, mask, cells, first, last, scratch
):  # fmt: skip
    """a*dy + b*(x - mean) + c, and 0 in lanes without a sample."""
    for block in range(first, last):
        target, gradient, source, output = (
            locate(dx, block, first, scratch),
            locate(dout, block, first, scratch),
            locate(x, block, first, scratch),
            locate(out, block, first, scratch),
        )
        tables = _address(coefficients), _address(gradients)
        valid = _valid(cells, block, VECTOR_BYTES // like.itemsize)
        c = 0
        while c < channels:
            group, at = _group(channels - c), c * VECTOR_BYTES
            arguments = (
                target + at, gradient + at, source + at, output + at, tables[0] + c * like.itemsize, tables[1] + c * like.itemsize,
                positions, channels, valid,
            )  # fmt: skip
            _backward_apply(pointer(like, 0), group, mask, arguments)
            c += group
