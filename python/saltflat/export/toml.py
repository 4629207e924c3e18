"""Lists of layers as TOML, one layer a line."""

from __future__ import annotations

import json
from typing import Any

from .structure import Entry

#: The longest line of an entry whose branches are written within it.
WIDTH = 120


def model(entries: list[Entry], outputs: int, comment: str) -> str:
    """The section ``[model]`` of a configuration."""
    lines = "".join(f"  {entry},\n" for entry in items(entries, "", 1))
    return f'# {comment}\n[model]\nkind = "layers"\noutputs = {outputs}\nlayers = [\n{lines}]\n'


def items(entries: list[Entry], prefix: str, depth: int) -> list[str]:
    """The entries of a list; the default name of an entry is the prefix with its index."""
    return [item(entry, f"{prefix}{i}", depth) for i, entry in enumerate(entries)]


def item(entry: Entry, default: str, depth: int) -> str:
    """One entry."""
    keys = {"kind": entry.kind, **entry.keys, **names(entry, default)}
    if entry.kind == "residual":
        # Without a shortcut it is the identity.
        parts = [part for part in ("main", "shortcut") if part == "main" or entry.keys[part]]
        del keys["shortcut"]
        keys |= {part: Nested(entry.keys[part], f"{default}.{part}.") for part in parts}
    elif entry.kind == "parallel":
        keys["branches"] = [Nested(branch, f"{default}.branches.{i}.") for i, branch in enumerate(entry.keys["branches"])]
    if keys.keys() == {"kind"}:
        return value(entry.kind, depth)
    return "{ " + ", ".join(f"{bare(key)} = {value(of, depth)}" for key, of in keys.items()) + " }"


class Nested:
    """A list of entries within an entry."""

    def __init__(self, entries: list[Entry], prefix: str) -> None:
        self.entries, self.prefix = entries, prefix

    def text(self, depth: int) -> str:
        """On one line if it is short and has no branches of its own."""
        if not any(entry.lists() for entry in self.entries):
            line = "[" + ", ".join(items(self.entries, self.prefix, depth)) + "]"
            if len(line) + 2 * depth <= WIDTH:
                return line
        indent = "  " * (depth + 1)
        return "[\n" + "".join(f"{indent}{text},\n" for text in items(self.entries, self.prefix, depth + 1)) + "  " * depth + "]"


def names(entry: Entry, default: str) -> dict[str, Any]:
    """The keys ``name`` and ``tensors``, as far as the names of its tensors are not the default ones."""
    if not entry.tensors:
        return {}
    candidates = [use.name.removesuffix(role).removesuffix(".") for role, use in entry.tensors.items() if use.name.endswith(role)]
    best = max(
        [name for name in candidates if name] or [default],
        key=lambda name: sum(joined(name, role) == use.name for role, use in entry.tensors.items()),
    )
    others = {role: use.name for role, use in entry.tensors.items() if joined(best, role) != use.name}
    if len(others) == len(entry.tensors):
        best = default
    return ({"name": best} if best != default else {}) | ({"tensors": others} if others else {})


def joined(name: str, role: str) -> str:
    """The full name of a layer's tensor."""
    return f"{name}.{role}" if name and role else name or role


def value(of: Any, depth: int) -> str:
    """A value of TOML."""
    match of:
        case Nested():
            return of.text(depth)
        case bool():
            return "true" if of else "false"
        case dict():
            return "{ " + ", ".join(f"{bare(key)} = {value(item, depth)}" for key, item in of.items()) + " }"
        case list() if any(isinstance(item, Nested) for item in of):
            indent = "  " * (depth + 1)
            return "[\n" + "".join(f"{indent}{value(item, depth + 1)},\n" for item in of) + "  " * depth + "]"
        case list() | tuple():
            return "[" + ", ".join(value(item, depth) for item in of) + "]"
        case str():
            return json.dumps(of, ensure_ascii=False)
        case float():
            return repr(of)
        case _:
            return str(of)


def bare(key: str) -> str:
    """A key, quoted if it is not a bare one."""
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else json.dumps(key)
