"""Which parts of the canonical dimensions the axes of a tensor are made of.

Saltflat's activations are ``[n, c, h, w]``: samples, channels, height, width. PyTorch's code moves and splits these axes with views,
permutations and reshapes. Here an axis is a list of *digits*, outermost first; a digit counts a part of one dimension: the index along
dimension ``dim`` is the sum of ``stride * digit`` over the digits of that dimension. A channel axis of q, k and v with heads, for example,
has the digits (c, heads * d, 3), (c, d, heads) and (c, 1, d).

    >>> whole = (Digit("c", 1, 12),)
    >>> axes = reshape((whole,), (3, 4))
    >>> axes
    ((Digit(dim='c', stride=4, size=3),), (Digit(dim='c', stride=1, size=4),))
    >>> reshape((axes[1], axes[0]), (12,)) == (whole,)    # transposed, so another order of the channels
    False
    >>> reshape(axes, (12,)) == (whole,)
    True
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

#: The dimension of a digit along which all entries are equal: what ``expand`` makes.
REPEATED = "*"


class Digit(NamedTuple):
    """A part of a dimension: ``size`` entries that are ``stride`` apart."""

    dim: str
    stride: int
    size: int


Axis = tuple[Digit, ...]
Axes = tuple[Axis, ...]


def size(axis: Axis) -> int:
    """Number of entries along an axis."""
    return prod(digit.size for digit in axis)


def dimension(dim: str, count: int) -> Axis:
    """The axis that is a whole dimension; without digits if it has one entry."""
    return merged((Digit(dim, 1, count),))


def merged(digits: Iterable[Digit]) -> Axis:
    """The same axis with as few digits as possible: equal axes have equal digits."""
    result: list[Digit] = []
    for digit in digits:
        if digit.size == 1:
            continue
        last = result[-1] if result else None
        if last and last.dim == digit.dim and last.stride == digit.stride * digit.size:
            result[-1] = Digit(digit.dim, digit.stride, last.size * digit.size)
        elif last and last.dim == digit.dim == REPEATED:
            result[-1] = Digit(REPEATED, 0, last.size * digit.size)
        else:
            result.append(digit)
    return tuple(result)


def reshape(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """The axes after a reshape to this shape; None if an axis would begin or end within a digit that it does not divide."""
    digits = [digit for axis in axes for digit in axis][::-1]
    result: list[Axis] = []
    for wanted in shape:
        axis: list[Digit] = []
        while wanted > 1:
            if not digits:
                return None
            digit = digits.pop()
            if wanted % digit.size == 0:
                axis.append(digit)
                wanted //= digit.size
            elif digit.size % wanted == 0:
                rest = digit.size // wanted
                axis.append(Digit(digit.dim, digit.stride * rest, wanted))
                digits.append(Digit(digit.dim, digit.stride, rest))
                wanted = 1
            else:
                return None
        result.append(merged(axis))
    return None if any(digit.size > 1 for digit in digits) else tuple(result)


def expand(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """The axes after ``expand`` to this shape, in which only axes with one entry grow."""
    axes = ((),) * (len(shape) - len(axes)) + axes
    result = []
    for axis, count in zip(axes, shape, strict=True):
        if size(axis) == count:
            result.append(axis)
        elif size(axis) == 1:
            result.append((Digit(REPEATED, 0, count),))
        else:
            return None
    return tuple(result)


def unfold(digit: Digit, parts: Sequence[tuple[str, int]]) -> list[Digit] | None:
    """A digit of a dimension that was made of several dimensions (outermost first), in digits of these; None if it straddles them."""
    result: list[Digit] = []
    low, high = digit.stride, digit.stride * digit.size
    block = prod(count for _, count in parts)
    for dim, count in parts:
        outer, block = block, block // count
        start, end = max(low, block), min(high, outer)
        if end > start:
            if start % block or end % start:
                return None
            result.append(Digit(dim, start // block, end // start))
    return result if prod(part.size for part in result) == digit.size else None


def fold(digit: Digit, parts: Sequence[tuple[str, int]], dim: str) -> Digit:
    """A digit of one of several dimensions (outermost first), as a digit of the dimension that they are made one."""
    block = 1
    for name, count in reversed(parts):
        if name == digit.dim:
            return Digit(dim, digit.stride * block, digit.size)
        block *= count
    return digit


_WORDS = {"n": "samples", "c": "channels", "h": "height", "w": "width", REPEATED: "repeated"}


def described(axes: Axes) -> str:
    """The axes in words, for messages.

    >>> described((dimension("n", 2), dimension("h", 4) + dimension("w", 4), dimension("c", 3)))
    '[samples, height x width, channels]'
    """
    names = (" x ".join(_WORDS.get(digit.dim, f"axis {digit.dim}") for digit in axis) or "1" for axis in axes)
    return f"[{', '.join(names)}]"
