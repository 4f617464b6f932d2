"""copy_channels: worked answers, the twin, what is not written, threads."""

import numpy as np
import pytest

CASES = {
    "middle": ((3, 7, 5), (3, 4, 5), 2, 1, 3),
    "all": ((2, 3, 11), (2, 3, 11), 0, 0, 3),
    "features": ((5, 9, 1), (5, 4, 1), 5, 0, 4),
    "large": ((3, 40, 900), (3, 30, 900), 7, 3, 20),
    "no_channels": ((2, 3, 4), (2, 5, 4), 3, 5, 0),
    "no_samples": ((0, 3, 4), (0, 2, 4), 1, 0, 2),
}


def test_worked_answer(impl, dtype, run):
    x = np.arange(12, dtype=dtype).reshape(2, 3, 2)
    out = run(impl.channels.copy_channels, np.empty((2, 4, 2), dtype), x, 1, 1, 2)
    np.testing.assert_array_equal(out[:, 1:3], x[:, 1:])
    assert np.isnan(out[:, [0, 3]]).all()


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_twin(case, dtype, rng, compare_twins):
    shape, x_shape, *channels = CASES[case]
    compare_twins("channels", "copy_channels", np.empty(shape, dtype), rng.standard_normal(x_shape).astype(dtype), *channels)


def test_same_bits_for_any_number_of_threads(numba, rng, assert_same_bits):
    x, out = rng.standard_normal((30, 20, 900)), np.zeros((30, 40, 900))

    def copied():
        numba.channels.copy_channels(out, x, 7, 3, 15)
        return out

    assert_same_bits(copied)
