import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FASTNN_CIFAR10", raising=False)
        return run_lesson("19_cifar10")


def test_without_the_data_it_says_where_to_get_it(ran):
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in ran.printed
    assert ran["images"].train_images.shape == (2000, 3, 32, 32)
    assert ran["images"].train_images.dtype == np.uint8


def test_both_distributions_are_read(ran):
    assert ran["same"]


def test_a_harmful_pickle_is_refused(ran):
    assert "print" in ran["refused"]
    assert "this could have been any command" not in ran.printed


def test_augmentation(ran):
    np.testing.assert_array_equal(ran["by_hand"], ran["by_kernel"])
    np.testing.assert_array_equal(*ran["again"])
    assert not np.array_equal(ran["again"][0], ran["other"])
    down, right, mirror = ran["draws"].T
    assert set(down) == set(right) == set(range(-4, 5))
    assert 0.4 < mirror.mean() < 0.6


def test_training(ran):
    assert list(ran["histories"]) == ["plain", "augmented"]
    for history in ran["histories"].values():
        assert history["loss"][-1] < history["loss"][0]
    assert ran["histories"]["plain"]["accuracy"][-1] > 0.3
    assert ran["matrix"].sum() == 1000


def test_pictures(ran):
    ran.assert_pictures("samples", "augmented", "curves", "confusion")


def test_a_folder_of_other_data(run_lesson, tmp_path, monkeypatch):
    monkeypatch.delenv("FASTNN_CIFAR10", raising=False)
    printed = run_lesson("19_cifar10", "--data", str(tmp_path)).printed
    assert f"CIFAR-10: missing in {tmp_path}" in printed and "no CIFAR-10 here" in printed
