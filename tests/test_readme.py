"""README.md keeps its word: the example runs, the commands and the links exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_there_is_one_example_of_twenty_lines():
    (example,) = EXAMPLES
    assert 15 <= len([line for line in example.splitlines() if line.strip()]) <= 22


def test_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    exec(compile(EXAMPLES[0], "README.md", "exec"), names)
    assert names["history"]["val_accuracy"][-1] > 0.85
    assert [path.name for path in tmp_path.iterdir()] == ["digits.safetensors"]
    out = capsys.readouterr().out
    assert "test accuracy" in out and "predicted [" in out


def test_make_targets_exist(tmp_path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\s*make (\w+)", README, re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_commands_of_the_makefile(tmp_path):
    def plan(target):
        options = ["--dry-run", "--no-print-directory", f"VENV={tmp_path}/venv"]
        try:
            done = subprocess.run(["make", *options, target], cwd=ROOT, capture_output=True, text=True, check=True)
        except FileNotFoundError:
            pytest.skip("needs make")
        return done.stdout

    demo, test = plan("demo"), plan("test")
    assert "-m venv" in demo and "'.[plot]'" in demo
    assert "bin/fastnn train --data embedded --save out/lenet5.safetensors --plot out/lenet5.png" in demo
    assert "'.[test]'" in test and "-m pytest" in test


def test_options_of_the_command_line_exist():
    from fastnn.cli import _parser

    for command in re.findall(r"^fastnn (.*)$", README, re.MULTILINE):
        _parser().parse_args(command.split())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))])
def test_links_lead_somewhere(name):
    page = ROOT / name
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)  # code looks like links
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), f"{name}: {target}"


def test_backward_kernels_are_all_derived():
    import fastnn.kernels

    text = (ROOT / "docs" / "backward.md").read_text(encoding="utf-8")
    reference = fastnn.kernels.resolve("reference")
    for path in Path(reference.__file__).parent.glob("[a-z]*.py"):
        for name in re.findall(r"^def ([a-z]\w*backward\w*)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"\b{name}\b", text), f"docs/backward.md does not mention {name}"
