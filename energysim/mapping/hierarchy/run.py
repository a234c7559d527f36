"""One pass of the search: from the multipliers outwards, all partial mappings at once.

Nodes are added one by one (:mod:`energysim.mapping.hierarchy.moves`). A partial mapping goes if
another covers the same and costs no more whatever follows, or if it cannot become better than a
whole mapping that is known. With a beam, only the most promising stay at each node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, SpatialAxis, TemporalLevel
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.bounds import Bounds, Loops
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.mapping.hierarchy.moves import Moves
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.room import Room
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Bools, Floats, States, joined, undominated
from energysim.mapping.hierarchy.steps import CLASSES, axis_trips, in_class, order_of

__all__ = ["NEAR", "LateError", "ManyError", "Pruned", "Run"]

#: Values this close may be the same: float64 does not tell them apart.
NEAR = 1 + 1e-12
#: Bounds of loops worked out at a time, and loops added at a time.
_BOUNDS, _LOOPS = 1 << 19, 1 << 15
#: Ways to add loops that a pass with a beam looks at closer, per level and tensor.
_TRIED = 2000

#: Rows of states, points that loops reach from them, and for each tensor whether they are worth it
#: with its free loops innermost.
Piece = tuple[IntArray, IntArray, list[Bools]]


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
        Partial mappings: a choice of loops for some nodes, up to orders that cost the same.
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
        if self.least() > bound:
            return {}
        for place in range(len(nodes) - 1, -1, -1):
            node = nodes[place]
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

    def least(self) -> float:
        """What no mapping stays below."""
        return self._least(self.moves.multipliers(), len(self.hierarchy.nodes))

    def _least(self, states: States, place: int) -> float:
        return float(self.bounds.value(states, place).min(initial=np.inf))

    def _late(self, rest: Callable[[], float]) -> None:
        """Stop if the time is up, with a value that nothing left stays below."""
        if self.late():
            raise LateError(rest())

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
        self._late(partial(self._least, states, place + 1))
        dims = "".join(dim for dim in DIMS if dim in node.loops)
        options = dict(zip(DIMS, self.lattice.divisors, strict=True))
        states = axis_trips(states, dims, node.size, self.moves.sizes, options)
        self.pruned.made += len(states)
        states = self.moves.settled(self.moves.across(states, place))
        return self._kept(self._within(states, place), place)

    def _level(self, states: States, node: TemporalLevel, place: int) -> States:
        before = self.moves.reached(states, place)
        loops = self.bounds.loops(before, place)
        order = np.argsort(loops.points, kind="stable")
        cuts = np.flatnonzero(np.diff(loops.points[order])) + 1
        groups = np.split(order, cuts)
        parts: list[States] = []
        total, self.least_kept = 0, float("inf")
        for pieces, rest in self._batches(loops, groups, node):
            total += sum(len(piece[0]) for piece in pieces)
            if total > self.many:
                raise ManyError
            parts += self._added(before, pieces, place)
            self._late(partial(self._left, loops, rest, node))
        if not parts:
            return states.take(np.empty(0, np.int64))
        return self._kept(joined(parts), place) if len(parts) > 1 or self.beam else _trimmed(parts[0])

    def _batches(
        self, loops: Loops, groups: list[IntArray], node: TemporalLevel
    ) -> Iterator[tuple[list[Piece], list[IntArray]]]:
        """Loops worth adding, some at a time, with the groups that have not been looked at."""
        tried = self._tried(loops, groups, node)
        waiting: list[Piece] = []
        count = total = 0
        for number, group in enumerate(groups, 1):
            pieces = self._pieces(loops, group, node, tried)
            size = sum(len(piece[0]) for piece in pieces)
            waiting, count, total = waiting + pieces, count + size, total + size
            # With a beam, many may have the same bound: any of them will do.
            enough = self.beam is not None and total > 4 * _TRIED
            if enough or count > _LOOPS or number == len(groups):
                yield waiting, groups[number:]
                waiting, count = [], 0
            if enough:
                return

    def _left(self, loops: Loops, groups: list[IntArray], node: TemporalLevel) -> float:
        """What nothing stays below that follows from states kept, or from others without a level's loops."""
        least = self.least_kept
        for group in groups:
            for _, _, values in self._values(loops, group, node):
                least = min(least, *(float(v.min(initial=np.inf)) for v in values))
        return least

    def _values(
        self, loops: Loops, group: IntArray, node: TemporalLevel
    ) -> Iterator[tuple[IntArray, IntArray, list[Floats]]]:
        """Loops that may be added to states of one extent: (rows, points, bounds by tensor)."""
        points = self.lattice.above(int(loops.points[group[0]]), node.loops)
        points = points[np.isfinite(self.bounds.outside(loops.place)[points, 0])]
        if len(points):
            step = max(1, _BOUNDS // len(points))
            for first in range(0, len(group), step):
                rows = group[first : first + step]
                yield rows, points, [loops.value(rows, points, tensor) for tensor in TENSORS]

    def _tried(self, loops: Loops, groups: list[IntArray], node: TemporalLevel) -> list[float]:
        """Bounds up to which loops are looked at closer, by tensor; with a beam, few of them are."""
        if self.beam is None:
            return [self.limit] * len(TENSORS)
        each: list[list[Floats]] = [[] for _ in TENSORS]
        for group in groups:
            for _, _, values in self._values(loops, group, node):
                for found, value in zip(each, values, strict=True):
                    flat = value.reshape(-1)
                    found.append(np.partition(flat, _TRIED)[:_TRIED] if len(flat) > _TRIED else flat)
        limits = []
        for found in each:
            flat = np.concatenate(found) if found else np.zeros(0)
            far = float(np.partition(flat, _TRIED)[_TRIED]) if len(flat) > _TRIED else np.inf
            limits.append(min(self.limit, far))
        return limits

    def _pieces(self, loops: Loops, group: IntArray, node: TemporalLevel, tried: list[float]) -> list[Piece]:
        """Loops worth adding to states of one extent."""
        found = []
        made = len(self.lattice.above(int(loops.points[group[0]]), node.loops))
        self.pruned.made += made * len(group)
        self.pruned.no_room += made * len(group)
        for rows, points, values in self._values(loops, group, node):
            worth = [
                (value <= limit) & np.isfinite(value) for value, limit in zip(values, tried, strict=True)
            ]
            # No loops at all: the same in every order.
            same = points == loops.points[rows[0]]
            worth[TENSORS.index("outputs")][:, same] |= worth[0][:, same] | worth[1][:, same]
            some = worth[0] | worth[1] | worth[2]
            at, point = np.nonzero(some)
            if self.beam is not None:  # many may have the same bound
                at, point = at[:_TRIED], point[:_TRIED]
            self.pruned.no_room -= some.size
            self.pruned.bounded += some.size - len(at)
            found.append((rows[at], points[point], [each[at, point] for each in worth]))
        return found

    def _added(self, before: States, pieces: list[Piece], place: int) -> list[States]:
        """The states with a level's loops, in all orders that matter, as one; none if there are none."""
        if not pieces:
            return []
        parent = np.concatenate([piece[0] for piece in pieces])
        extent = self.lattice.extents[np.concatenate([piece[1] for piece in pieces])]
        worth = {t: np.concatenate([piece[2][i] for piece in pieces]) for i, t in enumerate(TENSORS)}
        trips = extent // before.extent[parent]
        overlap = self.rules.overlap != "none"
        parts = []
        for number, (tensor, _) in enumerate(CLASSES):
            chosen = in_class(trips, number, overlap, self.moves.one) & worth[tensor or "outputs"]
            rows = np.flatnonzero(chosen)
            if not len(rows):
                continue
            part = replace(
                before.take(parent[rows]),
                extent=extent[rows],
                trips=trips[rows],
                parent=parent[rows],
                order=np.full(len(rows), number, dtype=np.int64),
            )
            parts.append(self.moves.walked(part, number))
        if not parts:
            return []
        states = joined(parts)
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
