"""The instructions of pickle that make plain data, as functions of the machine in _pickle_machine.py.

    ACTIONS     byte -> function, None for what is not admitted

The table in ``pickletools`` of Python's library has them by the same names and codes.
"""

import codecs
import re
import sys

import numpy as np

from ._pickled_arrays import ADMITTED, Global, Refused, Unfinished

_LONGEST_NUMBER, _LONGEST_NAME = 1000, 1000  # characters, or bytes
_INT = re.compile(rb"[+-]?[0-9]+")
_KEYS = (str, bytes, int, float, bool, type(None))
_HASHES = sys.hash_info.modulus  # of ints: their hash is the remainder
SLOW_KEYS = 10_000  # of a file

ACTIONS = [None] * 256


def instruction(*codes):
    def register(action):
        for code in codes:
            ACTIONS[ord(code)] = action
        return action

    return register


# --- the machine itself


@instruction("\x80")  # PROTO
def _proto(machine):
    version = machine.unpack("B")
    if version > 5:
        raise ValueError(f"expected a protocol of 0 to 5, got {version}")


@instruction("\x95")  # FRAME: how many bytes belong together
def _frame(machine):
    length = machine.unpack("<Q")
    if length > len(machine.data) - machine.position:
        raise ValueError(f"truncated: expected {length} bytes, got {len(machine.data) - machine.position}")


@instruction(".")  # STOP
def _stop(machine):
    machine.stopped = True


@instruction("(")  # MARK
def _mark(machine):
    machine.below.append(machine.stack)
    machine.stack = []


@instruction("0")  # POP
def _pop(machine):
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


@instruction("1")  # POP_MARK
def _pop_mark(machine):
    machine.pop_mark()


@instruction("2")  # DUP
def _dup(machine):
    machine.stack.append(_settled(machine.stack[-1]))


def _settled(value):
    """`value`, unless it is Unfinished: BUILD has to find each place where one stands."""
    if type(value) is Unfinished:
        raise ValueError(f"expected the state of the {value.what} first")
    return value


# --- the memo: values that are used again


def _remember(machine, index):
    value = machine.memo[index] = machine.stack[-1]
    if type(value) is Unfinished:
        value.memos.append(index)


@instruction("p")  # PUT
def _put(machine):
    index = _int(machine.line(_LONGEST_NUMBER))
    if not 0 <= index < 1 << 32:
        raise ValueError(f"expected a place in the memo of at most 32 bits, got {index!s:.40}")
    _remember(machine, index)


@instruction("q")  # BINPUT
def _binput(machine):
    _remember(machine, machine.unpack("B"))


@instruction("r")  # LONG_BINPUT
def _long_binput(machine):
    _remember(machine, machine.unpack("<I"))


@instruction("\x94")  # MEMOIZE
def _memoize(machine):
    _remember(machine, len(machine.memo))


def _recall(machine, index):
    if index not in machine.memo:
        raise ValueError(f"expected a value that was kept as number {index}, there is none")
    machine.stack.append(_settled(machine.memo[index]))


@instruction("g")  # GET
def _get(machine):
    _recall(machine, _int(machine.line(_LONGEST_NUMBER)))


@instruction("h")  # BINGET
def _binget(machine):
    _recall(machine, machine.unpack("B"))


@instruction("j")  # LONG_BINGET
def _long_binget(machine):
    _recall(machine, machine.unpack("<I"))


# --- numbers


def _int(line):
    if not _INT.fullmatch(line):
        raise ValueError(f"expected an int, got {line!r:.40}")
    return int(line)


def _constant(value):
    return lambda machine: machine.stack.append(value)


def _packed(form):
    return lambda machine: machine.stack.append(machine.unpack(form))


for _code, _value in (("N", None), ("\x88", True), ("\x89", False)):  # NONE, NEWTRUE, NEWFALSE
    instruction(_code)(_constant(_value))
for _code, _form in (("J", "<i"), ("K", "B"), ("M", "<H"), ("G", ">d")):  # BININT, BININT1, BININT2, BINFLOAT
    instruction(_code)(_packed(_form))


@instruction("I")  # INT, also the bools of protocol 0
def _decimal(machine):
    line = machine.line(_LONGEST_NUMBER)
    machine.stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else _int(line))


@instruction("L")  # LONG
def _long(machine):
    machine.stack.append(_int(machine.line(_LONGEST_NUMBER).removesuffix(b"L")))


@instruction("\x8a")  # LONG1
def _long1(machine):
    machine.stack.append(int.from_bytes(machine.take(machine.unpack("B")), "little", signed=True))


@instruction("\x8b")  # LONG4
def _long4(machine):
    length = machine.unpack("<i")
    if not 0 <= length <= _LONGEST_NUMBER:
        raise ValueError(f"expected an int of at most {_LONGEST_NUMBER} bytes, got {length}")
    machine.stack.append(int.from_bytes(machine.take(length), "little", signed=True))


@instruction("F")  # FLOAT
def _float(machine):
    machine.stack.append(float(machine.line(_LONGEST_NUMBER)))


# --- strings


def _python2_string(machine, data):
    machine.stack.append(bytes(data) if machine.encoding == "bytes" else str(data, "latin1"))


@instruction("S")  # STRING: as Python 2 writes a string in a program
def _string(machine):
    line = machine.line(len(machine.data))
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError(f"expected a string in quotes, got {line!r:.40}")
    _python2_string(machine, codecs.escape_decode(line[1:-1])[0])


def _text(data):
    return str(data, "utf-8", "surrogatepass")


# Each: how long the length is, and what becomes of so many bytes.
for _code, _form, _make in (
    ("X", "<I", _text),  # BINUNICODE
    ("\x8c", "B", _text),  # SHORT_BINUNICODE
    ("\x8d", "<Q", _text),  # BINUNICODE8
    ("B", "<I", bytes),  # BINBYTES
    ("C", "B", bytes),  # SHORT_BINBYTES
    ("\x8e", "<Q", bytes),  # BINBYTES8
    ("\x96", "<Q", bytearray),  # BYTEARRAY8
):

    def _counted(machine, form=_form, make=_make):
        machine.stack.append(make(machine.take(machine.unpack(form))))

    instruction(_code)(_counted)


@instruction("T")  # BINSTRING
def _binstring(machine):
    _python2_string(machine, machine.take(machine.unpack("<i")))


@instruction("U")  # SHORT_BINSTRING
def _short_binstring(machine):
    _python2_string(machine, machine.take(machine.unpack("B")))


@instruction("V")  # UNICODE
def _unicode(machine):
    machine.stack.append(str(machine.line(len(machine.data)), "raw-unicode-escape"))


# --- tuples, lists, dicts


@instruction("t")  # TUPLE
def _tuple(machine):
    items = machine.pop_mark()
    machine.stack.append(tuple(items))


for _code, _length in ((")", 0), ("\x85", 1), ("\x86", 2), ("\x87", 3)):  # EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3

    def _short_tuple(machine, length=_length):
        rest = len(machine.stack) - length
        if rest < 0:
            raise ValueError(f"expected {length} values for a tuple, got {len(machine.stack)}")
        machine.stack[rest:] = [tuple(machine.stack[rest:])]

    instruction(_code)(_short_tuple)


@instruction("]")  # EMPTY_LIST
def _empty_list(machine):
    machine.stack.append([])


@instruction("l")  # LIST
def _list(machine):
    items = machine.pop_mark()
    machine.stack.append(items)


@instruction("a")  # APPEND
def _append(machine):
    value = machine.stack.pop()
    _top(machine, list).append(value)


@instruction("e")  # APPENDS
def _appends(machine):
    items = machine.pop_mark()
    _top(machine, list).extend(items)


@instruction("}")  # EMPTY_DICT
def _empty_dict(machine):
    machine.stack.append({})


@instruction("d")  # DICT
def _dict(machine):
    items = machine.pop_mark()
    machine.stack.append({})
    _set_items(machine, items)


@instruction("s")  # SETITEM
def _setitem(machine):
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


@instruction("u")  # SETITEMS
def _setitems(machine):
    _set_items(machine, machine.pop_mark())


def _top(machine, kind):
    """The value on top, which has to be a list or dict."""
    value = machine.stack[-1]
    if type(value) is not kind:
        raise ValueError(f"expected a {kind.__name__} to put items into, got {type(value).__name__}")
    return value


def _set_items(machine, items):
    target = _top(machine, dict)
    if len(items) % 2:
        raise ValueError("expected as many values as keys")
    for key, value in zip(items[::2], items[1::2]):
        # Hashing tuples in tuples in tuples has no limit to its depth: the process would run out of its stack.
        for part in key if type(key) is tuple else (key,):
            if type(part) not in _KEYS and not isinstance(part, np.generic):
                raise ValueError(f"expected keys that are numbers, strings or tuples of them, got {type(part).__name__}")
        # Of these a file can have any number with one hash, and a dict of n such keys takes n * n / 2 comparisons.
        if isinstance(key, (tuple, np.complexfloating)) or (type(key) is int and abs(key) >= _HASHES):
            machine.slow_keys += 1
            if machine.slow_keys > SLOW_KEYS:
                raise ValueError(f"expected at most {SLOW_KEYS} keys that are tuples or ints of more than 60 bits")
        target[key] = value


# --- names and calls


def _push_global(machine, module, name):
    found = ADMITTED.get((module, name))
    if found is None:
        raise Refused(f"{module}.{name}"[:_LONGEST_NAME])
    machine.stack.append(found)


def names(machine):
    """The module and the name that two lines give."""
    return machine.line(_LONGEST_NAME).decode(), machine.line(_LONGEST_NAME).decode()


@instruction("c")  # GLOBAL
def _global(machine):
    _push_global(machine, *names(machine))


@instruction("\x93")  # STACK_GLOBAL
def _stack_global(machine):
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(module) is not str or type(name) is not str:
        raise ValueError("expected names of text")
    _push_global(machine, module, name)


@instruction("R")  # REDUCE
def _reduce(machine):
    args, function = machine.stack.pop(), machine.stack.pop()
    if type(function) is not Global or function.call is None:
        raise Refused(f"a call of {function.name if type(function) is Global else type(function).__name__}")
    if type(args) is not tuple:
        raise ValueError(f"expected a tuple of arguments of {function.name}, got {type(args).__name__}")
    machine.stack.append(function.call(args, machine.spend))


@instruction("b")  # BUILD
def _build(machine):
    state, announced = machine.stack.pop(), machine.stack[-1]
    if type(announced) is not Unfinished:
        raise Refused(f"a state for {announced.name if type(announced) is Global else type(announced).__name__}")
    value = machine.stack[-1] = announced.finish(state, machine.spend)
    for index in announced.memos:
        if machine.memo[index] is announced:
            machine.memo[index] = value
