"""Pydantic's errors, told with file, line, column, the value and what would be accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from energysim.errors import near_miss
from energysim.hardware.quantities import show
from energysim.hardware.yaml_nodes import Node, Position, Problem

if TYPE_CHECKING:
    from pydantic_core import ValidationError

__all__ = ["problems_of"]

_EXPECTED = {
    "int_type": "expected a whole number",
    "string_type": "expected text (put it in quotes)",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
}


def problems_of(error: ValidationError, tree: Node, schema: Any) -> list[Problem]:
    """Return every error of a validation at its place in the file.

    Parameters
    ----------
    error : ValidationError
    tree : Node
        What was validated, with positions.
    schema : core schema
        What it was validated against, for the names of keys that exist.
    """
    items = error.errors(include_url=False)
    meant = {_meant(item, schema) for item in items if item["type"] == "extra_forbidden"}
    # A misspelt key is one mistake: that the right one is missing goes without saying.
    return [
        _problem(item, tree, schema)
        for item in items
        if not (item["type"] == "missing" and tuple(map(str, item["loc"])) in meant)
    ]


def _meant(item: Mapping[str, Any], schema: Any) -> tuple[str, ...]:
    """Return the path that an unknown key was probably meant to be."""
    *parents, key = (str(part) for part in item["loc"])
    hint = near_miss(key, _fields_at(schema, parents))
    return (*parents, *hint.split("'")[1:2])


def _problem(item: Mapping[str, Any], tree: Node, schema: Any) -> Problem:
    keys = [str(part) for part in item["loc"]]
    kind, context = item["type"], item.get("ctx", {})
    if kind == "spec" and context["at"]:
        keys += context["at"].split(".")
    if keys and keys[-1] == "[key]":
        keys.pop()
    node, key_at = _find(tree, keys)
    if kind == "missing":
        parent, at = _find(tree, keys[:-1])
        return Problem(at or parent.at, ".".join(keys), "missing")
    path = ".".join(keys)
    if kind == "extra_forbidden":
        known = _fields_at(schema, keys[:-1])
        hint = near_miss(keys[-1], known) or f"; expected one of {', '.join(known)}"
        return Problem(key_at or node.at, path, f"unknown key {show(keys[-1])}{hint}")
    if kind == "dict_type":
        known = _fields_at(schema, keys)
        example = f" {{{', '.join(f'{key}: ...' for key in known)}}}" if known else ""
        return Problem(node.at, path, f"expected a mapping{example}, got {show(node.value)}")
    return Problem(node.at, path, _what(kind, item, context, node))


def _what(kind: str, item: Mapping[str, Any], context: Mapping[str, Any], node: Node) -> str:
    if kind == "spec":
        return str(context["what"])
    if kind == "value_error":
        return str(context["error"])
    given = show(node.value)
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}, got {given}"
    if kind == "literal_error":
        hint = near_miss(node.value, _choices(context)) if isinstance(node.value, str) else ""
        return f"expected {context['expected']}, got {given}{hint}"
    if kind == "string_pattern_mismatch":
        return f"{given} has characters that are not accepted here (pattern {context['pattern']})"
    return f"{str(item['msg']).removeprefix('Input ').lower()}, got {given}"


def _choices(context: Mapping[str, Any]) -> list[str]:
    return [part.strip("' ") for part in str(context["expected"]).replace(" or ", ",").split(",")]


def _find(tree: Node, keys: list[str]) -> tuple[Node, Position | None]:
    """Return the deepest node along a path, and where the path's last key stands."""
    node, at = tree, None
    for key in keys:
        at = None
        if isinstance(node.value, dict) and key in node.value:
            at = node.keys.get(key)
            node = node.value[key]
        elif isinstance(node.value, list) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
        else:
            break
    return node, at


def _fields_at(schema: Any, keys: list[str]) -> list[str]:
    """Return the keys that exist at a path of the schema."""
    for key in keys:
        schema = _record(schema)
        if schema["type"] == "typed-dict":
            schema = schema["fields"][key]["schema"]
        else:  # a list or a mapping by width
            schema = schema.get("values_schema") or schema["items_schema"]
    return list(_record(schema).get("fields", ()))


def _record(schema: Any) -> Any:
    """Return a schema without the functions and defaults around it."""
    while schema["type"] in ("default", "function-after", "function-before"):
        schema = schema["schema"]
    return schema
