#!/usr/bin/env python3
"""One process of `_paired`: a benchmark of asv_bench that takes a sample for each line it reads.

    python tools/_sampler.py asv_bench/benchmarks "dense.DenseForward.time_kernel('tiny', 'numba')"

Writes ``ready``, or ``ready once`` if there is one sample in a process, and then a line with seconds, or bytes, for each line.
Ends without a word if the benchmark fails.
"""

import ast
import gc
import importlib
import os
import re
import sys
import time
from pathlib import Path


def load(suite, name):
    """The benchmark's instance, method and parameters.

    >>> load("json", "encoder.JSONEncoder.encode('a')")[2]
    ('a',)
    """
    path, _, params = name.partition("(")
    module, owner, method = path.split(".")
    instance = getattr(importlib.import_module(f"{suite}.{module}"), owner)()
    return instance, getattr(instance, method), ast.literal_eval(f"({params[:-1]},)") if params else ()


def most_memory():
    """Bytes that were resident at most."""
    try:
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[1])
    except OSError:  # not Linux, where rusage begins with what the process had that started this one
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    suite, name = Path(sys.argv[1]), sys.argv[2]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what benchmarks print is no answer
    sys.path.insert(0, str(suite.parent))
    instance, method, params = load(suite.name, name)
    setup, teardown = (getattr(instance, part, lambda *_: None) for part in ("setup", "teardown"))
    timer = getattr(instance, "timer", time.perf_counter)
    memory = method.__name__.startswith("peakmem_")
    setup(*params)
    if not memory:
        method(*params)
    gc.disable()
    print("ready once" if memory else "ready", file=answers, flush=True)
    for _ in sys.stdin:
        start = timer()
        method(*params)
        seconds = timer() - start
        print(most_memory() if memory else seconds, file=answers, flush=True)
    teardown(*params)


if __name__ == "__main__":
    main()
