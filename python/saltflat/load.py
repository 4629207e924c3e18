"""The rows of runs and studies as DataFrames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadInputError
from .files import to_path
from .optional import require
from .rows import Run, read_any

if TYPE_CHECKING:
    import pandas

#: Keys of a configuration that differ between runs without telling them apart, or are columns anyway.
NO_AXES = ("run.", "train.init", "train.checkpoint", "data.path")


@dataclass(frozen=True)
class Runs:
    """Runs as DataFrames.

    The first columns of each say which run a line is of: ``run``, ``group``, ``stage``, ``seed``, and a column for each key that is varied: the
    axes of a study, or the keys of the configurations in which runs that were loaded together differ.

    Attributes:
        measurements: A line a measurement: ``epoch``, ``step``, and for each number its value and its standard error, ``trace_hessian`` and
            ``trace_hessian_std_error``; ``trace_hessian_subset_error``, which is independent of it, if fewer than all samples were measured
            on. Entries of lists are ``top_eigenvalues.0``, those of metrics by tensor
            ``trace_hessian_by_tensor.fc.weight``. What a measurement does not have is NaN.
        epochs: A line an epoch of training: ``epoch``, ``step``, ``lr``, ``running_loss``, ``running_accuracy``, ….
        runs: A line a run: ``status``, ``reason``, ``folder``, and its configuration, a column a key (``optimizer.lr``).
        axes: The names of the columns of the varied keys.
    """

    measurements: pandas.DataFrame
    epochs: pandas.DataFrame
    runs: pandas.DataFrame
    axes: tuple[str, ...]

    def last(self) -> pandas.DataFrame:
        """The last measurement of each run."""
        return self.measurements.groupby("run", sort=False).tail(1).reset_index(drop=True)

    def __repr__(self) -> str:
        statuses = ", ".join(f"{count} {status}" for status, count in self.runs["status"].value_counts().items())
        axes = f", by {', '.join(self.axes)}" if self.axes else ""
        return f"Runs({len(self.runs)} runs ({statuses}){axes}: {len(self.measurements)} measurements, {len(self.epochs)} epochs)"


def load(run_or_study: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Runs:
    """Loads the folder of a run or of a study, or several of them together; a run that is named twice is there once.

    Folders may be in use: a run that is under way is loaded with the rows that it has so far, and a run of a study that has not begun has a line
    in ``runs`` and no others.

    Raises:
        BadInputError: A path is no such folder, or a file in it cannot be read.
        ModuleNotFoundError: pandas is not installed.

    Example:
        The trace at the end of every run of a study, and its mean over the seeds::

            study = saltflat.load("results/quickstart-study")
            study.last()[["group", "seed", "trace_hessian", "trace_hessian_std_error"]]
            study.last().groupby("group")["trace_hessian"].agg(["mean", "sem"])
    """
    pd = require("pandas", "saltflat.load")
    if isinstance(run_or_study, (str, os.PathLike)) or not isinstance(run_or_study, Iterable):
        paths = [run_or_study]
    else:
        paths = list(run_or_study)
    if not paths:
        raise BadInputError("run_or_study: is empty, expected the folder of a run or of a study")
    runs = _once([run for path in paths for run in read_any(to_path("run_or_study", path))])
    if len(paths) > 1:
        _name_apart(runs)
    axes = sorted({axis for run in runs for axis in run.labels})
    if not axes and len(runs) > 1:
        axes = _label_by_differences(runs)
    heads = {id(run): _head(run, axes) for run in runs}

    def frame(rows: list[dict[str, Any]], columns: Sequence[str] = ()) -> pandas.DataFrame:
        found = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*_head(Run("", Path()), axes), *columns])
        for axis in axes:
            found[axis] = _as_numbers(found[axis])
        return found  # type: ignore[no-any-return]

    return Runs(
        measurements=frame([{**heads[id(run)], **row} for run in runs for row in run.measurements], ("epoch", "step")),
        epochs=frame([{**heads[id(run)], **row} for run in runs for row in run.epochs], ("epoch", "step")),
        runs=frame([_line(run, heads[id(run)]) for run in runs]),
        axes=tuple(axes),
    )


def _head(run: Run, axes: Iterable[str]) -> dict[str, Any]:
    """The columns that say which run a line is of."""
    return {"run": run.name, "group": run.group, "stage": run.stage, "seed": run.seed, **{axis: run.labels.get(axis) for axis in axes}}


def _line(run: Run, head: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in run.config.items() if key not in head}
    return {**head, "status": run.status, "reason": run.reason, "folder": str(run.folder), **config}


def _once(runs: list[Run]) -> list[Run]:
    """Each run once, also if it was given twice, or beside the study that it is of; then the study says what it is."""
    found: dict[Path, Run] = {}
    for run in runs:
        at = run.folder.resolve()
        if at not in found or (found[at].stage is None and run.stage is not None):
            found[at] = run
    return list(found.values())


def _name_apart(runs: list[Run]) -> None:
    """Runs of several folders that have one name are named by their paths."""
    names = [run.name for run in runs]
    for run in runs:
        if names.count(run.name) > 1:
            run.name = str(run.folder)


def _label_by_differences(runs: list[Run]) -> list[str]:
    """Labels runs by the keys of their configurations in which they differ."""
    keys = dict.fromkeys(key for run in runs for key in run.config if not key.startswith(NO_AXES))
    axes = [key for key in keys if len({repr(run.config.get(key)) for run in runs}) > 1]
    for run in runs:
        run.labels = {axis: str(run.config[axis]) for axis in axes if axis in run.config}
    return axes


def _as_numbers(column: pandas.Series) -> pandas.Series:
    """A column of labels as numbers if all of them are."""
    pd = require("pandas", "saltflat.load")
    try:
        return pd.to_numeric(column) if column.notna().any() else column
    except (ValueError, TypeError):
        return column
