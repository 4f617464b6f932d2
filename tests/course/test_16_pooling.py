import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("16_pooling")


def test_forward(ran):
    outs = ran["outs"]
    np.testing.assert_array_equal(outs["maximum"], [[4, 8], [12, 7]])
    np.testing.assert_array_equal(outs["average"], [[2, 4], [4.25, 4]])
    np.testing.assert_array_equal(outs["sum"], [[8, 16], [17, 16]])
    np.testing.assert_allclose(outs["L2 norm"], [[np.sqrt(26), np.sqrt(104)], [13, 10]], rtol=1e-15)


def test_winners_get_the_gradient(ran):
    np.testing.assert_array_equal(ran["dxs"]["maximum"], [[0, 0, 0, 0], [1, 0, 0, 10], [0, 100, 0, 0], [0, 0, 1000, 0]])


def test_averages_spread_it(ran):
    spread = np.kron(ran["dout"], np.ones((2, 2)))
    np.testing.assert_array_equal(ran["dxs"]["average"], spread / 4)
    np.testing.assert_array_equal(ran["dxs"]["sum"], spread)


def test_norms_share_it(ran):
    norm = np.kron(ran["dout"] / ran["outs"]["L2 norm"], np.ones((2, 2)))
    np.testing.assert_allclose(ran["dxs"]["L2 norm"], norm * ran["x"], rtol=1e-14)


def test_layers_agree(ran):
    assert len(ran["differences"]) == 7
    assert np.max(list(ran["differences"].values())) < 1e-12


def test_pictures(ran):
    ran.assert_pictures("digit", "gradients")
