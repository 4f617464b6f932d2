"""Divides a data set into training and test samples.

train_test_split(*arrays)
"""

import math

import numpy as np

from ..layers.checks import as_bool, as_int


def train_test_split(*arrays, test_size=None, train_size=None, random_state=None, shuffle=True, stratify=None):
    """Split arrays of one length at random, all in the same way: scikit-learn's ``train_test_split``.

    Arguments, the order of the results and, for an int `random_state`, the samples in them are scikit-learn's.

    Parameters
    ----------
    *arrays : (N, ...) arrays
    test_size, train_size : float or int, optional
        A share within (0, 1), of which the test set's is rounded up and the training set's down, or a number of samples.
        One alone leaves the rest to the other; without both, a quarter is for testing.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState
        Draws the samples. The same int gives the same split.
    shuffle : bool
        False takes the first samples for training and those behind them for testing, as views.
    stratify : (N,) array, optional
        Classes; each has the same share in both parts, as far as the numbers allow.

    Returns
    -------
    list of ndarray
        Training and test samples of the first array, then of the second, and so on.

    Raises
    ------
    TypeError, ValueError
        For lengths that differ, sizes that leave a part empty or exceed the samples, classes of one sample, and arguments
        that make no sense.

    Examples
    --------
    >>> x, y = np.arange(16).reshape(8, 2), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    >>> x_train.shape, x_test.shape
    ((6, 2), (2, 2))
    >>> x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, stratify=y)
    >>> y_train, y_test
    (array([0, 1, 1, 0, 0, 1]), array([1, 0]))
    """
    arrays = [np.asarray(array) for array in arrays]
    if not arrays:
        raise ValueError("train_test_split: expected at least one array")
    if any(array.ndim == 0 or len(array) != len(arrays[0]) for array in arrays if arrays[0].ndim):
        raise ValueError(f"train_test_split: expected arrays of one length, got shapes {[array.shape for array in arrays]}")
    if arrays[0].ndim == 0:
        raise ValueError("train_test_split: expected samples along axis 0, got shape ()")
    samples = len(arrays[0])
    train, test = _sizes(samples, train_size, test_size)
    if not as_bool(shuffle, "train_test_split: shuffle"):
        if stratify is not None:
            raise ValueError("train_test_split: stratify needs shuffle=True")
        parts = slice(train), slice(train, train + test)
    elif stratify is None:
        order = _random_state(random_state).permutation(samples)
        parts = order[test : test + train], order[:test]
    else:
        parts = _stratified(np.asarray(stratify), samples, train, test, _random_state(random_state))
    return [array[part] for array in arrays for part in parts]


def _random_state(random_state):
    """scikit-learn draws from NumPy's older generator, whose permutations of a seed never change."""
    if isinstance(random_state, (np.random.Generator, np.random.RandomState)):
        return random_state
    if random_state is not None:
        random_state = as_int(random_state, "train_test_split: random_state", 0)
        if random_state >= 1 << 32:
            raise ValueError(f"train_test_split: random_state must be below 2**32, got {random_state}")
    return np.random.RandomState(random_state)


def _sizes(samples, train_size, test_size):
    """How many samples each part has."""
    if train_size is None and test_size is None:
        test_size = 0.25
    train = _size(samples, train_size, "train_size", math.floor)
    test = _size(samples, test_size, "test_size", math.ceil)
    train = samples - test if train is None else train
    test = samples - train if test is None else test
    if train < 1 or test < 1 or train + test > samples:
        raise ValueError(
            f"train_test_split: expected at least one sample in both parts, together at most {samples}; "
            f"got {train} for training and {test} for testing (train_size={train_size}, test_size={test_size})"
        )
    return train, test


def _size(samples, size, name, rounded):
    if size is None:
        return None
    if isinstance(size, (float, np.floating)):
        if not 0 < size < 1:
            raise ValueError(f"train_test_split: {name} must be a float within (0, 1) or a number of samples, got {size!r}")
        return rounded(size * samples)
    return as_int(size, f"train_test_split: {name}", 1)


def _stratified(classes, samples, train, test, rng):
    """Indices of both parts: of each class a share of its samples, then all of them shuffled."""
    if classes.ndim != 1 or len(classes) != samples:
        raise ValueError(f"train_test_split: expected stratify of shape ({samples},), got {classes.shape}")
    names, of_class, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"train_test_split: stratify needs two samples of each class, got one of {names[counts.argmin()]}")
    if min(train, test) < len(counts):
        raise ValueError(f"train_test_split: stratify needs {len(counts)} samples in both parts, got {train} and {test}")
    trains = _shares(counts, train, rng)
    tests = _shares(counts - trains, test, rng)
    parts = [], []
    for name in range(len(counts)):
        members = rng.permutation(np.flatnonzero(of_class == name))
        parts[0].append(members[: trains[name]])
        parts[1].append(members[trains[name] : trains[name] + tests[name]])
    return tuple(rng.permutation(np.concatenate(part)) for part in parts)


def _shares(counts, total, rng):
    """`total` divided in proportion to `counts`: rounded down, the rest to the largest remainders, ties at random."""
    exact = counts / counts.sum() * total
    shares = np.floor(exact).astype(np.int64)
    remainders, rest = exact - shares, int(total - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if rest <= 0:
            break
        tied = np.flatnonzero(remainders == remainder)
        chosen = rng.choice(tied, size=min(rest, len(tied)), replace=False)
        shares[chosen] += 1
        rest -= len(chosen)
    return shares
