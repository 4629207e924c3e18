"""Operations that cannot be exported are refused by an exception that names them and their place."""

import pytest
import torch
import torch.nn.functional as F
from exporting import refused
from torch import nn


class Calls(nn.Module):
    """A linear layer, a function and a linear layer, in a module of its own."""

    def __init__(self, function, shape=None, inputs=6):
        super().__init__()
        self.first, self.function, self.last = nn.Linear(inputs, 6), function, nn.Linear(6, 3)
        self.parameter = nn.Parameter(torch.ones(shape or (6,)))
        self.table = nn.Buffer(torch.ones(6))

    def forward(self, x):
        x = self.function(self, self.first(x))
        return self.last(x) if x.shape[-1] == 6 and x.ndim == 2 else x


#: The function, the operation that is named, and a part of the text.
FUNCTIONS = [
    (lambda m, x: torch.sin(x), "aten.sin", "is not supported"),
    (lambda m, x: F.selu(x), "aten.selu", "is not supported"),
    (lambda m, x: 2 * x, "aten.linear", "multiplied by the constant 2"),
    (lambda m, x: x + 1, "aten.add", "adds the constant 1"),
    (lambda m, x: x - x.tanh(), "aten.sub", "differences are not supported"),
    (lambda m, x: x / x.exp(), "aten.exp", "is not supported"),
    (lambda m, x: -x, "aten.neg", "is not supported"),
    (lambda m, x: x.detach(), "aten.detach", "no derivative"),
    (lambda m, x: x + m.table, "aten.add", "the buffer table, which is not trained"),
    (lambda m, x: x * m.parameter.exp(), "aten.exp", "calculates with parameter before a layer uses it"),
    (lambda m, x: x * m.parameter[:1], "aten.slice", "takes a part of parameter"),
    (lambda m, x: F.linear(x, m.first.weight[:, :6] * 1.5), "aten.mul", "first.weight"),
    (lambda m, x: x[:, :3], "output", "a part of the 6 channels of first"),
    (lambda m, x: torch.cat([x[:, :3].relu(), x[:, 3:]], 1), "aten.relu", "channels are split for attention only"),
    (lambda m, x: x[:, ::2], "aten.slice", "every 2th entry"),
    (lambda m, x: x.softmax(0), "aten.softmax", "expected an axis that holds the channels"),
    (lambda m, x: F.log_softmax(x, 1), "aten.log_softmax", "the loss (cross_entropy) takes logits"),
    (lambda m, x: F.softplus(x, beta=2), "aten.softplus", "expected beta = 1"),
    (lambda m, x: x.clamp(-1, 1), "aten.clamp", "got -1 and 1"),
    (lambda m, x: x @ x.T @ x, "aten.matmul", "not one of attention"),
    (lambda m, x: x.half().float(), "aten.to", "torch.float16"),
]


@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: f"{case[1]}, {case[2][:20]}")
def test_operations(case, tmp_path):
    function, operation, text = case
    error = refused(Calls(function), torch.randn(2, 6), tmp_path)
    assert text in str(error), error
    assert error.operation == operation, error


def test_the_place_and_the_line_are_named(tmp_path):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 3, 3, padding=1)
            self.up = nn.ConvTranspose2d(3, 3, 3, padding=1)

        def forward(self, x):
            return torch.cos(self.conv1(x)) if self.up is None else self.up(self.conv1(x))

    net = nn.Sequential()
    net.add_module("layer1", nn.Sequential(Block()))
    net.add_module("head", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    error = refused(net, torch.randn(2, 3, 4, 4), tmp_path)
    assert error.place == "layer1.0.up" and error.operation == "aten.conv_transpose2d", error
    net.layer1[0].up = None
    error = refused(net, torch.randn(2, 3, 4, 4), tmp_path)
    assert str(error).startswith("layer1.0: aten.cos: is not supported"), error
    assert "test_export_refusals.py, line" in str(error) and "torch.cos(self.conv1(x))" in str(error)


@pytest.mark.parametrize(
    "layer, text",
    [
        (nn.Upsample(scale_factor=2), "upsample"),
        (nn.MaxPool2d(2, ceil_mode=True), "ceil_mode = True"),
        (nn.AdaptiveMaxPool2d(2), "expected output size 1"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), "aten.pad"),
        (nn.Conv2d(3, 3, 2, padding="same"), "pads unevenly"),
        (nn.PReLU(), "aten.prelu"),
        (nn.LocalResponseNorm(2), "aten."),
        (nn.InstanceNorm2d(3), "aten.instance_norm"),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1)), "remove_parametrizations"),
        (nn.BatchNorm2d(3, track_running_stats=False), "no running statistics"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else value,
)
def test_layers(layer, text, tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 3, 3), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    error = refused(net, torch.randn(2, 3, 7, 7), tmp_path)
    assert text in str(error) and error.place.startswith(("1", "")), error


@pytest.mark.parametrize("layer", [nn.LSTM(6, 4), nn.GRU(6, 4), nn.RNN(6, 4)], ids=lambda layer: type(layer).__name__)
def test_recurrent_layers(layer, tmp_path):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent, self.head = layer, nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.recurrent(x)[0][:, -1])

    error = refused(Last(), torch.randn(2, 5, 6), tmp_path)
    assert str(error).startswith(f"recurrent: nn.{type(layer).__name__}: recurrent layers are not supported"), error


def test_grid_sample(tmp_path):
    class Sampled(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.grid = nn.Linear(3, 2), nn.Buffer(torch.zeros(1, 2, 2, 2))

        def forward(self, x):
            return self.head(F.grid_sample(x, self.grid.expand(len(x), -1, -1, -1), align_corners=False).mean((2, 3)))

    error = refused(Sampled(), torch.randn(2, 3, 4, 4), tmp_path)
    assert "F.grid_sample is not supported" in str(error) and error.operation.startswith("aten.grid_sampler"), error


def test_nothing_is_written_to_stderr(tmp_path, capfd):
    class Path(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 4)

        def forward(self, x):
            x = self.first(x)
            return x if x.sum() > 0 else x.relu()

    assert "depend on the values of the input" in str(refused(Path(), torch.randn(2, 4), tmp_path))
    assert capfd.readouterr().err == ""


def test_training_mode(tmp_path):
    for layer in (nn.Dropout(0.2), nn.BatchNorm1d(4), nn.MultiheadAttention(4, 2, 0.1)):
        net = nn.Sequential(
            nn.Linear(4, 4), layer if not isinstance(layer, nn.MultiheadAttention) else SelfAttention(layer), nn.Linear(4, 2)
        )
        error = refused(net, torch.randn(3, 4), tmp_path)
        assert "module.eval()" in str(error) and "training mode" in str(error), error
        assert error.place.startswith("1"), error


class SelfAttention(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        x = x[:, None].expand(-1, 3, -1)
        return self.attention(x, x, x, need_weights=False)[0].mean(1)


def test_masks_and_other_packings_of_attention(tmp_path):
    class Masked(nn.Module):
        def __init__(self, form):
            super().__init__()
            self.qkv, self.form = nn.Linear(8, 24), form

        def forward(self, x):
            n, t, d = x.shape
            if self.form == "per head":
                q, k, v = self.qkv(x).view(n, t, 2, 12).transpose(1, 2).chunk(3, -1)
            elif self.form == "values first":
                v, q, k = self.qkv(x).view(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
            else:
                q, k, v = self.qkv(x).view(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
            out = F.scaled_dot_product_attention(q, k, v, is_causal=self.form == "causal")
            return out.transpose(1, 2).reshape(n, t, d).mean(1)

    for form, text in (("causal", "masks"), ("per head", "one after the other"), ("values first", "queries at 8")):
        error = refused(Masked(form), torch.randn(2, 5, 8), tmp_path)
        assert text in str(error) and error.operation == "aten.scaled_dot_product_attention", error


def test_parts_without_derivatives_or_in_half_precision(tmp_path):
    class Part(nn.Module):
        def __init__(self, context):
            super().__init__()
            self.first, self.last, self.context = nn.Linear(4, 4), nn.Linear(4, 2), context

        def forward(self, x):
            with self.context():
                x = self.first(x)
            return self.last(x.float())

    for context, text in ((torch.no_grad, "torch.no_grad()"), (lambda: torch.autocast("cpu", torch.bfloat16), "torch.autocast")):
        assert text in str(refused(Part(context), torch.randn(2, 4), tmp_path))


def test_graphs_without_series_and_parallel_branches(tmp_path):
    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            a = self.a(x)
            return self.c(self.b(x) + a) * a

    error = refused(Crossed(), torch.randn(2, 4), tmp_path)
    assert error.place == "a" and "do not come together" in str(error)


def test_changes_in_place_seen_through_another_view(tmp_path):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            y = self.fc(x)
            view = y.view(-1, 2, 2)
            y.relu_()
            return y + view.flatten(1)

    assert "in place" in str(refused(InPlace(), torch.randn(2, 4), tmp_path))


def test_flattened_channels_last(tmp_path):
    class ChannelsLast(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(16, 2)

        def forward(self, x):
            return self.fc(self.conv(x).permute(0, 2, 3, 1).flatten(1))

    error = refused(ChannelsLast(), torch.randn(2, 3, 2, 2), tmp_path)
    assert error.place == "fc" and "[samples, height x width x channels]" in str(error)


def test_a_network_that_is_not_one_of_samples(tmp_path):
    """Batches of other sizes give other outputs: nothing that a list of layers can say."""

    class Batch(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x - x.mean(0))

    error = refused(Batch(), torch.randn(2, 4), tmp_path)
    assert error.operation == "aten.mean" and "expected positions" in str(error)
