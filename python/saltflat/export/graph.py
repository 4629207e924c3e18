"""The network as layers and joins between them, and the values that PyTorch's operations have in terms of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from . import axes as ax
from .axes import Axes, Axis, Digit

#: Samples of the traced batch: more than 1, since an axis with one entry has no digits.
BATCH = 3

#: Kinds of nodes that join several values; everything else is a layer with one input.
JOINS = ("sum", "concat", "product")

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class TensorUse:
    """A tensor of the module as a layer uses it: its axes in this order, then in this shape."""

    name: str
    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None
    trained: bool = True


@dataclass(eq=False)
class Node:
    """A layer or a join, with the shape [channels, height, width] of its output."""

    kind: str
    shape: Shape
    inputs: list[Node] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, TensorUse] = field(default_factory=dict)
    place: str = ""
    _views: dict[str, Node] = field(default_factory=dict, repr=False)

    @property
    def channels(self) -> Axis:
        """The axis of all channels."""
        return ax.dimension("c", self.shape[0])

    @property
    def positions(self) -> Axis:
        """The axis of all positions, row after row."""
        return ax.merged(self.dim("h") + self.dim("w"))

    def dim(self, name: str) -> Axis:
        """The axis of a whole dimension."""
        sizes = dict(zip("nchw", (BATCH, *self.shape), strict=True))
        return ax.dimension(name, sizes[name])

    def axes(self, rank: int = 4) -> Axes:
        """The axes of its output as [n, c], [n, c, h] or [n, c, h, w]."""
        return tuple(self.dim(name) for name in "nchw"[:rank])

    def flatten(self) -> Node:
        """This value with all entries as channels."""
        return self._view("flatten", (prod(self.shape), 1, 1))

    def tokens(self) -> Node:
        """This value with all positions along the height."""
        channels, height, width = self.shape
        return self._view("tokens", (channels, height * width, 1))

    def _view(self, kind: str, shape: Shape) -> Node:
        if shape == self.shape:
            return self
        return self._views.setdefault(kind, Node(kind, shape, [self], place=self.place))

    def parts(self) -> tuple[str, list[tuple[str, int]]] | None:
        """Of a flatten or tokens: the dimension that it makes, and those of its input that this is made of."""
        if self.kind not in ("flatten", "tokens"):
            return None
        c, h, w = self.inputs[0].shape
        return ("c", [("c", c), ("h", h), ("w", w)]) if self.kind == "flatten" else ("h", [("h", h), ("w", w)])


@dataclass(frozen=True)
class View:
    """A tensor that shows the output of a node, or a part of its channels, times a constant."""

    node: Node
    axes: Axes
    offset: int = 0
    factor: float = 1.0

    def is_whole(self) -> bool:
        """True if every entry of the node's output is shown."""
        digits = [digit for axis in self.axes for digit in axis if digit.dim != ax.REPEATED]
        return self.offset == 0 and prod(d.size for d in digits) == BATCH * prod(self.node.shape)

    def with_axes(self, axes: Axes) -> View:
        """Other axes of the same entries: with all positions along one axis it becomes tokens, with all entries along one axis
        it is flattened, and what was split again becomes the map that it was."""
        view = replace(self, axes=axes)
        while (parts := view.node.parts()) and view.offset == 0:
            dim, of = parts
            unfolded = [[ax.unfold(d, of) if d.dim == dim else [d] for d in axis] for axis in view.axes]
            if any(digits is None for axis in unfolded for digits in axis):
                break
            new = tuple(ax.merged(d for digits in axis for d in digits or []) for axis in unfolded)
            view = replace(view, node=view.node.inputs[0], axes=new)
        node = view.node
        if len(axes) == 2 and view.axes[0] == node.dim("n") and view.axes[1] == ax.merged(node.channels + node.positions):
            return view.flattened() if view.is_whole() else view
        if len(axes) == 3 and node.shape[2] > 1 and sorted(view.axes) == sorted((node.dim("n"), node.channels, node.positions)):
            return view.tokenised()
        return view

    def flattened(self) -> View:
        """The same entries as a view of the flattened node."""
        return self._folded(self.node.flatten(), "c", "chw")

    def tokenised(self) -> View:
        """The same entries as a view of the node's tokens."""
        return self._folded(self.node.tokens(), "h", "hw")

    def _folded(self, node: Node, dim: str, dims: str) -> View:
        if node is self.node:
            return self
        parts = [part for part in zip("chw", self.node.shape, strict=True) if part[0] in dims]
        folded = (ax.merged(ax.fold(digit, parts, dim) for digit in axis) for axis in self.axes)
        return replace(self, node=node, axes=tuple(folded))


@dataclass(frozen=True)
class Weight:
    """A parameter or a buffer of the module, with axes whose digits count its own axes 0, 1, ..."""

    name: str
    shape: tuple[int, ...]
    axes: Axes
    trained: bool

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], trained: bool) -> Weight:
        """The tensor as the module holds it."""
        return cls(name, shape, tuple(ax.dimension(str(i), count) for i, count in enumerate(shape)), trained)

    def with_axes(self, axes: Axes) -> Weight:
        """The same entries with other axes."""
        return replace(self, axes=axes)

    def use(self, axes: Axes, shape: tuple[int, ...]) -> TensorUse | None:
        """This tensor with the entries in the order of these axes, in this shape; None if they are not all its entries."""
        digits = [digit for axis in axes for digit in axis if digit.dim != ax.REPEATED]
        whole = [ax.dimension(str(i), count) for i, count in enumerate(self.shape)]
        if prod(d.size for d in digits) != prod(self.shape) or any((d,) not in whole for d in digits):
            return None
        order = [int(digit.dim) for digit in digits]
        in_order = order == sorted(order)
        rest = [i for i in range(len(self.shape)) if i not in order]
        return TensorUse(self.name, shape, None if in_order else tuple(order + rest), self.trained)


@dataclass(frozen=True)
class Scores:
    """Products of queries and keys, before (or after) their softmax."""

    query: View
    key: View
    factor: float
    normalised: bool = False


def last_digit_is(axis: Axis, digit: Digit) -> bool:
    """True if an axis is this one digit, or has one entry as it has."""
    return axis == ax.merged((digit,))
