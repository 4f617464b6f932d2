#!/usr/bin/env python3
"""Peak memory of processes that train: resident megabytes, of fastnn and, where it is installed, of PyTorch.

    python tools/measure_memory.py                                all networks
    python tools/measure_memory.py lenet resnet20
    python tools/measure_memory.py --write docs/performance.md    put the table into that document

Each process imports a library, builds a network and trains it for some steps on a batch of random data, in float32, as
`measure_training.py` does, but with the allocator as it is by default. What counts is the most that was ever resident
(``ru_maxrss``), Python and libraries included; what was resident after the import is given too. A process of fastnn's runs
before the one that counts, so that no kernel is compiled in that.
"""

import argparse
import multiprocessing
import os
import resource
import shlex
import sys

import measure_training
from _tables import has_torch, machine, markdown, write_section
from measure_training import ADAM, SGD, WORKLOADS, Workload

STEPS = 5


def vgg16(normed):
    """VGG-16 for 32x32 images, with two dense layers of 512 instead of 4096."""

    def layers(nn):
        found, channels = [], 3
        for filters, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(times):
                norm = [nn.BatchNorm2d(filters)] if normed else []
                found += [nn.Conv2d(channels, filters, 3, padding=1), *norm, nn.ReLU()]
                channels = filters
            found.append(nn.MaxPool2d(2))
        head = [nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
        return [*found, nn.Flatten(), *head]

    return layers


CASES = {
    "lenet": (WORKLOADS["lenet"], 128),
    "lenet, large batch": (WORKLOADS["lenet"], 2048),
    "resnet20": (WORKLOADS["resnet20"], 128),
    "vgg16": (Workload(vgg16(False), (3, 32, 32), 128, SGD), 128),
    "vgg16, batch normalization": (Workload(vgg16(True), (3, 32, 32), 128, SGD), 128),
}


def resident():
    """The most megabytes that were resident in this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def train(connection, engine, name):
    """Send the peak after the import, and after training."""
    load, batch = CASES[name]
    __import__("fastnn" if engine == "fastnn" else "torch")
    imported = resident()
    call = measure_training.ENGINES[engine](load, batch, False)
    for _ in range(STEPS):
        call()
    connection.send((imported, resident()))


def peak_of(engine, name):
    """Megabytes after the import and at most, of a process of its own."""
    context = multiprocessing.get_context("spawn")
    connection, other = context.Pipe()
    process = context.Process(target=train, args=(other, engine, name))
    process.start()
    other.close()
    try:
        return connection.recv()
    finally:
        process.join()


def state_megabytes(load):
    """Of parameters, gradients and what the optimizer keeps."""
    import fastnn as fnn

    parameters = fnn.Sequential(*load.layers(fnn)).flat_params
    return parameters.nbytes * (4 if load.optimizer is ADAM else 3) / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of: {'; '.join(CASES)}; default: all")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--write", nargs="+", metavar="FILE", default=(), help="documents: replace their table")
    arguments = parser.parse_args()
    unknown = set(arguments.networks) - set(CASES)
    if unknown:
        parser.error(f"unknown networks: {', '.join(sorted(unknown))}")

    # What a process starts with counts as its own on some systems: nothing large is imported here before all is measured.
    os.environ |= {"OMP_NUM_THREADS": str(arguments.threads), "NUMBA_NUM_THREADS": str(arguments.threads)}
    names = arguments.networks or list(CASES)
    peers = ["PyTorch", "PyTorch, channels last"] if has_torch() and not arguments.alone else []
    found = {}
    for name in names:
        peak_of("fastnn", name)
        found[name] = [peak_of("fastnn", name)]
        if peers:
            found[name].append(min((peak_of(peer, name) for peer in peers), key=lambda pair: pair[1]))
        print(f"{name}: {found[name][0][1]:,.0f} MB", file=sys.stderr, flush=True)

    header = ["network", "batch", "parameters, gradients, optimizer", "fastnn", "of that after import"]
    header += ["PyTorch", "of that after import", "ratio"] if peers else []
    rows = []
    for name, pairs in found.items():
        load, batch = CASES[name]
        row = [name, str(batch), f"{state_megabytes(load):,.0f}"]
        for imported, peak in pairs:
            row += [f"{peak:,.0f}", f"{imported:,.0f}"]
        rows.append([*row, *([f"**{pairs[0][1] / pairs[1][1]:.2f}**"] if peers else [])])
    command = shlex.join(["python", "tools/measure_memory.py", *sys.argv[1:]])
    where = machine(arguments.threads, *([("PyTorch", "torch")] if peers else []))
    text = f"Megabytes:\n\n{markdown(header, rows)}\n\n`{command}`: {where}."
    print(text)
    for document in arguments.write:
        write_section(document, "memory", text)


if __name__ == "__main__":
    main()
