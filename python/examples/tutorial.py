"""The network of PyTorch's tutorial "Training a Classifier", trained on 1,000 images of CIFAR-10, and how sharp its loss is on the way.

    pip install "./python[torch,pandas,plot]"
    python python/examples/tutorial.py --plot flatness.svg

The images lie in ``crates/saltflat-data/datasets/cifar10-1k`` of a checkout of Saltflat; nothing is downloaded. Network, learning rate, momentum and batch size are
those of https://docs.pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html.
"""

import argparse
import gzip
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim

import saltflat

DATA = pathlib.Path(__file__).resolve().parents[2] / "crates/saltflat-data/datasets/cifar10-1k"
LR, MOMENTUM, BATCH = 0.001, 0.9, 4
BLUE, ORANGE = "#0072B2", "#D55E00"  # Okabe and Ito: told apart by colour-blind readers.
LINE = (
    "epoch {epoch:3}: loss {loss:.3f}, accuracy {accuracy:.3f}, test {test_accuracy:.3f}, tr H {trace:.1f} ± {error:.1f}, "
    "largest eigenvalue {largest:.2f}"
)


class Net(nn.Module):
    """As in the tutorial."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def images(name):
    """Images [n, 3, 32, 32] between -1 and 1, as the tutorial normalises them, and labels [n]."""
    records = np.frombuffer(gzip.decompress((DATA / name).read_bytes()), dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    pixels = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255
    return (pixels - 0.5) / 0.5, torch.from_numpy(records[:, 0].astype(np.int64))


def train_epoch(net, criterion, optimizer, inputs, labels):
    """One pass over the images in random order."""
    for chosen in torch.randperm(len(inputs)).split(BATCH):
        optimizer.zero_grad()
        criterion(net(inputs[chosen]), labels[chosen]).backward()
        optimizer.step()


def accuracy(net, inputs, labels):
    """Part of the images that are classified rightly."""
    with torch.no_grad():
        return float((net(inputs).argmax(1) == labels).float().mean())


def sharpness(net, criterion, inputs, labels):
    """The loss on the training images with the trace and the largest eigenvalue of its Hessian; not all, since it is measured again and again."""
    result = saltflat.measure(
        net, inputs, labels, loss=criterion, metrics=["evaluate", "trace_hessian", "eigenvalues"], quiet=True,
        settings={"metrics.eigenvalues.largest": 1, "metrics.eigenvalues.smallest": 0},
    )  # fmt: skip
    trace, error = result["trace_hessian"], result.errors["trace_hessian"]
    return {"loss": result["loss"], "accuracy": result["accuracy"], "trace": trace, "error": error, "largest": result["top_eigenvalues.0"]}


def plot(rows, file):
    """The accuracies and the sharpness against the epoch."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "saltflat", "font.size": 9, "svg.fonttype": "none"})
    import matplotlib.pyplot as plt

    epochs = [row["epoch"] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.9), layout="constrained")
    left.plot(epochs, [row["accuracy"] for row in rows], "o-", color=BLUE, ms=3, lw=1.2, label="training images")
    left.plot(epochs, [row["test_accuracy"] for row in rows], "s--", color=ORANGE, ms=3, lw=1.2, label="test images")
    left.set(xlabel="epoch", ylim=(0, 1.05), title="accuracy")
    trace, errors = [row["trace"] for row in rows], [row["error"] for row in rows]
    right.errorbar(epochs, trace, yerr=errors, fmt="o-", color=BLUE, ms=3, lw=1.2, capsize=2, label="tr H, ± one standard error")
    right.plot(epochs, [row["largest"] for row in rows], "s--", color=ORANGE, ms=3, lw=1.2, label="largest eigenvalue")
    right.set(xlabel="epoch", yscale="log", title="sharpness")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")


def main():
    """Trains, measures every few epochs, and prints what the last measurement found."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--epochs", type=int, default=60)
    arguments.add_argument("--every", type=int, default=5, help="epochs between measurements")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--plot", help="writes the figure to this file; needs matplotlib")
    options = arguments.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(1)  # Batches of four images are too small to be shared out.
    inputs, labels = images("data_batch.bin.gz")
    test_inputs, test_labels = images("test_batch.bin.gz")
    net, criterion = Net(), nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM)

    rows = []
    for epoch in range(options.epochs + 1):
        if epoch > 0:
            train_epoch(net, criterion, optimizer, inputs, labels)
        if epoch % options.every == 0 or epoch == options.epochs:
            rows.append({"epoch": epoch, "test_accuracy": accuracy(net, test_inputs, test_labels), **sharpness(net, criterion, inputs, labels)})
            print(LINE.format(**rows[-1]), flush=True)

    # All that there is to know of the trained network, in one call.
    result = saltflat.measure(net, inputs, labels, loss=criterion, lr=LR, momentum=MOMENTUM, batch_size=BATCH, quiet=True)
    print(f"\n{result}")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
