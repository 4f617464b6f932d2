"""From steps in order to chains of records: phases, memory, addresses.

A *step* is one or more kernel records. Block steps work on chunks of sample blocks; as long as one block step follows another,
they share a phase, in which each thread takes a chunk of blocks through all of them. A whole step (the merge of batch
statistics, a weight gradient over the batch, the optimizer) needs what all blocks have left behind: it is a phase of its own.

What is written and read within one phase only is *local*: every thread has room for one chunk of it, so it stays in the
thread's cache. The rest lies in an arena for the whole batch. Spaces whose lifetimes do not meet share memory.
"""

import numpy as np

from ..kernels._threads import BLOCKS, ITEMS_WORD, LANES, link
from ..kernels.gemm import EMPTY
from ..kernels.lanes.elementwise import add
from ..kernels.lanes.layout import CELLS, aligned_zeros, lanes_of

_CHUNK_WORD = ITEMS_WORD + 1
_LINE, _PAGE = 64, 4096


class Space:
    """Memory that steps share: `step` bytes for each block of samples.

    With `temporary` once for each thread instead, within one step; with `fixed` once for the batch.
    """

    def __init__(self, step, temporary=False, fixed=False):
        self.step, self.temporary, self.fixed = -(-step // _LINE) * _LINE, temporary, fixed
        self.uses = []  # (phase, step in it), in order
        self.offset = None

    def is_local(self, phases):
        """Whether all uses fall into one phase over blocks."""
        first, last = self.uses[0][0], self.uses[-1][0]
        return not self.fixed and (self.temporary or (first == last and not phases[first].whole))

    def bytes(self, blocks):
        """Size for so many blocks."""
        return self.step if self.temporary or self.fixed else self.step * blocks


class Step:
    """Records to be: ``make(place)`` gives them once ``place(space)`` knows addresses.

    In a phase over the whole batch each record is a phase of its own, and a list of records one phase together.

    Attributes
    ----------
    label, kind : str
        The layer and the pass, for profiles.
    macs : int
        Multiply-adds for one sample.
    """

    def __init__(self, label, kind, make, spaces, macs):
        self.label, self.kind, self.make, self.spaces, self.macs = label, kind, make, spaces, macs


class Phase:
    """Steps that run chunk by chunk, or one whole step; number of the chain it belongs to."""

    def __init__(self, whole, chain, steps):
        self.whole, self.chain, self.steps = whole, chain, steps


class Program:
    """Collects the steps of one pass over a batch; `build` turns them into chains.

    Parameters
    ----------
    dtype : numpy.dtype
    blocks : int
        Largest number of blocks in a batch.
    chunk : int
        Blocks that a thread takes at a time.
    training, winograd : bool
    separate : bool
        Whether every step becomes a phase of its own, for profiles.

    Attributes
    ----------
    cells : (CELLS,) int64 array
        What changes from batch to batch, as all records see it.
    sums : list of (sets, first element) of gradients that chunks leave behind
    """

    def __init__(self, dtype, blocks, chunk, *, training, winograd=True, separate=False):
        self.dtype, self.lanes = np.dtype(dtype), lanes_of(dtype)
        self.blocks, self.chunk = blocks, chunk
        self.training, self.winograd, self.separate = training, winograd, separate
        self.cells = aligned_zeros((CELLS,), np.int64)
        self.cells[LANES] = self.lanes
        self.phases, self.sums = [], []
        self._prepared, self._deferred, self._open, self._chain = [], [], None, 0
        self._values, self._gradients = {}, {}
        self.kind = "forward"  # pass that steps belong to from now on

    # --- memory

    def space(self, step, temporary=False, fixed=False):
        """New memory: bytes for each block, for each thread, or for the batch."""
        return Space(step, temporary, fixed)

    def like(self, tensor):
        """New memory for values of a tensor's size."""
        return Space(tensor.size * self.lanes * self.dtype.itemsize)

    def value(self, tensor):
        """The memory of a tensor's values."""
        if tensor.root not in self._values:
            self._values[tensor.root] = self.like(tensor)
        return self._values[tensor.root]

    def partials(self, channels):
        """Sums in double precision that blocks leave behind for a merge: (blocks, 2, channels)."""
        return aligned_zeros((self.blocks, 2, channels), np.float64)

    def gradient_sets(self, grad):
        """A gradient for each chunk, to be added into a layer's array at the end: (chunks, size)."""
        sets = aligned_zeros((-(-self.blocks // self.chunk), grad.size), self.dtype)
        self.sums.append((sets, grad))
        return sets

    # --- gradients

    def contribute(self, tensor, space):
        """Let `space` be one of the terms of the gradient with respect to a tensor."""
        if tensor.root.has_gradient:
            self._gradients.setdefault(tensor.root, []).append(space)

    def gradient(self, tensor):
        """The gradient with respect to a tensor, all its terms added up; None if there are none."""
        terms = self._gradients.get(tensor.root)
        while terms and len(terms) > 1:
            terms.append(self._sum(tensor, terms.pop(), terms.pop()))
        return terms[0] if terms else None

    def _sum(self, tensor, a, b):
        total = self.like(tensor)
        self.add("sum of gradients", tensor, total, a, b)
        return total

    def add(self, label, tensor, out, a, b):
        """A step for out = a + b."""
        like, size = EMPTY[self.dtype], tensor.size * self.lanes
        self.block(label, lambda place: [add.phase((like, place(out), place(a), place(b), size), 1)], out, a, b)

    # --- steps

    def block(self, label, make, *spaces, macs=0, kind=None):
        """Add a step over blocks of samples."""
        if self._open is None or self.separate:
            self._open = Phase(False, self._chain, [])
            self.phases.append(self._open)
        self._open.steps.append(Step(label, kind or self.kind, make, spaces, macs))

    def whole(self, label, make, *spaces, macs=0, kind=None):
        """Add a step over the whole batch: what follows waits for it."""
        self.close()
        self.phases.append(Phase(True, self._chain, [Step(label, kind or self.kind, make, spaces, macs)]))

    def defer(self, label, make, *spaces, macs=0, kind=None):
        """Add a step over the whole batch that nothing in the present phase needs: it runs right behind that."""
        self._deferred.append(Phase(True, self._chain, [Step(label, kind or self.kind, make, spaces, macs)]))
        if self.separate:
            self.close()

    def prepare(self, label, make, first=False):
        """Add a whole step that runs before all others, itself the `first` of them: it needs nothing that they make."""
        self._prepared.insert(0 if first else len(self._prepared), Phase(True, 0, [Step(label, "weights", make, (), 0)]))

    def hole(self):
        """End the chain: something happens in Python here."""
        self.close()
        self._chain += 1

    def close(self):
        """End the phase over blocks, if one is open."""
        self._open = None
        self.phases += self._deferred
        self._deferred = []

    def build(self):
        """The chains in memory."""
        self.close()
        phases, self.phases, self._prepared = [*self._prepared, *self.phases], [], []  # steps hold the program, not it them
        return Chains(self, phases, self._chain + 1)


def _assign(spans, size_of):
    """Give spaces with lifetimes (space, first, last) offsets, so that none overlap that live together; the total size."""
    placed, total = [], 0
    for space, first, last in sorted(spans, key=lambda span: -size_of(span[0])):
        taken = sorted((s.offset, s.offset + size_of(s)) for s, f, e in placed if f <= last and first <= e)
        offset = 0
        for low, high in taken:
            if offset + size_of(space) <= low:
                break
            offset = max(offset, high)
        space.offset = offset
        placed.append((space, first, last))
        total = max(total, offset + size_of(space))
    return total


class _Places:
    """Where spaces lie, once they have their offsets: as places for kernels, and fixed ones as arrays."""

    def __init__(self, arena, local):
        self._arena, self._base, self._local = arena, arena.ctypes.data, local

    def __call__(self, space):
        if id(space) in self._local:
            return (space.offset, 0 if space.temporary else space.step, 1)
        return (self._base + space.offset, 0 if space.fixed else space.step, 0)

    def array(self, space, shape, dtype):
        """A fixed space as an array."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self._arena[space.offset : space.offset + size].view(dtype).reshape(shape)


class Chains:
    """A program in memory, ready to run.

    Attributes
    ----------
    heads : list of int
        Address of the first record of each chain; 0 for one without steps.
    batch_bytes, local_bytes : int
        Size of the arena for the whole batch, and of each thread's own.
    steps : list of (Step, list of records, or of lists of records that run together)
    """

    def __init__(self, program, phases, count):
        blocks, chunk = program.blocks, program.chunk
        for number, phase in enumerate(phases):
            for index, step in enumerate(phase.steps):
                for space in step.spaces:
                    space.uses.append((number, index))
        spaces = {id(s): s for phase in phases for step in phase.steps for s in step.spaces}
        local = {key: s for key, s in spaces.items() if s.is_local(phases)}
        spans = [(s, s.uses[0][0], s.uses[-1][0]) for key, s in spaces.items() if key not in local]
        self.batch_bytes = _assign(spans, lambda s: s.bytes(blocks))
        self.local_bytes = 0
        for number in range(len(phases)):
            spans = [(s, s.uses[0][1], s.uses[-1][1]) for s in local.values() if s.uses[0][0] == number]
            size = _assign(spans, lambda s: s.bytes(chunk))
            self.local_bytes = max(self.local_bytes, size)
        self._arena = aligned_zeros((self.batch_bytes,), np.uint8)
        self.stride = -(-(self.local_bytes + _LINE) // _PAGE) * _PAGE + _LINE  # threads do not share pages, nor cache sets
        self.scratch, self.threads, self._scratch = 0, 0, None
        place = _Places(self._arena, set(local))

        self.steps, chains = [], [[] for _ in range(count)]
        for phase in phases:
            together = []
            for step in phase.steps:
                made = step.make(place)
                self.steps.append((step, made))
                if phase.whole:
                    chains[phase.chain] += [item if isinstance(item, list) else [item] for item in made]
                else:
                    together += made
            for record in together:
                record[ITEMS_WORD], record[_CHUNK_WORD] = -1 - BLOCKS, chunk
            if together:
                chains[phase.chain].append(together)
        self.heads = [link(chain) for chain in chains]

    def ready(self, threads):
        """Have memory for so many threads."""
        if self.threads < threads:
            self._scratch = np.zeros(threads * self.stride + _PAGE, np.uint8)
            self.scratch = -(-self._scratch.ctypes.data // _PAGE) * _PAGE
            self.threads = threads
