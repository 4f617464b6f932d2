"""Convolutions and dense layers over lane blocks against their NumPy twins."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn.kernels import _threads, reference
from fastnn.kernels._threads import run
from fastnn.kernels.lanes import affine, affine_weight, updates
from fastnn.kernels.lanes.layout import Place, aligned_zeros, from_lanes, lanes_of, place_of, to_lanes
from fastnn.kernels.lanes.taps import Geometry


def geometry(channels, filters, size, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    reach = [dilation[d] * (kernel[d] - 1) + 1 for d in range(2)]
    out_size = tuple((size[d] + 2 * padding[d] - reach[d]) // stride[d] + 1 for d in range(2))
    return Geometry(channels, filters, size, out_size, kernel, stride, padding, dilation, groups)


LAYERS = {
    "no padding": geometry(6, 16, (12, 12), (5, 5)),
    "one channel": geometry(1, 6, (11, 13), (5, 5)),
    "padding": geometry(5, 7, (9, 8), (3, 3), padding=(1, 1)),
    "one channel, padding": geometry(1, 5, (6, 9), (3, 3), padding=(2, 1)),
    "many filters": geometry(16, 64, (5, 5), (3, 3), padding=(1, 1)),
    "copies of both sides": geometry(8, 72, (6, 7), (3, 3), padding=(1, 1)),
    "several strips": geometry(8, 48, (20, 33), (3, 3), padding=(1, 1)),
    "stride, dilation": geometry(4, 6, (11, 7), (3, 2), (2, 3), (1, 1), (1, 2)),
    "stride above kernel": geometry(3, 4, (7, 8), (1, 1), (3, 2)),
    "groups": geometry(6, 9, (7, 7), (3, 3), (2, 2), (1, 1), (1, 1), 3),
    "depthwise": geometry(8, 8, (6, 6), (3, 3), padding=(1, 1), groups=8),
    "padding beyond the plane": geometry(4, 3, (2, 3), (5, 5), padding=(2, 2)),
    "padding around one pixel": geometry(4, 6, (1, 1), (3, 3), padding=(1, 1)),
    "1x1": geometry(17, 10, (6, 5), (1, 1)),
    "1-d": geometry(3, 5, (1, 9), (1, 3), padding=(0, 1)),
    "dense": geometry(53, 10, (1, 1), (1, 1)),
    "dense, few inputs": geometry(5, 33, (1, 1), (1, 1)),
    "flatten, dense": geometry(5, 33, (4, 4), (4, 4)),
    "flatten, dense, few taps": geometry(7, 3, (2, 1), (2, 1)),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request):
    return request.param


@pytest.fixture
def batch(layer, dtype, rng):
    """x, weight, bias, dout of 2 blocks and a bit."""
    samples = 2 * lanes_of(dtype) + 3
    shapes = [
        (samples, layer.channels, *layer.size),
        (layer.filters, layer.channels // layer.groups, *layer.kernel),
        (layer.filters,),
        (samples, layer.filters, *layer.out_size),
    ]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def _options(layer):
    return layer.stride, layer.padding, layer.dilation, layer.groups


def _blocks(shape, dtype, value=np.nan):
    """Blocks for samples of shape (N, C, H, W)."""
    samples, channels, *size = shape
    array = aligned_zeros((-(-samples // lanes_of(dtype)), *size, channels, lanes_of(dtype)), dtype)
    array[...] = value
    return array


def _dout_blocks(dout):
    """Gradients in lanes: those beyond the batch are 0."""
    blocks = to_lanes(dout)
    blocks[-1, ..., len(dout) % lanes_of(dout.dtype) :] = 0
    return blocks


def _cells(blocks):
    cells = np.zeros(16, np.int64)
    cells[_threads.BLOCKS] = len(blocks)
    return cells


RECORDS = [("chunk", 1), ("chunk", 3), ("parts", 1), ("parts", 5), ("parts", 16)]


def _forward(x, out, weight, bias, layer, how, **options):
    if how[0] == "chunk":
        record = affine.forward_record(place_of(out), place_of(x), weight, bias, layer, len(x), how[1], **options)
    else:
        record = affine.forward_parts_record(place_of(out), place_of(x), weight, bias, layer, _cells(x), how[1], **options)
    run([record])


def _backward_input(dx, dout, weight, layer, how, **options):
    if how[0] == "chunk":
        record = affine.backward_input_record(place_of(dx), place_of(dout), weight, layer, len(dx), how[1], **options)
    else:
        args = (place_of(dx), place_of(dout), weight, layer, _cells(dx), how[1])
        record = affine.backward_input_parts_record(*args, **options)
    run([record])


def _backward_weight(x, dout, layer, how, with_bias=True):
    dtype = x.dtype
    work = Place(64, 0, 1)
    if how[0] == "chunk":
        chunk = how[1]
        sets = -(-len(x) // chunk) + 1  # one more than are used
        dweight_sets = np.full((sets, layer.filters * layer.depth), np.nan, dtype)
        dbias_sets = np.full((sets, layer.filters), np.nan, dtype) if with_bias else None
        args = (dweight_sets, dbias_sets, place_of(x), place_of(dout), layer, len(x), chunk, work)
        run([affine_weight.weight_record(*args)], 64 + affine_weight.weight_work_bytes(layer, dtype, chunk))
        totals = []
        for gradient in (dweight_sets, dbias_sets):
            if gradient is not None:
                totals.append(np.full(gradient.shape[1], np.nan, dtype))
                args = totals[-1], gradient, 0, chunk, _cells(x)
                run([updates.sum_sets.phase(args, gradient.shape[1], updates.CHUNK)])
        return totals
    totals = [np.full(layer.filters * layer.depth, np.nan, dtype)]
    if with_bias:
        totals.append(np.full(layer.filters, np.nan, dtype))
    args = (totals[0], totals[1] if with_bias else None, place_of(x), place_of(dout), layer, _cells(x), how[1], work)
    run([affine_weight.weight_parts_record(*args)], 64 + affine_weight.weight_parts_work_bytes(layer, dtype, how[1]))
    return totals


@pytest.mark.parametrize("how", RECORDS)
def test_forward_agrees_with_the_twin(layer, batch, how, assert_close):
    x, weight, bias, dout = batch
    expected = np.empty_like(dout)
    reference.conv.conv2d_forward(expected, x, weight, bias, *_options(layer))
    out = _blocks(dout.shape, dout.dtype)
    _forward(to_lanes(x), out, weight, bias, layer, how)
    assert_close(from_lanes(out, len(x)), expected, layer.depth)
    _forward(to_lanes(x), out, weight, bias, layer, how, relu=True)
    assert_close(from_lanes(out, len(x)), np.maximum(expected, 0), layer.depth)
    out[...] = 2
    _forward(to_lanes(x), out, weight, None, layer, how, accumulate=True)
    assert_close(from_lanes(out, len(x)), expected - bias[:, None, None] + 2, layer.depth)


@pytest.mark.parametrize("how", RECORDS)
def test_backward_input_agrees_with_the_twin(layer, batch, how, assert_close):
    x, weight, _, dout = batch
    expected = np.empty_like(x)
    reference.conv.conv2d_backward_input(expected, dout, weight, *_options(layer))
    dx = _blocks(x.shape, x.dtype)
    _backward_input(dx, to_lanes(dout), weight, layer, how)
    assert_close(from_lanes(dx, len(x)), expected, layer.filters * layer.taps)
    _backward_input(dx, to_lanes(dout), weight, layer, how, accumulate=True)
    assert_close(from_lanes(dx, len(x)), 2 * expected, layer.filters * layer.taps)


@pytest.mark.parametrize("how", RECORDS)
def test_backward_weight_agrees_with_the_twin(layer, batch, how, assert_close):
    x, weight, _, dout = batch
    expected, expected_bias = np.empty_like(weight), np.empty(layer.filters, x.dtype)
    reference.conv.conv2d_backward_weight(expected, x, dout, *_options(layer))
    reference.conv.conv2d_backward_bias(expected_bias, dout)
    length = len(x) * layer.out_size[0] * layer.out_size[1]
    dweight, dbias = _backward_weight(to_lanes(x), _dout_blocks(dout), layer, how)
    assert_close(dweight, expected.reshape(-1), length)
    assert_close(dbias, expected_bias, length)
    (alone,) = _backward_weight(to_lanes(x), _dout_blocks(dout), layer, how, with_bias=False)
    assert alone.tobytes() == dweight.tobytes()


@pytest.mark.parametrize("name", ["padding", "flatten, dense"])
def test_local_places(name, rng, dtype, assert_close):
    layer = LAYERS[name]
    samples, lanes = 3 * lanes_of(dtype), lanes_of(dtype)
    x = rng.standard_normal((samples, layer.channels, *layer.size)).astype(dtype)
    weights = [rng.standard_normal((layer.filters, layer.channels, *layer.kernel)).astype(dtype) for _ in range(2)]
    # forward into a local tensor, its input gradient from there
    x_blocks, dx = to_lanes(x), _blocks(x.shape, dtype)
    step = layer.filters * layer.out_size[0] * layer.out_size[1] * lanes * dtype.itemsize
    local = Place(128, step, 1)
    first = affine.forward_record(local, place_of(x_blocks), weights[0], None, layer, 3, 2)
    second = affine.backward_input_record(place_of(dx), local, weights[1], layer, 3, 2)
    chain = _threads.link([[first, second]])
    cells = np.zeros(8, np.int64)
    scratch = aligned_zeros((8 * (128 + 2 * step),), np.dtype(np.uint8))
    _threads.run_chain(chain, 1, scratch.ctypes.data, 0, cells.ctypes.data)
    out, expected = np.empty((samples, layer.filters, *layer.out_size), dtype), np.empty_like(x)
    reference.conv.conv2d_forward(out, x, weights[0], None, *_options(layer))
    reference.conv.conv2d_backward_input(expected, out, weights[1], *_options(layer))
    assert_close(from_lanes(dx, samples), expected, 4 * layer.depth)


def test_same_bits_for_any_number_of_threads(layer, rng, assert_same_bits):
    dtype = np.dtype(np.float32)
    x = to_lanes(rng.standard_normal((83, layer.channels, *layer.size)).astype(dtype))
    dout = _dout_blocks(rng.standard_normal((83, layer.filters, *layer.out_size)).astype(dtype))
    weight = rng.standard_normal((layer.filters, layer.depth)).astype(dtype)

    def everything():
        results = []
        for how in (("chunk", 2), ("parts", 7)):
            out, dx = np.zeros_like(dout), np.zeros_like(x)
            _forward(x, out, weight, None, layer, how)
            _backward_input(dx, dout, weight, layer, how)
            results += [out, dx, *_backward_weight(x, dout, layer, how)]
        return results

    assert_same_bits(everything)


def test_nan_and_infinity_travel():
    layer = geometry(2, 3, (4, 4), (3, 3), padding=(1, 1))
    lanes = lanes_of(np.float32)
    x = np.zeros((lanes, 2, 4, 4), np.float32)
    x[0, 0, 0, 0], x[1, 1, 3, 3] = np.nan, np.inf
    out = _blocks((lanes, 3, 4, 4), np.float32)
    _forward(to_lanes(x), out, np.ones((3, 2, 3, 3), np.float32), np.zeros(3, np.float32), layer, ("chunk", 1), relu=True)
    out = from_lanes(out, lanes)
    assert np.isnan(out[0, :, :2, :2]).all() and np.isinf(out[1, :, 2:, 2:]).all()
    out[0, :, :2, :2] = out[1, :, 2:, 2:] = 0
    assert not out.any()  # nothing leaks to other positions or samples


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
