"""What is checked of a module and an example before they are traced."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ..tensors import to_array
from .errors import ExportError

#: Wrappers and the attribute that holds the module in them.
WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


def unwrapped(module: Any, notes: list[str]) -> nn.Module:
    """The module without ``torch.compile``'s or ``DataParallel``'s wrapper, which would be a prefix of all names."""
    if isinstance(module, torch.jit.ScriptModule):
        raise ExportError("the module is a TorchScript module; expected the nn.Module that it was made from")
    if not isinstance(module, nn.Module):
        raise ExportError(f"expected a torch.nn.Module, got {type(module).__name__}")
    attribute = WRAPPERS.get(type(module).__name__)
    if attribute and isinstance(inner := getattr(module, attribute, None), nn.Module):
        notes.append(f"The module inside of {type(module).__name__} was exported; names of its weights have no prefix {attribute}.")
        return unwrapped(inner, notes)
    return module


def checked_example(given: Any) -> torch.Tensor:
    """The example as a tensor of float32 with two to four axes."""
    example: Any = given
    if not isinstance(example, torch.Tensor):
        if hasattr(example, "__array__"):
            array = to_array(example, "example")
            if array.dtype.kind not in "fiub":
                raise ExportError(f"example: has numbers of type {array.dtype}, expected floating-point numbers")
            example = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        else:
            what = f"{type(example).__name__} of {len(example)}" if isinstance(example, tuple | list) else type(example).__name__
            raise ExportError(f"example: expected one tensor [n, ...], a batch of inputs, got {what}")
    shape = list(example.shape)
    if example.layout != torch.strided:
        raise ExportError(f"example: has the layout {example.layout}, expected torch.strided; use example.to_dense()")
    if not example.is_floating_point():
        raise ExportError(
            f"example: has type {example.dtype}, expected floating-point numbers; integers (such as token ids) are not supported"
        )
    if not 2 <= example.ndim <= 4:
        expected = "[n, d], [n, channels, length], [n, tokens, features] or [n, channels, height, width]"
        raise ExportError(f"example: has shape {shape}, expected {expected}, n the samples of a batch")
    if 0 in shape:
        raise ExportError(f"example: has shape {shape}, expected no axis of length 0")
    if example.device.type != "cpu":
        raise ExportError(f"example: is on {example.device}, expected cpu; use example.cpu()")
    result: torch.Tensor = example.detach().float()
    if not torch.isfinite(result).all():
        raise ExportError("example: has entries that are not finite, expected finite numbers")
    return result


def checked_copy(module: nn.Module, notes: list[str]) -> nn.Module:
    """A copy in float32, after its tensors were checked."""
    tensors: list[tuple[str, str, torch.Tensor]] = [
        ("parameter", name, tensor) for name, tensor in module.named_parameters(remove_duplicate=False)
    ]
    if not tensors:
        raise ExportError("the module has no parameters; expected a network with weights")
    tensors += [("buffer", name, tensor) for name, tensor in module.named_buffers(remove_duplicate=False)]
    converted: dict[torch.dtype, str] = {}
    for kind, name, tensor in tensors:
        if torch.nn.parameter.is_lazy(tensor):
            raise ExportError(f"{name}: this {kind} has no shape yet; call module(example) once before the export")
        if tensor.device.type == "meta":
            raise ExportError(f"{name}: this {kind} is on the meta device and has no values; load weights first")
        if tensor.device.type != "cpu":
            raise ExportError(f"{name}: this {kind} is on {tensor.device}, expected cpu; use module.cpu(), or copy.deepcopy(module).cpu()")
        if not tensor.is_floating_point():
            if kind == "parameter" or tensor.is_complex():
                raise ExportError(
                    f"{name}: this {kind} has type {tensor.dtype}, expected floating-point numbers; there is no second derivative"
                )
            continue
        if tensor.dtype != torch.float32:
            converted.setdefault(tensor.dtype, name)
        finite = torch.isfinite(tensor)
        if not finite.all():
            bad = tensor[~finite].flatten()
            raise ExportError(
                f"{name}: {len(bad)} of {tensor.numel()} entries are not finite (such as {bad[0].item()}), expected finite numbers"
            )
    for dtype, name in converted.items():
        notes.append(f"Tensors of type {dtype} (such as {name}) were converted to float32.")
    try:
        return copy.deepcopy(module).float()
    except Exception as error:
        raise ExportError(f"the module cannot be copied: {error}") from error


def check_modes(module: nn.Module, notes: list[str]) -> None:
    """Refuses recurrent layers, and batch normalisation by the statistics of a batch, which would count batches while it is traced; says what of
    attention is lost."""
    for name, part in module.named_modules():
        if isinstance(part, nn.RNNBase | nn.RNNCellBase):
            raise ExportError("recurrent layers are not supported: there is no layer for them", place=name, operation=f"nn.{type(part).__name__}")
        if isinstance(part, nn.MultiheadAttention) and part.dropout > 0:
            note = "Dropout of attention's weights is left out; it does nothing after module.eval()."
            notes.extend([note] if note not in notes else [])
        if part.training and isinstance(part, nn.modules.batchnorm._BatchNorm) and part.track_running_stats:
            raise ExportError(
                f"{type(part).__name__} is in training mode, in which samples depend on each other; call module.eval() before the export",
                place=name,
            )


def checked_output(module: nn.Module, example: torch.Tensor) -> int:
    """The number of outputs C of a module whose outputs are [n, C]; ``module`` is a copy, which this may change."""
    try:
        with torch.no_grad():
            output = module(example)
    except Exception as error:
        raise ExportError(
            f"module(example) fails for an example of shape {list(example.shape)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(output, torch.Tensor):
        size = f" of {len(output)}" if hasattr(output, "__len__") else ""
        raise ExportError(
            f"module(example) returns a {type(output).__name__}{size}, expected one tensor [n, outputs]; "
            "export a module whose forward returns the logits alone"
        )
    if output.ndim != 2 or output.shape[0] != example.shape[0]:
        raise ExportError(
            f"module(example) returns a tensor of shape {list(output.shape)} for {example.shape[0]} samples, expected [n, outputs]"
        )
    return output.shape[1]
