"""Plans and threads: the same bits for any number of them, several Python threads at once, forks."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastnn as fnn


def convolutional(dtype):
    return fnn.Sequential(
        fnn.Conv2d(3, 20, 3, padding=1, bias=False, dtype=dtype, rng=0),
        fnn.BatchNorm2d(20, dtype=dtype),
        fnn.ReLU(),
        fnn.Residual(
            fnn.Sequential(fnn.Conv2d(20, 20, 3, padding=1, dtype=dtype, rng=1), fnn.BatchNorm2d(20, dtype=dtype)),
            fnn.Conv2d(20, 20, 1, dtype=dtype, rng=2),
        ),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Conv2d(20, 8, 3, stride=2, groups=4, dtype=dtype, rng=3),
        fnn.Flatten(),
        fnn.Dropout(0.2, rng=0),
        fnn.Dense(8 * 9, 4, dtype=dtype, rng=4),
    )


def dense(dtype):
    layers = [fnn.Flatten(), fnn.Dense(3 * 256, 300, dtype=dtype, rng=0), fnn.BatchNorm1d(300, dtype=dtype), fnn.ReLU()]
    layers += [fnn.Dense(300, 200, dtype=dtype, rng=1), fnn.Tanh(), fnn.Dense(200, 4, dtype=dtype, rng=2)]
    return fnn.Sequential(*layers)


def data(rng, samples, dtype=np.float32):
    return rng.standard_normal((samples, 3, 16, 16)).astype(dtype), rng.integers(0, 4, samples)


@pytest.mark.parametrize("winograd", [True, False])
@pytest.mark.parametrize("make", [convolutional, dense])
def test_same_bits(make, winograd, dtype, rng, assert_same_bits):
    x, y = data(rng, 150, dtype)

    def train():
        trainer = fnn.Trainer(make(dtype), fnn.CrossEntropyLoss(label_smoothing=0.1), fnn.Adam(), seed=0)
        losses = [trainer.step(x[:count], y[:count]) for count in (70, 150, 33)]
        history = trainer.fit(x, y, batch_size=64, epochs=2, progress=False)
        assert trainer._plan is not None
        network = trainer.network
        predictions = [network.predict(x[:count]) for count in (150, 20, 1)]
        figures = [*losses, *history["loss"], *history["accuracy"], *trainer.evaluate(x, y).values()]
        return [np.array(figures), network.flat_params, network.flat_grads, *network.state.values(), *predictions]

    with fnn.config(winograd=winograd):
        assert_same_bits(train)


def test_the_number_of_threads_changes_between_steps(rng):
    """Memory for each thread is made when it is needed."""
    x, y = data(rng, 90)
    results = []
    for counts in ((1, 1, 1, 1), (1, 3, 2, 5)):
        trainer = fnn.Trainer(convolutional(np.float32), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
        for count in counts:
            with fnn.threads(count):
                trainer.step(x, y)
                prediction = trainer.predict(x)
        results.append((trainer.network.flat_params.tobytes(), prediction.tobytes()))
    assert results[0] == results[1]


def run_in_threads(*functions):
    """Run functions at the same time; raise what they raise."""
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_predictions_while_another_network_trains(rng):
    x, y = data(rng, 100)
    network, other = convolutional(np.float32), convolutional(np.float32)
    expected = {count: network.predict(x[:count]).tobytes() for count in (100, 37, 16, 3, 1)}
    figures = network.evaluate(x, y)
    alone = fnn.Trainer(convolutional(np.float32), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
    alone.fit(x, y, epochs=6, batch_size=16, progress=False)
    trainer = fnn.Trainer(other, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)

    def predict():
        for _ in range(15):
            for count, wanted in expected.items():
                assert network.predict(x[:count]).tobytes() == wanted
            assert network.evaluate(x, y) == figures

    run_in_threads(*[predict] * 3, lambda: trainer.fit(x, y, epochs=6, batch_size=16, progress=False))
    assert other.flat_params.tobytes() == alone.network.flat_params.tobytes()


def test_first_predictions_of_many_threads(rng):
    """Plans are made by all of them at once."""
    x, _ = data(rng, 60)
    for make in (convolutional, dense):
        expected = make(np.float32).predict(x).tobytes()
        network, results = make(np.float32), []

        def predict(network=network, results=results):
            results.append(network.predict(x).tobytes())

        run_in_threads(*[predict] * 6)
        assert results == 6 * [expected]


def test_trainers_in_threads(rng):
    x, y = data(rng, 64)

    def train(results):
        trainer = fnn.Trainer(convolutional(np.float32), fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)
        for _ in range(5):
            trainer.step(x, y)
        results.append(trainer.network.flat_params.tobytes())

    results = []
    train(results)
    run_in_threads(*[lambda: train(results)] * 4)
    assert results == 5 * results[:1]


def test_settings_of_one_thread(rng):
    """`kernels.use` and `threads` hold for the thread that calls them."""
    x, y = data(rng, 20)
    trainer = fnn.Trainer(dense(np.float32), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
    trainer.step(x, y)

    def elsewhere():
        other = fnn.Trainer(dense(np.float32), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
        with fnn.kernels.use("reference"), fnn.threads(3):
            other.step(x, y)
            assert other._plan is None
            inside.set()
            assert done.wait(60)

    def here():
        assert inside.wait(60)
        trainer.step(x, y)
        assert trainer._planned_step is not None and trainer.network.kernels is fnn.kernels
        done.set()

    inside, done = threading.Event(), threading.Event()
    run_in_threads(elsewhere, here)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_fork(tmp_path):
    """A child goes on with the plans that its parent has made, and both with workers of their own."""
    code = """
import os, numpy as np, fastnn as fnn
rng = np.random.default_rng(0)
x, y = rng.standard_normal((200, 3, 16, 16), dtype=np.float32), rng.integers(0, 4, 200)
network = fnn.Sequential(
    fnn.Conv2d(3, 16, 3, padding=1, bias=False, rng=0), fnn.BatchNorm2d(16), fnn.ReLU(), fnn.MaxPool2d(2), fnn.Flatten(),
    fnn.Dense(16 * 64, 4, rng=1),
)
trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(), seed=0)
fnn.set_num_threads(3)
def work():
    losses = [trainer.step(x, y), *trainer.fit(x, y, batch_size=50, progress=False)["loss"]]
    return np.array(losses).tobytes() + network.predict(x).tobytes() + network.flat_params.tobytes()
work()
plan = trainer._plan
for _ in range(3):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(work())
        os._exit(0)
    os.close(write)
    own = work()
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == own
    assert os.waitpid(child, 0)[1] == 0 and trainer._plan is plan
print("same")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "same\n", done.stderr
