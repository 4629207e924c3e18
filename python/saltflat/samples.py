"""The data of a measurement: as they were given, as the exported network takes them, and whether they fit the loss."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import from_arrays, read_split
from .errors import BadInputError
from .files import tensors_of, to_path
from .loss import Loss
from .tensors import Split

#: Samples with which a module is traced.
EXAMPLE = 3


def samples_of(inputs: Any, targets: Any) -> Split | Path:
    """The data, with the axes that the module takes, or the path of a file that holds them."""
    if inputs is None:
        raise BadInputError("inputs: is missing, expected a tensor [n, …], a dataset, or the path of a file that saltflat.dataset wrote")
    if isinstance(inputs, (str, os.PathLike)):
        if targets is not None:
            raise BadInputError(f"targets: expected nothing beside the file {inputs}, which holds them")
        path = to_path("inputs", inputs)
        with tensors_of(path, "inputs"):
            return path
    if targets is None:
        if hasattr(inputs, "dtype"):
            raise BadInputError("targets: is missing, expected one target for each of the inputs")
        return read_split(inputs, "inputs")
    split = from_arrays(inputs, targets)
    if split.inputs.dtype == np.uint8:
        raise BadInputError("inputs: has numbers of type uint8, expected floating-point numbers as the module takes them; use inputs.float() / 255")
    return split


def count_of(data: Split | Path) -> int:
    """n, the number of samples."""
    if isinstance(data, Path):
        with tensors_of(data, "inputs") as file:
            return int(file.get_slice("inputs").get_shape()[0])
    return len(data.inputs)


def example(data: Split | Path) -> Any:
    """The first samples as the module takes them; images of 8 bits as ``ToTensor`` makes them."""
    import torch

    if isinstance(data, Path):
        with tensors_of(data, "inputs") as file:
            rows = file.get_slice("inputs")[:EXAMPLE]
    else:
        rows = data.inputs[:EXAMPLE]
    tensor = torch.from_numpy(np.ascontiguousarray(rows))
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def as_inputs(exported: Any, data: Split) -> Split:
    """The data as the file has to hold them: the network may have moved the axes of the module's inputs."""
    if hasattr(exported, "to_inputs"):
        import torch

        return Split(exported.to_inputs(torch.from_numpy(np.ascontiguousarray(data.inputs))).numpy(), data.targets)
    if data.inputs.ndim == 3:
        raise BadInputError(
            f"inputs: has the shape {list(data.inputs.shape)}, expected [n, d] or [n, channels, height, width] for the folder of an exported "
            "network; use inputs.unsqueeze(1) for images of one channel, or pass what saltflat.export returned, which knows the axes"
        )
    return data


def check_targets(data: Path, loss: Loss, outputs: int) -> None:
    """Whether the targets of a file are such as the loss and the outputs take."""
    with tensors_of(data, "inputs") as file:
        labels = file.get_tensor("labels") if "labels" in set(file.keys()) else None
        width = (file.get_slice("targets").get_shape() + [1])[1] if labels is None else None
    if labels is None and loss.kind == "cross_entropy":
        raise BadInputError(
            f"targets: are floating-point numbers, expected classes as integers for {loss.words}; probabilities of classes are not supported, "
            "use targets.argmax(1), or targets.long() if they are classes"
        )
    if labels is not None and loss.mean_over_outputs:
        raise BadInputError(
            "targets: are classes, expected floating-point numbers of the shape of the outputs for nn.MSELoss; use F.one_hot(targets).float(), or "
            'loss="square", which takes classes'
        )
    if width is not None and width != outputs:
        raise BadInputError(f"targets: have {width} numbers a sample, expected {outputs}, as many as the module has outputs")
    if labels is not None and labels.size and labels.max() >= outputs:
        index = int(labels.argmax())
        raise BadInputError(f"targets[{index}]: is {labels[index]}, expected a class 0 to {outputs - 1}, since the module has {outputs} outputs")
