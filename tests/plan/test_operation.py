"""Layers of a user's own in plans: the same results as layer by layer, and compiled code that is never stale."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn as fnn
from fastnn.plan import Op, block_at, kernel, lanes_in, operation
from fastnn.plan.operations import REGISTERED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def forget():
    """What a test registers holds for that test."""
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)


@pytest.fixture(scope="module")
def example():
    """examples/own_kernel.py"""
    spec = importlib.util.spec_from_file_location("own_kernel_example", ROOT / "examples" / "own_kernel.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Weigh(fnn.Layer):
    """A trained factor for each feature of a sample: their order counts."""

    def __init__(self, features):
        super().__init__()
        self.add_param("weight", np.linspace(-1, 2, features))

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x, *, training=False):
        self.saved = x if training else None
        return x * self.params["weight"]

    def backward(self, dout, *, need_dx=True):
        self.grads["weight"] = (dout * self.take_saved()).sum(axis=0)
        return dout * self.params["weight"]


@kernel()
def weigh_forward(like, out, x, weight, first, last, scratch):
    lanes = lanes_in(like)
    for block in range(first, last):
        outs = block_at(like, out, block, first, scratch, weight.size * lanes)
        xs = block_at(like, x, block, first, scratch, weight.size * lanes)
        for i in range(outs.size):
            outs[i] = xs[i] * weight[i // lanes]


@kernel()
def weigh_backward(like, sets, dout, x, chunk, first, last, scratch):
    lanes, sums = lanes_in(like), sets[first // chunk]
    sums[:] = 0
    for block in range(first, last):
        douts = block_at(like, dout, block, first, scratch, sums.size * lanes)
        xs = block_at(like, x, block, first, scratch, sums.size * lanes)
        for i in range(douts.size):
            sums[i // lanes] += douts[i] * xs[i]


class WeighOp(Op):
    def scale(self, program, out, x):
        like, weight = np.empty(0, program.dtype), self.layer.params["weight"]
        program.block(self.label, lambda place: [weigh_forward.phase((like, place(out), place(x), weight), 1)], out, x)

    def forward(self, program, training):
        self.scale(program, program.value(self.out), program.value(self.x))

    def backward(self, program):
        dout, x, dx = program.gradient(self.out), program.value(self.x), program.like(self.x)
        like, sets = np.empty(0, program.dtype), program.gradient_sets(self.layer.grads["weight"])

        def records(place):
            return [weigh_backward.phase((like, sets, place(dout), place(x), program.chunk), 1)]

        program.block(self.label, records, dout, x)
        self.scale(program, dx, dout)
        program.contribute(self.x, dx)


def weighing(*front, features=12, last=True):
    tail = [fnn.Dense(features, 3, dtype=np.float64, rng=1)] if last else []
    return fnn.Sequential(*front, Weigh(features), *tail)


def run(network, x, y, plan=True):
    with fnn.config(plan=plan):
        trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
        values = [trainer.step(x, y) for _ in range(3)]
        assert (trainer._plan is not None) == plan
        history = trainer.fit(x, y, epochs=1, batch_size=20, progress=False)
        return np.array([*values, *history["loss"]]), network.flat_params, network.flat_grads, network.predict(x)


def assert_the_same(make, x, y):
    for planned, layered in zip(run(make(), x, y), run(make(), x, y, plan=False)):
        np.testing.assert_allclose(planned, layered, rtol=1e-10, atol=1e-12)


def test_example_checks_itself(example, capsys):
    example.check()
    assert "plan and layers agree" in capsys.readouterr().out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_example_against_its_layers(example, dtype, rng):
    # by itself, first in a network, twice in a row, in both sides of a residual block
    def make():
        own = {"dtype": dtype, "rng": 0}
        body = fnn.Sequential(fnn.Conv2d(2, 2, 3, padding=1, **own), example.PReLU(2, dtype=dtype))
        block = fnn.Residual(body, example.PReLU(2, 0.1, dtype=dtype))
        front = [example.PReLU(2, -0.5, dtype=dtype), example.PReLU(2, 2.0, dtype=dtype), block]
        return fnn.Sequential(*front, fnn.Flatten(), fnn.Dense(60, 3, **own))

    x, y = rng.standard_normal((37, 2, 5, 6)).astype(dtype), rng.integers(0, 3, 37)
    tolerance = {"rtol": 1e-10, "atol": 1e-10} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-5}
    for planned, layered in zip(run(make(), x, y), run(make(), x, y, plan=False)):
        np.testing.assert_allclose(planned, layered, **tolerance)


def test_same_bits_for_any_number_of_threads(example, rng, assert_same_bits):
    x, y = rng.standard_normal((90, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 90)
    assert_same_bits(lambda: run(example.network(), x, y))


def test_features_of_a_flattened_plane_come_in_order(rng):
    operation(Weigh)(WeighOp)
    x, y = rng.standard_normal((37, 3, 2, 2)), rng.integers(0, 3, 37)
    assert_the_same(lambda: weighing(fnn.Flatten()), x, y)
    assert_the_same(lambda: weighing(fnn.Conv2d(3, 3, 1, dtype=np.float64, rng=0), fnn.Flatten()), x, y)
    assert_the_same(lambda: weighing(fnn.Conv2d(3, 3, 1, dtype=np.float64, rng=0), fnn.Flatten(), last=False), x, y)


def test_any_order_leaves_them_as_they_lie(rng):
    class Triple(fnn.Layer):
        def output_shape(self, input_shape):
            return input_shape

        def forward(self, x, *, training=False):
            return 3 * x

        def backward(self, dout, *, need_dx=True):
            return 3 * dout

    @operation(Triple)
    class TripleOp(Op):
        any_order = True

        def run(self, program, out, x):
            like, three = np.empty(0, program.dtype), np.full(self.x.size, 3.0)
            program.block(self.label, lambda place: [weigh_forward.phase((like, place(out), place(x), three), 1)], out, x)

        def forward(self, program, training):
            assert self.x.positions == 4
            self.run(program, program.value(self.out), program.value(self.x))

        def backward(self, program):
            dx = program.like(self.x)
            self.run(program, dx, program.gradient(self.out))
            program.contribute(self.x, dx)

    def make(*front):
        return fnn.Sequential(*front, fnn.Flatten(), Triple(), fnn.Dense(12, 3, dtype=np.float64, rng=1))

    x, y = rng.standard_normal((37, 3, 2, 2)), rng.integers(0, 3, 37)
    assert_the_same(lambda: make(fnn.Conv2d(3, 3, 1, dtype=np.float64, rng=0)), x, y)
    assert_the_same(make, x, y)  # nothing in front of it is trained: its backward is not asked for


def test_registering_mends_what_was_refused(rng):
    x, y = rng.standard_normal((20, 12)), rng.integers(0, 3, 20)
    network = weighing()
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1))
    trainer.step(x, y)
    expected = network.predict(x)
    reason = "layer by layer, because 0 is a Weigh, which has no kernels in the plan"
    assert trainer._plan is None and network.summary((12,)).path == reason
    assert all(type(plan).__name__ == "_Refusal" for plan in network._plans)
    operation(Weigh)(WeighOp)
    assert network.summary((12,)).path == "compiled plan"
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-12)
    assert type(network._plans[0]).__name__ == "PredictionPlan"
    trainer.step(x, y)
    assert trainer._plan is not None


def test_replacing_an_operation(rng):
    operation(Weigh)(WeighOp)
    network, x = weighing(), rng.standard_normal((20, 12))
    network.predict(x)

    @operation(Weigh)
    class Twice(WeighOp):
        def scale(self, program, out, x):
            like, twice = np.empty(0, program.dtype), 2 * self.layer.params["weight"]
            self.kept = twice
            program.block(self.label, lambda place: [weigh_forward.phase((like, place(out), place(x), twice), 1)], out, x)

    bias = network[1].params["bias"]
    with fnn.config(plan=False):
        expected = 2 * (network.predict(x) - bias) + bias
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-12)


def test_it_holds_for_exactly_that_type():
    operation(Weigh)(WeighOp)

    class Other(Weigh):
        pass

    assert "0 is a Other, which has no kernels" in fnn.Sequential(Other(3)).summary((3,)).path


def test_a_layer_without_output_shape_is_refused(rng):
    class Mystery(fnn.Layer):
        def forward(self, x, *, training=False):
            return x

        def backward(self, dout, *, need_dx=True):
            return dout

    operation(Mystery)(WeighOp)
    network = fnn.Sequential(fnn.Dense(4, 3, dtype=np.float64), Mystery())
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1))
    trainer.step(rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert trainer._plan is None


@pytest.mark.parametrize(
    "layer_class,error,message",
    [
        (3, TypeError, "expected layer_class to be a type of layer, got 3"),
        (dict, TypeError, "expected layer_class to be a type of layer"),
        (fnn.ReLU(), TypeError, "expected layer_class to be a type of layer"),
        (fnn.Sequential, TypeError, "Sequential is a network; its layers go into plans one by one"),
        (fnn.ReLU, ValueError, "ReLU is fastnn's own layer"),
    ],
)
def test_what_cannot_be_registered(layer_class, error, message):
    with pytest.raises(error, match=message):
        operation(layer_class)


def test_what_is_no_operation():
    for wrong in (WeighOp.forward, Weigh, 3):
        with pytest.raises(TypeError, match=r"expected a subclass of fastnn\.plan\.Op"):
            operation(Weigh)(wrong)
    assert Weigh not in REGISTERED


def test_importing_fastnn_does_not_import_the_kernels_of_plans():
    code = """
import sys, fastnn
assert not [name for name in sys.modules if name.startswith("fastnn.kernels.lanes")]
assert set(dir(fastnn.plan)) >= {"Op", "operation", "kernel", "block_at", "lanes_in", "locate", "vectors"}
fastnn.plan.block_at
assert fastnn.plan.vectors.load
try:
    fastnn.plan.nothing
except AttributeError as error:
    assert "nothing" in str(error)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


OWN = """
import numpy as np
from fastnn.plan import kernel
import helper

@kernel(items=lambda out, x: out.size)
def scale(out, x, first, last):
    for i in range(first, last):
        out[i] = helper.factor(x[i]) + HERE

out = np.empty(2)
scale(out, np.ones(2))
print(out[0])
"""
HELPER = """
from numba import njit
{}

@njit
def factor(x):
    return {} * x
"""


def test_compiled_code_of_ones_own_is_not_stale(tmp_path):
    def result(here, constants, expression):
        (tmp_path / "own.py").write_text(OWN.replace("HERE", here), encoding="utf-8")
        (tmp_path / "helper.py").write_text(HELPER.format(constants, expression), encoding="utf-8")
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout), sorted(path.name for path in (tmp_path / "cache").rglob("*scale*.nbc"))

    value, files = result("1", "F = 2.0", "F")
    assert value == 3 and len(files) == 1
    assert result("1", "F = 2.0\n# a remark", "F") == (3, files)  # nothing to compile
    assert result("5", "F = 2.0", "F")[0] == 7
    assert result("1", "F = 4.0", "F")[0] == 5
    assert result("1", "F = 2.0", "3 * F")[0] == 7
