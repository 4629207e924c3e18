"""The PyTorch networks whose export is tested: what papers and tutorials train, narrow so that full Hessians are affordable."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Cnn(nn.Module):
    """The network of a tutorial: 5 x 5 convolutions, max-pooling, dropout, two linear layers."""

    def __init__(self, width=4):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, 2 * width, 5, padding=2)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(2 * width * 2 * 2, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout(torch.flatten(x, 1))
        return self.fc2(F.relu(self.fc1(x)))


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, depthwise, project."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        self.use_shortcut = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            conv_norm(inputs, hidden, 1),
            conv_norm(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x):
        return x + self.conv(x) if self.use_shortcut else self.conv(x)


class MobileNet(nn.Module):
    """Depthwise-separable blocks with torchvision's names."""

    def __init__(self, width=4):
        super().__init__()
        self.features = nn.Sequential(
            conv_norm(3, width, 3),
            InvertedResidual(width, 2 * width, 2, 2),
            InvertedResidual(2 * width, 2 * width, 1, 2),
            conv_norm(2 * width, 4 * width, 1),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(4 * width, 10))

    def forward(self, x):
        x = self.features(x)
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return self.classifier(torch.flatten(x, 1))


class WideBlock(nn.Module):
    """A pre-activation block of a wide ResNet, with the names of the usual repositories."""

    def __init__(self, inputs, outputs, stride, dropout=0.0):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.droprate = dropout
        self.equalInOut = inputs == outputs
        self.convShortcut = None if self.equalInOut else nn.Conv2d(inputs, outputs, 1, stride, 0, bias=False)

    def forward(self, x):
        if not self.equalInOut:
            x = self.relu1(self.bn1(x))
        else:
            out = self.relu1(self.bn1(x))
        out = self.relu2(self.bn2(self.conv1(out if self.equalInOut else x)))
        if self.droprate > 0:
            out = F.dropout(out, p=self.droprate, training=self.training)
        out = self.conv2(out)
        return torch.add(x if self.equalInOut else self.convShortcut(x), out)


class WideResNet(nn.Module):
    """WideResNet-depth-k, whose first stage has `width` channels instead of 16."""

    def __init__(self, depth=16, k=2, width=2, dropout=0.3):
        super().__init__()
        blocks, widths = (depth - 4) // 6, [width, width * k, 2 * width * k, 4 * width * k]
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        for i in range(3):
            layers = [
                WideBlock(widths[i] if j == 0 else widths[i + 1], widths[i + 1], (1 if i == 0 else 2) if j == 0 else 1, dropout)
                for j in range(blocks)
            ]
            setattr(self, f"block{i + 1}", nn.Sequential(*layers))
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(widths[3], 10)

    def forward(self, x):
        out = self.block3(self.block2(self.block1(self.conv1(x))))
        out = F.adaptive_avg_pool2d(self.relu(self.bn1(out)), 1)
        return self.fc(out.view(-1, self.fc.in_features))


class ConvNextBlock(nn.Module):
    """A block of ConvNeXt as its authors wrote it."""

    def __init__(self, dim):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(0.3 * torch.ones(dim))

    def forward(self, x):
        shortcut = x
        x = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        x = self.gamma * self.pwconv2(self.act(self.pwconv1(x)))
        return shortcut + x.permute(0, 3, 1, 2)


class LayerNorm2d(nn.LayerNorm):
    """torchvision's layer norm of the channels of a map."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    """Patches, two blocks with a downsampling between them, mean over positions."""

    def __init__(self, dim=6):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, dim, 2, stride=2), LayerNorm2d(dim, eps=1e-6))
        self.block1 = ConvNextBlock(dim)
        self.down = nn.Sequential(LayerNorm2d(dim, eps=1e-6), nn.Conv2d(dim, 2 * dim, 2, stride=2))
        self.block2 = ConvNextBlock(2 * dim)
        self.norm = nn.LayerNorm(2 * dim, eps=1e-6)
        self.head = nn.Linear(2 * dim, 10)

    def forward(self, x):
        x = self.block2(self.down(self.block1(self.stem(x))))
        return self.head(self.norm(x.mean([-2, -1])))


class Attention(nn.Module):
    """timm's attention."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.width = heads, dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, self.width).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, t, d))


class VitBlock(nn.Module):
    """timm's pre-norm block."""

    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, ratio * dim), nn.GELU(), nn.Linear(ratio * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """A vision transformer: patch 4, depth 2, 2 heads, class token, learned positions."""

    def __init__(self, size=8, patch=4, dim=8, depth=2, heads=2, ratio=2):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, dim))
        self.blocks = nn.Sequential(*(VitBlock(dim, heads, ratio) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


#: Name of a fixture, its network, and the shape of its inputs.
NETWORKS = {
    "cnn": (Cnn, (3, 8, 8)),
    "mobilenet": (MobileNet, (3, 8, 8)),
    "wide_resnet": (WideResNet, (3, 8, 8)),
    "convnext": (ConvNext, (3, 8, 8)),
    "vit": (Vit, (3, 8, 8)),
}


def away_from_defaults(net, seed):
    """Moves every tensor away from values that hide a mistake, such as 0 and 1, running statistics too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.2 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.mul_(0.5 + torch.rand(buffer.shape, generator=generator))
    return net.eval()


def made(name):
    """A network with its weights, in evaluation mode, and inputs and labels of `samples` samples."""
    seed = list(NETWORKS).index(name)
    make, shape = NETWORKS[name]
    torch.manual_seed(seed)
    net = away_from_defaults(make(), seed)
    return net, shape
