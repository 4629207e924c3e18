"""Exported networks compute what PyTorch computes."""

import pytest
import torch
import torch.nn.functional as F
from interpreter import Network
from networks import networks
from safetensors.torch import load_file
from torch import nn

from saltflat.binary import find_binary
from saltflat.errors import BinaryNotFoundError
from saltflat.export import ExportError, check, export

torch.set_num_threads(1)


def has_program():
    """Whether the outputs can be compared with those of the program, too."""
    try:
        find_binary()
    except BinaryNotFoundError:
        return False
    return True


def exported(net, shape, folder, **options):
    """Exports a network, checks its outputs on another batch in float64 by the interpreter and by the program, and returns it with the layers."""
    example = torch.randn((4, *shape), generator=torch.Generator().manual_seed(5))
    found = export(net, example, folder, check=False, **options)
    other = torch.randn((7, *shape), generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    function = Network(found.model, found.weights)
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad():
        expected = net.double()(other)
    net.float()
    error = (function(found.to_inputs(other)) - expected).abs().max().item()
    assert error < 1e-11 * expected.abs().max().item(), found.model.read_text()
    assert sorted(function.used) == sorted(function.weights)
    if has_program():
        made = check.outputs(found.model, found.weights, found.to_inputs(other))
        assert check.difference(made, expected, 1e-11, 0.0) is None
    assert found.outputs == expected.shape[1]
    return found, function.layers


def random(net, seed=0):
    return networks.away_from_defaults(net, seed)


def kinds(layers):
    return [layer if isinstance(layer, str) else layer["kind"] for layer in layers]


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_whole_networks(name, tmp_path):
    net, shape = networks.made(name)
    found, _ = exported(net, shape, tmp_path)
    # The weights are the module's own, under its own names, so that a later state_dict loads, too.
    state = {key: value for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    written = load_file(found.weights)
    assert {key: list(value.shape) for key, value in written.items()} == {key: list(value.shape) for key, value in state.items()}
    assert all(torch.equal(written[key], state[key]) for key in state)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_transformer_encoder(norm_first, activation, tmp_path):
    net = random(networks.EncoderVit(norm_first=norm_first, activation=activation))
    _, layers = exported(net, (3, 8, 8), tmp_path)
    assert kinds(layers)[:2] == ["patch-embedding", "position"]
    attention = layers[2]["main"][-2]
    assert attention == {"kind": "self-attention", "heads": 2, "name": "encoder.layers.0.self_attn"}


def test_sequential_mlp_needs_no_names(tmp_path):
    net = random(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 3)))
    found, layers = exported(net, (3, 2, 2), tmp_path)
    assert layers == ["flatten", {"kind": "linear", "outputs": 5}, "tanh", {"kind": "linear", "outputs": 3}]
    assert found.input == (3, 2, 2) and found.notes == []


class BasicBlock(nn.Module):
    """torchvision's."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        identity = x
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4)]


def test_resnet_block_in_place(tmp_path):
    net = random(nn.Sequential(BasicBlock(3, 3, 1), BasicBlock(3, 6, 2), *head(6)))
    _, layers = exported(net, (3, 6, 6), tmp_path)
    assert kinds(layers) == ["residual", "relu", "residual", "relu", "adaptive-avg-pool", "linear"]
    assert "shortcut" not in layers[0]
    assert [layer["name"] for layer in layers[2]["shortcut"]] == ["1.downsample.0", "1.downsample.1"]


class SqueezeExcitation(nn.Module):
    """torchvision's, with convolutions; the gate is repeated over the positions."""

    def __init__(self, channels, expands):
        super().__init__()
        self.fc1, self.fc2, self.expands = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1), expands

    def forward(self, x):
        gate = torch.sigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))
        return gate.expand_as(x) * x if self.expands else x * gate


@pytest.mark.parametrize("expands", [False, True])
def test_squeeze_excitation(expands, tmp_path):
    net = random(nn.Sequential(nn.Conv2d(3, 6, 3), SqueezeExcitation(6, expands), *head(6)))
    _, layers = exported(net, (3, 6, 6), tmp_path)
    assert layers[1]["join"] == "product" and layers[1]["branches"][0] == []


class Linears(nn.Module):
    """Squeeze and excitation with linear layers on a view."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(3, 2), nn.SiLU(), nn.Linear(2, 3), nn.Hardsigmoid())
        self.head = nn.Linear(3, 4)

    def forward(self, x):
        n, c, _, _ = x.shape
        return self.head((x * self.fc(x.mean((2, 3))).view(n, c, 1, 1)).amax((2, 3)))


def test_excitation_with_linear_layers_and_global_maximum(tmp_path):
    exported(random(Linears()), (3, 5, 4), tmp_path)


class Means(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 3, (1, 2)), nn.Linear(3, 2)

    def forward(self, x):
        rows = self.conv(x.mean(2, keepdim=True)).mean(3).mean(2)
        return self.head(rows + x.amax(3).mean(2))


def test_means_of_rows_and_columns(tmp_path):
    _, layers = exported(random(Means()), (3, 5, 4), tmp_path)
    assert {"kind": "adaptive-avg-pool", "output": [1, 4]} in layers[0]["main"] + layers[0]["shortcut"]


class Inception(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.one = nn.Conv2d(inputs, 2, 1)
        self.three = nn.Sequential(nn.Conv2d(inputs, 2, 1), nn.ELU(0.7), nn.Conv2d(2, 3, (1, 3), padding=(0, 1)))
        self.pool = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.Conv2d(inputs, 2, 1))

    def forward(self, x):
        return F.leaky_relu(torch.cat([self.one(x), self.three(x), x, self.pool(x)], 1), 0.2)


def test_inception_concatenation(tmp_path):
    net = random(nn.Sequential(Inception(3), nn.MaxPool2d(3, 2, 1, ceil_mode=False), Inception(10), *head(17)))
    _, layers = exported(net, (3, 7, 6), tmp_path)
    assert layers[0]["join"] == "concat" and layers[0]["branches"][2] == []


class Dense(nn.Module):
    """DenseNet's concatenations of everything before."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(3))

    def forward(self, x):
        features = [x]
        for layer in self.layers:
            features.append(F.relu(layer(torch.cat(features, 1))))
        return torch.cat(features, 1)


def test_dense_concatenation(tmp_path):
    exported(random(nn.Sequential(Dense(), *head(9))), (3, 4, 4), tmp_path)


class Tokens(nn.Module):
    """Attention on [n, tokens, features] in several ways of writing it."""

    def __init__(self, form, dim=8, heads=2):
        super().__init__()
        self.form, self.heads, self.width = form, heads, dim // heads
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.mha = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.head = nn.Linear(dim, 4)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.width).transpose(1, 2)

    def forward(self, x):
        if self.form == "weights":
            return self.head(self.mha(x, x, x)[0].mean(1))
        if self.form in ("three", "scale"):
            q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        elif self.form == "chunk":
            q, k, v = (self.split(part) for part in self.qkv(x).chunk(3, dim=-1))
        elif self.form == "slices":
            packed, d = self.qkv(x), x.shape[-1]
            q, k, v = self.split(packed[..., :d]), self.split(packed[..., d : 2 * d]), self.split(packed[:, :, 2 * d :])
        elif self.form == "single":
            q, k, v = self.qkv(x).split(x.shape[-1], dim=2)
        elif self.form == "plain":
            q = k = v = self.split(x)
        if self.form == "chunk":
            weights = torch.softmax(q @ k.transpose(-2, -1) / self.width**0.5, dim=-1)
            out = F.dropout(weights, 0.1, self.training) @ v
        elif self.form == "slices":
            out = torch.matmul((self.width**-0.5 * q @ k.mT).softmax(-1), v)
        else:
            out = F.scaled_dot_product_attention(q, k, v, scale=0.3 if self.form == "scale" else None)
        out = out if self.form == "single" else out.transpose(1, 2).flatten(2)
        return self.head(out.mean(dim=1))


@pytest.mark.parametrize("form", ["weights", "three", "scale", "chunk", "slices", "single", "plain"])
def test_attention(form, tmp_path):
    found, layers = exported(random(Tokens(form)), (5, 8), tmp_path)
    assert found.axes == "nhc" and found.input == (8, 5, 1)
    names = kinds(layers)
    assert ("self-attention" if form == "weights" else "attention") in names
    if form in ("three", "scale", "plain"):
        assert layers[0]["join"] == "concat" and len(layers[0]["branches"]) == 3
    if form == "scale":
        assert layers[1]["scale"] == 0.3
    unused = next(note for note in found.notes if "does not depend" in note)
    assert ("mha.in_proj_weight" in unused) == (form != "weights")


class Positions(nn.Module):
    """Positions added to a map, from a parameter [1, d, h, w], and attention on convolutions."""

    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 6, 2, 3))
        self.qkv, self.out = nn.Conv2d(6, 18, 1), nn.Linear(6, 4)

    def forward(self, x):
        q, k, v = self.qkv(x + self.position).reshape(x.shape[0], 3, 2, 3, 6).transpose(-1, -2).unbind(1)
        x = F.scaled_dot_product_attention(q, k, v).permute(0, 2, 1, 3).reshape(x.shape[0], 6, 6)
        return self.out(x[:, -1])


def test_positions_of_a_map_are_transposed_and_said(tmp_path):
    found, layers = exported(random(Positions()), (6, 2, 3), tmp_path)
    assert "position ([1, 6, 2, 3] as [1, 6, 6])" in " ".join(found.notes)
    assert kinds(layers) == ["tokens", "position", "conv2d", "attention", "select-token", "linear"]
    assert layers[4]["index"] == 5


class Parameters(nn.Module):
    """Products and sums with parameters of several shapes, and linear maps written by hand."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(6, 5))
        self.b = nn.Parameter(torch.zeros(5))
        self.w2 = nn.Parameter(torch.zeros(4, 5))
        self.one, self.channel, self.layer = (nn.Parameter(torch.ones(s)) for s in ((), (6, 1, 1), (1, 5)))
        self.fixed = nn.Buffer(torch.randn(6, 6))

    def forward(self, x):
        x = x * self.one + self.channel
        x = x.flatten(2).permute(0, 2, 1) @ self.fixed.T
        x = x.mean(1) @ self.w + self.b
        return F.linear(self.layer * x, self.w2)


def test_parameters_by_hand(tmp_path):
    found, layers = exported(random(Parameters()), (6, 2, 3), tmp_path)
    names = kinds(layers)
    assert names == ["scale", "bias", "tokens", "linear", "adaptive-avg-pool", "linear", "bias", "scale", "linear"]
    assert layers[3] == {"kind": "linear", "outputs": 6, "trained": False, "tensors": {"weight": "fixed"}}
    assert any("channel ([6, 1, 1] as [6]), w ([6, 5] as [5, 6])" in note for note in found.notes), found.notes


def test_one_dimensional_convolutions(tmp_path):
    net = nn.Sequential(
        nn.Conv1d(3, 6, 5, 2, padding=2), nn.BatchNorm1d(6), nn.Softplus(), nn.MaxPool1d(2), nn.Conv1d(6, 4, 3, padding="same", groups=2),
        nn.GroupNorm(2, 4), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.LayerNorm(4), nn.Linear(4, 3), nn.Softmax(1),
    )  # fmt: skip
    found, layers = exported(random(net), (3, 16), tmp_path)
    assert found.axes == "nch" and found.input == (3, 16, 1)
    assert layers[0]["kernel"] == [5, 1] and layers[0]["stride"] == [2, 1] and layers[0]["padding"] == [2, 0]


def test_norms_over_everything_and_without_parameters(tmp_path):
    net = nn.Sequential(
        nn.LayerNorm([3, 4, 4]), nn.Conv2d(3, 4, 3, dilation=(1, 1), stride=(1, 2)), nn.RMSNorm([4, 2, 1], eps=1e-3), nn.ReLU6(),
        nn.BatchNorm2d(4, affine=False, eps=1e-3), nn.GELU("tanh"), nn.Flatten(), nn.RMSNorm(8, eps=1e-4), nn.Hardswish(),
        nn.LayerNorm(8, bias=False), nn.LayerNorm(8, elementwise_affine=False), nn.Linear(8, 3),
    )  # fmt: skip
    _, layers = exported(random(net), (3, 4, 4), tmp_path)
    assert layers[0] == {"kind": "layer-norm", "over": "all"}
    assert layers[2] == {"kind": "rms-norm", "eps": 1e-3, "over": "all"}
    assert layers[8] == {"kind": "hard-swish"} or layers[8] == "hard-swish"


def test_the_default_eps_of_rms_norm_is_that_of_float32(tmp_path):
    net = nn.Sequential(nn.RMSNorm(8), nn.Linear(8, 3))
    found = export(net, torch.randn(2, 8), tmp_path, check=False)
    assert '"rms-norm"' in found.model.read_text() or 'kind = "rms-norm", name' in found.model.read_text()
    inputs = 1e-3 * torch.randn(5, 8, generator=torch.Generator().manual_seed(6))
    assert (Network(found.model, found.weights)(inputs) - net(inputs)).abs().max() < 1e-6


class Twice(nn.Module):
    """A layer without parameters in two branches that do not come together, which is made twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        y = torch.tanh(x)
        return self.c(self.b(y) + self.a(x)) + y


def test_nested_residuals(tmp_path):
    _, layers = exported(random(Twice()), (4,), tmp_path)
    assert kinds(layers) == ["residual"]


def test_half_precision_is_converted_and_said(tmp_path):
    net = random(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))).to(torch.bfloat16)
    found = export(net, torch.randn(2, 4), tmp_path, check=False)
    assert "torch.bfloat16" in found.notes[0] and "0.weight" in found.notes[0]
    assert net[0].weight.dtype == torch.bfloat16
    assert torch.equal(load_file(found.weights)["0.weight"], net[0].weight.float())


def test_wrappers_are_taken_off(tmp_path):
    net = random(nn.Sequential(nn.Linear(4, 2)))
    for wrapped in (nn.DataParallel(net), torch.compile(net)):
        found = export(wrapped, torch.randn(2, 4), tmp_path, check=False)
        assert "was exported" in found.notes[0]
        assert set(Network(found.model, found.weights).weights) == {"0.weight", "0.bias"}


def test_the_module_stays_as_it_was(tmp_path):
    net = random(nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), *head(2)))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    export(net, torch.randn(2, 3, 4, 4), tmp_path, check=False)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not net.training and all(p.requires_grad and p.grad is None for p in net.parameters())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.toml", "weights.safetensors"]


def test_refused_exports_leave_no_files(tmp_path):
    with pytest.raises(ExportError):
        export(nn.Sequential(nn.Linear(4, 2), nn.SELU()), torch.randn(2, 4), tmp_path / "new")
    assert not (tmp_path / "new").exists()
