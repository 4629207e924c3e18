"""Exact flatness numbers of any network, each with its error.

* :func:`export` writes a ``torch.nn.Module`` as a network that the program ``saltflat`` runs;
* :func:`measure` measures a module, or an exported network, on data: trace, norm and eigenvalues of its Hessian, gradient noise, stability;
* :func:`dataset` writes a map-style dataset of PyTorch as a file that the program reads;
* :func:`load` gives the rows of runs and studies as DataFrames.

Importing this package imports neither torch nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .binary import find_binary
from .dataset import dataset
from .errors import SaltflatError
from .export import ExportError, export
from .load import load
from .measure import measure

__all__ = ["ExportError", "SaltflatError", "__version__", "dataset", "export", "find_binary", "load", "measure"]

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    """``__version__``, that of the installed package; without one, that of the program."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("saltflat")
    except PackageNotFoundError:
        from .binary import run

        return run(["--version"]).split()[1]
