"""What a hardware file may hold: one strict schema, used at the boundary only.

It is written in pydantic's core schemas, which validate exactly as models do (strict types,
unknown keys refused, all errors with their location) but without building twenty classes:
importing pydantic's model layer costs several times as much as everything else in a load.
The validated result is plain dicts; `energysim.hardware.build` turns them into the core.

In each record below the fields that must be given come first, the others have a default. A file
for the cost model ``hierarchy`` has another form (:mod:`energysim.hardware.spec_hierarchy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator

from energysim.hardware.quantities import CAPACITY, COUNT, ENERGY
from energysim.hardware.spec_blocks import Schema, by_width, checked, constant, record, whole
from energysim.hardware.spec_conditions import energies_given, sizes_fit, wide_enough
from energysim.hardware.spec_parts import common_fields, device_field, level_fields
from energysim.hardware.spec_zeros import zeros_make_sense

__all__ = ["SCHEMA", "spec_schema", "spec_validator"]

SCHEMA = "energysim-hardware/1"


@cache
def spec_schema(form: str = "two-level") -> Schema:
    """Return the core schema of a whole specification: ``"two-level"`` or ``"hierarchy"``."""
    if form == "hierarchy":
        from energysim.hardware.spec_hierarchy import hierarchy_schema

        return hierarchy_schema(SCHEMA)
    energy = constant("Energy", ENERGY)
    capacity = constant("Capacity", CAPACITY)
    lanes = constant("Count", COUNT)
    accesses = whole(0, 1000)

    def level(title: str, needs: Mapping[str, Schema], may: Mapping[str, tuple[Schema, Any]]) -> Schema:
        optional = {**may, **level_fields()}
        return checked(
            record(title, {**needs, "word_bits": whole(1, 65_536)}, optional), energies_given, sizes_fit
        )

    one = dict.fromkeys(("weight_reads", "input_reads", "psum_reads", "psum_writes"), (accesses, 1))
    common, optional = common_fields(SCHEMA)
    levels = {
        "dram": level("Dram", {}, {"capacity": (capacity, None), **device_field()}),
        "buffer": level("Buffer", {"capacity": capacity}, {}),
    }
    spec = record(
        "Spec",
        {
            **{key: common[key] for key in ("schema", "name", "clock", "bits")},
            "levels": record("Levels", levels, {}),
            **{key: common[key] for key in ("mac", "vector_op")},
            "array": record("Array", dict.fromkeys(("pixels", "filters", "products"), lanes), {}),
            "zeros": common["zeros"],
        },
        {
            **{key: optional[key] for key in ("description", "cost_model", "node_nm", "node_scaling")},
            "registers": (by_width(record("Register", {"read": energy, "write": energy}, {})), {}),
            "register_accesses": (record("Accesses", {}, one), dict.fromkeys(one, 1)),
            **{key: optional[key] for key in ("rules", "sources")},
        },
    )
    return checked(spec, wide_enough, zeros_make_sense)


@cache
def spec_validator(form: str = "two-level") -> SchemaValidator:
    """Return the validator of a whole specification, made once."""
    return SchemaValidator(spec_schema(form))
