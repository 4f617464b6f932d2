"""The dashboard says what the results say: figures, dashes, changes, machines; and its pages load nothing from elsewhere."""

import hashlib
import html.parser
import importlib
import json
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOME = ("conv.Conv2dForward", "im2col.Im2col", "networks.Mlp", "startup.Import", "memory.TrainingStep")
VENDOR = ROOT / "asv_bench" / "dashboard" / "vendor"


class Page(html.parser.HTMLParser):
    """A page's tables, as rows of texts of cells, and the addresses in it."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tables, self.addresses, self.loaded, self._cell = {}, [], [], None
        self._section = ""
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "section":
            self._section = attributes.get("id", "")
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in ("td", "th"):
            self._cell = ""
        if "href" in attributes:
            (self.loaded if tag == "link" else self.addresses).append(attributes["href"])
        if "src" in attributes:
            self.loaded.append(attributes["src"])

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[self._section][-1].append(" ".join(self._cell.split()))
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def row(self, section, *start):
        """The row of a section's table whose first cells are these, or begin with these words."""
        rows = self.tables[section]
        (found,) = [row for row in rows if all(f"{cell} ".startswith(f"{words} ") for cell, words in zip(row, start))]
        return found


@pytest.fixture(scope="session")
def page(whole):
    return Page(whole / "index.html")


@pytest.fixture
def made(dashboard, synthetic, tmp_path):
    """(keywords of `save_results`) -> Page of one machine's results of some benchmarks; ``made.folder`` is the project's."""

    def make(commits=3, tagged=None, benchmarks=None, settings=None, **options):
        conf, hashes = synthetic.project(tmp_path / "project", commits, tagged, **(settings or {}))
        benchmarks = synthetic.suite(SOME) if benchmarks is None else benchmarks
        synthetic.save_results(conf.parent / "results", synthetic.MACHINE, hashes, benchmarks, **options)
        synthetic.save_suite(conf, benchmarks)
        return Page(dashboard.__main__.build(conf))

    make.folder = tmp_path / "project"
    return make


def drop_titles(cells):
    """Cells without what small graphs say of themselves."""
    return [re.sub(r"^[\w ]+: .* in \d+ runs?$", "", cell) for cell in cells]


# --- content


def test_a_kernel_and_case(page):
    cells = drop_titles(page.row("kernels", "conv2d_backward_input", "vgg"))
    figures = re.fullmatch(r"([\d.]+)× ([\d.]+) ms ([\d.]+) ms (\d+) GFLOP/s (\d+) %  –", " ".join(cells[2:])).groups()
    speedup, numba, numpy, gflops, percent = map(float, figures)
    assert numba == pytest.approx(9.0, rel=0.03) and numpy == pytest.approx(9.0 * 9.8, rel=0.03)
    assert speedup == pytest.approx(9.8, rel=0.03)
    assert gflops == pytest.approx(210, rel=0.03) and percent == pytest.approx(210 / 4.74, rel=0.05)


def test_memory_bound_kernels_have_gigabytes_and_a_share_of_copies(page):
    cells = drop_titles(page.row("kernels", "relu_forward", "odd"))
    assert cells[5].endswith(" GB/s")
    assert float(cells[6].removesuffix(" %")) == pytest.approx(float(cells[5].removesuffix(" GB/s")) / 0.5, rel=0.1)


def test_every_kernel_and_case_has_a_row(page, synthetic):
    assert len(page.tables["kernels"]) == 1 + len(synthetic.KERNELS) * len(synthetic.CASES)


def test_cases_have_their_shapes_beside_their_names(page):
    assert page.row("kernels", "conv2d_forward", "lenet")[1] == "lenet 128x6x12x12, 16 filters 5x5"
    assert page.row("kernels", "conv2d_forward", "odd")[1] == "odd"  # no shape, as in older results
    assert '>tiny <small class="shape">2x3 @ 3x4</small></td>' in page.source
    assert re.search(
        r"<title>tiny \(2x3 @ 3x4\): [\d.]+×\nlenet \(.*\): [\d.]+×\nvgg \(815018\): .*\nodd: [\d.]+×</title>", page.source
    )  # the chart
    assert "<small>lenet</small>" in page.source and '<span class="shape">815018</span> · ' in page.source  # changes


def test_tiny_cases_with_a_shape_are_not_work(page, synthetic):
    ratios, _ = synthetic.KERNELS["conv.Conv2dBackwardInput"]
    bar = page.source[page.source.index(">conv2d_<wbr>backward_<wbr>input</span>") :]
    mean = re.search(r'class="value">([\d.]+)×', bar)[1]
    assert float(mean) == pytest.approx((ratios[1] * ratios[2] * ratios[3]) ** (1 / 3), rel=0.02)


def test_a_network(page):
    cells = page.row("networks", "resnet20")
    assert float(cells[1].rstrip("×")) == pytest.approx(2070 / 131, rel=0.05)
    assert float(cells[2].replace(",", "")) == pytest.approx(2070, rel=0.02)
    assert re.fullmatch(r"1\.8\d× on 2", cells[4])


def test_memory_is_what_is_beyond_the_reference(page):
    assert re.fullmatch(r"(3[6-9]|4[0-4])\.\d MB", page.row("costs", "TrainingStep.peakmem_step, Lenet5")[1])


def test_machine_threads_versions_dates(page):
    for said in ("AMD EPYC (znver5), 2 CPUs", "2, Numba and BLAS alike", "numpy 2.4.6", "numba 0.68.1", "2026-03-07"):
        assert said in page.source


def test_training_beside_pytorch(page):
    assert page.row("pytorch", "slow")[1] == "0.80× 0.72× to 0.88×"
    assert page.row("pytorch", "lenet")[2:4] == ["216,469", "30,036"]
    assert "The machine had other work, a load of 2.5" in page.source


def test_titles_of_the_suite_name_rows(made, synthetic):
    benchmarks = synthetic.suite(SOME)
    benchmarks["conv.Conv2dForward.time_kernel"]["pretty_name"] = "conv2d_forward with bias: time of a call"
    assert made(benchmarks=benchmarks).row("kernels", "conv2d_forward with bias", "tiny")


# --- changes


def test_changes_since_the_tag_name_their_commits(page, whole):
    hashes = json.loads((whole / "index.json").read_text())["revision_to_hash"]
    source = page.source[page.source.index('<section id="changes">') :].replace("<wbr>", "")
    text = " ".join(re.sub(r"<[^>]*>", " ", source).split())
    assert "Changes since v0.1" in text and "Slower 4" in text and "Faster 4" in text
    slower, faster = text[text.index("Slower") : text.index("Faster")], text[text.index("Faster") :]
    assert re.search(rf"\+(49|50|51) % softmax_forward \w+ .* in {hashes['3'][:8]}", slower)
    assert re.search(rf"−(39|40|41) % conv2d_forward \w+ .* in {hashes['4'][:8]}", faster)


def test_changes_that_numpy_shares_come_last(made, synthetic, monkeypatch):
    original = synthetic.value_of

    def slower(name, params, commit, speed):
        factor = 2.0 if "Im2col" in name else 1.3 if "Conv2d" in name and params == ["vgg 815018", "numba"] else 1.0
        return original(name, params, commit, speed) * (factor if commit else 1.0)

    monkeypatch.setattr(synthetic, "value_of", slower)
    source = made(2, {}).source.replace("<wbr>", "")
    found = re.findall(r'<li( class="machine")?>.*?class="what">(\w+) <small>(\w+)</small>', source, re.DOTALL)
    machine = ' class="machine"'
    assert found[0] == ("", "conv2d_forward", "vgg")
    assert found[1:] == [(machine, "im2col", found[k][2]) for k in range(1, 5)]
    assert re.search(r"NumPy \+\d+ % too</span>", source)


def test_a_change_among_several_commits_says_so(whole):
    hashes = json.loads((whole / "index.json").read_text())["revision_to_hash"]
    page = Page(whole / "on-epyc-2-1-thread.html")  # which has results of the commits 2 and 5
    assert re.fullmatch(rf"\+(49|50|51) % by {hashes['5'][:8]}", page.row("kernels", "softmax_forward", "lenet")[-1])
    assert f'title="one of 3 commits after {hashes["2"][:8]}"' in page.source


def test_the_row_of_a_kernel_names_the_commit_that_changed_it(page, whole):
    hashes = json.loads((whole / "index.json").read_text())["revision_to_hash"]
    assert re.fullmatch(rf"\+(49|50|51) % {hashes['3'][:8]}", page.row("kernels", "softmax_forward", "lenet")[-1])
    assert page.row("kernels", "relu_forward", "lenet")[-1] == "–"


@pytest.mark.parametrize("tagged, start", [({}, 0), ({"v1": 5}, 0), ({"v1": 2, "v2": 4}, 4), ({"v1": 2, "v2": 5}, 2)])
def test_changes_are_since_the_last_tag_before_the_last_run(made, tagged, start):
    page = made(6, tagged, noise=0.0)
    hashes = json.loads((made.folder / "html" / "index.json").read_text())["revision_to_hash"]
    since = {4: "v2", 2: "v1", 0: "the first result"}[start]
    assert f"Changes since {since}" in page.source
    assert f"From <code>{hashes[str(start)][:8]}</code>" in page.source


def test_noise_of_two_runs_is_what_numpy_moved_by(page):
    percent = re.search(r"NumPy's times, which no commit changes, moved by at most (?:±|\+)(\d+) %", page.source)
    assert 0 <= int(percent[1]) <= 10  # what the made-up samples vary by


def test_within_noise_nothing_changed(made):
    page = made(3, noise=0.04)  # before the history changes anything
    assert page.source.count("Nothing beyond noise") == 2


def test_a_single_run(made):
    page = made(1, {})
    assert "no other commit with results yet" in page.source and "slower," not in page.source


def test_moves_need_distance_between_the_quartiles(dashboard):
    figure, moved = dashboard.results.Figure, dashboard.changes.moved
    assert moved(figure(1.0, 0.9, 1.0), figure(1.2, 1.1, 1.3)) == 1.2
    assert moved(figure(1.0, 0.9, 1.15), figure(1.2, 1.1, 1.3)) is None
    assert moved(figure(1.2, 1.1, 1.3), figure(1.0, 0.9, 1.0)) == pytest.approx(1 / 1.2)
    assert moved(figure(1.0, 1.0, 1.0), figure(1.09, 1.09, 1.09)) is None
    assert moved(None, figure(1.0, 1.0, 1.0)) is None and moved(figure(0.0, 0.0, 0.0), figure(1.0, 1.0, 1.0)) is None


# --- what is missing


def test_a_failed_benchmark_has_dashes(page):
    cells = drop_titles(page.row("kernels", "maxpool2d_forward", "odd"))
    assert cells[2:5] == ["–", "–", "–"] and cells[5].endswith("GB/s")


def test_all_of_a_kernel_failed(made, synthetic):
    methods = ("time_kernel", "track_speedup", "track_gflops", "track_percent_of_peak")
    missing = [(f"conv.Conv2dForward.{method}", case) for method in methods for case in synthetic.NAMES]
    page = made(missing=missing)
    assert drop_titles(page.row("kernels", "conv2d_forward", "vgg"))[2:] == ["–"] * 5 + ["", "–"]


def test_what_was_never_to_be_run_has_no_row(made, synthetic, monkeypatch):
    original = synthetic.value_of

    def chosen(name, params, *rest):  # asv stores NaN for what --bench does not choose
        return original(name, params, *rest) if "vgg 815018" in params or "Mlp" in params else float("nan")

    monkeypatch.setattr(synthetic, "value_of", chosen)
    page = made()
    assert [row[1] for row in page.tables["kernels"][1:]] == ["vgg 815018"] * 2
    assert "networks" not in page.tables and len(page.tables["costs"]) == 2


def test_nan_in_the_last_run_is_missing(made, synthetic, monkeypatch):
    original = synthetic.value_of

    def some(name, params, commit, speed):
        return float("nan") if "Im2col" in name and commit == 2 else original(name, params, commit, speed)

    monkeypatch.setattr(synthetic, "value_of", some)
    cells = drop_titles(made().row("kernels", "im2col", "vgg"))
    assert cells[2:7] == ["–"] * 5


def test_a_suite_without_most_of_it(made, synthetic):
    some = {name: one for name, one in synthetic.suite().items() if name == "im2col.Im2col.time_kernel"}
    page = made(1, {}, benchmarks=some)
    assert list(page.tables) == ["kernels"]
    cells = drop_titles(page.row("kernels", "im2col", "vgg"))
    assert float(cells[2].rstrip("×")) == pytest.approx(2.1, rel=0.05)  # from the two times
    assert cells[5:] == ["–", "–", "", "–"]


def test_no_results(dashboard, synthetic, tmp_path):
    conf, _ = synthetic.project(tmp_path / "project", 1, {})
    done = run("--config", conf)
    assert done.returncode == 1
    assert re.search(r"^dashboard: no results in .*results: run `make bench` first$", done.stderr, re.MULTILINE)
    assert not (conf.parent / "html").exists()


def test_only_results_of_commits_elsewhere(dashboard, synthetic, tmp_path):
    conf, _ = synthetic.project(tmp_path / "project", 1, {})
    synthetic.save_results(conf.parent / "results", synthetic.MACHINE, ["ab" * 20], synthetic.suite(SOME))
    synthetic.save_suite(conf, synthetic.suite(SOME))
    with pytest.raises(dashboard.__main__.UserError, match="on no branch of this repository: abababab"):
        dashboard.__main__.build(conf)


def test_results_of_commits_elsewhere_are_left_out_and_named(dashboard, synthetic, tmp_path):
    conf, hashes = synthetic.project(tmp_path / "project", 2, {})
    synthetic.save_results(conf.parent / "results", synthetic.MACHINE, [*hashes, "ab" * 20], synthetic.suite(SOME))
    synthetic.save_suite(conf, synthetic.suite(SOME))
    page = Page(dashboard.__main__.build(conf))
    assert "Results of 1 commit are left out" in page.source and "abababab" in page.source


def test_a_branch_at_work_and_a_branch_that_is_not_there(made):
    page = made(2, {}, settings={"branches": ["release"]})
    published = json.loads((made.folder / "html" / "index.json").read_text())
    assert published["params"]["branch"] == ["HEAD"]
    assert page.row("kernels", "im2col", "vgg")


def test_other_files_are_not_removed(made, dashboard):
    made()
    precious = made.folder / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(dashboard.__main__.UserError, match="other files"):
        dashboard.__main__.build(made.folder / "asv.conf.json", html_dir=precious)
    assert (precious / "thesis.txt").exists()


# --- machines


def test_machines_have_pages_and_a_way_between_them(whole):
    names = {"index.html", "on-epyc-2-1-thread.html", "on-my-laptop-8-threads.html"}
    assert {path.name for path in whole.glob("*.html")} == names | {"asv.html", "error.html"}
    for name in names:
        assert names <= set(Page(whole / name).addresses)
    laptop = Page(whole / "on-my-laptop-8-threads.html")
    assert "Some laptop&#39;s processor" in laptop.source
    assert float(laptop.row("kernels", "im2col", "vgg")[3].split()[0]) == pytest.approx(9 / 1.7, rel=0.03)
    assert "pytorch" not in laptop.tables


def test_links_choose_the_machine_and_its_settings(whole):
    for name, machine, threads in (("index.html", "epyc-2", "2"), ("on-epyc-2-1-thread.html", "epyc-2", "1")):
        graphs = [address for address in Page(whole / name).addresses if address.startswith("asv.html#") and "?" in address]
        for address in graphs:
            query = urllib.parse.parse_qs(address.partition("?")[2])
            assert query["machine"] == [machine] and query["env-NUMBA_NUM_THREADS"] == [threads]


def test_every_row_links_to_a_graph_that_is_there(whole):
    published = json.loads((whole / "index.json").read_text())
    for path in whole.glob("*.html"):
        for address in Page(path).addresses:
            if address.startswith("asv.html#") and "?" in address:
                name, _, query = address.removeprefix("asv.html#").partition("?")
                asked, known = urllib.parse.parse_qs(query), published["benchmarks"][name]
                for parameter, values in zip(known["param_names"], known["params"]):
                    assert set(asked.get(f"p-{parameter}", [])) <= set(values)


# --- nothing from outside


def test_markup_in_results_is_text(dashboard, synthetic, tmp_path):
    evil = "<script>alert(1)</script>\"'&"
    conf, hashes = synthetic.project(tmp_path / "project", 2, {evil.replace(" ", ""): 0}, project=evil)
    machine = {**synthetic.MACHINE, "cpu": evil, "os": evil}
    benchmarks = synthetic.suite(SOME)
    for one in benchmarks.values():
        one["pretty_name"] = f"{evil}: {evil}"
    synthetic.save_results(conf.parent / "results", machine, hashes, benchmarks)
    synthetic.save_suite(conf, benchmarks)
    synthetic.save_versions(conf.parent / "results", machine["machine"], hashes[-1], numpy=evil)
    page = Page(dashboard.__main__.build(conf))
    assert "<script>alert" not in page.source and "&lt;script&gt;alert" in page.source
    assert page.source.count("<script") == 1


def test_pages_load_only_files_beside_them(whole):
    for path in whole.glob("*.html"):
        for address in Page(path).loaded:
            assert not re.match(r"(\w+:)?//", address), f"{path.name} loads {address}"
            assert (whole / address).is_file(), f"{path.name} loads {address}, which is not there"


def test_our_pages_name_no_outside_address(whole):
    for path in (*whole.glob("index.html"), *whole.glob("on-*.html"), *(whole / "static").iterdir()):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name


def test_styles_and_scripts_of_asv_load_nothing_from_outside(whole):
    for path in (path for path in whole.rglob("*") if path.suffix in (".css", ".js") and not path.name.endswith(".json.js")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""(url\(|@import|src\s*=|href\s*=|url\s*:)\s*["'(]*(https?:)?//""", text), path.name


def test_data_files_have_scripts_with_the_same_content(whole):
    files = list(whole.rglob("*.json"))
    assert len(files) > 100
    for path in files:
        script = path.with_name(f"{path.name}.js").read_text(encoding="utf-8")
        assert json.loads(re.fullmatch(r"asvFile\((.*)\);\n", script, re.DOTALL)[1]) == json.loads(path.read_text())


def test_another_version_of_asv_is_noticed(dashboard):
    rewrite = dashboard.selfcontained.index
    with pytest.raises(ValueError, match=r"loads https://cdn.example.org/new.js, which .*vendor does not have"):
        rewrite('<script src="https://cdn.example.org/new.js" defer></script>')
    with pytest.raises(ValueError, match=r"no script asv.js"):
        rewrite("<html></html>")


def test_vendored_files_are_those_of_the_packages_and_have_licences():
    sums = dict(reversed(line.split()) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    kept = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.suffix in (".js", ".css")}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()} == sums
    for package in (path for path in VENDOR.iterdir() if path.is_dir()):
        (licence,) = package.glob("LICENSE*")
        assert "Permission is hereby granted, free of charge" in " ".join(licence.read_text(encoding="utf-8").split())
    assert sum(path.stat().st_size for path in kept.values()) < 450_000


# --- the command


def run(*arguments):
    command = [sys.executable, "-W", "error", "-m", "asv_bench.dashboard", "--no-torch", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_command(made, tmp_path):
    made()
    done = run("--config", made.folder / "asv.conf.json", "--html", tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"written: {tmp_path / 'elsewhere' / 'index.html'}\n")
    again = run("--config", made.folder / "asv.conf.json", "--html", tmp_path / "elsewhere")
    assert again.returncode == 0, again.stderr


def test_without_a_configuration():
    done = run("--config", "nowhere.json")
    assert done.returncode == 1 and "dashboard: Config file nowhere.json not found." in done.stderr


def test_training_is_measured_and_kept(dashboard, made, monkeypatch, capsys):
    made()
    conf = dashboard.publishing.load(made.folder / "asv.conf.json")
    against = dashboard.against_pytorch
    found = {}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found.get(name))
    against.measure(conf, "epyc-2")
    assert "PyTorch is not installed" in capsys.readouterr().err and against.read(conf.results_dir, "epyc-2") is None
    found["torch"] = object()
    against.measure(conf, "epyc-2", ("xor", "--rounds", "1", "--seconds", "0.02", "--alone", "--threads", "1"))
    kept = against.read(conf.results_dir, "epyc-2")
    assert kept["load"] >= 0
    assert [row["network"] for row in kept["results"]] == ["xor"] and len(kept["commit"]) == 40
    page = Page(dashboard.__main__.build(made.folder / "asv.conf.json"))
    assert page.row("pytorch", "xor")[1] == "–"


@pytest.fixture
def measured(dashboard, monkeypatch):
    """Names of the machines that training was measured for; PyTorch counts as installed, nothing is measured."""
    against, names = dashboard.against_pytorch, []
    monkeypatch.setattr(against, "installed", lambda: True)
    monkeypatch.setattr(against, "measure", lambda conf, machine: names.append(machine))
    return names


def test_training_is_measured_once_where_pytorch_is_installed(dashboard, synthetic, made, measured, monkeypatch, capsys):
    made()
    conf, main = made.folder / "asv.conf.json", dashboard.__main__.main
    here = ["--config", str(conf), "--machine", "epyc-2"]
    main([*here, "--no-torch"])
    assert measured == []
    main(here)
    assert measured == ["epyc-2"]
    assert re.search(r"^measuring training beside PyTorch, .*'epyc-2': about two minutes", capsys.readouterr().err)
    synthetic.save_training(conf.parent / "results", "epyc-2", "ab" * 20)
    main(here)
    assert measured == ["epyc-2"] and "PyTorch" not in capsys.readouterr().err, "what was kept is shown"
    main([*here, "--torch"])
    assert measured == ["epyc-2"] * 2
    monkeypatch.setattr(dashboard.against_pytorch, "installed", lambda: False)
    (conf.parent / "results" / "epyc-2" / "against_pytorch.jsonl").unlink()
    main(here)
    assert measured == ["epyc-2"] * 2


def test_training_is_measured_for_a_machine_that_has_results(dashboard, made, measured, monkeypatch):
    made()
    build, machine, conf = dashboard.__main__.build, dashboard.against_pytorch.Machine, made.folder / "asv.conf.json"
    monkeypatch.setattr(machine, "get_unique_machine_name", lambda: "elsewhere")
    facts = {"arch": "x86_64", "cpu": "another", "num_cpu": "2"}
    monkeypatch.setattr(machine, "get_defaults", lambda: facts)
    build(conf, torch=None)
    with pytest.raises(dashboard.__main__.UserError, match=r"no results of this machine, 'elsewhere', .* run `make bench`"):
        build(conf, torch=True)
    with pytest.raises(dashboard.__main__.UserError, match="no results of this machine, 'other'"):
        build(conf, torch=True, machine="other")
    assert measured == []
    facts["cpu"] = "AMD EPYC (znver5)"  # this machine, named otherwise when it was measured
    build(conf, torch=None)
    assert measured == ["epyc-2"]


def test_a_dashboard_without_pytorch_where_measuring_fails(dashboard, made, monkeypatch, capsys):
    made()
    against = dashboard.against_pytorch
    monkeypatch.setattr(against, "installed", lambda: True)
    monkeypatch.setattr(against, "TOOL", made.folder / "nowhere.py")
    conf = made.folder / "asv.conf.json"
    assert dashboard.__main__.build(conf, torch=None, machine="epyc-2").is_file()
    assert "the dashboard is without PyTorch: nowhere.py failed" in capsys.readouterr().err
    with pytest.raises(dashboard.__main__.UserError, match=r"nowhere\.py failed with exit code"):
        dashboard.__main__.build(conf, torch=True, machine="epyc-2")


def test_versions_are_noted_for_a_commit(dashboard, tmp_path):
    versions = dashboard.versions
    versions.record(tmp_path, "box", "a1")
    versions.append(tmp_path / "box" / versions.NAME, {"commit": "b2", "versions": {"numpy": "1"}})
    assert versions.read(tmp_path, "box", "a1")["numpy"] == __import__("numpy").__version__
    assert versions.read(tmp_path, "box", "b2") == {"numpy": "1"}
    assert versions.read(tmp_path, "box", "c3") == {} == versions.read(tmp_path, "other", "a1")


@pytest.mark.parametrize("module", ["text", "links", "marks", "rows", "changes", "page", "publishing"])
def test_examples_in_docstrings(dashboard, module):
    import doctest

    result = doctest.testmod(getattr(dashboard, module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted and not result.failed
