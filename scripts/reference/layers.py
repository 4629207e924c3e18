#!/usr/bin/env python3
"""Outputs of every layer, from PyTorch in float64.

    pip install torch safetensors numpy
    python3 scripts/reference/layers.py

Writes FILE.safetensors for each of FILES into crates/saltflat-models/tests/fixtures with, for each case, `CASE/x`, `CASE/y`
and the layer's tensors `CASE/weight`, `CASE/bias`, ...; after a training step of batch normalisation
`CASE/after/running_mean` and `CASE/after/running_var`; of some activations their derivative `CASE/df`, at kinks the one
that PyTorch takes. A case is seeded by its place in its table, so new ones stand at the end.
"""

import torch
from definitions import ACTIVATIONS, FixupShortcut
from networks import FIXTURES, randomise
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

EVEN, ODD = [2, 3, 6, 8], [2, 3, 7, 9]

# 0 and both sides of it; 20, above which PyTorch's own softplus is x; 40, where e^-x is lost beside 1; 100, where e^x
# overflows in float32.
POSITIVE = [1e-3, 0.1, 0.75, 1.5, 3, 8, 19.5, 20.5, 40, 100]
POINTS = [-x for x in reversed(POSITIVE)] + [0] + POSITIVE
# Also where pieces of piecewise functions meet.
KINKS = sorted({*POINTS, -3, 3, 6, -6})


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


class Gated(nn.Module):
    """Channels weighted by a function of their means (squeeze and excitation)."""

    def __init__(self):
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)

    def forward(self, x):
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))


def window_cases():
    """As `cases`, of layers over windows, activations and products of branches."""

    def conv(inputs, outputs, kernel, **options):
        return nn.Conv2d(inputs, outputs, kernel, **options)

    def depthwise(channels, stride):
        return conv(channels, 2 * channels, 3, stride=stride, padding=1, groups=channels)

    return {
        "conv_by_axis": (conv(3, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3)), [2, 3, 9, 8]),
        "conv_dilated": (conv(3, 4, 3, padding=2, dilation=2, bias=False), ODD),
        "conv_patches": (conv(3, 5, 4, stride=4), [2, 3, 9, 8]),
        "conv_wide_padding": (conv(3, 2, (1, 5), padding=(2, 4)), ODD),
        "conv_2_groups": (conv(6, 4, 3, padding=1, groups=2), [2, 6, 5, 4]),
        "conv_depthwise": (conv(4, 4, 3, padding=1, groups=4, bias=False), [2, 4, 6, 5]),
        "conv_depthwise_stride_2": (depthwise(3, 2), ODD),
        "max_pool_overlapping": (nn.MaxPool2d(3, stride=2, padding=1), ODD),
        "max_pool_by_axis": (nn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 0), dilation=(3, 2)), ODD),
        "avg_pool_overlapping": (nn.AvgPool2d(3, stride=2, padding=1), ODD),
        "avg_pool_of_pixels": (nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), ODD),
        "avg_pool_by_axis": (nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)), ODD),
        "adaptive_avg_pool": (nn.AdaptiveAvgPool2d((3, 4)), ODD),
        "adaptive_avg_pool_to_more": (nn.AdaptiveAvgPool2d((9, 2)), ODD),
        "flatten": (nn.Flatten(), ODD),
        "dropout_eval": (nn.Dropout(0.3).eval(), ODD),
        "softmax_of_images": (nn.Softmax2d(), [2, 5, 3, 4]),
        "softmax_of_vectors": (nn.Softmax(dim=1), [4, 7]),
        "softmax_of_large_numbers": (nn.Softmax2d(), torch.tensor(POINTS).reshape(1, 7, 3, 1) * 20),
        "gated": (Gated(), [2, 6, 4, 5]),
        "sigmoid": (nn.Sigmoid(), None),
        "gelu_tanh": (nn.GELU(approximate="tanh"), None),
        "leaky_relu": (nn.LeakyReLU(), None),
        "leaky_relu_slope": (nn.LeakyReLU(0.3), None),
        "elu": (nn.ELU(), None),
        "elu_alpha": (nn.ELU(0.7), None),
        "relu6": (nn.ReLU6(), None),
        "hard_swish": (nn.Hardswish(), None),
        "hard_sigmoid": (nn.Hardsigmoid(), None),
    }


def of_channels(module):
    """A module of the last axis, made one of the channels of [n, C, H, W]."""

    class OfChannels(module):
        def forward(self, x):
            return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    return OfChannels


class PerChannel(nn.Module):
    """A factor or an offset for each channel."""

    def __init__(self, channels, operation):
        super().__init__()
        self.values = nn.Parameter(torch.zeros(channels))
        self.operation = operation

    def forward(self, x):
        return self.operation(x, self.values[:, None, None])


class Attention(nn.Module):
    """[n, 3 D, H, W] to [n, D, H, W]."""

    def __init__(self, heads, scale=None):
        super().__init__()
        self.heads, self.scale = heads, scale

    def forward(self, x):
        n, channels, h, w = x.shape
        q, k, v = (
            t.reshape(n, self.heads, channels // 3 // self.heads, h * w).transpose(2, 3) for t in x.chunk(3, dim=1)
        )
        y = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return y.transpose(2, 3).reshape(n, channels // 3, h, w)


def sequence(x):
    """[n, C, H, W] as [n, H W, C]."""
    return x.flatten(2).transpose(1, 2)


class SelfAttention(nn.MultiheadAttention):
    def __init__(self, width, heads, bias=True):
        super().__init__(width, heads, bias=bias, batch_first=True)

    def forward(self, x):
        x = sequence(x)
        return super().forward(x, x, x, need_weights=False)[0].transpose(1, 2).unsqueeze(3)


class EncoderLayer(nn.TransformerEncoderLayer):
    def forward(self, x):
        return super().forward(sequence(x)).transpose(1, 2).unsqueeze(3)


class Tokens(nn.Module):
    def forward(self, x):
        return x.flatten(2).unsqueeze(3)


class Position(nn.Module):
    def __init__(self, positions, channels):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, positions, channels))

    def forward(self, x):
        return (sequence(x) + self.table).transpose(1, 2).unsqueeze(3)


class ClassToken(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x):
        token = self.token.expand(x.shape[0], -1, -1)
        return torch.cat([token, sequence(x)], dim=1).transpose(1, 2).unsqueeze(3)


class SelectToken(nn.Module):
    def __init__(self, index):
        super().__init__()
        self.index = index

    def forward(self, x):
        return sequence(x)[:, self.index]


class PatchEmbedding(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).flatten(2).unsqueeze(3)


def transformer_cases():
    """name: (layer, shape of x). Layers of transformers, and the options of normalisations."""
    single = torch.finfo(torch.float32).eps
    encoder = EncoderLayer(6, 2, 10, dropout=0.0, activation="gelu", batch_first=True, norm_first=True).eval()
    plain = EncoderLayer(6, 3, 7, dropout=0.0, activation="relu", batch_first=True, bias=False).eval()
    layer_norm, rms_norm, linear = of_channels(nn.LayerNorm), of_channels(nn.RMSNorm), of_channels(nn.Linear)
    return {
        "linear_at_positions": (linear(3, 5), EVEN),
        "linear_at_positions_no_bias": (linear(3, 5, bias=False), ODD),
        "layer_norm": (layer_norm(3), EVEN),
        "layer_norm_eps": (layer_norm(3, eps=0.01), ODD),
        "layer_norm_no_bias": (layer_norm(3, bias=False), ODD),
        "layer_norm_not_affine": (layer_norm(3, elementwise_affine=False), ODD),
        "layer_norm_of_vectors": (nn.LayerNorm(5), [4, 5]),
        "layer_norm_over_all": (nn.LayerNorm([3, 6, 8]), EVEN),
        "layer_norm_over_all_no_bias": (nn.LayerNorm([3, 7, 9], bias=False), ODD),
        "rms_norm": (rms_norm(3, eps=single), EVEN),
        "rms_norm_eps": (rms_norm(3, eps=0.01), ODD),
        "rms_norm_not_affine": (rms_norm(3, eps=single, elementwise_affine=False), ODD),
        "rms_norm_over_all": (nn.RMSNorm([3, 6, 8], eps=single), EVEN),
        "group_norm_eps": (nn.GroupNorm(3, 6, eps=0.01), [2, 6, 3, 5]),
        "group_norm_not_affine": (nn.GroupNorm(3, 6, affine=False), [2, 6, 3, 5]),
        "batch_norm_eps_eval": (nn.BatchNorm2d(3, eps=0.01).eval(), [4, 3, 3, 5]),
        "batch_norm_eps_train": (nn.BatchNorm2d(3, eps=0.01, momentum=0.3).train(), [4, 3, 3, 5]),
        "batch_norm_not_affine_eval": (nn.BatchNorm2d(3, affine=False).eval(), [4, 3, 3, 5]),
        "batch_norm_not_affine_train": (nn.BatchNorm2d(3, affine=False).train(), [4, 3, 3, 5]),
        "scale_per_channel": (PerChannel(3, torch.mul), EVEN),
        "bias_per_channel": (PerChannel(3, torch.add), EVEN),
        "attention": (Attention(2), [3, 12, 2, 3]),
        "attention_scale": (Attention(1, 0.3), [3, 9, 5, 1]),
        "self_attention": (SelfAttention(6, 2), [3, 6, 7, 1]),
        "self_attention_no_bias": (SelfAttention(6, 3, bias=False), [3, 6, 2, 2]),
        "tokens": (Tokens(), EVEN),
        "position": (Position(7, 4), [3, 4, 7, 1]),
        "class_token": (ClassToken(3), EVEN),
        "select_token": (SelectToken(4), [3, 5, 7, 1]),
        "patch_embedding": (PatchEmbedding(3, 5, 2, stride=2), EVEN),
        "patch_embedding_no_bias": (PatchEmbedding(3, 5, 4, stride=4, bias=False), [2, 3, 8, 12]),
        "encoder_layer": (encoder, [3, 6, 5, 1]),
        "encoder_layer_norm_last": (plain, [3, 6, 5, 1]),
    }


# The file, and its cases.
FILES = {"layers": cases, "transformer_layers": transformer_cases, "window_layers": window_cases}


def with_derivative(layer, tensors):
    """The tensors of an activation at `KINKS` instead, with its derivative there."""
    x = torch.tensor(KINKS, dtype=torch.float64).reshape(1, 1, -1, 1).requires_grad_()
    y = layer(x)
    (df,) = torch.autograd.grad(y.sum(), x)
    return {**tensors, "x": x.detach(), "y": y.detach().clone(), "df": df.clone()}


def tensors_of(layer, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    randomise(layer, generator)

    def state():
        return {n: t.clone() for n, t in layer.state_dict().items() if n != "num_batches_tracked"}

    before = state()
    if shape is None:
        x = torch.tensor(POINTS).reshape(1, 1, 3, 7)
    elif isinstance(shape, torch.Tensor):
        x = shape
    else:
        x = 0.5 + torch.randn(shape, generator=generator)
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
    for file, cases_of_file in FILES.items():
        path = FIXTURES / f"{file}.safetensors"
        found = {}
        for seed, (name, (layer, shape)) in enumerate(cases_of_file().items()):
            tensors = tensors_of(layer, shape, seed)
            if shape is None and file != "layers":
                tensors = with_derivative(layer, tensors)
            assert all(t.dtype == torch.float64 and t.isfinite().all() for t in tensors.values()), name
            found.update({f"{name}/{key}": t for key, t in tensors.items()})
            print(name, ", ".join(f"{key} {list(t.shape)}" for key, t in tensors.items()))
        save_file(found, path, metadata={"source": f"scripts/reference/layers.py, PyTorch {torch.__version__}"})
        path.chmod(0o644)
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
