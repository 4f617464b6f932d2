# %% [markdown]
# # 14. Initialisation and regularisation
#
# A network can fail before its first step, because of the weights with which it begins. And it can fail after its last,
# because it has learned the training data by heart. This lesson is about both ends: how to draw initial weights; batch
# normalization, which makes a network less dependent on them; and weight decay and dropout, which keep it from learning by
# heart.
#
# ## Why not zeros?
#
# Small weights are good, so why not 0? Take a network with one hidden layer, sigmoids, and all weights and biases 0. Every
# hidden neuron $j$ says $\sigma(0) = 0.5$, for every sample. So the gradients of the output weights are the same for all
# $j$,
#
# $$ \mathrm{dweight}^{(2)}_{oj} = \sum_n \mathrm{dout}_{no} \cdot 0.5 , $$
#
# and after a step so are the output weights. What comes back to hidden neuron $j$ is
# $\sum_o \mathrm{dout}_{no} \cdot \mathrm{weight}^{(2)}_{oj}$, again the same for all. So all get the same change, stay
# equal, and get the same change again. A hidden layer of 50 is one neuron, fifty times. Any other common value has the same
# fate. Only *different* initial values break the symmetry.

# %%
from functools import partial

import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)
digits = lesson.digits()


def train_from_zeros(activation):
    network = fnn.Sequential(fnn.Flatten(), fnn.Dense(784, 50), activation, fnn.Dense(50, 10))
    fnn.init.initialize(network, fnn.init.zeros)
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.5), seed=0)
    trainer.fit(digits.train_images[:3000], digits.train_labels[:3000], epochs=5, batch_size=100, progress=False)
    return network, trainer.evaluate(digits.test_images, digits.test_labels)["accuracy"]


for name, activation in {"sigmoid": fnn.Sigmoid(), "ReLU": fnn.ReLU()}.items():
    network, accuracy = train_from_zeros(activation)
    hidden = network.params["1.weight"]
    spread = np.abs(hidden - hidden[0]).max()
    print(f"{name:7s} from zeros: largest weight {np.abs(hidden).max():.3f}, ", end="")
    print(f"largest difference between hidden neurons {spread:.1e}, test accuracy {accuracy:.1%}")

# %% [markdown]
# With ReLU it is even worse: nothing comes through at all, forwards or backwards, and only the last biases learn how
# frequent the classes are.
#
# ## Too large, too small
#
# So the weights are drawn at random, around 0. How far around? The classic experiment sends 1,000 random samples through
# five layers of 100 neurons, and looks at the outputs of each layer. First with sigmoids, and weights from a normal
# distribution of standard deviation 1, 0.01, or 0.1. Biases are 0: they need no random values, since the weights have
# broken the symmetry.

# %%
LAYERS, WIDTH = 5, 100
data = np.random.default_rng(0).standard_normal((1000, WIDTH))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def relu(a):
    return np.maximum(a, 0)


def outputs_of_layers(activation, std, layers=LAYERS):
    rng = np.random.default_rng(1)
    x, outputs = data, []
    for _ in range(layers):
        weight = std * rng.standard_normal((WIDTH, WIDTH))
        x = activation(x @ weight.T)
        outputs.append(x)
    return outputs


def draw_histograms(activation, stds, bounds, name, caption):
    figure, grid = lesson.subplots(len(stds), LAYERS, width=7.4, height=4.6, sharex=True, sharey="row")
    for row, (label, std) in zip(grid, stds.items()):
        for layer, (axes, out) in enumerate(zip(row, outputs_of_layers(activation, std)), start=1):
            axes.hist(out.ravel(), bins=30, range=bounds)
            axes.set_title(
                f"layer {layer}: ±{out.std():.2g}" if layer > 1 else f"{label}\nlayer 1: ±{out.std():.2g}", fontsize=8
            )
            axes.tick_params(labelsize=7)
            axes.set_yticks([])
        row[0].set_ylabel("how many")
    for axes in grid[-1]:
        axes.set_xlabel("output", fontsize=8)
    lesson.picture(figure, name, caption)


three = {"std 1": 1.0, "std 0.01": 0.01, "std 0.1, Xavier": 0.1}
caption = "Sigmoid. ± is the standard deviation of each layer's outputs"
draw_histograms(sigmoid, three, (0, 1), "sigmoid", caption)

# %% [markdown]
# With 1, the sums are large, and the sigmoids say 0 or 1. There they are flat ([lesson 2](#2-activation-functions)), and
# gradients end: they are *saturated*. With 0.01, all outputs are 0.5, whatever the sample: a hundred neurons that say the
# same, and no information about the input left. The third row is better: outputs that differ, and not at the ends. (The
# clumps in it are single neurons. Inputs around 0.5 add up to a sum that is another one for each neuron, but nearly the
# same for all samples. That is what is wrong with activations that are not centred at 0.) For $\tanh$ the same in a purer
# form, since it is near the identity around 0:

# %%
caption = "tanh. With 0.01 every layer divides by ten; with 0.1 outputs keep a spread"
draw_histograms(np.tanh, three, (-1, 1), "tanh", caption)

for label, std in three.items():
    spreads = [out.std() for out in outputs_of_layers(np.tanh, std)]
    print(f"tanh, {label:15s}: standard deviation by layer", " ".join(f"{spread:.5f}" for spread in spreads))

# %% [markdown]
# ## The variance of a sum
#
# Where does 0.1 come from? A dense layer computes $\mathrm{out}_o = \sum_i \mathrm{weight}_{oi} \cdot \mathrm{x}_i$, with
# $\mathrm{IN}$ terms. The weights are independent of each other and of x, with mean 0. Then each term has mean 0,
# different terms are uncorrelated, and so the variances of the terms add up. With $\mathbb{E}$ for the mean over all
# draws,
#
# ```math
# \mathrm{Var}(\mathrm{out}) = \sum_i \mathbb{E}[\mathrm{weight}_{oi}^2]\; \mathbb{E}[\mathrm{x}_i^2]
#                            = \mathrm{IN} \cdot \mathrm{Var}(\mathrm{weight}) \cdot \mathbb{E}[\mathrm{x}^2] .
# ```
#
# Note the last factor. It is the mean *square* of the inputs, not their variance: the mean of x does not drop out.
#
# If x has mean 0, then $\mathbb{E}[\mathrm{x}^2] = \mathrm{Var}(\mathrm{x})$, and the spread stays the same from layer to
# layer if
#
# $$ \mathrm{Var}(\mathrm{weight}) = \frac{1}{\mathrm{IN}} . $$
#
# With 100 inputs, that is a standard deviation of 0.1. Backwards the same happens with the roles exchanged,
# $\mathrm{dx}_i = \sum_o \mathrm{dout}_o \cdot \mathrm{weight}_{oi}$ with $\mathrm{OUT}$ terms. So gradients keep their
# size for a variance of $1/\mathrm{OUT}$. If both are wanted and $\mathrm{IN} \ne \mathrm{OUT}$, one has to compromise.
# Glorot and Bengio (2010) took the mean of the two denominators:
#
# $$ \mathrm{Var}(\mathrm{weight}) = \frac{2}{\mathrm{IN} + \mathrm{OUT}} . $$
#
# This is *Xavier* initialisation, after Xavier Glorot; the simpler $1/\mathrm{IN}$, which LeCun and others had in 1998,
# often goes by this name too. Both assume that the activation is about the identity, as tanh is around 0. (It is somewhat
# flatter, and so the spread above shrank after all, but slowly.)
#
# ReLU is not. It throws half of the distribution away. If the sums $a$ are symmetric around 0, then
#
# $$ \mathbb{E}[\mathrm{relu}(a)^2] = \tfrac12 \mathbb{E}[a^2] = \tfrac12 \mathrm{Var}(a) , $$
#
# and every layer halves the variance, unless the weights make up for it. He and others (2015) therefore doubled it:
#
# $$ \mathrm{Var}(\mathrm{weight}) = \frac{2}{\mathrm{IN}} . $$
#
# To check, the variance after one layer of weights, as measured and as the formula has it, for inputs with mean 0 and for
# those behind a ReLU:

# %%
for label, x in {"normal": data, "behind a ReLU": relu(data)}.items():
    weight = 0.1 * np.random.default_rng(2).standard_normal((WIDTH, WIDTH))
    measured, formula = (x @ weight.T).var(), WIDTH * 0.01 * (x**2).mean()
    print(f"inputs {label:13s}: variance of the sums {measured:.3f}, by the formula {formula:.3f}")

relu_stds = {"std 0.01": 0.01, "std 0.1, Xavier": (1 / WIDTH) ** 0.5, "std 0.14, He": (2 / WIDTH) ** 0.5}
caption = "ReLU, without the zeros. Under Xavier outputs shrink by 0.7 from layer to layer, under He hardly"
draw_histograms(relu, relu_stds, (1e-9, 3), "relu", caption)

# %% [markdown]
# In five layers the difference between the last two rows looks small. In twenty it is not. Per layer the factor is
# $\sqrt{\mathrm{IN} / 2}$ times the standard deviation of the weights: 7.07 for 1, 0.0707 for 0.01, 0.707 for Xavier, 1 for
# He. The right picture has the way back, from a random `dout` at the end. The measured factors are a little off, since a
# hundred random neurons are few.

# %%
DEPTH = 20


def sizes(std):
    """Root mean square of each layer's outputs, and of the gradients with respect to its inputs."""
    outputs = outputs_of_layers(relu, std, DEPTH)
    rng = np.random.default_rng(1)
    weights = [std * rng.standard_normal((WIDTH, WIDTH)) for _ in range(DEPTH)]
    dout = np.random.default_rng(2).standard_normal(data.shape)
    backward = []
    for weight, out in zip(reversed(weights), reversed(outputs)):
        dout = (dout * (out > 0)) @ weight
        backward.insert(0, np.sqrt((dout**2).mean()))
    return [np.sqrt((out**2).mean()) for out in outputs], backward


figure, both = lesson.subplots(1, 2, width=7.4, height=3.4, sharex=True)
factors = {}
for label, std in {"std 1": 1.0, **relu_stds}.items():
    forward, backward = sizes(std)
    factors[label] = [(forward[-1] / forward[0]) ** (1 / (DEPTH - 1)), (backward[0] / backward[-1]) ** (1 / (DEPTH - 1))]
    print(f"ReLU, {label:15s}: factor per layer {factors[label][0]:.4f} forwards, {factors[label][1]:.4f} backwards")
    for axes, values in zip(both, (forward, backward)):
        axes.semilogy(range(1, DEPTH + 1), values, ".-", label=label)
both[0].set(xlabel="layer", ylabel="root mean square", title="outputs")
both[1].set(xlabel="layer", title="gradients")
both[0].legend(fontsize=8)
lesson.picture(figure, "depth", "Twenty layers of ReLU. Only with He's variance do outputs and gradients keep their size")

# %% [markdown]
# ## In fastnn
#
# `fastnn.init` has these by name, as functions of the shape, and `initialize` gives them to all dense and convolution
# layers of a network. A convolution's neuron has $\mathrm{IN} = C \cdot KH \cdot KW$ inputs. `fnn.plot.activations` returns
# what each layer makes of some data. Here is the He network from above, with the same weights, since the same generator
# drew them:

# %%
layers = [layer for _ in range(LAYERS) for layer in (fnn.Dense(WIDTH, WIDTH, dtype=np.float64), fnn.ReLU())]
network = fnn.init.initialize(fnn.Sequential(*layers), fnn.init.he_normal, rng=1)
found = fnn.plot.activations(network, data)
by_hand = outputs_of_layers(relu, relu_stds["std 0.14, He"])
activation_difference = max(np.abs(found[f"{2 * i + 1} ReLU"] - by_hand[i]).max() for i in range(LAYERS))
print(f"{list(found)[-1]}: largest difference from the layers by hand {activation_difference:.1e}")
figure = fnn.plot.activation_histograms({name: found[name] for name in ("0 Dense", "1 ReLU", "9 ReLU")})
lesson.picture(figure, "fastnn", "`fnn.plot.activation_histograms`: the first sums, symmetric; behind ReLU half are 0")

# %% [markdown]
# Does it matter for learning? Four hidden layers of ReLU on MNIST, plain SGD, and only the initial values differ. "default"
# is what fastnn gives to new layers and PyTorch too: uniform between $\pm 1/\sqrt{\mathrm{IN}}$, which has the variance
# $1 / (3 \cdot \mathrm{IN})$, a sixth of He's.

# %%
STEPS, RATE = (200 if lesson.quick else 600), 0.05


def make_network(hidden, width=100, normalise=False, dropout=0.0):
    layers, inputs = [fnn.Flatten()], 28 * 28
    for i in range(hidden):
        layers.append(fnn.Dense(inputs, width, rng=i))
        if normalise:
            layers.append(fnn.BatchNorm1d(width))
        layers.append(fnn.ReLU())
        if dropout:
            layers.append(fnn.Dropout(dropout))
        inputs = width
    return fnn.Sequential(*layers, fnn.Dense(inputs, 10, rng=hidden))


initialisations = {
    "zeros": fnn.init.zeros,
    "std 1": partial(fnn.init.normal, std=1.0),
    "std 0.01": partial(fnn.init.normal, std=0.01),
    "default": None,
    "Xavier": fnn.init.xavier_normal,
    "He": fnn.init.he_normal,
}
curves = {}
for name, weight in initialisations.items():
    network = make_network(hidden=4)
    if weight is not None:
        fnn.init.initialize(network, weight, rng=0)
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=RATE))
    rng, losses = np.random.default_rng(0), []
    for _ in range(STEPS):
        batch = rng.integers(0, len(digits.train_labels), 128)
        losses.append(trainer.step(digits.train_images[batch], digits.train_labels[batch]))
    curves[name] = np.array(losses)
    accuracy = trainer.evaluate(digits.test_images, digits.test_labels)["accuracy"]
    print(f"{name:8s} loss at first {losses[0]:.4g}, at the end {np.mean(losses[-20:]):.3f}, test accuracy {accuracy:.1%}")

# %%
figure, axes = lesson.subplots(width=6.6, height=3.8)
for name, losses in curves.items():
    if np.isfinite(losses).all():
        axes.plot(np.convolve(losses, np.ones(20) / 20, mode="valid"), "--" if name == "std 0.01" else "-", label=name)
axes.set(xlabel="step", ylabel="training loss, mean of 20 steps", ylim=(0, 3))
axes.legend()
lesson.picture(
    figure, "learning", "The same network from five initialisations. Zeros and std 0.01 coincide; std 1 gives no numbers"
)

# %% [markdown]
# Zeros and 0.01 stay at $\log 10 = 2.303$, the loss of guessing. With 0.01 each layer passes on 7 % of a gradient, and
# behind four of them next to nothing is left. With 1 the first loss is in the ten thousands, and after the steps that
# follow there are no numbers left. The other three learn, the sooner the nearer they are to what the analysis asks for.
#
# ## Batch normalization
#
# Initial values only make the *first* forward pass well-behaved. Ioffe and Szegedy (2015) had a more direct idea: if each
# layer's sums should have mean 0 and variance 1, then give them that, in every pass. For each neuron (channel) $c$, over
# the $N$ samples of the batch,
#
# ```math
# \begin{aligned}
# \mathrm{mean}_c &= \frac1N \sum_n \mathrm{x}_{nc}, &
# \mathrm{var}_c &= \frac1N \sum_n (\mathrm{x}_{nc} - \mathrm{mean}_c)^2, \\
# \hat{\mathrm{x}}_{nc} &= \frac{\mathrm{x}_{nc} - \mathrm{mean}_c}{\sqrt{\mathrm{var}_c + \epsilon}}, &
# \mathrm{out}_{nc} &= \mathrm{weight}_c\, \hat{\mathrm{x}}_{nc} + \mathrm{bias}_c .
# \end{aligned}
# ```
#
# The last step gives the layer its freedom back. Mean 0 and variance 1 need not be best, so it learns both, as `bias` and
# `weight`; they begin at 0 and 1. (In the paper they are $\beta$ and $\gamma$.)
#
# The layer stands between the sums and the activation. The `bias` of the dense layer in front of it is then of no use,
# since the mean takes it away again; `Dense(..., bias=False)` saves it.
#
# ### The way back
#
# One channel at a time, so leave out $c$; $r = 1/\sqrt{\mathrm{var} + \epsilon}$. What makes it harder than other layers is
# that $\mathrm{x}_m$ acts on *all* outputs of its channel, by way of mean and variance. The parameters come first; they act
# on each value alone. This is `batchnorm_backward_params` in `kernels/batchnorm.py`:
#
# $$ \mathrm{dweight} = \sum_n \mathrm{dout}_n \cdot \hat{\mathrm{x}}_n, \qquad \mathrm{dbias} = \sum_n \mathrm{dout}_n . $$
#
# Into $\hat{\mathrm{x}}$ goes $\mathrm{d}\hat{\mathrm{x}}_n = \mathrm{weight} \cdot \mathrm{dout}_n$. From there three ways
# lead back to $\mathrm{x}_m$.
#
# *Through the variance.* With $\hat{\mathrm{x}}_n = (\mathrm{x}_n - \mathrm{mean}) \cdot r$ and
# $\partial r / \partial \mathrm{var} = -\frac12 r^3$,
#
# ```math
# \mathrm{dvar} = \sum_n \mathrm{d}\hat{\mathrm{x}}_n\, (\mathrm{x}_n - \mathrm{mean}) \cdot \big(-\tfrac12 r^3\big)
#               = -\frac{r^2}{2} \sum_n \mathrm{d}\hat{\mathrm{x}}_n\, \hat{\mathrm{x}}_n
#               = -\frac{r^2}{2}\, \mathrm{weight} \cdot \mathrm{dweight} .
# ```
#
# *Through the mean.* $\partial \hat{\mathrm{x}}_n / \partial \mathrm{mean} = -r$ for every $n$. The mean also acts on the
# variance, but with the slope $-\frac2N \sum_n (\mathrm{x}_n - \mathrm{mean}) = 0$. So
#
# $$ \mathrm{dmean} = -r \sum_n \mathrm{d}\hat{\mathrm{x}}_n = -r \cdot \mathrm{weight} \cdot \mathrm{dbias} . $$
#
# *Directly*, with the slope $r$. Now put together, with
# $\partial \mathrm{var} / \partial \mathrm{x}_m = \frac2N (\mathrm{x}_m - \mathrm{mean}) = \frac{2}{N r} \hat{\mathrm{x}}_m$
# and $\partial \mathrm{mean} / \partial \mathrm{x}_m = \frac1N$:
#
# ```math
# \begin{aligned}
# \mathrm{dx}_m &= r\, \mathrm{d}\hat{\mathrm{x}}_m + \frac{2}{N r} \hat{\mathrm{x}}_m\, \mathrm{dvar}
#                   + \frac1N\, \mathrm{dmean} \\
#   &= \mathrm{weight} \cdot r \left( \mathrm{dout}_m - \frac{\mathrm{dbias}}{N}
#                   - \hat{\mathrm{x}}_m \frac{\mathrm{dweight}}{N} \right) .
# \end{aligned}
# ```
#
# This is `batchnorm_backward_input`. Both sums were needed anyway, and no other is. In words: take from `dout` its mean,
# and its part along $\hat{\mathrm{x}}$. What remains can be done by moving x; a common shift of all x, or a stretch, the
# layer undoes itself, and so the gradient has nothing in these two directions. For images mean and variance are also over
# all pixels of a channel, and $N$ becomes $M = N \cdot H \cdot W$. [The backward passes](backward.md#batch-normalization)
# has it in this form.


# %%
class BatchNorm:
    def __init__(self, channels, eps=1e-5, momentum=0.1):
        self.weight, self.bias = np.ones(channels), np.zeros(channels)
        self.running_mean, self.running_var = np.zeros(channels), np.ones(channels)
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        N = len(x)
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.r = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.r
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var * N / (N - 1) - self.running_var)
        return self.weight * self.xhat + self.bias

    def backward(self, dout):
        N = len(dout)
        self.dweight, self.dbias = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        return self.weight * self.r * (dout - self.dbias / N - self.xhat * self.dweight / N)

    def predict(self, x):
        return self.weight * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.bias


# %% [markdown]
# And for prediction? A single image has no batch, and an answer should not depend on who else asks. So training also keeps
# running means of the statistics, which prediction uses. This is why layers have a `training` argument: a network with
# batch normalization computes two different things. (The running variance is the unbiased one, with $N - 1$, as PyTorch has
# it.)

# %%
rng = np.random.default_rng(3)
x, dout = 5 + 2 * rng.standard_normal((8, 3)), rng.standard_normal((8, 3))
own, layer = BatchNorm(3), fnn.BatchNorm1d(3, dtype=np.float64)
own.weight, own.bias = rng.standard_normal(3), rng.standard_normal(3)
layer.params["weight"], layer.params["bias"] = own.weight, own.bias

differences = {
    "out": np.abs(own.forward(x) - layer.forward(x, training=True)).max(),
    "dx": np.abs(own.backward(dout) - layer.backward(dout)).max(),
    "dweight": np.abs(own.dweight - layer.grads["weight"]).max(),
    "dbias": np.abs(own.dbias - layer.grads["bias"]).max(),
    "prediction": np.abs(own.predict(x) - layer.forward(x)).max(),
}
for name, difference in differences.items():
    print(f"{name:10s} largest difference {difference:.1e}")
dx = own.backward(dout)
print(f"sum of dx {np.abs(dx.sum(axis=0)).max():.0e}, its product with xhat {np.abs((dx * own.xhat).sum(axis=0)).max():.0e}")
print(fnn.gradcheck(layer, x))

# %% [markdown]
# (The product with $\hat{\mathrm{x}}$ is not quite 0 because of $\epsilon$.)
#
# Does it make a network independent of its initial weights? Five hidden layers of 100 neurons, 1,000 digits, plain SGD,
# weights of eight different standard deviations, with and without.

# %%
BATCH_EPOCHS = 5 if lesson.quick else 20
SCALES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)
images, labels = digits.train_images[:1000], digits.train_labels[:1000]
with_and_without = {}
for scale in SCALES:
    for normalise in (False, True):
        network = make_network(hidden=5, normalise=normalise)
        fnn.init.initialize(network, partial(fnn.init.normal, std=scale), rng=0)
        trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=RATE), seed=0)
        history = trainer.fit(images, labels, epochs=BATCH_EPOCHS, batch_size=100, progress=False)
        with_and_without[scale, normalise] = history["accuracy"]
    without, normalised = (with_and_without[scale, normalise][-1] for normalise in (False, True))
    print(f"std {scale:5g}: training accuracy after {BATCH_EPOCHS} epochs {without:6.1%} without, {normalised:6.1%} with")

figure, grid = lesson.subplots(2, 4, width=7.4, height=4, sharex=True, sharey=True)
for axes, scale in zip(grid.flat, SCALES):
    for normalise, label in ((False, "without"), (True, "with")):
        axes.plot(range(1, BATCH_EPOCHS + 1), with_and_without[scale, normalise], label=label)
    axes.set_title(f"std {scale:g}", fontsize=9)
for axes in grid[-1]:
    axes.set_xlabel("epoch")
for axes in grid[:, 0]:
    axes.set_ylabel("training accuracy", fontsize=8)
grid[0, 0].legend(fontsize=8)
lesson.picture(
    figure, "batchnorm", "Networks from weights of eight scales: without batch normalization few learn, with it all do"
)

# %% [markdown]
# Without it there are two panels in which the network learns, those around He's $\sqrt{2/100} = 0.14$. With it all eight
# learn. They are not all alike, though. Let $s$ be the scale of the weights in front of a normalization. It drops out of
# the output: $s\mathrm{x}$ has the same $\hat{\mathrm{x}}$ as x. So the slope in each weight is $1/s$ of what it would be
# at scale 1, and, compared with the size of the weight, a step is $1/s^2$ as long. Large weights learn slowly, tiny ones in
# wild jumps at first. And the last layer has no normalization behind it.
#
# Why it helps training beyond that is less clear. The authors spoke of "internal covariate shift", that a layer's inputs
# change while it learns. Santurkar and others (2018) added such shifts on purpose, and it helped all the same; what they
# found is a smoother loss, which bears larger rates. It has a price: samples of a batch depend on each other, and small
# batches have poor statistics.
#
# ## Overfitting
#
# Now the other end. A network with 240,000 weights and 300 digits to learn has plenty of room to note down each of them.
# Then it knows the training digits perfectly, and others not so well. This is *overfitting*, and the gap between training
# and test accuracy is its size. Methods against it are called *regularisation*.
#
# **Weight decay** adds $\frac{\lambda}{2} \sum w^2$ to the loss. Its gradient is $\lambda w$, so a step takes a part off
# each weight, $w \leftarrow (1 - \eta\lambda) w - \eta g$ with the gradient $g$ of the loss of the data. Only what the data
# ask for again and again stays large. Large weights make outputs that change abruptly between neighbouring inputs; it takes
# those to go through every single point. It is the option `weight_decay` of the optimizers
# ([lesson 13](#13-optimizers-compared) has more on it).
#
# **Dropout** (Srivastava and others, 2014) switches off neurons at random, each with probability $p$, anew for each sample
# and step. No neuron can rely on a certain other one; what is learned has to be spread. It can also be seen as training a
# great many networks at once that share their weights, and whose mean predicts. With $r$ the random mask, 0 with
# probability $p$ and 1 otherwise, the first form was $\mathrm{out} = r \cdot \mathrm{x}$, of which the mean is
# $(1 - p) \cdot \mathrm{x}$. The next layer would get smaller sums than in prediction, where nobody is switched off. So
# either prediction multiplies by $1 - p$, or training divides by it. The latter is *inverted dropout*, and what all
# libraries do, because prediction then has nothing to do at all:
#
# $$ \mathrm{out}_i = \frac{r_i}{1 - p} \cdot \mathrm{x}_i, \qquad
# \mathbb{E}[\mathrm{out}_i] = \frac{(1 - p) \cdot 1 + p \cdot 0}{1 - p} \cdot \mathrm{x}_i = \mathrm{x}_i . $$
#
# For a given mask it is a product with constants, and so is its backward pass:
# $\mathrm{dx}_i = \frac{r_i}{1 - p} \cdot \mathrm{dout}_i$. Careful with other texts: in the paper $p$ is the probability
# to be *kept*.


# %%
class Dropout:
    def __init__(self, p, seed):
        self.p, self.rng = p, np.random.default_rng(seed)

    def forward(self, x, training):
        if not training:
            return x
        keep = self.rng.random(x.shape, dtype=np.float32) >= np.float32(self.p)
        self.mask = keep / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


x, dout = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
own, layer = Dropout(0.3, seed=5), fnn.Dropout(0.3, rng=5)
dropped = own.forward(x, training=True)
print("first sample", x[0])
print("dropped out ", dropped[0])
dropout_differences = [
    np.abs(dropped - layer.forward(x, training=True)).max(),
    np.abs(own.backward(dout) - layer.backward(dout)).max(),
]
print(f"largest difference forward {dropout_differences[0]:.1e}, backward {dropout_differences[1]:.1e}")
mean = np.mean([own.forward(x, training=True) for _ in range(20_000)], axis=0)
print(f"mean of 20,000 masks: largest difference from x {np.abs(mean - x).max():.3f}")

# %% [markdown]
# Networks with three hidden layers of 200 ReLU neurons learn the same 300 digits: plain, with weight decay, with dropout,
# with batch normalization. Two more rows have far more decay, and decay with dropout. The last is as plain as the first but
# has 3,000 digits, for the same number of steps. Everything is measured in prediction, for the training digits too, since
# while it trains dropout makes mistakes of its own.

# %%
EPOCHS, SEEDS = (30, 1) if lesson.quick else (100, 3)
test = digits.test_images, digits.test_labels
some = digits.test_images[::5], digits.test_labels[::5]  # enough for the curves
methods = {
    "plain": {},
    "weight decay 0.01": {"weight_decay": 0.01},
    "dropout 0.3": {"dropout": 0.3},
    "batch normalization": {"normalise": True},
    "weight decay 0.1": {"weight_decay": 0.1},
    "dropout and decay": {"dropout": 0.3, "weight_decay": 0.01},
    "plain, 3,000 digits": {"count": 3000},
}


def learn(seed, watch, count=300, weight_decay=0.0, **options):
    """Figures of the trained network; with `watch`, of each epoch too."""
    known = digits.train_images[:count], digits.train_labels[:count]
    network = fnn.init.initialize(make_network(3, 200, **options), fnn.init.he_normal, rng=seed)
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1, weight_decay=weight_decay), seed=seed)
    epochs = []

    def measure(trainer, logs):
        epochs.append([trainer.evaluate(*data)[figure] for figure in ("accuracy", "loss") for data in (known, some)])

    trainer.fit(*known, epochs=EPOCHS * 300 // count, batch_size=50, callbacks=[measure] if watch else [], progress=False)
    tested = trainer.evaluate(*test)
    return (trainer.evaluate(*known)["accuracy"], tested["accuracy"], tested["loss"]), np.array(epochs)


results, histories = {}, {}
for name, options in methods.items():
    runs = [learn(seed, watch=len(results) < 4 and seed == 0, **options) for seed in range(SEEDS)]
    results[name], histories[name] = np.mean([figures for figures, _ in runs], axis=0), runs[0][1]
    trained, tested, loss = results[name]
    print(f"{name:20s} training accuracy {trained:6.1%}, test accuracy {tested:.1%}, test loss {loss:.3f}")
print(f"after {EPOCHS * 300 // 50} steps, means of {SEEDS} run{'s' if SEEDS > 1 else ''}")

# %%
figure, grid = lesson.subplots(2, 4, width=9, height=5, sharex=True, sharey="row")
for (above, below), name in zip(grid.T, methods):
    accuracy_known, accuracy_test, loss_known, loss_test = histories[name].T
    for axes, known, tested in ((above, accuracy_known, accuracy_test), (below, loss_known, loss_test)):
        axes.plot(range(1, EPOCHS + 1), known, label="training")
        axes.plot(range(1, EPOCHS + 1), tested, label="test")
        axes.grid(alpha=0.3)
    above.set_title(name, fontsize=10)
    below.set_xlabel("epoch")
grid[0, 0].set_ylabel("accuracy")
grid[1, 0].set_ylabel("loss")
grid[0, 0].legend(loc="lower right")
lesson.picture(
    figure, "overfitting", "300 digits: accuracy and loss on them, and on others. The gap between the curves is overfitting"
)

# %% [markdown]
# All but one know their digits by heart in the end, and are wrong about a fifth of the others. What do the methods change?
#
# - *Weight decay* adds half a point of accuracy, and takes a fifth off the test loss. The plain network becomes ever more
#   sure of everything, its mistakes included, and so its test loss rises again. Small weights make moderate claims.
# - *Dropout* adds a point. It learns more slowly, as the curves show, and by itself does not make moderate. Both together have
#   the accuracy of the one and the loss of the other.
# - *Batch normalization* learns fastest. But against overfitting it is no remedy here, and costs almost three points.
# - Ten times the decay makes the gap smaller, but from the wrong side: the training accuracy falls, and the test accuracy
#   with it. The aim is accuracy on the test digits, not a small gap.
# - Ten times the *digits* gain twelve points, more than all else together. Data is the best regularisation. Where there is
#   no more, it can be made from what there is, by shifts and mirror images ([lesson 19](#19-cifar-10)).
#
# Which of these helps, and how much of it, differs from task to task. $\lambda$ and $p$ are chosen like the rate: try some,
# and compare. Strictly, not on the test digits, since whoever picks the best of many numbers on them has learned from them.
# One sets some training data aside for that, the *validation* set ([lesson 18](#18-mnist-convolutional)).
