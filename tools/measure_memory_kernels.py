"""Time the kernels that memory bounds against a copy of as many bytes.

    python tools/measure_memory_kernels.py [--threads 2] [--dtype float32] [--repeats 41] [--only pool]

For each case one line: kernel, shape, microseconds of a call, GB/s (bytes of all arrays read and written once, over time), and
time over the time of ``np.copyto`` on arrays that amount to the same bytes. Calls and copies take turns, medians count: other
work on the machine then slows both. A sample is several calls in a row, since waking a sleeping thread is not what is measured.
"""

import argparse
import statistics
import time

import numpy as np

import fastnn.kernels as kernels
from fastnn.kernels._threads import threads

SAMPLE_SECONDS = 300e-6  # calls in a row that make one sample


def activation_cases(rng, dtype):
    for size in (128 * 6 * 24 * 24, 128 * 16 * 8 * 8, 4_000_000):
        x, a, b = (rng.standard_normal(size).astype(dtype) for _ in range(3))
        out = np.empty_like(x)
        k = kernels.activations
        for name in ("relu", "sigmoid", "tanh"):
            yield getattr(k, f"{name}_forward"), (out, x), (), (size,)
            yield getattr(k, f"{name}_backward"), (out, a, b), (), (size,)
        yield k.leaky_relu_forward, (out, x), (0.01,), (size,)
        yield k.leaky_relu_backward, (out, a, b), (0.01,), (size,)
        yield k.hardtanh_forward, (out, x), (-1.0, 1.0), (size,)
        yield k.hardtanh_backward, (out, a, b), (-1.0, 1.0), (size,)
        smooth = kernels.smooth_activations
        for name, extra in {"elu": (1.0,), "gelu": (), "gelu_tanh": (), "silu": (), "softplus": (1.0, 20.0)}.items():
            yield getattr(smooth, f"{name}_forward"), (out, x), extra, (size,)
            yield getattr(smooth, f"{name}_backward"), (out, a, b), extra, (size,)
        yield k.add, (out, a, b), (), (size,)
        yield k.multiply, (out, a, b), (), (size,)


def pool_cases(rng, dtype):
    k = kernels.pooling
    for shape, size, stride, pad in (
        ((128, 6, 24, 24), 2, 2, 0),
        ((128, 16, 8, 8), 2, 2, 0),
        ((128, 32, 32, 32), 2, 2, 0),
        ((128, 6, 24, 24), 3, 2, 1),
        ((128, 16, 8, 8), 3, 2, 1),
        ((32, 8, 56, 56), 3, 1, 1),
    ):
        N, C, *image = shape
        small = [(n + 2 * pad - size) // stride + 1 for n in image]
        x, dout = rng.standard_normal(shape).astype(dtype), rng.standard_normal((N, C, *small)).astype(dtype)
        out, dx, argmax = np.empty_like(dout), np.empty_like(x), np.empty(dout.shape, np.int32)
        window = ((size, size), (stride, stride), (pad, pad))
        label = (*shape, f"{size}x{size} s{stride} p{pad}")
        yield k.maxpool2d_forward, (out, argmax, x), (*window, (1, 1)), label
        yield k.maxpool2d_backward, (dx, dout, argmax), (), label
        yield k.avgpool2d_forward, (out, x), (*window, 1, 0), label
        yield k.avgpool2d_backward, (dx, dout), (*window, 1, 0), label
    out, dout = (np.ones((128, 64, 1, 1), dtype) for _ in range(2))
    x, dx = (np.ones((128, 64, 8, 8), dtype) for _ in range(2))
    yield k.adaptive_avgpool2d_forward, (out, x), (), (*x.shape, "to 1x1")
    yield k.adaptive_avgpool2d_backward, (dx, dout), (), (*x.shape, "to 1x1")


def softmax_cases(rng, dtype):
    k, loss_kernels = kernels.softmax, kernels.cross_entropy
    for shape in ((128, 10, 1), (4096, 10, 1), (512, 1000, 1), (8, 21, 64 * 64)):
        x, dout = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
        out, dx = np.empty_like(x), np.empty_like(x)
        for name in ("softmax", "log_softmax"):
            yield getattr(k, f"{name}_forward"), (out, x), (), shape
            yield getattr(k, f"{name}_backward"), (dx, dout, out), (), shape
        N, C, L = shape
        loss, scale = np.empty((N, L), dtype), np.ones((N, L), dtype)
        target, weight = rng.integers(0, C, (N, L)), np.ones(C, dtype)
        yield loss_kernels.cross_entropy_forward, (loss, dx, x, target, weight), (0.0, -100), shape
        yield loss_kernels.cross_entropy_probabilities_forward, (loss, dx, x, out, weight), (0.0,), shape
        yield loss_kernels.scale_rows, (dx, scale), (), shape


def batchnorm_cases(rng, dtype):
    k = kernels.batchnorm
    for shape in ((128, 16, 32 * 32), (128, 64, 8 * 8), (128, 512, 1)):
        C = shape[1]
        x, dout = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
        out, dx = np.empty_like(x), np.empty_like(x)
        mean, var, weight, bias, dweight, dbias = (np.ones(C, dtype) for _ in range(6))
        yield k.batchnorm_statistics, (mean, var, x), (), shape
        yield k.batchnorm_forward, (out, x, mean, var, weight, bias), (1e-5,), shape
        yield k.batchnorm_backward_params, (dweight, dbias, x, dout, mean, var), (1e-5,), shape
        yield k.batchnorm_backward_input, (dx, dout, x, mean, var, weight, dweight, dbias), (1e-5,), shape


def optimizer_cases(rng, dtype):
    k, none = kernels.optim, np.empty(0, dtype)
    for size in (61_706, 4_000_000):
        param, grad, m, v, vmax = (abs(rng.standard_normal(size)).astype(dtype) for _ in range(5))
        yield k.sgd_update, (param, grad, none), (1e-6, 0.0, 0.0, 0.0, 0, 0), (size,)
        yield k.sgd_update, (param, grad, m), (1e-6, 0.9, 0.0, 1e-4, 1, 0), (size, "nesterov")
        yield k.adam_update, (param, grad, m, v, none), (1e-6, 0.9, 0.999, 1e-8, 0.0, 5, 0, 0), (size,)
        yield k.adam_update, (param, grad, m, v, vmax), (1e-6, 0.9, 0.999, 1e-8, 0.0, 5, 0, 1), (size, "amsgrad")
        yield k.rmsprop_update, (param, grad, v, none, none), (1e-6, 0.99, 1e-8, 0.0, 0.0, 0), (size,)
        yield k.rmsprop_update, (param, grad, v, m, vmax), (1e-6, 0.99, 1e-8, 0.0, 0.9, 1), (size, "centered, momentum")
        yield k.adagrad_update, (param, grad, v), (1e-6, 0.0, 1e-10, 0.0, 5), (size,)


def image_cases(rng, dtype):
    images = rng.integers(0, 256, (20_000, 784)).astype(np.uint8)
    index, batch = rng.integers(0, len(images), 128), np.empty((128, 784), dtype)
    many = np.empty(images.size // 4, dtype)
    yield kernels.image.scale_uint8, (many, images.reshape(-1)[: many.size]), (1 / 255, 0.0), many.shape
    yield kernels.image.gather_rows_uint8, (batch, images, index), (1 / 255, 0.0), batch.shape
    yield kernels.image.gather_rows, (batch, images.astype(dtype), index), (), batch.shape


def im2col_cases(rng, dtype):
    k = kernels.im2col
    for shape, size, stride, pad in (((128, 1, 28, 28), 5, 1, 0), ((32, 32, 32, 32), 3, 1, 1), ((64, 3, 32, 32), 3, 2, 1)):
        N, C, *image = shape
        positions = np.prod([(n + 2 * pad - size) // stride + 1 for n in image])
        x, col = rng.standard_normal(shape).astype(dtype), np.empty((N, C * size**2, positions), dtype)
        window = ((size, size), (stride, stride), (pad, pad), (1, 1))
        label = (*shape, f"{size}x{size} s{stride} p{pad}")
        yield k.im2col, (col, x), window, label
        yield k.col2im, (x, col), window, label


GROUPS = {
    "activations": activation_cases,
    "pooling": pool_cases,
    "softmax": softmax_cases,
    "batchnorm": batchnorm_cases,
    "optim": optimizer_cases,
    "image": image_cases,
    "im2col": im2col_cases,
}

# Arrays that a kernel reads and writes count twice; of a store of images only the batch's rows are read.
IN_PLACE = {"scale_rows": 1, "sgd_update": 1, "adam_update": 1}


def bytes_moved(function, arrays):
    name = function.__name__
    if name.startswith("gather_rows"):
        out, x, _ = arrays
        return out.nbytes + out.size * x.itemsize
    total = sum(array.nbytes for array in arrays)
    if name in IN_PLACE:
        total += arrays[0].nbytes
        total += sum(array.nbytes for array in arrays[2:]) if name != "scale_rows" else 0
    return total


def seconds(function, arguments, calls):
    start = time.perf_counter()
    for _ in range(calls):
        function(*arguments)
    return (time.perf_counter() - start) / calls


def measure(function, arrays, scalars, repeats):
    """Median seconds of a call, and of a copy of as many bytes."""
    count = max(1, bytes_moved(function, arrays) // 8)
    source, target = np.ones(count, np.float32), np.ones(count, np.float32)
    works = [(function, (*arrays, *scalars)), (np.copyto, (target, source))]
    calls = [max(1, int(SAMPLE_SECONDS / min(seconds(*work, 1) for _ in range(3)))) for work in works]
    samples = [[], []]
    for _ in range(repeats):
        for work, n, times in zip(works, calls, samples):
            seconds(*work, 1)
            times.append(seconds(*work, n))
    return [statistics.median(times) for times in samples]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--only", default="", help="part of a family's or kernel's name")
    options = parser.parse_args()
    print(f"{'kernel':36}{'shape':>34}{'us':>10}{'GB/s':>8}{'x copy':>8}")
    with threads(options.threads):
        for family, cases in GROUPS.items():
            for function, arrays, scalars, label in cases(np.random.default_rng(0), np.dtype(options.dtype)):
                if options.only not in family + "." + function.__name__:
                    continue
                took, copy = measure(function, arrays, scalars, options.repeats)
                shape = "x".join(str(n) for n in label if isinstance(n, (int, np.integer)))
                shape = " ".join([shape, *(n for n in label if isinstance(n, str))])
                rate = bytes_moved(function, arrays) / took / 1e9
                print(f"{function.__name__:36}{shape:>34}{took * 1e6:10.1f}{rate:8.1f}{took / copy:8.2f}", flush=True)


if __name__ == "__main__":
    main()
