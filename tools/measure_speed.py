#!/usr/bin/env python3
"""How fast the dense and convolution kernels are, beside NumPy in the same process.

    python tools/measure_speed.py                     all cases, threads as the machine has them
    python tools/measure_speed.py dense --rounds 15
    python tools/measure_speed.py conv --torch        with PyTorch's operations in the same table, if it is installed

Every round times each contestant once, one after the other, for at least 20 ms each (shorter calls are repeated), so that a
disturbance hits all of them; the table shows medians over the rounds, and the ratio is the median of the rounds' ratios.
Before each there is a pause of 100 ms and a call that does not count: some libraries' idle threads keep a CPU busy for a while
after their last call, which would be the next contestant's loss ("mixed" measures just that: no pause between its calls).
Everything is compiled and warmed before. Both sides have the same threads, arrays, dtype (float32) and work: NumPy calls its
BLAS (`reference` twins), fastnn its own kernels. "of sgemm" is the share of the rate of NumPy's 1024 x 1024 matrix product in
the same round.
"""

import argparse
import os
import platform
import time
from functools import partial

import numpy as np

DENSE = {  # N, IN, OUT
    "512x1024 @ 1024x1024": (512, 1024, 1024),
    "128x4320 @ 4320x100": (128, 4320, 100),
    "100x256 @ 256x120": (100, 256, 120),
}
CONV = [  # N, C, H, W, F, K, stride, padding
    (128, 1, 28, 28, 6, 5, 1, 0),
    (128, 6, 12, 12, 16, 5, 1, 0),
    (128, 32, 32, 32, 32, 3, 1, 1),
    (128, 64, 16, 16, 64, 3, 1, 1),
    (64, 3, 32, 32, 16, 3, 2, 1),
]
EXTRA_CONV = [
    (128, 128, 8, 8, 128, 3, 1, 1),
    (64, 16, 14, 14, 16, 3, 2, 1),
    (100, 1, 28, 28, 30, 5, 1, 0),
    (128, 256, 8, 8, 256, 1, 1, 0),
]
MIN_SECONDS = 0.02
PAUSE = 0.1


def timed(function):
    """Seconds of one call, from as many calls as fill `MIN_SECONDS`."""
    time.sleep(PAUSE)
    function()
    calls, start = 0, time.perf_counter()
    while True:
        function()
        calls += 1
        seconds = time.perf_counter() - start
        if seconds >= MIN_SECONDS:
            return seconds / calls


def compare(contestants, rounds):
    """Median seconds of each contestant, and of their ratios to the first: dict name -> (seconds, ratio)."""
    for function in contestants.values():
        function()
    samples = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, function in contestants.items():
            samples[name].append(timed(function))
    first = np.array(next(iter(samples.values())))
    return {name: (float(np.median(s)), float(np.median(np.array(s) / first))) for name, s in samples.items()}


def sgemm(size=1024):
    a = np.ones((size, size), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def report(label, flops, times, reference="NumPy"):
    seconds = times["fastnn"][0]
    blas = 2 * 1024**3 / times["sgemm"][0]
    line = f"{label:<44} fastnn {flops / seconds / 1e9:6.0f} GFLOP/s  {flops / seconds / blas:5.0%} of sgemm"
    line += f"   {times[reference][1]:6.2f} x {reference} ({flops / times[reference][0] / 1e9:.0f})"
    if "PyTorch" in times:
        line += f"   {times['PyTorch'][1]:5.2f} x PyTorch ({flops / times['PyTorch'][0] / 1e9:.0f})"
    print(line, flush=True)


def report_operations(label, family, operations, flops, rounds, peers=None):
    """A line for each of `operations`: name -> (kernel, arguments), on fastnn's kernels and on NumPy's."""
    from fastnn import kernels

    for operation, (name, arguments) in operations.items():
        numba, numpy = (getattr(getattr(package, family), name) for package in (kernels, kernels.reference))
        contestants = {"fastnn": partial(numba, *arguments), "NumPy": partial(numpy, *arguments), "sgemm": sgemm()}
        if peers:
            contestants["PyTorch"] = peers[operation]
        report(f"{label} {operation}", flops, compare(contestants, rounds))


def dense_cases(rounds):
    rng = np.random.default_rng(0)
    for name, (n, inputs, outputs) in DENSE.items():
        x, weight, dout = (rng.standard_normal(s, dtype=np.float32) for s in ((n, inputs), (outputs, inputs), (n, outputs)))
        out, dx, dweight = np.ones_like(dout), np.ones_like(x), np.ones_like(weight)
        operations = {
            "forward": ("dense_forward", (out, x, weight, None)),
            "input gradient": ("dense_backward_input", (dx, dout, weight)),
            "weight gradient": ("dense_backward_weight", (dweight, x, dout)),
        }
        report_operations(f"dense {name}", "dense", operations, 2 * n * inputs * outputs, rounds)


def torch_conv(x, weight, dout, stride, padding):
    """PyTorch's three operations on the same arrays, in the memory layout that suits it best here (channels last)."""
    import torch

    torch.set_num_threads(int(os.environ.get("NUMBA_NUM_THREADS", os.cpu_count())))
    tx, tw, td = (torch.from_numpy(a).contiguous(memory_format=torch.channels_last) for a in (x, weight, dout))

    def backward(mask):
        pairs = ([stride] * 2, [padding] * 2, [1, 1])
        return torch.ops.aten.convolution_backward(td, tx, tw, None, *pairs, False, [0, 0], 1, mask)

    return {
        "forward": lambda: torch.nn.functional.conv2d(tx, tw, None, stride, padding),
        "input gradient": lambda: backward((True, False, False)),
        "weight gradient": lambda: backward((False, True, False)),
    }


def conv_cases(rounds, with_torch, cases):
    from fastnn.kernels.geometry import conv_output_size

    rng = np.random.default_rng(0)
    for n, c, h, w, f, k, stride, padding in cases:
        oh, ow = (conv_output_size(size, k, stride, padding) for size in (h, w))
        x = rng.standard_normal((n, c, h, w), dtype=np.float32)
        weight = rng.standard_normal((f, c, k, k), dtype=np.float32)
        dout = rng.standard_normal((n, f, oh, ow), dtype=np.float32)
        out, dx, dweight = np.ones_like(dout), np.ones_like(x), np.ones_like(weight)
        options = ((stride, stride), (padding, padding), (1, 1), 1)
        operations = {
            "forward": ("conv2d_forward", (out, x, weight, None, *options)),
            "input gradient": ("conv2d_backward_input", (dx, dout, weight, *options)),
            "weight gradient": ("conv2d_backward_weight", (dweight, x, dout, *options)),
        }
        peers = torch_conv(x, weight, dout, stride, padding) if with_torch else None
        label = f"conv {n},{c},{h},{w} F{f} K{k} s{stride} p{padding}"
        report_operations(label, "conv", operations, 2 * n * f * oh * ow * c * k * k, rounds, peers)


def mixed_cases(rounds):
    """NumPy's and fastnn's threads taking turns: each pair of calls beside the two alone."""
    from fastnn.kernels import activations, dense

    rng = np.random.default_rng(0)
    a = rng.standard_normal((400, 400), dtype=np.float32)
    product = np.empty_like(a)
    flat, positive = a.reshape(-1), np.empty(a.size, np.float32)
    x, weight, out = (rng.standard_normal(s, dtype=np.float32) for s in ((128, 784), (256, 784), (128, 256)))
    matmul = partial(np.matmul, a, a, out=product)
    for name, call in {
        "ReLU of 160,000": partial(activations.relu_forward, positive, flat),
        "dense 128x784 @ 784x256": partial(dense.dense_forward, out, x, weight, None),
    }.items():

        def alternate(call=call):
            matmul()
            call()

        times = compare({"alternating": alternate, "NumPy": matmul, "fastnn": call}, rounds)
        both, alone = times["alternating"][0], times["NumPy"][0] + times["fastnn"][0]
        print(
            f"mixed: NumPy 400x400 @ 400x400, then {name:<24} {both * 1e6:6.0f} us; alone {alone * 1e6:.0f}: {both / alone:.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="dense, conv, more_conv, mixed; default: dense conv mixed")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--torch", action="store_true", help="time PyTorch's operations too")
    arguments = parser.parse_args()

    import fastnn

    print(f"fastnn {fastnn.__version__}, NumPy {np.__version__}, {platform.machine()}, {fastnn.num_threads()} threads")
    for family in arguments.families or ["dense", "conv", "mixed"]:
        if family == "dense":
            dense_cases(arguments.rounds)
        elif family in ("conv", "more_conv"):
            conv_cases(arguments.rounds, arguments.torch, CONV if family == "conv" else EXTRA_CONV)
        elif family == "mixed":
            mixed_cases(arguments.rounds)
        else:
            parser.error(f"unknown family {family!r}")


if __name__ == "__main__":
    main()
