"""In the place of ``saltflat.export`` while it is not there: an MLP of ``nn.Sequential`` as a network of kind ``mlp``."""

import pathlib
import types

ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "Softplus": "softplus", "GELU": "gelu", "SiLU": "silu"}


class ExportError(Exception):
    """What the real one raises if an operation cannot be expressed."""


def export(module, example, folder):
    from safetensors.torch import save_file

    kinds = [type(layer).__name__ for layer in module]
    linears = [layer for layer in module if type(layer).__name__ == "Linear"]
    unknown = set(kinds) - {"Linear", "Flatten", *ACTIVATIONS}
    if unknown:
        raise ExportError(f"{sorted(unknown)[0]} cannot be exported")
    activation = next((ACTIVATIONS[kind] for kind in kinds if kind in ACTIVATIONS), "identity")
    folder = pathlib.Path(folder)
    hidden = [layer.out_features for layer in linears[:-1]]
    model, weights = folder / "model.toml", folder / "weights.safetensors"
    model.write_text(f'[model]\nkind = "mlp"\nhidden = {hidden}\nactivation = "{activation}"\noutputs = {linears[-1].out_features}\n')
    tensors = {}
    for i, layer in enumerate(linears):
        tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"] = layer.weight.detach().clone(), layer.bias.detach().clone()
    save_file(tensors, weights)
    return types.SimpleNamespace(model=model, weights=weights)
