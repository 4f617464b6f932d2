"""Models in files: safetensors with the arrays, and the architecture as JSON in its metadata. No pickle, no code.

    save(network, path)
    load(path) -> network

The arrays are a state dict under PyTorch's keys, so ``safetensors.torch.load_file(path)`` gives what
``torch.nn.Module.load_state_dict`` takes, and ``network.load_state_dict(safetensors.numpy.load_file(path))`` reads a
state dict that PyTorch saved.
"""

import json
import os

import numpy as np

from ._files import atomic_write
from ._version import __version__
from .layers.base import layer_from_config
from .network import Network

FORMAT = 1  # raise it when older versions of fastnn could not read what this one writes
METADATA_KEY = "fastnn"  # one key with all of the metadata: safetensors keeps no order among several


def save(network, path):
    """Write a network to a file: parameters, state and architecture.

    The file appears complete or not at all; one of the same name is replaced at the end. Readers of the old one are not
    disturbed.

    Parameters
    ----------
    network : Network
        Of fastnn's layers, or of yours where they can be written to JSON (see `Layer.get_config`).
    path : str or os.PathLike

    Raises
    ------
    TypeError
        If a layer in it cannot be written to JSON.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile, fastnn as fnn
    >>> net = fnn.Sequential(fnn.Dense(2, 3, rng=0), fnn.ReLU())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     save(net, path)
    ...     again = load(path)
    >>> bool((again.state_dict()["0.weight"] == net.state_dict()["0.weight"]).all())
    True
    """
    if not isinstance(network, Network):
        raise TypeError(f"save: expected a fastnn network, got {network!r:.80}; put a single layer into a Sequential")
    from safetensors.numpy import save as to_bytes  # here, so that importing fastnn does not wait for it

    metadata = {"format": FORMAT, "version": __version__, "architecture": _config(network)}
    # safetensors writes memory as it lies, so views must become contiguous first.
    arrays = {name: _plain(array) for name, array in network.state_dict().items()}
    data = to_bytes(arrays, metadata={METADATA_KEY: json.dumps(metadata, allow_nan=False)})
    with atomic_write(path) as file:
        file.write(data)


def load(path):
    """The network that `save` wrote.

    Only classes known to this process are made, only arrays and JSON are read; a file cannot run code.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Network

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, was not written by `save`, or names layers that are not loaded.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     _ = path.write_bytes(b"not a model")
    ...     load(path)
    Traceback (most recent call last):
    ValueError: ...model.safetensors: not a safetensors file...
    """
    path = os.fspath(path)
    metadata, arrays = _read(path)
    try:
        network = layer_from_config(_architecture(metadata))
        if not isinstance(network, Network):
            raise ValueError(f"expected a network, got a {type(network).__name__}")
        network.load_state_dict(arrays)
    except (ValueError, TypeError, KeyError, RecursionError, MemoryError, OverflowError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(f"{path}: {text or type(error).__name__}") from error
    return network


def _config(network):
    """The network's configuration; an error says which layer has none."""
    try:
        return network.get_config()
    except TypeError as error:
        for name, layer in network.leaves():
            try:
                layer.get_config()
            except TypeError as reason:
                raise TypeError(f"save: layer {name!r}, {reason}") from error
        raise


def _plain(array):
    """C-contiguous and little-endian, as the format wants it; unlike np.ascontiguousarray it leaves 0-d arrays 0-d."""
    return np.asarray(array, dtype=np.asarray(array).dtype.newbyteorder("<"), order="C")


def _read(path):
    """(metadata, {name: array}) of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    with open(path, "rb"):  # plain OSErrors for what is missing, unreadable or a folder
        pass
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: not a safetensors file that fastnn can read: {error}") from error


def _architecture(metadata):
    """The architecture in a file's metadata, checked as far as it is ours."""
    if METADATA_KEY not in metadata:
        raise ValueError(
            "holds no fastnn architecture; for arrays alone (as PyTorch saves them) build the network and use "
            "network.load_state_dict(safetensors.numpy.load_file(path))"
        )
    try:
        content = json.loads(metadata[METADATA_KEY])
    except ValueError as error:
        raise ValueError(f"expected JSON in the metadata: {error}") from error
    if not isinstance(content, dict) or "architecture" not in content:
        raise ValueError("expected a dict with 'format' and 'architecture' in the metadata")
    if content.get("format") != FORMAT:
        raise ValueError(
            f"expected format {FORMAT}, got {content.get('format')!r} (written by fastnn {content.get('version')})"
        )
    return content["architecture"]
