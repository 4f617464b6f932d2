# %% [markdown]
# # 18. MNIST, convolutional
#
# The network of [lesson 17](#17-mnist-fully-connected) does not know that an image is an image. A convolution
# ([lesson 15](#15-convolution-by-hand)) is told two things about images. What belongs together lies close together, so a
# neuron looks at a small window only. And what is worth finding is worth finding everywhere, so the neurons at all places
# share one set of weights, a *filter*. Fukushima's neocognitron (1980) was built like this, after what Hubel and Wiesel had
# found in the visual cortex; LeCun and others (1989) trained such a network by backpropagation.
#
# This lesson looks at what the two ideas give, and trains three networks: a tiny one of nothing but convolutions, the classic
# one with one convolution, and a deep one.

# %%
from functools import partial

import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)
digits = lesson.digits()
images, labels = digits.train_images, digits.train_labels
test = test_images, test_labels = digits.test_images, digits.test_labels

# %% [markdown]
# ## What sharing saves
#
# Thirty maps of 24 x 24 neurons over an image of 28 x 28. If every neuron is connected with every pixel, if every neuron has
# a window of 5 x 5 and weights of its own, and if all neurons of a map share theirs:

# %%
neurons, window = 30 * 24 * 24, 5 * 5
counts = {
    "fully connected": neurons * (28 * 28 + 1),
    "windows": neurons * (window + 1),
    "windows, shared weights": 30 * (window + 1),
}
for name, count in counts.items():
    print(f"{name:24s} {count:>12,} parameters")

# %% [markdown]
# Sharing also means more to learn from. The gradient of a shared weight is the sum over all places where it is used:
# a single image has 576 windows, so it gives a filter 576 examples. Fewer parameters and more examples for each: that is a
# strong protection against overfitting.
#
# ## A shift stays a shift
#
# If the image is moved, the maps move along, and nothing else happens. Put $x'_{i,j} = x_{i,j-s}$ into the formula:
#
# $$ \mathrm{out}'_{i,j} = \sum_{kh,kw} w_{kh,kw}\; x'_{i+kh,j+kw} = \sum_{kh,kw} w_{kh,kw}\; x_{i+kh,j-s+kw}
# = \mathrm{out}_{i,j-s} . $$
#
# This is called *equivariance*. What a filter has learned in one place it can do in all others, without having seen it
# there. (With a stride, or with pooling, it holds for shifts by multiples of the stride.)


# %%
def moved(images, pixels):
    """Images moved to the right."""
    out = np.zeros_like(images)
    out[..., pixels:] = images[..., : images.shape[-1] - pixels]
    return out


conv = fnn.Conv2d(1, 30, 5, rng=0)
x = test_images[:10].astype(np.float32) / 255
still = conv.forward(x).copy()
shifted = conv.forward(moved(x, 3)).copy()
shift_difference = np.abs(shifted[..., 3:] - still[..., :-3]).max()
print(f"maps of moved digits against moved maps: largest difference {shift_difference:.1e}")

# %% [markdown]
# ## Receptive fields
#
# The part of the image that reaches a neuron is its *receptive field*. A neuron behind one 3 x 3 convolution sees 3 x 3
# pixels; behind two, 5 x 5: its own window's outermost neurons see one pixel further each. After a stride of 2, neighbours
# are 2 pixels apart, so each further window reaches twice as far. With $r$ for the size of the field and $d$ for the distance
# of neighbours, both 1 at first, a layer with window $K$ and stride $S$ makes
#
# $$ r \leftarrow r + (K - 1)\, d, \qquad d \leftarrow d\, S . $$


# %%
def receptive_fields(network):
    """(layer, size of the field in pixels) of each convolution and pooling."""
    fields, r, d = [], 1, 1
    for layer in network:
        if isinstance(layer, (fnn.Conv2d, fnn.MaxPool2d)):
            r += (layer.kernel_size[0] - 1) * d
            d *= layer.stride[0]
            fields.append((type(layer).__name__, r))
    return fields


# %% [markdown]
# So depth buys sight: two layers of 3 x 3 see as far as one of 5 x 5, with 18 weights instead of 25 for each pair of
# channels, and with a ReLU more (Simonyan and Zisserman, 2014). And stride and pooling buy more than depth. What layers
# further back see of the image becomes larger and what they know of places coarser: from strokes to parts to digits.
#
# ## All convolution
#
# The first network is one that many have met in PyTorch's introduction to `torch.nn`. Three convolutions with stride 2 make
# 14 x 14, 7 x 7 and 4 x 4 of the image. The last has ten filters, one for each digit. Its maps are averaged over all places,
# and the ten averages are the scores. There is no dense layer; such *global average pooling* is from Lin, Chen and Yan,
# *Network in network* (2013). It has no parameters, and takes evidence for a 7 from wherever there is some.
#
# `Lambda` makes a layer of any function; this one drops the two axes of length 1.


# %%
def build_small(seed):
    rng = np.random.default_rng(seed)
    return fnn.Sequential(
        fnn.Conv2d(1, 16, 3, stride=2, padding=1, rng=rng),
        fnn.ReLU(),
        fnn.Conv2d(16, 16, 3, stride=2, padding=1, rng=rng),
        fnn.ReLU(),
        fnn.Conv2d(16, 10, 3, stride=2, padding=1, rng=rng),
        fnn.ReLU(),
        fnn.AdaptiveAvgPool2d(1),
        fnn.Lambda(lambda x: x.reshape(len(x), -1)),
    )


small = build_small(seed=1)
print(small.summary((1, 28, 28)))
print("receptive fields:", ", ".join(f"{name} {r}" for name, r in receptive_fields(small)))

# %% [markdown]
# A convolution has $F\,(C \cdot KH \cdot KW + 1)$ parameters: $16 \cdot (9 + 1) = 160$, then
# $16 \cdot (16 \cdot 9 + 1) = 2{,}320$ and $10 \cdot (16 \cdot 9 + 1) = 1{,}450$. The network of lesson 17 had 68 times as
# many. Multiply-adds are these weights times the number of places.
#
# The last line says how it will run. *Layer by layer* would mean: for each batch, Python calls each layer's forward, then the
# loss, then each layer's backward, and results go through memory from one to the next. A *compiled plan* is made once, from
# the whole network with loss and optimizer. Each processor core takes a few images and carries them through all layers and
# back while they are in its cache, and batch follows batch without Python in between. There is a plan if it has kernels for
# all of the layers, and otherwise the line says which one is in the way ([plan.md](plan.md)). The results are the same up to
# rounding:

# %%
planned = small.predict(test_images)
with fnn.config(plan=False):
    layered = small.predict(test_images)
    print(small.summary((1, 28, 28)).path)
plan_difference = np.abs(planned - layered).max()
print(f"scores with a plan and without: largest difference {plan_difference:.1e}")

# %% [markdown]
# As in lesson 17 the last sixth of the training digits is for validation: 50,000 and 10,000. All three networks are trained
# with a rate that falls to nearly 0, this one by Adam. (It averages its squares over about 100 steps here, $\beta_2 = 0.99$,
# instead of 1,000: the rate is high, and gradients change fast.)

# %%
held_out = len(labels) // 6
validation = images[-held_out:], labels[-held_out:]


def train(network, images, labels, optimizer, *, epochs, batch_size, stop=None, watched=None):
    rate = optimizer.lr

    def falling_rate(trainer, logs):
        trainer.optimizer.lr = rate * (1 - logs["epoch"] / epochs)

    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), optimizer, seed=0)
    return trainer.fit(
        images,
        labels,
        epochs=stop or epochs,
        batch_size=batch_size,
        validation_data=watched,
        callbacks=[falling_rate],
        progress=lesson.progress,
    )


def speed(history):
    return float(np.median(history["images_per_second"]))


def dead_classes(network):
    """How many scores are 0 for all validation digits."""
    return int((network.predict(validation[0]).max(axis=0) == 0).sum())


split = images[:-held_out], labels[:-held_out]
options = {"epochs": 10, "batch_size": 64, "watched": validation}
history = train(small, *split, fnn.Adam(lr=0.015, betas=(0.9, 0.99)), stop=1, **options)
dead_at_first = dead_classes(small)
print(history)
print("classes with the score 0 for every digit:", dead_at_first)

# %% [markdown]
# What happened? It is the ReLU in front of the pooling. The gradient of the score $c$ is $p_c - [c = y]$: all digits of other
# classes push it down, only those of class $c$ push it up. If a map is below 0 in all places for its own digits, ReLU lets
# nothing of their push through, and the others push on until it is below 0 for them, too. Then the score is 0 for every
# digit, no gradient ever comes back, and the class is dead. Nobody reports it: the loss falls, and stops somewhere.
#
# Without this ReLU it could not happen, but it is part of the network. So we see to it that every class begins above 0, for
# all digits: the biases of the last convolution start at 1. Krizhevsky, Sutskever and Hinton did so in AlexNet (2012), to
# have ReLUs begin with positive inputs. The weights start by He's rule, larger than by default, so that scores differ from
# digit to digit. (More about it at the third network.)


# %%
def build_small_alive(seed):
    network = fnn.init.initialize(build_small(seed), fnn.init.he_normal, rng=seed)
    network[4].params["bias"][...] = 1
    return network


small = build_small_alive(seed=1)
small_history = train(small, *split, fnn.Adam(lr=0.015, betas=(0.9, 0.99)), **options)
dead_after = dead_classes(small)
print(small_history)
print("classes with the score 0 for every digit:", dead_after)
print(f"validation loss {small_history['val_loss'][-1]:.4f}, at best {min(small_history['val_loss']):.4f}")
print(f"{speed(small_history):,.0f} images per second")

# %% [markdown]
# Training and validation stay close together: 3,930 parameters cannot learn 50,000 digits by heart. Here are the ten maps
# before the pooling, for three digits. The map with most black in it wins.

# %%
maps = fnn.plot.activations(small, test_images[:3])["5 ReLU"]
figure = fnn.plot.images(maps.reshape(30, *maps.shape[2:]), list(range(10)) * 3, columns=10)
first, second, third = test_labels[:3]
lesson.picture(figure, "maps", f"The maps in front of the pooling for three digits, a {first}, a {second} and a {third}")

# %% [markdown]
# ## The classic
#
# One convolution of 30 filters of 5 x 5, ReLU, a maximum over 2 x 2 ([lesson 16](#16-pooling-by-hand)), and two dense layers:
# the network that most courses begin with. The convolution finds strokes, the pooling forgives a pixel, the dense layers
# decide by what was found where. The weights start small, with a standard deviation of 0.01. In a network of three layers
# that does no harm, and what the filters look like in the end is then what they have learned.


# %%
def build_classic(seed):
    network = fnn.Sequential(
        fnn.Conv2d(1, 30, 5),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Dense(30 * 12 * 12, 100),
        fnn.ReLU(),
        fnn.Dense(100, 10),
    )
    return fnn.init.initialize(network, partial(fnn.init.normal, std=0.01), rng=seed)


classic = build_classic(seed=0)
print(classic.summary((1, 28, 28)))

# %% [markdown]
# The convolution has 780 parameters, and the first dense layer 432,100, because it gets 4,320 numbers. Nearly half of the
# multiply-adds, though, are the convolution's: few weights, used in many places. So many weights in a dense layer invite
# overfitting; a little weight decay ([lesson 14](#14-initialisation-and-regularisation)) holds against it. The optimizer is
# gradient descent with momentum ([lesson 13](#13-optimizers-compared)).
#
# This time all training digits are used, and the test digits are watched from epoch to epoch. That is only fair as long as
# nothing is chosen by what we see: what counts is the last epoch, not the best. (Rates, weight decay and the number of epochs
# come from a few trials, and those were measured on the test digits, too. So expect a little less on other digits.)

# %%
before = classic[0].params["weight"].copy()
epochs = 2 if lesson.quick else 8
optimizer = fnn.SGD(lr=0.1, momentum=0.9, weight_decay=5e-4)
classic_history = train(classic, images, labels, optimizer, epochs=epochs, batch_size=100, watched=test)
after = classic[0].params["weight"]
classic_accuracy = fnn.metrics.accuracy_score(test_labels, classic.predict(test_images).argmax(axis=1))
print(classic_history)
print(f"test accuracy {classic_accuracy:.2%}")
print(f"{speed(classic_history):,.0f} images per second")

figure = fnn.plot.filters({"before training, times 20": 20 * before, "after training": after})
lesson.picture(figure, "filters", "The 30 filters of the first layer. Blue weights are positive, red ones negative")

# %% [markdown]
# Before, noise. After, many filters have a side of one sign and a side of the other, with a border between them at some
# angle, or a stripe of one sign between two of the other: the detectors of edges and lines that lesson 15 wrote down, in all
# directions, and nobody has drawn them. What they make of a digit:

# %%
found = fnn.plot.activations(classic, test_images[:1])["1 ReLU"][0]
lesson.picture(fnn.plot.images(found, columns=10), "found", f"A {test_labels[0]} as the 30 filters see it, behind the ReLU")

# %% [markdown]
# ## The deep one
#
# Six convolutions of 3 x 3 in pairs, with 16, 32 and 64 filters, a maximum over 2 x 2 behind each pair, then 50 neurons and
# 10. Padding 1 keeps the size; only the fourth convolution has padding 2, to make 16 of 14, so that the pools give
# 28 → 14 → 8 → 4. While the maps shrink, there are more of them: fewer places, more kinds of things that can be there.
#
# **He initialisation** ([lesson 14](#14-initialisation-and-regularisation)). With six ReLU layers in a row the start
# decides. A sum over $\mathrm{fan} = C \cdot KH \cdot KW$ products of independent numbers, the weights with mean 0, has the
# variance $\mathrm{fan} \cdot \mathrm{Var}(w)\; E[x^2]$. The $x$ are behind a ReLU, which drops one half of a symmetric
# distribution, so $E[x^2]$ is half the variance of the sum before it. So from layer to layer
#
# $$ \mathrm{Var}_{l+1} = \frac{\mathrm{fan}}{2}\, \mathrm{Var}(w)\; \mathrm{Var}_l , $$
#
# and $\mathrm{Var}(w) = 2/\mathrm{fan}$ keeps it (He, Zhang, Ren and Sun, 2015). With any other factor $q$ it is $q^6$ after
# six layers.
#
# **Dropout** (lesson 14, too). In each step, half of the 50 neurons, drawn anew, are set to 0, and the others doubled to
# make up for it (Srivastava, Hinton and others, 2014). None can rely on a certain other one being there. In predictions all
# take part. It stands behind the dense layer because that is where networks overfit; the convolutions share their weights
# and need it less.


# %%
def build_deep(seed, initializer=fnn.init.he_normal):
    network = fnn.Sequential(
        fnn.Conv2d(1, 16, 3, padding=1),
        fnn.ReLU(),
        fnn.Conv2d(16, 16, 3, padding=1),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Conv2d(16, 32, 3, padding=1),
        fnn.ReLU(),
        fnn.Conv2d(32, 32, 3, padding=2),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Conv2d(32, 64, 3, padding=1),
        fnn.ReLU(),
        fnn.Conv2d(64, 64, 3, padding=1),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Dense(64 * 4 * 4, 50),
        fnn.ReLU(),
        fnn.Dropout(0.5),
        fnn.Dense(50, 10),
    )
    return fnn.init.initialize(network, initializer, rng=seed)


deep = build_deep(seed=0)
print(deep.summary((1, 28, 28)))
print("receptive fields:", ", ".join(f"{name} {r}" for name, r in receptive_fields(deep)))

# %%
spreads = {}
for name, initializer in {"He": fnn.init.he_normal, "standard deviation 0.01": fnn.init.normal}.items():
    outs = fnn.plot.activations(build_deep(seed=0, initializer=initializer), test_images[:100])
    spreads[name] = [float(out.std()) for layer, out in outs.items() if layer.endswith(("Conv2d", "Dense"))]
    print(f"{name}: standard deviation layer by layer", " ".join(f"{spread:.1e}" for spread in spreads[name]))

# %% [markdown]
# With weights of standard deviation 0.01 hardly anything of the image is left at the end, and as little of the gradient
# comes back to the first layer. (He's does not keep it exactly: maximum pooling takes the larger ones.)

# %%
deep_history = train(deep, images, labels, fnn.Adam(lr=2e-3), epochs=epochs, batch_size=100, watched=test)
predicted = deep.predict(test_images).argmax(axis=1)
deep_accuracy = fnn.metrics.accuracy_score(test_labels, predicted)
print(deep_history)
print(f"test accuracy {deep_accuracy:.2%}: {np.sum(predicted != test_labels)} of {len(test_labels):,} wrong")
print(f"{speed(deep_history):,.0f} images per second")

# %% [markdown]
# For most of the way the loss on training digits is the larger one: it is measured with half of the 50 neurons missing, the
# other with all of them. As curves, together with the classic network, which knows its training digits nearly by heart:

# %%
figure = fnn.plot.learning_curves({"classic": classic_history, "deep": deep_history}, columns=["loss"])
lesson.picture(figure, "curves", "Loss of the training digits (solid) and test digits (dashed)")

wrong = np.flatnonzero(predicted != test_labels)[:40]
figure = fnn.plot.images(test_images[wrong], test_labels[wrong], predicted[wrong], columns=10)
lesson.picture(figure, "mistakes", "Mistakes of the deep network")

# %% [markdown]
# Take your time with these. Some are plain, many leave room for doubt, and for a few one would rather side with the network
# than with the label. So near to 100 %, each further tenth of a percent is ten digits like these.
#
# ## Side by side
#
# A training step costs about three times the multiply-adds of a prediction: once forward, once back to the inputs, once
# back to the weights. Each is two operations. The last column is what that makes per second. (It counts the multiplications
# of the formula. For 3 x 3 convolutions there is a way with fewer, by Winograd, which plans take where it is faster.)

# %%
small_accuracy = fnn.metrics.accuracy_score(test_labels, small.predict(test_images).argmax(axis=1))
table = {
    "all convolution": (small, small_history, small_accuracy),
    "classic": (classic, classic_history, classic_accuracy),
    "deep": (deep, deep_history, deep_accuracy),
}
print("network          parameters  multiply-adds  test accuracy  images per second  GFLOP/s")
for name, (network, history, accuracy) in table.items():
    summary = network.summary((1, 28, 28))
    rate = speed(history)
    cost = f"{summary.parameters:10,}  {summary.macs:13,}  {accuracy:13.2%}"
    print(f"{name:15s}  {cost}  {rate:17,.0f}  {6 * summary.macs * rate / 1e9:7.0f}")

# %% [markdown]
# At last the digits that are moved to the right, which the dense network of [lesson 17](#17-mnist-fully-connected) could not
# read. None of these networks has seen a moved digit in training either.

# %%
pixels = np.arange(7)
moved_accuracies = {}
for name, (network, _, _) in table.items():
    rights = [network.predict(moved(test_images, n)).argmax(axis=1) == test_labels for n in pixels]
    moved_accuracies[name] = [float(np.mean(right)) for right in rights]
    print(f"{name:15s} moved by 0 to 6:", " ".join(f"{accuracy:.1%}" for accuracy in moved_accuracies[name]))

figure = fnn.plot.curves(pixels, moved_accuracies, xlabel="pixels to the right", ylabel="test accuracy")
lesson.picture(figure, "moved", "Accuracy on test digits that are moved to the right")

# %% [markdown]
# All of them bear a shift better than the dense network, but none is indifferent to it, and for reasons that can be seen.
# The classic one has dense layers that learned where its strokes used to be. The deep one has pooled more often, so less of
# the place is left when it comes to its dense layer. The network without a dense layer suffers most from shifts by about
# half of what its three strides make together, $2 \cdot 2 \cdot 2 = 8$ pixels, and then recovers: its windows lie on the
# digit as they used to only every 8 pixels. Equivariance holds for multiples of the stride, as said above.
#
# If a network shall bear shifts, the simplest way is to show it some: `fit` takes `augment=fnn.data.Augment(crop=2)`, which
# [lesson 19](#19-cifar-10) explains. Other things to try: batch normalization behind the convolutions of the deep network
# (lesson 14), which learns in fewer epochs; average instead of maximum pooling; the deep network without dropout.
