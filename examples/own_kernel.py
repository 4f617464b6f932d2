#!/usr/bin/env python3
"""A layer of one's own, PReLU, with kernels of its own: networks with it train as compiled plans. docs/plan.md explains it.

python examples/own_kernel.py
"""

import numpy as np

import fastnn as fnn
from fastnn.plan import Op, block_at, kernel, lanes_in, locate, operation, vectors

# --- 1. the layer: NumPy is enough. This is what runs layer by layer, and what the kernels are checked against.


class PReLU(fnn.Layer):
    """x where it is positive, else slope[c] * x, with a trained slope for each channel: (N, C, ...) -> (N, C, ...)."""

    def __init__(self, channels, start=0.25, *, dtype=np.float32):
        super().__init__()
        self.channels, self.start = channels, start
        self.add_param("weight", np.full(channels, start, dtype))

    def output_shape(self, input_shape):
        if input_shape[0] != self.channels:
            raise ValueError(f"PReLU: expected {self.channels} channels, got input_shape={input_shape}")
        return input_shape

    def _slopes(self, x):
        return self.params["weight"].reshape(-1, *(1,) * (x.ndim - 2))

    def forward(self, x, *, training=False):
        self.saved = x if training else None
        return np.where(x > 0, x, self._slopes(x) * x)

    def backward(self, dout, *, need_dx=True):
        x = self.take_saved()
        every_axis_but_channels = (0, *range(2, x.ndim))
        self.grads["weight"] = np.where(x > 0, 0, dout * x).sum(axis=every_axis_but_channels)
        return np.where(x > 0, dout, self._slopes(x) * dout) if need_dx else None


# --- 2. the kernels: blocks first..last of a batch. A block is an array [position, channel, lane], the lanes being samples.


@kernel()
def prelu_forward(like, out, x, slopes, positions, first, last, scratch):
    lanes = lanes_in(like)
    size = positions * slopes.size * lanes
    for block in range(first, last):
        outs, xs = block_at(like, out, block, first, scratch, size), block_at(like, x, block, first, scratch, size)
        for row in range(positions * slopes.size):
            slope = slopes[row % slopes.size]
            for i in range(row * lanes, (row + 1) * lanes):
                outs[i] = xs[i] if xs[i] > 0 else slope * xs[i]


@kernel()
def prelu_backward(like, dx, sets, dout, x, slopes, positions, chunk, first, last, scratch):
    # Sums over positions stay in a vector register: plain loops do not get there, see `vectors`.
    row, zero = lanes_in(like) * like.itemsize, like.dtype.type(0)
    sums = sets[first // chunk]  # the gradient of these blocks alone: nobody else writes here
    sums[:] = 0
    for block in range(first, last):
        dx_at, dout_at = locate(dx, block, first, scratch), locate(dout, block, first, scratch)
        x_at = locate(x, block, first, scratch)
        for c in range(slopes.size):
            slope, found = vectors.splat(like, slopes[c]), vectors.splat(like, zero)
            for p in range(positions):
                here = (p * slopes.size + c) * row
                value, upstream = vectors.load(like, x_at + here), vectors.load(like, dout_at + here)
                positive = zero < value
                vectors.store(dx_at + here, vectors.select(positive, upstream, upstream * slope))
                found += vectors.select(positive, zero, upstream * value)
            sums[c] += vectors.total(found)


# --- 3. the operation: which kernels with which arrays. Registered for layers of type PReLU.


@operation(PReLU)
class PReLUOp(Op):
    def forward(self, program, training):
        x, out = program.value(self.x), program.value(self.out)
        like, slopes, positions = np.empty(0, program.dtype), self.layer.params["weight"], self.x.positions

        def records(place):
            return [prelu_forward.phase((like, place(out), place(x), slopes, positions), 1)]

        program.block(self.label, records, out, x)

    def backward(self, program):
        dout, x, dx = program.gradient(self.out), program.value(self.x), program.like(self.x)
        like, slopes, positions = np.empty(0, program.dtype), self.layer.params["weight"], self.x.positions
        sets = program.gradient_sets(self.layer.grads["weight"])

        def records(place):
            places = place(dx), sets, place(dout), place(x)
            return [prelu_backward.phase((like, *places, slopes, positions, program.chunk), 1)]

        program.block(self.label, records, dx, dout, x)
        program.contribute(self.x, dx)


# --- 4. use and checks


def network(dtype=np.float32):
    own = {"dtype": dtype, "rng": 0}
    return fnn.Sequential(
        fnn.Conv2d(1, 8, 5, **own), PReLU(8, dtype=dtype), fnn.MaxPool2d(2), fnn.Flatten(),
        fnn.Dense(8 * 12 * 12, 40, **own), PReLU(40, dtype=dtype), fnn.Dense(40, 10, **own),
    )  # fmt: skip


def check():
    """The layer is right (finite differences), and the plan does what the layers do (losses, parameters, predictions)."""
    rng = np.random.default_rng(0)
    print(fnn.gradcheck(PReLU(3, dtype=np.float64), rng.standard_normal((4, 3, 5))))
    x, y = rng.standard_normal((50, 1, 28, 28)), rng.integers(0, 10, 50)
    runs = []
    for plan in (True, False):
        with fnn.config(plan=plan):
            net = network(np.float64)
            trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.Adam(lr=0.01), seed=0)
            runs.append(([trainer.step(x, y) for _ in range(5)], net.flat_params, net.predict(x)))
    for planned, layered in zip(*runs):
        np.testing.assert_allclose(planned, layered, rtol=1e-9, atol=1e-12)
    print("plan and layers agree")


def main():
    check()
    net = network()
    print(net.summary((1, 28, 28)))
    digits = fnn.data.mnist_subset()
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.Adam(lr=2e-3), seed=0)
    trainer.fit(digits.train_images, digits.train_labels, epochs=3, batch_size=64, progress=False)
    print(f"test accuracy {trainer.evaluate(digits.test_images, digits.test_labels)['accuracy']:.1%}")


if __name__ == "__main__":
    main()
