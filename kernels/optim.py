"""Optimizer updates over flat arrays, in place, in one pass over memory.

    sgd_update (param, grad, velocity, lr, momentum, dampening, weight_decay, nesterov, first)
    adam_update(param, grad, m, v, vmax, lr, beta1, beta2, eps, weight_decay, step, decoupled, amsgrad)

Formulas and their order are those of torch.optim.SGD, Adam and AdamW, so that trajectories agree to rounding.
"""

import math

from ._kernel import kernel

_over_elements = {
    "items": lambda param, *_: param.size,
    "chunk": lambda *_: 8192,
    "cost": lambda param, *_: param.nbytes // 16,
}


def sgd_update(param, grad, velocity, lr, momentum, dampening, weight_decay, nesterov, first):
    """One step of stochastic gradient descent, with momentum unless `momentum` is 0.

    g = grad + weight_decay * param
    velocity = g in the first step, then momentum * velocity + (1 - dampening) * g
    param -= lr * g without momentum, lr * velocity with it, lr * (g + momentum * velocity) if nesterov

    Parameters
    ----------
    param : (size,)
        Updated in place.
    grad : (size,)
    velocity : (size,)
        Updated in place, only written in the first step; may have length 0 if momentum is 0.
    lr, momentum, dampening, weight_decay : float
    nesterov, first : int
        0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> param, velocity = np.array([1.0]), np.array([2.0])
    >>> sgd_update(param, np.array([4.0]), velocity, 0.5, 0.5, 0.0, 0.0, 0, 0)
    >>> float(velocity[0]), float(param[0])
    (5.0, -1.5)
    """
    if momentum == 0:
        _sgd(param, grad, float(lr), float(weight_decay))
    else:
        numbers = map(float, (lr, momentum, 1 - dampening, weight_decay))
        _sgd_momentum(param, grad, velocity, *numbers, int(nesterov), int(first))


@kernel(**_over_elements)
def _sgd(param, grad, lr, weight_decay, first, last):
    param, grad = param[first:last], grad[first:last]
    rate, decay = param.dtype.type(lr), param.dtype.type(weight_decay)
    for i in range(param.size):
        param[i] -= rate * (grad[i] + decay * param[i])


@kernel(**_over_elements)
def _sgd_momentum(param, grad, velocity, lr, momentum, intake, weight_decay, nesterov, start, first, last):
    param, grad, velocity = param[first:last], grad[first:last], velocity[first:last]
    dtype = param.dtype.type
    rate, inertia, share, decay = dtype(lr), dtype(momentum), dtype(intake), dtype(weight_decay)
    for i in range(param.size):
        g = grad[i] + decay * param[i]
        moving = g if start else inertia * velocity[i] + share * g
        velocity[i] = moving
        param[i] -= rate * (g + inertia * moving if nesterov else moving)


def adam_update(param, grad, m, v, vmax, lr, beta1, beta2, eps, weight_decay, step, decoupled, amsgrad):
    """One step of Adam, or of AdamW if `decoupled`.

    g = grad + weight_decay * param; decoupled: g = grad, and first param *= 1 - lr * weight_decay
    m = m + (1 - beta1) * (g - m);   v = beta2 * v + (1 - beta2) * g * g;   amsgrad: vmax = max(vmax, v)
    param -= lr / (1 - beta1**step) * m / (sqrt(v or vmax) / sqrt(1 - beta2**step) + eps)

    Parameters
    ----------
    param : (size,)
        Updated in place.
    grad : (size,)
    m, v : (size,)
        Updated in place.
    vmax : (size,)
        Updated in place; may have length 0 unless amsgrad.
    lr, beta1, beta2, eps, weight_decay : float
    step : int
        Counts from 1.
    decoupled, amsgrad : int
        0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> param, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> adam_update(param, np.array([4.0]), m, v, np.empty(0), 0.5, 0.9, 0.99, 0.0, 0.0, 1, 0, 0)
    >>> float(param[0])  # the first step has length lr
    0.5
    """
    rate = lr / (1 - beta1**step)
    root = math.sqrt(1 - beta2**step)
    decay, shrink = (0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1)
    numbers = map(float, (rate, root, 1 - beta1, beta2, 1 - beta2, eps, decay, shrink))
    if amsgrad:
        _adam_amsgrad(param, grad, m, v, vmax, *numbers)
    else:
        _adam(param, grad, m, v, *numbers)


@kernel(**_over_elements)
def _adam(param, grad, m, v, rate, root, intake, beta2, intake2, eps, decay, shrink, first, last):
    param, grad, m, v = param[first:last], grad[first:last], m[first:last], v[first:last]
    dtype = param.dtype.type
    rate, root, eps, decay, shrink = dtype(rate), dtype(root), dtype(eps), dtype(decay), dtype(shrink)
    intake, beta2, intake2 = dtype(intake), dtype(beta2), dtype(intake2)
    for i in range(param.size):
        g = grad[i] + decay * param[i]
        m[i] += intake * (g - m[i])
        v[i] = beta2 * v[i] + intake2 * g * g
        param[i] = shrink * param[i] - rate * m[i] / (math.sqrt(v[i]) / root + eps)


@kernel(**_over_elements)
def _adam_amsgrad(param, grad, m, v, vmax, rate, root, intake, beta2, intake2, eps, decay, shrink, first, last):
    param, grad, m, v, vmax = param[first:last], grad[first:last], m[first:last], v[first:last], vmax[first:last]
    dtype = param.dtype.type
    rate, root, eps, decay, shrink = dtype(rate), dtype(root), dtype(eps), dtype(decay), dtype(shrink)
    intake, beta2, intake2 = dtype(intake), dtype(beta2), dtype(intake2)
    for i in range(param.size):
        g = grad[i] + decay * param[i]
        m[i] += intake * (g - m[i])
        v[i] = beta2 * v[i] + intake2 * g * g
        vmax[i] = vmax[i] if v[i] <= vmax[i] else v[i]  # this way round NaN comes through
        param[i] = shrink * param[i] - rate * m[i] / (math.sqrt(vmax[i]) / root + eps)
