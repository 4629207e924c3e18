#!/usr/bin/env python3
"""Outputs of every kind of network, from PyTorch in float64.

    pip install torch safetensors numpy
    python3 scripts/reference/networks.py

Writes into crates/saltflat-models/tests/fixtures:
  networks/NAME.toml          the `[model]` section
  networks/NAME.safetensors   `inputs` (3 samples), `logits`, and the state_dict under `state/...`; with batch
                              normalisation also `logits_train` (a training step's) and the running statistics
                              after it under `after/...`. float64, but for `num_batches_tracked` (int64).
  parameter_counts.json       numbers of trained parameters of the networks in their standard sizes
No tensor is at a value that could hide a mistake: biases are not 0, scales not 1, running statistics not 0 and 1.
"""

import json
import pathlib

import torch
from definitions import build, parameter_count
from safetensors.torch import save_file

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "crates/saltflat-models/tests/fixtures"
SOURCE = {"source": f"scripts/reference/networks.py, PyTorch {torch.__version__}"}


def mlp(hidden, outputs, **options):
    return {"kind": "mlp", "hidden": hidden, **options, "outputs": outputs}


def vgg(depth, width, outputs, hidden=(), **options):
    return {"kind": "vgg", "depth": depth, "width": width, "hidden": list(hidden), **options, "outputs": outputs}


def resnet(width, blocks, **options):
    return {"kind": "resnet", "width": width, "blocks": blocks, **options, "outputs": 10}


def fixup(depth, width, **options):
    return {"kind": "resnet-fixup", "depth": depth, "width": width, **options, "outputs": 10}


def group(channels_per_group):
    return {"norm": "group", "channels_per_group": channels_per_group}


RELU = {"activation": "relu"}

# name: (model, shape of a sample)
NETWORKS = {
    "mlp-relu": (mlp([8, 6], 4, activation="relu"), [7]),
    "mlp-gelu": (mlp([8, 6], 4, activation="gelu"), [7]),
    "mlp-silu": (mlp([8, 6], 4, activation="silu"), [7]),
    "mlp-softplus": (mlp([8, 6], 4, activation="softplus"), [7]),
    "mlp-tanh": (mlp([8, 6], 4, activation="tanh"), [2, 4, 5]),
    "mlp-identity": (mlp([8, 6], 4, activation="identity"), [7]),
    "linear-net": ({"kind": "linear-net", "hidden": [6, 5], "outputs": 3}, [7]),
    "random-features": ({"kind": "random-features", "features": 12, **RELU, "outputs": 2}, [6]),
    "lenet": ({"kind": "lenet", "width": 4, **RELU, "outputs": 4}, [1, 14, 13]),
    "vgg11": (vgg(11, 2, 5, norm="none", **RELU), [3, 32, 32]),
    "vgg13-group": (vgg(13, 2, 5, [6], **group(2), **RELU), [3, 32, 32]),
    "resnet-group": (resnet(8, [1, 1], **group(4), **RELU), [3, 16, 16]),
    "resnet-none": (resnet(8, [1, 1], norm="none", **RELU), [3, 16, 16]),
    "resnet-batch": (resnet(8, [1, 1], norm="batch", **RELU), [3, 16, 16]),
    "resnet-fixup": (fixup(8, 4, **RELU), [3, 16, 16]),
}

# Standard sizes; only their parameters are counted.
STANDARD = {
    "mlp-784-512-512-10": (mlp([512, 512], 10, **RELU), [1, 28, 28]),
    "linear-net-50-50-50": ({"kind": "linear-net", "hidden": [50, 50, 50], "outputs": 1}, [50]),
    "random-features-2000": ({"kind": "random-features", "features": 2000, **RELU, "outputs": 1}, [10]),
    "lenet-16": ({"kind": "lenet", "width": 16, **RELU, "outputs": 10}, [1, 28, 28]),
    "vgg11": (vgg(11, 64, 10, norm="none", **RELU), [3, 32, 32]),
    "vgg16-group-4096": (vgg(16, 64, 10, [4096, 4096], **group(32), **RELU), [3, 32, 32]),
    "vgg19-batch": (vgg(19, 64, 10, norm="batch", **RELU), [3, 32, 32]),
    "resnet18-group": (resnet(64, [2, 2, 2, 2], **group(32), **RELU), [3, 32, 32]),
    "resnet18-none": (resnet(64, [2, 2, 2, 2], norm="none", **RELU), [3, 32, 32]),
    "resnet-fixup-20": (fixup(20, 16, **RELU), [3, 32, 32]),
    "resnet-fixup-110": (fixup(110, 16, **RELU), [3, 32, 32]),
}


def randomise(network, generator):
    """Weights N(0, 2/fan_in), scales N(1, 0.2²), biases and running means N(0, 0.3²), running variances on [0.5, 2]."""

    def normal(t):
        return torch.randn(t.shape, generator=generator)

    with torch.no_grad():
        for name, t in network.state_dict().items():
            if t.dim() >= 2:
                t.copy_(normal(t) * (2 / t[0].numel()) ** 0.5)
            elif name.endswith("num_batches_tracked"):
                t.fill_(7)
            elif name.endswith("running_var"):
                t.copy_(0.5 + 1.5 * torch.rand(t.shape, generator=generator))
            elif name.endswith(("weight", "scale")):
                t.copy_(1 + 0.2 * normal(t))
            else:
                t.copy_(0.3 * normal(t))


def assert_nothing_hides(name, network, inputs):
    """Every parameter tensor moves the outputs, and the outputs tell the samples apart."""
    logits = network(inputs)
    assert logits.std(0).max() > 0.05 * logits.abs().max(), f"{name}: the samples look alike"
    parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(logits.square().sum(), parameters.values())
    for parameter, g in zip(parameters, gradients):
        assert g.abs().max() > 1e-3, f"{name}: {parameter} has no influence"


def state(network, names=None):
    return {n: t.clone().contiguous() for n, t in network.state_dict().items() if names is None or n.endswith(names)}


def fixture(name, model, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    network = build(model, shape).eval()
    randomise(network, generator)
    inputs = torch.randn([3, *shape], generator=generator)
    assert_nothing_hides(name, network, inputs)
    tensors = {"inputs": inputs, **{f"state/{n}": t for n, t in state(network).items()}}
    with torch.no_grad():
        tensors["logits"] = network(inputs)
        if model.get("norm") == "batch":
            tensors["logits_train"] = network.train()(inputs)
            running = state(network, ("running_mean", "running_var"))
            tensors.update({f"after/{n}": t for n, t in running.items()})
    return tensors


def toml(model):
    """TOML's strings, integers and arrays of integers are written as JSON's."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in model.items()]
    return "\n".join(["# Written by scripts/reference/networks.py", "[model]", *lines, ""])


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    folder = FIXTURES / "networks"
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (model, shape)) in enumerate(NETWORKS.items()):
        path = folder / f"{name}.safetensors"
        save_file(fixture(name, model, shape, seed), path, metadata=SOURCE)
        path.chmod(0o644)
        (folder / f"{name}.toml").write_text(toml(model))
        print(f"{path.stat().st_size:8} {path.name}")

    counts = []
    for name, (model, shape) in STANDARD.items():
        with torch.device("meta"):
            count = parameter_count(build(model, shape))
        counts.append({"name": name, "model": model, "shape": shape, "parameters": count})
        print(f"{count:12,} parameters: {name}")
    rows = ",\n  ".join(json.dumps(row) for row in counts)
    (FIXTURES / "parameter_counts.json").write_text(f"[\n  {rows}\n]\n")


if __name__ == "__main__":
    main()
