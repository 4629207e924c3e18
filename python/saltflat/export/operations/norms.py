"""Normalisations."""

from __future__ import annotations

from .. import axes as ax
from ..call import Call, Value, operation
from ..graph import TensorUse


def keys_of(eps: float, default: float, affine: bool, bias: bool = True) -> dict[str, Value]:
    """The keys that are not at their defaults."""
    keys: dict[str, Value] = {}
    if abs(eps - default) > 1e-9 * default:
        keys["eps"] = eps
    if not affine:
        keys["affine"] = False
    elif not bias:
        keys["bias"] = False
    return keys


@operation("batch_norm", "_native_batch_norm_legit_no_training", "native_batch_norm", "cudnn_batch_norm")
def batch_norm(call: Call) -> Value:
    """Batch normalisation by its running statistics."""
    view = call.activation("input")
    if call.get("training", False):
        if call["running_mean"] is None:
            call.fail("has no running statistics (track_running_stats = False), so that samples depend on each other; not supported")
        call.fail("the module is in training mode, in which samples depend on each other; call module.eval() before the export")
    if len(view.axes) < 2 or view.axes[1] != view.node.channels:
        call.fail(f"expected the channels along the second axis, got {ax.described(view.axes)}")
    weight, bias = call.trained("weight", "weight"), call.trained("bias", "bias")
    mean, variance = call.weight("running_mean", "running mean"), call.weight("running_var", "running variance")
    keys = keys_of(call["eps"], 1e-5, weight is not None)
    if call["momentum"] == 0:
        call.note("Batch normalisation with momentum = None is exported with momentum 0.1, which acts only when saltflat trains.")
    elif call["momentum"] != 0.1:
        keys["momentum"] = call["momentum"]
    tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return call.layer("batch-norm", view, tensors=tensors, **keys)


@operation("group_norm")
def group_norm(call: Call) -> Value:
    """Group normalisation over groups of channels and all positions."""
    view = call.activation("input")
    node = view.node
    if len(view.axes) < 2 or view.axes[:2] != (node.dim("n"), node.channels):
        call.fail(f"expected axes [samples, channels, ...], got {ax.described(view.axes)}")
    weight, bias = call.trained("weight", "weight"), call.trained("bias", "bias")
    keys = keys_of(call["eps"], 1e-5, weight is not None)
    return call.layer("group-norm", view, tensors={"weight": weight, "bias": bias}, groups=call["num_groups"], **keys)


def layer(call: Call, kind: str, eps: float, default: float, bias: bool) -> Value:
    """A normalisation over the last axes: over the channels at every position, or over all entries."""
    view = call.activation("input")
    node, count = view.node, len(call["normalized_shape"])
    normalised = ax.merged(digit for axis in view.axes[len(view.axes) - count :] for digit in axis)
    weight, offset = call.trained("weight", "weight"), call.trained("bias", "bias") if bias else None
    keys = keys_of(eps, default, weight is not None, not bias or offset is not None)
    tensors = {"weight": weight, "bias": offset}
    if normalised == node.channels and count == 1:
        return call.layer(kind, view, tensors=tensors, **keys)
    if normalised == ax.merged(node.channels + node.positions) and view.axes[0] == node.dim("n"):
        tensors = {role: use and TensorUse(use.name, node.shape, use.order) for role, use in tensors.items()}
        return call.layer(kind, view, tensors=tensors, over="all", **keys)
    call.fail(f"expected the channels, or channels, height and width, along the last {count} of {ax.described(view.axes)}")


@operation("layer_norm")
def layer_norm(call: Call) -> Value:
    """Layer normalisation."""
    return layer(call, "layer-norm", call["eps"], 1e-5, bias=True)


@operation("rms_norm")
def rms_norm(call: Call) -> Value:
    """RMS normalisation; PyTorch's default eps is that of the number type."""
    return layer(call, "rms-norm", call["eps"] or 1.1920928955078125e-07, 1.1920928955078125e-07, bias=False)
