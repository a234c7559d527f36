"""Values that no completion of a partial mapping stays below.

* The next loop outside a place is free for one tensor only: weights (N, P, Q), inputs (M) or
  outputs (C, R, S). So of all transfers that loops may still make rarer, those of one tensor do at
  most get as rare as all of its free loops make them, and those of the others stay as they are.
  Which tensor it is, is left open: the least of the three cases bounds all.
* What levels further out will cost depends on the tile that they get, and only tiles that fit and
  contain what is covered already are left: a table over all tiles, made from the outside in.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, SpatialAxis, TemporalLevel
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.lattice import Lattice
from energysim.mapping.hierarchy.moves import Moves
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.room import Room
from energysim.mapping.hierarchy.states import DIMS, Floats, States
from energysim.mapping.hierarchy.steps import FREE
from energysim.mapping.hierarchy.transfer_bounds import TransferBounds, product_over

__all__ = ["Bounds"]

_ROWS = 1 << 16
#: Bounds that take as long as one step of work.
_LIGHT = 32


@dataclass(frozen=True)
class Bounds:
    """Lower bounds for one layer on one hierarchy.

    Attributes
    ----------
    problem : Problem
    moves : Moves
    room : Room
    """

    problem: Problem
    moves: Moves
    room: Room
    _tables: dict[int, Floats] = field(default_factory=dict)
    _tiles: dict[int, Floats] = field(default_factory=dict)

    @property
    def lattice(self) -> Lattice:
        """All sizes of tiles."""
        return self.problem.lattice

    @cached_property
    def transfers(self) -> TransferBounds:
        """What transfers cost at least."""
        return TransferBounds(self.problem, self.moves)

    def value(self, states: States, place: int) -> Floats:
        """Return what no completion of a partial mapping stays below; infinite if there is none."""
        self.spend(len(states), len(states.transfers))
        base = self.base(states, place) + self.later(place)[self.lattice.at(states.extent)]
        lanes = self.lanes(states, place)
        left, found = self.transfers.left(states), self.transfers.least(states, place)
        least: Floats = np.full(len(states), np.inf)
        for freed in TENSORS:
            cost = base.copy()
            rarer = product_over(left, FREE[freed])[:, None]
            for t, each, constant in found:
                linear = each[freed]
                cost += constant
                if t.tensor == freed:
                    linear = np.where(t.open[:, None], np.minimum(linear, linear / rarer), linear)
                cost += linear
            least = np.minimum(least, self.judged(cost, lanes, place))
        return least

    def spend(self, rows: int, each: int) -> None:
        """Note the work of so many rows with so many transfers."""
        self.problem.work.done += rows * (1 + each) * (1 + len(self.moves.prices.owner))

    def lanes(self, states: States, place: int) -> IntArray:
        """Multipliers in use at most."""
        lanes = states.lanes.astype(np.float64) * prod(axis.size for axis in self.moves.axes(place, -1))
        found: IntArray = np.clip(lanes, 1, float(self.moves.nest.dense_macs)).astype(np.int64)
        return found

    def judged(self, cost: Floats, lanes: IntArray, place: int) -> Floats:
        """The objective, if all copies outside share what can be shared; infinite where costs are."""
        return np.where(np.isfinite(cost[:, 0]), self.priced(cost, lanes, place), np.inf)

    def priced(self, cost: Floats, lanes: IntArray, place: int) -> Floats:
        """The same for finite costs."""
        owners = self.moves.prices.owner
        if max(owners) >= 0:
            cost = cost.copy()
        for resource, owner in enumerate(owners):
            if owner >= 0:
                cost[:, resource] /= prod(a.size for a in self.moves.axes(min(place, owner), -1))
        return self.problem.objective(cost, lanes)

    def base(self, states: States, place: int) -> Floats:
        """What is settled, less what sums that start at zero save at most."""
        if self.moves.one:
            zero = states.zero
            for t in states.transfers:
                if t.back.shape[1] and not t.reached:  # another credit takes its place
                    zero = np.where(t.alone[:, None], 0.0, zero)
            return states.cost - zero
        copies = prod(axis.size for axis in self.moves.axes(place, -1) if set(axis.loops) & set("CRS"))
        summed = np.minimum(product_over(self.transfers.left(states), "CRS"), copies)
        return states.cost - states.zero * summed[:, None]

    def later(self, place: int) -> Floats:
        """What transfers cost at least that start further out than a node, by extent inside it.

        Returns
        -------
        float64 array (points, resources)
            Infinite where nothing that fits can follow.
        """
        if place not in self._tables:
            self._tables[place] = self.problem.shared(
                ("extent", *self._key(place)), lambda: self._later(place)
            )
        return self._tables[place]

    def _key(self, place: int) -> tuple[Hashable, ...]:
        """What bounds of transfers that start outside a place depend on."""
        outer = max((p for p, _ in self.moves.levels() if p < place), default=0)
        return place, *self.moves.keeps[:place], *self._credit(outer).tolist()

    def _later(self, place: int) -> Floats:
        lattice, nodes = self.lattice, self.moves.hierarchy.nodes
        resources = len(self.moves.prices.owner)
        if place == 0:
            found = np.full((len(lattice.extents), resources), np.inf)
            found[-1] = 0.0
            return found
        outer = nodes[place - 1]
        if isinstance(outer, SpatialAxis):
            return lattice.least_above(self.later(place - 1), outer.loops)
        return lattice.least_above(self.outside(place - 1), outer.loops)

    def outside(self, place: int) -> Floats:
        """What transfers cost at least that start at a level or further out, by its tile."""
        if place not in self._tiles:
            self._tiles[place] = self.problem.shared(
                ("tile", *self._key(place + 1)), lambda: self._outside(place)
            )
        return self._tiles[place]

    def _outside(self, place: int) -> Floats:
        found = self.later(place).copy()
        node = self.moves.hierarchy.nodes[place]
        assert isinstance(node, TemporalLevel)
        found[~self.room.fits(place)] = np.inf
        if place == 0:
            return found
        rows = np.flatnonzero(np.isfinite(found[:, 0]))
        for first in range(0, len(rows), _ROWS):
            some = rows[first : first + _ROWS]
            found[some] += self._starting(self.lattice.extents[some], place)
        return found

    def _starting(self, extents: IntArray, place: int) -> Floats:
        """What transfers that start at tiles of a level cost at least."""
        n, resources = len(extents), len(self.moves.prices.owner)
        none, ones = np.zeros((n, resources)), np.ones((n, len(DIMS)), np.int64)
        number = np.zeros(n, np.int64)
        zero = np.broadcast_to(self._credit(place), (n, resources))
        states = States(extents, number + 1, none, zero, (), number, ones, number)
        states = self.moves.started(states, place)
        left = self.transfers.left(states)
        rarer = {tensor: product_over(left, FREE[tensor])[:, None] for tensor in TENSORS}
        least = np.full((n, resources), np.inf)
        self.spend(n, len(states.transfers))
        for costs in self.transfers.shared(states, place):
            self.spend(n // _LIGHT, len(costs))
            for freed in TENSORS:
                cost = np.zeros((n, resources))
                for t, each, constant in costs:
                    linear = each[freed]
                    if t.tensor == freed:
                        linear = np.minimum(linear, linear / rarer[freed])
                    cost += linear + constant
                least = np.minimum(least, cost)
        return least

    def _credit(self, place: int) -> Floats:
        """At most what sums that start at zero save inside a level, for all outputs."""
        moves = self.moves
        total = np.zeros(len(moves.prices.owner))
        if moves.rules.first_read != "elided":
            return total
        for inner, level in moves.levels():
            if inner < place or "outputs" not in moves.keeps[inner]:
                continue
            total += moves.prices(level.name, "outputs", "read")
            if inner > place:
                total += moves.prices(level.name, "outputs", "fill")
        for inner, axis in enumerate(moves.hierarchy.nodes):
            if inner > place and isinstance(axis, SpatialAxis):
                total += moves.prices(axis.name, "outputs", "transfer")
        found: Floats = moves.outputs * total
        return found
