"""The arithmetic of Winograd convolution F(4x4, 3x3) as vector functions called by address, like those of `tiles`.

Along one axis, 4 outputs of a 3-tap filter g over 6 inputs d come from 6 products instead of 12 (Winograd 1980; Lavin and Gray,
"Fast Algorithms for Convolutional Neural Networks", 2016)::

    y = A^T [(G g) * (B^T d)]        two axes:   Y = A^T [(G g G^T) * (B^T d B)] A

This is Toom-Cook multiplication of polynomials by their values at 0, +-a, +-b and infinity. The usual points 1 and 2 lose a bit
more than 5/8 and 3/2, whose powers in A and B are exact in float32 too: only G has rounded numbers, and works in float64.

    transform_input(dtype)     V = B^T d B      36 positions of an image, any addresses -> 36 planes of V
    transform_filter(dtype)    U = G g G^T      3x3 taps -> 36 planes of U
    multiply_points(dtype)     M = U V          one matrix product for each of the 36 points
    transform_output(dtype)    Y = A^T M A      36 planes of M -> 16 positions, any addresses; bias, lower limit

and for the gradient of the filter, where all this is linear in U::

    transform_gradient(dtype)          D = A dY A^T     16 positions -> 36 planes of D
    accumulate_products(dtype)         P += D V^T       for one point
    transform_filter_gradient(dtype)   dg = G^T P G     36 planes of P -> 9 taps

A vector holds the same position of LANES samples, so the transforms are plain vector arithmetic.
"""

import functools

from llvmlite import ir

from ..simd import I32, I64, MAX_ROWS, OUTER_ROWS, OUTER_VECTORS, Emitter
from ..tiles import _kept, _switching_tile

A, B = 0.625, 1.5  # the points: 0, +-A, +-B, infinity
TILE, TAPS = 4, 3
SIDE = TILE + TAPS - 1  # positions of a tile's input along one axis, and points
POINTS = SIDE * SIDE
M_ROW = OUTER_VECTORS  # vectors between filters in M, which holds MAX_ROWS filters of OUTER_VECTORS tiles
M_POINT = MAX_ROWS * M_ROW  # vectors between points in M

_A2, _B2 = A * A, B * B
_SIZES = [(r, v) for r in OUTER_ROWS for v in range(1, OUTER_VECTORS + 1)]


def _scale(point, other):
    """What the value at +-point is divided by to make up for B^T; `other` is the other pair's square."""
    return 1 / (2 * point * point * (point * point - other))


def _constant(emit, value):
    return ir.Constant(emit.vector, [value] * emit.lanes)


def _input_axis(emit, d):
    """B^T d: 6 values of 6."""
    fma = emit.fma

    def constant(value):
        return _constant(emit, value)

    def pair(point, other):
        even = fma(constant(-other), d[2], d[4])
        odd = fma(constant(-other), d[1], d[3])
        return fma(constant(point), odd, even), fma(constant(-point), odd, even)

    zero = fma(constant(_A2 * _B2), d[0], fma(constant(-_A2 - _B2), d[2], d[4]))
    infinity = fma(constant(_A2 * _B2), d[1], fma(constant(-_A2 - _B2), d[3], d[5]))
    return [zero, *pair(A, _B2), *pair(B, _A2), infinity]


def _output_axis(emit, m):
    """A^T m: 4 values of 6."""
    builder, fma = emit.builder, emit.fma
    (even_a, odd_a), (even_b, odd_b) = [(builder.fadd(m[i], m[i + 1]), builder.fsub(m[i], m[i + 1])) for i in (1, 3)]

    def sum_of(power, a, b):
        return fma(_constant(emit, A**power), a, builder.fmul(_constant(emit, B**power), b))

    return [
        builder.fadd(m[0], builder.fadd(even_a, even_b)),
        sum_of(1, odd_a, odd_b),
        sum_of(2, even_a, even_b),
        builder.fadd(m[5], sum_of(3, odd_a, odd_b)),
    ]


def _filter_axis(emit, g):
    """G g: 6 values of 3."""
    builder, fma = emit.builder, emit.fma

    def pair(point, other):
        scale = _scale(point, other)
        even = fma(_constant(emit, scale * point * point), g[2], builder.fmul(_constant(emit, scale), g[0]))
        odd = _constant(emit, scale * point)
        return fma(odd, g[1], even), builder.fsub(even, builder.fmul(odd, g[1]))

    return [builder.fmul(_constant(emit, 1 / (_A2 * _B2)), g[0]), *pair(A, _B2), *pair(B, _A2), g[2]]


def _gradient_axis(emit, y):
    """A y: 6 values of 4."""
    fma = emit.fma

    def pair(point):
        square = _constant(emit, point * point)
        even, odd = fma(square, y[2], y[0]), fma(square, y[3], y[1])
        return fma(_constant(emit, point), odd, even), fma(_constant(emit, -point), odd, even)

    return [y[0], *pair(A), *pair(B), y[3]]


def _filter_gradient_axis(emit, m):
    """G^T m: 3 values of 6."""
    builder, fma = emit.builder, emit.fma
    evens, odds = [(builder.fadd(m[i], m[i + 1])) for i in (1, 3)], [builder.fsub(m[i], m[i + 1]) for i in (1, 3)]

    def weighted(power, values):
        factors = [_constant(emit, _scale(p, other) * p**power) for p, other in ((A, _B2), (B, _A2))]
        return fma(factors[0], values[0], builder.fmul(factors[1], values[1]))

    first = fma(_constant(emit, 1 / (_A2 * _B2)), m[0], weighted(0, evens))
    return [first, weighted(1, odds), builder.fadd(m[5], weighted(2, evens))]


def _both_axes(emit, transform, load, size, store):
    """The transform along both axes of a grid of size x size: ``load(i, j)``, then ``store(i, j, value)``.

    Column by column, then row by row, so that few of the values that do not fit the registers wait in memory.
    """
    columns = [transform(emit, [load(i, j) for i in range(size)]) for j in range(size)]
    for i, row in enumerate(zip(*columns)):
        for j, value in enumerate(transform(emit, row)):
            store(i, j, value)


def _entry(emit, table, number):
    """An address in a table, as a pointer to elements."""
    pointers = emit.builder.inttoptr(table, emit.element.as_pointer().as_pointer())
    return emit.builder.load(emit.builder.gep(pointers, [ir.Constant(I64, number)]))


def _points_body(axis, size, emit, rows, vectors, sources, v, v_point, v_row, depth):
    """From size x size positions to 36 points by `axis`."""
    builder = emit.builder
    v = builder.inttoptr(v, emit.element.as_pointer())
    width = ir.Constant(I64, emit.lanes)

    def step(k, _):
        at, row = builder.mul(k, width), emit.at(v, builder.mul(k, v_row))

        def load(i, j):
            return emit.load(emit.at(_entry(emit, sources, i * size + j), at))

        def store(i, j, value):
            emit.store(value, emit.at(row, builder.mul(v_point, ir.Constant(I64, i * SIDE + j))))

        _both_axes(emit, axis, load, size, store)
        return []

    emit.loop(depth, [], step)
    builder.ret_void()


def _products(emit, rows, vectors, a, a_k, b, b_k, depth):
    """sum_k a[k, i] * b[k, n]: rows x vectors sums, rows of a side by side."""
    builder = emit.builder

    def step(k, sums):
        a_row, b_row = emit.at(a, builder.mul(k, a_k)), emit.at(b, builder.mul(k, b_k))
        loaded = [emit.load(emit.at(b_row, ir.Constant(I64, n * emit.lanes))) for n in range(vectors)]
        result = []
        for i in range(rows):
            scalar = emit.splat(builder.load(emit.at(a_row, ir.Constant(I64, i))))
            result += [emit.fma(scalar, loaded[n], sums[i * vectors + n]) for n in range(vectors)]
        return result

    return emit.loop(depth, [emit.zero] * (rows * vectors), step)


def _multiply_body(emit, rows, vectors, u, u_point, v, v_point, depth, m):
    builder = emit.builder
    u, v, m = (builder.inttoptr(address, emit.element.as_pointer()) for address in (u, v, m))

    def point(p, _):
        a, b = emit.at(u, builder.mul(p, u_point)), emit.at(v, builder.mul(p, v_point))
        c = emit.at(m, builder.mul(p, ir.Constant(I64, M_POINT * emit.lanes)))
        sums = _products(emit, rows, vectors, a, ir.Constant(I64, MAX_ROWS), b, ir.Constant(I64, vectors * emit.lanes), depth)
        for i in range(rows):
            for n in range(vectors):
                emit.store(sums[i * vectors + n], emit.at(c, ir.Constant(I64, (i * M_ROW + n) * emit.lanes)))
        return []

    emit.loop(ir.Constant(I64, POINTS), [], point)
    builder.ret_void()


def _accumulate_body(emit, rows, vectors, d, d_k, v, v_k, depth, p, p_row, add):
    builder = emit.builder
    d, v, p = (builder.inttoptr(address, emit.element.as_pointer()) for address in (d, v, p))
    sums = _products(emit, rows, vectors, d, d_k, v, v_k, depth)
    places = [
        emit.at(p, builder.add(builder.mul(p_row, ir.Constant(I64, i)), ir.Constant(I64, n * emit.lanes)))
        for i in range(rows)
        for n in range(vectors)
    ]
    with builder.if_else(builder.icmp_signed("!=", add, ir.Constant(I64, 0))) as (more, first):
        with more:
            for value, place in zip(sums, places):
                emit.store(builder.fadd(emit.load(place), value), place)
        with first:
            for value, place in zip(sums, places):
                emit.store(value, place)
    builder.ret_void()


def _output_body(emit, rows, vectors, m, targets, at, bias, limit, filters):
    builder = emit.builder
    m, bias, limit = (builder.inttoptr(address, emit.element.as_pointer()) for address in (m, bias, limit))
    limit = emit.splat(builder.load(limit))

    def step(f, _):
        row = emit.at(m, builder.mul(f, ir.Constant(I64, M_ROW * emit.lanes)))
        shift = emit.splat(builder.load(emit.at(bias, f)))
        offset = builder.add(at, builder.mul(f, ir.Constant(I64, emit.lanes)))

        def load(i, j):
            return emit.load(emit.at(row, ir.Constant(I64, (i * SIDE + j) * M_POINT * emit.lanes)))

        def store(i, j, value):
            value = builder.fadd(value, shift)
            below = builder.fcmp_ordered(">", limit, value)  # false for NaN, which stays
            value = builder.select(below, limit, value)
            emit.store(value, emit.at(_entry(emit, targets, i * TILE + j), offset))

        _both_axes(emit, _output_axis, load, SIDE, store)
        return []

    emit.loop(filters, [], step)
    builder.ret_void()


def _filter_body(emit, rows, vectors, u, u_point, weight, row_step, k_step, valid, depth, tap, tap_step):
    builder = emit.builder
    u, weight = (builder.inttoptr(address, emit.element.as_pointer()) for address in (u, weight))
    double = Emitter(builder, ir.DoubleType(), MAX_ROWS)
    last = builder.sub(valid, ir.Constant(I64, 1))
    taps = [builder.add(tap, builder.mul(tap_step, ir.Constant(I64, n))) for n in range(TAPS * TAPS)]
    bases = []
    for r in range(MAX_ROWS):  # rows beyond the last repeat it
        r = ir.Constant(I64, r)
        r = builder.select(builder.icmp_signed("<", r, last), r, last)
        bases.append(emit.at(weight, builder.mul(r, row_step)))

    def step(k, _):
        at = builder.mul(k, k_step)
        row = emit.at(u, builder.mul(k, ir.Constant(I64, MAX_ROWS)))

        def load(i, j):
            vector = ir.Constant(ir.VectorType(emit.element, MAX_ROWS), ir.Undefined)
            for r, base in enumerate(bases):
                element = builder.load(emit.at(base, builder.add(at, taps[i * TAPS + j])))
                vector = builder.insert_element(vector, element, ir.Constant(I32, r))
            return vector if emit.element == double.element else builder.fpext(vector, double.vector)

        def store(i, j, value):
            if emit.element != double.element:
                value = builder.fptrunc(value, ir.VectorType(emit.element, MAX_ROWS))
            emit.store(value, emit.at(row, builder.mul(u_point, ir.Constant(I64, i * SIDE + j))))

        _both_axes(double, _filter_axis, load, TAPS, store)
        return []

    emit.loop(depth, [], step)
    builder.ret_void()


def _filter_gradient_body(emit, rows, vectors, p, p_point, target):
    p, target = (emit.builder.inttoptr(address, emit.element.as_pointer()) for address in (p, target))

    def load(i, j):
        return emit.load(emit.at(p, emit.builder.mul(p_point, ir.Constant(I64, i * SIDE + j))))

    def store(i, j, value):
        emit.store(value, emit.at(target, ir.Constant(I64, (i * TAPS + j) * emit.lanes)))

    _both_axes(emit, _filter_gradient_axis, load, SIDE, store)
    emit.builder.ret_void()


_POINTS_ARGUMENTS = ("sources", "v", "v_point", "v_row", "depth")


@_kept
def transform_input(dtype):
    """Address of (1, 1, sources, v, v_point, v_row, depth): one tile.

    `sources` has the addresses of 36 positions; vector k of each lies k vectors further on, in V k*v_row elements.
    """
    body = functools.partial(_points_body, _input_axis, SIDE)
    return _switching_tile(f"winograd_input_{dtype}", dtype, [(1, 1)], _POINTS_ARGUMENTS, body)


@_kept
def transform_gradient(dtype):
    """Address of (1, 1, sources, d, d_point, d_row, depth): one tile of an output's gradient, 16 positions, in the same way."""
    body = functools.partial(_points_body, _gradient_axis, TILE)
    return _switching_tile(f"winograd_gradient_{dtype}", dtype, [(1, 1)], _POINTS_ARGUMENTS, body)


@_kept
def transform_filter_gradient(dtype):
    """Address of (1, 1, p, p_point, target): one vector at each of 36 points to 9 vectors, one for each tap."""
    names = ("p", "p_point", "target")
    return _switching_tile(f"winograd_filter_gradient_{dtype}", dtype, [(1, 1)], names, _filter_gradient_body)


@_kept
def multiply_points(dtype):
    """Address of (rows, vectors, u, u_point, v, v_point, depth, m): at each point, `rows` filters times `vectors` tiles."""
    names = ("u", "u_point", "v", "v_point", "depth", "m")
    return _switching_tile(f"winograd_multiply_{dtype}", dtype, _SIZES, names, _multiply_body)


@_kept
def accumulate_products(dtype):
    """Address of (rows, vectors, d, d_k, v, v_k, depth, p, p_row, add): p[i, n] (+)= sum_k d[k, i] * v[k, n].

    The sum is complete before it is added: two short sums round less than a long one.
    """
    names = ("d", "d_k", "v", "v_k", "depth", "p", "p_row", "add")
    return _switching_tile(f"winograd_accumulate_{dtype}", dtype, _SIZES, names, _accumulate_body)


@_kept
def transform_output(dtype):
    """Address of (1, 1, m, targets, at, bias, limit, filters): one tile; what is below the limit (an address) becomes it.

    `targets` has the addresses of 16 positions; filter f of each is at + f vectors further on.
    """
    names = ("m", "targets", "at", "bias", "limit", "filters")
    return _switching_tile(f"winograd_output_{dtype}", dtype, [(1, 1)], names, _output_body)


@_kept
def transform_filter(dtype):
    """Address of (1, 1, u, u_point, weight, row_step, k_step, valid, depth, tap, tap_step): MAX_ROWS rows of U."""
    names = ("u", "u_point", "weight", "row_step", "k_step", "valid", "depth", "tap", "tap_step")
    return _switching_tile(f"winograd_filter_{dtype}", dtype, [(1, 1)], names, _filter_body)
