"""Any map-style dataset of PyTorch as a file that the program reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadInputError
from .scalars import whole
from .tensors import Split, check_axes, to_array, to_input, to_number, to_target, write


def dataset(
    dataset: Any,
    path: str | os.PathLike[str],
    *,
    test: Any = None,
    limit: int | None = None,
    classes: Sequence[int] | None = None,
) -> Path:
    """Writes a dataset as a `tensors` file, which ``[data] kind = "tensors"`` of a configuration and ``saltflat.measure`` read.

    Args:
        dataset: A map-style dataset of pairs ``(input, target)``: of torchvision, of your own, a ``TensorDataset``, a ``Subset``, or a list
            of pairs. An input is a tensor or array ``[d]``, ``[height, width]`` or ``[channels, height, width]`` of floating-point numbers
            (stored as float32) or of uint8 (stored as it is; 255 stands for 1, as ``ToTensor`` has it), or a PIL image (L, RGB or RGBA, as
            uint8). A target is a class 0, 1, 2, … or a floating-point number or vector, for the square loss.
        path: The file to write; folders on the way are made. A file that is there is replaced.
        test: Another dataset, as the test split.
        limit: Only the first so many samples of ``dataset``, after ``classes`` was applied. The test split is taken whole: use
            ``torch.utils.data.Subset`` for a part of it.
        classes: Only the samples of these classes, in both splits, which become the classes 0, 1, … in the order given.

    Returns:
        The path.

    Raises:
        BadInputError: What cannot be used, with the number of the sample: inputs of different shapes, NaN and infinity, labels that are no
            integers from 0 on, mixtures of classes and real targets; a path that cannot be written to. What the dataset itself raises is
            raised with a note that has the number of the sample.

    Each sample is read once, as the dataset gives it. A transform that draws (random crops and flips, random erasing, noise) would be fixed in
    the one version that it drew. That cannot be seen from outside: give the dataset the transform of evaluation. Normalisation in the
    transform is kept as it is, and the program adds none.

    Example:
        >>> import tempfile, numpy as np, saltflat
        >>> samples = [(np.array([0.5, 1.5], dtype=np.float32), 0), (np.array([2.5, 3.5], dtype=np.float32), 1)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saltflat.dataset(samples, f"{folder}/data.safetensors").name
        'data.safetensors'

        CIFAR-10 as torchvision leaves it (each image a PIL image, so the file has 8 bits a number)::

            train, held_out = (torchvision.datasets.CIFAR10("data", train=train, download=True) for train in (True, False))
            saltflat.dataset(train, "cifar10.safetensors", test=held_out)
    """
    if limit is not None:
        limit = whole("limit", limit, 1)
    chosen = _chosen(classes)
    train = _with_channels(read_split(dataset, "dataset", chosen, limit))
    held_out = None if test is None else _with_channels(read_split(test, "test", chosen))
    if held_out is not None:
        _check_alike(train, held_out)
    return write(path, train, held_out)


def _with_channels(split: Split) -> Split:
    """Arrays of two axes as images of one channel."""
    return Split(split.inputs[:, None], split.targets) if split.inputs.ndim == 3 else split


def from_arrays(inputs: Any, targets: Any, names: tuple[str, str] = ("inputs", "targets")) -> Split:
    """The split of inputs ``[n, …]`` and targets ``[n]`` or ``[n, outputs]`` that are tensors or arrays."""
    inputs_name, targets_name = names
    x, y = to_number(to_array(inputs, inputs_name), inputs_name), to_array(targets, targets_name)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise BadInputError(
            f"{targets_name}: has the shape {list(y.shape)}, expected one target for each of the samples of {inputs_name}, which has the shape "
            f"{list(x.shape)}"
        )
    if x.ndim == 1:
        x = x[:, None]
    if len(x):
        check_axes(x.shape[1:], f"a sample of {inputs_name}")
    if y.dtype.kind in "iub" and y.ndim == 1:
        y = y.astype(np.int64)
    elif y.dtype.kind == "f" and y.ndim <= 2:
        with np.errstate(over="ignore"):
            y = y.astype(np.float32).reshape(len(y), -1)
    else:
        raise BadInputError(
            f"{targets_name}: is {y.dtype} of shape {list(y.shape)}, expected classes as integers [n], or floating-point numbers [n] or [n, outputs]"
        )
    return Split(x, y).check(inputs_name, targets_name)


def _chosen(classes: Sequence[int] | None) -> dict[int, int] | None:
    """The new number of each class that is kept."""
    if classes is None:
        return None
    if not classes or len(set(classes)) != len(classes):
        raise BadInputError(f"classes: is {list(classes)}, expected different classes, such as [0, 1]")
    return {int(old): new for new, old in enumerate(classes)}


def read_split(samples: Any, name: str, chosen: dict[int, int] | None = None, limit: int | None = None) -> Split:
    """The samples of a map-style dataset, which messages call ``name``; of the chosen classes, and so many of them."""
    tensors = getattr(samples, "tensors", None)
    if isinstance(tensors, tuple) and len(tensors) == 2:
        split = from_arrays(*tensors, names=(f"{name}: inputs", f"{name}: targets"))
        return _select(split, name, chosen, limit)
    for method in ("__len__", "__getitem__"):
        if not hasattr(samples, method):
            raise BadInputError(f"{name}: is a {type(samples).__name__} without {method}, expected a map-style dataset of pairs (input, target)")
    if hasattr(samples, "batch_size") and hasattr(samples, "dataset"):
        raise BadInputError(f"{name}: is a {type(samples).__name__}, expected a dataset; pass its .dataset")
    return _read(samples, name, chosen, limit)


def _select(split: Split, name: str, chosen: dict[int, int] | None, limit: int | None) -> Split:
    """The kept classes of a split that is in memory, under their new numbers, and the first samples of them."""
    if chosen is not None:
        if not split.has_labels:
            raise BadInputError(f"classes: {name} has real targets, expected classes")
        kept = np.flatnonzero(np.isin(split.targets, list(chosen)))
        renamed = np.array([chosen[int(label)] for label in split.targets[kept]], dtype=np.int64)
        split = Split(split.inputs[kept], renamed)
    _check_count(len(split.inputs), name, limit)
    return Split(split.inputs[:limit], split.targets[:limit])


def _read(samples: Any, name: str, chosen: dict[int, int] | None, limit: int | None) -> Split:
    """Reads a dataset sample by sample."""
    inputs: np.ndarray | None = None
    targets: list[Any] = []
    count = len(samples)
    room = count if limit is None or chosen is not None else min(limit, count)
    for index in range(count):
        if limit is not None and len(targets) == limit:
            break
        where = f"{name}: sample {index}"
        try:
            pair = samples[index]
        except Exception as error:
            error.add_note(f"{where}: the dataset raised this as the sample was read")
            raise
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise BadInputError(f"{where} is a {type(pair).__name__}, expected a pair (input, target)")
        target = to_target(pair[1], f"the target of {where}")
        if chosen is not None:
            if not isinstance(target, int):
                raise BadInputError(f"classes: {name} has real targets, expected classes")
            if target not in chosen:
                continue
            target = chosen[target]
        array = to_input(pair[0], f"the input of {where}")
        if inputs is None:
            inputs = np.empty((room, *array.shape), dtype=array.dtype)
        elif inputs.shape[1:] != array.shape or inputs.dtype != array.dtype:
            raise BadInputError(
                f"the input of {where} is {array.dtype} {list(array.shape)}, expected {inputs.dtype} {list(inputs.shape[1:])} like those "
                "before it; give the dataset a transform that makes them alike"
            )
        if targets and _form(target) != _form(targets[0]):
            raise BadInputError(f"the target of {where} is {_form(target)}, expected {_form(targets[0])} like those before it")
        inputs[len(targets)] = array
        targets.append(target)
    _check_count(len(targets), name, limit)
    assert inputs is not None
    y = np.array(targets, dtype=np.int64) if isinstance(targets[0], int) else np.stack(targets)
    return Split(inputs[: len(targets)], y).check(f"{name}: inputs", f"{name}: targets")


def _form(target: int | np.ndarray) -> str:
    return "a class" if isinstance(target, int) else f"{len(target)} real numbers"


def _check_count(count: int, name: str, limit: int | None) -> None:
    if count == 0:
        raise BadInputError(f"{name}: has no samples to write, expected at least one")
    if limit is not None and limit > count:
        raise BadInputError(f"limit: is {limit}, expected at most {count}, the number of samples there are")


def _check_alike(train: Split, test: Split) -> None:
    for part, a, b in (("inputs", train.inputs, test.inputs), ("targets", train.targets, test.targets)):
        if a.dtype != b.dtype or a.shape[1:] != b.shape[1:]:
            raise BadInputError(
                f"test: its {part} are {b.dtype} {list(b.shape[1:])} a sample, expected {a.dtype} {list(a.shape[1:])} like those of dataset"
            )
