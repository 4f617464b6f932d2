import numpy as np
import pytest

ONE_NEURON = [-0.0039638, -0.01189141]
OUTPUT = [0.00804047, 0.00555918]
HIDDEN = [[1.77005547e-04, -5.11178506e-04], [3.54011093e-05, -1.02235701e-04], [-7.08022187e-05, 2.04471402e-04]]


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("06_backpropagation")


def test_one_neuron(ran):
    np.testing.assert_allclose(ran["change"], ONE_NEURON, atol=5e-9)
    assert "weight change [-0.0039638  -0.01189141]" in ran.printed
    assert (np.diff(ran["outputs"]) < 0).all()
    assert 0.2 < ran["outputs"][-1] < 0.21


def test_a_step_through_a_hidden_layer(ran):
    np.testing.assert_allclose(ran["change_output"], OUTPUT, atol=5e-9)
    np.testing.assert_allclose(ran["change_hidden"], HIDDEN, atol=5e-13)
    assert "change of the output weights: [0.00804047 0.00555918]" in ran.printed
    printed = "[[ 1.77005547e-04 -5.11178506e-04]\n [ 3.54011093e-05 -1.02235701e-04]\n [-7.08022187e-05  2.04471402e-04]]"
    assert ran.printed.count(printed) == 2  # by hand and by layers


def test_dense_layer(ran):
    numerical_gradient, dense_forward = ran["numerical_gradient"], ran["dense_forward"]
    rng = np.random.default_rng(1)
    x, weight, bias, dout = (rng.standard_normal(shape) for shape in ((5, 4), (3, 4), 3, (5, 3)))
    for gradient, array in zip(ran["dense_backward"](dout, x, weight), (x, weight, bias)):
        numeric = numerical_gradient(lambda: (dense_forward(x, weight, bias) * dout).sum(), array)
        np.testing.assert_allclose(gradient, numeric, atol=1e-8)
    np.testing.assert_allclose(-ran["rate"] * ran["gradients"][0].T, HIDDEN, atol=5e-13)


def test_layers_give_the_same(ran):
    np.testing.assert_allclose(ran["neuron_change"][0], ran["change"], rtol=1e-12)
    np.testing.assert_allclose(ran["network_change"]["2.weight"][0], ran["change_output"], rtol=1e-12)
    np.testing.assert_allclose(ran["network_change"]["0.weight"].T, ran["change_hidden"], rtol=1e-12)
    assert "one neuron: [-0.0039638  -0.01189141]" in ran.printed
    assert "output weights: [0.00804047 0.00555918]" in ran.printed


def test_pictures(ran):
    ran.assert_pictures("one_neuron")
