"""Energies of DRAM commands from the currents and timings in DRAMsim3's device files."""

from __future__ import annotations

from energysim.hardware.dram_device import DramDevice
from energysim.hardware.dram_files import load_device
from energysim.reproduce.tables import Result, Table

__all__ = ["dram_commands"]

_DEVICES = ("DDR3_4Gb_x16_1600", "DDR3_8Gb_x8_1600", "DDR4_8Gb_x16_2400", "LPDDR3_8Gb_x32_1600")
_NOTES = (
    "published: derived from the currents by the formulas of DRAMsim3, per device, core only; ours: the "
    "device files of the specification folder. Both rest on the same formulas: this checks the files and "
    "the arithmetic, not silicon",
)


def dram_commands() -> Table:
    """Compute the table."""
    results = []
    for name in _DEVICES:
        results += _of(name, load_device(name.lower()))
    return Table("dram-commands", "DRAM commands (DRAMsim3 devices)", _NOTES, tuple(results))


def _of(name: str, device: DramDevice) -> list[Result]:
    values = {
        "rd": device.read_pj,
        "wr": device.write_pj,
        "act": device.activate_pj,
        "hit": device.read_pj / device.burst_bits,
        "miss": (device.read_pj + device.activate_pj) / device.burst_bits,
    }
    return [Result(f"DRAM-{name}-{key}", value) for key, value in values.items()]
