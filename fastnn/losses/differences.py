"""Losses of the difference between prediction and target, element by element."""

from ..layers.checks import as_number
from .base import ElementLoss, as_positive


class MSELoss(ElementLoss):
    """Squared difference ``factor * (x - y)**2``, the mean over all elements.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.

    Parameters
    ----------
    size_average, reduce
        Not supported.
    reduction : {"mean", "sum", "none"}
    factor : float above 0
        Multiplies loss and gradient. Half the sum of squares, the loss of many textbooks, whose gradient is the plain
        difference, is ``MSELoss(reduction="sum", factor=0.5)``.

    Notes
    -----
    Names and semantics of torch.nn.MSELoss, except that shapes must be equal instead of broadcast; `factor` is fastnn's.

    Examples
    --------
    >>> import numpy as np
    >>> loss = MSELoss()
    >>> loss(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    2.5
    >>> loss.backward()
    array([ 1., -2.])
    >>> half = MSELoss(reduction="sum", factor=0.5)
    >>> half(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    2.5
    >>> half.backward()
    array([ 1., -2.])
    """

    def __init__(self, size_average=None, reduce=None, reduction="mean", *, factor=1.0):
        super().__init__(size_average, reduce, reduction)
        self.factor = as_positive(factor, "MSELoss: factor")

    def _run(self, values, dx, x, y, shape):
        self.kernels.losses.mse_forward(values, dx, x, y, self.factor)


class _AbsoluteLoss(ElementLoss):
    """A parabola near 0, straight lines beyond."""

    @property
    def pieces(self):
        """Width of the parabola, slope beyond, divisor within, for ``kernels.losses.huber_forward``."""
        raise NotImplementedError

    def _run(self, values, dx, x, y, shape):
        self.kernels.losses.huber_forward(values, dx, x, y, *self.pieces)


class L1Loss(_AbsoluteLoss):
    """Absolute difference ``|x - y|``, the mean over all elements; the gradient at 0 is 0.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.

    Parameters
    ----------
    size_average, reduce
        Not supported.
    reduction : {"mean", "sum", "none"}

    Notes
    -----
    Names and semantics of torch.nn.L1Loss, except that shapes must be equal instead of broadcast, and that a NaN has the
    gradient NaN.

    Examples
    --------
    >>> import numpy as np
    >>> loss = L1Loss()
    >>> loss(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    1.5
    >>> loss.backward()
    array([ 0.5, -0.5])
    """

    @property
    def pieces(self):
        """Width of the parabola, slope beyond, divisor within, for ``kernels.losses.huber_forward``."""
        return 0.0, 1.0, 1.0


class HuberLoss(_AbsoluteLoss):
    """Huber's loss: with ``d = x - y``, ``d**2 / 2`` where ``|d| < delta``, else ``delta * (|d| - delta / 2)``.

    The mean over all elements. Its gradient is d, cut off at -delta and delta: a few large differences do not decide.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    delta : float above 0

    Notes
    -----
    Names and semantics of torch.nn.HuberLoss, except that shapes must be equal instead of broadcast. P. J. Huber, "Robust
    estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> import numpy as np
    >>> loss = HuberLoss(reduction="sum", delta=2.0)
    >>> loss(np.array([1.0, 5.0]), np.array([0.0, 0.0]))
    8.5
    >>> loss.backward()
    array([1., 2.])
    """

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        self.delta = as_positive(delta, "HuberLoss: delta")

    @property
    def pieces(self):
        """Width of the parabola, slope beyond, divisor within, for ``kernels.losses.huber_forward``."""
        return self.delta, self.delta, 1.0


class SmoothL1Loss(_AbsoluteLoss):
    """Smooth L1 loss: with ``d = x - y``, ``d**2 / (2 * beta)`` where ``|d| < beta``, else ``|d| - beta / 2``.

    The mean over all elements. It is `HuberLoss` with ``delta = beta``, divided by beta: far out its slope is always 1.
    With beta 0 it is `L1Loss`.

    Shape: prediction and target of one shape, any number of axes. The target is floats, used in the prediction's dtype.

    Parameters
    ----------
    size_average, reduce
        Not supported.
    reduction : {"mean", "sum", "none"}
    beta : float, at least 0

    Notes
    -----
    Names and semantics of torch.nn.SmoothL1Loss, except that shapes must be equal instead of broadcast. R. Girshick, "Fast
    R-CNN", 2015, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SmoothL1Loss(reduction="sum", beta=2.0)
    >>> loss(np.array([1.0, 5.0]), np.array([0.0, 0.0]))
    4.25
    >>> loss.backward()
    array([0.5, 1. ])
    """

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0):
        super().__init__(size_average, reduce, reduction)
        self.beta = as_number(beta, "SmoothL1Loss: beta", 0)

    @property
    def pieces(self):
        """Width of the parabola, slope beyond, divisor within, for ``kernels.losses.huber_forward``."""
        return self.beta, 1.0, self.beta or 1.0
