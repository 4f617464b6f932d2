"""A plan and the layers one by one give the same losses, gradients, statistics and predictions, whatever the network."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fnn

TOLERANCE = {np.float64: 1e-10, np.float32: 3e-4}


def random_layers(rng, shape, dtype, depth, inside_residual=False):
    """Layers one after another for samples of `shape`, and the shape they end with."""
    layers = []
    for _ in range(depth):
        C, planes = shape[0], len(shape) > 1
        kinds = ["act", "norm", *("conv conv pool residual concat reshape permute" if planes else "dense").split()]
        kind = rng.choice(kinds)
        if kind == "dense":
            layer = fnn.Dense(C, int(rng.integers(1, 30)), bias=bool(rng.integers(2)), dtype=dtype, rng=rng)
        elif kind == "norm":
            layer = random_norm(rng, shape, dtype)
        elif kind == "act":
            slope = float(rng.uniform(0, 0.5))
            choices = [fnn.ReLU(), fnn.ReLU(), fnn.Tanh(), fnn.Sigmoid(), fnn.LeakyReLU(slope)]
            choices += [fnn.ELU(slope), fnn.GELU(), fnn.GELU("tanh"), fnn.SiLU(), fnn.Softplus(1 + slope), fnn.ReLU6()]
            choices += [fnn.Hardtanh(-slope, 1), fnn.LogSoftmax(1)]
            layer = choices[rng.integers(len(choices))]
        elif kind == "conv":
            one = len(shape) == 2
            kernel, stride, padding, dilation = (int(rng.integers(*r)) for r in ((1, 5), (1, 3), (0, 3), (1, 3)))
            if rng.integers(2):
                kernel, stride, padding, dilation = 3, 1, int(rng.integers(0, 3)), 1
            groups = int(rng.choice([g for g in range(1, C + 1) if C % g == 0]))
            filters = groups * int(rng.integers(1, 5))
            span = dilation * (kernel - 1) + 1
            if min(shape[1:]) + 2 * padding < span:
                continue
            make = fnn.Conv1d if one else fnn.Conv2d
            options = {"bias": bool(rng.integers(2)), "dtype": dtype, "rng": rng}
            layer = make(C, filters, kernel, stride, padding, dilation, groups, **options)
        elif kind == "concat":
            make = {2: fnn.Conv1d, 3: fnn.Conv2d}[len(shape)]
            branches = [make(C, int(rng.integers(1, 5)), 1, dtype=dtype, rng=rng), fnn.ReLU(), fnn.Identity()]
            layer = fnn.Concat(*(branches[i] for i in rng.permutation(3)[: rng.integers(1, 4)]))
        elif kind == "reshape":
            size = math.prod(shape)
            first = int(rng.choice([n for n in range(1, min(size, 40) + 1) if size % n == 0]))
            second = int(rng.choice([n for n in range(1, min(size // first, 40) + 1) if size // first % n == 0]))
            layer = fnn.Reshape(first, second, -1) if rng.integers(2) else fnn.Reshape(first, -1)
        elif kind == "permute":
            layer = fnn.Permute(*(int(axis) + 1 for axis in rng.permutation(len(shape))))
        elif kind == "pool":
            if min(shape[1:]) < 3:
                continue
            dims = "1d" if len(shape) == 2 else "2d"
            choice = rng.integers(4)
            kernel, stride = int(rng.integers(2, 4)), int(rng.integers(1, 4))
            padding = int(rng.integers(0, kernel // 2 + 1))
            if choice == 0:
                layer = getattr(fnn, f"MaxPool{dims}")(kernel, stride, padding, ceil_mode=bool(rng.integers(2)))
            elif choice == 1:
                layer = getattr(fnn, f"AvgPool{dims}")(kernel, stride, padding, count_include_pad=bool(rng.integers(2)))
            elif choice == 2:
                layer = getattr(fnn, f"AdaptiveAvgPool{dims}")(int(rng.integers(1, min(shape[1:]) + 1)))
            else:
                layer = getattr(fnn, f"LPPool{dims}")(int(rng.integers(1, 3)), kernel, stride, bool(rng.integers(2)))
        else:
            if inside_residual:
                continue
            body, after = random_layers(rng, shape, dtype, 2, True)
            if not body:
                continue
            shortcut = None
            if after != shape:
                if len(after) != len(shape) or after[1:] != shape[1:]:
                    continue
                make = {2: fnn.Conv1d, 3: fnn.Conv2d}[len(shape)]
                shortcut = make(C, after[0], 1, dtype=dtype, rng=rng)
            layer = fnn.Residual(fnn.Sequential(*body), shortcut)
        layers.append(layer)
        shape = layer.output_shape(shape)
    return layers, shape


def random_norm(rng, shape, dtype):
    """A normalization for samples of `shape`, with random parameters."""
    C, size, planes = shape[0], math.prod(shape), len(shape) > 1
    affine, bias, kind = bool(rng.integers(2)), bool(rng.integers(2)), rng.integers(6)
    groups = int(rng.choice([g for g in range(1, C + 1) if C % g == 0]))
    axes = shape[1:] if planes and rng.integers(2) else shape
    if kind == 0 and planes:
        alpha, beta = rng.uniform(0, 2), rng.choice([0.5, 0.6, 0.75, 1.0])
        return fnn.LocalResponseNorm(int(rng.integers(1, 6)), float(alpha), float(beta), k=1.0)
    if kind == 1 and size // groups > 2:  # of two values or one, nothing is left but rounding errors
        layer = fnn.GroupNorm(groups, C, affine=affine, bias=bias, dtype=dtype)
    elif kind == 2 and math.prod(axes) > 2:
        layer = fnn.LayerNorm(axes, elementwise_affine=affine, bias=bias, dtype=dtype)
    else:
        make = {1: fnn.BatchNorm1d, 2: fnn.BatchNorm1d, 3: fnn.BatchNorm2d}[len(shape)]
        layer = make(C, affine=affine, bias=bias, momentum=None if rng.integers(2) else 0.2, dtype=dtype)
    for name, array in layer.params.items():
        layer.params[name] = rng.standard_normal(array.shape).astype(dtype)
    return layer


def random_network(seed, dtype):
    rng = np.random.default_rng(seed)
    shape = [(3,), (2, 9), (1, 8, 7), (3, 10, 10), (2, 6, 5), (17,)][rng.integers(6)]
    layers, after = random_layers(rng, shape, dtype, int(rng.integers(1, 7)))
    if len(after) > 1:
        layers.append(fnn.Flatten())
        after = layers[-1].output_shape(after)
        if rng.integers(3) == 0:
            layers.append(fnn.Tanh())
    classes = int(rng.integers(2, 12))
    if rng.integers(4):
        layers.append(fnn.Dense(after[0], classes, dtype=dtype, rng=rng))
    else:
        classes = after[0]
    network = fnn.Sequential(*layers)
    samples = int(rng.choice([2, 3, 15, 16, 17, 33, 40]))
    x = rng.standard_normal((samples, *shape)).astype(dtype)
    y = rng.integers(0, classes, samples)
    return network, x, y


def close(a, b, dtype, what):
    scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0)))
    np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=what)


def both_ways(network, x, y, loss, optimizer):
    """Trainers of two copies of a network: one with a plan, one without."""
    trainers = []
    for planned in (True, False):
        with fnn.config(plan=planned):
            trainer = fnn.Trainer(copy.deepcopy(network), copy.deepcopy(loss), copy.deepcopy(optimizer), seed=0)
            values = [trainer.step(x, y) for _ in range(2)]
        trainers.append((trainer, values))
    return trainers


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_training(dtype, seed):
    network, x, y = random_network(seed, dtype)
    if not network.flat_params.size:
        return
    (planned, values), (plain, expected) = both_ways(network, x, y, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.0))
    assert planned._plan is not None and plain._plan is None, planned._refused
    close(np.array(values), np.array(expected), dtype, "loss")
    close(planned.network.flat_grads, plain.network.flat_grads, dtype, f"gradients of {network}")
    for name, array in plain.network.state.items():
        close(planned.network.state[name].astype(float), array.astype(float), dtype, name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_prediction(dtype, seed):
    network, x, _ = random_network(seed, dtype)
    for name, array in network.state.items():
        if name.endswith("running_var"):
            array[...] = np.random.default_rng(seed).uniform(0.5, 2, array.shape)
    with fnn.config(plan=False):
        expected = network.predict(x)
    close(network.predict(x), expected, dtype, f"prediction of {network}")
