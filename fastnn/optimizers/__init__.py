"""Optimizers: how parameters follow their gradients. Each has its file; `base.Optimizer` is what they share.

    SGD      gradient descent with momentum, Nesterov momentum, weight decay
    Adam     adaptive moments
    AdamW    Adam with decoupled weight decay
    RMSprop  steps in units of the gradient's recent size
    Adagrad  steps in units of all gradients so far

    optimizer.update(params, grads)      in place, over dicts of arrays or two flat arrays

Names, arguments, defaults and trajectories are torch.optim's; the parameters come with each update instead of with the
constructor. State (velocity, moments) is kept per array, by its key.
"""

from .adagrad import Adagrad as Adagrad
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .base import Optimizer as Optimizer
from .rmsprop import RMSprop as RMSprop
from .sgd import SGD as SGD
