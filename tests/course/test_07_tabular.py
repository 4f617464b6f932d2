import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "course"


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("07_tabular")


def test_the_generated_table_has_the_published_statistics(ran):
    admissions = ran["admissions"]
    for seed in range(4):
        table = admissions.generate(seed)
        gre, gpa, admit, rank = (table[name] for name in ("gre", "gpa", "admit", "rank"))
        assert len(admit) == 400
        assert admit.sum() == 127
        assert (round(gre.mean(), 1), round(gre.std(ddof=1), 1)) == (587.7, 115.5)
        assert (round(gpa.mean(), 3), round(gpa.std(ddof=1), 3)) == (3.390, 0.381)
        assert set(gre) <= set(range(220, 801, 20))
        assert (gre.min(), gre.max(), gpa.min(), gpa.max()) == (220, 800, 2.26, 4.0)
        np.testing.assert_array_equal(gpa, gpa.round(2))
        counts = {r: tuple(np.sum((rank == r) & (admit == a)) for a in (0, 1)) for r in (1, 2, 3, 4)}
        assert counts == {1: (28, 33), 2: (97, 54), 3: (93, 28), 4: (55, 12)}
    np.testing.assert_array_equal(admissions.generate(1)["gre"], admissions.generate(1)["gre"])


def test_training_by_hand(ran):
    report = ran["report"]
    assert len(report.losses) == 10
    assert report.losses == sorted(report.losses, reverse=True)
    assert report.warnings == 0
    y = ran["sigmoid"](ran["train_x"] @ ran["weight"])
    assert np.abs(ran["train_x"].T @ (y - ran["train_t"]) / 300).max() < 1e-3
    assert ran["accuracy"] > 0.6
    assert f"test accuracy {ran['accuracy']:.3f}" in ran.printed


def test_a_rising_loss_is_warned_of(ran):
    assert ran["too_fast"].warnings > 0
    assert "WARNING: the loss has risen" in ran.printed


def test_the_library_trains_the_same(ran):
    np.testing.assert_allclose(ran["neuron"].params["weight"][0], ran["weight"], rtol=1e-9)
    np.testing.assert_allclose(ran["network_report"].losses, ran["by_hand"].losses, rtol=1e-9)
    assert ran["neuron_accuracy"] == ran["accuracy"]
    assert ran["network_report"].losses[-1] < ran["neuron_report"].losses[-1]


def test_a_table_in_a_file_is_read(run_lesson, tmp_path, ran):
    subprocess.run([sys.executable, FOLDER / "admissions.py", tmp_path / "admissions.csv"], check=True)
    again = run_lesson("07_tabular", "--data", str(tmp_path))
    assert f"data: {tmp_path / 'admissions.csv'}" in again.printed
    np.testing.assert_allclose(again["weight"], ran["weight"], rtol=1e-12)


def test_pictures(ran):
    ran.assert_pictures("losses")
