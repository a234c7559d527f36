"""What a level or an axis does to the transfers of partial mappings that it is added to.

Sums. Let A words of outputs leave a level, added up over the copies of an axis, X copies together.
With ``returned_sums=one``, A - z of them come back, where z of the words start at zero; the level
then holds z' = z + A (X - 1) that do: all copies but one each time. The memory that completes the
sums reads A - z. So z enters costs as a credit, and each transfer adds A (X - 1) to it for all
levels further inside (:mod:`energysim.mapping.hierarchy.sums` says when sums start at zero). With
``returned_sums=all`` the credit is one of all outputs, times the copies that add theirs.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.images_table import SWEEPS, ImageTable
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.prices import Prices
from energysim.mapping.hierarchy.rules import hierarchy_rules
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Floats, States, Transfer, divided
from energysim.mapping.hierarchy.steps import BOUND, CLASSES, FREE
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Moves"]

_TILE = [COLUMN[dim] for dim in "PQRS"]
#: Of each class of orders: the number of what inputs overlap along; whether it is no tensor's; and by
#: tensor, whether its free loops are innermost.
_SWEEP = np.array([SWEEPS.index(sweep) for _, sweep in CLASSES], dtype=np.int64)
_LONE = np.array([not tensor and bool(sweep) for tensor, sweep in CLASSES])
_INNERMOST = {tensor: np.array([tensor == one for one, _ in CLASSES]) for tensor in TENSORS}
#: Column of each number of what inputs overlap along; none has that of the first.
_SWEPT = np.array([COLUMN[dim or SWEEPS[1]] for dim in SWEEPS], dtype=np.int64)


@dataclass(frozen=True)
class Moves:
    """The transfers of one layer on one hierarchy, for one choice of bypasses.

    Attributes
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    prices : Prices
    keeps : sequence of sets of str
        Tensors that each node holds.
    weights : int
        Weights that are stored and moved.
    products : int
        Multiplications that take words.
    images : ImageTable
        Positions of input tiles.
    again : dict of int to Fraction
        Place of a level -> how often an input tile is fetched for each time that it is needed.
    """

    hierarchy: Hierarchy
    nest: LoopNest
    rules: Rules
    prices: Prices
    keeps: Sequence[Set[str]]
    weights: int
    products: int
    images: ImageTable
    again: Dict[int, Fraction] = field(default_factory=dict)

    @cached_property
    def sizes(self) -> IntArray:
        """Size of each dimension."""
        size = sizes(self.nest)
        return np.array([size[dim] for dim in DIMS], dtype=np.int64)

    @cached_property
    def one(self) -> bool:
        """Whether a partial sum comes back to one of the copies that add theirs."""
        return hierarchy_rules(self.hierarchy.rules).returned_sums == "one"

    @cached_property
    def padded(self) -> ImageTable:
        """Positions that products take: padding is multiplied as well."""
        return ImageTable(self.nest, Rules(padding="fetched"))

    @cached_property
    def diagonal(self) -> bool:
        """Whether copies along some axis share what their windows have in common."""
        return any(self.joins(node) for node in self.hierarchy.axes)

    @staticmethod
    def joins(axis: SpatialAxis) -> bool:
        """Whether copies along an axis share what their windows have in common."""
        return axis.diagonal and "inputs" in axis.shared and bool(set(axis.loops) & set("PQRS"))

    @property
    def outputs(self) -> float:
        """Elements of the outputs."""
        return float(self.nest.output_elements)

    @property
    def planes(self) -> float:
        """Planes of the inputs, those of all groups and images."""
        return float(self.nest.batch * self.nest.groups * self.nest.channels)

    def _fresh(self, states: States, tensor: str, words: Floats, price: Floats, products: bool) -> Transfer:
        n, inputs, outputs = len(states), tensor == "inputs", tensor == "outputs"
        resources = len(self.prices.owner)
        return Transfer(
            tensor,
            products,
            False,
            words,
            np.full(n, not products),
            np.broadcast_to(price, (n, resources)).copy(),
            np.ones(n),
            states.extent[:, _TILE] if inputs else np.zeros((n, 0), np.int64),
            np.zeros((n, 3 if inputs else 0), np.int64),
            np.zeros((n, resources if outputs and self.one else 0)),
            np.zeros(n, np.bool_),
        )

    def multipliers(self) -> States:
        """The state in which nothing has been added: every product takes two words and gives one."""
        one = np.ones((1, len(DIMS)), dtype=np.int64)
        none = np.zeros((1, len(self.prices.owner)))
        number = np.zeros(1, np.int64)
        states = States(one, np.ones(1, np.int64), none, none, (), number, one, number)
        products = np.array([float(self.products)])
        transfers = [self._fresh(states, t, products, none[0], True) for t in TENSORS]
        if self.diagonal:
            at = TENSORS.index("inputs")
            share = self.products / self.nest.dense_macs
            words = np.array([share * self.planes * self.nest.filters])
            transfers[at] = replace(transfers[at], words=words)
        return replace(states, transfers=tuple(transfers))

    def started(self, states: States, place: int) -> States:
        """Transfers into the tiles of a level."""
        name = self.hierarchy.nodes[place].name
        left = (self.sizes // states.extent).astype(np.float64)
        new = []
        for tensor in TENSORS:
            if tensor not in self.keeps[place]:
                continue
            if tensor == "weights":
                words = float(self.weights) * _product(left, "NPQ")
            elif tensor == "inputs":
                words = self.planes * float(self.again.get(place, 1)) * _product(left, "M")
            else:
                words = self.outputs * _product(left, "CRS")
            actions = ["drain"] if tensor == "outputs" and self.rules.drain == "counted" else []
            if tensor != "outputs" or not self.one:
                actions.append("fill")
            transfer = self._fresh(states, tensor, words, self.prices(name, tensor, *actions), False)
            if transfer.back.shape[1]:
                transfer.back[:] = self.prices(name, tensor, "fill")
            new.append(transfer)
        return replace(states, transfers=(*states.transfers, *new))

    def across(self, states: States, place: int) -> States:
        """Copies along an axis share words, or add up sums; words cross the network."""
        axis = self.hierarchy.nodes[place]
        assert isinstance(axis, SpatialAxis)
        summed, zero = states.product("CRS"), states.zero
        found: list[Transfer] = []
        back = False
        for t in states.transfers:
            if t.reached:
                found.append(t)
                continue
            network = self.prices(axis.name, t.tensor, "transfer")
            network = network * self.prices.share(axis.name, t.tensor, t.products)
            t = replace(t, price=t.price + network / t.share[:, None])
            shared = t.tensor in axis.shared
            if t.tensor == "outputs":
                if not t.products:
                    if self.one:
                        t = replace(t, back=t.back + network)
                    else:
                        t, back = replace(t, price=t.price + network / t.share[:, None]), True
                if not shared:
                    t = replace(t, alone=t.alone | (summed > 1))
            elif t.tensor == "inputs" and self.joins(axis):
                # What arrives inside the axis is no more than before; what is read outside it is.
                found.append(replace(t, reached=True))
                steps = states.extent[:, _TILE] // states.trips[:, _TILE]
                trips = states.trips[:, _TILE]
                steps = np.where(trips == 1, 0, steps)
                shape = np.concatenate([t.shape, trips, steps], axis=1)
                t = replace(t, shape=shape, price=np.zeros_like(t.price))
            if shared:
                t = replace(t, share=t.share * states.product(FREE[t.tensor]))
            found.append(t)
        if not self.one:
            if back and self.rules.first_read == "elided":
                zero = zero + self.outputs * self.prices(axis.name, "outputs", "transfer")
            zero = zero * summed[:, None]
        lanes = states.lanes * states.trips.prod(axis=1)
        states = replace(states, transfers=tuple(found), zero=zero, lanes=lanes)
        copies = states.trips.prod(axis=1).astype(np.float64)
        for resource, owner in enumerate(self.prices.owner):
            if owner > place:  # its copies share the load
                states = divided(states, resource, copies)
        return states

    def reached(self, states: States, place: int) -> States:
        """Transfers of tensors that a level holds get the price of what they come from."""
        name = self.hierarchy.nodes[place].name
        found: list[Transfer] = []
        for t in states.transfers:
            if t.reached or t.tensor not in self.keeps[place]:
                found.append(t)
            elif t.tensor == "outputs":
                t, states = self._summed(t, states, place)
                found.append(t)
            else:
                read = self.prices(name, t.tensor, "read")
                read = read * self.prices.share(name, t.tensor, t.products)
                price = t.price + read / t.share[:, None]
                found.append(replace(t, price=price, reached=True))
        return replace(states, transfers=tuple(found))

    def _summed(self, t: Transfer, states: States, place: int) -> tuple[Transfer, States]:
        """Sums arrive at the level that completes them."""
        name = self.hierarchy.nodes[place].name
        made = self.prices.share(name, "outputs", t.products)
        read = self.prices(name, "outputs", "read") * made
        share = t.share[:, None]
        price = t.price + (self.prices(name, "outputs", "update") * made + read) / share
        elided, zero = self.rules.first_read == "elided", states.zero
        if not self.one:
            if elided:
                fill = self.prices(name, "outputs", "fill") if place else 0.0
                zero = zero + self.outputs * (read + fill)
        else:
            back = t.back if t.back.shape[1] else np.zeros_like(price)
            credit = zero / self.outputs
            alone = t.alone[:, None] & (not t.products)
            price = price + np.where(alone, 0.0, back / share)
            price = price - np.where(alone, credit, credit * (1 - 1 / share))
            if elided:
                zero = np.where(alone, 0.0, zero + self.outputs * back) + self.outputs * read
        return replace(t, price=price, reached=True), replace(states, zero=zero)

    def walked(self, states: States) -> States:
        """Transfers that a level's loops, in the order of the class of each, make rarer or decide."""
        sweep = _SWEEP[states.order]
        found = []
        for t in states.transfers:
            if not t.open.any():
                found.append(t)
                continue
            settled = states.product(BOUND[t.tensor]) > 1
            innermost = _INNERMOST[t.tensor][states.order]
            skipped = np.where(settled & ~innermost, 1.0, states.product(FREE[t.tensor]))
            if t.tensor == "outputs":  # of no class of a tensor: only what inputs overlap along is free
                lone = np.flatnonzero(_LONE[states.order])
                skipped[lone] = states.trips[lone, _SWEPT[sweep[lone]]]
            words = np.where(t.open, t.words / skipped, t.words)
            now = t.open & settled
            t = replace(t, words=words, open=t.open & ~settled)
            rows = np.flatnonzero(now & (sweep > 0))
            if t.tensor == "inputs" and len(rows):
                column = _SWEPT[sweep[rows]]
                trips = states.trips[rows, column]
                along = np.stack([sweep[rows], states.extent[rows, column] // trips, trips], axis=1)
                swept = t.sweep.copy()
                swept[rows[trips > 1]] = along[trips > 1]
                t = replace(t, sweep=swept)
            found.append(t)
        return replace(states, transfers=tuple(found))

    def settled(self, states: States) -> States:
        """Add transfers that nothing can change any more to the cost; nothing is left of them."""
        cost, found = states.cost, []
        for t in states.transfers:
            if not t.reached:
                found.append(t)
                continue
            words = np.where(t.open, 0.0, t.words)
            rows = np.flatnonzero(words)
            if t.tensor == "inputs" and len(rows):
                words[rows] *= self.positions(t, rows)
            cost = cost + words[:, None] * t.price
            found.append(replace(t, words=np.where(t.open, t.words, 0.0)))
        return replace(states, cost=cost, transfers=tuple(found))

    def positions(self, t: Transfer, rows: IntArray) -> Floats:
        """Positions of a plane that the tiles of some closed input transfers get."""
        if t.products and not self.diagonal:
            return np.ones(len(rows))
        if t.products:
            return self.padded.planes(t.shape[rows], "", rows, rows).astype(np.float64)
        return self.images.swept(t.shape[rows], t.sweep[rows]).astype(np.float64)

    def finished(self, states: States) -> States:
        """No loops follow: what is still open is fetched once."""
        none = np.zeros(len(states), np.bool_)
        return replace(states, transfers=tuple(replace(t, open=none) for t in states.transfers))

    def axes(self, inside: int, outside: int) -> list[SpatialAxis]:
        """The axes between two places, the first the inner one's."""
        nodes = self.hierarchy.nodes[outside + 1 : inside]
        return [node for node in nodes if isinstance(node, SpatialAxis)]

    def home(self, tensor: str, place: int) -> int:
        """Place of the next level outside that holds a tensor."""
        return max(p for p in range(place) if tensor in self.keeps[p])

    def levels(self) -> list[tuple[int, TemporalLevel]]:
        """Levels with their places, outermost first."""
        return [(p, node) for p, node in enumerate(self.hierarchy.nodes) if isinstance(node, TemporalLevel)]


def _product(array: Floats, dims: str) -> Floats:
    found = np.ones(len(array))
    for dim in dims:
        found *= array[:, COLUMN[dim]]
    return found
