"""Layers as JSON: what is stored of a layer besides its arrays, and how it is rebuilt."""

import numpy as np

_classes = {}  # name in a configuration -> class


def register(cls):
    """Make a class known to `layer_from_config`; every subclass of Layer is, from its definition on."""
    _classes[registered_name(cls)] = cls


def layer_from_config(config):
    """The layer, or whole network, that a `Layer.get_config` describes, with fresh parameters.

    Only classes that are loaded already are ever made: nothing is imported on the word of a file.

    Parameters
    ----------
    config : dict

    Raises
    ------
    ValueError
        If it is not a configuration, or of a class that is not loaded.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.layers.layer_from_config({"class": "Dense", "in_features": 2, "out_features": 3})
    Dense(in_features=2, out_features=3, bias=True)
    """
    if not isinstance(config, dict) or not isinstance(config.get("class"), str):
        raise ValueError(f"layer_from_config: expected a dict with the name of a 'class', got {config!r:.80}")
    cls = _classes.get(config["class"])
    if cls is None:
        raise ValueError(f"layer_from_config: no layer class {config['class']!r}; import the module that defines it first")
    try:
        return cls.from_config({name: _from_json(value) for name, value in config.items() if name != "class"})
    except (TypeError, KeyError) as error:
        raise ValueError(f"layer_from_config: {config['class']} cannot be made of {config!r:.200}: {error}") from error


def registered_name(cls):
    """The bare name for fastnn's own classes; with the module for all others, so that none can take their place."""
    own = cls.__module__.partition(".")[0] == __name__.partition(".")[0]
    return cls.__name__ if own else f"{cls.__module__}.{cls.__qualname__}"


def to_json(value, what):
    """`value` in terms of what JSON knows; layers as their configuration, dtypes by name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "get_config"):
        return value.get_config()
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.generic):
        return to_json(value.item(), what)
    if isinstance(value, (tuple, list)):
        return [to_json(v, what) for v in value]
    raise TypeError(f"{what} cannot be written to JSON: {value!r:.80}")


def _from_json(value):
    """The constructor argument for a value of `to_json`; a dict is a layer."""
    if isinstance(value, dict):
        return layer_from_config(value)
    if isinstance(value, list):
        return [_from_json(v) for v in value]
    return value
