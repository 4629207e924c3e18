"""Sums and products of layers, of layers and parameters, and of layers and constants."""

from __future__ import annotations

from dataclasses import replace

from .. import axes as ax
from ..call import Call, Value, operation
from ..graph import Scores, View, Weight


def is_number(value: Value) -> bool:
    """True for constants."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@operation("add", "sub", "rsub")
def add(call: Call) -> Value:
    """A sum of two layers, of a layer and a bias or a position parameter, or with 0."""
    left, right = call["self"], call["other"]
    if call.get("alpha", 1) != 1:
        call.fail(f"expected alpha = 1, got {call['alpha']}")
    if is_number(right) and right == 0 and call.name != "rsub":
        return left
    if is_number(left) or is_number(right):
        call.fail(f"adds the constant {right if is_number(right) else left:g}, for which there is no layer")
    if call.name != "add":
        call.fail("differences are not supported; expected sums")
    if isinstance(left, Scores) or isinstance(right, Scores):
        call.fail("masks and position biases of attention are not supported")
    if isinstance(left, Weight) and isinstance(right, View):
        left, right = right, left
    if isinstance(right, Weight):
        return parameter(call, "bias", call.whole(left), right)
    return join(call, "sum", call.whole(left), call.whole(right))


@operation("mul", "div")
def mul(call: Call) -> Value:
    """A product of two layers, of a layer and a scale, or of queries or keys and a constant."""
    left, right = call["self"], call["other"]
    if is_number(left) and call.name == "mul":
        left, right = right, left
    if is_number(right):
        factor = float(right) if call.name == "mul" else 1 / float(right)
        if isinstance(left, View | Scores):
            if isinstance(left, Scores) and left.normalised:
                call.fail("multiplies the softmax of attention; not supported")
            return replace(left, factor=left.factor * factor)
    if call.name == "div":
        call.fail("quotients are not supported")
    if isinstance(left, Weight) and isinstance(right, View):
        left, right = right, left
    if isinstance(right, Weight):
        return parameter(call, "scale", call.whole(left), right)
    left, right = call.whole(left), call.whole(right)
    if left.node.shape[1:] == (1, 1) and right.node.shape[1:] != (1, 1):
        left, right = right, left
    return join(call, "product", left, right)


@operation("neg")
def neg(call: Call) -> Value:
    """A change of sign, which no layer makes."""
    call.fail("is not supported")


def join(call: Call, kind: str, left: View, right: View) -> View:
    """The sum or product of two layers, entry by entry; a factor [n, c, 1, 1] is repeated over all positions."""
    if left.node.shape != right.node.shape and left.node.shape[0] == right.node.shape[0]:
        if left.node.shape[2] == 1 and right.node.shape[2] > 1:
            right = right.tokenised()
        elif right.node.shape[2] == 1 and left.node.shape[2] > 1 and right.node.shape[1] > 1:
            left = left.tokenised()
    rank = max(len(left.axes), len(right.axes))
    (of_left, of_right) = (((),) * (rank - len(view.axes)) + view.axes for view in (left, right))
    repeats = kind == "product" and right.node.shape[1:] == (1, 1) and left.node.shape[0] == right.node.shape[0]
    for a, b in zip(of_left, of_right, strict=True):
        is_repeated = repeats and all(d.dim in "hw" for d in a) and all(d.dim == ax.REPEATED for d in b)
        if a != b and not is_repeated:
            call.fail(f"expected equal axes, got {ax.described(left.axes)} and {ax.described(right.axes)}")
    if not (left.node.shape == right.node.shape or repeats):
        call.fail(f"expected equal shapes, got {list(left.node.shape)} and {list(right.node.shape)} [channels, height, width]")
    return call.join(kind, [left.node, right.node], left.node.shape, of_left)


def parameter(call: Call, kind: str, view: View, weight: Weight) -> View:
    """A layer with a parameter: one number, one per channel, or (added) one per position and channel."""
    if not weight.trained:
        what = "adds" if kind == "bias" else "multiplies by"
        call.fail(f"{what} the buffer {weight.name}, which is not trained; there is no layer for it (inputs can be normalised before)")
    rank = max(len(view.axes), len(weight.axes))
    axes = ((),) * (rank - len(view.axes)) + view.axes
    of_weight = ((),) * (rank - len(weight.axes)) + weight.axes
    own = [i for i, axis in enumerate(of_weight) if any(d.dim != ax.REPEATED for d in axis)]
    node = view.node
    covered = [axes[i] for i in own]
    used = tuple(of_weight[i] for i in own)
    if rank > len(view.axes):
        call.fail(f"{weight.name} has more axes than {ax.described(view.axes)}")
    if not covered and (use := weight.use(used, (1,))):
        return call.layer(kind, view, tensors={"": use})
    if covered == [node.channels] and (use := weight.use(used, (node.shape[0],))):
        return call.layer(kind, view, tensors={"": use}, per="channel")
    if kind == "bias":
        view = view.tokenised()
        channels, tokens, _ = view.node.shape
        axes = ((),) * (rank - len(view.axes)) + view.axes
        places = [i for i in own if all(d.dim == "h" for d in axes[i])]
        features = [i for i in own if axes[i] == view.node.channels]
        order = tuple(of_weight[i] for i in places + features)
        is_all = ax.merged(d for i in places for d in axes[i]) == view.node.dim("h")
        if len(features) == 1 and len(order) == len(own) and is_all and (use := weight.use(order, (1, tokens, channels))):
            return call.layer("position", view, tensors={"": use})
    call.fail(
        f"{weight.name}, of shape {list(weight.shape)}, goes with {ax.described(tuple(covered))} of {ax.described(view.axes)}; "
        f"expected one number, one per channel{', or one per position and channel' if kind == 'bias' else ''}"
    )
