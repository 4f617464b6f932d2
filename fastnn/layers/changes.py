"""Whether anything has changed: what is compiled for a network (a capture, a plan) asks before it trusts itself.

    note()                say that some layer, somewhere, has changed: an attribute, a child, which arrays it holds
    count()               differs from an earlier `count()` if anything was noted between
    signature(network)    what a network is made of; equal to an earlier one if nothing that matters has changed

What is compiled keeps a count and a signature. While the count stays, nothing can have changed. When it moves, which any layer
of the process makes it do, the signature tells whether it was this network. Values in arrays are not changes: what is compiled
reads them where they are. Change first, then note: who sees the new count sees the change too.
"""

import itertools

import numpy as np

_next = itertools.count(1).__next__  # in one step, whatever the number of threads: no number comes twice
latest = options = 0


def note():
    """Say that a layer has changed."""
    global latest
    latest = _next()


def note_options():
    """Say that an optimizer, a loss or a setting has changed: `options`, the number of the last such change, moves."""
    global options
    options = _next()


def count():
    """The number of the last change.

    Examples
    --------
    >>> import fastnn as fnn
    >>> layer = fnn.ReLU()
    >>> before = count()
    >>> layer.slope = 0.5
    >>> count() == before
    False
    """
    return latest


_VALUES = (int, float, bool, str, bytes, type(None), np.dtype, np.generic)


def _is_value(attribute):
    """Whether it cannot change and may be compared: arrays, even inside a tuple, have no one answer."""
    return isinstance(attribute, _VALUES) or (isinstance(attribute, tuple) and all(map(_is_value, attribute)))


class Signature:
    """What a network is made of: layers, their public attributes, the addresses of their arrays. Equal if all of it is.

    It keeps arrays and other objects that it names by address or identity alive, so that no other can take their place; but
    no layers: what a network keeps must not lead back to it.
    """

    __slots__ = ("held", "parts")
    __hash__ = None

    def __init__(self, network, kinds):
        self.parts, self.held = [], []
        for name, layer in network.walk():
            self.parts += name, type(layer), layer._kernels
            for key, value in layer.__dict__.items():
                if key[0] != "_":
                    self._add(key, value)
            if not layer.is_network:
                for kind in kinds:
                    for key, array in getattr(layer, kind).items():
                        self.parts += kind, key, array.__array_interface__["data"][0], array.shape, array.dtype
                        self.held.append(array)

    def _add(self, key, value):
        self.parts += key, type(value)
        if _is_value(value):
            self.parts.append(value)
        elif not hasattr(value, "walk"):  # layers come by themselves
            self.parts.append(id(value))
            self.held.append(value)

    def __eq__(self, other):
        return isinstance(other, Signature) and self.parts == other.parts


def signature(network, kinds=("params", "state")):
    """The `Signature` of a layer or network at this moment.

    Parameters
    ----------
    network : Layer
    kinds : tuple of {"params", "grads", "state"}
        The arrays whose addresses count.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> network = fnn.Sequential(fnn.Dense(2, 3), fnn.LeakyReLU())
    >>> before = signature(network)
    >>> network[0].params["weight"][...] = 0
    >>> signature(network) == before
    True
    >>> network[1].negative_slope = 0.5
    >>> signature(network) == before
    False
    """
    return Signature(network, kinds)
