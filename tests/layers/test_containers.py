import copy

import numpy as np
import pytest

import fastnn as fnn


def dense(i, o, **options):
    return fnn.Dense(i, o, **{"dtype": "float64", "rng": i * 100 + o, **options})


def test_sequential_is_one_after_another(rng):
    layers = dense(3, 4), fnn.Tanh(), dense(4, 2)
    network, x = fnn.Sequential(*layers), rng.standard_normal((5, 3))
    out = x
    for layer in layers:
        out = layer.forward(out)
    np.testing.assert_array_equal(network.forward(x), out)
    assert network.output_shape((3,)) == (2,)
    assert network.output_shape(3) == (2,)
    assert network.macs((3,)) == 12 + 8


def test_list_of_layers():
    a, b, c = fnn.ReLU(), fnn.Tanh(), fnn.Sigmoid()
    network = fnn.Sequential(a, b)
    assert network.append(c) is network
    assert network.layers == (a, b, c) == tuple(network)
    assert len(network) == 3
    assert network[0] is a and network[-1] is c
    assert network[1:].layers == (b, c)
    assert type(network[:2]) is fnn.Sequential
    with pytest.raises(IndexError):
        network[3]
    network[1] = d = fnn.Flatten()
    assert network.layers == (a, d, c)
    assert fnn.Sequential().add(a).add(b).layers == (a, b)


def test_network_itself_is_a_sequential(tmp_path):
    network = fnn.Network()
    network.add(fnn.Dense(2, 3))
    assert network.add(fnn.Tanh()) is network
    assert type(network) is fnn.Sequential and len(network) == 2
    assert fnn.Network(fnn.ReLU(), fnn.Tanh()).get_config() == fnn.Sequential(fnn.ReLU(), fnn.Tanh()).get_config()
    with pytest.raises(TypeError, match="Sequential: expected layers, got 3"):
        fnn.Network(3)
    with pytest.raises(TypeError):
        fnn.Network(layers=[])
    network.save(tmp_path / "network.safetensors")
    assert repr(fnn.load(tmp_path / "network.safetensors")) == repr(network) == repr(copy.deepcopy(network))


def test_subclasses_of_network_are_their_own():
    class Plain(fnn.Network):
        pass

    class Named(Plain):
        def __init__(self, size, *, slope=0.1):
            super().__init__()
            self.size, self.slope = size, slope

    for network, config in ((Plain(), {}), (Named(3, slope=0.5), {"size": 3, "slope": 0.5})):
        assert type(network) in (Plain, Named) and type(copy.deepcopy(network)) is type(network)
        assert {name: value for name, value in network.get_config().items() if name != "class"} == config
    with pytest.raises(TypeError, match="takes no arguments"):
        Plain(3)
    with pytest.raises(TypeError, match="required positional argument"):
        Named()


def test_repr():
    network = fnn.Sequential(fnn.ReLU(), fnn.Sequential(fnn.Tanh()), fnn.Sequential(), fnn.Residual(fnn.Sigmoid()))
    assert repr(network) == (
        "Sequential(\n  (0): ReLU()\n  (1): Sequential(\n    (0): Tanh()\n  )\n  (2): Sequential()\n"
        "  (3): Residual(\n    (body): Sigmoid()\n  )\n)"
    )


def test_empty_network(rng):
    network, x = fnn.Sequential(), rng.standard_normal((2, 3))
    out = network.forward(x, training=True)
    np.testing.assert_array_equal(out, x)
    assert not np.shares_memory(out, x)
    np.testing.assert_array_equal(network.backward(2 * x), 2 * x)
    network.forward(x, training=True)
    assert network.backward(x, need_dx=False) is None
    assert network.flat_params.size == network.flat_grads.size == 0
    assert network.state_dict() == {} and network.dtype is None
    assert network.output_shape((3,)) == (3,)


def test_results_are_the_users(rng):
    """Nothing that a network gave changes later, and changing it changes nothing."""
    for network in (
        fnn.Sequential(dense(3, 3), fnn.ReLU()),
        fnn.Sequential(fnn.Flatten()),
        fnn.Sequential(fnn.Dropout()),
        fnn.Residual(dense(3, 3)),
        fnn.Concat(dense(3, 2), dense(3, 1)),
        fnn.Concat(fnn.Sequential()),
        fnn.Sequential(fnn.Sequential(fnn.Sequential(dense(3, 3)))),
    ):
        x = rng.standard_normal((2, 3))
        before = x.copy()
        for training in (False, True):
            out = network.forward(x, training=training)
            assert not np.shares_memory(out, x)
            kept = out.copy()
            network.forward(2 * x, training=training)
            np.testing.assert_array_equal(out, kept)
        out = network.forward(x, training=True)
        out.fill(np.nan)
        dx = network.backward(np.ones((2, 3)))
        assert np.isfinite(dx).all()
        network.forward(x, training=True)
        network.backward(np.zeros((2, 3)))
        assert dx.any()
        np.testing.assert_array_equal(x, before)


def test_residual(rng, assert_gradient):
    x, dout = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    body, shortcut = dense(3, 3), dense(3, 3, bias=False, rng=9)
    plain = fnn.Residual(body)
    np.testing.assert_allclose(plain.forward(x), body.forward(x) + x)
    assert plain.body is body and plain.shortcut is None
    assert list(plain.params) == ["body.weight", "body.bias"]
    both = fnn.Residual(copy.deepcopy(body), shortcut)
    np.testing.assert_allclose(both.forward(x), body.forward(x) + shortcut.forward(x))
    assert list(both.params) == ["body.weight", "body.bias", "shortcut.weight"]
    assert both.macs((3,)) == 18
    for network in (plain, both):
        network.forward(x, training=True)
        assert_gradient(network.backward(dout), lambda: network.forward(x), x, dout)  # noqa: B023


def test_residual_of_different_shapes():
    network = fnn.Residual(dense(3, 4))
    with pytest.raises(ValueError, match=r"Residual: body gives \(4,\), shortcut gives \(3,\)"):
        network.output_shape((3,))
    with pytest.raises(ValueError, match=r"Residual: body gives \(2, 4\), shortcut gives \(2, 3\)"):
        network.forward(np.zeros((2, 3)))


def test_concat(rng, assert_gradient):
    x, dout = rng.standard_normal((4, 3)), rng.standard_normal((4, 10))
    branches = dense(3, 2), fnn.Sequential(dense(3, 4), fnn.Tanh(), dense(4, 5)), fnn.Sequential()
    network = fnn.Concat(*branches)
    np.testing.assert_array_equal(network.forward(x), np.concatenate([branch.forward(x) for branch in branches], axis=1))
    assert network.branches == branches
    assert list(network.params) == ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.2.weight", "1.2.bias"]
    assert network.macs((3,)) == 6 + 12 + 20 and network.output_shape(3) == (10,)
    network.forward(x, training=True)
    assert_gradient(network.backward(dout), lambda: network.forward(x), x, dout)
    assert repr(fnn.Concat(fnn.ReLU(), fnn.Tanh())) == "Concat(\n  (0): ReLU()\n  (1): Tanh()\n)"


def test_concat_of_different_shapes():
    network = fnn.Concat(fnn.Conv2d(1, 2, 1), fnn.MaxPool2d(2))
    with pytest.raises(ValueError, match=r"Concat: expected branches .* axis 1, the channels, got \(2, 4, 4\), \(1, 2, 2\)"):
        network.output_shape((1, 4, 4))
    with pytest.raises(ValueError, match=r"Concat: expected branches .* got \(3, 2, 4, 4\), \(3, 1, 2, 2\)"):
        network.forward(np.zeros((3, 1, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"Concat: expected branches .* got \(1, 2, 3\), \(6,\)"):
        fnn.Concat(fnn.Sequential(), fnn.Flatten()).output_shape((1, 2, 3))
    with pytest.raises(ValueError, match="Concat: expected at least one branch, got none"):
        fnn.Concat()
    with pytest.raises(ValueError, match=r"Conv2d: expected 2 input channels") as error:
        fnn.Concat(fnn.ReLU(), fnn.Conv2d(2, 1, 1)).forward(np.zeros((1, 1, 1, 1), np.float32))
    if hasattr(error.value, "__notes__"):
        assert error.value.__notes__ == ["in branch 1 of Concat, Conv2d(2, 1, kernel_size=(1, 1), stride=(1, 1))"]


def test_concat_of_wrong_outputs():
    """What a user's own branch may do."""

    class Wrong(fnn.Layer):
        def __init__(self, change):
            self.change = change

        def forward(self, x, *, training=False):
            return self.change(x)

    x = np.zeros((3, 2))
    for change, error, message in (
        (lambda x: x[:2], ValueError, "Concat: expected 3 samples from branch 1, got an output of shape"),
        (lambda x: x.astype(np.float32), TypeError, "Concat: expected float64, got branch 1's output.dtype=float32"),
        (lambda x: x[:, 0], ValueError, r"got \(3, 2\), \(3,\)"),
    ):
        with pytest.raises(error, match=message):
            fnn.Concat(fnn.ReLU(), Wrong(change)).forward(x)


def test_no_gradient_in_front_of_the_first_parameters(rng, monkeypatch):
    front, first, second = fnn.Tanh(), dense(3, 4), dense(4, 2)
    network = fnn.Sequential(fnn.Flatten(), front, fnn.Sequential(fnn.ReLU(), first), second)
    x, dout = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    network.forward(x, training=True)
    network.backward(dout)
    expected = network.flat_grads.copy()

    def refuse(*arguments):
        raise AssertionError("not needed")

    network.flat_grads.fill(np.nan)
    network.forward(x, training=True)
    monkeypatch.setattr(front, "backward", refuse)
    assert network.backward(dout, need_dx=False) is None
    np.testing.assert_array_equal(network.flat_grads, expected)
    for layer in (front, first, network[2], network):
        assert layer.saved is None


def test_without_parameters_there_is_nothing_to_do(rng):
    for network in (fnn.Sequential(fnn.ReLU(), fnn.Flatten()), fnn.Residual(fnn.Tanh()), fnn.Concat(fnn.Tanh())):
        x = rng.standard_normal((2, 3))
        network.forward(x, training=True)
        assert network.backward(x, need_dx=False) is None
        assert network.backward.__self__.saved is None


@pytest.mark.parametrize("wrong", [3, "ReLU", None, fnn.ReLU, [fnn.ReLU()], {"0": fnn.ReLU()}])
def test_only_layers(wrong):
    with pytest.raises(TypeError, match="Sequential: expected layers, got"):
        fnn.Sequential(wrong)
    network = fnn.Sequential(fnn.ReLU())
    with pytest.raises(TypeError, match="as '1'"):
        network.append(wrong)
    assert len(network) == 1
    with pytest.raises(TypeError, match=r"Residual: expected layers, got .* as 'body'"):
        fnn.Residual(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match="as 'shortcut'"):
            fnn.Residual(fnn.ReLU(), wrong)
    with pytest.raises(TypeError, match=r"Concat: expected layers, got .* as '1'"):
        fnn.Concat(fnn.ReLU(), wrong)


def test_one_layer_twice():
    layer = fnn.ReLU()
    with pytest.raises(ValueError, match="one ReLU object is in the network twice, as '0' and '1'"):
        fnn.Sequential(layer, layer)
    with pytest.raises(ValueError, match=r"as '0' and '1.body.0'"):
        fnn.Sequential(layer, fnn.Residual(fnn.Sequential(layer)))
    with pytest.raises(ValueError, match="as 'body' and 'shortcut'"):
        fnn.Residual(layer, layer)
    network = fnn.Sequential(layer)
    with pytest.raises(ValueError, match="twice"):
        network.append(layer)
    assert len(network) == 1


def test_a_network_in_itself():
    network = fnn.Sequential(fnn.ReLU())
    for inside in (network, fnn.Sequential(network), fnn.Residual(network), fnn.Concat(network)):
        with pytest.raises(ValueError, match="a network cannot hold itself"):
            network.append(inside)
    assert len(network) == 1


def test_errors_name_the_layer():
    network = fnn.Sequential(fnn.Conv2d(3, 4, 3), fnn.ReLU(), fnn.Conv2d(5, 2, 1))
    with pytest.raises(ValueError, match=r"Conv2d: expected 5 input channels, got x.shape=\(1, 4, 4, 4\)") as error:
        network.forward(np.zeros((1, 3, 6, 6), np.float32))
    if hasattr(error.value, "__notes__"):
        assert error.value.__notes__ == ["in layer 2 of Sequential, Conv2d(5, 2, kernel_size=(1, 1), stride=(1, 1))"]
    with pytest.raises(ValueError, match=r"Conv2d: expected 5 input channels, got input_shape=\(4, 4, 4\)"):
        network.output_shape((3, 6, 6))
    with pytest.raises(ValueError, match=r"Conv2d: expected \(N, 3, H, W\), got x.shape=\(3, 6, 6\)"):
        network.forward(np.zeros((3, 6, 6), np.float32))
    with pytest.raises(TypeError, match=r"Sequential: expected float32, got x.dtype=uint8"):
        network.forward(np.zeros((1, 3, 6, 6), np.uint8))
