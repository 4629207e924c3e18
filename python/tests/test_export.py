"""Exported networks compute what PyTorch computes: whole networks, and branches."""

import pytest
import torch
import torch.nn.functional as F
from encoder import EncoderVit
from exporting import exported, head, kinds, random
from networks import networks
from safetensors.torch import load_file
from torch import nn


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
    net = random(EncoderVit(norm_first=norm_first, activation=activation))
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
