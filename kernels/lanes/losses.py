"""Losses over lane blocks, with their gradients, and the sums that a plan reports.   C classes, or features of a sample.

    check_labels     one item: labels in range, what the mean divides by
    check_range      one item: targets in 0..1
    cross_entropy    logits against labels             nll                log-probabilities against labels
    log_loss         probabilities against labels
    mse              squared differences               huber              a parabola, then straight lines
    bce              probabilities against 0..1        bce_with_logits    logits against values in 0..1
    count_hits       correct predictions of a loss by elements, whose targets are one-hot, or 0 and 1
    element_weights  (NumPy) weights of the binary losses in the order of a block
    finish_loss      one item: loss of the batch, sums over batches, the step counted

A loss kernel writes dx, the gradient with the reduction's factor in it and 0 in the lanes beyond the batch, and for each block
``partial[b] = (sum of the loss terms, correct predictions)``. Labels or targets lie sample by sample at the address in cell Y;
those of sample n are number START + n, or, where cell INDEX is not 0, the one that the int64 array at that address names.

Formulas and treatment of infinities and NaN are those of `fastnn.losses`. `mean` is 1 for the mean, 0 for the sum.
"""

import numpy as np

from .._jit import jit
from .._kernel import kernel
from .._losses import bce as bce_of_element
from .._losses import bce_with_logits as bce_with_logits_of_element
from .._math import exp_nonpositive, log
from .._threads import BLOCKS, SAMPLES, START, STATUS, STEPS
from ..simd import VECTOR_BYTES, array_at, pointer
from .layout import INDEX, Y, lanes_in, locate
from .vectors import below, count, lane_array, load, load_array, select, splat, store, store_array, total, widen

# Words of `results`: of the batch. KEPT counts the labels that are not ignored.
LOSS, DIVISOR, KEPT, HITS, RESULTS = range(5)
# Words of `meters`: sums over batches, as the trainer's meter takes them.
TOTAL, WEIGHT, CORRECT, LABELS, METERS = range(5)

_ENDLESS = 2**60  # length of arrays whose end is not known here


@jit
def _sample(cells, n):
    """Number in the data set of sample n of the batch; those beyond the batch are its last."""
    n = cells[START] + min(n, cells[SAMPLES] - 1)
    if cells[INDEX] != 0:
        return array_at(pointer(cells, 0), cells[INDEX], n + 1)[n]
    return n


@jit
def _targets(like, cells):
    return array_at(pointer(like, 0), cells[Y], _ENDLESS)


@kernel(mixed=True)
def check_labels(target_like, weight, classes, ignore_index, results, cells, first, last):
    """Set STATUS unless all labels are in 0..classes-1 or ignored; add up what the mean divides by and how many are kept."""
    targets, total, kept = _targets(target_like, cells), 0.0, 0
    for n in range(cells[SAMPLES]):
        t = np.int64(targets[_sample(cells, n)])
        if t == ignore_index:
            continue
        if t < 0 or t >= classes:
            cells[STATUS] = 1
            return
        total += np.float64(weight[t])
        kept += 1
    results[DIVISOR], results[KEPT] = total, np.float64(kept)


@kernel()
def check_range(like, size, cells, first, last):
    """Set STATUS unless the targets of `size` elements of each sample are in 0..1."""
    targets, low, high = _targets(like, cells), like.dtype.type(0), like.dtype.type(1)
    for n in range(cells[SAMPLES]):
        row = targets[size * _sample(cells, n) : size * (_sample(cells, n) + 1)]
        wrong = 0
        for i in range(row.size):
            wrong += not (low <= row[i] <= high)
        if wrong:
            cells[STATUS] = 1
            return


@jit
def _factor(mean, divisor):
    """What the reduction multiplies gradients with; over nothing the mean is NaN, its gradient 0."""
    if mean == 0:
        return 1.0
    return 1.0 / divisor if divisor != 0 else 0.0


@jit(inline="always")
def _read_labels(labels, item_weights, target_like, weight, ignore_index, block, cells):
    """Labels of a block as floats, -1 for those that count nothing, and their weights, 0 then."""
    targets, samples = _targets(target_like, cells), cells[SAMPLES] - block * labels.size
    for i in range(labels.size):
        t = np.int64(targets[_sample(cells, block * labels.size + i)])
        kept = i < samples and t != ignore_index
        labels[i] = t if kept else -1
        item_weights[i] = weight[t] if kept else 0


@jit
def _find_largest(like, block, classes, labels):
    """Of each lane: the largest value (NaN counts as such), the first class that has it, and the value of the label."""
    largest, found, picked = splat(like, -np.inf), splat(like, 0), splat(like, 0)
    for c in range(classes):
        v, here = load(like, block + c * VECTOR_BYTES), splat(like, c)
        larger = ~(v <= largest) & (largest == largest)
        found, largest = select(larger, here, found), select(larger, v, largest)
        picked = select(labels == here, v, picked)
    return largest, found, picked


@kernel(mixed=True)
def cross_entropy(
    like,
    target_like,
    dx,
    x,
    classes,
    weight,
    label_smoothing,
    ignore_index,
    mean,
    partial,
    results,
    cells,
    first,
    last,
    scratch,
):
    """`fastnn.CrossEntropyLoss` with labels; x and dx must not be the same."""
    real, zero = like.dtype.type, like.dtype.type(0)
    factor = real(_factor(mean, results[DIVISOR]))
    sharp, smooth = real(1 - label_smoothing), real(label_smoothing / classes)
    smoothed_total = zero
    for c in range(classes):
        smoothed_total += smooth * weight[c]
    lane_labels, lane_weights, lane_sums = lane_array(like, like), lane_array(like, like), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        _read_labels(lane_labels, lane_weights, target_like, weight, ignore_index, b, cells)
        labels, shares = load_array(lane_labels), sharp * load_array(lane_weights)
        largest, found, picked = _find_largest(like, x_b, classes, labels)
        for c in range(classes):
            store(dx_b + c * VECTOR_BYTES, load(like, x_b + c * VECTOR_BYTES) - largest)
        dots = splat(like, 0)
        if label_smoothing > 0:
            for c in range(classes):
                dots += weight[c] * load(like, dx_b + c * VECTOR_BYTES)
        exponentials = array_at(pointer(like, 0), dx_b, classes * lanes_in(like))
        for i in range(exponentials.size):
            exponentials[i] = exp_nonpositive(exponentials[i])
        sums = splat(like, 0)
        for c in range(classes):
            sums += load(like, dx_b + c * VECTOR_BYTES)
        scales, kept = (shares + smoothed_total) / sums, labels >= zero
        for c in range(classes):
            p = load(like, dx_b + c * VECTOR_BYTES)
            slope = p * scales - smooth * weight[c] - select(labels == real(c), shares, zero)
            store(dx_b + c * VECTOR_BYTES, select(kept, slope * factor, zero))
        store_array(lane_sums, sums)
        for i in range(min(lane_sums.size, exponentials.size)):  # of constant length it would be unrolled, not vectorised
            lane_sums[i] = log(lane_sums[i])
        log_totals = load_array(lane_sums)
        terms = shares * (log_totals - (picked - largest))
        if label_smoothing > 0:
            terms += log_totals * smoothed_total - smooth * dots
        partial[b, 0], partial[b, 1] = total(select(kept, terms, zero)), count(found == labels)


@kernel(mixed=True)
def nll(like, target_like, dx, x, classes, weight, ignore_index, mean, partial, results, cells, first, last, scratch):
    """`fastnn.NLLLoss`; x and dx must not be the same."""
    real, zero = like.dtype.type, like.dtype.type(0)
    factor = _factor(mean, results[DIVISOR])
    lane_labels, lane_weights = lane_array(like, like), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        _read_labels(lane_labels, lane_weights, target_like, weight, ignore_index, b, cells)
        labels, weights = load_array(lane_labels), load_array(lane_weights)
        _, found, picked = _find_largest(like, x_b, classes, labels)
        for i in range(lane_weights.size):
            lane_weights[i] = real(-np.float64(lane_weights[i]) * factor)
        slopes = load_array(lane_weights)
        for c in range(classes):
            store(dx_b + c * VECTOR_BYTES, select(labels == real(c), slopes, zero))
        terms = select(labels >= zero, zero - weights * picked, zero)
        partial[b, 0], partial[b, 1] = total(terms), count(found == labels)


@kernel(mixed=True)
def log_loss(
    like,
    target_like,
    dx,
    x,
    classes,
    weight,
    label_smoothing,
    eps,
    ignore_index,
    mean,
    partial,
    results,
    cells,
    first,
    last,
    scratch,
):
    """`fastnn.CrossEntropyLoss` of probabilities, with labels; x and dx must not be the same."""
    real, zero = like.dtype.type, like.dtype.type(0)
    factor, small = real(_factor(mean, results[DIVISOR])), real(eps)
    sharp, smooth = real(1 - label_smoothing), real(label_smoothing / classes)
    lane_labels, lane_weights, logs = lane_array(like, like), lane_array(like, like), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        _read_labels(lane_labels, lane_weights, target_like, weight, ignore_index, b, cells)
        labels, shares = load_array(lane_labels), sharp * load_array(lane_weights)
        _, found, picked = _find_largest(like, x_b, classes, labels)
        kept, terms = labels >= zero, splat(like, 0)
        store_array(logs, picked + small)
        for i in range(min(logs.size, classes * logs.size)):  # see `cross_entropy`
            logs[i] = log(logs[i])
        terms = terms - select(shares == zero, zero, shares * load_array(logs))  # no share, no NaN of a log that is infinite
        for c in range(classes):
            share = smooth * weight[c]
            shifted, q = load(like, x_b + c * VECTOR_BYTES) + small, select(labels == real(c), shares, zero) + share
            store(dx_b + c * VECTOR_BYTES, select(kept & ~(q == zero), zero - q / shifted * factor, zero))
            if share != 0:
                store_array(logs, shifted)
                for i in range(min(logs.size, classes * logs.size)):
                    logs[i] = log(logs[i])
                terms = terms - share * load_array(logs)
        partial[b, 0], partial[b, 1] = total(select(kept, terms, zero)), count(found == labels)


@jit(inline="always")
def _locate_targets(starts, size, block, cells):
    """Where each lane's targets of `size` elements begin, in elements."""
    for i in range(starts.size):
        starts[i] = size * _sample(cells, block * starts.size + i)


@jit(inline="always")
def _read_targets(row, targets, starts, element):
    """One element of each lane's targets."""
    for i in range(row.size):
        row[i] = targets[starts[i] + element]


@jit(inline="always")
def _vectorised(lanes, some):
    """`lanes`, as the bound of a loop with logarithms in it; `some` is any number above 0.

    A loop over few lanes, if LLVM knew their number, would be unrolled instead of vectorised.
    """
    return lanes if lanes >= 16 else min(lanes, some * lanes)


@kernel(mixed=True)
def mse(like, dx, x, features, positions, weight, mean, partial, cells, first, last, scratch):
    """`fastnn.MSELoss`, `weight` its factor; dx may be x."""
    real, size = like.dtype.type, features * positions
    factor = real(2 * weight * _factor(mean, np.float64(cells[SAMPLES] * size)))
    starts, row = lane_array(like, cells), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        targets, kept = _targets(like, cells), below(like, cells[SAMPLES] - b * row.size)
        _locate_targets(starts, size, b, cells)
        sums = widen(splat(like, 0))
        for p in range(positions):
            for c in range(features):
                at = (p * features + c) * VECTOR_BYTES
                _read_targets(row, targets, starts, c * positions + p)
                difference = select(kept, load(like, x_b + at) - load_array(row), real(0))
                sums += widen(difference * difference)
                store(dx_b + at, difference * factor)
        partial[b, 0], partial[b, 1] = weight * total(sums), 0


@kernel(mixed=True)
def huber(like, dx, x, features, positions, width, slope, divisor, mean, partial, cells, first, last, scratch):
    """`fastnn.L1Loss`, `HuberLoss` and `SmoothL1Loss`, as ``kernels.losses.huber_forward``; dx may be x."""
    real, zero, half, size = like.dtype.type, like.dtype.type(0), like.dtype.type(0.5), features * positions
    factor = real(_factor(mean, np.float64(cells[SAMPLES] * size)))
    width, slope, divisor = real(width), real(slope), real(divisor)
    starts, row = lane_array(like, cells), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        targets, kept = _targets(like, cells), below(like, cells[SAMPLES] - b * row.size)
        _locate_targets(starts, size, b, cells)
        sums = widen(splat(like, 0))
        for p in range(positions):
            for c in range(features):
                at = (p * features + c) * VECTOR_BYTES
                _read_targets(row, targets, starts, c * positions + p)
                difference = select(kept, load(like, x_b + at) - load_array(row), zero)
                magnitude = select(difference < zero, zero - difference, difference)
                inside, inner = magnitude < width, difference / splat(like, divisor)
                outer = select(difference < zero, -slope, select(zero < difference, slope, difference))
                terms = select(inside, half * difference * inner, slope * (magnitude - half * width))
                sums += widen(select(kept, terms, zero))
                store(dx_b + at, select(inside, inner, outer) * factor)
        partial[b, 0], partial[b, 1] = total(sums), 0


@kernel(mixed=True)
def bce(like, dx, x, features, positions, weight, mean, partial, cells, first, last, scratch):
    """`fastnn.BCELoss`, its weights those of `element_weights`; dx may be x."""
    real, zero, one, size = like.dtype.type, like.dtype.type(0), like.dtype.type(1), features * positions
    factor = real(_factor(mean, np.float64(cells[SAMPLES] * size)))
    starts, row, slopes = lane_array(like, cells), lane_array(like, like), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        targets, kept = _targets(like, cells), below(like, cells[SAMPLES] - b * row.size)
        _locate_targets(starts, size, b, cells)
        sums = widen(splat(like, 0))
        for p in range(positions):
            for c in range(features):
                element = p * features + c
                at = element * VECTOR_BYTES
                item_weight = weight[element] if weight.size else one
                _read_targets(row, targets, starts, c * positions + p)
                store_array(slopes, load(like, x_b + at))
                for i in range(_vectorised(row.size, size)):
                    row[i], slopes[i] = bce_of_element(slopes[i], row[i])
                sums += widen(select(kept, load_array(row) * item_weight, zero))
                store(dx_b + at, select(kept, load_array(slopes) * item_weight * factor, zero))
        partial[b, 0], partial[b, 1] = total(sums), 0


@kernel(mixed=True)
def bce_with_logits(like, dx, x, features, positions, weight, pos_weight, mean, partial, cells, first, last, scratch):
    """`fastnn.BCEWithLogitsLoss`, its weights those of `element_weights`; dx may be x."""
    real, zero, one, size = like.dtype.type, like.dtype.type(0), like.dtype.type(1), features * positions
    factor = real(_factor(mean, np.float64(cells[SAMPLES] * size)))
    starts, row, slopes = lane_array(like, cells), lane_array(like, like), lane_array(like, like)
    for b in range(first, last):
        x_b, dx_b = locate(x, b, first, scratch), locate(dx, b, first, scratch)
        targets, kept = _targets(like, cells), below(like, cells[SAMPLES] - b * row.size)
        _locate_targets(starts, size, b, cells)
        sums = widen(splat(like, 0))
        for p in range(positions):
            for c in range(features):
                element = p * features + c
                at = element * VECTOR_BYTES
                item_weight = weight[element] if weight.size else one
                positive_weight = pos_weight[element] if pos_weight.size else one
                _read_targets(row, targets, starts, c * positions + p)
                store_array(slopes, load(like, x_b + at))
                for i in range(_vectorised(row.size, size)):
                    row[i], slopes[i] = bce_with_logits_of_element(slopes[i], row[i], positive_weight * row[i])
                sums += widen(select(kept, load_array(row) * item_weight, zero))
                store(dx_b + at, select(kept, load_array(slopes) * item_weight * factor, zero))
        partial[b, 0], partial[b, 1] = total(sums), 0


@kernel(mixed=True)
def count_hits(like, x, features, threshold, partial, cells, first, last, scratch):
    """Behind a loss by elements: where targets are one-hot, how many the largest prediction meets.

    With one feature, whose targets are 0 and 1: how often the prediction is above `threshold` where the target is 1 only.
    """
    starts, row = lane_array(like, cells), lane_array(like, like)
    half, limit = like.dtype.type(0.5), like.dtype.type(threshold)
    for b in range(first, last):
        x_b, targets = locate(x, b, first, scratch), _targets(like, cells)
        _locate_targets(starts, features, b, cells)
        labels = splat(like, 0)
        for c in range(features):
            _read_targets(row, targets, starts, c)
            labels = select(half < load_array(row), splat(like, c + (features == 1)), labels)
        found = select(limit < load(like, x_b), splat(like, 1), splat(like, 0))
        if features > 1:
            _, found, _ = _find_largest(like, x_b, features, labels)
        partial[b, 1] = count((found == labels) & below(like, cells[SAMPLES] - b * row.size))


def element_weights(weight, shape, dtype):
    """Weights for each element of a sample of `shape` (C, ...), in the order of a block; an empty array for None.

    Raises
    ------
    ValueError
        If they differ between samples.

    Examples
    --------
    >>> element_weights(np.array([[1.0], [2.0]]), (2, 3), np.float64)
    array([1., 2., 1., 2., 1., 2.])
    """
    if weight is None:
        return np.empty(0, dtype)
    if weight.ndim > len(shape):
        if len(weight) != 1:
            raise ValueError("expected one weight for all samples")
        weight = weight[0]
    return np.moveaxis(np.broadcast_to(weight, shape), 0, -1).astype(dtype).reshape(-1)


@kernel(mixed=True)
def finish_loss(partial, results, meters, cells, mean, elements, counted, first, last):
    """Reduce `partial` to the batch's loss, add to `meters`, count the step.

    `elements` of a sample are what the mean divides by, N of them; 0: the divisor is what `check_labels` found. `counted`
    is 1 if `count_hits` has counted, one hit or none for each sample.
    """
    total, hits = 0.0, 0.0
    for b in range(cells[BLOCKS]):
        total += partial[b, 0]
        hits += partial[b, 1]
    if elements > 0:
        results[DIVISOR], results[KEPT] = np.float64(cells[SAMPLES] * elements), np.float64(cells[SAMPLES] * counted)
    results[LOSS] = total / results[DIVISOR] if mean else total
    results[HITS] = hits
    weight = results[DIVISOR] if mean else 1.0
    if weight != 0:  # the mean over nothing, as of a batch of ignored labels, says nothing
        meters[TOTAL] += results[LOSS] * weight
        meters[WEIGHT] += weight
    meters[CORRECT] += hits
    meters[LABELS] += results[KEPT]
    cells[STEPS] += 1
