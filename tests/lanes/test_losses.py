"""Losses over lane blocks against `fastnn.losses`, metrics against the trainer's meter."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels._threads import BLOCKS, SAMPLES, START, STATUS, STEPS, run
from fastnn.kernels.gemm import EMPTY
from fastnn.kernels.lanes import losses
from fastnn.kernels.lanes.layout import CELLS, INDEX, Y, from_lanes, lanes_of, place_of, to_lanes
from fastnn.trainer import _Meter

SAMPLE_COUNTS = [1, 5, 16, 37]
LABEL_DTYPES = [np.int64, np.int32, np.uint8]


class Plan:
    """What the records of a loss share: cells, results, meters; and the batch in lanes."""

    def __init__(self, x, chunk=1, local=False, in_place=False, samples=None):
        self.samples, self.chunk, self.local = len(x) if samples is None else samples, chunk, local
        self.x = to_lanes(x)
        self.blocks = len(self.x)
        self.dx = self.x if in_place else np.full_like(self.x, np.nan)
        self.like = EMPTY[x.dtype]
        self.cells = np.zeros(CELLS, np.int64)
        self.cells[SAMPLES], self.cells[BLOCKS] = self.samples, self.blocks
        self.results, self.meters = np.full(losses.RESULTS, np.nan), np.zeros(losses.METERS)
        self.partial = np.full((self.blocks, 2), np.nan)
        self.places = place_of(self.dx), place_of(self.x)

    def aim(self, target, order=None, start=0):
        self.target, self.order = target, order
        self.cells[Y], self.cells[START] = target.ctypes.data, start
        self.cells[INDEX] = 0 if order is None else order.ctypes.data

    def run(self, *phases, threads=1):
        with fastnn.threads(threads):
            run(list(phases), 64)
        return from_lanes(self.dx, self.samples)

    def labels(self, kernel, weight, ignore_index, mean, label_smoothing=None, threads=1, eps=None):
        C, like, target_like = self.x.shape[-2], self.like, np.empty(0, self.target.dtype)
        smoothing = [option for option in (label_smoothing, eps) if option is not None]
        options = *smoothing, ignore_index, mean, self.partial, self.results, self.cells
        return self.run(
            losses.check_labels.phase((target_like, weight, C, ignore_index, self.results, self.cells), 1),
            kernel.phase((like, target_like, *self.places, C, weight, *options), self.blocks, self.chunk),
            self.finish(mean),
            threads=threads,
        )

    def elements(self, kernel, mean, *settings, threads=1, threshold=None):
        features, size = self.x.shape[-2], self.x[0, ..., 0].size
        args = self.like, *self.places, features, size // features, *settings, mean, self.partial, self.cells
        phases = [kernel.phase(args, self.blocks, self.chunk)]
        if threshold is not None:
            args = self.like, self.places[1], features, threshold, self.partial, self.cells
            phases.append(losses.count_hits.phase(args, self.blocks, self.chunk))
        return self.run(*phases, self.finish(mean, size, int(threshold is not None)), threads=threads)

    def finish(self, mean, elements=0, counted=0):
        args = self.partial, self.results, self.meters, self.cells, mean, elements, counted
        return losses.finish_loss.phase(args, 1)


def check(plan, dx, loss, x, target, assert_close):
    """Loss, gradient and figures as those of the layer path."""
    value = loss(x, target)
    meter = _Meter()
    meter.add(value, loss, x, target)
    assert_close(dx, loss.backward())
    padding = np.moveaxis(plan.dx, -1, 1).reshape(-1, *plan.dx.shape[1:-1])[plan.samples :]
    assert not padding.any()
    rtol = 1e-12 if x.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(plan.results[losses.LOSS], value, rtol)
    np.testing.assert_allclose(plan.results[losses.DIVISOR], loss.divisor, 1e-14)
    expected = meter.total, meter.weight, meter.hits, meter.labels
    np.testing.assert_allclose(plan.meters, expected, rtol)
    assert plan.cells[STEPS] == 1


def logits_and_labels(rng, dtype, samples, classes, labels=np.int64):
    x = (3 * rng.standard_normal((samples, classes))).astype(dtype)
    return x, rng.integers(0, classes, samples).astype(labels)


# weighted, label smoothing, ignore_index, reduction
CLASS_OPTIONS = {
    "plain": (False, 0.0, -100, "mean"),
    "sum": (False, 0.0, -100, "sum"),
    "smoothed": (True, 0.2, -100, "mean"),
    "ignoring": (True, 0.1, 1, "mean"),
}


@pytest.mark.parametrize("samples", SAMPLE_COUNTS)
@pytest.mark.parametrize("classes", [2, 10, 33])
@pytest.mark.parametrize("case", CLASS_OPTIONS)
def test_cross_entropy(rng, case, classes, samples, dtype, assert_close):
    weighted, smoothing, ignore_index, reduction = CLASS_OPTIONS[case]
    x, y = logits_and_labels(rng, dtype, samples, classes, LABEL_DTYPES[classes % 3])
    weight = rng.random(classes) if weighted else None
    loss = fastnn.CrossEntropyLoss(weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=smoothing)
    plan = Plan(x, chunk=samples % 3 + 1)
    plan.aim(y)
    weight = np.ones(classes, dtype) if weight is None else weight.astype(dtype)
    dx = plan.labels(losses.cross_entropy, weight, ignore_index, int(reduction == "mean"), smoothing)
    check(plan, dx, loss, x, y, assert_close)


@pytest.mark.parametrize("samples", SAMPLE_COUNTS)
@pytest.mark.parametrize("case", ["plain", "sum", "ignoring"])
def test_nll(rng, case, samples, dtype, assert_close):
    weighted, _, ignore_index, reduction = CLASS_OPTIONS[case]
    x, y = logits_and_labels(rng, dtype, samples, 7)
    weight = rng.random(7) if weighted else None
    loss = fastnn.NLLLoss(weight, ignore_index=ignore_index, reduction=reduction)
    plan = Plan(x, chunk=3)
    plan.aim(y)
    weight = np.ones(7, dtype) if weight is None else weight.astype(dtype)
    dx = plan.labels(losses.nll, weight, ignore_index, int(reduction == "mean"))
    check(plan, dx, loss, x, y, assert_close)


@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_infinities_nan_and_ties(name, dtype, assert_close):
    inf, nan = np.inf, np.nan
    rows = [[inf, 0, 1], [nan, 0, 1], [0, 1, nan], [-inf, 0, 1], [-inf] * 3, [inf, inf, 0], [nan, inf, nan], [1e30, 0, -1e30]]
    rows += [[1, 1, 1], [0, 2, 2], [2, 0, 2], [-0.0, 0.0, -0.0]]
    x = np.repeat(np.array(rows, dtype), 4, axis=0)
    y = np.tile([0, 1, 2, -100], len(rows))
    for smoothing in (0.0, 0.1) if name == "cross_entropy" else (None,):
        options = {} if smoothing is None else {"label_smoothing": smoothing}
        loss = {"cross_entropy": fastnn.CrossEntropyLoss, "nll": fastnn.NLLLoss}[name](**options)
        plan = Plan(x)
        plan.aim(y)
        check(plan, plan.labels(getattr(losses, name), np.ones(3, dtype), -100, 1, smoothing), loss, x, y, assert_close)


def test_one_class_is_certain(rng, dtype):
    plan = Plan(rng.standard_normal((5, 1)).astype(dtype))
    plan.aim(np.zeros(5, np.int64))
    assert not plan.labels(losses.cross_entropy, np.ones(1, dtype), -100, 1, 0.0).any()
    assert plan.results[losses.LOSS] == 0 and plan.results[losses.HITS] == 5


def test_all_ignored_gives_nan_and_gradients_of_zero(rng, dtype):
    x = rng.standard_normal((5, 3)).astype(dtype)
    plan = Plan(x)
    plan.aim(np.full(5, -100))
    dx = plan.labels(losses.cross_entropy, np.ones(3, dtype), -100, 1, 0.0)
    assert not dx.any() and np.isnan(plan.results[losses.LOSS]) and not plan.meters.any()


@pytest.mark.parametrize("labels", LABEL_DTYPES)
def test_labels_of_a_batch_inside_a_shuffled_data_set(rng, labels, dtype, assert_close):
    x, _ = logits_and_labels(rng, dtype, 21, 4)
    y = rng.integers(0, 4, 100).astype(labels)
    for order in (None, rng.permutation(100)):
        plan = Plan(x)
        plan.aim(y, order, start=30)
        dx = plan.labels(losses.cross_entropy, np.ones(4, dtype), -100, 1, 0.0)
        check(plan, dx, fastnn.CrossEntropyLoss(), x, (y if order is None else y[order])[30:51], assert_close)


@pytest.mark.parametrize("wrong", [-1, 4, -(2**40)])
def test_a_wrong_label_sets_the_status(rng, wrong, dtype):
    y = np.array([0, 1, 2, -100, 3, wrong])
    plan = Plan(np.zeros((6, 4), dtype))
    plan.aim(y)
    args = EMPTY[np.dtype(np.float64)], np.ones(4), 4, -100, plan.results, plan.cells
    run([losses.check_labels.phase((np.empty(0, np.int64), *args[1:]), 1)])
    assert plan.cells[STATUS] == 1
    plan.cells[STATUS], plan.cells[SAMPLES] = 0, 5  # the wrong one is not in the batch
    run([losses.check_labels.phase((np.empty(0, np.int64), *args[1:]), 1)])
    assert plan.cells[STATUS] == 0
    assert list(plan.results[[losses.DIVISOR, losses.KEPT]]) == [4, 4]


@pytest.mark.parametrize("samples", SAMPLE_COUNTS)
@pytest.mark.parametrize("classes", [2, 10, 33])
@pytest.mark.parametrize("case", CLASS_OPTIONS)
@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_log_loss(rng, eps, case, classes, samples, dtype, assert_close):
    weighted, smoothing, ignore_index, reduction = CLASS_OPTIONS[case]
    x, y = rng.random((samples, classes)).astype(dtype), rng.integers(0, classes, samples)
    weight = rng.random(classes) if weighted else None
    if weighted:
        weight[0] = 0
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": smoothing}
    loss = fastnn.CrossEntropyLoss(weight, from_logits=False, eps=eps, **options)
    plan = Plan(x, chunk=samples % 3 + 1)
    plan.aim(y)
    weight = np.ones(classes, dtype) if weight is None else weight.astype(dtype)
    dx = plan.labels(losses.log_loss, weight, ignore_index, int(reduction == "mean"), smoothing, eps=eps)
    check(plan, dx, loss, x, y, assert_close)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_log_loss_at_the_ends(smoothing, dtype, assert_close):
    rows = [[0, 1, 0], [np.nan, 0.5, 0.5], [-0.1, 0.6, 0.5], [1, np.inf, 0], [1e-30, 1, 0], [0, 0, 0]]
    x = np.repeat(np.array(rows, dtype), 4, axis=0)
    y = np.tile([0, 1, 2, -100], len(rows))
    for weight in (None, [1, 0, 2]):
        for row in range(len(x)):
            loss = fastnn.CrossEntropyLoss(weight, from_logits=False, label_smoothing=smoothing, reduction="sum")
            plan = Plan(x[row : row + 1])
            plan.aim(y[row : row + 1])
            given = np.ones(3, dtype) if weight is None else np.array(weight, dtype)
            dx = plan.labels(losses.log_loss, given, -100, 0, smoothing, eps=0.0)
            check(plan, dx, loss, x[row : row + 1], y[row : row + 1], assert_close)


# kernel, its settings, the loss
ELEMENT_LOSSES = {
    "mse": (losses.mse, (1.0,), fastnn.MSELoss, {}),
    "mse with a factor": (losses.mse, (0.3,), fastnn.MSELoss, {"factor": 0.3}),
    "l1": (losses.huber, (0.0, 1.0, 1.0), fastnn.L1Loss, {}),
    "huber": (losses.huber, (0.7, 0.7, 1.0), fastnn.HuberLoss, {"delta": 0.7}),
    "smooth l1": (losses.huber, (0.7, 1.0, 0.7), fastnn.SmoothL1Loss, {"beta": 0.7}),
}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(1,), (19,), (3, 5), (4, 3, 2)])
@pytest.mark.parametrize("samples", SAMPLE_COUNTS)
@pytest.mark.parametrize("name", ELEMENT_LOSSES)
def test_element_losses(rng, name, samples, shape, reduction, dtype, assert_close):
    kernel, settings, loss, options = ELEMENT_LOSSES[name]
    x, y = rng.standard_normal((2, samples, *shape)).astype(dtype)
    plan = Plan(x, chunk=3, in_place=samples % 2)
    plan.aim(y)
    dx = plan.elements(kernel, int(reduction == "mean"), *settings)
    check(plan, dx, loss(reduction=reduction, **options), x, y, assert_close)


@pytest.mark.parametrize("samples", SAMPLE_COUNTS)
@pytest.mark.parametrize("classes", [2, 10])
def test_hits_of_one_hot_targets(rng, classes, samples, dtype, assert_close):
    x, y = (
        rng.standard_normal((samples, classes)).astype(dtype),
        np.eye(classes, dtype=dtype)[rng.integers(0, classes, samples)],
    )
    x[::3] = np.round(x[::3])  # ties
    x[1::5, 1] = np.nan
    plan = Plan(x, chunk=2)
    plan.aim(y)
    check(plan, plan.elements(losses.mse, 1, 1.0, threshold=0.0), fastnn.MSELoss(), x, y, assert_close)


@pytest.mark.parametrize("samples", SAMPLE_COUNTS)
def test_hits_of_binary_targets(rng, samples, dtype, assert_close):
    y, none = rng.integers(0, 2, (samples, 1)).astype(dtype), EMPTY[dtype]
    for loss, kernel, threshold, weights in (
        (fastnn.BCELoss(), losses.bce, 0.5, [none]),
        (fastnn.BCEWithLogitsLoss(), losses.bce_with_logits, 0.0, [none, none]),
    ):
        x = (threshold + rng.uniform(-0.4, 0.4, (samples, 1))).astype(dtype)
        x[::4] = threshold
        x[3::4] = np.nan
        plan = Plan(x, chunk=2)
        plan.aim(y)
        check(plan, plan.elements(kernel, 1, *weights, threshold=threshold), loss, x, y, assert_close)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.nan, np.inf])
def test_a_target_outside_0_to_1_sets_the_status(rng, wrong, dtype):
    y = rng.random((6, 5)).astype(dtype)
    y[0, :2] = 0, 1
    plan = Plan(np.zeros((6, 5), dtype))
    plan.aim(y)
    phase = losses.check_range.phase((plan.like, 5, plan.cells), 1)
    run([phase])
    assert plan.cells[STATUS] == 0
    y[5, 3] = wrong
    run([phase])
    assert plan.cells[STATUS] == 1
    plan.cells[STATUS], plan.cells[SAMPLES] = 0, 5  # the wrong one is not in the batch
    run([phase])
    assert plan.cells[STATUS] == 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(1,), (19,), (4, 3, 2)])
@pytest.mark.parametrize("case", ["plain", "weight"])
def test_bce(rng, case, shape, reduction, dtype, assert_close):
    x, y = rng.random((2, 37, *shape)).astype(dtype)
    x[::3], y[::3] = np.round(x[::3]), rng.integers(0, 2, y[::3].shape)
    weight = rng.random(shape) if case == "weight" else None
    plan = Plan(x, in_place=shape == (19,))
    plan.aim(y)
    dx = plan.elements(losses.bce, int(reduction == "mean"), losses.element_weights(weight, shape, dtype))
    check(plan, dx, fastnn.BCELoss(weight, reduction=reduction), x, y, assert_close)


BCE_WEIGHTS = {
    "plain": (None, None),
    "weight": (lambda rng, shape: rng.random(shape), None),
    "pos_weight": (None, lambda rng, shape: rng.random((shape[0],) + (1,) * (len(shape) - 1))),
    "both": (lambda rng, shape: np.array(0.5), lambda rng, shape: rng.random((1, *shape))),
}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(1,), (19,), (4, 3, 2)])
@pytest.mark.parametrize("case", BCE_WEIGHTS)
def test_bce_with_logits(rng, case, shape, reduction, dtype, assert_close):
    x, y = (10 * rng.standard_normal((37, *shape))).astype(dtype), rng.random((37, *shape)).astype(dtype)
    y[::3] = rng.integers(0, 2, y[::3].shape)
    weights = [make and make(rng, shape) for make in BCE_WEIGHTS[case]]
    loss = fastnn.BCEWithLogitsLoss(weights[0], pos_weight=weights[1], reduction=reduction)
    plan = Plan(x, in_place=shape == (19,))
    plan.aim(y)
    kept = [losses.element_weights(weight, shape, dtype) for weight in weights]
    dx = plan.elements(losses.bce_with_logits, int(reduction == "mean"), *kept)
    check(plan, dx, loss, x, y, assert_close)


def test_element_losses_with_infinities_and_nan(dtype, assert_close):
    values = [0, -0.0, 1, np.inf, -np.inf, np.nan, 1e30, -1e30, 100, -100]
    x, y = (np.ascontiguousarray(a.reshape(-1, 1), dtype) for a in np.meshgrid(values, [0, 1, 0.5]))
    none = EMPTY[dtype]
    cases = {**ELEMENT_LOSSES, "bce_with_logits": (losses.bce_with_logits, (none, none), fastnn.BCEWithLogitsLoss, {})}
    for name, (kernel, settings, loss, options) in cases.items():
        for row in range(len(x)):
            plan = Plan(x[row : row + 1])
            plan.aim(y[row : row + 1])
            dx = plan.elements(kernel, 0, *settings, threshold=0.0 if "bce" in name and y[row, 0] != 0.5 else None)
            check(plan, dx, loss(reduction="sum", **options), x[row : row + 1], y[row : row + 1], assert_close)
    x = np.array([[np.nan], [0], [1]], dtype)
    plan = Plan(x)
    plan.aim(np.ones_like(x))
    check(
        plan,
        plan.elements(losses.bce, 0, none, threshold=0.5),
        fastnn.BCELoss(reduction="sum"),
        x,
        np.ones_like(x),
        assert_close,
    )


def test_small_binary_losses_are_relatively_accurate(dtype):
    x, y = np.linspace(-40, -1, 64).astype(dtype).reshape(-1, 1), np.zeros((64, 1), dtype)
    for row in range(64):
        plan = Plan(x[row : row + 1])
        plan.aim(y)
        plan.elements(losses.bce_with_logits, 0, EMPTY[dtype], EMPTY[dtype])
        expected = np.log1p(np.exp(np.float64(x[row, 0])))
        np.testing.assert_allclose(plan.results[losses.LOSS], expected, 8 * np.finfo(dtype).eps)


def test_weights_that_differ_between_samples_are_refused():
    with pytest.raises(ValueError, match="one weight for all samples"):
        losses.element_weights(np.ones((5, 3)), (3,), np.float64)


def test_targets_of_a_batch_inside_a_shuffled_data_set(rng, dtype, assert_close):
    x, y = rng.random((21, 3)).astype(dtype), rng.random((100, 3)).astype(dtype)
    order = rng.permutation(100)
    plan = Plan(x)
    plan.aim(y, order, start=30)
    check(plan, plan.elements(losses.mse, 1, 1.0), fastnn.MSELoss(), x, y[order][30:51], assert_close)


def test_local_places(rng, dtype, assert_close):
    # x written to scratch memory is not to be had from outside; an MSE of what lies there, zeros, tells where it looks.
    lanes = lanes_of(dtype)
    y = rng.random((3 * lanes, 2)).astype(dtype)
    plan = Plan(np.zeros_like(y), chunk=3)
    plan.aim(y)
    scratch_step = plan.x[0].nbytes
    moved = place_of(plan.dx), (0, scratch_step, 1)
    args = plan.like, *moved, 2, 1, 1.0, 0, plan.partial, plan.cells
    fill = losses.mse.phase((plan.like, moved[1], place_of(plan.x), 2, 1, 1.0, 0, plan.partial, plan.cells), plan.blocks, 3)
    back = losses.mse.phase(args, plan.blocks, 3)
    run([fill, back], 3 * scratch_step, parallel=False)
    # first 2 * (0 - y), left in scratch; then 2 * (2 * (0 - y) - y)
    assert_close(from_lanes(plan.dx, len(y)), -6 * y)


def test_same_bits_with_any_number_of_threads(rng, dtype):
    x, y = logits_and_labels(rng, dtype, 1000, 10)
    found = []
    for threads in (1, 2, 3):
        plan = Plan(x)
        plan.aim(y)
        dx = plan.labels(losses.cross_entropy, np.ones(10, dtype), -100, 1, 0.1, threads=threads)
        found.append(dx.tobytes() + plan.results.tobytes() + plan.meters.tobytes())
    assert found[0] == found[1] == found[2]


def test_meters_add_up_over_batches(rng, dtype):
    x, y = logits_and_labels(rng, dtype, 40, 5)
    weight = rng.random(5)
    loss, meter = fastnn.CrossEntropyLoss(weight), _Meter()
    meters = np.zeros(losses.METERS)
    for low, high in ((0, 16), (16, 32), (32, 40)):
        plan = Plan(x[low:high])
        plan.meters = meters
        plan.aim(y, start=low)
        plan.labels(losses.cross_entropy, weight.astype(dtype), -100, 1, 0.0)
        meter.add(loss(x[low:high], y[low:high]), loss, x[low:high], y[low:high])
    total, divisor, hits, labels = meters
    assert meter.figures() == pytest.approx({"loss": total / divisor, "accuracy": hits / labels}, rel=1e-6)
