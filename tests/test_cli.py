"""The command line: what it refuses before training, what it prints, what it writes."""

import re
import subprocess
import sys

import numpy as np
import pytest

import fastnn as fnn
from fastnn import cli
from fastnn.data import mnist_subset, write_idx


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("FASTNN_DATA", raising=False)


@pytest.fixture
def never_trains(monkeypatch):
    def fit(*arguments, **options):
        raise AssertionError("training has started")

    monkeypatch.setattr(fnn.Trainer, "fit", fit)


@pytest.fixture
def folder(tmp_path):
    """A few of the embedded digits as the four files of MNIST."""
    path, digits = tmp_path / "digits", mnist_subset()
    path.mkdir()
    write_idx(path / "train-images-idx3-ubyte", digits.train_images[:600, 0])
    write_idx(path / "train-labels-idx1-ubyte", digits.train_labels[:600].astype(np.uint8))
    write_idx(path / "t10k-images-idx3-ubyte", digits.test_images[:200, 0])
    write_idx(path / "t10k-labels-idx1-ubyte", digits.test_labels[:200].astype(np.uint8))
    return path


def refusal(capsys, *arguments):
    """The one line with which `arguments` are refused."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert stop.value.code == 2
    assert out == "" and err.endswith("\n") and err.count("\n") == 1
    return err.rstrip("\n")


@pytest.mark.parametrize("option", ["--epochs", "--batch-size"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "nan", ""])
def test_counts_are_positive_integers(capsys, never_trains, option, value):
    message = refusal(capsys, "train", option, value)
    assert message == f"fastnn train: error: argument {option}: expected an integer of at least 1, got {value!r}"


@pytest.mark.parametrize("value", ["0", "-0.1", "nan", "inf", "fast"])
def test_learning_rate_is_positive_and_finite(capsys, never_trains, value):
    message = refusal(capsys, "train", "--lr", value)
    assert message == f"fastnn train: error: argument --lr: expected a finite number above 0, got {value!r}"


@pytest.mark.parametrize("value", ["-1", "1.5", str(2**63), "x"])
def test_seed_is_a_natural_number(capsys, never_trains, value):
    assert f"argument --seed: expected an integer from 0 to 2**63 - 1, got {value!r}" in refusal(
        capsys, "train", "--seed", value
    )


def test_unknown_names(capsys, never_trains):
    assert "argument --model: invalid choice: 'gpt'" in refusal(capsys, "train", "--model", "gpt")
    assert "unrecognized arguments: --speed" in refusal(capsys, "train", "--speed", "9")
    assert "invalid choice: 'fly'" in refusal(capsys, "fly")
    assert "required: COMMAND" in refusal(capsys)


def test_missing_data(capsys, never_trains, tmp_path, monkeypatch):
    assert refusal(capsys, "train", "--data", tmp_path / "no") == (
        f"fastnn train: error: MNIST: no such folder: {tmp_path / 'no'}"
    )
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    assert "missing in" in refusal(capsys, "train")


def test_damaged_data(capsys, never_trains, folder):
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{path}: truncated" in refusal(capsys, "train", "--data", folder)


def test_empty_data(capsys, never_trains, folder):
    write_idx(folder / "t10k-images-idx3-ubyte", np.zeros((0, 28, 28), np.uint8))
    write_idx(folder / "t10k-labels-idx1-ubyte", np.zeros(0, np.uint8))
    assert "at least one training and one test digit" in refusal(capsys, "train", "--data", folder)


@pytest.mark.parametrize("option, name", [("--save", "model.safetensors"), ("--plot", "curves.png")])
def test_outputs_that_cannot_be_written(capsys, never_trains, tmp_path, option, name):
    missing = tmp_path / "no" / name
    assert refusal(capsys, "train", option, missing) == (f"fastnn train: error: no such folder: {tmp_path / 'no'}: {missing}")
    taken = tmp_path / name
    taken.mkdir()
    assert refusal(capsys, "train", option, taken) == f"fastnn train: error: is a folder: {taken}"
    (tmp_path / "file").write_bytes(b"")
    assert "no such folder" in refusal(capsys, "train", option, tmp_path / "file" / name)


def test_outputs_that_make_no_sense(capsys, never_trains, tmp_path):
    assert "expected a file name ending in .png" in refusal(capsys, "train", "--plot", tmp_path / "curves.pdf")
    same = tmp_path / "a.png"
    assert "name the same file" in refusal(capsys, "train", "--plot", same, "--save", same)
    assert "is not a regular file: /dev/null" in refusal(capsys, "train", "--save", "/dev/null")
    assert not list(tmp_path.iterdir())


def test_missing_matplotlib_is_found_before_training(capsys, never_trains, tmp_path, monkeypatch):
    def missing():
        raise ImportError('plots need matplotlib: pip install "fastnn-numba[plot]"')

    monkeypatch.setattr("fastnn.plot.require_matplotlib", missing)
    assert "fastnn-numba[plot]" in refusal(capsys, "train", "--plot", tmp_path / "a.png")


def test_check_of_outputs_leaves_them_alone(capsys, tmp_path, monkeypatch, folder):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"an older model")

    def fit(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(fnn.Trainer, "fit", fit)
    assert cli.main(["train", "--save", str(path), "--data", str(folder)]) == 130
    assert path.read_bytes() == b"an older model"
    assert sorted(tmp_path.iterdir()) == sorted([path, folder])
    assert "interrupted" in capsys.readouterr().err


def train(*arguments):
    return cli.main(["train", *map(str, arguments)])


def test_train_writes_what_it_reports(capsys, tmp_path, folder):
    save, plot = tmp_path / "model.safetensors", tmp_path / "curves.png"
    assert train("--data", folder, "--epochs", 2, "--batch-size", 32, "--save", save, "--plot", plot) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"data: full set from {folder}, 600 training and 200 test digits"
    assert "model: lenet5, 44426 parameters" in out
    assert "epoch 1/2" in err and "epoch 2/2" in err and "images/s" in err

    accuracy = float(re.search(r"^test accuracy (\d+\.\d\d) %$", out, re.MULTILINE)[1])
    assert accuracy > 30  # 39 updates; guessing gives 10
    network, digits = fnn.load(save), mnist_subset()
    right = network.predict(digits.test_images[:200]).argmax(axis=1) == digits.test_labels[:200]
    assert accuracy == pytest.approx(100 * right.mean(), abs=0.01)
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_other_models(capsys, tmp_path, folder):
    path = tmp_path / "resnet"
    assert train("--data", folder, "--model", "resnet20", "--epochs", 1, "--save", path) == 0
    assert "model: resnet20, 272186 parameters" in capsys.readouterr().out
    assert fnn.load(path).output_shape((1, 28, 28)) == (10,)


def test_seed_decides_the_network(tmp_path, folder):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train("--data", folder, "--epochs", 1, "--seed", seed, "--save", tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_rate_falls_around_its_mean(monkeypatch, folder):
    rates, epoch = [], fnn.Trainer._epoch
    monkeypatch.setattr(fnn.Trainer, "_epoch", lambda self, *given: rates.append(self.optimizer.lr) or epoch(self, *given))
    train("--data", folder, "--epochs", 4, "--lr", 0.004, "--batch-size", 600)
    assert rates == pytest.approx([0.007, 0.005, 0.003, 0.001])
    assert cli._rate(0.5, 0, 1) == 0.5


def test_divergence_is_reported(capsys, tmp_path, folder):
    save = tmp_path / "model.safetensors"
    assert train("--data", folder, "--epochs", 2, "--lr", 1e30, "--save", save) == 1
    out, err = capsys.readouterr()
    assert "training diverged" in err and "--lr" in err
    assert "test accuracy" not in out and not save.exists()


def test_a_disk_that_fills_up_is_reported(capsys, tmp_path, folder, monkeypatch):
    def save(network, path):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(fnn.Sequential, "save", save)
    assert train("--data", folder, "--epochs", 1, "--save", tmp_path / "m") == 1
    assert "fastnn train: error: No space left on device" in capsys.readouterr().err


def test_data_of_the_environment_and_embedded(capsys, folder, monkeypatch):
    seen = []
    monkeypatch.setattr(fnn.Trainer, "fit", lambda self, x, y, **options: seen.append(len(x)) or {"loss": [np.nan]})
    monkeypatch.setenv("FASTNN_DATA", str(folder))
    train()
    train("--data", "embedded")
    assert seen == [600, 6000]
    out = capsys.readouterr().out
    assert f"data: full set from {folder}" in out and "data: embedded subset" in out


@pytest.mark.slow
def test_default_recipe_reaches_its_accuracy(capsys):
    assert train() == 0
    assert float(re.search(r"test accuracy (.*) %", capsys.readouterr().out)[1]) >= 96.5


def test_info(capsys):
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("fastnn", "python", "numpy", "numba", "llvmlite", "cpu", "features", "vector width", "threads"):
        assert any(re.match(rf"{name}  +\S", line) for line in lines), name
    for name in ("threading layer", "cache folder"):
        assert any(line.startswith(name + "  ") for line in lines), name
    assert f"numpy            {np.__version__}" in lines


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["warmup", "--help"], ["info", "--help"], ["--version"]]
)
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 0
    out = capsys.readouterr().out
    if arguments[0] == "train":
        for option in ("--data", "--model", "--epochs", "--batch-size", "--lr", "--seed", "--save", "--plot"):
            assert option in out
        assert "None" not in out and "SUPPRESS" not in out


def test_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "fastnn", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"fastnn {fnn.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "fastnn", "train", "--lr", "x"], capture_output=True, text=True)
    assert done.returncode == 2
