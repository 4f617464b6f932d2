"""Compilation: the package's njit, its flags, and one disk cache that cannot go stale.

Numba keys its cache on the file of the function alone; a change in a callee in another file, or in a flag, would run old
machine code. Here the cache folder is named by a stamp over the text of every kernel file and every setting that changes
code generation, so that any edit starts an empty folder. Kernels of a user's own, in other files, have a digest of all that
they refer to in their names.
"""

import contextlib
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import numba
import numpy as np
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

# Reassociation and contraction let loops over sums vectorise; nnan and ninf are left out: a diverged loss must stay
# visible, and max-pooling pads with -inf.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FASTMATH}

STALE_AFTER_DAYS = 30


@functools.cache
def stamp():
    """Digest of everything that machine code depends on: kernel sources, Numba, flags that change generated code."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), *folder.glob("lanes/*.py")]):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    settings = (config.BOUNDSCHECK, config.OPT, config.ENABLE_AVX, config.LOOP_VECTORIZE, config.SLP_VECTORIZE)
    digest.update(repr((numba.__version__, sys.version_info[:2], sorted(FASTMATH), settings)).encode())
    return digest.hexdigest()[:20]


def digest(function):
    """Digest of a kernel outside of this package: its code, and the functions and values that it refers to, and so on.

    Empty for the package's own, which `stamp` has.
    """
    if _is_known(function.__module__):
        return ""
    found = hashlib.sha256()
    _add(found, function, {})
    return "_" + found.hexdigest()[:12]


_KNOWN = (__name__.rpartition(".")[0], "numba", "numpy", "math", "builtins")


def _is_known(module):
    """Whether the stamp, or the version of a library, says what is in a module."""
    return any(module == known or str(module).startswith(known + ".") for known in _KNOWN)


def _add(found, value, seen):
    """Add to a digest what compiled code makes of a value that it refers to."""
    value = getattr(value, "_function", value)  # of a Kernel
    options, value = getattr(value, "targetoptions", None), getattr(value, "py_func", getattr(value, "_defn", value))
    found.update(f"{type(value).__name__} {options}\0".encode())
    if isinstance(value, FunctionType):
        if id(value) in seen:
            found.update(f"{seen[id(value)]}\0".encode())
            return
        seen[id(value)] = len(seen)
        found.update(f"{value.__module__}.{value.__qualname__}\0".encode())
        if not _is_known(value.__module__):
            names = _add_code(found, value.__code__)
            _add(found, value.__defaults__, seen)
            for cell in value.__closure__ or ():
                _add(found, cell.cell_contents, seen)
            for name in sorted(names & value.__globals__.keys()):
                _add_global(found, value.__globals__[name], names, seen)
    elif isinstance(value, (tuple, list)):
        for item in value:
            _add(found, item, seen)
    elif isinstance(value, np.ndarray):
        found.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, (ModuleType, type)):
        found.update(value.__name__.encode())
    elif isinstance(value, (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)):
        found.update(repr(value).encode())


def _add_global(found, value, names, seen):
    """A global that code refers to; of a module whatever has one of the names in that code."""
    _add(found, value, seen)
    if isinstance(value, ModuleType) and not _is_known(value.__name__):
        for name in sorted(names & vars(value).keys()):
            _add(found, vars(value)[name], seen)


def _add_code(found, code):
    """Add bytecode and constants, those of functions inside too; returns the names of globals and attributes in it."""
    names = set(code.co_names)
    found.update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _add_code(found, constant)
        else:
            found.update(repr(constant).encode())
    return names


@functools.cache
def cache_dir():
    """Folder of compiled kernels, or None where no place is writable (kernels then compile anew in every process).

    ``NUMBA_CACHE_DIR`` if set, else the user's cache folder; below it a folder for this stamp.
    """
    if config.CACHE_DIR:
        base = Path(config.CACHE_DIR)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    folder = base / "fastnn" / stamp()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    _remove_stale(folder)
    return str(folder)


def _remove_stale(folder):
    """Delete the folders of older stamps that no process has started from for a month."""
    os.utime(folder)
    for other in folder.parent.iterdir():
        try:
            if other.is_dir() and time.time() - other.stat().st_mtime > STALE_AFTER_DAYS * 86400:
                shutil.rmtree(other, ignore_errors=True)
        except OSError:
            continue


class _StampLocator(_CacheLocator):
    """Puts every function's code into `cache_dir`, named by its qualified name."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file

    def get_cache_path(self):
        return cache_dir()

    def get_source_stamp(self):
        return stamp()

    def get_disambiguator(self):
        return "0"

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _StampCacheImpl(CompileResultCacheImpl):
    _locator_classes = (_StampLocator,)


class StampCache(FunctionCache):
    """Numba's function cache, kept in `cache_dir`. A full disk or a damaged file costs a compilation, not an error."""

    _impl_class = _StampCacheImpl

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling a damaged file can raise anything
            return None

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def jit(function=None, **options):
    """`numba.njit` with the package's flags; for functions that other kernels call. Their code is cached with the caller's."""
    if function is None:
        return functools.partial(jit, **options)
    return numba.njit(**{**OPTIONS, **options})(function)


def jit_cached(function):
    """`jit` for a function that Python calls: its code is kept in the disk cache."""
    dispatcher = jit(function)
    if cache_dir() is not None:
        dispatcher._cache = StampCache(function)
    return dispatcher
