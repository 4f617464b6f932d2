"""Both implementations against PyTorch, where it is installed: forward results, and gradients by its autograd."""

import itertools
import math
import warnings

import numpy as np
import pytest

from fastnn.kernels.geometry import conv_output_size, pool_output_size

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

F = torch.nn.functional


def tensor(array, grad=True):
    """A leaf tensor with a copy of the array."""
    result = torch.tensor(array)
    return result.requires_grad_() if grad and result.is_floating_point() else result


def array(t):
    return t.detach().numpy()


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 7, 5), (32, 100, 33), (1, 3, 200)], ids=str)
def test_linear(impl, shape, bias, dtype, rng, run, assert_close):
    N, IN, OUT = shape
    x, w, b, dout = (normal(rng, dtype, *s) for s in ((N, IN), (OUT, IN), (OUT,), (N, OUT)))
    tx, tw, tb = tensor(x), tensor(w), tensor(b)
    expected = F.linear(tx, tw, tb if bias else None)
    expected.backward(torch.tensor(dout))
    k = impl.dense
    assert_close(run(k.dense_forward, np.empty_like(dout), x, w, b if bias else None), array(expected), IN)
    assert_close(run(k.dense_backward_input, np.empty_like(x), dout, w), array(tx.grad), OUT)
    assert_close(run(k.dense_backward_weight, np.empty_like(w), x, dout), array(tw.grad), N)
    if bias:
        assert_close(run(k.dense_backward_bias, np.empty_like(b), dout), array(tb.grad), N)


CONV = [
    # H, W, kernel, stride, padding, dilation, C, F, groups
    (9, 11, (3, 2), (1, 1), (0, 0), (1, 1), 3, 4, 1),
    (9, 11, (3, 3), (1, 1), (1, 1), (1, 1), 18, 35, 1),
    (12, 12, (5, 5), (1, 1), (0, 0), (1, 1), 6, 16, 1),
    (12, 13, (5, 3), (2, 3), (2, 0), (1, 1), 2, 17, 1),
    (10, 9, (2, 3), (3, 2), (1, 2), (2, 3), 4, 6, 2),
    (8, 9, (3, 3), (1, 2), (1, 1), (1, 1), 6, 12, 6),
    (7, 8, (1, 1), (2, 2), (0, 0), (1, 1), 20, 3, 1),
    (1, 29, (1, 5), (1, 2), (0, 3), (1, 2), 3, 5, 1),
    (4, 5, (4, 5), (1, 1), (0, 0), (1, 1), 2, 3, 1),
]


@pytest.mark.parametrize("case", CONV, ids=str)
def test_conv2d(impl, case, dtype, rng, run, assert_close):
    H, W, kernel, stride, padding, dilation, C, filters, groups = case
    x, b = normal(rng, dtype, 3, C, H, W), normal(rng, dtype, filters)
    w = normal(rng, dtype, filters, C // groups, *kernel)
    tx, tw, tb = tensor(x), tensor(w), tensor(b)
    expected = F.conv2d(tx, tw, tb, stride, padding, dilation, groups)
    dout = normal(rng, dtype, *expected.shape)
    expected.backward(torch.tensor(dout))
    options, k = (stride, padding, dilation, groups), impl.conv
    sizes = [conv_output_size(*axis) for axis in zip((H, W), kernel, stride, padding, dilation)]
    assert expected.shape[2:] == tuple(sizes)
    positions = dout[:, 0].size
    assert_close(run(k.conv2d_forward, np.empty_like(dout), x, w, b, *options), array(expected), w[0].size)
    assert_close(run(k.conv2d_backward_input, np.empty_like(x), dout, w, *options), array(tx.grad), w.size)
    assert_close(run(k.conv2d_backward_weight, np.empty_like(w), x, dout, *options), array(tw.grad), positions)
    assert_close(run(k.conv2d_backward_bias, np.empty_like(b), dout), array(tb.grad), positions)


@pytest.mark.parametrize("case", CONV[:6:2], ids=str)
def test_unfold_and_fold(impl, case, dtype, rng, run, assert_close):
    H, W, kernel, stride, padding, dilation, C, *_ = case
    x = normal(rng, dtype, 2, C, H, W)
    expected = array(F.unfold(torch.tensor(x), kernel, dilation, padding, stride))
    geometry = kernel, stride, padding, dilation
    assert_close(run(impl.im2col.im2col, np.empty_like(expected), x, *geometry), expected)
    col = normal(rng, dtype, *expected.shape)
    expected = array(F.fold(torch.tensor(col), (H, W), kernel, dilation, padding, stride))
    assert_close(run(impl.im2col.col2im, np.empty_like(x), col, *geometry), expected, kernel[0] * kernel[1])


POOL = [
    # H, W, kernel, stride, padding, dilation
    (8, 10, (2, 2), (2, 2), (0, 0), (1, 1)),
    (9, 7, (2, 2), (2, 2), (1, 1), (1, 1)),
    (9, 11, (3, 2), (2, 3), (1, 1), (1, 1)),
    (6, 10, (3, 4), (4, 5), (1, 2), (1, 1)),
    (10, 11, (3, 3), (1, 1), (1, 0), (1, 1)),
    (1, 20, (1, 4), (1, 3), (0, 2), (1, 1)),
    (10, 11, (2, 3), (3, 2), (1, 1), (3, 2)),
]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("case", POOL, ids=str)
def test_max_pool2d(impl, case, ceil_mode, dtype, rng, run, assert_close):
    H, W, kernel, stride, padding, dilation = case
    x = rng.integers(0, 9, (2, 3, H, W)).astype(dtype)  # many ties
    x[0, 1, 0, 3] = x[1, 2, 0, 5] = np.nan
    tx = tensor(x)
    expected, indices = F.max_pool2d(tx, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
    sizes = [pool_output_size(*axis, ceil_mode) for axis in zip((H, W), kernel, stride, padding, dilation)]
    assert expected.shape[2:] == tuple(sizes)
    dout = normal(rng, dtype, *expected.shape)
    expected.backward(torch.tensor(dout))
    outputs = np.empty_like(dout), np.empty(dout.shape, np.int32)
    out, argmax = run(impl.pooling.maxpool2d_forward, outputs, x, kernel, stride, padding, dilation)
    np.testing.assert_array_equal(out, array(expected))
    np.testing.assert_array_equal(argmax, array(indices))
    assert_close(run(impl.pooling.maxpool2d_backward, np.empty_like(x), dout, argmax), array(tx.grad), 9)


@pytest.mark.parametrize("ceil_mode, count_include_pad", list(itertools.product([False, True], repeat=2)))
@pytest.mark.parametrize("case", POOL[:-1], ids=str)
def test_avg_pool2d(impl, case, ceil_mode, count_include_pad, dtype, rng, run, assert_close):
    H, W, kernel, stride, padding, _ = case
    x = normal(rng, dtype, 2, 3, H, W)
    for divisor in 0, 3:
        tx = tensor(x)
        expected = F.avg_pool2d(tx, kernel, stride, padding, ceil_mode, count_include_pad, divisor or None)
        dout = normal(rng, dtype, *expected.shape)
        expected.backward(torch.tensor(dout))
        options, k = (kernel, stride, padding, count_include_pad, divisor), impl.pooling
        assert_close(run(k.avgpool2d_forward, np.empty_like(dout), x, *options), array(expected), 12)
        assert_close(run(k.avgpool2d_backward, np.empty_like(x), dout, *options), array(tx.grad), 12)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (7, 5), (10, 13)], ids=str)
def test_adaptive_avg_pool2d(impl, size, dtype, rng, run, assert_close):
    x = normal(rng, dtype, 2, 3, 7, 10)
    tx = tensor(x)
    expected = F.adaptive_avg_pool2d(tx, size)
    dout = normal(rng, dtype, *expected.shape)
    expected.backward(torch.tensor(dout))
    assert_close(run(impl.pooling.adaptive_avgpool2d_forward, np.empty_like(dout), x), array(expected), 70)
    assert_close(run(impl.pooling.adaptive_avgpool2d_backward, np.empty_like(x), dout), array(tx.grad), 70)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh"])
def test_activations(impl, name, dtype, rng, run, assert_close):
    x, dout = 4 * normal(rng, dtype, 2, 1000)
    x[:6] = 0, -0.0, np.inf, -np.inf, np.nan, 1e-20
    tx = tensor(x)
    expected = {"relu": F.relu, "leaky_relu": F.leaky_relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[name](tx)
    expected.backward(torch.tensor(dout))
    extra = (0.01,) if name == "leaky_relu" else ()
    k = impl.activations
    out = run(getattr(k, f"{name}_forward"), np.empty_like(x), x, *extra)
    assert_close(out, array(expected))
    dx = run(getattr(k, f"{name}_backward"), np.empty_like(x), dout, x if extra else out, *extra)
    assert_close(dx, array(tx.grad))


SMOOTH = {
    "elu": (F.elu, (0.7,)),
    "gelu": (F.gelu, ()),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), ()),
    "silu": (F.silu, ()),
    "softplus": (F.softplus, (2.0, 3.0)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations(impl, name, dtype, rng, run, assert_close):
    x, dout = 4 * normal(rng, dtype, 2, 1000)
    x[:3] = 0, -0.0, 1e-20
    function, extra = SMOOTH[name]
    tx = tensor(x)
    expected = function(tx, *extra)
    expected.backward(torch.tensor(dout))
    k = impl.smooth_activations
    assert_close(run(getattr(k, f"{name}_forward"), np.empty_like(x), x, *extra), array(expected))
    assert_close(run(getattr(k, f"{name}_backward"), np.empty_like(x), dout, x, *extra), array(tx.grad))


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations_are_no_less_accurate(numba, name, run):
    """Far to the left, where PyTorch's GELU is the small difference of large numbers."""
    x = -np.geomspace(1e-6, 12, 4000).astype(np.float32)
    wide = torch.tensor(x.astype(np.float64))
    function, extra = SMOOTH[name]
    if name == "gelu":
        exact = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in wide.tolist()])
    elif name == "gelu_tanh":
        exact = (wide * torch.sigmoid(math.sqrt(8 / math.pi) * (wide + 0.044715 * wide**3))).numpy()
    else:
        exact = function(wide, *extra).numpy()
    own = run(getattr(numba.smooth_activations, f"{name}_forward"), np.empty_like(x), x, *extra)
    theirs = function(torch.tensor(x), *extra).numpy()
    own, theirs = (abs(values.astype(np.float64) / exact - 1) for values in (own, theirs))
    normal = abs(exact) > 1e-37
    assert own[normal].max() <= (min(theirs[normal].max(), 6e-7) if "gelu" in name else 3e-7)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(3, 5, 4), (6, 33, 1)], ids=str)
def test_softmax(impl, name, shape, dtype, rng, run, assert_close):
    x, dout = 4 * normal(rng, dtype, 2, *shape)
    tx = tensor(x)
    expected = getattr(F, name)(tx, 1)
    expected.backward(torch.tensor(dout))
    out = run(getattr(impl.softmax, f"{name}_forward"), np.empty_like(x), x)
    assert_close(out, array(expected), shape[1])
    dx = run(getattr(impl.softmax, f"{name}_backward"), np.empty_like(x), dout, out)
    assert_close(dx, array(tx.grad), shape[1])


@pytest.mark.parametrize("smoothing, weighted", list(itertools.product([0.0, 0.2], [False, True])))
def test_cross_entropy(impl, smoothing, weighted, dtype, rng, run, assert_close):
    N, C, L = 5, 7, 3
    x, weight = 3 * normal(rng, dtype, N, C, L), np.ones(C, dtype)
    if weighted:
        weight = (0.1 + rng.random(C)).astype(dtype)
    indices, probabilities = rng.integers(0, C, (N, L)), rng.random((N, C, L)).astype(dtype)
    indices[1, 2] = indices[4, 0] = -100
    scale, k = normal(rng, dtype, N, L), impl.cross_entropy
    for forward, target, extra in (
        (k.cross_entropy_forward, indices, (-100,)),
        (k.cross_entropy_probabilities_forward, probabilities, ()),
    ):
        tx = tensor(x)
        expected = F.cross_entropy(tx, torch.tensor(target), torch.tensor(weight), reduction="none", label_smoothing=smoothing)
        expected.backward(torch.tensor(scale))
        outputs = np.empty((N, L), dtype), np.empty_like(x)
        loss, dx = run(forward, outputs, x, target, weight, smoothing, *extra)
        assert_close(loss, array(expected), C)
        k.scale_rows(dx, scale)
        assert_close(dx, array(tx.grad), C)


@pytest.mark.parametrize("shape", [(6, 4, 10), (20, 3, 1)], ids=str)
def test_batch_norm(impl, shape, dtype, rng, run, assert_close):
    N, C, L = shape
    x, dout = 2 + normal(rng, dtype, *shape), normal(rng, dtype, *shape)
    weight, bias = normal(rng, dtype, 2, C)
    tx, tw, tb = tensor(x), tensor(weight), tensor(bias)
    expected = F.batch_norm(tx, None, None, tw, tb, training=True, eps=1e-3)
    expected.backward(torch.tensor(dout))
    k, channels = impl.batchnorm, lambda: np.empty(C, dtype)
    mean, var = run(k.batchnorm_statistics, (channels(), channels()), x)
    out = run(k.batchnorm_forward, np.empty_like(x), x, mean, var, weight, bias, 1e-3)
    dweight, dbias = run(k.batchnorm_backward_params, (channels(), channels()), x, dout, mean, var, 1e-3)
    arguments = dout, x, mean, var, weight, dweight, dbias, 1e-3
    dx = run(k.batchnorm_backward_input, np.empty_like(x), *arguments)
    for actual, wanted in (out, expected), (dweight, tw.grad), (dbias, tb.grad), (dx, tx.grad):
        assert_close(actual, array(wanted), N * L)


@pytest.mark.parametrize("shape", [(6, 12, 10), (20, 12, 1)], ids=str)
def test_group_norm(impl, shape, dtype, rng, run, assert_close):
    N, C, L = shape
    x, dout = 2 + normal(rng, dtype, *shape), normal(rng, dtype, *shape)
    weight, bias = normal(rng, dtype, 2, C)
    tx, tw, tb = tensor(x), tensor(weight), tensor(bias)
    expected = F.group_norm(tx, 3, tw, tb, eps=1e-3)
    expected.backward(torch.tensor(dout))
    k, channels, groups = impl.groupnorm, lambda: np.empty(C, dtype), lambda: np.empty((N, 3))
    out, mean, rstd = run(k.groupnorm_forward, (np.empty_like(x), groups(), groups()), x, weight, bias, 1e-3)
    dweight, dbias = run(k.groupnorm_backward_params, (channels(), channels()), x, dout, mean, rstd)
    dx = run(k.groupnorm_backward_input, np.empty_like(x), dout, x, mean, rstd, weight)
    for actual, wanted in (out, expected), (dweight, tw.grad), (dbias, tb.grad), (dx, tx.grad):
        assert_close(actual, array(wanted), N * L)


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_local_response_norm(impl, size, dtype, rng, run, assert_close):
    x, dout = normal(rng, dtype, 2, 3, 9, 5)
    for beta in (0.75, 0.6):
        tx = tensor(x)
        expected = F.local_response_norm(tx, size, 0.7, beta, 2.0)
        expected.backward(torch.tensor(dout))
        out, scale = run(impl.lrn.lrn_forward, (np.empty_like(x), np.empty_like(x)), x, size, 0.7, beta, 2.0)
        dx = run(impl.lrn.lrn_backward, np.empty_like(x), dout, x, scale, size, 0.7, beta)
        for actual, wanted in (out, expected), (dx, tx.grad):
            assert_close(actual, array(wanted), size)


def trajectory(optimizer_type, param, grads, **options):
    t = tensor(param)
    optimizer = optimizer_type([t], **options)
    for grad in grads:
        t.grad = torch.tensor(grad)
        optimizer.step()
    return array(t)


@pytest.mark.parametrize(
    "momentum, dampening, weight_decay, nesterov",
    [
        (0.0, 0.0, 0.0, False),
        (0.0, 0.0, 0.1, False),
        (0.9, 0.0, 0.1, False),
        (0.9, 0.4, 0.0, False),
        (0.9, 0.0, 0.1, True),
    ],
)
def test_sgd(impl, momentum, dampening, weight_decay, nesterov, dtype, rng, assert_close):
    param, *grads = normal(rng, dtype, 11, 50)
    options = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
    expected = trajectory(torch.optim.SGD, param, grads, lr=0.1, **options)
    velocity = np.zeros(50 if momentum else 0, dtype)
    for step, grad in enumerate(grads):
        arguments = 0.1, momentum, dampening, weight_decay, int(nesterov), int(step == 0)
        impl.optim.sgd_update(param, grad, velocity, *arguments)
    assert_close(param, expected)


@pytest.mark.parametrize("weight_decay, decoupled, amsgrad", list(itertools.product([0.0, 0.1], [0, 1], [0, 1])))
def test_adam(impl, weight_decay, decoupled, amsgrad, dtype, rng, assert_close):
    param, *grads = normal(rng, dtype, 11, 50)
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    expected = trajectory(kind, param, grads, lr=0.01, weight_decay=weight_decay, amsgrad=bool(amsgrad))
    m, v, vmax = np.zeros((3, 50), dtype)
    for step, grad in enumerate(grads, start=1):
        arguments = 0.01, 0.9, 0.999, 1e-8, weight_decay, step, decoupled, amsgrad
        impl.optim.adam_update(param, grad, m, v, vmax if amsgrad else vmax[:0], *arguments)
    assert_close(param, expected)


@pytest.mark.parametrize("weight_decay, momentum, centered", list(itertools.product([0.0, 0.1], [0.0, 0.8], [0, 1])))
def test_rmsprop(impl, weight_decay, momentum, centered, dtype, rng, assert_close):
    param, *grads = normal(rng, dtype, 11, 50)
    options = {"alpha": 0.9, "weight_decay": weight_decay, "momentum": momentum, "centered": bool(centered)}
    expected = trajectory(torch.optim.RMSprop, param, grads, lr=0.01, **options)
    v, m, velocity = np.zeros((3, 50), dtype)
    for grad in grads:
        arguments = 0.01, 0.9, 1e-8, weight_decay, momentum, centered
        impl.optim.rmsprop_update(param, grad, v, m if centered else m[:0], velocity if momentum else m[:0], *arguments)
    assert_close(param, expected)


@pytest.mark.parametrize("weight_decay, lr_decay", list(itertools.product([0.0, 0.1], [0.0, 0.3])))
def test_adagrad(impl, weight_decay, lr_decay, dtype, rng, assert_close):
    param, *grads = normal(rng, dtype, 11, 50)
    expected = trajectory(torch.optim.Adagrad, param, grads, lr=0.1, lr_decay=lr_decay, weight_decay=weight_decay)
    squares = np.zeros(50, dtype)
    for step, grad in enumerate(grads, start=1):
        impl.optim.adagrad_update(param, grad, squares, 0.1, lr_decay, 1e-10, weight_decay, step)
    assert_close(param, expected)
