"""Local response normalization: worked answers, the twin, windows of all sizes, gradients, NaN, threads."""

import numpy as np
import pytest

# N, C, L
SHAPES = [(2, 7, 5), (3, 1, 4), (1, 1, 1), (5, 9, 1), (2, 64, 3), (1, 3, 5001), (2, 5, 1000)]
SIZES = [1, 2, 5, 6, 1000]
BETAS = [0.75, 0.5, 1.0, 0.0, 0.6, 2.0, -0.5]


def forward(k, x, size, alpha, beta, offset, run):
    return run(k.lrn.lrn_forward, (np.empty_like(x), np.empty_like(x)), x, size, alpha, beta, offset)


def test_worked_answers(impl, dtype, run, assert_close):
    x = np.array([[[1, 2], [2, 0], [3, 1]]], dtype)
    out, scale = forward(impl, x, 2, 2.0, 1.0, 1.0, run)  # windows of channels 0, 0-1, 1-2
    assert_close(scale, [[[2, 5], [6, 5], [14, 2]]])
    assert_close(out, [[[1 / 2, 2 / 5], [1 / 3, 0], [3 / 14, 1 / 2]]])
    _, scale = forward(impl, x, 3, 3.0, 1.0, 0.0, run)
    assert_close(scale, [[[5, 4], [14, 5], [13, 1]]])
    _, scale = forward(impl, x, 4, 4.0, 1.0, 0.0, run)  # two in front, one behind
    assert_close(scale, [[[5, 4], [14, 5], [14, 5]]])


@pytest.mark.parametrize("beta", BETAS)
def test_power(impl, beta, dtype, rng, run, assert_close):
    x = np.exp(3 * rng.standard_normal((2, 3, 41))).astype(dtype)
    out, scale = forward(impl, x, 1, 1.0, beta, 0.0, run)
    assert_close(scale, x * x)
    np.testing.assert_allclose(out, x.astype(np.float64) ** (1 - 2 * beta), rtol=3e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twins(shape, size, dtype, rng, run, reference, compare_twins):
    x, dout = rng.standard_normal((2, *shape)).astype(dtype)
    for beta in (0.75, 0.6):
        outputs = np.empty_like(x), np.empty_like(x)
        compare_twins("lrn", "lrn_forward", outputs, x, size, 0.7, beta, 2.0, length=min(size, shape[1]))
        _, scale = forward(reference, x, size, 0.7, beta, 2.0, run)
        compare_twins("lrn", "lrn_backward", np.empty_like(x), dout, x, scale, size, 0.7, beta, length=min(size, shape[1]))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_finite_differences(impl, size, beta, rng, run, assert_gradient):
    x, dout = rng.standard_normal((2, 2, 5, 3))
    settings = size, 0.8, beta
    _, scale = forward(impl, x, *settings, 1.5, run)
    dx = run(impl.lrn.lrn_backward, np.empty_like(x), dout, x, scale, *settings)
    assert_gradient(dx, lambda: forward(impl, x, *settings, 1.5, run)[0], x, dout)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_windows(impl, value, dtype, rng, run):
    x, dout = rng.standard_normal((2, 2, 9, 4)).astype(dtype)
    x[1, 4, 2] = value
    out, scale = forward(impl, x, 3, 1.0, 0.75, 1.0, run)
    assert np.argwhere(~np.isfinite(scale)).tolist() == [[1, 3, 2], [1, 4, 2], [1, 5, 2]]
    assert np.isnan(out[1, 4, 2]) and np.isfinite(np.delete(out, 2, 2)).all() and np.isfinite(out[1, :3]).all()
    dx = run(impl.lrn.lrn_backward, np.empty_like(x), dout, x, scale, 3, 1.0, 0.75)
    assert np.isnan(dx[1, 4, 2]) and np.isfinite(np.delete(dx, 2, 2)).all() and np.isfinite(dx[1, :2]).all()


def test_nothing_added_to_nothing(impl, dtype, run):
    """0 / 0 where k is 0: NaN, and no warning."""
    x = np.array([[[0], [0], [0], [2]]], dtype)
    for beta in (0.75, 0.6):
        out, scale = forward(impl, x, 3, 3.0, beta, 0.0, run)
        assert np.isnan(out.reshape(-1)).tolist() == [True, True, False, False]
        dx = run(impl.lrn.lrn_backward, np.empty_like(x), np.ones_like(x), x, scale, 3, 3.0, beta)
        assert np.isnan(dx[0, 0]) and np.isfinite(dx[0, 3])


@pytest.mark.parametrize("shape", [(7, 9, 1501), (301, 19, 5)], ids=str)
def test_threads(shape, numba, rng, run, assert_same_bits):
    x, dout = rng.standard_normal((2, *shape), np.float32)
    _, scale = forward(numba, x, 5, 1.0, 0.75, 1.0, run)
    assert_same_bits(lambda: forward(numba, x, 5, 1.0, 0.75, 1.0, run))
    assert_same_bits(lambda: run(numba.lrn.lrn_backward, np.empty_like(x), dout, x, scale, 5, 1.0, 0.75))
