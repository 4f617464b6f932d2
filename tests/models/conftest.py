"""Fixtures of the models' tests.

check_paths     (network, shape, batch=3): a training step and a prediction, the same layer by layer and as a plan
check_saved     (network, shape, folder): a saved and loaded network has the same layers and predicts the same bits
torch_twin      (network, module): the parameters of `network`, in their order, are put into a PyTorch module
"""

import copy

import numpy as np
import pytest

import fastnn as fnn


def _check_paths(network, shape, batch=3):
    assert network.dtype == np.float64, "rounding in float32 grows too much in deep networks to compare two orders of sums"
    rng = np.random.default_rng(1)
    classes = network.output_shape(shape)[0]
    x, y = rng.normal(size=(batch, *shape)), rng.integers(0, classes, batch)
    planned, plain = (fnn.Trainer(copy.deepcopy(network), fnn.CrossEntropyLoss(), fnn.SGD(lr=0.01), seed=0) for _ in range(2))
    value, predicted = planned.step(x, y), planned.predict(x)
    assert planned._plan is not None, network.summary(shape).path
    with fnn.config(plan=False):
        expected, found = plain.step(x, y), plain.predict(x)
    assert np.isfinite(value) and value == pytest.approx(expected, rel=1e-9)
    gradients = plain.network.flat_grads
    assert all(np.any(gradient) for gradient in plain.network.grads.values()), "some layer learns nothing"
    np.testing.assert_allclose(planned.network.flat_grads, gradients, rtol=0, atol=1e-8 * np.abs(gradients).max())
    np.testing.assert_allclose(predicted, found, rtol=0, atol=1e-8 * np.abs(found).max())


def _check_saved(network, shape, folder):
    network.save(folder / "network.safetensors")
    loaded = fnn.load(folder / "network.safetensors")
    assert repr(loaded) == repr(network) and list(loaded.state_dict()) == list(network.state_dict())
    x = np.random.default_rng(2).normal(size=(2, *shape)).astype(network.dtype)
    np.testing.assert_array_equal(loaded.forward(x), network.forward(x))


def _torch_twin(network, module):
    import torch

    arrays = network.state_dict().values()
    names = module.state_dict()
    assert [tuple(value.shape) for value in names.values()] == [array.shape for array in arrays]
    module.load_state_dict({name: torch.from_numpy(array) for name, array in zip(names, arrays)})
    return module


@pytest.fixture(scope="session")
def check_paths():
    return _check_paths


@pytest.fixture(scope="session")
def check_saved():
    return _check_saved


@pytest.fixture(scope="session")
def torch_twin():
    return _torch_twin
