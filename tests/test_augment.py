"""Augmentation of training epochs: what is drawn, that plans and layers see the same samples, seeds, resuming, errors."""

import copy
import functools

import numpy as np
import pytest

import fastnn as fnn
from fastnn.data import Augment

KINDS = [("uint8", "float32"), ("uint8", "float64"), ("float32", "float32"), ("float64", "float64")]


def images(rng, shape, kind, samples=50):
    x, y = rng.integers(0, 256, (samples, *shape)), rng.integers(0, 4, samples)
    return (x.astype(np.uint8) if kind == "uint8" else (x / 255).astype(kind)), y


def network(shape, dtype=np.float32):
    C, H, W = shape
    return fnn.Sequential(
        fnn.Conv2d(C, 4, 3, padding=1, dtype=dtype, rng=0),
        fnn.BatchNorm2d(4, dtype=dtype),
        fnn.ReLU(),
        fnn.Flatten(),
        fnn.Dense(4 * H * W, 4, dtype=dtype, rng=1),
    )


class Spy(fnn.MSELoss):
    """A loss that notes the predictions it gets, and fails at one batch if it is told to."""

    def __init__(self, fail_at=None):
        super().__init__()
        self.batches, self.fail_at = [], fail_at

    def forward(self, prediction, target):
        if len(self.batches) == self.fail_at:
            self.fail_at = None
            raise KeyboardInterrupt
        self.batches.append(prediction.copy())
        return super().forward(prediction, target)


def passed_on(x, dtype, fit_options, plan=True, seed=0):
    """The batches of an epoch, as a network sees them that passes them on."""
    C = x.shape[1]
    net = fnn.Sequential(fnn.Conv2d(C, C, 1, groups=C, bias=False, dtype=dtype, rng=0))
    net.params["0.weight"] = np.ones((C, 1, 1, 1), dtype)
    spy = Spy()
    trainer = fnn.Trainer(net, spy, fnn.SGD(lr=0.0), seed=seed)
    with fnn.config(plan=plan):
        trainer.fit(x, np.zeros(x.shape, dtype), progress=False, **fit_options)
    assert (trainer._plan is not None) == plan
    return np.concatenate(spy.batches)


def augmented(x, draws, dtype=np.float64):
    """In plain NumPy: zero padding, a crop, perhaps mirrored; bytes scaled to 0..1."""
    most = int(np.abs(draws[:, :2]).max(initial=0))
    padded = np.pad(x, ((0, 0), (0, 0), (most, most), (most, most)))
    H, W = x.shape[2:]
    out = np.empty(x.shape, x.dtype)
    for n, (down, right, flip) in enumerate(draws):
        crop = padded[n, :, most - down : most - down + H, most - right : most - right + W]
        out[n] = crop[:, :, ::-1] if flip else crop
    return out.astype(dtype) * dtype(1 / 255) if x.dtype == np.uint8 else out


# --- what is drawn


def test_draws_have_the_distribution_of_torchvision():
    draws = Augment(crop=4, flip=True).draw(50_000, np.random.default_rng(0))
    assert draws.dtype == np.int64 and draws.shape == (50_000, 3)
    for column in (0, 1):
        values, counts = np.unique(draws[:, column], return_counts=True)
        assert values.tolist() == list(range(-4, 5)) and np.abs(counts / 50_000 - 1 / 9).max() < 0.01
    assert abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.02
    assert abs(draws[:, 2].mean() - 0.5) < 0.01
    assert abs(Augment(flip=0.2).draw(50_000, np.random.default_rng(0))[:, 2].mean() - 0.2) < 0.01


@pytest.mark.parametrize("flip, value", [(False, 0), (0.0, 0), (1, 1), (1.0, 1)])
def test_certain_draws(flip, value):
    draws = Augment(flip=flip).draw(100, np.random.default_rng(0))
    assert (draws == [0, 0, value]).all()


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", ">f4"])
def test_a_batch_may_be_augmented_by_itself(kind, rng):
    x, augment = rng.integers(0, 256, (20, 3, 9, 7)).astype(kind), Augment(crop=3, flip=True)
    before, draws = x.copy(), augment.draw(20, np.random.default_rng(5))
    expected = augmented(x, draws) if kind != "uint8" else augmented(x.astype(float), draws)
    for data in (x, x.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0)):
        out = augment(data, rng=5)
        assert out.shape == x.shape and out.dtype == x.dtype.newbyteorder("=") and (out == expected).all()
    with fnn.kernels.use("reference"):
        assert (augment(x, rng=5) == expected).all()
    assert (x == before).all()
    assert (augment(x) != augment(x)).any()


# --- epochs


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 9), (2, 1, 1), (3, 33, 18)], ids=str)
@pytest.mark.parametrize("kind, dtype", KINDS)
def test_plans_and_layers_see_the_same_samples(kind, dtype, shape, shuffle, rng):
    x, _ = images(rng, shape, kind)
    options = {"augment": Augment(crop=2, flip=True), "batch_size": 16, "shuffle": shuffle}
    seen = passed_on(x, np.dtype(dtype).type, options)
    layers = passed_on(x, np.dtype(dtype).type, options, plan=False)
    assert seen.dtype == dtype and seen.tobytes() == layers.tobytes()
    if not shuffle:
        trainer = fnn.Trainer(network(shape), None, None, seed=0)
        draws = options["augment"].draw(len(x), trainer._generator(2, 0))
        np.testing.assert_allclose(seen, augmented(x, draws, np.dtype(dtype).type), rtol=1e-6)


def test_nothing_drawn_is_nothing_changed(rng):
    x, _ = images(rng, (3, 6, 6), "uint8")
    plain = passed_on(x, np.float32, {})
    assert passed_on(x, np.float32, {"augment": Augment()}).tobytes() == plain.tobytes()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 5)], ids=str)
@pytest.mark.parametrize("kind, dtype", KINDS)
def test_plans_and_layers_learn_the_same(kind, dtype, shape, rng, assert_close):
    x, y = images(rng, shape, kind)
    nets, losses = [], []
    for plan in (True, False):
        net = network(shape, np.dtype(dtype))
        trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.05), seed=1)
        with fnn.config(plan=plan):
            options = {"epochs": 2, "batch_size": 16, "progress": False}
            losses.append(trainer.fit(x, y, augment=Augment(crop=2, flip=0.3), **options)["loss"])
        assert (trainer._plan is not None) == plan
        nets.append(net)
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(losses[0], losses[1], rtol=tolerance)
    np.testing.assert_allclose(nets[0].flat_params, nets[1].flat_params, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("layout", ["transposed", "strided", "big-endian", "read-only"])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_layout_of_the_data_does_not_matter(layout, kind, rng):
    x, _ = images(rng, (3, 8, 6), kind)
    data = x.copy()
    if layout == "transposed":
        data = np.ascontiguousarray(data.transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)
    elif layout == "strided":
        data = np.repeat(data, 2, axis=0)[::2]
    elif layout == "big-endian":
        data = data.astype(data.dtype.newbyteorder(">"))
    else:
        data.flags.writeable = False
    seen = []
    for given in (x, data):
        spy = Spy()
        trainer = fnn.Trainer(fnn.Sequential(fnn.Flatten()), spy, fnn.SGD(), seed=0)
        trainer.fit(given, np.zeros((len(x), 144), np.float32), batch_size=16, augment=Augment(2, True), progress=False)
        seen.append(np.concatenate(spy.batches))
    assert seen[0].tobytes() == seen[1].tobytes()


@pytest.mark.parametrize("which", ["dropout", "user's loss", "user's optimizer"])
def test_plans_with_parts_in_python(which, rng):
    x, y = images(rng, (1, 8, 8), "uint8")

    class Loss(fnn.CrossEntropyLoss):
        def forward(self, prediction, target):
            return super().forward(prediction, target)

    class Plain(fnn.Optimizer):
        def update(self, params, grads):
            params -= 0.05 * grads

    losses = []
    for plan in (True, False):
        net = network((1, 8, 8))
        if which == "dropout":
            net = fnn.Sequential(fnn.Dropout(0.3), *net)
        loss = Loss() if which == "user's loss" else fnn.CrossEntropyLoss()
        optimizer = Plain() if which == "user's optimizer" else fnn.SGD(lr=0.05)
        with fnn.config(plan=plan):
            trainer = fnn.Trainer(net, loss, optimizer, seed=1)
            losses.append(trainer.fit(x, y, epochs=2, batch_size=16, augment=Augment(2, True), progress=False)["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_steps_and_plain_epochs_are_not_augmented(rng):
    x, y = images(rng, (3, 8, 8), "uint8")
    runs = []
    for first in ({}, {"augment": Augment(2, True)}):
        trainer = fnn.Trainer(network((3, 8, 8)), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.0), seed=1)
        trainer.fit(x, y, progress=False, **first)
        loss = trainer.step(x, y)
        trainer.fit(x, y, progress=False, batch_size=10, shuffle=False, **first)
        again = trainer.step(x[:0:-1], y[:0:-1]), trainer.step(x, y), trainer.step(x, y)
        runs.append((loss, *again, trainer.fit(x, y, progress=False)["loss"]))
    assert runs[0] == runs[1]


def test_evaluation_and_validation_are_not_augmented(rng):
    x, y = images(rng, (1, 8, 8), "uint8")
    trainer = fnn.Trainer(network((1, 8, 8)), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=1)
    history = trainer.fit(x, y, epochs=2, validation_data=(x, y), augment=Augment(3, True), progress=False)
    assert history["val_loss"][-1] == trainer.evaluate(x, y, batch_size=32)["loss"]
    names = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "images_per_second", "seconds"]
    assert list(history.columns) == names


def test_a_network_takes_it_too(rng):
    x, y = images(rng, (1, 8, 8), "uint8")
    nets = network((1, 8, 8)), network((1, 8, 8))
    losses = [net.fit(x, y, seed=0, augment=a, progress=False)["loss"] for net, a in zip(nets, (None, Augment(3, True)))]
    assert losses[0] != losses[1]


# --- repeatable and resumable


def test_every_epoch_and_seed_has_draws_of_its_own(rng):
    x, _ = images(rng, (1, 8, 8), "uint8", 20)
    run = functools.partial(passed_on, x, np.float32)
    options = {"augment": Augment(2, True), "shuffle": False}
    two = run({**options, "epochs": 2})
    assert (two[:20] == run(options)).all()
    assert (two[20:] != two[:20]).any()
    assert (run(options, seed=1) != two[:20]).any()
    assert (run({**options, "batch_size": 7}) == two[:20]).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_repeats_a_run_bit_for_bit(threads, rng):
    x, y = images(rng, (3, 16, 16), "uint8", 200)
    runs = []
    for number in (threads, 1):
        with fnn.threads(number):
            trainer = fnn.Trainer(network((3, 16, 16)), fnn.CrossEntropyLoss(), fnn.Adam(), seed=5)
            losses = trainer.fit(x, y, epochs=2, batch_size=64, augment=Augment(4, True), progress=False)["loss"]
        runs.append((losses, trainer.network.flat_params.tobytes()))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("plan", [True, False])
@pytest.mark.parametrize("batch", [5, 7])
def test_an_interrupted_epoch_is_finished_with_the_same_bits(batch, plan, rng):
    x, y = images(rng, (1, 8, 8), "uint8", 70)
    y = y[:, None] / np.float32(4)
    runs = []
    for fail_at in (None, batch):
        net = fnn.Sequential(fnn.Flatten(), fnn.Dense(64, 8, rng=0), fnn.Tanh(), fnn.Dense(8, 1, rng=1))
        trainer = fnn.Trainer(net, Spy(fail_at), fnn.Adam(lr=0.01), seed=3)
        fit = functools.partial(trainer.fit, x, y, batch_size=16, augment=Augment(2, True), progress=False)
        with fnn.config(plan=plan):
            if fail_at is None:
                fit(epochs=3)
            else:
                with pytest.raises(KeyboardInterrupt):
                    fit(epochs=3)
                assert (trainer.epoch, trainer.position) == (1, 16 * (batch - 5))
                fit(epochs=2)
        runs.append(net.flat_params.tobytes())
    assert runs[0] == runs[1]


def test_state_dict_resumes_with_the_same_bits(rng):
    x, y = images(rng, (1, 8, 8), "uint8", 70)
    options = {"batch_size": 16, "progress": False, "augment": Augment(2, True)}
    whole = fnn.Trainer(network((1, 8, 8)), fnn.CrossEntropyLoss(), fnn.Adam(), seed=3)
    whole.fit(x, y, **options)
    state = copy.deepcopy(whole.state_dict())
    expected = whole.fit(x, y, epochs=2, **options)["loss"]
    resumed = fnn.Trainer(network((1, 8, 8)), fnn.CrossEntropyLoss(), fnn.Adam(), seed=100)
    resumed.load_state_dict(state)
    assert resumed.fit(x, y, epochs=2, **options)["loss"] == expected


# --- a seed of its own


def test_seed_repeats_calls_in_their_order(rng):
    x = rng.integers(0, 256, (20, 3, 9, 7)).astype(np.uint8)
    first, second = Augment(2, True, seed=5), Augment(2, True, seed=5)
    calls = [first(x) for _ in range(3)]
    assert all((call == second(x)).all() for call in calls)
    assert (calls[0] != calls[1]).any() and (calls[0] != Augment(2, True, seed=6)(x)).any()
    # An rng goes first, and takes nothing from the seed's draws.
    third = Augment(2, True, seed=5)
    assert (third(x, rng=1) == Augment(2, True)(x, rng=1)).all()
    assert (third(x) == calls[0]).all()


@pytest.mark.parametrize("plan", [True, False])
def test_epochs_depend_on_its_seed_alone(plan, rng):
    x, _ = images(rng, (1, 8, 8), "uint8", 20)
    run = functools.partial(passed_on, x, np.float32, plan=plan)
    options = {"shuffle": False, "epochs": 2, "batch_size": 7}
    seen = run({**options, "augment": Augment(2, True, seed=9)})
    assert (run({**options, "augment": Augment(2, True, seed=9)}, seed=1) == seen).all()
    assert (run({**options, "augment": Augment(2, True, seed=8)}) != seen).any()
    assert (run({**options, "augment": Augment(2, True)}) != seen).any()
    assert (seen[20:] != seen[:20]).any()  # each epoch has its own
    # What was called before changes nothing.
    augment = Augment(2, True, seed=9)
    augment(x)
    assert (run({**options, "augment": augment}) == seen).all()


def test_plans_and_layers_draw_from_it_alike(rng):
    x, _ = images(rng, (3, 7, 5), "uint8")
    options = {"augment": Augment(2, True, seed=4), "batch_size": 16, "epochs": 2}
    assert passed_on(x, np.float32, options).tobytes() == passed_on(x, np.float32, options, plan=False).tobytes()


def test_its_seed_leaves_the_shuffle_alone(rng):
    x, _ = images(rng, (1, 8, 8), "uint8", 20)
    plain = passed_on(x, np.float32, {"batch_size": 6}, seed=3)
    assert (passed_on(x, np.float32, {"batch_size": 6, "augment": Augment(seed=7)}, seed=3) == plain).all()


def test_an_interrupted_epoch_goes_on_with_its_draws(rng):
    x, y = images(rng, (1, 8, 8), "uint8", 70)
    runs = []
    for fail_at in (None, 6):
        net = fnn.Sequential(fnn.Flatten(), fnn.Dense(64, 1, rng=0))
        trainer = fnn.Trainer(net, Spy(fail_at), fnn.SGD(lr=0.01), seed=3)
        options = {"batch_size": 16, "augment": Augment(2, True, seed=11), "progress": False}
        y = y.reshape(-1, 1).astype(np.float32)
        if fail_at is None:
            trainer.fit(x, y, epochs=3, **options)
        else:
            with pytest.raises(KeyboardInterrupt):
                trainer.fit(x, y, epochs=3, **options)
            trainer.fit(x, y, epochs=2, **options)
        runs.append(net.flat_params.tobytes())
    assert runs[0] == runs[1]


# --- errors


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"crop": -1}, ValueError, "Augment: crop must be at least 0"),
        ({"crop": 1.5}, TypeError, "Augment: crop must be an int"),
        ({"crop": True}, TypeError, "Augment: crop must be an int"),
        ({"flip": 1.5}, ValueError, r"Augment: flip must be within \[0, 1\]"),
        ({"flip": -0.1}, ValueError, "Augment: flip must be within"),
        ({"flip": float("nan")}, ValueError, "Augment: flip must be finite"),
        ({"flip": "yes"}, TypeError, "Augment: flip must be a number"),
        ({"flip": None}, TypeError, "Augment: flip must be a number"),
        ({"seed": -1}, ValueError, "Augment: seed must be at least 0"),
        ({"seed": 1.5}, TypeError, "Augment: seed must be an int"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Augment(**arguments)


@pytest.mark.parametrize("augment", [True, 4, Augment, "flip"])
def test_fit_takes_nothing_else(augment, rng):
    x, y = images(rng, (1, 8, 8), "uint8")
    with pytest.raises(TypeError, match=r"Trainer.fit: expected augment to be a fastnn.data.Augment, got"):
        fnn.Trainer(network((1, 8, 8)), None, None).fit(x, y, augment=augment, progress=False)


def test_samples_that_are_not_images(rng):
    x, y = rng.standard_normal((20, 64)).astype(np.float32), rng.integers(0, 4, 20)
    net = fnn.Sequential(fnn.Dense(64, 4, rng=0))
    with pytest.raises(
        ValueError, match=r"Trainer.fit: augment needs images, x of shape \(N, C, H, W\); got x.shape=\(20, 64\)"
    ):
        net.fit(x, y, augment=Augment(1), progress=False)
    with pytest.raises(ValueError, match="Augment: augment needs images"):
        Augment(1)(x)
    with pytest.raises(TypeError, match=r"Trainer.fit: augment needs x to be uint8, float32 or float64, got x.dtype=float16"):
        network((1, 8, 8)).fit(np.zeros((4, 1, 8, 8), np.float16), y[:4], augment=Augment(1), progress=False)


def channels_last(*front):
    return fnn.Sequential(*front, fnn.Conv2d(3, 2, 3, rng=0), fnn.Flatten(), fnn.Dense(2 * 6 * 4, 4, rng=1))


@pytest.mark.parametrize(
    "front",
    [
        lambda: [fnn.Permute(3, 1, 2)],
        lambda: [fnn.Permute(0, 3, 2, 1), fnn.Permute(1, 3, 2)],
        lambda: [fnn.Sequential(), fnn.Identity(), fnn.Sequential(fnn.Sequential(), fnn.Permute(3, 1, 2))],
    ],
)
def test_networks_that_take_channels_last(front, rng):
    x, y = rng.integers(0, 256, (20, 8, 6, 3), np.uint8), rng.integers(0, 4, 20)
    net = channels_last(*front())
    with pytest.raises(ValueError, match=r"augment shifts images of shape \(N, C, H, W\), .* with Permute\(dims=.*transpose"):
        net.fit(x, y, augment=Augment(1), progress=False)
    net.fit(x, y, progress=False)
    channels_last().fit(x.transpose(0, 3, 1, 2), y, augment=Augment(1, True), progress=False)  # as the message says


def test_a_permutation_that_leaves_channels_first(rng):
    x, y = rng.integers(0, 256, (20, 3, 6, 8), np.uint8), rng.integers(0, 4, 20)
    history = channels_last(fnn.Permute(1, 3, 2)).fit(x, y, augment=Augment(1, True), progress=False)
    assert np.isfinite(history["loss"]).all()


def test_repr():
    assert repr(Augment(4, True)) == "Augment(crop=4, flip=0.5)"
    assert repr(Augment(4, seed=0)) == "Augment(crop=4, flip=0, seed=0)"
