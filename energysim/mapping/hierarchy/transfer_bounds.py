"""What transfers of partial mappings cost at least.

A tensor's words may be shared by copies outside as far as loops are left that it does not depend on; and
all tensors together by as many copies as there are (:mod:`energysim.mapping.hierarchy.sharing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, SpatialAxis
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.moves import Moves
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.sharing import assignments
from energysim.mapping.hierarchy.space import divisors
from energysim.mapping.hierarchy.states import COLUMN, Floats, States, Transfer
from energysim.mapping.hierarchy.steps import FREE

__all__ = ["Costs", "TransferBounds", "product_over"]

#: Dimensions along which input tiles may overlap where loops free for a tensor are innermost.
_SWEPT = {"weights": "PQ", "inputs": "PQRS", "outputs": "RS"}
#: Choices of bypasses up to which bounds look at how tensors compete for the copies of axes.
_FEW = 8

#: A transfer; what it costs at least, (n, resources), by the tensor that the next loops are free for: it
#: gets smaller by the factor by which the transfer gets rarer; and what comes on top, (n or 1, resources).
Cost = tuple[Transfer, dict[str, Floats], Floats]
Costs = list[Cost]


@dataclass(frozen=True)
class TransferBounds:
    """Lower bounds of transfers for one layer on one hierarchy.

    Attributes
    ----------
    problem : Problem
    moves : Moves
    """

    problem: Problem
    moves: Moves

    def least(self, states: States, place: int) -> Costs:
        """What all transfers cost at least, however copies outside share words."""
        return [self._cost(states, t, place, self._copies(states, t, place)) for t in states.transfers]

    def _cost(self, states: States, t: Transfer, place: int, copies: Floats) -> Cost:
        """What a transfer costs at least if so many copies outside share a word."""
        price, constant = self._price(states, t, place, copies)
        if t.tensor == "inputs" and (t.open.any() or not t.reached):
            positions = self._positions(states, t, place)
            each = {freed: (t.words * many)[:, None] * price for freed, many in positions.items()}
        else:
            each = dict.fromkeys(TENSORS, t.words[:, None] * price)
        return t, each, constant

    def left(self, states: States) -> Floats:
        found: Floats = (self.moves.sizes // states.extent).astype(np.float64)
        return found

    def _price(self, states: States, t: Transfer, place: int, copies: Floats) -> tuple[Floats, Floats]:
        """What a word that so many copies outside share costs, and what comes on top whatever the words."""
        moves = self.moves
        price = t.price
        none = np.zeros((1, price.shape[1]))
        if t.reached:
            return price, none
        outer = moves.home(t.tensor, place)
        name = moves.hierarchy.nodes[outer].name
        axes = moves.axes(place, outer)
        share = (t.share * copies)[:, None]
        made = moves.prices.share(name, t.tensor, t.products)
        read = moves.prices(name, t.tensor, "read") * made
        passed = (
            moves.prices(a.name, t.tensor, "transfer") * moves.prices.share(a.name, t.tensor, t.products)
            for a in axes
        )
        network = sum(passed, none[0])
        price = price + (read + network) / share
        if t.tensor != "outputs":
            return price, none
        price = price + moves.prices(name, t.tensor, "update") * made / share
        # Sums of products do not come back to the multipliers.
        back = none if t.products or not t.back.shape[1] else t.back + network
        lone = t.alone | any("outputs" not in a.shared and set(a.loops) & set("CRS") for a in axes)
        price = price + np.where(lone[:, None], 0.0, back / share)
        if moves.rules.first_read != "elided":
            return price, none
        if not moves.one:
            summed = prod(a.size for a in moves.axes(outer, -1) if set(a.loops) & set("CRS"))
            inside = prod(a.size for a in axes if set(a.loops) & set("CRS"))
            once = read + (moves.prices(name, t.tensor, "fill") if outer else 0.0)
            credit = summed * once + (0.0 if t.products else summed * inside * network)
            return price, -moves.outputs * credit[None]
        if not t.products:
            credit = states.zero / moves.outputs
            price = price - np.where(lone[:, None], credit, credit * (1 - 1 / share))
        return price, -moves.outputs * (read + back)

    def _copies(self, states: States, t: Transfer, place: int) -> Floats:
        """Copies outside a place that get a word together at most: as many as loops are left for."""
        if t.reached:
            return np.ones(len(states))
        sharing = self._sharing(t.tensor, self.moves.axes(place, self.moves.home(t.tensor, place)))
        places = prod(axis.size for axis in sharing)
        dims = [dim for dim in FREE[t.tensor] if any(dim in axis.loops for axis in sharing)]
        left = np.ones(len(states), dtype=np.int64)
        for column in (COLUMN[dim] for dim in dims if places > 1):
            left *= self.moves.sizes[column] // states.extent[:, column]
        found: Floats = np.minimum(left, places).astype(np.float64)
        return found

    @staticmethod
    def _sharing(tensor: str, axes: Sequence[SpatialAxis]) -> list[SpatialAxis]:
        return [axis for axis in axes if tensor in axis.shared and set(axis.loops) & set(FREE[tensor])]

    def _positions(self, states: States, t: Transfer, place: int) -> dict[str, Floats]:
        """Input positions of a plane that a transfer needs at least, by what the next loops are free for."""
        moves = self.moves
        outer = None if t.reached else moves.home("inputs", place)
        joined = 1
        if outer is not None:
            joined = prod(axis.size for axis in moves.axes(place, outer) if moves.joins(axis))
        if t.products and not moves.diagonal:
            found = np.ones(len(states))
        elif t.products:  # one position serves a group of copies at most
            found = moves.positions(t, np.arange(len(states))) / joined
        elif outer is not None and any(moves.joins(axis) for axis in moves.axes(place, outer)):
            found = np.full(len(states), float(moves.images.touched))
        else:
            return self._swept(states, t, place)
        return dict.fromkeys(TENSORS, found)

    def _swept(self, states: States, t: Transfer, place: int) -> dict[str, Floats]:
        """Positions where the next loops may be such that tiles overlap along them."""
        moves = self.moves
        none = moves.images.swept(t.shape, t.sweep)
        if moves.rules.overlap == "none" or not t.open.any():
            return dict.fromkeys(TENSORS, none.astype(np.float64))
        along: dict[str, IntArray] = {}
        for dim in "PQRS":
            covered = states.extent[:, COLUMN[dim]]
            for spread in self._spreads(dim, place):
                steps = covered * spread
                trips = np.where(moves.sizes[COLUMN[dim]] % steps, 1, moves.sizes[COLUMN[dim]] // steps)
                if (trips > 1).any():
                    many = moves.images.planes(t.shape, dim, np.where(trips > 1, steps, covered), trips)
                    along[dim] = np.minimum(along.get(dim, none), many)
        found = {}
        for freed, dims in _SWEPT.items():
            least = none
            for dim in dims:
                least = np.minimum(least, along.get(dim, none))
            found[freed] = np.where(t.open, least, none).astype(np.float64)
        return found

    def _spreads(self, dim: str, place: int) -> list[int]:
        """How many times what is covered of a dimension a loop over it may step: axes may come before it.

        Longer steps overlap less, but for tiles with gaps: steps of outputs between dilated taps, or of
        taps between outputs with a stride, may meet what shorter ones miss.
        """
        nest = self.moves.nest
        axis = nest.rows if dim in "PR" else nest.cols
        if (axis.dilation if dim in "PQ" else axis.stride) == 1:
            return [1]
        places = prod(each.size for each in self.moves.axes(place, -1) if dim in each.loops)
        return [n for n in divisors(int(self.moves.sizes[COLUMN[dim]])) if n <= places]

    def shared(self, states: States, place: int) -> Iterator[Costs]:
        """What transfers cost at least, for each way in which copies outside may share words."""
        moves, transfers = self.moves, states.transfers
        homes = [moves.home(t.tensor, place) for t in transfers]
        axes = moves.axes(place, max(homes, default=place))
        places = prod(axis.size for axis in axes)
        if len(transfers) < 2 or places == 1 or len(self.problem.bypasses) > _FEW:
            yield self.least(states, place)
            return
        most, further = [], []
        for t, home in zip(transfers, homes, strict=True):
            near = prod(axis.size for axis in self._sharing(t.tensor, axes))
            every = prod(axis.size for axis in self._sharing(t.tensor, moves.axes(place, home)))
            most.append(near)
            further.append(every // near)
        limits = [self._copies(states, t, place) for t in transfers]
        known: dict[tuple[int, int], Cost] = {}
        for chosen in assignments(places, tuple(most)):
            costs = []
            for number, copies in enumerate(chosen):
                if (number, copies) not in known:
                    shared = np.minimum(limits[number], copies * further[number])
                    known[number, copies] = self._cost(states, transfers[number], place, shared)
                costs.append(known[number, copies])
            yield costs


def product_over(array: Floats, dims: str) -> Floats:
    """Return the product of the columns (n, 8) of some dimensions."""
    found = np.ones(len(array))
    for dim in dims:
        found *= array[:, COLUMN[dim]]
    return found
