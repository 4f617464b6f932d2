# %% [markdown]
# # 10. Epochs and batches
#
# The loss that we want small is the mean over all training samples, and its gradient is the mean of theirs:
#
# $$ E = \frac{1}{N} \sum_n E_n, \qquad \frac{\partial E}{\partial w} = \frac{1}{N} \sum_n \frac{\partial E_n}{\partial w} . $$
#
# One step with this gradient costs a pass over all $N$ samples, an *epoch*. But a mean can be estimated from a few samples: a
# *mini-batch* of $B$ drawn at random has the same expectation, and a standard deviation that shrinks like $1/\sqrt B$. It
# costs $B/N$ of the work, so an epoch holds $N/B$ steps instead of one. Going from 1 to 100 samples makes the gradient ten
# times as exact for a hundred times the work; that trade is the subject of this lesson.
#
# | | batch | steps in an epoch | each step |
# |---|---|---|---|
# | batch gradient descent | $N$ | 1 | exact, slow |
# | mini-batch | 32, 64, 128 | $\lceil N/B \rceil$ | a good estimate, and matrices large enough for the processor |
# | stochastic gradient descent | 1 | $N$ | a guess, quick |

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)

digits = fnn.data.mnist_subset()
images, labels = digits.train_images[:1000], digits.train_labels[:1000]
N = len(images)

# %% [markdown]
# ## How exact is the gradient of a batch?
#
# The gradient of the first layer's weights at the start of training, from batches of several sizes, against that of all
# samples. The error is relative: 1 means that it is as long as the gradient itself.


# %%
def make_network():
    return fnn.Sequential(fnn.Flatten(), fnn.Dense(784, 50, rng=1), fnn.ReLU(), fnn.Dense(50, 10, rng=2))


network, loss = make_network(), fnn.CrossEntropyLoss()


def gradient(index):
    """Gradient of the mean loss of some samples with respect to the first layer's weights."""
    loss.forward(network.forward(images[index].astype(np.float32) / 255, training=True), labels[index])
    network.backward(loss.backward())
    return network[1].grads["weight"].copy()


rng = np.random.default_rng(3)
exact = gradient(np.arange(N))
sizes, errors = [1, 4, 16, 32, 64, 128, 256], []
for B in sizes:
    drawn = [gradient(rng.choice(N, B, replace=False)) for _ in range(30)]
    errors.append(np.sqrt(np.mean([np.sum((g - exact) ** 2) for g in drawn]) / np.sum(exact**2)))
    print(f"batch of {B:3d}: relative error of the gradient {errors[-1]:.3f}, times the root of B {errors[-1] * B**0.5:.2f}")

# %% [markdown]
# The last column hardly changes: that is the law of $1/\sqrt B$. It falls a little at the end, because a batch of 256 drawn
# from 1,000 samples is already a good part of them all.
#
# ## An epoch, by hand
#
# Shuffle once, then take slices. The last batch is *ragged* where $B$ does not divide $N$: $1000 = 7 \cdot 128 + 104$. Keep
# it, and every sample counts once in an epoch, but those in the smaller batch weigh more, by $128/104$. Drop it, and all
# steps are alike; another shuffle leaves out other samples next time.


# %%
def epoch(B, drop_last):
    """Sizes of the batches of one epoch."""
    order = rng.permutation(N)
    found = [order[low : low + B] for low in range(0, N, B)]
    if drop_last and len(found[-1]) < B:
        found.pop()
    return [len(batch) for batch in found]


kept, dropped = epoch(128, drop_last=False), epoch(128, drop_last=True)
print("kept   ", kept, "=", sum(kept), "samples")
print("dropped", dropped, "=", sum(dropped), "samples")
by_library = [len(x) for x, y in fnn.data.batches(images, labels, batch_size=128, drop_last=False, rng=0)]
print("fnn.data.batches", by_library)

# %% [markdown]
# ## The same training, five sizes
#
# One network, one start, one rate, and as many epochs for everybody.

# %%
EPOCHS, RATE = 12, 0.1
runs, test = {}, (digits.test_images, digits.test_labels)
for B in (N, 128, 64, 32, 1):
    network = make_network()
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=RATE), seed=0)
    name = {N: "full batch", 1: "single sample"}.get(B, f"mini-batch of {B}")
    runs[name] = history = trainer.fit(images, labels, epochs=EPOCHS, batch_size=B, validation_data=test, progress=False)
    steps = -(-N // B)
    print(
        f"{name:18s} {steps:5d} steps an epoch: loss {history['loss'][-1]:.3f}, "
        f"test accuracy {history['val_accuracy'][-1]:.1%}, {np.median(history['images_per_second']):9,.0f} images a second"
    )

# %% [markdown]
# Per *epoch*, on the left of the picture below, mini-batches win by far: they make more steps. Per *step*, on the right,
# they hardly differ, and the larger ones are a little ahead. What decides is the time, and there the processor has its
# say: a batch of 128 takes far less than 128 times as long as a single sample, because matrices that are multiplied at
# once use its vector units, and weights that are read once serve all samples. Hence mini-batches: as small as the
# arithmetic allows without waste. Single samples fall behind again: at this rate their steps are wild, and what one
# sample taught, the next ones undo. They would need a smaller rate, and so more epochs.

# %%
figure, (left, right) = lesson.subplots(1, 2, sharey=True)
for name, history in runs.items():
    steps = {"full batch": 1, "single sample": N}.get(name) or -(-N // int(name.split()[-1]))
    left.plot(history["epoch"], history["loss"], label=name)
    right.plot(np.array(history["epoch"]) * steps, history["loss"], marker=".", label=name)
left.set_yscale("log")
right.set_xscale("log")
left.set_xlabel("epochs")
right.set_xlabel("steps")
left.set_ylabel("training loss")
left.legend(fontsize=8)
lesson.picture(figure, "curves", "The same five runs. By epochs batches of 32 lead; by steps the mini-batches fall as one")

# %% [markdown]
# ## Keeping or dropping the ragged batch
#
# With 1,000 samples and batches of 128 the runs differ in one step out of eight. Over the epochs that is little; it matters
# where a tiny last batch would make a wild step, or where batch normalization needs enough samples for its statistics
# ([lesson 14](#14-initialisation-and-regularisation)).

# %%
ragged = {}
for drop_last in (False, True):
    trainer = fnn.Trainer(make_network(), fnn.CrossEntropyLoss(), fnn.SGD(lr=RATE), seed=0)
    history = trainer.fit(images, labels, epochs=EPOCHS, batch_size=128, drop_last=drop_last, progress=False)
    ragged["dropped" if drop_last else "kept"] = history
    print(f"last batch {'dropped' if drop_last else 'kept   '}: loss {history['loss'][-1]:.4f}")

figure = fnn.plot.learning_curves(ragged, ["loss"])
lesson.picture(figure, "ragged", "The ragged last batch kept and dropped: one step in eight, and little else")
