"""Networks of layers: one after another, and around a shortcut."""

from ..network import Network
from .base import call_backward
from .checks import as_shape
from .config import registered_name


class Sequential(Network):
    """Layers one after another.

    Shape: that of the first layer's input -> that of the last layer's output.

    Parameters
    ----------
    *layers : Layer
        Each may appear once; an array of parameters has one owner.

    Attributes
    ----------
    layers : tuple of Layer
    params, grads, state : dict of arrays
        Of all layers, under dotted names ("0.weight").

    Raises
    ------
    TypeError
        If something is not a layer, or the parameters are not all of one dtype.
    ValueError
        If a layer appears twice.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> net = fnn.Sequential(fnn.Dense(2, 3, rng=0), fnn.Tanh())
    >>> net.add(fnn.Dense(3, 1, rng=1))
    Sequential(
      (0): Dense(in_features=2, out_features=3, bias=True)
      (1): Tanh()
      (2): Dense(in_features=3, out_features=1, bias=True)
    )
    >>> len(net), net[0].output_shape((2,)), net.output_shape((2,))
    (3, (3,), (1,))
    >>> net.forward(np.zeros((4, 2), np.float32)).shape
    (4, 1)
    """

    def __init__(self, *layers):
        super().__init__()
        self._layers = []
        self._set_layers(layers)

    @property
    def layers(self):
        """The layers in order."""
        return tuple(self._layers)

    def append(self, layer):
        """Add a layer at the end.

        Returns
        -------
        Sequential
            The network itself, so that calls can be chained.
        """
        self._set_layers([*self._layers, layer])
        return self

    add = append

    def _set_layers(self, layers):
        before, self._layers = self._layers, list(layers)
        try:
            self.adopt()
        except (TypeError, ValueError):
            self._layers = before
            raise

    def __len__(self):
        return len(self._layers)

    def __iter__(self):
        return iter(self._layers)

    def __getitem__(self, index):
        """One layer; for a slice, a Sequential of the same layer objects."""
        return Sequential(*self._layers[index]) if isinstance(index, slice) else self._layers[index]

    def __setitem__(self, index, layer):
        layers = list(self._layers)
        layers[index] = layer
        self._set_layers(layers)

    def children(self):
        return {str(i): layer for i, layer in enumerate(self._layers)}

    def output_shape(self, input_shape):
        """Shape of one sample's output, given that of one sample's input.

        Raises
        ------
        ValueError
            From the first layer that cannot take what reaches it.
        """
        shape = as_shape(input_shape, f"{self.class_name}: input_shape")
        for layer in self._layers:
            shape = layer.output_shape(shape)
        return shape

    def macs(self, input_shape):
        total, shape = 0, as_shape(input_shape, f"{self.class_name}: input_shape")
        for layer in self._layers:
            total, shape = total + layer.macs(shape), layer.output_shape(shape)
        return total

    def run_forward(self, x, training):
        out = x
        for i, layer in enumerate(self._layers):
            try:
                out = layer.forward(out, training=training)
            except (TypeError, ValueError) as error:
                if hasattr(error, "add_note"):  # Python 3.11
                    error.add_note(f"in layer {i} of {self.class_name}, {layer!r:.100}")
                raise
        return out

    def run_backward(self, dout, need_dx):
        layers = self._layers
        # Without dx, nothing in front of the first parameters has any work.
        first = 0 if need_dx else next((i for i, layer in enumerate(layers) if _has_params(layer)), len(layers))
        for layer in layers[:first]:
            layer.forget()
        for layer in reversed(layers[first + 1 :]):
            dout = layer.backward(dout)
        for layer in layers[first : first + 1]:
            dout = call_backward(layer, dout, need_dx)
        return dout if need_dx else None

    def get_config(self):
        return {"class": registered_name(type(self)), "layers": [layer.get_config() for layer in self._layers]}

    @classmethod
    def from_config(cls, arguments):
        return cls(*arguments["layers"])


class Residual(Network):
    """body(x) + shortcut(x), or body(x) + x without a shortcut.

    Shape: that of the body, which must be that of the shortcut, or of x.

    Parameters
    ----------
    body : Layer
        Usually a Sequential.
    shortcut : Layer, optional

    Attributes
    ----------
    body, shortcut : Layer, Layer or None
    params, grads, state : dict of arrays
        Of both, under dotted names ("body.0.weight").

    Raises
    ------
    TypeError
        If something is not a layer, or the parameters are not all of one dtype.
    ValueError
        If a layer appears twice, or the two sides differ in shape.

    Notes
    -----
    He et al., "Deep residual learning for image recognition" (2015), arXiv:1512.03385.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> block = fnn.Residual(fnn.Sequential(fnn.Dense(2, 2, rng=0), fnn.ReLU()))
    >>> block.body[0].params["weight"] = np.array([[1, 0], [0, -1]], np.float32)
    >>> block.body[0].params["bias"] = np.zeros(2, np.float32)
    >>> block.forward(np.array([[3, 4]], np.float32))
    array([[6., 4.]], dtype=float32)
    """

    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.adopt()

    def children(self):
        return {"body": self.body} if self.shortcut is None else {"body": self.body, "shortcut": self.shortcut}

    def output_shape(self, input_shape):
        """Shape of one sample's output, given that of one sample's input.

        Raises
        ------
        ValueError
            If body and shortcut do not give the same shape.
        """
        shape = as_shape(input_shape, f"{self.class_name}: input_shape")
        body, beside = self.body.output_shape(shape), self._beside_shape(shape)
        if body != beside:
            raise ValueError(f"Residual: body gives {body}, shortcut gives {beside}, for input_shape={shape}")
        return body

    def _beside_shape(self, shape):
        return shape if self.shortcut is None else self.shortcut.output_shape(shape)

    def macs(self, input_shape):
        return sum(layer.macs(input_shape) for layer in self.children().values())

    def run_forward(self, x, training):
        body = self.body.forward(x, training=training)
        beside = x if self.shortcut is None else self.shortcut.forward(x, training=training)
        return self._add("out", self.as_input(body, "body(x)"), self.as_input(beside, "shortcut(x)"))

    def run_backward(self, dout, need_dx):
        dbody = call_backward(self.body, dout, need_dx)
        dbeside = dout if self.shortcut is None else call_backward(self.shortcut, dout, need_dx)
        return self._add("dx", self.as_input(dbody), self.as_input(dbeside)) if need_dx else None

    def _add(self, name, a, b):
        if a.shape != b.shape:
            raise ValueError(f"Residual: body gives {a.shape}, shortcut gives {b.shape}")
        out = self.buffer(name, a.shape, a.dtype)
        if out.size:
            self.kernels.activations.add(out.reshape(-1), a.reshape(-1), b.reshape(-1))
        return out


def _has_params(layer):
    return any(part.params for _, part in layer.walk() if not part.is_network)
