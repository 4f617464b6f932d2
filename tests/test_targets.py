"""Targets of a data set, one-hot, binary and others, in `fit`, `evaluate`, `step`, `profile`, with plans and without."""

import math

import numpy as np
import pytest

import fastnn as fnn
from fastnn.targets import Targets, count_hits


def network(outputs=4, *behind):
    return fnn.Sequential(fnn.Dense(6, 5, rng=0), fnn.Tanh(), fnn.Dense(5, outputs, rng=1), *behind)


def figures(loss, y, outputs=4, *behind, plan=True, **options):
    """Figures of an epoch and of `evaluate`, and the trained parameters."""
    x = np.random.default_rng(7).standard_normal((len(y), 6), dtype=np.float32)
    with fnn.config(plan=plan):
        trainer = fnn.Trainer(network(outputs, *behind), loss, fnn.SGD(lr=0.3), seed=0)
        history = trainer.fit(x, y, batch_size=16, progress=False, validation_data=(x, y), epochs=2, **options)
        found = [{k: v for k, v in logs.items() if "second" not in k} for logs in history]
        assert trainer.evaluate(x, y, batch_size=11) == pytest.approx({k[4:]: v for k, v in found[-1].items() if "val_" in k})
    return found, trainer


def same(one, other):
    for a, b in zip(one, other, strict=True):
        assert list(a) == list(b)
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)


LABELS = np.random.default_rng(1).integers(0, 4, 45)
EYE = np.eye(4)[LABELS]


@pytest.mark.parametrize("plan", [True, False])
@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f4", "f8"])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"reduction": "sum"}])
def test_one_hot_targets_are_labels(kind, options, plan):
    found, trainer = figures(fnn.CrossEntropyLoss(**options), EYE.astype(kind), plan=plan)
    same(found, figures(fnn.CrossEntropyLoss(**options), LABELS, plan=plan)[0])
    assert "accuracy" in found[0] and "val_accuracy" in found[0]
    if plan:
        assert trainer._plan.loss_reason is None  # its loss is in the plan


@pytest.mark.parametrize("plan", [True, False])
def test_weights_and_ignored_classes(plan):
    options = {"weight": [1, 2, 3, 4], "ignore_index": 1}
    found, _ = figures(fnn.CrossEntropyLoss(**options), EYE.astype(int), plan=plan)
    same(found, figures(fnn.CrossEntropyLoss(**options), LABELS, plan=plan)[0])
    # Float targets are probabilities, whose mean is over items.
    found, trainer = figures(fnn.CrossEntropyLoss(weight=[1, 2, 3, 4]), EYE, plan=plan)
    assert "accuracy" in found[0]
    x = np.random.default_rng(7).standard_normal((45, 6), dtype=np.float32)
    expected = fnn.CrossEntropyLoss(weight=[1, 2, 3, 4])(trainer.predict(x), EYE)
    assert math.isclose(found[-1]["val_loss"], expected, rel_tol=1e-5)


def test_a_weight_given_between_epochs_counts():
    def weigh(trainer, logs):
        trainer.loss.weight = np.array([1.0, 2, 3, 4])

    plans = [figures(fnn.CrossEntropyLoss(), EYE, plan=plan, callbacks=[weigh])[0] for plan in (True, False)]
    same(*plans)


@pytest.mark.parametrize("plan", [True, False])
def test_log_probabilities(plan):
    found, _ = figures(fnn.NLLLoss(), EYE.astype(np.int32), 4, fnn.LogSoftmax(1), plan=plan)
    same(found, figures(fnn.CrossEntropyLoss(), LABELS, plan=plan)[0])


@pytest.mark.parametrize("plan", [True, False])
def test_probabilities_as_predictions(plan):
    for y in (LABELS, EYE, EYE.astype(bool)):
        found, trainer = figures(fnn.CrossEntropyLoss(from_logits=False), y, 4, fnn.Softmax(1), plan=plan)
        same(found, figures(fnn.CrossEntropyLoss(), LABELS, plan=plan)[0])
        assert not plan or trainer._plan.loss_reason is None


@pytest.mark.parametrize("loss", [fnn.MSELoss, fnn.L1Loss, fnn.BCEWithLogitsLoss])
def test_element_losses_count_hits_of_one_hot_targets(loss):
    planned, trainer = figures(loss(), EYE)
    same(planned, figures(loss(), EYE, plan=False)[0])
    assert trainer._plan.loss_reason is None
    x = np.random.default_rng(7).standard_normal((45, 6), dtype=np.float32)
    assert planned[-1]["val_accuracy"] == (trainer.predict(x).argmax(axis=1) == LABELS).mean()
    assert trainer._plan.hits == "one-hot" and trainer._plan.fits(x[:9], EYE[:9], 9)  # the plan serves steps too


def test_regressions_have_no_accuracy():
    y = EYE.copy()
    y[-1] = 0.5
    for plan in (True, False):
        found, _ = figures(fnn.MSELoss(), y, plan=plan)  # though the first batches look one-hot
        assert list(found[0]) == ["epoch", "loss", "val_loss"]
        found, _ = figures(fnn.MSELoss(), EYE[:, :1], 1, plan=plan)  # 0 and 1, but no binary loss
        assert list(found[0]) == ["epoch", "loss", "val_loss"]


BINARY = {"logits": (fnn.BCEWithLogitsLoss, (), 0.0), "probabilities": (fnn.BCELoss, (fnn.Sigmoid,), 0.5)}


@pytest.mark.parametrize("name", BINARY)
def test_binary_accuracy(name):
    make, behind, threshold = BINARY[name]
    y = (LABELS[:, None] % 2).astype(np.float32)
    planned, trainer = figures(make(), y, 1, *(layer() for layer in behind))
    same(planned, figures(make(), y, 1, *(layer() for layer in behind), plan=False)[0])
    assert trainer._plan.loss_reason is None
    x = np.random.default_rng(7).standard_normal((45, 6), dtype=np.float32)
    assert planned[-1]["val_accuracy"] == ((trainer.predict(x) > threshold) == (y == 1)).mean()
    y[3] = 0.9
    assert "accuracy" not in figures(make(), y, 1, *(layer() for layer in behind))[0][0]


def test_planes(rng):
    labels = rng.integers(0, 3, (20, 4, 5))
    one_hot = np.moveaxis(np.eye(3, dtype=int)[labels], -1, 1)
    x = rng.standard_normal((20, 2, 4, 5)).astype(np.float32)
    results = []
    for y in (labels, one_hot, one_hot.astype(np.float32)):
        for plan in (True, False):
            with fnn.config(plan=plan):
                trainer = fnn.Trainer(fnn.Sequential(fnn.Conv2d(2, 3, 1, rng=0)), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0)
                history = trainer.fit(x, y, batch_size=8, progress=False)
                results.append((history["loss"][0], history["accuracy"][0], *trainer.evaluate(x, y).values()))
    for result in results[1:]:
        assert result == pytest.approx(results[0], rel=1e-5)


@pytest.mark.parametrize("plan", [True, False])
def test_steps(plan):
    x = np.random.default_rng(7).standard_normal((45, 6), dtype=np.float32)
    with fnn.config(plan=plan):
        one, other = (fnn.Trainer(network(), fnn.CrossEntropyLoss(), fnn.SGD(), seed=0) for _ in range(2))
        for _ in range(3):
            assert one.step(x, EYE.astype(np.int8)) == other.step(x, LABELS)
        assert one.network.flat_params.tobytes() == other.network.flat_params.tobytes()
        assert (one._plan is not None) == plan
        wrong = EYE.astype(int)
        wrong[7, :2] = 1
        before = one.network.flat_params.copy()
        for train in (one.step, one.fit):
            with pytest.raises(ValueError, match=r"CrossEntropyLoss: expected one-hot targets.* at target\[7\]"):
                train(x, wrong)
        assert (one.network.flat_params == before).all()


def test_steps_refuse_targets_and_predictions_outside_0_to_1(rng):
    x, y = rng.standard_normal((20, 6), dtype=np.float32), rng.random((20, 2), dtype=np.float32)
    for plan in (True, False):
        with fnn.config(plan=plan):
            trainer = fnn.Trainer(network(2, fnn.Sigmoid()), fnn.BCELoss(), fnn.SGD())
            trainer.step(x, y)
            assert not plan or trainer._plan.loss_reason is None
            before, wrong = trainer.network.flat_params.copy(), y.copy()
            wrong[9, 1] = 1.5
            with pytest.raises(ValueError, match=r"BCELoss: expected targets in 0..1, got 1.5 at target\[9, 1\]"):
                trainer.step(x, wrong)
            assert (trainer.network.flat_params == before).all()
            trainer = fnn.Trainer(network(2), fnn.BCELoss(), fnn.SGD())
            with pytest.raises(ValueError, match=r"BCELoss: expected predictions in 0\.\.1, as Sigmoid gives them, got "):
                trainer.step(x, y)


def test_profiles():
    x = np.zeros((16, 6), np.float32)
    found = network().profile(x, EYE[:16].astype(int))
    assert found.path == "compiled plan" and any(
        row["pass"] == "loss" and row["name"] == "CrossEntropyLoss" for row in found.rows
    )


@pytest.mark.parametrize(
    "values,one_hot,binary",
    [
        ([[1, 0], [0, 1]], True, True),
        ([[True, False], [False, True]], True, True),
        ([[1.0, 0.0], [1.0, 1.0]], False, True),
        ([[0.5, 0.5]], False, False),
        ([[np.nan, 1.0]], False, False),
        ([["a", "b"]], False, False),
    ],
)
def test_what_targets_are(values, one_hot, binary):
    targets = Targets(np.array(values))
    assert (targets.is_one_hot, targets.is_binary) == (one_hot, binary)


def test_all_of_a_large_data_set_is_looked_at():
    values = np.tile(np.eye(2), (5000, 1))
    assert Targets(values).is_one_hot
    values[-1] = 1
    assert not Targets(values).is_one_hot


def test_counting_leaves_ignored_labels_out():
    prediction, labels = np.eye(3), np.array([0, 1, 1])
    assert count_hits("labels", fnn.CrossEntropyLoss(ignore_index=0), prediction, labels) == (1, 2)
    assert count_hits("one-hot", fnn.MSELoss(), prediction, np.eye(3)[labels]) == (2, 3)
