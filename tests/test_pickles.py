"""read_pickle: what Python and NumPy write comes back, what could run a program does not, damaged files do no damage."""

import base64
import collections
import contextlib
import copyreg
import functools
import gzip
import operator
import os
import pickle
import struct
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.data import _pickle_machine as machine
from fastnn.data import read_pickle

PROTOCOLS = range(6)
ARRAYS = {
    "float32": np.arange(6, dtype="f4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    "strided": np.arange(9)[::2],
    "big-endian": np.arange(3, dtype=">i2"),
    "0-d": np.array(3),
    "empty": np.zeros((0, 3), np.uint8),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "half": np.array([0.5], np.float16),
    "text": np.array(["ab", "ü"]),
    "bytes": np.array([b"ab", b"\xff"]),
}
PLAIN = [
    *(None, True, False, 0, -5, 255, 256, 65536, 1 << 31, -(1 << 40), 1 << 100, 1.5, -0.0, float("inf")),
    *("", "text", "hé\n\\u0041", "€", "\ud800", "\U0001f600", "x" * 300, b"", b"\xff\n'\\", b"y" * 300, bytearray(b"q\xff")),
    *([], [1, [2, []]], (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, {"a": 1, (1, "b"): [3]}, {1: {2: 3}}),
    list(range(3000)),
    {str(i): i for i in range(3000)},
]
# By Python 2's cPickle, protocols 0 to 2: an array, strings, a NumPy scalar of 8 bytes in big-endian order, a long.
PYTHON2 = [
    (
        "KGRwMQpWdW5pCnAyClZcdTIwYWNcdTAwMGEKcDMKc1MncycKY251bXB5LmNvcmUubXVsdGlhcnJheQpzY2FsYXIKcDQKKGNudW1weQpkdHlwZQpwNQoo"
        "UydpOCcKcDYKSTAKSTEKdFJwNwooSTMKUyc+JwpOTk5JLTEKSS0xCkkwCnRiUydceDAwXHgwMFx4MDBceDAwXHgwMFx4MDBceDAwXHgwNScKcDgKdHA5"
        "ClJwMTAKc1MnZGF0YScKcDExCmNudW1weS5jb3JlLm11bHRpYXJyYXkKX3JlY29uc3RydWN0CnAxMgooY251bXB5Cm5kYXJyYXkKcDEzCihJMAp0cDE0"
        "ClMnYicKdFJwMTUKKEkxCihJMgpJMwp0cDE2Cmc1CihTJ3UxJwpwMTcKSTAKSTEKdFJwMTgKKEkzClMnfCcKTk5OSS0xCkktMQpJMAp0YkkwMApTIlx4"
        "MDBcbidcXFx4ZmZceDgwIgpwMTkKdHAyMApic1MnbmFtZXMnCnAyMQoobHAyMgpTJ2EucG5nJwpwMjMKYVMnY2FmXHhlOScKcDI0CmFzUyduJwooTkkw"
        "MQpGMS41CkktNwpMMTE4MDU5MTYyMDcxNzQxMTMwMzQyNEwKdHAyNQpzLg=="
    ),
    (
        "fXEBKFgDAAAAdW5pcQJYBAAAAOKCrApxA1UBc2NudW1weS5jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnEEKGNudW1weQpkdHlwZQpxBShVAmk4cQZLAEsB"
        "dFJxByhLA1UBPk5OTkr/////Sv////9LAHRiVQgAAAAAAAAABXEIdHEJUnEKVQRkYXRhcQtjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVj"
        "dApxDChjbnVtcHkKbmRhcnJheQpxDShLAHRxDlUBYnRScQ8oSwEoSwJLA3RxEGgFKFUCdTFxEUsASwF0UnESKEsDVQF8Tk5OSv////9K/////0sAdGJJ"
        "MDAKVQYACidc/4BxE3RxFGJVBW5hbWVzcRVdcRYoVQVhLnBuZ3EXVQRjYWbpcRhlVQFuKE5JMDEKRz/4AAAAAAAASvn///9MMTE4MDU5MTYyMDcxNzQx"
        "MTMwMzQyNEwKdHUu"
    ),
    (
        "gAJ9cQEoWAMAAAB1bmlxAlgEAAAA4oKsCnEDVQFzY251bXB5LmNvcmUubXVsdGlhcnJheQpzY2FsYXIKcQRjbnVtcHkKZHR5cGUKcQVVAmk4cQZLAEsB"
        "h1JxByhLA1UBPk5OTkr/////Sv////9LAHRiVQgAAAAAAAAABXEIhnEJUnEKVQRkYXRhcQtjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVj"
        "dApxDGNudW1weQpuZGFycmF5CnENSwCFcQ5VAWKHUnEPKEsBSwJLA4ZxEGgFVQJ1MXERSwBLAYdScRIoSwNVAXxOTk5K/////0r/////SwB0YolVBgAK"
        "J1z/gHETdHEUYlUFbmFtZXNxFV1xFihVBWEucG5ncRdVBGNhZulxGGVVAW4oTohHP/gAAAAAAABK+f///4oJAAAAAAAAAABAdHUu"
    ),
]


@pytest.fixture
def store(tmp_path):
    """Write bytes to a file."""

    def write(data):
        path = tmp_path / "file.pkl"
        path.write_bytes(data)
        return path

    return write


def assert_same(value, expected):
    if not isinstance(expected, np.ndarray):
        assert type(value) is type(expected) and value == expected
        return
    assert type(value) is np.ndarray and value.dtype == expected.dtype and value.flags.writeable
    np.testing.assert_array_equal(value, expected)


def refused(store, data, what):
    """The file is refused, with a message that names it, the place and the reason."""
    path = store(data)
    with pytest.raises(ValueError, match=what) as error:
        read_pickle(path)
    assert str(error.value).startswith(f"{path}: ") and " at byte " in str(error.value)


def peak_bytes(call):
    """The most memory that `call` had allocated at once; NumPy reports its arrays to tracemalloc."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- what is admitted


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(store, name, protocol):
    path = store(pickle.dumps({"x": ARRAYS[name], "again": [ARRAYS[name]]}, protocol))
    value = read_pickle(path)
    assert_same(value["x"], ARRAYS[name])
    assert value["again"][0] is value["x"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars_and_dtypes(store, protocol):
    given = [np.float32(3), np.bool_(True), np.int64(-1), np.dtype(">i4"), np.str_("ab")]
    for value, expected in zip(read_pickle(store(pickle.dumps(given, protocol))), given):
        assert type(value) is type(expected) and value == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data(store, protocol):
    for value in PLAIN:
        assert_same(read_pickle(store(pickle.dumps(value, protocol))), value)
    assert repr(read_pickle(store(pickle.dumps(PLAIN, protocol)))) == repr(PLAIN)  # repr: -0.0 is not 0.0


def test_gzip_is_known_by_its_content(store):
    assert read_pickle(store(gzip.compress(pickle.dumps([1, 2])))) == [1, 2]


@pytest.mark.parametrize("protocol", range(3))
def test_files_of_python_2(store, protocol):
    path = store(base64.b64decode(PYTHON2[protocol]))
    value = read_pickle(path)
    assert_same(value["data"], np.array([[0, 10, 39], [92, 255, 128]], np.uint8))
    assert value["names"] == ["a.png", "caf\xe9"] and value["uni"] == "\u20ac\n"
    assert value["n"] == (None, True, 1.5, -7, 1 << 70) and value["s"] == 5
    value = read_pickle(path, encoding="bytes")
    assert_same(value[b"data"], np.array([[0, 10, 39], [92, 255, 128]], np.uint8))
    assert value[b"names"] == [b"a.png", b"caf\xe9"] and value["uni"] == "\u20ac\n"


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_1_and_2(store, protocol, module):
    data = pickle.dumps([ARRAYS["float32"], np.float32(2)], protocol)
    if protocol >= 4:
        data = data[:2] + data[11:]  # without the frame, whose length changes
    for old in (b"numpy._core", b"numpy.core"):
        for end in (b".multiarray", b".numeric"):
            length = bytes([len(old + end)]), bytes([len(module.encode() + end)])
            data = data.replace(b"\x8c" + length[0] + old + end, b"\x8c" + length[1] + module.encode() + end)
            data = data.replace(b"c" + old + end + b"\n", b"c" + module.encode() + end + b"\n")
    assert module.encode() in data
    array, scalar = read_pickle(store(data))
    assert_same(array, ARRAYS["float32"])
    assert scalar == 2


def test_arrays_are_the_callers_own(store):
    data = bytearray(range(6))
    array = np.frombuffer(data, np.uint8)
    first, second = read_pickle(store(pickle.dumps([array, array.reshape(2, 3)], 5)))
    first[:] = 0
    assert second.any()


def test_memo_knows_arrays_only_when_they_are_finished(store):
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1K\x00K\x01\x87Rq\x01"
    state = b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
    assert read_pickle(store(b"\x80\x02" + dtype + state + b"bh\x01\x86.")) == (np.dtype("u1"), np.dtype("u1"))
    refused(store, b"\x80\x02" + dtype + b"h\x01" + state + b"b.", "expected the state of the dtype first")
    refused(store, b"\x80\x02" + dtype + b".", "expected plain data, got Unfinished")
    refused(store, b"\x80\x02" + dtype + b"\x85.", "expected plain data, got Unfinished")


# --- what could run a program


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Only so that it can stand for a function."""


EXPLOITS = {
    "os.system": lambda mark: Call(os.system, f"echo > {mark}"),
    "eval": lambda mark: Call(eval, f"open({str(mark)!r}, 'w').close()"),
    "exec": lambda mark: Call(exec, f"open({str(mark)!r}, 'w').close()"),
    "mkdir": lambda mark: Call(os.mkdir, str(mark)),
    "partial": lambda mark: Call(functools.partial(os.system, f"echo > {mark}")),
    "getattr": lambda mark: Call(Call(getattr, os, "system"), f"echo > {mark}"),
    "map": lambda mark: Call(list, Call(map, os.system, [f"echo > {mark}"])),
    "attrgetter": lambda mark: Call(operator.methodcaller("system", f"echo > {mark}"), os),
    "hidden in an array": lambda mark: np.array([Call(os.system, f"echo > {mark}")], dtype=object),
    "hidden as a key": lambda mark: {(1, Call(os.system, f"echo > {mark}")): 2},
}


def dumps(value, protocol):
    """A pickle, also of modules, by a pickler of this test's own."""
    import io

    class Pickler(pickle.Pickler):
        def reducer_override(self, value):
            return (__import__, (value.__name__,)) if isinstance(value, type(os)) else NotImplemented

    file = io.BytesIO()
    Pickler(file, protocol).dump(value)
    return file.getvalue()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", EXPLOITS)
def test_exploits(store, tmp_path, name, protocol):
    mark = tmp_path / "mark"
    data = dumps(EXPLOITS[name](mark), protocol)
    refused(store, data, "refused at byte .*; only NumPy arrays and plain data are read from pickle files")
    refused(store, gzip.compress(data), "refused")
    assert not mark.exists()
    with contextlib.suppress(TypeError):  # what the call returned may not fit where it stands
        pickle.loads(data)  # the file is a real one: Python's own reader runs it
    assert mark.exists()


SYSTEM = b"X\x0b\x00\x00\x00echo > MARK"


@pytest.mark.parametrize(
    "data, what",
    [
        (b"cos\nsystem\n(" + SYSTEM + b"tR.", "os.system"),
        (b"cposix\nsystem\n(" + SYSTEM + b"tR.", "posix.system"),
        (b"c__builtin__\neval\n(" + SYSTEM + b"tR.", "__builtin__.eval"),
        (b"cbuiltins\ngetattr\n(tR.", "builtins.getattr"),
        (b"(" + SYSTEM + b"ios\nsystem\n.", "an object of a class, os.system"),
        (b"(cos\nsystem\n" + SYSTEM + b"o.", "os.system"),
        (b"(N" + SYSTEM + b"o.", "an object of a class"),
        (b"\x80\x02cos\nPathLike\n)\x81.", "os.PathLike"),
        (b"\x80\x02N)\x81.", "an object of a class"),
        (b"\x80\x04N)}\x92.", "an object of a class"),
        (b"\x80\x02\x82\x01" + SYSTEM + b"\x85R.", "a name in the extension registry"),
        (b"\x80\x02\x83\x01\x00.", "a name in the extension registry"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "a name in the extension registry"),
        (b"Pos.system\n.", "a persistent id"),
        (b"NQ.", "a persistent id"),
        # Names with dots in them, which protocol 4 looks up attribute by attribute.
        (b"\x80\x04\x8c\x05numpy\x8c\x14ndarray.__setstate__\x93.", "numpy.ndarray.__setstate__"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10dtype.__reduce__\x93.", "numpy.dtype.__reduce__"),
        (b"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x18_reconstruct.__globals__\x93.", "__globals__"),
        (b"\x80\x04\x8c\x05numpy\x8c\x09os.system\x93.", "numpy.os.system"),
        (b"cnumpy\nload\n(" + SYSTEM + b"I00\nI01\ntR.", "numpy.load"),
        (b"cnumpy.testing._private.utils\nrunstring\n(" + SYSTEM + b"}tR.", "numpy.testing._private.utils.runstring"),
        (b"cnumpy\nmatrix\n.", "numpy.matrix"),
        (b"cnumpy\nobject_\n.", "numpy.object_"),
        (b"ccopy_reg\n_reconstructor\n.", "copy_reg._reconstructor"),
        (b"ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
        (b"ctorch._utils\n_rebuild_tensor\n.", "torch._utils._rebuild_tensor"),
        # Reaching into what is admitted.
        (
            b"cnumpy.core.multiarray\n_reconstruct\n}X\x04\x00\x00\x00call" + SYSTEM + b"sb.",
            "a state for numpy.core.multiarray",
        ),
        (b"cnumpy.core.multiarray\n_reconstruct\nN}X\x08\x00\x00\x00__code__Ns\x86b.", "a state for numpy.core.multiarray"),
        (b"cnumpy\nndarray\n(K\x02tR.", "a call of numpy.ndarray"),
        (b"cnumpy\nndarray\n}b.", "a state for numpy.ndarray"),
        (b"]}b.", "a state for list"),
        (b"N}b.", "a state for NoneType"),
        (SYSTEM + b")R.", "a call of str"),
        (b")R.", "expected more values"),
        (b"cnumpy\nndarray\n.", "expected plain data, got Global"),
        (b"cnumpy\nndarray\n\x85.", "expected plain data, got Global"),
        (b"}cnumpy\nndarray\nNs.", "expected keys that are numbers"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR.", "expected _codecs.encode of text in latin1"),
        (b"c_codecs\ndecode\n.", "_codecs.decode"),
        (b"c__builtin__\nbytearray\n(J\xff\xff\xff\x7ftR.", "expected bytes, got int"),
        (b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "expected no arguments of bytes"),
        (b"\x80\x05\x97.", "data outside of the file"),
    ],
)
def test_instructions_that_could(store, tmp_path, monkeypatch, data, what):
    monkeypatch.chdir(tmp_path)
    refused(store, data, what)
    assert [path.name for path in tmp_path.iterdir()] == ["file.pkl"]


def test_extension_registry(store, tmp_path):
    mark = tmp_path / "mark"
    copyreg.add_extension("posix", "system", 240)
    try:
        data = pickle.dumps(Call(os.system, f"echo > {mark}"), 2)
        assert b"\x82\xf0" in data
        refused(store, data, "a name in the extension registry")
        assert not mark.exists()
        pickle.loads(data)
        assert mark.exists()
    finally:
        copyreg.remove_extension("posix", "system", 240)


@pytest.mark.parametrize(
    "value, what",
    [
        ({1, 2}, "a set|builtins.set|__builtin__.set"),
        (frozenset([1]), "a frozenset|builtins.frozenset|__builtin__.frozenset"),
        (1 + 2j, "complex"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (np.array([None]), "refused at byte .*: dtype 'O8'"),
        (np.zeros(2, "i4,f4"), "refused at byte .*: dtype 'V8'"),
        (np.array(["2020-01-01"], "M8[D]"), "refused at byte .*: dtype 'M8'"),
        (np.ma.masked_array([1]), "numpy.ma"),
        (np.float32, "numpy.float32"),
        (print, "print"),
        (np.random.default_rng(0), "numpy.random"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_harmless_objects_are_refused_too(store, value, what, protocol):
    refused(store, pickle.dumps(value, protocol), what)


# --- damaged files


def array_with(**changes):
    """An array's pickle, some of its claims replaced."""
    claims = {"version": 1, "shape": (2, 3), "dtype": np.dtype("f4"), "fortran": False, "data": bytes(24), **changes}
    call = np.empty(0).__reduce__()[0], (np.ndarray, (0,), b"b"), tuple(claims.values())

    class Array:
        def __reduce__(self):
            return call

    return pickle.dumps(Array(), 4)


def test_claims_of_an_array_are_those_of_a_real_one(store):
    assert_same(read_pickle(store(array_with())), np.zeros((2, 3), np.float32))


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"shape": (2, 4)}, r"expected 32 bytes for float32 of shape \(2, 4\), got 24"),
        ({"shape": (1 << 62, 1 << 62)}, "expected 8507059173023461\\d+ bytes"),
        ({"shape": (0, 1 << 62), "data": b""}, "damaged"),
        ({"shape": (1 << 70, 0), "data": b""}, "damaged"),
        ({"shape": (-2, -3)}, "not negative"),
        ({"shape": (2.0, 3)}, "expected an array's shape to be of ints"),
        ({"shape": (True, 6)}, "expected an array's shape to be of ints"),
        ({"shape": [2, 3]}, "expected an array's shape to be a tuple"),
        ({"shape": (1,) * 33, "data": bytes(4)}, "at most 32"),
        ({"shape": None}, "expected an array's shape to be a tuple"),
        ({"dtype": "f4"}, "expected an array's dtype to be a dtype"),
        ({"dtype": None}, "expected an array's dtype to be a dtype"),
        ({"dtype": np.dtype(object)}, "refused at byte .*: dtype 'O8'"),
        ({"dtype": np.dtype(("f4", 2))}, "refused at byte .*: dtype 'V8'"),
        ({"dtype": np.dtype("U0")}, "refused at byte .*: dtype"),
        ({"dtype": np.dtype(bool), "data": bytes([0, 1, 2, 0, 0, 0])}, "expected bools of 0 and 1"),
        ({"data": bytes(25)}, "expected 24 bytes"),
        ({"data": "\u20ac" * 24}, "UnicodeEncodeError"),
        ({"data": [0] * 24}, "expected bytes, got list"),
        ({"fortran": "yes"}, "expected an array's order to be a bool"),
        ({"version": 0}, "expected an array's state of version 1"),
        ({"more": 1}, "expected an array's state of version 1"),
    ],
)
def test_claims_of_an_array_are_checked(store, changes, what):
    refused(store, array_with(**changes), what)


@pytest.mark.parametrize(
    "axes, what",
    [((0, 0), "each of an array's axes once"), ((0, 5), "once"), ((0,), "once"), (("a", 1), "to be ints"), (3, "to be ints")],
)
def test_claims_of_protocol_5_are_checked(store, axes, what):
    function = np.arange(6).__reduce_ex__(5)[0]
    refused(store, pickle.dumps(Call(function, bytes(6), np.dtype("u1"), (2, 3), "K", axes), 5), what)
    refused(store, pickle.dumps(Call(function, bytes(6), np.dtype("u1"), (2, 3), "Z"), 5), "order to be C or F")
    value = read_pickle(store(pickle.dumps(Call(function, bytes(range(6)), np.dtype("u1"), (2, 3), "K", (1, 0)), 5)))
    np.testing.assert_array_equal(value, np.arange(6).reshape(2, 3).T)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_truncation_is_noticed(store, protocol):
    data = pickle.dumps({"x": ARRAYS["float32"], "y": [1, 2.5, "text", b"bytes", (1 << 70,)]}, protocol)
    for length in range(len(data)):
        with pytest.raises(ValueError, match="damaged"):
            machine.load(data[:length], "file")
    refused(store, data + b"N.", "expected one pickle, got 2 more bytes")


@pytest.mark.parametrize(
    "data, what",
    [
        (b"", "truncated"),
        (b"\x80\x06N.", "expected a protocol of 0 to 5, got 6"),
        (b"\x93NUMPY", "expected more values"),
        (b"PK\x03\x04", "expected an instruction|persistent"),
        (b"\x00.", "expected an instruction of pickle"),
        (b"NN.", "expected one value at the end"),
        (b"(N.", "expected one value at the end"),
        (b".", "expected one value at the end"),
        (b"t.", "expected more values"),
        (b"N\x86.", "expected 2 values for a tuple, got 1"),
        (b"h\x07.", "kept as number 7, there is none"),
        (b"NNa.", "expected a list to put items into, got NoneType"),
        (b"NN(Nu.", "expected a dict to put items into"),
        (b"}(Nu.", "expected as many values as keys"),
        (b"}]Ns.", "got list"),
        (b"}))\x85\x85Ns.", "got tuple"),
        (b"I1_0\n.", "expected an int"),
        (b"I" + b"9" * 5000 + b"\n.", "expected a line of at most"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "expected an int of at most"),
        (b"\x80\x02\x8b\xff\xff\xff\xff.", "expected an int of at most"),
        (b"T\xff\xff\xff\xff.", "truncated"),
        (b"Fnumber\n.", "could not convert"),
        (b"S'abc\n.", "expected a string in quotes"),
        (b"S'\\x4'\n.", "invalid"),
        (b"X\x01\x00\x00\x00\xff.", "UnicodeDecodeError"),
        (b"]2a.", "contain itself"),
        (b"](h\x00q\x00a.", "kept as number 0, there is none"),
    ],
)
def test_damage(store, data, what):
    refused(store, data, what)


def test_data_in_itself_and_data_without_end(store):
    inside = []
    inside.append({"again": (inside,)})
    refused(store, pickle.dumps(inside), "does not contain itself")
    refused(store, b")" + b"\x85" * 100_000 + b".", "at most 100 levels")
    refused(store, b"(" * 100_000 + b"l" * 100_000 + b".", "at most 100 levels")
    assert read_pickle(store(b")" + b"\x85" * 99 + b".")) != ()
    # Each level twice: 2 ** 60 values for who counts them one by one.
    value = []
    for _ in range(60):
        value = [value, value]
    assert read_pickle(store(pickle.dumps(value)))[0][1][0]


def test_keys_of_one_hash(store):
    """A dict compares each of them with all others: 60,000 took most of a minute, a million would take hours."""
    modulus = sys.hash_info.modulus
    ints = {i * modulus: None for i in range(1, 100)}
    assert len({hash(key) for key in ints}) == 1
    assert read_pickle(store(pickle.dumps([ints, {("a", 1): 2}]))) == [ints, {("a", 1): 2}]
    many = b"}(" + b"".join(pickle.dumps(i * modulus, 2)[2:-1] + b"N" for i in range(1, 60_001)) + b"u."
    refused(store, many, "at most 10000 keys that are tuples or ints of more than 60 bits")
    refused(store, b"}(" + b"K\x00\x85N" * 10_001 + b"u.", "at most 10000 keys that are tuples")
    refused(store, b"Np%d\n." % modulus, "expected a place in the memo of at most 32 bits")
    assert len(read_pickle(store(pickle.dumps({i: i for i in range(20_000)})))) == 20_000


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",  # bytes
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # bytearray
        b"\x80\x04\x8d" + struct.pack("<Q", (1 << 64) - 1) + b"x.",  # text
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 50) + b"N.",  # a frame
        b"Nr" + struct.pack("<I", (1 << 32) - 1) + b"0.",  # a memo of 4 billion places
        b"Np" + b"9" * 900 + b"\n0.",
        b"\x80\x02" + b"(" * 1000 + b".",
    ],
    ids=["bytes", "bytearray", "text", "frame", "memo", "long memo", "marks"],
)
def test_claims_cost_nothing(store, data):
    path = store(data)

    def read():
        with pytest.raises(ValueError, match="damaged"):
            read_pickle(path)

    read()
    assert peak_bytes(read) < 2_000_000


def test_bombs_end_at_the_limit(store, monkeypatch):
    with pytest.raises(ValueError, match="expected at most 1000000 bytes"):
        read_pickle(store(gzip.compress(b"B" + struct.pack("<I", 1 << 25) + bytes(1 << 25) + b".")), limit=1_000_000)
    # A thousand arrays of the same 100,000 bytes, in a file that is hardly larger than one.
    shared = bytes(100_000)
    arrays = [Call(np.arange(2).__reduce_ex__(5)[0], shared, np.dtype("u1"), (100_000,), "C") for _ in range(1000)]
    path = store(pickle.dumps(arrays, 4))
    assert path.stat().st_size < 200_000

    def read():
        with pytest.raises(ValueError, match="holds more than the limit allows"):
            read_pickle(path, limit=1_000_000)

    read()
    assert peak_bytes(read) < 4_000_000
    assert len(read_pickle(path)) == 1000
    monkeypatch.setattr(machine, "STEPS", 1000)
    refused(store, b"]" * 2000 + b".", "expected at most 1000 instructions")


def test_damaged_gzip(store):
    data = gzip.compress(pickle.dumps(ARRAYS["float32"]))
    for damaged in (data[:-9], data[:20] + b"\xff\xff" + data[22:]):
        path = store(damaged)
        with pytest.raises(ValueError, match="damaged gzip stream") as error:
            read_pickle(path)
        assert str(path) in str(error.value)


SEEDS = [pickle.dumps({"x": list(ARRAYS.values()), "y": PLAIN[:40]}, p) for p in PROTOCOLS] + list(
    map(base64.b64decode, PYTHON2)
)


@settings(max_examples=400, deadline=None)
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_any_change_gives_data_or_a_clear_error(seed, data):
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        what = data.draw(st.sampled_from(["replace", "delete", "insert", "copy"]))
        if what == "replace":
            changed[at] = data.draw(st.integers(0, 255))
        elif what == "delete":
            del changed[at : at + data.draw(st.integers(1, 8))]
        elif what == "insert":
            changed[at:at] = data.draw(st.binary(min_size=1, max_size=6))
        else:
            start = data.draw(st.integers(0, len(seed) - 1))
            changed[at:at] = seed[start : start + 12]
        if not changed:
            changed += b"."
    try:
        machine.load(changed, "file", data.draw(st.sampled_from(["latin1", "bytes"])), 1 << 20)
    except ValueError as error:
        assert str(error).startswith(("file: damaged pickle at byte ", "file: refused at byte "))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_data_or_a_clear_error(data):
    try:
        machine.load(data, "file")
    except ValueError as error:
        assert str(error).startswith(("file: damaged pickle at byte ", "file: refused at byte "))


def test_wrong_arguments(store):
    path = store(pickle.dumps(1))
    with pytest.raises(ValueError, match="read_pickle: encoding must be 'latin1' or 'bytes', got 'ASCII'"):
        read_pickle(path, encoding="ASCII")
    with pytest.raises(TypeError, match="read_pickle: limit must be an int"):
        read_pickle(path, limit=1.5)
    with pytest.raises(FileNotFoundError):
        read_pickle(path.with_name("none"))
