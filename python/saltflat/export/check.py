"""Runs the module in PyTorch and the exported network in Saltflat, and compares."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ..binary import VARIABLE, find_binary, run
from ..errors import BinaryNotFoundError, SaltflatError
from .errors import ExportError
from .trace import slow_attention

#: Samples of the example that are compared, and of the second batch.
MOST, RANDOM = 16, 5


def batches(example: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """The example and random inputs of the same scale, of another number of samples."""
    generator = torch.Generator().manual_seed(0)
    spread = example.std().item() if example.numel() > 1 else 1.0
    random = torch.randn((RANDOM, *example.shape[1:]), generator=generator) * (spread or 1.0) + example.mean()
    return [("the example", example[:MOST]), (f"a random batch of {RANDOM}", random)]


def reference(module: nn.Module, inputs: torch.Tensor, notes: list[str]) -> torch.Tensor:
    """The outputs in float64; in float32 if the module converts to it inside."""
    try:
        return called(doubled(module), inputs.double())
    except RuntimeError:
        pass
    try:
        result = called(module, inputs)
    except RuntimeError as error:
        raise ExportError(
            f"the module fails on a batch of {len(inputs)} samples; expected one that takes any number of samples: {error}"
        ) from error
    note = "The module does not run in float64; its outputs were compared in float32."
    if note not in notes:
        notes.append(note)
    return result


def doubled(module: nn.Module) -> nn.Module:
    """A copy in float64."""
    double = copy.deepcopy(module).double()
    for norm in double.modules():
        # Without a number it is the precision of the number type, and what is exported is that of float32.
        if isinstance(norm, nn.RMSNorm) and norm.eps is None:
            norm.eps = torch.finfo(torch.float32).eps
    return double


def called(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """The outputs as float64."""
    with torch.no_grad(), slow_attention():
        result: torch.Tensor = module(inputs)
    return result.double()


def outputs(model: Path, weights: Path, inputs: torch.Tensor) -> torch.Tensor:
    """The outputs of the exported network in float64."""
    with tempfile.TemporaryDirectory(prefix="saltflat-") as folder:
        given, made = Path(folder) / "inputs.safetensors", Path(folder) / "outputs.safetensors"
        save_file({"inputs": inputs.contiguous()}, given)
        run(["outputs", model, "--weights", weights, "--inputs", given, "--precision", "f64", "--out", made], quiet=True)
        if not made.is_file():
            raise BinaryNotFoundError(f"{find_binary()} wrote no outputs, so it is not the program saltflat of this package; {VARIABLE} can name it")
        return load_file(made)["outputs"].double()


def difference(found: torch.Tensor, expected: torch.Tensor, rtol: float, atol: float) -> str | None:
    """How two batches of outputs differ, if by more than rtol of the largest and atol."""
    if found.shape != expected.shape:
        return f"the exported network gives outputs of shape {list(found.shape)}, PyTorch of shape {list(expected.shape)}"
    largest = expected.abs().max().item()
    error = (found - expected).abs()
    worst = error.max().item()
    if worst <= rtol * largest + atol:
        return None
    sample, output = divmod(int(error.argmax()), expected.shape[1])
    return (
        f"output {output} of sample {sample} is {found[sample, output].item():.9g}, in PyTorch {expected[sample, output].item():.9g}; "
        f"expected a difference of at most {rtol:g} of the largest, {largest:.4g}"
    )


def check(
    module: nn.Module,
    example: torch.Tensor,
    to_inputs: Callable[[torch.Tensor], torch.Tensor],
    model: Path,
    weights: Path,
    rtol: float,
    atol: float,
    notes: list[str],
) -> None:
    """Compares the outputs of both.

    Raises:
        ExportError: They differ by more than rtol of the largest and atol, or the exported network cannot be run.
    """
    for what, batch in batches(example):
        expected = reference(module, batch, notes)
        try:
            found = outputs(model, weights, to_inputs(batch))
        except BinaryNotFoundError:
            raise
        except SaltflatError as error:
            raise ExportError(f"the exported network cannot be run: {error}") from error
        differs = difference(found, expected, rtol, atol)
        if differs:
            raise ExportError(f"the exported network differs from the module on {what}: {differs}")
