"""The thread pool: same bits for any number of threads, many Python threads at once, forked children."""

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import fastnn as fnn
from fastnn import kernels


def convolve(seed):
    """Output and gradients of a convolution large enough for several threads."""
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((17, 3, 21, 19)), rng.standard_normal((5, 3, 3, 3))
    dout = rng.standard_normal((17, 5, 21, 19))
    out, dx, dweight = np.full_like(dout, np.nan), np.full_like(x, np.nan), np.full_like(weight, np.nan)
    options = ((1, 1), (1, 1), (1, 1), 1)
    kernels.conv.conv2d_forward(out, x, weight, None, *options)
    kernels.conv.conv2d_backward_input(dx, dout, weight, *options)
    kernels.conv.conv2d_backward_weight(dweight, x, dout, *options)
    return out, dx, dweight


def train(seed):
    """Parameters of a small network after a few steps."""
    rng = np.random.default_rng(seed)
    network = fnn.Sequential(
        fnn.Conv2d(1, 4, 3, padding=1, rng=seed),
        fnn.BatchNorm2d(4),
        fnn.ReLU(),
        fnn.MaxPool2d(2),
        fnn.Flatten(),
        fnn.Linear(4 * 7 * 7, 3, rng=seed),
    )
    trainer = fnn.Trainer(network, fnn.CrossEntropyLoss(), fnn.Adam(1e-2), seed=seed)
    for _ in range(4):
        trainer.step(rng.standard_normal((33, 1, 14, 14), dtype=np.float32), rng.integers(0, 3, 33))
    return network.flat_params.copy(), network.predict(rng.standard_normal((40, 1, 14, 14), dtype=np.float32))


@pytest.mark.parametrize("work", [convolve, train])
def test_same_bits_for_any_number_of_threads(work):
    with fnn.threads(1):
        expected = work(0)
    for count in (2, 3, 5):
        with fnn.threads(count):
            for one, many in zip(expected, work(0)):
                np.testing.assert_array_equal(one, many)


def test_eight_python_threads_at_once():
    expected = [train(seed) for seed in range(8)]
    found, errors = [None] * 8, []

    def work(seed):
        try:
            with fnn.threads(2):
                for _ in range(3):
                    found[seed] = train(seed)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for one, other in zip(expected, found):
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_forked_children_run_kernels_on_threads_of_their_own():
    code = """
        import multiprocessing
        import numpy as np
        import fastnn as fnn
        from fastnn.kernels import _threads, dense

        def product(seed):
            rng = np.random.default_rng(seed)
            x, weight = rng.standard_normal((200, 300)), rng.standard_normal((150, 300))
            out = np.empty((200, 150))
            dense.dense_forward(out, x, weight, None)
            return out, _threads._pool.workers

        fnn.set_num_threads(2)
        expected, workers = product(0)
        assert workers == 1, workers
        with multiprocessing.get_context("fork").Pool(3) as pool:
            for out, workers in pool.map(product, [0] * 6):
                assert workers == 1, workers
                np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(product(0)[0], expected)
        print("survived")
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "survived"


def test_threads_context_restores_and_validates():
    before = fnn.num_threads()
    with fnn.threads(3):
        assert fnn.num_threads() == 3
        with fnn.threads(1):
            assert fnn.num_threads() == 1
        assert fnn.num_threads() == 3
    assert fnn.num_threads() == before
    for bad, error in ((0, ValueError), (-1, ValueError), (10**6, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="threads"), fnn.threads(bad):
            pass
        with pytest.raises(error, match="threads"):
            fnn.set_num_threads(bad)
    assert fnn.num_threads() == before


def test_numba_num_threads_is_the_default():
    code = "import fastnn; print(fastnn.num_threads())"
    for named in ("1", "3"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, "NUMBA_NUM_THREADS": named},
        )
        assert done.stdout.strip() == named, done.stderr


def test_workers_without_futex(tmp_path):
    """Where the system has no futex, workers sleep on a Python semaphore: same results."""
    code = """
        import platform
        machine, platform.machine = platform.machine, lambda: "unknown"
        import fastnn.kernels._atomics
        platform.machine = machine
        import fastnn as fnn
        import numpy as np
        from fastnn.kernels import _threads, activations

        x = np.random.default_rng(0).standard_normal(1_000_000)
        out, expected = np.empty_like(x), np.maximum(x, 0)
        assert _threads.LAYER == "fastnn (semaphore)"
        with fnn.threads(3):
            for _ in range(50):
                out.fill(np.nan)
                activations.relu_forward(out, x)
                np.testing.assert_array_equal(out, expected)
        print(_threads._pool.workers)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )
    assert done.stdout.strip() == "2", done.stderr
