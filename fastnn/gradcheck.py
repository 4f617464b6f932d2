"""A numerical check of gradients: for layers, networks and losses, fastnn's own and yours."""

import copy
import inspect

import numpy as np

from .layers.base import Layer
from .layers.checks import as_bool, as_int, as_number, as_rng
from .trainer import random_layers

# A gradient that is zero everywhere still differs numerically by rounding / eps, about 1e-10: below this scale
# differences count as absolute ones.
_SCALE_FLOOR = 1e-3


class GradcheckResult:
    """What `gradcheck` found.

    Attributes
    ----------
    ok : bool
        Also the result's truth value.
    errors : dict
        Largest error by array ("x", "weight", "0.bias", "prediction"), relative to the array's largest gradient.
    worst : dict
        The worst entry: "array", "index", "analytic", "numeric", "error".
    problems : list of str
        What is wrong apart from values: a gradient of the wrong shape, an argument that was written to.
    tol : float
    """

    def __init__(self, subject, tol):
        self.subject, self.tol = subject, tol
        self.errors, self.problems = {}, []
        self.worst = {"array": None, "index": None, "analytic": None, "numeric": None, "error": 0.0}

    @property
    def ok(self):
        return not self.problems and self.worst["error"] <= self.tol

    def __bool__(self):
        return self.ok

    def _add(self, name, analytic, numeric, indices):
        """Compare the gradients of one array at some of its entries."""
        if len(indices) == 0:
            self.errors[name] = 0.0
            return
        difference = np.abs(analytic - numeric)
        sizes = np.abs(np.concatenate([analytic, numeric]))
        scale = max(sizes[np.isfinite(sizes)].max(initial=0.0), _SCALE_FLOOR)
        errors = np.where(np.isfinite(difference), difference / scale, np.inf)
        at = int(errors.argmax())
        self.errors[name] = float(errors[at])
        if self.worst["array"] is None or errors[at] > self.worst["error"]:
            self.worst = {
                "array": name,
                "index": indices[at],
                "analytic": float(analytic[at]),
                "numeric": float(numeric[at]),
                "error": float(errors[at]),
            }

    def __str__(self):
        lines = [f"gradcheck of {self.subject}: {'ok' if self.ok else 'FAILED'} (tolerance {self.tol:g})"]
        lines += [f"  {problem}" for problem in self.problems]
        width = max(map(len, self.errors), default=0)
        lines += [f"  {name:<{width}}  largest error {error:.1e}" for name, error in self.errors.items()]
        if self.worst["array"] is not None:
            index = ", ".join(map(str, self.worst["index"]))
            lines.append(
                f"  worst entry: {self.worst['array']}[{index}], analytic {self.worst['analytic']:.9g}, "
                f"numeric {self.worst['numeric']:.9g}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def gradcheck(layer_or_loss, *inputs, eps=1e-6, tol=1e-6, rng=0, max_entries=None, raise_error=True):
    """Compare a layer's, network's or loss's gradients with central differences, in float64.

    The objective is ``(out * dout).sum()`` with a random dout. Every entry of the input and of every parameter is moved
    by +-eps. Layers that draw random numbers (dropout) repeat the same draw for every forward. Running statistics and
    random states are put back at the end.

    Parameters
    ----------
    layer_or_loss : Layer or Loss
        With float64 parameters.
    *inputs
        x for a layer, (prediction, target) for a loss; targets are not differentiated. Keep x away from kinks (0 for
        ReLU, ties for max-pooling): there is no derivative to compare with.
    eps : float
    tol : float
        Largest difference allowed, relative to the largest gradient in the same array.
    rng : int or numpy.random.Generator
        Draws dout.
    max_entries : int, optional
        Check at most that many entries, drawn at random, of each array.
    raise_error : bool

    Returns
    -------
    GradcheckResult
        True if all is well; its text names the worst entry.

    Raises
    ------
    AssertionError
        If a gradient is wrong, with that text, unless ``raise_error=False``.
    TypeError
        If parameters or inputs are not float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> layer = fnn.Dense(3, 2, dtype=np.float64, rng=0)
    >>> result = gradcheck(layer, np.random.default_rng(1).standard_normal((4, 3)))
    >>> result.ok, sorted(result.errors)
    (True, ['bias', 'weight', 'x'])
    >>> bool(gradcheck(fnn.MSELoss(), np.array([1.0, 2.0]), np.array([0.5, 3.0])))
    True
    """
    eps, tol = as_number(eps, "gradcheck: eps"), as_number(tol, "gradcheck: tol", 0)
    if eps <= 0:
        raise ValueError(f"gradcheck: expected eps above 0, got {eps}")
    max_entries = None if max_entries is None else as_int(max_entries, "gradcheck: max_entries", 1)
    rng = as_rng(rng, "gradcheck: rng")
    as_bool(raise_error, "gradcheck: raise_error")
    is_layer = hasattr(layer_or_loss, "params")
    if isinstance(layer_or_loss, type) or not all(hasattr(layer_or_loss, name) for name in ("forward", "backward")):
        raise TypeError(f"gradcheck: expected a layer or a loss, got {layer_or_loss!r:.80}")
    if len(inputs) != (1 if is_layer else 2):
        wanted = "one x for a layer" if is_layer else "(prediction, target) for a loss"
        raise TypeError(f"gradcheck: expected {wanted}, got {len(inputs)} inputs")
    subject = _LayerSubject(layer_or_loss, *inputs) if is_layer else _LossSubject(layer_or_loss, *inputs)
    result = GradcheckResult(type(layer_or_loss).__name__, tol)
    with subject:
        _compare(subject, result, eps, rng, max_entries)
    if raise_error and not result.ok:
        raise AssertionError(str(result))
    return result


def _compare(subject, result, eps, rng, max_entries):
    """Fill `result`."""
    before = {name: array.copy() for name, array in subject.arrays.items()}
    dout = rng.standard_normal(np.shape(subject.forward()))
    gradients = subject.backward(dout)
    for name, array in subject.arrays.items():
        if not np.array_equal(array, before[name], equal_nan=True):
            result.problems.append(f"{name} was changed by forward or backward")
            array[...] = before[name]
        gradient = gradients.get(name)
        if gradient is None:
            result.problems.append(f"{name} has no gradient")
        elif np.shape(gradient) != array.shape:
            result.problems.append(f"expected a gradient of shape {array.shape} for {name}, got {np.shape(gradient)}")
        else:
            positions = np.arange(array.size)
            if max_entries is not None and array.size > max_entries:
                positions = np.sort(rng.choice(array.size, max_entries, replace=False))
            indices = [tuple(int(i) for i in np.unravel_index(p, array.shape)) for p in positions]
            numeric = np.array([_slope(subject, array, index, dout, eps) for index in indices])
            analytic = np.array([gradient[index] for index in indices], np.float64)
            result._add(name, analytic, numeric, indices)


def _slope(subject, array, index, dout, eps):
    """Central difference of (out * dout).sum() along one entry of `array`, which is changed and put back."""
    value = array[index]
    high, low = value + eps, value - eps
    array[index] = high
    above = subject.forward()
    array[index] = low
    below = subject.forward()
    array[index] = value
    # Differences first: two large sums would lose the digits that matter. The step is the one that was really made.
    return float(np.sum((above - below) * dout)) / (high - low)


class _LayerSubject:
    """A layer or network under check: its arrays by name, a forward that repeats itself, backward."""

    def __init__(self, layer, x):
        self.layer = layer
        self.x = _float64("x", x)
        self.arrays = {"x": self.x, **dict(layer.params)}
        for name, param in layer.params.items():
            if param.dtype != np.float64:
                raise TypeError(
                    f"gradcheck: expected float64 parameters, got {name} of {param.dtype}; make the layer with dtype=np.float64"
                )
        self.random = random_layers(layer) if isinstance(layer, Layer) else []

    def __enter__(self):
        layers = self.layer.walk() if isinstance(self.layer, Layer) else [("", self.layer)]
        self.states = [(array, array.copy()) for _, layer in layers for array in getattr(layer, "state", {}).values()]
        self.draws = [(layer.rng.bit_generator, layer.rng.bit_generator.state) for _, layer in self.random]
        return self

    def __exit__(self, *exception):
        self._rewind()
        for array, before in self.states:
            array[...] = before

    def _rewind(self):
        for generator, state in self.draws:
            generator.state = state

    def forward(self):
        self._rewind()
        return np.array(self.layer.forward(self.x, training=True))

    def backward(self, dout):
        for grad in self.layer.grads.values():
            grad[...] = np.nan  # backward overwrites; what it leaves out shows
        dx = self.layer.backward(dout)
        gradients = {name: np.array(grad) for name, grad in self.layer.grads.items()}
        return {"x": None if dx is None else np.array(dx), **gradients}


class _LossSubject:
    """A loss under check: the prediction is its one array."""

    def __init__(self, loss, prediction, target):
        self.loss, self.target = copy.copy(loss), target
        self.prediction = _float64("prediction", prediction)
        self.arrays = {"prediction": self.prediction}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def forward(self):
        return np.array(self.loss.forward(self.prediction, self.target))

    def backward(self, dout):
        if inspect.signature(self.loss.backward).parameters:
            return {"prediction": self.loss.backward(dout)}
        # A loss whose backward takes no upstream gradient: scale what it gives.
        return {"prediction": self.loss.backward() * dout}


def _float64(name, array):
    """A float64 copy to move entries of; float32 has too few digits for differences."""
    array = np.asarray(array)
    if array.dtype != np.float64:
        raise TypeError(f"gradcheck: expected {name} in float64, got {array.dtype}")
    return np.array(array, order="C")
