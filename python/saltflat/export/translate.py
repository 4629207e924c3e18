"""From a traced graph to layers."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx
from torch.export.graph_signature import InputKind

from . import axes as ax
from . import operations  # noqa: F401  registers all operations
from .call import OPERATIONS, Call, Value
from .errors import ExportError
from .graph import Node, View, Weight
from .trace import changes_its_argument, inputs_of, is_view, place_of, source_of

#: Assertions of the trace, which have no result.
ASSERTIONS = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range_for_size")

#: Functions that no layer expresses, by the names of their operations.
FUNCTIONS = {"grid_sampler": "F.grid_sample", "grid_sampler_2d": "F.grid_sample", "affine_grid_generator": "F.affine_grid"}

#: What is said of operations that have a body of their own, by a part of their names.
BODIES = {
    "set_grad_enabled": "a part of the module runs under torch.no_grad(): no derivative goes through it in PyTorch, but all of Saltflat's do",
    "autocast": "a part of the module runs under torch.autocast; expected float32 throughout",
    "cond": "torch.cond is not supported; expected one fixed graph",
}


class Translation:
    """The values of a graph's operations, one after the other."""

    def __init__(self, program: torch.export.ExportedProgram, axes: str, notes: list[str]) -> None:
        self.program, self.axes, self.notes = program, axes, notes
        self.values: dict[fx.Node, Value] = {}
        #: For each value the one whose memory it shows.
        self.roots: dict[fx.Node, fx.Node] = {}
        #: Operations that were translated: how far a failed translation came.
        self.done = 0
        self.input: Node | None = None

    def run(self) -> tuple[Node, Node]:
        """The node of the input, and that of the output [n, outputs]."""
        kinds = inputs_of(self.program)
        for node in self.program.graph.nodes:
            shape_of(node)
            refuse_by_function(node)
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = self.placeholder(node, *kinds[node.name])
            elif node.op == "call_function":
                self.values[node] = self.operation(node)
            elif node.op == "output":
                assert self.input is not None
                return self.input, self.output(node)
            else:
                # The body of an operation that has one, which is refused where it is called.
                self.values[node] = None
            self.roots[node] = self.root(node)
            self.done += 1
        raise ExportError("the traced graph has no output")

    def placeholder(self, node: fx.Node, kind: InputKind, target: str | None) -> Value:
        """The input, a parameter, a buffer or a constant."""
        shape = tuple(node.meta["val"].shape) if isinstance(node.meta.get("val"), torch.Tensor) else ()
        if kind == InputKind.USER_INPUT:
            sizes = dict(zip(self.axes, shape, strict=True))
            self.input = Node("input", (sizes["c"], sizes.get("h", 1), sizes.get("w", 1)))
            return View(self.input, tuple(self.input.dim(name) for name in self.axes))
        if kind in (InputKind.PARAMETER, InputKind.BUFFER) and target is not None:
            return Weight.of(target, shape, trained=kind == InputKind.PARAMETER)
        constant = self.program.constants.get(target or "")
        if isinstance(constant, torch.Tensor) and constant.numel() == 1:
            return constant.item()
        return constant

    def root(self, node: fx.Node) -> fx.Node:
        """The value whose memory this one shows."""
        first = node.args[0] if node.args and isinstance(node.args[0], fx.Node) else None
        if first is None or not (is_view(node) or changes_its_argument(node) or node.target is operator.getitem):
            return node
        return self.roots[first]

    def operation(self, node: fx.Node) -> Value:
        """The value of one operation."""
        if node.target is operator.getitem:
            values = self.values[node.args[0]]  # type: ignore[index]
            return values[node.args[1]] if isinstance(values, list) else values  # type: ignore[index]
        if not isinstance(node.target, torch._ops.OpOverload):
            name = getattr(node.target, "__name__", str(node.target))
            hint = next((hint for part, hint in BODIES.items() if part in name), "is not supported: there is no layer for it")
            raise ExportError(hint, place=place_of(node), operation=name, source=source_of(node))
        namespace, _, name = node.target._schema.name.partition("::")
        if name in ASSERTIONS:
            return None
        in_place = changes_its_argument(node)
        name = name.removesuffix("_") if in_place else name
        handler = OPERATIONS.get(name) if namespace == "aten" else None
        call = Call(name, self.arguments(node), shape_of(node), place_of(node), source_of(node), self.notes)
        if handler is None:
            call.name = name if namespace == "aten" else f"{namespace}.{name}"
            call.fail_unknown()
        try:
            value = handler(call)
        except (LookupError, TypeError, AttributeError) as error:
            arguments = ", ".join(call.args)
            call.fail(
                f"cannot be translated with its arguments {arguments} ({type(error).__name__}: {error}), a mistake of saltflat.export"
            )
        if in_place:
            self.rebind(node, value, call)
        return value

    def arguments(self, node: fx.Node) -> dict[str, Value]:
        """The arguments by name, with defaults."""
        assert isinstance(node.target, torch._ops.OpOverload)

        def value(arg: Any) -> Value:
            if isinstance(arg, fx.Node):
                return self.values[arg]
            return [value(item) for item in arg] if isinstance(arg, list | tuple) else arg

        result = {}
        for i, argument in enumerate(node.target._schema.arguments):
            given = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
            result[argument.name] = value(given)
        return result

    def rebind(self, node: fx.Node, value: Value, call: Call) -> None:
        """After an operation in place its argument has the new value; other views of the same memory must not be read any more."""
        changed = node.args[0]
        assert isinstance(changed, fx.Node)
        later = set()
        following = node.next
        while following.op != "root":
            later.update(following.all_input_nodes)
            following = following.next
        for other, root in self.roots.items():
            if root is self.roots[changed] and other is not changed and other in later:
                if isinstance(known := self.values[other], View) and known == self.values[changed]:
                    self.values[other] = value
                else:
                    call.fail("changes a tensor in place of which another view is used later; use the operation that is not in place")
        self.values[changed] = value

    def output(self, node: fx.Node) -> Node:
        """The one output, which has to be [n, outputs]."""
        results = node.args[0]
        assert isinstance(results, tuple | list)
        specs = self.program.graph_signature.output_specs
        wanted = [r for r, spec in zip(results, specs, strict=True) if spec.kind.name == "USER_OUTPUT"]
        if len(wanted) != 1 or len(wanted) != len(results):
            changed = [str(spec.target) for spec in specs if spec.kind.name != "USER_OUTPUT"]
            if changed:
                raise ExportError(f"the module changes its buffers ({', '.join(changed)}); call module.eval() before the export")
            raise ExportError(f"the module has {len(wanted)} outputs, expected one tensor [n, outputs]")
        call = Call("output", {"value": self.values[wanted[0]]}, shape_of(wanted[0]), "", "", self.notes)
        view = call.activation("value")
        if view.axes != view.node.axes(2) or view.node.shape[1:] != (1, 1):
            raise ExportError(f"the output has the axes {ax.described(view.axes)}, expected [samples, channels]")
        return view.node


def refuse_by_function(node: fx.Node) -> None:
    """Refuses functions of PyTorch that are known by another name, before one of the arguments that are made for them is refused."""
    name = node.target._schema.name.partition("::")[2] if isinstance(node.target, torch._ops.OpOverload) else ""
    if name in FUNCTIONS:
        raise ExportError(
            f"{FUNCTIONS[name]} is not supported: there is no layer for it", place=place_of(node), operation=f"aten.{name}", source=source_of(node)
        )


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a result; that of the first if there are several."""
    value = node.meta.get("val")
    if isinstance(value, tuple | list) and value:
        value = value[0]
    if not isinstance(value, torch.Tensor):
        return ()
    if not all(isinstance(size, int) for size in value.shape):
        raise ExportError(
            f"the result has the shape {list(value.shape)}, which depends on the values of the input; expected fixed shapes",
            place=place_of(node), operation=str(node.target).removesuffix(".default"), source=source_of(node),
        )  # fmt: skip
    return tuple(value.shape)
