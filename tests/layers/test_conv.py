import numpy as np
import pytest

import fastnn as fnn


def conv1d(weight, x, impl, **options):
    weight = np.asarray(weight, np.float64)
    layer = fnn.Conv1d(1, 1, len(weight), bias=False, dtype="float64", **options).use(impl)
    layer.params["weight"] = weight.reshape(1, 1, -1)
    return layer.forward(np.asarray(x, np.float64).reshape(1, 1, -1)).reshape(-1).tolist()


def test_one_dimensional_answer(impl):
    x = [0, 5, 13, 18, 12, 8, 5, 14, 15, 14]
    assert conv1d([0.5, 1, 0.5], x, impl) == [11.5, 24.5, 30.5, 25, 16.5, 16, 24, 29]
    assert conv1d([1, 10], [1, 2, 3], impl) == [21, 32]  # cross-correlation: the filter is not flipped
    assert conv1d([1, 10], [1, 2, 3], impl, stride=2) == [21]
    assert conv1d([1, 10], [1, 2, 3], impl, dilation=2) == [31]
    assert conv1d([1, 10], [1, 2, 3], impl, padding=1) == [10, 21, 32, 3]
    assert conv1d([1, 10], [1, 2, 3], impl, padding="same") == [21, 32, 3]  # the odd zero goes behind
    assert conv1d([1, 10, 100, 1000], [1, 2, 3], impl, padding="same") == [3210, 321, 32]


def test_two_dimensional_answer(impl):
    layer = fnn.Conv2d(1, 2, 2, dtype="float64").use(impl)
    layer.params["weight"] = np.array([[[[1.0, 0], [0, 1]]], [[[0, 1], [2, 0]]]])
    layer.params["bias"] = np.array([0.0, 100])
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    np.testing.assert_array_equal(layer.forward(x, training=True), [[[[4, 6], [10, 12]], [[107, 110], [116, 119]]]])
    dout = np.array([[[[1.0, 0], [0, 0]], [[0, 0], [0, 1]]]])
    np.testing.assert_array_equal(layer.backward(dout), [[[[1, 0, 0], [0, 1, 1], [0, 2, 0]]]])
    np.testing.assert_array_equal(layer.grads["weight"], [[[[0, 1], [3, 4]]], [[[4, 5], [7, 8]]]])
    np.testing.assert_array_equal(layer.grads["bias"], [1, 1])


@pytest.mark.parametrize(
    "layer, shape, expected",
    [
        (fnn.Conv2d(1, 6, 5), (1, 28, 28), (6, 24, 24)),
        (fnn.Conv2d(3, 16, 3, stride=2, padding=1), (3, 32, 31), (16, 16, 16)),
        (fnn.Conv2d(3, 8, (3, 2), padding="same", dilation=(2, 5)), (3, 7, 9), (8, 7, 9)),
        (fnn.Conv2d(3, 8, 3, padding=(0, 4)), (3, 3, 1), (8, 1, 7)),
        (fnn.Conv1d(2, 4, 3, padding="valid"), (2, 10), (4, 8)),
        (fnn.Conv1d(2, 4, 3, 4, dilation=3), (2, 10), (4, 1)),
    ],
)
def test_output_shape_and_macs(layer, shape, expected):
    assert layer.output_shape(shape) == expected
    assert layer.macs(shape) == np.prod(expected) * layer.params["weight"][0].size


def test_numbers_and_pairs_are_the_same():
    one, two = fnn.Conv2d(2, 4, 3, 2, 1, 2, rng=0), fnn.Conv2d(2, 4, (3, 3), [2, 2], (1, 1), np.array([2, 2]), rng=0)
    assert repr(one) == repr(two)
    assert fnn.Conv1d(2, 4, (3,), (2,), (1,)).kernel_size == (3,)


def test_initial_values_lie_within_the_bound(dtype):
    layer = fnn.Conv2d(8, 200, (2, 4), groups=2, dtype=dtype, rng=0)
    bound = 1 / np.sqrt(8 // 2 * 2 * 4)
    for param in layer.params.values():
        assert param.dtype == dtype
        assert 0.95 * bound < np.abs(param).max() <= bound


@pytest.mark.parametrize("cls", [fnn.Conv1d, fnn.Conv2d])
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, got 0"),
        ({"out_channels": -3}, ValueError, "out_channels must be at least 1"),
        ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1"),
        ({"kernel_size": 2.0}, TypeError, "kernel_size must be an int"),
        ({"kernel_size": (1, 2, 3)}, ValueError, "kernel_size must be an int or"),
        ({"stride": 0}, ValueError, "stride must be at least 1"),
        ({"stride": "2"}, TypeError, "stride must be an int"),
        ({"padding": -1}, ValueError, "padding must be at least 0"),
        ({"padding": 0.5}, TypeError, "padding must be an int"),
        ({"padding": "full"}, ValueError, "padding must be ints, 'same' or 'valid', got 'full'"),
        ({"padding": "same", "stride": 2}, ValueError, r"padding='same' needs stride 1, got stride=\(2,"),
        ({"dilation": 0}, ValueError, "dilation must be at least 1"),
        ({"groups": 0}, ValueError, "groups must be at least 1"),
        ({"groups": 4}, ValueError, "out_channels must be divisible by groups=4, got 6"),
        ({"groups": 3}, ValueError, "in_channels must be divisible by groups=3, got 4"),
        ({"bias": None}, TypeError, "bias must be True or False"),
        ({"padding_mode": "reflect"}, ValueError, "padding_mode='reflect' is not supported"),
        ({"device": "cuda:0"}, ValueError, "device='cuda:0' is not supported"),
        ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64"),
        ({"rng": 1.5}, TypeError, "rng must be"),
    ],
)
def test_bad_arguments(cls, arguments, error, message):
    with pytest.raises(error, match=f"{cls.__name__}: {message}"):
        cls(**dict({"in_channels": 4, "out_channels": 6, "kernel_size": 3}, **arguments))


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (fnn.Conv2d(3, 4, 3), (8, 1, 28, 28), r"Conv2d: expected 3 input channels, got x.shape=\(8, 1, 28, 28\)"),
        (fnn.Conv2d(3, 4, 3), (3, 28, 28), r"Conv2d: expected \(N, 3, H, W\), got x.shape=\(3, 28, 28\)"),
        (
            fnn.Conv2d(3, 4, 3),
            (2, 3, 2, 9),
            r"Conv2d: expected \(H, W\) of at least \(3, 3\), got x.shape=\(2, 3, 2, 9\)",
        ),
        (fnn.Conv2d(3, 4, 3, padding=2), (2, 3, 0, 9), r"of at least \(1, 1\)"),
        (fnn.Conv1d(3, 4, 3), (3, 9), r"Conv1d: expected \(N, 3, L\), got x.shape=\(3, 9\)"),
        (fnn.Conv1d(3, 4, 3, dilation=4), (2, 3, 8), r"Conv1d: expected \(L\) of at least \(9,\)"),
    ],
)
def test_bad_shapes(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match=message.split(", got")[0].replace("N, ", "")):
        layer.output_shape(shape[1:])
