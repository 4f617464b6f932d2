"""Optimizer records against the optimizers, bit for bit; sums of sets."""

import numpy as np
import pytest

import fastnn
from fastnn.kernels._threads import BLOCKS, STEPS, link, ready_threads, run, run_chain
from fastnn.kernels.lanes import updates
from fastnn.kernels.lanes.layout import CELLS

# lr, momentum, dampening, weight_decay, nesterov
SGD = {
    "plain": (0.1, 0.0, 0.0, 0.0, 0),
    "decayed": (0.1, 0.0, 0.0, 0.1, 0),
    "momentum": (0.1, 0.9, 0.0, 0.0, 0),
    "dampened": (0.1, 0.9, 0.3, 0.1, 0),
    "nesterov": (0.1, 0.8, 0.0, 0.1, 1),
}
# lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad
ADAM = {
    "plain": (1e-3, 0.9, 0.999, 1e-8, 0.0, 0, 0),
    "decayed": (0.01, 0.8, 0.95, 1e-6, 0.1, 0, 0),
    "decoupled": (0.01, 0.9, 0.99, 1e-8, 0.1, 1, 0),
    "amsgrad": (0.01, 0.9, 0.999, 1e-8, 0.01, 0, 1),
    "undamped": (0.01, 0.0, 0.0, 1e-8, 0.0, 0, 0),
}
# lr, alpha, eps, weight_decay, momentum, centered
RMSPROP = {
    "plain": (0.01, 0.99, 1e-8, 0.0, 0.0, 0),
    "decayed": (0.01, 0.8, 1e-6, 0.1, 0.0, 0),
    "momentum": (0.01, 0.9, 1e-8, 0.0, 0.8, 0),
    "centered": (0.01, 0.9, 1e-3, 0.1, 0.0, 1),
    "both": (0.01, 0.9, 1e-3, 0.0, 0.9, 1),
}
# lr, lr_decay, eps, weight_decay
ADAGRAD = {"plain": (0.01, 0.0, 1e-10, 0.0), "all": (0.1, 0.07, 1e-3, 0.1)}
LENGTHS = [1, 13, 8192, 20_001]


def cells_with(**values):
    cells = np.zeros(CELLS, np.int64)
    for name, value in values.items():
        cells[{"steps": STEPS, "blocks": BLOCKS}[name]] = value
    return cells


def step(update, cells, *sums):
    """One step of the records, as a plan runs them."""
    cells[STEPS] += 1  # finish_loss does so
    run([*update.prepare])
    run([*sums, update.record])


def sgd(lr, momentum, dampening, weight_decay, nesterov):
    return fastnn.SGD(lr, momentum, dampening, weight_decay, bool(nesterov))


def adam(lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad):
    options = {"amsgrad": bool(amsgrad), "decoupled_weight_decay": bool(decoupled)}
    return fastnn.Adam(lr, (beta1, beta2), eps, weight_decay, **options)


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("case", SGD)
def test_sgd_follows_the_optimizer(rng, case, size, dtype):
    options = SGD[case]
    param, expected = (rng.standard_normal((1, size)).repeat(2, axis=0)).astype(dtype)
    velocity = np.full(size if options[1] else 0, np.nan, dtype)
    cells, grad, optimizer = cells_with(), np.empty(size, dtype), sgd(*options)
    update = updates.SGDUpdate(param, grad, velocity, cells, *options)
    for number in range(6):
        if number == 3:
            optimizer.lr = 0.05
            update.set(0.05, *options[1:])
        grad[:] = rng.standard_normal(size)
        step(update, cells)
        optimizer.update(expected, grad)
        assert param.tobytes() == expected.tobytes()
    if options[1]:
        assert velocity.tobytes() == optimizer.state["flat"]["velocity"].tobytes()


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("case", ADAM)
def test_adam_follows_the_optimizer(rng, case, size, dtype):
    options = ADAM[case]
    param, expected = (rng.standard_normal((1, size)).repeat(2, axis=0)).astype(dtype)
    m, v = np.zeros((2, size), dtype)
    vmax = np.zeros(size if options[-1] else 0, dtype)
    cells, grad, optimizer = cells_with(), np.empty(size, dtype), adam(*options)
    update = updates.AdamUpdate(param, grad, m, v, vmax, cells, *options)
    for number in range(6):
        if number == 3:
            optimizer.lr = 0.05
            update.set(0.05, *options[1:])
        grad[:] = rng.standard_normal(size)
        step(update, cells)
        optimizer.update(expected, grad)
        assert param.tobytes() == expected.tobytes()
    assert m.tobytes() == optimizer.state["flat"]["m"].tobytes()
    assert v.tobytes() == optimizer.state["flat"]["v"].tobytes()


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("case", RMSPROP)
def test_rmsprop_follows_the_optimizer(rng, case, size, dtype):
    options = RMSPROP[case]
    param, expected = (rng.standard_normal((1, size)).repeat(2, axis=0)).astype(dtype)
    m, velocity = (np.zeros(size if needed else 0, dtype) for needed in (options[5], options[4]))
    v, cells, grad = np.zeros(size, dtype), cells_with(), np.empty(size, dtype)
    optimizer = fastnn.RMSprop(*options[:5], centered=bool(options[5]))
    update = updates.RMSpropUpdate(param, grad, v, m, velocity, cells, *options)
    for number in range(6):
        if number == 3:
            optimizer.lr = 0.05
            update.set(0.05, *options[1:])
        grad[:] = rng.standard_normal(size)
        step(update, cells)
        optimizer.update(expected, grad)
        assert param.tobytes() == expected.tobytes()
    for name, array in (("v", v), ("m", m), ("velocity", velocity)):
        if array.size:
            assert array.tobytes() == optimizer.state["flat"][name].tobytes()


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("case", ADAGRAD)
def test_adagrad_follows_the_optimizer(rng, case, size, dtype):
    options = ADAGRAD[case]
    lr, lr_decay, eps, weight_decay = options
    param, expected = (rng.standard_normal((1, size)).repeat(2, axis=0)).astype(dtype)
    squares, cells, grad = np.full(size, 0.5, dtype), cells_with(), np.empty(size, dtype)
    optimizer = fastnn.Adagrad(lr, lr_decay, weight_decay, 0.5, eps)
    update = updates.AdagradUpdate(param, grad, squares, cells, *options)
    for number in range(6):
        if number == 3:
            optimizer.lr = 0.05
            update.set(0.05, *options[1:])
        grad[:] = rng.standard_normal(size)
        step(update, cells)
        optimizer.update(expected, grad)
        assert param.tobytes() == expected.tobytes()
    assert squares.tobytes() == optimizer.state["flat"]["squares"].tobytes()


def test_adagrad_rate_to_the_bit():
    """Compiled code multiplies and adds in two roundings, as Python does."""
    update = updates.AdagradUpdate(*np.ones((3, 1)), cells := cells_with(), 0.01, 0.123, 1e-10, 0.0)
    for number in [*range(1, 300), 12_345, 10**9]:
        cells[STEPS] = number
        run(update.prepare)
        assert updates._last_words(update.record, 3, np.float64)[0] == 0.01 / (1 + (number - 1) * 0.123)


def test_adam_corrects_bias_to_the_bit():
    """The power of compiled code is that of Python, for any number of steps."""
    arrays = np.ones((4, 1))
    cells = cells_with()
    for beta1, beta2 in ((0.9, 0.999), (0.5, 0.99), (0.123, 0.9999)):
        update = updates.AdamUpdate(*arrays, np.empty(0), cells, 1e-3, beta1, beta2, 1e-8, 0.0, 0, 0)
        rate_and_root = updates._last_words(update.record, 8, np.float64)[:2]
        for number in [*range(1, 300), 1000, 12_345, 10**6, 10**9]:
            cells[STEPS] = number
            run(update.prepare)
            assert list(rate_and_root) == [1e-3 / (1 - beta1**number), (1 - beta2**number) ** 0.5]


def test_options_that_need_other_records_are_refused():
    arrays, cells = np.ones((5, 1)), cells_with()
    with pytest.raises(ValueError, match="momentum"):
        updates.SGDUpdate(*arrays[:3], cells, *SGD["plain"]).set(*SGD["momentum"])
    with pytest.raises(ValueError, match="amsgrad"):
        updates.AdamUpdate(*arrays, cells, *ADAM["amsgrad"]).set(*ADAM["plain"])
    for case in ("plain", "momentum", "centered"):
        with pytest.raises(ValueError, match="centered"):
            updates.RMSpropUpdate(*arrays, cells, *RMSPROP["both"]).set(*RMSPROP[case])


@pytest.mark.parametrize("blocks, chunk, used", [(1, 1, 1), (7, 2, 4), (8, 2, 4), (3, 5, 1), (10, 1, 10)])
def test_sum_sets_adds_those_of_the_batch(rng, blocks, chunk, used, dtype):
    ranges, P = ((0, 3), (3, 20_000), (20_003, 8192)), 30_000
    total, cells, expected = np.full(P, np.nan, dtype), cells_with(blocks=blocks), np.full(P, np.nan, dtype)
    records, alive = [], []
    for begin, size in ranges:
        sets = rng.standard_normal((10, size)).astype(dtype)
        sets[used:] = np.nan
        alive.append(sets)
        records.append(updates.sum_sets.phase((total, sets, begin, chunk, cells), P, updates.CHUNK))
        part = sets[0].copy()
        for s in range(1, used):
            part += sets[s]
        expected[begin : begin + size] = part
    run(records)
    assert total.tobytes() == expected.tobytes()


def test_sums_and_update_in_one_phase(rng, dtype):
    P = 20_001
    param, expected = (rng.standard_normal((1, P)).repeat(2, axis=0)).astype(dtype)
    grad, sets, cells = np.empty(P, dtype), rng.standard_normal((4, P)).astype(dtype), cells_with(blocks=4)
    update = updates.SGDUpdate(param, grad, np.empty(P, dtype), cells, *SGD["nesterov"])
    sums = updates.sum_sets.phase((grad, sets, 0, 1, cells), P, updates.CHUNK)
    chain = link([update.prepare, [sums, update.record]])
    optimizer = sgd(*SGD["nesterov"])
    for _ in range(3):
        cells[STEPS] += 1
        run_chain(chain, ready_threads(), 0, 0, cells.ctypes.data)
        optimizer.update(expected, ((sets[0] + sets[1]) + sets[2]) + sets[3])
    assert param.tobytes() == expected.tobytes()
