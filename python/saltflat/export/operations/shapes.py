"""Operations that move, split and pick axes."""

from __future__ import annotations

from dataclasses import replace

from .. import axes as ax
from ..axes import Axes, Digit
from ..call import Call, Value, operation
from ..graph import Scores, View, Weight


def tensor(call: Call, name: str = "self") -> View | Weight:
    """An argument with axes."""
    value = call[name]
    if isinstance(value, Scores):
        call.fail("is applied to products of queries and keys; expected their softmax and its product with the values")
    if not isinstance(value, View | Weight):
        call.fail(f"expected a tensor that depends on the input, got {type(value).__name__}")
    return value


@operation(
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"
)  # fmt: skip
def reshape(call: Call) -> Value:
    """Another shape of the same entries in the same order."""
    value = tensor(call)
    axes = ax.reshape(value.axes, call.shape)
    if axes is None:
        call.fail(f"the shape {list(call.shape)} makes one axis of parts of {ax.described(value.axes)}; not supported")
    return value.with_axes(axes)


@operation("permute", "transpose", "t", "numpy_T", "mT", "swapaxes", "swapdims", "movedim")
def permute(call: Call) -> Value:
    """Another order of the axes."""
    value = tensor(call)
    rank = len(value.axes)
    if call.name == "permute":
        order = [call.positive_dim(dim, rank) for dim in call["dims"]]
    elif call.name == "movedim":
        call.fail("is not supported; use permute")
    else:
        order = list(range(rank))
        first = call.get("dim0", call.get("axis0", -2))
        second = call.get("dim1", call.get("axis1", -1))
        if rank > 1:
            a, b = call.positive_dim(first, rank), call.positive_dim(second, rank)
            order[a], order[b] = order[b], order[a]
    return value.with_axes(tuple(value.axes[dim] for dim in order))


@operation("expand", "expand_as", "repeat", "broadcast_to")
def expand(call: Call) -> Value:
    """Repetition along axes that have one entry."""
    value = tensor(call)
    axes = ax.expand(value.axes, call.shape)
    if axes is None:
        call.fail(f"repeats axes with several entries: {ax.described(value.axes)} to {list(call.shape)}; not supported")
    return value.with_axes(axes) if axes != value.axes else value


def part(call: Call, value: View | Weight, dim: int, start: int, count: int, keep: bool) -> Value:
    """The entries [start, start + count) along an axis, which stays or goes."""
    axis = value.axes[dim]
    if count == ax.size(axis) and keep:
        return value

    def with_axis(axes: Axes, new: ax.Axis) -> Axes:
        return (*axes[:dim], *((new,) if keep else ()), *axes[dim + 1 :])

    if isinstance(value, Weight):
        call.fail(f"takes a part of {value.name}; expected parameters that layers use as they are")
    if count == ax.size(axis):
        return value.with_axes(with_axis(value.axes, ()))
    node = value.node
    if len(axis) == 1 and axis[0].dim == "c":
        digit = axis[0]
        new = ax.merged([Digit("c", digit.stride, count)])
        return replace(value, axes=with_axis(value.axes, new), offset=value.offset + start * digit.stride)
    if axis in (node.positions, node.dim("h") + node.dim("w")) and count == 1:
        view = call.whole(value).tokenised()
        keys: dict[str, Value] = {"index": start} if start else {}
        return call.layer("select-token", view, with_axis(view.axes, ()), (node.shape[0], 1, 1), **keys)
    what = "samples of the batch" if any(d.dim == "n" for d in axis) else f"a part of {ax.described((axis,))}"
    call.fail(f"takes {what}; supported: one token of all, and equal parts of the channels for attention")


@operation("select")
def select(call: Call) -> Value:
    """One token, or one of the equal parts of the channels."""
    value = tensor(call)
    dim = call.positive_dim(call["dim"], len(value.axes))
    index = call.positive_dim(call["index"], ax.size(value.axes[dim]))
    return part(call, value, dim, index, 1, keep=False)


@operation("slice", "narrow")
def slice_(call: Call) -> Value:
    """Entries in a row along an axis."""
    value = tensor(call)
    dim = call.positive_dim(call["dim"], len(value.axes))
    if call.get("step", 1) != 1:
        call.fail(f"takes every {call['step']}th entry; not supported (a pool or a convolution with stride can be)")
    count = call.shape[dim]
    start = call.positive_dim(call.get("start") or 0, ax.size(value.axes[dim]))
    return part(call, value, dim, start, count, keep=True)


@operation("unbind", "chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split")
def split(call: Call) -> Value:
    """Parts of an axis, one after the other."""
    value = tensor(call)
    dim = call.positive_dim(call["dim"], len(value.axes))
    total = ax.size(value.axes[dim])
    if call.name == "unbind":
        return [part(call, value, dim, i, 1, keep=False) for i in range(total)]
    if call.name in ("chunk", "unsafe_chunk"):
        each = -(-total // call["chunks"])
        sizes = [min(each, total - start) for start in range(0, total, each)]
    elif isinstance(given := call.get("split_size", call.get("split_sizes")), int):
        sizes = [min(given, total - start) for start in range(0, total, given)]
    elif given is not None:
        sizes = list(given)
    else:
        call.fail("is not supported; use split with sizes")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [part(call, value, dim, start, count, keep=True) for start, count in zip(starts, sizes, strict=True)]


@operation("cat", "concat", "concatenate")
def concatenate(call: Call) -> Value:
    """Channels of several layers one after the other, or a learned token before all others."""
    values, dim = call["tensors"], call.positive_dim(call["dim"], len(call.shape))
    if len(values) == 2 and isinstance(values[0], Weight) and isinstance(values[1], View):
        return class_token(call, values[0], call.whole(values[1]), dim)
    views = [call.whole(value) for value in values]
    if len(views) == 1:
        return views[0]
    first = views[0]
    others = [axis for i, axis in enumerate(first.axes) if i != dim]
    for view in views:
        same = [axis for i, axis in enumerate(view.axes) if i != dim] == others
        if view.axes[dim] != view.node.channels or not same or view.node.shape[1:] != first.node.shape[1:]:
            call.fail(f"expected channels one after the other, got the axis {dim} of {ax.described(view.axes)}")
    channels = sum(view.node.shape[0] for view in views)
    axes = (*first.axes[:dim], ax.dimension("c", channels), *first.axes[dim + 1 :])
    return call.join("concat", [view.node for view in views], (channels, *first.node.shape[1:]), axes)


def class_token(call: Call, weight: Weight, view: View, dim: int) -> Value:
    """A parameter [1, 1, D], repeated for all samples, before the tokens."""
    view = view.tokenised()
    node = view.node
    channels, tokens, _ = node.shape
    own = [i for i, axis in enumerate(weight.axes) if any(d.dim != ax.REPEATED for d in axis)]
    fits = len(view.axes) == 3 and view.axes[dim] == node.dim("h") and [view.axes[i] for i in own] == [node.channels]
    use = weight.use(weight.axes, (1, 1, channels)) if fits and ax.size(weight.axes[dim]) == 1 else None
    if use is None or not use.trained:
        call.fail(f"expected one learned token [1, 1, channels] before tokens, got {weight.name} and {ax.described(view.axes)}")
    axes = (*view.axes[:dim], ax.dimension("h", tokens + 1), *view.axes[dim + 1 :])
    return call.layer("class-token", view, axes, (channels, tokens + 1, 1), {"": use})
