"""Results as asv stores them, for tests of the dashboard: made up, so that a test knows what the page has to say.

    python tests/bench/synthetic.py FOLDER     a git repository of six commits, its asv.conf.json and results of two machines

Everything goes through asv's own API, so that what is read back is what asv would have written.
"""

import datetime
import itertools
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.machine import Machine
from asv.results import Results
from asv.runner import BenchmarkResult

# Values of the parameter `case`: a name, and after a blank the shape; the last one has none, as in older results.
CASES = ("tiny 2x3 @ 3x4", "lenet 128x6x12x12, 16 filters 5x5", "vgg 815018", "odd")
NAMES = tuple(case.partition(" ")[0] for case in CASES)
SIZES = {"tiny": 2e-6, "lenet": 150e-6, "vgg": 9e-3, "odd": 700e-6}
IMPLS = ("numba", "numpy")
START = datetime.datetime(2026, 3, 2, 9, tzinfo=datetime.timezone.utc)

# Class -> (NumPy time / Numba time of the cases, what limits the kernel).
KERNELS = {
    "activations.ReluForward": ((3.1, 1.9, 1.4, 1.6), "memory"),
    "activations.ReluBackward": ((4.2, 2.8, 2.2, 2.5), "memory"),
    "batchnorm.BatchnormForward": ((11.0, 6.4, 4.1, 5.0), "memory"),
    "batchnorm.BatchnormBackwardInput": ((14.2, 7.9, 5.3, 6.1), "memory"),
    "conv.Conv2dForward": ((38.0, 14.5, 6.2, 9.7), "arithmetic"),
    "conv.Conv2dBackwardInput": ((61.0, 22.0, 9.8, 17.0), "arithmetic"),
    "conv.Conv2dBackwardWeight": ((33.0, 11.2, 5.4, 8.8), "arithmetic"),
    "conv.Conv2dBackwardBias": ((2.2, 1.3, 1.02, 1.1), "memory"),
    "cross_entropy.CrossEntropyForward": ((9.0, 3.6, 2.9, 3.1), "memory"),
    "dense.DenseForward": ((2.4, 1.15, 0.97, 0.88), "arithmetic"),
    "dense.DenseBackwardInput": ((2.1, 1.08, 0.99, 0.91), "arithmetic"),
    "dense.DenseBackwardWeight": ((2.3, 1.21, 1.03, 0.83), "arithmetic"),
    "im2col.Im2col": ((7.7, 3.9, 2.1, 2.8), "memory"),
    "im2col.Col2im": ((52.0, 18.0, 12.0, 15.0), "memory"),
    "optim.AdamUpdate": ((21.0, 9.0, 5.5, 7.0), "memory"),
    "optim.SgdUpdate": ((6.0, 3.3, 2.0, 2.6), "memory"),
    "pooling.Maxpool2dForward": ((27.0, 16.0, 11.0, 13.0), "memory"),
    "pooling.Avgpool2dBackward": ((31.0, 24.0, 19.0, 26.0), "memory"),
    "softmax.SoftmaxForward": ((8.1, 3.0, 2.2, 2.4), "memory"),
}
NETWORKS = {
    "Mlp": (354_000, 96_000),
    "Lenet5": (216_000, 9_100),
    "StrideCnn": (352_000, 11_900),
    "VggSmall": (3_200, 240),
    "Resnet20": (2_070, 131),
}
MACHINE = {"machine": "epyc-2", "os": "Linux 6.1", "arch": "x86_64", "cpu": "AMD EPYC (znver5)", "num_cpu": "2"}
MACHINE["ram"] = "8318418944"

# A kernel that became faster, one that became slower: (class, factor on its Numba time, from which commit on).
CHANGES = (("conv.Conv2dForward", 0.6, 4), ("softmax.SoftmaxForward", 1.5, 3))


def benchmark(name, params=(), param_names=(), unit="seconds", kind="time"):
    """What asv's benchmarks.json says about one."""
    return {
        "name": name,
        "params": [[repr(value) for value in values] for values in params],
        "param_names": list(param_names),
        "unit": unit,
        "type": kind,
        "version": "1",
        "timeout": 60.0,
        "code": "",
    }


def suite(owners=None):
    """Every benchmark of the interface between suite and page, for the kernels above or some: name -> benchmark."""
    grid, named = ((CASES, IMPLS), ("case", "impl")), []
    for name, (_, limit) in KERNELS.items():
        named += [benchmark(f"{name}.time_kernel", *grid)]
        named += [benchmark(f"{name}.track_speedup", (CASES,), ("case",), "x", "track")]
        if limit == "arithmetic":
            named += [benchmark(f"{name}.track_gflops", *grid, "GFLOP/s", "track")]
            named += [benchmark(f"{name}.track_percent_of_peak", *grid, "%", "track")]
        else:
            named += [benchmark(f"{name}.track_gbytes", *grid, "GB/s", "track")]
            named += [benchmark(f"{name}.track_percent_of_copy", (CASES,), ("case",), "%", "track")]
    for name in NETWORKS:
        each = ((IMPLS,), ("impl",))
        named += [benchmark(f"networks.{name}.time_step", *each), benchmark(f"networks.{name}.time_predict", *each)]
        named += [benchmark(f"networks.{name}.track_images_per_second", *each, "images/s", "track")]
        named += [benchmark(f"networks.{name}.track_threads_scaling", (), (), "x", "track")]
    named += [benchmark("startup.Import.time_import")]
    named += [benchmark(f"startup.FirstStep.track_{cache}", (), (), "s", "track") for cache in ("cold", "warm")]
    for what in ("step", "reference"):
        named += [benchmark(f"memory.TrainingStep.peakmem_{what}", (list(NETWORKS),), ("network",), "bytes", "memory")]
    return {one["name"]: one for one in named if owners is None or one["name"].rpartition(".")[0] in owners}


def numba_factor(name, commit):
    """What the made-up history does to the Numba time of a kernel."""
    return math.prod(factor for changed, factor, since in CHANGES if name.startswith(changed + ".") and commit >= since)


def value_of(name, params, commit, speed):
    """A figure without its noise; `speed` is the machine's."""
    owner, _, method = name.rpartition(".")
    impl = params[-1] if params and params[-1] in IMPLS else "numba"
    if owner in KERNELS:
        case = params[0].partition(" ")[0]
        ratios, limit = KERNELS[owner]
        ratio = ratios[NAMES.index(case)]
        seconds = SIZES[case] / speed * (numba_factor(name, commit) if impl == "numba" else ratio)
        rate = (210 if limit == "arithmetic" else 31) * SIZES[case] / seconds * min(1, 0.1 + NAMES.index(case) / 2)
        return {
            "time_kernel": seconds,
            "track_speedup": ratio / numba_factor(name, commit),
            "track_gflops": rate,
            "track_gbytes": rate,
            "track_percent_of_peak": rate / 4.74 / speed,
            "track_percent_of_copy": rate / 0.5 / speed,
        }[method]
    if owner.startswith("networks."):
        rate = NETWORKS[owner.partition(".")[2]][impl == "numpy"] * speed
        return {
            "time_step": 128 / rate,
            "time_predict": 128 / rate / 3,
            "track_images_per_second": rate,
            "track_threads_scaling": 1.83,
        }[method]
    if method.startswith("peakmem"):
        return 150e6 + (0 if method.endswith("reference") else 20e6 * (1 + list(NETWORKS).index(params[0])))
    return {"time_import": 0.31, "track_cold": 24.0, "track_warm": 0.9}[method]


def repository(folder, commits, tagged):
    """A git repository with that many commits, a day apart; `tagged`: tag -> number of its commit. Returns their hashes."""
    folder.mkdir(parents=True)

    def git(*arguments, date=START):
        who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        when = {"GIT_AUTHOR_DATE": date.isoformat(), "GIT_COMMITTER_DATE": date.isoformat()}
        environment = {**os.environ, **who, **when, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    hashes = []
    for number in range(commits):
        git("commit", "--quiet", "--allow-empty", "-m", f"Commit {number}", date=START + datetime.timedelta(days=number))
        hashes.append(git("rev-parse", "HEAD"))
    for tag, number in tagged.items():
        git("tag", tag, hashes[number])
    return hashes


def sampled(value, noise, rng):
    """Samples as asv keeps them for a time: their median is `value` within the noise."""
    return [value * (1 + noise * rng.uniform(-1, 1)) for _ in range(9)]


def save_results(folder, machine, hashes, benchmarks, *, speed=1.0, threads="2", missing=(), noise=0.01, only=None):
    """Results of all commits on one machine.

    `missing` has (benchmark, name of a case) of benchmarks that failed, from the last commit only; `only` restricts commits
    by number.
    """
    entry = Machine()
    entry.__dict__.update(machine)
    entry.save(str(folder))
    rng = random.Random(machine["machine"])
    pinned = {f"{name}_NUM_THREADS": threads for name in ("NUMBA", "OPENBLAS", "OMP", "MKL")}
    for commit, full_hash in enumerate(hashes):
        if only is not None and commit not in only:
            continue
        date = START + datetime.timedelta(days=commit)
        stored = Results(
            {**machine, "python": "3.11", "numba": ""},
            {"numba": ""},
            full_hash,
            int(date.timestamp() * 1000),
            "3.11",
            "virtualenv-py3.11-numba-" + "-".join(f"{name}{value}" for name, value in pinned.items()),
            pinned,
        )
        for name, one in benchmarks.items():
            results, samples, numbers = [], [], []
            for params in itertools.product(*one["params"]):
                plain = [value.strip("'") for value in params]
                failed = commit == len(hashes) - 1 and any(
                    name == f and (not plain or plain[0].split()[0] == c) for f, c in missing
                )
                value = None if failed else value_of(name, plain, commit, speed)
                timed = one["type"] == "time" and value is not None
                shaken = noise / 50 if one["type"] == "memory" else noise
                results.append(value if timed or value is None else value * (1 + shaken * rng.uniform(-1, 1)))
                samples.append(sampled(value, noise, rng) if timed else None)
                numbers.append(1 if timed else None)
            started = date + datetime.timedelta(hours=2)
            stored.add_result(one, BenchmarkResult(results, samples, numbers, 0, "", None), started_at=started, duration=1.0)
        stored.save(str(folder))


def save_versions(folder, machine, commit, **versions):
    with open(folder / machine / "versions.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"commit": commit, "versions": versions}) + "\n")


def save_training(folder, machine, commit):
    """What ``--torch`` measures, made up."""
    rows = []
    for network, (mine, other) in {"lenet": (216_469, 30_036), "mlp": (354_474, 122_825), "slow": (1_000, 1_250)}.items():
        ratios = {"ratio": mine / other, "ratio_min": mine / other * 0.9, "ratio_max": mine / other * 1.1}
        peer = {"peer": "PyTorch, channels last", "peer_rate": other, **ratios}
        rows.append({"network": network, "batch": 128, "fastnn": mine, "gflops": 328.4, **peer})
    where = {
        "commit": commit,
        "date": "2026-03-07",
        "machine": "made-up machine, PyTorch 2.13.0",
        "peak_gflops": 474.0,
        "load": 2.5,
    }
    with open(folder / machine / "against_pytorch.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({**where, "results": rows}) + "\n")


def project(folder, commits=6, tagged=None, **settings):
    """A repository and an asv.conf.json beside it, no results yet. Returns the path of the latter and the commits' hashes."""
    hashes = repository(folder / "repo", commits, {"v0.1": 1} if tagged is None else tagged)
    path = folder / "asv.conf.json"
    chosen = {"version": 1, "project": "fastnn", "repo": "repo", "branches": ["main"], "results_dir": "results", **settings}
    path.write_text(json.dumps(chosen), encoding="utf-8")
    return path, hashes


def save_suite(conf_path, benchmarks):
    """The benchmarks.json beside the results."""
    conf = Config.load(str(conf_path))
    conf.results_dir = str(conf_path.parent / conf.results_dir)
    Benchmarks(conf, benchmarks.values()).save()


def whole(folder):
    """Everything at once: two machines, one of them with two thread counts, a failed benchmark, PyTorch's table."""
    path, hashes = project(folder)
    results, benchmarks = folder / "results", suite()
    failed = (("pooling.Maxpool2dForward.time_kernel", "odd"), ("pooling.Maxpool2dForward.track_speedup", "odd"))
    save_results(results, MACHINE, hashes, benchmarks, missing=failed)
    save_results(results, MACHINE, hashes, benchmarks, threads="1", speed=0.55, only=(2, 5))
    laptop = {**MACHINE, "machine": "My laptop", "cpu": "Some laptop's processor", "num_cpu": "8"}
    save_results(results, laptop, hashes, benchmarks, speed=1.7, threads="8", only=(0, 3))
    save_suite(path, benchmarks)
    save_versions(results, MACHINE["machine"], hashes[-1], fastnn="0.1.0", numpy="2.4.6", numba="0.68.1", python="3.11.7")
    save_training(results, MACHINE["machine"], hashes[-1])
    return path


if __name__ == "__main__":
    print(whole(Path(sys.argv[1])))
