# %% [markdown]
# # 2. Activation functions
#
# The neuron of [lesson 1](#1-the-perceptron) adds up its inputs and applies a step. The step has two drawbacks. It forgets
# how large the sum was; and it is flat, so a small change of a weight changes nothing, and nothing can be learned from
# small changes. This lesson is a tour of what took its place. Each function comes with its *derivative*, its slope at each
# point, because training needs both ([lesson 6](#6-backpropagation-by-hand)).
#
# Why a function at all? Because layers without one are no use in a row: a weighted sum of weighted sums is a weighted sum
# again. Nearly any function that bends will do, in principle: with enough hidden neurons, every one that is not a
# polynomial lets a network come as near as you like to any continuous function on a bounded region (Leshno and others,
# 1993). The choice decides how well it learns.
#
# All functions here take arrays and treat each entry by itself; only softmax, at the end, does not.
#
# ## Step and sign
#
# Step says 0 or 1, sign says −1, 0 or 1. Both are flat on either side of 0, with the derivative 0. At 0 they jump and have
# no derivative at all; we put 0 there.

# %%
import math

import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def step(x):
    return np.where(x > 0, 1.0, 0.0)


def step_derivative(x):
    return np.zeros_like(x)


sign, sign_derivative = np.sign, step_derivative

# %% [markdown]
# ## Sigmoid and hyperbolic tangent
#
# The *sigmoid* is a step made smooth. It goes from 0 to 1, and can be read as a probability:
#
# $$ \sigma(x) = \frac{1}{1 + e^{-x}} $$
#
# For its derivative use the rule for $1/u$, which is $-u'/u^2$, with $u = 1 + e^{-x}$ and $u' = -e^{-x}$:
#
# ```math
# \sigma'(x) = \frac{e^{-x}}{(1 + e^{-x})^2}
#            = \frac{1}{1 + e^{-x}} \cdot \frac{e^{-x}}{1 + e^{-x}}
#            = \sigma(x) (1 - \sigma(x)) .
# ```
#
# Who has the output knows the slope, without another exponential. The slope is greatest at 0, where it is 1/4.
#
# The *hyperbolic tangent* has the same shape but goes from −1 to 1. In fact $\tanh x = 2 \sigma(2x) - 1$. It is
# $\sinh x / \cosh x$; each of the two is the derivative of the other, so the rule for fractions gives
#
# $$ \tanh' x = \frac{\cosh^2 x - \sinh^2 x}{\cosh^2 x} = 1 - \tanh^2 x . $$
#
# Its slope at 0 is 1, and its outputs lie around 0, so that the next layer gets balanced inputs. For both reasons it
# usually learns faster than the sigmoid in hidden layers (LeCun and others, *Efficient BackProp*, 1998).
#
# One trap: for $x = -1000$, $e^{-x}$ is too large for any float. With $e^{-|x|}$ that cannot happen. For negative $x$ the
# fraction is expanded with $e^x$, which makes it $e^x / (1 + e^x)$.


# %%
def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_derivative(x):
    return sigmoid(x) * (1 - sigmoid(x))


def tanh(x):
    return np.tanh(x)


def tanh_derivative(x):
    return 1 - np.tanh(x) ** 2


x = np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0])
print("x           ", x)
print("sigmoid     ", sigmoid(x))
print("its slope   ", sigmoid_derivative(x))
print("tanh        ", tanh(x))
print("its slope   ", tanh_derivative(x))

# %% [markdown]
# Look at the slopes at the ends: 0. A neuron with a large sum, positive or negative, is *saturated* and hardly learns. And
# backpropagation multiplies one such slope per layer. Ten layers of sigmoids multiply it by at most $0.25^{10}$, a
# millionth; only large weights could make up for that. This is why deep networks were hard to train for long.
#
# ## Straight pieces
#
# The *identity*, $x$ itself with slope 1, is what stands behind the last layer of a regression. The *rectified linear unit*
# (ReLU) is the identity for positive numbers and 0 for others. Fukushima used it in 1969; Nair and Hinton (2010) and
# Glorot, Bordes and Bengio (2011) made it the standard:
#
# $$ \mathrm{ReLU}(x) = \max(x, 0), \qquad \text{slope 1 for } x > 0, \text{ 0 for } x < 0 . $$
#
# Where it passes a gradient, it passes all of it. At 0 itself there is a kink. Left and right slopes differ, and one may
# take any number between them. Practically all libraries take 0, and nobody notices, since a sum is hardly ever exactly 0.
#
# A ReLU whose sum is negative for all samples never gets a gradient again: it is "dead". *LeakyReLU* (Maas, Hannun and Ng,
# 2013) leaves a small slope, 0.01 in most libraries. With the slope −1 instead we have the *absolute value*, whose
# derivative is the sign. *Hardtanh* is tanh from three straight pieces, and *ReLU6* a ReLU that ends at 6, which suits
# numbers with few bits.


# %%
def identity(x):
    return x


def identity_derivative(x):
    return np.ones_like(x)


def absolute(x):
    return np.abs(x)


def absolute_derivative(x):
    return np.sign(x)


def relu(x):
    return np.maximum(x, 0)


def relu_derivative(x):
    return np.where(x > 0, 1.0, 0.0)


def leaky_relu(x, negative_slope=0.1):
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_derivative(x, negative_slope=0.1):
    return np.where(x > 0, 1.0, negative_slope)


def hardtanh(x):
    return np.clip(x, -1, 1)


def hardtanh_derivative(x):
    return np.where((x > -1) & (x < 1), 1.0, 0.0)


def relu6(x):
    return np.clip(x, 0, 6)


def relu6_derivative(x):
    return np.where((x > 0) & (x < 6), 1.0, 0.0)


# %% [markdown]
# (A slope of 0.1 for LeakyReLU, so that one sees it in the picture.)
#
# ## Smooth relatives of ReLU
#
# *Softplus* is a ReLU without the kink, $\log(1 + e^x)$. Its derivative is $e^x / (1 + e^x)$: the sigmoid.
#
# *ELU* (Clevert, Unterthiner and Hochreiter, 2015) is $x$ for positive numbers and $\alpha (e^x - 1)$ for others. It levels
# out at $-\alpha$. For negative numbers its slope is $\alpha e^x$; with $\alpha = 1$ there is no kink.
#
# *SiLU*, also called Swish, is $x \sigma(x)$: the sigmoid decides how much of $x$ passes. By the product rule its
# derivative is $\sigma(x) + x \sigma(x) (1 - \sigma(x))$.
#
# *GELU* (Hendrycks and Gimpel, 2016) lets the normal distribution decide, $x \Phi(x)$. $\Phi$ is the probability that a
# standard normal number is below $x$. The derivative of $\Phi$ is the bell curve $\varphi(x) = e^{-x^2/2} / \sqrt{2\pi}$,
# so GELU has the derivative $\Phi(x) + x \varphi(x)$. Language models use it.


# %%
def softplus(x):
    return np.logaddexp(0, x)  # log(e^0 + e^x), without overflow


def softplus_derivative(x):
    return sigmoid(x)


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))  # expm1(x) is e^x - 1, exact for small x too


def elu_derivative(x):
    return np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))


def silu(x):
    return x * sigmoid(x)


def silu_derivative(x):
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def normal_probability(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def gelu(x):
    return x * normal_probability(x)


def gelu_derivative(x):
    return normal_probability(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


# %% [markdown]
# ## Softmax
#
# The last layer of a classifier gives a score for each class. *Softmax* (Bridle, 1990) makes probabilities of the scores:
# all positive, with the sum 1, and the greater the score the greater the probability. One score alone means nothing here;
# each output depends on all inputs.
#
# $$ p_k = \frac{e^{x_k}}{\sum_j e^{x_j}} $$
#
# Written down like that it fails for scores such as 1010, because $e^{1010}$ is beyond any float. The remedy: subtract the
# greatest score from all. This changes nothing, since numerator and denominator both are divided by $e^{\max}$, and no
# exponent is positive any more.


# %%
def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


scores = np.array([1010.0, 1000.0, 990.0])
with np.errstate(over="ignore", invalid="ignore"):
    print("naive :", np.exp(scores) / np.exp(scores).sum())
stable = softmax(scores)
print("stable:", stable)

p = softmax(np.array([0.3, 2.9, 4.0]))
print("softmax of 0.3, 2.9, 4.0:", p, "with the sum", p.sum())

# %% [markdown]
# ### Its derivatives
#
# There are three outputs and three inputs here, so nine derivatives: a table with $\partial p_k / \partial x_c$ in row
# $k$ and column $c$, called the *Jacobian*. (The round ∂ marks a *partial* derivative: only $x_c$ moves, the other inputs
# stay.) The shortest way to it goes over the logarithm. With $S = \sum_j e^{x_j}$,
#
# $$ \log p_k = x_k - \log S . $$
#
# Take the derivative of both sides with respect to $x_c$. On the left it is
# $\frac{1}{p_k} \frac{\partial p_k}{\partial x_c}$. On the right the first term gives 1 if $k$ and $c$ are the same and 0
# if not, for which one writes $\delta_{kc}$. The second gives $\frac{1}{S} e^{x_c}$, which is $p_c$. Together:
#
# $$ \frac{\partial p_k}{\partial x_c} = p_k (\delta_{kc} - p_c) $$
#
# On the diagonal that is $p_k (1 - p_k)$, like the sigmoid's, and elsewhere $-p_k p_c$: what one class wins the others
# lose. All rows and columns have the sum 0.
#
# Backpropagation needs no table, only a product with it. From the layers behind come slopes with respect to the outputs;
# we call them `dout`. What goes on to the layers in front are the slopes with respect to the inputs, `dx`. All outputs
# that an input acts on add to its slope:
#
# ```math
# \mathrm{dx}_c = \sum_k \mathrm{dout}_k \, p_k (\delta_{kc} - p_c)
#               = p_c \Big( \mathrm{dout}_c - \sum_k \mathrm{dout}_k \, p_k \Big)
# ```


# %%
def softmax_jacobian(p):
    return np.diag(p) - np.outer(p, p)


def softmax_backward(dout, p):
    return p * (dout - (dout * p).sum(axis=-1, keepdims=True))


jacobian = softmax_jacobian(p)
dout = np.array([1.0, -2.0, 0.5])
dx = softmax_backward(dout, p)
print("Jacobian:")
print(jacobian)
print(f"largest sum of a row: {np.abs(jacobian.sum(axis=1)).max():.0e}")
print("dout times Jacobian:", dout @ jacobian)
print("without the table:  ", dx)

# %% [markdown]
# ## Are the derivatives right?
#
# A derivative can be checked without thinking: go a little to the right and to the left, and divide the difference of the
# values by the way, $(f(x + h) - f(x - h)) / 2h$. [Lesson 5](#5-gradients-by-differences-and-descent) says more. We do it
# for all functions at 300 points, none of which is a kink.

# %%
functions = {
    "step": (step, step_derivative),
    "sign": (sign, sign_derivative),
    "identity": (identity, identity_derivative),
    "absolute value": (absolute, absolute_derivative),
    "sigmoid": (sigmoid, sigmoid_derivative),
    "tanh": (tanh, tanh_derivative),
    "Hardtanh": (hardtanh, hardtanh_derivative),
    "ReLU": (relu, relu_derivative),
    "LeakyReLU": (leaky_relu, leaky_relu_derivative),
    "ReLU6": (relu6, relu6_derivative),
    "Softplus": (softplus, softplus_derivative),
    "ELU": (elu, elu_derivative),
    "SiLU": (silu, silu_derivative),
    "GELU": (gelu, gelu_derivative),
}

x, h = np.linspace(-7, 7, 300), 1e-5
errors = {name: np.abs((f(x + h) - f(x - h)) / (2 * h) - slope(x)).max() for name, (f, slope) in functions.items()}
for name, error in errors.items():
    print(f"{name:15s} largest difference {error:.0e}")

# %% [markdown]
# For softmax each score in turn goes to the right and to the left; that gives one column of the Jacobian.

# %%
moves = h * np.eye(3)
z = np.array([0.3, 2.9, 4.0])
numeric = np.stack([(softmax(z + move) - softmax(z - move)) / (2 * h) for move in moves], axis=1)
jacobian_error = np.abs(numeric - jacobian).max()
print(f"Jacobian, largest difference {jacobian_error:.0e}")

# %% [markdown]
# ## All in one picture
#
# Softmax has several inputs, so the picture shows one way through it: the first of three scores moves, the others stay at 0
# and 1, and the curve is the first probability, with the slope $p (1 - p)$.


# %%
def first_probability(x):
    return softmax(np.stack([x, np.zeros_like(x), np.ones_like(x)], axis=-1))[..., 0]


def first_probability_derivative(x):
    return first_probability(x) * (1 - first_probability(x))


shown = {**functions, "softmax, first of three": (first_probability, first_probability_derivative)}
figure, grid_of_axes = lesson.subplots(5, 3, width=8.4, height=11)
for axes, (name, (f, slope)) in zip(grid_of_axes.flat, shown.items()):
    x_shown = np.linspace(-4, 8 if name == "ReLU6" else 4, 800)
    axes.plot(x_shown, f(x_shown), label="function")
    axes.plot(x_shown, slope(x_shown), "--", label="derivative")
    axes.axhline(0, color="lightgrey", linewidth=0.8, zorder=0)
    axes.axvline(0, color="lightgrey", linewidth=0.8, zorder=0)
    axes.set_title(name)
for axes in grid_of_axes[-1]:
    axes.set_xlabel("$x$")
grid_of_axes[0, 0].legend()
lesson.picture(figure, "all", "Activation functions (solid) and derivatives (dashed). Where these are 0, nothing is learned")

# %% [markdown]
# Compare the dashed lines. Step and sign have nothing to learn by. Sigmoid, tanh and softmax have a bump: they learn in the
# middle and are stuck at both ends. ReLU and its relatives keep a slope of 1 or nearly 1 for large positive numbers;
# Hardtanh and ReLU6 give it up at the other end.
#
# Which one to take? In hidden layers ReLU, unless something speaks against it. If many neurons die, LeakyReLU or ELU.
# Sigmoid at the output for yes or no, softmax for one of several classes, the identity for a number.
#
# ## In fastnn
#
# Most of them are layers, with a `forward` and a `backward`. `backward` multiplies by the derivative, so from ones it
# returns the derivative itself. Step and sign are missing, for want of anything to learn by. So is the absolute value, but
# `Lambda` makes a layer of any function; it takes the function, and one that multiplies `dout` by the derivative.

# %%
layers = {
    "identity": fnn.Identity(),
    "absolute value": fnn.Lambda(absolute, lambda dout, x: dout * absolute_derivative(x)),
    "sigmoid": fnn.Sigmoid(),
    "tanh": fnn.Tanh(),
    "Hardtanh": fnn.Hardtanh(),
    "ReLU": fnn.ReLU(),
    "LeakyReLU": fnn.LeakyReLU(0.1),
    "ReLU6": fnn.ReLU6(),
    "Softplus": fnn.Softplus(),
    "ELU": fnn.ELU(),
    "SiLU": fnn.SiLU(),
    "GELU": fnn.GELU(),
}
differences = {}
for name, layer in layers.items():
    f, slope = functions[name]
    forward = np.abs(layer.forward(x, training=True) - f(x)).max()
    backward = np.abs(layer.backward(np.ones_like(x)) - slope(x)).max()
    differences[name] = max(forward, backward)
    print(f"{name:15s} largest difference forward {forward:.0e}, backward {backward:.0e}")

# %%
softmax_layer = fnn.Softmax(1)
p_layer = softmax_layer.forward(z[None], training=True)[0]
dx_layer = softmax_layer.backward(dout[None])[0]
print("softmax      ", p_layer)
print("stable       ", softmax_layer.forward(scores[None])[0])
print("its backward ", dx_layer)
