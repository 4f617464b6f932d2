"""What is refused raises what the layers raise, before anything is changed."""

import copy

import numpy as np
import pytest

import fastnn as fnn


def network(dropout=0.0):
    d = np.float64
    return fnn.Sequential(
        fnn.Conv2d(2, 4, 3, bias=False, dtype=d, rng=0),
        fnn.BatchNorm2d(4, dtype=d),
        fnn.ReLU(),
        fnn.AvgPool2d(4),
        fnn.Flatten(),
        *([fnn.Dropout(dropout)] if dropout else []),
        fnn.Dense(4, 3, dtype=d, rng=2),
    )


def data(rng, samples=20):
    return rng.standard_normal((samples, 2, 6, 6)), rng.integers(0, 3, samples)


def remember(trainer):
    """Everything that a step could change."""
    generators = [layer.rng.bit_generator.state for _, layer in trainer.network.walk() if hasattr(layer, "rng")]
    arrays = {name: array.tobytes() for name, array in trainer.network.state_dict().items()}
    return copy.deepcopy((arrays, trainer.network.flat_grads.tobytes(), trainer.optimizer.state_dict(), generators))


def error_of(trainer, call, *args, **options):
    """Type and text of what a call raises; it must leave everything as it was."""
    before = str(remember(trainer))
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        getattr(trainer, call)(*args, **options)
    assert str(remember(trainer)) == before
    return caught.type, str(caught.value)


class Labels(fnn.CrossEntropyLoss):
    """A loss that is computed in Python, between two chains."""


WRONG = {
    "label too large": lambda x, y: (x, np.where(np.arange(len(y)) == 13, 3, y)),
    "label below 0": lambda x, y: (x, np.where(np.arange(len(y)) == 2, -1, y)),
    "far too large": lambda x, y: (x, np.full(len(y), 2**62)),
    "label of another type": lambda x, y: (x, np.full(len(y), 200, np.uint8)),
    "huge unsigned label": lambda x, y: (x, np.full(len(y), 2**64 - 100, np.uint64)),
    "float labels": lambda x, y: (x, y.astype(float)),
    "bool labels": lambda x, y: (x, y > 0),
    "labels of two axes": lambda x, y: (x, y[:, None]),
    "fewer labels": lambda x, y: (x, y[:5]),
    "no samples": lambda x, y: (x[:0], y[:0]),
    "one number": lambda x, y: (x, 1),
    "float32": lambda x, y: (x.astype(np.float32), y),
    "integers": lambda x, y: (x.astype(np.int64), y),
    "fewer channels": lambda x, y: (x[:, :1], y),
    "another plane": lambda x, y: (x[:, :, :2], y),
    "no channels": lambda x, y: (x[:, 0], y),
}


@pytest.mark.parametrize("loss", [fnn.CrossEntropyLoss, Labels])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_data(name, dropout, loss, rng, pair):
    x, y = data(rng)
    both = pair(network(dropout), loss(), fnn.Adam(lr=0.01))
    wrong = WRONG[name](x, y)
    for steps in range(3):  # without a plan yet, and with one
        for _ in range(steps):
            both.step(x, y)
        for call, options in (("step", {}), ("fit", {"progress": False}), ("evaluate", {})):
            got, expected = both.each(error_of, call, *wrong, **options)
            assert got == expected
        both.each("fit", x, y, batch_size=8, progress=False)
        assert both.planned._plan is not None
    both.step(x, y)
    both.check()


@pytest.mark.parametrize(
    "loss,target",
    [
        (fnn.MSELoss(), lambda rng: rng.random((20, 2))),
        (fnn.MSELoss(), lambda rng: rng.integers(0, 3, (20, 3))),
        (fnn.BCEWithLogitsLoss(), lambda rng: rng.random((20, 3, 1))),
        (fnn.BCEWithLogitsLoss(pos_weight=np.ones(4)), lambda rng: rng.random((20, 3))),
        (fnn.CrossEntropyLoss(weight=np.ones(4)), lambda rng: rng.integers(0, 3, 20)),
        (fnn.NLLLoss(), lambda rng: rng.integers(3, 5, 20)),
        (fnn.NLLLoss(), lambda rng: rng.random((20, 3))),
        (fnn.CrossEntropyLoss(ignore_index=2), lambda rng: rng.random((20, 3))),
    ],
)
def test_wrong_targets(loss, target, rng, pair):
    x, _ = data(rng)
    both, wrong = pair(network(), loss), target(rng)
    for call, options in (("step", {}), ("fit", {"progress": False})):
        got, expected = both.each(error_of, call, x, wrong, **options)
        assert got == expected


def test_one_value_per_channel(rng, pair):
    """Batch normalization of one sample: an error at once, and in the middle of an epoch what came before has happened."""
    network = fnn.Sequential(fnn.Dense(3, 4, dtype=np.float64, rng=0), fnn.BatchNorm1d(4, dtype=np.float64))
    x, y = rng.standard_normal((9, 3)), rng.integers(0, 4, 9)
    both = pair(network, optimizer=fnn.SGD(lr=0.1, momentum=0.5))
    got, expected = both.each(error_of, "step", x[:1], y[:1])
    assert got == expected
    both.step(x, y)
    got, expected = both.each(error_of, "step", x[:1], y[:1])
    assert got == expected and "more than 1 value per channel" in got[1]

    def fit(trainer):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            trainer.fit(x, y, batch_size=4, progress=False)
        return trainer.epoch, trainer.position

    got, expected = both.each(fit)
    assert got == expected
    both.check()
    both.each("fit", x, y, batch_size=4, drop_last=True, progress=False)
    both.check()


def test_wrong_options_between_steps(rng, pair):
    x, y = data(rng)
    both = pair(network(), optimizer=fnn.SGD(lr=0.1, momentum=0.5))
    both.step(x, y)

    def refused(trainer):
        trainer.optimizer.nesterov, trainer.optimizer.momentum = True, 0.0
        before = trainer.network.flat_params.copy()
        for _ in range(2):
            with pytest.raises(ValueError, match="nesterov=True with momentum > 0"):
                trainer.step(x, y)
        assert (trainer.network.flat_params == before).all()
        trainer.optimizer.nesterov, trainer.optimizer.momentum = False, 0.5
        with pytest.raises(ValueError, match="lr"):
            trainer.optimizer.lr = -1

    both.each(refused)
    both.planned.step(x, y)


def test_an_optimizer_of_another_network(rng, pair):
    x, y = data(rng)
    adam = fnn.Adam()
    adam.update(np.ones(5), np.ones(5))

    def refused(trainer):
        before = trainer.network.flat_params.copy()
        with pytest.raises(ValueError, match="use an optimizer of its own for each network") as caught:
            trainer.step(x, y)
        assert (trainer.network.flat_params == before).all()
        return str(caught.value)

    got, expected = pair(network(), optimizer=adam).each(refused)
    assert got == expected


class Broken:
    """A user's loss whose gradient does not fit."""

    def __init__(self, gradient):
        self.gradient = gradient

    def forward(self, prediction, target):
        self.prediction = prediction
        return 0.0

    def backward(self):
        return self.gradient(self.prediction)


@pytest.mark.parametrize(
    "gradient",
    [
        lambda p: p[:, :1],
        lambda p: p[0],
        lambda p: np.ones((len(p), 4)),
        lambda p: p.astype(np.float32),
        lambda p: p.reshape(-1),
        lambda p: 1.0,
        lambda p: None,
    ],
)
def test_a_users_loss_is_checked(gradient, rng, pair):
    x, y = data(rng)
    both = pair(network(), Broken(gradient))

    def refused(trainer):
        before = trainer.network.flat_params.copy()
        with pytest.raises((TypeError, ValueError)) as caught:
            trainer.step(x, y)
        assert (trainer.network.flat_params == before).all()
        return caught.type, str(caught.value).partition(":")[2]

    got, expected = both.each(refused)
    assert got == expected


def test_predictions(rng, pair):
    x, _ = data(rng)
    both = pair(network())
    wrong = [
        x[:, :1],
        x[:, :, :2],
        x[:, 0],
        x.astype(np.float32),
        x.astype(np.int64),
        x > 0,
        np.float64(3),
        x.astype(np.float16),
        x.astype(complex),
        x.astype(np.longdouble),
    ]
    for case in wrong:
        for _ in range(3):
            got, expected = both.each(error_of, "predict", case)
            assert got == expected
        both.each("predict", x)
