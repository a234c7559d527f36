"""Values with positions, and problems at them: what reading, merging and validation share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from energysim.errors import SpecError

__all__ = ["Node", "Position", "Problem", "Scalar", "plain", "spec_error"]

Scalar = str | int | bool | Decimal | None
_LONGEST = 200  # characters of a path in a message


class Position(NamedTuple):
    """A place in a file, lines and columns counted from one."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    at: Position
    path: str
    what: str

    def __str__(self) -> str:
        path = "".join(c if c.isprintable() else repr(c)[1:-1] for c in self.path[:_LONGEST])
        return f"{self.at}: {path}: {self.what}" if path else f"{self.at}: {self.what}"


class Node:
    """A YAML value: a scalar, a list of nodes, or a mapping of text to nodes.

    Parameters
    ----------
    at : Position
        Where it begins.
    value : scalar, list of Node or dict of str to Node
    keys : dict of str to Position
        Where the keys of a mapping stand.
    """

    __slots__ = ("at", "keys", "size", "value")

    def __init__(
        self,
        at: Position,
        value: Scalar | list[Node] | dict[str, Node],
        keys: dict[str, Position] | None = None,
    ) -> None:
        self.at, self.value = at, value
        self.keys = {} if keys is None else keys
        self.size = 1  # nodes in it, aliases counted each time


def spec_error(problems: list[Problem]) -> SpecError:
    """Return one error of all problems, in the order of the file."""
    return SpecError("\n".join(str(problem) for problem in dict.fromkeys(sorted(problems))))


def plain(node: Node) -> Any:
    """Return the value without positions."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value
