"""Parameters of a format as dataclass fields, and their text ``name:key=value,key=value``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from energysim.errors import FormatError, near_miss

__all__ = ["check_parameters", "choice", "integer", "parameter_text", "parse_parameters"]

T = TypeVar("T", int, int | None)


def integer(default: T, low: int, high: int) -> T:
    """Return a dataclass field: an integer from `low` to `high`."""
    return field(default=default, metadata={"range": (low, high)})


def choice(default: str, others: Iterable[str]) -> str:
    """Return a dataclass field: one of a few words."""
    return field(default=default, metadata={"words": (default, *others)})


def check_parameters(item: Any) -> None:
    """Raise FormatError if a parameter of a format is out of its range or not one of its words."""
    for entry in fields(item):
        value = getattr(item, entry.name)
        if value == entry.default:
            continue
        where = f"parameter {entry.name!r} of storage format {item.name!r}"
        if "words" in entry.metadata and value not in entry.metadata["words"]:
            words = entry.metadata["words"]
            hint = near_miss(str(value), words) or f" (known: {', '.join(words)})"
            raise FormatError(f"{where} is {value!r}{hint}")
        if "range" in entry.metadata:
            low, high = entry.metadata["range"]
            if not isinstance(value, int) or not low <= value <= high:
                raise FormatError(f"{where} is {value!r}; an integer from {low} to {high} is needed")


def parameter_text(item: Any) -> str:
    """Return ``name`` or ``name:key=value,...`` with the parameters that are not at their default."""
    changed = [
        f"{entry.name}={getattr(item, entry.name)}"
        for entry in fields(item)
        if getattr(item, entry.name) != entry.default
    ]
    return f"{item.name}:{','.join(changed)}" if changed else str(item.name)


def parse_parameters(kind: Any, text: str) -> dict[str, Any]:
    """Return the keyword arguments written in ``key=value,key=value``.

    Parameters
    ----------
    kind : type
        The dataclass of the format.
    text : str
        The part after the colon.

    Raises
    ------
    FormatError
        If a parameter is unknown, repeated, or not written as ``key=value``.
    """
    known: dict[str, Field[Any]] = {entry.name: entry for entry in fields(kind)}
    found: dict[str, Any] = {}
    for item in text.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            raise FormatError(f"storage format {kind.name!r}: {item!r} is not written as key=value")
        if key not in known:
            hint = near_miss(key, known) or f" (known: {', '.join(known) or 'none'})"
            raise FormatError(f"storage format {kind.name!r} has no parameter {key!r}{hint}")
        if key in found:
            raise FormatError(f"storage format {kind.name!r}: parameter {key!r} is given twice")
        found[key] = _number(value) if "range" in known[key].metadata else value
    return found


def _number(text: str) -> int | str:
    """Return an integer if the text is one (at most nine plain digits); the range check names the rest."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
