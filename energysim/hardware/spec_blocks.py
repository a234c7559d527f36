"""Building blocks of the schema: each takes what is accepted and gives a pydantic core schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError
from pydantic_core import core_schema as s

from energysim.errors import near_miss
from energysim.hardware.quantities import COUNT, ENERGY, Dimension, parse_quantity, show

__all__ = [
    "KINDS",
    "WIDEST",
    "Given",
    "Schema",
    "by_width",
    "checked",
    "constant",
    "problem",
    "quantity",
    "record",
    "text",
    "whole",
]

KINDS = ("measured", "published", "derived", "assumed")
WIDEST = 64  # bits of an operand, an accumulator or a register

Schema = Any  # a core schema: a nested dict
Given = dict[str, Any]  # a record that has been validated


def problem(at: str, what: str) -> PydanticCustomError:
    """Return an error that belongs to the key `at` (or `at.deeper`) below where it is raised."""
    return PydanticCustomError("spec", "{what}", {"at": at, "what": what})


def whole(least: int, most: int) -> Schema:
    """A whole number within limits."""
    return s.int_schema(ge=least, le=most, strict=True)


def text(pattern: str | None = None, least: int = 0) -> Schema:
    """Text."""
    return s.str_schema(pattern=pattern, min_length=least, strict=True)


def quantity(dimension: Dimension) -> Schema:
    """A number with a unit of one dimension; for counts a whole number."""
    if dimension is COUNT:
        json: Given = {"type": "integer", "minimum": 1, "maximum": int(dimension.largest)}
    else:
        json = {"type": "string", "pattern": dimension.pattern, "examples": [dimension.example]}
    json["title"] = dimension.name
    return s.no_info_plain_validator_function(
        lambda value: parse_quantity(value, dimension), metadata={"json": json}
    )


def record(name: str, needed: Mapping[str, Schema], optional: Mapping[str, tuple[Schema, Any]]) -> Schema:
    """A mapping with these keys only; `optional` gives schema and default.

    A key whose value is null counts as not written.
    """
    fields = {key: s.typed_dict_field(schema, required=True) for key, schema in needed.items()}
    for key, (schema, default) in optional.items():
        fields[key] = s.typed_dict_field(s.with_default_schema(schema, default=default))
    strict = s.typed_dict_schema(fields, extra_behavior="forbid", strict=True, metadata={"name": name})

    def without_nulls(given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or key not in fields}

    return s.no_info_before_validator_function(without_nulls, strict)


def checked(schema: Schema, *checks: Callable[[Given], None]) -> Schema:
    """A record with conditions between its fields."""

    def check(given: Given) -> Given:
        for condition in checks:
            condition(given)
        return given

    return s.no_info_after_validator_function(check, schema)


def by_width(schema: Schema) -> Schema:
    """A mapping from a width in bits to something."""

    def width(key: str) -> int:
        if re.fullmatch(r"[1-9][0-9]?", key) and int(key) <= WIDEST:
            return int(key)
        raise ValueError(f"{show(key)} is no width; expected bits from 1 to {WIDEST}")

    return s.dict_schema(
        s.no_info_plain_validator_function(width, metadata={"json": {"pattern": "^[1-9][0-9]?$"}}),
        schema,
        strict=True,
    )


def constant(name: str, dimension: Dimension) -> Schema:
    """A number with its source and kind; a design choice may be the plain number."""
    full = record(
        name,
        {"value": quantity(dimension), "kind": s.literal_schema(list(KINDS))},
        {
            "source": (s.with_info_after_validator_function(_known_source, text()), None),
            "node_nm": (whole(1, 10_000), None),
            "note": (text(), ""),
        },
    )
    full = checked(full, _accounted)
    if dimension is ENERGY:  # an energy always says where it is from
        return full

    def short(given: Any) -> Any:
        if isinstance(given, dict):
            return given
        try:
            parse_quantity(given, dimension)
        except ValueError as error:
            raise problem("", str(error)) from None
        return {"value": given, "kind": "assumed", "note": "stated by the specification"}

    return s.no_info_before_validator_function(short, full, metadata={"short": quantity(dimension)})


def _known_source(source: str, info: Any) -> str:
    known = (info.context or {}).get("sources", ())
    if source in known:
        return source
    listed = ", ".join(sorted(known)) or "none are given"
    hint = near_miss(source, known)
    raise ValueError(f"unknown source {show(source)}; expected a key of 'sources' ({listed}){hint}")


def _accounted(given: Given) -> None:
    if given["source"] is None and not (given["kind"] == "assumed" and given["note"]):
        raise problem(
            "", "needs a 'source' (a key of 'sources'); only an assumed value may give a 'note' instead"
        )
