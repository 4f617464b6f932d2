"""A layer made of functions."""

import inspect

import numpy as np

from .base import Layer
from .checks import as_shape

_PROBE = 2  # samples


class Lambda(Layer):
    """What a function makes of x, with another function for the gradient.

    Shape: (N, ...) -> (N, ...), whatever `forward` gives for N samples.

    Parameters
    ----------
    forward : callable
        ``forward(x) -> out``. It gets a read-only array, and gives a new array, or a view, of as many samples and of x's
        dtype. It must not depend on anything but x.
    backward : callable, optional
        ``backward(dout, x) -> dx``, or ``backward(dout, x, out) -> dx`` if it takes three: the gradient with respect to x.
        Without it, gradients can pass only where `forward` does nothing but reshape x.

    Attributes
    ----------
    function, gradient : callable
        The two arguments.

    Raises
    ------
    TypeError
        If an argument is no function, or what one returns is no array or of another dtype; if x is neither float32 nor
        float64.
    ValueError
        If what a function returns has another number of samples, or dx another shape than x; or if a gradient is asked for
        that no function gives.

    Notes
    -----
    `output_shape` runs `forward` on a small batch of zeros. Functions cannot be written to files: for networks to be saved,
    write a subclass of `fastnn.Layer`. In compiled plans, a reshape is as good as a `Reshape`; with other functions,
    networks run layer by layer.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> square = fnn.Lambda(lambda x: x * x, lambda dout, x: 2 * x * dout)
    >>> square.forward(np.array([[3, -4]], np.float32))
    array([[ 9., 16.]], dtype=float32)
    >>> bool(fnn.gradcheck(square, np.array([[1.0, 2.0, 3.0]])))
    True
    >>> network = fnn.Sequential(fnn.Conv2d(1, 4, 3), fnn.AdaptiveAvgPool2d(1), fnn.Lambda(lambda x: x.reshape(len(x), -1)))
    >>> network.summary((1, 8, 8)).path
    'compiled plan'
    """

    def __init__(self, forward, backward=None):
        super().__init__()
        if not callable(forward):
            raise TypeError(f"Lambda: forward must be a function, got {forward!r:.80}")
        if backward is not None and not callable(backward):
            raise TypeError(f"Lambda: backward must be a function or None, got {backward!r:.80}")
        if backward is not None:
            _takes_out(backward)
        self.function, self.gradient = forward, backward

    def output_shape(self, input_shape):
        """Shape of one sample's output, given that of one sample's input: what `forward` makes of zeros.

        Raises
        ------
        ValueError
            If `forward` fails on them.
        """
        shape = as_shape(input_shape, "Lambda: input_shape")
        return self._probe(np.zeros((_PROBE, *shape), np.float32)).shape[1:]

    def only_reshapes(self, shape):
        """Whether it takes samples of a shape, gives the same elements in the same order, and has no gradient of its own."""
        if self.gradient is not None:
            return False
        x = np.random.default_rng(0).standard_normal((_PROBE, *shape), np.float32)
        try:
            return _is_reshape(x, self._probe(x))
        except (TypeError, ValueError):
            return False

    def _probe(self, x):
        """What `forward` makes of x, where x is none of the user's."""
        try:
            with np.errstate(all="ignore"):
                out = self.function(_read_only(x))
        except Exception as error:
            kind = f"{type(error).__name__}: {error}"
            raise ValueError(f"Lambda: forward failed on a trial batch of shape {x.shape}: {kind}") from error
        return self._checked(out, x)

    def _checked(self, out, x):
        if not isinstance(out, np.ndarray):
            raise TypeError(f"Lambda: expected forward to return an array, got {out!r:.80}")
        if out.shape[:1] != x.shape[:1]:
            raise ValueError(f"Lambda: expected forward to return {len(x)} samples for {x.shape}, got {out.shape}")
        return out

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        if x.ndim == 0:
            raise self.shape_error("a batch", (), ())
        if len(x) == 0:  # what few functions can take: x.reshape(0, -1) is an error
            out = x.reshape(0, *self.output_shape(x.shape[1:]))
        else:
            out = self._checked(self.function(_read_only(x)), x)
        if out.dtype != x.dtype:
            raise TypeError(f"Lambda: expected forward to return {x.dtype}, the dtype of x, got {out.dtype}")
        reshaped = _is_reshape(x, out)
        out = x.reshape(out.shape) if reshaped else self.as_input(out, "forward(x)")
        self.saved = (x, out, reshaped) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x, out, reshaped = self.take_saved()
        dout = self.as_dout(dout, out.shape, out.dtype)
        if not need_dx:
            return None
        if self.gradient is None:
            if not reshaped:
                raise ValueError(
                    "Lambda: expected a backward, as forward does more than reshape x: give Lambda(forward, backward) with "
                    "backward(dout, x) -> dx"
                )
            return dout.reshape(x.shape)
        given = (dout, x, out) if _takes_out(self.gradient) else (dout, x)
        dx = self.gradient(*map(_read_only, given))
        if not isinstance(dx, np.ndarray):
            raise TypeError(f"Lambda: expected backward to return an array, got {dx!r:.80}")
        if dx.shape != x.shape:
            raise ValueError(f"Lambda: expected backward to return dx of x's shape {x.shape}, got {dx.shape}")
        if dx.dtype != x.dtype:
            raise TypeError(f"Lambda: expected backward to return {x.dtype}, the dtype of x, got {dx.dtype}")
        return self.as_input(dx, "dx")

    def get_config(self):
        raise TypeError(f"{self!r}: functions cannot be saved; write a subclass of fastnn.Layer that has them as its methods")

    def extra_repr(self):
        return getattr(self.function, "__name__", type(self.function).__name__)


def _read_only(x):
    """x, safe from a function that would write into it."""
    view = x.view()
    view.flags.writeable = False
    return view


def _is_reshape(x, out):
    """Whether `out` is the memory of x, all of it in its order."""
    same = out.__array_interface__["data"][0] == x.__array_interface__["data"][0] and out.size == x.size
    return same and out.dtype == x.dtype and out.flags.c_contiguous and x.flags.c_contiguous


def _takes_out(backward):
    """Whether a gradient is a function of (dout, x, out) rather than (dout, x)."""
    try:
        parameters = inspect.signature(backward).parameters.values()
    except (TypeError, ValueError):  # of a function in C
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    most = np.inf if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(positional)
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if needed > 3 or most < 2 or keywords:
        raise TypeError(
            f"Lambda: backward must take (dout, x) or (dout, x, out), got a function of {inspect.signature(backward)}"
        )
    return needed == 3
