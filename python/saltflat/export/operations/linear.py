"""Convolutions and linear maps."""

from __future__ import annotations

from .. import axes as ax
from ..call import Call, Value, operation
from ..graph import TensorUse, View, Weight
from . import attention


def pair(value: int | list[int], rank: int, missing: int) -> tuple[int, int]:
    """A size per axis of a map; one of a sequence has no width, for which there is the missing one."""
    sizes = [value] if isinstance(value, int) else list(value)
    if rank == 3:
        return sizes[0], missing
    return (sizes[0], sizes[-1])


def plain(sizes: tuple[int, int]) -> int | list[int]:
    """One number if both are the same."""
    return sizes[0] if sizes[0] == sizes[1] else list(sizes)


def differing(defaults: dict[str, Value], **keys: Value) -> dict[str, Value]:
    """The keys that are not at their defaults."""
    return {name: value for name, value in keys.items() if value != defaults.get(name)}


@operation("conv2d", "conv1d", "convolution")
def convolution(call: Call) -> Value:
    """A convolution of maps, or of sequences along the height."""
    if call.get("transposed"):
        call.fail("transposed convolutions are not supported")
    weight, bias = call.trained("weight", "weight"), call.trained("bias", "bias")
    assert weight is not None
    if at_positions(call, weight.shape):
        return convolution_at_positions(call, weight, bias)
    view, rank = call.map("input")
    if rank == 3:
        weight = TensorUse(weight.name, (*weight.shape, 1), weight.order)
    outputs, _, *kernel = weight.shape
    stride, dilation = pair(call["stride"], rank, 1), pair(call["dilation"], rank, 1)
    if isinstance(call["padding"], str):
        total = [d * (k - 1) if call["padding"] == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
        if any(t % 2 for t in total):
            call.fail(f"padding = 'same' pads unevenly for the kernel {kernel}; expected odd kernels")
        padding = (total[0] // 2, total[1] // 2)
    else:
        padding = pair(call["padding"], rank, 0)
    shape = call.map_shape()
    keys = differing(
        {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
        outputs=outputs, kernel=plain((kernel[0], kernel[1])), stride=plain(stride), padding=plain(padding),
        dilation=plain(dilation), groups=call["groups"], bias=bias is not None,
    )  # fmt: skip
    layer = call.layer("conv2d", view, (), shape, {"weight": weight, "bias": bias}, **keys)
    return View(layer.node, layer.node.axes(rank))


def at_positions(call: Call, shape: tuple[int, ...]) -> bool:
    """True for a convolution of single positions, which may lie in any order."""
    is_plain = all(size in (1, [1], [1, 1]) for size in (call["stride"], call["groups"]))
    return is_plain and set(shape[2:]) == {1} and call["padding"] in (0, [0], [0, 0], "same", "valid")


def convolution_at_positions(call: Call, weight: TensorUse, bias: TensorUse | None) -> Value:
    """A convolution of single positions."""
    view, outputs = call.activation("input"), weight.shape[0]
    if len(view.axes) < 3 or view.axes[:2] != (view.node.dim("n"), view.node.channels):
        call.fail(f"expected axes [samples, channels, ...], got {ax.described(view.axes)}")
    weight = TensorUse(weight.name, (*weight.shape[:2], 1, 1), weight.order)
    keys = {"outputs": outputs, "kernel": 1} | ({} if bias else {"bias": False})
    axes = (view.axes[0], ax.dimension("c", outputs), *view.axes[2:])
    return call.layer("conv2d", view, axes, (outputs, *view.node.shape[1:]), {"weight": weight, "bias": bias}, **keys)


def apply(call: Call, view: View, use: TensorUse | None, offset: TensorUse | None) -> View:
    """x W^T + b at every position."""
    assert use is not None
    if len(use.shape) != 2:
        call.fail(f"expected a weight [outputs, inputs], got {list(use.shape)}")
    if view.axes[-1] != view.node.channels:
        call.fail(f"expected the channels along the last axis, got {ax.described(view.axes)}")
    keys: dict[str, Value] = {"outputs": use.shape[0]} | ({} if offset else {"bias": False})
    if not use.trained:
        if offset:
            call.fail(f"its weight {use.name} is a buffer, which is not trained, and it has a bias; expected both as parameters")
        keys = {"outputs": use.shape[0], "trained": False}
    axes = (*view.axes[:-1], ax.dimension("c", use.shape[0]))
    return call.layer("linear", view, axes, (use.shape[0], *view.node.shape[1:]), {"weight": use, "bias": offset}, **keys)


@operation("linear")
def linear(call: Call) -> Value:
    """A linear map of the channels at every position."""
    return apply(call, call.activation("input"), call.weight("weight", "weight"), call.trained("bias", "bias"))


def transposed(call: Call, weight: Weight) -> TensorUse:
    """A factor [inputs, outputs] as a weight [outputs, inputs]."""
    if len(weight.axes) != 2:
        call.fail(f"expected a factor [inputs, outputs], got the shape {[ax.size(axis) for axis in weight.axes]}")
    axes = weight.axes[::-1]
    use = weight.use(axes, tuple(ax.size(axis) for axis in axes))
    if use is None:
        call.fail(f"one factor is a part of {weight.name}, expected a whole parameter")
    return use


@operation("matmul", "mm", "bmm")
def matmul(call: Call) -> Value:
    """A product with a parameter, or one of attention."""
    left, right = call["self"], call.get("other", call.get("mat2"))
    if isinstance(left, View) and isinstance(right, Weight):
        return apply(call, call.whole(left), transposed(call, right), None)
    return attention.product(call, left, right)


@operation("addmm")
def addmm(call: Call) -> Value:
    """A bias and a product with a parameter."""
    if call["beta"] != 1 or call["alpha"] != 1 or not isinstance(call["mat2"], Weight):
        call.fail("expected b + x W with parameters b and W")
    return apply(call, call.activation("mat1"), transposed(call, call["mat2"]), call.trained("self", "bias"))
