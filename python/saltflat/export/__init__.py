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
``structure.py`` makes nested lists of the graph, ``toml.py`` and ``weights.py`` write them, and ``check.py`` compares the outputs of both programs. One
more operation is a function with ``@operation("name")`` in ``operations/``.
"""

from .errors import ExportError
from .network import ExportedNetwork, export

__all__ = ["ExportError", "ExportedNetwork", "export"]
