"""Sums of a depthwise convolution, and of the gradient of its weight: a strip of columns, slid down the rows of a plane.

    correlate(dtype, kernel, stride)            y[o] = start + sum_k x[o * stride + k] * weight[k]
    correlate_taps(dtype, kernel, stride, ...)  sums[k] += sum_o y[o] * x[o * stride + k]

There are so few products with each vector of x that loads from the level-2 cache are the limit, the more so as pixels often lie
powers of two apart, where they share few sets of the level-1 cache. So a strip loads a vector of x once, for all the rows of y
that it meets; unfinished sums, or earlier rows of y, wait in a small buffer on the stack. And a step takes one row through a
chunk of channels before the next row is due, so that loads under way spread over all sets and banks. Measured on Zen 5: this
way each of 64 channels takes about as long as one of 68; with one channel after the other, four times as long.

A call's words say where rows, columns, taps and channels lie, in bytes. What lies outside of a plane is never read. Rows there
are skipped, columns count as zeros.
"""

import functools
import itertools

from llvmlite import ir

from .. import host
from ..simd import I64
from ..tiles import _entries, _joined, _kept, _switching_tile

# Words of a call. Rows and columns of x count from those that the first tap of the first output meets.
(
    TILE,  # address of the function
    WIDTH,  # columns of y
    STEP_FIRST,  # steps, each a row of y that begins
    STEPS,
    Y_AT,
    Y_ROW,
    Y_COLUMN,
    Y_CHANNEL,
    X_AT,
    X_ROW,
    X_COLUMN,
    X_CHANNEL,
    TAP_AT,
    TAP_ROW,
    TAP_COLUMN,
    TAP_CHANNEL,
    BIAS_AT,
    BIAS_CHANNEL,
    ROWS,  # of y
    ROW_FIRST,  # those of x that there are
    ROW_LAST,
    COLUMN_FIRST,
    COLUMN_LAST,
    CHANNELS,
    OPTION,
) = range(25)
WORDS = 25
NONE, RELU, ADD, BIAS = range(4)  # a rectifier follows; add to y; sum y, too

CHANNELS_AT_A_TIME = 16  # what waits for them takes a part of the level-1 cache
_MOST_WIDTH = 5
_BYTES = ir.IntType(8).as_pointer()


def ages(kernel, stride):
    """Rows of y that a row of x meets, at most."""
    return -(-kernel // stride)


def _extent(width, kernel, stride):
    """Columns of x that so many of y meet."""
    return max(0, (width - 1) * stride + kernel)


def correlate_width(kernel, stride):
    """Most columns of y at a time: sums, a row of x, a tap and little else must fit the registers."""

    def registers(width):
        return ages(kernel[0], stride[0]) * width + _extent(width, kernel[1], stride[1]) + 3

    return max([w for w in range(1, _MOST_WIDTH + 1) if registers(w) <= host.vector_registers()], default=1)


@functools.cache
def taps_size(kernel, stride):
    """Most rows of taps and columns of y at a time: sums, rows of y and a row of x must fit the registers."""

    def registers(rows, width):
        return rows * kernel[1] + ages(rows, stride[0]) * width + _extent(width, kernel[1], stride[1]) + 1

    def loads(size):  # for each column of y
        rows, width = size
        return -(-kernel[0] // rows) * (width + _extent(width, kernel[1], stride[1]) * stride[0]) / width

    sizes = itertools.product(range(1, kernel[0] + 1), range(1, _MOST_WIDTH + 1))
    return min([size for size in sizes if registers(*size) <= host.vector_registers()], key=loads, default=(1, 1))


def _constant(number):
    return ir.Constant(I64, number)


def _where(emit, condition, values, make):
    """What `make` makes of the values where the condition holds, else these."""
    builder = emit.builder
    before = builder.block
    some, after = builder.append_basic_block("some"), builder.append_basic_block("none")
    builder.cbranch(condition, some, after).set_weights([1000, 1])  # falls through in the middle of a plane
    builder.position_at_end(some)
    made = make()
    last = builder.block
    builder.branch(after)
    builder.position_at_end(after)
    return _joined(builder, [(values, before), (made, last)])


class _Call:
    """The words of a call, and what both tiles do with them."""

    def __init__(self, emit, call, width, kernel, stride):
        self.emit, self.builder, self.words = emit, emit.builder, _entries(emit, call, 0, WORDS)
        self.line = emit.lanes * emit.align
        columns = _extent(width, kernel[1], stride[1])
        self.columns = [self.product(X_COLUMN, n) for n in range(columns)]
        # Whether the columns are there that a border may cut off.
        outer = set(range(columns)) - set(range(kernel[1] - 1, columns - kernel[1] + 1))
        self.there = {n: self.between(_constant(n), COLUMN_FIRST, COLUMN_LAST) for n in outer}

    def product(self, word, number):
        number = _constant(number) if isinstance(number, int) else number
        return self.builder.mul(self.words[word], number)

    def at(self, base, word, number):
        """The address `number` steps of a word further on."""
        return self.emit.at(base, self.product(word, number))

    def begin(self, *bases):
        """Pointers to addresses, each (address, word to add)."""
        return [self.emit.at(self.builder.inttoptr(base, _BYTES), self.words[word]) for base, word in bases]

    def between(self, number, first, last):
        from_first = self.builder.icmp_signed(">=", number, self.words[first])
        return self.builder.and_(from_first, self.builder.icmp_signed("<", number, self.words[last]))

    def buffer(self, size):
        """So many bytes on the stack for each channel of a chunk: a function of the channel's number."""
        array = self.builder.alloca(ir.ArrayType(ir.IntType(8), CHANNELS_AT_A_TIME * max(1, size)))
        array.align = 64
        base = self.builder.bitcast(array, _BYTES)
        return lambda c: self.emit.at(base, self.builder.mul(c, _constant(size)))

    def vector(self, base, number):
        """The address `number` vectors further on."""
        number = _constant(number * self.line) if isinstance(number, int) else self.builder.mul(number, _constant(self.line))
        return self.emit.at(base, number)

    def load_x(self, x):
        """A row of x from this address on."""
        emit, vectors = self.emit, []
        for n, column in enumerate(self.columns):
            pointer = emit.at(x, column)
            if n in self.there:
                vectors += _where(emit, self.there[n], [emit.zero], lambda p=pointer: [emit.load(p)])
            else:
                vectors.append(emit.load(pointer))
        return vectors

    def rows_of_x(self, x, t, stride):
        """The rows of x that step t reads: whether they are there, and where."""
        rows = [self.builder.add(self.builder.mul(t, _constant(stride)), _constant(e)) for e in range(stride)]
        return [(self.between(row, ROW_FIRST, ROW_LAST), self.at(x, X_ROW, row)) for row in rows]

    def for_chunks(self, body):
        """Call ``body(first, for_channels)`` for chunks of channels; ``for_channels(make)`` calls ``make(c)`` for each."""
        emit, builder, most = self.emit, self.builder, _constant(CHANNELS_AT_A_TIME)

        def chunk(number, _):
            first = builder.mul(number, most)
            left = builder.sub(self.words[CHANNELS], first)
            count = builder.select(builder.icmp_signed("<", left, most), left, most)
            body(first, lambda make: emit.loop(count, [], lambda c, _: make(c) or []))
            return []

        emit.loop(builder.sdiv(builder.add(self.words[CHANNELS], _constant(CHANNELS_AT_A_TIME - 1)), most), [], chunk)
        builder.ret_void()


def _correlate_body(kernel, stride, emit, width, _, call, y, x, weight, bias):
    builder = emit.builder
    call = _Call(emit, call, width, kernel, stride)
    depth, taps = max(1, ages(kernel[0], stride[0])), list(itertools.product(range(kernel[0]), range(kernel[1])))
    unfinished = [(g, v) for g in range(1, depth) for v in range(width)]
    y, x, weight, bias = call.begin((y, Y_AT), (x, X_AT), (weight, TAP_AT), (bias, BIAS_AT))
    places = [builder.add(call.product(TAP_ROW, i), call.product(TAP_COLUMN, j)) for i, j in taps]
    # max(limit, x), written so that NaN falls on the side of x
    relu, adds = (builder.icmp_signed("==", call.words[OPTION], _constant(option)) for option in (RELU, ADD))
    limit = emit.splat(builder.select(relu, ir.Constant(emit.element, 0.0), ir.Constant(emit.element, float("-inf"))))
    waiting, numbers = call.buffer(len(unfinished) * call.line), call.buffer((len(taps) + 1) * emit.align)

    def number_at(base, n):
        return builder.bitcast(emit.at(base, _constant(n * emit.align)), emit.element.as_pointer())

    def read(base, n):
        return emit.splat(builder.load(number_at(base, n)))

    def chunk(first, for_channels):
        y_chunk, x_chunk = call.at(y, Y_CHANNEL, first), call.at(x, X_CHANNEL, first)
        weight_chunk, bias_chunk = call.at(weight, TAP_CHANNEL, first), call.at(bias, BIAS_CHANNEL, first)

        def prepare(c):
            """Taps side by side, the bias behind them, sums that start with it."""
            source, target = call.at(weight_chunk, TAP_CHANNEL, c), numbers(c)
            pointers = [emit.at(source, place) for place in places] + [call.at(bias_chunk, BIAS_CHANNEL, c)]
            values = [builder.load(builder.bitcast(p, emit.element.as_pointer())) for p in pointers]
            for n, value in enumerate(values):
                builder.store(value, number_at(target, n))
            for n in range(len(unfinished)):
                emit.store(emit.splat(values[-1]), call.vector(waiting(c), n))

        def step(t, _):
            t = builder.add(t, call.words[STEP_FIRST])
            rows = call.rows_of_x(x_chunk, t, stride[0])
            o = builder.sub(t, _constant(depth - 1))
            is_row, y_row = builder.icmp_signed(">=", o, _constant(0)), call.at(y_chunk, Y_ROW, o)

            def channel(c):
                mine = numbers(c)
                sums = {(0, v): read(mine, len(taps)) for v in range(width)}
                sums |= {key: emit.load(call.vector(waiting(c), n)) for n, key in enumerate(unfinished)}
                for e, (is_there, row) in enumerate(rows):
                    met = [g for g in range(depth) if g * stride[0] + e < kernel[0]]
                    keys = [(g, v) for g in met for v in range(width)]

                    def add(row=row, e=e, met=met, keys=keys, sums=sums):
                        vectors = call.load_x(call.at(row, X_CHANNEL, c))
                        new = {key: sums[key] for key in keys}
                        for g, j in itertools.product(met, range(kernel[1])):
                            tap = read(mine, (g * stride[0] + e) * kernel[1] + j)
                            for v in range(width):
                                new[g, v] = emit.fma(tap, vectors[v * stride[1] + j], new[g, v])
                        return list(new.values())

                    if met:
                        sums |= zip(keys, _where(emit, is_there, [sums[key] for key in keys], add))
                for n, (g, v) in enumerate(unfinished):
                    emit.store(sums[g - 1, v], call.vector(waiting(c), n))
                with builder.if_then(is_row):
                    done = [sums[depth - 1, v] for v in range(width)]
                    targets = [call.at(call.at(y_row, Y_CHANNEL, c), Y_COLUMN, v) for v in range(width)]
                    done = _where(emit, adds, done, lambda: [builder.fadd(emit.load(p), s) for p, s in zip(targets, done)])
                    for value, target in zip(done, targets):
                        emit.store(builder.select(builder.fcmp_ordered(">", limit, value), limit, value), target)

            for_channels(channel)
            return []

        for_channels(prepare)
        emit.loop(call.words[STEPS], [], step)

    call.for_chunks(chunk)


def _taps_body(kernel, stride, emit, width, _, call, y, x, sums, bias):
    builder = emit.builder
    call = _Call(emit, call, width, kernel, stride)
    depth, count = max(1, ages(kernel[0], stride[0])), kernel[0] * kernel[1]
    y, x, sums, bias = call.begin((y, Y_AT), (x, X_AT), (sums, TAP_AT), (bias, BIAS_AT))
    with_bias = builder.icmp_signed("==", call.words[OPTION], _constant(BIAS))
    waiting = call.buffer((depth if depth > 1 else 0) * width * call.line)  # rows of y in a ring

    def chunk(first, for_channels):
        y_chunk, x_chunk = call.at(y, Y_CHANNEL, first), call.at(x, X_CHANNEL, first)
        sums_chunk, bias_chunk = call.at(sums, TAP_CHANNEL, first), call.at(bias, BIAS_CHANNEL, first)

        def step(t, _):
            rows, y_row = call.rows_of_x(x_chunk, t, stride[0]), call.at(y_chunk, Y_ROW, t)
            ages_there, slots = [], []
            for g in range(depth):
                o = builder.sub(t, _constant(g))
                ages_there.append(builder.icmp_unsigned("<", o, call.words[ROWS]))
                slot = builder.urem(builder.add(o, _constant(depth)), _constant(depth))
                slots.append(builder.mul(slot, _constant(width * call.line)))

            def channel(c):
                ring = waiting(c)

                def take():
                    """The next row of y, into the ring and into the sums for the bias."""
                    row = [emit.load(call.at(call.at(y_row, Y_CHANNEL, c), Y_COLUMN, v)) for v in range(width)]
                    if depth > 1:
                        for v in range(width):
                            emit.store(row[v], call.vector(emit.at(ring, slots[0]), v))
                    with builder.if_then(with_bias):
                        target = call.at(bias_chunk, BIAS_CHANNEL, c)
                        total = emit.load(target)
                        for value in row:
                            total = builder.fadd(total, value)
                        emit.store(total, target)
                    return row

                newest = _where(emit, ages_there[0], [emit.zero] * width, take)
                if not count:
                    return
                of_age = [newest]
                for g in range(1, depth):
                    of_age.append([emit.load(call.vector(emit.at(ring, slots[g]), v)) for v in range(width)])
                target = call.at(sums_chunk, TAP_CHANNEL, c)
                totals = [emit.load(call.vector(target, n)) for n in range(count)]
                for e, (is_there, row) in enumerate(rows):

                    def add(row=row, e=e, totals=totals):
                        vectors, new = call.load_x(call.at(row, X_CHANNEL, c)), list(totals)
                        for g in range(depth):
                            i = g * stride[0] + e
                            if i >= kernel[0]:
                                continue
                            mine = slice(i * kernel[1], (i + 1) * kernel[1])

                            def multiply(g=g, values=new[mine]):
                                for v in range(width):
                                    there = vectors[v * stride[1] : v * stride[1] + kernel[1]]
                                    values = [emit.fma(of_age[g][v], there[j], values[j]) for j in range(kernel[1])]
                                return values

                            new[mine] = _where(emit, ages_there[g], new[mine], multiply)
                        return new

                    totals = _where(emit, is_there, totals, add)
                for n, value in enumerate(totals):
                    emit.store(value, call.vector(target, n))

            for_channels(channel)
            return []

        emit.loop(call.words[STEPS], [], step)

    call.for_chunks(chunk)


_ARGUMENTS = ("call", "y", "x", "weight", "bias")


def _tile(name, body, dtype, kernel, stride, most):
    name = "_".join(["depthwise", name, str(dtype), *map(str, (*kernel, *stride, most))])
    sizes = [(width, 1) for width in range(1, most + 1)]
    return _switching_tile(name, dtype, sizes, _ARGUMENTS, functools.partial(body, kernel, stride))


@_kept
def correlate(dtype, kernel, stride):
    """Address of (width, 1, call, y, x, weight, bias), for widths up to `correlate_width`."""
    return _tile("correlate", _correlate_body, dtype, kernel, stride, correlate_width(kernel, stride))


@_kept
def correlate_taps(dtype, kernel, stride, most):
    """Address of (width, 1, call, y, x, sums, bias), for widths up to `most`. Sums are vectors, a filter's side by side."""
    return _tile("taps", _taps_body, dtype, kernel, stride, most)


def _lane_sums_body(emit, rows, _, target, source, count):
    builder = emit.builder
    target, source = (builder.inttoptr(address, _BYTES) for address in (target, source))
    line = emit.lanes * emit.align

    def step(n, _):
        first = emit.at(source, builder.mul(n, _constant(emit.lanes * line)))
        vectors = [emit.load(emit.at(first, _constant(i * line))) for i in range(emit.lanes)]
        emit.store(emit.lane_sums(vectors), emit.at(target, builder.mul(n, _constant(line))))
        return []

    emit.loop(count, [], step)
    builder.ret_void()


@_kept
def lane_sums(dtype):
    """Address of (1, 1, target, source, count): sums over the lanes of count * LANES vectors; `target` may be `source`."""
    return _switching_tile(f"depthwise_lanes_{dtype}", dtype, [(1, 1)], ("target", "source", "count"), _lane_sums_body)
