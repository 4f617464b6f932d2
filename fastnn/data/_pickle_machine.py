"""A machine that runs the instructions of a pickle file, and that cannot call, import or look up anything.

    load(data, where, encoding="latin1", limit=LIMIT)

A pickle is a program for a machine with a stack and a memo; see ``pickletools`` in Python's library for its instructions.
Python's own machine finds any function by its name and calls it, which is how reading a file can run a program. This one
knows the instructions that make plain data (_pickle_instructions.py). A name (GLOBAL) is looked up in a table of stand-ins
(_pickled_arrays.py), a call (REDUCE) goes to one of those, a state (BUILD) to an array or dtype that such a call announced;
every other instruction is refused.

Arrays and dtypes are put on the stack only when they are finished, so that no instruction can reach into them.
"""

import struct

from ._pickle_instructions import ACTIONS, names
from ._pickled_arrays import Refused
from ._plain_data import check

LIMIT = 1 << 30  # bytes of a file, and again of what is made of them
STEPS = 1 << 24  # instructions: an instruction of one byte can make an object of a hundred
ENCODINGS = ("latin1", "bytes")

# Those that a file may well contain, by what a user would call them.
REFUSED = {
    "P": "a persistent id",
    "Q": "a persistent id",
    "i": "an object of a class",
    "o": "an object of a class",
    "\x81": "an object of a class",
    "\x92": "an object of a class",
    "\x82": "a name in the extension registry",
    "\x83": "a name in the extension registry",
    "\x84": "a name in the extension registry",
    "\x8f": "a set",
    "\x90": "a set",
    "\x91": "a frozenset",
    "\x97": "data outside of the file",
    "\x98": "data outside of the file",
}


def load(data, where, encoding="latin1", limit=LIMIT):
    """The plain data that a pickle holds.

    Parameters
    ----------
    data : bytes or bytearray
    where : str
        What messages start with: the file's name.
    encoding : "latin1" or "bytes"
        What the strings of Python 2 become: str or bytes.
    limit : int
        Bytes that may be made of the file's, arrays above all.

    Raises
    ------
    ValueError
        If it holds, or names, anything but plain data, before any of it is made; if it is damaged or too large.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> load(pickle.dumps({"mean": np.float32(0.5), "shape": (1, 2)}), "file.pkl")
    {'mean': np.float32(0.5), 'shape': (1, 2)}
    >>> load(pickle.dumps(print), "file.pkl")
    Traceback (most recent call last):
    ...
    ValueError: file.pkl: refused at byte ...: builtins.print; only NumPy arrays and plain data are read from pickle files
    """
    machine = _Machine(data, encoding, limit)
    try:
        value = machine.run()
        check(value)
    except Refused as error:
        what = f"{error}; only NumPy arrays and plain data are read from pickle files"
        raise ValueError(f"{where}: refused at byte {machine.at}: {what}") from None
    except (ArithmeticError, LookupError, TypeError, ValueError, DeprecationWarning, struct.error) as error:
        why = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        if type(error) is IndexError:
            why = "expected more values, or a mark, before this instruction"
        raise ValueError(f"{where}: damaged pickle at byte {machine.at}: {why}") from error
    return value


class _Machine:
    """The file, how far it was read, the stack and what is below its marks, and the memo."""

    def __init__(self, data, encoding, limit):
        self.raw, self.data, self.encoding = data, memoryview(data), encoding
        self.position = self.at = 0  # of the next byte, and of the current instruction
        self.stack, self.below, self.memo = [], [], {}
        self.left = limit
        self.slow_keys = 0
        self.stopped = False

    def run(self):
        data, actions = self.data, ACTIONS
        for _ in range(STEPS):
            self.at = self.position
            code = self.take(1)[0]
            action = actions[code]
            if action is None:
                code = chr(code)
                if code in REFUSED:
                    raise Refused(REFUSED[code] + (f", {'.'.join(names(self))}" if code == "i" else ""))
                raise ValueError(f"expected an instruction of pickle, got byte {code!r}")
            action(self)
            if self.stopped:
                break
        else:
            raise ValueError(f"expected at most {STEPS} instructions")
        if self.below or len(self.stack) != 1:
            raise ValueError(f"expected one value at the end, got {len(self.stack)} and {len(self.below)} open marks")
        if self.position != len(data):
            raise ValueError(f"expected one pickle, got {len(data) - self.position} more bytes")
        return self.stack.pop()

    def take(self, length):
        """The next bytes, as a memoryview."""
        start, end = self.position, self.position + length
        if not start <= end <= len(self.data):
            raise ValueError(f"truncated: expected {length} bytes, got {len(self.data) - start}")
        self.position = end
        return self.data[start:end]

    def unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self, longest):
        """The bytes up to the next end of line, without it."""
        end = self.raw.find(b"\n", self.position, self.position + longest + 1)
        if end < 0:
            raise ValueError(f"expected a line of at most {longest} bytes")
        found = bytes(self.data[self.position : end])
        self.position = end + 1
        return found

    def pop_mark(self):
        """What lies above the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def spend(self, length):
        """Count bytes that are about to be made; a few bytes can ask for the same large array again and again."""
        self.left -= length
        if self.left < 0:
            raise ValueError("the file holds more than the limit allows")
