# %% [markdown]
# # 15. Convolution by hand
#
# A dense layer looks at all of an image at once and has to learn in every place anew what an edge is. A convolution has one
# small window of weights, a *filter*, and slides it over the image: the same weights everywhere, each output seeing only
# what is near. What it finds in one corner it finds in all of them.
#
# ## One dimension
#
# A signal $x$ of length $W$ and a filter of $KW$ weights. The window starts at each place where it fits, and each output is
# a weighted sum:
#
# $$ \text{out}_j = \sum_{kw=0}^{KW-1} \text{weight}_{kw}\; x_{j + kw}, \qquad j = 0 \dots W - KW . $$

# %%
import matplotlib.cbook
import matplotlib.image
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def convolve1d(x, weight):
    KW = len(weight)
    return np.array([np.sum(weight * x[j : j + KW]) for j in range(len(x) - KW + 1)])


x = np.array([0, 5, 13, 18, 12, 8, 5, 14, 15, 14], dtype=np.float64)
smooth = np.array([0.5, 1, 0.5])
smoothed = convolve1d(x, smooth)
print("by hand  ", smoothed)

layer = fnn.Conv1d(1, 1, 3, bias=False, dtype=np.float64)
layer.params["weight"][0, 0] = smooth
print("fnn.Conv1d", layer.forward(x[None, None])[0, 0])

# %% [markdown]
# ## To flip or not to flip
#
# Mathematics calls something slightly different convolution. There the filter is turned round,
#
# $$ (x * w)_j = \sum_k w_k\; x_{j - k}, $$
#
# so that $x * w = w * x$. Without the turn the operation is a *cross-correlation*. Libraries for neural networks compute
# cross-correlations and call them convolutions: a filter that is learned can as well be learned the other way round. For
# symmetric filters, like the one above, there is no difference. NumPy has both.

# %%
slope = np.array([-1.0, 0.0, 1.0])
flipped = convolve1d(x, slope[::-1])
print("cross-correlation        ", convolve1d(x, slope))
print("np.correlate             ", np.correlate(x, slope, "valid"))
print("mathematical convolution ", flipped)
print("np.convolve              ", np.convolve(x, slope, "valid"))

# %% [markdown]
# ## Padding, stride, and the size of the output
#
# An output for each place where the window fits entirely is called *valid*; it is shorter than the input. Zeros around
# the input, $P$ at each end, give the border its share. With $P = (K - 1)/2$ and an odd $K$ the size stays (at stride 1):
# *same*. A *stride* $S$ moves the window by more than one. Of the $W + 2P - K + 1$ places it takes every $S$-th:
#
# $$ OW = \Big\lfloor \frac{W + 2P - K}{S} \Big\rfloor + 1 . $$


# %%
def output_size(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride + 1


for size, kernel, stride, padding in [(10, 3, 1, 0), (10, 3, 1, 1), (28, 5, 1, 0), (28, 5, 1, 2), (28, 3, 2, 1), (7, 3, 3, 0)]:
    by_formula = output_size(size, kernel, stride, padding)
    by_layer = fnn.Conv1d(1, 1, kernel, stride, padding).output_shape((1, size))[1]
    print(f"size {size:2d}, kernel {kernel}, stride {stride}, padding {padding}: formula {by_formula:2d}, layer {by_layer:2d}")
for padding in ("valid", "same"):
    print(f"padding={padding!r}: {fnn.Conv1d(1, 1, 3, padding=padding).output_shape((1, 10))[1]} of 10")

# %% [markdown]
# ## Two dimensions
#
# An image has rows and columns, $x_{h,w}$, and so has the filter:
#
# $$ \text{out}_{i,j} = \sum_{kh,kw} \text{weight}_{kh,kw}\; x_{i \cdot SH + kh - PH,\; j \cdot SW + kw - PW}, $$
#
# with $x = 0$ outside the image. The loops below say just that.


# %%
def convolve2d(x, weight, stride=1, padding=0):
    """Cross-correlation of an image (H, W) with a filter (KH, KW)."""
    x = np.pad(x, padding)
    (H, W), (KH, KW) = x.shape, weight.shape
    out = np.empty((output_size(H, KH, stride), output_size(W, KW, stride)))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            window = x[i * stride : i * stride + KH, j * stride : j * stride + KW]
            out[i, j] = np.sum(window * weight)
    return out


image = np.arange(25.0).reshape(5, 5)
outline = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=np.float64)
print("valid")
print(convolve2d(image, outline))
print("same, stride 2")
print(convolve2d(image, outline, stride=2, padding=1))

# %% [markdown]
# In the middle the answer is 0: the image is a slope, and this filter sees only what is not even. At the border it sees the
# edge between the image and the zeros around it, which is not in the picture at all. That is the price of padding.
#
# ## Filters that people made
#
# Long before they were learned, filters were designed. Seven classic ones, on a photograph (Grace Hopper, from matplotlib's
# sample data). The weights of a blur sum to 1, so that the brightness stays; those of an edge detector sum to 0, so that
# even surfaces vanish.

# %%
with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
    photograph = matplotlib.image.imread(file, format="jpg").mean(axis=2)[:450:3, 40:490:3] / 255

FILTERS = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "box blur": np.ones((3, 3)) / 9,
    "Gaussian blur": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16,
    "vertical edges": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "horizontal edges": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "all edges": outline,
}
filtered = {name: convolve2d(photograph, weight, padding=1) for name, weight in FILTERS.items()}

conv = fnn.Conv2d(1, len(FILTERS), 3, padding=1, bias=False, dtype=np.float64)
conv.params["weight"][:, 0] = list(FILTERS.values())
by_layer = conv.forward(photograph[None, None])[0]
filter_difference = np.abs(by_layer - np.stack(list(filtered.values()))).max()
print(f"all seven by one fnn.Conv2d, largest difference: {filter_difference:.1e}")

# %%
figure, axes = lesson.subplots(2, 4, width=10, height=5.6)
axes.flat[0].imshow(photograph, cmap="gray", vmin=0, vmax=1)
axes.flat[0].set_title("photograph")
for ax, (name, result) in zip(axes.flat[1:], filtered.items()):
    edges = "edges" in name
    ax.imshow(np.abs(result) if edges else result, cmap="gray", vmin=0, vmax=2 if edges else 1)
    ax.set_title(name)
for ax in axes.flat:
    ax.set_axis_off()
lesson.picture(figure, "filters", "The photograph through seven filters; of the edge detectors the magnitude is shown")

# %% [markdown]
# ## Channels and batches
#
# A layer has many filters, and its input many *channels*: the three colours, or what the filters of the layer before have
# found. Each filter has a window for each channel and adds up over them. With $n$ the sample, $c$ the channel, $f$ the
# filter (stride 1, no padding):
#
# $$ \text{out}_{n,f,i,j} = \text{bias}_f + \sum_{c,kh,kw} \text{weight}_{f,c,kh,kw}\; x_{n,c,i+kh,j+kw} . $$


# %%
def conv_forward(x, weight, bias):
    """x (N, C, H, W), weight (F, C, KH, KW), bias (F,) -> out (N, F, OH, OW)."""
    (N, C, H, W), (F, _, KH, KW) = x.shape, weight.shape
    out = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for n in range(N):
        for f in range(F):
            out[n, f] = bias[f] + sum(convolve2d(x[n, c], weight[f, c]) for c in range(C))
    return out


rng = np.random.default_rng(0)
x4 = rng.standard_normal((2, 3, 6, 5))
weight, bias = rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)
out = conv_forward(x4, weight, bias)

conv = fnn.Conv2d(3, 4, (3, 2), dtype=np.float64)
conv.params["weight"], conv.params["bias"] = weight, bias
forward_difference = np.abs(conv.forward(x4, training=True) - out).max()
print("out", out.shape, f"largest difference from fnn.Conv2d: {forward_difference:.1e}")

# %% [markdown]
# ## im2col: a convolution as a matrix product
#
# Seven nested loops, over $n, f, c, i, j, kh, kw$, are slow in any language that does not compile them. The trick of many
# libraries (Chellapilla, Puri and Simard 2006): copy each window into a column, so that row $(c, kh, kw)$ and column
# $(i, j)$ hold $x_{c,i+kh,j+kw}$. Then the filters, as rows of a matrix, times the columns, as another, are all outputs
# at once. Here is the matrix for a 3 x 3 image and a 2 x 2 window, and what it becomes when each column is added back to
# where it came from. That is `col2im`; it is no inverse, but the *adjoint*, the transposed map: pixels that lay in
# several windows come back several times, and so do their gradients.


# %%
def im2col(x, KH, KW):
    """Images (N, C, H, W) -> columns (N, C * KH * KW, OH * OW), at stride 1 without padding."""
    N, C, H, W = x.shape
    places = [(i, j) for i in range(H - KH + 1) for j in range(W - KW + 1)]
    return np.stack([x[:, :, i : i + KH, j : j + KW].reshape(N, C * KH * KW) for i, j in places], axis=2)


def col2im(col, shape, KH, KW):
    """Add each column to the places of its window in images of this shape."""
    N, C, H, W = shape
    places = [(i, j) for i in range(H - KH + 1) for j in range(W - KW + 1)]
    x = np.zeros(shape)
    for number, (i, j) in enumerate(places):
        x[:, :, i : i + KH, j : j + KW] += col[:, :, number].reshape(N, C, KH, KW)
    return x


small = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
col = im2col(small, 2, 2)
back = col2im(col, small.shape, 2, 2)
print("image")
print(small[0, 0])
print("im2col: one column for each window, one row for each weight")
print(col[0])
print("col2im of that: each pixel times the number of windows it lies in")
print(back[0, 0])

# %%
columns = im2col(x4, 3, 2)
product = weight.reshape(4, -1) @ columns + bias[:, None]
product_difference = np.abs(product.reshape(out.shape) - out).max()
print(f"convolution as a matrix product, largest difference: {product_difference:.1e}")

by_kernel, window = np.empty_like(columns), ((3, 2), (1, 1), (0, 0), (1, 1))  # kernel, stride, padding, dilation
fnn.kernels.im2col.im2col(by_kernel, x4, *window)
print("the kernel im2col gives the same columns:", np.array_equal(by_kernel, columns))

# %% [markdown]
# (fastnn's own convolutions make no such copy: the matrix is $KH \cdot KW$ times as large as the image, and moving it costs
# more than it saves. [performance.md](performance.md) tells what they do instead.)
#
# ## Backward
#
# Given is $\text{dout}_{n,f,i,j} = \partial E / \partial\, \text{out}_{n,f,i,j}$. Look for each quantity's occurrences in
# the forward formula and add up: that is all the chain rule asks.
#
# The **bias** of filter $f$ is in each output of that filter, with factor 1:
#
# $$ \text{dbias}_f = \sum_{n,i,j} \text{dout}_{n,f,i,j} . $$
#
# A **weight** is in each output of its filter, times the pixel that it lay on there:
#
# $$ \text{dweight}_{f,c,kh,kw} = \sum_{n,i,j} \text{dout}_{n,f,i,j}\; x_{n,c,i+kh,j+kw}, $$
#
# which is the input's cross-correlation with dout as the filter.
#
# A **pixel** $(h, w)$ is in the outputs $(i, j)$ with $i + kh = h$ and $j + kw = w$, that is $i = h - kh$, $j = w - kw$:
#
# $$ \text{dx}_{n,c,h,w} = \sum_f \sum_{kh,kw} \text{weight}_{f,c,kh,kw}\; \text{dout}_{n,f,h-kh,w-kw}, $$
#
# with dout $= 0$ outside. The minus signs make this a convolution in the mathematical sense. Put $kh' = KH - 1 - kh$, and
# it is a cross-correlation again: of dout, padded with $K - 1$ zeros on all sides (a *full* convolution), with the filter
# rotated by 180 degrees. ([The backward passes](backward.md#convolution) has stride, padding and dilation too.)


# %%
def conv_backward(dout, x, weight):
    """Gradients (dx, dweight, dbias) of conv_forward."""
    (N, C), (F, _, KH, KW) = x.shape[:2], weight.shape
    dbias = dout.sum(axis=(0, 2, 3))
    dweight = np.zeros_like(weight)
    dx = np.zeros_like(x)
    for n in range(N):
        for f in range(F):
            full = np.pad(dout[n, f], ((KH - 1, KH - 1), (KW - 1, KW - 1)))
            for c in range(C):
                dweight[f, c] += convolve2d(x[n, c], dout[n, f])
                dx[n, c] += convolve2d(full, weight[f, c, ::-1, ::-1])
    return dx, dweight, dbias


dout = rng.standard_normal(out.shape)
dx, dweight, dbias = conv_backward(dout, x4, weight)
dx_layer = conv.backward(dout)
backward_differences = {
    "dx": np.abs(dx - dx_layer).max(),
    "dweight": np.abs(dweight - conv.grads["weight"]).max(),
    "dbias": np.abs(dbias - conv.grads["bias"]).max(),
}
for name, difference in backward_differences.items():
    print(f"{name:8s} largest difference from fnn.Conv2d: {difference:.1e}")

# %% [markdown]
# And by differences ([lesson 5](#5-gradients-by-differences-and-descent)), which know nothing of the derivation:

# %%
fnn.gradcheck(fnn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=1, dtype=np.float64, rng=0), x4)
print("gradcheck of a strided, padded Conv2d: all gradients agree")
