"""The program `saltflat` computes what PyTorch computes; skipped where there is no program."""

import pytest
import torch
from encoder import EncoderVit
from networks import networks
from safetensors.torch import save_file
from torch import nn

from saltflat.binary import find_binary
from saltflat.errors import BinaryNotFoundError
from saltflat.export import ExportError, check, export

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def program():
    try:
        find_binary()
    except BinaryNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_whole_networks(name, tmp_path):
    net, shape = networks.made(name)
    export(net, torch.randn(4, *shape), tmp_path)
    # Not by the tolerance of the export alone: both are calculated in float64.
    inputs = torch.randn(6, *shape)
    found = check.outputs(tmp_path / "model.toml", tmp_path / "weights.safetensors", inputs)
    expected = check.reference(net, inputs, [])
    assert check.difference(found, expected, 1e-12, 0.0) is None


@pytest.mark.parametrize("name", ["wide_resnet", "convnext", "vit"])
def test_a_later_state_dict_loads(name, tmp_path):
    net, shape = networks.made(name)
    export(net, torch.randn(4, *shape), tmp_path)
    networks.away_from_defaults(net, 77)
    save_file(net.state_dict(), tmp_path / "later.safetensors")
    inputs = torch.randn(3, *shape)
    found = check.outputs(tmp_path / "model.toml", tmp_path / "later.safetensors", inputs)
    assert check.difference(found, check.reference(net, inputs, []), 1e-12, 0.0) is None


def test_encoder(tmp_path):
    export(networks.away_from_defaults(EncoderVit(), 1), torch.randn(2, 3, 8, 8), tmp_path, rtol=1e-12, atol=0.0)


def test_sequences_and_tokens(tmp_path):
    net = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
    export(net, torch.randn(2, 3, 9), tmp_path / "sequence", rtol=1e-12, atol=0.0)

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.LayerNorm(6), nn.Linear(6, 2))

        def forward(self, x):
            return self.layers(x).mean(1)

    found = export(Mean(), torch.randn(2, 7, 5), tmp_path / "tokens", rtol=1e-12, atol=0.0)
    assert found.axes == "nhc"


def test_a_difference_is_refused_and_leaves_no_files(tmp_path, monkeypatch):
    outputs = check.outputs
    monkeypatch.setattr(check, "outputs", lambda *args: outputs(*args) + 1e-3 * torch.eye(5, 3)[: len(args[2])])
    net = networks.away_from_defaults(nn.Sequential(nn.Linear(4, 3)), 2)
    with pytest.raises(ExportError, match=r"differs from the module on the example: output \d of sample \d is .*, in PyTorch"):
        export(net, torch.randn(2, 4), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_module_of_one_batch_size_is_refused(tmp_path):
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x if x.shape[0] in (2, 3) else x.relu())

    with pytest.raises(ExportError, match="differs from the module on a random batch of 5"):
        export(Fixed(), torch.randn(2, 4), tmp_path)


def test_batches_that_the_module_does_not_take(tmp_path):
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            if x.shape[0] == 5:
                raise RuntimeError("five")
            return self.fc(x)

    with pytest.raises(ExportError, match="fails on a batch of 5 samples.*five"):
        export(Fixed(), torch.randn(2, 4), tmp_path)


def test_without_the_program(tmp_path, monkeypatch):
    monkeypatch.setenv("SALTFLAT_BINARY", str(tmp_path / "none"))
    with pytest.raises(BinaryNotFoundError):
        export(nn.Linear(4, 2), torch.randn(2, 4), tmp_path / "network")
