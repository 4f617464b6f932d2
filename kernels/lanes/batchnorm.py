"""Batch normalization over lane blocks.   C channels, `positions` = H*W; M = SAMPLES*positions values of a channel.

    moments          (like, partial, x, num_batches_tracked, positions, channels, cells)
  W merge            (like, statistics, coefficients, partial, weight, bias, running_mean, running_var, num_batches_tracked,
                      eps, momentum, positions, cells)
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

Each pass reads its blocks from front to back, channel after channel and position after position, as the caches like it best;
sums and coefficients of the channels stay in the level-1 cache. Sums of float32 run over a few positions, then go into float64.
Squares are of differences from a value of the same few positions, so they are about as large as deviations there,
wherever the mean is and however it drifts over the image.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .._jit import jit
from .._kernel import kernel
from .._threads import BLOCKS, SAMPLES
from ..batchnorm import _inverse_deviation
from ..simd import I64, VECTOR_BYTES, Emitter, array_at, dispatch, function_of, pointer
from .layout import locate

UNMASKED, MASK_FROM_X, MASK_FROM_OUT = range(3)  # dy = dout; the ReLU's side recomputed from x; read from its output
_STORE = 4  # added to the mask

_RUN = 32
_CHANNELS = 64  # whose sums one pass keeps at hand
_GROUP = 4  # channels whose lanes are added up at a time
_SUMS = 16  # to be taken in turn: with fewer, each addition waits for the one before


def _by_variant(name, variants, body):
    """An intrinsic (pointer, variant, further arguments) that calls the function of that variant.

    ``body(emitter, variant, *arguments)`` writes it; arguments are ints, addresses among them.
    """

    @intrinsic
    def call(typingctx, like, variant, arguments):
        def codegen(context, builder, signature, args):
            element = context.get_value_type(signature.args[0].dtype)
            count = VECTOR_BYTES // (4 if isinstance(element, ir.FloatType) else 8)
            values = [builder.extract_value(args[2], n) for n in range(len(signature.args[2]))]

            def emit_call(key):
                function, new = function_of(builder.module, f"{name}_{key}", ir.VoidType(), [I64] * len(values))
                if new:
                    emit = Emitter(ir.IRBuilder(function.append_basic_block("entry")), element, count)
                    body(emit, key, *function.args)
                    emit.builder.ret_void()
                builder.call(function, values)

            dispatch(builder, args[1], [(key, key) for key in variants], emit_call)
            return context.get_dummy_value()

        return types.void(like, types.int64, types.UniTuple(types.int64, len(arguments))), codegen

    return call


def _index(number):
    return ir.Constant(I64, number)


def _elements(emit, address):
    return emit.builder.inttoptr(address, emit.element.as_pointer())


def _rows(emit, address, length):
    """``row(n)(v)``: address of vector v of row n, in rows of `length` vectors."""
    builder, base = emit.builder, _elements(emit, address)

    def row(number):
        start = emit.at(base, builder.mul(number, builder.mul(length, _index(emit.lanes))))
        return lambda vector: emit.at(start, builder.mul(vector, _index(emit.lanes)))

    return row


def _coefficients(emit, address, channels):
    """``coefficient(n, c)``: row n of (3, channels) at channel c, in all lanes."""
    builder, base = emit.builder, _elements(emit, address)
    rows = [emit.at(base, builder.mul(channels, _index(row))) for row in range(3)]
    return lambda row, channel: emit.splat(builder.load(emit.at(rows[row], channel)))


def _zero_where(emit, condition, value):
    return emit.builder.select(condition, emit.zero, value)


def _fenced(emit, value):
    """The value, kept apart from what uses it: as part of a selection its load would be masked, and wait for the mask."""
    kind = ir.FunctionType(emit.vector, [emit.vector])
    name = f"llvm.arithmetic.fence.{emit.suffix}"
    return emit.builder.call(cgutils.get_or_insert_function(emit.builder.module, kind, name), [value])


def _double(emit):
    return Emitter(emit.builder, ir.DoubleType(), VECTOR_BYTES // 8)


def _widened(emit, vector):
    """A vector's lanes as vectors of float64: one or two."""
    wide = _double(emit)
    if emit.lanes == wide.lanes:
        return [vector]
    return [emit.builder.fpext(emit.part(vector, n, wide.lanes), wide.vector) for n in range(emit.lanes // wide.lanes)]


def _added(emit, vectors):
    """The sum of one vector or two."""
    return vectors[0] if len(vectors) == 1 else emit.builder.fadd(*vectors)


def _emit_sums(emit, totals, positions, channels, width, log_sets, begin, widen):
    """Add two sums over positions and lanes, for each of `width` channels, to two rows of float64: (2, channels) at `totals`.

    Positions are taken in runs. Each channel has 2**log_sets sets of sums, which take the positions of a run in turn, so that
    there are some sums to work on at a time where channels are few.

    - ``begin(position, start)`` gives a function ``(channel, sums) -> sums`` that takes this position into the two sums of a
      set; the first that this set took in this run is `start`.
    - ``widen(start, count, channel, sums)`` gives the two sums of a set, after `count` positions, in float64: two lists
      of vectors.
    """
    builder, wide = emit.builder, _double(emit)
    memory = builder.alloca(ir.ArrayType(emit.vector, 2 * max(_CHANNELS, _SUMS)))
    memory.align = VECTOR_BYTES
    sets = builder.shl(_index(1), log_sets)
    last_set, run = builder.sub(sets, _index(1)), builder.mul(sets, _index(_RUN))
    sums = _rows(emit, builder.ptrtoint(memory, I64), builder.mul(width, _index(2)))
    totals = builder.inttoptr(totals, wide.element.as_pointer())

    def places(row, channel):
        first = row(builder.mul(channel, _index(2)))
        return first, emit.at(first, _index(emit.lanes))

    def one_run(number, _):
        first = builder.mul(number, run)
        left = builder.sub(positions, first)
        count = builder.select(builder.icmp_signed("<", left, run), left, run)

        def clear(vector, _):
            emit.store(emit.zero, sums(_index(0))(vector))
            return []

        def one_position(k, _):
            which = builder.and_(k, last_set)
            row, take = sums(which), begin(builder.add(first, k), builder.add(first, which))

            def one_channel(channel, _):
                at = places(row, channel)
                for value, place in zip(take(channel, [emit.load(place) for place in at]), at):
                    emit.store(value, place)
                return []

            emit.loop(width, [], one_channel)
            return []

        def flush(channels_at):
            def one_set(which, values):
                taken = builder.ashr(builder.add(count, builder.sub(last_set, which)), log_sets)
                row, widened = sums(which), []
                for channel in channels_at:
                    loaded = [emit.load(place) for place in places(row, channel)]
                    widened += widen(builder.add(first, which), taken, channel, loaded)
                return [builder.fadd(value, _added(wide, parts)) for value, parts in zip(values, widened)]

            values = emit.loop(sets, [wide.zero] * (2 * len(channels_at)), one_set)
            for n in range(2):
                place = emit.at(totals, builder.add(channels_at[0], builder.mul(channels, _index(n))))
                group = Emitter(builder, wide.element, len(channels_at))
                group.store(builder.fadd(group.load(place), wide.lane_sums(values[n::2])), place)

        def flush_group(number, _):
            channel = builder.mul(number, _index(_GROUP))
            flush([builder.add(channel, _index(n)) for n in range(_GROUP)])
            return []

        def flush_one(number, _):
            flush([builder.add(builder.sub(width, builder.and_(width, _index(_GROUP - 1))), number)])
            return []

        emit.loop(builder.mul(builder.mul(width, _index(2)), sets), [], clear)
        emit.loop(count, [], one_position)
        groups, rest = builder.sdiv(width, _index(_GROUP)), builder.and_(width, _index(_GROUP - 1))
        for number, body in ((groups, flush_group), (rest, flush_one)):
            with builder.if_then(builder.icmp_signed(">", number, _index(0))):
                emit.loop(number, [], body)
        return []

    emit.loop(builder.sdiv(builder.add(positions, builder.sub(run, _index(1))), run), [], one_run)


def _emit_moments(emit, variant, totals, x, positions, channels, width, log_sets, valid):
    """Sums of differences from the block's first value in the channel, and of their squares."""
    builder, wide = emit.builder, _double(emit)
    x = _rows(emit, x, channels)
    masks = [wide.mask(builder.sub(valid, _index(n * wide.lanes))) for n in range(emit.lanes // wide.lanes)]

    def begin(position, start):
        row, starts = x(position), x(start)

        def take(channel, sums):
            d = builder.fsub(emit.load(row(channel)), emit.load(starts(channel)))
            return builder.fadd(sums[0], d), emit.fma(d, d, sums[1])

        return take

    def widen(start, count, channel, sums):
        # from differences from the set's first value to differences from the block's
        last = builder.sub(positions, _index(1))
        start = builder.select(builder.icmp_signed("<", start, last), start, last)  # where a set is empty it may be beyond
        first = builder.load(x(_index(0))(channel))
        origin = wide.splat(first if emit.lanes == wide.lanes else builder.fpext(first, wide.element))
        n = wide.splat(builder.sitofp(count, wide.element))
        results = [], []
        parts = (_widened(emit, v) for v in (emit.load(x(start)(channel)), *sums))
        for value, total, square, mask in zip(*parts, masks):
            d = builder.fsub(value, origin)
            nd = builder.fmul(n, d)
            square = builder.fadd(square, builder.fmul(d, builder.fadd(builder.fadd(total, total), nd)))
            results[0].append(builder.select(mask, builder.fadd(total, nd), wide.zero))
            results[1].append(builder.select(mask, square, wide.zero))
        return results

    _emit_sums(emit, totals, positions, channels, width, log_sets, begin, widen)


def _masked(emit, mask, dy, centred, coefficient, channel, out):
    """dout, and 0 where the output of the ReLU is not positive; `out` is the function that gives its address."""
    if mask == UNMASKED:
        return dy
    if mask == MASK_FROM_X:  # the same operations as in apply: the same bits, the same side
        value = emit.fma(centred, coefficient(1, channel), coefficient(2, channel))
    else:
        value = emit.load(out(channel))
    return _zero_where(emit, emit.builder.fcmp_ordered("<=", value, emit.zero), _fenced(emit, dy))


def _emit_backward_sums(
    emit, variant, totals, dmasked, dout, x, out, coefficients, positions, channels, width, log_sets
):  # fmt: skip
    builder = emit.builder
    coefficient = _coefficients(emit, coefficients, channels)
    arrays = [_rows(emit, address, channels) for address in (dmasked, dout, x, out)]

    def begin(position, start):
        dmasked, dout, x, out = (rows(position) for rows in arrays)

        def take(channel, sums):
            centred = builder.fsub(emit.load(x(channel)), coefficient(0, channel))
            dy = _masked(emit, variant % _STORE, emit.load(dout(channel)), centred, coefficient, channel, out)
            if variant >= _STORE:
                emit.store(dy, dmasked(channel))
            return builder.fadd(sums[0], dy), emit.fma(dy, centred, sums[1])

        return take

    def widen(start, count, channel, sums):
        return [_widened(emit, v) for v in sums]

    _emit_sums(emit, totals, positions, channels, width, log_sets, begin, widen)


def _emit_elementwise(emit, positions, channels, addresses, begin):
    """For each position and channel what ``begin(*rows of the arrays at a position)(channel)`` writes."""
    arrays = [_rows(emit, address, channels) for address in addresses]

    def one_position(position, _):
        write = begin(*(rows(position) for rows in arrays))

        def one_channel(channel, _):
            write(channel)
            return []

        emit.loop(channels, [], one_channel)
        return []

    emit.loop(positions, [], one_position)


def _emit_apply(emit, add, out, x, residual, coefficients, positions, channels, relu):
    builder = emit.builder
    coefficient = _coefficients(emit, coefficients, channels)
    lowest = (ir.Constant(emit.element, value) for value in (0.0, float("-inf")))
    floor = emit.splat(builder.select(builder.icmp_signed("!=", relu, _index(0)), *lowest))

    def begin(out, x, residual):
        def write(c):
            value = emit.fma(builder.fsub(emit.load(x(c)), coefficient(0, c)), coefficient(1, c), coefficient(2, c))
            if add:
                value = builder.fadd(value, emit.load(residual(c)))
            emit.store(builder.select(builder.fcmp_ordered(">", floor, value), floor, value), out(c))

        return write

    _emit_elementwise(emit, positions, channels, (out, x, residual), begin)


def _emit_backward_apply(emit, mask, dx, dout, x, out, coefficients, gradients, positions, channels, valid):
    builder = emit.builder
    coefficient, gradient = (_coefficients(emit, address, channels) for address in (coefficients, gradients))
    lanes = emit.mask(valid)

    def begin(dx, dout, x, out):
        def write(c):
            centred = builder.fsub(emit.load(x(c)), coefficient(0, c))
            dy = _masked(emit, mask, emit.load(dout(c)), centred, coefficient, c, out)
            value = emit.fma(gradient(0, c), dy, emit.fma(gradient(1, c), centred, gradient(2, c)))
            emit.store(builder.select(lanes, value, emit.zero), dx(c))

        return write

    _emit_elementwise(emit, positions, channels, (dx, dout, x, out), begin)


_moments = _by_variant("moments", (0,), _emit_moments)
_apply = _by_variant("apply", (0, 1), _emit_apply)
_MASKS = UNMASKED, MASK_FROM_X, MASK_FROM_OUT
_backward_sums = _by_variant("backward_sums", (*_MASKS, _STORE + MASK_FROM_X, _STORE + MASK_FROM_OUT), _emit_backward_sums)
_backward_apply = _by_variant("backward_apply", _MASKS, _emit_backward_apply)


@jit
def _address(array):
    return array.ctypes.data


@jit
def _valid(cells, block, lanes):
    """Lanes of a block that hold samples."""
    return min(lanes, cells[SAMPLES] - block * lanes)


@jit
def _log_sets(width, positions):
    """Logarithm of how many sets of sums so many channels get."""
    log = 0
    while (2 << log) * width <= _SUMS and (1 << log) < positions:
        log += 1
    return log


@kernel(mixed=True)
def moments(like, partial, x, num_batches_tracked, positions, channels, cells, first, last, scratch):
    """Mean and sum of squared deviations of each channel in each block; counts the batch (for merge, which comes after)."""
    if first == 0 and num_batches_tracked.size > 0:
        num_batches_tracked[0] += 1
    lanes = VECTOR_BYTES // like.itemsize
    for block in range(first, last):
        at, valid = locate(x, block, first, scratch), _valid(cells, block, lanes)
        sums, squares = partial[block, 0], partial[block, 1]
        for c in range(channels):
            sums[c], squares[c] = 0, 0
        for c in range(0, channels, _CHANNELS):
            width = min(_CHANNELS, channels - c)
            log_sets, row = _log_sets(width, positions), at + c * VECTOR_BYTES
            totals = _address(sums) + 8 * c
            _moments(pointer(like, 0), 0, (totals, row, positions, channels, width, log_sets, valid))
        origins, count = array_at(pointer(like, 0), at, channels * lanes), np.float64(valid * positions)
        for c in range(channels):
            shift = sums[c] / count
            deviation = squares[c] - shift * sums[c]
            sums[c] = np.float64(origins[c * lanes]) + shift
            squares[c] = 0.0 if deviation < 0 else deviation  # rounding can leave a trace below 0; NaN stays


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
        arrays = (
            locate(out, block, first, scratch),
            locate(x, block, first, scratch),
            locate(residual, block, first, scratch),
        )
        _apply(pointer(like, 0), add, (*arrays, _address(coefficients), positions, channels, relu))


@kernel(mixed=True)
def backward_sums(
    like, partial, dmasked, dout, x, out, coefficients, positions, channels, mask, store, first, last, scratch
):  # fmt: skip
    """Sums of dy and dy * (x - mean) of each channel in each block. If `store` and there is a mask, dy goes to `dmasked`."""
    variant = mask + _STORE if store and mask != UNMASKED else mask
    for block in range(first, last):
        sums, products = partial[block, 0], partial[block, 1]
        for c in range(channels):
            sums[c], products[c] = 0, 0
        for c in range(0, channels, _CHANNELS):
            at, width = c * VECTOR_BYTES, min(_CHANNELS, channels - c)
            arrays = (
                locate(dmasked, block, first, scratch) + at,
                locate(dout, block, first, scratch) + at,
                locate(x, block, first, scratch) + at,
                locate(out, block, first, scratch) + at,
            )
            sizes = positions, channels, width, _log_sets(width, positions)
            table = _address(coefficients) + c * like.itemsize
            _backward_sums(pointer(like, 0), variant, (_address(sums) + 8 * c, *arrays, table, *sizes))


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
        arrays = (
            locate(dx, block, first, scratch),
            locate(dout, block, first, scratch),
            locate(x, block, first, scratch),
            locate(out, block, first, scratch),
        )
        tables, valid = (_address(coefficients), _address(gradients)), _valid(cells, block, VECTOR_BYTES // like.itemsize)
        _backward_apply(pointer(like, 0), mask, (*arrays, *tables, positions, channels, valid))
