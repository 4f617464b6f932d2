"""Local response normalization."""

from ..kernels.gemm import EMPTY
from ..kernels.lanes import lrn
from .tensors import Op


class LocalResponse(Op):
    def _sizes(self):
        return self.out.positions, self.out.channels, self.layer.size, self.layer.alpha, self.layer.beta, self.layer.k

    def _rows(self, program, count):
        """Memory for `count` vectors of each channel."""
        return program.space(count * self.out.channels * program.lanes * program.dtype.itemsize, temporary=True)

    def forward(self, program, training):
        x, out, row = program.value(self.x), program.value(self.out), self._rows(program, 1)
        like, sizes = EMPTY[program.dtype], self._sizes()

        def make(place):
            return [lrn.lrn_forward.phase((like, place(out), place(x), place(row), *sizes), 1)]

        program.block(self.label, make, out, x, row)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        x, dx, rows = program.value(self.x), program.like(self.x), self._rows(program, 3)
        like, sizes = EMPTY[program.dtype], self._sizes()

        def make(place):
            return [lrn.lrn_backward.phase((like, place(dx), place(dout), place(x), place(rows), *sizes), 1)]

        program.block(self.label, make, dx, dout, x, rows)
        program.contribute(self.x, dx)
