"""Kernels over lane blocks: what a compiled plan is made of.

A vector register holds one value of each of LANES samples. So no kernel here ever shuffles, pads or masks: any stride, border
or plane size runs at full vector width, and whatever differs between samples only (a batch that ends within a block) is dealt
with where samples enter and where the loss is taken.

A batch of N samples of shape (C, H, W) lies as ``(blocks, H, W, C, LANES)``: block n // LANES, lane n % LANES. Samples of shape
(C,) have H = W = 1, those of shape (C, L) have H = 1. Lanes beyond N repeat the last sample, so that they are as finite as it
is; their gradients are 0.

Kernels are serial over blocks first..last of the batch and are chained into plans by `fastnn.plan`. Their first argument,
`like`, is an empty array that gives the dtype; where a block lies is a `Place`.
"""
