"""Mapping files: a mapping for each layer of a network.

::

    schema: energysim-mapping/1
    layers:
      features.conv3_2:
        dram: Q14 M2 C4
        buffer: M4 C4 P56
        X: M2 Q4
        bypass: {buffer: weights}
      features.conv3_3: "dram: Q14 M2 C4; buffer: M4 C4 P56; X: M2 Q4"
"""

from __future__ import annotations

from pathlib import Path

from energysim.errors import EnergysimError, near_miss
from energysim.hardware.quantities import show
from energysim.hardware.yaml_nodes import Node, Position, Problem, spec_error
from energysim.hardware.yaml_reader import read_yaml
from energysim.mapping.hierarchy.mapping import Mapping, MappingError, parse_mapping

__all__ = ["MAPPING_SCHEMA", "read_mappings"]

MAPPING_SCHEMA = "energysim-mapping/1"
_KEYS = ("schema", "layers")


def read_mappings(path: str | Path) -> dict[str, Mapping]:
    """Return the mappings of a file by layer name.

    Raises
    ------
    SpecError
        With all errors of the file, a line each: ``file:line:column: path: what``.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise EnergysimError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    tree, problems = read_yaml(text, str(file))
    if not isinstance(tree.value, dict):
        raise spec_error([Problem(tree.at, "", f"a mapping file is a mapping, got {show(tree.value)}")])
    for key in tree.value:
        if key not in _KEYS:
            hint = near_miss(key, _KEYS) or f" (known: {', '.join(_KEYS)})"
            problems.append(Problem(tree.keys[key], key, f"unknown key {show(key)}{hint}"))
    schema = tree.value.get("schema")
    if schema is None or schema.value != MAPPING_SCHEMA:
        got = f"got {show(schema.value)}" if schema else "it is missing"
        at = schema.at if schema else tree.at
        problems.append(Problem(at, "schema", f"expected {MAPPING_SCHEMA}, {got}"))
    layers = tree.value.get("layers")
    found: dict[str, Mapping] = {}
    if layers is None or not isinstance(layers.value, dict):
        problems.append(
            Problem(layers.at if layers else tree.at, "layers", "expected layers with their mappings")
        )
    else:
        for name, node in layers.value.items():
            try:
                found[name] = _mapping(node)
            except MappingError as error:
                problems.append(Problem(node.at, f"layers.{name}", str(error)))
            except _Wrong as error:
                problems.append(Problem(error.at, f"layers.{name}", error.what))
    if problems:
        raise spec_error(problems)
    return found


class _Wrong(Exception):
    def __init__(self, at: Position, what: str) -> None:
        super().__init__(what)
        self.at, self.what = at, what


def _mapping(node: Node) -> Mapping:
    if isinstance(node.value, str):
        return parse_mapping(node.value)
    bypass = {}
    blocks = {}
    for name, part in _dict(node, "a mapping: blocks of loops, or one line of text").items():
        if name == "bypass":
            inner = _dict(part, "levels with the tensors that bypass them")
            bypass = {level: _text(tensors) for level, tensors in inner.items()}
        else:
            blocks[name] = _text(part)
    return Mapping.of(blocks, bypass)


def _dict(node: Node, expected: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise _Wrong(node.at, f"expected {expected}, got {show(node.value)}")
    return node.value


def _text(node: Node) -> str:
    if node.value is None:
        return ""
    if not isinstance(node.value, str):
        raise _Wrong(node.at, f"expected text such as 'Q14 M2', got {show(node.value)}")
    return node.value
