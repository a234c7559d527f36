"""One pass of the search: from the multipliers outwards, all partial mappings at once.

Nodes are added one by one (:mod:`energysim.mapping.hierarchy.moves`). A partial mapping goes if
another covers the same and costs no more whatever follows, or if it cannot become better than a
whole mapping that is known. With a beam, only the most promising stay at each node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, SpatialAxis, TemporalLevel
from energysim.mapping.hierarchy.bounds import Bounds
from energysim.mapping.hierarchy.choice_blocks import Block, together
from energysim.mapping.hierarchy.choices import Choices
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.mapping.hierarchy.moves import Moves
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.room import Room
from energysim.mapping.hierarchy.states import COLUMN, DIMS, States, joined, undominated
from energysim.mapping.hierarchy.steps import CLASSES, axis_trips, in_class, order_of

__all__ = ["NEAR", "LateError", "ManyError", "Pruned", "Run"]

#: Values this close may be the same: float64 does not tell them apart.
NEAR = 1 + 1e-12
#: Steps of work that a bound of what is left may take, before a weaker one does.
_LEFT = 1_500_000
#: Partial mappings spread along an axis at a time.
_ROWS = 1 << 10
#: Loops added at a time.
_LOOPS = 1 << 14
#: Steps of work that adding a node takes with the fewest partial mappings.
_NODE = 6000
#: Ways to add loops that a pass with a beam looks at closer, per level and tensor.
_TRIED = 2000


class ManyError(Exception):
    """So much is left that it pays to know a better mapping first."""


class LateError(Exception):
    """The time is up.

    Attributes
    ----------
    least : float
        What nothing that is left stays below.
    """

    def __init__(self, least: float) -> None:
        super().__init__(least)
        self.least = least


@dataclass
class Pruned:
    """What became of the partial mappings that were made.

    Attributes
    ----------
    made : int
        Partial mappings: a choice of loops for some nodes, up to orders that cost the same; loops that
        are not worth it in any order count once.
    no_room : int
        Those whose tiles do not fit, or whose rest has no place.
    bounded : int
        Those that cannot become better than what is known.
    beaten : int
        Those that another one beats whatever follows.
    """

    made: int = 0
    no_room: int = 0
    bounded: int = 0
    beaten: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class Run:
    """The search for one choice of bypasses."""

    def __init__(self, problem: Problem, bypass: tuple[tuple[str, str], ...]) -> None:
        hierarchy, nest = problem.hierarchy, problem.nest
        self.hierarchy, self.rules, self.objective = hierarchy, problem.rules, problem.objective
        self.lanes_count, self.lattice, self.bypass = problem.lanes_count, problem.lattice, bypass
        self.work = problem.work
        self.late: Callable[[], bool] = lambda: False
        self.slack = 1.0
        self.pruned, self.many = Pruned(), float("inf")
        self.limit = self.least_kept = float("inf")
        self.beam: int | None = None
        gone = set(bypass)
        keeps = [
            frozenset(t for t in TENSORS if t not in node.bypass and (node.name, t) not in gone)
            if isinstance(node, TemporalLevel)
            else frozenset()
            for node in hierarchy.nodes
        ]
        weights = nest.kernel.nonzeros if problem.stored_only else prod(nest.kernel.shape)
        self.moves = Moves(
            hierarchy,
            nest,
            self.rules,
            problem.prices,
            keeps,
            weights,
            problem.products,
            problem.images,
            problem.held.again,
        )
        room = Room(problem, keeps)
        self.bounds = Bounds(problem, self.moves, room)

    def best(self, bound: float, beam: int | None) -> dict[Mapping, float]:
        """The best mappings with a value up to a bound; with a beam, good ones."""
        self.limit, self.beam = bound, beam
        states, stages = self.moves.multipliers(), []
        nodes = self.hierarchy.nodes
        if self.least > bound:
            return {}
        for place in range(len(nodes) - 1, -1, -1):
            node = nodes[place]
            self.work.done += _NODE
            if isinstance(node, SpatialAxis):
                states = self._axis(states, node, place)
            else:
                states = self._level(states, node, place)
            if not len(states):
                return {}
            stages.append(states)
        value = self.objective(states.cost - states.zero, states.lanes)
        rows = np.flatnonzero(value <= min(bound, float(value.min()) * max(NEAR, self.slack)))
        return {self._mapping(stages, int(row)): float(value[row]) for row in rows}

    @cached_property
    def least(self) -> float:
        """What no mapping stays below."""
        self.work.done += _NODE
        return self._least(self.moves.multipliers(), len(self.hierarchy.nodes))

    def _least(self, states: States, place: int) -> float:
        return float(self.bounds.value(states, place).min(initial=np.inf))

    def _late(self, rest: Callable[[], float]) -> None:
        """Stop if the time is up, with a value that nothing left stays below."""
        if self.late():
            raise LateError(rest() if self.beam is None else -np.inf)

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

    def _kept(self, states: States, place: int) -> States:
        """The states worth keeping after a node."""
        if len(states):
            states = states.take(undominated(before := states, self.lanes_count))
            self.pruned.beaten += len(before) - len(states)
        if self.beam is not None and len(states) > self.beam:
            best = np.argsort(self.bounds.value(states, place), kind="stable")[: self.beam]
            states = states.take(np.sort(best))
        return _trimmed(states)

    def _within(self, states: States, place: int) -> States:
        """Those that may become better than what is known."""
        value = self.bounds.value(states, place)
        worth = value <= self.limit
        possible = np.isfinite(value)
        worth &= possible
        self.pruned.no_room += int(np.count_nonzero(~possible))
        self.pruned.bounded += int(np.count_nonzero(possible & ~worth))
        self.least_kept = min(self.least_kept, float(value[worth].min(initial=np.inf)))
        return states if worth.all() else states.take(np.flatnonzero(worth))

    def _axis(self, states: States, node: SpatialAxis, place: int) -> States:
        dims = "".join(dim for dim in DIMS if dim in node.loops)
        options = dict(zip(DIMS, self.lattice.divisors, strict=True))
        parts: list[States] = []
        self.least_kept = float("inf")
        for first in range(0, len(states), _ROWS):
            rows = np.arange(first, min(first + _ROWS, len(states)))
            part = axis_trips(states.take(rows), dims, node.size, self.moves.sizes, options)
            part = replace(part, parent=part.parent + first)
            self.pruned.made += len(part)
            parts.append(self._within(self.moves.settled(self.moves.across(part, place)), place))
            self._late(partial(self._unspread, states, first + _ROWS, place))
        return self._kept(joined(parts), place)

    def _unspread(self, states: States, first: int, place: int) -> float:
        """What nothing stays below that follows from states kept, or from those not spread along an axis."""
        rows = np.arange(first, len(states))
        return min(self.least_kept, self._least(states.take(rows), place + 1))

    def _level(self, states: States, node: TemporalLevel, place: int) -> States:
        before = self.moves.reached(states, place)
        choices = Choices(self.bounds, before, place, node.loops)
        parts: list[States] = []
        total = seen = 0
        self.least_kept = float("inf")
        for block, left in self._worth(choices):
            self._counted(choices, seen, block.end, len(block.rows))
            total, seen = total + len(block.rows), block.end
            if total > self.many:
                raise ManyError
            parts += self._added(choices, block)
            self._late(partial(self._left, choices, left))
        self._counted(choices, seen, len(choices), 0)
        if not parts:
            return states.take(np.empty(0, np.int64))
        return self._kept(joined(parts), place) if len(parts) > 1 or self.beam else _trimmed(parts[0])

    def _counted(self, choices: Choices, first: int, end: int, worth: int) -> None:
        """Note what became of the loops that a level may add to some groups, but for those worth adding."""
        if self.beam is None:
            every, lost = choices.counted(first, end)
            self.pruned += Pruned(every - worth, lost, every - lost - worth)

    def _left(self, choices: Choices, first: int) -> float:
        """What nothing stays below that follows from states kept, or from those without a level's loops."""
        least, enough = self.least_kept, self.work.done + _LEFT

        def lower() -> float:
            return min(least, self.limit)

        for block in choices.blocks(lower, first):
            if self.work.done > enough:
                return min(least, choices.least(block.begin))
            least = min(least, float(block.values.min()))
        return least

    def _worth(self, choices: Choices) -> Iterator[tuple[Block, int]]:
        """Loops that may lead to something better, many at a time, and the first group with some left."""
        if self.beam is not None:
            yield choices.few(self.limit, _TRIED), len(choices)
            return
        waiting: list[Block] = []
        count = 0
        for block in choices.blocks(lambda: self.limit):
            if count > _LOOPS:
                yield together(waiting), block.begin
                waiting, count = [], 0
            waiting.append(block.take((block.values <= self.limit).any(axis=0)))
            count += len(waiting[-1].rows)
        if waiting:
            yield together(waiting), len(choices)

    def _added(self, choices: Choices, block: Block) -> list[States]:
        """The states with a level's loops, in all orders that matter, as one; none if there are none."""
        before, place = choices.states, choices.place
        extent = self.lattice.extents[block.points]
        worth = choices.in_orders(block, self.limit)
        trips = extent // before.extent[block.rows]
        overlap = self.rules.overlap != "none"
        several = trips > 1
        each = [
            np.flatnonzero(
                in_class(several, number, overlap, self.moves.one) & worth[TENSORS.index(tensor or "outputs")]
            )
            for number, (tensor, _) in enumerate(CLASSES)
        ]
        rows = np.concatenate(each)
        self.pruned.made += len(rows)
        if not len(rows):
            return []
        parent = block.rows[rows]
        states = replace(
            before.take(parent),
            extent=extent[rows],
            trips=trips[rows],
            parent=parent,
            order=np.repeat(np.arange(len(CLASSES), dtype=np.int64), [len(one) for one in each]),
        )
        states = self.moves.walked(states)
        states = self.moves.finished(states) if place == 0 else self.moves.started(states, place)
        states = self._within(self.moves.settled(states), place)
        if len(states):
            kept = undominated(states, self.lanes_count)
            self.pruned.beaten += len(states) - len(kept)
            states = states.take(kept)
        return [states]


def _trimmed(states: States) -> States:
    found = [t for t in states.transfers if not t.reached or t.open.any()]
    return replace(states, transfers=tuple(found))
