"""Threads of our own under every kernel call.

A call is a chain of phases; a phase is one or more kernel entries over a range of items, cut into chunks of fixed size. The
calling thread and the workers take chunks from a shared counter and run the phase's entries on a chunk one after the other; a
phase starts when the one before is finished. Which thread does a chunk never changes what it computes, so results have the
same bits for any number of threads.

Why not Numba's threading layers: one of them aborts the process when two Python threads launch at once, another kills a
forked child at its first launch and lets its idle threads starve NumPy's. Here

- a launch while another Python thread holds the workers runs on its own thread alone;
- idle workers give up their CPU whenever anybody wants it, and sleep after some 50 microseconds;
- a forked child starts workers of its own when it needs them.

Workers are Python threads that stay in compiled code without the interpreter lock, asleep on a futex (Linux) or on a Python
semaphore (elsewhere).
"""

import contextlib
import math
import os
import threading

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.ufunc import parallel as numba_threads

from . import _atomics as atomics
from . import host
from ._jit import jit, jit_cached

# Control cells, one cache line each.
_LINE = 8
(_OWNED, _SEQUENCE, _SLEEPERS, _STATE, _NEXT, _RECORD, _ITEMS, _CHUNK, _SCRATCH, _STRIDE, _WORKERS, _CPU, _CPUS) = (
    _LINE * 8 * i for i in range(13)
)
_CPU_WORDS = 16  # 1,024 CPUs
_CELLS = 12 * _LINE + _CPU_WORDS

# _STATE: bit 0 says that a phase is open; then how many workers may still join, how many are at work, how many ever joined.
_OPEN = 1
_ROOM = 1 << 8
_ACTIVE = 1 << 24
_JOINED = 1 << 40
_FIELD = 0xFFFF

# A record's first words: entry address, items, chunk, address of the next phase, of the next record in this one; then its
# arguments. Items below 0 stand for the cell of that number, counted from -1: a plan's batches differ in size. A chunk below 0
# is one of that size in a phase that the calling thread does alone, being too small to share.
ITEMS_WORD, CHUNK_WORD, NEXT_WORD, THEN_WORD, HEADER_WORDS = 1, 2, 3, 4, 5
HEADER_BYTES = 8 * HEADER_WORDS

# Cells of a plan, int64 words that its records share. A status other than 0 ends the chain before the next phase.
# X, Y, INDEX, OUT are addresses of data: samples, targets, the order in which samples are taken (0: theirs), predictions.
# VALUE is the address of the float64 that a chain leaves as its result, DRAWS that of the random draws of augmentation.
STATUS, SAMPLES, BLOCKS, START, LANES, STEPS, X, Y, INDEX, OUT, VALUE, DRAWS = range(12)

_SPINS = 200  # about 50 microseconds of yielding before a worker sleeps
_FUTEX = atomics.FUTEX is not None
LAYER = "fastnn (futex)" if _FUTEX else "fastnn (semaphore)"
MAX_THREADS = 512


@jit
def _call_records(record, first, last, scratch):
    """Run a phase's entries on one chunk."""
    while record != 0:
        atomics.call(atomics.load(record), record + HEADER_BYTES, first, last, scratch)
        record = atomics.load(record + 8 * THEN_WORD)


@jit
def _take_chunks(control, slot):
    """Run chunks of the open phase until none is left."""
    record = atomics.load(control + _RECORD)
    items = atomics.load(control + _ITEMS)
    chunk = atomics.load(control + _CHUNK)
    scratch = atomics.load(control + _SCRATCH) + slot * atomics.load(control + _STRIDE)
    while True:
        first = atomics.add(control + _NEXT, chunk)
        if first >= items:
            return
        _call_records(record, first, min(first + chunk, items), scratch)


@jit
def _try_join(control):
    """Join the open phase, if there is one with room, and work in it."""
    while True:
        state = atomics.load(control + _STATE)
        if state & _OPEN == 0 or (state >> 8) & _FIELD == 0:
            return
        if atomics.swap_if(control + _STATE, state, state - _ROOM + _ACTIVE + _JOINED):
            _take_chunks(control, ((state >> 40) & _FIELD) + 1)
            atomics.add(control + _STATE, -_ACTIVE)
            return


@jit
def _keep_off(control, cpu, mask):
    """Move this worker to another CPU than the launching thread's.

    While a third thread keeps the other CPUs busy (NumPy's do, for a while after each product), the system tends to wake a
    worker where it was woken from; there the two would take turns.
    """
    left = np.int64(0)
    for word in range(_CPU_WORDS):
        mask[word] = atomics.load(control + _CPUS + 8 * word)
        if word == cpu // 64:
            mask[word] &= ~(np.int64(1) << (cpu % 64))
        left |= mask[word]
    if left != 0:
        atomics.run_on(mask.ctypes.data, 8 * _CPU_WORDS)


@jit_cached
def _serve(control):
    """A worker's life: wait for a phase, join it. Returns, when idle, only where there is no futex."""
    seen = np.int64(0)
    spins = 0
    mask = np.zeros(_CPU_WORDS, np.int64)
    while True:
        sequence = atomics.load(control + _SEQUENCE)
        if sequence != seen:
            seen = sequence
            spins = 0
            if _FUTEX:
                cpu = atomics.current_cpu()
                if cpu == atomics.load(control + _CPU):
                    _keep_off(control, cpu, mask)
            _try_join(control)
        elif spins < _SPINS:
            spins += 1
            atomics.yield_cpu()
        elif _FUTEX:
            atomics.add(control + _SLEEPERS, 1)
            atomics.futex_wait(control + _SEQUENCE, seen & 0xFFFFFFFF)
            atomics.add(control + _SLEEPERS, -1)
            spins = 0
        else:
            return


@jit
def _run_phase(control, record, items, chunk, threads, scratch, stride):
    atomics.store(control + _RECORD, record)
    atomics.store(control + _ITEMS, items)
    atomics.store(control + _CHUNK, chunk)
    atomics.store(control + _SCRATCH, scratch)
    atomics.store(control + _STRIDE, stride)
    atomics.store(control + _NEXT, 0)
    helpers = min(threads, (items + chunk - 1) // chunk) - 1
    atomics.store(control + _STATE, _OPEN + helpers * _ROOM)
    atomics.add(control + _SEQUENCE, 1)
    if _FUTEX and atomics.load(control + _SLEEPERS) > 0:
        atomics.futex_wake(control + _SEQUENCE, helpers)
    _take_chunks(control, 0)
    # Close to newcomers, then wait for those at work.
    state = atomics.add(control + _STATE, -_OPEN)
    spins = 0
    while (state >> 24) & _FIELD > 0:
        spins += 1
        if spins > 500:
            atomics.yield_cpu()
        state = atomics.load(control + _STATE)


@jit
def _walk(control, record, threads, scratch, stride, cells):
    """Run a chain of phases, with `threads` threads unless another thread has the workers."""
    owner = threads > 1 and atomics.swap_if(control + _OWNED, 0, 1)
    if owner and _FUTEX:
        atomics.store(control + _CPU, atomics.current_cpu())
    while record != 0:
        items, chunk = atomics.load(record + 8 * ITEMS_WORD), atomics.load(record + 8 * CHUNK_WORD)
        if items < 0:
            items = atomics.load(cells + 8 * (-1 - items))
        shared = owner and chunk > 0
        chunk = abs(chunk)
        if shared and items > chunk:
            _run_phase(control, record, items, chunk, threads, scratch, stride)
        else:
            # The same chunks as with workers: a loop's vector and remainder parts must fall on the same items.
            for first in range(0, items, chunk):
                _call_records(record, first, min(first + chunk, items), scratch)
        record = atomics.load(record + 8 * NEXT_WORD)
        if cells != 0 and atomics.load(cells + 8 * STATUS) != 0:
            break
    if owner:
        atomics.store(control + _OWNED, 0)


@jit_cached
def _execute(control, record, threads, scratch, stride, cells):
    """Run a chain of phases once."""
    _walk(control, record, min(threads, 1 + atomics.load(control + _WORKERS)), scratch, stride, cells)


@intrinsic
def _float_at(typingctx, address):
    """The float64 at an address."""

    def codegen(context, builder, signature, args):
        return builder.load(builder.inttoptr(args[0], ir.DoubleType().as_pointer()))

    return types.float64(types.int64), codegen


@jit_cached
def _execute_step(control, record, threads, scratch, stride, cells, x, y, samples):
    """Run a chain once for a batch of its own; returns the float64 whose address is in cell VALUE."""
    atomics.store(cells + 8 * X, x)
    atomics.store(cells + 8 * Y, y)
    atomics.store(cells + 8 * INDEX, 0)
    atomics.store(cells + 8 * START, 0)
    lanes = atomics.load(cells + 8 * LANES)
    atomics.store(cells + 8 * SAMPLES, samples)
    atomics.store(cells + 8 * BLOCKS, (samples + lanes - 1) // lanes)
    _walk(control, record, min(threads, 1 + atomics.load(control + _WORKERS)), scratch, stride, cells)
    return _float_at(atomics.load(cells + 8 * VALUE))


@jit_cached
def run_alone(record, scratch):
    """Run a chain that `link` made once, on the calling thread; `scratch` is the address of its scratch memory."""
    _walk(0, record, 1, scratch, 0, 0)


@jit_cached
def _execute_batches(control, record, threads, scratch, stride, cells, end, batch):
    """Run a chain once for each batch of the samples from cell START to `end`; START says how far it came."""
    threads = min(threads, 1 + atomics.load(control + _WORKERS))
    lanes = atomics.load(cells + 8 * LANES)
    start = atomics.load(cells + 8 * START)
    while start < end:
        count = min(batch, end - start)
        atomics.store(cells + 8 * SAMPLES, count)
        atomics.store(cells + 8 * BLOCKS, (count + lanes - 1) // lanes)
        _walk(control, record, threads, scratch, stride, cells)
        if atomics.load(cells + 8 * STATUS) != 0:
            break
        start += count
        atomics.store(cells + 8 * START, start)


class _Pool:
    """The control cells and the workers that watch them."""

    def __init__(self):
        cells = np.zeros(_CELLS + _LINE, np.int64)
        self._cells = cells
        self.control = -(-cells.ctypes.data // 64) * 64
        self._set(_CPU, -1)
        if _FUTEX:
            allowed = sum(1 << cpu for cpu in os.sched_getaffinity(0) if cpu < 64 * _CPU_WORDS)
            for word in range(_CPU_WORDS):
                bits = allowed >> (64 * word) & (2**64 - 1)
                self._set(_CPUS + 8 * word, bits - 2**64 if bits >= 2**63 else bits)
        self.lock = threading.Lock()
        self.workers = 0
        self.wake = threading.Semaphore(0)

    def start(self, workers):
        """Have at least this many workers."""
        with self.lock:
            if not _serve.overloads:
                _serve.compile((types.int64,))  # here, not in a worker while others wait for it
            while self.workers < workers:
                thread = threading.Thread(target=self._work, name=f"fastnn-{self.workers + 1}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no more threads to be had, or the interpreter is shutting down: do with fewer
                    return
                self.workers += 1
                self._set(_WORKERS, self.workers)

    def _set(self, cell, value):
        self._cells[(self.control + cell - self._cells.ctypes.data) // 8] = value

    def _work(self):
        while True:
            _serve(self.control)
            self.wake.acquire()


def _threads_of_machine():
    named = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(int(named) if named.isdigit() and int(named) > 0 else host.available_cpus(), MAX_THREADS)


_pool = _Pool()
_local = threading.local()
_default_threads = _threads_of_machine()


def _after_fork():
    """A forked child has the cells but not the threads: give it a pool of its own. The old cells must stay allocated."""
    global _pool
    _pool = _Pool()
    recordings.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _check_threads(n):
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"threads: expected an int, got {type(n).__name__} {n!r}")
    if not 1 <= n <= MAX_THREADS:
        raise ValueError(f"threads: expected 1 to {MAX_THREADS}, got {n}")
    return int(n)


def num_threads():
    """Number of threads that kernels called from this Python thread use.

    An enclosing `threads` decides; else `set_num_threads`; else ``NUMBA_NUM_THREADS``; else the CPUs this process may use
    (affinity and control-group quota). `numba.set_num_threads`, where called, limits it.

    Examples
    --------
    >>> with threads(2):
    ...     num_threads()
    2
    """
    chosen = getattr(_local, "threads", None)
    if chosen is not None:
        return chosen
    if numba_threads._is_initialized:
        return min(_default_threads, numba_threads.get_num_threads())
    return _default_threads


def set_num_threads(n):
    """Set the default number of threads of this process.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an int of at least 1.

    Examples
    --------
    >>> before = num_threads()
    >>> set_num_threads(1)
    >>> num_threads()
    1
    >>> set_num_threads(before)
    """
    global _default_threads
    _default_threads = _check_threads(n)


@contextlib.contextmanager
def threads(n):
    """Use `n` threads for the kernels called inside the ``with`` block, from this Python thread.

    Results do not depend on `n`, to the last bit.

    Examples
    --------
    >>> with threads(1):
    ...     num_threads()
    1
    """
    n = _check_threads(n)
    before = getattr(_local, "threads", None)
    _local.threads = n
    try:
        yield
    finally:
        _local.threads = before


def workspace(name, shape, dtype):
    """An uninitialised array of this Python thread's own, kept from call to call under `name`; starts at a cache line.

    In a recording it is a new one, the recording's own.
    """
    if recordings and threading.get_ident() in recordings:
        return _aligned(np.empty(math.prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8), shape, dtype)
    spaces = _local.__dict__.setdefault("spaces", {})
    known = spaces.get(name)
    if known is not None and known[0].shape == shape and known[0].dtype == dtype:
        return known[0]
    size = math.prod(shape) * np.dtype(dtype).itemsize
    block = known[1] if known is not None else None
    if block is None or block.size < size + 64:
        block = np.empty(size + size // 4 + 64, np.uint8)
    spaces[name] = _aligned(block, shape, dtype), block
    return spaces[name][0]


def _aligned(block, shape, dtype):
    """An array at the first cache line in a block of bytes."""
    start = -block.ctypes.data % 64
    return block[start : start + math.prod(shape) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)


class Recording:
    """What kernels ran, to run again: a chain of phases, and all that it needs.

    Attributes
    ----------
    phases : list of list of array.array
        Records; those of a `run` that was not worth several threads have chunks below 0.
    parallel : bool
        Whether some `run` was.
    kept : list of tuple
        Arguments of the phases, whose arrays must stay alive.
    chain, scratch : int
        After `close`: addresses of the first record and of memory for one thread.
    """

    def __init__(self):
        self.phases, self.kept, self.parallel = [], [], False
        self.chain = self.scratch = self._stride = 0

    def add(self, phases, scratch_bytes, parallel):
        """Note what one `run` ran."""
        for record in phases:
            if not parallel:
                record[CHUNK_WORD] = -record[CHUNK_WORD]
            self.phases.append([record])
        self.parallel |= parallel
        self._stride = max(self._stride, _stride(scratch_bytes))

    def close(self):
        """Make the chain; from now on it can run."""
        self.chain = link(self.phases)
        memory = _aligned(np.empty(self._stride + 64, np.uint8), (self._stride,), np.uint8)
        self.kept.append((memory,))
        self.scratch = memory.ctypes.data

    def run(self):
        """Run the chain. Everything is read and written where it was in the recording: one thread at a time may do it."""
        if self.parallel and (count := ready_threads()) > 1:
            _execute(_pool.control, self.chain, count, _scratch(count * self._stride), self._stride, 0)
        else:
            run_alone(self.chain, self.scratch)


recordings = {}  # by Python thread; empty nearly always, which is all that is asked then


@contextlib.contextmanager
def recording():
    """Note all phases that kernels run inside the ``with`` block, from this Python thread. They run as well."""
    ident = threading.get_ident()
    recordings[ident] = noted = Recording()
    try:
        yield noted
    finally:
        recordings.pop(ident, None)


def _scratch(size):
    """Address of this Python thread's scratch memory, at least `size` bytes, at a cache line."""
    block, address = getattr(_local, "scratch", (None, 0))
    if block is None or block.size < size + 64:
        block = np.empty(size + size // 4 + 64, np.uint8)
        address = -(-block.ctypes.data // 64) * 64
        _local.scratch = block, address
    return address


def _stride(scratch_bytes):
    """Distance of the threads' scratch memories: a page more than asked for, so that no cache line is shared."""
    return (scratch_bytes + 4096 + 63) // 64 * 64


def ready_threads():
    """Number of threads for the next call, its workers started and, where they cannot be woken from compiled code, awake."""
    count = num_threads()
    if count > 1:
        if _pool.workers < count - 1:
            _pool.start(count - 1)
        if not _FUTEX:
            for _ in range(count - 1):
                _pool.wake.release()
    return count


def link(phases):
    """Chain phases, each a list of records that share its items, and return the first record's address.

    The records must stay alive while the chain is in use.
    """
    following = 0
    for phase in reversed(phases):
        then = 0
        for record in reversed(phase):
            record[NEXT_WORD], record[THEN_WORD] = following, then
            then = record.buffer_info()[0]
        following = then
    return following


def run_chain(chain, threads, scratch, stride, cells):
    """Run a chain that `link` made once, with what `ready_threads` gave or 1.

    Each thread has `stride` bytes of scratch memory from address `scratch` on; `cells` is their address.
    """
    _execute(_pool.control, chain, threads, scratch, stride, cells)


def run_step(chain, threads, scratch, stride, cells, x, y, samples):
    """Run a chain for the samples and targets at two addresses; returns what it leaves in cell VALUE's place."""
    return _execute_step(_pool.control, chain, threads, scratch, stride, cells, x, y, samples)


def run_batches(chain, threads, scratch, stride, cells, end, batch):
    """Run a chain for batch after batch of samples, from cell START to `end`, until a status ends it."""
    _execute_batches(_pool.control, chain, threads, scratch, stride, cells, end, batch)


def run(phases, scratch_bytes=0, parallel=True):
    """Run phases one after the other, each over its items on all threads.

    Parameters
    ----------
    phases : list of array.array of int64
        Records as `Kernel.phase` makes them.
    scratch_bytes : int
        What each thread may scribble on; its address is the entry's last argument, a multiple of 64.
    parallel : bool
        False keeps a small job on the calling thread.
    """
    count = ready_threads() if parallel else 1
    stride = _stride(scratch_bytes)
    scratch = _scratch(count * stride) if scratch_bytes else 0
    following = 0
    for record in reversed(phases):
        if following:
            record[NEXT_WORD] = following
        following = record.buffer_info()[0]
    _execute(_pool.control, following, count, scratch, stride, 0)
    if recordings and (noted := recordings.get(threading.get_ident())) is not None:
        noted.add(phases, scratch_bytes, parallel)
