import copy
import pickle
import threading

import numpy as np
import pytest

import fastnn as fnn
from fastnn.layers import changes


def make():
    return fnn.Sequential(fnn.Dense(4, 5, rng=0), fnn.BatchNorm1d(5), fnn.Residual(fnn.LeakyReLU()), fnn.Dropout(rng=0))


QUIET = {
    "prediction": lambda net: net.forward(np.ones((2, 4), np.float32)),
    "training step": lambda net: (
        net.backward(np.ones_like(net.forward(np.ones((2, 4), np.float32), training=True))),
        net.flat_params.__isub__(net.flat_grads),
    ),
    "values": lambda net: net.params.update({"0.bias": np.ones(5, np.float32)}),
    "values of a layer": lambda net: setattr(net[0], "params", {k: v + 1 for k, v in net[0].params.items()}),
    "load_state_dict": lambda net: net.load_state_dict(net.state_dict()),
    "looking": lambda net: (net.params, net.grads, net.state, net.flat_params, repr(net), net.output_shape((4,))),
    "copying": lambda net: net.state_dict(),
}


@pytest.mark.parametrize("name", QUIET)
def test_no_changes(name):
    net = make()
    before, signature = changes.count(), changes.signature(net, ("params", "grads", "state"))
    QUIET[name](net)
    assert changes.count() == before
    assert changes.signature(net, ("params", "grads", "state")) == signature


CHANGES = {
    "attribute": lambda net: setattr(net[1], "eps", 0.1),
    "new attribute": lambda net: setattr(net[1], "note", "new"),
    "attribute deleted": lambda net: delattr(net[3], "p"),
    "generator": lambda net: setattr(net[3], "rng", np.random.default_rng(0)),
    "append": lambda net: net.append(fnn.ReLU()),
    "replace": lambda net: net.__setitem__(3, fnn.ReLU()),
    "body": lambda net: setattr(net[2], "body", fnn.ReLU()),
    "rebind": lambda net: net[0].params.rebind("bias", np.zeros(5, np.float32)),
    "new state": lambda net: net[0].state.update(seen=np.zeros(1)),
    "pop": lambda net: net[0].params.pop("bias"),
    "popitem": lambda net: net[0].params.popitem(),
    "del": lambda net: net[0].params.__delitem__("bias"),
    "clear": lambda net: net[1].state.clear(),
    "names of params": lambda net: setattr(net[0], "params", {"weight": net[0].params["weight"]}),
    "use": lambda net: net.use("reference"),
    "use for one": lambda net: net[2].body.use("reference"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(name):
    net = make()
    before, signature = changes.count(), changes.signature(net)
    CHANGES[name](net)
    assert changes.count() != before
    assert changes.signature(net) != signature


def test_changes_that_are_taken_back():
    net = make()
    signature = changes.signature(net)
    before = changes.count()
    with net.use("reference"):
        inside = changes.count()
        assert inside != before and changes.signature(net) != signature
    assert changes.count() != inside and changes.signature(net) == signature
    net[1].eps, eps = 3.0, net[1].eps
    net[1].eps = eps
    assert changes.signature(net) == signature


def test_other_networks_differ():
    net = make()
    signature, before = changes.signature(net), changes.count()
    for other in (make(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert changes.signature(other) != signature
    assert changes.count() != before and changes.signature(net) == signature
    assert signature != 1


def test_gradients_count_where_asked_for():
    net = make()
    without, along = changes.signature(net), changes.signature(net, ("params", "grads", "state"))
    net[0].grads.rebind("bias", np.zeros(5, np.float32))
    assert changes.signature(net) == without and changes.signature(net, ("params", "grads", "state")) != along


def test_attributes_that_cannot_be_compared():
    net = make()
    net[0].pair = np.zeros(2), np.zeros(2)
    net[0].table = {"a": np.zeros(2)}
    signature = changes.signature(net)
    assert changes.signature(net) == signature
    net[0].pair = np.zeros(2), np.zeros(2)
    assert changes.signature(net) != signature


def test_arrays_are_kept_but_no_layers():
    import weakref

    net = make()
    signature, layer, array = changes.signature(net), weakref.ref(net[0]), weakref.ref(net[0].params["weight"])
    del net
    assert layer() is None and array() is not None
    del signature
    assert array() is None


def test_no_number_comes_again():
    seen, barrier = [], threading.Barrier(4)

    def work():
        barrier.wait()
        for _ in range(1000):
            changes.note()
            seen.append(changes.count())

    before = changes.count()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(seen) > before and len(seen) == 4000
