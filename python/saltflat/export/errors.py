"""What is raised when a module cannot be exported."""

from __future__ import annotations

from ..errors import BadInputError


class ExportError(BadInputError):
    """A module, an example or an operation that Saltflat cannot express, or a result that differs from PyTorch's.

    Attributes:
        place: Path of the module in which the operation stands, such as ``layer1.0.conv1``; empty if there is none.
        operation: PyTorch's name of the operation, such as ``aten.conv_transpose2d``; empty if there is none.

    Example:
        >>> error = ExportError("is not supported", place="layer1.0.up", operation="aten.conv_transpose2d")
        >>> str(error)
        'layer1.0.up: aten.conv_transpose2d: is not supported'
    """

    def __init__(self, reason: str, *, place: str = "", operation: str = "", source: str = "") -> None:
        self.place = place
        self.operation = operation
        text = ": ".join(part for part in (place, operation, reason) if part)
        super().__init__(f"{text} ({source})" if source else text)
