"""The page of all keys of a hardware file, read from the JSON schema that `energysim schema` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from energysim.hardware import hardware_schema

__all__ = ["page"]

Schema = Mapping[str, Any]

_INTRODUCTION = """\
# Hardware files

Written from the schema when this site is built; `energysim schema hardware` prints it, for editors. A file is
either a [Spec](#spec), for the cost model `two-level`, or a [HierarchySpec](#hierarchyspec), for `hierarchy`.
With `extends: NAME` a file changes single values of another one and leaves out the rest; `null` takes an
inherited value away. Unknown keys are errors, and all errors of a file are reported at once with their lines.

`energysim show hardware edge45 --sources` shows a specification with all its constants.
"""


def page() -> str:
    """Return the page in Markdown."""
    schema = hardware_schema()
    records: Mapping[str, Schema] = schema["$defs"]  # type: ignore[assignment]
    order = list(dict.fromkeys(name for top in ("Spec", "HierarchySpec") for name in _below(top, records)))
    units = {text["title"]: _units(text) for text in _quantities(schema)}
    parts = [
        _INTRODUCTION,
        "## Quantities",
        "A number and its unit, as text. 1 kB is 1000 B, 1 KiB is 1024 B.",
    ]
    parts.append(_table(("quantity", "units"), [(title, text) for title, text in units.items() if text]))
    for name in order:
        record = records[name]
        rows = [
            (f"`{key}`", _accepted(value), _needed(key, record), _plain(value["description"]))
            for key, value in record["properties"].items()
        ]
        parts += [f"## {name}", _plain(record["description"])]
        parts.append(_table(("key", "accepted", "needed", "meaning"), rows))
    return "\n\n".join(parts) + "\n"


def _below(name: str, records: Mapping[str, Schema]) -> Iterator[str]:
    """A record and all it refers to, depth first."""
    yield name
    for inner in re.findall(r'"#/\$defs/(\w+)"', json.dumps(records[name])):
        yield from _below(inner, records)


def _quantities(schema: Any) -> Iterator[Schema]:
    """Every text of the schema that is a number with a unit."""
    if isinstance(schema, dict):
        if "examples" in schema:
            yield schema
        for inner in schema.values():
            yield from _quantities(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _quantities(inner)


def _units(text: Schema) -> str:
    """The units that the pattern of a quantity ends with."""
    units = text["pattern"].rpartition("*(")[2].partition(")")[0].replace("\\", "").split("|")
    return f"{', '.join(f'`{unit}`' for unit in units)}; such as `{text['examples'][0]}`"


def _needed(key: str, record: Schema) -> str:
    if key in record["required"]:
        return "yes"
    default = record["properties"][key].get("default")
    return "" if default is None else f"default `{json.dumps(default)}`"


def _accepted(value: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value:
        return " or ".join(_accepted(part) for part in value["anyOf"] if part.get("type") != "null")
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in value["enum"])
    if "title" in value:
        return str(value["title"])
    kind = value["type"]
    if kind == "array":
        return f"list of {_accepted(value['items'])}"
    if kind == "object":
        return f"for each name or width: {_accepted(value['additionalProperties'])}"
    if kind == "integer":
        return f"whole number, {value['minimum']} to {value['maximum']}"
    if isinstance(kind, list):
        return "truth value, whole number or text"
    return {"string": "text", "boolean": "`true` or `false`"}[kind]


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
