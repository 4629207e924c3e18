"""The configuration that a measurement is made with."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import BadInputError
from .loss import Loss
from .scalars import real, whole

#: A learning rate for numbers that do not depend on it; those that do are taken out of the report.
ANY_LR = 0.1

#: Metrics that depend on the learning rate, and metrics that depend on the batch size.
OF_LR = frozenset(
    [
        "regularizer",
        "regularizer_series",
        "wu_bound_frobenius",
        "wu_bound_frobenius_mu1",
        "wu_growth_bound",
        "dexter_bound",
        "dexter_convergence_bound",
        "sgd_growth",
        "sgd_growth_bernoulli",
    ]
)
OF_BATCH_SIZE = frozenset(
    [
        "wu_bound_frobenius",
        "wu_bound_frobenius_mu1",
        "wu_growth_bound",
        "dexter_bound",
        "dexter_convergence_bound",
        "sgd_growth",
        "sgd_growth_bernoulli",
        "sgd_critical_lr",
        "sgd_critical_lr_bernoulli",
        "batch_sharpness",
        "gradient_snr",
    ]
)

#: Metrics of the label noise of a run, which a measurement has none of.
OF_LABEL_NOISE = frozenset(["effective_regularization", "regularization_per_curvature", "regularizer_per_curvature"])


#: Sections and keys that arguments of ``measure`` own, and these arguments; of several that fit a key the first counts.
OWNED = {
    "loss": "loss",
    "metrics.loss.weight_decay": "weight_decay",
    "metrics.loss": "loss",
    "optimizer.lr": "lr",
    "optimizer.momentum": "momentum",
    "optimizer.batch_size": "batch_size",
    "optimizer.weight_decay": "weight_decay",
    "data": "inputs",
    "model": "module",
    "run.seed": "seed",
    "train.init": "module",
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuses keys that arguments own: the numbers would be those of another loss or network than the report says.

    Raises:
        BadInputError: Such a key, with its argument.
    """
    for key in _keys("", settings):
        for owned, argument in OWNED.items():
            if key == owned or key.startswith(f"{owned}."):
                raise BadInputError(f"settings: has the key {key}, which the argument {argument} of saltflat.measure sets; use the argument")


def _keys(prefix: str, table: Mapping[str, Any]) -> Iterator[str]:
    """The flat keys of settings, ``metrics.trace.method``, whose values may be tables."""
    for key, value in table.items():
        if not isinstance(key, str):
            raise BadInputError(f'settings: has the key {key!r}, expected a text such as "metrics.trace.method"')
        name = f"{prefix}{key}".replace(" ", "").replace('"', "").replace("'", "")
        if isinstance(value, Mapping) and value:
            yield from _keys(f"{name}.", value)
        else:
            yield name


@dataclass(frozen=True)
class Training:
    """What of the training the numbers depend on."""

    lr: float | None = None
    momentum: float = 0.0
    batch_size: int | None = None
    weight_decay: float = 0.0

    def check(self) -> Training:
        """The same in Python's own numbers; refuses what no training has."""
        return Training(
            lr=None if self.lr is None else real("lr", self.lr, lambda x: 0.0 < x < float("inf"), "a number above 0"),
            momentum=real("momentum", self.momentum, lambda x: 0.0 <= x < 1.0, "a number in [0, 1)"),
            batch_size=None if self.batch_size is None else whole("batch_size", self.batch_size, 1),
            weight_decay=real("weight_decay", self.weight_decay, lambda x: 0.0 <= x < float("inf"), "a number that is not negative"),
        )

    def without_unknown(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics, with a reason in the place of those that depend on a learning rate or a batch size that was not given."""
        kept = {name: entry for name, entry in metrics.items() if name not in OF_LABEL_NOISE}
        for name in list(kept):
            of_lr = name in OF_LR or name.startswith("regularizer_momentum_")
            missing = [
                key for key, needs in (("lr", of_lr and self.lr is None), ("batch_size", name in OF_BATCH_SIZE and not self.batch_size)) if needs
            ]
            if missing:
                arguments = ", ".join(f"{key}=…" for key in missing)
                kept[name] = {"value": None, "reason": f"needs the training's {' and '.join(missing)}: saltflat.measure(…, {arguments})"}
        return kept


@dataclass(frozen=True)
class Network:
    """A network on disk: its description and its weights."""

    model: Path
    weights: Path

    @cached_property
    def text(self) -> str:
        """The description."""
        try:
            return self.model.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadInputError(f"{self.model}: cannot be read: {reason}; expected a file that saltflat.export wrote") from error

    @cached_property
    def table(self) -> dict[str, Any]:
        """The section ``[model]``."""
        try:
            table = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise BadInputError(f"{self.model}: is no TOML file: {error}") from error
        if set(table) != {"model"}:
            raise BadInputError(
                f"{self.model}: has {', '.join(table) or 'nothing'}, expected the section [model] alone, as saltflat.export writes it"
            )
        section: dict[str, Any] = table["model"]
        return section

    @property
    def outputs(self) -> int:
        """C, the number of outputs."""
        outputs = self.table.get("outputs")
        if not isinstance(outputs, int) or outputs < 1:
            raise BadInputError(f"{self.model}: has no key outputs, expected the number of outputs of the network")
        return outputs

    def section(self) -> tuple[str, dict[str, str]]:
        """The section ``[model]`` of a configuration that may lie in another folder, and the keys that have to be set beside it."""
        file = self.table.get("file")
        return self.text, {"model.file": str((self.model.parent / file).resolve())} if file else {}


def configuration(model: str, data: str, loss: Loss, outputs: int, training: Training, seed: int) -> str:
    """The text of a configuration; ``data`` is the path of the `tensors` file, relative to the configuration's folder or absolute.

    With k = ``loss.factor`` its numbers are those of the loss over k: the learning rate is k times the given one, and the weight decay the k-th
    part, as ``loss.py`` says.
    """
    factor = loss.factor(outputs)
    lines = [
        f"[run]\nseed = {seed}\n",
        f'[data]\nkind = "tensors"\npath = {quoted(data)}\nstandardise = false\n',
        f'[loss]\nkind = "{loss.kind}"\n' + (f"smoothing = {loss.smoothing(outputs)!r}\n" if loss.epsilon else ""),
        f"[optimizer]\nlr = {factor * (training.lr or ANY_LR)!r}\nmomentum = {float(training.momentum)!r}\n"
        f"batch_size = {training.batch_size or quoted('full')}\n",
    ]
    if training.weight_decay:
        lines[-1] += f"weight_decay = {training.weight_decay / factor!r}\n"
        lines.append("[metrics.loss]\nweight_decay = true\n")
    return "\n".join([*lines, model])


def quoted(text: str | os.PathLike[str]) -> str:
    """A TOML string."""
    return json.dumps(str(text), ensure_ascii=False)


def setting(value: Any) -> str:
    """A value as ``--set`` reads it."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {setting(item)}" for key, item in value.items()) + " }"
    return quoted(value) if isinstance(value, (str, os.PathLike)) else repr(value)
