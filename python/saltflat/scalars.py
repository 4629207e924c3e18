"""Numbers that are arguments: of Python, NumPy or PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from .errors import BadInputError


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number from ``least`` to ``most``, of Python, NumPy or a tensor of one.

    Raises:
        BadInputError: It is another number, or none; True and False are none.

    Example:
        >>> import numpy as np
        >>> whole("probes", np.int32(16), 1)
        16
    """
    expected = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
    try:
        if _is_no_number(value):
            raise TypeError
        found = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        raise BadInputError(f"{name}: is {shown(value)}, expected {expected}") from None
    if found < least or (most is not None and found > most):
        raise BadInputError(f"{name}: is {found}, expected {expected}")
    return found


def real(name: str, value: Any, holds: Callable[[float], bool], expected: str) -> float:
    """A number of which ``holds`` is true, of Python, NumPy or a tensor of one; ``expected`` says in messages what that is.

    Raises:
        BadInputError: It is another number, or none; True, False and texts are none.

    Example:
        >>> real("momentum", 0.5, lambda x: 0.0 <= x < 1.0, "a number in [0, 1)")
        0.5
    """
    try:
        if _is_no_number(value):
            raise TypeError
        found = float(value)
        is_good = holds(found)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        is_good = False
    if not is_good:
        raise BadInputError(f"{name}: is {shown(value)}, expected {expected}")
    return found


def _is_no_number(value: Any) -> bool:
    """True for what Python would convert although it is no number: truth values, texts, and arrays with axes."""
    is_truth = isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")
    return is_truth or isinstance(value, (str, bytes, bytearray)) or getattr(value, "ndim", 0) != 0


def shown(value: Any) -> str:
    """A value in a message: not longer than a line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
