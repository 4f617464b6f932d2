"""The scripts in tools/ run, on small work, and write where the documents expect it."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn as fnn

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
SECTIONS = {
    "README.md": {"train", "kernels"},
    "docs/performance.md": {"train", "predict", "predict batch 1", "mnist", "memory", "dense"},
}


def run(name, *arguments):
    """What a script prints."""
    command = [sys.executable, "-W", "error", TOOLS / name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tool(monkeypatch):
    """Import a script as a module."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module


@pytest.mark.parametrize("name", sorted(path.name for path in TOOLS.glob("[a-z]*.py")))
def test_help(name):
    assert f"usage: {name}" in run(name, "--help")


@pytest.mark.parametrize("document", SECTIONS)
def test_documents_have_their_sections(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(r"<!-- measured: (.*?) -->\n.*?<!-- end -->", text, re.DOTALL)
    assert set(found) == SECTIONS[document] and len(found) == len(SECTIONS[document])


def test_a_section_is_replaced(tmp_path, tool):
    document = tmp_path / "page.md"
    page = "one\n<!-- measured: a -->\n{}<!-- end -->\ntwo\n<!-- measured: a b -->\nkept\n<!-- end -->\nthree\n"
    document.write_text(page.format(""))
    for text in (r"first \1", "second"):
        tool("_tables").write_section(document, "a", text)
        assert document.read_text() == page.format(text + "\n")
    with pytest.raises(SystemExit, match="no section"):
        tool("_tables").write_section(document, "c", "")


def test_picture_is_the_one_that_the_script_draws():
    run("draw_plan.py", "--check")


@pytest.mark.parametrize("options", [[], ["--predict", "--batch", "3"]])
def test_training(tmp_path, options):
    found = tmp_path / "found.json"
    arguments = ("xor", "signals_1d", "--alone", "--rounds", "1", "--seconds", "0.02", "--json", found, *options)
    table = run("measure_training.py", *arguments)
    results = json.loads(found.read_text())["results"]
    assert [r["network"] for r in results] == ["xor", "signals_1d"] and all(r["fastnn"] > 0 for r in results)
    assert len(re.findall(r"^\| (xor|signals_1d) \|", table, re.MULTILINE)) == 2


def test_workloads_count_operations(tool):
    tool = tool("measure_training")
    assert tool.flops_of(tool.WORKLOADS["xor"], True) == 2 * 12
    assert tool.flops_of(tool.WORKLOADS["xor"], False) == 2 * (3 * 12 - 6)  # no gradient of the first layer's input


def test_workloads_run_as_plans(tool):
    for name, load in tool("measure_training").WORKLOADS.items():
        network = fnn.Sequential(*load.layers(fnn))
        assert network.summary(load.shape).path == "compiled plan", name


def test_memory():
    assert re.search(r"^\| lenet \| 128 \| 1 \| \d+ \| \d+ \|$", run("measure_memory.py", "lenet", "--alone"), re.MULTILINE)


def test_mnist(tmp_path):
    digits = fnn.data.mnist_subset()
    for part, images, labels in (
        ("train", digits.train_images[:500], digits.train_labels[:500]),
        ("t10k", digits.test_images[:50], digits.test_labels[:50]),
    ):
        fnn.data.write_idx(tmp_path / f"{part}-images-idx3-ubyte", images[:, 0])
        fnn.data.write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels.astype("uint8"))
    table = run("measure_mnist.py", "--data", str(tmp_path), "--seeds", "2", "--budget", "0.05")
    assert "seed 1" in table and "--data FOLDER" in table


def test_dense_sweep(tmp_path, tool, monkeypatch, capsys):
    tool = tool("measure_dense_sweep")
    small = {"WIDTHS": range(1, 4), "BATCHES": range(1, 4), "AT_BATCHES": (2,), "AT_WIDTHS": (3,)}
    for name, value in small.items():
        monkeypatch.setattr(tool, name, value)
    monkeypatch.setattr(sys, "argv", ["tools/measure_dense_sweep.py", "--launches", "0", "--plot", str(tmp_path / "sweep.png")])
    tool.main()
    assert 0 < capsys.readouterr().out.count("| kernels |") <= 4  # there are no more neighbours
    assert (tmp_path / "sweep.png").stat().st_size > 0
