"""Named arrays: the dicts that hold a layer's parameters, gradients and state."""

import numpy as np

from .changes import note


class ArrayDict(dict):
    """Named arrays that stay where they are: assigning to a name that exists copies into its array.

    A network moves the arrays of its layers into one block and leaves views here. ``params["weight"] = w`` therefore
    writes through to the block instead of cutting the layer loose from it.

    Parameters
    ----------
    arrays : mapping or iterable of pairs, optional
        Copied.

    Raises
    ------
    ValueError
        If the shape differs from that of the array in place.
    TypeError
        If the dtype differs: nothing is cast silently.

    Examples
    --------
    >>> params = ArrayDict(bias=np.zeros(2))
    >>> bias = params["bias"]
    >>> params["bias"] = np.array([1.0, 2.0])
    >>> bias
    array([1., 2.])
    """

    def __init__(self, arrays=(), /, **more):
        super().__init__()
        self.update(arrays, **more)

    def __setitem__(self, name, value):
        if name not in self:
            self.rebind(name, np.array(value, order="C"))
            return
        array, value = self[name], np.asarray(value)
        if value.shape != array.shape:
            raise ValueError(f"{name!r}: expected shape {array.shape}, got {value.shape}")
        if value.dtype != array.dtype:
            raise TypeError(f"{name!r}: expected dtype {array.dtype}, got {value.dtype}")
        array[...] = value

    def update(self, arrays=(), /, **more):
        for name, value in dict(arrays, **more).items():
            self[name] = value

    def __ior__(self, arrays):
        self.update(arrays)
        return self

    def setdefault(self, name, value):
        if name not in self:
            self[name] = value
        return self[name]

    def replace(self, arrays):
        """Hold exactly the names of `arrays`, keeping in place what is here already."""
        for name in set(self) - set(arrays):
            del self[name]
        self.update(arrays)

    def rebind(self, name, array):
        """Put `array` itself under `name`: for networks, when they move a layer's arrays."""
        super().__setitem__(name, array)
        note()

    def __delitem__(self, name):
        super().__delitem__(name)
        note()

    def pop(self, *args):
        array = super().pop(*args)
        note()
        return array

    def popitem(self):
        item = super().popitem()
        note()
        return item

    def clear(self):
        super().clear()
        note()


class ArrayViews(ArrayDict):
    """Arrays that belong to others, a network's to its layers: assigning writes into them, new names are refused.

    Parameters
    ----------
    items : iterable of (name, array)
        Not copied.

    Raises
    ------
    KeyError
        If a name is assigned to that is not there.
    """

    def __init__(self, items):
        super().__init__()
        for name, array in items:
            dict.__setitem__(self, name, array)  # no change of any layer: nothing to note

    def __setitem__(self, name, value):
        if name not in self:
            raise KeyError(f"no array {name!r}: arrays belong to layers, a network cannot have more")
        super().__setitem__(name, value)
