"""The table of a network: rows, totals, text."""

import numpy as np
import pytest

import fastnn as fnn
from fastnn.summary import summary


def lenet():
    return fnn.Sequential(
        fnn.Conv2d(1, 6, 5),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Conv2d(6, 16, 5),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Sequential(fnn.Dense(256, 120), fnn.ReLU(), fnn.Dense(120, 84)),
        fnn.ReLU(),
        fnn.Dense(84, 10),
    )


def test_rows_and_totals_of_lenet():
    net = lenet()
    found = net.summary((1, 28, 28))
    assert [row["name"] for row in found.rows] == [*map(str, range(7)), "7.0", "7.1", "7.2", "8", "9"]
    assert found.rows[0] == {
        "name": "0",
        "layer": "Conv2d",
        "output_shape": (6, 24, 24),
        "parameters": 156,
        "macs": 6 * 25 * 24 * 24,
    }
    assert found.rows[-1]["output_shape"] == net.output_shape((1, 28, 28)) == (10,)
    assert found.parameters == net.flat_params.size == 44_426
    assert found.macs == net.macs((1, 28, 28)) == 6 * 25 * 576 + 16 * 150 * 64 + 256 * 120 + 120 * 84 + 84 * 10


def test_blocks_count_once():
    block = fnn.Residual(fnn.Sequential(fnn.Conv2d(2, 4, 3, padding=1), fnn.BatchNorm2d(4)), fnn.Conv2d(2, 4, 1, bias=False))
    net = fnn.Sequential(fnn.ReLU(), block)
    found = summary(net, (2, 6, 5))
    assert [(row["name"], row["layer"]) for row in found.rows] == [
        ("0", "ReLU"),
        ("1", "Residual"),
        ("1.body.0", "Conv2d"),
        ("1.body.1", "BatchNorm2d"),
        ("1.shortcut", "Conv2d"),
    ]
    assert found.rows[1]["output_shape"] == (4, 6, 5)
    assert found.parameters == net.flat_params.size and found.macs == net.macs((2, 6, 5))


def test_a_users_network_is_one_row():
    class Twice(fnn.Network):
        def __init__(self):
            super().__init__()
            self.dense = fnn.Dense(3, 3)
            self.adopt()

        def output_shape(self, input_shape):
            return self.dense.output_shape(self.dense.output_shape(input_shape))

        def macs(self, input_shape):
            return 2 * self.dense.macs(input_shape)

    assert summary(fnn.Sequential(Twice()), (3,)).rows == [
        {"name": "0", "layer": "Twice", "output_shape": (3,), "parameters": 12, "macs": 18}
    ]


def test_text_is_an_aligned_table():
    text = str(lenet().summary((1, 28, 28)))
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["Layer", "Output", "shape", "Parameters", "Multiply-adds"]
    assert lines[-1].split() == ["Total", "44,426", "281,640"]
    assert any(line.startswith("  7.0 Dense") for line in lines)
    assert repr(lenet().summary((1, 28, 28))) == text


def test_single_layers_and_empty_networks():
    assert summary(fnn.Dense(3, 2), 3).rows[0]["parameters"] == 8
    assert summary(fnn.Sequential(), (3,)).rows == []
    assert "Total" in str(summary(fnn.Sequential(), (3,)))


@pytest.mark.parametrize(
    "shape,error", [((3, 28, 28), ValueError), ((28, 28), ValueError), ("abc", TypeError), ((-1, 4, 4), ValueError)]
)
def test_wrong_shapes_are_refused(shape, error):
    with pytest.raises(error):
        lenet().summary(shape)
    with pytest.raises(TypeError, match="expected a fastnn network"):
        summary(np.ones(3), (3,))
