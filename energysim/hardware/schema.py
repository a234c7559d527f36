"""The JSON schema of a hardware file, for editors: derived from the schema that validates.

A file that extends another one may leave out whatever it inherits, so there are two forms of
every part: complete, and partial (names ending in ``Partial``). Constants are always complete.
"""

from __future__ import annotations

from typing import Any

from energysim.hardware.spec_model import spec_schema

__all__ = ["json_schema"]

_WHOLE = {"Energy", "Capacity", "Bandwidth", "Frequency", "Count", "EnergyRow", "Source"}


def json_schema() -> dict[str, object]:
    """Return the JSON schema (draft 2020-12) of a hardware file."""
    definitions: dict[str, Any] = {}
    complete = _json(spec_schema(), definitions, partial=False)
    partial = _json(spec_schema(), definitions, partial=True)
    base = {"type": "string", "description": "name or relative file of the specification this one changes"}
    definitions["SpecPartial"]["properties"]["extends"] = base
    definitions["SpecPartial"]["required"] = ["schema", "name", "extends"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "energysim hardware specification",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": partial,
        "else": complete,
        "$defs": dict(sorted(definitions.items())),
    }


def _json(schema: Any, definitions: dict[str, Any], *, partial: bool) -> Any:
    """Return the JSON form of a core schema; records go to the definitions."""
    kind, metadata = schema["type"], schema.get("metadata", {})

    def inner(part: Any) -> Any:
        return _json(part, definitions, partial=partial)

    if kind == "typed-dict":
        return _record(schema, definitions, partial=partial)
    if "short" in metadata:
        return {"anyOf": [inner(metadata["short"]), inner(schema["schema"])]}
    if "json" in metadata:
        return metadata["json"]
    if kind in ("default", "function-after", "function-before"):
        return inner(schema["schema"])
    if kind == "dict":
        keys = {"propertyNames": inner(schema["keys_schema"])}
        return {"type": "object", **keys, "additionalProperties": inner(schema["values_schema"])}
    if kind == "list":
        return {
            "type": "array",
            "items": inner(schema["items_schema"]),
            "minItems": schema.get("min_length", 0),
        }
    if kind == "literal":
        return {"enum": list(schema["expected"])}
    names = {"ge": "minimum", "le": "maximum", "pattern": "pattern", "min_length": "minLength"}
    limits = {names[key]: value for key, value in schema.items() if key in names}
    return {"type": {"str": "string", "int": "integer", "bool": "boolean"}[kind], **limits}


def _record(schema: Any, definitions: dict[str, Any], *, partial: bool) -> Any:
    name = schema["metadata"]["name"]
    partial = partial and name not in _WHOLE
    title = f"{name}Partial" if partial else name
    if title not in definitions:
        definitions[title] = {}
        properties, required = {}, []
        for key, field in schema["fields"].items():
            needed = field.get("required", False)
            value = _json(field["schema"], definitions, partial=partial)
            # null stands for "not written": it takes an inherited value away
            properties[key] = value if needed and not partial else {"anyOf": [value, {"type": "null"}]}
            required += [key] if needed and not partial else []
        definitions[title] = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{title}"}
