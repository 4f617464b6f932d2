import numpy as np
import pytest

import fastnn as fnn
from fastnn.layers import Layer, layer_from_config


class Scaled(Layer):
    """A user's layer: one argument, kept under its name."""

    def __init__(self, factor, *, sizes=(1, 2), dtype=np.float32, rng=None):
        self.factor, self.sizes, self.dtype = factor, sizes, np.dtype(dtype)

    def forward(self, x, *, training=False):
        return x * self.factor


class Around(fnn.Network):
    """A user's network with a layer for an argument."""

    def __init__(self, inner):
        self.inner = inner


def test_users_layers_are_written_and_rebuilt_by_their_arguments():
    config = Scaled(np.float64(2.5), sizes=(3, np.int64(4))).get_config()
    assert config == {"class": f"{__name__}.Scaled", "factor": 2.5, "sizes": [3, 4], "dtype": "float32"}
    again = layer_from_config(config)
    assert type(again) is Scaled and again.factor == 2.5


def test_users_networks_hold_layers():
    again = layer_from_config(Around(fnn.Sequential(fnn.Dense(2, 3), Scaled(2))).get_config())
    assert type(again) is Around
    assert list(again.params) == ["inner.0.weight", "inner.0.bias"]


def test_no_class_of_a_user_takes_the_place_of_ours():
    class ReLU(Layer):
        pass

    assert type(layer_from_config({"class": "ReLU"})) is fnn.ReLU
    assert type(layer_from_config(ReLU().get_config())) is ReLU


def test_what_cannot_be_written():
    class Hidden(Layer):
        def __init__(self, factor):
            self._factor = factor

    class Many(Layer):
        def __init__(self, *factors):
            pass

    with pytest.raises(TypeError, match="Hidden: keep constructor argument 'factor' as an attribute"):
        Hidden(1).get_config()
    with pytest.raises(TypeError, match=r"Many: a constructor with \*factors needs a get_config"):
        Many(1).get_config()
    with pytest.raises(TypeError, match="Scaled: factor cannot be written to JSON"):
        Scaled(lambda x: x).get_config()


@pytest.mark.parametrize(
    "config, message",
    [
        (None, "expected a dict with the name of a 'class'"),
        ([], "expected a dict"),
        ({}, "expected a dict"),
        ({"class": 3}, "expected a dict"),
        ({"class": "os.system"}, "no layer class 'os.system'"),
        ({"class": "Layer"}, "no layer class 'Layer'"),
        ({"class": "Dense", "in_features": 2}, "Dense cannot be made of"),
        ({"class": "Dense", "in_features": 2, "out_features": 2, "system": 1}, "Dense cannot be made of"),
        ({"class": "Dense", "in_features": 2.5, "out_features": 3}, "in_features must be an int"),
        ({"class": "Dense", "in_features": -2, "out_features": 3}, "in_features must be at least 1"),
        ({"class": "Sequential"}, "Sequential cannot be made of"),
        ({"class": "Sequential", "layers": [3]}, "expected layers, got 3"),
        ({"class": "Sequential", "layers": 3}, "Sequential cannot be made of"),
        ({"class": "Residual", "body": {"class": "Nothing"}}, "no layer class 'Nothing'"),
    ],
)
def test_bad_configurations(config, message):
    with pytest.raises(ValueError, match=message):
        layer_from_config(config)
