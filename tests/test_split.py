"""train_test_split: parts that fit together, shares, the samples that scikit-learn takes."""

import itertools

import numpy as np
import pytest

from fastnn.data import train_test_split

SIZES = [
    *({}, {"test_size": 0.2}, {"test_size": 1}, {"train_size": 0.5}, {"train_size": 0.5, "test_size": 0.3}),
    *({"test_size": 0.37}, {"train_size": 2, "test_size": 1}, {"test_size": 40}, {"test_size": 0.33, "train_size": 0.67}),
]


@pytest.fixture
def data(rng):
    return rng.standard_normal((20, 3)), np.arange(20)


@pytest.mark.parametrize("sizes, train, test", [({}, 15, 5), ({"test_size": 0.33}, 13, 7), ({"train_size": 0.33}, 6, 14)])
def test_parts_hold_every_sample_once(data, sizes, train, test):
    x, y = data
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, **sizes)
    assert (len(y_train), len(y_test)) == (train, test)
    assert sorted([*y_train, *y_test]) == list(range(20))
    np.testing.assert_array_equal(x_train, x[y_train])
    np.testing.assert_array_equal(x_test, x[y_test])


def test_one_array_and_lists():
    train, test = train_test_split([5, 6, 7, 8], random_state=0)
    assert sorted([*train, *test]) == [5, 6, 7, 8] and len(test) == 1


def test_without_shuffling_parts_are_views(data):
    x_train, x_test, y_train, y_test = train_test_split(*data, shuffle=False, test_size=3, train_size=10)
    assert y_train.tolist() == list(range(10)) and y_test.tolist() == [10, 11, 12]
    assert np.shares_memory(x_train, data[0]) and np.shares_memory(x_test, data[0])


def test_random_states(data):
    def test_part(random_state):
        return train_test_split(data[1], random_state=random_state)[1].tolist()

    assert test_part(1) == test_part(1) == test_part(np.random.RandomState(1)) != test_part(2)
    rng = np.random.default_rng(1)
    assert test_part(rng) != test_part(rng)
    assert len({tuple(test_part(None)) for _ in range(5)}) > 1


def test_stratified_parts_have_the_same_shares(rng):
    y = np.repeat(["a", "b", "c"], [60, 30, 10])
    rng.shuffle(y)
    train, test = train_test_split(y, test_size=0.2, stratify=y, random_state=0)
    assert [list(train).count(c) for c in "abc"] == [48, 24, 8]
    assert [list(test).count(c) for c in "abc"] == [12, 6, 2]
    assert list(train) != sorted(train)


@pytest.mark.parametrize("samples", [2, 3, 7, 10, 33, 100])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_same_samples_as_scikit_learn(rng, samples, sizes):
    selection = pytest.importorskip("sklearn.model_selection", exc_type=ImportError)
    x, y = rng.random((samples, 2)), rng.integers(0, min(5, max(1, samples // 4)), samples)
    for shuffle, stratify, seed in itertools.product([True, False], [None, y], [0, 42]):
        options = {"shuffle": shuffle, "stratify": stratify, "random_state": seed, **sizes}
        try:
            expected = selection.train_test_split(x, y, **options)
        except ValueError:
            with pytest.raises(ValueError, match="train_test_split"):
                train_test_split(x, y, **options)
            continue
        for got, array in zip(train_test_split(x, y, **options), expected):
            np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"test_size": 0.0}, ValueError, r"test_size must be a float within \(0, 1\) or a number of samples, got 0.0"),
        ({"train_size": 1.0}, ValueError, "train_size must be a float within"),
        ({"test_size": float("nan")}, ValueError, "test_size must be a float within"),
        ({"test_size": 0}, ValueError, "test_size must be at least 1"),
        ({"test_size": True}, TypeError, "test_size must be an int"),
        ({"test_size": 20}, ValueError, "got 0 for training and 20 for testing"),
        ({"test_size": 0.6, "train_size": 0.6}, ValueError, "together at most 20; got 12 for training and 12 for testing"),
        ({"shuffle": 1}, TypeError, "shuffle must be True or False"),
        ({"shuffle": False, "stratify": [0] * 20}, ValueError, "stratify needs shuffle=True"),
        ({"stratify": [0, 1]}, ValueError, r"expected stratify of shape \(20,\), got \(2,\)"),
        ({"stratify": [0] * 19 + [7]}, ValueError, "stratify needs two samples of each class, got one of 7"),
        ({"stratify": [0, 1, 2, 3] * 5, "test_size": 3}, ValueError, "stratify needs 4 samples in both parts, got 17 and 3"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0"),
        ({"random_state": 1 << 32}, ValueError, r"random_state must be below 2\*\*32"),
        ({"random_state": "x"}, TypeError, "random_state must be an int"),
    ],
)
def test_wrong_arguments(data, options, error, message):
    with pytest.raises(error, match=f"train_test_split: {message}|train_test_split: .*{message}"):
        train_test_split(*data, **options)


def test_wrong_arrays():
    with pytest.raises(ValueError, match="expected at least one array"):
        train_test_split()
    with pytest.raises(ValueError, match=r"expected arrays of one length, got shapes \[\(3,\), \(2, 2\)\]"):
        train_test_split(np.zeros(3), np.zeros((2, 2)))
    for arrays in ((1.0,), (1.0, [1, 2]), ([1, 2], 1.0)):
        with pytest.raises(ValueError, match="train_test_split: expected"):
            train_test_split(*arrays)
