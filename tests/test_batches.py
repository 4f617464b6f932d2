"""batches: every sample once, in order or not, views or copies, errors at once."""

import numpy as np
import pytest

from fastnn.data import batches


@pytest.fixture
def data(rng):
    return rng.standard_normal((10, 3, 2)), np.arange(10)


def test_in_order(data):
    x, y = data
    found = list(batches(x, y, 4))
    assert [len(xb) for xb, _ in found] == [4, 4, 2]
    assert all(np.shares_memory(xb, x) and np.shares_memory(yb, y) for xb, yb in found)
    np.testing.assert_array_equal(np.concatenate([xb for xb, _ in found]), x)
    np.testing.assert_array_equal(np.concatenate([yb for _, yb in found]), y)


def test_in_random_order(data):
    x, y = data
    found = list(batches(x, y, 4, shuffle=True, rng=0))
    assert [len(xb) for xb, _ in found] == [4, 4, 2]
    order = np.concatenate([yb for _, yb in found])
    assert sorted(order) == list(range(10)) and list(order) != list(range(10))
    np.testing.assert_array_equal(np.concatenate([xb for xb, _ in found]), x[order])
    assert not any(np.shares_memory(xb, x) for xb, _ in found)


def test_seeds_and_generators(data):
    def order(rng):
        return np.concatenate([yb for _, yb in batches(*data, shuffle=True, rng=rng)]).tolist()

    assert order(1) == order(1) != order(2)
    rng = np.random.default_rng(1)
    assert order(rng) == order(1) and order(rng) != order(1)
    assert order(None) != order(None) or order(None) != order(None)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size, lengths", [(1, [1] * 10), (3, [3, 3, 3]), (5, [5, 5]), (10, [10]), (11, [])])
def test_drop_last(data, size, lengths, shuffle):
    found = list(batches(*data, size, drop_last=True, shuffle=shuffle))
    assert [len(xb) for xb, _ in found] == [len(yb) for _, yb in found] == lengths


def test_without_targets(data):
    found = list(batches(data[0], batch_size=6))
    assert [xb.shape for xb in found] == [(6, 3, 2), (4, 3, 2)]


def test_default_size_and_no_samples():
    assert [len(xb) for xb in batches(np.zeros(70))] == [32, 32, 6]
    assert list(batches(np.zeros((0, 3)), [], shuffle=True)) == []


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"y": np.zeros(9)}, ValueError, r"expected x and y of one length, got x.shape=\(10, 3, 2\), y.shape=\(9,\)"),
        ({"y": 1.0}, ValueError, "expected x and y of one length"),
        ({"x": 1.0}, ValueError, r"expected samples along axis 0, got x.shape=\(\)"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be an int"),
        ({"shuffle": 1}, TypeError, "shuffle must be True or False"),
        ({"drop_last": None}, TypeError, "drop_last must be True or False"),
        ({"rng": "x"}, TypeError, "rng must be None, an int or a numpy.random.Generator"),
    ],
)
def test_errors_come_at_once(data, arguments, error, message):
    with pytest.raises(error, match=f"batches: {message}"):
        batches(**{"x": data[0], "y": data[1], **arguments})  # nothing is iterated over
