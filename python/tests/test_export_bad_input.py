"""Modules, weights, examples and outputs that cannot be exported are refused by an exception that says why."""

import numpy as np
import pytest
import torch
from exporting import refused
from torch import nn


def test_tensors(tmp_path):
    def net():
        return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))

    x = torch.randn(2, 4)
    bad = net()
    with torch.no_grad():
        bad[0].weight[1, 2] = torch.nan
    assert str(refused(bad, x, tmp_path)) == "0.weight: 1 of 12 entries are not finite (such as nan), expected finite numbers"
    with torch.no_grad():
        bad[0].weight[1, 2] = -torch.inf
    assert "such as -inf" in str(refused(bad, x, tmp_path))
    assert "meta device" in str(refused(net().to("meta"), x, tmp_path))
    frozen = net()
    frozen[2].bias.requires_grad_(False)
    error = refused(frozen, x, tmp_path)
    assert error.place == "2.bias" and "requires_grad is False" in str(error)
    integer = net()
    integer[0].weight = nn.Parameter(torch.ones(3, 4, dtype=torch.int8), requires_grad=False)
    assert "0.weight: this parameter has type torch.int8" in str(refused(integer, x, tmp_path))
    complex_net = net()
    complex_net[0].weight = nn.Parameter(torch.ones(3, 4, dtype=torch.complex64))
    assert "0.weight: this parameter has type torch.complex64" in str(refused(complex_net, x, tmp_path))
    assert "no shape yet" in str(refused(nn.Sequential(nn.LazyLinear(3)), x, tmp_path))
    assert "no parameters" in str(refused(nn.Sequential(nn.ReLU()), x, tmp_path))


def test_weights_on_another_device(tmp_path):
    """A stand-in for a GPU's tensors, since there may be none: they are known by the type of their device."""
    if torch.cuda.is_available():
        assert "expected cpu; use module.cpu()" in str(refused(nn.Linear(4, 2).cuda(), torch.randn(2, 4), tmp_path))

    class Elsewhere(torch.Tensor):
        device = torch.device("cuda:0")

    net = nn.Linear(4, 2)
    net.weight = nn.Parameter(torch.randn(2, 4).as_subclass(Elsewhere))
    net.weight.__class__ = type("GpuParameter", (nn.Parameter,), {"device": torch.device("cuda:0")})
    assert "weight: this parameter is on cuda:0, expected cpu" in str(refused(net, torch.randn(2, 4), tmp_path))


def test_tied_parameters(tmp_path):
    shared = nn.Linear(4, 4)
    error = refused(nn.Sequential(shared, nn.ReLU(), shared), torch.randn(2, 4), tmp_path)
    assert "used by two layers" in str(error) and "0.weight" in str(error) and "2.weight" in str(error)
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    assert "used by two layers" in str(refused(net, torch.randn(2, 4), tmp_path))


def test_examples(tmp_path):
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    for example, text in (
        ((torch.randn(2, 3, 2, 2), torch.zeros(2)), "expected one tensor [n, ...], a batch of inputs, got tuple of 2"),
        (torch.zeros(2, 12, dtype=torch.int64), "has type torch.int64, expected floating-point"),
        (torch.randn(12), "has shape [12]"),
        (torch.randn(2, 1, 3, 2, 2), "has shape [2, 1, 3, 2, 2]"),
        (torch.randn(0, 12), "no axis of length 0"),
        (torch.full((2, 12), torch.nan), "not finite"),
        (torch.randn(2, 12).to_sparse(), "layout torch.sparse_coo, expected torch.strided"),
        (torch.randn(2, 12).to("meta"), "is on meta, expected cpu"),
        (np.array([["a"]]), "example: has numbers of type <U1"),
        (torch.randn(2, 11), "module(example) fails for an example of shape [2, 11]"),
        ("image.png", "got str"),
    ):
        assert text in str(refused(net, example, tmp_path)), text
    assert "expected a torch.nn.Module, got function" in str(refused(lambda x: x, torch.randn(2, 4), tmp_path))
    scripted = torch.jit.script(nn.Linear(4, 2))
    assert "TorchScript" in str(refused(scripted, torch.randn(2, 4), tmp_path))


class Returns(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(4, 3), function

    def forward(self, x):
        return self.function(self.layer(x))


@pytest.mark.parametrize(
    "function, text",
    [
        (lambda x: (x, x.relu()), "returns a tuple of 2, expected one tensor [n, outputs]"),
        (lambda x: {"logits": x}, "returns a dict of 1"),
        (lambda x: x[:, 0], "returns a tensor of shape [4] for 4 samples, expected [n, outputs]"),
        (lambda x: x[:, :, None], "returns a tensor of shape [4, 3, 1]"),
        (lambda x: x.sum(), "returns a tensor of shape []"),
        (lambda x: x if x.sum() > 0 else x.relu(), "depend on the values of the input"),
        (lambda x: x[x[:, 0] > -1e9], "depends on the values of the input"),
    ],
)
def test_outputs_and_control_flow(function, text, tmp_path):
    net = Returns(function)
    with torch.no_grad():
        net.layer.weight.abs_()
    assert text in str(refused(net, torch.ones(4, 4), tmp_path))
