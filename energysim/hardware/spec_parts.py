"""Parts that all forms of a specification have: names, widths, levels, zeros, sources."""

from __future__ import annotations

from typing import Any

from pydantic_core import core_schema as s

from energysim.hardware.dram_system import MAPPINGS
from energysim.hardware.quantities import BANDWIDTH, CAPACITY, ENERGY, FREQUENCY, VOLTAGE, show
from energysim.hardware.spec_blocks import (
    WIDEST,
    Schema,
    by_width,
    constant,
    quantity,
    record,
    text,
    whole,
)
from energysim.hardware.spec_zeros import zeros_schema

__all__ = ["NAME", "common_fields", "device_field", "level_fields", "source_schema"]

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Optional = dict[str, tuple[Schema, Any]]


def level_fields() -> Optional:
    """What every memory may have."""
    energy, size = constant("Energy", ENERGY), quantity(CAPACITY)
    row = record("EnergyRow", {"capacity": size, "read": energy, "write": energy}, {})
    parts = record("Partitions", {"weights": size, "inputs": size, "outputs": size}, {})
    return {
        "read": (energy, None),
        "write": (energy, None),
        "energy_table": (s.list_schema(row, min_length=1, strict=True), None),
        "bandwidth": (constant("Bandwidth", BANDWIDTH), None),
        "partitions": (parts, None),
        "double_buffered": (s.bool_schema(strict=True), False),
    }


def common_fields(version: str) -> tuple[dict[str, Schema], Optional]:
    """Fields outside the memories: those that must be given, and the others."""
    name, energy, width = text(NAME), constant("Energy", ENERGY), whole(1, WIDEST)
    nanometres = whole(1, 10_000)
    source = source_schema()
    rule = s.no_info_plain_validator_function(
        _rule, metadata={"json": {"type": ["boolean", "integer", "string"]}}
    )
    needed: dict[str, Schema] = {
        "schema": s.literal_schema([version]),
        "name": name,
        "clock": constant("Frequency", FREQUENCY),
        "bits": record("Bits", dict.fromkeys(("weights", "activations", "accumulators"), width), {}),
        "mac": by_width(energy),
        "vector_op": energy,
        "zeros": zeros_schema(NAME),
    }
    optional: Optional = {
        "description": (text(), ""),
        "cost_model": (name, "two-level"),
        "node_nm": (nanometres, None),
        "node_scaling": (_scaling_schema(), None),
        "rules": (s.dict_schema(text(), rule, strict=True), {}),
        "sources": (s.dict_schema(text(), source, strict=True), {}),
    }
    return needed, optional


def source_schema() -> Schema:
    """A publication."""
    return record(
        "Source",
        {"authors": text(least=1), "title": text(least=1)},
        {
            "year": (whole(1900, 2100), None),  # software may have a version only
            "where": (text(), ""),
            "doi": (text(), None),
            "url": (text(), None),
            "node_nm": (whole(1, 10_000), None),
        },
    )


def _scaling_schema() -> Schema:
    """From the node of the specification to another."""
    volts = quantity(VOLTAGE)
    needed = {"to_nm": whole(1, 10_000), "from_voltage": volts, "to_voltage": volts}
    return record("NodeScaling", needed, {})


def device_field() -> Optional:
    """The devices of a DRAM, instead of energies."""
    name = text(r"^[^\s].{0,199}$")
    full = record(
        "DramDevices",
        {"name": name},
        {
            "channels": (whole(1, 256), 1),
            "ranks": (whole(1, 64), 1),
            "devices_per_rank": (whole(1, 256), None),
            "mapping": (s.literal_schema(list(MAPPINGS)), MAPPINGS[0]),
            "row_policy": (s.literal_schema(["open"]), "open"),
        },
    )

    def short(given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    field = s.no_info_before_validator_function(short, full, metadata={"short": name})
    return {"device": (field, None)}


def _rule(value: object) -> object:
    if isinstance(value, bool | int | str):
        return value
    raise ValueError(f"expected true, false, a whole number or text, got {show(value)}")
