"""The form of a specification for the cost model ``hierarchy``.

``levels`` lists the memories, outermost first; ``axes`` the spatial axes, outermost first, each
with the level it lies ``below``: it makes copies of everything inside that level.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import core_schema as s

from energysim.errors import near_miss
from energysim.hardware.dataflows import DATAFLOWS
from energysim.hardware.hierarchy import DIMENSIONS, TENSORS
from energysim.hardware.quantities import BANDWIDTH, CAPACITY, COUNT, ENERGY, show
from energysim.hardware.spec_blocks import Given, Schema, checked, constant, problem, record, text, whole
from energysim.hardware.spec_conditions import energies_given, sizes_fit
from energysim.hardware.spec_parts import NAME, common_fields, device_field, level_fields
from energysim.hardware.spec_zeros import zeros_make_sense

__all__ = ["hierarchy_schema"]


def hierarchy_schema(version: str) -> Schema:
    """Return the core schema of a whole specification."""
    energy, bandwidth = constant("Energy", ENERGY), constant("Bandwidth", BANDWIDTH)
    tensors = s.list_schema(s.literal_schema(list(TENSORS)), strict=True)
    loops = s.list_schema(s.literal_schema(list(DIMENSIONS)), strict=True)
    word = whole(1, 65_536)
    level = record(
        "Level",
        {"name": text(NAME), "word_bits": word},
        {
            "capacity": (constant("Capacity", CAPACITY), None),
            **level_fields(),
            **device_field(),
            "fill": (energy, None),
            "update": (energy, None),
            "read_bandwidth": (bandwidth, None),
            "write_bandwidth": (bandwidth, None),
            "leakage": (energy, None),
            "ramp_up": (
                record("RampUp", {}, {"weights": (bandwidth, None), "inputs": (bandwidth, None)}),
                None,
            ),
            "keep": (tensors, []),
            "bypass": (tensors, []),
            "loops": (loops, None),
        },
    )
    axis = record(
        "Axis",
        {"name": text(NAME), "below": text(NAME), "size": constant("Count", COUNT)},
        {
            "loops": (loops, None),
            "shared": (tensors, list(TENSORS)),
            "diagonal": (s.bool_schema(strict=True), False),
            "network": (energy, None),
            "word_bits": (word, None),
        },
    )
    common, optional = common_fields(version)
    named = {"named": True}
    levels = s.list_schema(
        checked(level, energies_given, sizes_fit, _tensors_once, _loops_once, _ramp_up_held),
        strict=True,
        metadata=named,
    )
    axes = s.list_schema(
        checked(axis, _word_of_network, _loops_once, _shared_once), strict=True, metadata=named
    )
    spec = record(
        "HierarchySpec",
        {
            **{key: common[key] for key in ("schema", "name", "clock", "bits")},
            "levels": levels,
            **{key: common[key] for key in ("mac", "vector_op", "zeros")},
        },
        {
            **optional,
            "axes": (axes, []),
            "leakage": (energy, None),
            "dataflow": (s.literal_schema(list(DATAFLOWS)), "free"),
        },
    )
    conditions = (_wide_enough, _names_differ, _levels_used, _axes_placed, _array_for_dataflow)
    return checked(spec, *conditions, zeros_make_sense)


def _twice(values: list[str]) -> str | None:
    return next((value for value in values if values.count(value) > 1), None)


def _tensors_once(level: Given) -> None:
    again = _twice(level["keep"] + level["bypass"])
    if again:
        raise problem("bypass", f"{again} is named twice in 'keep' and 'bypass'")
    if set(level["bypass"]) == set(TENSORS):
        raise problem("bypass", f"nobody uses level {show(level['name'])}: all three tensors bypass it")


def _ramp_up_held(level: Given) -> None:
    given = level["ramp_up"]
    if given is None:
        return
    if not any(given.values()):
        raise problem("ramp_up", "says nothing: give a bandwidth of 'weights', of 'inputs', or of both")
    for tensor, rate in given.items():
        if rate and tensor in level["bypass"]:
            raise problem(f"ramp_up.{tensor}", f"{tensor} bypass level {show(level['name'])}")


def _array_for_dataflow(spec: Given) -> None:
    if spec["dataflow"] != "free" and len(spec["axes"]) != 2:
        what = f"{spec['dataflow']} is written for arrays of two axes, columns first and then rows"
        raise problem("dataflow", f"{what}; this one has {len(spec['axes'])}")


def _loops_once(node: Given) -> None:
    again = _twice(node["loops"] or [])
    if again:
        raise problem("loops", f"the dimension {again} is named twice")


def _shared_once(axis: Given) -> None:
    again = _twice(axis["shared"])
    if again:
        raise problem("shared", f"{again} is named twice")


def _word_of_network(axis: Given) -> None:
    if axis["network"] and axis["word_bits"] is None:
        raise problem("network", "an energy per word needs the 'word_bits' of the axis")


def _wide_enough(spec: Given) -> None:
    bits, mac = spec["bits"], spec["mac"]
    operands = max(bits["weights"], bits["activations"])
    if max(mac, default=0) < operands:
        raise problem("mac", f"no MAC is {operands} bit wide, as the native operands are")


def _names_differ(spec: Given) -> None:
    again = _twice([node["name"] for node in spec["levels"] + spec["axes"]])
    if again:
        raise problem("levels", f"two levels or axes have the name {show(again)}")
    if "bypass" in [node["name"] for node in spec["levels"] + spec["axes"]]:
        raise problem("levels", "'bypass' cannot be the name of a level or axis: mappings use the word")


def _levels_used(spec: Given) -> None:
    levels: list[Any] = spec["levels"]
    if len(levels) < 2:
        raise problem("levels", "a hierarchy has two levels or more, the outermost first")
    if levels[0]["name"] != "dram":
        raise problem("levels", f"the first, outermost level is named 'dram', not {show(levels[0]['name'])}")
    for level in levels[1:]:
        if level["device"]:
            raise problem("levels", f"only 'dram' is made of devices, not {show(level['name'])}")
    if levels[0]["bypass"]:
        what = f"{show(levels[0]['name'])} is the last level: nothing can bypass it"
        raise problem("levels", f"{what}, not {levels[0]['bypass'][0]}")


def _axes_placed(spec: Given) -> None:
    names = [level["name"] for level in spec["levels"]]
    for axis in spec["axes"]:
        if axis["below"] not in names:
            hint = near_miss(axis["below"], names) or f" (levels are {', '.join(names)})"
            what = f"axis {show(axis['name'])} lies below the unknown level {show(axis['below'])}{hint}"
            raise problem("axes", what)
