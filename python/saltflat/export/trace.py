"""A module as a graph of ATen's operations."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind

from .errors import ExportError
from .graph import BATCH

TORCH = os.path.dirname(torch.__file__)


def trace(module: nn.Module, example: torch.Tensor) -> torch.export.ExportedProgram:
    """The traced module, for a batch of :data:`BATCH` samples."""
    batch = example[torch.arange(BATCH) % len(example)].clone()
    try:
        with slow_attention(), quiet():
            # Until PyTorch 2.5 export itself decomposed what it traced.
            tracer = getattr(torch.export, "export_for_training", torch.export.export)
            program = tracer(module, (batch,), strict=False)
    except Exception as error:
        raise ExportError(refused(error)) from error
    program.graph.eliminate_dead_code()
    return program


@contextlib.contextmanager
def slow_attention() -> Iterator[None]:
    """Without the single operation that PyTorch has for a whole layer of a transformer in evaluation."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the log of PyTorch's export, and without the graph that it prints to stderr when it fails: what fails is said by an exception. What
    this thread wrote to stderr is shown at the end if nothing failed."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    kept = Kept(sys.stderr)
    try:
        with contextlib.redirect_stderr(kept):
            yield
    finally:
        logger.setLevel(before)
    if kept.text and sys.stderr is not None:
        sys.stderr.write("".join(kept.text))


class Kept(io.TextIOBase):
    """Keeps what this thread writes, and passes on what others do."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self.stream, self.thread, self.text = stream, threading.get_ident(), list[str]()

    def write(self, text: str) -> int:
        """Text of this thread or of another."""
        if threading.get_ident() == self.thread:
            self.text.append(text)
        elif self.stream is not None:
            self.stream.write(text)
        return len(text)


def refused(error: Exception) -> str:
    """Why PyTorch could not trace the module."""
    text = str(error)
    where = [line.strip() for line in text.splitlines() if line.strip().startswith('File "')]
    at = f" at {where[-1]}" if where else ""
    if "data-dependent" in text or "DataDependent" in type(error).__name__ or "unbacked" in text:
        first = text.strip().splitlines()[0]
        return f"the module's path or its shapes depend on the values of the input{at}; expected one fixed graph ({first})"
    return f"torch.export cannot trace the module: {type(error).__name__}: {text.strip()}"


def inputs_of(program: torch.export.ExportedProgram) -> dict[str, tuple[InputKind, str | None]]:
    """From the name of a placeholder to what it is, and the name that the module has for it."""
    return {spec.arg.name: (spec.kind, spec.target) for spec in program.graph_signature.input_specs}


def place_of(node: fx.Node) -> str:
    """Path of the module in which an operation stands; empty for the module itself."""
    stack: dict[str, Any] = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return str(paths[-1]) if paths and not str(paths[-1]).startswith("_empty") else ""


def source_of(node: fx.Node) -> str:
    """The line of the user's code that an operation comes from."""
    lines = (node.meta.get("stack_trace") or "").splitlines()
    frames = [i for i, line in enumerate(lines) if line.strip().startswith('File "') and TORCH not in line]
    if not frames:
        return ""
    where = lines[frames[-1]].strip().removeprefix('File "')
    file, _, rest = where.partition('", line ')
    code = lines[frames[-1] + 1].strip() if frames[-1] + 1 < len(lines) else ""
    return f"{os.path.basename(file)}, line {rest.split(',')[0]}: {code}"


def changes_its_argument(node: fx.Node) -> bool:
    """True for operations that write into their first argument, such as ``relu_``."""
    schema = getattr(node.target, "_schema", None)
    return bool(schema and schema.is_mutable and schema.arguments and schema.arguments[0].alias_info)


def is_view(node: fx.Node) -> bool:
    """True for operations whose result is another view of an argument's memory."""
    schema = getattr(node.target, "_schema", None)
    returns = schema.returns if schema else ()
    return any(r.alias_info and not r.alias_info.is_write for r in returns)
