"""Custom periodic patterns from a YAML file.

::

    schema: energysim-patterns/1
    window: [3, 3]
    slots:            # slot 0 first; the window of filter f, channel c uses slot (f + c + 1) mod P
      - [0, 1, 3, 4]  # kept positions, row-major from 0
      - "011 011 000" # or a picture, row by row
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energysim.errors import SchemeError

__all__ = ["Patterns", "load_patterns"]

_SCHEMA = "energysim-patterns/1"
_KEYS = ("schema", "window", "slots")


@dataclass(frozen=True)
class Patterns:
    """Slots read from a file; equal by content.

    Attributes
    ----------
    window : (int, int)
    slots : tuple of tuple of int
    file : str
        As given, so that the scheme can be written down again.
    """

    window: tuple[int, int]
    slots: tuple[tuple[int, ...], ...]
    file: str = field(compare=False)


def load_patterns(file: str) -> Patterns:
    """Read a pattern file.

    Raises
    ------
    SchemeError
        With file, line and what would be accepted, for anything that cannot be used.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = Path(file).read_bytes()[: 1 << 20].decode()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SchemeError(f"pattern file {file}: cannot be read: {error}") from None
    try:
        data = YAML(typ="rt").load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SchemeError(f"pattern file {where}: {what}") from None
    if not isinstance(data, dict) or sorted(map(str, data)) != sorted(_KEYS):
        raise SchemeError(f"pattern file {file}: it needs exactly the keys {', '.join(_KEYS)}")
    if data["schema"] != _SCHEMA:
        raise SchemeError(f"pattern file {file}: schema is {data['schema']!r}, this version reads {_SCHEMA}")
    window = data["window"]
    if not (
        isinstance(window, list) and len(window) == 2 and all(type(n) is int and 1 <= n <= 32 for n in window)
    ):
        raise SchemeError(f"pattern file {file}: window is two whole numbers from 1 to 32, e.g. [3, 3]")
    slots = data["slots"]
    if not isinstance(slots, list) or not 1 <= len(slots) <= 64:
        raise SchemeError(f"pattern file {file}: slots is a list of 1 to 64 patterns")
    rows, cols = int(window[0]), int(window[1])
    found = []
    for number, slot in enumerate(slots):
        where = f"{file}:{slots.lc.item(number)[0] + 1}: slot {number}"
        found.append(_slot(where, slot, rows, cols))
    return Patterns((rows, cols), tuple(found), file)


def _slot(where: str, slot: Any, rows: int, cols: int) -> tuple[int, ...]:
    if isinstance(slot, str):
        cells = slot.split()
        if len(cells) != rows or any(len(c) != cols or set(c) - {"0", "1"} for c in cells):
            raise SchemeError(
                f"pattern file {where}: a picture is {rows} words of {cols} digits 0 or 1, not {slot!r}"
            )
        return tuple(i for i, cell in enumerate("".join(cells)) if cell == "1")
    if not isinstance(slot, list) or any(type(p) is not int for p in slot):
        raise SchemeError(f"pattern file {where}: a list of positions or a picture, not {slot!r}")
    outside = [p for p in slot if not 0 <= p < rows * cols]
    if outside:
        raise SchemeError(
            f"pattern file {where}: position {outside[0]} is outside the {rows}x{cols} window "
            f"(0 to {rows * cols - 1})"
        )
    if len(set(slot)) != len(slot):
        raise SchemeError(f"pattern file {where}: a position is listed twice: {list(slot)}")
    return tuple(sorted(slot))
