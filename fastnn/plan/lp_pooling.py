"""Norms over windows: powers, average pooling, and a root."""

from ..kernels.gemm import EMPTY
from ..kernels.lanes import lp_pooling, pooling
from .tensors import Op


class LPPool(Op):
    def forward(self, program, training):
        x, out, like = program.value(self.x), program.value(self.out), EMPTY[program.dtype]
        kernel, stride, padding, count_include_pad, divisor = self.layer._averaging()
        geometry = (*self.x.plane[1:], *self.out.plane[1:], *kernel, *stride, *padding, 1, 1)
        self.windows = windows = pooling.mean_windows(geometry, count_include_pad, divisor, program.dtype)
        powers, mean = program.like(self.x), program.like(self.out)
        self.p, self.sizes = self.layer.norm_type, (self.x.size * program.lanes, self.out.size * program.lanes)
        root = self.p, self.layer._scale(), self.sizes[1]

        def make(place):
            return [
                lp_pooling.power_forward.phase((like, place(powers), place(x), self.p, self.sizes[0]), 1),
                pooling.avg_pool_forward.phase((like, place(mean), place(powers), *windows[0], self.x.channels), 1),
                lp_pooling.root_forward.phase((like, place(out), place(mean), *root), 1),
            ]

        program.block(self.label, make, out, x, powers, mean)

    def backward(self, program):
        dout = program.gradient(self.out)
        if dout is None or not self.x.root.has_gradient:
            return
        x, out, like = program.value(self.x), program.value(self.out), EMPTY[program.dtype]
        dx, dpowers, dmean = program.like(self.x), program.like(self.x), program.like(self.out)
        root = self.p, self.layer._scale(), self.sizes[1]

        def make(place):
            return [
                lp_pooling.root_backward.phase((like, place(dmean), place(dout), place(out), *root), 1),
                pooling.avg_pool_backward.phase((like, place(dpowers), place(dmean), *self.windows[1], self.x.channels), 1),
                lp_pooling.power_backward.phase((like, place(dx), place(dpowers), place(x), self.p, self.sizes[0]), 1),
            ]

        program.block(self.label, make, dx, dout, x, out, dpowers, dmean)
        program.contribute(self.x, dx)
