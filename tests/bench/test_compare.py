"""What `tools/bench.py compare` decides: on recorded measurements, and for a function that does its work twice.

Whole comparisons of commits, which take minutes, are in tools/check_bench_compare.py.
"""

import importlib
import math
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("asv", reason="the benchmarks need asv: pip install 'fastnn-numba[bench]'")

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).parent / "recorded"
BEFORE, UNCHANGED, TWICE = (
    "465b932f",
    "bb7d0027",
    "00d3016b",
)  # the middle one differs in nothing, the last does some work twice


@pytest.fixture
def tool(monkeypatch):
    """Import a script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


# --- what asv has measured


@pytest.mark.parametrize("folder, commits, slower", [("unchanged", (BEFORE, UNCHANGED), 6), ("twice", (UNCHANGED, TWICE), 4)])
def test_what_may_be_slower_is_read_from_results(tool, folder, commits, slower):
    """Of one machine at work with much else: that alone made six of eight benchmarks look slower where nothing had changed."""
    changes = tool("_regressions").read_changes(RECORDED / folder, "check", *commits)
    assert len(changes) == 8 and all(math.isfinite(change.ratio) and change.ratio > 0 for change in changes)
    assert "pooling.Maxpool2dForward.time_kernel('lenet_pool1', 'numba')" in {change.name for change in changes}
    assert sum(change.is_slower(1.2) for change in changes) == slower
    assert sum(change.may_be_slower(1.2) for change in changes) >= slower


def test_no_results_are_no_changes(tool, tmp_path):
    assert tool("_regressions").read_changes(tmp_path, "check", BEFORE, UNCHANGED) == []


def test_what_is_gone_fails(tool, monkeypatch):
    samples = {BEFORE: {"works": [1.0], "gone": [1.0]}, TWICE: {"works": [1.0], "new": [1.0]}}
    regressions = tool("_regressions")
    monkeypatch.setattr(regressions, "_samples", lambda results_dir, machine, commit: samples[commit])
    found = {change.name: change.ratio for change in regressions.read_changes("results", "check", BEFORE, TWICE)}
    assert found["gone"] == math.inf and found["works"] == 1 and math.isnan(found["new"])


# --- side by side

SUITE = """
from work import work


class Sum:
    params = [["few", "many"]]

    def setup(self, case):
        self.n = {"few": 20_000, "many": 60_000}[case]

    def time_sum(self, case):
        print("what benchmarks print is not a result")
        work(self.n)

    def peakmem_sum(self, case):
        work(self.n)


class Plain:
    def time_sum(self):
        work(20_000)
"""
ONCE = "def work(n):\n    return sum(range(n))\n"
TWO = "def work(n):\n    return sum(range(n)) + sum(range(n))\n"
MORE = "kept = []\n\ndef work(n):\n    kept.append(b'1' * 100_000_000)\n"
BROKEN = "def work(n):\n    raise ValueError(n)\n"
HANGING = "import time\n\ndef work(n):\n    time.sleep(60)\n"
LATE = "calls = []\n\ndef work(n):\n    calls.append(n)\n    if len(calls) > 4:\n        raise ValueError(n)\n"


@pytest.fixture
def measure(tool, tmp_path, monkeypatch):
    """A function (before, after, name="module.Class.method('...')") -> Change, of two versions of a module."""
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "__init__.py").touch()
    (suite / "sums.py").write_text(SUITE)
    paired = tool("_paired")
    monkeypatch.setattr(paired, "SECONDS", 0.1)

    def measured(before, after, name="sums.Sum.time_sum('few')"):
        folders = [tmp_path / "before", tmp_path / "after"]
        for folder, source in zip(folders, (before, after)):
            folder.mkdir()
            (folder / "work.py").write_text(source)
        return paired.measure(sys.executable, suite, name, folders)

    return measured


@pytest.mark.parametrize("name", ["sums.Sum.time_sum('many')", "sums.Plain.time_sum"])
def test_work_done_twice_is_slower(measure, name):
    change = measure(ONCE, TWO, name)
    assert change.is_slower(1.2) and 1.5 < change.ratio < 2.7 and change.name == name


def test_the_same_work_is_not_slower(measure):
    change = measure(ONCE, ONCE)
    assert not change.is_slower(1.2) and 0.7 < change.ratio < 1.4


def test_memory(measure):
    change = measure(ONCE, MORE, "sums.Sum.peakmem_sum('few')")
    assert change.is_slower(1.2) and change.ratio > 3


@pytest.mark.parametrize("broken", [BROKEN, LATE])
def test_what_fails_now_is_infinitely_slower(measure, broken):
    change = measure(ONCE, broken)
    assert change.ratio == math.inf and change.is_slower(1.2) and str(change) == "sums.Sum.time_sum('few'): fails"


def test_what_does_not_end_fails(tool, measure, monkeypatch):
    monkeypatch.setattr(tool("_paired"), "LIMIT", 2)
    assert measure(ONCE, HANGING).ratio == math.inf


@pytest.mark.parametrize("after", [ONCE, BROKEN])
def test_what_failed_before_is_not_slower(measure, after):
    change = measure(BROKEN, after)
    assert math.isnan(change.ratio) and not change.may_be_slower(1.2)


def test_processes_that_do_not_agree_are_asked_again(tool, monkeypatch):
    paired = tool("_paired")
    asked = []

    def take_turns(processes, after=(1.0, 3.0, 1.0)):
        asked.append(after[len(asked) % 3])
        return [[1.0, 1.0], [asked[-1], asked[-1]]]

    monkeypatch.setattr(paired, "_start", lambda *_: None)
    monkeypatch.setattr(paired, "take_turns", take_turns)
    change = paired.measure("python", "suite", "a.B.time_c", ("before", "after"))
    assert len(asked) == paired.MOST_PAIRS and change.ratio == 1.0
    asked.clear()
    monkeypatch.setattr(paired, "take_turns", lambda processes: take_turns(processes, (1.5, 1.45, 1.5)))
    assert paired.measure("python", "suite", "a.B.time_c", ("before", "after")).ratio == 1.5
    assert len(asked) == paired.PAIRS


# --- both


@pytest.fixture
def compare(tool, tmp_path, monkeypatch, capsys):
    """A function (screened, *side by side) -> exit code, what is printed; changes are (name, ratio, ratio of the best)."""
    asv, comparing, paired = tool("_asv"), tool("_comparing"), tool("_paired")
    monkeypatch.setattr(comparing, "SUITE", tmp_path)
    monkeypatch.setattr(comparing, "commits", lambda base: ("a" * 40, "b" * 40))
    monkeypatch.setattr(asv, "machine_name", lambda name: "machine")
    monkeypatch.setattr(comparing, "unpack", lambda *_: ("python", {}, ("before", "after")))

    def compared(screened, *measured):
        changes = [tool("_regressions").Change(*change) for change in screened]
        rounds = [{change[0]: change for change in changes} for changes in measured]
        asked = []

        def measure(python, suite, name, folders, variables):
            asked.append(name)
            found = next(changes for changes in rounds if name in changes)
            return tool("_regressions").Change(*found.pop(name))

        monkeypatch.setattr(comparing, "screen", lambda *_: (changes, "config"))
        monkeypatch.setattr(paired, "measure", measure)
        code = comparing.compare(tool("bench").parse(["compare", "main"]))
        return code, capsys.readouterr().out, asked

    return compared


def test_what_is_slower_each_time_fails(compare):
    once = [("a", 2.0, 2.0), ("b", 1.0, 1.1), ("c", 1.3, 0.9)]
    code, text, asked = compare(once, [("a", 1.9, 1.9), ("c", 1.0, 1.3)], [("a", 2.1, 2.0)])
    assert code == 1 and asked == ["a", "c", "a"]
    assert "2 of 3 benchmarks may be slower by 1.15" in text and "a: x 2.10, best sample x 2.00" in text
    assert re.search(r"\nslower by more than 1.15, each time:\n.*\n.*\n\| a \| +\| +\| 2.10 \|\n$", text)


def test_what_is_slower_once_does_not(compare):
    code, text, asked = compare([("a", 2.0, 2.0)], [("a", 1.9, 1.9)], [("a", 1.1, 1.9)])
    assert code == 0 and asked == ["a", "a"] and text.endswith("nothing is slower\n")


def test_nothing_is_measured_again_where_nothing_may_be_slower(compare):
    code, text, asked = compare([("a", 1.1, 1.1), ("new", math.nan, math.nan)])
    assert code == 0 and asked == [] and text.endswith("nothing is slower\n")


def test_what_fails_now_fails(compare):
    fails = ("a", math.inf, math.inf)
    code, text, _ = compare([fails], [fails], [fails])
    assert code == 1 and "a: fails" in text


def test_a_commit_is_not_slower_than_itself(tool, monkeypatch, capsys):
    git, comparing = tool("_git"), tool("_comparing")
    monkeypatch.setattr(git, "uncommitted", list)
    monkeypatch.setattr(comparing, "screen", None)
    assert comparing.compare(tool("bench").parse(["compare", "HEAD"])) == 0
    commit = git.commit_of("HEAD")
    assert capsys.readouterr().out == f"HEAD has all of commit {commit[:8]}, which is checked out: nothing is slower\n"


def test_changes_that_are_not_committed_are_compared(tool, monkeypatch, capsys):
    git, comparing = tool("_git"), tool("_comparing")
    monkeypatch.setattr(git, "uncommitted", lambda: ["kernels/conv.py"])
    monkeypatch.setattr(git, "commit_of_files", lambda: "c" * 40)
    assert comparing.commits("HEAD") == (git.commit_of("HEAD"), "c" * 40)
    assert "kernels/conv.py: measured as they are, not as in commit" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [(), (("a", math.nan, math.nan),)])
def test_a_comparison_with_nothing_to_compare_with_is_an_error(tool, tmp_path, monkeypatch, changes):
    asv, comparing = tool("_asv"), tool("_comparing")
    monkeypatch.setattr(asv, "asv", lambda *_, **__: 1)
    monkeypatch.setattr(comparing, "read_changes", lambda *_: [tool("_regressions").Change(*change) for change in changes])
    with pytest.raises(tool("_git").Failure, match=r"nothing was measured that works in commit aaaaaaaa"):
        comparing.screen(tmp_path, "box", ("a" * 40, "b" * 40), 1.2, ["dense"])


def test_only_times_and_memory_are_compared(tool):
    for bench in ([], [r"^dense\."], [r"\('tiny", "^memory"]):
        expressions = tool("_comparing").those_compared(bench)

        def compared(name, expressions=expressions):
            return any(re.search(expression, name) for expression in expressions)

        assert compared("dense.DenseForward.time_kernel('tiny 1x1', 'numba')")
        assert not compared("dense.DenseForward.time_kernel('tiny 1x1', 'numpy')")
        assert not compared("dense.DenseForward.track_speedup('tiny 1x1')")
        assert compared("memory.Training.peakmem_step('lenet5')") == (bench != [r"^dense\."])
