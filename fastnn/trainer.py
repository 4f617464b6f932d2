"""Training and prediction, batch by batch.

    Trainer(network, loss, optimizer, seed=None)      .step  .fit  .evaluate  .predict
    predict (network, x, batch_size)                  predictions for a data set
    evaluate(network, x, y, batch_size, loss)         loss and accuracy on a data set

A data set is an array whose axis 0 counts samples: floats of the network's dtype, or uint8 images. Those become floats
in 0..1 in each batch; the data set itself is never copied.
"""

import copy
import math
import time

import numpy as np

from . import capture
from . import kernels as _kernels
from ._interrupts import InterruptsHeld
from .data.augment import Augment
from .history import History
from .layers import Identity, Permute, Sequential, changes
from .layers.base import Layer, call_backward
from .layers.checks import as_bool, as_int
from .losses import CrossEntropyLoss
from .losses.base import ElementLoss
from .optimizers import Adam
from .plan import Unsupported, settings
from .progress import Progress
from .targets import Targets, count_hits

UINT8_SCALE, UINT8_SHIFT = 1 / 255, 0.0
_SHUFFLE, _LAYERS, _AUGMENT = 0, 1, 2  # separate random streams drawn from one seed
_AT_ONCE = 1 << 20  # elements of predictions that `evaluate` has in memory, unless a batch has more


class Trainer:
    """Trains a network; owns what a resumed run needs: optimizer state, epoch, position in the shuffle, random state.

    Parameters
    ----------
    network : Layer
    loss : Loss
        With a reduction to one number; None is `CrossEntropyLoss()`.
    optimizer : Optimizer
        None is `Adam()`.
    seed : int, optional
        Makes a run repeatable bit for bit: seeds the shuffling, and reseeds the layers that draw random numbers
        (dropout). Without one the shuffling is seeded from fresh entropy and layers keep their generators.

    Attributes
    ----------
    epoch : int
        Epochs finished.
    position : int
        Samples of the current epoch's shuffle that are done; not 0 only where a run was interrupted.
    seed : int
    stop : bool
        A callback sets it to True to end `fit` after this epoch.
    history : History
        Of the last, or current, `fit`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((256, 2), dtype=np.float32)
    >>> y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    >>> net = fnn.Sequential(fnn.Dense(2, 16, rng=1), fnn.Tanh(), fnn.Dense(16, 2, rng=2))
    >>> trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.Adam(lr=0.05), seed=3)
    >>> history = trainer.fit(x, y, epochs=20, progress=False)
    >>> history["loss"][0] > 0.5 > 0.2 > history["loss"][-1]
    True
    >>> trainer.evaluate(x, y)["accuracy"] > 0.95
    True
    """

    def __init__(self, network, loss, optimizer, *, seed=None):
        if not isinstance(network, Layer):
            raise TypeError(f"Trainer: expected network to be a fastnn layer, got {network!r:.80}")
        loss = CrossEntropyLoss() if loss is None else loss
        optimizer = Adam() if optimizer is None else optimizer
        _check_loss("Trainer", loss)
        if isinstance(optimizer, type) or not callable(getattr(optimizer, "update", None)):
            raise TypeError(f"Trainer: expected optimizer to have update(params, grads), got {optimizer!r:.80}")
        self.network, self.loss, self.optimizer = network, loss, optimizer
        network._trained_with = loss  # what evaluate(network, x, y) measures from now on
        self.epoch = self.position = 0
        self.stop = False
        self.history = History()
        if seed is None:
            self.seed = np.random.SeedSequence().entropy
        else:
            self.seed = as_int(seed, "Trainer: seed", 0)
            for i, (_, layer) in enumerate(random_layers(network)):
                layer.rng = self._generator(_LAYERS, i)

    def __setattr__(self, name, value):
        if name in ("network", "loss", "optimizer"):
            self.__dict__.update(_plan=None, _planned_step=None, _refused=None, _output_shapes={})
        object.__setattr__(self, name, value)

    def _generator(self, *stream):
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=stream))

    def _order(self, samples):
        """The current epoch's shuffle: a function of seed, epoch and length, so that a resumed run finds it again."""
        return self._generator(_SHUFFLE, self.epoch).permutation(samples)

    # --- one step

    def step(self, x, y):
        """One training step on a batch: forward, loss, backward, update.

        Parameters
        ----------
        x : (N, ...) of the network's dtype, or uint8
        y : target as the loss takes it

        Returns
        -------
        float
            The loss before the update. A diverged one is NaN or infinite; it raises nothing.

        Raises
        ------
        TypeError, ValueError
            For data that does not fit the network or the loss; parameters are unchanged then.

        Examples
        --------
        >>> import numpy as np, fastnn as fnn
        >>> net = fnn.Sequential(fnn.Dense(1, 1, dtype=np.float64, rng=0))
        >>> trainer = fnn.Trainer(net, fnn.MSELoss(), fnn.SGD(lr=0.1))
        >>> x = np.array([[1.0], [2.0]])
        >>> trainer.step(x, 3 * x) > trainer.step(x, 3 * x)
        True
        """
        planned_step = self._planned_step
        if planned_step is not None:
            value = planned_step(x, y)
            if value is not None:
                return value
        return self._checked_step(x, y)

    def _checked_step(self, x, y):
        """A step on a batch unlike the last one, or without a plan."""
        x, y = _data_set("Trainer.step", x, y)
        y = Targets(y).for_step(self.loss, self._check_step(x, y)).values
        plan = self._plan_for(x, y, len(x))
        if plan is not None and plan.can_take(len(x)):
            self._planned_step = plan.stepper(x.shape, y.shape)
            value = self._planned_step(*plan.convert(x, y))
            if value is not None:
                return value
        with _kernels_of(self.network):
            if x.dtype == np.uint8:
                x = _Batches(x, self.network, len(x)).take(0, len(x))
            return self._step(x, y)

    def _plan_for(self, x, y, size, augmented=False, hits=None):
        """The compiled plan for batches of up to `size` samples and targets like these; None if there can be none."""
        network = self.network
        if not settings.current().plan or network.kernels is not _kernels or _kernels.active() is not _kernels:
            return None
        from .plan.training import TrainingPlan  # only here: it imports many kernels, and without Numba there are none

        plan = self._plan
        if plan is not None and plan.is_current() and plan.fits(x, y, size, augmented, hits):
            return plan
        refused = x.shape[1:], x.dtype, y.shape[1:], y.dtype, changes.count(), settings.current()
        if refused == self._refused:
            return None
        self._plan = self._planned_step = None  # its memory goes before that of the new one comes
        try:
            self._plan = TrainingPlan(network, self.loss, self.optimizer, x, y, size, augmented=augmented, hits=hits)
        except Unsupported:
            self._refused = refused
        return self._plan

    def _check_step(self, x, y):
        """`_check_fit`, with the output shape remembered: working it out costs as much as a small layer."""
        shape = self._output_shapes.get(x.shape[1:])
        if shape is not None:
            try:
                self.loss.check((len(x), *shape), y)
                return shape
            except (TypeError, ValueError):
                pass  # unless the network has changed since
        shape = _check_fit(self.network, self.loss, x, y)
        if shape is not None and hasattr(self.loss, "check"):
            self._output_shapes[x.shape[1:]] = shape
        return shape

    def _step(self, x, y, meter=None):
        prediction = self.network.forward(x, training=True)
        value = self.loss.forward(prediction, y)
        if meter is not None:
            meter.add(value, self.loss, prediction, y)
        call_backward(self.network, self.loss.backward(), need_dx=False)
        params = getattr(self.network, "flat_params", None)
        if params is None:
            self.optimizer.update(self.network.params, self.network.grads)
        elif params.size:
            self.optimizer.update(params, self.network.flat_grads)
        return value

    # --- epochs

    def fit(
        self,
        x,
        y,
        *,
        epochs=1,
        batch_size=32,
        validation_data=None,
        callbacks=(),
        progress=True,
        shuffle=True,
        drop_last=False,
        augment=None,
    ):
        """Train for some epochs. After an interrupt (Ctrl-C) the next call first finishes the epoch that was cut short.

        Parameters
        ----------
        x : (N, ...) of the network's dtype, or uint8
        y : (N, ...)
            Whatever the loss takes. Accuracies are reported where that is class indices, or one-hot throughout (N, C), or
            nothing but 0 and 1 for a binary loss of one output.
        epochs, batch_size : int
        validation_data : (x, y), optional
            Evaluated after each epoch.
        callbacks : iterable of callable
            Called as ``callback(trainer, logs)`` after each epoch. `logs` is the epoch's entry in the history: what a
            callback adds to it stays there. ``trainer.stop = True`` ends the run.
        progress : bool
            Show a bar for each epoch on standard error.
        shuffle : bool
            A new order every epoch.
        drop_last : bool
            Leave out a last batch that is smaller than the others, instead of using it.
        augment : fastnn.data.Augment, optional
            Random crops and mirror images of the samples (C, H, W), drawn anew every epoch from its seed, or from the
            trainer's if it has none.

        Returns
        -------
        History

        Raises
        ------
        TypeError, ValueError
            For empty data, lengths that differ, labels out of range, and arguments that make no sense.

        Examples
        --------
        >>> import numpy as np, fastnn as fnn
        >>> images = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), np.uint8)
        >>> labels = np.arange(50) % 10
        >>> net = fnn.Sequential(fnn.Flatten(), fnn.Dense(64, 10, rng=0))
        >>> trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
        >>> history = trainer.fit(images, labels, epochs=2, progress=False)
        >>> list(history.columns)
        ['epoch', 'loss', 'accuracy', 'images_per_second', 'seconds']
        """
        x, y = _data_set("Trainer.fit", x, y)
        epochs = as_int(epochs, "Trainer.fit: epochs", 1)
        batch_size = as_int(batch_size, "Trainer.fit: batch_size", 1)
        progress, shuffle = as_bool(progress, "Trainer.fit: progress"), as_bool(shuffle, "Trainer.fit: shuffle")
        drop_last = as_bool(drop_last, "Trainer.fit: drop_last")
        end = len(x) - len(x) % batch_size if drop_last else len(x)
        if end == 0:
            raise ValueError(f"Trainer.fit: no batch of batch_size={batch_size} in {len(x)} samples with drop_last=True")
        shape = _check_fit(self.network, self.loss, x, y)
        if augment is not None:
            if not isinstance(augment, Augment):
                raise TypeError(f"Trainer.fit: expected augment to be a fastnn.data.Augment, got {augment!r:.80}")
            augment.check("Trainer.fit", x)
            _check_channels_first(self.network)
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
                raise TypeError("Trainer.fit: expected validation_data to be a pair (x, y)")
            validation_data = _data_set("Trainer.fit: validation_data", *validation_data)
            _check_fit(self.network, self.loss, *validation_data)
        if callable(callbacks) or not all(map(callable, callbacks := tuple(callbacks))):
            raise TypeError("Trainer.fit: expected callbacks to be a list of functions of (trainer, logs)")

        self.stop = False
        history = self.history = History()
        last = self.epoch + epochs
        batches = _Batches(x, self.network, min(batch_size, len(x)), augment)
        given = Targets(y)
        with _kernels_of(self.network):
            while self.epoch < last and not self.stop:
                bar, figures = Progress(progress, f"epoch {self.epoch + 1}/{last}", end, self.position % end), {}
                try:
                    targets = given.for_loss(self.loss, shape)
                    figures, rates = self._epoch(batches, targets, end, batch_size, shuffle, bar)
                    if validation_data is not None:
                        found = evaluate(self.network, *validation_data, batch_size=batch_size, loss=self.loss)
                        figures |= {f"val_{name}": value for name, value in found.items()}
                finally:
                    bar.close(figures)
                logs = {"epoch": self.epoch, **figures, **rates}
                history.epochs.append(logs)
                for callback in callbacks:
                    callback(self, logs)
        return history

    def _epoch(self, batches, targets, end, batch_size, shuffle, bar):
        """Train on the samples of the shuffle from `position` to `end`; returns the epoch's figures and rates."""
        y = targets.values
        order = self._order(len(y)) if shuffle else None
        if batches.augment is not None:
            batches.draws = batches.augment.draw_epoch(len(y), self.epoch, self._generator(_AUGMENT, self.epoch))
        first = self.position = self.position if self.position < end else 0
        meter = _Meter(targets)
        start = time.perf_counter()
        plan = self._plan_for_epoch(batches, targets, order, end - first, batch_size)
        figures = meter.figures if plan is None else lambda: plan.figures(meter)
        try:
            with InterruptsHeld() as interrupts:
                while self.position < end:
                    interrupts.let_through()
                    low = self.position
                    if plan is not None:
                        self.position = plan.advance(low, end, batch_size, meter)
                    else:
                        self.position = self._advance(batches, y, order, low, min(low + batch_size, end), meter)
                    bar.advance(self.position - low, figures)
                seconds = time.perf_counter() - start
                self.epoch, self.position = self.epoch + 1, 0
        except Exception:
            self.position = 0  # only an interrupted epoch is worth finishing, not one that failed
            raise
        finally:
            if plan is not None:
                plan.end()
        return figures(), {"images_per_second": (end - first) / max(seconds, 1e-9), "seconds": seconds}

    def _advance(self, batches, y, order, low, high, meter):
        """Train layer by layer on one batch of the shuffle; returns `high`."""
        if order is None:
            self._step(batches.take(low, high), y[low:high], meter)
        else:
            index = order[low:high]
            self._step(batches.gather(index), y[index], meter)
        return high

    def _plan_for_epoch(self, batches, targets, order, samples, batch_size):
        """The plan, with the epoch's data; None if there can be none."""
        x, y, last = batches.x, targets.values, samples % batch_size or batch_size
        if batches.rows is None:
            return None
        hits = targets.hits(self.loss, y.shape) if isinstance(self.loss, ElementLoss) else None  # others count by themselves
        plan = self._plan_for(x, y, min(batch_size, samples), batches.draws is not None, hits)
        if plan is None or not plan.can_take(min(last, samples)):
            return None
        plan.begin(x, np.ascontiguousarray(y, plan.target_dtype), order, batches.draws)
        return plan

    # --- without training

    def evaluate(self, x, y, batch_size=256):
        """Loss and accuracy on a data set; see `evaluate`."""
        return evaluate(self.network, x, y, batch_size=batch_size, loss=self.loss)

    def predict(self, x, batch_size=256):
        """Predictions for a data set; see `predict`."""
        return predict(self.network, x, batch_size=batch_size)

    # --- resuming

    def state_dict(self):
        """Everything that a resumed run needs, as plain data and copies of arrays.

        Returns
        -------
        dict
            "epoch", "position", "seed", "network", "optimizer", "generators".
        """
        return {
            "epoch": self.epoch,
            "position": self.position,
            "seed": self.seed,
            "network": {name: array.copy() for name, array in self.network.state_dict().items()},
            "optimizer": self.optimizer.state_dict(),
            "generators": {name: layer.rng.bit_generator.state for name, layer in random_layers(self.network)},
        }

    def load_state_dict(self, state_dict):
        """Continue where the trainer stood that gave `state_dict`, one with such a network, loss and optimizer.

        Raises
        ------
        TypeError, ValueError, KeyError
            If it does not belong to such a trainer.
        """
        expected = ("epoch", "position", "seed", "network", "optimizer", "generators")
        if not isinstance(state_dict, dict) or set(state_dict) != set(expected):
            raise ValueError(f"Trainer: expected a dict with {', '.join(expected)}, as state_dict gives it")
        numbers = [as_int(state_dict[name], f"Trainer: {name}", 0) for name in ("epoch", "position", "seed")]
        generators, layers = state_dict["generators"], dict(random_layers(self.network))
        if set(generators) != set(layers):
            raise ValueError(f"Trainer: expected generators of the layers {sorted(layers)}, got {sorted(generators)}")
        self.network.load_state_dict(state_dict["network"])
        self.optimizer.load_state_dict(state_dict["optimizer"])
        for name, layer in layers.items():
            layer.rng.bit_generator.state = generators[name]
        self.epoch, self.position, self.seed = numbers

    def __getstate__(self):
        # A plan is addresses: copies make their own.
        return {**self.__dict__, "_plan": None, "_planned_step": None, "_refused": None}

    def __repr__(self):
        return f"Trainer({type(self.network).__name__}, {self.loss!r}, {self.optimizer!r}, epoch={self.epoch})"


def predict(network, x, batch_size=256):
    """Predictions for a data set. Any number of threads may call it at once.

    Parameters
    ----------
    network : Layer
    x : (N, ...) of the network's dtype, or uint8
    batch_size : int
        Samples at a time: bounds the memory, not the result.

    Returns
    -------
    (N, ...) array
        A new one.

    Raises
    ------
    TypeError, ValueError
        If x does not fit the network.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> net = fnn.Sequential(fnn.ReLU())
    >>> predict(net, np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    >>> predict(net, np.array([[0, 255]], np.uint8))
    array([[0., 1.]], dtype=float32)
    """
    out = capture.replay(network, x, batch_size)
    if out is not None:
        return out
    x = _inputs("predict", x)
    batch_size = as_int(batch_size, "predict: batch_size", 1)
    N = len(x)
    out = capture.learn(network, x, _predict_at_once) if batch_size >= N else None
    if out is not None:
        return out
    out = _predict_by_plan(network, x)
    if out is not None:
        return out
    if batch_size >= N:
        return _predict_at_once(network, x)
    batches, out = _Batches(x, network, batch_size), None
    for low in range(0, N, batch_size):
        high = min(low + batch_size, N)
        part = network.forward(batches.take(low, high))
        if out is None:
            out = np.empty((N, *part.shape[1:]), part.dtype)
        out[low:high] = part
    return out


def _predict_by_plan(network, x):
    """The prediction by a compiled plan; None where there can be none."""
    if not settings.current().plan or network.kernels is not _kernels or _kernels.active() is not _kernels:
        return None
    from .plan.prediction import predict  # only here: it imports many kernels, and without Numba there are none

    return predict(network, x)


def _predict_at_once(network, x):
    out = network.forward(_Batches(x, network, len(x)).take(0, len(x)))
    return out.copy() if np.may_share_memory(out, x) else out


def evaluate(network, x, y, batch_size=256, loss=None):
    """Loss, and accuracy where targets are classes, of a network on a data set.

    The loss is that of the whole data set: for the mean, batches count by what they divide by. Any number of threads
    may call it at once.

    Parameters
    ----------
    network : Layer
    x : (N, ...) of the network's dtype, or uint8
    y : (N, ...)
        Class indices, one-hot or whatever the loss takes.
    batch_size : int
    loss : Loss, optional
        Default: that of the network's last Trainer, else `CrossEntropyLoss()`.

    Returns
    -------
    dict
        "loss" and, where y is class indices, or one-hot throughout (N, C), "accuracy": the share of labels (but ignored
        ones) with the largest prediction. For a `BCELoss` or `BCEWithLogitsLoss` of one output and a y of nothing but 0 and
        1, the share of samples on the right side of 0.5, or of the logit 0.

    Raises
    ------
    TypeError, ValueError
        For empty data, lengths that differ, labels out of range.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> net = fnn.Sequential(fnn.ReLU())
    >>> evaluate(net, np.array([[0.0, 9.0], [0.0, 9.0]]), np.array([1, 0]))
    {'loss': 4.5001..., 'accuracy': 0.5}
    """
    x, y = _data_set("evaluate", x, y)
    batch_size = as_int(batch_size, "evaluate: batch_size", 1)
    if loss is None:
        loss = getattr(network, "_trained_with", None) or CrossEntropyLoss()
    _check_loss("evaluate", loss)
    shape = _check_fit(network, loss, x, y)
    loss = copy.copy(loss)  # a forward leaves its traces in the loss; a training step may be between two of its own
    targets = Targets(y).for_loss(loss, shape)
    y, meter = targets.values, _Meter(targets)
    with _kernels_of(network):
        for low, high, prediction in _predictions(network, x, batch_size, shape):
            meter.add(loss.forward(prediction, y[low:high]), loss, prediction, y[low:high])
    return meter.figures()


def _predictions(network, x, batch_size, shape):
    """(low, high, prediction) for batch after batch; a plan predicts many batches at once. `shape` of a prediction, or None."""
    size = math.prod(shape) if shape is not None else 0
    batches = _Batches(x, network, min(len(x), batch_size))
    many = max(1, _AT_ONCE // max(1, batch_size * size)) * batch_size
    for start in range(0, len(x), many):
        some = _predict_by_plan(network, x[start : start + many])
        for low in range(start, min(start + many, len(x)), batch_size):
            high = min(low + batch_size, len(x))
            part = network.forward(batches.take(low, high)) if some is None else some[low - start : high - start]
            yield low, high, part


def random_layers(network):
    """(name, layer) of every layer in `network` that draws random numbers, in order."""
    return [(name, layer) for name, layer in network.walk() if isinstance(getattr(layer, "rng", None), np.random.Generator)]


class _Batches:
    """Batches of a data set as the network takes them: floats are passed or gathered, uint8 images scaled to 0..1."""

    def __init__(self, x, network, batch_size, augment=None):
        self.x, self.scaled = x, x.dtype == np.uint8
        self.dtype = _float_dtype(network) if self.scaled else _native(x.dtype)
        self.kernels = network.kernels.image
        # The kernels read C-contiguous data; a view of other layout is gathered by NumPy, batch by batch all the same.
        self.rows = x.reshape(len(x), -1) if x.flags.c_contiguous and x.dtype.isnative and x.size else None
        self.size, self.buffer = batch_size, None
        self.augment, self.draws = augment, None  # draws for all samples, one set an epoch

    def _room(self, samples):
        if self.buffer is None:
            self.buffer = np.empty((self.size, *self.x.shape[1:]), self.dtype)
        return self.buffer[:samples]

    def take(self, low, high):
        """Samples low..high-1: floats as a view."""
        if self.draws is not None:
            return self._augmented(np.arange(low, high))
        part = self.x[low:high]
        if not self.scaled:
            return part
        out = self._room(high - low)
        if out.size:
            flat = np.asarray(part, order="C").reshape(-1)
            self.kernels.scale_uint8(out.reshape(-1), flat, UINT8_SCALE, UINT8_SHIFT)
        return out

    def gather(self, index):
        """The samples of `index` (int64)."""
        if self.draws is not None:
            return self._augmented(index)
        if self.rows is None and not self.scaled:
            return self.x[index]
        out = self._room(len(index))
        if out.size == 0:
            return out
        rows = out.reshape(len(index), -1)
        if not self.scaled:
            self.kernels.gather_rows(rows, self.rows, index)
        elif self.rows is not None:
            self.kernels.gather_rows_uint8(rows, self.rows, index, UINT8_SCALE, UINT8_SHIFT)
        else:
            self.kernels.scale_uint8(out.reshape(-1), self.x[index].reshape(-1), UINT8_SCALE, UINT8_SHIFT)
        return out

    def _augmented(self, index):
        """The samples of `index`, as drawn for each."""
        x, draws, out = self.x, self.draws, self._room(len(index))
        if out.size == 0:
            return out
        if self.rows is None:
            x, draws, index = x[index].astype(_native(x.dtype), order="C"), draws[index], np.arange(len(index))
        moved = np.empty(out.shape, np.uint8) if self.scaled else out
        self.kernels.gather_augmented(moved, x, index, draws)
        if self.scaled:
            self.kernels.scale_uint8(out.reshape(-1), moved.reshape(-1), UINT8_SCALE, UINT8_SHIFT)
        return out


class _Meter:
    """Running loss and accuracy over batches; `targets` of the whole data set say whether there is an accuracy."""

    def __init__(self, targets=None):
        self.targets = targets
        self.total = self.weight = 0.0
        self.mean = True
        self.hits = self.labels = 0
        self.counts_hits = False

    def add(self, value, loss, prediction, target):
        """Count a batch: its loss, and where targets are classes, how many the prediction meets."""
        self.mean = getattr(loss, "reduction", "mean") == "mean"
        weight = getattr(loss, "divisor", None) if self.mean else 1.0
        weight = float(len(prediction)) if weight is None else weight
        if weight:  # the mean over nothing, as of a batch of ignored labels, says nothing
            self.total += value * weight
            self.weight += weight
        kind = (self.targets or Targets(target)).hits(loss, prediction.shape)
        if kind is not None:
            self.counts_hits = True
            hits, labels = count_hits(kind, loss, prediction, target)
            self.hits, self.labels = self.hits + hits, self.labels + labels

    def figures(self):
        """{"loss": ..., "accuracy": ...}, the accuracy only where targets are classes."""
        loss = self.total if not self.mean else self.total / self.weight if self.weight else float("nan")
        if not self.counts_hits:
            return {"loss": loss}
        return {"loss": loss, "accuracy": self.hits / self.labels if self.labels else float("nan")}


def _kernels_of(network):
    """Context in which losses and optimizers run on the kernels that the network was told to use."""
    return _kernels.use(network.kernels)


def _float_dtype(network):
    """The dtype in which a network computes; float32 for one without parameters."""
    for _, layer in network.walk():
        if layer.dtype is not None:
            return np.dtype(layer.dtype)
        for param in layer.params.values():
            return param.dtype
    return np.dtype(np.float32)


def _native(dtype):
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def _inputs(where, x):
    x = np.asarray(x)
    if x.ndim == 0:
        raise ValueError(f"{where}: expected samples along axis 0, got x.shape=()")
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise TypeError(f"{where}: expected x to be uint8 or floats of the network's dtype, got x.dtype={x.dtype}")
    return x


def _data_set(where, x, y):
    """x and y as arrays of one length that is not 0."""
    x, y = _inputs(where, x), np.asarray(y)
    if y.ndim == 0 or len(x) != len(y):
        raise ValueError(f"{where}: expected x and y of one length, got x.shape={x.shape}, y.shape={y.shape}")
    if len(x) == 0:
        raise ValueError(f"{where}: expected at least one sample, got x.shape={x.shape}")
    return x, y


def _check_loss(where, loss):
    if isinstance(loss, type) or not all(callable(getattr(loss, name, None)) for name in ("forward", "backward")):
        raise TypeError(f"{where}: expected loss to have forward and backward, got {loss!r:.80}")
    if getattr(loss, "reduction", "mean") == "none":
        raise ValueError(f"{where}: expected a loss with reduction 'mean' or 'sum', got reduction='none'")


def _check_fit(network, loss, x, y):
    """Find what does not fit in shapes and labels before the first batch runs; returns the shape of one prediction."""
    try:
        shape = network.output_shape(x.shape[1:])
    except NotImplementedError:
        return None  # a user's layer without output_shape: its forward will tell
    if hasattr(loss, "check"):
        loss.check((len(x), *shape), y)
    return shape


def _check_channels_first(network):
    """Raise if the network itself brings the channels of images to the front: images are shifted before, along other axes."""
    inside = [network]
    while inside and isinstance(inside[0], (Sequential, Identity)):
        first, *rest = inside
        inside = [*first.children().values(), *rest] if first.is_network else rest
    if inside and isinstance(inside[0], Permute) and inside[0].dims[0] != 1:
        raise ValueError(
            f"Trainer.fit: augment shifts images of shape (N, C, H, W), but the network begins with {inside[0]!r}, which "
            "expects other axes; leave that layer out, and fit on x.transpose(0, 3, 1, 2) where channels come last"
        )
