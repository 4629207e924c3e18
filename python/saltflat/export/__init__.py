"""From a PyTorch module to a list of layers in TOML and a safetensors file. torch is imported when a module is exported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..optional import require
from .errors import ExportError

if TYPE_CHECKING:
    import torch

    from .network import ExportedNetwork

__all__ = ["ExportError", "export"]


def export(
    module: torch.nn.Module,
    example: torch.Tensor,
    folder: str | os.PathLike[str],
    *,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    check: bool = True,
) -> ExportedNetwork:
    """Writes a module as ``model.toml`` (layers) and ``weights.safetensors`` into a folder, which ``saltflat measure`` and ``train`` read.

    The module is traced on the example by ``torch.export``, and the operations are translated to layers. Before the files are there, both are
    run in float64, on the example and on a random batch; outputs that differ are an error. Other weights of the same module, such as a later
    ``state_dict`` saved by ``safetensors.torch.save_file``, load beside the same ``model.toml``.

    Args:
        module: A module on the CPU, in evaluation mode if it has dropout or batch normalisation, whose outputs are [n, C].
        example: A batch of inputs of two to four axes, the first of which counts samples; its shape is the network's.
        folder: Where the files go; it is made if it is not there.
        rtol: Largest difference of outputs, relative to the largest output.
        atol: Largest difference of outputs, beside that.
        check: Whether the outputs are compared; it needs the program ``saltflat``.

    Returns:
        The paths of both files, and notes.

    Raises:
        ExportError: The module, the example or an operation cannot be expressed; the message names it and its place in the module.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
        >>> exported = export(net, torch.randn(4, 1, 28, 28), "exported/mlp", check=False)
        >>> print(exported.model.read_text().partition("layers")[2].partition("layers")[2])
         = [
          "flatten",
          { kind = "linear", outputs = 32 },
          "relu",
          { kind = "linear", outputs = 10 },
        ]
        <BLANKLINE>
    """
    require("torch", "saltflat.export")
    from .network import export

    return export(module, example, folder, rtol=rtol, atol=atol, check=check)
