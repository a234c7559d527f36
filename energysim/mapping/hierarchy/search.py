"""The best mapping of a layer onto a hierarchy, proven.

Nodes are added from the innermost outwards to all partial mappings at once
(:mod:`energysim.mapping.hierarchy.steps`). A partial mapping goes if another covers the same and
costs no more whatever follows, or if what it costs already is more than a whole mapping does that
is known. The known one comes from a first pass that keeps few partial mappings at each node.

Costs are float64 here; what is found is counted again by the evaluator of explicit mappings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from energysim.errors import EnergysimError
from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.bounds import Bounds
from energysim.mapping.hierarchy.images_table import ImageTable
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.mapping.hierarchy.prices import Objective, Prices
from energysim.mapping.hierarchy.rules import hierarchy_rules
from energysim.mapping.hierarchy.space import bypasses, divisors, space_size
from energysim.mapping.hierarchy.states import (
    COLUMN,
    DIMS,
    Bools,
    Floats,
    States,
    divided,
    joined,
    undominated,
)
from energysim.mapping.hierarchy.steps import (
    CLASSES,
    axis_trips,
    dressed,
    fresh,
    level_trips,
    order_of,
    settle,
    transfers_along_axis,
    with_order,
    without_settled,
)
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Found", "Unsearchable", "search_mapping"]

#: Partial mappings kept at each node by the first pass.
_BEAM = 200
#: Partial mappings to which a node is added at a time.
_CHUNK = 64
#: Ways to add loops that the first pass looks at closer, per chunk and tensor.
_TRIED = 2000
_NEAR = 1 + 1e-12


class Unsearchable(EnergysimError):
    """The search has no proof for this hardware or layer yet."""


@dataclass(frozen=True)
class Found:
    """The best mapping.

    Attributes
    ----------
    mapping : Mapping or None
        None if nothing fits.
    value : float
        The objective, but for what is the same for all mappings.
    mappings : int
        Size of the space.
    kept : int
        Partial mappings that were looked at.
    """

    mapping: Mapping | None
    value: float
    mappings: int
    kept: int


def search_mapping(
    hierarchy: Hierarchy,
    nest: LoopNest,
    rules: Rules,
    bits: tuple[float, int, int],
    prices: Prices,
    objective: Objective,
    *,
    whole: bool = False,
    known: tuple[float, Mapping] | None = None,
    lanes_count: bool = True,
) -> Found:
    """Return the best mapping of the default space.

    Parameters
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    bits : (float, int, int)
        Of a weight, an input and an accumulator as they are held.
    prices : Prices
    objective : callable
    whole : bool
        Whether values of whole mappings are whole numbers: what is not better by one is no better.
    known : (float, Mapping), optional
        Value of a mapping and the mapping, to beat.
    lanes_count : bool
        Whether the objective depends on how many multipliers are used.

    Raises
    ------
    Unsearchable
        If the search has no proof for what is asked.
    """
    _check(hierarchy, nest, rules)
    value, best = known or (np.inf, None)
    kept = 0
    for bypass in bypasses(hierarchy):
        run = _Run(hierarchy, nest, rules, bits, prices, objective, bypass, lanes_count)
        for beam in (_BEAM, None):
            found = run.best(value - 0.5 if whole else value * _NEAR, beam)
            kept += run.kept
            if found is not None and found[0] < value:
                value, best = found
    return Found(best, value, space_size(hierarchy, nest), kept)


def _check(hierarchy: Hierarchy, nest: LoopNest, rules: Rules) -> None:
    if nest.rows.transposed or nest.cols.transposed:
        raise Unsearchable("transposed convolutions cannot be mapped onto a hierarchy yet")
    if rules.first_read != "elided":
        raise Unsearchable("the search needs the rule first_read=elided")
    if hierarchy_rules(hierarchy.rules).returned_sums != "all":
        raise Unsearchable("the search needs the rule returned_sums=all")
    for axis in hierarchy.axes:
        if axis.diagonal and "inputs" in axis.shared and set(axis.loops) & set("PQRS"):
            raise Unsearchable(f"the search does not know sharing along diagonals yet (axis {axis.name!r})")
        if "outputs" not in axis.shared and set(axis.loops) & set("CRS"):
            raise Unsearchable(f"axis {axis.name!r} takes loops over C, R or S but does not add up outputs")


class _Run:
    """The search for one choice of bypasses."""

    def __init__(
        self,
        hierarchy: Hierarchy,
        nest: LoopNest,
        rules: Rules,
        bits: tuple[float, int, int],
        prices: Prices,
        objective: Objective,
        bypass: tuple[tuple[str, str], ...],
        lanes_count: bool,
    ) -> None:
        self.hierarchy, self.nest, self.rules, self.bits = hierarchy, nest, rules, bits
        self.prices, self.objective, self.bypass = prices, objective, bypass
        self.lanes_count = lanes_count
        size = sizes(nest)
        self.sizes = np.array([size[dim] for dim in DIMS], dtype=np.int64)
        self.options = {dim: np.array(divisors(size[dim]), dtype=np.int64) for dim in DIMS}
        self.image = ImageTable(nest, rules)
        self.limit = float("inf")
        self.beam: int | None = None
        self.kept = 0
        gone = set(bypass)
        self.keeps = [
            frozenset(t for t in TENSORS if t not in node.bypass and (node.name, t) not in gone)
            if isinstance(node, TemporalLevel)
            else frozenset()
            for node in hierarchy.nodes
        ]
        self.bounds = Bounds(hierarchy, nest, rules, prices, objective, self.image, self.keeps)

    def best(self, bound: float, beam: int | None) -> tuple[float, Mapping] | None:
        """The best mapping with a value up to a bound; with a beam, a good one."""
        self.limit, self.beam = bound, beam
        states = self._multipliers()
        stages: list[States] = []
        self.kept = 0
        for place in range(len(self.hierarchy.nodes) - 1, -1, -1):
            parts = []
            for first in range(0, len(states), _CHUNK):
                rows = np.arange(first, min(first + _CHUNK, len(states)), dtype=np.int64)
                part = self._added(states.take(rows), place, bound)
                parts.append(replace(part, parent=part.parent + first))
            states = without_settled(joined(parts))
            if len(parts) > 1 and len(states):
                states = states.take(undominated(states, self.lanes_count))
            if beam is not None and len(states) > beam:
                states = states.take(np.argsort(self.bounds.value(states, place), kind="stable")[:beam])
            self.kept += len(states)
            if not len(states):
                return None
            stages.append(states)
        value = self.objective(states.cost - states.zero, states.lanes)
        row = int(np.argmin(value))
        return float(value[row]), self._mapping(stages, row)

    def _added(self, states: States, place: int, bound: float) -> States:
        """The states with one more node, without those that are not worth it."""
        node = self.hierarchy.nodes[place]
        if isinstance(node, SpatialAxis):
            states = self._axis(states, node, place)
        else:
            states = self._level(states, node, place)
        states = self._within(settle(states), place, bound)
        return states.take(undominated(states, self.lanes_count)) if len(states) else states

    def _mapping(self, stages: list[States], row: int) -> Mapping:
        blocks = []
        for states, node in zip(reversed(stages), self.hierarchy.nodes, strict=True):
            trips = [int(t) for t in states.trips[row]]
            if isinstance(node, SpatialAxis):
                dims = [dim for dim in DIMS if trips[COLUMN[dim]] > 1]
            else:
                dims = order_of(int(states.order[row]), trips)
            blocks.append((node.name, tuple(Loop(dim, trips[COLUMN[dim]]) for dim in dims)))
            row = int(states.parent[row])
        return Mapping(tuple(blocks), self.bypass)

    def _multipliers(self) -> States:
        one = np.ones((1, len(DIMS)), dtype=np.int64)
        none = np.zeros((1, len(self.prices.owner)))
        states = States(
            one, np.ones(1, np.int64), none, none, (), np.zeros(1, np.int64), one, np.zeros(1, np.int64)
        )
        macs = np.array([float(self.nest.dense_macs)])
        transfers = tuple(fresh(states, t, macs, none[0], walking=False) for t in TENSORS)
        return replace(states, transfers=transfers)

    def _axis(self, states: States, node: SpatialAxis, place: int) -> States:
        dims = "".join(dim for dim in DIMS if dim in node.loops)
        states = axis_trips(states, dims, node.size, self.sizes, self.options)
        states = states.take(np.flatnonzero(self._possible(states.extent, place)))
        network = {t: self.prices(node.name, t, "transfer") for t in TENSORS}
        # Sums come back to levels, not to the multipliers.
        returned = any("outputs" in keeps for keeps in self.keeps[place + 1 :])
        states = transfers_along_axis(
            states, node.shared, network, float(self.nest.output_elements), returned
        )
        shared = states.trips.prod(axis=1).astype(np.float64)
        for resource, owner in enumerate(self.prices.owner):
            if owner > place:  # its copies share the load
                states = divided(states, resource, shared)
        return states

    def _level(self, states: States, node: TemporalLevel, place: int) -> States:
        before = self._reached(states, node, place)
        if place == 0:
            loops = self._outermost(before, node)
        else:
            dims = "".join(dim for dim in DIMS if dim in node.loops)
            loops = level_trips(before, dims, self.sizes, self.options, lambda e: self._fits(e, node, place))
            loops = loops.take(np.flatnonzero(self._possible(loops.extent, place)))
        if any(t.open.any() for t in before.transfers):
            states = self._ordered(loops, before, place)
        else:
            states = dressed(loops, before)
        return self._finished(states) if place == 0 else self._started(states, node, place)

    def _ordered(self, loops: States, before: States, place: int) -> States:
        """Loops of a level in all orders that matter and are worth it."""
        overlap, parts = self.rules.overlap == "one-axis", []
        bounded = self.bounds.before_loops(before, place)
        worth = {tensor: self._worth(bounded(loops, tensor)) for tensor in TENSORS}
        for number, (tensor, _) in enumerate(CLASSES):
            part = with_order(loops, before, number, self.image.planes, overlap, worth[tensor])
            if part is not None:
                parts.append(part)
        return joined(parts) if parts else dressed(loops.take(np.empty(0, np.int64)), before)

    def _worth(self, values: Floats) -> Bools:
        """Rows whose bound is up to the limit; with a beam, the most promising of them."""
        limit = self.limit
        if self.beam is not None and len(values) > _TRIED:
            limit = min(limit, float(np.partition(values, _TRIED)[_TRIED]))
        found: Bools = values <= limit
        return found

    def _reached(self, states: States, node: TemporalLevel, place: int) -> States:
        """Transfers of tensors held here get the price of what they come from."""
        found = []
        zero = states.zero
        for t in states.transfers:
            if t.reached or t.tensor not in self.keeps[place]:
                found.append(t)
                continue
            actions = ("update", "read") if t.tensor == "outputs" else ("read",)
            price = t.price + self.prices(node.name, t.tensor, *actions) / t.share[:, None]
            found.append(replace(t, price=price, reached=True))
            if t.tensor == "outputs":
                fill = ("read", "fill") if place else ("read",)
                zero = zero + self.nest.output_elements * self.prices(node.name, "outputs", *fill)
        return replace(states, transfers=tuple(found), zero=zero)

    def _outermost(self, states: States, node: TemporalLevel) -> States:
        """All loops that are left, bare."""
        trips = self.sizes // states.extent
        allowed = np.array([dim in node.loops for dim in DIMS])
        rows = np.flatnonzero(((trips == 1) | allowed).all(axis=1))
        bare = replace(states, transfers=(), cost=states.cost[:, :0], zero=states.zero[:, :0]).take(rows)
        return replace(
            bare,
            extent=np.broadcast_to(self.sizes, (len(rows), len(DIMS))).copy(),
            trips=trips[rows],
            parent=rows.astype(np.int64),
            order=np.zeros(len(rows), dtype=np.int64),
        )

    def _started(self, states: States, node: TemporalLevel, place: int) -> States:
        """Transfers into the tiles held here."""
        left = (self.sizes // states.extent).astype(np.float64)
        new = []
        for tensor in TENSORS:
            if tensor not in self.keeps[place]:
                continue
            if tensor == "weights":
                words = prod(self.nest.kernel.shape) * left[:, [COLUMN[d] for d in "NPQ"]].prod(axis=1)
            elif tensor == "inputs":
                planes = self.nest.batch * self.nest.groups * self.nest.channels
                words = planes * left[:, COLUMN["M"]]
            else:
                words = self.nest.output_elements * left[:, [COLUMN[d] for d in "CRS"]].prod(axis=1)
            actions = ["fill"]
            if tensor == "outputs" and self.rules.drain == "counted":
                actions.append("drain")
            price = self.prices(node.name, tensor, *actions)
            new.append(fresh(states, tensor, words, price, walking=True))
        return replace(states, transfers=(*states.transfers, *new))

    def _finished(self, states: States) -> States:
        """No loops follow: what is still open is fetched once."""
        found = []
        for t in states.transfers:
            words = t.words
            rows = np.flatnonzero(t.open)
            if t.tensor == "inputs" and len(rows):
                words = words.copy()
                words[rows] *= self.image.planes(t.tile[rows], "", rows, rows)
            found.append(replace(t, words=words, open=np.zeros(len(states), dtype=np.bool_)))
        return replace(states, transfers=tuple(found))

    def _fits(self, extent: IntArray, node: TemporalLevel, place: int) -> Bools:
        """Whether tiles of an extent fit a level."""
        if node.capacity_bits is None and node.partitions is None:
            return np.ones(len(extent), dtype=np.bool_)
        size = extent.astype(np.float64)
        copies = 2 if node.double_buffered or self.rules.double_buffering == "yes" else 1
        total = np.zeros(len(extent))
        result = np.ones(len(extent), dtype=np.bool_)
        for tensor, width in zip(TENSORS, self.bits, strict=True):
            if tensor not in self.keeps[place]:
                continue
            if tensor == "weights":
                held = size[:, [COLUMN[d] for d in "GMCRS"]].prod(axis=1)
            elif tensor == "inputs":
                held = size[:, [COLUMN[d] for d in "NGC"]].prod(axis=1)
                held = held * self.image.fullest(extent[:, [COLUMN[d] for d in "PQRS"]])
            else:
                held = size[:, [COLUMN[d] for d in "NGMPQ"]].prod(axis=1)
            need = copies * np.ceil(held * width)
            part = node.part_bits(tensor)
            if part is not None:
                result &= need <= part
            total += need
        if node.partitions is None and node.capacity_bits is not None:
            result &= total <= node.capacity_bits
        return result

    def _possible(self, extent: IntArray, place: int) -> Bools:
        """Whether the nodes outside have loops for all that is left."""
        outside = {dim for node in self.hierarchy.nodes[:place] for dim in node.loops}
        closed = [COLUMN[dim] for dim in DIMS if dim not in outside]
        result: Bools = (extent[:, closed] == self.sizes[closed]).all(axis=1)
        return result

    def _within(self, states: States, place: int, bound: float) -> States:
        if not np.isfinite(bound) or not len(states):
            return states
        return states.take(np.flatnonzero(self.bounds.value(states, place) <= bound))
