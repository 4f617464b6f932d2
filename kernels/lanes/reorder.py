"""Elements of blocks in another order: a permutation of axes."""

from .. import simd
from .._kernel import kernel
from .layout import locate
from .vectors import load, store


@kernel()
def reorder(like, out, x, sizes, strides, first, last, scratch):
    """out[i, j, k] = x[i*strides[0] + j*strides[1] + k*strides[2]], `sizes` those of out's axes. Elements are vectors."""
    A, B, C = sizes
    line = simd.VECTOR_BYTES
    for b in range(first, last):
        source, target = locate(x, b, first, scratch), locate(out, b, first, scratch)
        for i in range(A):
            for j in range(B):
                at, to = source + (i * strides[0] + j * strides[1]) * line, target + (i * B + j) * C * line
                for k in range(C):
                    store(to + k * line, load(like, at + k * strides[2] * line))
