"""Optimizer updates in NumPy, in place on flat arrays.

    sgd_update (param, grad, velocity, lr, momentum, dampening, weight_decay, nesterov, first)
    adam_update(param, grad, m, v, vmax, lr, beta1, beta2, eps, weight_decay, step, decoupled, amsgrad)
    rmsprop_update(param, grad, v, m, velocity, lr, alpha, eps, weight_decay, momentum, centered)
    adagrad_update(param, grad, squares, lr, lr_decay, eps, weight_decay, step)

All arrays have one length n. Formulas and their order are torch.optim's.
"""

import math

import numpy as np


def sgd_update(param, grad, velocity, lr, momentum, dampening, weight_decay, nesterov, first):
    """One step of gradient descent, with momentum if asked for (``torch.optim.SGD``).

    ``g = grad + weight_decay*param``; with momentum ``velocity = momentum*velocity + (1 - dampening)*g``
    (``velocity = g`` on the first step) and then ``g = g + momentum*velocity`` if nesterov, else ``g = velocity``;
    ``param = param - lr*g``.

    Parameters
    ----------
    param : (n,)
        Updated in place.
    grad : (n,)
        Not changed.
    velocity : (n,)
        Updated in place; may have length 0 when momentum is 0.
    lr, momentum, dampening, weight_decay : float
    nesterov, first : int
        1 or 0; `first` marks the first step, on which velocity is only written.

    Notes
    -----
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", 2013, in
    PyTorch's form, where lr multiplies the velocity.

    Examples
    --------
    >>> param, velocity = np.array([1.0]), np.array([4.0])
    >>> sgd_update(param, np.array([2.0]), velocity, 0.5, 0.25, 0.0, 0.0, 0, 0)
    >>> param, velocity
    (array([-0.5]), array([3.]))
    """
    g = grad
    if weight_decay != 0:
        g = grad + weight_decay * param
    if momentum != 0:
        if first:
            np.copyto(velocity, g)
        else:
            velocity *= momentum
            velocity += (1 - dampening) * g
        g = g + momentum * velocity if nesterov else velocity
    param -= lr * g


def adam_update(param, grad, m, v, vmax, lr, beta1, beta2, eps, weight_decay, step, decoupled, amsgrad):
    """One step of Adam, AdamW (decoupled = 1) or AMSGrad (``torch.optim.Adam``, ``torch.optim.AdamW``).

    ``g = grad + weight_decay*param``, or, decoupled, ``param = param*(1 - lr*weight_decay)`` and ``g = grad``;
    ``m = m + (1 - beta1)*(g - m)``; ``v = beta2*v + (1 - beta2)*g*g``; ``vmax = max(vmax, v)`` if amsgrad (else read
    v for vmax); ``param = param - lr/(1 - beta1**step) * m / (sqrt(vmax)/sqrt(1 - beta2**step) + eps)``.

    Parameters
    ----------
    param : (n,)
        Updated in place.
    grad : (n,)
        Not changed.
    m, v : (n,)
        First and second moment, updated in place; zeros before the first step.
    vmax : (n,)
        Largest second moment so far, updated in place; may have length 0 unless amsgrad.
    lr, beta1, beta2, eps, weight_decay : float
    step : int
        Number of this step, from 1.
    decoupled, amsgrad : int
        1 or 0.

    Notes
    -----
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015; Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019; Reddi, Kale and Kumar, "On the convergence of Adam and beyond", 2018.

    Examples
    --------
    >>> param, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> adam_update(param, np.array([2.0]), m, v, np.empty(0), 0.25, 0.5, 0.75, 0.0, 0.0, 1, 0, 0)
    >>> param, m, v  # the first step has length lr
    (array([0.75]), array([1.]), array([1.]))
    """
    g = grad
    if weight_decay != 0:
        if decoupled:
            param *= 1 - lr * weight_decay
        else:
            g = grad + weight_decay * param
    m += (1 - beta1) * (g - m)
    v *= beta2
    v += (1 - beta2) * g * g
    if amsgrad:
        np.maximum(vmax, v, out=vmax)
    denominator = np.sqrt(vmax if amsgrad else v)
    denominator /= math.sqrt(1 - beta2**step)
    denominator += eps
    param -= lr / (1 - beta1**step) * (m / denominator)


def rmsprop_update(param, grad, v, m, velocity, lr, alpha, eps, weight_decay, momentum, centered):
    """One step of RMSprop, centered (over the variance) or not, with momentum if asked for (``torch.optim.RMSprop``).

    ``g = grad + weight_decay*param``; ``v = alpha*v + (1 - alpha)*g*g``; if centered ``m = m + (1 - alpha)*(g - m)``;
    ``s = g / (sqrt(v) + eps)``, with ``v - m*m`` for v if centered; ``param = param - lr*s``, or with momentum
    ``velocity = momentum*velocity + s`` and ``param = param - lr*velocity``.

    Parameters
    ----------
    param : (n,)
        Updated in place.
    grad : (n,)
        Not changed.
    v : (n,)
        Mean square of the gradient, updated in place; zeros before the first step.
    m : (n,)
        Mean of the gradient, updated in place; may have length 0 unless centered.
    velocity : (n,)
        Updated in place; may have length 0 when momentum is 0.
    lr, alpha, eps, weight_decay, momentum : float
    centered : int
        1 or 0.

    Notes
    -----
    Tieleman and Hinton, "Lecture 6.5: RMSprop", Neural networks for machine learning, 2012; centered: Graves, "Generating
    sequences with recurrent neural networks", 2013, equations 38 to 41, in PyTorch's form. A variance below 0, which only
    rounding can give, counts as 0.

    Examples
    --------
    >>> param, v, none = np.array([1.0]), np.zeros(1), np.empty(0)
    >>> rmsprop_update(param, np.array([2.0]), v, none, none, 0.25, 0.75, 0.0, 0.0, 0.0, 0)
    >>> param, v
    (array([0.5]), array([1.]))
    """
    g = grad + weight_decay * param if weight_decay != 0 else grad
    v *= alpha
    v += (1 - alpha) * np.square(g)
    spread = v
    if centered:
        m += (1 - alpha) * (g - m)
        spread = np.maximum(v - np.square(m), 0)
    step = g / (np.sqrt(spread) + eps)
    if momentum != 0:
        velocity *= momentum
        velocity += step
        step = velocity
    param -= lr * step


def adagrad_update(param, grad, squares, lr, lr_decay, eps, weight_decay, step):
    """One step of Adagrad (``torch.optim.Adagrad``).

    ``g = grad + weight_decay*param``; ``squares = squares + g*g``;
    ``param = param - lr/(1 + (step - 1)*lr_decay) * g / (sqrt(squares) + eps)``.

    Parameters
    ----------
    param : (n,)
        Updated in place.
    grad : (n,)
        Not changed.
    squares : (n,)
        Sum of the squared gradients so far, updated in place.
    lr, lr_decay, eps, weight_decay : float
    step : int
        Number of this step, from 1.

    Notes
    -----
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011.

    Examples
    --------
    >>> param, squares = np.array([1.0]), np.zeros(1)
    >>> adagrad_update(param, np.array([2.0]), squares, 0.25, 0.0, 0.0, 0.0, 1)
    >>> param, squares  # the first step has length lr
    (array([0.75]), array([4.]))
    """
    g = grad + weight_decay * param if weight_decay != 0 else grad
    squares += np.square(g)
    param -= lr / (1 + (step - 1) * lr_decay) * (g / (np.sqrt(squares) + eps))
