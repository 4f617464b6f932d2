#!/usr/bin/env python3
"""LeNet-5 on handwritten digits, written out: what ``fastnn train`` does, as a script to start from.

python examples/train_lenet.py                                the embedded digits, or those in the folder FASTNN_DATA
python examples/train_lenet.py --epochs 4 --save lenet5.safetensors
"""

import argparse

import fastnn as fnn


def build(seed):
    """LeNet-5 with ReLU and max-pooling; every layer draws its parameters from its own seed."""
    return fnn.Sequential(
        fnn.Conv2d(1, 6, 5, rng=seed),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Conv2d(6, 16, 5, rng=seed + 1),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Dense(16 * 4 * 4, 120, rng=seed + 2),
        fnn.ReLU(),
        fnn.Dense(120, 84, rng=seed + 3),
        fnn.ReLU(),
        fnn.Dense(84, 10, rng=seed + 4),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, help="train on so many digits only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", metavar="FILE")
    arguments = parser.parse_args()

    digits = fnn.data.mnist()
    print(digits)
    images, labels = digits.train_images[: arguments.samples], digits.train_labels[: arguments.samples]

    network = build(arguments.seed)
    print(network.summary((1, 28, 28)))

    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(lr=1e-3), seed=arguments.seed)
    history = trainer.fit(
        images,
        labels,
        epochs=arguments.epochs,
        batch_size=128,
        validation_data=(digits.test_images, digits.test_labels),
    )
    print(history)
    print(f"test accuracy {history['val_accuracy'][-1]:.2%}")

    if arguments.save:
        network.save(arguments.save)
        again = fnn.load(arguments.save)
        assert (again.predict(digits.test_images[:100]) == network.predict(digits.test_images[:100])).all()
        print(f"model written to {arguments.save}")


if __name__ == "__main__":
    main()
