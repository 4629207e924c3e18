"""The exceptions of this package."""

from __future__ import annotations


class SaltflatError(Exception):
    """Something that was asked for could not be done. The text says what was wrong, what was expected and what to do.

    Attributes:
        code: The exit code of the program if it was the program that said so; None otherwise.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class BadInputError(SaltflatError, ValueError):
    """An argument, a module, data or a configuration that cannot be used (exit code 2 of the program)."""


class DivergedError(SaltflatError):
    """The loss or a weight is not finite any more (exit code 3 of the program)."""


class StoppedError(SaltflatError):
    """The program was ended by a signal (exit codes 129, 130 and 143, or the number of the signal)."""


class BinaryNotFoundError(SaltflatError):
    """The program `saltflat` is in none of the places where it is looked for."""
