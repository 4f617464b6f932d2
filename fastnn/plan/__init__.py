"""Compiled plans: a whole training step, or a prediction, as one chain of kernel records.

    graph           a network as operations, joined where one kernel does several in one pass
    program         operations as steps, steps as phases and records, with their memory
    training        plans of training steps and epochs
    prediction      plans of predictions
    path            which networks have a plan, and why others have none
    operations      layers of a user's own in plans

A plan compiles no code: it is a table of addresses of kernels that are compiled once for all networks. Networks with a part
that no plan knows run layer by layer, with the same results.

For kernels of your own (docs/plan.md): `operation`, `Op`, `kernel`, `lanes_in`, `block_at`, `locate`, `vectors`.
"""

import importlib

from .operations import operation as operation
from .tensors import Op as Op
from .tensors import Unsupported as Unsupported

_KERNEL_TOOLS = {
    "kernel": ("_kernel", "kernel"),
    "block_at": ("lanes.layout", "block_at"),
    "lanes_in": ("lanes.layout", "lanes_in"),
    "locate": ("lanes.layout", "locate"),
    "vectors": ("lanes.vectors", None),
}


def __getattr__(name):
    # On first use: importing fastnn does not import the kernels of plans.
    if name not in _KERNEL_TOOLS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    where, attribute = _KERNEL_TOOLS[name]
    module = importlib.import_module(f"..kernels.{where}", __name__)
    return globals().setdefault(name, getattr(module, attribute) if attribute else module)


def __dir__():
    return sorted([*globals(), *_KERNEL_TOOLS])
