#!/usr/bin/env python3
"""Loads the fixtures back and computes them again; compares the definitions with torchvision's networks.

    pip install torch torchvision safetensors numpy
    python3 scripts/reference/check.py
"""

import json
import tomllib

import torch
import torchvision
from definitions import Resnet, Vgg, build, parameter_count
from layers import cases
from networks import FIXTURES, randomise
from safetensors.torch import load_file
from torch import nn

TOLERANCE = 1e-12  # float64; the order of summation may change with the number of threads
LIMIT = 1_500_000  # bytes, all fixtures together


def assert_same(name, a, b):
    assert a.shape == b.shape and a.dtype == b.dtype, f"{name}: {a.shape} {a.dtype}, {b.shape} {b.dtype}"
    difference = (a - b).abs().max().item()
    assert difference <= TOLERANCE * max(1.0, b.abs().max().item()), f"{name}: off by {difference}"


def below(tensors, prefix):
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def check_network(path):
    model = tomllib.loads(path.read_text())["model"]
    tensors = load_file(path.with_suffix(".safetensors"))
    network = build(model, list(tensors["inputs"].shape[1:])).eval()
    network.load_state_dict(below(tensors, "state/"))
    assert_same(path.stem, network(tensors["inputs"]), tensors["logits"])
    if "logits_train" in tensors:
        assert_same(f"{path.stem} in training", network.train()(tensors["inputs"]), tensors["logits_train"])
        for name, after in below(tensors, "after/").items():
            assert_same(name, network.state_dict()[name], after)


def check_layers():
    tensors = load_file(FIXTURES / "layers.safetensors")
    for name, (layer, _) in cases().items():
        found = below(tensors, f"{name}/")
        stored = {key: t for key, t in found.items() if key not in ("x", "y") and not key.startswith("after/")}
        missing = layer.load_state_dict(stored, strict=False)
        assert not missing.unexpected_keys and set(missing.missing_keys) <= {"num_batches_tracked"}, missing
        assert_same(name, layer(found["x"]), found["y"])
        for key, after in below(found, "after/").items():
            assert_same(f"{name} {key}", layer.state_dict()[key], after)


def check_same_network(name, ours, theirs, shape):
    """Same names and shapes of all tensors, same outputs from the same tensors."""
    shapes = [{n: t.shape for n, t in network.state_dict().items()} for network in (ours, theirs)]
    assert shapes[0] == shapes[1], f"{name}: {shapes[0].items() ^ shapes[1].items()}"
    generator = torch.Generator().manual_seed(0)
    randomise(theirs, generator)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn([2, *shape], generator=generator)
    assert_same(name, ours.eval()(x), theirs.eval()(x))


def check_against_torchvision():
    for depth in [11, 13, 16, 19]:
        for suffix, norm in [("", "none"), ("_bn", "batch")]:
            theirs = getattr(torchvision.models, f"vgg{depth}{suffix}")(num_classes=5)
            theirs.avgpool = nn.AdaptiveAvgPool2d(1)
            theirs.classifier[0] = nn.Linear(512, 4096)
            ours = Vgg(3, depth, 64, 5, hidden=[4096, 4096], norm=norm)
            check_same_network(f"vgg{depth}{suffix}", ours, theirs, [3, 32, 48])
    for norm, layer in [("batch", nn.BatchNorm2d), ("group", lambda c: nn.GroupNorm(c // 32, c))]:
        theirs = torchvision.models.resnet18(num_classes=10, norm_layer=layer)
        theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        theirs.maxpool = nn.Identity()
        ours = Resnet(3, 64, [2, 2, 2, 2], 10, norm=norm, channels_per_group=32)
        check_same_network(f"resnet18 {norm}", ours, theirs, [3, 32, 24])


def main():
    torch.set_default_dtype(torch.float64)
    paths = sorted((FIXTURES / "networks").glob("*.toml"))
    assert len(paths) == len(list((FIXTURES / "networks").glob("*.safetensors"))) > 0
    for path in paths:
        check_network(path)
    check_layers()
    for row in json.loads((FIXTURES / "parameter_counts.json").read_text()):
        with torch.device("meta"):
            assert parameter_count(build(row["model"], row["shape"])) == row["parameters"], row["name"]
    check_against_torchvision()
    size = sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file())
    assert size < LIMIT, f"{size} bytes of fixtures"
    print(f"{len(paths)} networks and {len(cases())} layers agree; {size} bytes of fixtures")


if __name__ == "__main__":
    main()
