import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("15_convolution")


def test_one_dimension(ran):
    np.testing.assert_array_equal(ran["smoothed"], [11.5, 24.5, 30.5, 25, 16.5, 16, 24, 29])
    assert "by hand   [11.5 24.5 30.5 25.  16.5 16.  24.  29. ]" in ran.printed
    np.testing.assert_array_equal(ran["flipped"], np.convolve(ran["x"], ran["slope"], "valid"))
    assert not np.array_equal(ran["flipped"], ran["convolve1d"](ran["x"], ran["slope"]))


def test_output_sizes(ran):
    for line in ran.printed.splitlines():
        if line.startswith("size"):
            words = line.replace(",", "").replace(":", "").split()
            assert words[words.index("formula") + 1] == words[-1]
    assert "padding='valid': 8 of 10" in ran.printed
    assert "padding='same': 10 of 10" in ran.printed


def test_two_dimensions(ran, rng):
    image, weight = rng.standard_normal((7, 6)), rng.standard_normal((3, 2))
    expected = [[np.sum(image[i : i + 3, j : j + 2] * weight) for j in range(5)] for i in range(5)]
    np.testing.assert_allclose(ran["convolve2d"](image, weight), expected, rtol=1e-12)


def test_filters(ran):
    assert list(ran["FILTERS"]) == [
        *("identity", "sharpen", "box blur", "Gaussian blur"),
        *("vertical edges", "horizontal edges", "all edges"),
    ]
    np.testing.assert_array_equal(ran["filtered"]["identity"], ran["photograph"])
    sums = {name: weight.sum() for name, weight in ran["FILTERS"].items()}
    np.testing.assert_allclose(list(sums.values()), [1, 1, 1, 1, 0, 0, 0], atol=1e-15)
    assert ran["filter_difference"] < 1e-12


def test_layer_forward_and_backward(ran):
    assert ran["forward_difference"] < 1e-12
    assert ran["product_difference"] < 1e-12
    assert set(ran["backward_differences"]) == {"dx", "dweight", "dbias"}
    assert max(ran["backward_differences"].values()) < 1e-12


def test_im2col_and_back(ran):
    np.testing.assert_array_equal(ran["col"][0], [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]])
    np.testing.assert_array_equal(ran["back"][0, 0], [[1, 4, 3], [8, 20, 12], [7, 16, 9]])


def test_pictures(ran):
    ran.assert_pictures("filters")
