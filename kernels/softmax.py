"""Softmax and its logarithm over the middle axis.   Arrays are (A, C, B): C classes, normalised for each (a, b).

    softmax_forward    (out, x)    softmax_backward    (dx, dout, out)
    log_softmax_forward(out, x)    log_softmax_backward(dx, dout, out)

Each has two kernels, for rows (B = 1) and for lanes: see `_rows_and_lanes`. Both are parallel over (a, b): a sum over c is
taken by one thread, in one order. A row that holds NaN or +inf becomes NaN.
"""

from ._jit import jit
from ._kernel import kernel
from ._math import exp_nonpositive, log, scratch_array
from ._rows_and_lanes import LANES, block_of, lane_exponentials, over_blocks, over_rows, row_exponentials, row_sum


def softmax_forward(out, x):
    """Softmax: out[a, c, b] = exp(x[a, c, b]) / sum_c exp(x[a, c, b]).

    Parameters
    ----------
    out : (A, C, B)
        Overwritten.
    x : (A, C, B)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 2, 1))
    >>> softmax_forward(out, np.array([[[0.0], [1000.0]]]))
    >>> out.reshape(2)
    array([0., 1.])
    """
    (_softmax_rows if x.shape[2] == 1 else _softmax_lanes)(out, x)


@kernel(**over_rows)
def _softmax_rows(out, x, first, last, scratch):
    C = x.shape[1]
    out, x = out.reshape(-1)[first * C : last * C], x.reshape(-1)[first * C : last * C]
    row_exponentials(out, x, scratch_array(scratch, 0, last - first, x), C)
    for r in range(last - first):
        row = out[r * C : (r + 1) * C]
        scale = x.dtype.type(1) / row_sum(row)
        for c in range(C):
            row[c] *= scale


@kernel(**over_blocks)
def _softmax_lanes(out, x, first, last, scratch):
    _, C, B = x.shape
    out, x = out.reshape(-1), x.reshape(-1)
    for item in range(first, last):
        a, b0, lanes = block_of(item, B)
        start = a * C * B + b0
        maxima, sums = scratch_array(scratch, 0, lanes, x), scratch_array(scratch, LANES, lanes, x)
        lane_exponentials(out, maxima, sums, x, start, C, B)
        for b in range(lanes):
            sums[b] = x.dtype.type(1) / sums[b]
        for c in range(C):
            row = out[start + c * B : start + c * B + lanes]
            for b in range(lanes):
                row[b] *= sums[b]


def softmax_backward(dx, dout, out):
    """Gradient of softmax_forward with respect to x: dx[a, c, b] = out[a, c, b] * (dout[a, c, b] - sum_c dout * out).

    Parameters
    ----------
    dx : (A, C, B)
        Overwritten.
    dout : (A, C, B)
    out : (A, C, B)
        What softmax_forward wrote.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 2, 1))
    >>> softmax_backward(dx, np.array([[[4.0], [0.0]]]), np.array([[[0.5], [0.5]]]))
    >>> dx.reshape(2)
    array([ 1., -1.])
    """
    (_softmax_backward_rows if dx.shape[2] == 1 else _softmax_backward_lanes)(dx, dout, out)


@kernel(**over_rows)
def _softmax_backward_rows(dx, dout, out, first, last):
    C = dx.shape[1]
    dx, dout, out = dx.reshape(-1), dout.reshape(-1), out.reshape(-1)
    for a in range(first, last):
        dx_a, dout_a, out_a = dx[a * C : (a + 1) * C], dout[a * C : (a + 1) * C], out[a * C : (a + 1) * C]
        dot = dx.dtype.type(0)
        for c in range(C):
            dot += dout_a[c] * out_a[c]
        for c in range(C):
            dx_a[c] = out_a[c] * (dout_a[c] - dot)


@kernel(**over_blocks)
def _softmax_backward_lanes(dx, dout, out, first, last, scratch):
    _, C, B = dx.shape
    dx, dout, out = dx.reshape(-1), dout.reshape(-1), out.reshape(-1)
    for item in range(first, last):
        a, b0, lanes = block_of(item, B)
        dots = scratch_array(scratch, 0, lanes, dx)
        for b in range(lanes):
            dots[b] = 0
        for c in range(C):
            at = (a * C + c) * B + b0
            dout_c, out_c = dout[at : at + lanes], out[at : at + lanes]
            for b in range(lanes):
                dots[b] += dout_c[b] * out_c[b]
        for c in range(C):
            at = (a * C + c) * B + b0
            dx_c, dout_c, out_c = dx[at : at + lanes], dout[at : at + lanes], out[at : at + lanes]
            for b in range(lanes):
                dx_c[b] = out_c[b] * (dout_c[b] - dots[b])


def log_softmax_forward(out, x):
    """Logarithm of softmax: out[a, c, b] = x[a, c, b] - log(sum_c exp(x[a, c, b])).

    Parameters
    ----------
    out : (A, C, B)
        Overwritten.
    x : (A, C, B)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 2, 1))
    >>> log_softmax_forward(out, np.array([[[0.0], [1000.0]]]))
    >>> out.reshape(2)
    array([-1000.,     0.])
    """
    (_log_softmax_rows if x.shape[2] == 1 else _log_softmax_lanes)(out, x)


@jit(fastmath=False)
def _log_share(x, largest, log_total):
    """Logarithm of exp(x - largest) / total, in this order: x - (largest + log_total) is rounded as large numbers are."""
    return (x - largest) - log_total


@kernel(**over_rows)
def _log_softmax_rows(out, x, first, last, scratch):
    C = x.shape[1]
    out, x = out.reshape(-1)[first * C : last * C], x.reshape(-1)[first * C : last * C]
    maxima = scratch_array(scratch, 0, last - first, x)
    row_exponentials(out, x, maxima, C)
    for r in range(last - first):
        row, out_row = x[r * C : (r + 1) * C], out[r * C : (r + 1) * C]
        largest, rest = maxima[r], log(row_sum(out_row))
        for c in range(C):
            out_row[c] = _log_share(row[c], largest, rest)


@kernel(**over_blocks)
def _log_softmax_lanes(out, x, first, last, scratch):
    _, C, B = x.shape
    out, x = out.reshape(-1), x.reshape(-1)
    for item in range(first, last):
        a, b0, lanes = block_of(item, B)
        start = a * C * B + b0
        maxima, sums = scratch_array(scratch, 0, lanes, x), scratch_array(scratch, LANES, lanes, x)
        lane_exponentials(out, maxima, sums, x, start, C, B)
        for b in range(lanes):
            sums[b] = log(sums[b])
        for c in range(C):
            at = start + c * B
            row, out_row = x[at : at + lanes], out[at : at + lanes]
            for b in range(lanes):
                out_row[b] = _log_share(row[b], maxima[b], sums[b])


def log_softmax_backward(dx, dout, out):
    """Gradient of log_softmax_forward with respect to x: dx[a, c, b] = dout[a, c, b] - exp(out[a, c, b]) * sum_c dout.

    Parameters
    ----------
    dx : (A, C, B)
        Overwritten.
    dout : (A, C, B)
    out : (A, C, B)
        What log_softmax_forward wrote.

    Examples
    --------
    >>> import numpy as np
    >>> dx = np.empty((1, 2, 1))
    >>> log_softmax_backward(dx, np.array([[[4.0], [0.0]]]), np.log(np.array([[[0.5], [0.5]]])))
    >>> dx.reshape(2)
    array([ 2., -2.])
    """
    (_log_softmax_backward_rows if dx.shape[2] == 1 else _log_softmax_backward_lanes)(dx, dout, out)


@kernel(**over_rows)
def _log_softmax_backward_rows(dx, dout, out, first, last):
    C = dx.shape[1]
    dx, dout = dx.reshape(-1)[first * C : last * C], dout.reshape(-1)[first * C : last * C]
    out = out.reshape(-1)[first * C : last * C]
    for i in range(dx.size):
        dx[i] = exp_nonpositive(out[i])
    for r in range(last - first):
        dx_a, dout_a = dx[r * C : (r + 1) * C], dout[r * C : (r + 1) * C]
        total = row_sum(dout_a)
        for c in range(C):
            dx_a[c] = dout_a[c] - dx_a[c] * total


@kernel(**over_blocks)
def _log_softmax_backward_lanes(dx, dout, out, first, last, scratch):
    _, C, B = dx.shape
    dx, dout, out = dx.reshape(-1), dout.reshape(-1), out.reshape(-1)
    for item in range(first, last):
        a, b0, lanes = block_of(item, B)
        sums = scratch_array(scratch, 0, lanes, dx)
        for b in range(lanes):
            sums[b] = 0
        for c in range(C):
            at = (a * C + c) * B + b0
            dout_c = dout[at : at + lanes]
            for b in range(lanes):
                sums[b] += dout_c[b]
        for c in range(C):
            at = (a * C + c) * B + b0
            dx_c, dout_c, out_c = dx[at : at + lanes], dout[at : at + lanes], out[at : at + lanes]
            for b in range(lanes):
                dx_c[b] = dout_c[b] - exp_nonpositive(out_c[b]) * sums[b]
