# %% [markdown]
# # 4. Loss functions
#
# A network gives answers ([lesson 3](#3-a-forward-pass-through-three-layers)), and with weights that nobody has trained
# they are wrong. To improve it we must say how wrong an answer is, in one number: the *loss*. It is 0, or at least small,
# for a perfect answer, and grows with the mistake. Training then means to look for weights with a small loss.
#
# Why not just count the mistakes? Because the count is a step. Change a weight a little and it stays the same, nearly
# always, so it does not say in which direction things get better. A loss has to feel small changes. Hence each loss below
# comes with its gradient: the slopes with respect to the outputs $y_k$, which is where the way back through the network
# begins.
#
# Our example is a network that has looked at a handwritten digit and gives a probability for each of the ten classes. The
# digit is a 2. As a *target* that is written *one-hot*: 1 for the right class, 0 for the others.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)

y = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])
label = 2
t = np.zeros(10)
t[label] = 1
print("outputs", y)
print("target ", t)

# %% [markdown]
# ## Squared errors
#
# The plain idea: take the differences, square them so that signs cannot cancel, add up. The factor one half is for
# convenience, since it makes the gradient simple:
#
# $$ E = \frac{1}{2} \sum_k (y_k - t_k)^2, \qquad \frac{\partial E}{\partial y_k} = y_k - t_k . $$
#
# Taking the mean over the $K$ outputs instead gives the *mean squared error*, MSE:
#
# $$ E = \frac{1}{K} \sum_k (y_k - t_k)^2, \qquad \frac{\partial E}{\partial y_k} = \frac{2}{K} (y_k - t_k) . $$
#
# The two differ by a constant factor. Their minimum is at the same place, but the same learning rate means different steps.


# %%
def sum_squared_error(y, t):
    return 0.5 * np.sum((y - t) ** 2)


def sum_squared_error_gradient(y, t):
    return y - t


def mean_squared_error(y, t):
    return np.mean((y - t) ** 2)


def mean_squared_error_gradient(y, t):
    return 2 * (y - t) / y.size


y_wrong = np.array([0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0])
print(f"half the sum of squares {sum_squared_error(y, t):.8f}, if it says 7 {sum_squared_error(y_wrong, t):.8f}")
print(f"mean squared error      {mean_squared_error(y, t):.8f}, if it says 7 {mean_squared_error(y_wrong, t):.8f}")

# %% [markdown]
# `y_wrong` has the probabilities of 2 and 7 exchanged: now the network says 7. Its loss is larger, as it should be.
#
# Why squares, and not the absolute value, say? With squares one large error costs more than many small ones with the same
# sum. There is also a reason from statistics: if measurements are the truth plus noise from a normal distribution, the
# model with the least squares is the one under which the data are most probable. So this is the loss for regression, in
# which outputs are quantities ([lesson 11](#11-regression)).
#
# ## Cross-entropy
#
# For classes another loss is natural. The network makes a forecast, and then the truth comes out. A good forecaster had
# given a high probability to what happened. Over many independent samples the probabilities multiply, and a product becomes
# a sum by taking logarithms; the minus makes it a loss. For one sample whose right class has the probability
# $y_{\mathrm{label}}$ that is $-\log y_{\mathrm{label}}$, which can be written with the one-hot target as a sum:
#
# $$ E = -\sum_k t_k \log y_k, \qquad \frac{\partial E}{\partial y_k} = -\frac{t_k}{y_k} . $$
#
# Probability 1 costs 0, 1/2 costs 0.69, 1/10 costs 2.30. It is the natural logarithm, as everywhere in this course; some
# write $\ln$. And probability 0 costs infinitely much, with a division by 0 in the gradient. Hence the usual trick to add
# something tiny, $10^{-7}$, before the logarithm is taken. No sample can cost more than 16.1 then.


# %%
eps = 1e-7


def cross_entropy(y, t):
    return -np.sum(t * np.log(y + eps))


def cross_entropy_gradient(y, t):
    return -t / (y + eps)


right, wrong = cross_entropy(y, t), cross_entropy(y_wrong, t)
print(f"cross-entropy {right:.15f}, if it says 7 {wrong:.15f}")
print(f"without the tiny number, -log 0.6 is {-np.log(0.6):.15f}")
print(f"the highest loss there is: {-np.log(eps):.4f}")

# %% [markdown]
# Only the probability of the right class counts. Need the others not be small? They must be, as the sum of all is 1.
#
# ## What is the difference?
#
# Take two classes and let $p$ be the probability of the right one, $p = \sigma(x)$, where the score $x$ comes from the
# network. The sum of squares is $(1 - p)^2 + (1 - p)^2$, half of it $(1 - p)^2$. On the left both losses, on the right
# their slopes, with respect to the score. These follow from the chain rule ([lesson 6](#6-backpropagation-by-hand)):
# slope with respect to $p$ times $\partial p / \partial x = p (1 - p)$.

# %%
p = np.linspace(0.002, 0.998, 499)
figure, (left, right_axes) = lesson.subplots(1, 2, width=8)
left.plot(p, (1 - p) ** 2, label="half the sum of squares")
left.plot(p, -np.log(p), label="cross-entropy")
left.set(xlabel="probability of the right class", ylabel="loss")
left.legend()
right_axes.plot(p, -2 * (1 - p) * p * (1 - p), label="half the sum of squares")
right_axes.plot(p, -1 / p * p * (1 - p), label="cross-entropy")
right_axes.set(xlabel="probability of the right class", ylabel="slope with respect to the score")
lesson.picture(figure, "compared", "Two losses and their slopes. Cross-entropy pulls hardest where the answer is most wrong")

# %% [markdown]
# Look at the left end, where the network is sure of the wrong class. The cross-entropy has the slope $p - 1$, nearly −1:
# learn! The squares have the slope 0: the sigmoid is saturated, and a network that is completely wrong learns nothing from
# it. This is why classifiers are trained with cross-entropy.
#
# ## Batches
#
# Training looks at many samples at once. Outputs are then a table `y` of shape (N, C), a row for each of $N$ samples and a
# column for each of $C$ classes. The loss of a batch is the mean of the samples' losses,
#
# ```math
# E = -\frac{1}{N} \sum_n \sum_c t_{nc} \log y_{nc}, \qquad
# \frac{\partial E}{\partial y_{nc}} = -\frac{1}{N} \cdot \frac{t_{nc}}{y_{nc}} .
# ```
#
# The mean, not the sum, so that the size of a batch does not change the size of the steps. Targets come in two forms:
# one-hot, with the shape of `y`, or as *indices* (labels), one whole number per sample. With indices nothing need be
# multiplied by 0. `y[np.arange(N), labels]` picks from row 0 the column `labels[0]`, from row 1 the column `labels[1]`, and
# so on.


# %%
def cross_entropy_one_hot(y, t):
    return -np.sum(t * np.log(y + eps)) / len(y)


def cross_entropy_labels(y, labels):
    return -np.mean(np.log(y[np.arange(len(y)), labels] + eps))


def cross_entropy_batch_gradient(y, t):
    return -t / (y + eps) / len(y)


batch = np.stack([y, y_wrong])
labels = np.array([2, 2])
one_hot = np.eye(10)[labels]

batch_one_hot, batch_labels = cross_entropy_one_hot(batch, one_hot), cross_entropy_labels(batch, labels)
print(f"one-hot targets {batch_one_hot:.15f}")
print(f"labels          {batch_labels:.15f}")
print(f"mean of the two {(right + wrong) / 2:.15f}")

# %% [markdown]
# `np.eye(10)` is the identity matrix; its row $k$ is the one-hot vector of class $k$. `fnn.data.one_hot(labels, 10)` does
# the same.
#
# ## Yes or no
#
# With two classes one output is enough, the probability $y$ of "yes", as a sigmoid gives it. The probability of "no" is
# $1 - y$. Cross-entropy of these two is called *binary cross-entropy*. With $t$ = 1 for yes and 0 for no,
#
# ```math
# E = -t \log y - (1 - t) \log (1 - y), \qquad
# \frac{\partial E}{\partial y} = -\frac{t}{y} + \frac{1 - t}{1 - y} = \frac{y - t}{y (1 - y)} .
# ```
#
# Several outputs may each be a yes or no of their own (is there a cat in the picture? a dog?). The loss is the mean over
# all.


# %%
def binary_cross_entropy(y, t):
    return -np.mean(t * np.log(y) + (1 - t) * np.log(1 - y))


def binary_cross_entropy_gradient(y, t):
    return (y - t) / (y * (1 - y)) / y.size


yes = np.array([[0.9], [0.2], [0.6]])
t_yes = np.array([[1.0], [0.0], [0.0]])
print(f"binary cross-entropy {binary_cross_entropy(yes, t_yes):.8f}")
print("its gradient", binary_cross_entropy_gradient(yes, t_yes)[:, 0])

two_classes = np.concatenate([1 - yes, yes], axis=1)
print(f"as two classes       {cross_entropy_labels(two_classes, t_yes[:, 0].astype(int)):.8f}")

# %% [markdown]
# (The last one differs in the seventh digit or so, for its $10^{-7}$.)
#
# ## From scores
#
# The tiny number avoids infinities, but it hides something. Take two classes with the scores 0 and 1000, of which the first
# one is right. Softmax gives it the probability $e^{-1000}$, which is 0 in a computer. The loss should be 1000. Adding
# $10^{-7}$ makes it 16, and the gradient that arrives at the scores is 0. It is better to let softmax and logarithm cancel
# on paper,
#
# $$ -\log p_k = -\log \frac{e^{x_k}}{\sum_j e^{x_j}} = \log \sum_j e^{x_j} - x_k , $$
#
# and to give the loss the scores $x$, also called *logits*. [Lesson 8](#8-the-computational-graph) derives the gradient,
# which is simply $p_k - t_k$.


# %%
def cross_entropy_scores(x, labels):
    x = x - x.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), labels])


scores = np.array([[0.0, 1000.0]])
probabilities = fnn.Softmax(1).forward(scores)
print("probabilities", probabilities[0])
print(f"loss from probabilities {cross_entropy_labels(probabilities, [0]):.4f}")
print(f"loss from scores        {cross_entropy_scores(scores, [0]):.4f}")

# %% [markdown]
# ## In fastnn
#
# | here | in fastnn |
# |:--|:--|
# | half the sum of squares | `MSELoss(reduction="sum", factor=0.5)` |
# | mean squared error | `MSELoss()` |
# | cross-entropy of probabilities | `CrossEntropyLoss(from_logits=False, eps=1e-7)`, for labels and for one-hot targets |
# | cross-entropy of scores | `CrossEntropyLoss()` |
# | binary cross-entropy of probabilities | `BCELoss()` |
# | binary cross-entropy of scores | `BCEWithLogitsLoss()` |
#
# They are one family: `forward` gives the loss, `backward` the gradient of the last forward, and `reduction` chooses
# between the mean, the sum and the single values.

# %%
losses = {
    "half the sum of squares": fnn.MSELoss(reduction="sum", factor=0.5),
    "mean squared error": fnn.MSELoss(),
    "cross-entropy, one-hot": fnn.CrossEntropyLoss(from_logits=False, eps=eps),
    "cross-entropy, labels": fnn.CrossEntropyLoss(from_logits=False, eps=eps),
    "binary cross-entropy": fnn.BCELoss(),
}
arguments = {
    "half the sum of squares": (y, t),
    "mean squared error": (y, t),
    "cross-entropy, one-hot": (batch, one_hot),
    "cross-entropy, labels": (batch, labels),
    "binary cross-entropy": (yes, t_yes),
}
by_hand = {
    "half the sum of squares": (sum_squared_error(y, t), sum_squared_error_gradient(y, t)),
    "mean squared error": (mean_squared_error(y, t), mean_squared_error_gradient(y, t)),
    "cross-entropy, one-hot": (batch_one_hot, cross_entropy_batch_gradient(batch, one_hot)),
    "cross-entropy, labels": (batch_labels, cross_entropy_batch_gradient(batch, one_hot)),
    "binary cross-entropy": (binary_cross_entropy(yes, t_yes), binary_cross_entropy_gradient(yes, t_yes)),
}

differences = {}
for name, loss in losses.items():
    value, gradient = by_hand[name]
    forward = abs(loss.forward(*arguments[name]) - value)
    backward = np.abs(loss.backward() - gradient).max()
    differences[name] = max(forward, backward)
    print(f"{name:24s} largest difference forward {forward:.1e}, backward {backward:.1e}")

# %% [markdown]
# One sample gives the figures from above. With scores, where probabilities fail, the loss is right and the gradient is
# $p - t$:

# %%
single = fnn.CrossEntropyLoss(from_logits=False, eps=eps).forward(y[None], np.array([label]))
print(f"one sample {single:.15f}")

from_scores = fnn.CrossEntropyLoss()
print(f"from scores {from_scores.forward(scores, np.array([0])):.4f}, gradient {from_scores.backward()[0]}")
from_scores_yes = fnn.BCEWithLogitsLoss()
logits = np.log(yes / (1 - yes))
print(f"binary, from scores {from_scores_yes.forward(logits, t_yes):.8f}, gradient {from_scores_yes.backward()[:, 0]}")
print("(y - t) / 3                                ", (yes - t_yes)[:, 0] / 3)
