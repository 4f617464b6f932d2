"""Pooling over (H, W) windows in NumPy, one axis after the other, one whole-array operation per window tap.

    maxpool2d_forward          (out, argmax, x, kernel, stride, padding, dilation)
    maxpool2d_backward         (dx, dout, argmax)
    avgpool2d_forward          (out, x, kernel, stride, padding, count_include_pad, divisor)
    avgpool2d_backward         (dx, dout, kernel, stride, padding, count_include_pad, divisor)
    adaptive_avgpool2d_forward (out, x)
    adaptive_avgpool2d_backward(dx, dout)

N batch, C channels, H x W input, KH x KW window, OH x OW output. OH and OW are read from the arrays, so the partly
filled last windows of ceil_mode need no argument. Window (i, j) begins at row i*SH - PH and column j*SW - PW.
"""

import numpy as np


def maxpool2d_forward(out, argmax, x, kernel, stride, padding, dilation):
    """Maximum of every window, and where it is (``torch.nn.functional.max_pool2d``).

    ``out[n, c, i, j] = max_{kh,kw} x[n, c, i*SH - PH + kh*DH, j*SW - PW + kw*DW]`` over the taps inside the image.

    Parameters
    ----------
    out : (N, C, OH, OW)
        Overwritten.
    argmax : (N, C, OH, OW) int32
        Overwritten: position ``h*W + w`` of the maximum. Of equal values the first in row-major order; of NaNs, which
        win over everything, the last (as PyTorch). -1, with out = -inf, for a window without a tap inside the image
        (possible only with dilation).
    x : (N, C, H, W)
    kernel, stride, padding, dilation : (int, int)

    Examples
    --------
    >>> out, argmax = np.empty((1, 1, 1, 2)), np.empty((1, 1, 1, 2), np.int32)
    >>> x = np.array([[[[1.0, 2.0, 7.0], [2.0, 0.0, 7.0]]]])
    >>> maxpool2d_forward(out, argmax, x, (2, 2), (1, 1), (0, 0), (1, 1))
    >>> out, argmax
    (array([[[[2., 7.]]]]), array([[[[1, 2]]]], dtype=int32))
    """
    N, C, H, W = x.shape
    OH, OW = out.shape[2:]
    rows = _taps(H, OH, kernel[0], stride[0], padding[0], dilation[0])
    columns = _taps(W, OW, kernel[1], stride[1], padding[1], dilation[1])

    row_max = np.full((N, C, OH, W), -np.inf, x.dtype)
    for i, h in rows:
        np.maximum(row_max[:, :, i], x[:, :, h], out=row_max[:, :, i])
    out[...] = -np.inf
    for j, w in columns:
        np.maximum(out[..., j], row_max[..., w], out=out[..., j])

    # Taps from last to first: the first one that holds the maximum has the last word.
    position = np.arange(H * W, dtype=np.int32).reshape(H, W)
    argmax[...] = -1
    for i, h in reversed(rows):
        for j, w in reversed(columns):
            np.copyto(argmax[:, :, i, j], position[h, w], where=x[:, :, h, w] == out[:, :, i, j])
    if np.isnan(out).any():  # NaN is not equal to itself
        for i, h in rows:
            for j, w in columns:
                np.copyto(argmax[:, :, i, j], position[h, w], where=np.isnan(x[:, :, h, w]))


def maxpool2d_backward(dx, dout, argmax):
    """Gradient of maxpool2d_forward with respect to x.

    ``dx[n, c, h, w]`` is the sum of all ``dout[n, c, i, j]`` with ``argmax[n, c, i, j] == h*W + w``.

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)
    argmax : (N, C, OH, OW) int32
        What maxpool2d_forward wrote; negative entries are passed over.

    Examples
    --------
    >>> dx = np.empty((1, 1, 2, 2))
    >>> maxpool2d_backward(dx, np.array([[[[1.0, 2.0, 4.0]]]]), np.array([[[[3, 0, 3]]]], np.int32))
    >>> dx
    array([[[[2., 0.], [0., 5.]]]])
    """
    N, C, H, W = dx.shape
    dx[...] = 0
    flat = argmax + np.arange(0, N * C * H * W, H * W).reshape(N, C, 1, 1)
    if (argmax < 0).any():
        chosen = argmax.ravel() >= 0
        np.add.at(dx.reshape(-1), flat.ravel()[chosen], dout.ravel()[chosen])
    else:
        np.add.at(dx.reshape(-1), flat.ravel(), dout.ravel())


def avgpool2d_forward(out, x, kernel, stride, padding, count_include_pad, divisor):
    """Mean of every window (``torch.nn.functional.avg_pool2d``).

    ``out[n, c, i, j] = sum_{kh,kw} x[n, c, i*SH - PH + kh, j*SW - PW + kw] / D[i, j]``, x being 0 outside the image.

    Parameters
    ----------
    out : (N, C, OH, OW)
        Overwritten.
    x : (N, C, H, W)
    kernel, stride, padding : (int, int)
    count_include_pad : bool
        Whether D counts the padding of a window (but never what lies beyond it) or only its cells in the image.
    divisor : int
        D itself for all windows, or 0 to count.

    Examples
    --------
    >>> out = np.empty((1, 1, 1, 2))
    >>> x = np.array([[[[1.0, 2.0, 6.0]]]])
    >>> avgpool2d_forward(out, x, (1, 2), (1, 2), (0, 1), True, 0)
    >>> out
    array([[[[0.5, 4. ]]]])
    >>> avgpool2d_forward(out, x, (1, 2), (1, 2), (0, 1), False, 0)
    >>> out
    array([[[[1., 4.]]]])
    """
    N, C, H, W = x.shape
    OH, OW = out.shape[2:]
    row_sum = np.zeros((N, C, OH, W), x.dtype)
    for i, h in _taps(H, OH, kernel[0], stride[0], padding[0], 1):
        row_sum[:, :, i] += x[:, :, h]
    out[...] = 0
    for j, w in _taps(W, OW, kernel[1], stride[1], padding[1], 1):
        out[..., j] += row_sum[..., w]
    out /= _divisors((H, W), (OH, OW), kernel, stride, padding, count_include_pad, divisor, x.dtype)


def avgpool2d_backward(dx, dout, kernel, stride, padding, count_include_pad, divisor):
    """Gradient of avgpool2d_forward with respect to x.

    ``dx[n, c, h, w]`` is the sum of ``dout[n, c, i, j] / D[i, j]`` over the windows (i, j) that cover (h, w).

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)
    kernel, stride, padding : (int, int)
    count_include_pad : bool
    divisor : int
        As for avgpool2d_forward.

    Examples
    --------
    >>> dx = np.empty((1, 1, 1, 3))
    >>> avgpool2d_backward(dx, np.array([[[[2.0, 8.0]]]]), (1, 2), (1, 1), (0, 0), True, 0)
    >>> dx
    array([[[[1., 5., 4.]]]])
    """
    N, C, H, W = dx.shape
    OH, OW = dout.shape[2:]
    share = dout / _divisors((H, W), (OH, OW), kernel, stride, padding, count_include_pad, divisor, dx.dtype)
    row_sum = np.zeros((N, C, OH, W), dx.dtype)
    for j, w in _taps(W, OW, kernel[1], stride[1], padding[1], 1):
        row_sum[..., w] += share[..., j]
    dx[...] = 0
    for i, h in _taps(H, OH, kernel[0], stride[0], padding[0], 1):
        dx[:, :, h] += row_sum[:, :, i]


def adaptive_avgpool2d_forward(out, x):
    """Mean of OH x OW windows that share out the image (``torch.nn.functional.adaptive_avg_pool2d``).

    ``out[n, c, i, j]`` is the mean of rows ``floor(i*H/OH) ... ceil((i+1)*H/OH) - 1`` and of columns likewise.

    Parameters
    ----------
    out : (N, C, OH, OW)
        Overwritten.
    x : (N, C, H, W)

    Examples
    --------
    >>> out = np.empty((1, 1, 1, 2))
    >>> adaptive_avgpool2d_forward(out, np.array([[[[1.0, 3.0, 7.0]]]]))
    >>> out
    array([[[[2., 5.]]]])
    """
    N, C, H, W = x.shape
    OH, OW = out.shape[2:]
    row_mean = np.empty((N, C, OH, W), x.dtype)
    for i, h in enumerate(_shares(H, OH)):
        np.mean(x[:, :, h], axis=2, out=row_mean[:, :, i])
    for j, w in enumerate(_shares(W, OW)):
        np.mean(row_mean[..., w], axis=3, out=out[..., j])


def adaptive_avgpool2d_backward(dx, dout):
    """Gradient of adaptive_avgpool2d_forward with respect to x.

    ``dx[n, c, h, w]`` is the sum of ``dout[n, c, i, j]`` divided by the size of window (i, j), over the windows that
    cover (h, w).

    Parameters
    ----------
    dx : (N, C, H, W)
        Overwritten.
    dout : (N, C, OH, OW)

    Examples
    --------
    >>> dx = np.empty((1, 1, 1, 3))
    >>> adaptive_avgpool2d_backward(dx, np.array([[[[2.0, 8.0]]]]))
    >>> dx
    array([[[[1., 5., 4.]]]])
    """
    N, C, H, W = dx.shape
    OH, OW = dout.shape[2:]
    row_sum = np.zeros((N, C, OH, W), dx.dtype)
    for j, w in enumerate(_shares(W, OW)):
        row_sum[..., w] += dout[..., j, None] / (w.stop - w.start)
    dx[...] = 0
    for i, h in enumerate(_shares(H, OH)):
        dx[:, :, h] += row_sum[:, :, i, None] / (h.stop - h.start)


def _taps(size, outputs, kernel, stride, padding, dilation):
    """For each window tap along one axis, (slice of outputs whose tap lies inside the input, slice of those inputs)."""
    taps = []
    for k in range(kernel):
        offset = k * dilation - padding  # output i reads input i*stride + offset
        lo = max(0, -(offset // stride))
        hi = min(outputs, -(-(size - offset) // stride))
        if lo < hi:
            taps.append((slice(lo, hi), slice(lo * stride + offset, (hi - 1) * stride + offset + 1, stride)))
    return taps


def _divisors(size, outputs, kernel, stride, padding, count_include_pad, divisor, dtype):
    """What each window's sum is divided by, broadcast over (OH, OW)."""
    if divisor != 0:
        return np.full((1, 1), divisor, dtype)
    lengths = []
    for axis in (0, 1):
        start = np.arange(outputs[axis]) * stride[axis] - padding[axis]
        # a window of ceil_mode may end beyond the padding: those cells never count
        end = np.minimum(start + kernel[axis], size[axis] + padding[axis])
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size[axis])
        lengths.append(np.maximum(end - start, 1))
    return np.outer(*lengths).astype(dtype)


def _shares(size, outputs):
    """The windows of adaptive pooling along one axis."""
    return [slice(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]
