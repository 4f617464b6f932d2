"""fastnn: train and run neural networks on a CPU at the speed the CPU allows, from plain Python.

    import fastnn as fnn

    network = fnn.Sequential(fnn.Conv2d(1, 6, 5), fnn.ReLU(), fnn.MaxPool2d(2), fnn.Flatten(), fnn.Linear(864, 10))
    history = network.fit(images, labels, epochs=5)

Layers and losses are named and behave as in ``torch.nn``, optimizers as in ``torch.optim``. The loops underneath are in
`fastnn.kernels`. Importing compiles nothing.
"""

from . import data as data
from . import init as init
from . import kernels as kernels
from . import metrics as metrics
from . import models as models
from . import plot as plot
from ._version import __version__ as __version__
from .gradcheck import gradcheck as gradcheck
from .history import History as History
from .kernels._threads import num_threads as num_threads
from .kernels._threads import set_num_threads as set_num_threads
from .kernels._threads import threads as threads
from .layers import ELU as ELU
from .layers import GELU as GELU
from .layers import AdaptiveAvgPool1d as AdaptiveAvgPool1d
from .layers import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from .layers import AvgPool1d as AvgPool1d
from .layers import AvgPool2d as AvgPool2d
from .layers import BatchNorm1d as BatchNorm1d
from .layers import BatchNorm2d as BatchNorm2d
from .layers import Concat as Concat
from .layers import Conv1d as Conv1d
from .layers import Conv2d as Conv2d
from .layers import Dense as Dense
from .layers import Dropout as Dropout
from .layers import Flatten as Flatten
from .layers import GroupNorm as GroupNorm
from .layers import Hardtanh as Hardtanh
from .layers import Identity as Identity
from .layers import Lambda as Lambda
from .layers import Layer as Layer
from .layers import LayerNorm as LayerNorm
from .layers import LeakyReLU as LeakyReLU
from .layers import Linear as Linear
from .layers import LocalResponseNorm as LocalResponseNorm
from .layers import LogSoftmax as LogSoftmax
from .layers import LPPool1d as LPPool1d
from .layers import LPPool2d as LPPool2d
from .layers import MaxPool1d as MaxPool1d
from .layers import MaxPool2d as MaxPool2d
from .layers import Permute as Permute
from .layers import ReLU as ReLU
from .layers import ReLU6 as ReLU6
from .layers import Reshape as Reshape
from .layers import Residual as Residual
from .layers import Sequential as Sequential
from .layers import Sigmoid as Sigmoid
from .layers import SiLU as SiLU
from .layers import Softmax as Softmax
from .layers import Softplus as Softplus
from .layers import Tanh as Tanh
from .losses import BCELoss as BCELoss
from .losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from .losses import CrossEntropyLoss as CrossEntropyLoss
from .losses import HuberLoss as HuberLoss
from .losses import L1Loss as L1Loss
from .losses import Loss as Loss
from .losses import MSELoss as MSELoss
from .losses import NLLLoss as NLLLoss
from .losses import SmoothL1Loss as SmoothL1Loss
from .network import Network as Network
from .optimizers import SGD as SGD
from .optimizers import Adagrad as Adagrad
from .optimizers import Adam as Adam
from .optimizers import AdamW as AdamW
from .optimizers import Optimizer as Optimizer
from .optimizers import RMSprop as RMSprop
from .plan.settings import config as config
from .serialization import load as load
from .serialization import save as save
from .trainer import Trainer as Trainer
from .warmup import warmup as warmup

__all__ = [name for name in dir() if not name.startswith("_")]
