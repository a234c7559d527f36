"""The JSON schema of a hardware file, for editors: derived from the schema that validates.

A file that extends another one may leave out whatever it inherits, so there are two forms of
every part: complete, and partial (names ending in ``Partial``). Constants are always complete.
An editor cannot see what is inherited: a file that extends one for the cost model ``hierarchy``
says so again to be checked as such.
"""

from __future__ import annotations

from typing import Any

from energysim.hardware.spec_help import RECORDS, key_help
from energysim.hardware.spec_model import spec_schema

__all__ = ["json_schema"]

_WHOLE = {"Energy", "Capacity", "Bandwidth", "Frequency", "Count", "EnergyRow", "Source"}


def json_schema() -> dict[str, object]:
    """Return the JSON schema (draft 2020-12) of a hardware file."""
    definitions: dict[str, Any] = {}
    forms = ("two-level", "hierarchy")
    whole = [_json(spec_schema(form), definitions, partial=False) for form in forms]
    parts = [_json(spec_schema(form), definitions, partial=True) for form in forms]
    base = {"type": "string", "description": key_help("Spec", "extends")}
    for title in ("SpecPartial", "HierarchySpecPartial"):
        definitions[title]["properties"]["extends"] = base
        definitions[title]["required"] = ["schema", "name", "extends"]
    hierarchical = {"properties": {"cost_model": {"const": "hierarchy"}}, "required": ["cost_model"]}
    complete = {"if": hierarchical, "then": whole[1], "else": whole[0]}
    partial = {"if": hierarchical, "then": parts[1], "else": parts[0]}
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
        items = _json(schema["items_schema"], definitions, partial=False)
        whole = {"type": "array", "items": items, "minItems": schema.get("min_length", 0)}
        if not (partial and metadata.get("named")):
            return whole
        # laid over an inherited list: parts by name
        return {"anyOf": [whole, {"type": "object", "additionalProperties": inner(schema["items_schema"])}]}
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
            properties[key] = {**properties[key], "description": key_help(name, key)}
            default = field["schema"].get("default")
            # a hierarchy always names its cost model: that is how this form is chosen
            if default not in (None, "", {}, []) and (name, key) != ("HierarchySpec", "cost_model"):
                properties[key]["default"] = default
            required += [key] if needed and not partial else []
        definitions[title] = {
            "type": "object",
            "description": RECORDS[name],
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{title}"}
