"""What a hardware file may hold: one strict schema, used at the boundary only.

It is written in pydantic's core schemas, which validate exactly as models do (strict types,
unknown keys refused, all errors with their location) but without building twenty classes:
importing pydantic's model layer costs several times as much as everything else in a load.
The validated result is plain dicts; `energysim.hardware.build` turns them into the core.

In each record below the fields that must be given come first, the others have a default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic_core import PydanticCustomError, SchemaValidator
from pydantic_core import core_schema as s

from energysim.errors import near_miss
from energysim.hardware.quantities import (
    BANDWIDTH,
    CAPACITY,
    COUNT,
    ENERGY,
    FREQUENCY,
    Dimension,
    parse_quantity,
    show,
)
from energysim.hardware.tables import refusal

__all__ = ["KINDS", "SCHEMA", "WIDEST", "spec_schema", "spec_validator"]

SCHEMA = "energysim-hardware/1"
KINDS = ("measured", "published", "derived", "assumed")
WIDEST = 64  # bits of an operand, an accumulator or a register

Schema = Any  # a core schema: a nested dict
Given = dict[str, Any]


def problem(at: str, what: str) -> PydanticCustomError:
    """Return an error that belongs to the key `at` below the place where it is raised."""
    return PydanticCustomError("spec", "{what}", {"at": at, "what": what})


# --- building blocks: each takes what is accepted and gives a core schema ---


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


# --- conditions between fields ---


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


def _energies(level: Given) -> None:
    for given, other in (("read", "write"), ("write", "read")):
        if level[given] and not level[other]:
            raise problem(given, f"{given!r} is given without {other!r}; give both, or an 'energy_table'")
    table, capacity = level["energy_table"], level["capacity"]
    if level["read"]:
        return
    if table is None:
        raise problem("", "no energy: give 'read' and 'write', or an 'energy_table'")
    if capacity is None:
        raise problem("energy_table", "an 'energy_table' needs the 'capacity' to look up")
    sizes = [int(row["capacity"].value) for row in table]
    if len(set(sizes)) < len(sizes):
        raise problem("energy_table", "two rows have the same capacity")
    refused = refusal(int(capacity["value"].value), sizes)
    if refused:
        raise problem("capacity", refused)


def _sizes(level: Given) -> None:
    capacity, parts = level["capacity"], level["partitions"]
    if capacity is None:
        if parts:
            raise problem("partitions", "'partitions' need the 'capacity' they divide")
        return
    bits = int(capacity["value"].value)
    if bits < level["word_bits"]:
        raise problem("capacity", f"{bits} bit hold not even one word of {level['word_bits']} bit")
    total = sum(int(part.value) for part in parts.values()) if parts else 0
    if total > bits:
        raise problem("partitions", f"the parts add up to {total} bit, more than the capacity of {bits} bit")


def _format(zeros: Given) -> None:
    if zeros["format"] is not None and not zeros["stored_compressed"]:
        raise problem("format", "a 'format' is given but 'stored_compressed' is false")


def _stored(zeros: Given) -> None:
    if zeros["activations"]["stored_compressed"] and zeros["activations"]["format"] is None:
        raise problem("activations", "compressed activations need a 'format', such as 'rlc'")


def _wide_enough(spec: Given) -> None:
    bits, mac, registers = spec["bits"], spec["mac"], spec["registers"]
    operands = max(bits["weights"], bits["activations"])
    if max(mac, default=0) < operands:
        raise problem("mac", f"no MAC is {operands} bit wide, as the native operands are")
    widest = max(operands, bits["accumulators"])
    if registers and max(registers) < widest:
        raise problem("registers", f"the widest register has {max(registers)} bit; {widest} are needed")


def _rule(value: object) -> object:
    if isinstance(value, bool | int | str):
        return value
    raise ValueError(f"expected true, false, a whole number or text, got {show(value)}")


# --- the file, from the inside out ---


@cache
def spec_schema() -> Schema:
    """Return the core schema of a whole specification."""
    name = text(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    nanometres = whole(1, 10_000)
    energy = constant("Energy", ENERGY)
    capacity = constant("Capacity", CAPACITY)
    size = quantity(CAPACITY)
    lanes = constant("Count", COUNT)
    width = whole(1, WIDEST)
    accesses = whole(0, 1000)
    row = record("EnergyRow", {"capacity": size, "read": energy, "write": energy}, {})
    parts = record("Partitions", {"weights": size, "inputs": size, "outputs": size}, {})

    def level(title: str, needs: Mapping[str, Schema], may: Mapping[str, tuple[Schema, Any]]) -> Schema:
        optional = {
            **may,
            "read": (energy, None),
            "write": (energy, None),
            "energy_table": (s.list_schema(row, min_length=1, strict=True), None),
            "bandwidth": (constant("Bandwidth", BANDWIDTH), None),
            "partitions": (parts, None),
            "double_buffered": (s.bool_schema(strict=True), False),
        }
        return checked(record(title, {**needs, "word_bits": whole(1, 65_536)}, optional), _energies, _sizes)

    zeros = checked(
        record(
            "Zeros",
            {
                "stored_compressed": s.bool_schema(strict=True),
                "compute": s.literal_schema(["none", "gate", "skip"]),
            },
            {"format": (text(r"^[A-Za-z0-9_.:=,-]{1,60}$"), None)},
        ),
        _format,
    )
    source = record(
        "Source",
        {"authors": text(least=1), "title": text(least=1)},
        {
            "year": (whole(1900, 2100), None),  # software may have a version only
            "where": (text(), ""),
            "doi": (text(), None),
            "url": (text(), None),
            "node_nm": (nanometres, None),
        },
    )
    one = dict.fromkeys(("weight_reads", "input_reads", "psum_reads", "psum_writes"), (accesses, 1))
    rule = s.no_info_plain_validator_function(
        _rule, metadata={"json": {"type": ["boolean", "integer", "string"]}}
    )
    spec = record(
        "Spec",
        {
            "schema": s.literal_schema([SCHEMA]),
            "name": name,
            "clock": constant("Frequency", FREQUENCY),
            "bits": record("Bits", dict.fromkeys(("weights", "activations", "accumulators"), width), {}),
            "levels": record(
                "Levels",
                {
                    "dram": level("Dram", {}, {"capacity": (capacity, None)}),
                    "buffer": level("Buffer", {"capacity": capacity}, {}),
                },
                {},
            ),
            "mac": by_width(energy),
            "vector_op": energy,
            "array": record("Array", dict.fromkeys(("pixels", "filters", "products"), lanes), {}),
            "zeros": checked(record("ZeroHandling", {"weights": zeros, "activations": zeros}, {}), _stored),
        },
        {
            "description": (text(), ""),
            "cost_model": (name, "two-level"),
            "node_nm": (nanometres, None),
            "registers": (by_width(record("Register", {"read": energy, "write": energy}, {})), {}),
            "register_accesses": (record("Accesses", {}, one), dict.fromkeys(one, 1)),
            "rules": (s.dict_schema(text(), rule, strict=True), {}),
            "sources": (s.dict_schema(text(), source, strict=True), {}),
        },
    )
    return checked(spec, _wide_enough)


@cache
def spec_validator() -> SchemaValidator:
    """Return the validator of a whole specification, made once."""
    return SchemaValidator(spec_schema())
