"""The command ``fastnn``.

    fastnn train     train a network on handwritten digits, test it, write the model and a picture
    fastnn warmup    compile all kernels ahead, for container images and CI
    fastnn info      versions, processor, threads, compile cache

Exit status: 0 done; 1 training failed; 2 a wrong argument, found before training; 130 interrupted.
"""

import argparse
import functools
import math
import os
import sys

import numpy as np

from . import plot
from ._files import check_writable
from ._version import __version__
from .data import mnist, mnist_subset
from .info import info_text
from .losses import CrossEntropyLoss
from .models import lenet5, resnet20
from .optimizers import Adam
from .trainer import Trainer
from .warmup import warmup

# The models that digits of 28 x 28 pixels are enough for, and that do not take hours.
MODELS = {"lenet5": lenet5, "resnet20": functools.partial(resnet20, input_size=28, channels=1)}


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    SystemExit
        With status 2 and one line on standard error, if an argument is wrong; with status 0 after ``--help``.

    Examples
    --------
    >>> main(["info"])                                                          # doctest: +ELLIPSIS
    fastnn           ...
    0
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage text around them."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser():
    parser = _Parser(prog="fastnn", description="Train and run neural networks on a CPU.")
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    train = commands.add_parser(
        "train",
        help="train a network on handwritten digits",
        description="Train a network on MNIST digits with Adam and print its accuracy on the test digits. "
        "The learning rate falls from epoch to epoch, from twice --lr to nearly zero.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    train.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder with MNIST in IDX or CSV files or as mnist.pkl, or 'embedded' for the digits that ship with fastnn "
        "(default: the folder that FASTNN_DATA names, else embedded)",
        default=argparse.SUPPRESS,
    )
    train.add_argument("--model", choices=sorted(MODELS), default="lenet5", help="network")
    train.add_argument("--epochs", type=_positive_int, default=25, metavar="N", help="passes over the training digits")
    train.add_argument("--batch-size", type=_positive_int, default=128, metavar="N", help="digits per update")
    train.add_argument("--lr", type=_positive_float, default=1e-3, metavar="RATE", help="mean learning rate")
    train.add_argument("--seed", type=_seed, default=0, metavar="N", help="same seed, same machine: same network")
    # Suppressed defaults: "(default: None)" says nothing.
    train.add_argument("--save", metavar="FILE", help="write the trained network here", default=argparse.SUPPRESS)
    train.add_argument("--plot", metavar="FILE.png", help="write learning curves here", default=argparse.SUPPRESS)
    train.set_defaults(run=_train, parser=train)

    warm = commands.add_parser(
        "warmup",
        help="compile all kernels ahead",
        description="Compile all kernels and keep them on disk, so that no later process waits for any. For container images "
        "and CI: code in the cache fits the kind of processor it was made on. NUMBA_CACHE_DIR chooses the folder.",
    )
    warm.add_argument(
        "--dtype",
        nargs="+",
        choices=("float32", "float64"),
        default=["float32"],
        help="what networks compute in (default: float32)",
    )
    warm.add_argument("--quiet", action="store_true", help="no progress bar")
    warm.set_defaults(run=_warmup)

    info = commands.add_parser("info", help="versions, processor, threads, compile cache")
    info.set_defaults(run=_info)
    return parser


def _info(arguments):
    print(info_text())
    return 0


def _warmup(arguments):
    found = warmup(arguments.dtype, progress=not arguments.quiet)
    where = f"in {found.folder}" if found.folder else "nowhere: no cache folder is writable"
    print(f"{found.compiled} kernels compiled in {found.seconds:.1f} s, kept {where}")
    return 0 if found.folder else 1


def _train(arguments):
    """Check everything that can be checked, train, report, write."""
    save_path, plot_path = getattr(arguments, "save", None), getattr(arguments, "plot", None)
    try:
        _check_outputs(save_path, plot_path)
        digits = _load(getattr(arguments, "data", None))
    except (OSError, ValueError, ImportError) as error:
        arguments.parser.error(_one_line(error))
    print(f"data: {digits.source}, {len(digits.train_labels)} training and {len(digits.test_labels)} test digits")

    network = MODELS[arguments.model](rng=arguments.seed)
    print(f"model: {arguments.model}, {sum(param.size for param in network.params.values())} parameters", flush=True)
    lr, epochs = arguments.lr, arguments.epochs
    optimizer = Adam(lr=_rate(lr, 0, epochs))

    def lower_rate(trainer, logs):
        optimizer.lr = max(0.0, _rate(lr, trainer.epoch, epochs))  # after the last epoch the line is below 0

    trainer = Trainer(network, CrossEntropyLoss(), optimizer, seed=arguments.seed)
    history = trainer.fit(
        digits.train_images,
        digits.train_labels,
        epochs=epochs,
        batch_size=arguments.batch_size,
        validation_data=(digits.test_images, digits.test_labels),
        callbacks=[lower_rate],
        progress=True,
    )
    if not math.isfinite(history["loss"][-1]):
        print(f"fastnn train: training diverged (loss {history['loss'][-1]}): try a smaller --lr", file=sys.stderr)
        return 1

    predictions = network.predict(digits.test_images).argmax(axis=1)
    print(f"test accuracy {100 * np.mean(predictions == digits.test_labels):.2f} %")
    try:
        if save_path is not None:
            network.save(save_path)
            print(f"model written to {save_path}")
        if plot_path is not None:
            figure = plot.training_figure(history, digits.test_images, digits.test_labels, predictions)
            plot.save_figure(figure, plot_path)
            print(f"plot written to {plot_path}")
    except OSError as error:
        print(f"fastnn train: error: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _rate(lr, epoch, epochs):
    """Learning rate of an epoch (from 0): on a line from 2 * `lr` at the start of the run to 0 at its end, taken mid-epoch.

    The mean over the run is `lr`. Small steps at the end settle the test accuracy, which under a constant rate moves by half
    a percent from epoch to epoch; large ones at the start make up for them.
    """
    return 2 * lr * (1 - (epoch + 0.5) / epochs)


def _check_outputs(save_path, plot_path):
    """Raise OSError, ValueError or ImportError if the results could not be written: better now than after training."""
    if save_path is not None and plot_path is not None and os.path.realpath(save_path) == os.path.realpath(plot_path):
        raise ValueError(f"--save and --plot name the same file: {save_path}")
    if plot_path is not None:
        if not plot_path.lower().endswith(".png"):
            raise ValueError(f"--plot: expected a file name ending in .png, got {plot_path!r}")
        plot.require_matplotlib()
    for path in (save_path, plot_path):
        if path is not None:
            check_writable(path)


def _load(data):
    digits = mnist_subset() if data == "embedded" else mnist(data)
    if not len(digits.train_labels) or not len(digits.test_labels):
        raise ValueError(f"{digits!r}: expected at least one training and one test digit")
    return digits


def _one_line(error):
    """The message of an exception, with the file it is about, on one line."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _positive_int(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, got {text!r}")
    return value


def _seed(text):
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 63:
        raise argparse.ArgumentTypeError(f"expected an integer from 0 to 2**63 - 1, got {text!r}")
    return value


def _positive_float(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"expected a finite number above 0, got {text!r}")
    return value
