"""From a graph of layers and joins to nested lists: residual and parallel branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors import ExportError
from .graph import JOINS, Node, TensorUse


@dataclass
class Entry:
    """An entry in a list of layers; branches are in its keys, under ``main`` and ``shortcut``, or ``branches``."""

    kind: str
    keys: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, TensorUse] = field(default_factory=dict)

    def lists(self) -> list[tuple[str, list[Entry]]]:
        """The lists in this entry with their places in it, such as ``branches.0``."""
        if self.kind == "residual":
            return [("main", self.keys["main"]), ("shortcut", self.keys["shortcut"])]
        return [(f"branches.{i}", branch) for i, branch in enumerate(self.keys.get("branches", []))]


def structured(start: Node, end: Node) -> list[Entry]:
    """The layers from one node to another as nested lists."""
    share_beginnings(topological(start, end))
    return Structure(topological(start, end)).sequence(start, end)


def topological(start: Node, end: Node) -> list[Node]:
    """The nodes that the end depends on, each after its inputs."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(end, False)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((previous, False) for previous in reversed(node.inputs))
    if start not in seen:
        raise ExportError("the output does not depend on the input")
    return order


def share_beginnings(order: list[Node]) -> None:
    """A concatenation that begins with all inputs of an earlier one takes that one instead, as in DenseNet, so that these are made once."""
    concats: list[Node] = []
    for node in order:
        if node.kind != "concat":
            continue
        inputs = flat(node)
        for shorter in sorted(concats, key=lambda other: -len(flat(other))):
            count = len(flat(shorter))
            if len(inputs) > count and inputs[:count] == flat(shorter):
                node.inputs = [shorter, *inputs[count:]]
                break
        concats.append(node)


def flat(node: Node) -> list[Node]:
    """The inputs of a concatenation, with those of concatenations in its first place."""
    first = node.inputs[0]
    return [*flat(first), *node.inputs[1:]] if first.kind == "concat" else list(node.inputs)


class Structure:
    """Nodes in order, each with its immediate dominator: the last node that all ways from the input to it go through."""

    def __init__(self, order: list[Node]) -> None:
        self.rank = {node: i for i, node in enumerate(order)}
        self.dominator: dict[Node, Node] = {order[0]: order[0]}
        for node in order:
            if node.inputs:
                common = node.inputs[0]
                for other in node.inputs[1:]:
                    common = self.nearest_common(common, other)
                self.dominator[node] = common
        self.written: set[Node] = set()

    def nearest_common(self, a: Node, b: Node) -> Node:
        """The last node that all ways to either of two nodes go through, which may be one of them."""
        while a is not b:
            if self.rank[a] < self.rank[b]:
                a, b = b, a
            a = self.dominator[a]
        return a

    def sequence(self, start: Node, end: Node) -> list[Entry]:
        """The entries that make the end from the start."""
        entries: list[Entry] = []
        node = end
        while node is not start:
            if node.tensors and node in self.written:
                raise ExportError(
                    "its output goes to places that do not come together in one branch; supported are sequences, residual and parallel "
                    "branches, which may be nested",
                    place=node.place or node.kind,
                )
            self.written.add(node)
            if node.kind in JOINS:
                before = self.dominator[node]
                entries.append(self.joined(node, [self.sequence(before, branch) for branch in node.inputs]))
                node = before
            else:
                entries.append(Entry(node.kind, dict(node.keys), dict(node.tensors)))
                node = node.inputs[0]
        return shortened(entries[::-1])

    def joined(self, node: Node, branches: list[list[Entry]]) -> Entry:
        """The entry of a join."""
        if node.kind == "sum" and len(branches) == 2:
            main, shortcut = sorted(branches, key=weight, reverse=True)
            return Entry("residual", {"main": main, "shortcut": shortcut})
        keys: dict[str, Any] = {"branches": branches}
        if node.kind != "sum":
            keys["join"] = node.kind
        return Entry("parallel", keys)


def weight(entries: list[Entry]) -> int:
    """Number of layers in a list, with those of its branches."""
    return sum(1 + sum(weight(inner) for _, inner in entry.lists()) for entry in entries)


def shortened(entries: list[Entry]) -> list[Entry]:
    """Patch embeddings and self-attention as the one layer that they are."""
    result: list[Entry] = []
    for entry in entries:
        result.append(entry)
        while (shorter := patch_embedding(result[-2:]) or self_attention(result[-3:])) is not None:
            count, new = shorter
            result[-count:] = [new]
    return result


def patch_embedding(entries: list[Entry]) -> tuple[int, Entry] | None:
    """A convolution of patches side by side, and its positions as tokens."""
    match entries:
        case [Entry(kind="conv2d", keys=keys, tensors=tensors), Entry(kind="tokens")]:
            patch = keys["kernel"]
            if isinstance(patch, int) and keys.keys() <= {"outputs", "kernel", "stride", "bias"} and keys.get("stride", 1) == patch:
                new = {"outputs": keys["outputs"], "patch": patch}
                return 2, Entry("patch-embedding", new | ({} if keys.get("bias", True) else {"bias": False}), tensors)
    return None


def self_attention(entries: list[Entry]) -> tuple[int, Entry] | None:
    """The projections of ``nn.MultiheadAttention`` with the attention between them."""
    match entries:
        case [Entry(kind="linear") as into, Entry(kind="attention") as middle, Entry(kind="linear") as out]:
            prefix, found, rest = into.tensors["weight"].name.rpartition("in_proj_weight")
            names = {"in_proj_weight": into.tensors["weight"], "out_proj.weight": out.tensors["weight"]}
            if "bias" in into.tensors and "bias" in out.tensors:
                names |= {"in_proj_bias": into.tensors["bias"], "out_proj.bias": out.tensors["bias"]}
            elif "bias" in into.tensors or "bias" in out.tensors:
                return None
            own = found and not rest and all(use.name == prefix + role and use.trained for role, use in names.items())
            if own and "scale" not in middle.keys and 3 * out.keys["outputs"] == into.keys["outputs"]:
                keys = {"heads": middle.keys["heads"]} | ({} if "in_proj_bias" in names else {"bias": False})
                return 3, Entry("self-attention", keys, names)
    return None
