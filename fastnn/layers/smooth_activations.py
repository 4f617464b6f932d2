"""Smooth activations: ELU, GELU, SiLU, Softplus."""

from .activations import _Elementwise, _not_in_place
from .checks import as_number


class ELU(_Elementwise):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere; the gradient at 0 is alpha.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    alpha : float
    inplace : False

    Raises
    ------
    ValueError
        If alpha is not finite, or inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Clevert et al., "Fast and accurate deep network learning by exponential linear units" (2015).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.ELU().forward(np.array([[-100, 0, 2]], np.float32))
    array([[-1.,  0.,  2.]], dtype=float32)
    """

    module = "smooth_activations"
    family = "elu"
    keeps = "x"

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = as_number(alpha, "ELU: alpha")
        self.inplace = _not_in_place(self, inplace)

    def scalars(self):
        return (self.alpha,)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class GELU(_Elementwise):
    """x * Phi(x), Phi being the distribution function of the standard normal distribution.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "tanh" takes x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2 instead, which differs by up to 5e-4. It is not
        the faster one here.

    Raises
    ------
    ValueError
        If approximate is neither.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)" (2016). At -inf it is 0, its limit.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.GELU().forward(np.array([[-1, 0, 1]], np.float32)).round(4)
    array([[-0.1587,  0.    ,  0.8413]], dtype=float32)
    """

    module = "smooth_activations"
    keeps = "x"

    def __init__(self, approximate="none"):
        super().__init__()
        if not isinstance(approximate, str) or approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: expected approximate 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    @property
    def family(self):
        return "gelu" if self.approximate == "none" else "gelu_tanh"

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class SiLU(_Elementwise):
    """x * sigmoid(x), also called swish.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    inplace : False

    Raises
    ------
    ValueError
        If inplace is not False.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation in reinforcement learning" (2017);
    Ramachandran et al., "Searching for activation functions" (2017). At -inf it is 0, its limit.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.SiLU().forward(np.array([[-1, 0, 1]], np.float32)).round(4)
    array([[-0.2689,  0.    ,  0.7311]], dtype=float32)
    """

    module = "smooth_activations"
    family = "silu"
    keeps = "x"

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = _not_in_place(self, inplace)


class Softplus(_Elementwise):
    """log(1 + exp(beta * x)) / beta, a smooth max(x, 0); x itself where beta * x > threshold.

    Shape: (N, ...) -> (N, ...)

    Parameters
    ----------
    beta : float
        Not 0.
    threshold : float

    Raises
    ------
    ValueError
        If beta or threshold is not finite, or beta is 0.
    TypeError
        If x is neither float32 nor float64.

    Notes
    -----
    Dugas et al., "Incorporating second-order functional knowledge for better option pricing" (2000).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Softplus().forward(np.array([[-100, 0, 100]], np.float32)).round(4)
    array([[  0.    ,   0.6931, 100.    ]], dtype=float32)
    """

    module = "smooth_activations"
    family = "softplus"
    keeps = "x"

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = as_number(beta, "Softplus: beta")
        if self.beta == 0:
            raise ValueError(f"Softplus: beta must not be 0, got {beta!r}")
        self.threshold = as_number(threshold, "Softplus: threshold")

    def scalars(self):
        return (self.beta, self.threshold)

    def extra_repr(self):
        return f"beta={self.beta}, threshold={self.threshold}"
