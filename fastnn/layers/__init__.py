"""Layers: what a network is made of. Each family has its file; `base.Layer` states the contract."""

from .activations import LeakyReLU as LeakyReLU
from .activations import ReLU as ReLU
from .activations import Sigmoid as Sigmoid
from .activations import Tanh as Tanh
from .arrays import ArrayDict as ArrayDict
from .base import Layer as Layer
from .batchnorm import BatchNorm1d as BatchNorm1d
from .batchnorm import BatchNorm2d as BatchNorm2d
from .concat import Concat as Concat
from .config import layer_from_config as layer_from_config
from .containers import Residual as Residual
from .containers import Sequential as Sequential
from .conv import Conv1d as Conv1d
from .conv import Conv2d as Conv2d
from .dense import Dense as Dense
from .dense import Linear as Linear
from .dropout import Dropout as Dropout
from .flatten import Flatten as Flatten
from .pooling import AdaptiveAvgPool1d as AdaptiveAvgPool1d
from .pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from .pooling import AvgPool1d as AvgPool1d
from .pooling import AvgPool2d as AvgPool2d
from .pooling import MaxPool1d as MaxPool1d
from .pooling import MaxPool2d as MaxPool2d
from .softmax import LogSoftmax as LogSoftmax
from .softmax import Softmax as Softmax
