"""The weights that the layers use, as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import nn

from .errors import ExportError
from .graph import TensorUse
from .structure import Entry


def uses(entries: list[Entry]) -> Iterator[TensorUse]:
    """All tensors of a list of layers, with those of its branches."""
    for entry in entries:
        yield from entry.tensors.values()
        for _, inner in entry.lists():
            yield from uses(inner)


def collect(entries: list[Entry], module: nn.Module, notes: list[str]) -> dict[str, torch.Tensor]:
    """The tensors under the module's own names, after it was checked that each parameter is used once and is trained.

    Raises:
        ExportError: A parameter is used twice, or is frozen.
    """
    state = {name: tensor.detach() for name, tensor in module.named_parameters(remove_duplicate=False)}
    state |= {name: tensor.detach() for name, tensor in module.named_buffers(remove_duplicate=False)}
    parameters = dict(module.named_parameters(remove_duplicate=False))
    objects: dict[int, list[str]] = {}
    for name, parameter in parameters.items():
        objects.setdefault(id(parameter), []).append(name)
    result: dict[str, torch.Tensor] = {}
    changed: list[str] = []
    for use in uses(entries):
        names = objects.get(id(parameters.get(use.name)), [use.name])
        if use.trained and any(name in result for name in names):
            shared = f" (also known as {', '.join(name for name in names if name != use.name)})" if len(names) > 1 else ""
            raise ExportError(
                f"is used by two layers{shared}; tied parameters are not supported, since a layer of Saltflat has its own", place=use.name
            )
        if use.trained and not parameters[use.name].requires_grad:
            raise ExportError(
                "is frozen (requires_grad is False); Saltflat's Hessian has all parameters as coordinates and would not be that of the trained "
                f"ones alone. Use module.requires_grad_(True) for the Hessian of all {len(parameters)} parameter tensors",
                place=use.name,
            )
        tensor = state[use.name]
        if use.order is not None:
            tensor = tensor.permute(use.order)
        if use.order is not None or use.shape != state[use.name].shape:
            changed.append(f"{use.name} ({list(state[use.name].shape)} as {list(use.shape)})")
        assert prod(use.shape) == tensor.numel()
        result[use.name] = tensor.reshape(use.shape).clone(memory_format=torch.contiguous_format)
    if changed:
        notes.append(
            f"Written with other axes than the module's: {', '.join(changed)}. A later state_dict of this module does not load beside model.toml; "
            "export the module again."
        )
    unused = [names[0] for names in objects.values() if not any(name in result for name in names)]
    if unused:
        notes.append(f"The output does not depend on {', '.join(unused)}: left out.")
    return result
