"""Profiles: every layer and pass is there, in a plan and without one, and measuring changes nothing."""

import copy

import numpy as np
import pytest

import fastnn as fnn
from fastnn.profiling import Profile, profile

KEYS = {"name", "pass", "fused", "seconds", "gflops", "gbytes", "percent", "bound"}
BOUNDS = {"arithmetic", "cache", "memory", "other work", "launch"}


def network():
    block = fnn.Residual(
        fnn.Sequential(fnn.Conv2d(4, 4, 3, padding=1, rng=0), fnn.BatchNorm2d(4), fnn.ReLU(), fnn.BatchNorm2d(4))
    )
    return fnn.Sequential(
        fnn.Conv2d(1, 4, 3, rng=1), fnn.ReLU(), block, fnn.ReLU(), fnn.MaxPool2d(2), fnn.Flatten(), fnn.Dense(36, 5, rng=2)
    )


@pytest.fixture
def batch(rng):
    return rng.standard_normal((20, 1, 8, 8)).astype(np.float32), rng.integers(0, 5, 20)


def passes(found):
    grouped = {}
    for row in found.rows:
        assert set(row) == KEYS and row["bound"] in BOUNDS and row["seconds"] > 0
        grouped.setdefault(row["pass"], []).append(row["name"])
    return grouped


def test_a_plan_step_by_step(batch):
    found = network().profile(*batch, optimizer=fnn.Adam())
    assert found.path == "compiled plan" and found.samples == 20 and found.threads == fnn.num_threads()
    grouped = passes(found)
    assert list(grouped)[-1] == "update" and grouped["loss"] == ["CrossEntropyLoss"]
    assert [name for name in grouped["forward"] if "Conv" in name] == ["0 Conv2d", "2.body.0 Conv2d"]
    assert grouped["weight gradient"] == ["6 Dense", "2.body.0 Conv2d", "0 Conv2d"]
    assert grouped["input gradient"] == ["6 Dense", "2.body.0 Conv2d"]
    fused = {row["name"]: row["fused"] for row in found.rows if row["pass"] == "forward"}
    assert fused["0 Conv2d"] == ("ReLU",) and fused["2.body.3 BatchNorm2d"] == ("sum",)
    assert fused["2.body.1 BatchNorm2d"] == fused["4 MaxPool2d"] == ("ReLU",)
    assert found.gflops > 0 and found.seconds > 0 and found.peak_gflops > 1 and found.peak_gbytes > 1
    assert all((row["gflops"] > 0) == any(kind in row["name"] for kind in ("Conv2d", "Dense")) for row in heavy(found))


def heavy(found):
    return [row for row in found.rows if row["pass"] in ("forward", "weight gradient", "input gradient")]


def test_without_a_plan_layer_by_layer(batch):
    with fnn.config(plan=False):
        found = network().profile(*batch)
    assert found.path == "layer by layer, because of config(plan=False)"
    grouped = passes(found)
    assert list(grouped) == ["forward", "loss", "backward", "update"]
    names = ["0 Conv2d", "1 ReLU", "2.body.0 Conv2d", "2.body.1 BatchNorm2d", "2.body.2 ReLU", "2.body.3 BatchNorm2d"]
    names += ["3 ReLU", "4 MaxPool2d", "5 Flatten", "6 Dense"]
    assert grouped["forward"] == names and grouped["backward"] == names[::-1]
    # each gradient is as much work as the output
    flops = {(row["name"], row["pass"]): row["gflops"] * row["seconds"] * 1e9 for row in found.rows}
    macs = {f"{row['name']} {row['layer']}": 20 * row["macs"] for row in network().summary((1, 8, 8)).rows}
    for name in ("2.body.0 Conv2d", "6 Dense"):
        assert flops[name, "forward"] == pytest.approx(2 * macs[name])
        assert flops[name, "backward"] == pytest.approx(4 * macs[name])
    assert flops["0 Conv2d", "backward"] == pytest.approx(2 * macs["0 Conv2d"])  # its input has no gradient


class Halves(fnn.Network):
    """Calls one layer twice, and adds in Python."""

    def __init__(self):
        super().__init__()
        self.dense = fnn.Dense(6, 3, rng=0)
        self.act = fnn.Tanh()
        self.adopt()

    def output_shape(self, input_shape):
        return self.dense.output_shape(input_shape)

    def run_forward(self, x, training):
        return self.act.forward(self.dense.forward(x, training=training), training=training) + 1

    def run_backward(self, dout, need_dx):
        return self.dense.backward(self.act.backward(dout))


def test_networks_of_ones_own(rng):
    found = fnn.Sequential(Halves(), fnn.ReLU()).profile(np.ones((4, 6), np.float32), np.zeros(4, np.int64))
    assert passes(found)["forward"] == ["0.dense Dense", "0.act Tanh", "1 ReLU"]
    assert found.path == "layer by layer, because 0 is a Halves, which has no kernels in the plan"
    assert str(found).endswith(f"Path: {found.path}")


def test_a_single_layer():
    found = profile(fnn.Dense(6, 3), np.ones((4, 6), np.float32), np.zeros(4, np.int64))
    assert passes(found) == {"forward": ["Dense"], "loss": ["CrossEntropyLoss"], "backward": ["Dense"], "update": ["SGD"]}


class PythonLoss(fnn.Loss):
    reduction = "mean"

    def forward(self, prediction, target):
        self.difference = prediction - target[:, None].astype(prediction.dtype)
        return float((self.difference**2).mean())

    def backward(self):
        return 2 * self.difference / self.difference.size


class PythonSGD(fnn.SGD):
    pass


def test_a_loss_and_an_optimizer_in_python(batch):
    found = network().profile(*batch, loss=PythonLoss(), optimizer=PythonSGD())
    assert found.path == "compiled plan"
    names = [row["name"] for row in found.rows]
    assert names[-1] == "PythonSGD"
    at = names.index("PythonLoss")
    assert names[at - 1] == "predictions" and names[at + 1] == "gradient"


def test_on_the_reference_kernels(batch):
    net = network()
    with net.use("reference"):
        found = net.profile(*batch)
    assert found.path == "layer by layer, because it runs on the reference kernels"


def test_uint8_float64_and_dropout(rng):
    images = rng.integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    for plan in (True, False):
        with fnn.config(plan=plan):
            net = fnn.Sequential(fnn.Flatten(), fnn.Dropout(), fnn.Dense(64, 3, dtype=np.float64))
            assert [row["name"] for row in net.profile(images, np.zeros(20, np.int64)).rows].count("2 Dense") >= 2


@pytest.mark.parametrize("plan", [True, False])
def test_nothing_changes(batch, plan):
    net, optimizer, loss = network(), fnn.Adam(), fnn.CrossEntropyLoss()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    state, wanted = copy.deepcopy(net.summary((1, 8, 8)).rows), vars(loss).copy()
    with fnn.config(plan=plan):
        net.profile(*batch, loss=loss, optimizer=optimizer)
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())
    assert optimizer.state == {} and vars(loss) == wanted and net.summary((1, 8, 8)).rows == state
    assert "forward" not in vars(net[0])


def test_what_does_not_fit(batch):
    x, y = batch
    net = network()
    with pytest.raises(ValueError, match="labels in 0"):
        net.profile(x, y + 5)
    with pytest.raises(ValueError, match="expected x and y of one length"):
        net.profile(x, y[:-1])
    with pytest.raises(TypeError, match="float32"):
        net.profile(x.astype(np.float64), y)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fnn.Sequential(fnn.Dense(2, 2), fnn.BatchNorm1d(2)).profile(np.ones((1, 2), np.float32), np.zeros(1, np.int64))
    with pytest.raises(TypeError, match="expected network to be a fastnn layer"):
        profile(None, x, y)


def row(name, which, seconds, **more):
    base = {"fused": (), "gflops": 0.0, "gbytes": 0.0, "percent": 0.0, "bound": "launch"}
    return {"name": name, "pass": which, "seconds": seconds, **base, **more}


def test_text():
    rows = [
        row("0 Conv2d", "forward", 2e-4, fused=("ReLU",), gflops=100.0, gbytes=3.0, percent=50.0, bound="arithmetic"),
        row("update", "update", 1e-6),
    ]
    assert str(Profile(rows, "compiled plan", 8, 2, (200.0, 300.0), 1e-4)) == "\n".join(
        [
            "Step             Pass        us   share  GFLOP/s  GB/s  % of peak  Bound by",
            "-----------------------------------------------------------------------------",
            "0 Conv2d + ReLU  forward  200.0  99.5 %    100.0   3.0         50  arithmetic",
            "update           update     1.0   0.5 %        -     -          -  launch",
            "-----------------------------------------------------------------------------",
            "Total                     201.0",
            "A step as it runs: 100.0 us for 8 samples on 2 threads: 80,000 samples/s, 200.0 GFLOP/s, 100 % of peak",
            "Peak: 200 GFLOP/s of direct multiply-adds, 300 GB/s in the cache",
            "Path: compiled plan",
        ]
    )
