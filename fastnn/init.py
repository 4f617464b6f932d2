"""Initial values of weights, as functions of their shape.

    zeros, constant, uniform, normal     values that the shape says nothing about
    xavier_uniform, xavier_normal        Glorot: variance kept between forward and backward, for tanh and sigmoid
    he_uniform, he_normal                He, Kaiming: for ReLU and LeakyReLU; also `kaiming_uniform`, `kaiming_normal`
    lecun_normal                         LeCun: variance kept forwards, for SELU and no activation
    orthogonal                           no direction is stretched or shrunk
    fans, calculate_gain                 what they compute with
    initialize                           all weights and biases of a network

Each takes the keywords `rng` and `dtype` and returns a new array; values are drawn in float64, so that one seed gives the same
in either precision. Formulas are torch.nn.init's. Layers are made with PyTorch's own defaults, U(-b, b), b = 1/sqrt(fan_in).
"""

import inspect
import math

import numpy as np

from .layers.base import Layer
from .layers.checks import as_float_dtype, as_number, as_rng, as_shape
from .layers.conv import Conv1d, Conv2d
from .layers.dense import Dense
from .layers.dense import uniform as _symmetric

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def fans(shape):
    """How many inputs reach an output, and how many outputs an input reaches.

    Parameters
    ----------
    shape : tuple of int
        Of a weight: (OUT, IN) of a dense layer, (F, C, K) or (F, C, KH, KW) of a convolution.

    Returns
    -------
    fan_in, fan_out : int
        (IN, OUT), or (C * KH * KW, F * KH * KW). As in PyTorch, groups do not count: C is the weight's second axis.

    Raises
    ------
    ValueError
        If there are fewer than two axes, or one of length 0.

    Examples
    --------
    >>> fans((10, 120)), fans((16, 6, 5, 5))
    ((120, 10), (150, 400))
    """
    return _fans("fans", shape)


def calculate_gain(nonlinearity, negative_slope=0.01):
    """By what factor weights must be larger, since the activation behind them shrinks what goes through.

    Parameters
    ----------
    nonlinearity : str
        "linear", "conv1d", "conv2d", "sigmoid" (1), "tanh" (5/3), "relu" (sqrt 2), "selu" (3/4) or "leaky_relu"
        (sqrt(2 / (1 + negative_slope**2))).
    negative_slope : float
        Of "leaky_relu"; the others have none.

    Raises
    ------
    TypeError, ValueError
        If there is no such name, or the slope is no number.

    Examples
    --------
    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    slope = as_number(negative_slope, "calculate_gain: negative_slope")
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + slope**2))
    if not isinstance(nonlinearity, str) or nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: nonlinearity must be one of {', '.join(_GAINS)}, leaky_relu; got {nonlinearity!r}")
    return _GAINS[nonlinearity]


def zeros(shape, *, rng=None, dtype=np.float32):
    """Zeros: for biases.

    Parameters
    ----------
    shape : int or tuple of int
    rng : None, int or numpy.random.Generator
        Taken by all initializers; nothing is drawn here.
    dtype : {float32, float64}

    Examples
    --------
    >>> zeros(3)
    array([0., 0., 0.], dtype=float32)
    """
    return _constant("zeros", shape, 0.0, rng, dtype)


def constant(shape, value, *, rng=None, dtype=np.float32):
    """One value everywhere.

    Parameters
    ----------
    shape : int or tuple of int
    value : float
    rng, dtype
        As for `zeros`.

    Raises
    ------
    TypeError, ValueError
        If the value is no finite number.

    Examples
    --------
    >>> constant((1, 2), 0.5)
    array([[0.5, 0.5]], dtype=float32)
    """
    return _constant("constant", shape, as_number(value, "constant: value"), rng, dtype)


def uniform(shape, low, high, *, rng=None, dtype=np.float32):
    """Drawn from U(low, high).

    Parameters
    ----------
    shape : int or tuple of int
    low, high : float
    rng : None, int or numpy.random.Generator
        An int makes the values repeatable.
    dtype : {float32, float64}

    Raises
    ------
    TypeError, ValueError
        If a bound is no finite number, or low is above high.

    Examples
    --------
    >>> uniform(2, -1, 1, rng=0)
    array([ 0.27392337, -0.46042657], dtype=float32)
    """
    low, high = as_number(low, "uniform: low"), as_number(high, "uniform: high")
    if low > high:
        raise ValueError(f"uniform: low must be at most high={high}, got {low}")
    shape, rng, dtype = _checked("uniform", shape, rng, dtype)
    return rng.uniform(low, high, shape).astype(dtype)


def normal(shape, *, mean=0.0, std=0.01, rng=None, dtype=np.float32):
    """Drawn from N(mean, std**2).

    Parameters
    ----------
    shape : int or tuple of int
    mean, std : float
    rng, dtype
        As for `uniform`.

    Raises
    ------
    TypeError, ValueError
        If one is no finite number, or std is negative.

    Examples
    --------
    >>> normal(2, rng=0)
    array([ 0.0012573 , -0.00132105], dtype=float32)
    """
    std, mean = as_number(std, "normal: std", 0), as_number(mean, "normal: mean")
    return _normal("normal", shape, std, rng, dtype, mean)


def xavier_uniform(shape, *, gain=1.0, rng=None, dtype=np.float32):
    """Drawn from U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out)).

    Parameters
    ----------
    shape : tuple of int
        Of a weight, see `fans`.
    gain : float
        See `calculate_gain`.
    rng, dtype
        As for `uniform`.

    Raises
    ------
    TypeError, ValueError
        If the shape is not a weight's, or gain no number of at least 0.

    Notes
    -----
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation 16.

    Examples
    --------
    >>> bool(abs(xavier_uniform((30, 24), rng=0)).max() <= (6 / 54) ** 0.5)
    True
    """
    fan_in, fan_out = _fans("xavier_uniform", shape)
    gain = as_number(gain, "xavier_uniform: gain", 0)
    return _uniform("xavier_uniform", shape, gain * math.sqrt(6 / (fan_in + fan_out)), rng, dtype)


def xavier_normal(shape, *, gain=1.0, rng=None, dtype=np.float32):
    """Drawn from N(0, std**2), std = gain * sqrt(2 / (fan_in + fan_out)).

    Parameters
    ----------
    shape, gain, rng, dtype
        As for `xavier_uniform`.

    Raises
    ------
    TypeError, ValueError
        As `xavier_uniform`.

    Notes
    -----
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation 12.

    Examples
    --------
    >>> round(float(xavier_normal((300, 500), rng=0).std()), 3)  # sqrt(2 / 800)
    0.05
    """
    fan_in, fan_out = _fans("xavier_normal", shape)
    gain = as_number(gain, "xavier_normal: gain", 0)
    return _normal("xavier_normal", shape, gain * math.sqrt(2 / (fan_in + fan_out)), rng, dtype)


def he_uniform(shape, *, negative_slope=0.0, mode="fan_in", nonlinearity="leaky_relu", rng=None, dtype=np.float32):
    """Drawn from U(-b, b), b = gain * sqrt(3 / fan). Also under PyTorch's name, `kaiming_uniform`.

    Parameters
    ----------
    shape : tuple of int
        Of a weight, see `fans`.
    negative_slope : float
        Of the LeakyReLU behind the layer; 0 for ReLU. PyTorch's `a`.
    mode : {"fan_in", "fan_out"}
        Whether the forward or the backward pass keeps its variance.
    nonlinearity : str
        The activation behind the layer, see `calculate_gain`. Others than "leaky_relu" have no slope.
    rng, dtype
        As for `uniform`.

    Raises
    ------
    TypeError, ValueError
        If the shape is not a weight's, or an argument is none of these.

    Notes
    -----
    He et al., "Delving deep into rectifiers" (2015), equations 10, 14 and 15.

    Examples
    --------
    >>> bool(abs(he_uniform((30, 24), rng=0)).max() <= (6 / 24) ** 0.5)
    True
    """
    std = _he_std("he_uniform", shape, negative_slope, mode, nonlinearity)
    return _uniform("he_uniform", shape, math.sqrt(3) * std, rng, dtype)


def he_normal(shape, *, negative_slope=0.0, mode="fan_in", nonlinearity="leaky_relu", rng=None, dtype=np.float32):
    """Drawn from N(0, std**2), std = gain / sqrt(fan). Also under PyTorch's name, `kaiming_normal`.

    Parameters
    ----------
    shape, negative_slope, mode, nonlinearity, rng, dtype
        As for `he_uniform`.

    Raises
    ------
    TypeError, ValueError
        As `he_uniform`.

    Notes
    -----
    He et al., "Delving deep into rectifiers" (2015), equations 10, 14 and 15.

    Examples
    --------
    >>> round(float(he_normal((64, 32, 5, 5), rng=0).std()), 3)  # sqrt(2 / 800)
    0.05
    """
    std = _he_std("he_normal", shape, negative_slope, mode, nonlinearity)
    return _normal("he_normal", shape, std, rng, dtype)


kaiming_uniform, kaiming_normal = he_uniform, he_normal


def lecun_normal(shape, *, rng=None, dtype=np.float32):
    """Drawn from N(0, std**2), std = sqrt(1 / fan_in).

    Parameters
    ----------
    shape : tuple of int
        Of a weight, see `fans`.
    rng, dtype
        As for `uniform`.

    Raises
    ------
    TypeError, ValueError
        If the shape is not a weight's.

    Notes
    -----
    LeCun et al., "Efficient BackProp" (1998), equation 16.

    Examples
    --------
    >>> round(float(lecun_normal((300, 400), rng=0).std()), 3)
    0.05
    """
    fan_in, _ = _fans("lecun_normal", shape)
    return _normal("lecun_normal", shape, 1 / math.sqrt(fan_in), rng, dtype)


def orthogonal(shape, *, gain=1.0, rng=None, dtype=np.float32):
    """gain times a random matrix with orthonormal rows, or columns where there are fewer of those.

    Parameters
    ----------
    shape : tuple of int
        At least two axes; those behind the first are taken as one.
    gain : float
    rng, dtype
        As for `uniform`.

    Raises
    ------
    TypeError, ValueError
        If the shape is not a weight's, or gain no number.

    Notes
    -----
    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks" (2013), section 3.
    QR of a normal matrix, with the signs of R's diagonal moved into Q: all directions are then equally likely.

    Examples
    --------
    >>> weight = orthogonal((2, 5), rng=0, dtype="float64")
    >>> (weight @ weight.T).round(12) + 0
    array([[1., 0.],
           [0., 1.]])
    """
    _fans("orthogonal", shape)
    gain = as_number(gain, "orthogonal: gain")
    shape, rng, dtype = _checked("orthogonal", shape, rng, dtype)
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(gain * (q.T if rows < columns else q), dtype).reshape(shape)


def initialize(network, weight, bias=zeros, *, rng=None):
    """Give the dense and convolution layers of a network new weights and biases.

    Other layers stay as they are, normalization above all: its scales begin at 1. If anything is wrong, nothing changes.

    Parameters
    ----------
    network : Layer
        A network, or a single layer.
    weight, bias : callable or None
        ``weight(shape)`` returns the values; it is called with `rng` and `dtype` if it has parameters of these names. Options
        go by `functools.partial`. None leaves the values there are.
    rng : None, int or numpy.random.Generator
        One generator serves all layers, in their order.

    Returns
    -------
    Layer
        `network` itself.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of these, or a function returns another shape than it was asked for.

    Examples
    --------
    >>> import fastnn as fnn
    >>> from functools import partial
    >>> network = fnn.Sequential(fnn.Dense(4, 8), fnn.LeakyReLU(0.1), fnn.Dense(8, 2))
    >>> network = fnn.init.initialize(network, partial(fnn.init.he_normal, negative_slope=0.1), rng=0)
    >>> network.params["2.bias"]
    array([0., 0.], dtype=float32)
    """
    if not isinstance(network, Layer):
        raise TypeError(f"initialize: expected network to be a Layer, got {network!r:.80}")
    functions = {"weight": weight, "bias": bias}
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise TypeError(f"initialize: {name} must be a function of the shape or None, got {function!r:.80}")
    rng, values = as_rng(rng, "initialize: rng"), []
    for path, layer in network.walk():
        if isinstance(layer, (Dense, Conv1d, Conv2d)):
            for name, function in functions.items():
                if function is not None and name in layer.params:
                    array = layer.params[name]
                    values.append((layer, name, _drawn(function, array, rng, f"{path}.{name}".lstrip("."))))
    for layer, name, value in values:
        layer.params[name] = value
    return network


def _drawn(function, array, rng, where):
    """What `function` gives for an array, in its dtype."""
    try:
        known = inspect.signature(function).parameters.values()
    except ValueError:  # some functions written in C have none
        known = ()
    anything = any(p.kind is p.VAR_KEYWORD for p in known)
    names = {p.name for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    options = {key: value for key, value in (("rng", rng), ("dtype", array.dtype)) if anything or key in names}
    value = np.asarray(function(array.shape, **options))
    if value.shape != array.shape:
        raise ValueError(f"initialize: expected values of shape {array.shape} for {where!r}, got {value.shape}")
    if value.dtype.kind not in "fiu":
        raise TypeError(f"initialize: expected numbers for {where!r}, got {value.dtype}")
    return value.astype(array.dtype)


def _checked(name, shape, rng, dtype):
    return as_shape(shape, f"{name}: shape"), as_rng(rng, f"{name}: rng"), as_float_dtype(dtype, f"{name}: dtype")


def _fans(name, shape):
    shape = as_shape(shape, f"{name}: shape")
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"{name}: shape must be a weight's, (OUT, IN) or (F, C, KH, KW), got {shape}")
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def _he_std(name, shape, negative_slope, mode, nonlinearity):
    fan = dict(zip(("fan_in", "fan_out"), _fans(name, shape)))
    slope = as_number(negative_slope, f"{name}: negative_slope")
    if not isinstance(mode, str) or mode not in fan:
        raise ValueError(f"{name}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    if nonlinearity != "leaky_relu" and slope != 0:
        raise ValueError(f"{name}: negative_slope goes with nonlinearity='leaky_relu', got {nonlinearity!r}")
    return calculate_gain(nonlinearity, slope) / math.sqrt(fan[mode])


def _constant(name, shape, value, rng, dtype):
    shape, _, dtype = _checked(name, shape, rng, dtype)
    return np.full(shape, value, dtype)


def _normal(name, shape, std, rng, dtype, mean=0.0):
    shape, rng, dtype = _checked(name, shape, rng, dtype)
    return rng.normal(mean, std, shape).astype(dtype)


def _uniform(name, shape, bound, rng, dtype):
    shape, rng, dtype = _checked(name, shape, rng, dtype)
    return _symmetric(rng, bound, shape, dtype)
