# %% [markdown]
# # 8. The computational graph
#
# [Lesson 6](#6-backpropagation-by-hand) derived the gradient of one network. This lesson takes networks apart, into
# operations so small that each has a derivative anybody can see. Such an operation is a *node*. It knows two things: how to
# compute its output from its inputs (`forward`), and how to turn the slope at its output into the slopes at its inputs
# (`backward`). Nodes that are connected form a *graph*. A forward pass goes through it from the inputs to the result, a
# backward pass the same way back, and no node ever looks beyond its neighbours.
#
# That is how libraries for neural networks work. Some, PyTorch among them, note down each operation while the forward pass
# runs, and walk back over their notes; this is *automatic differentiation*. In fastnn the nodes are layers, each with a
# backward pass derived by hand ([all of them](backward.md)).
#
# ## Multiply and add
#
# For a product $z = xy$ we have $\partial z / \partial x = y$ and $\partial z / \partial y = x$. So the slope `dout` that
# arrives from behind goes on to each side, times the value of the *other* side, and the node must remember both. For a sum
# both derivatives are 1, and `dout` goes on unchanged to both.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


class Multiply:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Add:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout, dout


# %% [markdown]
# ## Two apples, with tax
#
# An apple costs 100, we buy two, and 10 % tax is added. What do we pay? And how does the price react if apples get dearer,
# if we buy more, if the tax rises? The first question is the forward pass, the others are the backward pass. It starts with
# 1: the price reacts to itself with slope 1.

# %%
apple, number, tax = 100.0, 2.0, 1.1

fruit_node, tax_node = Multiply(), Multiply()
fruit = fruit_node.forward(apple, number)
price = tax_node.forward(fruit, tax)

dprice = 1.0
dfruit, dtax = tax_node.backward(dprice)
dapple, dnumber = fruit_node.backward(dfruit)

print(f"price {price:.0f}")
print(f"slopes: apple {dapple:.1f}, number {dnumber:.0f}, tax {dtax:.0f}")

# %% [markdown]
# If an apple costs 1 more, we pay 2.2 more: for two apples, and with tax. One apple more costs 110. If the tax factor rises
# by 1, to a tax of 110 %, we pay 200 more. Note the units: a slope of 200 for the tax does not make tax more important than
# apples, because 1 is an enormous step for it and a tiny one for the apple's price.
#
# The same as a picture: values above the arrows, slopes below. Values run to the right, slopes to the left.


# %%
def draw_graph(axes, nodes, edges):
    """Nodes as {name: (x, y)}, edges as (from, to, value, slope). Spaces around a name only tell two nodes apart."""
    for start, end, value, slope in edges:
        (x0, y0), (x1, y1) = nodes[start], nodes[end]
        axes.annotate("", (x1, y1), (x0, y0), arrowprops={"arrowstyle": "->", "shrinkA": 24, "shrinkB": 22})
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        for number, colour, offset in ((value, "tab:blue", 9), (slope, "tab:red", -9)):
            style = {"color": colour, "ha": "center", "va": "center", "bbox": {"facecolor": "white", "lw": 0, "pad": 0.5}}
            axes.annotate(f"{number:.4g}", middle, (0, offset), textcoords="offset points", **style)
    operations = {start for start, *_ in edges} & {end for _, end, *_ in edges}
    for name, (x, y) in nodes.items():
        border = "black" if name in operations else "white"
        axes.text(x, y, name.strip(), ha="center", va="center", bbox={"boxstyle": "round", "fc": "white", "ec": border})
    xs, ys = zip(*nodes.values())
    axes.set(xlim=(min(xs) - 0.4, max(xs) + 0.4), ylim=(min(ys) - 0.4, max(ys) + 0.4))
    axes.set_axis_off()


figure, axes = lesson.subplots(width=6, height=2.8)
draw_graph(
    axes,
    {"apple": (0, 2), "number": (0, 1), "×": (1.3, 1.5), "tax": (1.3, 0.3), " ×": (2.6, 0.9), "price": (3.9, 0.9)},
    [
        ("apple", "×", apple, dapple),
        ("number", "×", number, dnumber),
        ("×", " ×", fruit, dfruit),
        ("tax", " ×", tax, dtax),
        (" ×", "price", price, dprice),
    ],
)
lesson.picture(figure, "apples", "Two apples with tax. Blue, above: values, forward. Red, below: slopes of the price, backward")

# %% [markdown]
# With oranges in the basket there is a sum. Three oranges at 150:

# %%
apples, oranges, basket, taxed = Multiply(), Multiply(), Add(), Multiply()
both = taxed.forward(basket.forward(apples.forward(100.0, 2.0), oranges.forward(150.0, 3.0)), 1.1)

dbasket, dboth_tax = taxed.backward(1.0)
dapples, doranges = basket.backward(dbasket)
slopes = {"apple and number": apples.backward(dapples), "orange and number": oranges.backward(doranges), "tax": (dboth_tax,)}

print(f"price {both:.0f}")
for name, values in slopes.items():
    print(f"slopes of {name}:", ", ".join(f"{value:.1f}" for value in values))

# %% [markdown]
# Backward calls come in the reverse order of forward calls. That is the only rule about order: a node can go back as soon
# as the slope at its output is complete.
#
# When is it complete? If a value is used in several places, a slope comes back from each of them, and they *add up*: ways
# add, as lesson 6 has it. The square as a product $x \cdot x$ shows it, with the two sides of one node:

# %%
square = Multiply()
nine = square.forward(3.0, 3.0)
left_slope, right_slope = square.backward(1.0)
print(f"3 * 3 = {nine:.0f}, slope {left_slope:.0f} + {right_slope:.0f} = {left_slope + right_slope:.0f}, by calculus 2 * 3")

# %% [markdown]
# ## The sigmoid
#
# A graph for $y = 1 / (1 + e^{-x})$ has four nodes: times −1, exponential, plus 1, reciprocal. Two are new. The exponential
# is its own derivative. For the reciprocal $v = 1/u$ it is $-1/u^2 = -v^2$. Backward, from the right, the slopes multiply:
#
# $$ 1 \to -y^2 \to -y^2 \to -y^2 e^{-x} \to y^2 e^{-x} $$

# %%
x = 1.0
minus = -x
exponential = np.exp(minus)
total = 1 + exponential
y = 1 / total

dtotal = -(y**2)
dminus = dtotal * exponential
dx = -dminus
print(f"forward {y:.8f}, slope {dx:.8f}, y (1 - y) = {y * (1 - y):.8f}")

figure, axes = lesson.subplots(width=7.2, height=1.2)
draw_graph(
    axes,
    {"$x$": (0, 0), "× (−1)": (1.1, 0), "exp": (2.2, 0), "+ 1": (3.3, 0), "1 / u": (4.4, 0), "$y$": (5.5, 0)},
    [
        ("$x$", "× (−1)", x, dx),
        ("× (−1)", "exp", minus, dminus),
        ("exp", "+ 1", exponential, dtotal),
        ("+ 1", "1 / u", total, dtotal),
        ("1 / u", "$y$", y, 1.0),
    ],
)
lesson.picture(figure, "sigmoid", "The sigmoid at 1, taken apart. Blue: values. Red: slopes of y")

# %% [markdown]
# The result can be written more simply. $e^{-x} = 1/y - 1 = (1 - y)/y$, so $y^2 e^{-x} = y (1 - y)$. So a layer need not
# consist of the smallest nodes. Four nodes become one, which remembers only its output. This is a choice everywhere: large
# nodes with a derivative by hand are fast, small ones can be put together freely.
#
# ## Layers
#
# From here on the values are arrays, and a node is a layer. Four of them make a network for classification.
#
# **ReLU.** $\mathrm{out} = \max(\mathrm{x}, 0)$, entry by entry. The slope is 1 where x is positive, else 0. So `dout`
# passes where the value passed, and stops elsewhere: a switch that both directions find in the same position. At 0 there is
# no derivative, and we take 0.
#
# **Sigmoid.** As above: $\mathrm{dx} = \mathrm{dout} \cdot \mathrm{out} (1 - \mathrm{out})$.
#
# **Dense**, also called *affine*: $\mathrm{out} = \mathrm{x} \cdot \mathrm{weight}^T + \mathrm{bias}$. Lesson 6 derived it
# with indices. As a graph it is a product of matrices and an addition. The matrix product is a multiply node for arrays,
# and again `dout` is multiplied by the other side: $\mathrm{dx} = \mathrm{dout} \cdot \mathrm{weight}$ and
# $\mathrm{dweight} = \mathrm{dout}^T \cdot \mathrm{x}$. The addition passes `dout` on. But `bias` is one row that is used
# for all $N$ samples: a value used in $N$ places, whose slopes add up. Hence
# $\mathrm{dbias}_o = \sum_n \mathrm{dout}_{no}$.


# %%
class ReLU:
    def forward(self, x):
        self.positive = x > 0
        return np.where(self.positive, x, 0.0)

    def backward(self, dout):
        return np.where(self.positive, dout, 0.0)


class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * (1 - self.out)


class Dense:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, dout):
        self.dweight = dout.T @ self.x
        self.dbias = dout.sum(axis=0)
        return dout @ self.weight


# %% [markdown]
# **Softmax with cross-entropy.** At the end of a network for $C$ classes stand softmax and the loss of
# [lesson 4](#4-loss-functions). For one sample with the scores $x_1 \dots x_C$, the probabilities $p_c$ and the targets
# $t_c$,
#
# $$ p_c = \frac{e^{x_c}}{\sum_k e^{x_k}}, \qquad E = -\sum_c t_c \log p_c . $$
#
# Going back in two steps, the loss gives $\mathrm{dp}_c = -t_c / p_c$. Softmax has the derivatives
# $\partial p_k / \partial x_c = p_k (\delta_{kc} - p_c)$ of [lesson 2](#2-activation-functions), with $\delta_{kc}$ = 1 for
# $k = c$ and 0 otherwise. The rule adds up over all $p_k$:
#
# ```math
# \mathrm{dx}_c = \sum_k \mathrm{dp}_k \, p_k (\delta_{kc} - p_c)
#               = -\sum_k t_k (\delta_{kc} - p_c)
#               = -t_c + p_c \sum_k t_k
#               = p_c - t_c .
# ```
#
# The division by $p_k$ has cancelled, and the targets of a sample add up to 1. What remains could not be simpler:
# *probability minus target*. A class that is right and has probability 0.9 gets −0.1, a little push up. One that is wrong
# and has 0.9 gets +0.9, a hard push down.
#
# As one node the two are also safe. A probability can be so small that it becomes 0 in the computer, with an infinite
# logarithm. But $\log p_c = x_c - \log \sum_k e^{x_k}$ needs no small number, once the greatest score is subtracted from
# all. The loss of a batch is the mean over its $N$ samples, so each gets the factor $1/N$.


# %%
class SoftmaxCrossEntropy:
    def forward(self, x, targets):
        x = x - x.max(axis=1, keepdims=True)
        log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
        self.p, self.targets = np.exp(log_p), targets
        return -(targets * log_p).sum() / len(x)

    def backward(self):
        return (self.p - self.targets) / len(self.p)


# %% [markdown]
# ## A network of these
#
# Four inputs, five hidden neurons, three classes, six samples. The network is a list; forward goes along it, backward goes
# along it from the end.

# %%
rng = np.random.default_rng(0)
inputs = rng.standard_normal((6, 4))
labels = np.array([0, 2, 1, 1, 0, 2])
targets = np.eye(3)[labels]
weights = [rng.standard_normal((5, 4)), rng.standard_normal((3, 5))]
biases = [rng.standard_normal(5), rng.standard_normal(3)]

layers = [Dense(weights[0], biases[0]), ReLU(), Dense(weights[1], biases[1])]
loss_node = SoftmaxCrossEntropy()

signal = inputs
for layer in layers:
    signal = layer.forward(signal)
loss = loss_node.forward(signal, targets)

gradient = loss_node.backward()
for layer in reversed(layers):
    gradient = layer.backward(gradient)

print(f"loss {loss:.8f}")
print("gradient of the last bias:", layers[2].dbias)

# %% [markdown]
# In fastnn these are the layers `Dense`, `ReLU` and `Sigmoid`, and the loss `CrossEntropyLoss`, which contains the softmax.
# `Sequential` is the list.

# %%
network = fnn.Sequential(fnn.Dense(4, 5, dtype=np.float64), fnn.ReLU(), fnn.Dense(5, 3, dtype=np.float64))
for i, weight, bias in zip((0, 2), weights, biases):
    network.params[f"{i}.weight"], network.params[f"{i}.bias"] = weight, bias
cross_entropy = fnn.CrossEntropyLoss()

network_loss = cross_entropy.forward(network.forward(inputs, training=True), labels)
dinputs = network.backward(cross_entropy.backward())

differences = {"loss": abs(network_loss - loss), "dx": np.abs(dinputs - gradient).max()}
for i in (0, 2):
    differences[f"{i}.weight"] = np.abs(network.grads[f"{i}.weight"] - layers[i].dweight).max()
    differences[f"{i}.bias"] = np.abs(network.grads[f"{i}.bias"] - layers[i].dbias).max()
for name, difference in differences.items():
    print(f"{name:9s} largest difference {difference:.1e}")

# %%
sigmoid, sigmoid_layer = Sigmoid(), fnn.Sigmoid()
dout = rng.standard_normal((6, 4))
forward_difference = np.abs(sigmoid.forward(inputs) - sigmoid_layer.forward(inputs, training=True)).max()
backward_difference = np.abs(sigmoid.backward(dout) - sigmoid_layer.backward(dout)).max()
print(f"sigmoid: largest difference forward {forward_difference:.1e}, backward {backward_difference:.1e}")

# %% [markdown]
# ## The gradient check
#
# Two implementations agree. They could share a mistake. The independent judge is
# [lesson 5](#5-gradients-by-differences-and-descent): move each number a little, and look. `fastnn.gradcheck` does that for
# a layer, a whole network, or a loss. It draws a random `dout`, takes $\sum \mathrm{out} \cdot \mathrm{dout}$ as the
# result, moves every entry of the input and of every parameter by $\pm 10^{-6}$, and compares the central difference with
# what `backward` says.

# %%
check = fnn.gradcheck(network, inputs)
print(check)
loss_check = fnn.gradcheck(cross_entropy, network.predict(inputs), labels)
print(loss_check)

# %% [markdown]
# The errors are relative to the largest gradient of the array. Something like $10^{-9}$ is rounding, as it is in all
# differences. A mistake looks different. Here is a layer of our own for $\mathrm{out} = \mathrm{x}^2$, in which somebody
# has forgotten the 2:


# %%
class Square(fnn.Layer):
    factor = 1

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x, *, training=False):
        self.saved = x if training else None
        return x**2

    def backward(self, dout, *, need_dx=True):
        return self.factor * self.take_saved() * dout


layer = Square()
wrong = fnn.gradcheck(layer, inputs, raise_error=False)
print(wrong)
layer.factor = 2
right = fnn.gradcheck(layer, inputs)
print(right)

# %% [markdown]
# Without `raise_error=False` the first call ends with an error, which is what one wants in a test. Two things a check can
# stumble over. It needs float64, since float32 has too few digits for differences. And at a kink, such as the 0 of ReLU,
# there is no derivative to compare with; inputs should keep away from it. Every layer and loss of fastnn is checked in this
# way, and yours can be.
