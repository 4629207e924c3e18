#!/usr/bin/env python3
"""Batch normalisation over a whole batch and along slices, from PyTorch in float64.

    pip install torch safetensors numpy
    python3 scripts/reference/batch_norm.py          # writes the fixtures
    python3 scripts/reference/batch_norm.py --check  # compares the committed values, exit code 1 where one differs

Writes into crates/saltflat/tests/fixtures/batch_norm:
  data.safetensors   600 images of 8 bits, 1 x 4 x 4, with 3 classes
  [abc].safetensors  three points of a ResNet with batch normalisation: parameters and running statistics (float32)
  expected.json      `after_step`: running statistics of `a` after one training step on all 600 samples in one batch;
                     `loss`: in eval mode at each point; `line`: along a + t (b - a); `plane`: over the plane of b and c

The running statistics along a slice, as Saltflat defines them:
  interpolated   between the points linearly; outside they are those of the nearest point between, in the coordinates in
                 which a is (0, 0), b (1, 0) and c (0, 1)
  recomputed     `bn_update` of Izmailov et al. 2018: the means of batch mean and unbiased batch variance over consecutive
                 batches of BATCH samples, forward in training mode
"""

import json
import sys
from pathlib import Path

import torch
from definitions import build
from safetensors.torch import load_file, save_file
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
FOLDER = Path(__file__).parents[2] / "crates/saltflat/tests/fixtures/batch_norm"
MODEL = {"kind": "resnet", "width": 4, "blocks": [1], "norm": "batch", "activation": "relu", "outputs": 3}
SAMPLES, BATCH = 600, 200
STEPS = [-1.0, -0.5, 0.0, 0.5, 1.0]
TOLERANCE = 1e-12


def make():
    torch.manual_seed(20)
    FOLDER.mkdir(parents=True, exist_ok=True)
    inputs = torch.randint(0, 256, (SAMPLES, 1, 4, 4), dtype=torch.uint8)
    labels = torch.randint(0, 3, (SAMPLES,))
    save_file({"inputs": inputs, "labels": labels}, FOLDER / "data.safetensors")
    for name in "abc":
        network = build(MODEL, [1, 4, 4])
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.uniform_(-0.5, 0.5)
                    module.running_mean.uniform_(-0.5, 0.5)
                    module.running_var.uniform_(0.2, 2.0)
        state = {k: v.float() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file(state, FOLDER / f"{name}.safetensors")


def read():
    data = load_file(FOLDER / "data.safetensors")
    points = {name: {k: v.double() for k, v in load_file(FOLDER / f"{name}.safetensors").items()} for name in "abc"}
    return data["inputs"].double() / 255.0, data["labels"], points


def is_buffer(name):
    return "running_" in name


def network_at(state):
    network = build(MODEL, [1, 4, 4])
    missing = network.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys)
    return network


def recompute(network, x):
    """Mean over the batches of their means and unbiased variances: PyTorch's cumulative average, `momentum=None`."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()
    for start in range(0, len(x), BATCH):
        network(x[start : start + BATCH])


@torch.no_grad()
def loss(state, x, y, statistics="interpolated"):
    network = network_at(state)
    if statistics == "recomputed":
        recompute(network, x)
    return nn.functional.cross_entropy(network.eval()(x), y).item()


def between(u, v):
    """The nearest point of the triangle u, v >= 0, u + v <= 1."""
    x, y = max(u, 0.0), max(v, 0.0)
    if x + y <= 1.0:
        return x, y
    x = min(max(0.5 * (1.0 + u - v), 0.0), 1.0)
    return x, 1.0 - x


def moved(points, u, v):
    """a + u (b - a) + v (c - a), the buffers between."""
    a, b, c = (points[name] for name in "abc")
    x, y = between(u, v)
    weights = {k: (x, y) if is_buffer(k) else (u, v) for k in a}
    return {k: a[k] + s * (b[k] - a[k]) + t * (c[k] - a[k]) for k, (s, t) in weights.items()}


def difference(points, to):
    return torch.cat([(points[to][k] - points["a"][k]).flatten() for k in points["a"] if not is_buffer(k)])


def values():
    x, y, points = read()
    network = network_at(points["a"]).train()
    network(x)
    after = {k: v.flatten().tolist() for k, v in network.state_dict().items() if is_buffer(k)}
    d, e = difference(points, "b"), difference(points, "c")
    along = (d @ e / (d @ d)).item()
    scale = (e.norm() / (e - along * d).norm()).item()
    kinds = ["interpolated", "recomputed"]
    return {
        "steps": STEPS,
        "batch": BATCH,
        "after_step": after,
        "loss": {name: loss(points[name], x, y) for name in "abc"},
        "line": {kind: [loss(moved(points, t, 0.0), x, y, kind) for t in STEPS] for kind in kinds},
        "plane": {
            kind: [[loss(moved(points, s - t * scale * along, t * scale), x, y, kind) for s in STEPS] for t in STEPS]
            for kind in kinds
        },
    }


def flat(value):
    if isinstance(value, dict):
        return [x for key in sorted(value) for x in flat(value[key])]
    return [x for item in value for x in flat(item)] if isinstance(value, list) else [value]


def main():
    file = FOLDER / "expected.json"
    if "--check" not in sys.argv:
        make()
        file.write_text(json.dumps(values(), indent=1) + "\n")
        return 0
    ours, committed = flat(values()), flat(json.loads(file.read_text()))
    off = max(abs(a - b) for a, b in zip(ours, committed, strict=True))
    print(f"{len(ours)} values, at most {off:.1e} apart")
    return int(off > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
