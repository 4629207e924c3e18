"""Multi-head attention: PyTorch's function, or products and a softmax."""

from __future__ import annotations

from dataclasses import replace

from .. import axes as ax
from ..axes import Digit
from ..call import Call, Value, operation
from ..graph import Node, Scores, View, last_digit_is

PACKING = "expected the channels of the queries, then of the keys, then of the values, each with its heads one after the other"


@operation("scaled_dot_product_attention")
def scaled_dot_product_attention(call: Call) -> Value:
    """softmax(q k^T scale) v of every head."""
    if call["attn_mask"] is not None or call["is_causal"]:
        call.fail("masks are not supported")
    if call.get("enable_gqa"):
        call.fail("enable_gqa is not supported; expected as many heads of keys and values as of queries")
    if call["dropout_p"]:
        call.fail("the module is in training mode, in which dropout is random; call module.eval() before the export")
    query, key, value = (part(call, call[name]) for name in ("query", "key", "value"))
    width = call.shape[-1]
    return attend(call, query, key, value, call["scale"] if call["scale"] is not None else width**-0.5)


def part(call: Call, value: Value) -> View:
    """Queries, keys or values: a part of the channels of a layer, or all of them."""
    if not isinstance(value, View):
        call.fail("expected queries, keys and values that depend on the input")
    if len(value.axes) < 3:
        call.fail(f"expected axes [samples, (heads,) tokens, channels], got {ax.described(value.axes)}")
    return value


def product(call: Call, left: Value, right: Value) -> Value:
    """A product of two activations, which has to be one of attention."""
    if isinstance(left, Scores) and left.normalised and isinstance(right, View):
        return attend(call, left.query, left.key, part(call, right), left.factor)
    views = isinstance(left, View) and isinstance(right, View)
    if views and min(len(left.axes), len(right.axes)) > 2 and right.axes[-2] == left.axes[-1] and all(digit.dim == "c" for digit in left.axes[-1]):
        key = replace(right, axes=(*right.axes[:-2], right.axes[-1], right.axes[-2]))
        return Scores(left, key, 1.0)
    call.fail("is a product of activations that is not one of attention; supported: softmax(q k^T scale) v")


def attend(call: Call, query: View, key: View, value: View, factor: float) -> View:
    """The layer for these queries, keys and values, whose factors are multiplied."""
    scale = factor * query.factor * key.factor
    parts = [replace(view.tokenised(), factor=1.0) for view in (query, key, value)]
    query, key, values = parts
    if not query.axes == key.axes == values.axes:
        axes = ", ".join(ax.described(view.axes) for view in parts)
        call.fail(f"queries, keys and values differ in their axes: {axes}; expected equal numbers of heads and tokens")
    *leading, tokens, features = query.axes
    width = ax.size(features)
    over = [digit for axis in leading for digit in axis if digit.dim != "n"]
    heads = over[0].size if over else 1
    channels = heads * width
    is_split = over in ([], [Digit("c", width, heads)]) and last_digit_is(features, Digit("c", 1, width))
    if not is_split or tokens != query.node.dim("h"):
        call.fail(f"{PACKING}; got {ax.described(query.axes)} for the queries")
    source = packed(call, parts, channels)
    keys: dict[str, Value] = {"heads": heads}
    if abs(scale - width**-0.5) > 1e-6 * width**-0.5:
        keys["scale"] = scale
    node = Node("attention", (channels, source.shape[1], 1), [source], keys, place=call.place)
    return View(node, query.axes, factor=value.factor)


def packed(call: Call, parts: list[View], channels: int) -> Node:
    """The node whose channels are queries, keys and values: a layer, or several one after the other."""
    nodes: list[Node] = []
    covered = 0
    for view in parts:
        if view.offset == 0 and (not nodes or covered == nodes[-1].shape[0]):
            nodes.append(view.node)
            covered = channels
        elif nodes and view.node is nodes[-1] and view.offset == covered:
            covered += channels
        else:
            names = ("queries", "keys", "values")
            offsets = ", ".join(f"{name} at {view.offset}" for name, view in zip(names, parts, strict=True))
            call.fail(f"{PACKING}; got {offsets} of {view.node.shape[0]} channels")
        if covered > nodes[-1].shape[0]:
            call.fail(PACKING)
    if covered != nodes[-1].shape[0]:
        call.fail(f"uses {covered} of the {nodes[-1].shape[0]} channels of {nodes[-1].place or 'its input'}; {PACKING}")
    if len(nodes) == 1:
        return nodes[0]
    return Node("concat", (3 * channels, *nodes[0].shape[1:]), nodes, place=call.place)
