"""Where blocks of samples lie, and how a batch is brought into lanes and back (in NumPy, for tests and for small things)."""

from typing import NamedTuple

import numpy as np

from .. import simd
from .._jit import jit
from .._threads import DRAWS as DRAWS
from .._threads import INDEX as INDEX
from .._threads import OUT as OUT
from .._threads import X as X
from .._threads import Y as Y

CELLS = 32  # size of the array of a plan's cells; `_threads` names them


class Place(NamedTuple):
    """Where the blocks of one tensor lie, in bytes.

    Block b is at ``base + b * step``; of a local tensor, which only the thread that works on a chunk of blocks sees, at
    ``scratch + base + (b - first) * step``. Kernels get it as a tuple of three ints.
    """

    base: int
    step: int
    local: int


def lanes_of(dtype):
    """Samples in a block: elements of one vector register.

    Examples
    --------
    >>> lanes_of(np.float32) == 2 * lanes_of(np.float64)
    True
    """
    return simd.lanes(np.dtype(dtype).itemsize)


@jit
def lanes_in(like):
    """`lanes_of`, in kernels: a constant, so that loops over lanes become single instructions."""
    return simd.VECTOR_BYTES // simd.itemsize(simd.pointer(like, 0))


@jit
def locate(place, block, first, scratch):
    """Address of a block, in a kernel that works on a chunk of blocks from `first` on."""
    return place[0] + place[2] * scratch + (block - place[2] * first) * place[1]


@jit
def block_at(like, place, block, first, scratch, size):
    """The `size` elements of a block as a flat array."""
    return simd.array_at(simd.pointer(like, 0), locate(place, block, first, scratch), size)


def aligned_zeros(shape, dtype):
    """An array of zeros that starts at a cache line."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    memory = np.zeros(count * dtype.itemsize + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + count * dtype.itemsize].view(dtype).reshape(shape)


def to_lanes(x):
    """A batch (N, C, ...) as lane blocks (blocks, ..., C, LANES).

    Examples
    --------
    >>> to_lanes(np.zeros((3, 5, 7), np.float32)).shape[1:3]
    (7, 5)
    """
    lanes = lanes_of(x.dtype)
    blocks = -(-len(x) // lanes)
    padded = x[np.minimum(np.arange(blocks * lanes), len(x) - 1)]
    split = padded.reshape(blocks, lanes, *x.shape[1:])
    out = aligned_zeros((blocks, *x.shape[2:], x.shape[1], lanes), x.dtype)
    out[...] = np.moveaxis(np.moveaxis(split, 1, -1), 1, -2)
    return out


def from_lanes(array, samples):
    """Lane blocks (blocks, ..., C, LANES) as a batch (samples, C, ...): the inverse of `to_lanes`."""
    batch = np.moveaxis(np.moveaxis(array, -2, 1), -1, 1)
    return np.ascontiguousarray(batch.reshape(-1, *batch.shape[2:])[:samples])


def place_of(array):
    """The Place of an array of lane blocks (blocks, ...)."""
    return Place(array.ctypes.data, array.nbytes // len(array), 0)
