"""From stored images to batches.   M rows in store, B rows in a batch, D values in a row.

scale_uint8      (out, x, scale, shift)            out float, x uint8, both flat
gather_rows      (out, x, index)                   out (B, D) = rows of x (M, D)
gather_rows_uint8(out, x, index, scale, shift)     both at once: shuffled uint8 images become a float batch in one pass
"""

from ._kernel import kernel


@kernel(
    items=lambda out, *_: out.size,
    chunk=lambda *_: 8192,
    cost=lambda out, *_: out.nbytes // 40,
)
def scale_uint8(out, x, scale, shift, first, last):
    """Bytes to floats: out[i] = x[i] * scale + shift.

    Parameters
    ----------
    out : (size,) float
        Overwritten.
    x : (size,) uint8
    scale, shift : float

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(2)
    >>> scale_uint8(out, np.array([0, 255], np.uint8), 1 / 255, -0.5)
    >>> out
    array([-0.5,  0.5])
    """
    out, x = out[first:last], x[first:last]
    factor, offset = out.dtype.type(scale), out.dtype.type(shift)
    for i in range(out.size):
        out[i] = out.dtype.type(x[i]) * factor + offset


_over_rows = {
    "items": lambda out, *_: out.shape[0],
    "chunk": lambda out, *_: max(1, 8192 // max(1, out.shape[1])),
    "cost": lambda out, *_: out.nbytes // 40 + 20 * out.shape[0],
}


@kernel(**_over_rows)
def gather_rows(out, x, index, first, last):
    """Rows by number: out[b, d] = x[index[b], d].

    Parameters
    ----------
    out : (B, D)
        Overwritten.
    x : (M, D), dtype of out
    index : (B,) int64
        In 0..M-1.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((2, 1))
    >>> gather_rows(out, np.array([[5.0], [6.0], [7.0]]), np.array([2, 0]))
    >>> out
    array([[7.],
           [5.]])
    """
    D = out.shape[1]
    out, x = out.reshape(-1), x.reshape(-1)
    for b in range(first, last):
        row, out_row = x[index[b] * D : (index[b] + 1) * D], out[b * D : (b + 1) * D]
        for d in range(D):
            out_row[d] = row[d]


@kernel(**_over_rows)
def gather_rows_uint8(out, x, index, scale, shift, first, last):
    """Rows by number, bytes to floats: out[b, d] = x[index[b], d] * scale + shift.

    Parameters
    ----------
    out : (B, D) float
        Overwritten.
    x : (M, D) uint8
    index : (B,) int64
        In 0..M-1.
    scale, shift : float

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((2, 1))
    >>> gather_rows_uint8(out, np.array([[0], [255]], np.uint8), np.array([1, 0]), 1 / 255, 0.0)
    >>> out
    array([[1.],
           [0.]])
    """
    D = out.shape[1]
    out, x = out.reshape(-1), x.reshape(-1)
    factor, offset = out.dtype.type(scale), out.dtype.type(shift)
    for b in range(first, last):
        row, out_row = x[index[b] * D : (index[b] + 1) * D], out[b * D : (b + 1) * D]
        for d in range(D):
            out_row[d] = out.dtype.type(row[d]) * factor + offset
