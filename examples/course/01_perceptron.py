# %% [markdown]
# # 1. The perceptron
#
# Everything in this course is built from one part: the artificial *neuron*. It takes some numbers, weighs them, adds them
# up, and answers yes or no. McCulloch and Pitts described it in 1943 as a model of nerve cells that computes with logic.
# Rosenblatt called it *perceptron* in 1958 and let it learn.
#
# The inputs are $x_1, x_2, \dots$; each has a *weight* $w_i$ that says how much it counts, and in which direction. The
# neuron adds the products and compares with a threshold $\theta$:
#
# $$ y = 1 \text{ if } \sum_i w_i x_i > \theta, \qquad y = 0 \text{ if not.} $$
#
# It is handier to bring the threshold to the other side and to call it *bias*, $b = -\theta$. A large bias makes a neuron
# that says yes easily. What remains is a comparison with 0, the *step function* $h$:
#
# $$ a = \sum_i w_i x_i + b, \qquad y = h(a), \qquad h(a) = 1 \text{ if } a > 0, \text{ else } 0. $$
#
# In words that we keep: $a$ is the *weighted sum*, $h$ the *activation function*, $y$ the *output*.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def step(a):
    return np.where(a > 0, 1.0, 0.0)


def neuron(x, w, b):
    return step(x @ w + b)


# %% [markdown]
# `x @ w` is $\sum_i x_i w_i$. It works for one input vector, and as well for a table of them with one in each row: then it
# gives one sum per row. That is how we try all four inputs at once.
#
# ## AND, NAND, OR
#
# With inputs 0 and 1 a neuron can be a logic gate. AND says yes if both inputs are 1. Let both weights be 0.5: the sum is
# 0, 0.5, 0.5 or 1, and any threshold from 0.5 up to just below 1 separates the last case from the others. We take 0.7. OR
# says yes if at least one is 1, so its threshold lies lower: 0.2. NAND is "not AND": all signs of AND turned round.

# %%
inputs = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
gates = {
    "AND": (np.array([0.5, 0.5]), -0.7),
    "NAND": (np.array([-0.5, -0.5]), 0.7),
    "OR": (np.array([0.5, 0.5]), -0.2),
}
answers = {name: neuron(inputs, w, b) for name, (w, b) in gates.items()}

print("x1 x2   " + "  ".join(f"{name:>4s}" for name in answers))
for row, (x1, x2) in enumerate(inputs):
    print(f"{x1:2.0f} {x2:2.0f}   " + "  ".join(f"{y[row]:4.0f}" for y in answers.values()))

# %% [markdown]
# The three neurons are the same function. What differs is three numbers each: a machine's task is in its weights, not in
# its code. Other numbers would do as well; there is a whole range of weights for the same gate.
#
# ## What a neuron can tell apart
#
# Where does the answer change? At $w_1 x_1 + w_2 x_2 + b = 0$, which is a straight line in the plane of the inputs. The
# weights are the direction at a right angle to it, and the bias moves it away from the origin. On one side of the line the
# neuron says 1, on the other 0. With three inputs it is a plane, with more a *hyperplane*; it always has two sides.


# %%
def draw_sides(axes, answer, points, targets, title, labels=("$x_1$", "$x_2$")):
    """Shade where `answer` is 1; draw the points, filled where the target is 1."""
    grid = np.linspace(-0.5, 1.5, 201)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1)
    axes.contourf(grid, grid, answer(plane), levels=[-0.5, 0.5, 1.5], colors=["white", "tab:blue"], alpha=0.25)
    for value, colour in ((0, "white"), (1, "tab:blue")):
        chosen = points[targets == value]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=90, c=colour, edgecolors="black", zorder=2)
    axes.set(title=title, xlabel=labels[0], ylabel=labels[1], aspect="equal", xticks=(0, 1), yticks=(0, 1))


figure, all_axes = lesson.subplots(1, 3, width=9, height=3.2)
for axes, (name, (w, b)) in zip(all_axes, gates.items()):
    draw_sides(axes, lambda x, w=w, b=b: neuron(x, w, b), inputs, answers[name], name)
lesson.picture(figure, "gates", "Three gates. Shaded: where the neuron says 1. Filled: inputs whose answer should be 1")

# %% [markdown]
# ## XOR: one neuron is not enough
#
# XOR, "exclusive or", says yes if exactly one of its inputs is 1. Try to find a line with (1, 0) and (0, 1) on one side and
# (0, 0) and (1, 1) on the other: there is none. The proof takes four lines, one for each input:
#
# ```math
# \begin{aligned}
# b &\le 0 & &\text{(0, 0) must give 0} \\
# w_1 + b &> 0 & &\text{(1, 0) must give 1} \\
# w_2 + b &> 0 & &\text{(0, 1) must give 1} \\
# w_1 + w_2 + b &\le 0 & &\text{(1, 1) must give 0}
# \end{aligned}
# ```
#
# Add the second and the third: $w_1 + w_2 + 2b > 0$. Add the first and the fourth: $w_1 + w_2 + 2b \le 0$. Both cannot
# hold, whatever the weights. Minsky and Papert's book *Perceptrons* (1969) is about such limits.
#
# The way out is a second layer. XOR is "at least one, but not both": OR *and* NAND. So two neurons look at the inputs,
# and a third one looks at what these two say. Neurons like the first two, whose answers only other neurons see, are
# called *hidden*; together they are a *layer*.


# %%
def xor(x):
    s1 = neuron(x, *gates["NAND"])
    s2 = neuron(x, *gates["OR"])
    return neuron(np.stack([s1, s2], axis=-1), *gates["AND"])


for x, y in zip(inputs, xor(inputs)):
    print(f"XOR({x[0]:.0f}, {x[1]:.0f}) = {y:.0f}")

# %%
hidden = np.stack([answers["NAND"], answers["OR"]], axis=-1)
figure, (left, right) = lesson.subplots(1, 2, width=7, height=3.4)
draw_sides(left, xor, inputs, xor(inputs), "XOR: between two lines")
names = "$s_1$ (NAND)", "$s_2$ (OR)"
draw_sides(right, lambda s: neuron(s, *gates["AND"]), hidden, xor(inputs), "what the last neuron sees", names)
lesson.picture(figure, "xor", "Left: two neurons draw two lines. Right: in their answers one line is enough")

# %% [markdown]
# On the right are the same four inputs, at the place to which the first layer takes them. (1, 0) and (0, 1) both become
# $(s_1, s_2) = (1, 1)$, and there one line separates. This is what hidden layers do in all networks of this course: they
# move the data to where the next layer has an easier task.
#
# How far does it go? NAND gates alone suffice to build any logic circuit, so enough layers of neurons can compute any
# function of yes and no. The question is then no longer what a network can express, but how to find its weights.
#
# ## Sign instead of step
#
# Some texts let the neuron answer −1 and 1 instead of 0 and 1. Its activation is then the *sign*, and inputs are coded
# likewise. A gate is easily translated. With $x = (s + 1)/2$, where $s$ is −1 or 1,
#
# $$ \sum_i w_i x_i + b = \sum_i \frac{w_i}{2} s_i + \Big( b + \sum_i \frac{w_i}{2} \Big) , $$
#
# so the weights are halved and their sum joins the bias. `np.sign(0)` is 0, neither yes nor no. No gate here has such a
# sum.

# %%
signs = 2 * inputs - 1
sign_answers = {name: np.sign(signs @ (w / 2) + b + w.sum() / 2) for name, (w, b) in gates.items()}
for name, y in sign_answers.items():
    print(f"{name:4s} of (-1,-1), (1,-1), (-1,1), (1,1):", y.astype(int))

pair = np.stack([sign_answers["NAND"], sign_answers["OR"]], axis=-1)
w, b = gates["AND"]
sign_xor = np.sign(pair @ (w / 2) + b + w.sum() / 2)
print("XOR  of (-1,-1), (1,-1), (-1,1), (1,1):", sign_xor.astype(int))

# %% [markdown]
# ## Who finds the weights?
#
# So far we did. Rosenblatt's rule finds them from examples. Show the neuron an input $x$ whose answer should be $t$ (the
# *target*). If its answer $y$ is right, leave it alone. If it said 0 instead of 1, the sum was too small: add $x$ to the
# weights. If it said 1 instead of 0, subtract. In one line, with a *learning rate* $\eta$ that says how far to go,
#
# $$ w_i \leftarrow w_i + \eta (t - y) x_i, \qquad b \leftarrow b + \eta (t - y) . $$
#
# The bias is the weight of an input that is always 1. One pass over all examples is called an *epoch*. We take $\eta = 1$:
# from weights of 0, another rate would only scale all numbers, which a step does not notice. The rates of later lessons
# matter a great deal.


# %%
def learn(targets, rate=1.0, epochs=12):
    """Weights, bias, and the number of wrong answers in each epoch."""
    w, b, mistakes = np.zeros(2), 0.0, []
    for _ in range(epochs):
        wrong = 0
        for x, t in zip(inputs, targets):
            error = t - neuron(x, w, b)
            w, b = w + rate * error * x, b + rate * error
            wrong += int(error != 0)
        mistakes.append(wrong)
    return w, b, mistakes


targets = {**answers, "XOR": xor(inputs)}
learned = {name: learn(t) for name, t in targets.items()}
for name, (w, b, mistakes) in learned.items():
    print(f"{name:4s} w = [{w[0]:2.0f} {w[1]:2.0f}], b = {b:2.0f}, mistakes in each epoch: {mistakes}")

# %% [markdown]
# For the first three the mistakes come to an end. Novikoff proved in 1962 that they always do if a line exists that
# separates the examples. For XOR none does, and the neuron goes round in circles. Nor can the rule train the two-layer XOR:
# it needs a target for each neuron, and nobody says what a neuron *inside* should have answered. That takes activations
# with a slope ([lesson 2](#2-activation-functions)) and a rule that carries the error backwards
# ([lesson 6](#6-backpropagation-by-hand)). XOR is learned in [lesson 9](#9-xor-learned).
#
# ## In fastnn
#
# The weighted sums of several neurons over the same inputs are one layer, `Dense`. Each row of its `weight` is a neuron.
# The step is not among the layers, since nothing can be learned through it; `Lambda` makes a layer of our own function.
# `Sequential` puts layers in a row. It takes a *batch*, one sample per row.

# %%
network = fnn.Sequential(
    fnn.Dense(2, 2, dtype=np.float64),
    fnn.Lambda(step),
    fnn.Dense(2, 1, dtype=np.float64),
    fnn.Lambda(step),
)
network.params["0.weight"] = np.stack([gates["NAND"][0], gates["OR"][0]])
network.params["0.bias"] = np.array([gates["NAND"][1], gates["OR"][1]])
network.params["2.weight"] = gates["AND"][0][None]
network.params["2.bias"] = np.array([gates["AND"][1]])

s = network[:2].predict(inputs)
y = network.predict(inputs)
print("NAND and OR of the four inputs, one per row:")
print(s.astype(int))
print("XOR:", y[:, 0].astype(int))
