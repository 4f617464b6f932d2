"""Group and layer normalization over lane blocks, against the NumPy twins."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels._threads import run
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes import groupnorm
from fastnn.kernels.lanes.layout import Place, from_lanes, lanes_of, place_of, to_lanes

DOUBLE = EMPTY[np.dtype(np.float64)]
NOWHERE = Place(0, 0, 0)
EPS = 1e-5

# shape of a sample, groups; a weight for each channel, element or position
# no groups of one or two values: these normalise to 0, or to -1 and 1, and their gradient is rounding noise
CASES = [
    ((3,), 1, "channel"),
    ((40,), 1, "channel"),
    ((6, 3), 2, "channel"),
    ((8, 2, 5), 8, "channel"),
    ((64, 4, 3), 4, "channel"),
    ((40,), 10, "channel"),
    ((5, 3, 2), 1, "element"),
    ((3, 17), 3, "position"),
    ((4, 3, 2), 4, "position"),
]


class Norm:
    """The arrays of one layer, and its kernels."""

    def __init__(self, x, groups, kind, weight, bias, chunk=1, eps=EPS):
        C, positions = x.shape[1], int(np.prod(x.shape[2:], dtype=int))
        steps = {"channel": (1, 0), "element": (positions, 1), "position": (0, 1)}[kind]
        self.x, self.samples, self.dtype, self.chunk, self.eps = to_lanes(x), len(x), x.dtype, chunk, eps
        self.weight, self.bias = weight, bias
        self.sizes = positions, C, groups, *steps
        self.likes = EMPTY[x.dtype], DOUBLE
        self.stats = np.full((len(self.x), groups, 3, lanes_of(x.dtype)), np.nan, x.dtype)

    def forward(self):
        out = np.full_like(self.x, np.nan)
        places = place_of(out), place_of(self.stats), place_of(self.x)
        args = *self.likes, *places, self.weight, self.bias, self.sizes, self.eps
        run([groupnorm.groupnorm_forward.phase(args, len(self.x), self.chunk)])
        return from_lanes(out, self.samples)

    def backward(self, dout, need_dx=True, params=True):
        """(dx, dweight, dbias); the gradient is 0 in the lanes beyond the batch."""
        douts = to_lanes(dout)
        douts.reshape(len(douts), -1, douts.shape[-1])[-1][:, self.samples - (len(douts) - 1) * douts.shape[-1] :] = 0
        self.dx, chunks = np.full_like(douts, np.nan), -(-len(douts) // self.chunk) if params else 0
        dweight, dbias = (np.full((chunks, self.weight.size if params else 0), np.nan, self.dtype) for _ in range(2))
        places = Place(0, 0, 1), place_of(douts), place_of(self.x), place_of(self.stats)
        dx = place_of(self.dx) if need_dx else NOWHERE
        args = *self.likes, dx, dweight, dbias, *places, self.weight, self.sizes, self.chunk, int(need_dx)
        scratch = 2 * self.weight.size * lanes_of(self.dtype) * self.dtype.itemsize
        run([groupnorm.groupnorm_backward.phase(args, len(douts), self.chunk)], scratch)
        return from_lanes(self.dx, self.samples), dweight.sum(axis=0), dbias.sum(axis=0)


def twins(x, dout, groups, kind, weight, bias, eps=EPS):
    """(out, dx, dweight, dbias): a weight for each element is one channel for each; for each position, one sample a channel."""
    k = fastnn.kernels.resolve("reference").groupnorm
    shape = {"channel": (*x.shape[:2], -1), "element": (len(x), -1, 1), "position": (len(x) * x.shape[1], -1, 1)}[kind]
    x, dout = x.reshape(shape).astype(np.float64), dout.reshape(shape).astype(np.float64)
    rows = groups if kind == "channel" else 1
    out, dx, mean, rstd = np.empty_like(x), np.empty_like(x), *np.empty((2, len(x), rows))
    dweight, dbias = np.empty((2, weight.size))
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    k.groupnorm_forward(out, mean, rstd, x, weight, bias, eps)
    k.groupnorm_backward_params(dweight, dbias, x, dout, mean, rstd)
    k.groupnorm_backward_input(dx, dout, x, mean, rstd, weight)
    return out, dx, dweight, dbias


def make(case, rng, dtype, samples=None):
    shape, groups, kind = case
    x, dout = rng.standard_normal((2, samples or 2 * lanes_of(dtype) + 3, *shape)).astype(dtype)
    x = 2 + 3 * x
    size = {"channel": shape[0], "element": np.prod(shape), "position": np.prod(shape[1:], dtype=int)}[kind]
    weight, bias = rng.standard_normal((2, size)).astype(dtype)
    return x, dout, groups, kind, weight, bias


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_twins(case, chunk, dtype, rng, assert_close):
    x, dout, *settings = make(case, rng, dtype)
    norm, expected = Norm(x, *settings, chunk=chunk), twins(x, dout, *settings)
    for actual, wanted in zip((norm.forward(), *norm.backward(dout)), expected):
        assert_close(actual, wanted.reshape(actual.shape), length=10 * x[0].size)


def test_without_dx_or_parameters(dtype, rng):
    x, dout, *settings = make(CASES[4], rng, dtype)
    norm = Norm(x, *settings)
    norm.forward()
    dx, dweight, dbias = norm.backward(dout)
    np.testing.assert_array_equal(norm.backward(dout, need_dx=False)[1:], (dweight, dbias))
    assert np.isnan(norm.dx).all()
    np.testing.assert_array_equal(norm.backward(dout, params=False)[0], dx)


def test_padded_lanes_get_no_gradient(dtype, rng):
    x, dout, *settings = make(CASES[3], rng, dtype, lanes_of(dtype) + 1)
    norm = Norm(x, *settings)
    norm.forward()
    norm.backward(dout)
    assert np.all(norm.dx[-1][..., 1:] == 0)
    assert np.all(norm.dx[-1][..., 0] != 0)


@pytest.mark.parametrize("case", [CASES[1], CASES[4]], ids=str)
def test_values_far_from_zero(case, rng):
    """Mean 1e4, deviation 1e-2 in float32."""
    x, dout, *settings = make(case, rng, np.float32, 40)
    x = (1e4 + 1e-2 * (x - 2)).astype(np.float32)
    norm, expected = Norm(x, *settings, eps=0.0), twins(x, dout, *settings, eps=0.0)
    for actual, wanted in zip((norm.forward(), *norm.backward(dout)), expected):
        np.testing.assert_allclose(actual, wanted.reshape(actual.shape), rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_group(value, dtype, rng):
    x, dout, *settings = make(((6, 3), 3, "channel"), rng, dtype, 21)
    x[20, 2, 1] = value
    norm = Norm(x, *settings)
    out, (dx, dweight, dbias) = norm.forward(), norm.backward(dout)
    for result in out, dx:
        assert np.isnan(result[20, 2:4]).all()
        assert np.isfinite(result[:20]).all() and np.isfinite(np.delete(result[20], [2, 3], 0)).all()
    assert np.isnan(dweight).tolist() == [False, False, True, True, False, False]
    assert np.isfinite(dbias).all()


@pytest.mark.parametrize("case", [CASES[1], CASES[4]], ids=str)
def test_threads(case, dtype, rng, assert_same_bits):
    x, dout, *settings = make(case, rng, dtype, 200)

    def step():
        norm = Norm(x, *settings)
        return norm.forward(), *norm.backward(dout), norm.stats

    assert_same_bits(step)


@pytest.mark.parametrize("chunk", [1, 3])
def test_local_places(chunk, dtype, rng):
    """Forward into scratch memory, statistics too; backward from there: what comes out of the one is the dout of the other."""
    x, _, *settings = make(CASES[4], rng, dtype, 4 * lanes_of(dtype))
    norm = Norm(x, *settings, chunk=chunk)
    out = norm.forward()
    expected = norm.backward(out)[0]
    work, step, kept = 2 * norm.weight.size * lanes_of(dtype) * dtype.itemsize, norm.x[0].nbytes, norm.stats[0].nbytes
    local, stats = Place(work, step, 1), Place(work + chunk * step, kept, 1)
    args = *norm.likes, local, stats, place_of(norm.x), norm.weight, norm.bias, norm.sizes, norm.eps
    first = groupnorm.groupnorm_forward.phase(args, len(norm.x), chunk)
    none = np.empty((0, 0), dtype)
    places = place_of(norm.dx), none, none, Place(0, 0, 1), local, place_of(norm.x), stats
    second = groupnorm.groupnorm_backward.phase((*norm.likes, *places, norm.weight, norm.sizes, chunk, 1), len(norm.x), chunk)
    first[4] = second.buffer_info()[0]  # the same chunk on the same thread
    run([first], work + chunk * (step + kept))
    np.testing.assert_array_equal(from_lanes(norm.dx, len(x)), expected)
