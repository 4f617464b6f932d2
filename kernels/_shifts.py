"""Images shifted and mirrored, as augmentation wants them: exact copies of the source's elements, with zeros around."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._jit import jit
from ._planes import zero
from .simd import I32, I64, pointer, shift


def _group_of(element):
    """How many elements of a type turn round in one move: 16 bytes, or 8 floats."""
    return 16 if element == types.uint8 else 8


@intrinsic
def _group(typingctx, base):
    """`_group_of` what a pointer points to, as a constant."""
    return types.int64(base), lambda context, builder, signature, args: ir.Constant(I64, _group_of(base.dtype))


@intrinsic
def _reverse_group(typingctx, target, source):
    """target[j] = source[group - 1 - j]."""
    count = _group_of(target.dtype)

    def codegen(context, builder, signature, args):
        kind = ir.VectorType(context.get_value_type(target.dtype), count)
        align = target.dtype.bitwidth // 8
        value = builder.load(builder.bitcast(args[1], kind.as_pointer()), align=align)
        turned = ir.Constant(ir.VectorType(I32, count), list(reversed(range(count))))
        value = builder.shuffle_vector(value, ir.Constant(kind, ir.Undefined), turned)
        builder.store(value, builder.bitcast(args[0], kind.as_pointer()), align=align)
        return context.get_dummy_value()

    return types.void(target, source), codegen


@jit
def _reverse(target, source, count):
    """target[j] = source[count - 1 - j], for pointers."""
    group = _group(target)
    if count >= group:
        for j in range(0, count, group):
            j = min(j, count - group)  # the last group overlaps the one before
            _reverse_group(shift(target, j), shift(source, count - group - j))
    else:
        for j in range(count):
            target[j] = source[count - 1 - j]


@jit
def shifted_lines(out, plane, first, height, width, down, right, flip):
    """Lines of a shifted, then perhaps mirrored image, from line `first` on, as many as the flat array `out` holds.

    `plane` is one channel of the source, flat. With x its pixels, and 0 outside of them, out[i, j] is
    x[first + i - down, j - right], or with `flip` x[first + i - down, width - 1 - j - right].
    """
    low, high = max(first, down), min(first + out.size // width, height + down)  # lines that show any of the source
    outside = abs(right)
    if low >= high or outside >= width:
        zero(out)
        return
    zero(out[: (low - first) * width])
    zero(out[(high - first) * width :])
    lines, count = high - low, width - outside
    visible = out[(low - first) * width : (high - first) * width]
    source = plane[(low - down) * width + max(0, -right) :]
    if flip:
        begin = max(0, -right)
        for i in range(lines):
            _reverse(pointer(visible, i * width + begin), pointer(source, i * width), count)
    else:  # all in one piece: what goes beyond the end of a line is cleared below
        begin = max(0, right)
        piece = visible[begin : begin + lines * width - outside]
        for k in range(piece.size):
            piece[k] = source[k]
    edge = visible[0 if begin else count :]
    for k in range(outside):
        for i in range(lines):
            edge[i * width + k] = 0
