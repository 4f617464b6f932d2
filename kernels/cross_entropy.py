"""Softmax, cross-entropy and its gradient in one pass.   N samples, C classes, L positions of a sample (1 for plain labels).

    cross_entropy_forward              (loss, dx, x, target, weight, label_smoothing, ignore_index)
    cross_entropy_probabilities_forward(loss, dx, x, target, weight, label_smoothing)
    scale_rows                         (dx, scale)

With p = softmax(x) over the classes and q the target distribution of one (n, l), weighted by class,

    loss = sum_c q[c] * -log(p[c])        dloss/dx[c] = p[c] * sum(q) - q[c]

and -log(p[c]) = log(sum_k exp(x[k] - max)) - (x[c] - max). A class index t under label smoothing s stands for
q[c] = weight[c] * ((1 - s) * [c == t] + s / C). The work is laid out as in `softmax`.
"""

from ._jit import jit
from ._kernel import kernel
from ._math import log, scratch_array
from ._rows_and_lanes import LANES, block_of, lane_exponentials, over_blocks, over_rows, row_exponentials, row_sum


def cross_entropy_forward(loss, dx, x, target, weight, label_smoothing, ignore_index):
    """Cross-entropy of logits against class indices, and its gradient with respect to the logits.

    loss[n, l] = -(1 - s) * weight[t] * log(p[n, t, l]) - s / C * sum_c weight[c] * log(p[n, c, l])   with t = target[n, l],
    s = label_smoothing; dx[n, :, l] is the gradient of loss[n, l]. Both are 0 where t == ignore_index.

    Parameters
    ----------
    loss : (N, L)
        Overwritten: of each position, not reduced.
    dx : (N, C, L)
        Overwritten.
    x : (N, C, L)
    target : (N, L) int64
        In 0..C-1, or ignore_index.
    weight : (C,)
        Of the classes.
    label_smoothing : float
    ignore_index : int

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((1, 1)), np.empty((1, 2, 1))
    >>> cross_entropy_forward(loss, dx, np.zeros((1, 2, 1)), np.array([[1]]), np.ones(2), 0.0, -100)
    >>> round(float(loss[0, 0]), 4), dx.reshape(2)
    (0.6931, array([ 0.5, -0.5]))
    """
    run_kernel = _indices_rows if x.shape[2] == 1 else _indices_lanes
    run_kernel(loss, dx, x, target, weight, label_smoothing, ignore_index)


@jit(fastmath=False)
def _log_loss(x, largest, log_total):
    """-log(exp(x - largest) / total), in this order: (log_total + largest) - x is rounded as large numbers are."""
    return log_total - (x - largest)


@kernel(**over_rows)
def _indices_rows(loss, dx, x, target, weight, label_smoothing, ignore_index, first, last):
    C = x.shape[1]
    loss, target = loss.reshape(-1)[first:last], target.reshape(-1)[first:last]
    dx, x = dx.reshape(-1)[first * C : last * C], x.reshape(-1)[first * C : last * C]
    zero = x.dtype.type(0)
    sharp, smooth = x.dtype.type(1 - label_smoothing), x.dtype.type(label_smoothing / C)
    smoothed_total = smooth * row_sum(weight)
    row_exponentials(dx, x, loss, C)  # loss keeps the maxima for the moment
    for r in range(last - first):
        row, dx_row, largest, t = x[r * C : (r + 1) * C], dx[r * C : (r + 1) * C], loss[r], target[r]
        if t == ignore_index:
            loss[r] = zero
            for c in range(C):
                dx_row[c] = zero
            continue
        total, q_t = row_sum(dx_row), sharp * weight[t]
        log_total = log(total)
        loss[r] = q_t * _log_loss(row[t], largest, log_total)
        scale = (q_t + smoothed_total) / total
        for c in range(C):
            dx_row[c] *= scale
        if label_smoothing > 0:
            dot = zero
            for c in range(C):
                dot += weight[c] * (row[c] - largest)
            for c in range(C):
                dx_row[c] -= smooth * weight[c]
            loss[r] += log_total * smoothed_total - smooth * dot
        dx_row[t] -= q_t


@kernel(**over_blocks)
def _indices_lanes(loss, dx, x, target, weight, label_smoothing, ignore_index, first, last, scratch):
    _, C, L = x.shape
    loss, dx, x, target = loss.reshape(-1), dx.reshape(-1), x.reshape(-1), target.reshape(-1)
    zero = x.dtype.type(0)
    sharp, smooth = x.dtype.type(1 - label_smoothing), x.dtype.type(label_smoothing / C)
    smoothed_total = smooth * row_sum(weight)
    for item in range(first, last):
        n, l0, lanes = block_of(item, L)
        start = n * C * L + l0
        loss_n, target_n = loss[n * L + l0 : n * L + l0 + lanes], target[n * L + l0 : n * L + l0 + lanes]
        maxima, sums = scratch_array(scratch, 0, lanes, x), scratch_array(scratch, LANES, lanes, x)
        dots, scales = scratch_array(scratch, 2 * LANES, lanes, x), scratch_array(scratch, 3 * LANES, lanes, x)
        lane_exponentials(dx, maxima, sums, x, start, C, L)
        for b in range(lanes):
            dots[b] = zero
        if label_smoothing > 0:
            for c in range(C):
                row, weight_c = x[start + c * L : start + c * L + lanes], weight[c]
                for b in range(lanes):
                    dots[b] += weight_c * (row[b] - maxima[b])
        for b in range(lanes):
            t = target_n[b] if target_n[b] != ignore_index else 0
            scales[b] = (sharp * weight[t] + smoothed_total) / sums[b]
        for c in range(C):
            dx_c, smoothed = dx[start + c * L : start + c * L + lanes], smooth * weight[c]
            for b in range(lanes):
                dx_c[b] = dx_c[b] * scales[b] - smoothed
        for b in range(lanes):
            t, log_total = target_n[b], log(sums[b])
            if t == ignore_index:
                loss_n[b] = zero
                for c in range(C):
                    dx[start + c * L + b] = zero
            else:
                q_t, at = sharp * weight[t], start + t * L + b
                dx[at] -= q_t
                loss_n[b] = q_t * _log_loss(x[at], maxima[b], log_total)
                if label_smoothing > 0:
                    loss_n[b] += log_total * smoothed_total - smooth * dots[b]


def cross_entropy_probabilities_forward(loss, dx, x, target, weight, label_smoothing):
    """Cross-entropy of logits against class probabilities, and its gradient with respect to the logits.

    loss[n, l] = -sum_c q[c] * log(p[n, c, l])   with q[c] = weight[c] * ((1 - s) * target[n, c, l] + s / C),
    s = label_smoothing; dx[n, :, l] is the gradient of loss[n, l].

    Parameters
    ----------
    loss : (N, L)
        Overwritten: of each position, not reduced.
    dx : (N, C, L)
        Overwritten.
    x : (N, C, L)
    target : (N, C, L)
        Need not sum to 1 over the classes.
    weight : (C,)
    label_smoothing : float

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = np.empty((1, 1)), np.empty((1, 2, 1))
    >>> target = np.array([[[0.25], [0.75]]])
    >>> cross_entropy_probabilities_forward(loss, dx, np.zeros((1, 2, 1)), target, np.ones(2), 0.0)
    >>> round(float(loss[0, 0]), 4), dx.reshape(2)
    (0.6931, array([ 0.25, -0.25]))
    """
    run_kernel = _probabilities_rows if x.shape[2] == 1 else _probabilities_lanes
    run_kernel(loss, dx, x, target, weight, label_smoothing)


@jit(fastmath=False)
def _times(a, b):
    """a * b, rounded: fused into a subtraction it would not be the product that a sum elsewhere contains."""
    return a * b


@kernel(**over_rows)
def _probabilities_rows(loss, dx, x, target, weight, label_smoothing, first, last):
    C = x.shape[1]
    loss, target = loss.reshape(-1)[first:last], target.reshape(-1)[first * C : last * C]
    dx, x = dx.reshape(-1)[first * C : last * C], x.reshape(-1)[first * C : last * C]
    zero = x.dtype.type(0)
    sharp, smooth = x.dtype.type(1 - label_smoothing), x.dtype.type(label_smoothing / C)
    row_exponentials(dx, x, loss, C)  # loss keeps the maxima for the moment
    for r in range(last - first):
        row, dx_row, target_row = x[r * C : (r + 1) * C], dx[r * C : (r + 1) * C], target[r * C : (r + 1) * C]
        largest, total, q_total, dot = loss[r], row_sum(dx_row), zero, zero
        for c in range(C):
            q = _times(weight[c], sharp * target_row[c] + smooth)
            q_total += q
            dot += q * (row[c] - largest)
        loss[r] = q_total * log(total) - dot
        scale = q_total / total
        for c in range(C):
            dx_row[c] = dx_row[c] * scale - _times(weight[c], sharp * target_row[c] + smooth)


@kernel(**over_blocks)
def _probabilities_lanes(loss, dx, x, target, weight, label_smoothing, first, last, scratch):
    _, C, L = x.shape
    loss, dx, x, target = loss.reshape(-1), dx.reshape(-1), x.reshape(-1), target.reshape(-1)
    sharp, smooth = x.dtype.type(1 - label_smoothing), x.dtype.type(label_smoothing / C)
    for item in range(first, last):
        n, l0, lanes = block_of(item, L)
        start = n * C * L + l0
        loss_n = loss[n * L + l0 : n * L + l0 + lanes]
        maxima, sums = scratch_array(scratch, 0, lanes, x), scratch_array(scratch, LANES, lanes, x)
        q_totals, dots = scratch_array(scratch, 2 * LANES, lanes, x), scratch_array(scratch, 3 * LANES, lanes, x)
        lane_exponentials(dx, maxima, sums, x, start, C, L)
        for b in range(lanes):
            q_totals[b], dots[b] = 0, 0
        for c in range(C):
            at, weight_c = start + c * L, weight[c]
            row, target_c = x[at : at + lanes], target[at : at + lanes]
            for b in range(lanes):
                q = _times(weight_c, sharp * target_c[b] + smooth)
                q_totals[b] += q
                dots[b] += q * (row[b] - maxima[b])
        for b in range(lanes):
            loss_n[b] = q_totals[b] * log(sums[b]) - dots[b]
            sums[b] = q_totals[b] / sums[b]
        for c in range(C):
            at, weight_c = start + c * L, weight[c]
            dx_c, target_c = dx[at : at + lanes], target[at : at + lanes]
            for b in range(lanes):
                dx_c[b] = dx_c[b] * sums[b] - _times(weight_c, sharp * target_c[b] + smooth)


@kernel(
    items=lambda dx, scale: dx.shape[0] * dx.shape[1],
    chunk=lambda dx, scale: max(1, 8192 // max(1, dx.shape[2])),
    cost=lambda dx, scale: dx.nbytes // 40,
)
def scale_rows(dx, scale, first, last):
    """Multiply in place: dx[n, c, l] *= scale[n, l]; applies reduction and upstream gradient to a loss's gradient.

    Parameters
    ----------
    dx : (N, C, L)
        Multiplied in place.
    scale : (N, L)

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.ones((2, 2, 1))
    >>> scale_rows(dx, np.array([[0.5], [2.0]]))
    >>> dx.reshape(2, 2)
    array([[0.5, 0.5],
           [2. , 2. ]])
    """
    _, C, L = dx.shape
    dx, scale = dx.reshape(-1), scale.reshape(-1)
    if L == 1:
        for n in range(first // C, (last + C - 1) // C):
            row, factor = dx[max(first, n * C) : min(last, (n + 1) * C)], scale[n]
            for c in range(row.size):
                row[c] *= factor
        return
    for row in range(first, last):
        n = row // C
        dx_row, scale_n = dx[row * L : (row + 1) * L], scale[n * L : (n + 1) * L]
        for b in range(L):
            dx_row[b] *= scale_n[b]
