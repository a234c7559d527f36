"""Digests of the engine: of the source of everything that makes numbers, part by part.

Comments, docstrings and the way a file is laid out do not count, so that a digest moves when code
does. Tables, pictures, the command line and the gate itself make no numbers and are left out.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["PARTS", "engine_digests"]

#: Subpackages that make numbers; ``walker`` stands for the modules of the package itself.
PARTS = (
    "cost",
    "formats",
    "graph",
    "hardware",
    "importers",
    "inspection",
    "kernels",
    "mapping",
    "schemes",
    "walker",
)

_LENGTH = 12
_NOT_COUNTED = ("__init__.py", "__main__.py", "pytest_plugin.py", "errors.py")


@cache
def engine_digests() -> dict[str, str]:
    """Return a digest of the source of every part of the engine."""
    top = Path(__file__).resolve().parent.parent
    return {part: _digest(top, part) for part in PARTS}


def _digest(top: Path, part: str) -> str:
    if part == "walker":
        files = [path for path in top.glob("*.py") if path.name not in _NOT_COUNTED]
    else:
        files = list((top / part).rglob("*.py"))
    found = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.relative_to(top).as_posix()):
        found.update(path.relative_to(top).as_posix().encode())
        found.update("".join(_code(ast.parse(path.read_bytes()))).encode("utf-8", "backslashreplace"))
    return found.hexdigest()[:_LENGTH]


def _code(value: object) -> Iterator[str]:
    """Yield a syntax tree as text, without docstrings, positions and empty fields.

    Empty fields differ between versions of Python, which add new ones.
    """
    if isinstance(value, ast.AST):
        yield f"{type(value).__name__}("
        for name, item in ast.iter_fields(value):
            if name == "body" and isinstance(item, list):
                item = _without_docstring(item)
            if item is None or item == []:
                continue
            yield f"{name}="
            yield from _code(item)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for item in value:
            yield from _code(item)
            yield ","
        yield "]"
    else:
        yield repr(value)


def _without_docstring(body: list[object]) -> list[object]:
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[1:] if isinstance(first.value.value, str) else body
    return body
