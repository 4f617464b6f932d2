"""The table of a network: rows, totals, text, and the path that the network takes."""

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


def test_branches_of_concat():
    block = fnn.Concat(fnn.Sequential(fnn.Conv2d(2, 4, 3, padding=1), fnn.ReLU()), fnn.Conv2d(2, 3, 1))
    found = summary(fnn.Sequential(block), (2, 6, 5))
    assert [(row["name"], row["layer"], row["output_shape"]) for row in found.rows] == [
        ("0", "Concat", (7, 6, 5)),
        ("0.0.0", "Conv2d", (4, 6, 5)),
        ("0.0.1", "ReLU", (4, 6, 5)),
        ("0.1", "Conv2d", (3, 6, 5)),
    ]
    assert found.parameters == block.flat_params.size and found.macs == block.macs((2, 6, 5))
    assert found.path == "compiled plan"


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
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[0].split() == ["Layer", "Output", "shape", "Parameters", "Multiply-adds"]
    assert lines[-2].split() == ["Total", "44,426", "281,640"]
    assert lines[-1] == "Path: compiled plan"
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


class Scale(fnn.Layer):
    def __init__(self):
        super().__init__()
        self.add_param("scale", np.ones(1, np.float32))

    def output_shape(self, input_shape):
        return input_shape


class Twins(fnn.Network):
    def __init__(self):
        super().__init__()
        self.dense = fnn.Dense(3, 3)
        self.adopt()

    def output_shape(self, input_shape):
        return input_shape


def replaced():
    net = fnn.Sequential(fnn.Dense(3, 3), fnn.ReLU())
    net[1].forward = lambda x, training=False: x
    return net


def on_numpy():
    net = fnn.Sequential(fnn.Dense(3, 3), fnn.ReLU())
    net[1].use("reference")
    return net


@pytest.mark.parametrize(
    "network,shape,path",
    [
        (lambda: fnn.Sequential(fnn.Dense(3, 3), Scale()), (3,), "1 is a Scale, which has no kernels in the plan"),
        (lambda: fnn.Sequential(fnn.Residual(Scale())), (3,), "0.body is a Scale, which has no kernels in the plan"),
        (Twins, (3,), "network is a Twins, which has no kernels in the plan"),
        (lambda: fnn.Sequential(fnn.Lambda(np.tanh)), (3,), "0 is a Lambda, whose function has no kernels in the plan"),
        (lambda: fnn.Sequential(fnn.Dense(3, 2)), (5, 3), "0 is a Dense over the last of several axes"),
        (lambda: fnn.Sequential(fnn.Conv2d(1, 2, 2, padding="same")), (1, 5, 5), "0 pads its two ends differently"),
        (lambda: fnn.Sequential(fnn.Dense(3, 3), fnn.Softmax(0)), (3,), "1 is a Softmax over axis 0"),
        (lambda: fnn.Sequential(fnn.Flatten(2)), (2, 3, 4, 5), "samples of shape (2, 3, 4, 5) do not fit its blocks"),
        (replaced, (3,), "1 has a method replaced in this one object"),
        (on_numpy, (3,), "1 runs on the reference kernels"),
    ],
)
def test_path_says_what_has_no_plan(network, shape, path):
    found = network().summary(shape)
    assert found.path == f"layer by layer, because {path}"
    assert str(found).splitlines()[-1] == f"Path: {found.path}"


def test_path_follows_the_settings():
    net = lenet()
    assert net.summary((1, 28, 28)).path == "compiled plan"
    with fnn.config(plan=False):
        assert net.summary((1, 28, 28)).path == "layer by layer, because of config(plan=False)"
    with net.use("reference"):
        assert net.summary((1, 28, 28)).path == "layer by layer, because it runs on the reference kernels"
    with fnn.kernels.use("reference"):
        assert net.summary((1, 28, 28)).path == "layer by layer, because it runs on the reference kernels"
    assert net.summary((1, 28, 28)).path == "compiled plan"


def test_path_where_only_a_part_is_planned():
    batchwise = fnn.BatchNorm1d(3, track_running_stats=False)
    assert summary(fnn.Sequential(fnn.Dense(3, 3), batchwise), (3,)).path == (
        "compiled plan; predictions layer by layer, because 1 normalizes them batch by batch"
    )
    assert summary(fnn.Sequential(fnn.ReLU()), (3,)).path == "compiled plan for predictions; nothing in it can be trained"
    assert summary(fnn.Dense(3, 2), (3,)).path == (
        "compiled plan for predictions; training layer by layer, because it is a layer outside of a network"
    )
    assert summary(fnn.BatchNorm1d(3, track_running_stats=False), (3,)).path == (
        "layer by layer, because it is a layer outside of a network"
    )


@pytest.mark.parametrize("make", [lenet, replaced, on_numpy, lambda: fnn.Sequential(fnn.Dense(3, 3), Scale())])
def test_path_is_what_a_trainer_does(make):
    net = make()
    shape = (1, 28, 28) if isinstance(net[0], fnn.Conv2d) else (3,)
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1))
    planned = trainer._plan_for(np.zeros((4, *shape), np.float32), np.zeros(4, np.int64), 4) is not None
    assert planned == (net.summary(shape).path == "compiled plan")


def test_summary_leaves_the_arrays_where_they_are():
    net = lenet()
    before = net.flat_params
    summary(net[:3], (1, 28, 28))
    assert net.flat_params is before
