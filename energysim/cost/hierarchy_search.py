"""The search of mappings onto hierarchies, for the objectives of cost models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from energysim.cost.base import LayerCost
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.errors import CapacityError
from energysim.hardware.core import Constant
from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.mapping import Mapping
from energysim.mapping.hierarchy.prices import Objective, Prices
from energysim.mapping.hierarchy.search import Found, Unsearchable, search_mapping
from energysim.mapping.hierarchy.states import Floats

__all__ = ["best_cost"]


def best_cost(layer: HierarchyLayer) -> LayerCost:
    """Return the cost of the best mapping of a layer, proven.

    Raises
    ------
    Unsearchable
        If the search has no proof for this hardware or layer.
    CapacityError
        If nothing fits.
    """
    _check(layer)
    priced = _Priced(layer)
    found = priced.search(priced.first, whole=priced.plain)
    if found.mapping is not None and priced.plain:
        # Of all mappings that are as good, the one of least energy.
        energy = float(layer.cost(found.mapping).energy_aj)
        second = priced.search(priced.then(found.value), known=(energy, found.mapping))
        found = replace(second, mapping=second.mapping or found.mapping)
    if found.mapping is None:
        raise CapacityError("no mapping fits this layer: its smallest tiles do not, or loops have no place")
    return layer.cost(found.mapping, found.mappings, optimal=True)


def _check(layer: HierarchyLayer) -> None:
    if layer.setting.rules.tiles != "divisors":
        raise Unsearchable("the search of hierarchies needs the rule tiles=divisors")
    if not layer.work.nest.kernel.is_dense and (layer.stored_only or layer.skips):
        raise Unsearchable("the search of hierarchies does not know sparse kernels yet; give a mapping")


@dataclass(frozen=True)
class _Priced:
    """Prices and objective of a layer; the first resource is energy [aJ], the second DRAM bits."""

    layer: HierarchyLayer

    @property
    def hierarchy(self) -> Hierarchy:
        return self.layer.hierarchy

    @cached_property
    def limited(self) -> list[tuple[int, TemporalLevel, str, Constant]]:
        """Places of levels with a bandwidth, what it limits, and the limit."""
        return [
            (place, node, kind, limit)
            for place, node in enumerate(self.hierarchy.nodes)
            if isinstance(node, TemporalLevel)
            for kind in ("bandwidth", "read_bandwidth", "write_bandwidth")
            if (limit := getattr(node, kind)) is not None
        ]

    def bits(self, place: int, tensor: str, action: str) -> float:
        """Bits of an element, as :class:`HierarchyLayer` counts them."""
        layer = self.layer
        if tensor == "outputs":
            return float(layer.setting.accumulator_bits)
        held = layer.weight_bits if tensor == "weights" else Fraction(layer.inputs.width)
        if place == 0 and action == "read":
            if tensor == "inputs":
                held = layer.inputs.bits
            elif layer.second is not None:
                held = held * layer.second.bits / layer.weights.bits
        return float(held)

    @cached_property
    def prices(self) -> Prices:
        limited = self.limited
        found: dict[tuple[str, str, str], tuple[float, ...]] = {}
        for place, node in enumerate(self.hierarchy.nodes):
            for tensor in TENSORS:
                if isinstance(node, SpatialAxis):
                    if node.network is not None:
                        words = self.bits(place, tensor, "transfer") / node.word_bits
                        energy = words * node.network.energy_aj
                        found[node.name, tensor, "transfer"] = (energy, 0.0, *(0.0 for _ in limited))
                    continue
                constants = {"read": node.read, "fill": node.fill, "update": node.update, "drain": node.read}
                for action, constant in constants.items():
                    bits = self.bits(place, tensor, action)
                    loads = []
                    for at, _, kind, _ in limited:
                        reading = action in ("read", "drain")
                        counted = kind == "bandwidth" or reading == (kind == "read_bandwidth")
                        loads.append(bits if at == place and counted else 0.0)
                    outermost = bits if place == 0 else 0.0
                    energy = bits / node.word_bits * constant.energy_aj
                    found[node.name, tensor, action] = (energy, outermost, *loads)
        return Prices(found, (-1, -1, *(place for place, *_ in limited)))

    def search(
        self, objective: Objective, *, whole: bool = False, known: tuple[float, Mapping] | None = None
    ) -> Found:
        """Search with an objective."""
        layer = self.layer
        return search_mapping(
            layer.hierarchy,
            layer.work.nest,
            layer.setting.rules,
            (float(layer.weight_bits), layer.inputs.width, layer.setting.accumulator_bits),
            self.prices,
            objective,
            whole=whole,
            known=known,
            lanes_count=layer.setting.objective in ("delay", "edp") or self.leakage > 0,
        )

    @property
    def plain(self) -> bool:
        """Whether the objective is a whole number that many mappings share: DRAM bits, cycles."""
        return self.layer.setting.objective in ("dram", "delay")

    def cycles(self, cost: Floats, lanes: IntArray) -> Floats:
        """Cycles, whole; a float64 that is a hair above a whole number is that number."""
        longest: Floats = self.timed / lanes
        for number, limit in enumerate(self.limits):
            longest = np.maximum(longest, (cost[:, 2 + number] + self.once[1][number]) / limit)
        return np.ceil(longest * (1 - 1e-12))

    def energy(self, cost: Floats, lanes: IntArray) -> Floats:
        """Energy [aJ]."""
        total = cost[:, 0] + self.once[0]
        return total + self.leakage * self.cycles(cost, lanes) if self.leakage else total

    def first(self, cost: Floats, lanes: IntArray) -> Floats:
        """The objective."""
        wanted = self.layer.setting.objective
        if wanted == "dram":
            return np.ceil(cost[:, 1] * (1 - 1e-12))
        if wanted == "energy":
            return self.energy(cost, lanes)
        if wanted == "delay":
            return self.cycles(cost, lanes)
        return self.energy(cost, lanes) * self.cycles(cost, lanes)

    def then(self, least: float) -> Objective:
        """Energy, of mappings whose objective is least."""

        def value(cost: Floats, lanes: IntArray) -> Floats:
            return np.where(self.first(cost, lanes) <= least + 0.5, self.energy(cost, lanes), np.inf)

        return value

    @cached_property
    def timed(self) -> float:
        """Products that take time."""
        layer = self.layer
        skipping = layer.setting.hardware.activations.compute == "skip"
        return float(layer.work.nest.dense_macs) * float(layer.density if skipping else 1)

    @cached_property
    def limits(self) -> list[float]:
        """Bits per cycle of each level that has a bandwidth."""
        return [float(limit.value) for *_, limit in self.limited]

    @cached_property
    def leakage(self) -> float:
        """Energy per cycle of all memories and multipliers."""
        each = [
            float(node.leakage.energy_aj * self.hierarchy.instances(place))
            for place, node in enumerate(self.hierarchy.nodes)
            if isinstance(node, TemporalLevel) and node.leakage is not None
        ]
        own = self.hierarchy.leakage
        return sum(each) + (float(own.energy_aj * self.hierarchy.lanes) if own else 0.0)

    @cached_property
    def once(self) -> tuple[float, list[float]]:
        """Energy, and bits of each limited level, that come whatever the mapping.

        Finished outputs leave as they are stored, not as accumulators; tables are read once.
        """
        layer, outermost = self.layer, self.hierarchy.levels[0]
        out = layer.work.outputs.elements * float(layer.outputs.bits)
        more = out - layer.work.nest.output_elements * float(layer.setting.accumulator_bits)
        tables = float(layer.weights.table_bits)
        energy = (more * outermost.update.energy_aj + tables * outermost.read.energy_aj) / outermost.word_bits
        mac = layer.setting.hardware.mac_energy(layer.weights.bits, layer.inputs.width)
        energy += float(layer.effective_macs * mac.energy_aj)
        energy += float(layer.work.other_ops * layer.setting.hardware.vector_op.energy_aj)
        bits = []
        for place, _, kind, _ in self.limited:
            read, write = (tables, more) if place == 0 else (0.0, 0.0)
            bits.append({"bandwidth": read + write, "read_bandwidth": read, "write_bandwidth": write}[kind])
        return energy, bits
