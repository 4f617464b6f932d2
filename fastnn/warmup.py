"""Compile everything ahead, for container images and CI: `warmup`."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import kernels, layers, losses, optimizers
from .data import Augment
from .kernels import tiles
from .kernels._jit import cache_dir
from .kernels._threads import num_threads, threads
from .layers.base import call_backward
from .layers.checks import as_bool, as_float_dtype
from .plan.settings import config
from .profiling import profile
from .progress import Progress
from .trainer import Trainer, predict

_BATCH = 37  # samples: some blocks, the last of them not full


class Warmup(NamedTuple):
    """What `warmup` did.

    Attributes
    ----------
    compiled : int
        Kernels that were not in the cache.
    seconds : float
    folder : str or None
        Where they are kept now; None where no place is writable, and they are gone with this process.
    """

    compiled: int
    seconds: float
    folder: str | None


def warmup(dtypes=("float32",), progress=True):
    """Compile all kernels ahead and keep them on disk, so that no later process waits for any.

    Trains, and predicts with, small networks that between them use every layer, loss and optimizer, as compiled plans and
    layer by layer. Takes a minute or two, or a second where everything is compiled already.

    Parameters
    ----------
    dtypes : sequence of {"float32", "float64"}, or one of them
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    Warmup
        (compiled, seconds, folder)

    Raises
    ------
    TypeError, ValueError
        If `dtypes` names another dtype or none, or `progress` is not a bool.

    Notes
    -----
    Cached code fits the processor it was made on: warm up where the program will run, or on a machine of the same kind. The
    folder is that of ``fastnn info``; ``NUMBA_CACHE_DIR`` chooses it.

    Examples
    --------
    >>> import fastnn as fnn
    >>> found = fnn.warmup("float32", progress=False)                        # doctest: +SKIP
    >>> found.compiled, found.folder                                         # doctest: +SKIP
    (210, '/root/.cache/fastnn/867fcb6c47239715bdc0')
    """
    dtypes = (dtypes,) if isinstance(dtypes, str) or not hasattr(dtypes, "__iter__") else tuple(dtypes)
    if not dtypes:
        raise ValueError("warmup: expected dtypes to name at least one dtype, got none")
    dtypes = [as_float_dtype(dtype, "warmup: dtypes") for dtype in dtypes]
    progress = as_bool(progress, "warmup: progress")
    start, before, folder = time.perf_counter(), _files(), cache_dir()
    if kernels.active() is not kernels and kernels.config.DISABLE_JIT:
        return Warmup(0, 0.0, folder)  # there is nothing to compile
    tasks = [task for dtype in dtypes for task in _tasks(dtype)]
    bar = Progress(progress, "compiling", len(tasks), unit=" networks")
    try:
        with kernels.use("numba"), config(plan=True, winograd=True), threads(max(2, num_threads())):
            for task in tasks:
                task()
                bar.advance(1, dict)
    finally:
        bar.close()
    return Warmup(len(_files() - before), time.perf_counter() - start, folder)


def _files():
    """Compiled code in the cache."""
    return set() if cache_dir() is None else {path.name for path in Path(cache_dir()).glob("*.nbc")}


class _Task:
    """A network to be trained, and to predict, in every way."""

    def __init__(self, make, sample_shape, dtype, loss=None, optimizer=None, target=np.int64):
        self.make, self.sample_shape, self.dtype, self.target = make, sample_shape, dtype, target
        self.loss = losses.CrossEntropyLoss() if loss is None else loss
        self.optimizer = optimizers.SGD(lr=1e-3) if optimizer is None else optimizer

    def __call__(self):
        rng = np.random.default_rng(0)
        network = layers.Sequential(*self.make())
        x = rng.standard_normal((_BATCH, *self.sample_shape)).astype(self.dtype)
        images = rng.integers(0, 256, x.shape).astype(np.uint8)
        target = self._targets(rng, network.output_shape(self.sample_shape))
        for plan in (True, False):
            with config(plan=plan):
                trainer = Trainer(network, self.loss, self.optimizer, seed=0)
                trainer.step(x, target)
                for data in (x, images):
                    trainer.fit(data, target, batch_size=16, progress=False, validation_data=(data, target))
                    if x.ndim == 4 and not isinstance(network[0], layers.Permute):
                        trainer.fit(data, target, batch_size=16, progress=False, augment=Augment(1, flip=True))
                for data in (x, images, x[:1], x[:1], x[:1], images[:1]):  # small predictions are captured the second time
                    predict(network, data)
        profile(network, x, target, self.loss, self.optimizer)
        for samples in (_BATCH, 1):
            self._by_layers(network, x[:samples], target[:samples])

    def _targets(self, rng, shape):
        if self.target is None:  # a value for each element
            return rng.random((_BATCH, *shape)).astype(self.dtype)
        if self.target == "one-hot":
            return np.eye(shape[0], dtype=self.dtype)[rng.integers(0, shape[0], _BATCH)]
        return rng.integers(0, shape[0], (_BATCH, *shape[1:])).astype(self.target)

    def _by_layers(self, network, x, target):
        """As a user's own loop does, who wants the gradient of x too."""
        if len(x) == 1 and any(isinstance(layer, layers.BatchNorm1d) for _, layer in network.walk()):
            return  # has no variance
        self.loss.forward(network.forward(x, training=True), target)
        call_backward(network, self.loss.backward(), need_dx=True)


def _tasks(dtype):
    """Networks that between them need every kernel in a dtype."""
    own = {"dtype": dtype, "rng": 0}

    def conv(*args, **options):
        return layers.Conv2d(*args, **own, **options)

    def dense(*args, **options):
        return layers.Dense(*args, **own, **options)

    def lenet():
        front = [conv(1, 6, 5), layers.ReLU(), layers.MaxPool2d(2), conv(6, 16, 5), layers.ReLU(), layers.MaxPool2d(2)]
        return [*front, layers.Flatten(), dense(256, 120), layers.ReLU(), dense(120, 10)]

    def small():
        return [layers.Flatten(), dense(6, 5), layers.BatchNorm1d(5, dtype=dtype), layers.ReLU(), dense(5, 4)]

    def small_behind(last):
        return lambda: [*small(), last]

    def residual():
        def block(channels, filters, stride):
            body = [conv(channels, filters, 3, stride, 1, bias=False), layers.BatchNorm2d(filters, dtype=dtype), layers.ReLU()]
            body += [conv(filters, filters, 3, 1, 1, bias=False), layers.BatchNorm2d(filters, dtype=dtype)]
            same = channels == filters and stride == 1
            shortcut = [conv(channels, filters, 1, stride, bias=False), layers.BatchNorm2d(filters, dtype=dtype)]
            return [layers.Residual(layers.Sequential(*body), None if same else layers.Sequential(*shortcut)), layers.ReLU()]

        front = [conv(3, 32, 3, padding=1), layers.BatchNorm2d(32, affine=False, dtype=dtype)]
        front += [layers.ReLU(), *block(32, 32, 1), *block(32, 48, 2)]
        return [*front, layers.AdaptiveAvgPool2d(2), layers.AdaptiveAvgPool2d(1), layers.Flatten(), dense(48, 10)]

    def grouped():
        front = [conv(4, 8, 3, stride=2, padding=1, groups=2), layers.ReLU(), conv(8, 8, 3, padding=1, groups=8)]
        front += [conv(8, 8, (1, 3), dilation=(1, 2), bias=False), layers.AvgPool2d(2), layers.Tanh()]
        return [*front, layers.Flatten(), layers.Sigmoid(), dense(24, 3)]

    def depthwise():
        halving = conv(8, 8, 3, stride=2, padding=1, groups=8)
        return [conv(4, 8, 1), halving, layers.Flatten(), dense(8 * 4 * 4, 3)]

    def inception():
        branch = layers.Sequential(conv(2, 3, 1), layers.ReLU(), conv(3, 4, 3, padding=1))
        joined = layers.Concat(conv(2, 3, 1), branch, layers.MaxPool2d(3, 1, 1))
        return [conv(1, 2, 1), joined, layers.Flatten(), dense(9 * 36, 3)]

    def channels_last():
        front = [layers.Permute(3, 1, 2), conv(2, 3, 3), layers.Permute(2, 1, 3), layers.Reshape(6, 2, 3)]
        return [*front, conv(6, 4, 2), layers.Flatten(), dense(8, 3)]

    def pools():
        front = [
            layers.MaxPool2d(3, 1, 1),
            layers.AvgPool2d(3, 2, 1),
            layers.AvgPool2d(2),
            conv(2, 3, 1),
            layers.MaxPool2d(17, 1, 8),
            layers.LPPool2d(2, 1),
        ]
        return [*front, layers.Residual(layers.LeakyReLU()), layers.Flatten(), dense(3 * 5 * 5, 3)]

    def responses():
        front = [conv(2, 4, 3), layers.LocalResponseNorm(3), layers.GroupNorm(2, 4, dtype=dtype)]
        return [*front, layers.Flatten(), layers.LayerNorm(4 * 16, dtype=dtype), dense(4 * 16, 3)]

    def one_axis():
        front = [layers.Conv1d(2, 4, 3, **own), layers.BatchNorm1d(4, track_running_stats=False, dtype=dtype), layers.ReLU()]
        front += [layers.MaxPool1d(2), layers.Conv1d(4, 6, 3, stride=2, padding=1, **own), layers.LeakyReLU()]
        return [*front, layers.AvgPool1d(2), layers.AdaptiveAvgPool1d(2), layers.Flatten(), dense(12, 3)]

    def softmaxes():
        front = [conv(2, 3, 3), layers.Softmax(1), layers.Flatten(), layers.Tanh()]
        return [*front, layers.Dropout(), dense(3 * 16, 5), layers.Sigmoid(), layers.LogSoftmax(1)]

    def planes():
        return [conv(2, 3, 3), layers.LogSoftmax(1)]

    def features():
        return [
            layers.ReLU(),
            conv(1, 2, 2),
            layers.Flatten(),
            layers.BatchNorm1d(4, dtype=dtype),
            dense(4, 3),
            layers.Softmax(1),
        ]

    def activations():
        smooth = [layers.ELU(), layers.GELU(), layers.GELU("tanh"), layers.SiLU(), layers.Softplus()]
        return [dense(6, 6), *smooth, layers.ReLU6(), dense(6, 3)]

    def flat():
        return [conv(1, 2, 2), layers.Flatten()]

    def task(make, shape, *arguments):
        return lambda: _Task(make, shape, dtype, *arguments)()

    def all_tiles():
        tiles.outer(dtype), tiles.dot(dtype)
        for pieces in tiles.piece_counts(dtype.itemsize):
            tiles.outer_at(dtype, pieces), tiles.dot_at(dtype, pieces)

    sgd, adam = optimizers.SGD, optimizers.Adam
    return [
        task(lenet, (1, 28, 28), None, adam()),
        task(lenet, (1, 28, 28), losses.CrossEntropyLoss(label_smoothing=0.1), adam(amsgrad=True), np.int32),
        task(small, (1, 2, 3), None, sgd(momentum=0.9, nesterov=True), np.uint8),
        task(small, (6,), losses.MSELoss(), optimizers.AdamW(), None),
        task(small, (6,), losses.BCEWithLogitsLoss(), None, None),
        task(small, (6,), losses.CrossEntropyLoss(), None, None),
        task(small, (6,), losses.HuberLoss(), None, "one-hot"),
        task(small_behind(layers.Sigmoid()), (6,), losses.BCELoss(), None, None),
        *(
            task(small_behind(layers.Softmax(1)), (6,), losses.CrossEntropyLoss(from_logits=False), None, labels)
            for labels in (np.int64, np.int32, np.uint8)
        ),
        task(features, (1, 3, 2), losses.MSELoss(), None, None),
        task(activations, (6,)),
        task(flat, (1, 3, 2), losses.MSELoss(), None, None),
        task(flat, (1, 3, 2), losses.MSELoss(), optimizers.RMSprop(), None),
        task(flat, (1, 3, 2), losses.MSELoss(), optimizers.Adagrad(), None),
        task(residual, (3, 16, 16), None, sgd(momentum=0.9)),
        task(grouped, (4, 13, 13)),
        task(depthwise, (4, 8, 8)),
        task(inception, (1, 6, 6)),
        task(channels_last, (6, 5, 2)),
        task(pools, (2, 20, 20)),
        task(responses, (2, 6, 6)),
        task(one_axis, (2, 35)),
        *(task(softmaxes, (2, 6, 6), losses.NLLLoss(), None, labels) for labels in (np.int64, np.int32, np.uint8)),
        task(planes, (2, 6, 6), losses.NLLLoss()),
        task(planes, (2, 6, 6), losses.CrossEntropyLoss()),
        task(planes, (2, 6, 6), losses.CrossEntropyLoss(), None, None),
        task(planes, (2, 6, 6), losses.MSELoss(), None, None),
        task(planes, (2, 6, 6), losses.BCEWithLogitsLoss(), None, None),
        all_tiles,
    ]
