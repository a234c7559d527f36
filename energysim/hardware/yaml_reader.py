"""YAML with positions: every value knows its file, line and column.

Built on ruamel.yaml's event stream, so nothing here recurses and no depth of nesting can
exhaust the stack. Plain scalars follow the YAML 1.2 core schema, except that numbers with a
fraction become exact decimals. Keys are always text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from energysim.errors import SpecError
from energysim.hardware.quantities import show
from energysim.hardware.yaml_nodes import Node, Position, Problem, Scalar, spec_error

__all__ = ["read_yaml"]

_DEEPEST = 32  # levels of nesting: a specification has six
_MOST_NODES = 20_000  # counted with aliases expanded
_INT = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,60}|[0-9]{1,60}(\.[0-9]{0,60})?)([eE][-+]?[0-9]{1,4})?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{
        sign + word: Decimal(sign + "Infinity")
        for sign in ("", "+", "-")
        for word in (".inf", ".Inf", ".INF")
    },
    **dict.fromkeys((".nan", ".NaN", ".NAN"), Decimal("NaN")),
}


def read_yaml(text: str, file: str) -> tuple[Node, list[Problem]]:
    """Return the one document of a YAML text, and its duplicate keys.

    Raises
    ------
    SpecError
        If it is not one YAML document, or uses what a specification has no need of (tags,
        merge keys, keys that are not text, nesting or repetition without end).
    """
    reader = _Reader(file)
    for event in _events(text, file):
        reader.take(event)
    if reader.root is None:
        raise spec_error(
            [Problem(Position(file, 1, 1), "", "the file is empty; expected a hardware specification")]
        )
    return reader.root, reader.problems


def _events(text: str, file: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        yield from YAML(typ="safe", pure=True, plug_ins=[]).parse(text)
    except SpecError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
        what = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise spec_error([Problem(at, "", f"not valid YAML: {what}")]) from None
    except Exception as error:  # the scanner lets plain ValueErrors and others out on some bytes
        what = str(error).split("\n")[0] or type(error).__name__
        raise spec_error([Problem(Position(file, 1, 1), "", f"not valid YAML: {what}")]) from None


class _Frame:
    """A list or mapping being filled: with its anchor, and the key that waits for its value."""

    __slots__ = ("anchor", "key", "node")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node, self.anchor = node, anchor
        self.key: tuple[str, Position] | None = None


class _Reader:
    """Builds the tree from events, with a stack of its own."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.open: list[_Frame] = []
        self.anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self.scalar(event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self.begin(event, {} if kind == "MappingStartEvent" else [])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            frame = self.open.pop()
            self.attach(frame.node, frame.anchor)
        elif kind == "AliasEvent":
            node = self.anchors.get(event.anchor)
            if node is None:
                raise self.refused(event, f"the alias *{event.anchor} has no finished anchor before it")
            self.no_key(event)
            self.attach(node, None)
        elif kind == "DocumentStartEvent" and self.root is not None:
            raise self.refused(event, "a second document begins; a specification is one document")

    def scalar(self, event: Any) -> None:
        self.untagged(event)
        text: str = event.value
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise self.refused(event, "half a surrogate pair is not text")
        frame = self.open[-1] if self.open else None
        if frame and frame.key is None and isinstance(frame.node.value, dict):
            if text == "<<" and not event.style:
                raise self.refused(
                    event, "merge keys (<<) are not supported; use 'extends' or repeat the values"
                )
            frame.key = (text, self.at(event))
            return
        self.attach(Node(self.at(event), text if event.style or event.tag else _resolve(text)), event.anchor)

    def begin(self, event: Any, value: list[Node] | dict[str, Node]) -> None:
        self.untagged(event)
        self.no_key(event)
        if len(self.open) >= _DEEPEST:
            raise spec_error([Problem(self.at(event), "", f"nested more than {_DEEPEST} deep")])
        self.open.append(_Frame(Node(self.at(event), value), event.anchor))

    def attach(self, node: Node, anchor: str | None) -> None:
        """Put a finished value where it belongs."""
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        frame = self.open[-1]
        frame.node.size += node.size
        if frame.node.size > _MOST_NODES:
            raise spec_error([Problem(node.at, "", f"more than {_MOST_NODES} values, aliases expanded")])
        container = frame.node.value
        if isinstance(container, list):
            container.append(node)
        elif isinstance(container, dict) and frame.key is not None:
            (key, at), frame.key = frame.key, None
            if key in container:
                first = frame.node.keys[key]
                self.problems.append(
                    Problem(
                        at, self.path(key), f"duplicate key {show(key)}, first given on line {first.line}"
                    )
                )
                return
            container[key] = node
            frame.node.keys[key] = at

    def path(self, *last: str) -> str:
        """Return the keys that lead to the value being read."""
        return ".".join([*(frame.key[0] for frame in self.open if frame.key), *last])

    def no_key(self, event: Any) -> None:
        frame = self.open[-1] if self.open else None
        if frame and frame.key is None and isinstance(frame.node.value, dict):
            raise self.refused(event, "a key must be text")

    def untagged(self, event: Any) -> None:
        if event.tag is not None and str(event.tag) != "!":
            raise self.refused(
                event, f"the tag {show(str(event.tag))} is not supported; write the plain value"
            )

    def at(self, event: Any) -> Position:
        return Position(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def refused(self, event: Any, what: str) -> SpecError:
        return spec_error([*self.problems, Problem(self.at(event), self.path(), what)])


def _resolve(text: str) -> Scalar:
    """Return the value of a plain scalar: YAML 1.2 core schema, fractions as exact decimals."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return Decimal(text) if _FLOAT.fullmatch(text) else text
