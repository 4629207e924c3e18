"""Exports a PyTorch module."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from ..files import to_path, writing
from . import check as checking
from . import toml
from .errors import ExportError
from .graph import Node
from .module import check_modes, checked_copy, checked_example, checked_output, unwrapped
from .structure import structured
from .trace import trace
from .translate import Translation
from .weights import collect

#: Held by an export: while torch.export traces, it changes functions of PyTorch that all threads call.
ONE_AT_A_TIME = threading.RLock()

#: What the axes of inputs with two, three and four axes may be; of several the first that makes a network.
AXES = {2: ("nc",), 3: ("nch", "nhc"), 4: ("nchw",)}


@dataclass(frozen=True)
class ExportedNetwork:
    """A network on disk.

    Attributes:
        model: Path of ``model.toml``: the section ``[model]`` of a configuration, with the list of layers.
        weights: Path of ``weights.safetensors``: the weights under the module's own names.
        input: Shape [channels, height, width] of one input, as Saltflat sees it.
        outputs: Number of outputs C.
        axes: What the axes of the module's inputs are: ``nc``, ``nch``, ``nhc`` (tokens with their features last) or ``nchw``.
        notes: Sentences that a person should read.
    """

    model: Path
    weights: Path
    input: tuple[int, int, int]
    outputs: int
    axes: str
    notes: list[str] = field(default_factory=list)

    def to_inputs(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of the module as a `tensors` file holds them: [n, d] or [n, channels, height, width]."""
        return to_inputs(self.axes, inputs)


def to_inputs(axes: str, inputs: torch.Tensor) -> torch.Tensor:
    """Inputs with these axes, as [n, d] or [n, channels, height, width]."""
    if axes == "nhc":
        inputs = inputs.transpose(1, 2)
    return inputs[..., None] if inputs.ndim == 3 else inputs


def export(
    module: nn.Module,
    example: torch.Tensor,
    folder: str | os.PathLike[str],
    *,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    check: bool = True,
) -> ExportedNetwork:
    """As :func:`saltflat.export`, whose documentation has the arguments; one at a time, whatever the threads."""
    with ONE_AT_A_TIME:
        return _export(module, example, to_path("folder", folder), rtol, atol, check)


def _export(module: nn.Module, example: torch.Tensor, place: Path, rtol: float, atol: float, check: bool) -> ExportedNetwork:
    notes: list[str] = []
    module = unwrapped(module, notes)
    example = checked_example(example)
    check_modes(module, notes)
    copied = checked_copy(module, notes)
    outputs = checked_output(copied, example)
    axes, start, end = translated(trace(copied, example), example.ndim, notes)
    entries = structured(start, end)
    tensors = collect(entries, copied, notes)
    if axes == "nhc":
        notes.append(
            "Inputs are [samples, tokens, features]; Saltflat's features are channels: ExportedNetwork.to_inputs makes its inputs."
        )
    comment = f"{type(module).__name__} from PyTorch, exported by saltflat.export: inputs {list(start.shape)} [channels, height, width]."
    text = toml.model(entries, outputs, comment)
    with writing(f"folder: {place}"):
        place.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=".export-", dir=place)
    with made as temporary:
        model, weights = (Path(temporary) / name for name in ("model.toml", "weights.safetensors"))
        model.write_text(text, encoding="utf-8")
        save_file(tensors, weights, metadata={"format": "pt"})
        # safetensors makes files that only their owner may read.
        weights.chmod(model.stat().st_mode)
        if check:
            checking.check(copied, example, lambda batch: to_inputs(axes, batch), model, weights, rtol, atol, notes)
        with writing(f"folder: {place}"):
            weights, model = (file.replace(place / file.name) for file in (weights, model))
    return ExportedNetwork(model, weights, start.shape, outputs, axes, notes)


def translated(program: Any, rank: int, notes: list[str]) -> tuple[str, Node, Node]:
    """What the input's axes are, and the nodes of the input and the output."""
    failed: list[tuple[int, ExportError]] = []
    for axes in AXES[rank]:
        said: list[str] = []
        translation = Translation(program, axes, said)
        try:
            start, end = translation.run()
        except ExportError as error:
            failed.append((translation.done, error))
        else:
            notes.extend(said)
            return axes, start, end
    # The error of the attempt that came farthest, the first of equals.
    raise max(failed, key=lambda attempt: attempt[0])[1]
