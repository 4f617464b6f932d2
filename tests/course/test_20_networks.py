import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("20_networks")


def test_pieces_by_hand(ran):
    assert ran["lrn_difference"] < 1e-12
    assert ran["concat_difference"] < 1e-12


def test_receptive_fields(ran):
    see = ran["receptive_field"]
    assert (see([(3, 1)] * 2), see([(3, 1)] * 3), see([(7, 2), (3, 2), (3, 1)])) == (5, 7, 19)


def test_shortcuts_carry_the_gradient(ran):
    plain, residual = ran["sizes"]["plain"], ran["sizes"]["residual"]
    assert plain[0] < 1e-6 * plain[-1]
    assert residual[0] > 0.1 * residual[-1]


def test_published_sizes(ran):
    assert ran["parameters"] == {"lenet5": 44_426, "googlenet": 6_998_552, "resnet18": 11_689_512, "resnet20": 272_474}
    assert "resnet18     11,689,512 parameters" in ran.printed


def test_small_ones_learn(ran):
    assert all(values[-1] < values[0] for values in ran["losses"].values())
    assert ran.printed.count("compiled plan") == len(ran["losses"])


def test_pictures(ran):
    ran.assert_pictures("gradients", "sizes")


@pytest.mark.slow
def test_all_published_sizes(run_lesson):
    ran = run_lesson("20_networks", quick=False)
    assert ran["parameters"] == {
        "lenet5": 44_426,
        "alexnet": 60_965_224,
        "zfnet": 62_357_608,
        "vgg11": 132_863_336,
        "vgg16": 138_357_544,
        "googlenet": 6_998_552,
        "resnet18": 11_689_512,
        "resnet20": 272_474,
    }
    assert all(values[-1] < values[0] for values in ran["losses"].values())
