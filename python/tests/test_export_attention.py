"""Attention and positions, in the ways in which people write them."""

import pytest
import torch
import torch.nn.functional as F
from exporting import exported, kinds, random
from torch import nn


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
