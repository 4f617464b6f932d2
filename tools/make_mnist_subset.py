#!/usr/bin/env python3
"""Make the embedded subset of MNIST, fastnn/data/mnist_subset.npz, from the four files of the full set.

    python tools/make_mnist_subset.py FOLDER              write it, print its SHA-256
    python tools/make_mnist_subset.py FOLDER --check      compare it with the one that is there

600 training and 100 test digits of each class, drawn without replacement by a seeded generator, from the training and
test part of MNIST, in the order in which MNIST has them. Equal sources give equal arrays on every machine, and equal
bytes wherever zlib compresses alike.
"""

import argparse
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "fastnn" / "data" / "mnist_subset.npz"
SEED = 2024
PER_CLASS = {"train": 600, "t10k": 100}
# MD5 of the unpacked files, as published with the data set.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def read_checked(folder, name):
    """Read one file of the full set, plain or gzip; exit unless it is the published one."""
    import gzip

    plain = Path(folder, name)
    data = plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_name(name + ".gz").read_bytes())
    if hashlib.md5(data).hexdigest() != MD5[name]:
        sys.exit(f"{plain}: not the published file (MD5 differs)")
    ndim = data[3]
    shape = np.frombuffer(data, ">u4", ndim, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * ndim).reshape(shape)


def choose(labels, per_class, bits):
    """Ascending positions of `per_class` examples of each class.

    Raw output of a bit generator is the one random stream that NumPy keeps from release to release.
    """
    keys = bits.random_raw(len(labels))
    chosen = []
    for digit in range(10):
        index = np.flatnonzero(labels == digit)
        chosen.append(index[np.argsort(keys[index], kind="stable")[:per_class]])
    return np.sort(np.concatenate(chosen))


def make_arrays(folder):
    """The four arrays of the subset by name."""
    bits = np.random.PCG64(SEED)
    arrays = {}
    for part, name in (("train", "train"), ("t10k", "test")):
        images = read_checked(folder, f"{part}-images-idx3-ubyte")
        labels = read_checked(folder, f"{part}-labels-idx1-ubyte")
        index = choose(labels, PER_CLASS[part], bits)
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = images[index], labels[index]
    return arrays


def pack(arrays):
    """The arrays as the bytes of an .npz file: numpy.savez_compressed, but with every field of the archive fixed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return packed.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the four files of the full set are, plain or gzip")
    parser.add_argument("--check", action="store_true", help="compare, write nothing; exit 1 where arrays differ")
    arguments = parser.parse_args()
    arrays = make_arrays(arguments.folder)
    if arguments.check:
        with np.load(OUTPUT) as there:
            same = sorted(there) == sorted(arrays) and all(np.array_equal(there[k], arrays[k]) for k in arrays)
        print("same" if same else "different")
        return 0 if same else 1
    data = pack(arrays)
    OUTPUT.write_bytes(data)
    print(f"{OUTPUT}: {len(data)} bytes\nSHA-256 {hashlib.sha256(data).hexdigest()}   (goes into fastnn/data/mnist.py)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
