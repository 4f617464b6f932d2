# %% [markdown]
# # 6. Backpropagation by hand
#
# [Lesson 5](#5-gradients-by-differences-and-descent) found gradients by trying, two forward passes for each weight.
# Calculus gets all of them at once. The method is the chain rule, applied from the output to the input; for networks it
# became known as *backpropagation* through Rumelhart, Hinton and Williams (1986); Linnainmaa (1970) and Werbos (1974) had
# it before. We take one neuron, then a hidden layer, then any dense layer with a batch of samples.
#
# ## One neuron
#
# A neuron with a sigmoid. Two inputs, no bias, target $t$, and as the error half the squared difference:
#
# $$ a = \sum_i w_i x_i, \qquad y = \sigma(a), \qquad E = \tfrac{1}{2} (t - y)^2 . $$
#
# How does $E$ change with $w_i$? The weight acts on $a$, $a$ on $y$, $y$ on $E$: a chain. The *chain rule* says that the
# slopes along a chain multiply. If $a$ moves twice as fast as $w_i$, and $y$ half as fast as $a$, then $y$ moves as fast as
# $w_i$.
#
# ```math
# \frac{\partial E}{\partial w_i} =
# \frac{\partial E}{\partial y} \cdot \frac{\partial y}{\partial a} \cdot \frac{\partial a}{\partial w_i}
# ```
#
# The three factors, one by one:
#
# - $\partial E / \partial y = -(t - y)$. The half in $E$ is there to cancel the 2 of the square.
# - $\partial y / \partial a = y (1 - y)$, the derivative of the sigmoid from [lesson 2](#2-activation-functions).
# - $\partial a / \partial w_i = x_i$, since no other term of the sum contains $w_i$.
#
# Gradient descent goes against the gradient, so the minus signs cancel. This is the *weight change*, which is added to the
# weight:
#
# $$ \Delta w_i = -\eta \frac{\partial E}{\partial w_i} = \eta (t - y) y (1 - y) x_i $$

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


x = np.array([0.1, 0.3])
target = 0.2
weights = np.array([-0.8, 0.5])
rate = 0.5

y = sigmoid(weights @ x)
change = rate * (target - y) * y * (1 - y) * x

print("output       ", y)
print("weight change", change)

# %% [markdown]
# Read the result: the output 0.517 is too large, both inputs are positive, so both weights must fall. The second falls
# three times as much: its input is three times as large, so it has three times the influence on the output.
#
# One step is not the end. We repeat, and watch the output come down to the target.

# %%
w, outputs = weights.copy(), [y]
for _ in range(2000):
    w = w + rate * (target - outputs[-1]) * outputs[-1] * (1 - outputs[-1]) * x
    outputs.append(sigmoid(w @ x))
for steps in (0, 20, 200, 2000):
    print(f"output after {steps:4d} steps: {outputs[steps]:.4f}")

figure, axes = lesson.subplots(width=5.2)
axes.plot(outputs, label="output")
axes.axhline(target, color="black", linestyle="--", label="target")
axes.set(xlabel="step", ylabel="$y$", ylim=(0, 0.6))
axes.legend()
lesson.picture(figure, "one_neuron", "One neuron learns one number: the nearer it comes, the shorter its steps")

# %% [markdown]
# ## The chain rule for many variables
#
# In a network a number acts on the error along many ways: a hidden neuron feeds all neurons of the next layer. What then?
# Think of a small push. It runs along every way, and at the end the effects add up. So *slopes multiply along a way, and
# ways add up*. If $E$ depends on $u$ through the numbers $v_1, v_2, \dots$ and through nothing else,
#
# $$ \frac{\partial E}{\partial u} = \sum_k \frac{\partial E}{\partial v_k} \cdot \frac{\partial v_k}{\partial u} . $$
#
# Backpropagation is this sentence, used from the back to the front. Suppose that we know $\partial E / \partial v_k$ for
# all outputs of a layer. Then the sum gives $\partial E / \partial u$ for all its inputs, and these are the outputs of the
# layer in front. Each layer needs to know its own derivatives and what comes from behind, nothing else of the network.
#
# Why from the back? There is one $E$ and there are many weights. Going backwards, each intermediate number needs one slope,
# that of $E$, which serves all weights in front of it. Going forwards, we would need the slopes of every number with
# respect to each weight.
#
# ## One step through a hidden layer
#
# Three inputs, two hidden neurons, one output, all with sigmoids and without biases. $w_{ij}$ leads from input $i$ to
# hidden neuron $j$, and $v_j$ from there to the output:
#
# ```math
# a_j = \sum_i x_i w_{ij}, \quad z_j = \sigma(a_j), \qquad
# c = \sum_j z_j v_j, \quad y = \sigma(c), \qquad
# E = \tfrac{1}{2} (t - y)^2 .
# ```
#
# It is customary to name the slopes at the weighted sums, since everything else follows from them. These are the *error
# terms*, with the minus sign already in:
#
# ```math
# \delta = -\frac{\partial E}{\partial c} = (t - y) y (1 - y), \qquad
# \delta_j = -\frac{\partial E}{\partial a_j} = \delta v_j z_j (1 - z_j) .
# ```
#
# The second one is the chain from $E$ to $c$ ($\delta$), from $c$ to $z_j$ ($v_j$), from $z_j$ to $a_j$ (the sigmoid's
# slope). The error travels back over the same weight over which the signal came. As with the single neuron, the last factor
# for a weight is the number that it multiplies:
#
# $$ \Delta v_j = \eta \delta z_j, \qquad \Delta w_{ij} = \eta \delta_j x_i . $$

# %%
x = np.array([0.5, 0.1, -0.2])
target = 0.6
w_hidden = np.array([[0.5, -0.6], [0.1, -0.2], [0.1, 0.7]])
w_output = np.array([0.1, -0.3])
rate = 0.5

# forward
z = sigmoid(x @ w_hidden)
y = sigmoid(z @ w_output)

# backward
delta_output = (target - y) * y * (1 - y)
delta_hidden = delta_output * w_output * z * (1 - z)
change_output = rate * delta_output * z
change_hidden = rate * np.outer(x, delta_hidden)

print("output", y)
print("change of the output weights:", change_output)
print("change of the hidden weights:")
print(change_hidden)

# %% [markdown]
# `np.outer` makes the table of all products $x_i \delta_j$. Two things are easy to get wrong here. The forward values $z$
# and $y$ are needed again on the way back, so a network that trains must keep them. And all error terms are computed with
# the *old* weights: change `w_output` first, and `delta_hidden` would belong to neither network.
#
# The changes in the hidden layer are at least ten times smaller. Small weights have their part in this here, but there is a
# cause in the sigmoid itself: its slope $z (1 - z)$ is at most 1/4, and every layer on the way back multiplies by one such
# factor. In deep networks of sigmoids little is left for the first layers; this is the *vanishing gradient*.
#
# Is it right? Differences tell.


# %%
def error():
    return 0.5 * (target - sigmoid(sigmoid(x @ w_hidden) @ w_output)) ** 2


def numerical_gradient(f, array, h=1e-6):
    """Gradient of f() with respect to `array`, which f reads anew."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + h
        above = f()
        array[index] = value - h
        below = f()
        array[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


for name, array, by_hand in (("output", w_output, change_output), ("hidden", w_hidden, change_hidden)):
    by_differences = -rate * numerical_gradient(error, array)
    print(f"{name} weights, largest difference: {np.abs(by_hand - by_differences).max():.0e}")

# %% [markdown]
# ## The dense layer, for a batch
#
# Now in general, and in the names that fastnn's code uses. A layer gets a batch `x` of shape (N, IN): $N$ samples with IN
# inputs each. Its `weight` is (OUT, IN), one row for each neuron, its `bias` (OUT). It gives `out` of shape (N, OUT):
#
# $$ \mathrm{out}_{no} = \mathrm{bias}_o + \sum_i \mathrm{weight}_{oi} \mathrm{x}_{ni} $$
#
# From behind comes `dout`, with the shape of `out`: $\mathrm{dout}_{no} = \partial E / \partial \mathrm{out}_{no}$. In the
# same way `dx`, `dweight` and `dbias` are to be the slopes of $E$ with respect to `x`, `weight` and `bias`. Each time the
# rule asks two questions. In which outputs does this number appear? With what factor?
#
# **dx.** $\mathrm{x}_{ni}$ appears in the outputs of its own sample $n$, in all of them, in $\mathrm{out}_{no}$ with the
# factor $\mathrm{weight}_{oi}$. So
#
# $$ \mathrm{dx}_{ni} = \sum_o \mathrm{dout}_{no} \mathrm{weight}_{oi} . $$
#
# **dweight.** $\mathrm{weight}_{oi}$ appears in output $o$ only, but of every sample, with the factor $\mathrm{x}_{ni}$. So
#
# $$ \mathrm{dweight}_{oi} = \sum_n \mathrm{dout}_{no} \mathrm{x}_{ni} . $$
#
# **dbias.** $\mathrm{bias}_o$ appears in output $o$ of every sample, with the factor 1. So
#
# $$ \mathrm{dbias}_o = \sum_n \mathrm{dout}_{no} . $$
#
# What about the mean over the batch? If $E$ is a mean of the samples' losses, the factor $1/N$ is already in `dout`. The
# layer adds up.
#
# An index that is summed over is a matrix product, and the shapes say where to transpose: (N, OUT) times (OUT, IN) gives
# (N, IN), and (OUT, N) times (N, IN) gives (OUT, IN).


# %%
def dense_forward(x, weight, bias):
    return x @ weight.T + bias


def dense_backward(dout, x, weight):
    dx = dout @ weight
    dweight = dout.T @ x
    dbias = dout.sum(axis=0)
    return dx, dweight, dbias


# %% [markdown]
# To check them we need some $E$. Any will do; we take $\sum_{no} \mathrm{out}_{no} r_{no}$ with random numbers $r$, because
# then `dout` is just $r$. With ones in place of $r$ the check would be weaker: it could not see whether outputs have been
# interchanged.

# %%
rng = np.random.default_rng(0)
xs, weight, bias = rng.standard_normal((4, 3)), rng.standard_normal((2, 3)), rng.standard_normal(2)
dout = rng.standard_normal((4, 2))
dx, dweight, dbias = dense_backward(dout, xs, weight)
for name, array, gradient in (("dx", xs, dx), ("dweight", weight, dweight), ("dbias", bias, dbias)):
    numeric = numerical_gradient(lambda: (dense_forward(xs, weight, bias) * dout).sum(), array)
    print(f"{name:8s}{gradient.shape!s:8s}largest difference {np.abs(gradient - numeric).max():.0e}")

# %% [markdown]
# The sigmoid is simpler. Each output depends on one input, so no sum remains:
# $\mathrm{dx} = \mathrm{dout} \cdot \mathrm{out} (1 - \mathrm{out})$, entry by entry. With these two pieces, and
# $\mathrm{dout} = y - t$ from half the squared error, the step through the hidden layer is the following. Nothing in it
# depends on the number of layers; a network is a list.

# %%
batch = x[None]
parameters = [w_hidden.T, w_output[None]]

kept, signal = [], batch
for weight in parameters:
    out = sigmoid(dense_forward(signal, weight, 0.0))
    kept.append((signal, out))
    signal = out

gradients, dout = [], signal - target
for weight, (layer_input, out) in zip(reversed(parameters), reversed(kept)):
    dout = dout * out * (1 - out)
    dout, dweight, _ = dense_backward(dout, layer_input, weight)
    gradients.insert(0, dweight)

print("largest difference from the step by hand:", np.abs(-rate * gradients[0].T - change_hidden).max())

# %% [markdown]
# ## In fastnn
#
# The same, at production speed. A forward pass with `training=True` keeps what the way back needs. The loss begins the
# backward pass, the layers carry it on and leave their gradients in `grads`, and `SGD` subtracts the rate times the
# gradient. `MSELoss(factor=0.5)` is half the squared error; here there is one output, so its mean is the value itself.


# %%
def one_step(network, x, target, rate):
    """By how much one step of gradient descent changes each weight."""
    before = {name: array.copy() for name, array in network.params.items()}
    loss = fnn.MSELoss(factor=0.5)
    loss.forward(network.forward(x, training=True), np.full((1, 1), target))
    network.backward(loss.backward())
    fnn.SGD(lr=rate).update(network.params, network.grads)
    return {name: network.params[name] - before[name] for name in before}


neuron = fnn.Sequential(fnn.Dense(2, 1, bias=False, dtype=np.float64), fnn.Sigmoid())
neuron.params["0.weight"] = weights[None]
neuron_change = one_step(neuron, np.array([[0.1, 0.3]]), 0.2, rate)["0.weight"]
print("one neuron:", neuron_change[0])

network = fnn.Sequential(
    fnn.Dense(3, 2, bias=False, dtype=np.float64),
    fnn.Sigmoid(),
    fnn.Dense(2, 1, bias=False, dtype=np.float64),
    fnn.Sigmoid(),
)
network.params["0.weight"] = w_hidden.T
network.params["2.weight"] = w_output[None]
network_change = one_step(network, x[None], target, rate)
print("output weights:", network_change["2.weight"][0])
print("hidden weights:")
print(network_change["0.weight"].T)

# %% [markdown]
# The figures are those from above. [Lesson 8](#8-the-computational-graph) takes the last step and lets every operation,
# however small, have a forward and a backward of its own; that is how any network can be built from parts.
