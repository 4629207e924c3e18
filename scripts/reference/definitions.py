"""The networks of Saltflat in PyTorch, with the tensor names of PyTorch and torchvision.

    pip install torch

`build(model, shape)` takes the `[model]` section of a configuration as a dict and the shape of one sample.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Softplus(nn.Module):
    """log(1 + e^x) for every x; `nn.Softplus` is x itself above a threshold of 20, 2e-9 off there."""

    def forward(self, x):
        return F.softplus(x, threshold=math.inf)


ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": Softplus,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def norm_layer(norm, channels, channels_per_group):
    """The normalisation named `norm`; for "none" a module without tensors."""
    if norm == "none":
        return nn.Identity()
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(channels // channels_per_group, channels)


def conv3x3(inputs, outputs, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


class Mlp(nn.Module):
    """Linear layers with an activation between them; images are flattened."""

    def __init__(self, inputs, hidden, outputs, activation="relu", bias=True):
        super().__init__()
        widths = [inputs, *hidden, outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in zip(widths, widths[1:]))
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x):
        x = self.layers[0](x.flatten(1))
        for layer in self.layers[1:]:
            x = layer(self.activation(x))
        return x


class RandomFeatures(nn.Module):
    """A trained linear layer on frozen random features."""

    def __init__(self, inputs, features, outputs, activation="relu"):
        super().__init__()
        self.features = nn.Linear(inputs, features, bias=False).requires_grad_(False)
        self.activation = ACTIVATIONS[activation]()
        self.output = nn.Linear(features, outputs, bias=False)

    def forward(self, x):
        return self.output(self.activation(self.features(x.flatten(1))))


class Lenet(nn.Module):
    """Wu, Wang, Su 2022 (arXiv 2207.02628), table 1, with a convolution's padding of 1."""

    def __init__(self, shape, width, outputs, activation="relu"):
        super().__init__()
        channels, height, side = shape
        widths = [channels, width, 2 * width, 2 * width, width]
        self.convs = nn.ModuleList(conv3x3(a, b, bias=True) for a, b in zip(widths, widths[1:]))
        self.activation = ACTIVATIONS[activation]()
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(width * (height // 2 // 2) * (side // 2 // 2), outputs)

    def forward(self, x):
        for i, conv in enumerate(self.convs):
            x = self.activation(conv(x))
            if i % 2 == 1:
                x = self.pool(x)
        return self.fc(x.flatten(1))


VGG_CONVS = {11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]}


class Vgg(nn.Module):
    """torchvision's `features`; the mean over the positions left; a classifier at torchvision's indices, no dropout."""

    def __init__(
        self, channels, depth, width, outputs, hidden=(), norm="none", channels_per_group=1, activation="relu"
    ):
        super().__init__()
        act = ACTIVATIONS[activation]
        layers = []
        for count, factor in zip(VGG_CONVS[depth], [1, 2, 4, 8, 8]):
            for _ in range(count):
                layers.append(conv3x3(channels, factor * width, bias=True))
                channels = factor * width
                if norm != "none":
                    layers.append(norm_layer(norm, channels, channels_per_group))
                layers.append(act())
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        head = []
        for h in hidden:
            head += [nn.Linear(channels, h), act(), nn.Identity()]  # the slot of torchvision's dropout
            channels = h
        self.classifier = nn.Sequential(*head, nn.Linear(channels, outputs))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class BasicBlock(nn.Module):
    """torchvision's BasicBlock with another normalisation, or none and biases in the convolutions."""

    def __init__(self, inputs, outputs, stride, norm, channels_per_group, activation):
        super().__init__()
        bias = norm == "none"
        self.conv1 = conv3x3(inputs, outputs, stride, bias)
        self.bn1 = norm_layer(norm, outputs, channels_per_group)
        self.conv2 = conv3x3(outputs, outputs, 1, bias)
        self.bn2 = norm_layer(norm, outputs, channels_per_group)
        self.activation = ACTIVATIONS[activation]()
        self.downsample = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=bias)
            self.downsample = nn.Sequential(conv, norm_layer(norm, outputs, channels_per_group))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.activation(self.bn1(self.conv1(x)))
        return self.activation(self.bn2(self.conv2(x)) + shortcut)


class Resnet(nn.Module):
    """torchvision's ResNet of basic blocks with a 3x3 stem of stride 1 and no max-pool."""

    def __init__(self, channels, width, blocks, outputs, norm="group", channels_per_group=1, activation="relu"):
        super().__init__()
        self.conv1 = conv3x3(channels, width, bias=norm == "none")
        self.bn1 = norm_layer(norm, width, channels_per_group)
        self.activation = ACTIVATIONS[activation]()
        self.stages = [f"layer{i + 1}" for i in range(len(blocks))]
        inputs = width
        for i, (name, count) in enumerate(zip(self.stages, blocks)):
            outputs_i = width * 2**i
            stage = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(BasicBlock(inputs, outputs_i, stride, norm, channels_per_group, activation))
                inputs = outputs_i
            setattr(self, name, nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x):
        x = self.activation(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(self.avgpool(x).flatten(1))


def scalar(value):
    return nn.Parameter(torch.full([1], float(value)))


class FixupShortcut(nn.Module):
    """Every second position, then as many zero channels again."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(1, stride=2)

    def forward(self, x):
        x = self.pool(x)
        return torch.cat([x, torch.zeros_like(x)], 1)


class FixupBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, activation):
        super().__init__()
        self.bias1a = scalar(0)
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bias1b = scalar(0)
        self.bias2a = scalar(0)
        self.conv2 = conv3x3(outputs, outputs)
        self.scale = scalar(1)
        self.bias2b = scalar(0)
        self.activation = ACTIVATIONS[activation]()
        self.downsample = FixupShortcut() if stride != 1 else None

    def forward(self, x):
        biased = x + self.bias1a
        out = self.activation(self.conv1(biased) + self.bias1b)
        out = self.conv2(out + self.bias2a) * self.scale + self.bias2b
        # The first bias goes through the shortcut only where the shape changes.
        return self.activation(out + (x if self.downsample is None else self.downsample(biased)))


class ResnetFixup(nn.Module):
    """Zhang, Dauphin, Ma 2019 (arXiv 1901.09321), after the authors' `cifar/models/fixup_resnet_cifar.py`."""

    def __init__(self, channels, depth, width, outputs, activation="relu"):
        super().__init__()
        assert depth % 6 == 2, "depth is 6n + 2"
        self.conv1 = conv3x3(channels, width)
        self.bias1 = scalar(0)
        self.activation = ACTIVATIONS[activation]()
        inputs = width
        for i in range(3):
            stage = []
            for j in range((depth - 2) // 6):
                stage.append(FixupBlock(inputs, width * 2**i, 2 if i > 0 and j == 0 else 1, activation))
                inputs = width * 2**i
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.bias2 = scalar(0)
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x):
        x = self.activation(self.conv1(x) + self.bias1)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1) + self.bias2)


def build(model, shape):
    """The network of a `[model]` section for samples of this shape, such as `[20]` or `[3, 32, 32]`."""
    options = dict(model)
    kind = options.pop("kind")
    if kind == "mlp":
        return Mlp(math.prod(shape), **options)
    if kind == "linear-net":
        return Mlp(math.prod(shape), activation="identity", bias=False, **options)
    if kind == "random-features":
        return RandomFeatures(math.prod(shape), **options)
    if kind == "lenet":
        return Lenet(shape, **options)
    return {"vgg": Vgg, "resnet": Resnet, "resnet-fixup": ResnetFixup}[kind](shape[0], **options)


def parameter_count(network):
    """Number of trained numbers: frozen features and running statistics do not count."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
