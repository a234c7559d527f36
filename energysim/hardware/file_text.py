"""The text of a YAML file, or what is wrong with the file."""

from __future__ import annotations

from pathlib import Path

from energysim.errors import SpecError, near_miss
from energysim.hardware.quantities import show
from energysim.hardware.yaml_nodes import Position, Problem, spec_error

__all__ = ["file_text", "similar_file"]

_LARGEST = 256 * 1024  # bytes of a file: the shipped ones have less than ten thousand


def file_text(path: Path) -> str:
    """Return the text of a file, or say what it is instead."""
    at = Position(str(path), 1, 1)
    try:
        if path.is_dir():
            raise SpecError(f"{path}: is a folder; expected a YAML file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file{similar_file(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"{show(str(path))}: cannot be read: {reason}") from None
    if len(data) > _LARGEST:
        raise SpecError(f"{path}: larger than {_LARGEST // 1024} KiB; that is no hardware specification")
    if b"\0" in data:
        raise spec_error([Problem(at, "", "a binary file; expected YAML as UTF-8 text")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        what = f"not UTF-8 text (byte 0x{data[error.start]:02x}); expected YAML as UTF-8"
        raise spec_error([Problem(Position(str(path), line, column), "", what)]) from None


def similar_file(path: Path) -> str:
    """Return the near miss among the YAML files beside a missing one."""
    try:
        return near_miss(path.name, [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")])
    except OSError:
        return ""
