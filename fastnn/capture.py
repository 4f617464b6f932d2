"""Small predictions, where calling the layers would take longer than their kernels.

    replay(network, x, batch_size)    the prediction, if a capture is there for it; else None
    learn(network, x, predict)        the prediction without one, and a capture for the next, where there can be one

A capture is the recording of one prediction: the kernels that ran, in a row, with the arrays they ran on. To predict again is
to copy x into the recording's input, run the row in one call, and copy its output. Parameters are read where they are, so new
values count; a change of the network itself is seen by `layers.changes`.

That is valid where all work between input and output is done by kernels, as in fastnn's own layers; a user's layer may
compute anything in Python. And each capture has to repeat, to the last bit, what the layers make of another input before it is
used.
"""

import functools
from typing import NamedTuple

import numpy as np

from . import kernels
from .kernels._threads import Recording, recording, run_alone
from .kernels.simd import lanes
from .layers import changes
from .layers.base import layers_reuse_buffers
from .layers.conv import _Conv
from .layers.pooling import _AdaptiveAvgPool, _Pool

LARGEST_BATCH = 8
"""Samples; with more, the layers' time in Python no longer counts, and a plan's blocks are full enough."""

CHEAP_MACS = 12_000_000
"""Multiply-adds of all samples, some 200 microseconds of one thread. Above, calls do not count, and a plan's kernels do a block
of 16 images in the time in which the layers' do 5 or 6. (The number of threads has no say: bits are the same for any.)"""

LARGEST_COSTLY_BATCH = 4
"""Samples, with more multiply-adds than these."""

_LARGEST_DENSE_BATCH = 2 * lanes(4) - 1
"""Samples of a network of dense layers alone: its products do without blocks as long as these would stay half empty."""

_SHAPES = 64  # for which a network keeps captures
_BYTES = 32 << 20  # that all captures of a network may take
_FAILURES = 3  # of captures of one shape: another thread may have written parameters meanwhile
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.uint8))


class _Capture(NamedTuple):
    """The recording of a prediction. One thread at a time may use it."""

    x: np.ndarray
    out: np.ndarray
    chain: int
    scratch: int
    recording: Recording


class _Captures:
    """Captures of a network, as long as it stays what it was.

    `idle` has those that no thread is using at the moment, by shape and dtype of x. To take one is to pop it, to give it back
    is to append it: either happens at once, without a lock.
    """

    def __init__(self, network):
        self.count = changes.count()
        self.signature = changes.signature(network)
        self.possible = _only_kernels(network)
        planes = any(isinstance(layer, (_Conv, _Pool, _AdaptiveAvgPool)) for _, layer in network.walk())
        self.largest = LARGEST_BATCH if planes else _LARGEST_DENSE_BATCH
        self.largest_costly = LARGEST_COSTLY_BATCH if planes else _LARGEST_DENSE_BATCH
        self.macs = {}  # of a sample, by its shape
        self.idle, self.seen, self.failures = {}, set(), {}
        self.bytes = 0

    def is_small(self, network, x):
        """Whether the kernels of the layers are faster for x than a plan, whose blocks it leaves almost empty."""
        if not self.possible or len(x) > self.largest:
            return False
        return len(x) <= self.largest_costly or len(x) * self._macs_of(network, x.shape[1:]) <= CHEAP_MACS

    def _macs_of(self, network, shape):
        """Multiply-adds of one sample."""
        macs = self.macs.get(shape)
        if macs is None:
            try:
                macs = network.macs(shape)
            except (TypeError, ValueError):
                return CHEAP_MACS  # x does not fit the network, and whoever predicts says why
            if len(self.macs) < _SHAPES:
                self.macs[shape] = macs
        return macs

    def still_valid(self, network):
        """Whether the network is what it was, in spite of changes somewhere."""
        count = changes.count()
        if self.signature != changes.signature(network):
            return False
        self.count = count
        return True

    def add(self, key, network, x, predict):
        """Make a capture for arrays like x, and keep it if it may be used and there is room."""
        capture = _record(network, x, predict)
        size = self.size(capture)
        if self.bytes + size > _BYTES:
            self.failures[key] = _FAILURES  # nor will it fit another time
        elif not _repeats(capture, network, predict):
            self.failures[key] = self.failures.get(key, 0) + 1
        elif self.count == changes.latest or self.still_valid(network):
            self.bytes += size
            self.idle.setdefault(key, []).append(capture)

    def size(self, capture):
        """Bytes that a capture keeps besides the network's own arrays."""
        arrays = [arg for args in capture.recording.kept for arg in args if isinstance(arg, np.ndarray)]
        sizes = {id(_owner(array)): _owner(array).nbytes for array in arrays}
        for array in self.signature.held:
            if isinstance(array, np.ndarray):
                sizes.pop(id(_owner(array)), None)
        return sum(sizes.values())


def replay(network, x, batch_size):
    """The prediction for x, as a new array, by a capture that is there for such a network and x; None without one.

    Parameters
    ----------
    network : Layer
    x : anything
    batch_size : anything
    """
    captures = network._captures
    if captures is None or type(x) is not np.ndarray or kernels.active() is not kernels:
        return None
    if captures.count != changes.latest and not captures.still_valid(network):
        return None
    if type(batch_size) is not int or x.shape[:1] > (batch_size,):
        return None
    try:
        idle = captures.idle[x.shape, x.dtype]
        capture = idle.pop()
    except (KeyError, IndexError):
        return None
    own, result, chain, scratch, recorded = capture
    own[...] = x
    if recorded.parallel:
        recorded.run()
    else:
        run_alone(chain, scratch)  # as recorded.run() does, without the way there
    out = result.copy()
    idle.append(capture)
    return out


def learn(network, x, predict):
    """The prediction for x by the layers, and a capture for the next ones if x's shape is no longer new.

    Parameters
    ----------
    network : Layer
    x : (N, ...) array
    predict : callable
        ``predict(network, x)``, by calling the layers.

    Returns
    -------
    array or None
        None where a plan is the better way, or there can be no captures: nothing has been computed.

    Raises
    ------
    TypeError, ValueError
        From `predict`, if x does not fit the network.
    """
    if not (0 < len(x) <= _LARGEST_DENSE_BATCH and x.size and x.dtype in _DTYPES and kernels.active() is kernels):
        return None
    captures = network._captures
    if captures is None or (captures.count != changes.latest and not captures.still_valid(network)):
        captures = network._captures = _Captures(network)
    if not captures.is_small(network, x) or layers_reuse_buffers():
        return None
    key = x.shape, x.dtype
    out = predict(network, x)
    if key not in captures.seen:
        if len(captures.seen) < _SHAPES:
            captures.seen.add(key)  # once is no habit
    elif captures.failures.get(key, 0) < _FAILURES and not captures.idle.get(key):
        captures.add(key, network, x, predict)
    return out


def _record(network, x, predict):
    """A capture for arrays like x, not yet tried."""
    own = np.array(x, order="C")
    with recording() as recorded:
        out = predict(network, own)
    recorded.close()
    return _Capture(own, out, recorded.chain, recorded.scratch, recorded)


def _repeats(capture, network, predict):
    """Whether a capture repeats what `predict` does, for another x."""
    own, rng = capture.x, np.random.default_rng(0)
    own[...] = rng.integers(0, 256, own.shape) if own.dtype == np.uint8 else rng.standard_normal(own.shape)
    capture.recording.run()
    return capture.out.tobytes() == predict(network, own.copy()).tobytes()


def _owner(array):
    return array if array.base is None else array.base


@functools.cache
def _known_layers():
    """The layers whose forward pass without training is done by kernels alone."""
    from . import layers as own

    names = "AdaptiveAvgPool1d AdaptiveAvgPool2d AvgPool1d AvgPool2d BatchNorm1d BatchNorm2d Concat Conv1d Conv2d Dense"
    names += " Dropout ELU Flatten GELU GroupNorm Hardtanh Identity LPPool1d LPPool2d LayerNorm LeakyReLU LocalResponseNorm"
    names += " LogSoftmax MaxPool1d MaxPool2d Permute ReLU ReLU6 Reshape Residual Sequential SiLU Sigmoid Softmax Softplus Tanh"
    return frozenset(getattr(own, name) for name in names.split())


def _only_kernels(network):
    """Whether all of a prediction's work is done by compiled kernels."""
    for _, layer in network.walk():
        kind = type(layer)
        if kind not in _known_layers() or layer.kernels is not kernels:
            return False
        if any(getattr(layer, "_behind", ())):  # a convolution that appends zeros in Python
            return False
        if any(callable(getattr(kind, name, None)) for name in vars(layer)):  # a method replaced in this one object
            return False
    return True
