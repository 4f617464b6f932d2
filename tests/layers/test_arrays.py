import copy
import pickle

import numpy as np
import pytest

from fastnn.layers.arrays import ArrayDict, ArrayViews


def test_assigning_writes_into_the_array_in_place():
    arrays = ArrayDict(w=np.zeros((2, 3), np.float32))
    w = arrays["w"]
    arrays["w"] = np.ones((2, 3), np.float32)
    arrays["w"] += 1
    arrays.update(w=arrays["w"] * 2)
    arrays |= {"w": arrays["w"] + 1}
    assert arrays["w"] is w
    assert (w == 5).all()


def test_new_names_get_a_copy():
    given = np.arange(6.0).reshape(2, 3)[:, ::2]
    arrays = ArrayDict({"w": given})
    assert arrays["w"].flags.c_contiguous and not np.shares_memory(arrays["w"], given)
    np.testing.assert_array_equal(arrays["w"], given)
    assert arrays.setdefault("b", np.zeros(1)) is arrays["b"]
    assert arrays.setdefault("b", np.ones(1))[0] == 0


def test_what_does_not_fit_is_refused():
    arrays = ArrayDict(w=np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"'w': expected shape \(2, 3\), got \(3,\)"):
        arrays["w"] = np.zeros(3, np.float32)
    with pytest.raises(TypeError, match="'w': expected dtype float32, got float64"):
        arrays["w"] = np.zeros((2, 3))


def test_replace():
    arrays = ArrayDict(a=np.zeros(2), b=np.zeros(3))
    b = arrays["b"]
    arrays.replace({"b": np.ones(3), "c": np.ones(1)})
    assert list(arrays) == ["b", "c"]
    assert arrays["b"] is b and (b == 1).all()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_copies(copied):
    arrays = ArrayDict(w=np.arange(3.0))
    other = copied(arrays)
    assert type(other) is ArrayDict
    other["w"] = np.zeros(3)
    np.testing.assert_array_equal(arrays["w"], [0, 1, 2])


def test_views_write_through_and_take_no_new_names():
    own = np.zeros(3)
    views = ArrayViews([("0.weight", own)])
    views["0.weight"] = np.ones(3)
    assert (own == 1).all()
    with pytest.raises(KeyError, match=r"no array '0.bias'"):
        views["0.bias"] = np.ones(3)
