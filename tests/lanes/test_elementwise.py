"""Elementwise lane kernels: the same bits as the kernels over whole batches, in place or not, local or not, NaN included."""

import numpy as np
import pytest

from fastnn import kernels
from fastnn.kernels._threads import link, run_chain
from fastnn.kernels._threads import run as run_phases
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes import elementwise
from fastnn.kernels.lanes.layout import Place, from_lanes, lanes_of, place_of, to_lanes

# lane kernel -> kernel over flat arrays, scalars
CASES = {
    "relu_forward": ("relu_forward", ()),
    "relu_backward": ("relu_backward", ()),
    "leaky_relu_forward": ("leaky_relu_forward", (0.125,)),
    "leaky_relu_backward": ("leaky_relu_backward", (0.125,)),
    "sigmoid_forward": ("sigmoid_forward", ()),
    "sigmoid_backward": ("sigmoid_backward", ()),
    "tanh_forward": ("tanh_forward", ()),
    "tanh_backward": ("tanh_backward", ()),
    "hardtanh_forward": ("hardtanh_forward", (-0.5, 0.75)),
    "hardtanh_backward": ("hardtanh_backward", (-0.5, 0.75)),
    "elu_forward": ("elu_forward", (0.75,)),
    "elu_backward": ("elu_backward", (0.75,)),
    "gelu_forward": ("gelu_forward", ()),
    "gelu_backward": ("gelu_backward", ()),
    "gelu_tanh_forward": ("gelu_tanh_forward", ()),
    "gelu_tanh_backward": ("gelu_tanh_backward", ()),
    "silu_forward": ("silu_forward", ()),
    "silu_backward": ("silu_backward", ()),
    "softplus_forward": ("softplus_forward", (1.5, 2.0)),
    "softplus_backward": ("softplus_backward", (1.5, 2.0)),
    "add": ("add", ()),
    "scale_by": ("multiply", ()),
    "copy": (None, ()),
}
INPUTS = {name: 1 if name.endswith("_forward") or name == "copy" else 2 for name in CASES}
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30])


def make(name, shape, rng, dtype):
    inputs = [rng.standard_normal(shape).astype(dtype) for _ in range(INPUTS[name])]
    for x in inputs:
        flat = x.reshape(-1)
        flat[rng.permutation(flat.size)[: SPECIAL.size]] = SPECIAL
    return inputs


def expected_of(name, inputs):
    flat, extra = CASES[name]
    out = np.empty_like(inputs[0])
    if flat is None:
        return inputs[0].copy()
    family = kernels.activations if hasattr(kernels.activations, flat) else kernels.smooth_activations
    getattr(family, flat)(out.reshape(-1), *(x.reshape(-1) for x in inputs), *extra)
    return out


def run_blocks(name, places, arrays, chunk, scratch=0):
    size, blocks = arrays[0][0].size, len(arrays[0])
    like = EMPTY[arrays[0].dtype]
    run_phases([getattr(elementwise, name).phase((like, *places, *CASES[name][1], size), blocks, chunk)], scratch)


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("shape", [(37, 3, 5, 7), (16, 5), (1, 11), (50, 1, 9)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_same_bits_as_over_batches(name, shape, chunk, dtype, rng):
    inputs = make(name, shape, rng, dtype)
    expected = expected_of(name, inputs)
    arrays = [to_lanes(x) for x in inputs]
    out = to_lanes(np.full_like(inputs[0], np.nan))
    run_blocks(name, [place_of(a) for a in (out, *arrays)], arrays, chunk)
    np.testing.assert_array_equal(from_lanes(out, shape[0]), expected)
    for array, x in zip(arrays, inputs):
        np.testing.assert_array_equal(array, to_lanes(x))


@pytest.mark.parametrize("name", CASES)
def test_in_place(name, dtype, rng):
    inputs = make(name, (37, 3, 5, 7), rng, dtype)
    for which in range(len(inputs)):
        arrays = [to_lanes(x) for x in inputs]
        run_blocks(name, [place_of(a) for a in (arrays[which], *arrays)], arrays, 2)
        np.testing.assert_array_equal(from_lanes(arrays[which], 37), expected_of(name, inputs))


def test_both_inputs_in_place(dtype, rng):
    x = rng.standard_normal((20, 4)).astype(dtype)
    array = to_lanes(x)
    run_blocks("add", [place_of(array)] * 3, [array, array], 1)
    np.testing.assert_array_equal(from_lanes(array, 20), x + x)


@pytest.mark.parametrize("chunk", [1, 3])
def test_local_places(chunk, dtype, rng):
    """x into the thread's own memory, doubled there, and out of it again."""
    x = rng.standard_normal((5 * lanes_of(dtype) + 3, 3, 4)).astype(dtype)
    array, out = to_lanes(x), to_lanes(np.full_like(x, np.nan))
    size, step = array[0].size, array[0].nbytes
    local, like = Place(64, step, 1), EMPTY[dtype]
    records = [
        elementwise.copy.phase((like, local, place_of(array), size), len(array), chunk),
        elementwise.add.phase((like, local, local, local, size), len(array), chunk),
        elementwise.copy.phase((like, place_of(out), local, size), len(array), chunk),
    ]
    memory, cells = np.zeros(64 + chunk * step, np.uint8), np.zeros(16, np.int64)
    run_chain(link([records]), 1, memory.ctypes.data, memory.size, cells.ctypes.data)
    np.testing.assert_array_equal(from_lanes(out, len(x)), 2 * x)
