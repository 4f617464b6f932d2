"""standardize and one_hot: worked answers, constant columns, data of any dtype, what does not fit."""

import tracemalloc

import numpy as np
import pytest

from fastnn.data import one_hot, standardize


def test_worked_answer():
    z, mean, std = standardize(np.array([[1.0, 10.0], [2.0, 10.0], [6.0, 10.0]]))
    np.testing.assert_allclose(mean, [[3.0, 10.0]])
    np.testing.assert_allclose(std, [[(14 / 3) ** 0.5, 1.0]])
    np.testing.assert_allclose(z[:, 0], np.array([-2.0, -1.0, 3.0]) / (14 / 3) ** 0.5)
    assert (z[:, 1] == 0).all()


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", ">f4", "uint8", "int64", "bool"])
def test_every_dtype(rng, kind):
    x = rng.integers(0, 2, (50, 3)).astype(kind) if kind == "bool" else rng.integers(0, 200, (50, 3)).astype(kind)
    before = x.copy()
    z, mean, std = standardize(x)
    assert z.dtype == (np.float64 if kind == "float64" else np.float32) and mean.dtype == std.dtype == np.float64
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)
    assert (x == before).all()


def test_constant_columns_are_not_divided():
    for value in (0.1, 1e300, 5e-324, -7.0):
        z, _, std = standardize(np.full((7, 2), value))
        assert (std == 1).all() and np.abs(z).max() <= abs(value) * 1e-15
    z, _, _ = standardize(np.array([[3.0]]))
    assert z == 0


def test_large_means_cost_no_digits():
    x = np.float32(1e6) + np.arange(8, dtype=np.float32)[:, None]
    np.testing.assert_allclose(standardize(x)[0][:, 0], standardize(np.arange(8.0)[:, None])[0][:, 0], rtol=1e-6)


def test_test_data_takes_the_values_of_the_training_data(rng):
    x, x_test = rng.normal(5, 3, (1000, 4)), rng.normal(6, 3, (10, 4))
    z, mean, std = standardize(x)
    assert mean.shape == std.shape == (1, 4)
    z_test, mean_again, std_again = standardize(x_test, mean, std)
    np.testing.assert_allclose(z_test, (x_test - x.mean(axis=0)) / x.std(axis=0))
    assert (mean_again == mean).all() and (std_again == std).all()
    np.testing.assert_allclose(standardize(x_test, mean[0], std[0])[0], z_test)
    np.testing.assert_allclose(standardize(x_test, 5, 3)[0], (x_test - 5) / 3)
    np.testing.assert_allclose(standardize(x, mean, std)[0], z)


@pytest.mark.parametrize("axis", [(0, 2, 3), (0, -1, -2), [2, 0, 3], (0, 1, 2, 3), 0], ids=str)
def test_channels_of_images(rng, axis):
    x = rng.integers(0, 256, (20, 3, 5, 4)).astype(np.uint8)
    z, mean, std = standardize(x, axis=axis)
    axes = tuple(np.atleast_1d(axis))
    np.testing.assert_allclose(mean, x.mean(axis=axes, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(std, x.std(axis=axes, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(z, (x - mean) / std, atol=1e-5)
    assert standardize(x[:2], mean, std)[0].tobytes() == z[:2].tobytes()


def test_float64_copies_are_of_a_part_of_the_data(rng):
    x = rng.integers(0, 256, (4000, 3, 32, 32)).astype(np.uint8)
    tracemalloc.start()
    try:
        z, _, _ = standardize(x, axis=(0, 2, 3))
        assert tracemalloc.get_traced_memory()[1] < z.nbytes + x.nbytes + 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"x": np.array(["a"])}, TypeError, "expected x to be numbers, got x.dtype=<U1"),
        ({"x": np.zeros((0, 3))}, ValueError, r"expected at least one sample, got x.shape=\(0, 3\)"),
        ({"x": 1.0}, ValueError, r"expected at least one sample, got x.shape=\(\)"),
        ({"x": [[1.0, 2.0], [3.0, np.nan]]}, ValueError, r"expected finite values, got x\[1, 1\]=nan"),
        ({"x": [1.0, -np.inf]}, ValueError, r"expected finite values, got x\[1\]=-inf"),
        ({"x": [-1e200, 1e200]}, ValueError, "expected values whose squares are finite, got up to 1e.200"),
        ({"mean": 1.0}, ValueError, "expected both mean and std, or none"),
        ({"std": 1.0}, ValueError, "expected both mean and std, or none"),
        ({"mean": 1.0, "std": 0.0}, ValueError, "expected std to be positive, got 0.0"),
        ({"mean": np.zeros(4), "std": 1.0}, ValueError, r"expected mean to be finite and to fit x.shape=\(2, 3\), got shape"),
        ({"mean": 0.0, "std": np.ones((2, 3))}, ValueError, "expected std to be finite and to fit"),
        ({"mean": np.nan, "std": 1.0}, ValueError, "expected mean to be finite"),
        ({"axis": 1}, ValueError, "expected axis to be different axes of x, 0 among them, got 1 for 2 axes"),
        ({"axis": (0, 0)}, ValueError, "expected axis to be different axes"),
        ({"axis": (0, 2)}, ValueError, "expected axis to be different axes"),
        ({"axis": None}, TypeError, "axis must be an int"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=f"standardize: {message}"):
        standardize(**{"x": np.arange(6.0).reshape(2, 3), **arguments})


# --- one_hot


def test_one_hot():
    found = one_hot(np.array([2, 0, 1]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(one_hot([1], 4, np.int64), [[0, 1, 0, 0]])
    assert one_hot([1], 4, np.int64).dtype == np.int64


@pytest.mark.parametrize("kind", ["uint8", "int32", "uint64", ">i2"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 3), (2, 3, 4)], ids=str)
def test_one_hot_of_any_shape(rng, shape, kind):
    labels = np.asarray(rng.integers(0, 7, shape)).astype(kind)
    found = one_hot(labels, 7)
    assert found.shape == (*shape, 7) and (found.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(found.argmax(axis=-1), labels)


def test_one_hot_of_no_labels():
    assert one_hot([], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="expected classes where there are no labels"):
        one_hot([])


@pytest.mark.parametrize(
    "labels, classes, error, message",
    [
        ([0, 3], 3, ValueError, "expected labels 0 to 2, got 3"),
        ([0, -1], 3, ValueError, "expected labels 0 to 2, got -1"),
        ([-1], None, ValueError, "expected labels of at least 0, got -1"),
        ([0, -1], None, ValueError, "expected labels of at least 0, got -1"),
        ([0.0, 1.0], 3, TypeError, "expected labels to be integers, got labels.dtype=float64"),
        ([True], 3, TypeError, "got labels.dtype=bool"),
        ([0], 2.0, TypeError, "classes must be an int"),
        ([0], 0, ValueError, "classes must be at least 1"),
    ],
)
def test_one_hot_errors(labels, classes, error, message):
    with pytest.raises(error, match=f"one_hot: .*({message})"):
        one_hot(labels, classes)
