"""What pickle files may name: stand-ins for the few functions with which NumPy's arrays, dtypes and scalars are restored.

    ADMITTED    (module, name) -> stand-in: all that there is; nothing is imported or looked up elsewhere

The stand-ins compare each claim of a file with the bytes that are there before NumPy sees any of it. NumPy's own functions
do not: their ``__setstate__`` trusts a state, and arrays of objects hold addresses.
"""

import math
import re

import numpy as np

# Booleans, integers, floats and complex numbers; text and bytes of a fixed length. No objects, no records.
_DTYPES = re.compile(r"b1|[iu][1248]|f[248]|c8|c16|[SU][1-9][0-9]{0,5}")
_LATIN1 = ("latin1", "latin-1", b"latin1", b"latin-1")


class Refused(Exception):
    """The file asks for something that could be done but will not be."""


class Global:
    """A name that a pickle file may use; the machine calls `call(args, spend)` where the file says to call it."""

    __slots__ = ("call", "name")

    def __init__(self, name, call):
        self.name, self.call = name, call


class Unfinished:
    """An array or dtype that was announced, before its state is there; `finish(state, spend)` makes the real one."""

    __slots__ = ("finish", "memos", "what")

    def __init__(self, what, finish):
        self.what, self.finish = what, finish
        self.memos = []  # where in the memo it stands


def _expect(condition, message):
    if not condition:
        raise ValueError(message)


def _reconstruct(args, spend):
    """``numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b'b')``: an array whose state follows."""
    _expect(len(args) == 3 and args[0] is _NDARRAY, "expected _reconstruct of a numpy.ndarray")
    return Unfinished("array", _array_from_state)


def _array_from_state(state, spend):
    """``ndarray.__setstate__((1, shape, dtype, is_fortran, data))``, checked."""
    _expect(type(state) is tuple and len(state) == 5 and state[0] == 1, "expected an array's state of version 1")
    _, shape, dtype, fortran, data = state
    _expect(type(fortran) in (bool, int), "expected an array's order to be a bool")
    return _array(data, dtype, shape, "F" if fortran else "C", spend)


def _frombuffer(args, spend):
    """``numpy._core.numeric._frombuffer(data, dtype, shape, order)``, which protocol 5 uses."""
    _expect(len(args) in (4, 5), "expected 4 or 5 arguments of _frombuffer")
    data, dtype, shape, order, *axes = args
    axes = axes[0] if axes else None
    if order != "K" or axes is None:
        _expect(order in ("C", "F"), f"expected an array's order to be C or F, got {order!r:.20}")
        return _array(data, dtype, shape, order, spend)
    array = _array(data, dtype, shape, "C", spend)
    _expect(type(axes) is tuple and all(type(axis) is int for axis in axes), "expected an array's axes to be ints")
    _expect(sorted(axes) == list(range(array.ndim)), "expected each of an array's axes once")
    return array.transpose(axes)


def _array(data, dtype, shape, order, spend):
    """A new array of `data`, once all sizes agree."""
    data = _bytes_of(data, spend)
    _expect(isinstance(dtype, np.dtype), "expected an array's dtype to be a dtype")
    _expect(type(shape) is tuple and len(shape) <= 32, "expected an array's shape to be a tuple of at most 32 ints")
    _expect(all(type(size) is int and size >= 0 for size in shape), "expected an array's shape to be of ints, not negative")
    claimed = math.prod(shape) * dtype.itemsize
    _expect(claimed == len(data), f"expected {claimed} bytes for {dtype} of shape {shape}, got {len(data)}")
    if dtype.kind == "b":
        # Compiled code takes it for granted that a bool is 0 or 1.
        _expect(not bytes(data).translate(None, b"\0\1"), "expected bools of 0 and 1")
    spend(claimed)
    array = np.empty(shape, dtype, order)
    if claimed:
        array.reshape(-1, order=order)[:] = np.frombuffer(data, dtype)  # a view: the order is the array's own
    return array


def _dtype(args, spend):
    """``numpy.dtype("f4", False, True)``: a dtype whose byte order follows."""
    code = args[0] if args else None
    code = code.decode("latin1") if type(code) is bytes else code
    if type(code) is not str or not _DTYPES.fullmatch(code):
        raise Refused(f"dtype {code!r:.40}")
    _expect(len(args) in (1, 3) and all(type(flag) in (bool, int) for flag in args[1:]), "expected 1 or 3 arguments of dtype")

    def finish(state, spend):
        _expect(type(state) is tuple and len(state) == 8 and state[0] == 3, "expected a dtype's state of version 3")
        order = state[1].decode("latin1") if type(state[1]) is bytes else state[1]
        _expect(order in ("<", ">", "|"), "expected a dtype's byte order to be <, > or |")
        _expect(state[2] is state[3] is state[4] is None, "expected a dtype without fields or shape")
        return np.dtype(code).newbyteorder(order)

    return Unfinished("dtype", finish)


def _scalar(args, spend):
    """``numpy.core.multiarray.scalar(dtype, data)``."""
    _expect(len(args) == 2, "expected 2 arguments of scalar")
    return _array(args[1], args[0], (1,), "C", spend)[0]


def _encode(args, spend):
    """``_codecs.encode(text, "latin1")``: how Python 3 stores bytes in protocols 0 to 2."""
    _expect(len(args) == 2 and type(args[0]) is str and args[1] in _LATIN1, "expected _codecs.encode of text in latin1")
    return _bytes_of(args[0], spend)


def _bytes(args, spend):
    """``bytes()``: how Python 3 stores those of length 0."""
    _expect(args == (), "expected no arguments of bytes")
    return b""


def _bytearray(args, spend):
    """``bytearray(data)``, also with Python 2's ``(text, "latin-1")``."""
    _expect(len(args) < 2 or (len(args) == 2 and args[1] in _LATIN1), "expected bytearray of bytes, or of text in latin1")
    data = _bytes_of(args[0], spend) if args else b""
    spend(len(data))
    return bytearray(data)


def _bytes_of(data, spend):
    """Bytes, which Python 2's strings come as in one encoding, and text in the other."""
    _expect(type(data) in (bytes, bytearray, str), f"expected bytes, got {type(data).__name__}")
    if type(data) is not str:
        return data
    spend(len(data))
    return data.encode("latin1")


_NDARRAY = Global("numpy.ndarray", None)
_CALLS = {
    "_reconstruct": (_reconstruct, "numpy.core.multiarray", "numpy._core.multiarray"),
    "scalar": (_scalar, "numpy.core.multiarray", "numpy._core.multiarray"),
    "_frombuffer": (_frombuffer, "numpy.core.numeric", "numpy._core.numeric"),
    "dtype": (_dtype, "numpy"),
    "encode": (_encode, "_codecs"),
    "bytes": (_bytes, "builtins", "__builtin__"),
    "bytearray": (_bytearray, "builtins", "__builtin__"),
}
ADMITTED = {("numpy", "ndarray"): _NDARRAY} | {
    (module, name): Global(f"{module}.{name}", call) for name, (call, *modules) in _CALLS.items() for module in modules
}
