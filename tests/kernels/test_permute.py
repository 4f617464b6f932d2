"""permute: NumPy's transpose, the twin, threads."""

import numpy as np
import pytest

# Shape of x, axes of it in their new order.
CASES = {
    "channels_first": ((2, 5, 4, 3), (0, 3, 1, 2)),
    "channels_last": ((2, 3, 5, 4), (0, 2, 3, 1)),
    "as_it_is": ((2, 3, 5, 4), (0, 1, 2, 3)),
    "turned": ((1, 3, 5, 7), (0, 3, 2, 1)),
    "two_axes": ((4, 1, 5, 3), (0, 1, 3, 2)),
    "large": ((3, 90, 70, 5), (0, 3, 1, 2)),
    "no_samples": ((0, 3, 5, 4), (0, 2, 3, 1)),
}


def strides_of(shape, dims):
    return tuple(int(np.prod(shape[d + 1 :])) for d in dims[1:])


@pytest.mark.parametrize("case", CASES)
def test_transposes(impl, case, dtype, rng, run):
    shape, dims = CASES[case]
    x = rng.standard_normal(shape).astype(dtype)
    expected = x.transpose(dims)
    out = run(
        impl.permute.permute, np.empty(expected.shape, dtype), x.reshape(len(x), np.prod(shape[1:])), strides_of(*CASES[case])
    )
    np.testing.assert_array_equal(out, expected)


def test_same_bits_for_any_number_of_threads(numba, rng, assert_same_bits):
    x, out = rng.standard_normal((30, 20 * 30 * 40)), np.zeros((30, 40, 20, 30))

    def permuted():
        numba.permute.permute(out, x, (1, 1200, 40))
        return out

    assert_same_bits(permuted)
