"""Channels from tensor to tensor in lanes: those of NumPy's slices, and nothing else is written."""

import numpy as np
import pytest

from fastnn.kernels._threads import run
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes import channels
from fastnn.kernels.lanes.layout import Place, from_lanes, lanes_of, place_of, to_lanes


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("planes", [(), (9,), (5, 7)], ids=str)
@pytest.mark.parametrize("to,start,count", [(0, 0, 4), (3, 1, 2), (6, 0, 1)])
def test_copies(to, start, count, planes, chunk, dtype, rng):
    x, before = (rng.standard_normal((37, n, *planes)).astype(dtype) for n in (4, 7))
    x[3, 1], expected = np.nan, before.copy()
    expected[:, to : to + count] = x[:, start : start + count]
    source, out = to_lanes(x), to_lanes(before)
    args = to, 7, start, 4, count, int(np.prod(planes))
    run([channels.copy_channels.phase((EMPTY[dtype], place_of(out), place_of(source), *args), len(out), chunk)], 0)
    np.testing.assert_array_equal(from_lanes(out, 37), expected)


def test_local_places(dtype, rng):
    x = rng.standard_normal((3 * lanes_of(dtype), 5, 2)).astype(dtype)
    source, out = to_lanes(x), to_lanes(np.zeros_like(x))
    local, like = Place(64, source[0].nbytes, 1), EMPTY[dtype]
    for chunk in (1, 2):
        first = channels.copy_channels.phase((like, local, place_of(source), 0, 5, 0, 5, 5, 2), len(out), chunk)
        second = channels.copy_channels.phase((like, place_of(out), local, 2, 5, 1, 5, 3, 2), len(out), chunk)
        first[4] = second.buffer_info()[0]  # THEN_WORD: the same chunk, the same thread
        run([first], 64 + 2 * source[0].nbytes)
        np.testing.assert_array_equal(from_lanes(out, len(x))[:, 2:], x[:, 1:4])
