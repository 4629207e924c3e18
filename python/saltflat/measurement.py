"""What a measurement found."""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .optional import require

if TYPE_CHECKING:
    import pandas

#: Columns of a row of the table, beside the name.
COLUMNS = ("value", "std_error", "subset_error", "error", "probes", "reason")

#: What a reader looks for first, in the order of tables; the other metrics follow.
FIRST = (
    "loss",
    "accuracy",
    "test_loss",
    "test_accuracy",
    "trace_hessian",
    "hessian_frobenius",
    "top_eigenvalues",
    "min_eigenvalue",
    "alpha",
    "beta",
    "mu",
)


class Measurement(Mapping[str, Any]):
    """The numbers of one measurement, by the names that ``saltflat measure`` has for them.

    ``result["trace_hessian"]`` is the value, ``result.errors["trace_hessian"]`` its error: √(std_error² + subset_error²), of which the first is
    that over the random probes (of the alignment, over samples by the jackknife), and the second is there if fewer than all samples were
    measured on. A list (``top_eigenvalues``, largest first) has the values of all its entries, and one of them is
    ``result["top_eigenvalues.0"]``; a metric by tensor is a dictionary, and one of them is ``result["trace_hessian_by_tensor.fc.weight"]``.
    A metric that has no value is ``None``, and ``result.reasons`` says why.

    Attributes:
        json: All that the program reported, with the numbers as they are here: also sizes, settings, costs in seconds and in gradients.

    Example:
        >>> result = Measurement({"metrics": {"trace_hessian": {"value": 41.2, "std_error": 2.2, "probes": 16}}})
        >>> result["trace_hessian"], result.errors["trace_hessian"]
        (41.2, 2.2)
        >>> print(result)
        metric               value
        trace_hessian   41.2 ± 2.2
    """

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.json: dict[str, Any] = copy.deepcopy(dict(report))
        metrics = self.json.get("metrics", {})
        names = [*(name for name in FIRST if name in metrics), *(name for name in metrics if name not in FIRST)]
        self.json["metrics"] = self._metrics = {name: metrics[name] for name in names}
        self._rows = dict(_rows(self._metrics))

    @property
    def errors(self) -> dict[str, float | None]:
        """The error of each number, √(std_error² + subset_error²), which the table shows after ±; None for what is exact on its samples, and
        for what has no value. ``to_frame`` and ``json`` have both parts. Entries of lists and of metrics by tensor have their own:
        ``trace_hessian_by_tensor.fc.weight``."""
        return {name: combined_error(row) for name, row in self._rows.items()}

    @property
    def reasons(self) -> dict[str, str]:
        """Why a metric has no value."""
        return {name: row["reason"] for name, row in self._rows.items() if row.get("reason")}

    @property
    def outputs(self) -> int | None:
        """C, the number of outputs of the network."""
        return self.json.get("outputs")

    @property
    def parameters(self) -> int | None:
        """The number of parameters of the network."""
        return self.json.get("p")

    def __getitem__(self, name: str) -> Any:
        if name in self._metrics:
            return _value(self._metrics[name])
        if name in self._rows:
            return self._rows[name].get("value")
        near = difflib.get_close_matches(str(name), [*self._metrics, *self._rows], n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(self._metrics)}"
        raise KeyError(f"{name} was not measured{hint}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """A dictionary a number: ``{"trace_hessian": {"value": …, "std_error": …, "probes": …}, "top_eigenvalues.0": …}``."""
        return copy.deepcopy(self._rows)

    def to_frame(self) -> pandas.DataFrame:
        """A DataFrame with a row a number: metric, value, std_error, subset_error, error (both together), probes, reason.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        pd = require("pandas", "Measurement.to_frame")
        rows = [
            {"metric": name, **{column: row.get(column) for column in COLUMNS}, "error": combined_error(row)} for name, row in self._rows.items()
        ]
        frame: pandas.DataFrame = pd.DataFrame(rows, columns=["metric", *COLUMNS])
        return frame.astype({column: "float64" for column in ("value", "std_error", "subset_error", "error")}).astype({"probes": "Int64"})

    def __repr__(self) -> str:
        shown = {name: row for name, row in self._rows.items() if not name.startswith("trace_hessian_by_tensor.")}
        cells = [("metric", "value"), *((name, _cell(name, row)) for name, row in shown.items() if row.get("value") is not None)]
        absent = [(name, row.get("reason", "there is no value")) for name, row in shown.items() if row.get("value") is None]
        width = max(len(name) for name, _ in [*cells, *absent])
        value = max(len(cell) for _, cell in cells)
        lines = [f"{name:<{width}}   {cell:>{value}}" for name, cell in cells]
        return "\n".join([*lines, *(f"{name:<{width}}   none: {reason}" for name, reason in absent)])

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"


def _rows(metrics: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The numbers of all metrics under flat names. A list of plain numbers (``feature_norms``) and a density are no rows."""
    for name, entry in metrics.items():
        if is_estimate(entry):
            yield name, entry
        elif isinstance(entry, list):
            yield from ((f"{name}.{i}", item) for i, item in enumerate(entry) if is_estimate(item))
        elif isinstance(entry, dict):
            yield from ((f"{name}.{key}", item) for key, item in entry.items() if is_estimate(item))


def is_estimate(entry: Any) -> bool:
    """True for a number with its error, or for the reason why there is none."""
    return isinstance(entry, dict) and "value" in entry


def combined_error(row: Mapping[str, Any]) -> float | None:
    """√(std_error² + subset_error²) of an estimate, one of them if there is one alone, None without any.

    Example:
        >>> combined_error({"value": 1.0, "std_error": 3.0, "subset_error": 4.0})
        5.0
    """
    parts = [row[key] for key in ("std_error", "subset_error") if row.get(key) is not None]
    return math.hypot(*parts) if parts and row.get("value") is not None else None


def _value(entry: Any) -> Any:
    if is_estimate(entry):
        return entry["value"]
    if isinstance(entry, list) and any(is_estimate(item) for item in entry):
        return [_value(item) for item in entry]
    if isinstance(entry, dict) and entry and all(is_estimate(item) for item in entry.values()):
        return {key: item["value"] for key, item in entry.items()}
    return entry


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row["value"]
    # Four digits would say 1.
    text = f"1 - {1 - value:.1e}" if name.startswith("sgd_growth") and 0.9995 < value < 1.0 else number(value)
    error = combined_error(row)
    if error is not None:
        return f"{text} ± {number(error, 2)}"
    return f"{text} (residual {number(row['residual'], 1)})" if "residual" in row else text


def number(value: float, digits: int = 4) -> str:
    """So many significant digits; whole numbers that have more are not cut."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return str(value)
    return f"{value:.0f}" if 10**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"
