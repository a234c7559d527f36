"""The cost model ``two-level``: DRAM, one buffer, an array of multipliers. Checkable by hand.

Three parts: what the array does (:mod:`energysim.cost.layer_counts`), what passes between DRAM and
the buffer (:mod:`energysim.cost.flows`), and the mapping that decides how much that is
(:mod:`energysim.mapping`). The time of a layer is the largest of compute, DRAM transfer and buffer
transfer. DRAM that is made of devices is charged by its commands (:mod:`energysim.cost.dram_commands`).
Rules may ask for a larger space of mappings than even tiles (:mod:`energysim.mapping.larger`).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from energysim.cost.alike import alike_along
from energysim.cost.base import LayerCost, Setting, transfer_times
from energysim.cost.bound import compulsory_and_bound
from energysim.cost.dram_commands import device_dram, device_value, gap_of, idle_rows, tiled
from energysim.cost.flows import flows
from energysim.cost.layer_counts import LayerCounts
from energysim.cost.objectives import goal
from energysim.cost.streams import evaluate_stream
from energysim.errors import CapacityError, UsageError
from energysim.mapping import (
    Choice,
    Fetches,
    Goal,
    PartTiling,
    Room,
    Schedule,
    Tiling,
    is_larger,
    moved_by,
    search,
    search_larger,
    taken_by,
)
from energysim.units import ceil_div
from energysim.workload import MacWorkload, Workload

__all__ = ["TwoLevel", "evaluate_tiling"]

Needs = tuple[int, int, int]


class TwoLevel:
    """DRAM + one buffer + an array: the whole space of tilings is searched."""

    description = "DRAM, one buffer, a multiplier array; proven-best tiling, checkable by hand"

    def evaluate(self, segment: tuple[Workload, ...], setting: Setting) -> tuple[LayerCost, ...]:
        """Return the cost of each workload; see :class:`energysim.cost.base.CostModel`."""
        return tuple(
            _best(work, setting) if isinstance(work, MacWorkload) else evaluate_stream(work, setting)
            for work in segment
        )


def evaluate_tiling(work: MacWorkload, setting: Setting, tiling: Schedule) -> LayerCost:
    """Return the cost of one explicit mapping, of tiles of any size, of parts, or a sweep.

    Raises
    ------
    ValueError
        If the tiling is none of this loop nest.
    CapacityError
        If its tiles do not fit the buffer.
    UsageError
        If it keeps a part of weights that are not all stored alike, or DRAM is made of devices and it is
        no plain tiling.
    """
    layer = LayerCounts(work, setting)
    if not isinstance(tiling, Tiling):
        _refuse_devices(setting)
        unit = tiling.unit if isinstance(tiling, PartTiling) and tiling.tensor == "weights" else ""
        if unit not in alike_along(layer):
            raise UsageError(f"{tiling}: along {unit} not all weights take the same number of bits")
    moved = moved_by(work.nest, tiling, setting.rules)
    needs = taken_by(work.nest, tiling, setting.rules, _room(layer))
    if not _room(layer).holds(needs):
        raise CapacityError(f"{tiling} does not fit: {_shortage(setting, needs)}")
    return _cost(layer, tiling, moved, 1, optimal=False)


def _best(work: MacWorkload, setting: Setting) -> LayerCost:
    layer = LayerCounts(work, setting)
    wanted = goal(layer, flows(layer))
    if is_larger(setting.rules):
        return _best_of_larger(layer, wanted)
    choice = search(work.nest, setting.rules, _room(layer), wanted)
    if choice.smallest is not None:
        raise CapacityError(f"no tile fits: {_shortage(setting, choice.smallest)}")
    assert choice.tiling is not None and choice.moved is not None
    if device_dram(setting.hardware) is not None:
        return _best_with_devices(layer, wanted, choice)
    return _cost(layer, choice.tiling, choice.moved, choice.mappings, optimal=True)


def _best_of_larger(layer: LayerCounts, wanted: Goal) -> LayerCost:
    """The best of the larger space that the rules ask for."""
    setting = layer.setting
    _refuse_devices(setting)
    choice = search_larger(layer.work.nest, setting.rules, _room(layer), wanted, alike_along(layer))
    if choice.smallest is not None:
        raise CapacityError(f"no tile fits: {_shortage(setting, choice.smallest)}")
    assert choice.schedule is not None and choice.moved is not None
    return _cost(layer, choice.schedule, choice.moved, choice.mappings, optimal=True)


def _refuse_devices(setting: Setting) -> None:
    if device_dram(setting.hardware) is not None:
        raise UsageError(
            "rules 'residence=uneven' and 'overlap=both-axes' need DRAM with a price per bit: in which order "
            f"their mappings send addresses to the devices of {setting.hardware.name!r} is not known"
        )


def _best_with_devices(layer: LayerCounts, wanted: Goal, choice: Choice) -> LayerCost:
    """The least in DRAM commands of three mappings that are each the best by price per bit.

    One of the whole space, one of tiles with whole image rows, one of tiles with whole images: the
    longer the runs of addresses, the fewer the bursts that are moved in part.
    """
    work, setting = layer.work, layer.setting
    assert choice.moved is not None
    more = (search(work.nest, setting.rules, _room(layer), wanted, whole) for whole in ("Q", "PQ"))
    found = dict.fromkeys((option.tiling, option.moved) for option in (choice, *more))
    costs = [
        _cost(layer, tiling, moved, choice.mappings, optimal=False)
        for tiling, moved in found
        if tiling is not None and moved is not None
    ]
    best = min(costs, key=lambda cost: device_value(cost, setting.objective))
    least, then, *_ = wanted.exact(choice.moved)
    gap = gap_of(best, setting, layer.compute_cycles, least)
    optimal = not gap
    if optimal and setting.objective in ("dram", "delay") and best.energy_aj:
        # Those as good are as good by price as well, so the least energy by price holds for them.
        gap = max(Fraction(0), 1 - Fraction(then, best.energy_aj))
    return replace(best, optimal=optimal, gap=gap)


def _room(layer: LayerCounts) -> Room:
    """What must fit into the buffer."""
    buffer = layer.setting.hardware.buffer
    parts = buffer.partitions
    return Room(
        buffer.capacity_bits,
        None if parts is None else (parts.weights, parts.inputs, parts.outputs),
        layer.held.table_bits,
        layer.held.tile_bits,
        layer.inputs.width,
        layer.setting.accumulator_bits,
        layer.held.tile_range,
        layer.held_inputs.room if layer.held_inputs.format else None,
    )


def _cost(layer: LayerCounts, tiling: Schedule, moved: Fetches, mappings: int, optimal: bool) -> LayerCost:
    nest, work, stored = layer.work.nest, layer.work, layer.weights.size
    rows = (flow.at(moved) for flow in flows(layer))
    accesses = layer.accesses + tuple(row for row in rows if row.elements or row.bits)
    if isinstance(tiling, Tiling) and device_dram(layer.setting.hardware) is not None:
        accesses = tiled(layer, tiling, moved, accesses)
    expansion = sum(access.elements for access in accesses if access.action == "expand")
    compute = layer.compute_cycles + ceil_div(expansion, layer.setting.hardware.array.macs_per_cycle)
    times = (("compute", compute), *transfer_times(layer.setting.hardware, accesses))
    cycles = max(cycles for _, cycles in times)
    second = work.second
    compulsory, bound = compulsory_and_bound(layer, _capacity_bits(layer.setting))
    return LayerCost(
        dense_macs=nest.dense_macs,
        macs=nest.macs + work.extra.float_macs,
        effective_macs=layer.effective_macs + work.extra.float_macs,
        other_ops=work.other_ops,
        weight_bits=stored.value_bits if second is None else 0,
        side_bits=stored.side_bits if second is None else 0,
        accesses=(*accesses, *idle_rows(layer.setting.hardware, cycles)),
        cycles=cycles,
        times=times,
        utilisation=layer.utilisation,
        compulsory_bits=compulsory,
        dram_bound_bits=bound,
        mapping=str(tiling),
        mappings=mappings,
        optimal=optimal,
        float_macs=work.extra.float_macs,
        additions=nest.macs if work.extra.additions else 0,
        gathers=work.extra.gathers,
        expansion_macs=expansion or layer.weights.expansion_macs,
        load_bits=layer.weights.load_bits,
    )


def _capacity_bits(setting: Setting) -> int | None:
    """All the memory on the chip: the buffer, or its parts."""
    buffer = setting.hardware.buffer
    parts = buffer.partitions
    return buffer.capacity_bits if parts is None else parts.weights + parts.inputs + parts.outputs


def _shortage(setting: Setting, needs: Needs) -> str:
    """What is needed, and the smallest capacity that would do."""
    buffer, names = setting.hardware.buffer, ("weights", "inputs", "outputs")
    parts = buffer.partitions
    if parts is None:
        shown = ", ".join(f"{name} {bits}" for name, bits in zip(names, needs, strict=True))
        return (
            f"{sum(needs)} bit are needed ({shown}) and the buffer has {buffer.capacity_bits}; "
            f"a buffer of {ceil_div(sum(needs), 8)} B would do"
        )
    have = (parts.weights, parts.inputs, parts.outputs)
    return "; ".join(
        f"{name} need {bits} bit and their part of the buffer has {part}; {ceil_div(bits, 8)} B would do"
        for name, bits, part in zip(names, needs, have, strict=True)
        if bits > part
    )
