"""Reads the folder of a run and that of a study, as plain Python objects."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BadInputError
from .measurement import is_estimate

#: The keys of a row that are no metrics.
OF_ROW = ("epoch", "step")


@dataclass
class Run:
    """A run: what it is among the others, its configuration, and its rows.

    Attributes:
        name: Its name: of its folder, or ``STAGE/RUN`` in a study.
        folder: Where it lies.
        stage: Its stage in a study.
        labels: What it is among the runs of its study: axis to label.
        seed: ``run.seed``.
        status: ``finished``, ``running``, ``diverged``, ``interrupted``, ``failed``, or ``not started``.
        reason: Why it ended so.
        config: The resolved configuration under flat keys, ``optimizer.lr``.
        epochs: Its rows of epochs, in order.
        measurements: Its measurements, in order, flat: ``trace_hessian``, ``trace_hessian_std_error``.
    """

    name: str
    folder: Path
    stage: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    status: str = "not started"
    reason: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    measurements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def group(self) -> str:
        """The labels together, ``label-flip, probability 0.2``; without labels the stage, or the name of the run."""
        if not self.labels:
            return self.stage or self.name
        return ", ".join(_labelled(axis, label) for axis, label in sorted(self.labels.items()))


def read_run(folder: Path, name: str | None = None) -> Run:
    """The run in a folder, also if it is under way or ended before its end."""
    run = Run(name or folder.resolve().name, folder)
    config = folder / "config.toml"
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{config}: cannot be read: {error}") from error
    if "lab" in table:
        raise BadInputError(
            f"{folder}: is the folder of a lab, expected that of a run or a study; saltflat report {folder} --format csv writes its values"
        )
    run.config = dict(_flat("", table))
    run.seed = table.get("run", {}).get("seed")
    status = folder / "status.json"
    if status.is_file():
        try:
            content = json.loads(status.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError(f"{status}: cannot be read: {error}") from error
        run.status, run.reason = content.get("status", "running"), content.get("reason")
    epochs: dict[int, dict[str, Any]] = {}
    measurements: dict[int, dict[str, Any]] = {}
    for row in _lines(folder / "metrics.jsonl"):
        # Of several rows of one epoch, and of several measurements at one step, the last counts.
        if row.get("kind") == "epoch":
            epochs[row.get("epoch", 0)] = {key: value for key, value in row.items() if key != "kind"}
        elif row.get("kind") == "measurement":
            measurements[row.get("step", 0)] = _flat_measurement(row)
    run.epochs = [epochs[key] for key in sorted(epochs)]
    run.measurements = [measurements[key] for key in sorted(measurements)]
    return run


def read_study(folder: Path) -> list[Run]:
    """The runs of a study, in its order, also those that have not begun."""
    manifest = folder / "manifest.json"
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{manifest}: cannot be read as the list of a study's runs: {error}") from error
    runs = []
    for entry in entries:
        at = folder / entry["name"]
        run = read_run(at, entry["name"]) if (at / "config.toml").is_file() else Run(entry["name"], at)
        run.stage, run.labels, run.seed = entry["stage"], entry["labels"], entry["seed"]
        runs.append(run)
    return runs


def read_any(path: Path) -> list[Run]:
    """The runs of a folder: of a study, or of one run."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "is not there"
        raise BadInputError(f"{path}: {what}, expected the folder of a run or of a study, such as results/NAME")
    if (path / "manifest.json").is_file():
        return read_study(path)
    if (path / "config.toml").is_file():
        return [read_run(path)]
    raise BadInputError(f"{path}: has neither manifest.json nor config.toml, expected the folder of a run or of a study")


def _lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file. A last line that is no whole object is one that is being written, or that was cut off."""
    if not path.is_file():
        return []
    lines = [(number, line) for number, line in enumerate(path.read_bytes().split(b"\n"), 1) if line.strip()]
    rows = []
    for number, line in lines:
        try:
            row = json.loads(line.decode("utf-8", errors="replace"))
            if not isinstance(row, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            if number == lines[-1][0]:
                break
            raise BadInputError(f"{path}: line {number}: expected a JSON object: {error}") from error
        rows.append(row)
    return rows


def _flat_measurement(row: dict[str, Any]) -> dict[str, Any]:
    """A measurement as one flat row: a column a number, beside it those of its errors. Entries of a list are ``top_eigenvalues.0``, those of
    a metric by tensor ``trace_hessian_by_tensor.fc.weight``; a density and lists of plain numbers stay what they are."""
    flat = {key: row[key] for key in (*OF_ROW, "curvature_samples", "alignment_samples") if key in row}
    loss = row.get("measured_loss") or {}
    flat.update({f"measured_loss.{key}": value for key, value in loss.items()})
    for name, entry in (row.get("metrics") or {}).items():
        if is_estimate(entry):
            parts = [(name, entry)]
        elif isinstance(entry, list) and any(is_estimate(item) for item in entry):
            parts = [(f"{name}.{i}", item) for i, item in enumerate(entry)]
        elif isinstance(entry, dict) and entry and all(is_estimate(item) for item in entry.values()):
            parts = [(f"{name}.{key}", item) for key, item in entry.items()]
        else:
            flat[name] = entry
            continue
        for part, estimate in parts:
            flat[part] = estimate["value"]
            for error in ("std_error", "subset_error"):
                if error in estimate:
                    flat[f"{part}_{error}"] = estimate[error]
    return flat


def _flat(prefix: str, table: dict[str, Any]) -> list[tuple[str, Any]]:
    """A configuration under flat keys. A list of tables that each have a kind, such as that of several noises, is ``noise.kind``,
    ``label-flip + logit-gaussian``, and ``noise.label-flip.probability`` for the keys of each."""
    flat: list[tuple[str, Any]] = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat.extend(_flat(f"{name}.", value))
        elif isinstance(value, list) and value and all(isinstance(item, dict) and isinstance(item.get("kind"), str) for item in value):
            flat.append((f"{name}.kind", " + ".join(item["kind"] for item in value)))
            for item in value:
                flat.extend(_flat(f"{name}.{item['kind']}.", {key: one for key, one in item.items() if key != "kind"}))
        else:
            flat.append((name, value))
    return flat


def _labelled(axis: str, label: str) -> str:
    """A label, with the last word of its axis if it cannot stand alone."""
    try:
        float(label)
        is_bare = True
    except ValueError:
        is_bare = label in ("none", "true", "false", "")
    return f"{axis.removesuffix('.kind').rsplit('.', 1)[-1]} {label}" if is_bare else label
