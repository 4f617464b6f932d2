"""The commands around the benchmarks: make's targets, what they ask of asv, results of several machines, what CI runs."""

import doctest
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("asv", reason="the benchmarks need asv: pip install 'fastnn-numba[bench]'")

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = (
    "bench",
    "bench-quick",
    "bench-history",
    "bench-compare",
    "bench-check",
    "bench-share",
    "dashboard",
    "dashboard-serve",
    "readme",
)


@pytest.fixture
def tool(monkeypatch):
    """Import a script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without settings of asv."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def asv(tool, home, monkeypatch, tmp_path):
    """tools/_asv.py, which does not run asv: `asked` has what it would run, `code` is what that returns."""
    module = tool("_asv")
    monkeypatch.setattr(module, "asked", [], raising=False)
    monkeypatch.setattr(module, "code", 0, raising=False)
    monkeypatch.setattr(module, "asv", lambda *words, **_: module.asked.append(" ".join(map(str, words))) or module.code)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "installed_elsewhere", list)
    monkeypatch.setattr(tool("_git"), "uncommitted", list)
    return module


@pytest.fixture
def git(tool):
    return tool("_git")


@pytest.fixture
def call(asv, tool):
    """A function (words of the command line) -> exit code, what asv is asked for."""

    def called(*words):
        asv.asked.clear()
        arguments = tool("bench").parse(words)
        return arguments.function(arguments), list(asv.asked)

    return called


@pytest.mark.parametrize("name", ["_asv", "_comparing", "_git", "_paired", "_regressions", "_sampler", "_sharing", "bench"])
def test_examples_in_docstrings(tool, name):
    assert doctest.testmod(tool(name)).failed == 0


# --- make


def plan(tmp_path, target, *variables):
    """What make would run, without what it installs."""
    command = ["make", "--dry-run", "--no-print-directory", f"VENV={tmp_path}/venv", *variables, target]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("needs make")
    assert "'.[bench]'" in done.stdout
    return [line.replace(f"{tmp_path}/venv/bin/", "").split() for line in done.stdout.splitlines() if "/bin/python" in line][1:]


def test_help_lists_all_targets():
    described = re.findall(r"^# make ([\w-]+)", MAKEFILE, re.MULTILINE)
    targets = {name for line in re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE) for name in line.split()}
    assert set(described) == targets - {"help"} and set(TARGETS) < targets


@pytest.mark.parametrize(
    "target, variables, words",
    [
        ("bench", (), "run"),
        ("bench", ("BENCH=^conv", "MACHINE=a box"), "run --bench '^conv' --machine 'a box'"),
        ("bench", (r"BENCH=\('tiny.*\)$",), r"run --bench '\('\''tiny.*\)$'"),
        ("bench-quick", (), "quick"),
        ("bench-history", ("RANGE=main~5..main",), "history 'main~5..main'"),
        ("bench-compare", (), "compare 'main' --factor '1.15'"),
        ("bench-compare", ("BASE=v0.1", "FACTOR=1.1", "BENCH=dense"), "compare 'v0.1' --factor '1.1' --bench 'dense'"),
        ("bench-share", (), "share"),
    ],
)
def test_commands_of_the_makefile(tmp_path, tool, target, variables, words):
    *_, command = plan(tmp_path, target, *variables)
    assert command == ["python", "tools/bench.py", *words.split()]


def test_commands_of_the_dashboard(tmp_path):
    assert plan(tmp_path, "dashboard")[-1] == ["python", "-m", "asv_bench.dashboard"]
    serve = plan(tmp_path, "dashboard-serve", "PORT=8123")
    assert [command[2] for command in serve[-2:]] == ["asv_bench.dashboard", "http.server"]
    assert "localhost" in serve[-1] and serve[-1][-1] == "8123"
    write = "python tools/write_benchmarks.py --write README.md --picture docs/dashboard.png"
    assert " ".join(plan(tmp_path, "readme")[-1]) == write


# --- what is asked of asv


def test_run_measures_the_commit_in_this_python(git, call):
    commit = git.commit_of("HEAD")
    code, (command,) = call("run", "--machine", "box", "--bench", "^conv", "--bench", "^dense")
    assert code == 0
    assert command.startswith(f"run --environment current --set-commit-hash {commit} --machine box")
    assert command.endswith("--bench ^conv --bench ^dense")


def test_results_of_uncommitted_changes_are_not_kept(asv, git, call, monkeypatch, capsys):
    monkeypatch.setattr(git, "uncommitted", lambda: ["kernels/conv.py"])
    _, (command,) = call("run")
    assert not asv.RESULTS.exists()
    assert command.endswith("--dry-run") and "kernels/conv.py: not as in commit" in capsys.readouterr().err


def test_results_of_another_installation_are_not_kept(asv, call, monkeypatch, capsys):
    monkeypatch.setattr(asv, "installed_elsewhere", lambda: ["/elsewhere/fastnn"])
    _, (command,) = call("run")
    assert command.endswith("--dry-run") and "/elsewhere/fastnn: not as in commit" in capsys.readouterr().err


def test_another_installation_is_seen(tool, tmp_path, monkeypatch):
    write(tmp_path, {"fastnn/__init__.py": ""})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fastnn", raising=False)
    assert tool("_asv").installed_elsewhere() == [str(tmp_path.resolve() / "fastnn")]


def test_versions_are_kept_beside_results(asv, git, call):
    call("run", "--machine", "box")
    (line,) = (asv.RESULTS / "box" / "versions.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["commit"] == git.commit_of("HEAD")


@pytest.mark.parametrize("code", [1, 2])
def test_what_fails_in_asv_fails(asv, call, code):
    asv.code = code
    assert call("run")[0] == 2
    assert (asv.RESULTS.exists()) == (code == 2)  # with 1 it has measured nothing
    assert call("history", "HEAD")[0] == {1: 2, 2: 0}[code]


def test_quick_chooses(call):
    _, (command,) = call("quick")
    assert command.count("--bench") >= 3 and "lenet" in command and "networks" in command
    assert call("quick", "--bench", "^conv")[1][0].count("--bench") == 1


def test_history_goes_on_where_it_was(asv, call):
    asv.code = 2  # at some commit some benchmark fails
    code, (command,) = call("history", "-n 9 HEAD", "--machine", "box", "--steps", "5")
    assert code == 0
    assert command == "run --environment virtualenv --machine box --skip-existing --steps 5 -- -n 9 HEAD"


def test_configuration_at_another_place_has_the_paths_of_the_suite(asv, tmp_path):
    config = json.loads(asv.write_config(tmp_path / "a" / "asv.conf.json", results_dir="there").read_text())
    assert config["results_dir"] == "there" and config["repo"] == str(ROOT)
    assert config["benchmark_dir"] == str(ROOT / "asv_bench" / "benchmarks")


@pytest.fixture
def repository(git, tmp_path, monkeypatch):
    """A repository with a commit, in a folder with a blank in its name; a function (words) that runs git there."""
    folder = tmp_path / "a repository"
    monkeypatch.setattr(git, "ROOT", folder)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))  # without a name to commit with
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    write(folder, {"kernels/conv.py": "1", "fastnn/__init__.py": "", "pyproject.toml": "", "docs/page.md": "1"})
    git.git("add", "--all")
    git.git("-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message", "first")
    return folder


def test_uncommitted_changes_are_seen(git, repository):
    write(repository, {"docs/page.md": "2"})
    assert git.uncommitted() == []
    write(repository, {"kernels/conv.py": "2", "kernels/new.py": ""})
    assert git.uncommitted() == ["kernels/conv.py", "kernels/new.py"]
    git.git("add", "kernels")
    assert git.uncommitted() == ["kernels/conv.py", "kernels/new.py"]


def test_uncommitted_changes_become_a_commit_of_no_branch(git, repository):
    write(repository, {"kernels/conv.py": "2", "kernels/new.py": "3", "docs/page.md": "2"})
    (repository / "fastnn/__init__.py").unlink()
    before, status = git.commit_of("HEAD"), git.git("status", "--porcelain")
    commit = git.commit_of_files()
    assert git.commit_of("HEAD") == before == git.commit_of(f"{commit}^") and git.git("status", "--porcelain") == status
    assert git.git("show", f"{commit}:kernels/conv.py", f"{commit}:kernels/new.py").split() == ["23"]
    assert git.git("diff", "--name-only", before, commit).split() == ["fastnn/__init__.py", "kernels/conv.py", "kernels/new.py"]


@pytest.mark.parametrize("text", ["", "no-such-branch", "HEAD..HEAD", "HEAD '", "--no-such-option"])
def test_ranges_need_commits(git, repository, text):
    git.expect_commits("HEAD")
    git.expect_commits("NEW")
    with pytest.raises(git.Failure, match=f"RANGE: expected commits as in git log, such as main~5..main, got .*{text}"):
        git.expect_commits(text)


def test_commits_of_a_shallow_clone(git, repository, tmp_path, monkeypatch):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for branch in ("one", "two"):
        git.git("checkout", "--quiet", "-b", branch, "HEAD" if branch == "one" else "HEAD~1")
        git.git(*identity, "commit", "--quiet", "--allow-empty", "--message", branch)
    clone = ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", repository.as_uri(), tmp_path / "shallow"]
    subprocess.run(clone, check=True)
    assert git.merge_base("one", "two") == git.commit_of("one~1")
    monkeypatch.setattr(git, "ROOT", tmp_path / "shallow")
    with pytest.raises(git.Failure, match=r"BASE: .* have no commit in common here: git fetch --unshallow"):
        git.merge_base("origin/one", "origin/two")
    with pytest.raises(git.Failure, match=r"HEAD: expected a commit with all changes.*: git fetch --unshallow"):
        git.commit_of_files()


def test_a_folder_without_repository_says_so(git, tmp_path, monkeypatch):
    monkeypatch.setattr(git, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(git.Failure, match="not a git repository"):
        git.commit_of("HEAD")


@pytest.mark.parametrize(
    "words, message",
    [
        (["compare", "no-such-branch"], "BASE: expected the name of a commit, got 'no-such-branch'"),
        (["compare", "HEAD", "--factor", "fast"], "argument --factor: expected a number above 1, got 'fast'"),
        (["compare", "HEAD", "--factor", "0.9"], "argument --factor: expected a number above 1, got '0.9'"),
        (["compare", "HEAD", "--bench", "track_speedup"], "BENCH: expected a part of a name like"),
        (["history", "no-such..range"], "RANGE: expected commits as in git log, such as main~5..main, got 'no-such..range'"),
        (["history", "HEAD", "--steps", "0"], "argument --steps: expected a whole number from 1 on, got '0'"),
        (["run", "--bench", "("], "argument --bench: expected a regular expression, got '('"),
        (["run", "--bench", "^nothing"], "BENCH: expected a part of a name like activations.ReluForward"),
        (["quick", "--machine", "a/b"], "MACHINE: expected the name of a folder, got 'a/b'"),
    ],
)
def test_mistakes_are_explained(tmp_path, words, message):
    """In any folder, without a traceback."""
    command = [sys.executable, ROOT / "tools/bench.py", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "problem, code", [(KeyboardInterrupt(), 130), (OSError("disk full"), 2), (ModuleNotFoundError(name="asv"), 2)]
)
def test_problems_are_not_taken_for_a_slower_commit(tool, monkeypatch, capsys, problem, code):
    def compare(arguments):
        """Does not."""
        raise problem

    bench = tool("bench")
    monkeypatch.setattr(bench, "compare", compare)
    monkeypatch.setattr(sys, "argv", ["bench.py", "compare", "main"])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == code and capsys.readouterr().err.strip().splitlines()[-1].startswith("tools/bench.py: ")


# --- machines


def test_a_machine_is_known_without_questions(asv, home):
    assert asv.machine_name("box") == "box"
    known = json.loads((home / ".asv-machine.json").read_text())
    assert known["box"]["machine"] == "box" and set(known["box"]) == {"machine", "os", "arch", "cpu", "num_cpu", "ram"}
    assert known["box"]["os"].isalpha() and known["box"]["ram"].endswith(" GB")  # the same after the next boot


def test_a_machine_keeps_what_is_written_of_it(asv, home):
    asv.machine_name("box")
    path = home / ".asv-machine.json"
    path.write_text(path.read_text().replace(" GB", " gigabytes"))
    assert asv.machine_name() == "box"  # asv's rule: where one is known, that is it
    assert asv.machine_name("box") == "box" and "gigabytes" in path.read_text()
    assert asv.machine_name("other") == "other" and "gigabytes" in path.read_text()


def test_the_current_environment_has_no_path_in_its_name(tmp_path, tool, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "asv_bench"))
    tool("asv.plugin_manager")
    tool("current_environment")
    conf = tool("asv.config").Config.load(str(ROOT / "asv_bench" / "asv.conf.json"))
    get_environments = tool("asv.environment").get_environments
    (current,), (built,) = (list(get_environments(conf, [kind])) for kind in ("current", "virtualenv"))
    assert current.name == built.name.replace("virtualenv", "current") and "current-py3." in current.name
    # Graphs are told apart by these: results of both are points of one.
    assert (current.python, current.requirements, current.env_vars) == (built.python, built.requirements, built.env_vars)
    assert current.env_vars["NUMBA_NUM_THREADS"] == current.env_vars["OPENBLAS_NUM_THREADS"]
    assert current.run(["-c", "import sys; print(sys.executable)"]).strip() == sys.executable


# --- results of several machines


def results_file(**started):
    columns = ["result", "params", "version", "started_at"]
    return json.dumps({"result_columns": columns, "results": {name: [[at], [], "v", at] for name, at in started.items()}})


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def clones(asv, tool, call, tmp_path, monkeypatch):
    """Two clones of an empty repository; a function (clone, files) -> names of all results after sharing those files."""

    def git(folder, *arguments):
        subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)

    for variable, value in {"AUTHOR": "test", "COMMITTER": "test"}.items():
        monkeypatch.setenv(f"GIT_{variable}_NAME", value)
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", f"{value}@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    for name in ("one", "two"):
        git(tmp_path, "clone", "--quiet", "remote", name)

    def share(name, files, *words):
        monkeypatch.setattr(tool("_git"), "ROOT", tmp_path / name)
        monkeypatch.setattr(asv, "RESULTS", tmp_path / name / "results")
        write(asv.RESULTS, files)
        assert not call("share", *words)[0]
        listed = subprocess.check_output(["git", "-C", tmp_path / name, "worktree", "list"], text=True)
        assert len(listed.splitlines()) == 1
        return {str(path.relative_to(asv.RESULTS)) for path in asv.RESULTS.rglob("*.json*")}

    return share


def test_results_of_machines_are_merged(clones, tmp_path):
    one = {"benchmarks.json": "1", "a/machine.json": "{}", "a/12345678-py.json": results_file(x=1), "a/versions.jsonl": "1\n"}
    two = {"benchmarks.json": "2", "b/machine.json": "{}", "b/12345678-py.json": results_file(x=2), "a/versions.jsonl": "2\n"}
    assert clones("one", one) == set(one)
    assert clones("two", two) == set(one) | set(two)
    assert clones("one", {}) == set(one) | set(two)
    here = tmp_path / "one" / "results"
    assert (here / "benchmarks.json").read_text() == "1"  # of the commit that is checked out
    assert (here / "a" / "versions.jsonl").read_text().split() == ["1", "2"]
    assert json.loads((here / "b" / "12345678-py.json").read_text())["results"]["x"][0] == [2]


def test_of_the_same_benchmark_the_later_result_stays(clones, tmp_path):
    name = "a/12345678-py.json"
    clones("one", {name: results_file(x=1, y=5)})
    clones("two", {name: results_file(x=3, y=4, z=1)})
    clones("one", {})
    for clone in ("one", "two"):
        found = json.loads((tmp_path / clone / "results" / name).read_text())["results"]
        assert {key: values[0][0] for key, values in found.items()} == {"x": 3, "y": 5, "z": 1}


def test_there_must_be_results_to_share(git, call):
    with pytest.raises(git.Failure, match=r"there are no results in"):
        call("share")


def test_a_missing_remote_is_explained(git, clones):
    with pytest.raises(git.Failure, match="'nowhere' does not appear to be a git repository"):
        clones("one", {"benchmarks.json": "1"}, "--remote", "nowhere")


def test_half_a_file_is_explained(git, clones, tmp_path):
    name = "a/12345678-py.json"
    clones("one", {name: results_file(x=1)})
    with pytest.raises(git.Failure, match=r"12345678-py.json: .*; measure again, or remove it"):
        clones("two", {name: results_file(x=1)[:20]})
    clones("two", {name: results_file(x=3)})
    assert {path.suffix for path in tmp_path.rglob("results/a/*")} == {".json"}


def test_hooks_of_this_repository_are_not_for_results(clones, tmp_path):
    hook = tmp_path / "one" / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert clones("one", {"benchmarks.json": "1"}) == {"benchmarks.json"}


# --- table and picture


def test_table_of_kernels(synthetic, dashboard, tmp_path, tool, monkeypatch):
    document = tmp_path / "page.md"
    document.write_text("<!-- measured: kernels -->\n<!-- end -->\n")
    config = synthetic.whole(tmp_path / "whole")
    options = ["--config", str(config), "--write", str(document), "--case", "vgg", "--case", "tiny"]
    monkeypatch.setattr(sys, "argv", ["tools/write_benchmarks.py", *options])
    tool("write_benchmarks").main()
    text = document.read_text()
    row = r"^\| conv2d_forward \| vgg \| 815018 \| [\d.]+ ms \| [\d.]+ ms \| \*\*[\d.]+×\*\* \| \d+ GFLOP/s \| \d+ % \|$"
    assert re.search(row, text, re.MULTILINE) and "| tiny | 2x3 @ 3x4 |" in text and "| lenet |" not in text
    assert re.search(r"`make bench dashboard readme`: .*2 threads on 2 CPUs, .*Numba 0\.\S+, .*commit \w{8}, ", text)


def test_picture_needs_a_page(tmp_path, tool, monkeypatch):
    tool = tool("write_benchmarks")
    monkeypatch.setattr(tool.shutil, "which", lambda name: "/usr/bin/true")
    with pytest.raises(SystemExit, match=r"no picture: .*index.html is missing, which make dashboard writes"):
        tool.screenshot(tmp_path / "index.html", tmp_path / "picture.png")
    monkeypatch.setattr(tool.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"no picture: none of chromium, .* is installed"):
        tool.screenshot(tmp_path / "index.html", tmp_path / "picture.png")


# --- GitHub


@pytest.mark.parametrize("name", ["ci", "benchmarks"])
def test_workflows(name):
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}  # jobs ask for more by themselves
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))
        for target in re.findall(r"make ([\w-]+)", step.get("run", "")):
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
        assert "${{ github" not in step.get("run", "")  # names of branches are not to be part of a script
    if name == "benchmarks":
        run = {re.search(r"make ([\w-]+)", step.get("run", ""))[1] for step in steps if "make" in step.get("run", "")}
        assert run == {"bench-compare", "bench-check", "bench", "bench-share", "dashboard"}
        assert {"pull_request", "schedule"} < set(workflow[True])  # YAML takes `on` for a truth value
