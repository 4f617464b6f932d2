"""Branches joined along the channels."""

from itertools import accumulate

from ..kernels.gemm import EMPTY
from ..kernels.lanes import channels
from .tensors import Op


class Joined(Op):
    """The outputs of all branches as the channels of one tensor."""

    def _starts(self):
        """(input, its first channel in the output) of all branches."""
        return zip(self.inputs, accumulate((x.channels for x in self.inputs), initial=0))

    def forward(self, program, training):
        like, out, positions = EMPTY[program.dtype], program.value(self.out), self.out.positions
        parts = [
            (program.value(x), (start, self.out.channels, 0, x.channels, x.channels, positions)) for x, start in self._starts()
        ]

        def make(place):
            return [channels.copy_channels.phase((like, place(out), place(part), *args), 1) for part, args in parts]

        program.block(self.label, make, out, *(part for part, _ in parts))

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None:
            return
        like, positions = EMPTY[program.dtype], self.out.positions
        parts = [
            (x, program.like(x), (0, x.channels, start, self.out.channels, x.channels, positions))
            for x, start in self._starts()
            if x.root.has_gradient
        ]

        def make(place):
            return [channels.copy_channels.phase((like, place(dx), place(dout), *args), 1) for _, dx, args in parts]

        program.block(self.label, make, dout, *(dx for _, dx, _ in parts))
        for x, dx, _ in parts:
            program.contribute(x, dx)
