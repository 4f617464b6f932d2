"""Compiled plans: a whole training step, or a prediction, as one chain of kernel records.

    graph           a network as operations, joined where one kernel does several in one pass
    program         operations as steps, steps as phases and records, with their memory
    training        plans of training steps and epochs
    prediction      plans of predictions

A plan compiles no code: it is a table of addresses of kernels that are compiled once for all networks. Networks with a part
that no plan knows run layer by layer, with the same results.
"""

from .tensors import Unsupported as Unsupported
