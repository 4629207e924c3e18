"""Exports a network and compares its outputs."""

import pytest
import torch
from interpreter import Network
from networks import networks
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


def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4)]


def refused(net, example, tmp_path):
    """The error of an export."""
    with pytest.raises(ExportError) as caught:
        export(net, example, tmp_path / "network", check=False)
    assert isinstance(caught.value, ValueError)
    assert not (tmp_path / "network").exists()
    return caught.value
