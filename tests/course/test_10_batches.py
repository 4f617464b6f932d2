import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("10_batches")


def test_errors_shrink_with_the_root_of_the_batch(ran):
    scaled = np.array(ran["errors"]) * np.sqrt(ran["sizes"])
    assert scaled[:-1].max() / scaled[:-1].min() < 1.4


def test_the_ragged_batch(ran):
    assert ran["kept"] == ran["by_library"] == [128] * 7 + [104]
    assert ran["dropped"] == [128] * 7
    assert "[128, 128, 128, 128, 128, 128, 128, 104] = 1000 samples" in ran.printed


def test_smaller_batches_learn_more_in_an_epoch(ran):
    runs = ran["runs"]
    assert list(runs) == ["full batch", "mini-batch of 128", "mini-batch of 64", "mini-batch of 32", "single sample"]
    last = [history["loss"][-1] for history in runs.values()]
    assert last[:4] == sorted(last[:4], reverse=True)
    assert last[4] < 1 < last[0]
    assert runs["mini-batch of 32"]["val_accuracy"][-1] > 0.8


def test_keeping_and_dropping_differ_a_little(ran):
    kept, dropped = (ran["ragged"][name]["loss"][-1] for name in ("kept", "dropped"))
    assert kept != dropped
    assert abs(kept - dropped) < 0.1


def test_pictures(ran):
    ran.assert_pictures("curves", "ragged")
