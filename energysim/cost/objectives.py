"""What the mapping search minimises, as bounds in float64 and as exact integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from energysim.cost.base import transfer_times
from energysim.cost.flows import Flow
from energysim.cost.layer_counts import LayerCounts
from energysim.mapping import Fetches, Goal
from energysim.mapping.space import Floats
from energysim.units import ceil_div

__all__ = ["Linear", "goal"]


class Linear:
    """A cost that is linear in what a mapping fetches: flows, each with a price per bit.

    Without the rounding up of each row, so never above the exact cost (but for float64's error).
    """

    def __init__(self, fixed: float, priced: Iterable[tuple[Flow, float]]) -> None:
        self.once, self.per_pass, self.per_input, self.per_spill = fixed, 0.0, 0.0, 0.0
        for flow, price in priced:
            once, per_pass, per_input, per_spill = flow.bits
            self.once += price * once
            self.per_pass += price * per_pass
            self.per_input += price * per_input
            self.per_spill += price * per_spill

    def __call__(self, passes: Floats, inputs: Floats, visits: Floats) -> Floats:
        value = self.per_input * inputs + (self.once + self.per_pass * passes)
        return value + self.per_spill * (visits - 1)


def goal(layer: LayerCounts, moving: tuple[Flow, ...]) -> Goal:
    """Return the objective of the layer's setting."""
    hw, fixed = layer.setting.hardware, layer.accesses
    fixed_energy = sum(access.energy_aj for access in fixed)
    energy = Linear(fixed_energy, [(f, f.energy.energy_aj / f.level.word_bits) for f in moving])
    dram = Linear(0, [(f, 1.0) for f in moving if f.level is hw.dram])
    transfers = []
    for level in (hw.dram, hw.buffer):
        if level.bandwidth is not None:
            each = float(1 / level.bandwidth.value)
            already = sum(access.bits for access in fixed if access.level == level.name)
            transfers.append(Linear(already * each, [(f, each) for f in moving if f.level is level]))

    def delay(passes: Floats, inputs: Floats, visits: Floats) -> Floats:
        longest: Floats = np.full(np.broadcast(passes, inputs, visits).shape, float(layer.compute_cycles))
        for transfer in transfers:
            longest = np.maximum(longest, transfer(passes, inputs, visits))
        return longest

    def edp(passes: Floats, inputs: Floats, visits: Floats) -> Floats:
        return delay(passes, inputs, visits) * energy(passes, inputs, visits)

    def exact(moved: Fetches) -> tuple[int, ...]:
        rows = [flow.at(moved) for flow in moving]
        joules = fixed_energy + sum(access.energy_aj for access in rows)
        bits = sum(access.bits for access in rows if access.level == "dram")
        times = transfer_times(hw, [*fixed, *rows])
        made = sum(access.elements for access in rows if access.action == "expand")
        compute = layer.compute_cycles + ceil_div(made, hw.array.macs_per_cycle)
        cycles = max([compute, *(cycles for _, cycles in times)])
        return {
            "energy": (joules, bits, cycles),
            "dram": (bits, joules, cycles),
            "delay": (cycles, joules, bits),
            "edp": (joules * cycles, joules, bits),
        }[layer.setting.objective]

    bounds: dict[str, Callable[[Floats, Floats, Floats], Floats]]
    bounds = {"energy": energy, "dram": dram, "delay": delay, "edp": edp}
    return Goal(bounds[layer.setting.objective], exact)
