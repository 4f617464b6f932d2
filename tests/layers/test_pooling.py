import numpy as np
import pytest

import fastnn as fnn

X = np.array([[[[1.0, 5, 2, 0], [3, 5, 1, 1], [0, 0, 9, 8], [0, 7, 6, 4]]]])


def forward_backward(layer, impl, x=X):
    out = layer.use(impl).forward(x, training=True)
    return out[0, 0].tolist(), layer.backward(np.arange(1.0, out.size + 1).reshape(out.shape))[0, 0].tolist()


def test_maximum_goes_to_the_first_winner(impl):
    out, dx = forward_backward(fnn.MaxPool2d(2), impl)
    assert out == [[5, 2], [7, 9]]
    assert dx == [[0, 1, 2, 0], [0, 0, 0, 0], [0, 0, 4, 0], [0, 3, 0, 0]]


def test_overlapping_maxima_add_up(impl):
    out, dx = forward_backward(fnn.MaxPool2d(3, 1), impl)
    assert out == [[9, 9], [9, 9]]
    assert dx == [[0] * 4, [0] * 4, [0, 0, 10, 0], [0] * 4]


def test_padding_never_wins(impl):
    out, _ = forward_backward(fnn.MaxPool2d(3, 3, 1), impl, -X - 1)
    assert out == [[-2, -1], [-1, -5]]


def test_average_is_spread(impl):
    out, dx = forward_backward(fnn.AvgPool2d(2), impl)
    assert out == [[3.5, 1], [1.75, 6.75]]
    assert dx == [[0.25, 0.25, 0.5, 0.5]] * 2 + [[0.75, 0.75, 1, 1]] * 2


def test_divisors(impl):
    x = np.ones((1, 1, 3, 3))
    assert forward_backward(fnn.AvgPool2d(2, 2, 1), impl, x)[0] == [[0.25, 0.5], [0.5, 1]]
    assert forward_backward(fnn.AvgPool2d(2, 2, 1, count_include_pad=False), impl, x)[0] == [[1, 1], [1, 1]]
    assert forward_backward(fnn.AvgPool2d(2, divisor_override=8), impl, x)[0] == [[0.5]]
    assert forward_backward(fnn.AvgPool2d(2, ceil_mode=True), impl, x)[0] == [[1, 1], [1, 1]]


def test_adaptive_windows_may_overlap(impl):
    layer = fnn.AdaptiveAvgPool1d(2).use(impl)
    assert layer.forward(np.array([[[1.0, 3, 2]]])).tolist() == [[[2, 2.5]]]
    assert fnn.AdaptiveAvgPool2d((None, 1)).use(impl).forward(X)[0, 0].reshape(-1).tolist() == [2, 2.5, 4.25, 4.25]


def test_output_shapes():
    assert fnn.MaxPool2d(2).output_shape((3, 5, 7)) == (3, 2, 3)
    assert fnn.MaxPool2d(2, ceil_mode=True).output_shape((3, 5, 7)) == (3, 3, 4)
    assert fnn.MaxPool2d(3, 1, 1, 2).output_shape((3, 5, 7)) == (3, 3, 5)
    # A window that would start in the padding behind does not count.
    assert fnn.MaxPool2d(2, 3, 1, ceil_mode=True).output_shape((1, 5, 6)) == (1, 2, 3)
    assert fnn.AdaptiveAvgPool2d((None, 2)).output_shape((3, 5, 7)) == (3, 5, 2)
    assert fnn.AdaptiveAvgPool2d(None).output_shape((3, 5, 7)) == (3, 5, 7)


def test_either_precision_goes(dtype):
    for layer in (fnn.MaxPool1d(2), fnn.AvgPool1d(2), fnn.AdaptiveAvgPool1d(2)):
        assert layer.forward(np.ones((1, 2, 4), dtype)).dtype == dtype


POOLS = [fnn.MaxPool1d, fnn.MaxPool2d, fnn.AvgPool1d, fnn.AvgPool2d]


@pytest.mark.parametrize("cls", POOLS)
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1"),
        ({"kernel_size": 2.0}, TypeError, "kernel_size must be an int"),
        ({"kernel_size": (2, 2, 2)}, ValueError, "kernel_size must be an int or"),
        ({"stride": 0}, ValueError, "stride must be at least 1"),
        ({"padding": -1}, ValueError, "padding must be at least 0"),
        ({"padding": 2}, ValueError, "padding must be at most half the window, got padding"),
        ({"padding": "same"}, TypeError, "padding must be an int"),
        ({"ceil_mode": 1}, TypeError, "ceil_mode must be True or False"),
    ],
)
def test_bad_arguments(cls, arguments, error, message):
    with pytest.raises(error, match=f"{cls.__name__}: {message}"):
        cls(**{"kernel_size": 3, **arguments})


def test_more_bad_arguments():
    with pytest.raises(ValueError, match="MaxPool2d: dilation must be at least 1"):
        fnn.MaxPool2d(2, dilation=0)
    with pytest.raises(ValueError, match="MaxPool1d: return_indices=True is not supported"):
        fnn.MaxPool1d(2, return_indices=True)
    with pytest.raises(ValueError, match="AvgPool2d: divisor_override must be at least 1, got 0"):
        fnn.AvgPool2d(2, divisor_override=0)
    with pytest.raises(TypeError, match="AvgPool2d: count_include_pad must be"):
        fnn.AvgPool2d(2, count_include_pad=None)
    with pytest.raises(ValueError, match="AdaptiveAvgPool2d: output_size must be at least 1"):
        fnn.AdaptiveAvgPool2d((0, 2))
    with pytest.raises(ValueError, match="AdaptiveAvgPool2d: output_size must be an int, None or 2 of them"):
        fnn.AdaptiveAvgPool2d((2,))
    with pytest.raises(TypeError, match="AdaptiveAvgPool1d: output_size must be an int"):
        fnn.AdaptiveAvgPool1d(2.5)
    fnn.MaxPool2d(3, padding=2, dilation=2)  # half of the dilated window


@pytest.mark.parametrize("layer", [cls(3) for cls in (*POOLS, fnn.AdaptiveAvgPool1d, fnn.AdaptiveAvgPool2d)])
def test_bad_shapes(layer):
    name, planes = type(layer).__name__, (5,) if "1d" in type(layer).__name__ else (5, 6)
    axes = "L" if "1d" in name else "H, W"
    with pytest.raises(ValueError, match=rf"{name}: expected \(N, C, {axes}\), got x.shape="):
        layer.forward(np.zeros((2, *planes), np.float32))
    with pytest.raises(ValueError, match=rf"{name}: expected \(C, {axes}\), got input_shape="):
        layer.output_shape(planes)
    with pytest.raises(ValueError, match="no axis of length 0"):
        layer.forward(np.zeros((2, 0, *planes), np.float32))
    if "Adaptive" not in name:
        with pytest.raises(ValueError, match=rf"{name}: expected \({axes}\) of at least one window"):
            layer.output_shape((2, *planes[1:], 2))
    if "2d" in name:
        with pytest.raises(ValueError, match="planes of at most 2147483647 entries"):
            layer.output_shape((1, 2**16, 2**16))
