"""Local response normalization across channels.   N samples, C channels, L positions.

    lrn_forward (out, scale, x, size, alpha, beta, k)
    lrn_backward(dx, dout, x, scale, size, alpha, beta)

with scale[c] = k + alpha/size * sum of x**2 over the `size` channels around c, and out = x / scale**beta.

A window over channels is a shift: in a sample as one flat array, the same position of the next channel lies L elements further
on. So sums over windows are long loops over flat pieces of a sample, wherever channels begin and end in them, one for each
shift.
"""

from ._jit import jit
from ._kernel import kernel
from ._lrn import inverse_power, multiply_by, rest_of_gradient, scale_of_sums, start_of_gradient, window_sums
from ._math import scratch_array

_PIECE = 4096  # elements, of the few arrays that share the level-1 cache


@jit
def _pieces(size):
    return (size + _PIECE - 1) // _PIECE


@kernel(
    items=lambda out, scale, x, *_: x.shape[0] * -(-x[0].size // _PIECE) if x.size else 0,
    cost=lambda out, scale, x, *_: x.size,
)
def lrn_forward(out, scale, x, size, alpha, beta, k, first, last):
    """Normalise by the squares of neighbouring channels.

    scale[n, c, l] = k + alpha/size * sum of x[n, d, l]**2 over d from c - size//2 to c + (size - 1)//2, inside 0 .. C-1

    out[n, c, l] = x[n, c, l] / scale[n, c, l]**beta

    Parameters
    ----------
    out, scale : (N, C, L)
        Overwritten.
    x : (N, C, L)
    size : int
        Channels in a window; of an even number one more lies in front of c than behind it.
    alpha, beta, k : float
        alpha and k not below 0.

    Notes
    -----
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012), section 3.3.
    Their alpha is not divided by the size.

    Examples
    --------
    >>> import numpy as np
    >>> out, scale = np.empty((2, 1, 3, 1))
    >>> lrn_forward(out, scale, np.array([[[3.0], [0.0], [4.0]]]), 3, 3.0, 0.5, 0.0)
    >>> scale.reshape(3), out.reshape(3)
    (array([ 9., 25., 16.]), array([1., 0., 1.]))
    """
    _, C, L = x.shape
    out, scale, x, length = out.reshape(-1), scale.reshape(-1), x.reshape(-1), C * L
    for item in range(first, last):
        n, start = item // _pieces(length), item % _pieces(length) * _PIECE
        sample = x[n * length : (n + 1) * length]
        begin, end = n * length + start, n * length + min(length, start + _PIECE)
        out_piece, scale_piece = out[begin:end], scale[begin:end]
        window_sums(scale_piece, sample, sample, start, L, size // 2, (size - 1) // 2)
        scale_of_sums(scale_piece, alpha / size, k)
        inverse_power(out_piece, scale_piece, beta)
        multiply_by(out_piece, x[begin:end])


@kernel(
    items=lambda dx, dout, *_: dx.shape[0] if dx.size else 0,
    cost=lambda dx, dout, *_: 2 * dx.size,
    scratch=lambda dx, dout, *_: (dx[0].size + _PIECE) * dx.itemsize,
)
def lrn_backward(dx, dout, x, scale, size, alpha, beta, first, last, scratch):
    """Gradient of lrn_forward with respect to x.

    dx[n, c, l] = dout[n, c, l] * scale[n, c, l]**-beta - 2*alpha*beta/size * x[n, c, l] * sums[n, c, l]

    sums[n, c, l] = sum of dout[n, d, l] * x[n, d, l] * scale[n, d, l]**(-beta - 1), d from c - (size - 1)//2 to c + size//2:
    the channels in whose windows c is

    Parameters
    ----------
    dx : (N, C, L)
        Overwritten.
    dout, x : (N, C, L)
    scale : (N, C, L)
        What lrn_forward wrote.
    size : int
    alpha, beta : float
        As in the forward call.

    Examples
    --------
    >>> import numpy as np
    >>> dx, one = np.empty((1, 2, 1)), np.ones((1, 2, 1))
    >>> lrn_backward(dx, np.array([[[1.0], [0.0]]]), one, 2 * one, 3, 1.5, 1.0)  # out = x / (x[0]**2/2 + x[1]**2/2 + 1)
    >>> dx.reshape(2)
    array([ 0.25, -0.25])
    """
    _, C, L = dx.shape
    dx, dout, x, scale, length = dx.reshape(-1), dout.reshape(-1), x.reshape(-1), scale.reshape(-1), C * L
    ratio, memory = scratch_array(scratch, 0, length, dx), scratch_array(scratch, length, _PIECE, dx)
    for n in range(first, last):
        upstream = dout[n * length : (n + 1) * length]
        for start in range(0, length, _PIECE):
            end = min(length, start + _PIECE)
            at = slice(n * length + start, n * length + end)
            start_of_gradient(dx[at], ratio[start:end], dout[at], x[at], scale[at], beta)
        for start in range(0, length, _PIECE):
            end = min(length, start + _PIECE)
            at, sums = slice(n * length + start, n * length + end), memory[: end - start]
            window_sums(sums, upstream, ratio, start, L, (size - 1) // 2, size // 2)
            rest_of_gradient(dx[at], sums, x[at], 2 * alpha * beta / size)
