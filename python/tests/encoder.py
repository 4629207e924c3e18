"""A vision transformer of PyTorch's own encoder."""

import torch
from torch import nn


class EncoderVit(nn.Module):
    """Patches, positions, ``nn.TransformerEncoder``, mean over the tokens."""

    def __init__(self, size=8, patch=4, dim=8, depth=2, heads=2, norm_first=False, activation="relu"):
        super().__init__()
        self.patches = nn.Conv2d(3, dim, patch, stride=patch)
        self.position = nn.Parameter(torch.zeros((size // patch) ** 2, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, batch_first=True, norm_first=norm_first, activation=activation)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).permute(0, 2, 1) + self.position
        return self.head(self.encoder(x).mean(1))
