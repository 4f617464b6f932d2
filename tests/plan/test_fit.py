"""Epochs: `fit` with plans does what it does without; interrupts, resumed runs, `evaluate`."""

import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastnn as fnn
from fastnn.trainer import evaluate


def small_network(dtype=np.float64, dropout=0.0):
    return fnn.Sequential(
        fnn.Conv2d(1, 3, 3, bias=False, dtype=dtype, rng=0),  # Adam would follow the rounding errors in the gradient of a bias
        fnn.BatchNorm2d(3, dtype=dtype),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        *([fnn.Dropout(dropout)] if dropout else []),
        fnn.Flatten(),
        fnn.Dense(12, 4, dtype=dtype, rng=1),
    )


def images(rng, samples=45, kind="float64"):
    x = rng.integers(0, 256, (samples, 1, 6, 6))
    return x.astype(np.uint8) if kind == "uint8" else (x / 255).astype(kind), rng.integers(0, 4, samples)


def figures(history):
    return [{name: value for name, value in logs.items() if "second" not in name} for logs in history]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_epochs(kind, shuffle, drop_last, rng, pair, close):
    x, y = images(rng, kind=kind)
    validation = images(rng, 20, kind)
    both = pair(small_network(), optimizer=fnn.Adam(lr=0.01))
    options = {"shuffle": shuffle, "drop_last": drop_last, "progress": False, "validation_data": validation}
    for batch_size in (16, 7, 100):
        if drop_last and batch_size > len(x):
            continue
        got, expected = both.each("fit", x, y, epochs=2, batch_size=batch_size, **options)
        assert both.planned._plan is not None
        for one, other in zip(figures(got), figures(expected)):
            assert list(one) == list(other) and one["epoch"] == other["epoch"]
            close(list(one.values()), list(other.values()), np.float64)
        both.check()
        assert (both.planned.epoch, both.planned.position) == (both.plain.epoch, both.plain.position)


@pytest.mark.parametrize("loss", ["sum", "ignored", "weights", "probabilities", "MSE", "BCE", "a user's"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_epochs_of_other_losses(loss, dropout, rng, pair, close):
    class Quartic(fnn.MSELoss):
        def _compute(self, prediction, target):
            difference = prediction - target
            return difference**4, difference.size, lambda factor: 4 * difference**3 * factor

    x, y = images(rng)
    made, y = {
        "sum": lambda: (fnn.CrossEntropyLoss(reduction="sum"), y),
        "ignored": lambda: (fnn.CrossEntropyLoss(ignore_index=1), np.where(np.arange(45) // 8 % 2, 1, y)),
        "weights": lambda: (fnn.CrossEntropyLoss(weight=[1, 2, 3, 0], label_smoothing=0.1), y),
        "probabilities": lambda: (fnn.CrossEntropyLoss(), np.eye(4)[y]),
        "MSE": lambda: (fnn.MSELoss(), np.eye(4)[y]),
        "BCE": lambda: (fnn.BCEWithLogitsLoss(pos_weight=[1, 2, 3, 4]), np.eye(4, dtype=np.float32)[y]),
        "a user's": lambda: (Quartic(), np.eye(4)[y]),
    }[loss]()
    both = pair(small_network(dropout=dropout), made, fnn.SGD(lr=0.01, momentum=0.5))
    got, expected = both.each("fit", x, y, epochs=3, batch_size=8, progress=False)
    assert both.planned._plan is not None
    for one, other in zip(figures(got), figures(expected)):
        assert list(one) == list(other)
        close(list(one.values()), list(other.values()), np.float64)
    both.check()
    assert both.planned.loss.__dict__.get("divisor") == both.plain.loss.__dict__.get("divisor")


def test_float32(rng, pair, close):
    x, y = images(rng, 70, "uint8")
    both = pair(small_network(np.float32), optimizer=fnn.SGD(lr=0.05, momentum=0.9))
    got, expected = both.each("fit", x, y, epochs=3, batch_size=16, progress=False)
    close(got["loss"], expected["loss"], np.float32)
    both.check()


def test_options_between_epochs(rng, pair):
    x, y = images(rng)

    def schedule(trainer, logs):
        trainer.optimizer.lr *= 0.7
        trainer.loss.label_smoothing = 0.05 * trainer.epoch
        trainer.network[1].momentum = 0.3
        if trainer.epoch == 2:
            trainer.network.append(fnn.Dense(4, 4, dtype=np.float64, rng=3))
            trainer.optimizer.state = {}
        trainer.stop = trainer.epoch == 4

    both = pair(small_network(), optimizer=fnn.Adam(lr=0.01))
    both.each("fit", x, y, epochs=9, callbacks=[schedule], progress=False)
    assert both.planned.epoch == 4
    both.check()


def test_divergence_shows_in_the_history(rng):
    x, y = images(rng)
    for dtype, lr in ((np.float64, 1e200), (np.float32, 1e30)):
        network = small_network(dtype)
        trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=lr), seed=0)
        history = trainer.fit(x.astype(dtype), y, epochs=4, progress=False)
        assert trainer._plan is not None and not math.isfinite(history["loss"][-1])
        assert not np.isfinite(network.flat_params).all()


def test_the_data_set_is_let_go(rng):
    import weakref

    x, y = images(rng)
    trainer = fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
    trainer.fit(x, y, progress=False)
    assert trainer._plan is not None
    seen = weakref.ref(x), weakref.ref(y)
    del x, y
    assert [ref() for ref in seen] == [None, None]


# --- interrupts


class InterruptedAt(fnn.CrossEntropyLoss):
    """Raises SIGINT once, in the middle of a batch that a plan computes in pieces."""

    def __init__(self, at):
        super().__init__()
        self.at, self.count = at, 0

    def forward(self, prediction, target):
        self.count += 1
        if self.count == self.at:
            signal.raise_signal(signal.SIGINT)
        return super().forward(prediction, target)


@pytest.mark.parametrize("plan", [False, True])
@pytest.mark.parametrize("at", [6, 8, 10])
def test_an_interrupted_batch_is_finished_first(at, plan, rng):
    """Five batches an epoch. The signal comes in the middle of one; that one counts, once."""
    x, y = images(rng, 70)
    results = []
    with fnn.config(plan=plan):
        for number in (0, at):
            network = small_network(dropout=0.3)
            trainer = fnn.Trainer(network, InterruptedAt(number), fnn.Adam(lr=0.01), seed=3)
            if number:
                with pytest.raises(KeyboardInterrupt):
                    trainer.fit(x, y, epochs=3, batch_size=16, progress=False)
                assert (trainer.epoch, trainer.position) == divmod(number, 5) if number % 5 == 0 else (1, 16 * (number % 5))
            trainer.fit(x, y, epochs=3 - trainer.epoch, batch_size=16, progress=False)
            results.append((network.flat_params.tobytes(), network.state["1.running_var"].tobytes(), trainer.epoch))
    assert results[0] == results[1]


def test_interrupt_during_a_long_epoch(rng):
    """A signal from outside, at any moment: fit stops soon, and the next one goes on as if nothing had happened."""
    x, y = images(rng, 30_000, "uint8")
    trainer, other = (
        fnn.Trainer(small_network(np.float32), fnn.CrossEntropyLoss(), fnn.Adam(lr=0.01), seed=3) for _ in range(2)
    )
    trainer.fit(x[:64], y[:64], batch_size=8, progress=False)  # compiles
    other.fit(x[:64], y[:64], batch_size=8, progress=False)
    for _ in range(3):
        sent = []

        def send(sent=sent):
            time.sleep(0.05)
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=send)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(x, y, epochs=1000, batch_size=8, progress=False)
        assert time.perf_counter() - sent[0] < 1
        thread.join()
        assert np.isfinite(trainer.network.predict(x[:5])).all()
    trainer.fit(x, y, epochs=1, batch_size=8, progress=False)
    other.fit(x, y, epochs=trainer.epoch - 1, batch_size=8, progress=False)
    assert trainer.position == 0 and trainer.optimizer.state["flat"]["step"] == other.optimizer.state["flat"]["step"]
    assert trainer.network.flat_params.tobytes() == other.network.flat_params.tobytes()


def test_interrupt_of_a_process(tmp_path):
    """Ctrl-C ends a training script within a second, as it ends any other."""
    code = """
import sys, numpy as np, fastnn as fnn
x, y = np.zeros((200_000, 1, 6, 6), np.uint8), np.zeros(200_000, int)
network = fnn.Sequential(fnn.Conv2d(1, 8, 3, rng=0), fnn.ReLU(), fnn.Flatten(), fnn.Dense(128, 4, rng=1))
trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
trainer.fit(x[:64], y[:64], progress=False)  # compiles
trainer.step(x[:64], y[:64])
network.predict(x[:3])
print("ready", flush=True)
try:
    trainer.fit(x, y, epochs=10_000, progress=False)
except KeyboardInterrupt:
    print("stopped", flush=True)
    print(trainer.step(x[:64], y[:64]) >= 0, network.predict(x[:3]).shape, flush=True)
    raise
"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n" and time.perf_counter() - start < 1
        out, err = process.communicate(timeout=60)
    assert out == "True (3, 4)\n" and "KeyboardInterrupt" in err


def test_a_handler_of_ones_own_stays(rng):
    x, y = images(rng)
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("signal"))
    try:
        trainer = fnn.Trainer(small_network(), InterruptedAt(2), fnn.SGD(), seed=0)
        trainer.fit(x, y, batch_size=8, progress=False)
        assert seen == ["signal"] and trainer.epoch == 1
    finally:
        signal.signal(signal.SIGINT, before)


def test_fit_in_another_thread(rng):
    x, y = images(rng)
    trainer, done = fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0), []
    thread = threading.Thread(target=lambda: done.append(trainer.fit(x, y, epochs=3, progress=False)))
    thread.start()
    thread.join()
    assert len(done[0]) == 3 and signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- resumed runs


def test_resumed_runs(rng):
    """state_dict, deepcopy and pickle in the middle of a run with a live plan: each goes on with the same bits."""
    x, y = images(rng, 70)
    options = {"batch_size": 16, "progress": False}

    def fresh(seed):
        return fnn.Trainer(small_network(dropout=0.3), fnn.CrossEntropyLoss(), fnn.Adam(lr=0.01), seed=seed)

    trainer = fresh(3)
    trainer.fit(x, y, epochs=2, **options)
    trainer.step(x[:5], y[:5])
    loaded = fresh(9)
    loaded.fit(x, y, epochs=1, **options)  # with a plan of its own
    loaded.load_state_dict(copy.deepcopy(trainer.state_dict()))
    others = [loaded, copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))]
    assert all(other._plan is None for other in others[1:])
    histories, params = [], []
    for each in (trainer, *others):
        each.step(x[:9], y[:9])
        histories.append(figures(each.fit(x, y, epochs=2, **options)))
        params.append(each.network.flat_params.tobytes())
        assert each._plan is not None
    assert histories == 4 * histories[:1] and params == 4 * params[:1]


def test_copies_of_networks_with_plans_are_their_own(rng):
    x, y = images(rng)
    network = small_network()
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
    trainer.step(x, y)
    expected = network.predict(x)
    copies = [copy.deepcopy(network), pickle.loads(pickle.dumps(network))]
    trainer.step(x, y)
    for other in copies:
        assert other.predict(x).tobytes() == expected.tobytes()
        fnn.Trainer(other, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1)).step(x, y)
        assert other.flat_params.tobytes() == network.flat_params.tobytes()


# --- evaluate


LOSSES = {
    "labels": (fnn.CrossEntropyLoss(weight=[1, 2, 3, 4], ignore_index=2), lambda y: y),
    "sum": (fnn.CrossEntropyLoss(reduction="sum"), lambda y: y),
    "probabilities": (fnn.CrossEntropyLoss(), lambda y: np.eye(4)[y]),
    "MSE": (fnn.MSELoss(), lambda y: np.eye(4)[y]),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("layout", ["uint8", "float64", "strided", "read-only"])
def test_evaluate(name, layout, rng, close, monkeypatch):
    network, (loss, target) = small_network(), LOSSES[name]
    x, y = images(rng, 75, "uint8" if layout == "uint8" else "float64")
    if layout == "strided":
        x = np.repeat(x, 2, axis=0)[::2]
    elif layout == "read-only":
        x.flags.writeable = False
    for batch_size in (1, 10, 75, 1000):
        with fnn.config(plan=False):
            expected = evaluate(network, x, target(y), batch_size, loss)
        for at_once in (1 << 20, 100):  # elements of predictions in memory
            monkeypatch.setattr("fastnn.trainer._AT_ONCE", at_once)
            got = evaluate(network, x, target(y), batch_size, loss)
            assert list(got) == list(expected)
            close(list(got.values()), list(expected.values()), np.float64)


def test_evaluate_of_batchwise_normalization(rng):
    """Without running statistics each batch is normalized by its own: evaluate keeps to the batch size that it is given."""
    network = fnn.Sequential(fnn.BatchNorm1d(3, track_running_stats=False, dtype=np.float64))
    x, y = rng.standard_normal((20, 3)), rng.integers(0, 3, 20)
    with fnn.config(plan=False):
        expected = [evaluate(network, x, y, batch_size) for batch_size in (5, 20)]
    assert [evaluate(network, x, y, batch_size) for batch_size in (5, 20)] == expected
    assert expected[0] != expected[1]


def test_evaluate_sees_what_training_changed(rng, close):
    x, y = images(rng)
    trainer = fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
    for _ in range(3):
        trainer.step(x, y)
        got = trainer.evaluate(x, y)
        with fnn.config(plan=False):
            close(list(got.values()), list(trainer.evaluate(x, y).values()), np.float64)


def test_evaluate_can_be_interrupted():
    x, y = np.zeros((3_000_000, 16), np.uint8), np.zeros(3_000_000, np.uint8)
    layers = [fnn.Dense(16, 64, rng=0), fnn.Sigmoid(), fnn.Dense(64, 64, rng=1), fnn.Tanh(), fnn.Dense(64, 4, rng=2)]
    network = fnn.Sequential(*layers)
    network.evaluate(x[:300], y[:300])
    for call in (lambda: network.evaluate(x, y), lambda: network.predict(x)):
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            while True:
                call()
        assert time.perf_counter() - start < 1
        timer.join()
