import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("14_initialisation")


def test_zeros_keep_neurons_equal(ran):
    network, accuracy = ran["train_from_zeros"](ran["fnn"].Sigmoid())
    hidden = network.params["1.weight"]
    assert np.abs(hidden).max() > 0.01
    assert np.abs(hidden - hidden[0]).max() < 1e-6
    assert accuracy < 0.4
    assert "ReLU    from zeros: largest weight 0.000" in ran.printed


def test_spread_of_tanh(ran):
    wide, narrow, kept = ([out.std() for out in ran["outputs_of_layers"](np.tanh, std)] for std in (1.0, 0.01, 0.1))
    assert min(wide) > 0.9
    np.testing.assert_allclose(narrow, 0.1 ** np.arange(1, 6), rtol=0.1)
    assert 0.3 < min(kept) < max(kept) < 0.7
    assert "tanh, std 0.01       : standard deviation by layer 0.09877 0.00983 0.00098 0.00010 0.00001" in ran.printed


def test_variance_of_a_sum(ran):
    np.testing.assert_allclose(ran["measured"], ran["formula"], rtol=0.03)
    assert "inputs behind a ReLU: variance of the sums 0.496, by the formula 0.499" in ran.printed


def test_factors_per_layer(ran):
    expected = {"std 1": 50**0.5, "std 0.01": 0.01 * 50**0.5, "std 0.1, Xavier": 0.5**0.5, "std 0.14, He": 1.0}
    assert list(ran["factors"]) == list(expected)
    for label, factor in expected.items():
        np.testing.assert_allclose(ran["factors"][label], factor, rtol=0.06)


def test_the_same_activations_with_fastnn(ran):
    assert ran["activation_difference"] < 1e-13


def test_learning_by_initialisation(ran):
    ends = {name: np.mean(losses[-20:]) for name, losses in ran["curves"].items()}
    assert list(ends) == ["zeros", "std 1", "std 0.01", "default", "Xavier", "He"]
    np.testing.assert_allclose([ends["zeros"], ends["std 0.01"]], np.log(10), rtol=0.01)
    assert not ends["std 1"] < 10
    assert ends["He"] < ends["Xavier"] < 1 < ends["default"]
    assert "zeros    loss at first 2.303" in ran.printed


def test_batch_normalization_by_hand(ran):
    assert list(ran["differences"]) == ["out", "dx", "dweight", "dbias", "prediction"]
    assert max(ran["differences"].values()) < 1e-13
    np.testing.assert_allclose(ran["dx"].sum(axis=0), 0, atol=1e-13)
    assert "gradcheck of BatchNorm1d: ok" in ran.printed


def test_backward_pass_of_the_lesson_against_differences(ran):
    rng = np.random.default_rng(0)
    x, dout, layer = rng.standard_normal((5, 2)), rng.standard_normal((5, 2)), ran["BatchNorm"](2)
    layer.forward(x)
    dx, numerical = layer.backward(dout), np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-6
        numerical[index] = ((layer.forward(x + step) - layer.forward(x - step)) * dout).sum() / 2e-6
    np.testing.assert_allclose(dx, numerical, atol=1e-8)


def test_batch_normalization_learns_at_every_scale(ran):
    last = {key: accuracy[-1] for key, accuracy in ran["with_and_without"].items()}
    assert min(last[scale, True] for scale in ran["SCALES"]) > 0.25
    assert max(last[scale, False] for scale in (1.0, 0.5, 0.05, 0.02, 0.01, 0.001)) < 0.25
    assert last[0.2, False] > 0.5


def test_dropout_by_hand(ran):
    assert ran["dropout_differences"] == [0, 0]
    kept = ran["dropped"] != 0
    assert 0 < kept.mean() < 1
    # In the last cell x is still what was dropped out there.
    np.testing.assert_allclose(ran["dropped"][kept], ran["x"][kept] / 0.7)
    np.testing.assert_allclose(ran["mean"], ran["x"], atol=0.05)
    assert "dropped out  [-0.30689844 -1.11829797  0.         -3.56270611  0.98589253  0.70195466]" in ran.printed


def test_overfitting(ran):
    for name in ("plain", "dropout 0.3", "batch normalization"):
        trained, tested, _ = ran["results"][name]
        assert trained > 0.97 > 0.92 > tested > 0.7
    assert ran["results"]["weight decay 0.1"][0] < 0.95
    assert ran["results"]["plain, 3,000 digits"][1] > ran["results"]["plain"][1] + 0.02
    assert all(ran["histories"][name].shape == (30, 4) for name in list(ran["methods"])[:4])


def test_pictures(ran):
    names = "sigmoid", "tanh", "relu", "depth", "fastnn", "learning", "batchnorm", "overfitting"
    ran.assert_pictures(*names)


@pytest.mark.slow
def test_full_mnist(run_lesson, full_mnist):
    ran = run_lesson("14_initialisation", quick=False)
    accuracy, loss = ({name: figures[i] for name, figures in ran["results"].items()} for i in (1, 2))
    assert accuracy["plain, 3,000 digits"] > 0.91
    assert 0.78 < accuracy["plain"] < 0.83
    assert accuracy["batch normalization"] < accuracy["plain"] < accuracy["dropout 0.3"]
    assert loss["weight decay 0.01"] < 0.9 * loss["plain"]
    assert ran["with_and_without"][0.05, True][-1] > 0.98
