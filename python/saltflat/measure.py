"""Curvature and gradient noise of a network at its weights, in one call."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .binary import VARIABLE, find_binary, run
from .configuration import Network, Training, check_settings, configuration, setting
from .errors import BadInputError, BinaryNotFoundError
from .files import to_path, writing
from .loss import Loss, convert, read_loss
from .measurement import Measurement
from .samples import as_inputs, check_targets, count_of, example, samples_of
from .scalars import real, shown, whole
from .tensors import Split, write

#: The largest seed: TOML's integers have 64 bits with a sign.
MOST_SEED = 2**63 - 1


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
    device: Any = "cpu",
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
    is made from exact Hessian-vector products, and every estimate has its error. The module is measured as it is; one that has dropout or batch
    normalisation in training mode is refused, so call ``module.eval()`` first.

    Args:
        module: A ``torch.nn.Module``, what ``saltflat.export`` returned, its folder (or the ``model.toml`` in it), or the path of a
            configuration (TOML) of the program; with a configuration, ``weights`` is the point, and data and loss are those of the configuration.
        inputs: The inputs ``[n, …]`` as the module takes them, as a tensor or array of floating-point numbers; or a map-style dataset of pairs
            (then without ``targets``); or the path of a file that ``saltflat.dataset`` wrote.
        targets: Classes ``[n]`` as integers, or floating-point numbers ``[n]`` or ``[n, outputs]`` for the square loss.
        loss: ``"cross_entropy"``, ``"square"`` (½ Σ_c (f_c − q_c)², also of classes), ``nn.CrossEntropyLoss(label_smoothing=…)`` or
            ``nn.MSELoss()``. All numbers are of this loss, in PyTorch's scale; ``saltflat/loss.py`` says how.
        metrics: Names of metrics or of their groups, such as ``["trace_hessian", "eigenvalues"]``; ``["all"]`` for everything. Default: loss,
            gradient, trace, eigenvalues, alignment, stability. ``saltflat measure --metrics help`` lists them.
        samples: On how many of the samples curvature is measured; default all. With fewer, ``result.errors`` and the table have in the error of
            a trace, too, how far it may be from that of all samples: √(std_error² + subset_error²).
        alignment_samples: On how many samples gradient noise, alignment and stability are measured exactly; default 50. Their errors are
            those over samples, by the jackknife, also when all samples are taken.
        probes: Random probes of traces and densities; default 16.
        tolerance: Stops a trace sooner, at this relative standard error.
        precision: ``"f32"``, or ``"f64"``, on the CPU.
        device: ``"cpu"`` (also as None or ``torch.device("cpu")``), ``"auto"``, ``"gpu"``, ``"gpu:1"``, or a part of an adapter's name.
        lr: Learning rate of the training, for the bounds that depend on it; without it they are None, and say so.
        momentum: Momentum of the training.
        batch_size: Batch size of the training, likewise.
        weight_decay: w, if the loss is to have the penalty (w/2) ‖θ‖², as the ``weight_decay`` of PyTorch's SGD: H is then larger by wI.
        settings: Other keys of the configuration, such as ``{"metrics.trace.method": "hutch++", "metrics.alignment.subsets": 4}``. Those that
            an argument sets are refused, unless a configuration is measured.
        weights: With a configuration: a safetensors file, a checkpoint, or the folder of a run.
        folder: Keeps everything there: the exported network, the data, the configuration and ``measurement.json``. Default: a temporary folder.
        vectors: Writes eigenvectors of the largest eigenvalues (``eigenvectors.safetensors``) and, if ``hessian_diagonal_sq`` is measured, the
            diagonal of H into this folder: the part of eigenvector k in the parameter NAME is the tensor ``k.NAME`` (``0.fc.weight``; 0 belongs to
            the largest eigenvalue), that of the diagonal is ``NAME``. Not with ``nn.MSELoss``, whose scale they do not have.
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
    device, seed = _device(device), whole("seed", seed, 0, MOST_SEED)
    options = _options(metrics, samples, alignment_samples, probes, tolerance)
    if settings is not None and not isinstance(settings, Mapping):
        raise BadInputError(f"settings: is a {type(settings).__name__}, expected a dictionary from keys of the configuration to values")
    keys = dict(settings or {})
    module = _folder_of(module, inputs)
    with _place(folder) as place:
        if _is_configuration(module):
            _refuse_beside_configuration(
                inputs=inputs,
                targets=targets,
                lr=lr,
                momentum=training.momentum or None,
                batch_size=batch_size,
                weight_decay=training.weight_decay or None,
                loss=None if isinstance(loss, str) and loss == "cross_entropy" else loss,
                seed=seed or None,
            )
            if weights is None:
                raise BadInputError("weights: is missing, expected a safetensors file, a checkpoint or a run beside the configuration")
            wanted, config, point = None, Path(module), to_path("weights", weights)
        else:
            if weights is not None:
                raise BadInputError("weights: expected only with the path of a configuration; a module is measured at the weights that it has")
            check_settings(keys)
            wanted = read_loss(loss)
            given = samples_of(inputs, targets)
            if samples is not None:
                whole("samples", samples, 1, count_of(given))
            if alignment_samples is not None:
                whole("alignment_samples", alignment_samples, 1, count_of(given))
            exported = _exported(module, given, place, quiet)
            network = Network(Path(exported.model), Path(exported.weights))
            data = given if isinstance(given, Path) else write(place / "data.safetensors", as_inputs(exported, given), None)
            check_targets(data, wanted, network.outputs)
            section, more = network.section()
            keys = {**more, **keys}
            if vectors is not None and wanted.factor(network.outputs) != 1.0:
                raise BadInputError(f'vectors: expected a loss in the scale of the program, got {wanted.words}; use loss="square", ½ Σ (f − q)²')
            config, point = place / "measure.toml", network.weights
            # A kept folder can be moved.
            path = str(data.resolve()) if isinstance(given, Path) else data.name
            with writing(f"folder: {config}"):
                config.write_text(configuration(section, path, wanted, network.outputs, training, seed), encoding="utf-8")
        sets = [part for key, value in keys.items() for part in ("--set", f"{key}={setting(value)}")]
        files = [] if vectors is None else ["--vectors", to_path("vectors", vectors)]
        command = ["measure", config, "--weights", point, "--json", "-", "--device", device, "--precision", precision, *options, *files, *sets]
        report = _report(run(command, quiet=quiet))
        if wanted is not None:
            report = _of_loss(report, wanted, training)
        if folder is not None:
            with writing(f"folder: {place / 'measurement.json'}"):
                (place / "measurement.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return Measurement(report)


def _options(
    metrics: Sequence[str] | None, samples: int | None, alignment_samples: int | None, probes: int | None, tolerance: float | None
) -> list[str]:
    """The options of the command."""
    given = {
        "--metrics": None if metrics is None else _names(metrics),
        "--samples": None if samples is None else whole("samples", samples, 1),
        "--alignment-samples": None if alignment_samples is None else whole("alignment_samples", alignment_samples, 1),
        "--probes": None if probes is None else whole("probes", probes, 1),
        "--tolerance": None if tolerance is None else real("tolerance", tolerance, lambda x: 0.0 < x < 1.0, "a number in (0, 1)"),
    }
    return [part for option, value in given.items() if value is not None for part in (option, str(value))]


def _names(metrics: Any) -> str:
    """The names of the metrics, as the command reads them."""
    given = [metrics] if isinstance(metrics, str) else list(metrics) if isinstance(metrics, Iterable) else None
    if given is None or not given or not all(isinstance(name, str) for name in given):
        raise BadInputError(f'metrics: is {shown(metrics)}, expected a list of names, such as ["trace_hessian", "eigenvalues"], or ["all"]')
    names = [name.strip() for text in given for name in text.split(",")]
    if "help" in names:
        known = run(["measure", "CONFIG", "--weights", "FILE", "--metrics", "help"], quiet=True).rstrip()
        raise BadInputError(f"metrics: help is no metric, expected names of this list (GROUP: METRICS), or all:\n{known}")
    return ",".join(names)


def _device(device: Any) -> str:
    """The device as the program names it."""
    if device is None or str(device) == "cpu":
        return "cpu"
    if not isinstance(device, str):
        raise BadInputError(f'device: is {shown(device)}, expected "cpu", "auto", "gpu", "gpu:1" or a part of an adapter\'s name')
    return device


def _report(output: str) -> dict[str, Any]:
    """What the program wrote, which is one JSON object."""
    try:
        report = json.loads(output)
    except ValueError:
        report = None
    if not isinstance(report, dict) or "metrics" not in report:
        raise BinaryNotFoundError(f"{find_binary()} wrote no measurement, so it is not the program saltflat of this package; {VARIABLE} can name it")
    return report


@contextlib.contextmanager
def _place(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder of a measurement; a temporary one is removed."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="saltflat-") as temporary:
            yield Path(temporary)
    else:
        place = to_path("folder", folder)
        with writing(f"folder: {place}"):
            place.mkdir(parents=True, exist_ok=True)
        yield place


def _folder_of(module: Any, inputs: Any) -> Any:
    """The module; the folder of an exported network in the place of the ``model.toml`` in it, which is no configuration."""
    if not isinstance(module, (str, os.PathLike)):
        return module
    path = to_path("module", module)
    if not path.exists():
        raise BadInputError(
            f"module: {path}: there is no such file or folder, expected a torch.nn.Module, the folder of an exported network, or a configuration"
        )
    return path.parent if path.name == "model.toml" and inputs is not None else path


def _is_configuration(module: Any) -> bool:
    return isinstance(module, Path) and not module.is_dir()


def _refuse_beside_configuration(**arguments: Any) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise BadInputError(f"{given[0]}: expected nothing beside a configuration, which says it; settings={{…}} changes one of its keys")


def _exported(module: Any, data: Split | Path, place: Path, quiet: bool) -> Any:
    """The network on disk."""
    if isinstance(module, (str, os.PathLike)):
        return SimpleNamespace(model=Path(module) / "model.toml", weights=Path(module) / "weights.safetensors")
    if hasattr(module, "model") and hasattr(module, "weights") and not callable(module):
        return module
    from .export import export

    exported = export(module, example(data), place)
    if not quiet:
        for note in getattr(exported, "notes", ()):
            print(f"note: {note}", file=sys.stderr)
    return exported


def _of_loss(report: dict[str, Any], loss: Loss, training: Training) -> dict[str, Any]:
    """The report in the scale of the loss that was asked for."""
    outputs, floor = int(report["outputs"]), float(report["measured_loss"]["floor"])
    metrics = convert(training.without_unknown(report["metrics"]), loss, outputs, floor)
    said = {**report["measured_loss"], "given": loss.words, "factor": loss.factor(outputs)}
    if training.weight_decay:
        said["weight_decay"] = training.weight_decay
    return {**report, "lr": training.lr, "batch_size": training.batch_size, "measured_loss": said, "metrics": metrics}
