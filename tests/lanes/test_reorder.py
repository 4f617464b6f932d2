"""Reordering in lanes: NumPy's transpose of the axes that blocks have."""

import itertools

import numpy as np
import pytest

from fastnn.kernels._threads import run
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes.layout import Place, lanes_of, place_of, to_lanes
from fastnn.kernels.lanes.reorder import reorder


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_transposes(order, chunk, dtype, rng):
    x = to_lanes(rng.standard_normal((37, 3, 5, 4)).astype(dtype))  # blocks (5, 4, 3, lanes)
    x[1, 2, 3] = np.nan
    lines, strides = x.shape[1:-1], (12, 3, 1)
    out = np.zeros((len(x), *(lines[axis] for axis in order), x.shape[-1]), dtype)
    args = EMPTY[dtype], place_of(out), place_of(x), out.shape[1:-1], tuple(strides[axis] for axis in order)
    run([reorder.phase(args, len(x), chunk)], 0)
    np.testing.assert_array_equal(out, x.transpose(0, *(axis + 1 for axis in order), 4))


def test_local_places(dtype, rng):
    x = to_lanes(rng.standard_normal((3 * lanes_of(dtype), 5, 2)).astype(dtype))
    out, local, like = np.zeros_like(x), Place(64, x[0].nbytes, 1), EMPTY[dtype]
    for chunk in (1, 2):
        first = reorder.phase((like, local, place_of(x), (1, 5, 2), (0, 1, 5)), len(x), chunk)
        second = reorder.phase((like, place_of(out), local, (1, 2, 5), (0, 1, 2)), len(x), chunk)
        first[4] = second.buffer_info()[0]  # THEN_WORD: the same chunk, the same thread
        run([first], 64 + 2 * x[0].nbytes)
        np.testing.assert_array_equal(out, x)
