#!/usr/bin/env python3
"""Cut the shipped samples out of the official MNIST and CIFAR-10 files.

    python3 scripts/cut_datasets.py OFFICIAL OUT

OFFICIAL holds `mnist/` (the four IDX files, gzip) and `cifar10/` (the six binary batches); OUT is `crates/saltflat-data/datasets/`.
Kept are the first samples of each class in the official order, in that order. Standard library only.
The same input gives the same records; the bytes of a .gz may differ under another version of zlib.
"""

import gzip
import hashlib
import pathlib
import struct
import sys

# The official content (of MNIST decompressed).
OFFICIAL = {
    "mnist/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "mnist/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "cifar10/data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "cifar10/data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "cifar10/data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "cifar10/data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "cifar10/data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "cifar10/test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
CIFAR_RECORD = 1 + 3 * 32 * 32


def read(folder, name):
    """The content of an official file, plain or gzip, after its checksum held."""
    path = folder / name
    data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(path.name + ".gz").read_bytes())
    found = hashlib.sha256(data).hexdigest()
    if found != OFFICIAL[name]:
        sys.exit(f"{path}: SHA-256 is {found}, expected {OFFICIAL[name]}")
    return data


def write(path, data):
    """A gzip file with no name and no time in its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def first_of_each_class(labels, per_class):
    """Positions of the first `per_class` samples of each class, ascending."""
    seen, kept = {}, []
    for i, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= per_class:
            kept.append(i)
    return kept


def mnist(official, out, prefix, per_class):
    labels = read(official, f"mnist/{prefix}-labels-idx1-ubyte")[8:]
    images = read(official, f"mnist/{prefix}-images-idx3-ubyte")[16:]
    kept = first_of_each_class(labels, per_class)
    write(out / f"mnist-1k/{prefix}-labels-idx1-ubyte.gz",
          struct.pack(">II", 0x801, len(kept)) + bytes(labels[i] for i in kept))
    write(out / f"mnist-1k/{prefix}-images-idx3-ubyte.gz",
          struct.pack(">IIII", 0x803, len(kept), 28, 28) + b"".join(images[i * 784:(i + 1) * 784] for i in kept))


def cifar10(official, out, names, target, per_class):
    data = b"".join(read(official, f"cifar10/{name}") for name in names)
    records = [data[i:i + CIFAR_RECORD] for i in range(0, len(data), CIFAR_RECORD)]
    kept = first_of_each_class([record[0] for record in records], per_class)
    write(out / f"cifar10-1k/{target}.gz", b"".join(records[i] for i in kept))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    official, out = map(pathlib.Path, sys.argv[1:])
    mnist(official, out, "train", 100)
    mnist(official, out, "t10k", 100)
    cifar10(official, out, [f"data_batch_{i}.bin" for i in range(1, 6)], "data_batch.bin", 100)
    cifar10(official, out, ["test_batch.bin"], "test_batch.bin", 50)
    files = sorted([*out.glob("mnist-1k/*.gz"), *out.glob("cifar10-1k/*.gz")])
    sums = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(out).as_posix()}\n" for f in files]
    (out / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
