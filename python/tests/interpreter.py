"""The meaning of a list of layers, in PyTorch and independent of the exporter: what `model.toml` and weights compute.

Every activation is [n, channels, height, width]; tokens are [n, features, tokens, 1].
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

Weights = dict[str, torch.Tensor]


class Network:
    """A network from its files; a call gives the outputs [n, C] in float64."""

    def __init__(self, model: Path, weights: Path) -> None:
        section = tomllib.loads(Path(model).read_text())["model"]
        assert section.pop("kind") == "layers"
        self.outputs, self.layers = section.pop("outputs"), section.pop("layers")
        assert not section
        self.weights = {name: tensor.double() for name, tensor in load_file(weights).items()}
        self.used: list[str] = []

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        self.used = []
        x = inputs.double().reshape(*inputs.shape, *(1,) * (4 - inputs.ndim))
        x = self.sequence(self.layers, x, "")
        assert x.shape[1:] == (self.outputs, 1, 1), (x.shape, self.outputs)
        return x.flatten(1)

    def sequence(self, layers: list[Any], x: torch.Tensor, prefix: str) -> torch.Tensor:
        for i, entry in enumerate(layers):
            keys = {"kind": entry} if isinstance(entry, str) else dict(entry)
            kind, default = keys.pop("kind"), f"{prefix}{i}"
            if kind == "residual":
                main = self.sequence(keys.pop("main"), x, f"{default}.main.")
                x = main + self.sequence(keys.pop("shortcut", []), x, f"{default}.shortcut.")
            elif kind == "parallel":
                branches = [self.sequence(b, x, f"{default}.branches.{j}.") for j, b in enumerate(keys.pop("branches"))]
                x = self.join(keys.pop("join", "sum"), branches)
            else:
                tensors = Tensors(self, keys.pop("name", default), keys.pop("tensors", {}))
                x = LAYERS[kind](x, keys, tensors)
            assert not keys, f"{kind}: unknown keys {keys}"
            assert x.ndim == 4
        return x

    @staticmethod
    def join(kind: str, branches: list[torch.Tensor]) -> torch.Tensor:
        if kind == "concat":
            return torch.cat(branches, 1)
        result = branches[0]
        for other in branches[1:]:
            if kind == "sum":
                assert result.shape == other.shape
                result = result + other
            else:
                assert kind == "product" and other.shape[:2] == result.shape[:2]
                assert other.shape == result.shape or other.shape[2:] == (1, 1)
                result = result * other
        return result


class Tensors:
    """The tensors of one layer by their roles; each is used once in a network."""

    def __init__(self, network: Network, name: str, tensors: dict[str, str]) -> None:
        self.network, self.name, self.names = network, name, tensors

    def __call__(self, role: str, *shape: int) -> torch.Tensor:
        name = self.names.get(role, f"{self.name}.{role}" if role else self.name)
        assert name not in self.network.used, f"{name} is used twice"
        self.network.used.append(name)
        tensor = self.network.weights[name]
        assert tuple(tensor.shape) == shape, (name, tensor.shape, shape)
        return tensor


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def at_positions(x: torch.Tensor, function: Any) -> torch.Tensor:
    """Applies a function of the last axis to the channels at every position."""
    return function(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv2d(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    outputs, kernel, groups = keys.pop("outputs"), pair(keys.pop("kernel")), keys.pop("groups", 1)
    weight = tensors("weight", outputs, x.shape[1] // groups, *kernel)
    bias = tensors("bias", outputs) if keys.pop("bias", True) else None
    stride, padding, dilation = (pair(keys.pop(key, d)) for key, d in (("stride", 1), ("padding", 0), ("dilation", 1)))
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def linear(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    outputs, has_bias = keys.pop("outputs"), keys.pop("bias", True) and keys.pop("trained", True)
    weight = tensors("weight", outputs, x.shape[1])
    bias = tensors("bias", outputs) if has_bias else None
    return at_positions(x, lambda t: F.linear(t, weight, bias))


def group_norm(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    affine = [tensors(role, x.shape[1]) if keys.get("affine", True) else None for role in ("weight", "bias")]
    keys.pop("affine", None)
    return F.group_norm(x, keys.pop("groups"), *affine, keys.pop("eps", 1e-5))


def layer_norm(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    over, affine, has_bias, eps = (keys.pop(k, d) for k, d in (("over", "channels"), ("affine", True), ("bias", True), ("eps", 1e-5)))
    shape = x.shape[1:2] if over == "channels" else x.shape[1:]
    weight = tensors("weight", *shape) if affine else None
    bias = tensors("bias", *shape) if affine and has_bias else None
    if over == "all":
        return F.layer_norm(x, shape, weight, bias, eps)
    return at_positions(x, lambda t: F.layer_norm(t, shape, weight, bias, eps))


def rms_norm(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    over, eps = keys.pop("over", "channels"), keys.pop("eps", 1.1920929e-7)
    shape = x.shape[1:2] if over == "channels" else x.shape[1:]
    weight = tensors("weight", *shape) if keys.pop("affine", True) else None
    if over == "all":
        return F.rms_norm(x, shape, weight, eps)
    return at_positions(x, lambda t: F.rms_norm(t, shape, weight, eps))


def batch_norm(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    c, affine = x.shape[1], keys.pop("affine", True)
    keys.pop("momentum", None)
    weight, bias = (tensors(role, c) if affine else None for role in ("weight", "bias"))
    return F.batch_norm(x, tensors("running_mean", c), tensors("running_var", c), weight, bias, False, 0.0, keys.pop("eps", 1e-5))


def max_pool(x: torch.Tensor, keys: dict[str, Any], _: Tensors) -> torch.Tensor:
    kernel = pair(keys.pop("kernel", 2))
    return F.max_pool2d(x, kernel, pair(keys.pop("stride", kernel)), pair(keys.pop("padding", 0)), pair(keys.pop("dilation", 1)))


def avg_pool(x: torch.Tensor, keys: dict[str, Any], _: Tensors) -> torch.Tensor:
    kernel = pair(keys.pop("kernel", 2))
    stride, padding, counts = keys.pop("stride", kernel), keys.pop("padding", 0), keys.pop("count_include_pad", True)
    return F.avg_pool2d(x, kernel, pair(stride), pair(padding), False, counts)


def as_tokens(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(2).unsqueeze(3)


def dropout(x: torch.Tensor, keys: dict[str, Any], _: Tensors) -> torch.Tensor:
    assert 0.0 < keys.pop("probability", 0.5) < 1.0
    return x


def per(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    is_channel = keys.pop("per", "all") == "channel"
    return tensors("", x.shape[1] if is_channel else 1).reshape(1, -1, 1, 1)


def position(x: torch.Tensor, _: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    x = as_tokens(x)
    return x + tensors("", 1, x.shape[2], x.shape[1]).transpose(1, 2).unsqueeze(3)


def class_token(x: torch.Tensor, _: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    x = as_tokens(x)
    token = tensors("", 1, 1, x.shape[1]).transpose(1, 2).unsqueeze(3)
    return torch.cat([token.expand(len(x), -1, -1, -1), x], 2)


def patch_embedding(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    patch = keys.pop("patch")
    keys.update(kernel=patch, stride=patch)
    return as_tokens(conv2d(x, keys, tensors))


def attention(x: torch.Tensor, keys: dict[str, Any], _: Any = None) -> torch.Tensor:
    x, heads = as_tokens(x), keys.pop("heads")
    n, channels, t, _one = x.shape
    d = channels // 3 // heads
    q, k, v = x.reshape(n, 3, heads, d, t).transpose(3, 4).unbind(1)
    weights = torch.softmax(q @ k.transpose(2, 3) * keys.pop("scale", d**-0.5), -1)
    return (weights @ v).transpose(2, 3).reshape(n, channels // 3, t, 1)


def self_attention(x: torch.Tensor, keys: dict[str, Any], tensors: Tensors) -> torch.Tensor:
    x, d, has_bias = as_tokens(x), x.shape[1], keys.pop("bias", True)
    weight, bias = tensors("in_proj_weight", 3 * d, d), tensors("in_proj_bias", 3 * d) if has_bias else None
    x = attention(at_positions(x, lambda t: F.linear(t, weight, bias)), keys)
    weight, bias = tensors("out_proj.weight", d, d), tensors("out_proj.bias", d) if has_bias else None
    return at_positions(x, lambda t: F.linear(t, weight, bias))


LAYERS = {
    "conv2d": conv2d,
    "linear": linear,
    "group-norm": group_norm,
    "layer-norm": layer_norm,
    "rms-norm": rms_norm,
    "batch-norm": batch_norm,
    "relu": lambda x, k, t: F.relu(x),
    "gelu": lambda x, k, t: F.gelu(x, approximate=k.pop("approximate", "none")),
    "silu": lambda x, k, t: F.silu(x),
    "softplus": lambda x, k, t: torch.log1p(torch.exp(x)),
    "tanh": lambda x, k, t: torch.tanh(x),
    "sigmoid": lambda x, k, t: torch.sigmoid(x),
    "leaky-relu": lambda x, k, t: F.leaky_relu(x, k.pop("slope", 0.01)),
    "elu": lambda x, k, t: F.elu(x, k.pop("alpha", 1.0)),
    "relu6": lambda x, k, t: F.relu6(x),
    "hard-swish": lambda x, k, t: F.hardswish(x),
    "hard-sigmoid": lambda x, k, t: F.hardsigmoid(x),
    "softmax": lambda x, k, t: torch.softmax(x, 1),
    "max-pool": max_pool,
    "avg-pool": avg_pool,
    "adaptive-avg-pool": lambda x, k, t: F.adaptive_avg_pool2d(x, pair(k.pop("output", 1))),
    "flatten": lambda x, k, t: x.flatten(1)[:, :, None, None],
    "tokens": lambda x, k, t: as_tokens(x),
    "dropout": dropout,
    "scale": lambda x, k, t: x * per(x, k, t),
    "bias": lambda x, k, t: x + per(x, k, t),
    "position": position,
    "class-token": class_token,
    "select-token": lambda x, k, t: x[:, :, k.pop("index", 0)].unsqueeze(2),
    "patch-embedding": patch_embedding,
    "attention": attention,
    "self-attention": self_attention,
}
