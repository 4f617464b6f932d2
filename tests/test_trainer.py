"""Training, evaluation, prediction: against PyTorch, batches, histories, seeds, resuming, threads, errors."""

import copy
import functools
import math
import threading
import tracemalloc

import numpy as np
import pytest

import fastnn as fnn
from fastnn.trainer import evaluate, predict


def small_network(dtype=np.float32, dropout=0.0, seed=0):
    return fnn.Sequential(
        fnn.Conv2d(1, 3, 3, bias=False, dtype=dtype, rng=seed),
        fnn.BatchNorm2d(3, dtype=dtype),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Dropout(dropout),
        fnn.Dense(27, 4, dtype=dtype, rng=seed + 1),
    )


def images(rng, samples=50):
    """uint8 images (N, 1, 8, 8) of four classes that differ in brightness, and their labels."""
    y = rng.integers(0, 4, samples)
    x = rng.integers(0, 64, (samples, 1, 8, 8)) + 48 * y[:, None, None, None]
    return x.astype(np.uint8), y


def scaled(x, dtype=np.float32):
    return x.astype(dtype) * dtype(1 / 255)


class Spy(fnn.MSELoss):
    """A loss that notes what it gets: with an identity network, the batches themselves."""

    def __init__(self, fail_at=None, error=KeyboardInterrupt):
        super().__init__()
        self.batches, self.fail_at, self.error = [], fail_at, error

    def forward(self, prediction, target):
        if len(self.batches) == self.fail_at:
            self.fail_at = None
            raise self.error
        self.batches.append((prediction.copy(), target.copy()))
        return super().forward(prediction, target)


def spied(samples=10):
    """(trainer, spy, x, y) of a network that passes its input on, so that the spy sees the batches."""
    spy = Spy()
    x = np.arange(2.0 * samples).reshape(samples, 2)
    return fnn.Trainer(fnn.Sequential(fnn.Flatten()), spy, fnn.SGD(), seed=0), spy, x, -x


# --- steps


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_steps_equal_torch(optimizer, rng, assert_close):
    torch = pytest.importorskip("torch")
    net = small_network(np.float64)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3, bias=False),
        torch.nn.BatchNorm2d(3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Dropout(0),
        torch.nn.Linear(27, 4),
    ).double()
    theirs.load_state_dict({name: torch.tensor(array) for name, array in net.state_dict().items()})
    x, y = images(rng, 30)
    x = scaled(x, np.float64)
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), getattr(fnn, optimizer)(lr=0.01))
    steps = getattr(torch.optim, optimizer)(theirs.parameters(), lr=0.01)
    for _ in range(10):
        loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
        steps.zero_grad()
        loss.backward()
        steps.step()
        assert math.isclose(trainer.step(x, y), loss.item(), rel_tol=1e-9)
    theirs.eval()
    with torch.no_grad():
        assert_close(net.predict(x), theirs(torch.tensor(x)).numpy())


def test_step_returns_a_float_and_takes_bytes(rng):
    x, y = images(rng)
    one, two = (fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD()) for _ in range(2))
    loss = one.step(x, y)
    assert type(loss) is float
    assert math.isclose(loss, two.step(scaled(x), y), rel_tol=1e-6)


def test_a_network_may_grow_between_steps(rng):
    net = fnn.Sequential(fnn.Flatten(), fnn.Dense(64, 2, rng=0))
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD())
    x, _ = images(rng)
    trainer.step(x, np.full(50, 1))
    net.add(fnn.Dense(2, 9, rng=1))
    trainer.step(x, np.full(50, 8))
    with pytest.raises(ValueError, match=r"labels in 0..8"):
        trainer.step(x, np.full(50, 9))


def test_a_single_layer_and_a_users_layer_train(rng):
    class Scale(fnn.layers.Layer):
        def __init__(self):
            super().__init__()
            self.add_param("scale", np.ones(1))

        def forward(self, x, *, training=False):
            self.saved = x if training else None
            return x * self.params["scale"]

        def backward(self, dout):
            x = self.take_saved()
            self.grads["scale"] = np.sum(x * dout).reshape(1)
            return dout * self.params["scale"]

    x = rng.standard_normal((20, 3))
    for network in (Scale(), fnn.Sequential(Scale()), fnn.Dense(3, 3, dtype=np.float64, rng=0)):
        history = fnn.Trainer(network, fnn.MSELoss(), fnn.SGD(lr=0.1)).fit(x, 2 * x, epochs=30, progress=False)
        assert history["loss"][-1] < 0.1 * history["loss"][0]


# --- epochs and batches


def test_fit_learns_and_reports(rng):
    x, y = images(rng, 200)
    net = small_network()
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.Adam(lr=0.02), seed=1)
    history = trainer.fit(x[:150], y[:150], epochs=25, validation_data=(x[150:], y[150:]), progress=False)
    assert isinstance(history, fnn.History) and trainer.history is history and trainer.epoch == len(history) == 25
    names = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "images_per_second", "seconds"]
    assert list(history.columns) == names == list(history.epochs[0])
    assert history["epoch"] == list(range(1, 26))
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert min(history["accuracy"][-1], history["val_accuracy"][-1]) > 0.7
    assert all(type(value) in (int, float) for logs in history for value in logs.values())
    found = trainer.evaluate(x[150:], y[150:], batch_size=32)
    assert found == {"loss": history["val_loss"][-1], "accuracy": history["val_accuracy"][-1]}
    assert trainer.fit(x, y, progress=False)["epoch"] == [26]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_sample_once_and_with_its_target(shuffle, drop_last):
    trainer, spy, x, y = spied(10)
    history = trainer.fit(x, y, epochs=2, batch_size=4, shuffle=shuffle, drop_last=drop_last, progress=False)
    sizes = [4, 4] if drop_last else [4, 4, 2]
    assert [len(p) for p, _ in spy.batches] == 2 * sizes
    assert all((p == -t).all() for p, t in spy.batches)
    epochs = [np.concatenate([p for p, _ in spy.batches[k : k + len(sizes)]]) for k in (0, len(sizes))]
    if not drop_last:
        assert all(sorted(e[:, 0].tolist()) == x[:, 0].tolist() for e in epochs)
        # The epoch's loss is that of the whole epoch, not the mean of unequal batches.
        assert math.isclose(history["loss"][0], fnn.MSELoss()(x, y))
    assert shuffle == (epochs[0].tolist() != epochs[1].tolist())
    if not shuffle:
        assert (epochs[0] == x[: sum(sizes)]).all()


def test_batch_larger_than_the_data():
    trainer, spy, x, y = spied(10)
    trainer.fit(x, y, batch_size=64, progress=False)
    assert [len(p) for p, _ in spy.batches] == [10]


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided", "big-endian", "read-only"])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_layout_of_the_data_does_not_matter(layout, kind, shuffle, rng):
    x, y = images(rng)
    data = x if kind == "uint8" else scaled(x)
    if layout == "transposed":
        data = np.ascontiguousarray(data.transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)
    elif layout == "strided":
        data = np.repeat(data, 2, axis=0)[::2]
    elif layout == "big-endian":
        data = data.astype(data.dtype.newbyteorder(">"))
    elif layout == "read-only":
        data.flags.writeable = False
    before = data.copy()
    nets = [small_network(), small_network()]
    losses = [
        fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0).fit(
            given, y, epochs=2, batch_size=16, shuffle=shuffle, progress=False
        )["loss"]
        for net, given in zip(nets, (scaled(x), data))
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    np.testing.assert_allclose(nets[1].predict(data), nets[0].predict(scaled(x)), rtol=1e-3, atol=1e-4)
    assert (data == before).all()


@pytest.mark.parametrize("view", [False, True])
def test_the_data_set_is_not_copied(view):
    x = np.zeros((20_000, 4, 8, 8), np.uint8)
    x = x.transpose(0, 2, 3, 1) if view else x
    y = np.zeros(len(x), int)
    net = fnn.Sequential(fnn.Flatten(), fnn.Dense(256, 2, rng=0))
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
    trainer.fit(x[:64], y[:64], progress=False)
    tracemalloc.start()
    trainer.fit(x, y, batch_size=500, progress=False)
    trainer.evaluate(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 2


def test_targets_of_many_kinds(rng):
    x, y = images(rng)
    one_hot = np.eye(4, dtype=np.float32)[y]
    indices, probabilities = (
        fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0).fit(x, target, progress=False)
        for target in (y.astype(np.uint8), 0.9 * one_hot + 0.025)
    )
    assert "accuracy" in indices and "accuracy" not in probabilities


def test_reduction_sum_reports_sums(rng):
    x, y = images(rng, 30)
    net = small_network()
    loss = fnn.CrossEntropyLoss(reduction="sum")
    expected = loss(net.predict(x), y)
    assert math.isclose(evaluate(net, x, y, batch_size=7, loss=loss)["loss"], expected, rel_tol=1e-5)


def test_divergence_is_visible_and_not_an_exception(rng):
    x, y = images(rng)
    net = fnn.Sequential(fnn.Flatten(), fnn.Dense(64, 4, rng=0))
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(lr=1e38), seed=0)
    with np.errstate(all="ignore"):
        history = trainer.fit(x, y, epochs=3, validation_data=(x, y), progress=False)
    assert not math.isfinite(history["loss"][-1]) and not math.isfinite(history["val_loss"][-1])
    assert "nan" in repr(history)


# --- progress and callbacks


def test_progress_bar_on_standard_error(rng, capsys):
    x, y = images(rng)
    trainer = fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
    trainer.fit(x, y, epochs=2, validation_data=(x, y))
    out, err = capsys.readouterr()
    assert out == ""
    for text in ("epoch 1/2", "epoch 2/2", "loss", "accuracy", "val_accuracy", "50/50", "images/s"):
        assert text in err
    trainer.fit(x, y, progress=False)
    assert capsys.readouterr() == ("", "")


def test_the_bar_leaves_no_thread_behind(rng):
    x, y = images(rng)
    before = threading.active_count()
    fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD()).fit(x, y)
    assert {t.name for t in threading.enumerate() if "tqdm" in type(t).__module__} == set()
    assert threading.active_count() >= before


def test_callbacks_see_add_and_stop(rng):
    x, y = images(rng)
    trainer, seen = fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0), []

    def watch(given, logs):
        assert given is trainer
        seen.append(logs["epoch"])
        logs["lr"] = given.optimizer.lr
        given.optimizer.lr /= 2
        given.stop = len(seen) == 3

    history = trainer.fit(x, y, epochs=10, callbacks=[watch], progress=False)
    assert seen == [1, 2, 3] and len(history) == 3 and history["lr"] == [0.1, 0.05, 0.025]
    assert len(trainer.fit(x, y, epochs=2, progress=False)) == 2


# --- repeatable and resumable


def run_once(seed, rng_seed=0, epochs=3):
    net = small_network(dropout=0.4)
    x, y = images(np.random.default_rng(rng_seed), 70)
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.Adam(lr=0.01), seed=seed)
    history = trainer.fit(x, y, epochs=epochs, batch_size=16, progress=False)
    return net.flat_params.copy(), history["loss"]


def test_a_seed_repeats_a_run_bit_for_bit():
    (one, losses), (two, again), (three, _) = run_once(5), run_once(5), run_once(6)
    assert one.tobytes() == two.tobytes() and losses == again
    assert (one != three).any()


def test_without_a_seed_runs_differ():
    assert (run_once(None)[0] != run_once(None)[0]).any()


def test_without_a_seed_layers_keep_their_generators():
    layer = fnn.Dropout(0.5, rng=0)
    generator = layer.rng
    fnn.Trainer(fnn.Sequential(layer), fnn.MSELoss(), fnn.SGD())
    assert layer.rng is generator
    fnn.Trainer(fnn.Sequential(layer), fnn.MSELoss(), fnn.SGD(), seed=0)
    assert layer.rng is not generator


@pytest.mark.parametrize("batch", [5, 7])
def test_an_interrupted_run_is_finished_with_the_same_bits(batch, rng):
    # Five batches an epoch: batch 5 is the first of the second epoch, 7 is in its middle.
    x, y = images(rng, 70)
    runs = []
    for fail_at in (None, batch):
        net = fnn.Sequential(fnn.Flatten(), fnn.Dense(64, 8, rng=0), fnn.Tanh(), fnn.Dense(8, 1, rng=1))
        trainer = fnn.Trainer(net, Spy(fail_at), fnn.Adam(lr=0.01), seed=3)
        fit = functools.partial(trainer.fit, x, y[:, None] / np.float32(4), batch_size=16, progress=False)
        if fail_at is None:
            fit(epochs=3)
        else:
            with pytest.raises(KeyboardInterrupt):
                fit(epochs=3)
            assert (trainer.epoch, trainer.position) == (1, 16 * (batch - 5))
            assert fit(epochs=2)["epoch"] == [2, 3]
        assert (trainer.epoch, trainer.position) == (3, 0)
        runs.append(net.flat_params.tobytes())
    assert runs[0] == runs[1]


def test_state_dict_resumes_with_the_same_bits(rng):
    x, y = images(rng, 70)
    options = {"batch_size": 16, "progress": False}
    whole = fnn.Trainer(small_network(dropout=0.4), fnn.CrossEntropyLoss(), fnn.Adam(lr=0.01), seed=3)
    whole.fit(x, y, epochs=1, **options)
    state = copy.deepcopy(whole.state_dict())
    expected = whole.fit(x, y, epochs=2, **options)
    resumed = fnn.Trainer(small_network(dropout=0.4, seed=9), fnn.CrossEntropyLoss(), fnn.Adam(), seed=100)
    resumed.load_state_dict(state)
    got = resumed.fit(x, y, epochs=2, **options)
    assert got["loss"] == expected["loss"] and got["epoch"] == expected["epoch"] == [2, 3]
    assert resumed.network.flat_params.tobytes() == whole.network.flat_params.tobytes()


def test_position_counts_within_the_shuffle():
    trainer, spy, x, y = spied(10)
    spy.fail_at = 2
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, batch_size=3, progress=False)
    assert (trainer.epoch, trainer.position) == (0, 6)
    trainer.fit(x, y, batch_size=3, progress=False)
    assert sorted(np.concatenate([p for p, _ in spy.batches])[:, 0].tolist()) == x[:, 0].tolist()
    assert (trainer.epoch, trainer.position) == (1, 0)


def test_an_epoch_that_failed_starts_anew():
    trainer, spy, x, y = spied(10)
    spy.fail_at, spy.error = 2, RuntimeError
    with pytest.raises(RuntimeError):
        trainer.fit(x, y, batch_size=3, progress=False)
    assert trainer.position == 0


@pytest.mark.parametrize("state", [None, {}, {"epoch": 1}])
def test_wrong_state_is_refused(state):
    with pytest.raises(ValueError, match="Trainer: expected a dict with epoch"):
        good()[2].load_state_dict(state)


# --- evaluate


def test_evaluate_gives_the_loss_of_the_whole(rng):
    x, y = images(rng, 53)
    y[::7] = 2
    net = small_network()
    for loss in (
        fnn.CrossEntropyLoss(),
        fnn.CrossEntropyLoss(weight=[1, 2, 3, 4], ignore_index=2, label_smoothing=0.1),
    ):
        prediction = net.predict(x)
        expected = {"loss": loss(prediction, y), "accuracy": (prediction.argmax(1) == y)[y != loss.ignore_index].mean()}
        for batch_size in (1, 10, 53, 100):
            got = evaluate(net, x, y, batch_size=batch_size, loss=loss)
            assert list(got) == ["loss", "accuracy"]
            assert math.isclose(got["loss"], expected["loss"], rel_tol=1e-5)
            assert math.isclose(got["accuracy"], expected["accuracy"])


def test_evaluate_measures_what_was_trained(rng):
    x = rng.standard_normal((6, 3))
    y = rng.random((6, 3))
    net = fnn.Sequential(fnn.Dense(3, 3, dtype=np.float64, rng=0))
    assert net.evaluate(x, y) == evaluate(net, x, y, loss=fnn.CrossEntropyLoss())
    net.fit(x, y, loss=fnn.MSELoss(), optimizer=fnn.SGD(), progress=False)
    assert net.evaluate(x, y) == {"loss": fnn.MSELoss()(net.predict(x), y)}


def test_evaluate_leaves_a_training_step_alone(rng):
    x, y = images(rng)
    net, loss = small_network(), fnn.CrossEntropyLoss()
    loss(net.predict(x), y)
    expected = loss.backward()
    loss(net.predict(x), y)
    evaluate(net, x[:9], y[:9], loss=loss)
    assert (loss.backward() == expected).all()


def test_dense_predictions_have_an_accuracy(rng):
    x, y = rng.standard_normal((4, 3, 5, 6)), rng.integers(0, 3, (4, 5, 6))
    got = evaluate(fnn.Sequential(fnn.ReLU()), x, y, batch_size=3)
    assert math.isclose(got["accuracy"], (np.maximum(x, 0).argmax(1) == y).mean())


# --- predict


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_predict_in_batches(batch_size, rng):
    x, _ = images(rng)
    net = small_network(dropout=0.5)
    expected = net.forward(scaled(x))
    np.testing.assert_allclose(net.predict(scaled(x), batch_size=batch_size), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.predict(x, batch_size=batch_size), expected, rtol=1e-4, atol=1e-5)


def test_predict_returns_a_new_array(rng):
    x = rng.standard_normal((5, 3))
    for net in (fnn.Sequential(), fnn.Sequential(fnn.Flatten()), fnn.Sequential(fnn.Dropout()), fnn.Flatten()):
        for batch_size in (2, 5):
            out = predict(net, x, batch_size=batch_size)
            assert not np.shares_memory(out, x) and out.flags.writeable and (out == x).all()
    net = fnn.Sequential(fnn.Dense(3, 2, dtype=np.float64, rng=0))
    first = net.predict(x)
    kept = first.copy()
    net.predict(-x)
    fnn.Trainer(net, fnn.MSELoss(), fnn.SGD()).step(x, np.zeros((5, 2)))
    assert (first == kept).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_predict_nothing(dtype):
    out = small_network().predict(np.empty((0, 1, 8, 8), dtype))
    assert out.shape == (0, 4) and out.dtype == np.float32


def test_uint8_becomes_the_networks_dtype(rng):
    x, y = images(rng)
    net = small_network(np.float64)
    assert net.predict(x).dtype == np.float64
    np.testing.assert_allclose(net.predict(x), net.predict(x / 255), rtol=1e-10, atol=1e-12)
    fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD()).fit(x, y, progress=False)


def test_threads_predict_with_one_network(rng):
    x, y = images(rng, 64)
    net = small_network()
    expected = net.predict(x, batch_size=8)
    wrong = []

    def work():
        for _ in range(10):
            if net.predict(x, batch_size=8).tobytes() != expected.tobytes():
                wrong.append("predict")
            evaluate(net, x, y, batch_size=8)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_networks_kernels_serve_loss_and_optimizer_too(rng):
    seen = []

    class Watched(fnn.CrossEntropyLoss):
        def forward(self, prediction, target):
            seen.append(self.kernels.__name__)
            return super().forward(prediction, target)

    x, y = images(rng)
    net = small_network().use("reference")
    trainer = fnn.Trainer(net, Watched(), fnn.SGD())
    trainer.step(x, y)
    trainer.fit(x, y, progress=False)
    trainer.evaluate(x, y)
    assert set(seen) == {"fastnn.kernels.reference"}
    assert fnn.kernels.active() is fnn.kernels


# --- what is refused


def good():
    rng = np.random.default_rng(0)
    return (*images(rng), fnn.Trainer(small_network(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0))


@pytest.mark.parametrize(
    "options,error,match",
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an int"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": -3}, ValueError, "batch_size must be at least 1, got -3"),
        ({"batch_size": "all"}, TypeError, "batch_size"),
        ({"batch_size": 51, "drop_last": True}, ValueError, "no batch of batch_size=51 in 50 samples"),
        ({"shuffle": "yes"}, TypeError, "shuffle must be True or False"),
        ({"callbacks": print}, TypeError, "callbacks to be a list"),
        ({"callbacks": [1]}, TypeError, "callbacks to be a list"),
        ({"validation_data": np.zeros(3)}, TypeError, "pair"),
        ({"validation_data": (np.zeros((2, 1, 8, 8), np.uint8), [0])}, ValueError, "one length"),
        ({"validation_data": (np.zeros((1, 1, 8, 8), np.uint8), [7])}, ValueError, "labels in 0..3"),
        ({"validation_data": (np.zeros((1, 2, 8, 8), np.uint8), [0])}, ValueError, "channel"),
    ],
)
def test_wrong_fit_arguments(options, error, match):
    x, y, trainer = good()
    before = trainer.network.flat_params.copy()
    with pytest.raises(error, match=match):
        trainer.fit(x, y, progress=False, **options)
    assert (trainer.network.flat_params == before).all()


@pytest.mark.parametrize(
    "change,error,match",
    [
        (lambda x, y: (x[:0], y[:0]), ValueError, "at least one sample"),
        (lambda x, y: (x[:9], y), ValueError, r"one length, got x.shape=\(9, 1, 8, 8\), y.shape=\(50,\)"),
        (lambda x, y: (x, 3), ValueError, "one length"),
        (lambda x, y: (x, np.where(np.arange(50) == 17, 4, y)), ValueError, r"labels in 0..3 .*got 4 at target\[17\]"),
        (lambda x, y: (x, y.astype(float)), TypeError, "integer labels"),
        (lambda x, y: (x, y.astype(str)), TypeError, "integer labels"),
        (lambda x, y: (x.astype(np.int64), y), TypeError, "uint8 or floats"),
        (lambda x, y: (x > 3, y), TypeError, "got x.dtype=bool"),
        (lambda x, y: (x.astype(np.float64), y), TypeError, "float32"),
        (lambda x, y: (x[:, 0], y), ValueError, "Conv2d"),
        (lambda x, y: (np.repeat(x, 2, axis=1), y), ValueError, "Conv2d"),
    ],
)
def test_wrong_data(change, error, match):
    x, y, trainer = good()
    before = trainer.network.state_dict()
    trainer.evaluate(x, y)
    for call in (trainer.step, lambda x, y: trainer.fit(x, y, progress=False), trainer.evaluate):
        with pytest.raises(error, match=match):
            call(*change(x, y))
    # Nothing has run: running statistics are as they were, too.
    for name, array in trainer.network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert math.isfinite(trainer.step(x, y))


def test_wrong_trainers():
    net, loss, sgd = small_network(), fnn.CrossEntropyLoss(), fnn.SGD()
    for arguments, error in (
        ((loss, net, sgd), TypeError),
        ((net, fnn.CrossEntropyLoss, sgd), TypeError),
        ((net, "mse", sgd), TypeError),
        ((net, loss, fnn.SGD), TypeError),
        ((net, loss, "adam"), TypeError),
        ((net, fnn.MSELoss(reduction="none"), sgd), ValueError),
    ):
        with pytest.raises(error, match="Trainer: expected"):
            fnn.Trainer(*arguments)
    for seed, error in ((-1, ValueError), (0.5, TypeError), ("a", TypeError)):
        with pytest.raises(error, match="Trainer: seed"):
            fnn.Trainer(net, loss, sgd, seed=seed)
    for batch_size in (0, None):
        with pytest.raises((ValueError, TypeError), match="batch_size"):
            predict(net, np.zeros((3, 1, 8, 8), np.uint8), batch_size=batch_size)
    with pytest.raises(ValueError, match=r"x.shape=\(\)"):
        predict(net, np.float32(3))


# --- History


def test_history_is_plain_data():
    import json

    history = fnn.History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_loss": 1.0}])
    assert json.loads(json.dumps(history.epochs)) == history.epochs
    assert history.columns == {"epoch": [1, 2], "loss": [0.5, 0.25], "val_loss": [None, 1.0]}
    assert history["val_loss"] == [None, 1.0] and "val_loss" in history and "accuracy" not in history
    assert [logs["epoch"] for logs in history] == [1, 2] and len(history) == 2
    assert repr(history).splitlines() == [
        "History: 2 epochs",
        "epoch    loss  val_loss",
        "    1  0.5000          ",
        "    2  0.2500    1.0000",
    ]
    assert repr(fnn.History()) == "History: 0 epochs"
    with pytest.raises(KeyError, match="no column 'accuracy', there are: epoch, loss, val_loss"):
        history["accuracy"]
