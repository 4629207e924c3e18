"""From a PyTorch module to a list of layers in TOML and a safetensors file: :func:`export`."""

from .errors import ExportError
from .network import ExportedNetwork, export

__all__ = ["ExportError", "ExportedNetwork", "export"]
