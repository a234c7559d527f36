"""What a hardware file may hold: one strict schema, used at the boundary only.

It is written in pydantic's core schemas, which validate exactly as models do (strict types,
unknown keys refused, all errors with their location) but without building twenty classes:
importing pydantic's model layer costs several times as much as everything else in a load.
The validated result is plain dicts; `energysim.hardware.build` turns them into the core.

In each record below the fields that must be given come first, the others have a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core import core_schema as s

from energysim.hardware.quantities import BANDWIDTH, CAPACITY, COUNT, ENERGY, FREQUENCY, show
from energysim.hardware.spec_blocks import (
    WIDEST,
    Schema,
    by_width,
    checked,
    constant,
    quantity,
    record,
    text,
    whole,
)
from energysim.hardware.spec_conditions import (
    energies_given,
    format_stored,
    formats_known,
    sizes_fit,
    wide_enough,
)

__all__ = ["SCHEMA", "spec_schema", "spec_validator"]

SCHEMA = "energysim-hardware/1"


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
        return checked(
            record(title, {**needs, "word_bits": whole(1, 65_536)}, optional), energies_given, sizes_fit
        )

    zeros = checked(
        record(
            "Zeros",
            {
                "stored_compressed": s.bool_schema(strict=True),
                "compute": s.literal_schema(["none", "gate", "skip"]),
            },
            {"format": (text(r"^[A-Za-z0-9_.:=,-]{1,60}$"), None)},
        ),
        format_stored,
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
            "zeros": checked(
                record("ZeroHandling", {"weights": zeros, "activations": zeros}, {}), formats_known
            ),
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
    return checked(spec, wide_enough)


@cache
def spec_validator() -> SchemaValidator:
    """Return the validator of a whole specification, made once."""
    return SchemaValidator(spec_schema())


def _rule(value: object) -> object:
    if isinstance(value, bool | int | str):
        return value
    raise ValueError(f"expected true, false, a whole number or text, got {show(value)}")
