"""Atomic operations on int64 memory cells and the two system calls that the thread pool needs.

Cells are given by address. Acquire on load and release on store: what one thread wrote before a store is seen by the
thread that loads the stored value.
"""

import platform
import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Number of the futex system call; where there is none, threads are woken from Python.
FUTEX = (
    {"x86_64": 202, "aarch64": 98, "riscv64": 98, "ppc64le": 221}.get(platform.machine()) if sys.platform == "linux" else None
)
HAS_SCHED_YIELD = sys.platform != "win32"

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


def _cell(builder, address):
    return builder.inttoptr(address, _I64.as_pointer())


@intrinsic
def load(typingctx, address):
    """Value of a cell."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(_cell(builder, args[0]), "acquire", 8)

    return types.int64(types.int64), codegen


@intrinsic
def store(typingctx, address, value):
    """Set a cell."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _cell(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def add(typingctx, address, value):
    """Add to a cell and return what it held before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _cell(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def swap_if(typingctx, address, expected, value):
    """Set a cell to `value` if it holds `expected`; return whether it did."""

    def codegen(context, builder, signature, args):
        pair = builder.cmpxchg(_cell(builder, args[0]), args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@intrinsic
def yield_cpu(typingctx):
    """Let another runnable thread have this CPU."""

    def codegen(context, builder, signature, args):
        if HAS_SCHED_YIELD:
            builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(_I32, []), "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def current_cpu(typingctx):
    """Number of the CPU that this thread runs on."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(_I32, [])
        return builder.sext(builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_getcpu"), []), _I64)

    return types.int64(), codegen


@intrinsic
def run_on(typingctx, mask, size):
    """Bind this thread to the CPUs of a bit mask of `size` bytes at an address; where that fails nothing changes."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(_I32, [_I32, _I64, _I64])
        function = cgutils.get_or_insert_function(builder.module, kind, "sched_setaffinity")
        builder.call(function, [ir.Constant(_I32, 0), args[1], args[0]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


def _futex(builder, address, operation, value):
    kind = ir.FunctionType(_I64, [_I64], var_arg=True)
    function = cgutils.get_or_insert_function(builder.module, kind, "syscall")
    null = ir.Constant(_I64, 0)
    return builder.call(function, [ir.Constant(_I64, FUTEX), address, ir.Constant(_I64, operation), value, null, null, null])


@intrinsic
def futex_wait(typingctx, address, expected):
    """Sleep until the low 32 bits of the cell are woken, unless they differ from `expected` already."""

    def codegen(context, builder, signature, args):
        _futex(builder, args[0], 128, args[1])  # FUTEX_WAIT | FUTEX_PRIVATE_FLAG
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def futex_wake(typingctx, address, count):
    """Wake up to `count` threads that sleep on the cell."""

    def codegen(context, builder, signature, args):
        _futex(builder, args[0], 129, args[1])  # FUTEX_WAKE | FUTEX_PRIVATE_FLAG
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def call(typingctx, function, record, first, last, scratch):
    """Call the kernel entry at address `function` for items first..last of `record`."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [_I64] * 4)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen
