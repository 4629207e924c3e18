#!/usr/bin/env python3
"""Standard deviations and bounds of PyTorch's initialisation schemes.

    pip install torch safetensors numpy
    python3 scripts/reference/init.py

Writes crates/saltflat-models/tests/fixtures/init.json: for one convolution and one linear layer the `std` of each
normal and the `bound` of each uniform scheme, from the formulas of torch.nn.init with its own gains and fans. Each is
checked here against what torch.nn.init draws.
"""

import json
import math

import torch
from networks import FIXTURES
from torch import nn
from torch.nn import init

DRAWS = 400
GAINS = ["linear", "tanh", "relu"]


def schemes(layer):
    """name: (std or bound, its value, tensor that `fill` fills, fill)."""
    fan_in, fan_out = init._calculate_fan_in_and_fan_out(layer.weight)
    relu, default = init.calculate_gain("relu"), init.calculate_gain("leaky_relu", math.sqrt(5))
    both = fan_in + fan_out
    weight = layer.weight

    def normal(mode):
        return lambda: init.kaiming_normal_(weight, mode=mode, nonlinearity="relu")

    def uniform(mode):
        return lambda: init.kaiming_uniform_(weight, mode=mode, nonlinearity="relu")

    return {
        "kaiming_normal_fan_in": ("std", relu / math.sqrt(fan_in), weight, normal("fan_in")),
        "kaiming_normal_fan_out": ("std", relu / math.sqrt(fan_out), weight, normal("fan_out")),
        "kaiming_uniform_fan_in": ("bound", relu * math.sqrt(3 / fan_in), weight, uniform("fan_in")),
        "kaiming_uniform_fan_out": ("bound", relu * math.sqrt(3 / fan_out), weight, uniform("fan_out")),
        "xavier_normal": ("std", math.sqrt(2 / both), weight, lambda: init.xavier_normal_(weight)),
        "xavier_uniform": ("bound", math.sqrt(6 / both), weight, lambda: init.xavier_uniform_(weight)),
        # reset_parameters: kaiming_uniform_(weight, a=sqrt(5)), whose bound is 1/sqrt(fan_in); the bias the same.
        "default_weight": ("bound", default * math.sqrt(3 / fan_in), weight, layer.reset_parameters),
        "default_bias": ("bound", 1 / math.sqrt(fan_in), layer.bias, layer.reset_parameters),
    }


def assert_drawn(name, kind, value, tensor, fill):
    """The draws have this second moment within 5 standard errors, and reach up to the bound but never beyond."""
    drawn = []
    for _ in range(DRAWS):
        fill()
        drawn.append(tensor.detach().flatten().clone())
    drawn = torch.cat(drawn)
    # Var x^2: 2 std^4 for a normal, (1/5 - 1/9) bound^4 for a uniform distribution.
    expected, variance = (value**2, 2 * value**4) if kind == "std" else (value**2 / 3, (1 / 5 - 1 / 9) * value**4)
    error = math.sqrt(variance / drawn.numel())
    assert abs(drawn.square().mean() - expected) < 5 * error, f"{name}: second moment"
    largest = drawn.abs().max().item()
    if kind == "bound":
        assert 0.999 * value < largest <= value * (1 + 1e-12), f"{name}: largest {largest}, bound {value}"
    else:
        assert largest > 3 * value, f"{name}: no tail"


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    out = {"gains": {name: init.calculate_gain(name) for name in GAINS}}
    for name, layer in {"conv": nn.Conv2d(8, 16, 3), "linear": nn.Linear(24, 32)}.items():
        fan_in, fan_out = init._calculate_fan_in_and_fan_out(layer.weight)
        entry = {"shape": list(layer.weight.shape), "fan_in": fan_in, "fan_out": fan_out}
        for scheme, (kind, value, tensor, fill) in schemes(layer).items():
            assert_drawn(f"{name} {scheme}", kind, value, tensor, fill)
            entry[scheme] = {kind: value}
        out[name] = entry
    text = json.dumps(out, indent=2)
    (FIXTURES / "init.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
