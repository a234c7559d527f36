"""What the words of a layer cost on a hierarchy, for the search: energy, DRAM bits, bits of a memory."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from energysim.cost.dram_commands import idle_energy_aj
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.hardware.core import Constant
from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.prices import Prices
from energysim.mapping.hierarchy.states import Floats

__all__ = ["LayerPrices"]

_BANDWIDTHS = ("bandwidth", "read_bandwidth", "write_bandwidth")


@dataclass(frozen=True)
class LayerPrices:
    """Prices of a layer, and what whole mappings cost by them.

    The fewer things are priced, the more partial mappings can be compared.

    Parameters
    ----------
    layer : HierarchyLayer
    energy, dram, times : bool
        What the search has to know: energy, DRAM bits, cycles. Leakage makes energy depend on cycles.
    """

    layer: HierarchyLayer
    energy: bool
    dram: bool
    times: bool

    @property
    def hierarchy(self) -> Hierarchy:
        """The hierarchy of the hardware."""
        return self.layer.hierarchy

    @cached_property
    def timed(self) -> bool:
        """Whether cycles matter."""
        return self.times or (self.energy and self.leakage > 0)

    @cached_property
    def limited(self) -> list[tuple[int, str, Constant]]:
        """Places of levels with a bandwidth or a ramp-up, what it limits, and the limit."""
        return [
            (place, kind, limit)
            for place, node in enumerate(self.hierarchy.nodes)
            if isinstance(node, TemporalLevel) and self.timed
            for kind, limit in _limits(node)
        ]

    def bits(self, place: int, tensor: str, action: str) -> Fraction:
        """Bits of an element, as :class:`HierarchyLayer` counts them."""
        layer = self.layer
        if tensor == "outputs":
            return Fraction(layer.setting.accumulator_bits)
        weights = tensor == "weights"
        held = layer.forms.bits_per_moved(place) if weights else layer.forms.inputs[place].bits
        if place == 0 and action == "read":
            if tensor == "inputs":
                held = layer.inputs.bits
            elif layer.second is not None:
                held = held * layer.second.bits / layer.weights.bits
        return held

    @cached_property
    def prices(self) -> Prices:
        """The price of every word; energy first, then DRAM bits, then limited bits, if wanted."""
        found: dict[tuple[str, str, str], tuple[float, ...]] = {}
        for place, node in enumerate(self.hierarchy.nodes):
            for tensor in TENSORS:
                if isinstance(node, SpatialAxis):
                    if node.network is not None:
                        words = self.bits(place, tensor, "transfer") / node.word_bits
                        energy = float(words * node.network.energy_aj)
                        found[node.name, tensor, "transfer"] = self._row(
                            energy, 0.0, [0.0] * len(self.limited)
                        )
                    continue
                constants = {"read": node.read, "fill": node.fill, "update": node.update, "drain": node.read}
                for action, constant in constants.items():
                    bits = self.bits(place, tensor, action)
                    loads = [
                        float(bits) if at == place and _counts(kind, tensor, action) else 0.0
                        for at, kind, _ in self.limited
                    ]
                    energy = float(bits * constant.energy_aj / node.word_bits)
                    found[node.name, tensor, action] = self._row(
                        energy, float(bits) if place == 0 else 0.0, loads
                    )
        owners = self._row(-1, -1, [place for place, *_ in self.limited])
        return Prices(found, tuple(int(owner) for owner in owners), self.layer.forms.fed())

    def _row(self, energy: float, dram: float, loads: list[float] | list[int]) -> tuple[float, ...]:
        found = (*([energy] if self.energy else []), *([dram] if self.dram else []), *loads)
        return found or (0.0 if energy >= 0 else -1,)

    def cycles(self, cost: Floats, lanes: IntArray) -> Floats:
        """Cycles, whole; a float64 that is a hair above a whole number is that number."""
        longest: Floats = self._products / lanes + self._beside
        before = np.zeros(len(cost))
        first = self.energy + self.dram
        for number, (_, kind, limit) in enumerate(self.limited):
            needed = (cost[:, first + number] + self._once[1][number]) / float(limit.value)
            if kind in _BANDWIDTHS:
                longest = np.maximum(longest, needed)
            else:
                before += needed
        whole: Floats = np.ceil(longest * (1 - 1e-12)) + np.ceil(before * (1 - 1e-12))
        return whole

    def joules(self, cost: Floats, lanes: IntArray) -> Floats:
        """Energy [aJ]."""
        total = cost[:, 0] + self._once[0]
        return total + self.leakage * self.cycles(cost, lanes) if self.leakage else total

    def dram_bits(self, cost: Floats, lanes: IntArray) -> Floats:
        """Bits between DRAM and the chip."""
        return np.ceil((cost[:, int(self.energy)] + sum(self._outermost)) * (1 - 1e-12))

    @cached_property
    def _outermost(self) -> tuple[float, float]:
        """Bits read from and written to DRAM that come whatever the mapping.

        Finished outputs leave as they are stored, not as accumulators; tables are read once.
        """
        layer = self.layer
        out = layer.work.outputs.elements * layer.outputs.bits
        more = out - layer.work.nest.output_elements * layer.setting.accumulator_bits
        return float(layer.weights.table_bits), float(more)

    @cached_property
    def _products(self) -> float:
        """Products that take time."""
        layer = self.layer
        skipping = layer.setting.hardware.activations.compute == "skip"
        nest = layer.work.nest
        products = nest.macs if layer.skips else nest.dense_macs
        return float(products * (layer.density if skipping else 1))

    @cached_property
    def _beside(self) -> float:
        """Cycles that come whatever the mapping."""
        return self.layer.work.extra.float_macs / max(1, self.hierarchy.lanes)

    @cached_property
    def leakage(self) -> float:
        """Energy per cycle of all memories and multipliers, standby of DRAM devices included."""
        each = [
            float(node.leakage.energy_aj * self.hierarchy.instances(place))
            for place, node in enumerate(self.hierarchy.nodes)
            if isinstance(node, TemporalLevel) and node.leakage is not None
        ]
        own = self.hierarchy.leakage
        idle = float(idle_energy_aj(self.layer.setting.hardware))
        return sum(each) + (float(own.energy_aj * self.hierarchy.lanes) if own else 0.0) + idle

    @cached_property
    def _once(self) -> tuple[float, list[float]]:
        """Energy, and bits of each limited level, that come whatever the mapping."""
        layer, outermost = self.layer, self.hierarchy.levels[0]
        tables, more = self._outermost
        energy = (more * outermost.update.energy_aj + tables * outermost.read.energy_aj) / outermost.word_bits
        energy += float(sum(access.energy_aj for access in layer.computed()))
        bits = []
        for place, kind, _ in self.limited:
            read, write = (tables, more) if place == 0 else (0.0, 0.0)
            loads = {"bandwidth": read + write, "read_bandwidth": read, "write_bandwidth": write}
            bits.append({**loads, "weights": read, "inputs": 0.0}[kind])
        return energy, bits


def _limits(level: TemporalLevel) -> list[tuple[str, Constant]]:
    """Bandwidths of a level by kind, and rates of its ramp-up by tensor."""
    bandwidths = [(kind, getattr(level, kind)) for kind in _BANDWIDTHS]
    return [*((kind, limit) for kind, limit in bandwidths if limit is not None), *level.ramp_up]


def _counts(kind: str, tensor: str, action: str) -> bool:
    """Whether a limit of a kind is about an action."""
    if kind not in _BANDWIDTHS:
        return (tensor, action) == (kind, "read")
    return kind == "bandwidth" or (action in ("read", "drain")) == (kind == "read_bandwidth")
