# %% [markdown]
# # 5. Gradients by differences, and descent
#
# A loss says how bad the weights are ([lesson 4](#4-loss-functions)). Learning means to change the weights so that it
# falls. In which direction, and how far? This lesson answers with the simplest means there is: change a number a little and
# look what happens.
#
# ## The derivative
#
# The *derivative* of $f$ at $x$ is the slope of its curve there: by how much $f$ grows for each unit by which $x$ grows,
# for steps so small that the curve looks straight,
#
# $$ f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h} . $$
#
# A computer cannot let $h$ go to 0, but it can take a small one. Two formulas are common. The *forward difference* is the
# fraction above. The *central difference* goes as far to the left as to the right:
#
# $$ f'(x) \approx \frac{f(x + h) - f(x - h)}{2h} . $$

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h=1e-4):
    return (f(x + h) - f(x - h)) / (2 * h)


def f(x):
    return 0.01 * x**2 + 0.1 * x


for x in (5.0, 10.0):
    print(f"x = {x:2.0f}: forward {forward_difference(f, x, 1e-4):.13f}, central {central_difference(f, x):.13f}")

# %% [markdown]
# The rules of calculus give $f'(x) = 0.02 x + 0.1$, so 0.2 and 0.3. The line through the point with this slope is the
# *tangent*.

# %%
figure, axes = lesson.subplots(width=5.2)
curve = np.linspace(0, 20, 200)
axes.plot(curve, f(curve), label="$f(x)$")
for x in (5.0, 10.0):
    axes.plot(curve, f(x) + central_difference(f, x) * (curve - x), "--", label=f"tangent at {x:.0f}")
    axes.plot(x, f(x), "ko")
axes.set(xlabel="$x$", ylabel="$f(x)$")
axes.legend()
lesson.picture(figure, "tangents", "A function and its tangents at 5 and at 10: near the point, line and curve are nearly one")

# %% [markdown]
# ## How small is small?
#
# Why is the central difference so much better? Taylor's series says what the two leave over:
#
# $$ f(x \pm h) = f(x) \pm h f'(x) + \frac{h^2}{2} f''(x) \pm \frac{h^3}{6} f'''(x) + \dots $$
#
# Put that in. In the forward difference a term $\frac{h}{2} f''(x)$ remains. In the central one $f''$ drops out, and
# $\frac{h^2}{6} f'''(x)$ remains. A tenth of the step means a tenth of the error in one, a hundredth in the other.
#
# But a smaller $h$ is not always better. Numbers in float64 carry about 16 digits, so $f$ is known up to some
# $10^{-16} |f|$. The difference of two nearly equal values keeps this error, and dividing by $h$ makes it large: about
# $10^{-16} |f| / h$. Here are both effects, for the sine at 1, whose derivative is the cosine.

# %%
steps = np.logspace(-14, -0.5, 100)
errors = {
    "forward": np.abs([forward_difference(np.sin, 1.0, h) - np.cos(1.0) for h in steps]),
    "central": np.abs([central_difference(np.sin, 1.0, h) - np.cos(1.0) for h in steps]),
}
figure, axes = lesson.subplots(width=5.6)
for name, error in errors.items():
    axes.loglog(steps, error, label=name)
    best = error.argmin()
    print(f"{name}: least error {error[best]:.0e}, at a step of {steps[best]:.0e}")
axes.set(xlabel="step $h$", ylabel="error of the slope")
axes.legend()
lesson.picture(figure, "errors", "Too large steps on the right, rounding on the left. The best step lies between")

# %% [markdown]
# The best step is near $10^{-8}$ for the forward and near $10^{-5}$ for the central difference. Our default of $10^{-4}$ is
# a safe choice for sums of many terms, which carry more rounding than one sine. float32 has only about seven digits:
# differences are next to useless there, and gradients are always checked in float64.
#
# ## Several variables
#
# A loss depends on many numbers. Take two, $f(x_0, x_1) = x_0^2 + x_1^2$. The *partial derivative*
# $\partial f / \partial x_0$ is the derivative when only $x_0$ moves and $x_1$ stays where it is. By calculus it is
# $2 x_0$, and the other one $2 x_1$. At (3, 4):


# %%
def bowl(x):
    return x[0] ** 2 + x[1] ** 2


print("with respect to x0:", central_difference(lambda x0: bowl((x0, 4.0)), 3.0))
print("with respect to x1:", central_difference(lambda x1: bowl((3.0, x1)), 4.0))

# %% [markdown]
# All partial derivatives together, as an array of the shape of $x$, are the *gradient* $\nabla f$. To get it, move one
# entry after the other and put it back. This works for arrays of any shape.


# %%
def numerical_gradient(f, x, h=1e-4):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        below = f(x)
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


g = numerical_gradient(bowl, np.array([3.0, 4.0]))
print("gradient at (3, 4):", g)

# %% [markdown]
# What does the gradient tell? For a small step $s$ the slopes add up,
# $f(x + s) \approx f(x) + \sum_i \frac{\partial f}{\partial x_i} s_i$. The sum is the scalar product of gradient and
# step. Among all steps of one length it is largest for the step that points along the gradient, and smallest for the
# opposite one. So *the gradient points uphill, where it is steepest, and minus the gradient points downhill*. Its length
# says how steep it is.

# %%
grid = np.linspace(-2, 2, 13)
x0, x1 = np.meshgrid(grid, grid)
arrows = [-numerical_gradient(bowl, np.array(point)) for point in zip(x0.ravel(), x1.ravel())]
figure, axes = lesson.subplots(width=4.4, height=4)
axes.quiver(x0, x1, *np.transpose(arrows), color="tab:blue", angles="xy")
axes.set(xlabel="$x_0$", ylabel="$x_1$", aspect="equal")
lesson.picture(figure, "gradients", "Minus the gradient of the bowl: downhill everywhere, long arrows where it is steep")

# %% [markdown]
# ## Gradient descent
#
# The arrows point to the lowest place from everywhere, but only on a round bowl. In general they say where it goes down
# from *here*. So we go a small step, look again, and go on:
#
# $$ x \leftarrow x - \eta \nabla f(x) . $$
#
# $\eta$ is the *learning rate*. That is all of *gradient descent*, and Cauchy had it in 1847. Everything that trains
# networks in this course is a variation of it.


# %%
def gradient_descent(f, start, rate, steps):
    """All points on the way, the start first."""
    x, path = np.array(start), [np.array(start)]
    for _ in range(steps):
        x = x - rate * numerical_gradient(f, x)
        path.append(x)
    return np.array(path)


path = gradient_descent(bowl, [-3.0, 4.0], rate=0.1, steps=100)
print("after 100 steps at rate 0.1:", path[-1])

# %% [markdown]
# Almost (0, 0), where the bowl is lowest. On this bowl we can even say what each step does. The gradient is $2x$, so
# $x - \eta \cdot 2x = (1 - 2\eta) x$: every step multiplies by $1 - 2\eta$. At rate 0.1 that is 0.8, and $0.8^{100}$ is
# $2.04 \cdot 10^{-10}$. The same formula says what goes wrong at other rates.

# %%
rates = {0.005: "too small", 0.1: "good", 0.95: "large", 1.02: "too large"}
paths = {rate: gradient_descent(bowl, [-3.0, 4.0], rate, 30) for rate in rates}
for rate, points in paths.items():
    print(f"rate {rate}: each step multiplies by {1 - 2 * rate:5.2f}, after 30 steps at {points[-1]}")

figure, grid_of_axes = lesson.subplots(2, 2, width=7, height=7, sharex=True, sharey=True)
x0, x1 = np.meshgrid(np.linspace(-14, 14, 100), np.linspace(-14, 14, 100))
for axes, (rate, points) in zip(grid_of_axes.flat, paths.items()):
    axes.contour(x0, x1, bowl((x0, x1)), levels=np.arange(1, 19, 2) ** 2, colors="lightgrey", linewidths=0.8)
    axes.plot(points[:, 0], points[:, 1], "o-", markersize=4, linewidth=0.8)
    axes.plot(*points[0], "ks")
    axes.set(title=f"{rates[rate]}: rate {rate}", xlabel="$x_0$", ylabel="$x_1$", aspect="equal")
    axes.label_outer()
lesson.picture(figure, "paths", "30 steps from the square at (−3, 4), at four rates. Circles are places of equal height")

# %% [markdown]
# Too small: still under way. Good: there. Large: every step lands on the other side, a little lower, and it arrives after
# much zigzag. Too large: on the other side and *higher*. It never comes back. The limit is where $|1 - 2\eta| = 1$, that is
# at $\eta = 1$.

# %%
figure, axes = lesson.subplots(width=5.6)
for rate, points in paths.items():
    axes.semilogy([bowl(x) for x in points], label=f"{rate}, {rates[rate]}")
axes.set(xlabel="step", ylabel="$f(x)$")
axes.legend(title="rate")
lesson.picture(figure, "rates", "The height at each step. Straight lines here: each step multiplies it by a constant factor")

# %% [markdown]
# A curve that rises from step to step is what a too large rate looks like in real trainings too; so do values that become
# infinite or NaN. The cure is to divide the rate by ten. A curve that falls, but as if it had all day, asks for a larger
# one.
#
# Does descent always find the lowest place? No. It stops where the gradient is 0, and that may be a valley that is not the
# deepest, or a pass between two summits. In a valley that is long and narrow it is slow: the steep sides allow no larger
# rate, and along the floor there is little slope. [Lesson 13](#13-optimizers-compared) is about that.
#
# ## A network's loss
#
# Now the same with weights. One dense layer with two inputs and three classes, softmax and cross-entropy behind it; the
# sample belongs to class 2. The loss is a function of the weights, and `numerical_gradient` does not care what kind of
# function.

# %%
x = np.array([0.6, 0.9])
label = 2
weight = np.random.default_rng(0).standard_normal((3, 2))


def loss(weight):
    scores = weight @ x
    p = np.exp(scores - scores.max())
    return -np.log(p[label] / p.sum())


dweight = numerical_gradient(loss, weight)
print("gradient of the loss:")
print(dweight)

# %% [markdown]
# The sign of each entry is an instruction. Where it is negative, a larger weight lowers the loss: these are the weights
# that belong to class 2. All others should shrink. A hundred steps of descent do so.

# %%
trained = gradient_descent(loss, weight, rate=0.5, steps=100)[-1]
print(f"loss before {loss(weight):.4f}, after {loss(trained):.4f}")
print(f"probability of class 2 before {np.exp(-loss(weight)):.3f}, after {np.exp(-loss(trained)):.3f}")

# %% [markdown]
# ## In fastnn
#
# Layers and losses of fastnn have a `backward` that computes the gradient exactly, without differences. Lessons
# [6](#6-backpropagation-by-hand) and [8](#8-the-computational-graph) derive it. Here are the same layer and the same loss:

# %%
layer = fnn.Dense(2, 3, bias=False, dtype=np.float64)
layer.params["weight"] = weight
cross_entropy = fnn.CrossEntropyLoss()
scores = layer.forward(x[None], training=True)
print("difference of the losses   ", abs(cross_entropy.forward(scores, np.array([label])) - loss(weight)))
layer.backward(cross_entropy.backward())
difference = np.abs(layer.grads["weight"] - dweight).max()
print(f"difference of the gradients {difference:.0e}")

# %% [markdown]
# And `SGD` is gradient descent. It changes an array in place, by the gradient that it is given.

# %%
point = np.array([-3.0, 4.0])
optimizer = fnn.SGD(lr=0.1)
for _ in range(100):
    optimizer.update(point, 2 * point)
print("after 100 steps of SGD:", point)

# %% [markdown]
# Why not use differences for everything? Because they need two forward passes for each weight. A small network for digits
# has 60,000 weights: 120,000 passes for one step. Backpropagation gets the whole gradient for about the price of three.
# Differences remain the judge: they are slow but hard to get wrong, and so every backward pass of this library is checked
# against them.
