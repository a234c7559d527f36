"""Writing results to files: whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from energysim.errors import UsageError

__all__ = ["form_of", "write_bytes", "write_text"]

_SUFFIXES = {".csv": "csv", ".json": "json", ".md": "markdown", ".txt": "table"}


def form_of(path: Path) -> str:
    """Return the format that a file's suffix asks for; raise UsageError for an unknown one."""
    form = _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"{path}: the suffix says no format ({', '.join(_SUFFIXES)}); give --format")
    return form


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old content or the new, never half.

    A file that exists keeps its permissions; what is no file (a pipe, a device) is written to.

    Raises
    ------
    UsageError
        If it cannot be written; nothing is left behind.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file as :func:`write_text` does."""
    try:
        target = path.resolve()
        if target.exists() and not (target.is_file() or target.is_dir()):
            target.write_bytes(data)
        else:
            _replace(target, data)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be written: {reason}") from None


def _replace(target: Path, data: bytes) -> None:
    """Write a file beside the target and put it in the target's place."""
    mode = None
    if target.exists():
        mode = target.stat().st_mode & 0o777
        with target.open("ab"):  # fails as writing to it would: a directory, a file that is read-only
            pass
    temporary = target.with_name(f".energysim-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a full disk may say so only now, and the old file is still there
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
