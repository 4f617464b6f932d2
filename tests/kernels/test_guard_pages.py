"""No kernel touches memory outside its arrays.

Register tiles work on addresses, where bounds checking does not see them. So every array here ends (or starts) at a page that
must not be touched: one element too far and the process dies. It does so in a child process, which prints the case it is at.
"""

import ctypes
import itertools
import mmap
import subprocess
import sys

import numpy as np
import pytest

PAGE = mmap.PAGESIZE


def guarded(array, behind):
    """A copy of `array` that ends right before an inaccessible page (`behind`) or starts right after one."""
    size = max(1, -(-array.nbytes // PAGE)) * PAGE
    memory = mmap.mmap(-1, size + 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for page in (start, start + PAGE + size):
        if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = PAGE + (size - array.nbytes if behind else 0)
    copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    return copy


def conv_shapes():
    """(N, C, H, W, F, kernel, stride, padding, dilation, groups): rows of all lengths, filters and channels of many numbers."""
    plain = (1, 1), (0, 0), (1, 1), 1
    for width in range(1, 36):
        yield 2, 1 + width % 5, 4 + width % 3, width + 2, 1 + width % 13, (3, 3), *plain
    for filters in range(1, 20):
        yield 1, filters % 4 + 1, 9, 9, filters, (2, 3), (1, 1), (1, 1), (1, 1), 1
    yield 3, 8, 11, 17, 12, (3, 2), (2, 3), (1, 1), (2, 1), 2
    yield 1, 9, 5, 5, 9, (5, 5), (1, 1), (0, 0), (1, 1), 3
    yield 5, 20, 4, 4, 40, (1, 1), *plain
    yield 2, 24, 4, 4, 33, (3, 3), (1, 1), (1, 1), (1, 1), 1
    for width in range(30, 70):
        yield 2, 2, 5, width, 3, (3, 3), (2, 2), (1, 1), (1, 1), 1


def run_dense(kernels, rng, dtype, behind):
    sizes = [*range(1, 36), 49, 97]
    for step, n in enumerate(sizes):
        inputs, outputs = sizes[(7 * step + 3) % len(sizes)], sizes[(11 * step + 5) % len(sizes)]
        print(f"dense {n} {inputs} {outputs}", flush=True)
        x, weight, bias, dout = (
            guarded(rng.standard_normal(s).astype(dtype), behind)
            for s in ((n, inputs), (outputs, inputs), (outputs,), (n, outputs))
        )
        out, dx, dweight, dbias = (guarded(np.full_like(a, np.nan), behind) for a in (dout, x, weight, bias))
        kernels.dense.dense_forward(out, x, weight, bias)
        kernels.dense.dense_backward_input(dx, dout, weight)
        kernels.dense.dense_backward_weight(dweight, x, dout)
        kernels.dense.dense_backward_bias(dbias, dout)
        for array in (out, dx, dweight, dbias):
            assert np.isfinite(array).all()


def run_conv(kernels, rng, dtype, behind):
    for shape in conv_shapes():
        print(f"conv {shape}", flush=True)
        n, c, h, w, f, k, s, p, d, g = shape
        oh, ow = (kernels.geometry.conv_output_size(*a) for a in zip((h, w), k, s, p, d))
        x, weight, bias, dout = (
            guarded(rng.standard_normal(s).astype(dtype), behind) for s in ((n, c, h, w), (f, c // g, *k), (f,), (n, f, oh, ow))
        )
        out, dx, dweight, dbias = (guarded(np.full_like(a, np.nan), behind) for a in (dout, x, weight, bias))
        kernels.conv.conv2d_forward(out, x, weight, bias, s, p, d, g)
        kernels.conv.conv2d_backward_input(dx, dout, weight, s, p, d, g)
        kernels.conv.conv2d_backward_weight(dweight, x, dout, s, p, d, g)
        kernels.conv.conv2d_backward_bias(dbias, dout)
        col = guarded(np.full((n, c * k[0] * k[1], oh * ow), np.nan, dtype), behind)
        kernels.im2col.im2col(col, x, k, s, p, d)
        kernels.im2col.col2im(dx, col, k, s, p, d)
        for array in (out, dx, dweight, dbias, col):
            assert np.isfinite(array).all()


def run_pooling(kernels, rng, dtype, behind):
    windows = ((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((2, 3), (1, 1), (1, 1))
    for width, (k, s, p) in itertools.product(range(1, 36), windows):
        height = 2 + width % 3
        oh, ow = (kernels.geometry.conv_output_size(*a) for a in zip((height, width), k, s, p))
        if oh < 1 or ow < 1:
            continue
        print(f"pooling {height} {width} {k} {s} {p}", flush=True)
        x = guarded(rng.standard_normal((2, 3, height, width)).astype(dtype), behind)
        dout = guarded(rng.standard_normal((2, 3, oh, ow)).astype(dtype), behind)
        out, dx = guarded(np.full_like(dout, np.nan), behind), guarded(np.full_like(x, np.nan), behind)
        argmax = guarded(np.full(out.shape, -1, np.int32), behind)
        pooling = kernels.pooling
        pooling.maxpool2d_forward(out, argmax, x, k, s, p, (1, 1))
        pooling.maxpool2d_backward(dx, dout, argmax)
        pooling.avgpool2d_forward(out, x, k, s, p, 1, 0)
        pooling.avgpool2d_backward(dx, dout, k, s, p, 1, 0)
        pooling.adaptive_avgpool2d_forward(out, x)
        pooling.adaptive_avgpool2d_backward(dx, dout)
        assert np.isfinite(out).all() and np.isfinite(dx).all()


def run_flat(kernels, rng, dtype, behind):
    a = kernels.activations
    for size in [*range(1, 70), 8191, 8193]:
        print(f"flat {size}", flush=True)
        x, dout = (guarded(rng.standard_normal(size).astype(dtype), behind) for _ in range(2))
        out, dx = (guarded(np.full_like(x, np.nan), behind) for _ in range(2))
        for name in ("relu", "sigmoid", "tanh"):
            getattr(a, f"{name}_forward")(out, x)
            getattr(a, f"{name}_backward")(dx, dout, out)
        a.leaky_relu_forward(out, x, 0.1)
        a.leaky_relu_backward(dx, dout, x, 0.1)
        a.hardtanh_forward(out, x, -1.0, 1.0)
        a.hardtanh_backward(dx, dout, out, -1.0, 1.0)
        for name, extra in {"elu": (1.0,), "gelu": (), "gelu_tanh": (), "silu": (), "softplus": (1.0, 20.0)}.items():
            getattr(kernels.smooth_activations, f"{name}_forward")(out, x, *extra)
            getattr(kernels.smooth_activations, f"{name}_backward")(dx, dout, x, *extra)
        for p in (1.0, 2.0, 3.0):
            kernels.lp_pooling.power_forward(out, x, p)
            kernels.lp_pooling.power_backward(dx, dout, x, p)
            kernels.lp_pooling.root_forward(out, abs(x), p, 4.0)
            kernels.lp_pooling.root_backward(dx, dout, out, p, 4.0)
        a.add(out, x, dout)
        a.multiply(out, x, dout)
        cubes = [array.reshape(1, size, 1) for array in (out, x, dx, dout)]
        for name in ("softmax", "log_softmax"):
            getattr(kernels.softmax, f"{name}_forward")(cubes[0], cubes[1])
            getattr(kernels.softmax, f"{name}_backward")(cubes[2], cubes[3], cubes[0])
        m, v, velocity = (guarded(np.zeros(size, dtype), behind) for _ in range(3))
        kernels.optim.adam_update(out, dout, m, v, v[:0], 1e-3, 0.9, 0.999, 1e-8, 0.0, 1, 0, 0)
        kernels.optim.sgd_update(out, dout, velocity, 1e-3, 0.9, 0.0, 0.0, 0, 1)
        kernels.optim.rmsprop_update(out, dout, v, m, velocity, 1e-3, 0.9, 1e-8, 0.0, 0.9, 1)
        kernels.optim.rmsprop_update(out, dout, v, m[:0], velocity[:0], 1e-3, 0.9, 1e-8, 0.0, 0.0, 0)
        kernels.optim.adagrad_update(out, dout, v, 1e-3, 0.0, 1e-10, 0.0, 1)
        images = guarded(rng.integers(0, 256, (3, size)).astype(np.uint8), behind)
        rows, index = guarded(np.zeros((2, size), dtype), behind), guarded(np.array([2, 0]), behind)
        kernels.image.gather_rows_uint8(rows, images, index, 1 / 255, 0.0)
        kernels.image.scale_uint8(out, images[0], 1 / 255, 0.0)
        draws = guarded(np.array([[0, 0, 1], [0, 0, 0], [0, 0, 1]]), behind)
        kernels.image.gather_augmented(
            rows[:, None, None], guarded(rng.random((3, 1, 1, size)).astype(dtype), behind), index, draws
        )
        kernels.image.gather_augmented(images[:2, None, None], images[:, None, None], index, draws)


def run_norm(kernels, rng, dtype, behind):
    for length in [*range(1, 36), 100]:
        print(f"norm {length}", flush=True)
        x, dout = (guarded(rng.standard_normal((4, 3, length)).astype(dtype), behind) for _ in range(2))
        out = guarded(np.full_like(x, np.nan), behind)
        mean, var, weight, bias, dweight, dbias = (guarded(np.ones(3, dtype), behind) for _ in range(6))
        norm = kernels.batchnorm
        norm.batchnorm_statistics(mean, var, x)
        norm.batchnorm_forward(out, x, mean, var, weight, bias, 1e-5)
        norm.batchnorm_backward_params(dweight, dbias, x, dout, mean, var, 1e-5)
        norm.batchnorm_backward_input(out, dout, x, mean, var, weight, dweight, dbias, 1e-5)
        means, deviations = (guarded(np.ones((4, 1)), behind) for _ in range(2))
        for shape in ((4, 3, length), (4, 3 * length, 1)):
            scale, shift, dscale, dshift = (guarded(np.ones(shape[1], dtype), behind) for _ in range(4))
            arrays = [array.reshape(shape) for array in (out, x, dout)]
            kernels.groupnorm.groupnorm_forward(arrays[0], means, deviations, arrays[1], scale, shift, 1e-5)
            kernels.groupnorm.groupnorm_backward_params(dscale, dshift, *arrays[1:], means, deviations)
            kernels.groupnorm.groupnorm_backward_input(arrays[0], arrays[2], arrays[1], means, deviations, scale)
        scale = guarded(np.full_like(x, np.nan), behind)
        kernels.lrn.lrn_forward(out, scale, x, 2, 1.0, 0.75, 1.0)
        kernels.lrn.lrn_backward(out, dout, x, scale, 2, 1.0, 0.75)
        loss, dx = guarded(np.full((4, length), np.nan, dtype), behind), guarded(np.full_like(x, np.nan), behind)
        target = guarded(rng.integers(0, 3, (4, length)), behind)
        kernels.cross_entropy.cross_entropy_forward(loss, dx, x, target, weight, 0.1, -100)
        assert np.isfinite(out).all() and np.isfinite(dx).all() and np.isfinite(loss).all()


FAMILIES = {"dense": run_dense, "conv": run_conv, "pooling": run_pooling, "flat": run_flat, "norm": run_norm}


@pytest.mark.skipif(sys.platform == "win32", reason="no mprotect")
@pytest.mark.parametrize("behind", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_array_beside_an_inaccessible_page(family, behind):
    done = subprocess.run([sys.executable, __file__, family, str(int(behind))], capture_output=True, text=True, timeout=600)
    last = done.stdout.strip().splitlines()[-1:]
    assert done.returncode == 0, f"died at {last} with {done.returncode}: {done.stderr[-2000:]}"
    assert last == ["done"]


def test_a_step_too_far_is_noticed():
    """The harness itself: reading one element beyond a guarded array kills the child."""
    code = (
        f"import sys; sys.path.insert(0, {str(__file__.rsplit('/', 1)[0])!r})\n"
        "import ctypes, numpy as np\nfrom test_guard_pages import guarded\n"
        "a = guarded(np.ones(5, np.float32), True)\n"
        "print(ctypes.c_float.from_address(a.ctypes.data + 16).value, flush=True)\n"
        "print(ctypes.c_float.from_address(a.ctypes.data + 20).value, flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "1.0"
    assert done.returncode < 0


if __name__ == "__main__":
    from fastnn import kernels

    for dtype in (np.float32, np.float64):
        FAMILIES[sys.argv[1]](kernels, np.random.default_rng(0), dtype, sys.argv[2] == "1")
    print("done")
