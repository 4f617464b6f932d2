"""Elements of samples in another order: Permute, and Reshape and Flatten where blocks hold planes."""

import math

import numpy as np

from ..kernels.gemm import EMPTY
from ..kernels.lanes.reorder import reorder
from .tensors import Op, Tensor


def merged(axes):
    """Axes (size, stride) in order, those of size 1 left out and those joined that one stride covers.

    Examples
    --------
    >>> merged([(2, 12), (1, 5), (3, 4), (4, 1)])
    [(24, 1)]
    >>> merged([(4, 1), (6, 4)])
    [(4, 1), (6, 4)]
    """
    joined = []
    for size, stride in axes:
        if size == 1:
            continue
        if joined and joined[-1][1] == size * stride:
            joined[-1] = joined[-1][0] * size, stride
        else:
            joined.append((size, stride))
    return joined


def keeps_order(axes):
    """Whether elements taken along axes (size, stride) come in the order in which they lie."""
    return len(merged(axes)) < 2  # a permutation leaves nothing out


class Reorder(Op):
    """Elements of a block in another order.

    Parameters
    ----------
    axes : list of (size, stride)
        Of the output as it lies in blocks: the size of each axis, and its stride in the input, counted in lines.
    """

    def __init__(self, name, layer, inputs, out, axes):
        super().__init__(name, layer, inputs, out)
        self.given, self.axes = axes, merged(axes)

    def forward(self, program, training):
        self._move(program, program.value(self.out), program.value(self.x), self.axes)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        sizes, strides = zip(*self.axes)
        steps = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
        dx = program.like(self.x)
        self._move(program, dx, dout, [(sizes[i], steps[i]) for i in np.argsort(strides)[::-1]])
        program.contribute(self.x, dx)

    def _move(self, program, out, x, axes):
        like = EMPTY[program.dtype]
        sizes, strides = (tuple(map(int, numbers)) for numbers in zip(*[(1, 0)] * (3 - len(axes)), *axes))
        program.block(self.label, lambda place: [reorder.phase((like, place(out), place(x), sizes, strides), 1)], out, x)

    def samples_in_order(self):
        """The tensor that samples go into if they are to come out like this at once; None if the way in cannot do it.

        Samples are taken into lanes as planes of some channels, [pixels][channels], whatever they are.
        """
        channels, positions = self.x.root.channels, self.x.root.positions
        # Strides in a sample, (channels, positions), instead of in a block, (positions, channels): other axes merge.
        axes = merged((size, stride // channels + stride % channels * positions) for size, stride in self.given)
        if len(axes) == 1:
            plane = 1, 1, self.x.size
        elif len(axes) == 2 and axes[0][1] == 1:
            plane = axes[1][0], 1, axes[0][0]
        else:
            return None
        return Tensor(self.x.root.sample_shape, plane, alias=self.out)
