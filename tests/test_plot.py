"""fastnn.plot: what the picture shows, and that drawing it leaves matplotlib's state alone."""

import builtins
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fastnn.history import History
from fastnn.plot import COLUMNS, PASSES, ROWS, plot_profile, save_figure, training_figure
from fastnn.profiling import Profile

HISTORY = History(
    [
        {"epoch": 1, "loss": 0.9, "accuracy": 0.7, "val_loss": 0.8, "val_accuracy": 0.75},
        {"epoch": 2, "loss": 0.4, "accuracy": 0.9, "val_loss": 0.5, "val_accuracy": 0.85},
    ]
)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def digits(rng):
    labels = rng.integers(0, 10, 200)
    return rng.integers(0, 256, (200, 1, 28, 28)).astype(np.uint8), labels, labels.copy()


def curves(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def captions(figure):
    return [(text.get_text(), to_rgb(text.get_color())) for text in figure.axes[2].texts]


def test_curves(digits):
    loss, accuracy, _ = training_figure(HISTORY, *digits).axes
    assert curves(loss) == {"training": [0.9, 0.4], "test": [0.8, 0.5]}
    assert curves(accuracy) == {"training": [0.7, 0.9], "test": [0.75, 0.85]}


def test_missing_columns_are_left_out(digits):
    loss, accuracy, _ = training_figure(History([{"epoch": 1, "loss": 0.9}]), *digits).axes
    assert curves(loss) == {"training": [0.9]} and curves(accuracy) == {}


def test_mistakes_are_red_and_say_both_classes(digits):
    images, labels, predictions = digits
    labels[3], predictions[3] = 4, 9
    figure = training_figure(HISTORY, images, labels, predictions)
    texts = captions(figure)
    assert len(texts) == ROWS * COLUMNS
    assert texts[3] == ("9, is 4", (1.0, 0.0, 0.0))
    assert texts[4] == (str(labels[4]), (0.0, 0.0, 0.0))
    assert len(figure.axes[2].patches) == 1


def test_late_mistakes_are_shown_but_do_not_fill_the_grid(digits):
    images, labels, predictions = digits
    predictions[100:] = (labels[100:] + 1) % 10
    texts = captions(training_figure(HISTORY, images, labels, predictions))
    assert len(texts) == ROWS * COLUMNS
    assert sum(", is " in text for text, _ in texts) == ROWS * COLUMNS // 4


@pytest.mark.parametrize("right", [0, 40, 200])
def test_grid_is_full_whatever_the_share_of_mistakes(digits, right):
    images, labels, predictions = digits
    predictions[right:] = (labels[right:] + 1) % 10
    assert len(captions(training_figure(HISTORY, images, labels, predictions))) == ROWS * COLUMNS


def test_each_image_is_drawn_under_its_caption(digits):
    images, labels, predictions = digits
    axes = training_figure(HISTORY, images, labels, predictions).axes[2]
    sheet = axes.images[0].get_array()
    for position, text in enumerate(axes.texts):
        left, bottom = round(text.get_position()[0]) - 14, round(text.get_position()[1])
        np.testing.assert_array_equal(sheet[bottom + 2 : bottom + 30, left : left + 28], images[position, 0])


@pytest.mark.parametrize("count", [0, 1, 5, COLUMNS, COLUMNS + 1])
def test_few_images(tmp_path, digits, count):
    save_figure(training_figure(HISTORY, *(array[:count] for array in digits)), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_float_images_without_channel_axis(digits):
    images, labels, predictions = digits
    training_figure(HISTORY, images[:, 0] / 255, labels, predictions)


@pytest.mark.parametrize("shape", [(200,), (200, 3, 28, 28), (200, 28)])
def test_wrong_images(digits, shape):
    with pytest.raises(ValueError, match=r"got images\.shape="):
        training_figure(HISTORY, np.zeros(shape), *digits[1:])


def test_wrong_lengths(digits):
    with pytest.raises(ValueError, match="expected 200 labels and predictions"):
        training_figure(HISTORY, digits[0], digits[1][:-1], digits[2])


def test_png_is_readable_and_atomic(tmp_path, digits):
    from PIL import Image

    path = tmp_path / "figure.png"
    save_figure(training_figure(HISTORY, *digits), path)
    with Image.open(path) as image:
        image.load()
        assert image.width > 1000
    assert list(tmp_path.iterdir()) == [path]


def profile_of(*passes):
    rows = [
        {
            "name": f"{i} Dense",
            "pass": which,
            "fused": ("ReLU",) if which == "forward" else (),
            "seconds": (i + 1) * 1e-6,
            "gflops": 10.0,
            "gbytes": 1.0,
            "percent": 10.0 * i,
            "bound": "arithmetic",
        }
        for i, which in enumerate(passes)
    ]
    return Profile(rows, "compiled plan", 64, 2, (200.0, 100.0), 2e-5)


def test_bars_of_a_profile(tmp_path):
    figure = plot_profile(profile_of("prepare", "forward", "loss", "backward", "weight gradient", "update"), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([2, 3, 4, 5, 6])
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["1 Dense + ReLU", "2 Dense"]
    assert axes.texts[0].get_text() == "10 %  arithmetic"
    shown = ["forward", "loss", "backward", "weight gradient", "update"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == shown
    assert [to_rgb(bar.get_facecolor()[:3]) for bar in axes.patches] == [to_rgb(PASSES[name]) for name in shown]
    assert axes.yaxis_inverted() and "64 samples, 2 threads" in axes.get_title()


def test_profile_plots_itself(tmp_path):
    assert len(profile_of("forward").plot().axes) == 1
    profile_of("forward").plot(tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes().startswith(PNG)


def test_what_is_no_profile():
    with pytest.raises(TypeError, match="expected profile to be"):
        plot_profile([1, 2])


def test_backend_and_pyplot_are_left_alone(tmp_path):
    """Also the proof that no display is needed: a window system that does not exist is chosen."""
    code = f"""
import sys
import numpy as np, fastnn, fastnn.profiling
from fastnn.history import History
assert "matplotlib" not in sys.modules
figure = fastnn.plot.training_figure(History([]), np.zeros((2, 1, 4, 4)), np.zeros(2, int), np.ones(2, int))
fastnn.plot.save_figure(figure, {str(tmp_path / "a.png")!r})
row = {{"name": "0 Dense", "pass": "forward", "fused": (), "seconds": 1e-5, "percent": 1.0, "gflops": 1.0, "bound": "cache"}}
plot = fastnn.plot
plot.learning_curves([2, 1])
plot.confusion_matrix([[1, 0], [0, 1]])
plot.images(np.zeros((2, 4, 4)))
plot.filters(np.ones((2, 1, 3, 3)))
plot.activation_histograms({{"a": [1, 2]}})
plot.curves([1, 2], {{"a": [1, 2]}})
plot.paths(lambda x, y: x * y, {{"a": [[0, 0]]}})
plot.decision_regions(lambda points: np.zeros(len(points), int), np.ones((1, 2)), [0])
fastnn.profiling.Profile([row], "compiled plan", 1, 1, (1.0, 1.0), 1e-5).plot({str(tmp_path / "b.png")!r})
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
assert matplotlib.rcParams["backend"].lower() == "tkagg"
"""
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "MPLBACKEND": "tkagg"}, check=True)
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_missing_matplotlib_names_the_extra(monkeypatch, digits):
    real = builtins.__import__

    def without_matplotlib(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r'pip install "fastnn-numba\[plot\]"'):
        training_figure(HISTORY, *digits)


@pytest.mark.parametrize("name, start", [("a.svg", b"<?xml"), ("a.PDF", b"%PDF"), ("a.png", b"\x89PNG"), ("a.v2", b"\x89PNG")])
def test_a_file_is_what_its_name_says(tmp_path, name, start):
    save_figure(training_figure(HISTORY, np.zeros((1, 1, 8, 8)), [0], [0]), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_only_figures_can_be_saved(tmp_path):
    with pytest.raises(TypeError, match="save_figure: expected a matplotlib figure, got 'a picture'"):
        save_figure("a picture", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
