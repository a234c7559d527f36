"""The best mapping of a larger space: even tiles, tensors kept in part, bands that bring nothing twice.

The rules ``residence=uneven`` and ``overlap=both-axes`` add the mappings of
:mod:`energysim.mapping.schedules` to the space of even tiles. That space is searched first, by
:mod:`energysim.mapping.search`; then all of what was added (:mod:`energysim.mapping.part_space`,
:mod:`energysim.mapping.band_space`). So the answer is the best of the whole space; it is another mapping
than the best even one only where that is better. Values are compared in exact integers, ties in a total
order.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from energysim.errors import UsageError
from energysim.kernels import IntArray
from energysim.mapping.axes import axis_table
from energysim.mapping.band_space import BandSpace
from energysim.mapping.nest import Fetches
from energysim.mapping.part_space import FORMS, PartSpace
from energysim.mapping.points import Points
from energysim.mapping.room import Room
from energysim.mapping.rules import Rules
from energysim.mapping.schedules import Schedule, moved_by, taken_by
from energysim.mapping.search import Goal, search, undominated
from energysim.workload import LoopNest

__all__ = ["LargerChoice", "is_larger", "search_larger"]

#: Relative error that float64 lower bounds may have.
_SLACK = 1e-12


@dataclass(frozen=True)
class LargerChoice:
    """The best mapping of a larger space.

    Attributes
    ----------
    schedule : Tiling, PartTiling, Sweep or None
        None if nothing fits; ``smallest`` then says what would.
    moved : Fetches or None
    mappings : int
        Size of the space.
    smallest : (int, int, int) or None
        If nothing fits, the bits of weights, inputs and outputs of the mapping that needs least.
    """

    schedule: Schedule | None
    moved: Fetches | None
    mappings: int
    smallest: tuple[int, int, int] | None = None


def is_larger(rules: Rules) -> bool:
    """Whether rules ask for more than even tiles."""
    return rules != rules.even


def search_larger(nest: LoopNest, rules: Rules, room: Room, goal: Goal, alike: str) -> LargerChoice:
    """Return the mapping with the least value of ``goal`` that fits ``room``.

    Parameters
    ----------
    nest : LoopNest
    rules : Rules
    room : Room
    goal : Goal
    alike : str
        Dimensions, of ``"CM"``, along which all weights are alike: each channel (filter), with all
        filters (channels), takes the same number of bits, in DRAM and on chip. Only along these
        weights are kept in part.

    Raises
    ------
    UsageError
        If sweeps are asked for together with inputs that no window touches.
    """
    if rules.overlap == "both-axes" and rules.untouched != "skipped":
        raise UsageError(
            "rule 'overlap=both-axes' counts what windows need: it goes with 'untouched=skipped', "
            f"not with 'untouched={rules.untouched}'"
        )
    first = search(nest, rules.even, room, goal)
    parts = PartSpace(nest, rules, room, alike) if rules.residence == "uneven" else None
    bands = BandSpace(nest, rules, room, len(FORMS)) if rules.overlap == "both-axes" else None
    size = first.mappings + sum(space.size for space in (parts, bands) if space is not None)
    schedule: Schedule | None = first.tiling
    moved = first.moved
    if moved is None or moved > _least(nest, rules):
        found = _Pool(nest, goal, moved, parts, bands).winner()
        if found is not None:
            schedule, moved = found
    if schedule is None or moved is None:
        assert first.smallest is not None
        # What is kept in part takes more than the smallest tile.
        sweeps = () if bands is None else bands.smallest()
        return LargerChoice(None, None, size, min((first.smallest, *sweeps), key=sum))
    if moved_by(nest, schedule, rules) != moved or not room.holds(taken_by(nest, schedule, rules, room)):
        raise AssertionError(f"search and evaluator disagree on {schedule}: {moved}")
    return LargerChoice(schedule, moved, size)


def _least(nest: LoopNest, rules: Rules) -> Fetches:
    """What no mapping goes below: everything once, untouched inputs as seldom as with any tiles."""
    tables = (axis_table(axis, rules.even) for axis in (nest.rows, nest.cols))
    rows, cols = (int(min(table.alone.min(), table.swept.min())) for table in tables)
    return Fetches(1, nest.batch * nest.groups * nest.channels * rows * cols, 1)


class _Pool:
    """The points that may be better than the best even mapping, and the best of them."""

    def __init__(
        self,
        nest: LoopNest,
        goal: Goal,
        even: Fetches | None,
        parts: PartSpace | None,
        bands: BandSpace | None,
    ) -> None:
        self.kernels, self.goal, self.parts, self.bands = nest.filters * nest.channels, goal, parts, bands
        self.even = None if even is None else goal.exact(even)
        self.limit = np.inf if self.even is None else self.even[0] * (1 + _SLACK)
        #: Weights read, inputs and visits; what tells points apart.
        self.points = np.empty((8, 0), dtype=np.int64)
        for space in (parts, bands):
            for points in space.points() if space is not None else ():
                self._add(points)

    def _add(self, points: Points) -> None:
        """Take in what may win."""
        if not len(points.read):
            return
        family = np.full_like(points.read, points.family)
        rows = np.stack([points.read, points.inputs, points.visits, family, *points.where])
        value = self._bound(rows)
        at = int(value.argmin())
        if value[at] > self.limit:
            return
        self.limit = min(self.limit, self.goal.exact(self._moved(rows[:, at]))[0] * (1 + _SLACK))
        known = np.append(self.points, rows[:, value <= self.limit], axis=1)
        self.points = undominated(known[:, self._bound(known) <= self.limit])

    def _bound(self, rows: IntArray) -> NDArray[np.float64]:
        read, inputs, visits = rows[:3].astype(np.float64)
        return self.goal.bound(read / self.kernels, inputs, visits)

    def _moved(self, point: IntArray) -> Fetches:
        read, inputs, visits = (int(number) for number in point[:3])
        passes = Fraction(read, self.kernels)
        return Fetches(passes if passes.denominator > 1 else int(passes), inputs, visits)

    def winner(self) -> tuple[Schedule, Fetches] | None:
        """The best point, if it is better than the best even mapping."""
        ranked = [(self.goal.exact(self._moved(point)), tuple(point.tolist())) for point in self.points.T]
        if not ranked:
            return None
        value, point = min(ranked)
        if self.even is not None and value >= self.even:
            return None
        space = self.parts if point[3] < len(FORMS) else self.bands
        assert space is not None
        return space.schedule(point[3], point[4:]), self._moved(np.array(point))
