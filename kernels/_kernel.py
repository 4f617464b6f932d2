"""From a serial loop to a kernel that Python calls: the `kernel` decorator.

A kernel is written as a plain function over arrays that does the items first..last, ready for Numba::

    @kernel(items=lambda out, x: out.size, chunk=lambda out, x: 8192, cost=lambda out, x: out.size)
    def relu_forward(out, x, first, last):
        out, x = out[first:last], x[first:last]  # from 0 on: otherwise each index might be negative, and nothing vectorises
        for i in range(x.size):
            out[i] = max(x[i], 0)

The decorated name is then called as ``relu_forward(out, x)``. Behind it, arguments become a record of int64 words (addresses
and shapes of arrays, numbers), and a small entry with the one signature (record, first, last, scratch) turns them back; its
address is what the threads run. So a kernel compiles alone, once for each combination of argument types, and no Numba
dispatch or thread launch is compiled with it.
"""

import functools
import inspect
import threading
from array import array
from ctypes import addressof, c_char
from struct import pack, unpack

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import compiler
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from . import _jit
from ._threads import recordings, run

_SIGNATURE = types.void(types.CPointer(types.int64), types.int64, types.int64, types.int64)
_compile_lock = threading.Lock()

SERIAL_BELOW = 8_000  # cost units, nanoseconds of one thread: less is not worth waking anybody


def _pointer_from(numba_type):
    """An intrinsic that reads an address as a pointer to `numba_type`."""

    @intrinsic
    def pointer(typingctx, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(numba_type)(types.int64), codegen

    return pointer


POINTERS = {
    np.dtype(np.float32): _pointer_from(types.float32),
    np.dtype(np.float64): _pointer_from(types.float64),
    np.dtype(np.int32): _pointer_from(types.int32),
    np.dtype(np.int64): _pointer_from(types.int64),
    np.dtype(np.uint8): _pointer_from(types.uint8),
}
_CODES = {dtype: f"{dtype.kind}{dtype.itemsize}" for dtype in POINTERS}
_TUPLES = [f"t{n}" for n in range(24)]
_LAYOUTS = {dtype: [f"{code}:{ndim}" for ndim in range(8)] for dtype, code in _CODES.items()}


@intrinsic
def _float_from(typingctx, bits):
    """The float64 whose bits are this int64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


def _bits(number):
    """The bits of a float64 as an int64."""
    return unpack("q", pack("d", number))[0]


def flat(array, *shape):
    """The array in another shape, one-dimensional by default, never as a copy: a copy's address would dangle.

    Raises
    ------
    ValueError
        If the array is not C-contiguous.
    """
    if not array.flags.c_contiguous:
        raise _not_contiguous(array)
    return array.reshape(shape or -1)


def _not_contiguous(array):
    return ValueError(f"kernel: expected C-contiguous arrays, got strides {array.strides}")


def _address(array):
    """Address of a C-contiguous array's first element."""
    try:
        return addressof(c_char.from_buffer(array))  # a tenth of the time of array.ctypes.data
    except (TypeError, ValueError):  # read-only, empty, or not contiguous
        if not array.flags.c_contiguous:
            raise _not_contiguous(array) from None
        return array.ctypes.data


def pack_record(args):
    """Words of a record, and the layout that tells an entry how to read them.

    Returns
    -------
    words : list of int
    layout : tuple of str
        For each argument ``"f4:3"`` (array, code of the dtype and dimensions), ``"i"``, ``"f"`` or ``"t2"`` (tuple of ints).

    Raises
    ------
    TypeError
        For a dtype that kernels do not know.
    ValueError
        For an array that is not C-contiguous.
    """
    words, layout = [], []
    for arg in args:
        if isinstance(arg, np.ndarray):
            try:
                layout.append(_LAYOUTS[arg.dtype][arg.ndim])
            except KeyError:
                raise TypeError(f"kernel: expected one of {', '.join(map(str, POINTERS))}, got {arg.dtype}") from None
            words.append(_address(arg) if arg.size else 0)
            words.extend(arg.shape)
        elif isinstance(arg, tuple):
            words.extend(arg)
            layout.append(_TUPLES[len(arg)])
        elif isinstance(arg, (int, np.integer)):
            words.append(int(arg))
            layout.append("i")
        else:
            words.append(_bits(arg))
            layout.append("f")
    return words, tuple(layout)


def _entry_source(layout, takes_scratch):
    """Python text of the entry that unpacks a record of this layout."""
    lines, at = [], 0
    for i, item in enumerate(layout):
        if ":" in item:
            code, ndim = item.split(":")
            shape = "".join(f"record[{at + 1 + d}], " for d in range(int(ndim)))
            lines.append(f"    a{i} = carray(pointer_{code}(record[{at}]), ({shape}))")
            at += 1 + int(ndim)
        elif item[0] == "t":
            lines.append(f"    a{i} = ({''.join(f'record[{at + d}], ' for d in range(int(item[1:])))})")
            at += int(item[1:])
        else:
            lines.append(f"    a{i} = record[{at}]" if item == "i" else f"    a{i} = float_from(record[{at}])")
            at += 1
    names = [f"a{i}" for i in range(len(layout))] + ["first", "last"] + (["scratch"] if takes_scratch else [])
    return "\n".join(["def entry(record, first, last, scratch):", *lines, f"    loop({', '.join(names)})"])


def compile_entry(function, module, name, signature):
    """A Python function as a compiled C function with an `address`, loaded from the disk cache if it is there.

    `module` and `name` tell it from all others in the cache. Keep the result: its machine code goes with it.
    """
    function.__module__ = module
    function.__qualname__ = function.__name__ = name
    compiled = CFunc(function, (signature.args, signature.return_type), {}, dict(_jit.OPTIONS), compiler.Compiler)
    if _jit.cache_dir() is not None:
        compiled._cache = _jit.StampCache(function)
    compiled.compile()
    return compiled


@functools.cache
def _make_packer(layout):
    """A function that packs arguments of this layout as `pack_record` does, in half its time; None for any other layout."""
    scope = {"array": array, "addressof": addressof, "from_buffer": c_char.from_buffer}
    names, tests, words = [], [], []
    for i, item in enumerate(layout):
        name = f"a{i}"
        names.append(name)
        if ":" in item:
            code, ndim = item.split(":")
            scope[code] = next(dtype for dtype, known in _CODES.items() if known == code)
            tests.append(f"{name}.dtype is not {code} or {name}.ndim != {ndim}")
            words.append(f"addressof(from_buffer({name})) if {name}.size else 0, *{name}.shape")
        elif item[0] == "t":
            tests.append(f"type({name}) is not tuple or len({name}) != {item[1:]}")
            words.append(f"*{name}")
        elif item == "f":
            scope["bits"] = _bits
            tests.append(f"type({name}) is not float")
            words.append(f"bits({name})")
        else:
            words.append(name)
    lines = [
        "def pack(entry, items, chunk, args):",
        "    try:",
        f"        {', '.join(names)}, = args",
        f"        if {' or '.join(tests) or 'False'}:",
        "            return None",
        f"        return array('q', (entry, items, chunk, 0, 0, {', '.join(words)}))",
        "    except (AttributeError, TypeError, ValueError):",
        "        return None",
    ]
    exec("\n".join(lines), scope)
    return scope["pack"]


class Kernel:
    """A serial function over a range of items, compiled once for each layout of its arguments."""

    def __init__(self, function, items=None, chunk=None, cost=None, scratch=None, mixed=False):
        functools.update_wrapper(self, function)
        parameters = list(inspect.signature(function).parameters.values())
        names = [p.name for p in parameters]
        self.takes_scratch = names[-1] == "scratch"
        self.__signature__ = inspect.Signature(parameters[: names.index("first")])
        self._function = function
        self._loop = None
        self._items, self._chunk, self._cost, self._scratch = items, chunk, cost, scratch
        self._mixed = mixed
        self._entries = {}
        self._compiled = []
        # How the last arguments were packed, and the entry for them: one tuple, so that threads never see half of it.
        self._last = (lambda *_: None), 0

    def entry(self, layout):
        """Address of the compiled entry for this layout of arguments, compiling it or loading it from disk the first time.

        Raises
        ------
        TypeError
            If float32 and float64 arrays come together: tiles go by addresses and one element size.
        """
        if not self._mixed and {"f4", "f8"} <= {item.split(":")[0] for item in layout}:
            raise TypeError(f"{self.__name__}: expected arrays of one float dtype, got float32 and float64 together")
        with _compile_lock:
            if layout not in self._entries:
                compiled = self._compile(layout)
                self._compiled.append(compiled)  # keeps the machine code alive
                self._entries[layout] = compiled.address
            return self._entries[layout]

    @property
    def loop(self):
        """The serial function itself, for other kernels to call: it is compiled into them."""
        if self._loop is None:
            self._loop = _jit.jit(self._function, inline="always")
        return self._loop

    def _compile(self, layout):
        scope = {"carray": carray, "float_from": _float_from, "loop": self.loop}
        scope |= {f"pointer_{_CODES[dtype]}": pointer for dtype, pointer in POINTERS.items()}
        code = compile(_entry_source(layout, self.takes_scratch), inspect.getfile(self._function), "exec")
        exec(code, scope)
        name = "_".join([self._function.__qualname__, *layout]).replace(":", "d") + _jit.digest(self._function)
        return compile_entry(scope["entry"], self._function.__module__, name, _SIGNATURE)

    def phase(self, args, items, chunk=1):
        """A phase for `run`: a record of this kernel over `items` items of its arguments, `chunk` at a time.

        The arrays in `args` must stay alive until the phase has run.
        """
        pack, entry = self._last
        record = pack(entry, items, chunk, args)
        if record is None:  # other types than the last time
            words, layout = pack_record(args)
            entry = self.entry(layout)
            self._last = _make_packer(layout), entry
            record = array("q", (entry, items, chunk, 0, 0, *words))
        if recordings and (noted := recordings.get(threading.get_ident())) is not None:
            noted.kept.append(args)
        return record

    def __call__(self, *args, **named):
        if named:
            args = self.__signature__.bind(*args, **named).args
        items = self._items(*args)
        if items <= 0:
            return
        chunk = self._chunk(*args) if self._chunk else 1
        scratch = self._scratch(*args) if self._scratch else 0
        cost = self._cost(*args) if self._cost else SERIAL_BELOW
        run([self.phase(args, items, chunk)], scratch, parallel=cost >= SERIAL_BELOW)


def kernel(*, items=None, chunk=None, cost=None, scratch=None, mixed=False):
    """Make a kernel of a serial function whose last parameters are ``first, last`` (and ``scratch``, an address).

    Parameters
    ----------
    items : callable
        Number of items that the range counts, from the arguments.
    chunk : callable, optional
        Items that one thread takes at a time; default 1. Must depend on the arguments alone, never on the threads.
    cost : callable, optional
        Nanoseconds that one thread would need, roughly: a call below `SERIAL_BELOW` stays on the calling thread.
    scratch : callable, optional
        Bytes of scratch memory that each thread needs.
    mixed : bool
        Whether float32 and float64 arrays may come together, for sums in double precision.
    """
    return lambda function: Kernel(function, items, chunk, cost, scratch, mixed)
