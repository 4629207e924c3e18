#!/usr/bin/env python3
"""State dicts as PyTorch writes them, of torchvision's own classes, with the logits that PyTorch gives.

    python3 scripts/reference/state_dicts.py

Makes `crates/saltflat-models/tests/fixtures/state_dicts/NAME.safetensors` (the state_dict, float32) and `NAME.logits.safetensors`
(`inputs`, `logits`). The networks are torchvision's VGG (configuration A, no batch norm, its classifier with two hidden layers)
and its ResNet-18 blocks with group norm and a 3 × 3 stem, narrow so that the files stay small.
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet, vgg

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/saltflat-models/tests/fixtures/state_dicts"
WIDTH = 4


def narrow_vgg11():
    channels = [c if c == "M" else c * WIDTH // 64 for c in vgg.cfgs["A"]]
    net = vgg.VGG(vgg.make_layers(channels, batch_norm=False), num_classes=10)
    net.avgpool = nn.AdaptiveAvgPool2d(1)
    hidden = [24, 12]
    net.classifier = nn.Sequential(
        nn.Linear(8 * WIDTH, hidden[0]), nn.ReLU(), nn.Dropout(),
        nn.Linear(hidden[0], hidden[1]), nn.ReLU(), nn.Dropout(),
        nn.Linear(hidden[1], 10),
    )  # fmt: skip
    return net


class NarrowResnet18(resnet.ResNet):
    """torchvision's blocks and forward pass; the constructor alone is ours, since theirs has its widths built in."""

    def __init__(self):
        nn.Module.__init__(self)
        self._norm_layer = lambda channels: nn.GroupNorm(channels // 4, channels)
        self.inplanes, self.dilation, self.groups, self.base_width = WIDTH, 1, 1, 64
        self.conv1 = nn.Conv2d(3, WIDTH, 3, padding=1, bias=False)
        self.bn1 = self._norm_layer(WIDTH)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity()
        for i in range(4):
            layer = self._make_layer(resnet.BasicBlock, WIDTH * 2**i, 2, stride=1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * WIDTH, 10)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed, (name, make) in enumerate({"vgg11": narrow_vgg11, "resnet18": NarrowResnet18}.items()):
        torch.manual_seed(seed)
        net = make().eval()
        with torch.no_grad():
            for p in net.parameters():  # nothing at a value that hides a mistake, such as 0 or 1
                p.add_(0.1 * torch.randn_like(p))
            inputs = torch.randn(4, 3, 32, 32)
            logits = net(inputs)
        save_file(net.state_dict(), OUT / f"{name}.safetensors", metadata={"format": "pt"})
        save_file({"inputs": inputs, "logits": logits.contiguous()}, OUT / f"{name}.logits.safetensors")
        print(name, [round(x, 4) for x in logits[0].tolist()[:4]])


if __name__ == "__main__":
    main()
