"""What the machine offers: vector width, registers, threads.

Code generation follows the features that Numba compiles for (so ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` count).
"""

import functools
import math
import os

from numba.core import config
from numba.core.codegen import get_host_cpu_features


def features():
    """Names of the CPU features that kernels are compiled for, as LLVM spells them: a frozenset of str."""
    flags = config.CPU_FEATURES if config.CPU_FEATURES is not None else get_host_cpu_features()
    return frozenset(flag[1:] for flag in flags.split(",") if flag.startswith("+"))


@functools.cache
def vector_bytes():
    """Width of the widest vector register in bytes: 64 (AVX-512), 32 (AVX) or 16 (SSE2, NEON, others).

    Examples
    --------
    >>> vector_bytes() in (16, 32, 64)
    True
    """
    present = features()
    if {"avx512f", "avx512vl", "avx512dq"} <= present:
        return 64
    return 32 if "avx" in present else 16


@functools.cache
def vector_registers():
    """Number of vector registers: 32 with AVX-512 and on 64-bit ARM, else 16."""
    return 32 if vector_bytes() == 64 or "neon" in features() else 16


@functools.cache
def available_cpus():
    """Number of CPUs this process may use: its affinity mask, limited by the control group's quota.

    Examples
    --------
    >>> available_cpus() >= 1
    True
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        if quota != "max":
            cpus = min(cpus, max(1, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no control groups here, or not of version 2
    return cpus


def describe():
    """The machine as kernels see it.

    Returns
    -------
    dict
        cpu (str), features (sorted list of str), vector_bytes (int), threads (int), threading_layer (str),
        cache_dir (str, or None where no place is writable).

    Examples
    --------
    >>> sorted(describe())
    ['cache_dir', 'cpu', 'features', 'threading_layer', 'threads', 'vector_bytes']
    """
    import llvmlite.binding as llvm

    from . import _jit, _threads

    return {
        "cpu": config.CPU_NAME or llvm.get_host_cpu_name(),
        "features": sorted(features()),
        "vector_bytes": vector_bytes(),
        "threads": _threads.num_threads(),
        "threading_layer": _threads.LAYER,
        "cache_dir": _jit.cache_dir(),
    }
