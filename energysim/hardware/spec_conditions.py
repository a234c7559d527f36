"""Conditions between the fields of a specification: what no single field can know."""

from __future__ import annotations

from energysim.hardware.spec_blocks import Given, problem
from energysim.hardware.tables import refusal

__all__ = ["energies_given", "format_stored", "formats_known", "sizes_fit", "wide_enough"]


def energies_given(level: Given) -> None:
    """A level has read and write energies: both given, a table for its capacity, or a DRAM device."""
    if level.get("device"):
        for key in ("read", "write", "fill", "update", "energy_table", "capacity", "partitions"):
            if level.get(key):
                what = f"{key!r} is given beside a 'device', which fixes it; give one of them"
                raise problem("device", what)
        return
    for given, other in (("read", "write"), ("write", "read")):
        if level[given] and not level[other]:
            raise problem(given, f"{given!r} is given without {other!r}; give both, or an 'energy_table'")
    table, capacity = level["energy_table"], level["capacity"]
    if level["read"]:
        return
    if table is None:
        other = ", or a 'device'" if "device" in level else ""
        raise problem("", f"no energy: give 'read' and 'write', or an 'energy_table'{other}")
    if capacity is None:
        raise problem("energy_table", "an 'energy_table' needs the 'capacity' to look up")
    sizes = [int(row["capacity"].value) for row in table]
    if len(set(sizes)) < len(sizes):
        raise problem("energy_table", "two rows have the same capacity")
    refused = refusal(int(capacity["value"].value), sizes)
    if refused:
        raise problem("capacity", refused)


def sizes_fit(level: Given) -> None:
    """A word fits the capacity, and so do the parts of a split buffer."""
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


def format_stored(zeros: Given) -> None:
    """A storage format is only named for what is stored compressed."""
    if zeros["format"] is not None and not zeros["stored_compressed"]:
        raise problem("format", "a 'format' is given but 'stored_compressed' is false")


def formats_known(zeros: Given) -> None:
    """Compressed activations name their format; that of weights is their kernel's own."""
    if zeros["activations"]["stored_compressed"] and zeros["activations"]["format"] is None:
        raise problem("activations", "compressed activations need a 'format', such as 'rlc'")


def wide_enough(spec: Given) -> None:
    """The native widths have a MAC, and registers if there are any."""
    bits, mac, registers = spec["bits"], spec["mac"], spec["registers"]
    operands = max(bits["weights"], bits["activations"])
    if max(mac, default=0) < operands:
        raise problem("mac", f"no MAC is {operands} bit wide, as the native operands are")
    widest = max(operands, bits["accumulators"])
    if registers and max(registers) < widest:
        raise problem("registers", f"the widest register has {max(registers)} bit; {widest} are needed")
