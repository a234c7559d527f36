"""Rows for people: what a piece of hardware is, and where every constant comes from."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from energysim.hardware.core import Constant, Hardware, MemoryLevel
from energysim.hardware.describe_hierarchy import hierarchy_rows
from energysim.hardware.dram_system import DeviceDram
from energysim.hardware.hierarchy import HierarchyHardware
from energysim.hardware.tables import capacity_text
from energysim.units import engineering

__all__ = ["ConstantRow", "describe_constants", "describe_hardware", "value_text"]


class ConstantRow(NamedTuple):
    """One constant, all as text."""

    path: str
    value: str
    kind: str
    node: str
    source: str
    note: str


def describe_constants(hardware: Hardware) -> list[ConstantRow]:
    """Return a row for every constant, in the order of the specification."""
    return [
        ConstantRow(c.path, value_text(c), c.kind, f"{c.node_nm} nm" if c.node_nm else "", c.source, c.note)
        for c in hardware.constants
    ]


def describe_hardware(hardware: Hardware) -> list[tuple[str, str]]:
    """Return (property, text) rows that say what the hardware is."""
    accesses = hardware.register_accesses
    rows = [
        ("name", hardware.name),
        ("description", hardware.description),
        ("cost model", hardware.cost_model),
        ("node", f"{hardware.node_nm} nm" if hardware.node_nm else "not stated"),
        ("clock", engineering(hardware.clock_hz, "Hz")),
        (
            "native bits",
            f"weights {hardware.weight_bits}, activations {hardware.activation_bits}, "
            f"accumulators {hardware.accumulator_bits}",
        ),
        *_memory_rows(hardware),
        *((f"MAC {bits} bit", value_text(energy)) for bits, energy in hardware.mac),
        *(
            (f"register {bits} bit", f"read {value_text(read)}, write {value_text(write)}")
            for bits, read, write in hardware.register
        ),
    ]
    if hardware.register:
        rows.append(
            (
                "register accesses per MAC",
                f"weight reads {accesses.weight_reads}, input reads {accesses.input_reads}, "
                f"psum reads {accesses.psum_reads}, psum writes {accesses.psum_writes}",
            )
        )
    rows += [("other operation", value_text(hardware.vector_op)), ("zeros", hardware.zero_sentence)]
    rows += [(f"rule {name}", str(value)) for name, value in hardware.rules]
    return [*rows, ("digest", hardware.digest)]


def _memory_rows(hardware: Hardware) -> list[tuple[str, str]]:
    if isinstance(hardware, HierarchyHardware):
        rows = hierarchy_rows(hardware.hierarchy, value_text)
        if not isinstance(hardware.dram, DeviceDram):
            return rows
        known = {name for name, _ in rows}
        return [*rows, *(row for row in _device_rows(hardware.dram) if row[0] not in known)]
    array = hardware.array
    lanes = (
        f"{array.macs_per_cycle} ({array.pixels} pixels x {array.filters} filters, "
        f"{array.products} products per accumulator access)"
    )
    return [("MACs per cycle", lanes), *_level_rows(hardware.dram), *_level_rows(hardware.buffer)]


def value_text(constant: Constant) -> str:
    """Return a value with its unit: energies exactly, capacities in binary units."""
    if constant.unit == "bit":
        return capacity_text(int(constant.value))
    if constant.unit == "Hz":
        return engineering(constant.value, "Hz")
    return f"{_number(constant.value)} {constant.unit}".strip()


def _number(value: Fraction) -> str:
    """Return a fraction as a plain decimal if it is short, else to six digits."""
    if value.denominator == 1:
        return str(value.numerator)
    if 10**6 % value.denominator == 0:
        digits = Decimal(value.numerator * (10**6 // value.denominator)).scaleb(-6)
        return f"{digits.normalize():f}"
    return f"{float(value):.6g}"


def _device_rows(dram: DeviceDram) -> list[tuple[str, str]]:
    system = dram.system
    counts = f"{system.channels} x {system.ranks} x {system.devices_per_rank}"
    bursts, rows = capacity_text(system.burst_bits), capacity_text(system.row_bits)
    energies = (
        f"activate {value_text(dram.activate)}, read burst {value_text(dram.read)}, write burst "
        f"{value_text(dram.write)}"
    )
    found = [
        ("dram", f"{capacity_text(system.capacity_bits)}, {counts} {system.device.name}"),
        ("dram devices", f"{system.device.description} (channels x ranks x devices)"),
        (
            "dram addresses",
            f"{system.mapping}, row policy {system.row_policy}, bursts of {bursts}, rows of {rows}",
        ),
        ("dram energy", energies),
        ("dram background", f"{value_text(dram.standby)} per clock, {value_text(dram.refresh)} per refresh"),
    ]
    if dram.bandwidth:
        found.append(("dram bandwidth", value_text(dram.bandwidth)))
    if system.device.caveat:
        found.append(("dram caveat", system.device.caveat))
    return found


def _level_rows(level: MemoryLevel) -> list[tuple[str, str]]:
    if isinstance(level, DeviceDram):
        return _device_rows(level)
    size = "unbounded" if level.capacity_bits is None else capacity_text(level.capacity_bits)
    buffered = ", double buffered" if level.double_buffered else ""
    speed = value_text(level.bandwidth) if level.bandwidth else "never limits"
    rows = [
        (level.name, f"{size}, words of {level.word_bits} bit{buffered}"),
        (f"{level.name} energy per word", f"read {value_text(level.read)}, write {value_text(level.write)}"),
        (f"{level.name} bandwidth", speed),
    ]
    if level.partitions is not None:
        parts = level.partitions
        rows.append(
            (
                f"{level.name} parts",
                f"weights {capacity_text(parts.weights)}, inputs {capacity_text(parts.inputs)}, "
                f"outputs {capacity_text(parts.outputs)}",
            )
        )
    return rows
