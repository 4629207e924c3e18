"""Pools and means over positions."""

from __future__ import annotations

from .. import axes as ax
from ..call import Call, Value, operation
from ..graph import View
from .linear import differing, pair, plain


def windows(call: Call, kind: str, view: View, rank: int, **keys: Value) -> Value:
    """A pool over windows."""
    kernel = pair(call["kernel_size"], rank, 1)
    stride = pair(call["stride"] or call["kernel_size"], rank, 1)
    padding = pair(call["padding"], rank, 0)
    dilation = pair(call.get("dilation", 1), rank, 1)
    shape = call.map_shape()
    if call["ceil_mode"]:

        def rounded_down(i: int) -> int:
            return (view.node.shape[1 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1

        if (rounded_down(0), rounded_down(1)) != shape[1:]:
            call.fail("ceil_mode = True makes windows that leave the map here; not supported")
    keys = differing(
        {"kernel": 2, "stride": plain(kernel), "padding": 0, "dilation": 1, "count_include_pad": True},
        kernel=plain(kernel), stride=plain(stride), padding=plain(padding), dilation=plain(dilation), **keys,
    )  # fmt: skip
    layer = call.layer(kind, view, (), shape, **keys)
    return View(layer.node, layer.node.axes(rank))


@operation("max_pool2d", "max_pool1d")
def max_pool(call: Call) -> Value:
    """The largest entry of every window."""
    view, rank = call.map("self")
    return windows(call, "max-pool", view, rank)


@operation("avg_pool2d", "avg_pool1d")
def avg_pool(call: Call) -> Value:
    """The mean of every window."""
    view, rank = call.map("self")
    if call.get("divisor_override") is not None:
        call.fail("divisor_override is not supported")
    return windows(call, "avg-pool", view, rank, count_include_pad=call["count_include_pad"])


@operation("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_avg_pool1d")
def adaptive_avg_pool(call: Call) -> Value:
    """Means of windows that make an output of a given size."""
    view, rank = call.map("self")
    shape = call.map_shape()
    if shape == view.node.shape:
        return view
    keys = differing({"output": 1}, output=plain((shape[1], shape[2])))
    layer = call.layer("adaptive-avg-pool", view, (), shape, **keys)
    return View(layer.node, layer.node.axes(rank))


@operation("adaptive_max_pool2d", "adaptive_max_pool1d")
def adaptive_max_pool(call: Call) -> Value:
    """The largest entry of all positions; with its index, which nothing may use."""
    view, rank = call.map("self")
    if list(pair(call["output_size"], rank, 1)) != [1, 1]:
        call.fail(f"expected output size 1, got {call['output_size']}")
    channels, height, width = view.node.shape
    keys = differing({"kernel": 2}, kernel=plain((height, width)))
    layer = call.layer("max-pool", view, (), (channels, 1, 1), **keys)
    return [View(layer.node, layer.node.axes(rank)), None]


def over_positions(call: Call, view: View, kind: str) -> Value:
    """A pool of all positions, or of rows or columns, by the axes that it takes away."""
    node = view.node
    dims = call.whole_dims(view, call.get("dim"))
    taken = sorted(digit for dim in dims for digit in ax.merged(view.axes[dim]))
    axes = tuple(() if i in dims else axis for i, axis in enumerate(view.axes))
    if not call["keepdim"]:
        axes = tuple(axis for i, axis in enumerate(view.axes) if i not in dims)
    if not taken:
        return view.with_axes(axes)
    channels, height, width = node.shape
    if taken in (sorted(node.positions), sorted(node.dim("h") + node.dim("w"))):
        kept = (1, 1)
    elif taken in (list(node.dim("h")), list(node.dim("w"))):
        kept = (1, width) if taken == list(node.dim("h")) else (height, 1)
    else:
        call.fail(f"expected positions (height, width, or both), got the axes {dims} of {ax.described(view.axes)}")
    if kind == "max-pool":
        keys = differing({"kernel": 2}, kernel=plain((height // kept[0], width // kept[1])))
    else:
        keys = differing({"output": 1}, output=plain(kept))
    return call.layer(kind, view, axes, (channels, *kept), **keys)


@operation("mean")
def mean(call: Call) -> Value:
    """The mean over all positions."""
    if "dim" not in call.args:
        call.fail("takes the mean of everything; expected the axes of the positions")
    return over_positions(call, call.activation("self"), "adaptive-avg-pool")


@operation("amax")
def amax(call: Call) -> Value:
    """The maximum over all positions."""
    return over_positions(call, call.activation("self"), "max-pool")
