# %% [markdown]
# # 16. Pooling by hand
#
# Where exactly an edge lies matters less the further the network looks. *Pooling* puts one number in the place of each
# window of pixels, usually of 2 x 2 with stride 2: a quarter of the pixels is left for the layers behind, each of which sees
# more of the image. It has no weights. What is that one number?
#
# | | forward, over the window's pixels $x_p$ | backward |
# |---|---|---|
# | maximum | $\max_p x_p$ | the winner gets the gradient |
# | average | $\frac{1}{K} \sum_p x_p$, $K = KH \cdot KW$ | each gets $1/K$ of it |
# | sum | $\sum_p x_p$ | each gets all of it |
# | L2 norm | $\sqrt{\sum_p x_p^2}$ | each gets $x_p / \text{out}$ times it |
#
# ## Forward
#
# As for a convolution, windows move by a stride, and $OH = \lfloor (H - KH)/SH \rfloor + 1$. In each, one function.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def windows(H, W, size, stride):
    """(i, j, rows, columns) of each output."""
    for i in range((H - size) // stride + 1):
        for j in range((W - size) // stride + 1):
            yield i, j, slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)


POOL = {
    "maximum": np.max,
    "average": np.mean,
    "sum": np.sum,
    "L2 norm": lambda window: np.sqrt(np.sum(window**2)),
}


def pool(x, kind, size=2, stride=2):
    out = np.empty(((x.shape[0] - size) // stride + 1, (x.shape[1] - size) // stride + 1))
    for i, j, rows, columns in windows(*x.shape, size, stride):
        out[i, j] = POOL[kind](x[rows, columns])
    return out


x = np.array([[3, 1, 0, 2], [4, 0, 6, 8], [5, 12, 1, 1], [0, 0, 7, 7]], dtype=np.float64)
outs = {kind: pool(x, kind) for kind in POOL}
print("x")
print(x)
for kind, out in outs.items():
    print(kind)
    print(out)

# %% [markdown]
# ## Backward
#
# Let $\text{dout}_{i,j}$ be the gradient of the loss with respect to an output. The pixel $p$ of its window gets
# $\text{dout}_{i,j}\; \partial\, \text{out}_{i,j} / \partial x_p$, and where windows overlap it gets a sum over its windows.
#
# **Maximum.** A little change of any other pixel than the largest changes nothing: their derivative is 0, and the winner's
# is 1. So the winner gets the gradient. If two share the maximum, one of them is chosen, the first in reading order (as in
# PyTorch). The forward pass keeps where it was: `argmax` in the kernels.
#
# **Average.** $\partial\, \text{out} / \partial x_p = 1/K$: averages spread it. For the **sum** it is 1.
#
# **L2 norm.** From $\text{out}^2 = \sum_p x_p^2$ follows
# $2\, \text{out}\; \partial\, \text{out} = 2\, x_p\; \partial x_p$, so the derivative is $x_p / \text{out}$: the largest
# get most. At $\text{out} = 0$ there is none, and 0 is taken. In general, for positive pixels, the norm
# $\big(\sum_p x_p^q\big)^{1/q}$ has the derivative $(x_p / \text{out})^{q-1}$; $q = 1$ is the sum, and the larger $q$,
# the nearer it is to the maximum.


# %%
def share(window, kind):
    """Derivative of the pooled value with respect to each pixel of its window."""
    if kind == "maximum":
        winner = np.zeros_like(window)
        winner.flat[window.argmax()] = 1
        return winner
    if kind == "L2 norm":
        out = np.sqrt(np.sum(window**2))
        return window / out if out > 0 else np.zeros_like(window)
    return np.ones_like(window) / (window.size if kind == "average" else 1)


def pool_backward(dout, x, kind, size=2, stride=2):
    dx = np.zeros_like(x)
    for i, j, rows, columns in windows(*x.shape, size, stride):
        dx[rows, columns] += dout[i, j] * share(x[rows, columns], kind)
    return dx


dout = np.array([[1.0, 10.0], [100.0, 1000.0]])
dxs = {kind: pool_backward(dout, x, kind) for kind in POOL}
print("dout")
print(dout)
for kind, dx in dxs.items():
    print(kind, "- dx")
    print(np.array2string(dx.round(3), suppress_small=True))

# %% [markdown]
# In the window at the bottom right 7 is there twice: the first one won. Check: the gradients of maximum and average add up
# to those of dout, 1111.
#
# ## In fastnn
#
# A layer for each. The sum is `LPPool2d` with $q = 1$, or `AvgPool2d` with 1 as the divisor.

# %%
LAYERS = {
    "maximum": fnn.MaxPool2d(2),
    "average": fnn.AvgPool2d(2),
    "sum": fnn.LPPool2d(1, 2),
    "L2 norm": fnn.LPPool2d(2, 2),
}
differences = {}
for kind, layer in LAYERS.items():
    forward = np.abs(layer.forward(x[None, None], training=True)[0, 0] - outs[kind]).max()
    backward = np.abs(layer.backward(dout[None, None])[0, 0] - dxs[kind]).max()
    differences[kind] = forward, backward
    print(f"{kind:8s} {type(layer).__name__:10s} largest difference forward {forward:.1e}, backward {backward:.1e}")
print("sum by averages", fnn.AvgPool2d(2, divisor_override=1).forward(x[None, None])[0, 0].ravel())

# %% [markdown]
# And where windows overlap, 3 x 3 with stride 2 as in AlexNet ([lesson 20](#20-the-networks-every-course-names)):

# %%
larger = np.random.default_rng(0).standard_normal((7, 7))
dlarger = np.random.default_rng(1).standard_normal((3, 3))
OVERLAPPING = {"maximum": fnn.MaxPool2d(3, 2), "average": fnn.AvgPool2d(3, 2), "L2 norm": fnn.LPPool2d(2, 3, 2)}
for kind, layer in OVERLAPPING.items():
    forward = np.abs(layer.forward(larger[None, None], training=True)[0, 0] - pool(larger, kind, 3, 2)).max()
    backward = np.abs(layer.backward(dlarger[None, None])[0, 0] - pool_backward(dlarger, larger, kind, 3, 2)).max()
    differences["overlapping " + kind] = forward, backward
    print(f"{kind:8s} overlapping: largest difference forward {forward:.1e}, backward {backward:.1e}")

# %% [markdown]
# ## What it does to a digit
#
# The maximum keeps strokes strong and makes them wider; the average makes them pale. That is one reason why networks
# take maxima between convolutions, and an average at the very end, where it is asked how much of something is there at all:
# a *global* average, one number for each channel (`AdaptiveAvgPool2d(1)`), as in the first network of
# [lesson 18](#18-mnist-convolutional).

# %%
digit = fnn.data.mnist_subset().test_images[0, 0] / 255
shown = {"digit": digit} | {kind: pool(digit, kind) for kind in POOL} | {"maximum of 4 x 4": pool(digit, "maximum", 4, 4)}
figure, axes = lesson.subplots(1, len(shown), width=10, height=2)
for ax, (name, image) in zip(axes, shown.items()):
    ax.imshow(image, cmap="gray_r")
    ax.set_title(name, fontsize=9)
    ax.set_axis_off()
lesson.picture(
    figure, "digit", "A digit, 28 x 28, pooled in four ways to 14 x 14, and by the maximum to 7 x 7; each on its own scale"
)

# %%
gradient = np.random.default_rng(2).standard_normal((14, 14))
figure, axes = lesson.subplots(1, 4, width=10, height=2.7)
for ax, kind in zip(axes, POOL):
    dx = pool_backward(gradient, digit + 0.01 * np.random.default_rng(3).random((28, 28)), kind)
    ax.imshow(dx, cmap="RdBu", vmin=-2, vmax=2)
    ax.set_title(f"{kind}: dx", fontsize=9)
    ax.set_axis_off()
lesson.picture(figure, "gradients", "The same random dout taken back: winners alone, a quarter each, all of it, by share")
