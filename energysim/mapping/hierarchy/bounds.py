"""Values that no completion of a partial mapping stays below.

The next loop outside a place is free for one tensor only: weights (N, P, Q), inputs (M) or outputs
(C, R, S). So of all transfers that loops may still make rarer, those of one tensor do at most get
as rare as all of its free loops make them, and those of the others stay as they are. Which tensor
it is, is left open: the least of the three cases bounds all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis
from energysim.mapping.hierarchy.images_table import ImageTable
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.prices import Objective, Prices
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Floats, States, Transfer
from energysim.mapping.hierarchy.steps import BOUND, FREE
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Bounds"]


@dataclass(frozen=True)
class Bounds:
    """Lower bounds for one layer on one hierarchy.

    Attributes
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    prices : Prices
    objective : callable
    image : ImageTable
    keeps : sequence of sets of str
        Tensors that each node holds.
    """

    hierarchy: Hierarchy
    nest: LoopNest
    rules: Rules
    prices: Prices
    objective: Objective
    image: ImageTable
    keeps: Sequence[Set[str]]

    @cached_property
    def sizes(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """Size of each dimension."""
        size = sizes(self.nest)
        return np.array([size[dim] for dim in DIMS], dtype=np.int64)

    def value(self, states: States, place: int) -> Floats:
        """Return what no completion of a partial mapping stays below.

        The next loop outside is free for one tensor only, so that all open transfers but those of
        one tensor get no rarer; which one, is left open.
        """
        lanes = states.lanes.astype(np.float64) * prod(axis.size for axis in self._axes_outside(place))
        lanes = np.minimum(lanes, float(self.nest.dense_macs))
        settled = self._settled(states, place)
        least = np.full(len(states), np.inf)
        for freed in TENSORS:
            cost = settled.copy()
            for t in states.transfers:
                cost += self._at_least(states, t, place, freed)
            least = np.minimum(least, self._judged(cost, lanes, place))
        return least

    def _judged(self, cost: Floats, lanes: Floats, place: int) -> Floats:
        """The objective, if all copies outside share what can be shared."""
        for resource, owner in enumerate(self.prices.owner):
            if owner >= 0:
                cost[:, resource] /= prod(a.size for a in self._axes_outside(min(place, owner)))
        return self.objective(cost, np.maximum(lanes, 1).astype(np.int64))

    def before_loops(self, states: States, place: int) -> Callable[[States, str], Floats]:
        """Return bounds for loops at a level, before their effect is worked out.

        Parameters
        ----------
        states : States
            Before the loops of the level.
        place : int
            Of the level.

        Returns
        -------
        callable
            (states with loops, tensor whose free loops are innermost) -> values. Where loops are
            free for another tensor only, the order in which those are innermost is no worse, so
            that a value too high does no harm.
        """
        lanes = states.lanes.astype(np.float64) * prod(axis.size for axis in self._axes_outside(place))
        lanes = np.minimum(lanes, float(self.nest.dense_macs))
        base = self._settled(states, place + 1)
        left = (self.sizes // states.extent).astype(np.float64)
        parts = {}
        for tensor in TENSORS:
            rest, freed = base.copy(), np.zeros_like(base)
            for t in states.transfers:
                all_of_it = self._at_least(states, t, place, "")
                if t.tensor != tensor:
                    rest += all_of_it
                    continue
                rest += np.where(t.open[:, None], 0.0, all_of_it)
                if t.open.any():
                    linear = self._at_least(states, t, place, "", linear=True)
                    freed += np.where(t.open[:, None], linear, 0.0)
            parts[tensor] = rest, freed, left[:, [COLUMN[d] for d in FREE[tensor]]].prod(axis=1)

        def value(grown: States, tensor: str) -> Floats:
            rest, freed, most = parts[tensor]
            rows = grown.parent
            settled = grown.product(BOUND[tensor]) > 1
            rarer = np.where(settled, grown.product(FREE[tensor]), most[rows])
            found = self._judged(rest[rows] + freed[rows] / rarer[:, None], lanes[rows], place)
            return np.where(grown.trips.max(axis=1, initial=1) > 1, found, -np.inf)

        return value

    def _axes_outside(self, place: int, inside: int = -1) -> list[SpatialAxis]:
        nodes = self.hierarchy.nodes[inside + 1 : place]
        return [node for node in nodes if isinstance(node, SpatialAxis)]

    def _settled(self, states: States, place: int) -> Floats:
        """What is settled, less what sums that start at zero can save, and what must still come."""
        left = (self.sizes // states.extent).astype(np.float64)
        copies = prod(axis.size for axis in self._axes_outside(place) if set(axis.loops) & set("CRS"))
        summed = np.minimum(left[:, [COLUMN[d] for d in "CRS"]].prod(axis=1), copies)
        later = np.zeros(len(self.prices.owner))
        least = {
            "weights": float(prod(self.nest.kernel.shape)),
            "inputs": self.nest.batch * self.nest.groups * self.nest.channels * self.least_inputs,
            "outputs": float(self.nest.output_elements),
        }
        nodes = self.hierarchy.nodes
        for inner in range(1, place):
            for tensor in self.keeps[inner]:
                outer = self._home(tensor, inner)
                if tensor == "outputs":
                    later += least[tensor] * self.prices(nodes[outer].name, tensor, "update")
                    continue
                shared = prod(a.size for a in self._axes_outside(inner, outer) if tensor in a.shared)
                price = self.prices(nodes[inner].name, tensor, "fill")
                later += least[tensor] * (price + self.prices(nodes[outer].name, tensor, "read") / shared)
        found: Floats = states.cost - states.zero * summed[:, None] + later
        return found

    def _home(self, tensor: str, place: int) -> int:
        """Place of the next level outside that holds a tensor."""
        return max(p for p in range(place) if tensor in self.keeps[p])

    def _at_least(
        self, states: States, t: Transfer, place: int, freed: str, *, linear: bool = False
    ) -> Floats:
        """What an open or unfinished transfer costs at least, if one tensor is freed.

        With ``linear``, so that it may be divided by how much rarer the transfer gets.
        """
        left = (self.sizes // states.extent).astype(np.float64)
        words = t.words
        if t.open.any():
            if t.tensor == freed:
                words = np.where(
                    t.open, words / left[:, [COLUMN[d] for d in FREE[freed]]].prod(axis=1), words
                )
            if t.tensor == "inputs":
                words = np.where(t.open, words * self._least_planes(states, t, place), words)
        price = t.price
        if not t.reached:
            outer = self._home(t.tensor, place)
            name = self.hierarchy.nodes[outer].name
            shared = t.share * prod(a.size for a in self._axes_outside(place, outer) if t.tensor in a.shared)
            actions = ("read", "update") if t.tensor == "outputs" else ("read",)
            price = price + self.prices(name, t.tensor, *actions) / shared[:, None]
            if t.tensor == "outputs":  # the first reads are none
                copies = prod(a.size for a in self._axes_outside(outer) if set(a.loops) & set("CRS"))
                none = words / shared
                if not linear:
                    none = np.minimum(none, self.nest.output_elements * copies)
                return words[:, None] * price - none[:, None] * self.prices(name, t.tensor, "read")
        found: Floats = words[:, None] * price
        return found

    def _least_planes(self, states: States, t: Transfer, place: int) -> Floats:
        """Input positions of a plane that an open transfer needs at least."""
        if self._axes_outside(place):
            return np.full(len(states), self.least_inputs)
        least = self.image.planes(t.tile, "", t.tile[:, 0], t.tile[:, 0])
        if self.rules.overlap == "one-axis":
            for dim in "PQRS":
                steps = states.extent[:, COLUMN[dim]]
                trips = self.sizes[COLUMN[dim]] // steps
                least = np.minimum(least, self.image.planes(t.tile, dim, steps, trips))
        return least

    @cached_property
    def least_inputs(self) -> float:
        """Positions of a plane that windows touch: what no mapping fetches less of.

        Gaps between them do not count: small tiles need not fetch them.
        """
        rows, cols = self.nest.rows, self.nest.cols
        touched = ImageTable(self.nest, replace(self.rules, untouched="skipped"))
        return float(touched.one(0, rows.outputs, rows.window) * touched.one(1, cols.outputs, cols.window))
