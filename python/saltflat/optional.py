"""Packages that only a part of this one needs."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(name: str, purpose: str) -> ModuleType:
    """The package of this name, imported now.

    Raises:
        ModuleNotFoundError: It is not installed; the text says what needs it, and how it is installed.

    Example:
        >>> require("nosuchpackage", "The example")
        Traceback (most recent call last):
        ModuleNotFoundError: The example needs nosuchpackage: pip install nosuchpackage
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(f"{purpose} needs {name}: pip install {name}", name=name) from error
