"""Steps allocate nothing after the first, and what is dropped is free."""

import gc
import subprocess
import sys
import textwrap
import tracemalloc
import weakref

import numpy as np
import pytest

import fastnn as fnn
from fastnn.models import lenet5


def lenet():
    return lenet5(rng=0)


def residual():
    def block(seed):
        layers = [fnn.Conv2d(8, 8, 3, padding=1, bias=False, rng=seed), fnn.BatchNorm2d(8), fnn.ReLU()]
        layers += [fnn.Conv2d(8, 8, 3, padding=1, bias=False, rng=seed + 1), fnn.BatchNorm2d(8)]
        return [fnn.Residual(fnn.Sequential(*layers)), fnn.ReLU()]

    front = [fnn.Conv2d(1, 8, 3, bias=False, rng=0), fnn.BatchNorm2d(8), fnn.ReLU()]
    return fnn.Sequential(*front, *block(1), fnn.MaxPool2d(2), *block(3), fnn.Flatten(), fnn.Dense(8 * 169, 10, rng=5))


def dropout():
    return fnn.Sequential(fnn.Flatten(), fnn.Dense(784, 300, rng=0), fnn.ReLU(), fnn.Dropout(0.5), fnn.Dense(300, 10, rng=1))


def growth(function):
    """Bytes of Python and NumPy memory at most, and at the end, above those at the beginning."""
    gc.collect()
    tracemalloc.start()
    try:
        function()  # fills Python's lists of free objects
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before, after - before


@pytest.mark.parametrize("make", [lenet, residual, dropout])
def test_steps_allocate_nothing(make, rng):
    x, y = rng.integers(0, 256, (40, 1, 28, 28)).astype(np.uint8), rng.integers(0, 10, 40)
    trainer = fnn.Trainer(make(), fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)

    def steps(count=200):
        for _ in range(count):
            trainer.step(x, y)

    steps(3)
    assert trainer._plan is not None
    peak, after = growth(steps)
    # Numbers; for masks, NumPy's comparison takes 32,000 bytes for a moment. A mask itself has 48,000.
    assert peak < (40_000 if make is dropout else 8192) and after < 8192


@pytest.mark.parametrize("make", [lenet, dropout])
def test_epochs_allocate_nothing_for_batches(make, rng):
    x, y = rng.integers(0, 256, (200, 1, 28, 28)).astype(np.uint8), rng.integers(0, 10, 200)
    trainer = fnn.Trainer(make(), fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)

    def fit(epochs=10):
        trainer.fit(x, y, epochs=epochs, batch_size=30, progress=False)

    fit()
    peak, after = growth(fit)
    assert peak < 40_000 and after < 16_384  # a shuffle has 1,600 bytes; a batch of images, as floats, 94,000


def test_changing_batch_sizes_settle(rng):
    """The plan for the largest batch serves all others."""
    x, y = rng.integers(0, 256, (60, 1, 28, 28)).astype(np.uint8), rng.integers(0, 10, 60)
    trainer = fnn.Trainer(lenet(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)

    def steps():
        for count in (60, 1, 17, 33, 60, 5):
            trainer.step(x[:count], y[:count])

    steps()
    plan = trainer._plan
    peak, after = growth(lambda: [steps() for _ in range(20)])
    assert trainer._plan is plan and peak < 16_384 and after < 4096


def test_predictions_allocate_their_result(rng):
    x = rng.integers(0, 256, (400, 1, 28, 28)).astype(np.uint8)
    network = lenet()
    network.predict(x)
    peak, after = growth(lambda: [network.predict(x).sum() for _ in range(20)])
    assert peak < 2 * 400 * 10 * 4 + 8192 and after < 4096


def resident_growth(folder, code, first, then):
    """Megabytes that a process has more after `then` calls of ``work(i)`` than after `first`."""
    code = f"""
import numpy as np, fastnn as fnn
rng = np.random.default_rng(0)
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
{textwrap.dedent(code)}
for i in range({first}):
    work(i)
before = resident()
for i in range({first}, {then}):
    work(i)
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True, timeout=600)
    return float(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_resident_memory_of_many_steps(tmp_path):
    code = """
    x, y = rng.integers(0, 256, (40, 1, 12, 12)).astype(np.uint8), rng.integers(0, 3, 40)
    network = fnn.Sequential(
        fnn.Conv2d(1, 8, 3, bias=False, rng=0), fnn.BatchNorm2d(8), fnn.ReLU(), fnn.MaxPool2d(2),
        fnn.Flatten(), fnn.Dropout(0.1), fnn.Dense(200, 3, rng=1),
    )
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)
    def work(i):
        trainer.step(x[: 40 - i % 7], y[: 40 - i % 7])
        trainer.predict(x[: 1 + i % 20])
    """
    assert resident_growth(tmp_path, code, 500, 5000) < 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_resident_memory_of_many_networks(tmp_path):
    code = """
    x, y = rng.standard_normal((40, 3, 24, 24), dtype=np.float32), rng.integers(0, 4, 40)
    import gc
    gc.disable()  # nothing waits for it: 100 plans of some megabytes would be seen
    def work(i):
        network = fnn.Sequential(
            fnn.Conv2d(3, 16, 3, padding=1, bias=False, rng=i), fnn.BatchNorm2d(16), fnn.ReLU(), fnn.MaxPool2d(2),
            fnn.Flatten(), fnn.Dropout(0.1), fnn.Dense(16 * 144, 4, rng=1),
        )
        trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)
        trainer.step(x, y)
        network.predict(x)
        trainer.fit(x, y, batch_size=16, validation_data=(x, y), progress=False)
    """
    assert resident_growth(tmp_path, code, 20, 120) < 8


def test_dropped_networks_are_gone(rng):
    """At once: no reference leads back."""
    x, y = rng.standard_normal((20, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 20)
    gc.collect()
    gc.disable()
    try:
        for make in (lenet, residual, dropout):
            network = make()
            trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(weight=np.ones(10)), fnn.Adam(), seed=0)
            trainer.step(x, y)
            trainer.fit(x, y, batch_size=8, validation_data=(x, y), progress=False)
            network.predict(x)
            seen = {
                "network": weakref.ref(network),
                "trainer": weakref.ref(trainer),
                "layer": weakref.ref(network[0]),
                "parameters": weakref.ref(network.flat_params),
                "plan": weakref.ref(trainer._plan),
                "memory": weakref.ref(trainer._plan.chains._arena),
                "prediction": weakref.ref(network._plans[0]),
            }
            del network, trainer
            assert [name for name, ref in seen.items() if ref() is not None] == []
    finally:
        gc.enable()


def test_plans_end_with_what_they_were_made_for(rng):
    """A plan that no longer holds is dropped before the next one is made."""
    x, y = rng.standard_normal((20, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 20)
    trainer = fnn.Trainer(lenet(), fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)
    seen = []
    for change in (
        lambda: None,
        lambda: trainer.network.append(fnn.ReLU()),
        lambda: setattr(trainer.loss, "label_smoothing", 0.1),
        lambda: setattr(trainer.optimizer, "amsgrad", True),
        lambda: setattr(trainer, "loss", fnn.CrossEntropyLoss()),
    ):
        change()
        trainer.step(x, y)
        seen.append(weakref.ref(trainer._plan))
    assert [ref() is None for ref in seen] == [True] * 4 + [False]
