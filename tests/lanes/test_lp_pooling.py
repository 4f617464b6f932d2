"""Powers and roots in lanes: the same bits as the kernels over flat arrays."""

import numpy as np
import pytest

from fastnn import kernels
from fastnn.kernels._threads import run
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes import lp_pooling
from fastnn.kernels.lanes.layout import from_lanes, place_of, to_lanes

CASES = {
    "power_forward": (1, lambda p: (p,)),
    "power_backward": (2, lambda p: (p,)),
    "root_forward": (1, lambda p: (p, 6.0)),
    "root_backward": (2, lambda p: (p, 6.0)),
}


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("p", [1.0, 2.0, 2.5])
@pytest.mark.parametrize("name", CASES)
def test_same_as_over_batches(name, p, chunk, dtype, rng, assert_close):
    count, options = CASES[name]
    inputs = [abs(rng.standard_normal((37, 3, 5, 7))).astype(dtype) for _ in range(count)]
    inputs[-1][3, 1, 2, :3] = 0, np.nan, np.inf
    expected = np.empty_like(inputs[0])
    getattr(kernels.lp_pooling, name)(expected.reshape(-1), *(x.reshape(-1) for x in inputs), *options(p))
    arrays, out = [to_lanes(x) for x in inputs], to_lanes(np.full_like(expected, np.nan))
    args = EMPTY[dtype], *(place_of(array) for array in (out, *arrays)), *options(p), out[0].size
    run([getattr(lp_pooling, name).phase(args, len(out), chunk)], 0)
    assert_close(from_lanes(out, 37), expected)
