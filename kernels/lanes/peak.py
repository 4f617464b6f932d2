"""What the machine can do at most: multiply-adds in registers, bytes copied in the cache. Profiles are read against it."""

import functools
import time

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .. import simd
from .._kernel import kernel
from .._threads import run
from ..simd import Emitter
from .layout import aligned_zeros, lanes_of

_SUMS = 12  # independent ones: enough to keep two units busy through four cycles of latency, in any number of registers
_ROUNDS = 20_000
_COPY_BYTES = 128 * 1024


@intrinsic
def _multiply_add(typingctx, out, rounds):
    """Carry `_SUMS` vectors through ``rounds`` multiply-adds each, and leave their sum at `out`."""

    def codegen(context, builder, signature, args):
        out, rounds = args
        element = context.get_value_type(signature.args[0].dtype)
        emit = Emitter(builder, element, simd.lanes(4 if isinstance(element, ir.FloatType) else 8))
        start = [emit.load(out)] * _SUMS
        factor = emit.load(out)

        def step(k, sums):
            return [emit.fma(value, factor, factor) for value in sums]

        sums = emit.loop(rounds, start, step)
        total = sums[0]
        for value in sums[1:]:
            total = builder.fadd(total, value)
        emit.store(total, out)
        return context.get_dummy_value()

    return types.void(out, types.int64), codegen


@kernel()
def multiply_adds(out, rounds, first, last):
    """Each item is a row of `out`, one vector, and ``12 * rounds`` multiply-adds of vectors."""
    for item in range(first, last):
        _multiply_add(simd.pointer(out, item * out.shape[1]), rounds)


@kernel()
def copies(out, x, times, first, last):
    """Each item copies a row of x to out, so many times."""
    for item in range(first, last):
        target, source = out[item], x[item]
        for t in range(times):
            shift = t % 2  # not the same copy twice, which a compiler might leave out
            for i in range(source.size - 1):
                target[i] = source[i + shift]


@functools.cache
def measure(dtype, threads):
    """(GFLOP/s, GB/s read and written) that so many threads reach at most; takes some 20 ms, once.

    Examples
    --------
    >>> import numpy as np
    >>> gflops, gbytes = measure(np.dtype(np.float32), 1)
    >>> gflops > 1 and gbytes > 1
    True
    """
    lanes = lanes_of(dtype)
    sums = aligned_zeros((threads, max(lanes, 64 // dtype.itemsize)), dtype)
    size = _COPY_BYTES // dtype.itemsize
    out, x = aligned_zeros((threads, size), dtype), aligned_zeros((threads, size), dtype)
    flops = 2 * _SUMS * _ROUNDS * lanes * threads
    rates = []
    for phase, work in (
        (multiply_adds.phase((sums, _ROUNDS), threads), flops),
        (copies.phase((out, x, 20), threads), 20 * 2 * _COPY_BYTES * threads),
    ):
        best = float("inf")
        for _ in range(20):
            start = time.perf_counter()
            run([phase], parallel=threads > 1)
            best = min(best, time.perf_counter() - start)
        rates.append(work / best / 1e9)
    return tuple(rates)
