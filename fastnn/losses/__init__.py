"""Losses: how far predictions are from targets, and the gradient of that.

    classes        CrossEntropyLoss     logits, or probabilities, against classes or probabilities
                   NLLLoss              log-probabilities against classes
    differences    MSELoss              squared differences
                   L1Loss               absolute differences
                   HuberLoss            squared where small, absolute where large
                   SmoothL1Loss         the same, divided by where they change over
    binary         BCELoss              probabilities against values in 0..1, element by element
                   BCEWithLogitsLoss    logits against values in 0..1, element by element

    loss.forward(prediction, target) -> float        also loss(prediction, target)
    loss.backward() -> dprediction                   of the last forward

Names, arguments, defaults and results are torch.nn's. N batch, C classes, L the remaining axes flattened.
"""

from .base import Loss as Loss
from .binary import BCELoss as BCELoss
from .binary import BCEWithLogitsLoss as BCEWithLogitsLoss
from .binary import threshold as threshold
from .classes import CrossEntropyLoss as CrossEntropyLoss
from .classes import NLLLoss as NLLLoss
from .differences import HuberLoss as HuberLoss
from .differences import L1Loss as L1Loss
from .differences import MSELoss as MSELoss
from .differences import SmoothL1Loss as SmoothL1Loss
