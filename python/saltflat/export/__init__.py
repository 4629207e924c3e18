"""From a PyTorch module to a list of layers in TOML and a safetensors file: :func:`export`.

A module is traced by ``torch.export`` as a graph of ATen's operations, and each operation is translated:

========================  =============================================================================================================
convolutions              conv1d and conv2d: stride, padding (``"same"`` with odd kernels), dilation, groups
linear maps               ``nn.Linear`` at every position, ``x @ w`` with a parameter ``w``
normalisation             batch norm by running statistics, group norm, layer norm, RMS norm
activations               relu, relu6, leaky relu, elu, gelu, silu, softplus, tanh, sigmoid, hardswish, hardsigmoid, softmax over channels
pools                     max and mean over windows, adaptive mean, mean and maximum over positions, rows or columns
attention                 ``F.scaled_dot_product_attention``, ``nn.MultiheadAttention`` and ``softmax(q @ k.mT * scale) @ v`` without masks; q, k
                          and v from one linear map (one after the other) or several
branches                  sums, products (a factor [n, c, 1, 1] is repeated) and concatenations of channels, nested in series and in parallel
parameters                a scale or bias for all or per channel, positions, a class token
shapes                    view, reshape, flatten, permute, transpose, expand, squeeze and unsqueeze are followed; select of one token
dropout                   is off in measurements
========================  =============================================================================================================

How it works, in the order of its steps: ``module.py`` checks the module and the example, ``trace.py`` traces it, ``translate.py`` goes through the
graph and calls the functions in ``operations/``, which make the nodes of ``graph.py``; ``axes.py`` follows what the axes of each tensor are made of;
``structure.py`` makes nested lists of the graph, ``toml.py`` and ``weights.py`` write them, and ``check.py`` compares the outputs of both programs.
One more operation is a function with ``@operation("name")`` in ``operations/``. torch is imported when a module is exported.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..optional import require
from .errors import ExportError

if TYPE_CHECKING:
    import torch

    from .network import ExportedNetwork

__all__ = ["ExportError", "ExportedNetwork", "export"]


def __getattr__(name: str) -> type:
    """``ExportedNetwork``, which needs torch."""
    if name != "ExportedNetwork":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .network import ExportedNetwork

    return ExportedNetwork


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
        BadInputError: The folder cannot be written to.

    Exports in several threads run one after the other, since ``torch.export`` changes functions of PyTorch while it traces.

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
