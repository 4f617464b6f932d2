"""The benchmarks: every kernel has one, every one runs and finds a figure, asv finds every one and runs it."""

import importlib
import inspect
import itertools
import math
import os
import pkgutil
import re
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

import fastnn
import fastnn.kernels

threadpoolctl = pytest.importorskip("threadpoolctl", reason="benchmarks need threadpoolctl")

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "asv_bench"
sys.path.insert(0, str(SUITE))
benchmarks = importlib.import_module("benchmarks")
from benchmarks import _base, _kernels, _measuring, _quick  # noqa: E402

REFERENCE = fastnn.kernels.reference
FAMILIES = sorted(module.name for module in pkgutil.iter_modules(REFERENCE.__path__))
HOOKS = {"setup", "teardown", "timer"}


def classes():
    """(module, class) of all benchmark classes; a test below compares them with what asv finds."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            loaded = importlib.import_module(f"benchmarks.{module.name}")
            found = inspect.getmembers(loaded, lambda value: inspect.isclass(value) and not inspect.isabstract(value))
            yield from ((module.name, cls) for _, cls in found if cls.__module__ == loaded.__name__)


def methods(cls):
    """Methods of a class that asv runs."""
    return [method for name, method in inspect.getmembers(cls, inspect.isfunction) if name.startswith(_base.PREFIXES)]


def parameters(cls, method):
    """(names, values) of a benchmark's parameters."""
    found = [getattr(method, what, getattr(cls, what, ())) for what in ("param_names", "params")]
    names, values = map(list, found)
    return names, [values] if values and isinstance(values[0], str) else [list(choice) for choice in values]


def kernel_names(family):
    """Public kernels of a family."""
    module = importlib.import_module(f"{REFERENCE.__name__}.{family}")
    functions = inspect.getmembers(module, lambda value: callable(value) and not isinstance(value, type))
    return {
        name for name, value in functions if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


CLASSES = list(classes())
KERNELS = [(module, cls) for module, cls in CLASSES if issubclass(cls, _kernels.KernelBenchmark)]
BENCHMARKS = [
    pytest.param(cls, method, id=f"{module}.{cls.__name__}.{method.__name__}")
    for module, cls in CLASSES
    for method in methods(cls)
]


def grid():
    """Names of all that asv runs a process for, with parameters as asv writes them."""
    for module, cls in CLASSES:
        for method in methods(cls):
            name, values = f"{module}.{cls.__name__}.{method.__name__}", parameters(cls, method)[1]
            for chosen in itertools.product(*values):
                yield f"{name}({', '.join(map(repr, chosen))})" if values else name


# --- conventions


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_has_a_benchmark_class(family):
    assert {cls.kernel or cls._title() for module, cls in KERNELS if module == family} == kernel_names(family)


def test_classes_of_kernels_are_in_no_other_place():
    assert {module for module, _ in KERNELS} == set(FAMILIES)
    names = [cls.__name__ for _, cls in CLASSES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("module, cls", KERNELS)
def test_classes_of_kernels_report_for_both_implementations(module, cls):
    found = {method.__name__: parameters(cls, method) for method in methods(cls)}
    names, (cases, impls) = found["time_kernel"]
    assert names == ["case", "impl"] and impls == ["numba", "numpy"] and len(cases) == len(cls.cases)
    assert found["track_speedup"] == (["case"], [cases])
    multiplies = module in ("conv", "dense") and not cls.__name__.endswith("Bias")
    rates = {"track_gflops", "track_percent_of_peak"} if multiplies else {"track_gbytes", "track_percent_of_copy"}
    assert found.keys() == {"time_kernel", "track_speedup"} | rates
    for names, values in found.values():
        assert "impl" not in names or (names[-1], values[-1]) == ("impl", ["numba", "numpy"])
    assert all(len(pair) == 2 for pair in found.values())


@pytest.mark.parametrize("module, cls", KERNELS)
def test_cases_are_a_tiny_one_then_one_of_lenet_of_vgg_and_an_odd_one(module, cls):
    first, second, *more = cls.cases
    assert first == "tiny" and second.startswith("lenet")
    # Two cases will do for what few networks have.
    assert [name.partition("_")[0] for name in more] in (["vgg", "odd"], ["vgg"], [])


@pytest.mark.parametrize("module, cls", KERNELS)
def test_a_case_says_its_name_and_shape(module, cls):
    for (name, sizes), case in zip(cls.cases.items(), cls.choices["case"], strict=True):
        assert case.startswith(f"{name} ")
        assert cls()._sizes(case) == cls()._sizes(name) == sizes
        said = set(map(int, re.findall(r"\d+", case.removeprefix(name))))
        assert said == set(sizes) - {0}, "no padding is not said"


@pytest.mark.parametrize("cls", [cls for module, cls in CLASSES if module == "networks"])
def test_networks_report_for_both_implementations(cls):
    for name in ("time_step", "time_predict", "track_images_per_second"):
        assert parameters(cls, getattr(cls, name)) == (["impl"], [["numba", "numpy"]])


@pytest.mark.parametrize("module, cls", CLASSES)
def test_asv_passes_over_no_method(module, cls):
    public = {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")}
    skipped = {name for name in public - HOOKS if not name.startswith(_base.PREFIXES)}
    assert not skipped and public - HOOKS


@pytest.mark.parametrize("cls, method", BENCHMARKS)
def test_titles_and_units_are_set(cls, method):
    what, colon, measured = method.pretty_name.partition(": ")
    assert what and colon and measured
    if method.__name__.startswith("track_"):
        assert method.unit in ("x", "%", "GFLOP/s", "GB/s", "images/s", "seconds")


def test_a_full_run_is_a_matter_of_minutes():
    """A process takes about 1.1 seconds where nothing else runs: 30 minutes are for 1,600."""
    assert len(list(grid())) < 1400


def test_a_quick_run_is_a_matter_of_few_minutes():
    """Five minutes are for 270; all kernels and networks must be among them."""
    chosen = [name for name in grid() if any(re.search(pattern, name) for pattern in _quick.BENCHMARKS)]
    assert len(chosen) < 220
    owners = {name.partition("(")[0].rpartition(".")[0] for name in chosen}
    assert owners >= {f"{module}.{cls.__name__}" for module, cls in CLASSES if (module, cls) in KERNELS or module == "networks"}


# --- every benchmark once


@pytest.fixture
def hasty(monkeypatch):
    """One short round on one thread instead of several, networks on few samples; afterwards NumPy has its threads again."""
    for _, cls in CLASSES:
        if hasattr(cls, "workload"):
            monkeypatch.setattr(cls, "workload", cls.workload._replace(batch=4))
    for name, value in {"SAMPLE_SECONDS": 1e-4, "settle": lambda: None, "ROUNDS": 1}.items():
        monkeypatch.setattr(_measuring, name, value)
    with threadpoolctl.threadpool_limits(), fastnn.threads(1):
        yield


def run_once(cls, method, chosen):
    """What a benchmark finds for some parameters, or the seconds that it takes."""
    instance = cls()
    getattr(instance, "setup", lambda *_: None)(*chosen)
    timer = getattr(instance, "timer", time.perf_counter)
    start = timer()
    found = getattr(instance, method.__name__)(*chosen)
    seconds = timer() - start
    getattr(instance, "teardown", lambda *_: None)(*chosen)
    return found if method.__name__.startswith("track_") else seconds


@pytest.mark.parametrize("cls, method", BENCHMARKS)
def test_runs_on_its_first_case_and_finds_a_figure(cls, method, hasty):
    names, values = parameters(cls, method)
    every = [choice if name == "impl" else choice[:1] for name, choice in zip(names, values)]
    for chosen in itertools.product(*every):
        found = run_once(cls, method, chosen)
        assert math.isfinite(found) and found > 0, chosen


@pytest.mark.parametrize("module, cls", KERNELS)
def test_both_implementations_do_the_same(module, cls):
    """On the same arrays: what is compared is the same work."""
    for case in cls.cases:
        numba, numpy = cls()._calls(case, _kernels.IMPLS)
        assert numba.args is numpy.args or all(a is b for a, b in zip(numba.args, numpy.args))
        written = [[np.copy(a) if isinstance(a, np.ndarray) else a for a in numba.args] for _ in range(2)]
        for call, arguments in zip((numba, numpy), written):
            call.func(*arguments)
        for a, b in zip(*written):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)


# --- measuring


class Late(_base.Benchmark):
    """Compiles in its timed call."""

    @classmethod
    def _title(cls):
        return "late"

    def _prepare(self):
        return time.perf_counter

    def time_call(self):
        import numba

        numba.njit(lambda x: x + 1)(1)

    time_call.pretty_name = "compilation"


def test_no_figure_comes_from_a_call_that_compiled(hasty):
    late = Late()
    late.setup()
    late.teardown()
    late.time_call()
    with pytest.raises(RuntimeError, match=r"expected everything to be compiled in setup, got \d+ passes"):
        late.teardown()


PASSES = """
import sys
sys.path.insert(0, sys.argv[1])
from benchmarks import _measuring, memory
compilations = _measuring.Compilations()
for network in memory.WORKLOADS:
    memory.train(network)
print(compilations.count)
"""


def test_a_process_that_finds_all_in_the_cache_compiles_nothing():
    """What benchmarks of memory and of the first step rely on."""
    if fastnn.kernels._jit.cache_dir() is None:
        pytest.skip("there is no place for a cache")
    counts = [int(subprocess.check_output([sys.executable, "-c", PASSES, SUITE])) for _ in range(2)]
    assert counts[1] == 0


def test_a_timed_call_counts_as_one(hasty, monkeypatch):
    monkeypatch.setattr(_measuring, "SAMPLE_SECONDS", 0.02)

    class Sleeping(Late):
        def _prepare(self):
            return lambda: time.sleep(0.001)

        def time_call(self):
            _measuring.repeat(self._prepare(), self._times)

        time_call.pretty_name = "a millisecond"

    sleeping = Sleeping()
    sleeping.setup()
    assert 2 <= sleeping._times <= 20
    start = sleeping.timer()
    sleeping.time_call()
    assert 0.001 <= sleeping.timer() - start < 0.02


def test_setup_prepares_once(hasty):
    benchmark = next(cls for _, cls in KERNELS if cls.__name__ == "DenseForward")()
    benchmark.setup("tiny", "numpy")
    before = benchmark._contestants
    benchmark.setup("tiny", "numpy")
    assert benchmark._contestants is before
    benchmark.setup("odd", "numpy")
    assert benchmark._contestants is not before


def test_kernels_that_a_commit_does_not_have_are_passed_over(hasty, monkeypatch):
    cls = next(cls for _, cls in KERNELS if cls.__name__ == "DenseForward")
    monkeypatch.delattr(fastnn.kernels.dense, "dense_forward")
    with pytest.raises(NotImplementedError, match=r"dense.dense_forward: not in this commit"):
        cls().setup("tiny", "numba")


@pytest.mark.parametrize("busy, waits", [(0, 1), (7, 8), (1000, 100)])
def test_contestants_wait_for_idle_threads(monkeypatch, busy, waits):
    """On clocks of the test's own: other threads are busy for some time, and the wait ends anyway after a second."""
    clock = {"slept": 0}
    sleep = lambda seconds: clock.update(slept=clock["slept"] + 1)  # noqa: E731
    now = lambda: clock["slept"] * _measuring.QUIET_SECONDS  # noqa: E731
    worked = lambda: min(clock["slept"], busy) * _measuring.QUIET_SECONDS  # noqa: E731
    monkeypatch.setattr(_measuring, "time", types.SimpleNamespace(sleep=sleep, perf_counter=now, process_time=worked))
    _measuring.settle(seconds=0.995)
    assert clock["slept"] == waits


def test_blas_and_fastnn_have_the_same_threads(hasty):
    for threads in (2, 1):
        with fastnn.threads(threads):
            assert _measuring.equal_threads() == threads
            blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
            assert all(pool["num_threads"] == threads for pool in blas)


def test_an_unwilling_blas_is_an_error(hasty, monkeypatch):
    monkeypatch.setattr(_measuring, "threadpool_limits", lambda *args, **named: None)
    pool = {"user_api": "blas", "internal_api": "openblas", "num_threads": fastnn.num_threads() + 1}
    monkeypatch.setattr(_measuring, "threadpool_info", lambda: [pool])
    with pytest.raises(RuntimeError, match=r"expected \d+ threads of openblas, got \d+"):
        _measuring.equal_threads()


def test_bytes_of_a_call():
    found = {cls.__name__: cls() for _, cls in KERNELS}
    x = np.ones(8, np.float32)
    assert found["ReluForward"]._bytes((x, x)) == 64
    assert found["MomentumUpdate"]._bytes((x, x, x, 0.1)) == 5 * 32  # param and velocity are read and written
    assert found["GatherRows"]._bytes((x.reshape(2, 4), np.ones((9, 4), np.float32), np.ones(2, np.int64))) == 64 + 16


def test_floating_point_operations_of_a_call():
    found = {cls.__name__: cls() for _, cls in KERNELS}
    assert found["DenseForward"]._flops(2, 3, 5) == 2 * 30
    assert found["Conv2dForward"]._flops(1, 2, 6, 6, 4, 3, 1, 0) == 2 * 4 * 16 * 2 * 9


# --- asv itself


def test_asv_discovers_the_same_benchmarks():
    discovery = pytest.importorskip("asv_runner.discovery", reason="asv is not installed")
    found = {benchmark.name: benchmark for benchmark in discovery.disc_benchmarks(str(SUITE / "benchmarks"))}
    ours = {f"{module}.{cls.__name__}.{method.__name__}": (cls, method) for module, cls in CLASSES for method in methods(cls)}
    assert found.keys() == ours.keys()
    for name, (cls, method) in ours.items():
        names, values = parameters(cls, method)
        assert (found[name].param_names, found[name].params) == (names, [list(map(repr, choice)) for choice in values])
        assert found[name].pretty_name == method.pretty_name
        assert len(found[name].version) == 64


def asv(*arguments, home):
    """Run asv where it does not meet the user's own settings, on kernels that are compiled already."""
    cache = fastnn.kernels._jit.cache_dir()
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(fastnn.__file__).parents[1])}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(Path(cache).parents[1])
    command = [sys.executable, "-m", "asv", *arguments]
    done = subprocess.run(command, cwd=SUITE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def test_asv_runs_a_benchmark(tmp_path):
    pytest.importorskip("asv", reason="asv is not installed")
    if not (ROOT / ".git").exists():
        pytest.skip("asv needs a git repository")
    assert asv("machine", "--yes", home=tmp_path)[0] == 0
    bench = r"dense\.DenseForward\.(time_kernel|track_speedup)\('tiny "
    code, text = asv("run", "--quick", "--dry-run", "--python=same", "--show-stderr", "--bench", bench, home=tmp_path)
    assert code == 0, text
    assert "failed" not in text and re.search(r"tiny 2x3, 4 outputs +[\d.]+±0[nμ]s +[\d.]+±0[nμ]s", text), text
