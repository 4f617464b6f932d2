# %% [markdown]
# # 19. CIFAR-10
#
# Digits are easy. The next step of every course is [CIFAR-10](https://www.cs.toronto.edu/~kriz/cifar.html) (Krizhevsky 2009):
# 60,000 photographs of 32 x 32 pixels in three colours, of ten kinds: airplane, automobile, bird, cat, deer, dog, frog,
# horse, ship, truck. It is small enough to learn on a laptop and hard enough that the tricks of the trade begin to pay.
#
# fastnn downloads nothing. Fetch `cifar-10-python.tar.gz` or `cifar-10-binary.tar.gz` from that page, and name the folder it
# is in with `--data`, or with `FASTNN_CIFAR10` in the environment. Without it this lesson runs on *generated* images in the
# same form: ten kinds of shapes and gratings in noise.

# %%
import os
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def photographs(*folders):
    """CIFAR-10 from the first of some folders that has it; None if none has."""
    for folder in filter(None, folders):
        try:
            return fnn.data.cifar10(folder)
        except FileNotFoundError as error:  # `--data` may as well be the folder of MNIST
            print(error)
    return None


images = photographs(lesson.data, os.environ.get("FASTNN_CIFAR10"))
if images is None:
    print("no CIFAR-10 here: get it from https://www.cs.toronto.edu/~kriz/cifar.html and name its folder with --data")
    images = fnn.data.generated_cifar10(2000 if lesson.quick else 5000, 1000, noise=0.5, seed=0)
print(images)
print("training images", images.train_images.shape, images.train_images.dtype)
samples = np.concatenate([np.flatnonzero(images.train_labels == kind)[:3] for kind in range(10)])
figure = fnn.plot.images(images.train_images[samples], images.train_labels[samples], class_names=images.classes, columns=15)
lesson.picture(figure, "samples", "Three images of each kind")

# %% [markdown]
# ## The files
#
# CIFAR-10 comes in two forms. The *binary* one is plain: for each image a byte with its label, then 1,024 bytes of red, 1,024
# of green, 1,024 of blue. The *python* one holds pickled dictionaries with `b"data"`, an array (10000, 3072) of uint8, and
# `b"labels"`, a list. Here is a file of each with the first twenty images, and what the loader makes of them.

# %%
few, kinds = images.train_images[:20], images.train_labels[:20]
with tempfile.TemporaryDirectory() as folder:
    binary = Path(folder, "cifar-10-batches-bin")
    binary.mkdir()
    rows = np.column_stack([kinds.astype(np.uint8), few.reshape(20, 3072)])
    Path(binary, "data_batch_1.bin").write_bytes(rows.tobytes())

    python = Path(folder, "cifar-10-batches-py")
    python.mkdir()
    with open(python / "data_batch_1", "wb") as file:
        pickle.dump({b"data": few.reshape(20, 3072), b"labels": kinds.tolist()}, file, protocol=2)

    from_binary = fnn.data.cifar10(binary, partial=True)
    from_python = fnn.data.cifar10(python, partial=True)
same = all(
    np.array_equal(found.train_images, few) and np.array_equal(found.train_labels, kinds)
    for found in (from_binary, from_python)
)
print("both files give the same images back:", same)

# %% [markdown]
# A pickle is a *program* that rebuilds objects, and one from a stranger may do anything: delete files, say. Python's own
# `pickle.load` runs it. fastnn reads pickles with a reader of its own that knows arrays, numbers, strings, lists, tuples and
# dictionaries, and refuses everything else before anything has happened.


# %%
class Trap:
    def __reduce__(self):
        return print, ("this could have been any command",)


with tempfile.TemporaryDirectory() as folder:
    trap = Path(folder, "trap.pkl")
    trap.write_bytes(pickle.dumps({b"data": Trap(), b"labels": []}))
    try:
        fnn.data.read_pickle(trap)
        refused = ""
    except ValueError as error:
        refused = str(error).replace(str(trap), "trap.pkl")
print("refused:", refused)

# %% [markdown]
# ## Augmentation
#
# A ship stays a ship if it is moved by three pixels, or seen in a mirror. A network does not know that; it can be told by
# showing it each image a little different in every epoch. *Random crop with padding*: put four rows of zeros around the
# image and cut out 32 x 32 pixels anywhere. *Horizontal flip*: mirror it, every second time. By hand:


# %%
def augment(x, down, right, mirror, padding=4):
    """One image (C, H, W), moved and perhaps mirrored."""
    H, W = x.shape[1:]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    window = padded[:, padding - down : padding - down + H, padding - right : padding - right + W]
    return window[:, :, ::-1] if mirror else window


augmenter = fnn.data.Augment(crop=4, flip=True, seed=7)
draws = augmenter.draw(500, np.random.default_rng(0))  # for each image: pixels down, to the right, and whether to mirror
batch = images.train_images[:500]
by_hand = np.stack([augment(x, *draw) for x, draw in zip(batch, draws)])
by_kernel = np.empty_like(batch)
fnn.kernels.image.gather_augmented(by_kernel, batch, np.arange(500), draws)
print("kernel and loop agree:", np.array_equal(by_hand, by_kernel))


def images_per_second(function, seconds=0.2):
    function()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        function()
        count += len(batch)
    return count / (time.perf_counter() - start)


loop_rate = images_per_second(lambda: np.stack([augment(x, *draw) for x, draw in zip(batch, draws)]))
kernel_rate = images_per_second(lambda: fnn.kernels.image.gather_augmented(by_kernel, batch, np.arange(500), draws))
print(f"NumPy {loop_rate:,.0f} images a second, kernel {kernel_rate:,.0f}")

# %% [markdown]
# The draws have a seed of their own: the same seed gives the same crops, whatever else in the training is random.

# %%
again = [fnn.data.Augment(crop=4, flip=True, seed=7)(batch) for _ in range(2)]
other = fnn.data.Augment(crop=4, flip=True, seed=8)(batch)
print("same seed, same images:", np.array_equal(*again), "   another seed:", np.array_equal(again[0], other))
several = fnn.data.Augment(crop=4, flip=True, seed=1)
shown = np.concatenate(
    [batch[:1], *(several(batch[:1]) for _ in range(9)), batch[1:2], *(several(batch[1:2]) for _ in range(9))]
)
figure = fnn.plot.images(shown, columns=10)
lesson.picture(figure, "augmented", "Two images, at the left as they are, and nine random variants of each")

# %% [markdown]
# ## A network for 32 x 32 x 3
#
# Blocks of two 3 x 3 convolutions and a pooling, with twice the channels when there are a quarter of the pixels; batch
# normalization ([lesson 14](#14-initialisation-and-regularisation)) behind each convolution, which then needs no bias; a
# global average at the end.


# %%
def block(channels, filters, rng):
    for c in (channels, filters):
        yield fnn.Conv2d(c, filters, 3, padding=1, bias=False, rng=rng)
        yield fnn.BatchNorm2d(filters)
        yield fnn.ReLU()


def make_network(seed=0):
    rng = np.random.default_rng(seed)
    return fnn.Sequential(
        *block(3, 16, rng),
        fnn.MaxPool2d(2),
        *block(16, 32, rng),
        fnn.MaxPool2d(2),
        *block(32, 64, rng),
        fnn.AdaptiveAvgPool2d(1),
        fnn.Flatten(),
        fnn.Dense(64, 10, rng=rng),
    )


print(make_network().summary((3, 32, 32)))

# %%
EPOCHS = 2 if lesson.quick else 8
histories, test = {}, (images.test_images, images.test_labels)
for name, augmentation in (("plain", None), ("augmented", fnn.data.Augment(crop=4, flip=True, seed=0))):
    network, optimizer = make_network(), fnn.Adam(lr=0.004)

    def lower_rate(trainer, logs, optimizer=optimizer):
        optimizer.lr = 0.002 * (1 + np.cos(np.pi * trainer.epoch / EPOCHS))

    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), optimizer, seed=0)
    histories[name] = history = trainer.fit(
        images.train_images,
        images.train_labels,
        epochs=EPOCHS,
        batch_size=64,
        validation_data=test,
        augment=augmentation,
        callbacks=[lower_rate],
        progress=lesson.progress,
    )
    print(
        f"{name:10s} training accuracy {history['accuracy'][-1]:.1%}, test accuracy {history['val_accuracy'][-1]:.1%}, "
        f"{np.median(history['images_per_second']):,.0f} images a second"
    )

# %% [markdown]
# With augmentation the *training* accuracy is lower: each epoch shows images never seen before. What counts is the gap to the
# test accuracy, the part of the learning that holds for these very images alone: it is all but gone. The longer the training
# and the larger the network, the more the test accuracy itself gains by that.

# %%
lesson.picture(fnn.plot.learning_curves(histories), "curves", "With and without augmentation; dashed: test images")
predictions = network.predict(images.test_images)
matrix = fnn.metrics.confusion_matrix(images.test_labels, predictions.argmax(axis=1))
caption = "Rows: what the image is. Columns: what the network says"
lesson.picture(fnn.plot.confusion_matrix(matrix, images.classes), "confusion", caption)
