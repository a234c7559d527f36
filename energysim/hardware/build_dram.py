"""Devices side by side become a memory level: each energy a constant with source and formula."""

from __future__ import annotations

from fractions import Fraction

from energysim.hardware.core import Constant
from energysim.hardware.dram_system import DeviceDram, DramSystem

__all__ = ["device_dram"]

_PATH = "levels.dram.device"


def device_dram(
    system: DramSystem, clock_hz: Fraction, bandwidth: Constant | None, *, double: bool = False
) -> DeviceDram:
    """Return the memory level of DRAM devices.

    Parameters
    ----------
    system : DramSystem
    clock_hz : Fraction
        Of the hardware, whose cycles time is counted in.
    bandwidth : Constant or None
        In bits per cycle of that clock; None: what the data lines move.
    double : bool
        Whether the specification calls it double buffered.
    """
    device = system.device
    kind = "assumed" if device.kind == "assumed" else "derived"
    caveat = f"; {device.caveat}" if device.caveat else ""

    def energy(action: str, each: Fraction, count: int, formula: str) -> Constant:
        note = f"{formula}, {count} x {device.name}{caveat}"
        return Constant(each * count, "pJ", device.source, kind, None, note, f"{_PATH}.{action}")

    rank = system.devices_per_rank
    every = rank * system.all_ranks
    clocks = f"{device.burst_clocks} clocks"
    lines = system.channels * rank * device.bits_per_second / clock_hz
    return DeviceDram(
        name="dram",
        capacity_bits=system.capacity_bits,
        word_bits=system.burst_bits,
        read=energy("read", device.read_pj, rank, f"burst from an open row, VDD (IDD4R - IDD3N) {clocks}"),
        write=energy("write", device.write_pj, rank, f"burst to an open row, VDD (IDD4W - IDD3N) {clocks}"),
        bandwidth=bandwidth
        or Constant(
            lines,
            "bit/cycle",
            device.source,
            "derived",
            None,
            f"{system.channels} x {rank} x {device.width_bits} data lines, {device.transfers_per_clock} "
            f"transfers in {float(device.clock_period):g} ns",
            f"{_PATH}.bandwidth",
        ),
        double_buffered=double,
        system=system,
        activate=energy(
            "activate",
            device.activate_pj,
            rank,
            "VDD (IDD0 tRC - IDD3N tRAS - IDD2N tRP), precharge included",
        ),
        refresh=energy(
            "refresh", device.refresh_pj, every, f"VDD (IDD5AB - IDD3N) tRFC, each {device.trefi} clocks"
        ),
        standby=energy("standby", device.standby_pj, every, "VDD IDD3N in each clock, a row open"),
    )
