"""The best mapping of a layer onto a hierarchy, for the objectives of cost models.

Two passes where the objective is a whole number that many mappings share (DRAM bits, cycles): the
least of it first, then the least energy among those. What comes within 1e-12 of the best is
counted exactly and compared as whole numbers; of equal ones the mapping that is first in the
alphabet is taken.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import ceil, inf, prod
from typing import NoReturn

import numpy as np

from energysim.cost.base import LayerCost
from energysim.cost.dram_commands import device_dram
from energysim.cost.hierarchy_dram import best_in_commands
from energysim.cost.hierarchy_imperfect import clipped, larger, roomy
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.cost.hierarchy_prices import LayerPrices
from energysim.errors import CapacityError
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.capacity import nothing_fits
from energysim.mapping.hierarchy.mapping import Mapping, MappingError, parse_mapping
from energysim.mapping.hierarchy.prices import Objective
from energysim.mapping.hierarchy.problem import Work
from energysim.mapping.hierarchy.search import Found, least_value, search_mapping
from energysim.mapping.hierarchy.space import all_mappings, space_size
from energysim.mapping.hierarchy.states import Floats
from energysim.workload import LoopNest

__all__ = ["best_cost"]

#: Steps for a layer if no time is given: less than two seconds on a processor of 2023.
_WORK = 9_000_000
#: Share of it for the least DRAM bits or cycles; what is left is for the least energy among equals.
_FIRST = 0.75
#: The evaluator rounds each row up to a whole number: no more rows than that.
_ROUNDED = 200
#: Within this they agree.
_NEAR = 1e-9
#: Where zeros are skipped: spaces that are counted one by one; how far off the best by the bound, and
#: how many, mappings of larger ones are counted.
_ONE_BY_ONE, _SLACK, _COUNTED = 2000, 1.02, 50


def best_cost(layer: HierarchyLayer, seconds: float | None = None, parts: int = 1) -> LayerCost:
    """Return the cost of the best mapping of a layer, proven.

    Parameters
    ----------
    layer : HierarchyLayer
    seconds : float, optional
        Time after which the best mapping known is taken, with how much a better one could save. By
        default that is done after so much work, which is the same on any machine.
    parts : int
        Searches that share the time, or the work, of a layer.

    Raises
    ------
    Unsearchable
        If the search has no proof for this hardware or layer.
    CapacityError
        If nothing fits; says the smallest capacity that would do.
    """
    deadline = None if seconds is None else time.monotonic() + seconds / parts
    work = Work(_WORK // parts if seconds is None else inf)

    def by_price(layer: HierarchyLayer) -> LayerCost:
        return _Search(layer, deadline, work).best()

    if device_dram(layer.setting.hardware) is None:
        return by_price(layer)
    return best_in_commands(layer, by_price)


@dataclass(frozen=True)
class _Search:
    """The search for one layer."""

    layer: HierarchyLayer
    deadline: float | None
    work: Work

    @property
    def wanted(self) -> str:
        """The objective's name."""
        return self.layer.setting.objective

    @cached_property
    def prices(self) -> LayerPrices:
        """What the objective has to know."""
        wanted = self.wanted
        return LayerPrices(
            self.layer,
            energy=wanted in ("energy", "edp"),
            dram=wanted == "dram",
            times=wanted in ("delay", "edp"),
        )

    @property
    def whole(self) -> bool:
        """Whether the objective is a whole number that many mappings share."""
        return self.wanted in ("dram", "delay")

    def best(self) -> LayerCost:
        """The cost of the best mapping."""
        if self.layer.waits or (self.layer.skips and not self.layer.work.nest.kernel.is_dense):
            return self._skipping()
        return self._imperfect() if self.imperfect else self._perfect()

    @property
    def imperfect(self) -> bool:
        """Whether the outermost loops may end with a smaller tile."""
        return self.layer.setting.rules.tiles == "all"

    def _perfect(self) -> LayerCost:
        part = self._part(_FIRST) if self.whole else self
        found = part._searched(self.prices, self._objective(self.prices))
        self.work.done = part.work.done
        if not found.ties:
            self._nothing(found)
        cost, pruned = self._exact(found, self.wanted), found.pruned
        bound = float(cost.dram_bound_bits) if self.wanted == "dram" else 0.0
        gap = _gap(max(found.least, bound), found.value)
        if self.whole and not gap:
            both = replace(self.prices, energy=True)
            first = self._objective(both)

            def energy(values: Floats, lanes: IntArray) -> Floats:
                return np.where(first(values, lanes) <= found.value + 0.5, both.joules(values, lanes), np.inf)

            second = self._searched(both, energy, (float(cost.energy_aj), parse_mapping(cost.mapping)))
            cost, pruned = self._exact(second, "energy"), pruned + second.pruned
            cost = replace(cost, optimal=True, gap=_gap(second.least, second.value))
        else:
            cost = replace(cost, optimal=not gap, gap=gap)
        return replace(cost, mappings=found.mappings, searched=tuple(vars(pruned).items()))

    def _part(self, share: float) -> _Search:
        """A search that may take a share of what is left of the work and of the time."""
        now, work = time.monotonic(), self.work
        deadline = None if self.deadline is None else now + share * (self.deadline - now)
        return replace(self, deadline=deadline, work=Work(work.done + share * work.left, work.done))

    def _skipping(self) -> LayerCost:
        """The best mapping where the zeros of weights are skipped, or lanes wait that skip those of inputs.

        How many words and cycles that saves depends on where the weights are, and on who waits for
        whom. A small space is counted one by one. Of a larger one the search gives a bound, as if every
        word served and every cycle used all lanes it can, and the mappings that are best by it are counted.
        """
        if self.size <= _ONE_BY_ONE:
            return self._one_by_one()
        found = self._searched(self.prices, self._objective(self.prices), slack=_SLACK)
        if not found.ties:
            self._nothing(found)
        costs = list(self._fitting(found.ties[:_COUNTED]))
        best = min(costs, key=lambda cost: (*self._key(cost), cost.mapping))
        # A filter without any weight is written all the same: what its sums save by starting at zero
        # may then be more than all products cost, and the search counts on products that cost something.
        least = (
            found.least
            if self.layer.work.nest.kernel.mask().any(axis=(1, 2, 3)).all()
            else self._certain(best, self.wanted)
        )
        best = self._proven(best, least)
        return replace(best, mappings=self.size, searched=tuple(vars(found.pruned).items()))

    @cached_property
    def size(self) -> int:
        """Mappings in the space."""
        return space_size(self.layer.hierarchy, self.layer.work.nest, imperfect=self.imperfect)

    def _one_by_one(self) -> LayerCost:
        """The best of all mappings of the space, each counted."""
        layer = self.layer
        every = all_mappings(layer.hierarchy, layer.work.nest, imperfect=self.imperfect)
        costs = list(self._fitting(every))
        if not costs:
            self._nothing(None)
        best = min(costs, key=lambda cost: (*self._key(cost), cost.mapping))
        return replace(best, mappings=self.size, optimal=True, searched=(("made", len(costs)),))

    def _imperfect(self) -> LayerCost:
        """The best of a small imperfect space; a good mapping of a larger one, with a gap."""
        if self.size <= _ONE_BY_ONE:
            return self._one_by_one()
        layer, objective = self.layer, self._objective(self.prices)
        costs = []
        with suppress(CapacityError):
            costs.append(self._perfect())
        for nest in larger(layer.work.nest):
            found = self._searched(self.prices, objective, nest=nest)
            mappings = (clipped(mapping, layer.hierarchy, layer.work.nest) for mapping in found.ties)
            costs += self._fitting(mapping for mapping in mappings if mapping is not None)
        if not costs:
            self._nothing(None)
        best = min(costs, key=lambda cost: (*self._key(cost), cost.mapping))
        return replace(self._proven(best, self._least(best)), mappings=self.size)

    def _proven(self, cost: LayerCost, least: float) -> LayerCost:
        """The cost with a proof or a gap, if no mapping stays below a value."""
        value = _number(cost, self.wanted)
        if least * (1 + _NEAR) < value:
            return replace(cost, optimal=False, gap=_gap(least, value))
        equals = _gap(self._certain(cost, "energy"), cost.energy_aj) if self.whole else Fraction(0)
        return replace(cost, optimal=True, gap=equals)

    def _least(self, cost: LayerCost) -> float:
        """What no mapping stays below, if every tile fitted; but DRAM traffic is bounded by what fits."""
        layer = self.layer
        if self.wanted == "dram":
            return float(cost.dram_bound_bits)
        surplus = cost.dram_bound_bits - cost.compulsory_bits
        more = surplus * self._cheapest_bit if self.wanted == "energy" else 0.0
        return more + least_value(
            roomy(layer.hierarchy),
            layer.work.nest,
            replace(layer.setting.rules, padding="skipped", untouched="skipped", overlap="one-axis"),
            layer.held_bits,
            self.prices.prices,
            self._objective(self.prices),
            stored_only=layer.stored_only,
            products=layer.work.nest.macs if layer.skips else None,
            held=layer.forms.held,
        )

    @property
    def _cheapest_bit(self) -> float:
        """The least energy of a bit that is moved to or from DRAM."""
        dram = self.layer.hierarchy.levels[0]
        return min(dram.read.energy_aj, dram.update.energy_aj) / dram.word_bits

    def _certain(self, cost: LayerCost, objective: str) -> float:
        """What no mapping stays below on any hierarchy: multiplications and the bound of DRAM traffic."""
        if objective == "dram":
            return float(cost.dram_bound_bits)
        made = sum(access.energy_aj for access in cost.accesses if access.level == "mac")
        energy = made + cost.dram_bound_bits * self._cheapest_bit
        lanes = prod(axis.size for axis in self.layer.hierarchy.axes)
        cycles = self.layer.effective_macs / lanes
        return {"energy": energy, "delay": cycles, "edp": energy * cycles}[objective]

    def _fitting(self, mappings: Iterable[Mapping]) -> Iterator[LayerCost]:
        for mapping in mappings:
            with suppress(MappingError):
                yield self.layer.cost(mapping)

    def _objective(self, prices: LayerPrices) -> Objective:
        if self.wanted == "edp":
            return lambda cost, lanes: prices.joules(cost, lanes) * prices.cycles(cost, lanes)
        return {"energy": prices.joules, "dram": prices.dram_bits, "delay": prices.cycles}[self.wanted]

    def _searched(
        self,
        prices: LayerPrices,
        objective: Objective,
        known: tuple[float, Mapping] | None = None,
        slack: float = 1.0,
        nest: LoopNest | None = None,
    ) -> Found:
        layer = self.layer
        return search_mapping(
            layer.hierarchy,
            layer.work.nest if nest is None else nest,
            layer.setting.rules,
            layer.held_bits,
            prices.prices,
            objective,
            whole=self.whole and known is None and slack == 1,
            known=known,
            lanes_count=prices.timed,
            stored_only=layer.stored_only,
            products=layer.work.nest.macs if layer.skips else None,
            slack=slack,
            deadline=self.deadline,
            work=self.work,
            held=layer.forms.held,
        )

    def _exact(self, found: Found, value: str) -> LayerCost:
        """Of mappings that are as good in float64, the best in whole numbers, counted one by one."""
        costs = []
        for mapping in found.ties:
            try:
                cost = self.layer.cost(mapping)
            except MappingError as error:
                raise RuntimeError(f"the search found a mapping that is none: {mapping}: {error}") from error
            exact = _number(cost, value)
            room = _ROUNDED * (cost.cycles if value == "edp" else 1)
            if abs(exact - found.value) > _NEAR * exact + room:
                raise RuntimeError(f"the search found {found.value} for {mapping}, but it is {exact}")
            costs.append(cost)
        return min(costs, key=lambda cost: (*self._key(cost), cost.mapping))

    def _key(self, cost: LayerCost) -> tuple[int, ...]:
        return _number(cost, self.wanted), cost.energy_aj

    def _nothing(self, found: Found | None) -> NoReturn:
        if found is not None and found.least < np.inf:
            raise CapacityError("no mapping was found in the time given: the search needs more seconds")
        layer = self.layer
        raise CapacityError(
            nothing_fits(
                layer.hierarchy,
                layer.work.nest,
                layer.setting.rules,
                layer.held_bits,
                layer.stored_only,
                layer.forms.held,
            )
        )


def _number(cost: LayerCost, objective: str) -> int:
    """The objective of a mapping that has been counted."""
    if objective == "dram":
        return sum(access.bits for access in cost.accesses if access.level == "dram")
    return {
        "energy": cost.energy_aj,
        "delay": cost.cycles,
        "edp": cost.energy_aj * cost.cycles,
    }[objective]


def _gap(least: float, value: float) -> Fraction:
    """The share of the objective that a better mapping could save at most, rounded up to a millionth."""
    if least >= value:
        return Fraction(0)
    return Fraction(ceil((1 - max(least, 0.0) / value) * 10**6), 10**6)
