"""Writing results to files: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from energysim.errors import UsageError

__all__ = ["form_of", "write_text"]

_SUFFIXES = {".csv": "csv", ".json": "json", ".md": "markdown", ".txt": "table"}


def form_of(path: Path) -> str:
    """Return the format that a file's suffix asks for; raise UsageError for an unknown one."""
    form = _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"{path}: the suffix says no format ({', '.join(_SUFFIXES)}); give --format")
    return form


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old content or the new, never half.

    Raises
    ------
    UsageError
        If it cannot be written; nothing is left behind.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
