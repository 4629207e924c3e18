#!/usr/bin/env python3
"""State dicts as PyTorch writes them, of torchvision's own classes, with the logits that PyTorch gives.

    python3 scripts/reference/state_dicts.py

Makes `crates/saltflat-models/tests/fixtures/state_dicts/NAME.safetensors` (the state_dict, float32) and `NAME.logits.safetensors`
(`inputs`, `logits`). The networks are torchvision's VGG (configuration A, no batch norm, its classifier with two hidden layers)
and its ResNet-18 blocks with group norm and a 3 × 3 stem, narrow so that the files stay small.

Weights as they are found are those of a ResNet with the names of kuangliu/pytorch-cifar, whose logits are calculated in float64:
`cifar_resnet.safetensors` as it is; `wrapped.safetensors`, in float16, after `torch.compile(torch.nn.DataParallel(net))`;
`averaged.safetensors`, in bfloat16, of `torch.optim.swa_utils.AveragedModel(net)`; `sharded/`, two files and their index, as
`save_pretrained` of Hugging Face's libraries leaves them. Their logits, at the rounded weights, are `logits.NAME` in
`cifar_resnet.logits.safetensors`. `vgg11_pool7` has torchvision's average pool to 7 × 7 positions and the wide layer behind it.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torchvision.models import resnet, vgg

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/saltflat-models/tests/fixtures/state_dicts"
WIDTH = 4


def narrow_vgg11(width=WIDTH, pool=1, hidden=(24, 12)):
    channels = [c if c == "M" else c * width // 64 for c in vgg.cfgs["A"]]
    net = vgg.VGG(vgg.make_layers(channels, batch_norm=False), num_classes=10)
    net.avgpool = nn.AdaptiveAvgPool2d(pool)
    net.classifier = nn.Sequential(
        nn.Linear(8 * width * pool * pool, hidden[0]), nn.ReLU(), nn.Dropout(),
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


class CifarBlock(nn.Module):
    """The block of kuangliu/pytorch-cifar (models/resnet.py)."""

    def __init__(self, in_planes, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            conv = nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(planes))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class CifarResnet(nn.Module):
    """The network of kuangliu/pytorch-cifar (models/resnet.py), with a width and one block in each of its four layers."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(CifarBlock(width, width, 1))
        self.layer2 = nn.Sequential(CifarBlock(width, 2 * width, 2))
        self.layer3 = nn.Sequential(CifarBlock(2 * width, 4 * width, 2))
        self.layer4 = nn.Sequential(CifarBlock(4 * width, 8 * width, 2))
        self.linear = nn.Linear(8 * width, 10)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        out = F.avg_pool2d(out, 4)
        return self.linear(out.view(out.size(0), -1))


def moved(net):
    """No number at a value that hides a mistake, such as 0 or 1."""
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.is_floating_point():
                noise = 0.1 * torch.randn_like(tensor)
                tensor.add_(noise.abs() if name.endswith("running_var") else noise)
    return net.eval()


def rounded(state, dtype):
    return {name: x.to(dtype) if x.is_floating_point() else x for name, x in state.items()}


def save_sharded(state, folder):
    """Two files and `model.safetensors.index.json`, whose `weight_map` has the file of each tensor."""
    folder.mkdir(exist_ok=True)
    names = sorted(state)
    parts = [names[: len(names) // 2], names[len(names) // 2 :]]
    weight_map = {}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05}-of-{len(parts):05}.safetensors"
        save_file({name: state[name] for name in part}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total = sum(x.numel() * x.element_size() for x in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def as_found():
    torch.manual_seed(24)
    net, inputs = moved(CifarResnet(2)), torch.randn(3, 3, 32, 32)
    state = net.state_dict()

    def logits(numbers):
        other = CifarResnet(2).eval()
        other.load_state_dict(numbers)
        with torch.no_grad():
            return other.double()(inputs.double()).contiguous()

    wrapped = torch.compile(nn.DataParallel(net)).state_dict()
    assert "_orig_mod.module.linear.weight" in wrapped
    averaged = AveragedModel(net).state_dict()
    assert "n_averaged" in averaged and "module.linear.weight" in averaged
    save_file(state, OUT / "cifar_resnet.safetensors", metadata={"format": "pt"})
    save_file(rounded(wrapped, torch.float16), OUT / "wrapped.safetensors", metadata={"format": "pt"})
    save_file(rounded(averaged, torch.bfloat16), OUT / "averaged.safetensors", metadata={"format": "pt"})
    save_sharded(state, OUT / "sharded")
    exact = logits(state)
    results = {"inputs": inputs, "logits.cifar_resnet": exact, "logits.sharded": exact.clone()}
    results["logits.wrapped"] = logits(rounded(state, torch.float16))
    results["logits.averaged"] = logits(rounded(state, torch.bfloat16))
    save_file(results, OUT / "cifar_resnet.logits.safetensors")

    torch.manual_seed(25)
    # A quarter of the usual scale and more than a channel a layer, so that not all of them are cut off.
    net = moved(narrow_vgg11(width=4, pool=7, hidden=(6, 5))).double()
    with torch.no_grad():
        logits_pooled = net(inputs.double()).contiguous()
    save_file(rounded(net.state_dict(), torch.float32), OUT / "vgg11_pool7.safetensors", metadata={"format": "pt"})
    save_file({"inputs": inputs, "logits": logits_pooled}, OUT / "vgg11_pool7.logits.safetensors")
    print("as found", exact[0, :3].tolist(), logits_pooled[0, :3].tolist())


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
    as_found()


if __name__ == "__main__":
    main()
