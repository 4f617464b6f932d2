# %% [markdown]
# # 20. The networks every course names
#
# Not quite twenty years of image classification, in six families of networks. All of them are made of pieces that this
# course has built by hand; each brought one idea, on what a layer should look at, or on how many layers can be trained at
# once.
#
# | network | | idea |
# |---|---|---|
# | LeNet-5 | LeCun, Bottou, Bengio, Haffner 1998 | convolution, pooling, convolution, pooling, dense layers, trained as one |
# | AlexNet | Krizhevsky, Sutskever, Hinton 2012 | the same, larger, with ReLU and dropout; neighbouring channels compete |
# | ZFNet | Zeiler, Fergus 2014 | AlexNet after a look at its filters: smaller ones, and closer together |
# | VGG | Simonyan, Zisserman 2014 | only 3 x 3 convolutions, and many of them |
# | GoogLeNet | Szegedy et al. 2014 | windows of several sizes side by side, made cheap by 1 x 1 convolutions |
# | ResNet | He, Zhang, Ren, Sun 2015 | layers learn what to *add* to their input |

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)
rng = np.random.default_rng(0)

# %% [markdown]
# ## AlexNet: local response normalization
#
# Each pixel of a channel is divided by a measure of how strong its neighbours in the $n$ channels around it are:
#
# $$ s_c = k + \frac{\alpha}{n} \sum_{c' \text{ near } c} x_{c'}^2, \qquad \text{out}_c = x_c\, s_c^{-\beta} . $$
#
# A pixel $x_c$ is in its own output, and in the $s$ of each of its neighbours. Both ways bring a part of its gradient:
#
# $$ \text{dx}_c = \text{dout}_c\, s_c^{-\beta} - \frac{2 \alpha \beta}{n}\, x_c \sum_{c' \text{ near } c}
# \text{dout}_{c'}\, x_{c'}\, s_{c'}^{-\beta - 1} . $$
#
# (Being near is mutual for an odd $n$, so the sum runs over the same channels. Batch normalization has since taken the place
# of this layer.)


# %%
def near(values, n):
    """Sum over the n channels around each, for values (C,)."""
    return np.array([values[max(0, c - n // 2) : c + n // 2 + 1].sum() for c in range(len(values))])


n, alpha, beta, k = 5, 0.5, 0.75, 2.0
x, dout = rng.standard_normal(8), rng.standard_normal(8)
s = k + alpha / n * near(x**2, n)
out = x * s**-beta
dx = dout * s**-beta - 2 * alpha * beta / n * x * near(dout * x * s ** (-beta - 1), n)

lrn = fnn.LocalResponseNorm(n, alpha, beta, k)
lrn_difference = np.abs(lrn.forward(x.reshape(1, 8, 1, 1), training=True).ravel() - out).max()
lrn_difference = max(lrn_difference, np.abs(lrn.backward(dout.reshape(1, 8, 1, 1)).ravel() - dx).max())
print(f"LocalResponseNorm, largest difference forward and backward: {lrn_difference:.1e}")

# %% [markdown]
# ## VGG: why 3 x 3
#
# Two 3 x 3 convolutions see as far as one of 5 x 5, three as far as one of 7 x 7. With $C$ channels in and out they need
# $2 \cdot 9\, C^2$ weights instead of $25\, C^2$, and $3 \cdot 9\, C^2$ instead of $49\, C^2$; and there is a ReLU more
# in between. How far an output sees, its *receptive field*, grows with each layer by $K - 1$ times the product of the
# strides before it.


# %%
def receptive_field(layers):
    """Width of what one output sees, for layers given as (kernel, stride)."""
    field, step = 1, 1
    for kernel, stride in layers:
        field, step = field + (kernel - 1) * step, step * stride
    return field


C = 64
for count, wide in ((2, 5), (3, 7)):
    small = fnn.Sequential(*(fnn.Conv2d(C, C, 3, bias=False) for _ in range(count))).flat_params.size
    large = fnn.Conv2d(C, C, wide, bias=False).params["weight"].size
    print(
        f"{count} x (3 x 3) see {receptive_field([(3, 1)] * count)} pixels with {small:,} weights; {wide} x {wide}: {large:,}"
    )

# %% [markdown]
# ## GoogLeNet: side by side
#
# Which window is right, 1, 3 or 5 wide? An *Inception block* takes all, and joins their channels: `Concat`. Forward it
# copies, so backward it cuts: each branch gets its channels of dout. And since all branches read the same $x$, the gradient
# of $x$ is the *sum* of theirs,
#
# $$ \text{out} = [\, b_1(x), b_2(x), \dots ], \qquad
# \text{dx} = \sum_i \Big(\frac{\partial b_i}{\partial x}\Big)^{\!\top} \text{dout}_i . $$

# %%
branches = [fnn.Conv2d(3, f, size, padding=size // 2, dtype=np.float64, rng=f) for f, size in ((2, 1), (4, 3), (1, 5))]
image, dimage = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((2, 7, 6, 6))
joined = np.concatenate([branch.forward(image, training=True) for branch in branches], axis=1)
pieces = np.split(dimage, [2, 6], axis=1)
summed = sum(branch.backward(np.ascontiguousarray(piece)) for branch, piece in zip(branches, pieces))

block = fnn.Concat(*branches)
concat_difference = np.abs(block.forward(image, training=True) - joined).max()
concat_difference = max(concat_difference, np.abs(block.backward(dimage) - summed).max())
print("Concat of 2, 4 and 1 channels:", block.output_shape((3, 6, 6)), f"largest difference {concat_difference:.1e}")

# %% [markdown]
# A 5 x 5 convolution of 192 channels to 32 is dear. A 1 x 1 convolution to 16 channels in front of it, a dense layer for each
# pixel, makes it cheap:

# %%
direct = fnn.Sequential(fnn.Conv2d(192, 32, 5, padding=2))
reduced = fnn.Sequential(fnn.Conv2d(192, 16, 1), fnn.ReLU(), fnn.Conv2d(16, 32, 5, padding=2))
for name, network in (("5 x 5", direct), ("1 x 1, then 5 x 5", reduced)):
    print(f"{name:18s} {network.flat_params.size:8,} parameters, {network.macs((192, 28, 28)):12,} multiply-adds for 28 x 28")

# %% [markdown]
# ## ResNet: adding
#
# He and others saw a network of 56 plain layers learn worse than one of 20, on its training data too. It is not for want of
# capacity: the longer one could copy the shorter, if 36 of its layers learned the identity. That seems to be hard. And a
# gradient has to pass a product of 56 Jacobians. (The authors' networks had batch normalization against that, and were
# hard to train all the same.) A *residual block* makes the identity the easiest thing to learn, $f = 0$, and gives the
# gradient a way round:
#
# $$ \text{out} = x + f(x), \qquad \text{dx} = \text{dout} + \Big(\frac{\partial f}{\partial x}\Big)^{\!\top} \text{dout} : $$
#
# whatever $f$ does, dout itself arrives in front of the block. The experiment: the size of the gradient at the first of 40
# layers, from the same dout at the last, plain and with shortcuts.

# %%
DEPTH, WIDTH = 40, 32
sizes = {}
for name in ("plain", "residual"):
    layers = []
    for i in range(DEPTH):
        body = fnn.Sequential(fnn.Dense(WIDTH, WIDTH, rng=i), fnn.Tanh())
        layers.append(fnn.Residual(body) if name == "residual" else body)
    network = fnn.Sequential(*layers)
    output = network.forward(rng.standard_normal((64, WIDTH), dtype=np.float32), training=True)
    network.backward(np.ones_like(output))
    weights = [array for key, array in network.grads.items() if key.endswith("weight")]
    sizes[name] = [float(np.sqrt(np.mean(array**2))) for array in weights]
    print(f"{name:8s} gradient of the weights, last layer {sizes[name][-1]:.2e}, first layer {sizes[name][0]:.2e}")

figure, axes = lesson.subplots()
for name, values in sizes.items():
    axes.semilogy(range(1, DEPTH + 1), values, marker=".", label=name)
axes.set(xlabel="layer", ylabel="gradient, root mean square")
axes.legend()
lesson.picture(figure, "gradients", "Gradients by layer: without shortcuts the first layers of forty hear nothing")

# %% [markdown]
# ## All of them
#
# `fnn.models` has a function for each, with the number of classes and the size of the images as arguments. With the defaults
# they are the published networks, for images of 224 x 224 and 1,000 classes (LeNet-5: digits; ResNet-20: CIFAR-10).

# %%
DEFAULTS = {
    "lenet5": (1, 28),
    "alexnet": (3, 224),
    "zfnet": (3, 224),
    "vgg11": (3, 224),
    "vgg16": (3, 224),
    "googlenet": (3, 224),
    "resnet18": (3, 224),
    "resnet20": (3, 32),
}
if lesson.quick:  # the others take a second and a gigabyte each
    DEFAULTS = {name: DEFAULTS[name] for name in ("lenet5", "googlenet", "resnet18", "resnet20")}
parameters, macs = {}, {}
for name, (channels, size) in DEFAULTS.items():
    network = fnn.models.MODELS[name](rng=0)
    parameters[name], macs[name] = network.flat_params.size, network.macs((channels, size, size))
    print(f"{name:10s} {parameters[name]:12,} parameters, {macs[name] / 1e6:10,.1f} million multiply-adds for {size} x {size}")

figure, (left, right) = lesson.subplots(1, 2, sharey=True)
left.barh(list(parameters), [value / 1e6 for value in parameters.values()])
left.set(xlabel="million parameters", xscale="log")
right.barh(list(macs), [value / 1e6 for value in macs.values()], color="tab:orange")
right.set(xlabel="million multiply-adds for an image", xscale="log")
left.invert_yaxis()
lesson.picture(figure, "sizes", "Parameters are not work: GoogLeNet has a ninth of AlexNet's, and computes twice as much")

# %% [markdown]
# AlexNet's parameters sit in its dense layers (58.6 of 61 million), its work in the convolutions. GoogLeNet and ResNet end in
# a global average instead and need hardly any dense layer.
#
# ## Small, and at work
#
# The same networks for small images and ten classes: a step of training each, forward, loss, backward and update, all of
# it as a compiled [plan](plan.md).

# %%
SMALL = {
    "lenet5": {"input_size": 28},
    "alexnet": {"input_size": 63, "hidden": 256},
    "zfnet": {"input_size": 63, "hidden": 256},
    "vgg11": {"input_size": 32, "hidden": 256},
    "googlenet": {"input_size": 32},
    "resnet18": {"input_size": 32},
    "resnet20": {"input_size": 32},
}
if lesson.quick:
    SMALL = {name: SMALL[name] for name in ("lenet5", "resnet20")}
losses = {}
for name, options in SMALL.items():
    channels, size = DEFAULTS.get(name, (3, 224))[0], options["input_size"]
    network = fnn.models.MODELS[name](classes=10, channels=channels, rng=0, **options)
    images = rng.standard_normal((32, channels, size, size), dtype=np.float32)
    labels = rng.integers(0, 10, 32)
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.001, momentum=0.9), seed=0)
    losses[name] = [trainer.step(images, labels) for _ in range(6)]
    path = network.summary((channels, size, size)).path
    print(f"{name:10s} {path}: loss {losses[name][0]:.3f}, after five steps {losses[name][-1]:.3f}")

# %% [markdown]
# All losses fall: forward and backward fit together, in every family. How far down they go takes data and time. The place to
# try is [lesson 19](#19-cifar-10), with `fnn.models.resnet20` in the place of its network.
