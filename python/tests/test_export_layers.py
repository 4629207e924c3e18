"""Layers with their options, parameters by hand, and what becomes of the module and its files."""

import pytest
import torch
import torch.nn.functional as F
from exporting import exported, head, kinds, random
from interpreter import Network
from safetensors.torch import load_file
from torch import nn

from saltflat.export import ExportError, export


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
