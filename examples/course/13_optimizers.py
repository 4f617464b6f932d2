# %% [markdown]
# # 13. Optimizers compared
#
# Gradient descent takes the gradient, times a rate, off the weights ([lesson 5](#5-gradients-by-differences-and-descent)).
# Everything that has been invented since keeps this shape: the gradient `dx` of some weights `x` comes in, the weights
# change a little. What differs is what the *optimizer* remembers of earlier gradients, and what it makes of that.
#
# ## A long valley
#
# To see the difference we need a place where plain descent has trouble. This is one, with its gradient:
#
# $$ f(x, y) = \frac{x^2}{20} + y^2, \qquad \nabla f = \Big( \frac{x}{10}, 2y \Big) . $$
#
# It is lowest at (0, 0). Across the valley, in $y$, it is 20 times as steep as along it, in $x$. The losses of networks
# have such valleys too, with thousands of directions instead of two, and ratios far above 20.
#
# All optimizers start at (−7, 2) and have 30 steps. Each is a class with an `update`, which changes the array `x` in place.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)

START, STEPS = np.array([-7.0, 2.0]), 30


def f(x, y):
    return x**2 / 20 + y**2


def gradient(point):
    return np.array([point[0] / 10, 2 * point[1]])


def descend(optimizer, steps=STEPS):
    """All points on the way, the start first."""
    x, path = START.copy(), [START]
    for _ in range(steps):
        optimizer.update(x, gradient(x))
        path.append(x.copy())
    return np.array(path)


def report(name, path):
    """Print where it was after one step and after all."""
    print(f"{name:8s} first step to ({path[1][0]:7.4f}, {path[1][1]:7.4f}), after {STEPS} at ", end="")
    print(f"({path[-1][0]:7.4f}, {path[-1][1]:7.4f}), height {f(*path[-1]):.1e}")


# %% [markdown]
# ## SGD
#
# $$ x \leftarrow x - \eta g, \qquad g = \nabla f(x) $$
#
# The name is *stochastic gradient descent*, because in training $g$ comes from a random batch
# ([lesson 10](#10-epochs-and-batches)); the idea of following noisy slopes is Robbins and Monro's (1951). Here is no noise,
# and so it is gradient descent.


# %%
class SGD:
    def __init__(self, lr):
        self.lr = lr

    def update(self, x, dx):
        x -= self.lr * dx


by_hand = {"SGD": descend(SGD(lr=0.95))}
report("SGD", by_hand["SGD"])

# %% [markdown]
# Why 0.95? On this function we can say what a step does: it multiplies $x$ by $1 - \eta/10$ and $y$ by $1 - 2\eta$. At
# 0.95 these are 0.905 and −0.9. A larger rate would make the second factor worse, up to $\eta = 1$, where $y$ no longer
# shrinks; a smaller one the first. So this is about the best there is: both directions lose a tenth per step, $y$ by
# jumping from one side to the other. In general, with the slope $ax$ along one direction and $by$ along the other,
# $a < b$, the best rate is $2/(a + b)$ and the factor $(b - a)/(b + a)$, here 19/21. At a ratio of 1,000 it is 0.998, and
# to lose a tenth takes more than 50 steps.
#
# ## Momentum
#
# $$ v \leftarrow \mu v + g, \qquad x \leftarrow x - \eta v $$
#
# Polyak (1964) gave the point a mass: it becomes a heavy ball that rolls, and $v$ is its velocity. Each step keeps the part
# $\mu$ of it, usually 0.9, and the gradient adds to it. Where gradients agree, as along the valley, they add up: for a
# constant $g$ the velocity grows to $g + \mu g + \mu^2 g + \dots = g / (1 - \mu)$, ten times the gradient. Where they
# change their sign from step to step, as across it, they cancel.


# %%
class Momentum:
    def __init__(self, lr, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, 0.0

    def update(self, x, dx):
        self.v = self.momentum * self.v + dx
        x -= self.lr * self.v


by_hand["Momentum"] = descend(Momentum(lr=0.1))
report("Momentum", by_hand["Momentum"])

# %% [markdown]
# A heavy ball also overshoots: it rolls through the lowest point and up the other side. With less momentum it would not.
# Polyak found the best pair for a valley with the slopes $ax$ and $by$, and its factor per step,
#
# $$ \sqrt\mu = \frac{\sqrt b - \sqrt a}{\sqrt b + \sqrt a}, \qquad \eta = \frac{4}{(\sqrt a + \sqrt b)^2}, \qquad
# \text{factor } \sqrt\mu . $$
#
# The same fraction as before, but with roots. That is his theorem, for quadratic functions like this one: momentum makes a
# ratio of 1,000 as harmless as one of 32.

# %%
a, b = 0.1, 2.0
best_momentum = ((b**0.5 - a**0.5) / (b**0.5 + a**0.5)) ** 2
best_rate = 4 / (a**0.5 + b**0.5) ** 2
print(f"best momentum {best_momentum:.4f} at rate {best_rate:.4f}")
polyak = descend(Momentum(best_rate, best_momentum))
report("Polyak", polyak)

# %% [markdown]
# In a network nobody knows $a$ and $b$, and they change along the way. 0.9 is a guess that does well in many places.
#
# ## Nesterov
#
# The ball is about to move by $-\eta \mu v$ anyhow, whatever the gradient says. Nesterov (1983) looks at the slope *there*
# instead of where it is: a ball that looks ahead and brakes before the ground rises. With $z$ for the ball's position,
#
# $$ v \leftarrow \mu v + \nabla f(z - \eta \mu v), \qquad z \leftarrow z - \eta v . $$
#
# In a network this is awkward. Weights would have to be moved, the gradient taken, and the weights moved back. So libraries
# keep the place of looking as the weights, $x = z - \eta \mu v$. Put $z = x + \eta \mu v$ into the second line, with $v'$
# and $x'$ for the new values, and use $\mu v = v' - g$:
#
# ```math
# \begin{aligned}
# x' &= z' - \eta \mu v' = (x + \eta \mu v) - \eta v' - \eta \mu v' \\
#    &= x + \eta (v' - g) - \eta v' - \eta \mu v' = x - \eta\, (g + \mu v') .
# \end{aligned}
# ```
#
# The gradient is now the one at the weights themselves, as in all other methods. This is the form of PyTorch and of fastnn.
# It differs from Polyak's by one more look: the new velocity, kept for $\mu$, plus the gradient at full weight.


# %%
class Nesterov:
    def __init__(self, lr, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, 0.0

    def update(self, x, dx):
        self.v = self.momentum * self.v + dx
        x -= self.lr * (dx + self.momentum * self.v)


by_hand["Nesterov"] = descend(Nesterov(lr=0.1))
report("Nesterov", by_hand["Nesterov"])

z, v, looked_at = START.copy(), 0.0, []
for _ in range(STEPS + 1):
    looked_at.append(z - 0.1 * 0.9 * v)
    v = 0.9 * v + gradient(looked_at[-1])
    z = z - 0.1 * v
nesterov_difference = np.abs(np.array(looked_at) - by_hand["Nesterov"]).max()
print(f"places at which the first form takes its gradients: largest difference {nesterov_difference:.1e}")

# %% [markdown]
# ## AdaGrad
#
# $$ s \leftarrow s + g^2, \qquad x \leftarrow x - \eta \frac{g}{\sqrt s + \epsilon} $$
#
# All of this is meant entry by entry: each weight has its own $s$. Duchi, Hazan and Singer (2011) had sparse data in mind.
# The weight of a rare word has a gradient once in a thousand samples; it should learn much from this one, while weights
# with gradients all the time learn less from each. So every weight has a rate of its own, $\eta / \sqrt s$, by what it has
# received so far. $\epsilon$ is tiny, and only there so that nothing is divided by 0.


# %%
class AdaGrad:
    def __init__(self, lr, eps=1e-10):
        self.lr, self.eps, self.s = lr, eps, 0.0

    def update(self, x, dx):
        self.s = self.s + dx**2
        x -= self.lr * dx / (np.sqrt(self.s) + self.eps)


by_hand["AdaGrad"] = descend(AdaGrad(lr=1.5))
report("AdaGrad", by_hand["AdaGrad"])

# %% [markdown]
# In the first step $\sqrt s = |g|$, so each coordinate moves by exactly 1.5, the flat one as far as the steep one. That is
# the point of the division: make one direction ten times as steep, and $g$ and $\sqrt s$ both grow tenfold, and the path
# stays what it was. But only along the axes. In a valley that lies diagonally both coordinates have the same large
# gradients, and a rate for each does not help.
#
# But $s$ only grows. For gradients of constant size the rate falls like $1/\sqrt t$ after $t$ steps. In theory that is
# right, for convex functions. In a long training of a network it comes to a halt too early.
#
# ## RMSprop
#
# $$ s \leftarrow \alpha s + (1 - \alpha) g^2, \qquad x \leftarrow x - \eta \frac{g}{\sqrt s + \epsilon} $$
#
# The cure: forget. Instead of the sum it takes a running mean of $g^2$, in which a gradient that is $k$ steps old counts
# $\alpha^k$ times as much as a new one. With $\alpha = 0.9$ it looks back about $1/(1 - \alpha) = 10$ steps. $\sqrt s$ is
# the *root mean square*, hence the name. Tieleman and Hinton never published it as a paper; everybody cites lecture 6.5 of
# Hinton's online course (2012).


# %%
class RMSprop:
    def __init__(self, lr, alpha=0.9, eps=1e-8):
        self.lr, self.alpha, self.eps, self.s = lr, alpha, eps, 0.0

    def update(self, x, dx):
        self.s = self.alpha * self.s + (1 - self.alpha) * dx**2
        x -= self.lr * dx / (np.sqrt(self.s) + self.eps)


by_hand["RMSprop"] = descend(RMSprop(lr=0.3))
report("RMSprop", by_hand["RMSprop"])

# %% [markdown]
# Two things to note. The mean starts at 0, so after one step it is only $(1 - \alpha) g^2$, and the first step is
# $\eta / \sqrt{1 - \alpha}$ long: 0.95 instead of 0.3. And it does not settle. Near the goal gradients become small, after
# a while $\sqrt s$ has become as small, and then steps are as long as the rate again, however near the goal is.

# %%
rattling = descend(RMSprop(lr=0.3), steps=400)
for step in (398, 399, 400):
    print(f"RMSprop after {step} steps: ({rattling[step][0]:7.4f}, {rattling[step][1]:7.4f})")

# %% [markdown]
# For ever from one side to the other, by one rate. Hence the advice to lower the rate towards the end of a training. SGD
# does not need that in this valley: its steps shrink with the gradient.
#
# ## Adam
#
# Momentum for the direction, RMSprop for the length: Kingma and Ba (2015) keep running means of both, of $g$ (the first
# *moment*) and of $g^2$ (the second).
#
# ```math
# \begin{aligned}
# m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, & \hat m &= m / (1 - \beta_1^t), \\
# v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2, & \hat v &= v / (1 - \beta_2^t), \\
# x &\leftarrow x - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon} .
# \end{aligned}
# ```
#
# $t$ counts the steps from 1. What are the divisions for? Written out, the mean after $t$ steps is
# $m_t = (1 - \beta_1) \sum_{k=1}^{t} \beta_1^{t-k} g_k$. Its factors do not add up to 1:
#
# $$ (1 - \beta_1) \sum_{k=1}^{t} \beta_1^{t-k} = (1 - \beta_1) \cdot \frac{1 - \beta_1^t}{1 - \beta_1} = 1 - \beta_1^t . $$
#
# What is missing is the share of the 0 with which it began. Dividing by the sum of the factors makes it a proper mean from
# the first step on, and the too long first step of RMSprop is gone.


# %%
class Adam:
    def __init__(self, lr, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.m = self.v = 0.0
        self.t = 0

    def update(self, x, dx):
        beta1, beta2 = self.betas
        self.t += 1
        self.m = beta1 * self.m + (1 - beta1) * dx
        self.v = beta2 * self.v + (1 - beta2) * dx**2
        m_hat = self.m / (1 - beta1**self.t)
        v_hat = self.v / (1 - beta2**self.t)
        x -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


by_hand["Adam"] = descend(Adam(lr=0.3))
report("Adam", by_hand["Adam"])

# %% [markdown]
# The first step has the length of the rate in each coordinate, since then $\hat m / \sqrt{\hat v} = g / |g|$. Later steps
# are hardly ever longer, and shorter where gradients contradict each other: their mean $\hat m$ is then small, and the root
# of their mean square is not. So the rate of Adam says how far a weight may go in one step. This can be chosen without
# knowing the loss, and is why 0.001 works for so many networks.
#
# ## AdamW
#
# Weights that stay small generalise better ([lesson 14](#14-initialisation-and-regularisation)). *Weight decay* is the
# usual way to get them: in each step every weight loses a small part. For SGD there are two ways to write it, and they are
# the same. Add $\lambda x$ to the gradient, which is the slope of an extra loss $\frac{\lambda}{2} x^2$; or shrink the
# weight directly:
#
# $$ x - \eta (g + \lambda x) = (1 - \eta \lambda) x - \eta g . $$
#
# For Adam they are not. There $\lambda x$ joins $g$, goes into both means, and is divided by $\sqrt{\hat v}$ with the rest.
# A weight with large gradients is then hardly decayed at all. Loshchilov and Hutter (2019) took the decay out of the
# gradient again and called it *decoupled*:
#
# $$ x \leftarrow (1 - \eta \lambda) x - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon} . $$


# %%
class AdamW(Adam):
    def __init__(self, lr, weight_decay=0.01):
        super().__init__(lr)
        self.weight_decay = weight_decay

    def update(self, x, dx):
        x *= 1 - self.lr * self.weight_decay
        super().update(x, dx)


by_hand["AdamW"] = descend(AdamW(lr=0.3, weight_decay=0.1))
report("AdamW", by_hand["AdamW"])

# %% [markdown]
# Here the decay pulls to (0, 0), which happens to be the goal. In general it pulls away from the lowest loss, towards
# smaller weights.
#
# Now the difference itself. Two weights begin at 1. Their gradients are pure noise, +10 and −10 in turn for one of them,
# +0.01 and −0.01 for the other; all that could move them for long is the decay, at rate 0.01 with $\lambda = 0.1$. A
# thousand steps of a plain decay leave $(1 - 0.001)^{1000} = 0.368$ of each.

# %%
decayed = {}
for optimizer in (
    fnn.SGD(lr=0.01, weight_decay=0.1),
    fnn.Adam(lr=0.01, weight_decay=0.1),
    fnn.AdamW(lr=0.01, weight_decay=0.1),
):
    weights = np.array([1.0, 1.0])
    for step in range(1000):
        optimizer.update(weights, (-1) ** step * np.array([10.0, 0.01]))
    decayed[type(optimizer).__name__] = weights
    print(f"{type(optimizer).__name__:5s} gradients ±10: {weights[0]:.4f} left, gradients ±0.01: {weights[1]:.4f} left")

# %% [markdown]
# SGD decays both alike (the noise of ±10 moves the first to and fro, by 0.1). Adam hardly decays the first weight, and has
# brought the other to 0 long ago: in units of its small gradients, a decay of 0.1 is enormous. AdamW decays both alike,
# whatever their gradients. In fastnn as in PyTorch, Adam's option `weight_decay` is the coupled form. If you want decay
# with Adam, take AdamW.
#
# ## The same with fastnn
#
# All seven are there: `SGD` has the first three in it, the others have names of their own. `update` takes two arrays, or
# two dicts of arrays with the same keys.

# %%
optimizers = {
    "SGD": fnn.SGD(lr=0.95),
    "Momentum": fnn.SGD(lr=0.1, momentum=0.9),
    "Nesterov": fnn.SGD(lr=0.1, momentum=0.9, nesterov=True),
    "AdaGrad": fnn.Adagrad(lr=1.5),
    "RMSprop": fnn.RMSprop(lr=0.3, alpha=0.9),
    "Adam": fnn.Adam(lr=0.3),
    "AdamW": fnn.AdamW(lr=0.3, weight_decay=0.1),
}
paths = {name: descend(optimizer) for name, optimizer in optimizers.items()}
differences = {name: np.abs(paths[name] - by_hand[name]).max() for name in paths}
for name, difference in differences.items():
    print(f"{name:8s} largest difference between the two paths {difference:.1e}")

# %% [markdown]
# The library's tests compare with a third party: on random gradients, with many settings of the options, every optimizer
# takes the steps of its counterpart in `torch.optim`.

# %%
figure, grid = lesson.subplots(4, 2, width=7.5, height=10.5)
x, y = np.meshgrid(np.linspace(-8.5, 4, 150), np.linspace(-2.8, 2.8, 100))
*panels, last = grid.flat
for axes, (name, path) in zip(panels, paths.items()):
    axes.contour(x, y, f(x, y), levels=[0.02, 0.1, 0.3, 0.7, 1.3, 2.2, 3.4, 5, 7], colors="lightgrey", linewidths=0.8)
    axes.plot(*path.T, ".-", linewidth=0.9, markersize=5)
    axes.plot(*path[0], "ks", markersize=5)
    axes.plot(0, 0, "r+", markersize=10)
    axes.set(title=f"{name}, rate {optimizers[name].lr}", xlabel="$x$", ylabel="$y$")
for name, path in paths.items():
    last.semilogy(f(*path.T), label=name, linestyle="--" if name in ("Nesterov", "AdamW") else "-")
last.set(title="heights", xlabel="step", ylabel="$f$")
last.legend(fontsize=7, ncols=2)
lesson.picture(figure, "paths", "30 steps from the square at (−7, 2), the lowest point at the cross. Last: the height by step")

# %% [markdown]
# SGD zigzags across the valley. Momentum swings across it in wide arcs and rolls past the goal; with Nesterov the swinging
# dies out sooner. AdaGrad and RMSprop make for the floor of the valley at once, since in both directions they begin with
# the same step, and then follow it. Adam comes down as straight but has a mass and swings, and so does AdamW, a little
# faster, since here the decay pulls to the goal too. The last panel ranks them for this valley, these rates and 30 steps,
# and for nothing else. A ranking that matters takes a network.
#
# ## On digits
#
# One network for all: four hidden layers of 100 ReLU neurons on MNIST, the same initial weights, the same batches of 128 in
# the same order. What about the rates? A comparison at one rate for all would be nonsense, because an SGD rate and an Adam
# rate are not even in the same unit. So each gets five, a factor of about three apart, for a short run.

# %%
digits = lesson.digits()
SHORT, LONG = (40, 200) if lesson.quick else (200, 1000)

constructors = {
    "SGD": (lambda lr: fnn.SGD(lr=lr), (0.01, 0.03, 0.1, 0.3, 1.0)),
    "Momentum": (lambda lr: fnn.SGD(lr=lr, momentum=0.9), (0.003, 0.01, 0.03, 0.1, 0.3)),
    "Nesterov": (lambda lr: fnn.SGD(lr=lr, momentum=0.9, nesterov=True), (0.003, 0.01, 0.03, 0.1, 0.3)),
    "AdaGrad": (lambda lr: fnn.Adagrad(lr=lr), (0.001, 0.003, 0.01, 0.03, 0.1)),
    "RMSprop": (lambda lr: fnn.RMSprop(lr=lr, alpha=0.9), (0.0001, 0.0003, 0.001, 0.003, 0.01)),
    "Adam": (lambda lr: fnn.Adam(lr=lr), (0.0001, 0.0003, 0.001, 0.003, 0.01)),
    "AdamW": (lambda lr: fnn.AdamW(lr=lr), (0.0001, 0.0003, 0.001, 0.003, 0.01)),
}


def make_network(seed):
    layers, width = [fnn.Flatten()], 28 * 28
    for _ in range(4):
        layers += [fnn.Dense(width, 100), fnn.ReLU()]
        width = 100
    return fnn.init.initialize(fnn.Sequential(*layers, fnn.Dense(width, 10)), fnn.init.he_normal, rng=seed)


def train(optimizer, steps, seed=0):
    """The loss of each batch, and the test accuracy at the end."""
    trainer = fnn.Trainer(make_network(seed), fnn.CrossEntropyLoss(), optimizer)
    rng, losses = np.random.default_rng(seed), []
    for _ in range(steps):
        batch = rng.integers(0, len(digits.train_labels), 128)
        losses.append(trainer.step(digits.train_images[batch], digits.train_labels[batch]))
    accuracy = trainer.evaluate(digits.test_images, digits.test_labels)["accuracy"]
    return np.array(losses), accuracy


short = {}
for name, (make, rates) in constructors.items():
    ends = [train(make(rate), SHORT)[0][-SHORT // 4 :].mean() for rate in rates]
    short[name] = np.where(np.isfinite(ends), ends, np.inf)
best_rates = {name: rates[np.argmin(short[name])] for name, (_, rates) in constructors.items()}
for name, rate in best_rates.items():
    print(f"{name:8s} best rate {rate:g}, mean loss near the end of {SHORT} steps {short[name].min():.3f}")

# %%
figure, axes = lesson.subplots(width=6.4, height=3.8)
for name, (_, rates) in constructors.items():
    axes.loglog(rates, short[name], "o--" if name in ("Nesterov", "AdamW") else "o-", label=name)
axes.axhline(np.log(10), color="grey", linewidth=0.8)
axes.set(xlabel="rate", ylabel=f"loss near the end of {SHORT} steps", ylim=(None, 4))
axes.legend(fontsize=8, ncols=2)
lesson.picture(
    figure, "rates", "Each optimizer at five rates. Grey: guessing, a loss of log 10 = 2.3. Runs that became NaN are missing"
)

# %% [markdown]
# Each curve is a bowl, or a part of one: too small a rate does not arrive, too large a one diverges. The bowls lie at
# different places, and *that* is the largest difference in the picture. Momentum's lies to the left of SGD's, since its
# steps are up to ten times as long for the same rate. The bottoms differ much less. Whoever changes the optimizer has to
# look for the rate anew, and many stories of one optimizer beating another are stories about rates (Choi and others, 2019).
#
# Now the long runs, each at its best rate. Losses of single batches are noisy. For the picture they are smoothed, with the
# very running mean of Adam, division included.


# %%
def smooth(values, beta=0.97):
    mean, smoothed = 0.0, []
    for t, value in enumerate(values, start=1):
        mean = beta * mean + (1 - beta) * value
        smoothed.append(mean / (1 - beta**t))
    return np.array(smoothed)


losses, accuracies = {}, {}
for name, (make, _) in constructors.items():
    losses[name], accuracies[name] = train(make(best_rates[name]), LONG)
    end = smooth(losses[name])[-1]
    print(f"{name:8s} rate {best_rates[name]:<6g} loss {end:.3f}, test accuracy {accuracies[name]:.2%} after {LONG} steps")

seeds = [train(fnn.SGD(lr=best_rates["SGD"]), LONG, seed)[1] for seed in (1, 2, 3)]
print("SGD with three other seeds: test accuracy", ", ".join(f"{accuracy:.2%}" for accuracy in seeds))

# %%
figure, axes = lesson.subplots(width=6.8, height=4.2)
for name, values in losses.items():
    axes.semilogy(smooth(values), label=name, linestyle="--" if name in ("Nesterov", "AdamW") else "-")
axes.set(xlabel="step", ylabel="training loss, smoothed")
axes.legend()
lesson.picture(figure, "curves", "One network, the same batches, seven optimizers: SGD starts slowest, then all come together")

# %% [markdown]
# SGD is slowest at first. Then all seven come together, and in the end less than a percent of accuracy lies between them,
# of which a good part is chance: other seeds, that is, other initial values and batches, shift a single optimizer as far.
# That is the usual finding on a task like this, with good rates. The difference between Adam and AdamW is nothing here,
# because a decay of 0.01 at these rates takes a few percent off the weights. What does differ:
#
# | | remembers, per weight | rate | use |
# |---|---|---|---|
# | SGD | nothing | has to be found | where memory is short |
# | Momentum, Nesterov | $v$ | has to be found | networks for images, with a falling rate |
# | AdaGrad | $s$ | 0.01 | sparse data |
# | RMSprop | $s$ | 0.001 | where the size of gradients changes over time |
# | Adam | $m$, $v$ | 0.001 | the first try, nearly everywhere |
# | AdamW | $m$, $v$ | 0.001 | as Adam, and wherever weight decay is wanted; transformers |
#
# Why not always Adam? It costs two more numbers per weight. And what is low in the training loss need not be good on new
# data: Wilson and others (2017) found networks for images that generalised better after SGD with momentum, though Adam's
# training loss was as low or lower. Loshchilov and Hutter put a good part of that down to the coupled decay, which AdamW
# has mended.
