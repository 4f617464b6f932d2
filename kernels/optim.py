"""Optimizer updates over flat arrays, in place, in one pass over memory.

    sgd_update (param, grad, velocity, lr, momentum, dampening, weight_decay, nesterov, first)
    adam_update(param, grad, m, v, vmax, lr, beta1, beta2, eps, weight_decay, step, decoupled, amsgrad)
    rmsprop_update(param, grad, v, m, velocity, lr, alpha, eps, weight_decay, momentum, centered)
    adagrad_update(param, grad, squares, lr, lr_decay, eps, weight_decay, step)

Formulas and their order are those of torch.optim, so that trajectories agree to rounding.
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


def rmsprop_update(param, grad, v, m, velocity, lr, alpha, eps, weight_decay, momentum, centered):
    """One step of RMSprop, with momentum unless `momentum` is 0, over the variance of the gradient if `centered`.

    g = grad + weight_decay * param
    v = alpha * v + (1 - alpha) * g * g;   centered: m = m + (1 - alpha) * (g - m)
    s = g / (sqrt(v) + eps), centered: g / (sqrt(v - m * m) + eps)
    param -= lr * s without momentum, with it velocity = momentum * velocity + s and param -= lr * velocity

    Parameters
    ----------
    param : (size,)
        Updated in place.
    grad : (size,)
    v : (size,)
        Updated in place.
    m : (size,)
        Updated in place; may have length 0 unless centered.
    velocity : (size,)
        Updated in place; may have length 0 if momentum is 0.
    lr, alpha, eps, weight_decay, momentum : float
    centered : int
        0 or 1.

    Notes
    -----
    Where rounding makes the variance negative it counts as 0.

    Examples
    --------
    >>> import numpy as np
    >>> param, v, none = np.array([1.0]), np.array([6.0]), np.empty(0)
    >>> rmsprop_update(param, np.array([6.0]), v, none, none, 0.5, 0.5, 1.0, 0.0, 0.0, 0)
    >>> float(v[0]), round(float(param[0]), 6)  # 1 - 0.5 * 6 / (sqrt(21) + 1)
    (21.0, 0.462614)
    """
    numbers = map(float, (lr, alpha, 1 - alpha, eps, weight_decay, momentum))
    _rmsprop(param, grad, v, m, velocity, *numbers, int(centered), int(momentum != 0))


@kernel(**_over_elements)
def _rmsprop(param, grad, v, m, velocity, lr, alpha, intake, eps, weight_decay, momentum, centered, moving, first, last):
    param, grad, v, m, velocity = param[first:last], grad[first:last], v[first:last], m[first:last], velocity[first:last]
    dtype = param.dtype.type
    rate, alpha, intake = dtype(lr), dtype(alpha), dtype(intake)
    eps, decay, inertia = dtype(eps), dtype(weight_decay), dtype(momentum)
    for i in range(param.size):
        g = grad[i] + decay * param[i]
        v[i] = alpha * v[i] + intake * g * g
        spread = v[i]
        if centered:
            m[i] += intake * (g - m[i])
            spread -= m[i] * m[i]
            spread = dtype(0) if spread < 0 else spread  # this way round NaN comes through
        step = g / (math.sqrt(spread) + eps)
        if moving:
            velocity[i] = inertia * velocity[i] + step
            step = velocity[i]
        param[i] -= rate * step


def adagrad_update(param, grad, squares, lr, lr_decay, eps, weight_decay, step):
    """One step of Adagrad.

    g = grad + weight_decay * param;   squares = squares + g * g
    param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(squares) + eps)

    Parameters
    ----------
    param : (size,)
        Updated in place.
    grad : (size,)
    squares : (size,)
        Updated in place.
    lr, lr_decay, eps, weight_decay : float
    step : int
        Counts from 1.

    Examples
    --------
    >>> import numpy as np
    >>> param, squares = np.array([1.0]), np.array([9.0])
    >>> adagrad_update(param, np.array([4.0]), squares, 0.5, 0.0, 0.0, 0.0, 1)
    >>> float(squares[0]), float(param[0])
    (25.0, 0.6)
    """
    _adagrad(param, grad, squares, *map(float, (lr / (1 + (step - 1) * lr_decay), eps, weight_decay)))


@kernel(**_over_elements)
def _adagrad(param, grad, squares, rate, eps, weight_decay, first, last):
    param, grad, squares = param[first:last], grad[first:last], squares[first:last]
    dtype = param.dtype.type
    rate, eps, decay = dtype(rate), dtype(eps), dtype(weight_decay)
    for i in range(param.size):
        g = grad[i] + decay * param[i]
        squares[i] += g * g
        param[i] -= rate * g / (math.sqrt(squares[i]) + eps)
