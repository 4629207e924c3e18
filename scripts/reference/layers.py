#!/usr/bin/env python3
"""Outputs of every layer, from PyTorch in float64.

    pip install torch safetensors numpy
    python3 scripts/reference/layers.py

Writes crates/saltflat-models/tests/fixtures/layers.safetensors with, for each case, `CASE/x`, `CASE/y` and the layer's
tensors `CASE/weight`, `CASE/bias`, ...; after a training step of batch normalisation `CASE/after/running_mean` and
`CASE/after/running_var`.
"""

import torch
from definitions import ACTIVATIONS, FixupShortcut
from networks import FIXTURES, randomise
from safetensors.torch import save_file
from torch import nn

EVEN, ODD = [2, 3, 6, 8], [2, 3, 7, 9]

# 0 and both sides of it; 20, above which PyTorch's own softplus is x; 40, where e^-x is lost beside 1; 100, where e^x
# overflows in float32.
POSITIVE = [1e-3, 0.1, 0.75, 1.5, 3, 8, 19.5, 20.5, 40, 100]
POINTS = [-x for x in reversed(POSITIVE)] + [0] + POSITIVE


class Bias(nn.Module):
    """One number added everywhere (Fixup)."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.bias


class Scale(nn.Module):
    """One number that multiplies everything (Fixup)."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.scale


def cases():
    """name: (layer, shape of x)."""

    def conv(outputs, kernel, stride, padding, bias=False):
        return nn.Conv2d(3, outputs, kernel, stride=stride, padding=padding, bias=bias)

    return {
        "linear": (nn.Linear(7, 5), [4, 7]),
        "linear_no_bias": (nn.Linear(7, 5, bias=False), [4, 7]),
        "conv_3x3": (conv(4, 3, 1, 1), EVEN),
        "conv_3x3_odd": (conv(4, 3, 1, 1, bias=True), ODD),
        "conv_3x3_stride_2": (conv(4, 3, 2, 1), EVEN),
        "conv_3x3_stride_2_odd": (conv(4, 3, 2, 1, bias=True), ODD),
        "conv_1x1_stride_2": (conv(5, 1, 2, 0), EVEN),
        "conv_1x1_stride_2_odd": (conv(5, 1, 2, 0), ODD),
        "conv_5x5": (conv(4, 5, 1, 2, bias=True), EVEN),
        "conv_5x5_odd": (conv(4, 5, 1, 2, bias=True), ODD),
        "group_norm_4_groups": (nn.GroupNorm(4, 12), [2, 12, 3, 5]),
        "group_norm_1_group": (nn.GroupNorm(1, 6), [2, 6, 3, 5]),
        "group_norm_6_groups": (nn.GroupNorm(6, 6), [2, 6, 3, 5]),
        "batch_norm_eval": (nn.BatchNorm2d(3).eval(), [4, 3, 3, 5]),
        "batch_norm_train": (nn.BatchNorm2d(3).train(), [4, 3, 3, 5]),
        "max_pool": (nn.MaxPool2d(2), EVEN),
        "max_pool_odd": (nn.MaxPool2d(2), ODD),
        "avg_pool": (nn.AvgPool2d(2), EVEN),
        "avg_pool_odd": (nn.AvgPool2d(2), ODD),
        "global_avg_pool": (nn.AdaptiveAvgPool2d(1), ODD),
        "bias": (Bias(), EVEN),
        "scale": (Scale(), EVEN),
        "fixup_shortcut": (FixupShortcut(), EVEN),
        "fixup_shortcut_odd": (FixupShortcut(), ODD),
        **{f"activation_{name}": (activation(), None) for name, activation in ACTIVATIONS.items()},
    }


def tensors_of(layer, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    randomise(layer, generator)

    def state():
        return {n: t.clone() for n, t in layer.state_dict().items() if n != "num_batches_tracked"}

    before = state()
    x = torch.tensor(POINTS).reshape(1, 1, 3, 7) if shape is None else 0.5 + torch.randn(shape, generator=generator)
    with torch.no_grad():
        y = layer(x)
    tensors = {"x": x, "y": y.clone().contiguous(), **before}
    if isinstance(layer, nn.BatchNorm2d) and layer.training:
        tensors.update({f"after/{n}": t for n, t in state().items() if n.startswith("running")})
    return tensors


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path = FIXTURES / "layers.safetensors"
    found = {}
    for seed, (name, (layer, shape)) in enumerate(cases().items()):
        tensors = tensors_of(layer, shape, seed)
        assert all(t.dtype == torch.float64 and t.isfinite().all() for t in tensors.values()), name
        found.update({f"{name}/{key}": t for key, t in tensors.items()})
        print(name, ", ".join(f"{key} {list(t.shape)}" for key, t in tensors.items()))
    save_file(found, path, metadata={"source": f"scripts/reference/layers.py, PyTorch {torch.__version__}"})
    path.chmod(0o644)
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
