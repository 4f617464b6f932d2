"""What holds for all models: sizes of images, classes, seeds, messages, reachable names."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import fastnn as fnn
from fastnn.models import MODELS

# Name: options that make the network small, images that are just large enough (None: no image is too small).
SMALL = {
    "lenet5": ({}, 16),
    "alexnet": ({"hidden": 16}, 63),
    "zfnet": ({"hidden": 16}, 63),
    "vgg11": ({"hidden": 16}, 32),
    "vgg13": ({"hidden": 16}, 32),
    "vgg16": ({"hidden": 16, "batch_norm": True}, 32),
    "vgg19": ({"hidden": 16}, 32),
    "googlenet": ({}, 31),
    "resnet18": ({}, None),
    "resnet34": ({}, None),
    "resnet20": ({}, None),
    "resnet56": ({}, None),
}


def test_all_are_here():
    assert set(MODELS) == set(SMALL)
    assert all(getattr(fnn.models, name) is function for name, function in MODELS.items())


def test_importing_is_enough():
    subprocess.run([sys.executable, "-c", "import fastnn; assert fastnn.models.vgg16 and fastnn.models.MODELS"], check=True)


@pytest.mark.parametrize("name", SMALL)
def test_signature(name):
    parameters = inspect.signature(MODELS[name]).parameters
    assert list(parameters)[:3] == ["classes", "input_size", "channels"]
    keywords = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert keywords == list(parameters)[3:] and keywords[-2:] == ["dtype", "rng"]


@pytest.mark.parametrize("name", SMALL)
def test_classes_channels_and_sizes(name):
    options, smallest = SMALL[name]
    size = (smallest or 20) + 9, (smallest or 20) + 2
    network = MODELS[name](7, size, 2, rng=0, **options)
    assert network.output_shape((2, *size)) == (7,)
    if name in ("alexnet", "lenet5"):
        x = np.ones((1, 2, *size), np.float32)
        assert network.forward(x).shape == (1, 7)


@pytest.mark.parametrize("name", [name for name, (_, smallest) in SMALL.items() if smallest])
def test_smallest_images(name):
    options, smallest = SMALL[name]
    assert MODELS[name](2, smallest, rng=0, **options).output_shape((1 if name == "lenet5" else 3, smallest, smallest)) == (2,)
    for size in (smallest - 1, (smallest + 50, smallest - 1), (1, smallest)):
        with pytest.raises(ValueError, match=rf"{name}: expected an input_size of at least {smallest}, got \("):
            MODELS[name](2, size, rng=0, **options)


def test_one_pixel_is_enough_for_resnet():
    assert fnn.models.resnet20(2, 1, rng=0).forward(np.ones((2, 3, 1, 1), np.float32)).shape == (2, 2)


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "resnet20"])
def test_seeds_and_dtypes(name):
    options, smallest = SMALL[name]
    one, same, other, doubled = (
        MODELS[name](3, smallest or 8, rng=seed, dtype=dtype, **options)
        for seed, dtype in ((0, "float32"), (0, "float32"), (1, "float32"), (0, "float64"))
    )
    assert one.flat_params.tobytes() == same.flat_params.tobytes() != other.flat_params.tobytes()
    assert one.dtype == np.float32 and doubled.dtype == np.float64
    np.testing.assert_allclose(one.flat_params, doubled.flat_params, rtol=1e-6)
    generator = MODELS[name](3, smallest or 8, rng=np.random.default_rng(0), **options)
    assert generator.flat_params.tobytes() == one.flat_params.tobytes()


def test_dropout_masks_repeat_and_differ():
    def masks(seed):
        network = fnn.models.vgg11(3, 32, hidden=64, rng=seed)
        drops = [layer for layer in network if isinstance(layer, fnn.Dropout)]
        assert [layer.p for layer in drops] == [0.5, 0.5]
        return [layer.forward(np.ones((2, 64), np.float32), training=True) for layer in drops]

    (one, two), (again, _) = masks(0), masks(0)
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()


@pytest.mark.parametrize("name", SMALL)
def test_wrong_arguments(name):
    function, (options, smallest) = MODELS[name], SMALL[name]
    for arguments, message in (
        ((0,), "classes must be at least 1, got 0"),
        ((2, 0), "input_size must be at least 1, got 0"),
        ((2, (3, 4, 5)), "input_size must be an int or 2 of them"),
        ((2, 64, 0), "channels must be at least 1"),
    ):
        with pytest.raises(ValueError, match=f"{name}: {message}"):
            function(*arguments, **options)
    with pytest.raises(TypeError, match=f"{name}: dtype must be float32 or float64"):
        function(2, smallest or 8, dtype=int, **options)
    if "dropout" in inspect.signature(function).parameters:
        with pytest.raises(ValueError, match=rf"{name}: dropout must be within \[0, 1\], got 2"):
            function(2, smallest, dropout=2, **options)
    if "hidden" in inspect.signature(function).parameters:
        with pytest.raises(ValueError, match=f"{name}: hidden must be at least 1"):
            function(2, smallest, **{**options, "hidden": 0})
    if "batch_norm" in inspect.signature(function).parameters:
        with pytest.raises(TypeError, match=f"{name}: batch_norm must be True or False"):
            function(2, smallest, **{**options, "batch_norm": 1})
