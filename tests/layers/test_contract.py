"""What every layer must do, over a table of layers: gradients, kernels against twins, views, empty batches, errors."""

import copy
import json
import pickle

import numpy as np
import pytest

import fastnn as fnn
from fastnn.layers import Layer, layer_from_config

# name: (constructor of (dtype), shape of one sample). No two sizes of one case are equal, where the layer allows.
CASES = {
    "dense": (lambda t: fnn.Dense(5, 3, dtype=t, rng=0), (5,)),
    "dense_no_bias": (lambda t: fnn.Dense(5, 3, bias=False, dtype=t, rng=0), (5,)),
    "dense_more_axes": (lambda t: fnn.Dense(5, 3, dtype=t, rng=0), (2, 4, 5)),
    "conv2d": (lambda t: fnn.Conv2d(2, 3, (4, 3), dtype=t, rng=0), (2, 7, 6)),
    "conv2d_all": (
        lambda t: fnn.Conv2d(4, 6, (3, 2), (2, 3), (2, 1), (2, 1), groups=2, bias=False, dtype=t, rng=0),
        (4, 7, 5),
    ),
    "conv2d_depthwise": (lambda t: fnn.Conv2d(3, 6, 3, padding=1, groups=3, dtype=t, rng=0), (3, 5, 4)),
    "conv2d_same": (lambda t: fnn.Conv2d(2, 3, (5, 3), padding="same", dtype=t, rng=0), (2, 4, 6)),
    "conv2d_same_uneven": (
        lambda t: fnn.Conv2d(2, 3, (4, 2), padding="same", dilation=(1, 3), dtype=t, rng=0),
        (2, 5, 4),
    ),
    "conv2d_valid_whole": (lambda t: fnn.Conv2d(2, 3, (5, 4), padding="valid", dtype=t, rng=0), (2, 5, 4)),
    "conv2d_1x1_strided": (lambda t: fnn.Conv2d(3, 5, 1, stride=2, dtype=t, rng=0), (3, 4, 7)),
    "conv1d": (lambda t: fnn.Conv1d(3, 4, 3, 2, 1, dtype=t, rng=0), (3, 8)),
    "conv1d_same_uneven": (lambda t: fnn.Conv1d(4, 2, 4, padding="same", groups=2, dtype=t, rng=0), (4, 5)),
    "maxpool2d": (lambda t: fnn.MaxPool2d((3, 2)), (2, 7, 6)),
    "maxpool2d_all": (lambda t: fnn.MaxPool2d((3, 2), (2, 1), (1, 1), (2, 3), ceil_mode=True), (2, 8, 7)),
    "maxpool1d": (lambda t: fnn.MaxPool1d(3, 2, 1, ceil_mode=True), (2, 8)),
    "avgpool2d": (lambda t: fnn.AvgPool2d((3, 2)), (2, 7, 6)),
    "avgpool2d_all": (lambda t: fnn.AvgPool2d((3, 2), (2, 1), (1, 0), True, False), (2, 8, 5)),
    "avgpool2d_divisor": (lambda t: fnn.AvgPool2d(3, 2, 1, True, divisor_override=5), (2, 6, 7)),
    "avgpool1d": (lambda t: fnn.AvgPool1d(4, 3, 2, ceil_mode=True), (2, 9)),
    "adaptive2d": (lambda t: fnn.AdaptiveAvgPool2d((3, 4)), (2, 7, 5)),
    "adaptive2d_none": (lambda t: fnn.AdaptiveAvgPool2d((None, 2)), (2, 4, 5)),
    "adaptive2d_larger": (lambda t: fnn.AdaptiveAvgPool2d(6), (2, 4, 5)),
    "adaptive1d": (lambda t: fnn.AdaptiveAvgPool1d(3), (2, 7)),
    "lppool2d": (lambda t: fnn.LPPool2d(2, (3, 2)), (2, 7, 6)),
    "lppool2d_all": (lambda t: fnn.LPPool2d(4, (3, 2), (2, 1), True), (2, 8, 5)),
    "lppool1d": (lambda t: fnn.LPPool1d(1, 4, 3, True), (2, 9)),
    "batchnorm2d": (lambda t: fnn.BatchNorm2d(3, dtype=t), (3, 4, 2)),
    "batchnorm2d_plain": (lambda t: fnn.BatchNorm2d(3, affine=False, dtype=t), (3, 4, 2)),
    "batchnorm2d_no_bias": (lambda t: fnn.BatchNorm2d(3, bias=False, momentum=None, dtype=t), (3, 4, 2)),
    "batchnorm1d": (lambda t: fnn.BatchNorm1d(4, track_running_stats=False, dtype=t), (4,)),
    "batchnorm1d_length": (lambda t: fnn.BatchNorm1d(4, 1e-3, 0.3, dtype=t), (4, 5)),
    "dropout": (lambda t: fnn.Dropout(0.4, rng=5), (3, 4)),
    "flatten": (lambda t: fnn.Flatten(), (2, 3, 4)),
    "flatten_middle": (lambda t: fnn.Flatten(-3, 2), (2, 3, 4)),
    "groupnorm": (lambda t: fnn.GroupNorm(2, 6, dtype=t), (6, 3, 4)),
    "groupnorm_flat": (lambda t: fnn.GroupNorm(2, 10, 1e-3, dtype=t), (10,)),
    "groupnorm_plain": (lambda t: fnn.GroupNorm(4, 4, affine=False, dtype=t), (4, 5)),
    "groupnorm_no_bias": (lambda t: fnn.GroupNorm(1, 3, bias=False, dtype=t), (3, 2, 1, 4)),
    "layernorm": (lambda t: fnn.LayerNorm(7, dtype=t), (7,)),
    "layernorm_more_axes": (lambda t: fnn.LayerNorm((3, 4), dtype=t), (2, 3, 4)),
    "layernorm_plain": (lambda t: fnn.LayerNorm(5, elementwise_affine=False, dtype=t), (2, 3, 5)),
    "layernorm_no_bias": (lambda t: fnn.LayerNorm([5], 1e-2, bias=False, dtype=t), (2, 5)),
    "lrn": (lambda t: fnn.LocalResponseNorm(3, 0.8, k=2.0), (5, 2, 3)),
    "lrn_even": (lambda t: fnn.LocalResponseNorm(4, 0.8, 0.6), (7, 3)),
    "identity": (lambda t: fnn.Identity(), (3, 4)),
    "reshape": (lambda t: fnn.Reshape(4, -1), (2, 3, 4)),
    "reshape_tuple": (lambda t: fnn.Reshape((2, 5)), (10,)),
    "permute": (lambda t: fnn.Permute(3, 1, 2), (4, 5, 3)),
    "permute_two": (lambda t: fnn.Permute(0, 2, 1), (4, 5)),
    "permute_many": (lambda t: fnn.Permute((0, 2, 1, 4, 3)), (2, 3, 4, 5)),
    "relu": (lambda t: fnn.ReLU(), (3, 4)),
    "leaky_relu": (lambda t: fnn.LeakyReLU(0.2), (3, 4)),
    "sigmoid": (lambda t: fnn.Sigmoid(), (3, 4)),
    "tanh": (lambda t: fnn.Tanh(), (3, 4)),
    "hardtanh": (lambda t: fnn.Hardtanh(-0.9, 1.3), (3, 4)),
    "relu6": (lambda t: fnn.ReLU6(), (3, 4)),
    "elu": (lambda t: fnn.ELU(0.7), (3, 4)),
    "gelu": (lambda t: fnn.GELU(), (3, 4)),
    "gelu_tanh": (lambda t: fnn.GELU("tanh"), (3, 4)),
    "silu": (lambda t: fnn.SiLU(), (3, 4)),
    "softplus": (lambda t: fnn.Softplus(2.0, 3.0), (3, 4)),
    "softmax": (lambda t: fnn.Softmax(1), (5, 3)),
    "softmax_last": (lambda t: fnn.Softmax(-1), (2, 5)),
    "log_softmax": (lambda t: fnn.LogSoftmax(), (5,)),
    "sequential": (
        lambda t: fnn.Sequential(
            fnn.Conv2d(1, 2, 3, dtype=t, rng=0),
            fnn.Tanh(),
            fnn.MaxPool2d(2),
            fnn.Flatten(),
            fnn.Dense(12, 3, dtype=t, rng=1),
        ),
        (1, 6, 8),
    ),
    "residual": (
        lambda t: fnn.Residual(
            fnn.Sequential(fnn.Conv2d(2, 2, 3, padding=1, bias=False, dtype=t, rng=0), fnn.BatchNorm2d(2, dtype=t))
        ),
        (2, 4, 3),
    ),
    "residual_shortcut": (
        lambda t: fnn.Residual(
            fnn.Sequential(fnn.Dense(4, 5, dtype=t, rng=0), fnn.Sigmoid(), fnn.Dense(5, 3, dtype=t, rng=1)),
            fnn.Dense(4, 3, bias=False, dtype=t, rng=2),
        ),
        (4,),
    ),
    "concat": (
        lambda t: fnn.Concat(
            fnn.Conv2d(2, 3, 1, dtype=t, rng=0),
            fnn.Sequential(fnn.Conv2d(2, 4, 3, padding=1, dtype=t, rng=1), fnn.Tanh()),
            fnn.AvgPool2d(3, 1, 1),
        ),
        (2, 4, 3),
    ),
    "concat_features": (lambda t: fnn.Concat(fnn.Sigmoid(), fnn.Dense(5, 2, dtype=t, rng=0)), (5,)),
    "concat_of_one": (lambda t: fnn.Concat(fnn.Dense(5, 2, dtype=t, rng=0)), (5,)),
}


@pytest.fixture(params=list(CASES))
def case(request):
    return CASES[request.param]


def samples(rng, n, shape, dtype):
    """Distinct values on a grid around 0, none near it or near another: no kinks, no ties."""
    size = n * int(np.prod(shape))
    grid = (rng.permutation(size) - size / 2 + 0.25) * (4 / max(size, 1))
    return grid.reshape(n, *shape).astype(dtype)


def step(layer, x, seed=3, need_dx=True):
    """Forward and backward with a random dout: {"out", "dx", gradients by name}, copied."""
    reset_random(layer)
    out = layer.forward(x, training=True)
    dout = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    results = {"out": out.copy()}
    dx = layer.backward(dout) if need_dx else layer.backward(dout, need_dx=False)
    results["dx"] = None if dx is None else dx.copy()
    return results | {name: grad.copy() for name, grad in layer.grads.items()}


def reset_random(layer):
    for _, part in layer.walk():
        if isinstance(getattr(part, "rng", None), np.random.Generator):
            part.rng = np.random.default_rng(7)


def assert_same(actual, expected, close):
    assert actual.keys() == expected.keys()
    for name in expected:
        close(actual[name], expected[name])


def test_gradients_are_finite_differences(case, rng, impl, assert_gradient):
    make, shape = case
    layer = make("float64").use(impl)
    x = samples(rng, 3, shape, "float64")
    results = step(layer, x)
    dout = np.random.default_rng(3).standard_normal(results["out"].shape)

    def out():
        reset_random(layer)
        return layer.forward(x, training=True)

    assert_gradient(results["dx"], out, x, dout)
    for name, param in layer.params.items():
        assert_gradient(results[name], out, param, dout)


def test_kernels_agree_with_twins(case, rng, dtype, assert_close):
    make, shape = case
    x = samples(rng, 3, shape, dtype)
    actual, expected = (step(make(dtype).use(which), x) for which in ("numba", "reference"))
    assert_same(actual, expected, lambda a, b: assert_close(a, b, length=200))


def test_everything_is_overwritten(case, rng, dtype, poison, monkeypatch, assert_close):
    make, shape = case
    x = samples(rng, 3, shape, dtype)
    expected = step(make(dtype), x)
    plain = Layer.buffer
    monkeypatch.setattr(Layer, "buffer", lambda *arguments: poison(plain(*arguments))[0])
    layer = make(dtype)
    poison(*layer.grads.values())
    assert_same(step(layer, x), expected, assert_close)


def test_output_shape_dtype_and_untouched_argument(case, rng, dtype, monkeypatch):
    make, shape = case
    layer, x = make(dtype), samples(rng, 3, shape, dtype)
    before = x.copy()
    for training in (False, True):
        out = layer.forward(x, training=training)
        assert out.shape == (3, *layer.output_shape(shape))
        assert all(type(n) is int for n in layer.output_shape(shape))
        assert out.dtype == dtype
    dout = np.ones_like(out)
    dx = layer.backward(dout)
    assert dx.shape == x.shape and dx.dtype == dtype
    np.testing.assert_array_equal(x, before)
    assert (dout == 1).all()
    assert layer(x).shape == out.shape
    assert isinstance(layer.macs(shape), int)


def test_params_and_grads_go_together(case):
    layer = case[0]("float64")
    assert list(layer.params) == list(layer.grads)
    for name, param in layer.params.items():
        assert layer.grads[name].shape == param.shape
        assert layer.grads[name].dtype == param.dtype == np.float64


VIEWS = {
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "fortran": np.asfortranarray,
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "unaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
    "list": lambda x: x.tolist() if x.dtype == np.float64 else x,
}


@pytest.mark.parametrize("view", list(VIEWS))
def test_any_view_is_legal_input(case, rng, dtype, view, assert_close):
    make, shape = case
    x = samples(rng, 3, shape, dtype)
    layer = make(dtype)
    reset_random(layer)
    out = layer.forward(VIEWS[view](x), training=True)
    dout = np.random.default_rng(3).standard_normal(out.shape).astype(dtype)
    dx = layer.backward(VIEWS[view](dout))
    expected = step(make(dtype), x)
    assert_same({"out": out, "dx": dx, **layer.grads}, expected, assert_close)


def test_batch_of_one(case, rng, dtype, assert_close):
    make, shape = case
    layer, x = make(dtype), samples(rng, 3, shape, dtype)
    whole = layer.forward(x)
    if isinstance(layer, fnn.BatchNorm1d) and not layer.track_running_stats:
        return  # its output depends on the rest of the batch
    for i in range(3):
        assert_close(layer.forward(x[i : i + 1]), whole[i : i + 1], length=100)


def test_empty_batch(case, dtype, impl):
    make, shape = case
    layer, x = make(dtype).use(impl), np.empty((0, *shape), dtype)
    assert layer.forward(x).shape == (0, *layer.output_shape(shape))
    if any("BatchNorm" in type(part).__name__ for _, part in layer.walk()):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            layer.forward(x, training=True)
        return
    for grad in layer.grads.values():
        grad.fill(np.nan)
    results = step(layer, x)
    assert results.pop("out").shape == (0, *layer.output_shape(shape))
    assert results.pop("dx").shape == x.shape
    for grad in results.values():
        assert (grad == 0).all()


def test_without_dx(case, rng, dtype, assert_close):
    make, shape = case
    x = samples(rng, 3, shape, dtype)
    without, expected = step(make(dtype), x, need_dx=False), step(make(dtype), x)
    assert without.pop("dx") is None
    expected.pop("dx")
    assert_same(without, expected, assert_close)


def test_backward_needs_a_training_forward(case, rng):
    make, shape = case
    layer, x = make("float32"), samples(rng, 3, shape, "float32")
    dout = np.zeros((3, *layer.output_shape(shape)), "float32")
    expected = pytest.raises(RuntimeError, match=rf"{type(layer).__name__}: backward needs a forward")
    with expected:
        layer.backward(dout)
    layer.forward(x)
    with expected:
        layer.backward(dout)
    layer.forward(x, training=True)
    layer.backward(dout)
    with expected:
        layer.backward(dout)
    layer.forward(x, training=True)
    layer.forward(x)
    with expected:
        layer.backward(dout)


def test_wrong_dtypes(case, rng):
    make, shape = case
    layer, x = make("float64"), samples(rng, 3, shape, "float64")
    for wrong in ("int64", "uint8", "float16", "complex128", "bool", "object"):
        with pytest.raises(TypeError, match=rf"{type(layer).__name__}: expected .*float64, got x.dtype={wrong}"):
            layer.forward(x.astype(wrong))
    if layer.dtype is not None:
        with pytest.raises(TypeError, match=r"expected float64, got x.dtype=float32"):
            layer.forward(x.astype("float32"))
    out = layer.forward(x, training=True)
    with pytest.raises(TypeError, match=r"got dout.dtype=float32"):
        layer.backward(np.zeros_like(out, dtype="float32"))


def test_wrong_shapes(case, rng):
    make, shape = case
    layer = make("float64")
    name = type(layer).__name__
    with pytest.raises(ValueError, match=r"x.shape=\(\)"):
        layer.forward(np.float64(1))
    with pytest.raises(ValueError, match=rf"{name}: input_shape must be at least 0"):
        layer.output_shape((*shape[:-1], -1))
    with pytest.raises(TypeError, match=rf"{name}: input_shape must be an int"):
        layer.output_shape((*shape[:-1], 2.5))
    out = layer.forward(samples(rng, 3, shape, "float64"), training=True)
    with pytest.raises(ValueError, match=rf"{name}: expected dout of shape .*got dout.shape=\(2, "):
        layer.backward(out[:2])


def test_training_leaves_results_alone(case, rng, dtype):
    """What a user got stays the same when the layer runs again."""
    make, shape = case
    layer = make(dtype)
    first = layer.forward(samples(rng, 3, shape, dtype), training=True)
    dx = layer.backward(np.ones_like(first))
    kept = first.copy(), dx.copy()
    layer.backward(np.ones_like(layer.forward(samples(rng, 3, shape, dtype), training=True)))
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(dx, kept[1])


def test_reused_buffers_give_the_same(case, rng, dtype, assert_close):
    """In a network buffers are reused: smaller and larger batches in turn are as good as fresh ones."""
    make, shape = case
    network = fnn.Sequential(make(dtype))
    for n in (3, 2, 5, 2):
        x = samples(rng, n, shape, dtype)
        actual, expected = step(network, x), step(make(dtype), x)
        assert_same({name.removeprefix("0."): a for name, a in actual.items()}, expected, assert_close)


def test_steps_allocate_no_arrays_in_a_network(case, rng, monkeypatch):
    make, shape = case
    network, x = fnn.Sequential(make("float32")), samples(rng, 3, shape, "float32")
    seen = []
    plain = Layer.buffer

    def buffer(self, *arguments):
        array = plain(self, *arguments)
        seen.append(array.ctypes.data)
        return array

    monkeypatch.setattr(Layer, "buffer", buffer)
    step(network, x)
    first, seen[:] = list(seen), []
    step(network, x)
    assert seen == first


def test_same_bits_for_any_number_of_threads(case, rng, dtype, assert_same_bits):
    make, shape = case
    layer, x = make(dtype), samples(rng, 19, shape, dtype)
    assert_same_bits(lambda: list(step(layer, x).values()))


def test_configuration(case, rng, dtype, assert_close):
    make, shape = case
    layer, x = make(dtype), samples(rng, 3, shape, dtype)
    config = layer.get_config()
    again = layer_from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert repr(again) == repr(layer)
    assert type(again) is type(layer)
    again.load_state_dict(layer.state_dict())
    assert_same(step(again, x), step(layer, x), assert_close)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_are_independent(case, rng, dtype, copied, assert_close):
    make, shape = case
    layer, x = make(dtype), samples(rng, 3, shape, dtype)
    expected = step(layer, x)
    layer.forward(x, training=True)
    layer.use("reference")
    other = copied(layer)
    assert other.kernels is layer.kernels
    with pytest.raises(RuntimeError):
        other.backward(expected["out"])
    assert_same(step(other, x), expected, lambda a, b: assert_close(a, b, length=100))
    for name, param in other.params.items():
        assert not np.shares_memory(param, layer.params[name])
        assert not np.shares_memory(other.grads[name], layer.grads[name])
    for name, array in other.state.items():
        assert not np.shares_memory(array, layer.state[name])


def test_state_dict(case, rng, dtype):
    make, _ = case
    layer = make(dtype)
    state = layer.state_dict()
    assert set(state) == set(layer.params) | set(layer.state)
    for name, array in state.items():
        own = layer.params.get(name, layer.state.get(name))
        np.testing.assert_array_equal(array, own)
        assert not np.shares_memory(array, own)


def test_nan_is_not_lost(case, rng, dtype, impl):
    make, shape = case
    layer, x = make(dtype).use(impl), samples(rng, 2, shape, dtype)
    x[0] = np.nan
    out = layer.forward(x)
    assert np.isnan(out[0]).all()
