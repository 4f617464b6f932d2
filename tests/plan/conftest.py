"""Fixtures of the plan's tests.

pair     (network, loss, optimizer, seed=0) -> Pair: a trainer with plans and one without, of equal networks
"""

import copy

import numpy as np
import pytest

import fastnn as fnn

TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 3e-4}


def close(actual, expected, dtype, what=""):
    """Equal within what another order of sums may change; NaN and infinities in the same places."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    finite = np.abs(expected[np.isfinite(expected)])
    atol = TOLERANCE[np.dtype(dtype)] * max(1.0, float(finite.max(initial=0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=what)


class Pair:
    """A trainer that uses plans and one that goes layer by layer, on equal copies of a network.

    Attributes
    ----------
    planned, plain : Trainer
    dtype : numpy.dtype
    """

    def __init__(self, network, loss=None, optimizer=None, seed=0):
        loss, optimizer = loss or fnn.CrossEntropyLoss(), optimizer or fnn.SGD(lr=0.05)
        self.planned, self.plain = (
            fnn.Trainer(copy.deepcopy(network), copy.deepcopy(loss), copy.deepcopy(optimizer), seed=seed) for _ in range(2)
        )
        self.dtype = np.dtype(network.dtype or np.float32)

    def each(self, function, *args, **options):
        """``function(trainer, ...)`` of both, or the trainer's method of that name: (with plans, without)."""
        if isinstance(function, str):
            function = getattr(fnn.Trainer, function)
        result = function(self.planned, *args, **options)
        with fnn.config(plan=False):
            return result, function(self.plain, *args, **options)

    def step(self, x, y, plan=True):
        """One step of both on a batch; the losses must be equal. `plan`: whether the first has one then, None for either."""
        value, expected = self.each("step", x, y)
        assert plan in (None, self.planned._plan is not None) and self.plain._plan is None
        assert type(value) is type(expected) is float
        close(value, expected, self.dtype, "loss")
        return value

    def check(self, gradients=True):
        """Parameters, gradients, state and the optimizer's state are equal."""
        planned, plain = self.planned.network, self.plain.network
        close(planned.flat_params, plain.flat_params, self.dtype, "parameters")
        if gradients:
            close(planned.flat_grads, plain.flat_grads, self.dtype, "gradients")
        for name, array in plain.state.items():
            close(planned.state[name], array, self.dtype, name)
        if hasattr(self.plain.optimizer, "state"):
            states = [trainer.optimizer.state.get("flat", {}) for trainer in (self.planned, self.plain)]
            assert list(states[0]) == list(states[1])
            for name, value in states[1].items():
                assert type(states[0][name]) is type(value)
                close(states[0][name], value, self.dtype, f"optimizer's {name}")


@pytest.fixture(name="pair", scope="session")
def pair_fixture():
    return Pair


@pytest.fixture(name="close", scope="session")
def close_fixture():
    return close
