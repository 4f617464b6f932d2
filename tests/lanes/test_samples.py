"""Samples into lanes and predictions out of them."""

import ctypes
import mmap
import subprocess
import sys

import numpy as np
import pytest

from fastnn.kernels import image
from fastnn.kernels._threads import SAMPLES, START, run
from fastnn.kernels.lanes import augment, samples
from fastnn.kernels.lanes.layout import (
    CELLS,
    DRAWS,
    INDEX,
    OUT,
    Place,
    X,
    aligned_zeros,
    from_lanes,
    lanes_of,
    place_of,
    to_lanes,
)

IMAGES = [(1, 1, 1), (2, 3, 2), (1, 5, 7), (3, 17, 33), (1, 1, 40), (2, 40, 1), (3, 32, 32), (1, 28, 28), (1, 3, 1500)]
SHAPES = [(1,), (10,), (16,), (37,), (784,), (1, 28), (3, 5, 7), (2, 1, 3), (5, 4, 4), (1, 6, 6)]


def guarded(array):
    """A copy of `array` that ends right before an inaccessible page."""
    size = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + size), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, size - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy


def gather(data, dtype, count, start=0, index=None, scale=1.0, shift=0.0, chunk=1):
    """A batch of `count` samples of the data, through lanes; all lanes, also those beyond the batch."""
    lanes, shape = lanes_of(dtype), data.shape[1:]
    out = aligned_zeros((-(-count // lanes), *shape[1:], shape[0], lanes), dtype)
    out.fill(-77)
    cells = np.zeros(CELLS, np.int64)
    cells[[SAMPLES, START, X]] = count, start, data.ctypes.data
    if index is not None:
        cells[INDEX] = index.ctypes.data
    pixels = int(np.prod(shape[1:]))
    args = (np.empty(0, dtype), data[:0].ravel(), place_of(out), shape[0], pixels, cells, scale, shift)
    run([samples.gather.phase(args, len(out), chunk)])
    return from_lanes(out, len(out) * lanes)


def gather_augmented(data, dtype, count, draws, start=0, index=None, scale=1.0, shift=0.0, chunk=1):
    """`gather` with augmentation."""
    lanes, shape = lanes_of(dtype), data.shape[1:]
    out = aligned_zeros((-(-count // lanes), *shape[1:], shape[0], lanes), dtype)
    out.fill(-77)
    cells = np.zeros(CELLS, np.int64)
    cells[[SAMPLES, START, X, DRAWS]] = count, start, data.ctypes.data, draws.ctypes.data
    if index is not None:
        cells[INDEX] = index.ctypes.data
    strip = augment.strip_of(shape, data.dtype, dtype)
    args = np.empty(0, dtype), data[:0].ravel(), place_of(out), Place(64, 0, 1), shape, strip, cells, scale, shift
    run([augment.gather_augmented.phase(args, len(out), chunk)], 64 + lanes * strip[1])
    return from_lanes(out, len(out) * lanes)


def draw(rng, samples, most):
    return np.column_stack([rng.integers(-most, most + 1, (samples, 2)), rng.integers(0, 2, samples)])


def scatter(x, out, chunk=1):
    cells, blocks = np.zeros(CELLS, np.int64), to_lanes(x)
    cells[[SAMPLES, START, OUT]] = len(x), 5, out.ctypes.data
    args = (x[:0].ravel(), place_of(blocks), x.shape[1], int(np.prod(x.shape[2:])), cells)
    run([samples.scatter.phase(args, len(blocks), chunk)])


def numbers(count, start, lanes, order):
    """Sample in each lane of a batch."""
    padded = np.minimum(np.arange(-(-count // lanes) * lanes), count - 1) + start
    return order[padded]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [1, 3])
def test_gather(rng, dtype, shape, chunk):
    lanes = lanes_of(dtype)
    data = rng.standard_normal((5 * lanes, *shape)).astype(dtype)
    data.reshape(-1)[::7] = np.nan
    order = rng.permutation(len(data))
    for count, start in ((1, 0), (lanes, 3), (2 * lanes + 1, len(data) - 2 * lanes - 1)):
        actual = gather(data, dtype, count, start, chunk=chunk)
        assert actual.tobytes() == data[numbers(count, start, lanes, np.arange(len(data)))].tobytes()
        actual = gather(data, dtype, count, start, order, chunk=chunk)
        assert actual.tobytes() == data[numbers(count, start, lanes, order)].tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale, shift", [(1 / 255, 0.0), (1 / 77.3, -0.42)])
def test_gather_bytes(rng, dtype, shape, scale, shift):
    """The same bits as the layers' way to take bytes in."""
    data = rng.integers(0, 256, (40, *shape)).astype(np.uint8)
    order = rng.permutation(len(data))
    count = lanes_of(dtype) + 1
    picked = numbers(count, 2, lanes_of(dtype), order)
    expected = np.empty((len(picked), data[0].size), dtype)
    image.gather_rows_uint8(expected, data.reshape(len(data), -1), picked, scale, shift)
    actual = gather(data, dtype, count, 2, order, scale, shift)
    assert actual.tobytes() == expected.tobytes()


@pytest.mark.parametrize("most", [1, 4, 50])
@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("kind", ["float", "bytes"])
def test_gather_augmented(rng, dtype, kind, shape, most):
    """The same bits as the layers' way to augment."""
    lanes = lanes_of(dtype)
    data = rng.integers(1, 256, (3 * lanes, *shape)).astype(np.uint8 if kind == "bytes" else dtype)
    order, draws = rng.permutation(len(data)), draw(rng, len(data), most)
    scaling = (1 / 77.3, -0.42) if kind == "bytes" else (1.0, 0.0)
    for count, start, index, chunk in ((1, 2, None, 1), (2 * lanes + 1, lanes - 1, order, 1), (3 * lanes - 1, 1, order, 3)):
        picked = numbers(count, start, lanes, np.arange(len(data)) if index is None else index)
        expected = moved = np.empty((len(picked), *shape), data.dtype)
        image.gather_augmented(moved, data, picked, draws)
        if kind == "bytes":
            expected = np.empty(moved.shape, dtype)
            image.scale_uint8(expected.reshape(-1), moved.reshape(-1), *scaling)
        actual = gather_augmented(data, dtype, count, draws, start, index, *scaling, chunk=chunk)
        assert actual.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [1, 3])
def test_scatter(rng, dtype, shape, chunk):
    lanes = lanes_of(dtype)
    for count in (1, lanes, 2 * lanes + lanes // 2 + 1):
        x = rng.standard_normal((count, *shape)).astype(dtype)
        out = np.full((count + 2, *shape), 55, dtype)
        scatter(x, out[1:], chunk)
        np.testing.assert_array_equal(out[1:-1], x)
        assert (out[0] == 55).all() and (out[-1] == 55).all()


def test_local_places(rng, dtype):
    """Samples gathered into scratch memory and scattered from there."""
    lanes, shape = lanes_of(dtype), (3, 5, 4)
    data, order = rng.standard_normal((4 * lanes, *shape)).astype(dtype), rng.permutation(4 * lanes)
    out, like, cells = np.empty((3 * lanes - 1, *shape), dtype), np.empty(0, dtype), np.zeros(CELLS, np.int64)
    cells[[SAMPLES, X, INDEX, OUT]] = len(out), data.ctypes.data, order.ctypes.data, out.ctypes.data
    local = Place(64, 60 * lanes * dtype.itemsize, 1)
    for chunk in (1, 2, 3):
        out.fill(55)
        first = samples.gather.phase((like, like, local, 3, 20, cells, 1.0, 0.0), 3, chunk)
        second = samples.scatter.phase((like, local, 3, 20, cells), 3, chunk)
        first[4] = second.buffer_info()[0]  # the same chunk on the same thread
        run([first], 64 + 3 * local.step)
        np.testing.assert_array_equal(out, data[order[: len(out)]])


@pytest.mark.skipif(sys.platform == "win32", reason="no mprotect")
def test_nothing_beyond_the_arrays_is_touched():
    """In a child process: the last row of the data, and of the output, ends at an inaccessible page."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=600)
    last = done.stdout.strip().splitlines()[-1:]
    assert done.returncode == 0, f"died at {last} with {done.returncode}: {done.stderr[-2000:]}"
    assert last == ["done"]


def _touch():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for shape in [(size,) for size in range(1, 36)] + SHAPES:
            print(np.dtype(dtype), shape, flush=True)
            count = lanes_of(dtype) + 2
            data = guarded(rng.standard_normal((count, *shape)).astype(dtype))
            np.testing.assert_array_equal(gather(data, dtype, count)[:count], data)
            out = guarded(np.zeros_like(data))
            scatter(data, out)
            np.testing.assert_array_equal(out, data)
            data = guarded(rng.integers(0, 256, data.shape).astype(np.uint8))
            np.testing.assert_array_equal(gather(data, dtype, count)[:count], data)
        for shape in IMAGES:
            print(np.dtype(dtype), shape, "augmented", flush=True)
            count = lanes_of(dtype) + 2
            for kind in (dtype, np.uint8):
                data, draws = guarded(rng.integers(0, 256, (count, *shape)).astype(kind)), guarded(draw(rng, count, 4))
                gather_augmented(data, dtype, count, draws)
                draws[:, :2], draws[:, 2] = 0, 1
                np.testing.assert_array_equal(gather_augmented(data, dtype, count, draws)[:count], data[..., ::-1])
    print("done")


if __name__ == "__main__":
    _touch()
