"""`warmup` leaves nothing to compile for ordinary use."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import fastnn as fnn
from fastnn.cli import main

# Networks unlike those of warmup: others' sizes, depths and batches.
NETWORKS = """
import numpy as np
import fastnn as fnn
from fastnn.models import lenet5

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

def more_norms():
    front = [fnn.GroupNorm(1, 3, affine=False), fnn.LayerNorm((9, 8)), fnn.LocalResponseNorm(2), fnn.LayerNorm((3, 9, 8)),
             flat(), fnn.GroupNorm(4, 216, bias=False)]
    return fnn.Sequential(*front, fnn.LayerNorm(216, elementwise_affine=False), fnn.Dense(216, 10))

def norms_of_one_axis():
    front = [fnn.Conv1d(2, 6, 3), fnn.GroupNorm(2, 6), fnn.LayerNorm((6, 18)), fnn.LocalResponseNorm(3, k=2.0),
             fnn.LayerNorm(18, bias=False), fnn.LPPool1d(2, 3), fnn.AvgPool1d(2, 1), fnn.LPPool1d(1, 2, 1),
             fnn.LPPool1d(3.5, 2)]
    return fnn.Sequential(*front, flat(), fnn.Dense(12, 10))

def norm_pools():
    front = [fnn.LPPool2d(2, 2, 1), fnn.Conv2d(2, 6, 3), fnn.LPPool2d(1, (2, 3)), fnn.LPPool2d(4, 2, ceil_mode=True)]
    return fnn.Sequential(*front, flat(), fnn.Dense(6 * 3 * 3, 10))

smooth = fnn.ELU, fnn.GELU, lambda: fnn.GELU("tanh"), fnn.SiLU, fnn.Softplus, fnn.Hardtanh, fnn.ReLU6

def activations():
    return fnn.Sequential(fnn.Dense(40, 30), *(make() for make in smooth), fnn.Dense(30, 10), fnn.Softplus(2.0, 5.0))

def activations_of_planes():
    front = [layer for make in smooth for layer in (fnn.Conv2d(2, 2, 1), make())]
    return fnn.Sequential(*front, flat(), fnn.Dense(2 * 35, 10))

def inception():
    branch = fnn.Sequential(fnn.Conv2d(5, 4, 1), fnn.SiLU(), fnn.Conv2d(4, 7, 5, padding=2))
    joined = fnn.Concat(fnn.Conv2d(5, 3, 1), branch, fnn.Identity(), fnn.MaxPool2d(3, 1, 1))
    ends = fnn.Concat(fnn.Dense(20, 6), fnn.Sequential(fnn.Dense(20, 4), fnn.Sigmoid()))
    return fnn.Sequential(joined, fnn.AdaptiveAvgPool2d(1), flat(), ends)

def channels_last():
    front = [fnn.Permute(3, 1, 2), fnn.Conv2d(3, 4, 3), fnn.Permute(2, 1, 3), fnn.Permute(0, 1, 3, 2), fnn.Reshape(28, -1)]
    front += [fnn.Permute(2, 1), fnn.Conv1d(7, 5, 3), fnn.Reshape(5, 13, 2), fnn.Identity()]
    return fnn.Sequential(*front, fnn.Lambda(lambda x: x.reshape(len(x), -1)), fnn.Dense(130, 10))

def sequences():
    front = [fnn.Permute(2, 1), fnn.Dense(6, 8), fnn.GELU(), fnn.LayerNorm(8), fnn.Permute(0, 2, 1), fnn.Reshape(4, 2, -1)]
    return fnn.Sequential(*front, fnn.Permute(2, 3, 1), flat(), fnn.Dense(56, 10))

def doubled():
    double = fnn.Lambda(lambda x: 2 * x, lambda dout, x: 2 * dout)
    return fnn.Sequential(fnn.Dense(30, 20), double, fnn.Hardtanh(), fnn.Dense(20, 10))

def behind(last):
    return fnn.Sequential(fnn.Dense(30, 20), fnn.ELU(), fnn.Dense(20, 10), last)

networks = [
    (lenet5(), (1, 28, 28), fnn.Adam()),
    (vgg(), (3, 32, 32), fnn.SGD(momentum=0.9)),
    (resnet(), (3, 20, 20), fnn.AdamW()),
    (depthwise(), (3, 25, 25), fnn.SGD()),
    (one_axis(), (2, 90), fnn.Adam(amsgrad=True)),
    (mlp(), (300,), fnn.SGD(momentum=0.5)),
    (norms(), (3, 20, 20), fnn.SGD()),
    (more_norms(), (3, 9, 8), fnn.SGD(nesterov=True, momentum=0.9)),
    (norms_of_one_axis(), (2, 20), fnn.SGD()),
    (norm_pools(), (2, 13, 18), fnn.SGD()),
    (activations(), (40,), fnn.RMSprop()),
    (activations_of_planes(), (2, 7, 5), fnn.SGD()),
    (inception(), (5, 7, 8), fnn.Adam()),
    (channels_last(), (9, 9, 3), fnn.SGD()),
    (sequences(), (6, 7), fnn.SGD()),
    (doubled(), (30,), fnn.SGD()),
    (mlp(), (300,), fnn.RMSprop(momentum=0.5, centered=True)),
    (mlp(), (300,), fnn.Adagrad()),
    (mlp(), (300,), fnn.Adagrad(lr_decay=0.1, weight_decay=0.1)),
]
values, classes = rng.random((70, 10), np.float32), np.arange(70) % 10
one_hot = np.eye(10)[classes]
losses = [
    (behind(fnn.LogSoftmax(1)), fnn.NLLLoss(weight=values[0]), classes),
    (behind(fnn.LogSoftmax(1)), fnn.NLLLoss(), one_hot.astype(bool)),
    (behind(fnn.Sigmoid()), fnn.MSELoss(factor=0.5), values),
    (behind(fnn.Softmax(1)), fnn.MSELoss(reduction="sum"), one_hot.astype(np.float32)),
    (behind(fnn.Tanh()), fnn.BCEWithLogitsLoss(pos_weight=values[0]), values),
    (behind(fnn.Sigmoid()), fnn.BCELoss(weight=values[0]), values),
    (behind(fnn.Hardtanh()), fnn.L1Loss(), values),
    (behind(fnn.ReLU6()), fnn.HuberLoss(delta=0.3), values),
    (behind(fnn.Identity()), fnn.SmoothL1Loss(beta=0.3), values),
    (behind(relu()), fnn.CrossEntropyLoss(label_smoothing=0.1), classes.astype(np.int32)),
    (behind(fnn.Identity()), fnn.CrossEntropyLoss(), values),
    (behind(relu()), fnn.CrossEntropyLoss(weight=values[0]), one_hot.astype(np.int64)),
    (behind(fnn.Softmax(1)), fnn.CrossEntropyLoss(from_logits=False), classes.astype(np.uint8)),
    (behind(fnn.Softmax(1)), fnn.CrossEntropyLoss(from_logits=False), values),
]
uses = [(network, shape, fnn.CrossEntropyLoss(), classes, optimizer) for network, shape, optimizer in networks]
uses += [(network, (30,), loss, target, fnn.SGD()) for network, loss, target in losses]
"""

# All of them in one process, behind warmup.
USE = """
import json
from pathlib import Path
from fastnn.kernels._jit import cache_dir

def files():
    return {str(path.relative_to(cache_dir())) for path in Path(cache_dir()).rglob("*") if path.is_file()}

first = fnn.warmup(progress=False)
before = files()
second = fnn.warmup("float32", progress=True)
again = files() - before
new = {}
for network, shape, loss, target, optimizer in uses:
    for plan in (True, False):
        with fnn.config(plan=plan):
            x = rng.standard_normal((70, *shape)).astype(np.float32)
            for data in (x, rng.integers(0, 256, x.shape).astype(np.uint8)):
                network.fit(data, target, loss=loss, optimizer=optimizer, batch_size=32, progress=False)
                network.evaluate(data, target)
                if data.ndim == 4 and not isinstance(network[0], fnn.Permute):
                    augment = fnn.data.Augment(2, flip=True)
                    network.fit(data, target, batch_size=32, augment=augment, progress=False)
                for _ in range(3):
                    network.predict(data), network.predict(data[:1]), network.predict(data[:5])
    network.profile(x, target, loss=loss)
    found = files() - before
    if found:
        new[f"{network} {loss}"] = sorted(found)
        before |= found
print(json.dumps({"first": first.compiled, "second": second.compiled, "again": sorted(again), "new": new}))
"""


def test_all_layers_losses_and_optimizers_are_in_use():
    names = {}
    exec(NETWORKS, names)
    used = set()
    for network, _, loss, _, optimizer in names["uses"]:
        used |= {type(part) for part in (*dict(network.walk()).values(), loss, optimizer)}
    bases = fnn.Layer, fnn.Loss, fnn.Optimizer, fnn.Network
    kinds = [kind for kind in vars(fnn).values() if isinstance(kind, type) and issubclass(kind, bases) and kind not in bases]
    assert not {kind.__name__ for kind in kinds if kind not in used}


@pytest.mark.slow
def test_nothing_is_left_to_compile(request, tmp_path):
    # The cache is kept from run to run: after the first one, only kernels that have changed are compiled.
    kept = getattr(request.config, "cache", None)
    folder = tmp_path if kept is None else kept.mkdir("fastnn-warmup")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NETWORKS + USE], env=environment, capture_output=True, text=True
    )
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
