"""Captures: predictions of small batches in one call have the bits that the layers give, whatever happens to the network."""

import copy
import gc
import multiprocessing
import os
import pickle
import threading
import weakref

import numpy as np
import pytest

import fastnn as fnn
import fastnn.kernels
from fastnn import capture
from fastnn.kernels import _threads
from fastnn.models import lenet5
from fastnn.trainer import predict


def predict_by_layers(network, x):
    """What predict makes of x without captures."""
    kept, network._captures = network._captures, None
    try:
        return predict(network, x)
    finally:
        network._captures = kept


def warm_up(network, x):
    """Predict until there is a capture for x."""
    for _ in range(3):
        network.predict(x)
    assert is_captured(network, x)


def is_captured(network, x):
    return capture.replay(network, x, 256) is not None


def assert_captured_with_same_bits(network, *batches):
    """Captures are in use for batches like these, and give the layers' bits."""
    warm_up(network, batches[0])
    for x in batches:
        out, expected = capture.replay(network, x, 256), predict_by_layers(network, x)
        assert out.dtype == expected.dtype and out.shape == expected.shape
        assert out.tobytes() == expected.tobytes()


def small():
    return fnn.Sequential(fnn.Dense(4, 5, rng=0), fnn.BatchNorm1d(5), fnn.LeakyReLU(0.1), fnn.Dense(5, 3, rng=1))


def residual(dtype=np.float32):
    def unit(channels_in, channels, stride=1):
        return fnn.Sequential(
            fnn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False, dtype=dtype, rng=0),
            fnn.BatchNorm2d(channels, dtype=dtype),
            fnn.ReLU(),
            fnn.Conv2d(channels, channels, 3, padding="same", dtype=dtype, rng=1),
        )

    shortcut = fnn.Conv2d(5, 8, 1, stride=2, dtype=dtype, rng=2)
    return fnn.Sequential(
        fnn.Conv2d(3, 5, 3, dtype=dtype, rng=3),
        fnn.Residual(unit(5, 5)),
        fnn.Dropout(0.5, rng=0),
        fnn.Residual(unit(5, 8, stride=2), shortcut),
        fnn.AdaptiveAvgPool2d(1),
        fnn.Flatten(),
        fnn.Dense(8, 7, dtype=dtype, rng=4),
        fnn.Softmax(),
    )


def one_dimensional():
    return fnn.Sequential(
        fnn.Conv1d(2, 6, 5, stride=2, dilation=2, groups=2, rng=0),
        fnn.BatchNorm1d(6),
        fnn.MaxPool1d(3, stride=2, padding=1),
        fnn.Conv1d(6, 3, 2, rng=1),
        fnn.AvgPool1d(2),
        fnn.AdaptiveAvgPool1d(3),
        fnn.Flatten(),
        fnn.LogSoftmax(1),
    )


def branches():
    block = fnn.Concat(fnn.Conv2d(3, 4, 1, rng=0), fnn.Sequential(fnn.Conv2d(3, 2, 3, padding=1, rng=1), fnn.ReLU()))
    return fnn.Sequential(block, fnn.Flatten(), fnn.Concat(fnn.Dense(120, 5, rng=2), fnn.Sequential()))


NETWORKS = {
    "lenet5": (lambda: lenet5(rng=0), (1, 28, 28)),
    "lenet5 in float64": (lambda: lenet5(dtype=np.float64, rng=0), (1, 28, 28)),
    "residual": (residual, (3, 13, 11)),
    "residual in float64": (lambda: residual(np.float64), (3, 13, 11)),
    "one-dimensional": (one_dimensional, (2, 53)),
    "branches": (branches, (3, 5, 4)),
    "channels last": (lambda: fnn.Sequential(fnn.Permute(3, 1, 2), fnn.Conv2d(2, 4, 3, rng=0), fnn.Reshape(2, -1)), (5, 6, 2)),
    "batch norm": (small, (4,)),
    "batch statistics": (lambda: fnn.Sequential(fnn.BatchNorm2d(3, track_running_stats=False), fnn.Tanh()), (3, 4, 5)),
    "dense on sequences": (lambda: fnn.Sequential(fnn.Dense(6, 40, rng=0), fnn.Sigmoid(), fnn.Dense(40, 2, rng=1)), (9, 6)),
    "max pool": (lambda: fnn.Sequential(fnn.MaxPool2d(3, padding=1, dilation=2, ceil_mode=True)), (2, 9, 10)),
    "avg pool": (lambda: fnn.Sequential(fnn.AvgPool2d(3, 2, 1, True, False), fnn.AvgPool2d(2, divisor_override=3)), (2, 9, 30)),
    "softmax": (lambda: fnn.Sequential(fnn.Softmax(2), fnn.LogSoftmax(-2)), (4, 5, 6)),
    "flatten": (lambda: fnn.Sequential(fnn.Flatten(2), fnn.ReLU(), fnn.Flatten()), (2, 3, 4)),
    "a layer": (lambda: fnn.Dense(4, 3, rng=0), (4,)),
    "nested": (lambda: fnn.Sequential(fnn.Sequential(), fnn.Sequential(fnn.Tanh(), fnn.Dropout())), (3,)),
    "wide": (lambda: fnn.Sequential(fnn.Dense(300, 1000, rng=0), fnn.ReLU(), fnn.Dense(1000, 70, rng=1)), (300,)),
}


@pytest.mark.parametrize("samples", [1, 2, 3, capture.LARGEST_BATCH])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_of_the_layers(name, samples, rng):
    make, shape = NETWORKS[name]
    network = make()
    dtype = network.dtype or np.float32
    batches = [rng.standard_normal((samples, *shape)).astype(dtype) for _ in range(3)]
    if isinstance(network, fnn.Network):
        assert_captured_with_same_bits(network, *batches)
        bytes_of_images = [rng.integers(0, 256, (samples, *shape), np.uint8) for _ in range(3)]
        assert_captured_with_same_bits(network, *bytes_of_images)
    else:
        for x in [*batches, *batches]:
            assert predict(network, x).tobytes() == network.forward(x).tobytes()
        assert is_captured(network, x)


def test_any_number_of_threads(rng):
    network = fnn.Sequential(fnn.Conv2d(3, 32, 3, padding=1, rng=0), fnn.ReLU(), fnn.Conv2d(32, 40, 3, rng=1))
    x = rng.standard_normal((4, 3, 32, 32), dtype=np.float32)
    warm_up(network, x)
    (known,) = network._captures.idle[x.shape, x.dtype]
    assert known.recording.parallel
    expected = predict_by_layers(network, x).tobytes()
    for threads in (1, 2, 3, 5):
        with fnn.threads(threads):
            assert capture.replay(network, x, 256).tobytes() == expected


def test_results_are_new_arrays_and_x_is_left_alone(rng):
    network, x = small(), rng.standard_normal((2, 4), dtype=np.float32)
    warm_up(network, x)
    before = x.copy()
    first, second = network.predict(x), network.predict(-x)
    kept = first.copy()
    network.predict(2 * x)
    second[...] = 7
    assert first.tobytes() == kept.tobytes() == network.predict(x).tobytes()
    assert x.tobytes() == before.tobytes()
    assert first.flags.owndata and first.flags.writeable and not np.shares_memory(first, second)


def test_arrays_of_any_layout(rng):
    network, x = small(), rng.standard_normal((2, 4), dtype=np.float32)
    warm_up(network, x)
    expected = network.predict(x).tobytes()
    read_only = x.copy()
    read_only.flags.writeable = False
    for other in (read_only, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x.astype(">f4"), x.copy().view(np.matrix)):
        assert network.predict(other).tobytes() == expected


def test_nan_and_infinity(rng):
    network, x = lenet5(rng=0), rng.standard_normal((1, 1, 28, 28), dtype=np.float32)
    warm_up(network, x)
    odd = x.copy()
    odd[0, 0, 3, 4], odd[0, 0, 20, 20] = np.nan, np.inf
    assert np.isnan(network.predict(odd)).any()
    assert network.predict(odd).tobytes() == predict_by_layers(network, odd).tobytes()
    assert network.predict(x).tobytes() == predict_by_layers(network, x).tobytes()  # nothing of it stays


# --- where a plan is faster


def costly():
    return fnn.Sequential(
        *(fnn.Conv2d(3, 32, 3, padding=1, rng=0), fnn.BatchNorm2d(32), fnn.ReLU(), fnn.Conv2d(32, 32, 3, rng=1), fnn.ReLU()),
        *(fnn.MaxPool2d(2), fnn.Flatten(), fnn.Dense(32 * 49, 10, rng=2)),
    )


@pytest.mark.parametrize("samples", [1, capture.LARGEST_COSTLY_BATCH, capture.LARGEST_COSTLY_BATCH + 1, capture.LARGEST_BATCH])
@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_a_few_samples_of_many_multiply_adds_go_by_plan(kind, samples, rng, assert_close):
    network, shape = costly(), (3, 16, 16)
    x = rng.integers(0, 256, (samples, *shape)).astype(kind)
    assert 5 * network.macs(shape) < capture.CHEAP_MACS < 8 * network.macs(shape)
    with fnn.config(plan=False):
        expected = predict_by_layers(network, x)
    for _ in range(4):
        out = network.predict(x)
        assert_close(out, expected, length=32 * 49)
        assert (out.tobytes() == expected.tobytes()) == (samples < 8)
    assert is_captured(network, x) == (samples < 8)


def test_multiply_adds_are_those_of_all_samples(rng, monkeypatch):
    network = fnn.Sequential(fnn.Conv1d(1, 2, 3, rng=0))
    monkeypatch.setattr(capture, "CHEAP_MACS", 7 * network.macs((1, 10)))
    for samples, length in ((7, 10), (8, 10), (5, 10), (4, 1000), (5, 100)):
        x = rng.standard_normal((samples, 1, length), dtype=np.float32)
        for _ in range(3):
            network.predict(x)
        assert is_captured(network, x) == ((samples, length) in ((7, 10), (5, 10), (4, 1000)))


def test_dense_layers_have_no_such_bound(rng, monkeypatch):
    monkeypatch.setattr(capture, "CHEAP_MACS", 0)
    network = small()
    warm_up(network, rng.standard_normal((capture._LARGEST_DENSE_BATCH, 4), dtype=np.float32))


def test_threads_do_not_decide(rng):
    network, x = costly(), rng.standard_normal((8, 3, 16, 16), dtype=np.float32)
    expected = network.predict(x).tobytes()
    for threads in (1, 2, 3):
        with fnn.threads(threads):
            for _ in range(3):
                assert network.predict(x).tobytes() == expected


# --- the network changes


def same_as_layers(network, x):
    return network.predict(x).tobytes() == predict_by_layers(network, x).tobytes()


def shrink(network):
    network.params["0.weight"] = network.params["0.weight"] / 2


def train(network):
    rng = np.random.default_rng(5)
    network.fit(rng.standard_normal((32, 4), dtype=np.float32), rng.integers(0, 3, 32), batch_size=8, progress=False)


VALUES = {
    "parameter": shrink,
    "flat parameters": lambda network: network.flat_params.__imul__(1.5),
    "running statistics": lambda network: network[1].state["running_mean"].__iadd__(1),
    "load_state_dict": lambda network: network.load_state_dict({k: v + 1 for k, v in network.state_dict().items()}),
    "training": train,
}


@pytest.mark.parametrize("name", VALUES)
def test_new_values_count(name, rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    before, captures = network.predict(x), network._captures
    VALUES[name](network)
    assert is_captured(network, x) and network._captures is captures
    assert same_as_layers(network, x)
    assert network.predict(x).tobytes() != before.tobytes()


STRUCTURE = {
    "eps": lambda network: setattr(network[1], "eps", 0.5),
    "slope": lambda network: setattr(network[2], "negative_slope", 0.7),
    "statistics of the batch": lambda network: setattr(network[1], "track_running_stats", False),
    "rebound parameter": lambda network: network[0].params.rebind("weight", np.ones((5, 4), np.float32)),
    "rebound state": lambda network: network[1].state.rebind("running_var", np.full(5, 9, np.float32)),
    "no bias": lambda network: network[3].params.pop("bias"),
    "appended": lambda network: network.append(fnn.Softmax()),
    "replaced": lambda network: network.__setitem__(2, fnn.Tanh()),
    "instance's own forward": lambda network: setattr(network[2], "forward", lambda x, training=False: 3 * x),
    "reference": lambda network: network.use("reference"),
    "reference for one": lambda network: network[0].use("reference"),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_changes_are_seen(name, rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    before = network.predict(x)
    STRUCTURE[name](network)
    assert not is_captured(network, x)
    for _ in range(4):
        assert same_as_layers(network, x)
    if "reference" not in name:
        assert network.predict(x).tobytes() != before.tobytes()
        assert is_captured(network, x) == ("own forward" not in name)


def test_arrays_that_move_into_another_network(rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    other = fnn.Sequential(network[3], network[0])
    assert other.flat_params.size == 43  # moves them
    shrink(network)
    assert same_as_layers(network, x)
    other[1].params["bias"] = np.full(5, 100, np.float32)
    assert same_as_layers(network, x)


def test_changes_elsewhere_cost_no_captures(rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    captures = network._captures
    small().append(fnn.ReLU())
    assert is_captured(network, x) and network._captures is captures


def test_kernels_in_force(rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    with fastnn.kernels.use("reference"):
        assert not is_captured(network, x)
        network.predict(x)
        assert len(network._captures.idle) == 1
    assert is_captured(network, x)
    with network.use("reference"):
        assert not is_captured(network, x)
    assert is_captured(network, x)  # the network is what it was
    with fastnn.kernels.use("numba"):
        assert is_captured(network, x)


def test_copies_have_captures_of_their_own(rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert other._captures is None
        warm_up(other, x)
        shrink(network)
        assert same_as_layers(other, x) and same_as_layers(network, x)
        assert network.predict(x).tobytes() != other.predict(x).tobytes()


# --- what is not captured


class Doubled(fnn.ReLU):
    def forward(self, x, *, training=False):
        return 2 * super().forward(x, training=training)


class Sum(fnn.Network):
    def __init__(self):
        super().__init__()
        self.one, self.two = fnn.Dense(4, 3, rng=0), fnn.Dense(4, 3, rng=1)

    def run_forward(self, x, training):
        return self.one.forward(x) + self.two.forward(x)


@pytest.mark.parametrize("make", [Doubled, Sum, lambda: fnn.Conv1d(1, 1, 2, padding="same", rng=0), fnn.Dropout])
def test_work_outside_kernels_is_not_captured(make, rng):
    network = fnn.Sequential(make())
    for _ in range(5):
        x = rng.standard_normal((2, 1, 4), dtype=np.float32)
        assert network.predict(x).tobytes() == network.forward(x).tobytes()
        assert not is_captured(network, x)


def test_a_capture_that_does_not_repeat_the_layers_is_refused(rng, monkeypatch):
    known = capture._known_layers() | {Doubled}
    monkeypatch.setattr(capture, "_known_layers", lambda: known)
    network = fnn.Sequential(Doubled())
    for _ in range(8):
        x = rng.standard_normal((2, 4), dtype=np.float32)
        np.testing.assert_array_equal(network.predict(x), 2 * np.maximum(x, 0))
        assert not is_captured(network, x)
    assert list(network._captures.failures.values()) == [capture._FAILURES]


def test_large_batches_and_single_calls_are_not_captured(rng):
    network, planes = small(), fnn.Sequential(fnn.MaxPool1d(2))
    for _ in range(4):
        planes.predict(rng.standard_normal((capture.LARGEST_BATCH + 1, 4, 2), dtype=np.float32))
        assert planes._captures is None or not planes._captures.idle
        network.predict(rng.standard_normal((capture._LARGEST_DENSE_BATCH + 1, 4), dtype=np.float32))
        network.predict(np.empty((0, 4), np.float32))
        network.predict(rng.standard_normal((3, 4), dtype=np.float32), batch_size=2)
    network.predict(rng.standard_normal((2, 4), dtype=np.float32))
    assert not network._captures.idle


def test_batches_of_a_small_batch_size(rng):
    network, x = small(), rng.standard_normal((3, 4), dtype=np.float32)
    warm_up(network, x)
    warm_up(network, x[:1])
    assert capture.replay(network, x, 2) is None
    assert capture.replay(network, x, 3) is not None
    assert capture.replay(network, x[:1], 1) is not None
    np.testing.assert_allclose(network.predict(x, batch_size=2), network.predict(x), rtol=1e-5, atol=1e-6)


def test_errors_are_those_without_captures(rng):
    network, x = small(), rng.standard_normal((1, 4), dtype=np.float32)

    def errors():
        found = []
        for wrong in (x[0], x[:, :3], x.astype(np.float64), x.astype(np.int64), np.float32(1), np.array(1.0), [["a"]], None):
            for batch_size in (256, 1):
                with pytest.raises((TypeError, ValueError)) as caught:
                    network.predict(wrong, batch_size=batch_size)
                found.append((type(caught.value), str(caught.value)))
        for batch_size in (0, -1, "3", 1.5, True, None):
            with pytest.raises((TypeError, ValueError)) as caught:
                network.predict(x, batch_size=batch_size)
            found.append((type(caught.value), str(caught.value)))
        return found

    before = errors()
    warm_up(network, x)
    assert errors() == before
    assert is_captured(network, x)


# --- many at once


def test_threads_predict_with_one_network(rng):
    network = lenet5(rng=0)
    data = [rng.standard_normal((1 + i % 2, 1, 28, 28), dtype=np.float32) for i in range(6)]
    expected = [predict_by_layers(network, x).tobytes() for x in data]
    wrong, barrier = [], threading.Barrier(len(data))

    def work(x, result):
        barrier.wait()
        for _ in range(300):
            if network.predict(x).tobytes() != result:
                wrong.append(x.shape)

    workers = [threading.Thread(target=work, args=pair) for pair in zip(data, expected)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert set(network._captures.idle) == {(x.shape, x.dtype) for x in data}


def test_captures_while_other_threads_train_and_build(rng):
    network, x = small(), rng.standard_normal((2, 4), dtype=np.float32)
    expected = predict_by_layers(network, x).tobytes()
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            train(small())

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        results = {network.predict(x).tobytes() for _ in range(2000)}
    finally:
        stop.set()
        disturber.join()
    assert results == {expected}


def test_a_capture_in_use_is_not_shared(rng):
    network, x = small(), rng.standard_normal((2, 4), dtype=np.float32)
    warm_up(network, x)
    idle = network._captures.idle[x.shape, x.dtype]
    taken = idle.pop()
    assert same_as_layers(network, x)  # and makes another one
    assert len(idle) == 1 and idle[0].x is not taken.x
    idle.append(taken)


def _child_bits(_):
    network, x = _inherited
    return [network.predict(scale * x).tobytes() for scale in (1, 2, 3)], is_captured(network, x)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_children(rng):
    global _inherited
    network = fnn.Sequential(fnn.Conv2d(3, 32, 3, padding=1, rng=0), fnn.ReLU(), fnn.Conv2d(32, 40, 3, rng=1))
    x = rng.standard_normal((4, 3, 32, 32), dtype=np.float32)
    _inherited = network, x
    warm_up(network, x)
    expected = [predict_by_layers(network, scale * x).tobytes() for scale in (1, 2, 3)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_child_bits, range(4)) == [(expected, True)] * 4
    _inherited = None


# --- memory


def test_networks_are_dropped_with_their_captures(rng):
    x = rng.standard_normal((1, 1, 28, 28), dtype=np.float32)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            network = lenet5(rng=0)
            warm_up(network, x)
            gone = [weakref.ref(network), weakref.ref(network[0].params["weight"]), weakref.ref(network._captures)]
            gone.append(weakref.ref(network._captures.idle[x.shape, x.dtype][0].recording))
            del network
            assert [ref() for ref in gone] == [None] * 4
    finally:
        gc.enable()


def test_number_of_shapes_is_limited(rng):
    network = fnn.Sequential(fnn.ReLU())
    for length in range(1, capture._SHAPES + 20):
        for _ in range(3):
            network.predict(rng.standard_normal((1, length), dtype=np.float32))
    assert len(network._captures.idle) == capture._SHAPES


def test_memory_is_limited(rng, monkeypatch):
    network = fnn.Sequential(fnn.Dense(10, 2000, rng=0), fnn.ReLU())
    x = rng.standard_normal((4, 10), dtype=np.float32)
    warm_up(network, x)
    captures = network._captures
    assert 2 * 4 * 2000 * 4 <= captures.bytes <= 2 * 4 * 2000 * 4 + 40_000  # parameters do not count
    monkeypatch.setattr(capture, "_BYTES", captures.bytes)
    records, record = [], capture._record
    monkeypatch.setattr(capture, "_record", lambda *arguments: records.append(arguments) or record(*arguments))
    for _ in range(5):
        assert network.predict(x[:2]).tobytes() == network.forward(x[:2]).tobytes()  # by the layers, as before
    assert not is_captured(network, x[:2]) and is_captured(network, x)
    assert len(records) == 1  # what is too large stays too large


# --- recordings


def test_recordings_note_what_runs_in_their_thread(rng):
    x, out = rng.standard_normal((1, 7), dtype=np.float32), np.empty((1, 7), np.float32)
    relu = fastnn.kernels.activations.relu_forward
    with _threads.recording() as recorded:
        relu(out.reshape(-1), x.reshape(-1))
        other = threading.Thread(target=relu, args=(np.empty(3), np.ones(3)))
        other.start()
        other.join()
    relu(np.empty(3), np.ones(3))
    assert not _threads.recordings
    recorded.close()
    assert len(recorded.phases) == len(recorded.kept) - 1 == 1 and not recorded.parallel
    x[...] = [[-1, 2, -3, 4, np.nan, 6, -7]]
    recorded.run()
    np.testing.assert_array_equal(out, [[0, 2, 0, 4, np.nan, 6, 0]])


def test_workspaces_of_a_recording_are_its_own():
    usual = _threads.workspace("test", (3,), np.dtype(np.float32))
    with _threads.recording():
        own = [_threads.workspace("test", (3,), np.dtype(np.float32)) for _ in range(2)]
    assert not np.shares_memory(own[0], own[1]) and not np.shares_memory(own[0], usual)
    assert _threads.workspace("test", (3,), np.dtype(np.float32)) is usual
