"""DRAM devices by name or file: YAML, all numbers with units, one source for a device."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as s

from energysim.errors import SpecError, UnknownNameError
from energysim.hardware.builder import citation
from energysim.hardware.dram_device import DramDevice
from energysim.hardware.file_text import file_text
from energysim.hardware.problems import problems_of
from energysim.hardware.quantities import CURRENT, TIME, VOLTAGE
from energysim.hardware.spec_blocks import Given, Schema, checked, problem, quantity, record, text, whole
from energysim.hardware.spec_parts import NAME, source_schema
from energysim.hardware.yaml_nodes import plain, spec_error
from energysim.hardware.yaml_reader import read_yaml
from energysim.resources import data_folder
from energysim.units import AJ_PER_PJ

__all__ = ["DEVICE_SCHEMA", "device_names", "load_device"]

DEVICE_SCHEMA = "energysim-dram/1"

_CURRENTS = ("IDD0", "IDD2N", "IDD3N", "IDD4R", "IDD4W", "IDD5AB")
_CLOCKS = ("tRAS", "tRP", "tRFC", "tREFI")
_STEPS = ("activate", "read", "write", "refresh", "standby")


def device_names() -> list[str]:
    """Return the names of the shipped devices, sorted."""
    return sorted(_shipped())


def load_device(name_or_path: str, folder: Path | None = None) -> DramDevice:
    """Return a DRAM device.

    Parameters
    ----------
    name_or_path : str
        A shipped name (``"ddr4_8gb_x16_2400"``) or a YAML file: what contains a slash or ends in
        ``.yaml`` or ``.yml``.
    folder : path, optional
        What relative paths are relative to.

    Raises
    ------
    UnknownNameError
        If no device has this name; offers the nearest one.
    SpecError
        If the file cannot be used; all its errors at once.
    """
    shipped = _shipped()
    if "/" in name_or_path or name_or_path.lower().endswith((".yaml", ".yml")):
        path = (folder or Path()) / name_or_path
    elif name_or_path in shipped:
        path = shipped[name_or_path]
    else:
        raise UnknownNameError("DRAM device", name_or_path, shipped)
    return _read(path)


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in (data_folder("hwspecs") / "dram").glob("*.yaml")}


def _read(path: Path) -> DramDevice:
    tree, problems = read_yaml(file_text(path), str(path))
    if not isinstance(tree.value, dict):
        raise SpecError(f"{path}: a DRAM device is a mapping of keys to values")
    try:
        given: Given = _validator().validate_python(plain(tree))
    except ValidationError as error:
        raise spec_error(problems + problems_of(error, tree, _schema())) from None
    if problems:
        raise spec_error(problems)
    return _device(given)


def _device(given: Given) -> DramDevice:
    currents = {name.lower(): given["currents"][name].value for name in _CURRENTS}
    clocks: Given = {name.lower(): given["clocks"][name] for name in _CLOCKS}
    sizes = ("width_bits", "banks", "rows", "row_words", "burst_length", "transfers_per_clock")
    return DramDevice(
        name=given["name"],
        description=given["description"],
        **{key: given[key] for key in sizes},
        clock_period=given["clock_period"].value,
        **clocks,
        vdd=given["voltage"].value,
        **currents,
        kind=given["kind"],
        source=citation(given["source"]),
        caveat=given["caveat"],
    )


@cache
def _validator() -> SchemaValidator:
    return SchemaValidator(_schema())


@cache
def _schema() -> Schema:
    some: dict[str, Any] = {"width": whole(1, 4096), "most": whole(1, 2**30)}
    spec = record(
        "DramDevice",
        {
            "schema": s.literal_schema([DEVICE_SCHEMA]),
            "name": text(NAME),
            "width_bits": some["width"],
            **dict.fromkeys(("banks", "rows", "row_words"), some["most"]),
            "burst_length": whole(1, 256),
            "transfers_per_clock": whole(1, 64),
            "clock_period": quantity(TIME),
            "clocks": record("Clocks", dict.fromkeys(_CLOCKS, some["most"]), {}),
            "voltage": quantity(VOLTAGE),
            "currents": record("Currents", dict.fromkeys(_CURRENTS, quantity(CURRENT)), {}),
            "kind": s.literal_schema(["measured", "published", "assumed"]),
            "source": source_schema(),
        },
        {"description": (text(), ""), "caveat": (text(), "")},
    )
    return checked(spec, _bursts_in_row, _energies_exact)


def _bursts_in_row(given: Given) -> None:
    if given["row_words"] % given["burst_length"]:
        what = f"a row of {given['row_words']} words is no whole number of bursts of {given['burst_length']}"
        raise problem("row_words", what)


def _energies_exact(given: Given) -> None:
    """No command gives energy back, and each costs whole attojoules."""
    device = _device(given)
    for step in _STEPS:
        energy = getattr(device, f"{step}_pj")
        if energy < 0:
            raise problem(
                "currents", f"the currents give {step} an energy of {float(energy):.6g} pJ, below zero"
            )
        if (energy * AJ_PER_PJ).denominator != 1:
            raise problem("currents", f"{step} costs {energy} pJ, finer than 1 aJ: give fewer decimals")
