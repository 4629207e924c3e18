"""How each operation of ATen becomes layers: importing this package registers all of them."""

from . import activations, arithmetic, attention, linear, norms, pools, shapes

__all__ = ["activations", "arithmetic", "attention", "linear", "norms", "pools", "shapes"]
