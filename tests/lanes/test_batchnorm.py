"""Batch normalization over lanes: the twin, ReLU and residuals, means far from zero, the layer's state, NaN, threads."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels import reference
from fastnn.kernels._threads import BLOCKS, SAMPLES, link, run_chain
from fastnn.kernels._threads import run as run_phases
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes import batchnorm as bn
from fastnn.kernels.lanes import elementwise
from fastnn.kernels.lanes.layout import Place, from_lanes, lanes_of, place_of, to_lanes

# N, C, H, W
SHAPES = [(37, 13, 5, 7), (16, 4, 3, 3), (64, 64), (3, 1, 4, 4), (3, 5), (33, 3, 10), (5, 15, 17, 2), (18, 8, 1, 1)]
EPS = 1e-5
NOWHERE = Place(0, 0, 0)


class Plan:
    """The arrays of one layer, and its kernels in order."""

    def __init__(self, x, weight=None, bias=None, running=None, momentum=0.1, eps=EPS, chunk=1, wide=2):
        C, dtype = x.shape[1], x.dtype
        self.x, self.dtype, self.C, self.eps, self.momentum = to_lanes(x), dtype, C, eps, momentum
        self.samples, self.chunk, self.wide = len(x), chunk, wide
        self.positions = int(np.prod(x.shape[2:], dtype=int))
        self.weight = np.ones(C, dtype) if weight is None else weight
        self.bias = np.zeros(C, dtype) if bias is None else bias
        nothing = np.empty(0, dtype), np.empty(0, dtype), np.empty(0, np.int64)
        self.running = nothing if running is None else running
        self.partial = np.full((len(self.x) + 1, 2, C), np.nan)
        self.statistics = np.full((2, C), np.nan)
        self.coefficients, self.gradients = np.full((2, 3, C), np.nan, dtype)
        self.cells = np.zeros(16, np.int64)
        self.cells[SAMPLES], self.cells[BLOCKS] = len(x), len(self.x)
        self.place = place_of(self.x)

    def blocks(self, kernel, *args):
        return kernel.phase((EMPTY[self.dtype], *args), len(self.x), self.chunk)

    def channels(self, kernel, *args):
        return kernel.phase((EMPTY[self.dtype], *args), self.C, self.wide)

    def statistics_phases(self):
        *running, count = self.running
        merged = self.statistics, self.coefficients, self.partial, self.weight, self.bias, *running, count
        return [
            self.blocks(bn.moments, self.partial, self.place, count, self.positions, self.C, self.cells),
            self.channels(
                bn.merge, *merged, self.eps, -1.0 if self.momentum is None else self.momentum, self.positions, self.cells
            ),
        ]

    def forward(self, relu=0, residual=None, in_place=False):
        out = self.x if in_place else np.full_like(self.x, np.nan)
        added = to_lanes(residual) if residual is not None else None
        place = NOWHERE if residual is None else place_of(added)
        sizes = self.positions, self.C, relu, int(residual is not None)
        apply = self.blocks(bn.apply, place_of(out), self.place, place, self.coefficients, *sizes)
        run_phases([*self.statistics_phases(), apply])
        self.out = out
        return from_lanes(out, self.samples)

    def backward(self, dout, mask=bn.UNMASKED, store=False):
        douts = to_lanes(dout)
        douts.reshape(len(douts), -1, douts.shape[-1])[-1][:, self.cells[SAMPLES] - (len(douts) - 1) * douts.shape[-1] :] = 0
        dmasked, dx = np.full_like(douts, np.nan), np.full_like(douts, np.nan)
        dweight, dbias = np.full((2, self.C), np.nan, self.dtype)
        out = place_of(self.out) if mask == bn.MASK_FROM_OUT else NOWHERE
        places = place_of(dmasked) if store else NOWHERE, place_of(douts), self.place, out
        then = place_of(dmasked if store else douts), self.place, out
        merged = dweight, dbias, self.gradients, self.partial, self.weight, self.coefficients, self.statistics
        sizes = self.positions, self.C
        run_phases(
            [
                self.blocks(bn.backward_sums, self.partial, *places, self.coefficients, *sizes, mask, int(store)),
                self.channels(bn.backward_merge, *merged, self.positions, self.cells),
                self.blocks(
                    bn.backward_apply, place_of(dx), *then, self.coefficients, self.gradients, *sizes,
                    bn.UNMASKED if store else mask, self.cells,
                ),
            ]
        )  # fmt: skip
        self.dx, self.dmasked = dx, dmasked
        return from_lanes(dx, self.samples), dweight, dbias


def rows(x):
    return x.reshape(x.shape[0], x.shape[1], -1)


class Twin:
    """The same by the reference kernels, in float64."""

    def __init__(self, x, weight, bias, eps=EPS):
        self.x, self.weight, self.bias, self.eps = rows(x).astype(np.float64), weight.astype(np.float64), bias, eps
        self.shape = x.shape
        self.mean, self.var = np.empty((2, x.shape[1]))
        reference.batchnorm.batchnorm_statistics(self.mean, self.var, self.x)

    def forward(self, relu=False, residual=None):
        out = np.empty_like(self.x)
        reference.batchnorm.batchnorm_forward(out, self.x, self.mean, self.var, self.weight, self.bias, self.eps)
        out = out.reshape(self.shape)
        if residual is not None:
            out += residual
        self.out = np.maximum(out, 0) if relu else out
        return self.out

    def backward(self, dout, relu=False):
        dy = rows(np.where(self.out <= 0, 0, dout) if relu else dout).astype(np.float64)
        dweight, dbias = np.empty((2, self.shape[1]))
        statistics = self.x, self.mean, self.var
        reference.batchnorm.batchnorm_backward_params(dweight, dbias, self.x, dy, self.mean, self.var, self.eps)
        dx = np.empty_like(self.x)
        reference.batchnorm.batchnorm_backward_input(dx, dy, *statistics, self.weight, dweight, dbias, self.eps)
        self.dy = dy.reshape(self.shape)
        return dx.reshape(self.shape), dweight, dbias


def make(shape, rng, dtype):
    C = shape[1]
    x, dout, residual = rng.standard_normal((3, *shape)).astype(dtype)
    spread, centre = (np.moveaxis(v, 0, -1) for v in (1 + rng.random((C, 1)), 3 * rng.standard_normal((C, 1))))
    x = np.moveaxis(np.moveaxis(x, 1, -1) * spread[0] + centre[0], -1, 1).astype(dtype)
    weight, bias = rng.standard_normal((2, C)).astype(dtype)
    return x, dout, residual, weight, bias


def test_worked_answers(dtype, assert_close):
    x = np.array([[[1, 3], [10, 20]], [[5, 7], [20, 10]]], dtype)  # means 4 and 15, variances 5 and 25
    plan = Plan(x, np.array([3, 10], dtype), np.array([1, -1], dtype), eps=11.0)
    assert_close(plan.forward(), [[[-1.25, 0.25], [-28 / 3, 22 / 3]], [[1.75, 3.25], [22 / 3, -28 / 3]]])
    assert_close(plan.statistics, [[4, 15], [1 / 4, 1 / 6]])


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twin(shape, chunk, dtype, rng, assert_close):
    x, dout, _, weight, bias = make(shape, rng, dtype)
    plan, twin = Plan(x, weight, bias, chunk=chunk), Twin(x, weight, bias)
    assert_close(plan.forward(), twin.forward())
    for actual, expected in zip(plan.backward(dout), twin.backward(dout)):
        assert_close(actual, expected, length=x.size // shape[1])


@pytest.mark.parametrize(
    "mask, store", [(bn.MASK_FROM_X, 0), (bn.MASK_FROM_X, 1), (bn.MASK_FROM_OUT, 0), (bn.MASK_FROM_OUT, 1)]
)
@pytest.mark.parametrize("shape", SHAPES[:5], ids=str)
def test_relu(shape, mask, store, dtype, rng, assert_close):
    x, dout, residual, weight, bias = make(shape, rng, dtype)
    residual = residual if mask == bn.MASK_FROM_OUT else None
    plan, twin = Plan(x, weight, bias), Twin(x, weight, bias)
    assert_close(plan.forward(1, residual), twin.forward(True, residual))
    for actual, expected in zip(plan.backward(dout, mask, store), twin.backward(dout, True)):
        assert_close(actual, expected, length=x.size // shape[1])
    if store:
        np.testing.assert_array_equal(from_lanes(plan.dmasked, len(x)), twin.dy)


def test_mask_from_x_is_that_of_the_output(dtype, rng):
    x, dout, _, weight, bias = make((40, 13, 9, 5), rng, dtype)
    plan = Plan(x, weight, bias)
    plan.forward(1)
    one, other = plan.backward(dout, bn.MASK_FROM_X), plan.backward(dout, bn.MASK_FROM_OUT)
    for a, b in zip(one, other):
        np.testing.assert_array_equal(a, b)


def test_padded_lanes_get_no_gradient(dtype, rng):
    x, dout, _, weight, bias = make((lanes_of(dtype) + 1, 5, 4, 4), rng, dtype)
    plan = Plan(x, weight, bias)
    plan.forward()
    plan.backward(dout)
    assert np.all(plan.dx[-1][..., 1:] == 0)
    assert np.all(plan.dx[-1][..., 0] != 0)


def test_in_place(dtype, rng):
    x, _, residual, weight, bias = make((37, 6, 5, 7), rng, dtype)
    expected = Plan(x, weight, bias).forward(1, residual)
    np.testing.assert_array_equal(Plan(x, weight, bias).forward(1, residual, in_place=True), expected)


@pytest.mark.parametrize("momentum", [0.1, 1.0, None])
def test_running_statistics_of_the_layer(momentum, dtype, rng, assert_close):
    C = 7
    layer = fastnn.BatchNorm2d(C, momentum=momentum, dtype=dtype)
    running = np.zeros(C, dtype), np.ones(C, dtype), np.zeros(1, np.int64)
    for n in (40, 3, 16):
        x = (2 + 3 * rng.standard_normal((n, C, 4, 3))).astype(dtype)
        layer.forward(x, training=True)
        Plan(x, running=running, momentum=momentum, wide=3).forward()
    for name, actual in zip(("running_mean", "running_var", "num_batches_tracked"), running):
        assert_close(actual, np.atleast_1d(layer.state[name]))


def test_evaluation_has_the_bits_of_the_layer(dtype, rng):
    x, _, _, weight, bias = make((37, 11, 3, 4), rng, dtype)
    layer = fastnn.BatchNorm2d(11, dtype=dtype)
    layer.params["weight"][...], layer.params["bias"][...] = weight, bias
    layer.state["running_mean"][...], layer.state["running_var"][...] = rng.standard_normal(11), rng.random(11)
    plan = Plan(x)
    out, running = np.full_like(plan.x, np.nan), (layer.state["running_mean"], layer.state["running_var"])
    places = place_of(out), plan.place, NOWHERE
    run_phases(
        [
            plan.channels(bn.eval_coefficients, plan.coefficients, weight, bias, *running, EPS),
            plan.blocks(bn.apply, *places, plan.coefficients, plan.positions, plan.C, 0, 0),
        ]
    )
    np.testing.assert_array_equal(from_lanes(out, len(x)), layer.forward(x))


@pytest.mark.parametrize("drift", ["none", "first position", "samples"])
def test_means_far_from_zero(drift, rng):
    """Mean 1e4, deviation 1e-2 in float32, where one position or some samples may lie elsewhere."""
    x = (1e4 + 1e-2 * rng.standard_normal((50, 9, 12, 12))).astype(np.float32)
    if drift == "first position":
        x[:, :, 0, 0] = 0
    elif drift == "samples":
        x[:20] -= 500
    dout = rng.standard_normal(x.shape).astype(np.float32)
    weight, bias = rng.standard_normal((2, 9)).astype(np.float32)
    plan, twin = Plan(x, weight, bias), Twin(x, weight, bias)
    out, expected = plan.forward(), twin.forward()
    np.testing.assert_allclose(plan.statistics[0], twin.mean, rtol=0, atol=1e-6 * np.sqrt(twin.var).min())
    np.testing.assert_allclose(plan.statistics[1] ** -2 - EPS, twin.var, rtol=1e-5)
    np.testing.assert_allclose(out, expected, atol=1e-5 * np.abs(expected).max())
    for actual, wanted in zip(plan.backward(dout), twin.backward(dout)):
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_its_channel(value, dtype, rng):
    x, dout, _, weight, bias = make((21, 5, 3, 3), rng, dtype)
    x[20, 2, 1, 1] = value
    plan = Plan(x, weight, bias)
    out = plan.forward(1)
    assert np.isnan(out[:, 2]).all() and np.isfinite(np.delete(out, 2, 1)).all()
    dx, dweight, dbias = plan.backward(dout, bn.MASK_FROM_X)
    assert np.isnan(dx[:, 2]).all() and np.isnan(dweight[2]) and np.isfinite(np.delete(dx, 2, 1)).all()
    np.testing.assert_allclose(dbias[2], dout[:, 2].sum(), rtol=1e-4)


def test_threads(dtype, rng, assert_same_bits):
    x, dout, residual, weight, bias = make((100, 13, 5, 7), rng, dtype)

    def step():
        plan = Plan(x, weight, bias)
        return plan.forward(1, residual), *plan.backward(dout, bn.MASK_FROM_OUT, True), plan.statistics

    assert_same_bits(step)


@pytest.mark.parametrize("chunk", [1, 3])
def test_local_places(chunk, dtype, rng):
    """apply from and into a thread's own memory."""
    x, _, residual, weight, bias = make((4 * lanes_of(dtype) - 1, 5, 3, 3), rng, dtype)
    expected = Plan(x, weight, bias).forward(1, residual)
    plan, residual = Plan(x, weight, bias, chunk=chunk), to_lanes(residual)
    out, size, step = np.full_like(plan.x, np.nan), plan.x[0].size, plan.x[0].nbytes
    one, two = Place(0, step, 1), Place(chunk * step, step, 1)
    records = [
        plan.blocks(elementwise.copy, one, plan.place, size),
        plan.blocks(elementwise.copy, two, place_of(residual), size),
        plan.blocks(bn.apply, two, one, two, plan.coefficients, plan.positions, plan.C, 1, 1),
        plan.blocks(elementwise.copy, place_of(out), two, size),
    ]
    memory = np.zeros(2 * chunk * step, np.uint8)
    phases = [[phase] for phase in plan.statistics_phases()]
    run_chain(link([*phases, records]), 1, memory.ctypes.data, memory.size, plan.cells.ctypes.data)
    np.testing.assert_array_equal(from_lanes(out, len(x)), expected)
