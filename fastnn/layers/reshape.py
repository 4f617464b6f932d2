"""Samples in another shape, with their axes in another order, or as they are."""

import math

from .base import ShapedLayer
from .checks import as_int
from .config import registered_name


class Identity(ShapedLayer):
    """x as it is: a place for a layer, or a branch of `Concat` that passes x on.

    Shape: any.

    Raises
    ------
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Identity().forward(np.array([[1, 2]], np.float32))
    array([[1., 2.]], dtype=float32)
    """

    def infer(self, shape, x_shape=None):
        return shape

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        self.saved = (shape, x.dtype) if training else None
        return x

    def backward(self, dout, *, need_dx=True):
        dout = self.as_dout(dout, *self.take_saved())
        return dout if need_dx else None


class Reshape(ShapedLayer):
    """Each sample in another shape, its elements in the same order; no data moves.

    Shape: (N, ...) -> (N, *shape).

    Parameters
    ----------
    *shape : int, or one tuple of int
        Of one sample, without the batch, as Keras's ``Reshape(target_shape)``. One axis may be -1: what is left for it.

    Raises
    ------
    ValueError
        If x has another number of elements, or an argument is out of range.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Reshape(1, 28, 28).output_shape((784,))
    (1, 28, 28)
    >>> fnn.Reshape((-1, 4)).forward(np.zeros((3, 2, 6), np.float32)).shape
    (3, 3, 4)
    """

    def __init__(self, *shape):
        super().__init__()
        self.shape = tuple(as_int(size, "Reshape: shape", -1) for size in _one_or_many(shape, "Reshape: shape"))
        if self.shape.count(-1) > 1:
            raise ValueError(f"Reshape: shape may have one -1, got {self.shape}")

    def infer(self, shape, x_shape=None):
        size, known = math.prod(shape), math.prod(s for s in self.shape if s != -1)
        fits = known > 0 and size % known == 0 if -1 in self.shape else size == known
        if not fits:
            some = f"a multiple of {known}" if -1 in self.shape else f"{known}"
            raise self.shape_error(f"samples of {some} elements for shape={self.shape}", shape, x_shape)
        return tuple(size // known if s == -1 else s for s in self.shape)

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        out = x.reshape(self.batch_output_shape(x))
        self.saved = (x.shape, out.shape, x.dtype) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, out_shape, dtype = self.take_saved()
        dout = self.as_dout(dout, out_shape, dtype)
        return dout.reshape(x_shape) if need_dx else None

    def get_config(self):
        return {"class": registered_name(type(self)), "shape": list(self.shape)}

    @classmethod
    def from_config(cls, arguments):
        return cls(tuple(arguments["shape"]))

    def extra_repr(self):
        return f"shape={self.shape}"


class Permute(ShapedLayer):
    """The axes of each sample in another order. ``Permute(3, 1, 2)`` brings the channels of images from last to first.

    Shape: (N, d1, d2, ...) -> (N, x.shape[dims[0]], x.shape[dims[1]], ...).

    Parameters
    ----------
    *dims : int, or one tuple of int
        Axes of x in their new order, the batch being axis 0. It stays first and may be left out: (3, 1, 2), as Keras's
        ``Permute``, and (0, 3, 1, 2), as torchvision's, are the same.

    Raises
    ------
    ValueError
        If `dims` are no permutation, or x has another number of axes.
    TypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.Permute(3, 1, 2).output_shape((32, 48, 3))
    (3, 32, 48)
    >>> fnn.Permute(0, 2, 1).forward(np.array([[[1, 2], [3, 4]]], np.float32))
    array([[[1., 3.],
            [2., 4.]]], dtype=float32)
    """

    def __init__(self, *dims):
        super().__init__()
        given = tuple(as_int(d, "Permute: dims") for d in _one_or_many(dims, "Permute: dims"))
        self.dims = given[1:] if given[:1] == (0,) else given
        if not self.dims or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"Permute: dims must be the axes of x, numbered from 1, in their new order, got {given}")
        self._back = tuple(self.dims.index(axis) + 1 for axis in sorted(self.dims))

    def infer(self, shape, x_shape=None):
        if len(shape) != len(self.dims):
            raise self.shape_error(f"samples of {len(self.dims)} axes for dims={self.dims}", shape, x_shape)
        return tuple(shape[d - 1] for d in self.dims)

    def forward(self, x, *, training=False):
        x = self.as_input(x)
        shape = self.batch_output_shape(x)
        out = self._permuted("out", x, self.dims, shape)
        self.saved = (x.shape, shape, x.dtype) if training else None
        return out

    def backward(self, dout, *, need_dx=True):
        x_shape, out_shape, dtype = self.take_saved()
        dout = self.as_dout(dout, out_shape, dtype)
        return self._permuted("dx", dout, self._back, x_shape) if need_dx else None

    def _permuted(self, name, x, dims, shape):
        out = self.buffer(name, shape, x.dtype)
        if len(dims) > 3:
            out[...] = x.transpose(0, *dims)
        elif out.size:
            strides = [math.prod(x.shape[d + 1 :]) for d in dims]
            missing = 3 - len(dims)
            planes = out.reshape(len(x), *(1,) * missing, *shape[1:])
            self.kernels.permute.permute(planes, x.reshape(len(x), -1), (*(0,) * missing, *strides))
        return out

    def get_config(self):
        return {"class": registered_name(type(self)), "dims": list(self.dims)}

    @classmethod
    def from_config(cls, arguments):
        return cls(*arguments["dims"])

    def extra_repr(self):
        return f"dims={self.dims}"


def _one_or_many(arguments, what):
    """The numbers of (1, 2, 3) or of ((1, 2, 3),)."""
    if not arguments:
        raise ValueError(f"{what} must be one or more ints, got none")
    return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments
