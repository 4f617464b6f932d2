#!/usr/bin/env python3
"""LeNet-5 on the full MNIST: seconds for an epoch of 60,000 images, and the accuracy within seconds of training.

    python tools/measure_mnist.py --data FOLDER                          five fresh networks, 15 seconds each
    python tools/measure_mnist.py --data FOLDER --budget 5 --seeds 3
    python tools/measure_mnist.py --data FOLDER --write docs/performance.md

FOLDER has the four IDX files. Each network is trained with Adam in batches of 128, its learning rate falling as half a cosine
from `--lr` to 0 over the budget: after every epoch it follows the time spent, and training ends when another epoch would not
fit. The time is that of training alone, shuffling and scaling included; test images are looked at once, at the end. One
network is trained for an epoch before all, so that no kernel is compiled in the time that counts.
"""

import argparse
import math
import shlex
import statistics
import sys

from _tables import machine, markdown, warn_if_busy, write_section


class HalfCosine:
    """Callback: the learning rate by the share of the budget that is spent; stops where another epoch would not fit."""

    def __init__(self, rate, budget):
        self.rate, self.budget, self.epochs = rate, budget, []

    def __call__(self, trainer, logs):
        self.epochs.append(logs["seconds"])
        spent = sum(self.epochs)
        trainer.stop = spent + max(self.epochs) > self.budget
        trainer.optimizer.lr = self.rate * (1 + math.cos(math.pi * min(spent / self.budget, 1))) / 2


def train(digits, seed, rate, batch, budget):
    """Seconds of each epoch, and the test accuracy."""
    import fastnn as fnn

    network = fnn.models.lenet5(rng=seed)
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(lr=rate), seed=seed)
    schedule = HalfCosine(rate, budget)
    images, labels = digits.train_images, digits.train_labels
    trainer.fit(images, labels, epochs=10_000, batch_size=batch, callbacks=[schedule], progress=False)
    return schedule.epochs, trainer.evaluate(digits.test_images, digits.test_labels)["accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5, help="networks to train; default: 5")
    parser.add_argument("--budget", type=float, default=15.0, help="seconds; default: 15")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3, help="default: 0.002")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", nargs="+", metavar="FILE", default=(), help="documents: replace their table")
    arguments = parser.parse_args()

    warn_if_busy()
    import fastnn as fnn
    import fastnn.models

    if arguments.threads:
        fnn.set_num_threads(arguments.threads)
    digits = fnn.data.mnist(arguments.data)
    train(digits, 0, arguments.lr, arguments.batch, 0.1)
    rows, accuracies = [], []
    for seed in range(arguments.seeds):
        epochs, accuracy = train(digits, seed, arguments.lr, arguments.batch, arguments.budget)
        accuracies.append(accuracy)
        seconds = f"{statistics.median(epochs):.2f} [{min(epochs):.2f} .. {max(epochs):.2f}]"
        rows.append((f"seed {seed}", str(len(epochs)), seconds, f"{sum(epochs):.1f}", f"{accuracy:.2%}"))
        print(*rows[-1], file=sys.stderr, flush=True)
    text = markdown(("LeNet-5", "epochs", "seconds of an epoch", "seconds in all", "test accuracy"), rows)
    # The folder's name is of no use to others.
    words = [word.replace(arguments.data, "FOLDER") for word in sys.argv[1:]]
    command = shlex.join(["python", "tools/measure_mnist.py", *words])
    text += f"\n\nLeast accuracy {min(accuracies):.2%}, mean {statistics.mean(accuracies):.2%}."
    text += f" `{command}`: {machine(fnn.num_threads())}."
    print(text)
    for document in arguments.write:
        write_section(document, "mnist", text)


if __name__ == "__main__":
    main()
