# %% [markdown]
# # 17. MNIST, fully connected
#
# Everything so far comes together here: a network that reads handwriting. The data set is *MNIST* (LeCun, Bottou, Bengio and
# Haffner, 1998): 70,000 digits, written by high-school students and by clerks of the American Census Bureau, each an image
# of 28 x 28 grey pixels. 60,000 are for training, 10,000 for the test. (Where the full set is not at hand, this lesson runs
# on 6,000 + 1,000 of its digits that come with fastnn.)
#
# The plan: look at the data; measure what a method without any training reaches; make one training step by hand and with
# layers; write the loop; then let `fit` do it, and look closely at what the network gets wrong.

# %%
import time

import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)
digits = lesson.digits()

shape, low, high = digits.train_images.shape, digits.train_images.min(), digits.train_images.max()
print("images", shape, digits.train_images.dtype, "from", low, "to", high)
print("digits of each class", np.bincount(digits.train_labels))

figure = fnn.plot.images(digits.train_images[:36], digits.train_labels[:36], columns=12)
lesson.picture(figure, "digits", "The first 36 training digits, with their labels")

# %% [markdown]
# ## Three sets, not two
#
# While we try things out (how many neurons, what rate, how many epochs) we need to know how good each attempt is on digits
# that it was not trained on. If those were the test digits, we would end up with what happens to suit them, and the test
# would tell nothing about other people's handwriting any more. So the last sixth of the training digits is kept for that:
# the *validation* set. The test digits are looked at once, at the end.

# %%
held_out = len(digits.train_labels) // 6
images, labels = digits.train_images[:-held_out], digits.train_labels[:-held_out]
validation = digits.train_images[-held_out:], digits.train_labels[-held_out:]
test_images, test_labels = digits.test_images, digits.test_labels
print(f"{len(labels):,} digits to train on, {held_out:,} for validation, {len(test_labels):,} for the test")


def scaled(images):
    """Bytes 0..255 as numbers 0..1, one row of 784 for each image."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


# %% [markdown]
# ## What is it worth?
#
# A figure like 98 % needs something to compare with. Guessing gives 10 %. The simplest method that deserves the name: take
# the mean image of each class, and give a new image the class whose mean is nearest. With $\mu_c$ the means, that is the
# least $|x - \mu_c|^2 = |x|^2 - 2\, x \cdot \mu_c + |\mu_c|^2$, of which the first term is the same for all classes.

# %%
means = np.stack([scaled(images[labels == c]).mean(axis=0) for c in range(10)])
nearest = (2 * scaled(test_images) @ means.T - (means**2).sum(axis=1)).argmax(axis=1)
nearest_accuracy = np.mean(nearest == test_labels)
print(f"nearest mean: {nearest_accuracy:.2%} of the test digits")

lesson.picture(fnn.plot.images(means.reshape(10, 28, 28), range(10)), "means", "The mean image of each class")

# %% [markdown]
# Not bad for ten blurred pictures, and it says how hard the problem is not. A network has to beat it clearly.
#
# ## The network
#
# 784 pixels, 300 neurons, 100 neurons, 10 classes, with ReLU in between: the sizes of one of the networks that LeCun and
# the others compared in 1998, though its activations were others. Weights by He's rule, with the variance $2/\mathrm{IN}$,
# because of the ReLUs ([lesson 14](#14-initialisation-and-regularisation)). The output has no activation: the loss,
# `CrossEntropyLoss`, contains the softmax.


# %%
def build(seed, dtype=np.float32):
    network = fnn.Sequential(
        fnn.Flatten(),
        fnn.Dense(784, 300, dtype=dtype),
        fnn.ReLU(),
        fnn.Dense(300, 100, dtype=dtype),
        fnn.ReLU(),
        fnn.Dense(100, 10, dtype=dtype),
    )
    return fnn.init.initialize(network, fnn.init.he_normal, rng=seed)


network = build(seed=0)
print(network.summary((1, 28, 28)))

# %% [markdown]
# A dense layer has $\mathrm{IN} \cdot \mathrm{OUT}$ weights and $\mathrm{OUT}$ biases, so $784 \cdot 300 + 300 = 235{,}500$ in
# the first, nearly nine tenths of all. There are five times as many parameters as training digits. Multiply-adds are what a
# prediction costs: one for each weight.
#
# ## One step, by hand
#
# There is nothing in training that lessons [4](#4-loss-functions) to [8](#8-the-computational-graph) have not derived. For
# a batch of $N$ rows:
#
# | | forward | backward |
# |---|---|---|
# | softmax, cross-entropy | $E = -\frac{1}{N} \sum_n \log p_{n,t_n}$ | $\mathrm{dout}_{n,c} = (p_{n,c} - [c = t_n]) / N$ |
# | ReLU | $\max(x, 0)$ | $\mathrm{dx} = \mathrm{dout} \cdot [x > 0]$ |
# | dense | $\mathrm{out} = x W^{\mathsf T} + b$ | $\mathrm{dx} = \mathrm{dout}\, W$ |
# | its weights | | $\mathrm{d}W = \mathrm{dout}^{\mathsf T} x$ |
# | its biases | | $\mathrm{d}b_j = \sum_n \mathrm{dout}_{n,j}$ |
#
# The whole of it in NumPy, for any number of layers:


# %%
def step_by_hand(x, y, weights, biases, rate):
    """One step of gradient descent on a batch; changes weights and biases, returns the loss before."""
    inputs = []  # of each layer, for the way back
    out = x
    for i, (weight, bias) in enumerate(zip(weights, biases)):
        inputs.append(out)
        out = out @ weight.T + bias
        if i < len(weights) - 1:
            out = np.maximum(out, 0)

    p = np.exp(out - out.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()

    dout = p
    dout[rows, y] -= 1
    dout /= len(y)
    for i in reversed(range(len(weights))):
        dweight, dbias = dout.T @ inputs[i], dout.sum(axis=0)
        if i > 0:
            dout = (dout @ weights[i]) * (inputs[i] > 0)  # with the weights from before the step
        weights[i] -= rate * dweight
        biases[i] -= rate * dbias
    return loss


# %% [markdown]
# The same with layers. `forward` keeps what the way back needs, the loss gives the first gradient, `backward` leaves each
# layer's gradients in `grads`, and the optimizer takes the step. Both run in float64 here, to compare digits.

# %%
exact = build(seed=0, dtype=np.float64)
weights = [exact[i].params["weight"].copy() for i in (1, 3, 5)]
biases = [exact[i].params["bias"].copy() for i in (1, 3, 5)]
x, y = scaled(images[:100]).astype(np.float64), labels[:100]

loss_by_hand = step_by_hand(x, y, weights, biases, rate=0.1)

loss, optimizer = fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1)
loss_by_layers = loss.forward(exact.forward(x, training=True), y)
exact.backward(loss.backward())
optimizer.update(exact.params, exact.grads)

differences = [np.abs(exact[i].params["weight"] - weight).max() for i, weight in zip((1, 3, 5), weights)]
differences += [np.abs(exact[i].params["bias"] - bias).max() for i, bias in zip((1, 3, 5), biases)]
print(f"loss by hand {loss_by_hand:.8f}, by layers {loss_by_layers:.8f}")
print(f"parameters after the step: largest difference {max(differences):.1e}")

# %% [markdown]
# ## The loop
#
# Training is this step for all batches of an epoch, in a new order each time, and then again.


# %%
def train_epoch(network, loss, optimizer, images, labels, rng):
    """All digits once, in batches of 100; returns mean loss and accuracy of the batches."""
    total, right = 0.0, 0
    for x, y in fnn.data.batches(images, labels, 100, shuffle=True, rng=rng):
        out = network.forward(scaled(x), training=True)
        total += loss.forward(out, y) * len(y)
        right += (out.argmax(axis=1) == y).sum()
        network.backward(loss.backward(), need_dx=False)
        optimizer.update(network.params, network.grads)
    return total / len(labels), right / len(labels)


by_loop, loss, optimizer, rng = build(seed=0), fnn.CrossEntropyLoss(), fnn.Adam(lr=2e-3), np.random.default_rng(0)
start = time.perf_counter()
for epoch in (1, 2):
    epoch_loss, epoch_accuracy = train_epoch(by_loop, loss, optimizer, images, labels, rng)
    print(f"epoch {epoch}: loss {epoch_loss:.4f}, accuracy {epoch_accuracy:.2%}")
print(f"{2 * len(labels) / (time.perf_counter() - start):,.0f} images per second")
loop_accuracy = np.mean(by_loop.predict(validation[0]).argmax(axis=1) == validation[1])
print(f"validation accuracy {loop_accuracy:.2%}")

# %% [markdown]
# (Accuracies of an epoch are taken while the network learns, batch by batch, so they lag behind.)
#
# That is the whole secret, and `fit` has no other. It does the same steps in one piece of compiled code for the whole epoch,
# takes the images as the bytes they are, and reports. To see that it is the same, an epoch without shuffling both ways:

# %%
count = min(len(labels), 5000)
one, other = build(seed=1), build(seed=1)
loss, optimizer = fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1)
for x, y in fnn.data.batches(images[:count], labels[:count], 100):
    loss.forward(one.forward(scaled(x), training=True), y)
    one.backward(loss.backward(), need_dx=False)
    optimizer.update(one.params, one.grads)

trainer = fnn.Trainer(other, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1))
trainer.fit(images[:count], labels[:count], batch_size=100, shuffle=False, progress=False)
fit_difference = max(np.abs(one.params[name] - other.params[name]).max() for name in one.params)
print(f"parameters after {count // 100} steps: largest difference {fit_difference:.1e}")

# %% [markdown]
# That is the rounding of float32: sums in another order.
#
# ## Training
#
# With Adam, and a rate that falls in a straight line to nearly 0. A large rate gets ahead fast but dances around the minimum
# in the end, driven by the noise of the batches; a small one settles down. A *callback* is a function that `fit` calls after
# each epoch; this one sets the rate for the next.


# %%
def falling_rate(lr, epochs):
    def callback(trainer, logs):
        trainer.optimizer.lr = lr * (1 - logs["epoch"] / epochs)

    return callback


EPOCHS, RATE = 10, 2e-3


def train(seed, images, labels, validation):
    network = build(seed)
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(lr=RATE), seed=seed)
    history = trainer.fit(
        images,
        labels,
        epochs=EPOCHS,
        batch_size=100,
        validation_data=validation,
        callbacks=[falling_rate(RATE, EPOCHS)],
        progress=lesson.progress,
    )
    return network, history


network, history = train(0, images, labels, validation)
print(history)
print(f"training: {np.median(history['images_per_second']):,.0f} images per second")
lesson.picture(
    fnn.plot.learning_curves(history), "curves", "Loss and accuracy: training digits solid, validation digits dashed"
)

# %% [markdown]
# At the end the network knows its training digits by heart. On the validation digits the loss has hardly fallen since the
# second epoch: more digits are right, but where the network is wrong it becomes ever surer of it. That gap is overfitting.
# [Lesson 14](#14-initialisation-and-regularisation) has means against it; the best one comes in
# [lesson 18](#18-mnist-convolutional).
#
# ## The test
#
# Now, once, the test digits.

# %%
start = time.perf_counter()
scores = network.predict(test_images)
seconds = time.perf_counter() - start
predicted = scores.argmax(axis=1)
accuracy = fnn.metrics.accuracy_score(test_labels, predicted)
print(f"test accuracy {accuracy:.2%}: {np.sum(predicted != test_labels)} of {len(test_labels):,} wrong")
print(f"prediction: {len(scores) / seconds:,.0f} images per second")

# %% [markdown]
# How exact is that figure? With other test digits it would be a little different. Each is right with probability $p$, so the
# share of $N$ has the standard deviation $\sqrt{p(1 - p)/N}$. Networks that differ by less than twice that, on different
# test digits, may well be equally good.

# %%
deviation = np.sqrt(accuracy * (1 - accuracy) / len(test_labels))
print(f"standard deviation of the test accuracy: {deviation:.2%}")

# %% [markdown]
# ## What is taken for what
#
# The confusion matrix $M$ of [lesson 12](#12-classification-on-small-tables): a row for each true class $i$, a column for
# each predicted one $j$. Of those taken for a $j$, the share that is one is $M_{jj} / \sum_i M_{ij}$, the *precision*; of the
# true $i$, the share that is found is $M_{ii} / \sum_j M_{ij}$, the *recall*.

# %%
matrix = np.zeros((10, 10), int)
np.add.at(matrix, (test_labels, predicted), 1)
precision = np.diag(matrix) / matrix.sum(axis=0)
recall = np.diag(matrix) / matrix.sum(axis=1)

print("confusion matrix (rows are true)")
print(matrix)
print()
print("digit  precision  recall")
for c in range(10):
    print(f"{c:5d}  {precision[c]:9.2%}  {recall[c]:6.2%}")

off_diagonal = matrix - np.diag(np.diag(matrix))
print()
for position in np.argsort(off_diagonal, axis=None)[::-1][:5]:
    i, j = divmod(int(position), 10)
    print(f"{i} taken for {j}: {matrix[i, j]} times")

caption = "The confusion matrix: rows are what the digit is, columns what the network says"
lesson.picture(fnn.plot.confusion_matrix(matrix), "confusion", caption)

# %% [markdown]
# The pairs at the top are those that people confuse, too: a 5 with a bent upper stroke looks like a 3, a 4 with a closed
# top like a 9. The diagonal outshines the rest, so here are the mistakes alone, and a check by `fnn.metrics`.

# %%
library = fnn.metrics.precision_recall_fscore_support(test_labels, predicted)
library_difference = max(np.abs(library[0] - precision).max(), np.abs(library[1] - recall).max())
same = np.array_equal(fnn.metrics.confusion_matrix(test_labels, predicted), matrix)
print(f"the same matrix: {same}; precision and recall, largest difference {library_difference:.1e}")
lesson.picture(fnn.plot.confusion_matrix(off_diagonal), "confused", "The same without its diagonal: only mistakes")

# %% [markdown]
# ## Wrong, and sure of it
#
# Softmax of the scores gives probabilities. The greatest one says how sure the network is, and the most interesting
# mistakes are those it is surest of.

# %%
p = np.exp(scores - scores.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
sure = p.max(axis=1)

wrong = np.flatnonzero(predicted != test_labels)
worst = wrong[np.argsort(-sure[wrong], kind="stable")][:24]
for i in worst[:8]:
    print(f"test digit {i:4d}: is {test_labels[i]}, taken for {predicted[i]} with probability {sure[i]:.3%}")

figure = fnn.plot.images(test_images[worst], test_labels[worst], predicted[worst], probabilities=sure[worst], columns=8)
lesson.picture(figure, "mistakes", "The surest mistakes: what the network says, how sure it is, and what the digit is")

# %% [markdown]
# Some are hard to read for anybody, others are plain to us. These probabilities are not to be taken at their word: a network
# that has its training digits by heart has learned to be sure, and is sure too often. Do they help all the same? If the
# digits that the network is least sure of go to a human, how many of the others are right?

# %%
order = np.argsort(-sure, kind="stable")
kept_accuracies = {}
for share in (1.0, 0.99, 0.98, 0.95, 0.9):
    kept = order[: round(share * len(order))]
    kept_accuracies[share] = np.mean(predicted[kept] == test_labels[kept])
    print(f"the surest {share:4.0%}: {kept_accuracies[share]:.2%} right")

# %% [markdown]
# They help a lot. Machines that read for us are used in this way: they do what they are sure of, and hand over the rest.
#
# ## What it has learned
#
# The weights of a neuron in the first layer are as many as pixels, so they are an image: where ink speaks for the neuron
# (blue), and where against (red). Some of the 300:

# %%
first = network[1].params["weight"].reshape(300, 1, 28, 28)
strongest = np.argsort(-(first**2).sum(axis=(1, 2, 3)), kind="stable")[:24]
lesson.picture(
    fnn.plot.filters(first[strongest], columns=6), "weights", "First-layer weights of 24 neurons, those with the largest"
)

# %% [markdown]
# Most have a short stroke somewhere that speaks against them, and ink nearby that speaks for them; the rest is noise that
# only makes sense together with the other neurons. At the edges there is never any ink, so the gradient of those weights is
# 0, and they are the random numbers of the start.
#
# ## What it cannot see
#
# A dense layer gets 784 numbers. That pixel 29 lies below pixel 1 it does not know, and it must learn for each place anew
# what a stroke is. Two experiments show it. First, we mix up the pixels of all images, all in the same way. To us they are
# noise. Then the test digits as they are, but moved to the right by some pixels.

# %%
mixing = np.random.default_rng(0).permutation(784)


def mixed(images):
    return images.reshape(len(images), 784)[:, mixing].reshape(images.shape)


def moved(images, pixels):
    out = np.zeros_like(images)
    out[..., pixels:] = images[..., : images.shape[-1] - pixels]
    return out


mixed_network, _ = train(0, mixed(images), labels, None)
mixed_accuracy = np.mean(mixed_network.predict(mixed(test_images)).argmax(axis=1) == test_labels)
print(f"pixels in their order {accuracy:.2%}, mixed up {mixed_accuracy:.2%}")

moved_accuracies = {}
for pixels in range(5):
    moved_accuracies[pixels] = np.mean(network.predict(moved(test_images, pixels)).argmax(axis=1) == test_labels)
    print(f"moved by {pixels}: {moved_accuracies[pixels]:.2%}")

example = np.concatenate([test_images[:6], mixed(test_images[:6]), moved(test_images[:6], 3)])
lesson.picture(fnn.plot.images(example, columns=6), "mixed", "Digits; their pixels mixed up; digits moved by 3 pixels")

# %% [markdown]
# Mixed-up pixels make no difference at all: what we call an image is a list to this network. And a shift that we hardly notice
# ruins it: each stroke then lies on weights that were learned for something else. A network that knows which pixels are
# neighbours, and that a stroke is a stroke wherever it is, should do better: [lesson 18](#18-mnist-convolutional).
#
# Things to try: no hidden layer at all (about 92 %); 800 neurons in one layer; dropout between the layers; a constant rate
# instead of the falling one.
