"""Reading and writing files, with exceptions that name the argument and the file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import BadInputError


@contextlib.contextmanager
def writing(where: str) -> Iterator[None]:
    """What writes a file; ``where`` says which, in messages.

    Raises:
        BadInputError: The system refuses it: the folder is a file, or may not be written to, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise BadInputError(f"{where}: cannot be written: {error.strerror or error}; expected a path that can be written to") from error


def to_path(name: str, value: Any) -> Path:
    """An argument that is a path.

    Raises:
        BadInputError: It is none.
    """
    try:
        return Path(os.fsdecode(value))
    except TypeError:
        raise BadInputError(f"{name}: is a {type(value).__name__}, expected a path") from None


@contextlib.contextmanager
def tensors_of(path: Path, where: str) -> Iterator[Any]:
    """An open `tensors` file, after it was checked that it has inputs, and labels or targets; messages call it ``where``.

    Raises:
        BadInputError: There is no such file, or it is no such file.
    """
    from safetensors import SafetensorError, safe_open

    expected = "expected a file that saltflat.dataset wrote"
    if path.is_dir():
        raise BadInputError(f"{where}: {path} is a folder, {expected}")
    if not path.exists():
        raise BadInputError(f"{where}: {path}: there is no such file, {expected}")
    try:
        opened = safe_open(path, framework="numpy")
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{where}: {path} is no safetensors file ({error}), {expected}") from error
    with opened as file:
        names = set(file.keys())
        for wanted in (("inputs",), ("labels", "targets")):
            if names.isdisjoint(wanted):
                has = ", ".join(sorted(names)) or "nothing"
                raise BadInputError(f"{where}: {path} has no tensor {' or '.join(wanted)} (it has {has}), {expected}")
        try:
            yield file
        except SafetensorError as error:
            raise BadInputError(f"{where}: {path} cannot be read: {error}; {expected}") from error
