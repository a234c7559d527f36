"""Custom periodic patterns from a YAML file.

::

    schema: energysim-patterns/1
    window: [3, 3]
    slots:            # slot 0 first; the window of filter f, channel c uses slot (f + c + 1) mod P
      - [0, 1, 3, 4]  # kept positions, row-major from 0
      - "011 011 000" # or a picture, row by row
      - []            # a window without weights; not all slots can be empty
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from energysim.errors import SchemeError, SpecError, near_miss
from energysim.hardware.quantities import show
from energysim.hardware.yaml_nodes import Node, Problem, spec_error
from energysim.hardware.yaml_reader import read_yaml

__all__ = ["MOST_SLOTS", "Patterns", "load_patterns"]

#: The longest period.
MOST_SLOTS = 64
_SCHEMA = "energysim-patterns/1"
_KEYS = ("schema", "window", "slots")
_LARGEST = 1 << 18  # bytes of a file
_LONGEST = 32  # rows and columns of a window


@dataclass(frozen=True)
class Patterns:
    """Slots read from a file; equal by content.

    Attributes
    ----------
    window : (int, int)
        Rows and columns.
    slots : tuple of tuple of int
        Kept positions of each slot, ascending.
    file : str
        As given, so that the scheme can be written down again.
    """

    window: tuple[int, int]
    slots: tuple[tuple[int, ...], ...]
    file: str = field(compare=False)


def load_patterns(file: str | Path) -> Patterns:
    """Read a pattern file.

    Raises
    ------
    SchemeError
        With file, line, column and what would be accepted, for all that is wrong with it.
    """
    name = str(file)
    if set(name) & set(",;\n") or name != name.strip():
        raise SchemeError(
            f"pattern file {name!r}: a scheme cannot name a file with ',', ';', line breaks, or spaces around"
        )
    try:
        tree, problems = read_yaml(_text(name), name)
        return _patterns(tree, name, problems)
    except SpecError as error:
        raise SchemeError(str(error)) from None


def _text(name: str) -> str:
    try:
        with Path(name).open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise SchemeError(f"pattern file {name}: larger than {_LARGEST // 1024} KiB")
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SchemeError(f"pattern file {name!r} cannot be read: {reason}") from None
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        raise SchemeError(f"{name}:1:1: the file is empty; expected the keys {', '.join(_KEYS)}")
    return text


def _patterns(tree: Node, name: str, problems: list[Problem]) -> Patterns:
    """Return the patterns of a document; raise SpecError with all that is wrong with it."""
    keys = tree.value
    if not isinstance(keys, dict):
        raise spec_error([Problem(tree.at, "", f"expected {', '.join(_KEYS)}, got {show(keys)}")])
    for key in keys:
        if key not in _KEYS:
            hint = near_miss(key, _KEYS) or f"; expected {', '.join(_KEYS)}"
            problems.append(Problem(tree.keys[key], "", f"unknown key {show(key)}{hint}"))
    problems += [Problem(tree.at, key, "missing") for key in _KEYS if key not in keys]
    if "schema" in keys and keys["schema"].value != _SCHEMA:
        problems.append(
            Problem(keys["schema"].at, "schema", f"expected {_SCHEMA}, got {show(keys['schema'].value)}")
        )
    window = _window(keys["window"], problems) if "window" in keys else None
    slots = _slots(keys["slots"], window, problems) if "slots" in keys and window else ()
    if problems or window is None:
        raise spec_error(problems)
    return Patterns(window, slots, name)


def _window(node: Node, problems: list[Problem]) -> tuple[int, int] | None:
    sizes = [child.value for child in node.value] if isinstance(node.value, list) else []
    found = tuple(size for size in sizes if type(size) is int and 1 <= size <= _LONGEST)
    if len(sizes) == len(found) == 2:
        return found[0], found[1]
    what = f"expected two whole numbers from 1 to {_LONGEST}, rows and columns: [3, 3]"
    problems.append(Problem(node.at, "window", what))
    return None


def _slots(node: Node, window: tuple[int, int], problems: list[Problem]) -> tuple[tuple[int, ...], ...]:
    if not isinstance(node.value, list) or not 1 <= len(node.value) <= MOST_SLOTS:
        given = f"{len(node.value)} patterns" if isinstance(node.value, list) else show(node.value)
        what = f"expected a list of 1 to {MOST_SLOTS} patterns, got {given}"
        problems.append(Problem(node.at, "slots", what))
        return ()
    found = tuple(_slot(slot, f"slots[{i}]", window, problems) for i, slot in enumerate(node.value))
    if not problems and not any(found):
        problems.append(Problem(node.at, "slots", "no slot keeps any position: no weight would be left"))
    return found


def _slot(node: Node, path: str, window: tuple[int, int], problems: list[Problem]) -> tuple[int, ...]:
    rows, cols = window
    if isinstance(node.value, str):
        cells = node.value.split()
        if len(cells) == rows and all(len(c) == cols and set(c) <= {"0", "1"} for c in cells):
            return tuple(i for i, cell in enumerate("".join(cells)) if cell == "1")
        what = f"a picture has {rows} words of {cols} digits 0 or 1, not {show(node.value)}"
        problems.append(Problem(node.at, path, what))
        return ()
    if not isinstance(node.value, list):
        what = f"expected a list of positions, or a picture in quotes, got {show(node.value)}"
        problems.append(Problem(node.at, path, what))
        return ()
    kept: list[int] = []
    for child in node.value:
        position, last = child.value, rows * cols - 1
        if type(position) is not int or not 0 <= position <= last:
            what = f"a position in a {rows}x{cols} window is a whole number from 0 to {last}"
            problems.append(Problem(child.at, path, f"{what}, not {show(position)}"))
        elif position in kept:
            problems.append(Problem(child.at, path, f"position {position} is listed twice"))
        else:
            kept.append(position)
    return tuple(sorted(kept))
