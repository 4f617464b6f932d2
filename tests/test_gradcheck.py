"""The public gradient check: passes what is right, names what is wrong, leaves everything as it was."""

import numpy as np
import pytest

import fastnn as fnn


def off_kinks(rng, shape):
    """Values at least 0.01 apart from each other and from 0: no kink of ReLU or max-pooling within a step."""
    values = np.arange(1, 1 + np.prod(shape)) * 0.02
    values[::2] *= -1
    return rng.permutation(values).reshape(shape)


def network(dropout=0.3):
    return fnn.Sequential(
        fnn.Conv2d(2, 3, 3, padding=1, dtype=np.float64, rng=0),
        fnn.BatchNorm2d(3, dtype=np.float64),
        fnn.Tanh(),
        fnn.Residual(
            fnn.Sequential(fnn.Conv2d(3, 3, 1, dtype=np.float64, rng=1), fnn.Dropout(dropout, rng=2)),
            fnn.Conv2d(3, 3, 1, dtype=np.float64, rng=3),
        ),
        fnn.AvgPool2d(2),
        fnn.Flatten(),
        fnn.Dense(12, 3, dtype=np.float64, rng=4),
    )


def test_layers_and_networks_pass(rng):
    result = fnn.gradcheck(network(), off_kinks(rng, (3, 2, 4, 5)))
    assert result and result.ok and result.problems == []
    assert list(result.errors) == ["x", *network().params]
    assert result.worst["error"] == max(result.errors.values()) < result.tol
    assert str(result).startswith("gradcheck of Sequential: ok") and "6.weight" in repr(result)


def test_everything_is_as_before(rng):
    net, x = network(), off_kinks(rng, (3, 2, 4, 5))
    kept, before = x.copy(), net.state_dict()
    draw = net[3].body[1].rng.bit_generator.state
    fnn.gradcheck(net, x, max_entries=5)
    assert (x == kept).all() and net[3].body[1].rng.bit_generator.state == draw
    for name, array in net.state_dict().items():
        assert array.tobytes() == before[name].tobytes(), name


def test_max_entries_checks_a_sample(rng, monkeypatch):
    calls = []
    layer = fnn.Dense(30, 20, dtype=np.float64, rng=0)
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda x, training: calls.append(1) or forward(x, training=training))
    assert fnn.gradcheck(layer, rng.standard_normal((4, 30)), max_entries=7)
    assert len(calls) == 1 + 2 * 3 * 7


def test_losses_pass(rng):
    x = rng.standard_normal((4, 3))
    assert fnn.gradcheck(fnn.CrossEntropyLoss(label_smoothing=0.1), x, np.array([0, 2, 1, -100]))
    assert fnn.gradcheck(fnn.MSELoss(reduction="none"), x, x.T.copy().reshape(4, 3))


class Wrong(fnn.layers.Layer):
    """out = scale * x**2, with a mistake in one place."""

    def __init__(self, mistake=None):
        super().__init__()
        self.add_param("scale", np.array([1.5, 2.5, 0.5]))
        self.mistake = mistake

    def forward(self, x, *, training=False):
        self.saved = x if training else None
        if self.mistake == "writes into x":
            x *= 1.0000001
        return self.params["scale"] * x**2

    def backward(self, dout, *, need_dx=True):
        x = self.take_saved()
        if self.mistake != "forgets scale":
            self.grads["scale"] = (dout * x**2).sum(axis=0)
        if self.mistake == "accumulates":
            self.grads["scale"] += self.grads["scale"]
        dx = 2 * self.params["scale"] * x * dout
        if self.mistake == "one entry":
            dx[1, 2] += 1e-3
        if self.mistake == "nan":
            dx[0, 1] = np.nan
        return {"no dx": None, "wrong shape": dx[:1]}.get(self.mistake, dx)


def test_a_users_layer_passes(rng):
    assert fnn.gradcheck(Wrong(), rng.standard_normal((4, 3)))


@pytest.mark.parametrize(
    "mistake,text",
    [
        ("one entry", r"worst entry: x\[1, 2\], analytic .*, numeric "),
        ("nan", r"worst entry: x\[0, 1\], analytic nan"),
        ("forgets scale", r"worst entry: scale\[0\], analytic nan"),
        ("accumulates", r"worst entry: scale\["),
        ("no dx", "x has no gradient"),
        ("wrong shape", r"expected a gradient of shape \(4, 3\) for x, got \(1, 3\)"),
        ("writes into x", "x was changed by forward or backward"),
    ],
)
def test_mistakes_are_named(mistake, text, rng):
    x = rng.standard_normal((4, 3))
    with pytest.raises(AssertionError, match=text):
        fnn.gradcheck(Wrong(mistake), x)
    result = fnn.gradcheck(Wrong(mistake), x, raise_error=False)
    assert not result and not result.ok and "FAILED" in str(result)


def test_a_wrong_loss_is_named(rng):
    class Doubled(fnn.MSELoss):
        def backward(self, dloss=None):
            return 2 * super().backward(dloss)

    with pytest.raises(AssertionError, match=r"gradcheck of Doubled: FAILED[\s\S]*prediction\["):
        fnn.gradcheck(Doubled(), rng.standard_normal(3), rng.standard_normal(3))


@pytest.mark.parametrize(
    "make,inputs,error,match",
    [
        (lambda: fnn.Dense(3, 2), [np.ones((1, 3))], TypeError, "float64 parameters, got weight of float32"),
        (lambda: fnn.ReLU(), [np.ones((1, 3), np.float32)], TypeError, "expected x in float64, got float32"),
        (lambda: fnn.MSELoss(), [np.ones(3, int), np.ones(3)], TypeError, "expected prediction in float64, got int64"),
        (lambda: fnn.ReLU(), [], TypeError, "one x for a layer, got 0"),
        (lambda: fnn.MSELoss(), [np.ones(3)], TypeError, "prediction, target"),
        (lambda: fnn.ReLU, [np.ones(3)], TypeError, "expected a layer or a loss"),
        (lambda: 3, [np.ones(3)], TypeError, "expected a layer or a loss"),
    ],
)
def test_wrong_arguments(make, inputs, error, match):
    with pytest.raises(error, match=match):
        fnn.gradcheck(make(), *inputs)


@pytest.mark.parametrize(
    "options,error",
    [
        ({"eps": 0}, ValueError),
        ({"eps": float("nan")}, ValueError),
        ({"tol": "x"}, TypeError),
        ({"max_entries": 0}, ValueError),
    ],
)
def test_wrong_options(options, error):
    with pytest.raises(error, match="gradcheck"):
        fnn.gradcheck(fnn.ReLU(), np.ones((2, 3)), **options)
