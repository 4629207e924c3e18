"""Functions of every entry, dropout, and operations that change nothing."""

from __future__ import annotations

from ..call import Call, Value, operation
from ..graph import Scores, View

#: Operations that are a layer without keys.
PLAIN = {
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "hardswish": "hard-swish",
    "hardsigmoid": "hard-sigmoid",
    "relu6": "relu6",
}


@operation(*PLAIN)
def plain(call: Call) -> Value:
    """An activation without keys."""
    return call.layer(PLAIN[call.name], call.activation("self"))


@operation("gelu")
def gelu(call: Call) -> Value:
    """GELU, exact or by tanh."""
    approximate = call["approximate"]
    keys = {} if approximate == "none" else {"approximate": approximate}
    return call.layer("gelu", call.activation("self"), **keys)


@operation("leaky_relu")
def leaky_relu(call: Call) -> Value:
    """Leaky ReLU with its slope."""
    return call.layer("leaky-relu", call.activation("self"), slope=float(call["negative_slope"]))


@operation("elu")
def elu(call: Call) -> Value:
    """ELU with its alpha; not SELU or CELU, which scale it."""
    if call["scale"] != 1 or call["input_scale"] != 1:
        call.fail(f"expected scale = input_scale = 1, got {call['scale']:g} and {call['input_scale']:g} (SELU or CELU)")
    return call.layer("elu", call.activation("self"), alpha=float(call["alpha"]))


@operation("softplus")
def softplus(call: Call) -> Value:
    """Softplus; PyTorch's is linear above its threshold, 20, where the two differ by 2e-9."""
    if call["beta"] != 1 or call["threshold"] < 20:
        call.fail(f"expected beta = 1 and threshold >= 20, got {call['beta']:g} and {call['threshold']:g}")
    return call.layer("softplus", call.activation("self"))


@operation("hardtanh", "clamp", "clamp_min")
def clamp(call: Call) -> Value:
    """A clamp to [0, inf) or [0, 6]."""
    low = call.get("min_val", call.get("min"))
    high = call.get("max_val", call.get("max"))
    if low == 0 and high in (None, 6):
        return call.layer("relu" if high is None else "relu6", call.activation("self"))
    call.fail(f"expected limits 0 and 6 (relu6), or 0 alone (relu), got {low} and {high}")


@operation("softmax", "_softmax")
def softmax(call: Call) -> Value:
    """Softmax over the channels, or that of attention."""
    value, dim = call["self"], call["dim"]
    if isinstance(value, Scores):
        if dim not in (-1, len(call.shape) - 1):
            call.fail("softmax of attention: expected the last axis, that of the keys")
        if value.normalised:
            call.fail("softmax of attention is applied twice")
        return Scores(value.query, value.key, value.factor, normalised=True)
    view = call.activation("self")
    if view.axes[call.positive_dim(dim, len(view.axes))] != view.node.channels:
        call.fail("expected an axis that holds the channels")
    return call.layer("softmax", view)


@operation("log_softmax", "_log_softmax")
def log_softmax(call: Call) -> Value:
    """Refused: losses take logits."""
    call.fail("is not supported; remove it from the end of the network: the loss (cross_entropy) takes logits")


@operation("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout")
def dropout(call: Call) -> Value:
    """Dropout of a module in evaluation: a layer that does nothing in measurements."""
    if call["train"]:
        call.fail("the module is in training mode, in which dropout is random; call module.eval() before the export")
    value, probability = call.get("input", call.get("self")), float(call["p"])
    is_layer = isinstance(value, View) and value.is_whole() and value.factor == 1 and call.name == "dropout"
    if is_layer and 0 < probability < 1:
        call.note("Dropout is off in measurements, as after module.eval(); it acts only when saltflat trains.")
        return call.layer("dropout", value, probability=probability)
    if probability > 0:
        call.note(f"{call.place or 'module'}: {call.name} is left out; it does nothing after module.eval().")
    return value


@operation("clone", "contiguous", "alias", "lift_fresh_copy", "lift_fresh", "to", "_to_copy", "type_as", "positive")
def unchanged(call: Call) -> Value:
    """What copies or converts to the number type that there is."""
    dtype = call.get("dtype")
    if dtype is not None and str(dtype) not in ("torch.float32", "torch.float64"):
        call.fail(f"converts to {dtype}; expected float32 throughout")
    return call["self"]


@operation("detach")
def detach(call: Call) -> Value:
    """Refused: derivatives are taken through everything."""
    call.fail("is not supported: no derivative goes through it in PyTorch, but all of Saltflat's do")
