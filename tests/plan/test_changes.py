"""What is changed between two steps, or two predictions, counts from the next one on, as without plans."""

import numpy as np
import pytest

import fastnn as fnn


def network():
    d = np.float64
    return fnn.Sequential(
        fnn.Conv2d(2, 4, 3, padding=1, bias=False, dtype=d, rng=0),
        fnn.BatchNorm2d(4, dtype=d),
        fnn.LeakyReLU(0.1),
        fnn.MaxPool2d(2),
        fnn.Residual(fnn.Sequential(fnn.Conv2d(4, 4, 1, dtype=d, rng=1), fnn.Tanh())),
        fnn.AvgPool2d(3, 1),
        fnn.Flatten(),
        fnn.Dropout(0.3, rng=3),
        fnn.Dense(4, 3, dtype=d, rng=2),
    )


def rebuilt(old):
    """The same layers, but the last, in another network."""
    return fnn.Sequential(*old.layers[:-1], fnn.Dense(4, 3, dtype=np.float64, rng=5))


def reload(trainer):
    shapes = {name: array.shape for name, array in trainer.network.state_dict().items()}
    rng = np.random.default_rng(1)
    arrays = {name: rng.random(shape) for name, shape in shapes.items()}
    arrays["1.num_batches_tracked"] = np.array(3)
    trainer.network.load_state_dict(arrays)


def double(arrays, *names):
    for name in names or list(arrays):
        arrays[name] = arrays[name] * 2


CHANGES = {
    "append": lambda t: t.network.append(fnn.Dense(3, 3, dtype=np.float64, rng=7)) and t.optimizer.state.clear(),
    "replace a layer": lambda t: t.network.__setitem__(2, fnn.Sigmoid()),
    "replace a layer by another with parameters": lambda t: t.network.__setitem__(8, fnn.Dense(4, 3, dtype=np.float64, rng=8)),
    "replace the body of a residual": lambda t: setattr(t.network[4], "body", fnn.ReLU()) or t.optimizer.state.clear(),
    "load_state_dict": reload,
    "assign to a parameter": lambda t: double(t.network[8].params),
    "assign to the network's parameters": lambda t: double(t.network.params, "0.weight"),
    "write into a parameter": lambda t: t.network[0].params["weight"].__imul__(-1),
    "write into the flat parameters": lambda t: t.network.flat_params.__imul__(0.9),
    "write into statistics": lambda t: t.network.state["1.running_mean"].__iadd__(1),
    "assign to statistics": lambda t: double(t.network[1].state),
    "rebind an array": lambda t: t.network[8].params.rebind("bias", np.ones(3)),
    "delete a bias": lambda t: (t.network[8].params.pop("bias"), t.network[8].grads.pop("bias"), t.optimizer.state.clear()),
    "stride": lambda t: setattr(t.network[5], "stride", (2, 2)) or setattr(t.network[5], "_stride", (2, 2)),
    "slope": lambda t: setattr(t.network[2], "negative_slope", 0.7),
    "p": lambda t: setattr(t.network[7], "p", 0.6),
    "generator": lambda t: setattr(t.network[7], "rng", np.random.default_rng(9)),
    "eps": lambda t: setattr(t.network[1], "eps", 0.1),
    "momentum": lambda t: setattr(t.network[1], "momentum", 0.7),
    "momentum None": lambda t: setattr(t.network[1], "momentum", None),
    "move into another network": lambda t: fnn.Sequential(fnn.ReLU(), t.network, fnn.Dense(3, 2, dtype=np.float64)).flat_params,
    "move layers into another network": lambda t: rebuilt(t.network).flat_params,
    "another trainer": lambda t: fnn.Trainer(t.network, fnn.MSELoss(), fnn.SGD()).step(np.ones((3, 2, 6, 6)), np.ones((3, 3))),
    "reference kernels": lambda t: t.network.use("reference"),
    "reference kernels of a layer": lambda t: t.network[4].body.use("reference"),
    "reference kernels of the loss": lambda t: t.loss.use("reference"),
    "reference kernels of the optimizer": lambda t: t.optimizer.use("reference"),
    "a method of one object": lambda t: setattr(t.network[2], "forward", halved(t.network[2])),
    "weights of the loss": lambda t: setattr(t.loss, "weight", np.array([1.0, 0.5, 2])),
    "written weights of the loss": lambda t: setattr(t.loss, "weight", np.ones(3)) or t.loss.weight.__imul__([1, 2, 3]),
    "smoothing": lambda t: setattr(t.loss, "label_smoothing", 0.3),
    "ignore_index": lambda t: setattr(t.loss, "ignore_index", 1),
    "reduction": lambda t: setattr(t.loss, "reduction", "sum"),
    "another loss": lambda t: setattr(t, "loss", fnn.CrossEntropyLoss(label_smoothing=0.4)),
    "another optimizer": lambda t: setattr(t, "optimizer", fnn.SGD(lr=0.02, momentum=0.9)),
    "another network": lambda t: setattr(t, "network", fnn.Sequential(network(), fnn.Tanh())) or t.optimizer.state.clear(),
    "state of the optimizer": lambda t: t.optimizer.load_state_dict(t.optimizer.state_dict()),
    "no state of the optimizer": lambda t: t.optimizer.state.clear(),
    "rate": lambda t: setattr(t.optimizer, "lr", 0.3),
    "Winograd": lambda t: fnn.config(winograd=False),
    "gradients": lambda t: t.network.flat_grads.fill(7),
}


def halved(layer):
    return lambda x, *, training=False: type(layer).forward(layer, x / 2, training=training)


@pytest.fixture(autouse=True)
def settings_back():
    with fnn.config():
        yield


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("name", CHANGES)
def test_training(name, optimizer, rng, pair, close):
    x, y = rng.standard_normal((12, 2, 6, 6)), rng.integers(0, 3, 12)
    made = fnn.SGD(lr=0.05, momentum=0.5) if optimizer == "SGD" else fnn.Adam(lr=0.01, eps=1e-3)
    both = pair(network(), fnn.CrossEntropyLoss(weight=[1, 2, 3]), made)
    both.step(x, y)
    both.step(x[:5], y[:5])
    both.each(CHANGES[name])
    for _ in range(2):
        both.step(x, y, plan=None)
        both.check()
    close(*both.each("predict", x), np.float64, "predictions")
    both.each("fit", x, y, batch_size=5, progress=False)
    both.check()


@pytest.mark.parametrize("name", [name for name in CHANGES if not name.startswith(("another", "reference kernels of the"))])
def test_predictions(name, rng, pair, close):
    """Large batches are predicted by plans, small ones by captures."""
    x = rng.standard_normal((40, 2, 6, 6))
    both = pair(network())
    for samples in (40, 3):
        for _ in range(3):
            close(*both.each("predict", x[:samples]), np.float64)
    both.each(CHANGES[name])
    for samples in (40, 3):
        for _ in range(3):
            close(*both.each("predict", x[:samples]), np.float64, "predictions")


def test_layers_that_leave_a_network(rng, close):
    """Two networks share layers: a step of one counts in the other."""
    x, y = rng.standard_normal((12, 2, 6, 6)), rng.integers(0, 3, 12)
    whole = network()
    trainer = fnn.Trainer(whole, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1), seed=0)
    front = whole[:6]
    for _ in range(3):
        trainer.step(x, y)
        with fnn.config(plan=False):
            expected = front.predict(x)
        close(front.predict(x), expected, np.float64)


def test_two_trainers_of_one_network(rng, pair):
    """Each has its own state; both train the same parameters."""
    x, y = rng.standard_normal((12, 2, 6, 6)), rng.integers(0, 3, 12)
    both = pair(network(), optimizer=fnn.Adam(lr=0.01, eps=1e-3))
    planned, plain = both.each(lambda t: fnn.Trainer(t.network, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.1, momentum=0.9)))
    for _ in range(3):
        both.step(x, y)
        planned.step(x, y)
        with fnn.config(plan=False):
            plain.step(x, y)
        both.check()


def test_one_optimizer_of_two_trainers(rng, pair):
    """The second trainer goes on with the state that the first has left."""
    x, y = rng.standard_normal((12, 2, 6, 6)), rng.integers(0, 3, 12)
    both = pair(network(), optimizer=fnn.Adam(lr=0.01, eps=1e-3))
    planned, plain = both.each(lambda t: fnn.Trainer(t.network, fnn.CrossEntropyLoss(reduction="sum"), t.optimizer))
    for _ in range(3):
        both.step(x, y)
        both.step(x, y)
        planned.step(x, y)
        with fnn.config(plan=False):
            plain.step(x, y)
        both.check()


def test_steps_inside_contexts(rng, pair):
    x, y = rng.standard_normal((12, 2, 6, 6)), rng.integers(0, 3, 12)
    both = pair(network(), optimizer=fnn.Adam(lr=0.01, eps=1e-3))

    def step(context):
        def run(trainer):
            with context(trainer):
                return trainer.step(x, y)

        both.each(run)
        both.check()

    for _ in range(2):
        step(lambda t: fnn.kernels.use("reference"))
        both.step(x, y)
        step(lambda t: fnn.kernels.use("numba"))
        step(lambda t: t.network.use("reference"))
        both.step(x, y)
        step(lambda t: t.network[4].use("reference"))
        step(lambda t: fnn.config(plan=False))
        both.step(x, y)
        step(lambda t: fnn.config(winograd=False))
        step(lambda t: fnn.threads(1))


def test_layer_path_between_forward_and_backward(rng):
    """A step of a plan leaves the layers' own forward and backward alone."""
    x, y = rng.standard_normal((12, 2, 6, 6)), rng.integers(0, 3, 12)
    net = network()
    trainer = fnn.Trainer(net, fnn.CrossEntropyLoss(), fnn.SGD(lr=0.0), seed=0)
    trainer.step(x, y)
    with pytest.raises(RuntimeError, match="backward needs"):
        net.backward(np.ones((12, 3)))
    out = net.forward(x, training=True)
    dx = net.backward(np.ones_like(out))
    assert dx.shape == x.shape and net.flat_grads.any()
