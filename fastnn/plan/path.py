"""Which way a network takes: as a compiled plan, or layer by layer and why."""

from .. import kernels
from . import settings
from .tensors import Unsupported

PLAN = "compiled plan"


def path_of(network, input_shape):
    """How a network trains on, and predicts, samples of a shape: in words, for `Summary`.

    Parameters
    ----------
    network : Layer
    input_shape : tuple of int
        Of one sample, one that the network can take.

    Returns
    -------
    str
        "compiled plan", or a sentence that says what runs layer by layer, and why.

    Examples
    --------
    >>> import fastnn as fnn
    >>> network = fnn.Sequential(fnn.Dense(4, 3), fnn.ReLU())
    >>> path_of(network, (4,))
    'compiled plan'
    >>> path_of(network, (5, 4))
    'layer by layer, because 0 is a Dense over the last of several axes'
    >>> with fnn.config(plan=False):
    ...     path_of(network, (4,))
    'layer by layer, because of config(plan=False)'
    """
    switched = switched_off(network)
    if switched is not None:
        return f"layer by layer, because {switched}"
    from .graph import Graph  # only here: it imports many kernels
    from .normalization import Norm

    try:
        graph = Graph(network, input_shape)
    except Unsupported as reason:
        return f"layer by layer, because {reason}"
    untrained = untrainable(network)
    batchwise = [op for op in graph.ops if isinstance(op, Norm) and not op.layer.track_running_stats]
    if batchwise:
        reason = untrained or f"predictions layer by layer, because {batchwise[0].name} normalizes them batch by batch"
        return f"layer by layer, because {reason}" if untrained else f"{PLAN}; {reason}"
    if untrained is None:
        return PLAN
    return f"{PLAN} for predictions; " + (f"training layer by layer, because {untrained}" if network.params else untrained)


def switched_off(network):
    """Why no network, or not this one, runs as a plan at the moment: a clause, or None."""
    if not settings.current().plan:
        return "of config(plan=False)"
    if network.kernels is not kernels or kernels.active() is not kernels:
        return "it runs on the reference kernels"
    return None


def untrainable(network):
    """Why no plan trains a network: a clause, or None."""
    if not any(layer.params for _, layer in network.walk() if not layer.is_network):
        return "nothing in it can be trained"
    return None if network.is_network else "it is a layer outside of a network"
