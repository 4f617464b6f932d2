"""Depthwise convolutions over lane blocks against their NumPy twins."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.kernels import reference
from fastnn.kernels._threads import run
from fastnn.kernels.lanes import depthwise
from fastnn.kernels.lanes.layout import Place, aligned_zeros, from_lanes, lanes_of, place_of, to_lanes
from fastnn.kernels.lanes.taps import Geometry


def geometry(channels, times, size, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    reach = [dilation[d] * (kernel[d] - 1) + 1 for d in range(2)]
    out_size = tuple((size[d] + 2 * padding[d] - reach[d]) // stride[d] + 1 for d in range(2))
    return Geometry(channels, channels * times, size, out_size, kernel, stride, padding, dilation, channels)


LAYERS = {
    "3x3": geometry(6, 1, (9, 11), (3, 3), padding=(1, 1)),
    "3x3, no padding": geometry(5, 1, (7, 8), (3, 3)),
    "3x3, much padding": geometry(5, 1, (4, 6), (3, 3), padding=(2, 2)),
    "3x3, stride": geometry(7, 1, (9, 10), (3, 3), (2, 2), (1, 1)),
    "two filters": geometry(5, 2, (6, 7), (3, 3), padding=(1, 1)),
    "two filters, stride": geometry(19, 2, (7, 6), (3, 3), (2, 2), (1, 1)),
    "many channels": geometry(37, 1, (5, 4), (3, 3), padding=(1, 1)),
    "5x5": geometry(3, 1, (8, 9), (5, 5), padding=(2, 2)),
    "5x5, stride": geometry(18, 1, (9, 9), (5, 5), (2, 2), (2, 2)),
    "7x7": geometry(3, 1, (9, 12), (7, 7), padding=(3, 3)),
    "kernel as large as the plane": geometry(4, 1, (7, 7), (7, 7)),
    "not square": geometry(4, 1, (6, 9), (2, 5), (1, 2), (1, 0)),
    "dilation": geometry(4, 1, (9, 13), (3, 3), padding=(2, 3), dilation=(2, 3)),
    "dilation and stride": geometry(4, 2, (13, 11), (3, 2), (2, 3), (2, 1), (2, 2)),
    "stride above kernel": geometry(4, 1, (7, 8), (1, 1), (3, 2)),
    "padding beyond the kernel": geometry(3, 1, (3, 4), (2, 3), (1, 2), (3, 4)),
    "1-d": geometry(5, 1, (1, 17), (1, 3), padding=(0, 1)),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request):
    return request.param


def _batch(layer, dtype, rng):
    """x, weight, bias, dout of 2 blocks and a bit."""
    samples = 2 * lanes_of(dtype) + 3
    shapes = [
        (samples, layer.channels, *layer.size),
        (layer.filters, 1, *layer.kernel),
        (layer.filters,),
        (samples, layer.filters, *layer.out_size),
    ]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def _options(layer):
    return layer.stride, layer.padding, layer.dilation, layer.groups


def _blocks(shape, dtype):
    """Blocks of NaN for samples of shape (N, C, H, W)."""
    samples, channels, *size = shape
    array = aligned_zeros((-(-samples // lanes_of(dtype)), *size, channels, lanes_of(dtype)), dtype)
    array[...] = np.nan
    return array


def _dout_blocks(dout):
    """Gradients in lanes: those beyond the batch are 0."""
    blocks = to_lanes(dout)
    left = len(dout) % lanes_of(dout.dtype)
    if left:
        blocks[-1, ..., left:] = 0
    return blocks


def _forward(x, weight, bias, layer, chunk=1, relu=False):
    out, blocks = _blocks((len(x), layer.filters, *layer.out_size), x.dtype), to_lanes(x)
    run([depthwise.forward_record(place_of(out), place_of(blocks), weight, bias, layer, len(out), chunk, relu=relu)])
    return from_lanes(out, len(x))


def _backward_input(dout, weight, layer, chunk=1):
    dx, blocks = _blocks((len(dout), layer.channels, *layer.size), dout.dtype), _dout_blocks(dout)
    run([depthwise.backward_input_record(place_of(dx), place_of(blocks), weight, layer, len(dx), chunk)])
    return from_lanes(dx, len(dout))


def _backward_weight(x, dout, layer, chunk=1, with_bias=True):
    """Sums of the sets of gradients."""
    blocks, gradients = to_lanes(x), _dout_blocks(dout)
    sets = -(-len(blocks) // chunk) + 1  # one more than are used
    dweights = np.full((sets, layer.filters * layer.taps), np.nan, x.dtype)
    dbiases = np.full((sets, layer.filters), np.nan, x.dtype) if with_bias else None
    places = place_of(blocks), place_of(gradients)
    record = depthwise.weight_record(dweights, dbiases, *places, layer, len(blocks), chunk, Place(64, 0, 1))
    run([record], 64 + depthwise.weight_work_bytes(layer, x.dtype))
    results = [dweights] if dbiases is None else [dweights, dbiases]
    assert all(np.isnan(sets[-1]).all() for sets in results)
    return [sets[:-1].sum(0) for sets in results]


@pytest.mark.parametrize("chunk", [1, 3])
def test_forward_agrees_with_the_twin(layer, dtype, rng, chunk, assert_close):
    x, weight, bias, dout = _batch(layer, dtype, rng)
    expected = np.empty_like(dout)
    reference.conv.conv2d_forward(expected, x, weight, bias, *_options(layer))
    assert_close(_forward(x, weight, bias, layer, chunk), expected, layer.taps)
    assert_close(_forward(x, weight, bias, layer, chunk, relu=True), np.maximum(expected, 0), layer.taps)
    assert_close(_forward(x, weight, None, layer, chunk), expected - bias[:, None, None], layer.taps)


@pytest.mark.parametrize("chunk", [1, 3])
def test_backward_input_agrees_with_the_twin(layer, dtype, rng, chunk, assert_close):
    x, weight, _, dout = _batch(layer, dtype, rng)
    expected = np.empty_like(x)
    reference.conv.conv2d_backward_input(expected, dout, weight, *_options(layer))
    assert_close(_backward_input(dout, weight, layer, chunk), expected, layer.filters // layer.channels * layer.taps)


@pytest.mark.parametrize("chunk", [1, 3])
def test_backward_weight_agrees_with_the_twin(layer, dtype, rng, chunk, assert_close):
    x, weight, _, dout = _batch(layer, dtype, rng)
    expected, expected_bias = np.empty_like(weight), np.empty(layer.filters, dtype)
    reference.conv.conv2d_backward_weight(expected, x, dout, *_options(layer))
    reference.conv.conv2d_backward_bias(expected_bias, dout)
    length = len(x) * layer.out_size[0] * layer.out_size[1]
    dweight, dbias = _backward_weight(x, dout, layer, chunk)
    assert_close(dweight, expected.reshape(-1), length)
    assert_close(dbias, expected_bias, length)
    (alone,) = _backward_weight(x, dout, layer, chunk, with_bias=False)
    assert alone.tobytes() == dweight.tobytes()


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_geometry(data):
    draw = data.draw
    kernel, stride, padding, dilation = (
        tuple(draw(st.integers(low, high)) for _ in range(2)) for low, high in ((1, 4), (1, 3), (0, 3), (1, 3))
    )
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    size = tuple(draw(st.integers(max(1, n - 2 * p), 13)) for n, p in zip(spans, padding))
    layer = geometry(draw(st.integers(2, 20)), draw(st.integers(1, 2)), size, kernel, stride, padding, dilation)
    x, weight, bias, dout = _batch(layer, np.float64, np.random.default_rng(0))
    expected = np.empty_like(dout), np.empty_like(x), np.empty_like(weight)
    reference.conv.conv2d_forward(expected[0], x, weight, bias, *_options(layer))
    reference.conv.conv2d_backward_input(expected[1], dout, weight, *_options(layer))
    reference.conv.conv2d_backward_weight(expected[2], x, dout, *_options(layer))
    found = _forward(x, weight, bias, layer), _backward_input(dout, weight, layer), _backward_weight(x, dout, layer)[0]
    for actual, right in zip(found, expected):
        np.testing.assert_allclose(actual.reshape(right.shape), right, rtol=1e-10, atol=1e-10 * (1 + np.abs(right).max()))


@pytest.mark.parametrize("name", ["3x3", "5x5, stride", "two filters"])
def test_same_bits_for_any_number_of_threads(name, rng, assert_same_bits):
    layer = LAYERS[name]
    x = rng.standard_normal((83, layer.channels, *layer.size)).astype(np.float32)
    dout = rng.standard_normal((83, layer.filters, *layer.out_size)).astype(np.float32)
    weight = rng.standard_normal((layer.filters, 1, *layer.kernel)).astype(np.float32)

    def everything():
        maps = _forward(x, weight, None, layer, 2), _backward_input(dout, weight, layer, 2)
        return [*maps, *_backward_weight(x, dout, layer, 2)]

    assert_same_bits(everything)


def test_nothing_outside_a_block_is_read_or_written(layer, rng):
    """Neighbours of a block are NaN before and after."""
    dtype = np.dtype(np.float32)
    _, weight, bias, _ = _batch(layer, dtype, rng)
    x, dout = (_blocks((3 * lanes_of(dtype), *shape), dtype) for shape in _shapes(layer))
    out, dx = np.full_like(dout, np.nan), np.full_like(x, np.nan)
    x[1], dout[1] = rng.standard_normal(x[1].shape), rng.standard_normal(dout[1].shape)
    one = [Place(array[1].ctypes.data, 0, 0) for array in (out, x, dx, dout)]
    run([depthwise.forward_record(*one[:2], weight, bias, layer, 1, 1)])
    run([depthwise.backward_input_record(*one[2:], weight, layer, 1, 1)])
    for array in (out, dx):
        assert np.isfinite(array[1]).all() and np.isnan(array[[0, 2]]).all()
    sums = np.empty((1, weight.size), dtype)
    work = Place(0, 0, 1)
    record = depthwise.weight_record(sums, None, one[1], one[3], layer, 1, 1, work)
    run([record], depthwise.weight_work_bytes(layer, dtype))
    assert np.isfinite(sums).all()


def _shapes(layer):
    return (layer.channels, *layer.size), (layer.filters, *layer.out_size)


def test_local_places(rng, assert_close):
    layer = LAYERS["3x3"]
    x, weight, _, _ = _batch(layer, np.dtype(np.float64), rng)
    blocks, dx = to_lanes(x), _blocks(x.shape, x.dtype)
    local = Place(128, dx[0].nbytes, 1)
    records = [
        depthwise.forward_record(local, place_of(blocks), weight, None, layer, len(blocks), 2),
        depthwise.backward_input_record(place_of(dx), local, weight, layer, len(blocks), 2),
    ]
    records[0][4] = records[1].buffer_info()[0]  # one phase of two records
    run(records[:1], 128 + 2 * dx[0].nbytes)
    out, expected = np.empty_like(x), np.empty_like(x)
    reference.conv.conv2d_forward(out, x, weight, None, *_options(layer))
    reference.conv.conv2d_backward_input(expected, out, weight, *_options(layer))
    assert_close(from_lanes(dx, len(x)), expected, layer.taps)


def test_nan_and_infinity_travel():
    layer = geometry(2, 1, (4, 4), (3, 3), padding=(1, 1))
    lanes = lanes_of(np.float32)
    x = np.zeros((lanes, 2, 4, 4), np.float32)
    x[0, 0, 0, 0], x[1, 1, 3, 3] = np.nan, np.inf
    out = _forward(x, np.ones((2, 1, 3, 3), np.float32), np.zeros(2, np.float32), layer, relu=True)
    assert np.isnan(out[0, 0, :2, :2]).all() and np.isinf(out[1, 1, 2:, 2:]).all()
    out[0, 0, :2, :2] = out[1, 1, 2:, 2:] = 0
    assert not out.any()  # nothing leaks to other positions, channels or samples
    dweight, dbias = _backward_weight(np.ones_like(x), np.nan_to_num(x, nan=np.nan, posinf=np.inf), layer)
    assert np.isnan(dweight.reshape(2, 3, 3)[0]).any() and np.isnan(dbias[0]) and np.isinf(dbias[1])


@pytest.mark.parametrize(
    "layer, expected",
    [
        (LAYERS["3x3"], True),
        (LAYERS["two filters"], True),
        (LAYERS["3x3"]._replace(groups=3), False),
        (geometry(1, 1, (9, 9), (3, 3)), False),
        (geometry(4, 1, (9, 9), (8, 8)), False),
        (LAYERS["kernel as large as the plane"], False),
    ],
)
def test_applies(layer, expected):
    assert depthwise.applies(layer) is expected


@pytest.mark.slow
@pytest.mark.parametrize("cpu", [("haswell", "+avx,+avx2,+fma"), ("x86-64", "")])
def test_narrower_vectors(cpu, tmp_path):
    """The same tests where vectors are narrower and registers fewer."""
    if os.environ.get("NUMBA_CPU_NAME"):
        pytest.skip("runs in itself")
    import platform

    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("names of x86 processors")
    env = {**os.environ, "NUMBA_CPU_NAME": cpu[0], "NUMBA_CPU_FEATURES": cpu[1], "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", "agrees"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
