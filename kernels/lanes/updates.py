"""Optimizer steps as records of a plan.   P parameters, flat.

    SGDUpdate, AdamUpdate,
    RMSpropUpdate, AdagradUpdate    records over the kernels of `optim`, and what changes them from step to step
    sum_sets                        total[begin + i] = sum_s sets[s, i]: one gradient of those of several chunks of blocks

A plan ends in two phases: ``[finish_loss, *update.prepare]``, one item, and ``[*sums, update.record]``, P items, `CHUNK` at a
time. There a chunk's gradients are summed where they are needed next and are still in the cache when the optimizer reads them.

The options of a step are arguments of `record`; `prepare` writes those that depend on how many steps cell STEPS counts.
"""

import math

import numpy as np

from .. import optim
from .._jit import jit
from .._kernel import kernel
from .._threads import BLOCKS, STEPS

CHUNK = 8192


@kernel()
def sum_sets(total, sets, begin, chunk, cells, first, last):
    """total[begin + i] = sum_s sets[s, i], in the order of s, over the chunks of blocks that the batch has.

    Items: all of `total`, whatever part of them the sets cover.
    """
    size = sets.shape[1]
    low, high = max(first - begin, 0), min(last - begin, size)
    if low >= high:
        return
    total, sets = total[begin + low : begin + high], sets.reshape(-1)
    part = sets[low:high]
    for i in range(total.size):
        total[i] = part[i]
    for s in range(1, (cells[BLOCKS] + chunk - 1) // chunk):
        part = sets[s * size + low : s * size + high]
        for i in range(total.size):
            total[i] += part[i]


@kernel()
def _start_sgd(start, cells, first, last):
    """Whether this is the first step, which makes the velocity."""
    start[0] = 1 if cells[STEPS] == 1 else 0


@jit(fastmath=False)
def _correct_bias(rates, lr, beta1, beta2, step):
    """The rate and root of `optim.adam_update`, to the same bits."""
    rates[0] = lr / (1 - beta1**step)
    rates[1] = math.sqrt(1 - beta2**step)


@kernel()
def _correct_adam(cells, rates, lr, beta1, beta2, first, last):
    """Bias corrections of this step."""
    _correct_bias(rates, lr, beta1, beta2, np.float64(cells[STEPS]))


@jit(fastmath=False)
def _decayed_rate(rate, lr, lr_decay, before):
    """The rate of `optim.adagrad_update`, to the same bits."""
    rate[0] = lr / (1 + before * lr_decay)


@kernel()
def _decay_rate(cells, rate, lr, lr_decay, first, last):
    """Rate of this step."""
    _decayed_rate(rate, lr, lr_decay, np.float64(cells[STEPS] - 1))


class SGDUpdate:
    """Records of `optim.sgd_update` for the steps that cell STEPS counts; the first of them makes the velocity.

    Parameters
    ----------
    param, grad : (P,)
    velocity : (P,), or (0,) without momentum
    cells : int64 array
    lr, momentum, dampening, weight_decay : float
    nesterov : int

    Attributes
    ----------
    prepare : list of records
        Over one item, to run once STEPS counts this step and before `record`.
    record : record
        Over the parameters, `CHUNK` at a time.
    """

    def __init__(self, param, grad, velocity, cells, lr, momentum, dampening, weight_decay, nesterov):
        self._kept = param, grad, velocity, cells
        self.momentum = momentum != 0
        if self.momentum:
            self.record = optim._sgd_momentum.phase((param, grad, velocity, 0.0, 0.0, 0.0, 0.0, 0, 0), param.size, CHUNK)
            self._switches = _last_words(self.record, 2, np.int64)
            self.prepare = [_start_sgd.phase((self._switches[1:], cells), 1)]
            self._numbers = _last_words(self.record, 6, np.float64)[:4]
        else:
            self.record = optim._sgd.phase((param, grad, 0.0, 0.0), param.size, CHUNK)
            self.prepare = []
            self._numbers = _last_words(self.record, 2, np.float64)
        self.set(lr, momentum, dampening, weight_decay, nesterov)

    def set(self, lr, momentum, dampening, weight_decay, nesterov):
        """Go on with other options.

        Raises
        ------
        ValueError
            If momentum comes or goes: that is another kernel.
        """
        if (momentum != 0) != self.momentum:
            raise ValueError("SGDUpdate: with and without momentum are different records")
        if self.momentum:
            self._numbers[:] = lr, momentum, 1 - dampening, weight_decay
            self._switches[0] = nesterov
        else:
            self._numbers[:] = lr, weight_decay


class AdamUpdate:
    """Records of `optim.adam_update`, its `step` what cell STEPS counts.

    Parameters
    ----------
    param, grad, m, v : (P,)
    vmax : (P,), or (0,) unless amsgrad
    cells : int64 array
    lr, beta1, beta2, eps, weight_decay : float
    decoupled, amsgrad : int

    Attributes
    ----------
    prepare, record
        As those of `SGDUpdate`.
    """

    def __init__(self, param, grad, m, v, vmax, cells, lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad):
        self._kept = param, grad, m, v, vmax, cells
        self.amsgrad = bool(amsgrad)
        update, state = (optim._adam_amsgrad, (m, v, vmax)) if amsgrad else (optim._adam, (m, v))
        self.record = update.phase((param, grad, *state, *[0.0] * 8), param.size, CHUNK)
        numbers = _last_words(self.record, 8, np.float64)
        self.prepare = [_correct_adam.phase((cells, numbers[:2], 0.0, 0.0, 0.0), 1)]
        self._numbers, self._corrected = numbers[2:], _last_words(self.prepare[0], 3, np.float64)
        self.set(lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad)

    def set(self, lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad):
        """Go on with other options.

        Raises
        ------
        ValueError
            If amsgrad is switched: that is another kernel.
        """
        if bool(amsgrad) != self.amsgrad:
            raise ValueError("AdamUpdate: with and without amsgrad are different records")
        decay, shrink = (0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1)
        self._corrected[:] = lr, beta1, beta2
        self._numbers[:] = 1 - beta1, beta2, 1 - beta2, eps, decay, shrink


class RMSpropUpdate:
    """Records of `optim.rmsprop_update`, which is the same in all steps.

    Parameters
    ----------
    param, grad, v : (P,)
    m : (P,), or (0,) unless centered
    velocity : (P,), or (0,) without momentum
    cells : int64 array
    lr, alpha, eps, weight_decay, momentum : float
    centered : int

    Attributes
    ----------
    prepare, record
        As those of `SGDUpdate`.
    """

    prepare = ()

    def __init__(self, param, grad, v, m, velocity, cells, lr, alpha, eps, weight_decay, momentum, centered):
        self._kept = param, grad, v, m, velocity
        self._arrays = bool(centered), momentum != 0
        self.record = optim._rmsprop.phase((*self._kept, *[0.0] * 6, 0, 0), param.size, CHUNK)
        self._numbers, self._switches = _last_words(self.record, 8, np.float64)[:6], _last_words(self.record, 2, np.int64)
        self.set(lr, alpha, eps, weight_decay, momentum, centered)

    def set(self, lr, alpha, eps, weight_decay, momentum, centered):
        """Go on with other options.

        Raises
        ------
        ValueError
            If `centered` is switched, or momentum comes or goes: that takes other arrays.
        """
        if (bool(centered), momentum != 0) != self._arrays:
            raise ValueError("RMSpropUpdate: centered or not, with and without momentum are different records")
        self._numbers[:] = lr, alpha, 1 - alpha, eps, weight_decay, momentum
        self._switches[:] = self._arrays


class AdagradUpdate:
    """Records of `optim.adagrad_update`, its `step` what cell STEPS counts.

    Parameters
    ----------
    param, grad, squares : (P,)
    cells : int64 array
    lr, lr_decay, eps, weight_decay : float

    Attributes
    ----------
    prepare, record
        As those of `SGDUpdate`.
    """

    def __init__(self, param, grad, squares, cells, lr, lr_decay, eps, weight_decay):
        self._kept = param, grad, squares, cells
        self.record = optim._adagrad.phase((param, grad, squares, 0.0, 0.0, 0.0), param.size, CHUNK)
        numbers = _last_words(self.record, 3, np.float64)
        self.prepare = [_decay_rate.phase((cells, numbers[:1], 0.0, 0.0), 1)]
        self._numbers, self._decay = numbers[1:], _last_words(self.prepare[0], 2, np.float64)
        self.set(lr, lr_decay, eps, weight_decay)

    def set(self, lr, lr_decay, eps, weight_decay):
        """Go on with other options."""
        self._decay[:] = lr, lr_decay
        self._numbers[:] = eps, weight_decay


def _last_words(record, count, dtype):
    """The last words of a record as an array that reads and writes them."""
    return np.frombuffer(record, dtype)[-count:]
