"""`warmup` leaves nothing to compile for ordinary use."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import fastnn as fnn
from fastnn.cli import main

# Networks unlike those of warmup: others' sizes, depths and batches, all in one process.
USE = """
import json, sys
from pathlib import Path
import numpy as np
import fastnn as fnn
from fastnn.kernels._jit import cache_dir
from fastnn.models import lenet5

def files():
    return {str(path.relative_to(cache_dir())) for path in Path(cache_dir()).rglob("*") if path.is_file()}

first = fnn.warmup(progress=False)
before = files()
second = fnn.warmup("float32", progress=True)
again = files() - before

rng = np.random.default_rng(1)
relu, pool, flat = fnn.ReLU, fnn.MaxPool2d, fnn.Flatten

def vgg():
    stack, channels = [], 3
    for filters in (16, 40):
        stack += [fnn.Conv2d(channels, filters, 3, padding=1), fnn.BatchNorm2d(filters), relu(), pool(2)]
        channels = filters
    return fnn.Sequential(*stack, flat(), fnn.Dense(40 * 8 * 8, 60), fnn.Dropout(), relu(), fnn.Dense(60, 10))

def resnet():
    def block(i, o, stride):
        body = fnn.Sequential(
            fnn.Conv2d(i, o, 3, stride, 1, bias=False), fnn.BatchNorm2d(o), relu(),
            fnn.Conv2d(o, o, 3, 1, 1), fnn.BatchNorm2d(o),
        )
        shortcut = None if i == o else fnn.Conv2d(i, o, 1, stride, bias=False)
        return [fnn.Residual(body, shortcut), relu()]
    front = [fnn.Conv2d(3, 12, 3, padding=1, bias=False), fnn.BatchNorm2d(12), relu()]
    return fnn.Sequential(*front, *block(12, 12, 1), *block(12, 20, 2), fnn.AdaptiveAvgPool2d(1), flat(), fnn.Dense(20, 10))

def depthwise():
    def pair(i, o, stride):
        return [fnn.Conv2d(i, i, 3, stride, 1, groups=i), fnn.BatchNorm2d(i), relu(), fnn.Conv2d(i, o, 1), relu()]
    front = [fnn.Conv2d(3, 8, 3, 2), relu(), *pair(8, 20, 1), *pair(20, 24, 2), fnn.AvgPool2d(3)]
    return fnn.Sequential(*front, flat(), fnn.Dense(96, 10))

def one_axis():
    return fnn.Sequential(fnn.Conv1d(2, 20, 7, 2), relu(), fnn.MaxPool1d(3, 2), fnn.Conv1d(20, 9, 3, dilation=2), fnn.Tanh(),
                          fnn.AdaptiveAvgPool1d(3), flat(), fnn.Linear(27, 10))

def mlp():
    return fnn.Sequential(fnn.Dense(300, 200), fnn.Sigmoid(), fnn.BatchNorm1d(200), fnn.LeakyReLU(), fnn.Dense(200, 10))

def norms():
    front = [fnn.Conv2d(3, 12, 5), relu(), fnn.LocalResponseNorm(5), fnn.GroupNorm(3, 12), pool(2), flat()]
    return fnn.Sequential(*front, fnn.LayerNorm(12 * 64, bias=False), fnn.Dense(12 * 64, 10))

networks = [
    (lenet5(), (1, 28, 28), fnn.Adam()),
    (vgg(), (3, 32, 32), fnn.SGD(momentum=0.9)),
    (resnet(), (3, 20, 20), fnn.AdamW()),
    (depthwise(), (3, 25, 25), fnn.SGD()),
    (one_axis(), (2, 90), fnn.Adam(amsgrad=True)),
    (mlp(), (300,), fnn.SGD(momentum=0.5)),
    (norms(), (3, 20, 20), fnn.SGD()),
    (mlp(), (300,), fnn.RMSprop(momentum=0.5, centered=True)),
    (mlp(), (300,), fnn.Adagrad()),
]
new = {}
for network, shape, optimizer in networks:
    for plan in (True, False):
        with fnn.config(plan=plan):
            x = rng.standard_normal((70, *shape)).astype(np.float32)
            for data in (x, rng.integers(0, 256, x.shape).astype(np.uint8)):
                network.fit(data, np.arange(70) % 10, optimizer=optimizer, batch_size=32, progress=False)
                network.evaluate(data, np.arange(70) % 10)
                if data.ndim == 4:
                    augment = fnn.data.Augment(2, flip=True)
                    network.fit(data, np.arange(70) % 10, batch_size=32, augment=augment, progress=False)
                for _ in range(3):
                    network.predict(data), network.predict(data[:1]), network.predict(data[:5])
    found = files() - before
    if found:
        new[str(network)] = sorted(found)
        before |= found
network.profile(x, np.arange(70) % 10)
print(json.dumps({"first": first.compiled, "second": second.compiled, "again": sorted(again), "new": new}))
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile(request, tmp_path):
    # The cache is kept from run to run: after the first one, only kernels that have changed are compiled.
    kept = getattr(request.config, "cache", None)
    folder = tmp_path if kept is None else kept.mkdir("fastnn-warmup")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", USE], env=environment, capture_output=True, text=True)
    if done.returncode == 0:
        found = json.loads(done.stdout.splitlines()[-1])
        if not found["new"] and not found["again"]:
            assert found["second"] == 0 and "compiling" in done.stderr
            return
    shutil.rmtree(folder)  # what was missing is in it now, and would not be missed again
    pytest.fail(done.stderr if done.returncode else f"compiled after warmup: {found['again']}, {found['new']}")


@pytest.mark.parametrize(
    "arguments,error,message",
    [
        ({"dtypes": "float16"}, TypeError, "warmup: dtypes"),
        ({"dtypes": ("float32", int)}, TypeError, "warmup: dtypes"),
        ({"dtypes": ()}, ValueError, "expected dtypes to name at least one dtype"),
        ({"progress": "no"}, TypeError, "warmup: progress"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        fnn.warmup(**arguments)


def test_command(monkeypatch, capsys):
    calls = []

    def fake(dtypes, progress):
        calls.append((dtypes, progress))
        return fnn_warmup.Warmup(3, 1.25, "/somewhere" if len(calls) < 3 else None)

    fnn_warmup = sys.modules["fastnn.warmup"]
    monkeypatch.setattr("fastnn.cli.warmup", fake)
    assert main(["warmup"]) == 0 and main(["warmup", "--dtype", "float32", "float64", "--quiet"]) == 0
    assert calls == [(["float32"], True), (["float32", "float64"], False)]
    assert "3 kernels compiled in 1.2 s, kept in /somewhere" in capsys.readouterr().out
    assert main(["warmup"]) == 1
    assert "no cache folder is writable" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["warmup", "--dtype", "int8"])
    assert stopped.value.code == 2
