"""One operation of the traced graph with its arguments, as the functions that translate operations see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from . import axes as ax
from .axes import Axes
from .errors import ExportError
from .graph import Node, Scores, Shape, TensorUse, View, Weight

#: What an operation's argument or result may be: a tensor of the network, or any constant of Python's.
Value = Any
Handler = Callable[["Call"], Value]

#: From the name of an operation of ATen, without its overload, to the function that translates it.
OPERATIONS: dict[str, Handler] = {}

#: What can be done about operations that no layer expresses.
HINTS = {
    "pad": "use the padding of the convolution or the pool that follows",
    "constant_pad_nd": "use the padding of the convolution or the pool that follows",
    "einsum": "write a linear map as nn.Linear or @, and attention by F.scaled_dot_product_attention",
    "embedding": "inputs are floating-point numbers; positions are an nn.Parameter that is added",
    "arange": "positions are an nn.Parameter that is added",
    "log": "inputs can be transformed before",
    "pow": "y * y is a product of branches",
    "masked_fill": "masks of attention are not supported",
}


def operation(*names: str) -> Callable[[Handler], Handler]:
    """Registers the function that translates these operations."""

    def register(handler: Handler) -> Handler:
        for name in names:
            OPERATIONS[name] = handler
        return handler

    return register


class Call:
    """An operation: its arguments by name, defaults filled in, the shape of its result, and where it stands."""

    def __init__(self, name: str, args: dict[str, Value], shape: tuple[int, ...], place: str, source: str, notes: list[str]) -> None:
        self.name, self.args, self.shape = name, args, shape
        self.place, self.source, self.notes = place, source, notes

    def __getitem__(self, name: str) -> Value:
        return self.args[name]

    def get(self, name: str, default: Value = None) -> Value:
        """An argument that not every overload has."""
        return self.args.get(name, default)

    def fail(self, reason: str) -> NoReturn:
        """Refuses the operation."""
        raise ExportError(reason, place=self.place, operation=self.operation, source=self.source)

    @property
    def operation(self) -> str:
        """The name for messages."""
        return self.name if self.name == "output" or "." in self.name else f"aten.{self.name}"

    def note(self, text: str) -> None:
        """Something that the user should know of the exported network; said once."""
        if text not in self.notes:
            self.notes.append(text)

    def fail_unknown(self) -> NoReturn:
        """Refuses an operation that no function translates."""
        flat = [item for value in self.args.values() for item in (value if isinstance(value, list) else [value])]
        weights = [value for value in flat if isinstance(value, Weight)]
        if weights and not any(isinstance(value, View | Scores) for value in flat):
            self.fail_weight(weights[0])
        hint = HINTS.get(self.name)
        self.fail("is not supported: there is no layer for it" + (f"; {hint}" if hint else ""))

    def fail_weight(self, weight: Weight) -> NoReturn:
        """Refuses what is calculated from parameters before a layer uses them."""
        self.fail(
            f"calculates with {weight.name} before a layer uses it; expected parameters that layers use as they are "
            "(torch.nn.utils.parametrize.remove_parametrizations replaces a parametrisation, such as weight_norm, by its result)"
        )

    def activation(self, name: str) -> View:
        """An argument that is the whole output of a layer."""
        return self.whole(self[name])

    def whole(self, value: Value) -> View:
        """This value, which has to be the whole output of a layer."""
        if isinstance(value, Weight):
            self.fail_weight(value)
        if isinstance(value, Scores):
            self.fail("is applied to products of queries and keys; expected their softmax and its product with the values")
        if not isinstance(value, View):
            self.fail(f"expected a tensor that depends on the input, got {type(value).__name__}")
        if value.factor != 1.0:
            self.fail(f"its argument is multiplied by the constant {value.factor:g}, for which there is no layer")
        if not value.is_whole():
            self.fail(
                f"is applied to a part of the {value.node.shape[0]} channels of {value.node.place or 'its input'}; "
                "channels are split for attention only"
            )
        return value

    def map(self, name: str) -> tuple[View, int]:
        """An argument with axes [n, c, h, w] or [n, c, h], and the number of its axes."""
        view = self.activation(name)
        rank = len(view.axes)
        if rank not in (3, 4) or view.axes != view.node.axes(rank) or (rank == 3 and view.node.shape[2] != 1):
            self.fail(f"expected axes [samples, channels, height, width], got {ax.described(view.axes)}")
        return view, rank

    def map_shape(self) -> Shape:
        """The shape [channels, height, width] of a result [n, c, h] or [n, c, h, w]."""
        _, channels, height, *width = self.shape
        return channels, height, width[0] if width else 1

    def positive_dim(self, dim: int, rank: int) -> int:
        """An axis counted from the front."""
        return dim + rank if dim < 0 else dim

    def whole_dims(self, view: View, dims: list[int] | None) -> list[int]:
        """Axes counted from the front; all if none are named."""
        rank = len(view.axes)
        return [self.positive_dim(dim, rank) for dim in (dims if dims else range(rank))]

    def weight(self, name: str, role: str) -> TensorUse | None:
        """An argument that is a parameter as the module holds it, or None."""
        value = self[name]
        if value is None:
            return None
        if not isinstance(value, Weight):
            self.fail(f"its {role} is calculated from the input, expected a parameter")
        use = value.use(value.axes, tuple(ax.size(axis) for axis in value.axes))
        if use is None:
            self.fail(f"its {role} is a part of {value.name}, expected a whole parameter")
        return use

    def trained(self, name: str, role: str) -> TensorUse | None:
        """A weight that has to be a parameter, not a buffer."""
        use = self.weight(name, role)
        if use and not use.trained:
            self.fail(f"its {role} {use.name} is a buffer, which is not trained; expected a parameter")
        return use

    def layer(
        self,
        kind: str,
        view: View,
        axes: Axes | None = None,
        shape: Shape | None = None,
        tensors: dict[str, TensorUse | None] | None = None,
        **keys: Value,
    ) -> View:
        """A new layer on a view's node; without axes and shape those of its input."""
        used = {role: use for role, use in (tensors or {}).items() if use is not None}
        node = Node(kind, shape or view.node.shape, [view.node], keys, used, self.place)
        return View(node, view.axes if axes is None else axes)

    def join(self, kind: str, nodes: list[Node], shape: Shape, axes: Axes) -> View:
        """Several values made one."""
        return View(Node(kind, shape, nodes, place=self.place), axes)
