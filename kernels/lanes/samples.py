"""Where samples enter the lanes and where predictions leave them.

    gather (like, source_like, out, channels, pixels, cells, scale, shift)    samples of the data -> lane blocks
    scatter(like, source, channels, pixels, cells)                            lane blocks -> rows of the output

A sample of the data is a row of channels x pixels elements, a block has pixels x channels lines: both transpose, in registers.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import simd
from .._jit import jit
from .._kernel import kernel
from .._threads import SAMPLES, START
from ..moves import _in_function, copy_rows, transpose_block, transposed
from ..simd import I64, array_at, pointer
from .layout import INDEX, OUT, X, block_at, lanes_in


@intrinsic
def _addresses(typingctx):
    """Room for one address a lane, on the stack."""

    def codegen(context, builder, signature, args):
        return cgutils.alloca_once(builder, I64, size=simd.lanes(4))

    return types.CPointer(types.int64)(), codegen


@intrinsic
def _square(typingctx, like):
    """Room for lanes x lanes elements, on the stack; `like` is a pointer to their type."""

    def codegen(context, builder, signature, args):
        element = context.get_value_type(signature.return_type).pointee
        lanes = simd.lanes(4 if isinstance(element, ir.FloatType) else 8)
        return cgutils.alloca_once(builder, element, size=lanes * lanes)

    return like(like), codegen


@intrinsic
def _gather_block(typingctx, target, target_row, rows, offset, source_like, factor, shift):
    """target[j, i] = element offset + j of the row at address rows[i], for a block of lanes x lanes elements.

    Elements of the type that the pointer `source_like` has: the target's, or bytes, which become byte * factor + shift.
    """
    is_bytes = source_like.dtype == types.uint8

    def body(emit, target, target_row, rows, offset, _, factor, shift):
        builder = emit.builder
        at = [ir.Constant(I64, i) for i in range(emit.lanes)]
        element = ir.IntType(8) if is_bytes else emit.element
        factor, shift = emit.splat(factor), emit.splat(shift)

        def row(number):
            start = builder.inttoptr(builder.load(builder.gep(rows, [number])), element.as_pointer())
            start = builder.gep(start, [offset])
            if not is_bytes:
                return emit.load(start)
            packed = builder.load(builder.bitcast(start, ir.VectorType(element, emit.lanes).as_pointer()), align=1)
            return emit.fma(builder.uitofp(packed, emit.vector), factor, shift)

        for i, column in zip(at, transposed(emit, [row(number) for number in at])):
            emit.store(column, emit.at(target, builder.mul(target_row, i)))

    name = "gather_bytes" if is_bytes else "gather"
    n = types.int64
    signature = types.void(target, n, rows, n, source_like, target.dtype, target.dtype)
    return signature, _in_function(name, body)


@jit
def _as_pixels(channels, pixels):
    """Features without pixels are as well the pixels of one channel, and make better blocks."""
    return (1, channels) if pixels == 1 else (channels, pixels)


@kernel()
def gather(like, source_like, out, channels, pixels, cells, scale, shift, first, last, scratch):
    """out[p, c, l] = source[c, p] of the sample in lane l; lanes beyond the batch repeat its last sample.

    Parameters
    ----------
    source_like : (0,) dtype of `like`, or uint8
        Type of the data at cells[X]. Bytes become byte * scale + shift.
    cells : (CELLS,) int64
        Of batch row n, the sample is START + n or, with an INDEX, index[START + n].
    """
    lanes = lanes_in(like)
    channels, pixels = _as_pixels(channels, pixels)
    factor, offset = like.dtype.type(scale), like.dtype.type(shift)
    size, samples, start = channels * pixels, cells[SAMPLES], cells[START]
    order = array_at(pointer(cells, 0), cells[INDEX] + 8 * start, samples)
    rows, element = _addresses(), pointer(source_like, 0)
    for b in range(first, last):
        for lane in range(lanes):
            n = min(b * lanes + lane, samples - 1)
            sample = start + n if cells[INDEX] == 0 else order[n]
            rows[lane] = cells[X] + sample * size * source_like.itemsize
        block = block_at(like, out, b, first, scratch, size * lanes)
        if pixels >= lanes:
            for c in range(channels):
                for p in range(0, pixels, lanes):
                    p = min(p, pixels - lanes)  # the last block overlaps the one before
                    target = pointer(block, (p * channels + c) * lanes)
                    _gather_block(target, channels * lanes, rows, c * pixels + p, element, factor, offset)
        else:
            for lane in range(lanes):
                row = array_at(element, rows[lane], size)
                for c in range(channels):
                    for p in range(pixels):
                        value = like.dtype.type(row[c * pixels + p])
                        value = value if source_like.itemsize > 1 else value * factor + offset
                        block[(p * channels + c) * lanes + lane] = value


@kernel()
def scatter(like, source, channels, pixels, cells, first, last, scratch):
    """Row n of the array (SAMPLES, channels * pixels) at cells[OUT] becomes sample n of the batch; inverse of `gather`."""
    lanes = lanes_in(like)
    channels, pixels = _as_pixels(channels, pixels)
    size = channels * pixels
    square = _square(pointer(like, 0))
    for b in range(first, last):
        block = block_at(like, source, b, first, scratch, size * lanes)
        valid = min(lanes, cells[SAMPLES] - b * lanes)
        out = array_at(pointer(like, 0), cells[OUT] + b * lanes * size * like.itemsize, valid * size)
        for c in range(channels):
            for p in range(0, pixels, lanes):
                columns, lines = min(lanes, pixels - p), pointer(block, (p * channels + c) * lanes)
                target = pointer(out, c * pixels + p)
                if columns == lanes and valid == lanes:
                    transpose_block(target, size, lines, channels * lanes, lanes)
                else:
                    transpose_block(square, lanes, lines, channels * lanes, columns)
                    copy_rows(target, size, square, lanes, valid, columns, 1)
