"""Curvature and gradient noise of a network at its weights, in one call."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .binary import run
from .configuration import Network, Training, configuration, setting
from .dataset import from_arrays, read_split
from .errors import BadInputError
from .loss import Loss, convert, read_loss
from .measurement import Measurement
from .tensors import Split, write

#: Samples with which a module is traced.
EXAMPLE = 3


def measure(
    module: Any,
    inputs: Any = None,
    targets: Any = None,
    *,
    loss: Any = "cross_entropy",
    metrics: Sequence[str] | None = None,
    samples: int | None = None,
    alignment_samples: int | None = None,
    probes: int | None = None,
    tolerance: float | None = None,
    precision: str = "f32",
    device: str = "cpu",
    lr: float | None = None,
    momentum: float = 0.0,
    batch_size: int | None = None,
    weight_decay: float = 0.0,
    settings: Mapping[str, Any] | None = None,
    weights: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Measurement:
    """Measures the loss of a network on data: trace, Frobenius norm and eigenvalues of its Hessian, gradient noise and its alignment, stability.

    The module is exported (``saltflat.export``), the data are written as a `tensors` file, and ``saltflat measure`` is run on both. Every number
    is made from exact Hessian-vector products, and every estimate has its standard error. The module is measured in evaluation mode.

    Args:
        module: A ``torch.nn.Module``, what ``saltflat.export`` returned, its folder, or the path of a configuration (TOML) of the program; with
            a configuration, ``weights`` is the point, and data and loss are those of the configuration.
        inputs: The inputs ``[n, …]`` as the module takes them, as a tensor or array of floating-point numbers; or a map-style dataset of pairs
            (then without ``targets``); or the path of a file that ``saltflat.dataset`` wrote.
        targets: Classes ``[n]`` as integers, or floating-point numbers ``[n]`` or ``[n, outputs]`` for the square loss.
        loss: ``"cross_entropy"``, ``"square"`` (½ Σ_c (f_c − q_c)², also of classes), ``nn.CrossEntropyLoss(label_smoothing=…)`` or
            ``nn.MSELoss()``. All numbers are of this loss, in PyTorch's scale; ``saltflat/loss.py`` says how.
        metrics: Names of metrics or of their groups, such as ``["trace_hessian", "eigenvalues"]``; ``["all"]`` for everything. Default: loss,
            gradient, trace, eigenvalues, alignment, stability. ``saltflat measure --metrics help`` lists them.
        samples: On how many of the samples curvature is measured; default all.
        alignment_samples: On how many samples gradient noise, alignment and stability are measured exactly; default 50.
        probes: Random probes of traces and densities; default 16.
        tolerance: Stops a trace sooner, at this relative standard error.
        precision: ``"f32"``, or ``"f64"``, on the CPU.
        device: ``"cpu"``, ``"auto"``, ``"gpu"``, ``"gpu:1"``, or a part of an adapter's name.
        lr: Learning rate of the training, for the bounds that depend on it; without it they are None, and say so.
        momentum: Momentum of the training.
        batch_size: Batch size of the training, likewise.
        weight_decay: w, if the loss is to have the penalty (w/2) ‖θ‖², as the ``weight_decay`` of PyTorch's SGD: H is then larger by wI.
        settings: Other keys of the configuration, such as ``{"metrics.trace.method": "hutch++", "metrics.alignment.subsets": 4}``.
        weights: With a configuration: a safetensors file, a checkpoint, or the folder of a run.
        folder: Keeps everything there: the exported network, the data, the configuration and ``measurement.json``. Default: a temporary folder.
        vectors: Writes eigenvectors of the largest eigenvalues (``eigenvectors.safetensors``) and, if ``hessian_diagonal_sq`` is among the metrics, the
            diagonal of H into this folder, under the names of the parameters; not with ``nn.MSELoss``, whose scale they do not have.
        seed: The probes and subsets are drawn from it.
        quiet: Writes no notes and no plan to stderr.

    Raises:
        ExportError: The module has an operation that cannot be expressed, by its name.
        BadInputError: Data, loss or an option that cannot be used; what the program refuses.
        SaltflatError: The measurement failed.

    Example:
        A trained module and its training data (``python/examples/tutorial.py`` is a whole program)::

            result = saltflat.measure(module, inputs, labels, loss=nn.CrossEntropyLoss(), lr=0.01, batch_size=64)
            result["trace_hessian"], result.errors["trace_hessian"]
            result["top_eigenvalues"]
            result.to_frame()
    """
    training = Training(lr, momentum, batch_size, weight_decay).check()
    if precision not in ("f32", "f64"):
        raise BadInputError(f'precision: is {precision!r}, expected "f32" or "f64"')
    options = _options(metrics, samples, alignment_samples, probes, tolerance)
    keys = dict(settings or {})
    with _place(folder) as place:
        if _is_configuration(module):
            _refuse_beside_configuration(inputs=inputs, targets=targets, lr=lr, batch_size=batch_size, loss=None if loss == "cross_entropy" else loss)
            if weights is None:
                raise BadInputError("weights: is missing, expected a safetensors file, a checkpoint or a run beside the configuration")
            wanted, config, point = None, Path(module), Path(weights)
        else:
            if weights is not None:
                raise BadInputError("weights: expected only with the path of a configuration; a module is measured at the weights that it has")
            wanted = read_loss(loss)
            given = _samples(inputs, targets)
            exported = _exported(module, given, place, quiet)
            network = Network(Path(exported.model), Path(exported.weights))
            data = given if isinstance(given, Path) else write(place / "data.safetensors", _as_inputs(exported, given), None)
            _check_targets(data, wanted, network.outputs)
            section, more = network.section()
            keys = {**more, **keys}
            if vectors is not None and wanted.factor(network.outputs) != 1.0:
                raise BadInputError(f'vectors: expected a loss in the scale of the program, got {wanted.words}; use loss="square", ½ Σ (f − q)²')
            config, point = place / "measure.toml", network.weights
            # A kept folder can be moved.
            path = str(data.resolve()) if isinstance(given, Path) else data.name
            config.write_text(configuration(section, path, wanted, network.outputs, training, seed), encoding="utf-8")
        sets = [part for key, value in keys.items() for part in ("--set", f"{key}={setting(value)}")]
        files = [] if vectors is None else ["--vectors", vectors]
        command = ["measure", config, "--weights", point, "--json", "-", "--device", device, "--precision", precision, *options, *files, *sets]
        report = json.loads(run(command, quiet=quiet))
        if wanted is not None:
            report = _of_loss(report, wanted, training)
        if folder is not None:
            (place / "measurement.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return Measurement(report)


def _options(
    metrics: Sequence[str] | None, samples: int | None, alignment_samples: int | None, probes: int | None, tolerance: float | None
) -> list[str]:
    """The options of the command."""
    if isinstance(metrics, str):
        metrics = [metrics]
    given = {
        "--metrics": None if metrics is None else ",".join(metrics),
        "--samples": samples,
        "--alignment-samples": alignment_samples,
        "--probes": probes,
        "--tolerance": tolerance,
    }
    return [part for option, value in given.items() if value is not None for part in (option, str(value))]


@contextlib.contextmanager
def _place(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder of a measurement; a temporary one is removed."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="saltflat-") as temporary:
            yield Path(temporary)
    else:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        yield place


def _is_configuration(module: Any) -> bool:
    return isinstance(module, (str, os.PathLike)) and not Path(module).is_dir()


def _refuse_beside_configuration(**arguments: Any) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise BadInputError(f"{given[0]}: expected nothing beside a configuration, which says it; settings={{…}} changes one of its keys")


def _samples(inputs: Any, targets: Any) -> Split | Path:
    """The data, with the axes that the module takes, or the path of a file that holds them."""
    if inputs is None:
        raise BadInputError("inputs: is missing, expected a tensor [n, …], a dataset, or the path of a file that saltflat.dataset wrote")
    if isinstance(inputs, (str, os.PathLike)):
        if targets is not None:
            raise BadInputError(f"targets: expected nothing beside the file {inputs}, which holds them")
        return Path(inputs)
    if targets is None:
        if hasattr(inputs, "dtype"):
            raise BadInputError("targets: is missing, expected one target for each of the inputs")
        return read_split(inputs, "inputs")
    split = from_arrays(inputs, targets)
    if split.inputs.dtype == np.uint8:
        raise BadInputError("inputs: has numbers of type uint8, expected floating-point numbers as the module takes them; use inputs.float() / 255")
    return split


def _exported(module: Any, data: Split | Path, place: Path, quiet: bool) -> Any:
    """The network on disk."""
    if isinstance(module, (str, os.PathLike)):
        return SimpleNamespace(model=Path(module) / "model.toml", weights=Path(module) / "weights.safetensors")
    if hasattr(module, "model") and hasattr(module, "weights") and not callable(module):
        return module
    from .export import export

    exported = export(module, _example(data), place)
    if not quiet:
        for note in getattr(exported, "notes", ()):
            print(f"note: {note}", file=sys.stderr)
    return exported


def _example(data: Split | Path) -> Any:
    """The first samples as the module takes them; images of 8 bits as ``ToTensor`` makes them."""
    import torch
    from safetensors import safe_open

    if isinstance(data, Path):
        with safe_open(data, framework="numpy") as file:
            rows = file.get_slice("inputs")[:EXAMPLE]
    else:
        rows = data.inputs[:EXAMPLE]
    tensor = torch.from_numpy(np.ascontiguousarray(rows))
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def _as_inputs(exported: Any, data: Split) -> Split:
    """The data as the file has to hold them: the network may have moved the axes of the module's inputs."""
    if hasattr(exported, "to_inputs"):
        import torch

        return Split(exported.to_inputs(torch.from_numpy(np.ascontiguousarray(data.inputs))).numpy(), data.targets)
    if data.inputs.ndim == 3:
        raise BadInputError(
            f"inputs: has the shape {list(data.inputs.shape)}, expected [n, d] or [n, channels, height, width] for the folder of an exported network; "
            "use inputs.unsqueeze(1) for images of one channel, or pass what saltflat.export returned, which knows the axes"
        )
    return data


def _check_targets(data: Path, loss: Loss, outputs: int) -> None:
    """Whether the targets of a file are such as the loss and the outputs take."""
    from safetensors import safe_open

    with safe_open(data, framework="numpy") as file:
        labels = file.get_tensor("labels") if "labels" in file.keys() else None
        width = (file.get_slice("targets").get_shape() + [1])[1] if labels is None else None
    if labels is None and loss.kind == "cross_entropy":
        raise BadInputError(
            f"targets: are floating-point numbers, expected classes as integers for {loss.words}; probabilities of classes are not supported, "
            "use targets.argmax(1), or targets.long() if they are classes"
        )
    if labels is not None and loss.mean_over_outputs:
        raise BadInputError(
            'targets: are classes, expected floating-point numbers of the shape of the outputs for nn.MSELoss; use F.one_hot(targets).float(), or '
            'loss="square", which takes classes'
        )
    if width is not None and width != outputs:
        raise BadInputError(f"targets: have {width} numbers a sample, expected {outputs}, as many as the module has outputs")
    if labels is not None and labels.size and labels.max() >= outputs:
        index = int(labels.argmax())
        raise BadInputError(f"targets[{index}]: is {labels[index]}, expected a class 0 to {outputs - 1}, since the module has {outputs} outputs")


def _of_loss(report: dict[str, Any], loss: Loss, training: Training) -> dict[str, Any]:
    """The report in the scale of the loss that was asked for."""
    outputs, floor = int(report["outputs"]), float(report["measured_loss"]["floor"])
    metrics = convert(training.without_unknown(report["metrics"]), loss, outputs, floor)
    said = {**report["measured_loss"], "given": loss.words, "factor": loss.factor(outputs)}
    if training.weight_decay:
        said["weight_decay"] = training.weight_decay
    return {**report, "lr": training.lr, "batch_size": training.batch_size, "measured_loss": said, "metrics": metrics}
