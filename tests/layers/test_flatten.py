import numpy as np
import pytest

import fastnn as fnn


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ((), (2, 60)),
        ((2,), (2, 3, 20)),
        ((1, 2), (2, 12, 5)),
        ((-2,), (2, 3, 20)),
        ((-3, -2), (2, 12, 5)),
        ((3, 3), (2, 3, 4, 5)),
    ],
)
def test_shapes(arguments, shape):
    layer, x = fnn.Flatten(*arguments), np.arange(120.0).reshape(2, 3, 4, 5)
    out = layer.forward(x, training=True)
    assert out.shape == shape == (2, *layer.output_shape((3, 4, 5)))
    np.testing.assert_array_equal(layer.backward(out), x)


def test_one_value_per_sample():
    assert fnn.Flatten().output_shape((1, 1)) == (1,)
    with pytest.raises(ValueError, match=r"Flatten: expected axes .* behind the batch, got x.shape=\(3,\)"):
        fnn.Flatten().forward(np.zeros(3))


@pytest.mark.parametrize("arguments", [(0,), (1, 0), (0, -1)])
def test_the_batch_stays(arguments):
    with pytest.raises(ValueError, match="Flatten: axis 0 is the batch"):
        fnn.Flatten(*arguments)


@pytest.mark.parametrize("arguments", [(4,), (1, 4), (-4,), (3, 2), (1, -4), (-5, 2)])
def test_axes_that_are_not_there(arguments):
    with pytest.raises(ValueError, match="Flatten: expected axes start_dim="):
        fnn.Flatten(*arguments).forward(np.zeros((2, 3, 4, 5)))


def test_wrong_types():
    with pytest.raises(TypeError, match="Flatten: start_dim must be an int"):
        fnn.Flatten(1.0)
    with pytest.raises(TypeError, match="Flatten: end_dim must be an int"):
        fnn.Flatten(1, None)
