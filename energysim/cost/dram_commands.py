"""Rows of the DRAM where it is made of devices: bursts, activations, standby and refresh.

A row of what is read or written keeps its elements; its bits become those of whole bursts, what is
not wanted of them included, and its energy that of the bursts. A row ``activate`` stands beside it.
Standby with a row open goes on in every clock of the layer, and a refresh of all ranks is due every
tREFI; both are counted for the cycles of the layer, refreshes as a fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

from energysim.cost.base import Access, LayerCost, Setting
from energysim.cost.bound import StoredLayer
from energysim.cost.layer_counts import LayerCounts
from energysim.hardware import Hardware
from energysim.hardware.dram_system import DeviceDram
from energysim.mapping import Fetches, Tiling
from energysim.mapping.dram_places import DramTensors
from energysim.mapping.dram_stream import Commands, commands
from energysim.mapping.dram_transfer import DramSizes
from energysim.units import ceil_div, ceil_fraction
from energysim.workload import Operand

__all__ = [
    "commanded",
    "device_dram",
    "device_value",
    "dram_sizes",
    "dram_tensors",
    "gap_of",
    "idle_energy_aj",
    "idle_rows",
    "streamed",
    "tiled",
]


def device_dram(hardware: Hardware) -> DeviceDram | None:
    """Return the DRAM of a piece of hardware if it is made of devices."""
    return hardware.dram if isinstance(hardware.dram, DeviceDram) else None


def tiled(
    layer: LayerCounts, tiling: Tiling, moved: Fetches, accesses: Iterable[Access]
) -> tuple[Access, ...]:
    """Return the accesses of a mapping with those of DRAM as commands.

    Raises
    ------
    CapacityError
        If the DRAM does not hold the tensors of the layer.
    """
    hardware, nest = layer.setting.hardware, layer.work.nest
    dram = device_dram(hardware)
    assert dram is not None
    found = commands(nest, tiling, layer.setting.rules, dram_tensors(layer), dram_sizes(dram))
    if layer.inputs.in_dram and found.input_elements != moved.input_elements:
        raise AssertionError(f"addresses and evaluator disagree on {tiling}: {found.input_elements}, {moved}")
    return commanded(dram, layer.right, found, accesses)


def commanded(
    dram: DeviceDram, right: str, found: Commands, accesses: Iterable[Access]
) -> tuple[Access, ...]:
    """Return accesses with those of DRAM as the commands of a mapping.

    Parameters
    ----------
    dram : DeviceDram
    right : str
        Name of the tensor in the place of the weights.
    found : Commands
    accesses : iterable of Access
    """
    names = {"right": right, "sums": "partial_sums"}
    of = {(names.get(what, what), action): (what, action) for what, action in found.bursts}

    def counted(access: Access) -> tuple[int, int]:
        key = of.get((access.tensor, access.action))
        if key is None:  # a tensor beside the loop nest, read through once
            return _in_order(access, dram)
        return found.bursts[key], found.activations[key]

    return _rows(accesses, dram, counted)


def streamed(accesses: Iterable[Access], dram: DeviceDram) -> tuple[Access, ...]:
    """Return the accesses of a layer that reads and writes each tensor through once.

    Each tensor begins a row and stays in order; those that pass at the same time lie in different banks
    (assumed).
    """
    return _rows(accesses, dram, lambda access: _in_order(access, dram))


def idle_rows(hardware: Hardware, cycles: int) -> tuple[Access, ...]:
    """Return standby and refresh in so many cycles of the hardware."""
    dram = device_dram(hardware)
    if dram is None or not cycles:
        return ()
    device = dram.system.device
    clocks = Fraction(cycles) / hardware.clock_hz * 10**9 / device.clock_period
    return tuple(
        Access(
            "dram",
            "",
            action,
            ceil_fraction(count),
            0,
            ceil_fraction(count * energy.energy_aj),
            energy.path,
        )
        for action, count, energy in (
            ("background", clocks, dram.standby),
            ("refresh", clocks / device.trefi, dram.refresh),
        )
    )


def idle_energy_aj(hardware: Hardware) -> Fraction:
    """Return the energy of standby and refresh in a cycle of the hardware [aJ]; else 0."""
    dram = device_dram(hardware)
    if dram is None:
        return Fraction(0)
    device = dram.system.device
    clocks = 10**9 / hardware.clock_hz / device.clock_period
    return clocks * (dram.standby.energy_aj + Fraction(dram.refresh.energy_aj) / device.trefi)


def device_value(cost: LayerCost, objective: str) -> tuple[int, int, int]:
    """Return what an objective is worth where DRAM is made of devices, and what decides among equals."""
    moved = sum(access.bits for access in cost.accesses if access.level == "dram")
    energy, cycles = cost.energy_aj, cost.cycles
    return {
        "energy": (energy, moved, cycles),
        "dram": (moved, energy, cycles),
        "delay": (cycles, energy, moved),
        "edp": (energy * cycles, energy, moved),
    }[objective]


def gap_of(cost: LayerCost, setting: Setting, compute_cycles: int, least: int) -> Fraction:
    """Return the share of the objective that a better mapping could save at most.

    Mappings are searched with the price of bursts from open rows for each bit that is wanted. No mapping
    costs less than that, as activations, the rest of the bursts and standby come on top; so the least
    of it is a bound for all.

    Parameters
    ----------
    cost : LayerCost
    setting : Setting
    compute_cycles : int
        Cycles of the multipliers, whatever the mapping.
    least : int
        The least value that the search found.
    """
    hardware, dram = setting.hardware, device_dram(setting.hardware)
    assert dram is not None
    cycles = compute_cycles
    if dram.bandwidth is not None:
        cycles = max(cycles, ceil_fraction(cost.dram_bound_bits / dram.bandwidth.value))
    idle = sum(access.energy_aj for access in idle_rows(hardware, cycles))
    value = device_value(cost, setting.objective)[0]
    bound = least + {"energy": idle, "edp": idle * cycles}.get(setting.objective, 0)
    return 1 - Fraction(bound, value) if value else Fraction(0)


def _in_order(access: Access, dram: DeviceDram) -> tuple[int, int]:
    """Bursts and activations of a tensor that is read or written from its first bit to its last."""
    return ceil_div(access.bits, dram.system.burst_bits), ceil_div(access.bits, dram.system.row_bits)


def _rows(
    accesses: Iterable[Access], dram: DeviceDram, counted: Callable[[Access], tuple[int, int]]
) -> tuple[Access, ...]:
    """Accesses with those of DRAM as bursts, and behind them the activations of each tensor."""
    rows: list[Access] = []
    opened: dict[str, int] = {}
    for access in accesses:
        if access.level != "dram":
            rows.append(access)
            continue
        bursts, activations = counted(access)
        energy = dram.write if access.action == "write" else dram.read
        opened[access.tensor] = opened.get(access.tensor, 0) + activations
        bits, joules = bursts * dram.system.burst_bits, bursts * energy.energy_aj
        rows.append(replace(access, bits=bits, energy_aj=joules, constant=energy.path))
    opening = dram.activate
    for tensor, count in opened.items():
        joules = count * opening.energy_aj
        rows.append(Access("dram", tensor, "activate", count, 0, joules, opening.path))
    return tuple(rows)


def dram_sizes(dram: DeviceDram) -> DramSizes:
    """Return what of a DRAM matters to a stream of addresses."""
    system = dram.system
    return DramSizes(
        system.burst_bits,
        system.row_bits,
        system.banks,
        system.device.rows,
        system.mapping == "row:bank:column",
    )


def dram_tensors(layer: StoredLayer) -> DramTensors:
    """Return how the tensors of a layer are stored in DRAM."""
    work, nest = layer.work, layer.work.nest
    second = layer.second
    flat = nest.cols.inputs == nest.cols.outputs == 1

    def last(operand: Operand, channels: int, rows: int) -> bool:
        """Whether a tensor of one column has its channels behind its rows."""
        return flat and operand.shape != (nest.batch, nest.groups * channels, rows, 1)

    return DramTensors(
        tables=layer.weights.table_bits if second is None else 0,
        weights=layer.weights.fetched[1] if second is None else 0,
        second=Fraction(second.bits) if second is not None and second.in_dram else None,
        inputs=Fraction(layer.inputs.bits) if layer.inputs.in_dram else None,
        outputs=Fraction(layer.outputs.bits) if layer.outputs.in_dram else None,
        written=work.outputs.elements,
        sums=layer.setting.accumulator_bits,
        inputs_last=last(work.inputs, nest.channels, nest.rows.inputs),
        outputs_last=last(work.outputs, nest.filters, nest.rows.outputs),
    )
