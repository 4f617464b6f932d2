"""From stored images to batches.   M rows in store, B rows in a batch, D values in a row, C x H x W in an image.

scale_uint8      (out, x, scale, shift)            out float, x uint8, both flat
gather_rows      (out, x, index)                   out (B, D) = rows of x (M, D)
gather_rows_uint8(out, x, index, scale, shift)     both at once: shuffled uint8 images become a float batch in one pass
gather_augmented (out, x, index, draws)            images by number, shifted and mirrored as drawn for each
"""

from ._kernel import kernel
from ._shifts import shifted_lines


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


@kernel(
    items=lambda out, *_: len(out) if out.size else 0,
    chunk=lambda out, *_: max(1, 8192 * len(out) // out.size),
    cost=lambda out, *_: out.nbytes // 20 + out.size // out.shape[3],
)
def gather_augmented(out, x, index, draws, first, last):
    """Images by number, each shifted and perhaps mirrored, with zeros where nothing is left.

    With (down, right, flip) = draws[index[b]] and 0 outside of x, out[b, c, i, j] is x[index[b], c, i - down, j - right],
    or with flip x[index[b], c, i - down, W - 1 - j - right]: shifted first, then mirrored.

    Parameters
    ----------
    out : (B, C, H, W) uint8 or float
        Overwritten.
    x : (M, C, H, W), dtype of out
    index : (B,) int64
        In 0..M-1.
    draws : (M, 3) int64

    Examples
    --------
    >>> import numpy as np
    >>> out, x = np.empty((2, 1, 2, 3)), np.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    >>> gather_augmented(out, np.concatenate([x, -x]), np.array([1, 0]), np.array([[0, 0, 1], [1, -1, 0]]))
    >>> out[0, 0]
    array([[ 0.,  0.,  0.],
           [-2., -3.,  0.]])
    >>> out[1, 0]
    array([[3., 2., 1.],
           [6., 5., 4.]])
    """
    _, C, H, W = out.shape
    out, x, pixels = out.reshape(-1), x.reshape(-1), H * W
    for b in range(first, last):
        image = index[b]
        for c in range(C):
            plane = x[(image * C + c) * pixels : (image * C + c + 1) * pixels]
            moved = out[(b * C + c) * pixels : (b * C + c + 1) * pixels]
            shifted_lines(moved, plane, 0, H, W, draws[image, 0], draws[image, 1], draws[image, 2])
