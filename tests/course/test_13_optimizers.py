import numpy as np
import pytest

NAMES = ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam", "AdamW"]


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("13_optimizers")


def test_the_same_paths_by_hand_and_with_fastnn(ran):
    assert list(ran["by_hand"]) == list(ran["paths"]) == NAMES
    for name in NAMES:
        assert ran["paths"][name].shape == (31, 2)
        np.testing.assert_array_equal(ran["paths"][name][0], [-7, 2])
        np.testing.assert_allclose(ran["by_hand"][name], ran["paths"][name], rtol=1e-12, atol=1e-13)
    assert max(ran["differences"].values()) < 1e-14
    assert ran.printed.count("largest difference between the two paths") == 7


def test_sgd_multiplies_by_a_factor(ran):
    steps = np.arange(31)[:, None]
    np.testing.assert_allclose(ran["by_hand"]["SGD"], [-7, 2] * np.array([0.905, -0.9]) ** steps, rtol=1e-12)
    assert "after 30 at (-0.3504,  0.0848)" in ran.printed


@pytest.mark.parametrize(
    "name,first",
    [
        ("Momentum", (-6.93, 1.6)),
        ("Nesterov", (-6.867, 1.24)),  # 1.9 gradients times the rate
        ("AdaGrad", (-5.5, 0.5)),  # each coordinate moves by the rate
        ("RMSprop", (-7 + 0.3 / 0.1**0.5, 2 - 0.3 / 0.1**0.5)),
        ("Adam", (-6.7, 1.7)),
        ("AdamW", (-6.49, 1.64)),  # 0.97 times the start, then as Adam
    ],
)
def test_first_steps(ran, name, first):
    np.testing.assert_allclose(ran["by_hand"][name][1], first, rtol=1e-7)
    assert f"{name:8s} first step to ({first[0]:7.4f}, {first[1]:7.4f})" in ran.printed


def test_all_arrive(ran):
    heights = {name: ran["f"](*path[-1]) for name, path in ran["paths"].items()}
    assert max(heights.values()) < 0.11 < ran["f"](-7, 2)


def test_polyak(ran):
    factor = (20**0.5 - 1) / (20**0.5 + 1)
    np.testing.assert_allclose([ran["best_momentum"], ran["best_rate"]], [factor**2, 4 / (0.1**0.5 + 2**0.5) ** 2])
    assert ran["f"](*ran["polyak"][-1]) < 1e-7
    assert "best momentum 0.4026 at rate 1.3358" in ran.printed


def test_both_forms_of_nesterov(ran):
    assert ran["nesterov_difference"] < 1e-14


def test_rmsprop_does_not_settle(ran):
    np.testing.assert_allclose(np.abs(ran["rattling"][-3:]), 0.15, atol=1e-4)
    assert "RMSprop after 400 steps: (-0.1500,  0.1500)" in ran.printed


def test_only_decoupled_decay_is_the_same_for_all_weights(ran):
    decayed = ran["decayed"]
    np.testing.assert_allclose(decayed["SGD"][1], 0.999**1000, rtol=1e-3)
    np.testing.assert_allclose(decayed["SGD"][0], 0.999**1000, atol=0.1)
    assert decayed["Adam"][0] > 0.85 > 0.001 > decayed["Adam"][1]
    np.testing.assert_allclose(decayed["AdamW"][0], decayed["AdamW"][1], rtol=1e-6)
    np.testing.assert_allclose(decayed["AdamW"], 0.999**1000, rtol=0.03)
    assert "AdamW gradients ±10: 0.3614 left, gradients ±0.01: 0.3614 left" in ran.printed


def test_digits(ran):
    assert list(ran["losses"]) == NAMES
    for name, (_, rates) in ran["constructors"].items():
        assert ran["best_rates"][name] in rates
        assert ran["smooth"](ran["losses"][name])[-1] < 0.5
        assert ran["accuracies"][name] > 0.85
        assert f"test accuracy {ran['accuracies'][name]:.2%} after 200 steps" in ran.printed


def test_smoothing_keeps_a_constant(ran):
    np.testing.assert_allclose(ran["smooth"]([3.0, 3.0, 3.0]), 3)
    np.testing.assert_allclose(ran["smooth"]([0.0, 1.0], beta=0.5), [0, 2 / 3])


def test_pictures(ran):
    ran.assert_pictures("paths", "rates", "curves")


@pytest.mark.slow
def test_full_mnist(run_lesson, full_mnist):
    ran = run_lesson("13_optimizers", quick=False)
    assert min(ran["accuracies"].values()) > 0.95
    assert min(ran["seeds"]) > 0.95
