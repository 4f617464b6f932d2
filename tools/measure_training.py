#!/usr/bin/env python3
"""Training steps and predictions of whole networks: samples per second, beside PyTorch where that is installed.

    python tools/measure_training.py                             training steps of all networks
    python tools/measure_training.py lenet mlp --rounds 11       of some
    python tools/measure_training.py --predict --batch 1         predictions, one sample at a time
    python tools/measure_training.py --write docs/performance.md put the table into that document

A step is all of it: forward, loss, backward, update, on float32 data already in memory. fastnn and PyTorch work in processes of
their own and take turns, a round of `--seconds` each, so that whatever disturbs the machine meets both; the ratio is the
median of the rounds' ratios, with the least and the greatest. Before each turn, a few steps do not count.

PyTorch runs eager, with its fused optimizers, in evaluation and inference mode for predictions, and counts in whichever of its
two memory layouts is faster. Both sides have glibc keep large blocks, which PyTorch gains from, and the same number of threads.

GFLOP/s count two for every multiply-add of the direct algorithm: of the forward pass once, and in training twice more, for the
gradients of inputs and weights, but for the input of the first layer. The peak is that of multiply-adds in registers, measured.
"""

import argparse
import json
import multiprocessing
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from _tables import has_torch, machine, markdown, warn_if_busy, write_section

KEEP_LARGE_BLOCKS = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
SGD, ADAM = ("SGD", {"lr": 0.01, "momentum": 0.9}), ("Adam", {"lr": 1e-3})


class Workload(NamedTuple):
    """A network as a list of layers of ``nn``, either library's, and how to train it."""

    layers: Callable
    shape: tuple
    batch: int
    optimizer: tuple
    classes: int = 10
    loss: str = "CrossEntropyLoss"


def perceptron(*widths):
    def layers(nn):
        dense = [nn.Linear(i, o) for i, o in pairwise(widths)]
        return [part for layer in dense for part in (layer, nn.ReLU())][:-1]

    return layers


def lenet(nn):
    return [
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    ]


def stride_cnn(nn):
    options = {"stride": 2, "padding": 1}
    convolutions = [nn.Conv2d(1, 16, 3, **options), nn.Conv2d(16, 16, 3, **options), nn.Conv2d(16, 10, 3, **options)]
    return [*(part for layer in convolutions for part in (layer, nn.ReLU())), nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def simple_convnet(nn):
    convolution = [nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2)]
    return [*convolution, nn.Flatten(), nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10)]


def _normed(nn, convolution):
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def vgg_small(nn):
    layers = []
    for channels, filters in ((3, 32), (32, 64), (64, 128)):
        layers += _normed(nn, nn.Conv2d(channels, filters, 3, padding=1))
        layers += [*_normed(nn, nn.Conv2d(filters, filters, 3, padding=1)), nn.MaxPool2d(2)]
    return [*layers, nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10)]


def resnet20(nn):
    def convolution(channels, filters, kernel=3, stride=1):
        return nn.Conv2d(channels, filters, kernel, stride=stride, padding=kernel // 2, bias=False)

    layers, channels = _normed(nn, convolution(3, 16)), 16
    for filters in (16, 32, 64):
        for block in range(3):
            stride = 2 if block == 0 and filters > 16 else 1
            body = [*_normed(nn, convolution(channels, filters, 3, stride)), *_normed(nn, convolution(filters, filters))[:2]]
            beside = [convolution(channels, filters, 1, stride), nn.BatchNorm2d(filters)] if filters != channels else None
            layers += [nn.Residual(nn.Sequential(*body), beside and nn.Sequential(*beside)), nn.ReLU()]
            channels = filters
    return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]


def mobile(nn):
    layers, channels = _normed(nn, nn.Conv2d(3, 32, 3, padding=1, bias=False)), 32
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        layers += _normed(nn, nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False))
        layers += _normed(nn, nn.Conv2d(channels, filters, 1, bias=False))
        channels = filters
    return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def signals(nn):
    layers = []
    for channels, filters in ((6, 32), (32, 64), (64, 64)):
        layers += [nn.Conv1d(channels, filters, 5, padding=2), nn.BatchNorm1d(filters), nn.ReLU(), nn.MaxPool1d(2)]
    return [*layers, nn.Flatten(), nn.Linear(64 * 16, 6)]


def xor(nn):
    return [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)]


WORKLOADS = {
    "mlp": Workload(perceptron(784, 256, 128, 10), (784,), 128, SGD),
    "mlp_wide": Workload(perceptron(784, 2048, 2048, 10), (784,), 32, SGD),
    "autoencoder": Workload(perceptron(784, 256, 64, 256, 784), (784,), 128, ADAM, loss="MSELoss"),
    "stride_cnn": Workload(stride_cnn, (1, 28, 28), 64, SGD),
    "lenet": Workload(lenet, (1, 28, 28), 128, ADAM),
    "simple_convnet": Workload(simple_convnet, (1, 28, 28), 100, ADAM),
    "signals_1d": Workload(signals, (6, 128), 64, ADAM, classes=6),
    "vgg_small": Workload(vgg_small, (3, 32, 32), 128, SGD),
    "resnet20": Workload(resnet20, (3, 32, 32), 128, SGD),
    "mobile": Workload(mobile, (3, 32, 32), 128, SGD),
    "xor": Workload(xor, (2,), 4, SGD, classes=2),
}


# --- in the workers


def data(load, batch):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *load.shape), dtype=np.float32)
    return x, x if load.loss == "MSELoss" else rng.integers(0, load.classes, batch)


def fastnn_call(load, batch, predict):
    import fastnn as fnn

    network = fnn.Sequential(*load.layers(fnn))
    x, y = data(load, batch)
    name, options = load.optimizer
    trainer = fnn.Trainer(network, getattr(fnn, load.loss)(), getattr(fnn, name)(**options))
    return (lambda: network.predict(x, batch_size=batch)) if predict else (lambda: trainer.step(x, y))


def torch_call(load, batch, predict, layout="contiguous_format"):
    import torch

    class Residual(torch.nn.Module):
        def __init__(self, body, shortcut):
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x):
            return self.body(x) + (x if self.shortcut is None else self.shortcut(x))

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.nn.Residual = Residual
    network = torch.nn.Sequential(*load.layers(torch.nn))
    x, y = map(torch.from_numpy, data(load, batch))
    if x.ndim == 4:
        network, x = (thing.to(memory_format=getattr(torch, layout)) for thing in (network, x))
    name, options = load.optimizer
    loss, optimizer = getattr(torch.nn, load.loss)(), getattr(torch.optim, name)(network.parameters(), fused=True, **options)
    if predict:
        network.eval()

    def step():
        optimizer.zero_grad(set_to_none=True)
        value = loss(network(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    @torch.inference_mode()
    def prediction():
        return network(x)

    return prediction if predict else step


def channels_last_call(load, batch, predict):
    return torch_call(load, batch, predict, "channels_last")


ENGINES = {"fastnn": fastnn_call, "PyTorch": torch_call, "PyTorch, channels last": channels_last_call}


def serve(connection, engine, name, batch, predict):
    """Answer each number of seconds with the samples per second in that time, until None comes."""
    call = ENGINES[engine](WORKLOADS[name], batch, predict)
    for seconds in iter(connection.recv, None):
        repeat(call, seconds / 10)
        connection.send(repeat(call, seconds) * batch)


def repeat(call, seconds):
    """Call for some time; returns calls per second."""
    calls, start = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return calls / elapsed


# --- in the process that measures


class Worker:
    """A process that answers how fast an engine is."""

    def __init__(self, *job):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, *job), daemon=True)
        self.process.start()
        other.close()

    def rate(self, seconds):
        self.connection.send(seconds)
        return self.connection.recv()

    def end(self):
        if self.process.is_alive():
            self.connection.send(None)
            self.process.join(5)
        self.process.terminate()


def measure(name, batch, predict, engines, rounds, seconds):
    """Samples per second of each engine, round by round: dict of lists."""
    workers = {engine: Worker(engine, name, batch, predict) for engine in engines}
    try:
        for worker in workers.values():
            worker.rate(seconds / 2)
        found = {engine: [] for engine in engines}
        for _ in range(rounds):
            for engine, worker in workers.items():
                found[engine].append(worker.rate(seconds))
        return found
    finally:
        for worker in workers.values():
            worker.end()


def flops_of(load, predict):
    """Floating-point operations for one sample."""
    import fastnn as fnn

    rows = fnn.Sequential(*load.layers(fnn)).summary(load.shape).rows
    macs = [row["macs"] for row in rows if row["macs"]]
    return 2 * (sum(macs) if predict else 3 * sum(macs) - macs[0])


def figures(name, batch, predict, rates):
    """What the table and the JSON file say about a network."""
    medians = {engine: statistics.median(values) for engine, values in rates.items()}
    found = {"network": name, "batch": batch, "fastnn": medians["fastnn"]}
    found["gflops"] = flops_of(WORKLOADS[name], predict) * medians["fastnn"] / 1e9
    peers = [engine for engine in rates if engine != "fastnn"]
    if peers:
        best = max(peers, key=medians.get)
        ratios = [mine / other for mine, other in zip(rates["fastnn"], rates[best])]
        found |= {"peer": best, "peer_rate": medians[best], "ratio": statistics.median(ratios)}
        found |= {"ratio_min": min(ratios), "ratio_max": max(ratios)}
    return found


def peak_gflops(threads):
    """What the machine can do at most, best of a few attempts."""
    from fastnn.kernels.lanes import peak

    return max(peak.measure.__wrapped__(np.dtype(np.float32), threads)[0] for _ in range(5))


def table(results, peak):
    header = ["network", "batch", "fastnn, samples/s", "GFLOP/s", "of peak"]
    if "ratio" in results[0]:
        header += ["PyTorch, samples/s", "ratio"]
    rows = []
    for r in results:
        row = [r["network"], str(r["batch"]), f"{r['fastnn']:,.0f}", f"{r['gflops']:,.1f}", f"{r['gflops'] / peak:.0%}"]
        if "ratio" in r:
            row += [f"{r['peer_rate']:,.0f}", f"**{r['ratio']:.2f}** [{r['ratio_min']:.2f} .. {r['ratio_max']:.2f}]"]
        rows.append(row)
    return markdown(header, rows)


def main():
    import fastnn

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--predict", action="store_true", help="predictions instead of training steps")
    parser.add_argument("--batch", type=int, help="instead of the network's own")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--threads", type=int, default=fastnn.num_threads())
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--write", nargs="+", metavar="FILE", default=(), help="documents: replace their table")
    arguments = parser.parse_args()
    unknown = set(arguments.networks) - set(WORKLOADS)
    if unknown:
        parser.error(f"unknown networks: {', '.join(sorted(unknown))}")

    warn_if_busy()
    threads, with_torch = str(arguments.threads), has_torch() and not arguments.alone
    glibc = {f"MALLOC_{name}_": str(size) for name, size in KEEP_LARGE_BLOCKS.items()}
    os.environ |= {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads, **glibc}
    results = []
    for name in arguments.networks or WORKLOADS:
        load = WORKLOADS[name]
        batch = arguments.batch or load.batch
        engines = list(ENGINES)[: 1 if not with_torch else 3 if len(load.shape) == 3 else 2]
        rates = measure(name, batch, arguments.predict, engines, arguments.rounds, arguments.seconds)
        results.append(figures(name, batch, arguments.predict, rates))
        print(f"{name}: {results[-1]['fastnn']:,.0f} samples/s", file=sys.stderr, flush=True)

    peak = peak_gflops(arguments.threads)
    command = shlex.join(["python", "tools/measure_training.py", *sys.argv[1:]])
    where = machine(arguments.threads, *([("PyTorch", "torch")] if with_torch else []))
    text = f"{table(results, peak)}\n\n`{command}`: {where}. Peak: {peak:,.0f} GFLOP/s."
    print(text)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": where, "peak_gflops": peak, "results": results}, file, indent=1)
    section = ("predict" if arguments.predict else "train") + (f" batch {arguments.batch}" if arguments.batch else "")
    for document in arguments.write:
        write_section(document, section, text)


if __name__ == "__main__":
    main()
