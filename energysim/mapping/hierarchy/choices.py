"""Loops that a level may add to partial mappings: which of them are worth it.

Loops lead from the tile that a partial mapping covers to a larger one. Partial mappings that cover the
same are a group, and pairs of groups and tiles go through three tests in blocks, each for what the one
before has left: whether loops lead there at all; whether the cheapest of the group could be worth it if
all of its words got as rare as the layer allows; and what each of the group costs at least, for each
tensor whose free loops may be innermost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from energysim.hardware.hierarchy import TENSORS
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.bounds import Bounds
from energysim.mapping.hierarchy.choice_blocks import Block, ramps, together
from energysim.mapping.hierarchy.states import DIMS, Bools, Floats, States
from energysim.mapping.hierarchy.steps import FREE
from energysim.mapping.hierarchy.transfer_bounds import product_over

__all__ = ["BLOCK", "Choices"]

#: Pairs of a partial mapping and a tile that are worked out at a time.
BLOCK = 8192
#: Pairs of a group and a tile that are looked at at a time.
_PAIRS = 1 << 18
#: So many times the choices that are wanted are kept.
_ALIKE = 4
#: Pairs of a group and a tile, and values worked out, that take as long as one step of work.
_LOOKED, _LIGHT = 64, 32


@dataclass(frozen=True, eq=False)
class _Costs:
    """What partial mappings, or groups of them, cost at least without what lies outside the level.

    Attributes
    ----------
    covered : float64 array (4, n)
        Product of what they cover of the free dimensions of each tensor, and of all.
    lanes : int64 array (n,)
        Multipliers in use at most.
    rest, freed : float64 arrays (resources, 3, n)
        By tensor: what its free loops make no rarer, and what they do.
    most : float64 array (3, n)
        How much rarer at most.
    """

    covered: Floats
    lanes: IntArray
    rest: Floats
    freed: Floats
    most: Floats


@dataclass(frozen=True, eq=False)
class Choices:
    """All loops that a level may add to partial mappings.

    Parameters
    ----------
    bounds : Bounds
    states : States
        Before the loops of the level.
    place : int
        Of the level.
    dims : str
        Dimensions that it may have loops over.
    """

    bounds: Bounds
    states: States
    place: int
    dims: str

    def __len__(self) -> int:
        """Number of groups."""
        return len(self._starts)

    @cached_property
    def _at(self) -> IntArray:
        """What each partial mapping covers."""
        return self.bounds.lattice.at(self.states.extent)

    @cached_property
    def _order(self) -> IntArray:
        """Partial mappings by group."""
        return np.argsort(self._at, kind="stable")

    @cached_property
    def _starts(self) -> IntArray:
        """Of each group, its first in the order."""
        return np.flatnonzero(np.diff(self._at[self._order], prepend=-1))

    @cached_property
    def _sizes(self) -> IntArray:
        """Partial mappings of each group."""
        return np.diff(self._starts, append=len(self._order))

    @cached_property
    def _points(self) -> IntArray:
        """What each group covers."""
        found: IntArray = self._at[self._order[self._starts]]
        return found

    @cached_property
    def _outside(self) -> Floats:
        """What lies outside the level costs at least, by its tile: (points, r)."""
        return self.bounds.outside(self.place)

    @cached_property
    def _outside_each(self) -> Floats:
        """The same by resource: (r, points)."""
        return np.ascontiguousarray(self._outside.T)

    @cached_property
    def _covered(self) -> Floats:
        """Product of each point's sizes over the free dimensions of each tensor, and of all: (4, points)."""
        return np.stack([self.bounds.lattice.covered(dims) for dims in (*(FREE[t] for t in TENSORS), DIMS)])

    @cached_property
    def _each(self) -> _Costs:
        """Costs of each partial mapping."""
        bounds, states = self.bounds, self.states
        base, left = bounds.base(states, self.place), bounds.transfers.left(states)
        found = bounds.transfers.least(states, self.place)
        rests, freeds = [], []
        for tensor in TENSORS:
            rest, freed = base.copy(), np.zeros_like(base)
            for t, each, constant in found:
                linear = each[tensor]
                rest += constant
                opened = np.where(t.open[:, None], linear, 0.0)
                rest += linear - opened
                if t.tensor == tensor:
                    freed += opened
                else:
                    rest += opened
            rests.append(rest.T)
            freeds.append(freed.T)
        most = np.stack([product_over(left, FREE[tensor]) for tensor in TENSORS])
        covered = self._covered.take(self._at, axis=1)
        return _Costs(
            covered, bounds.lanes(states, self.place), np.stack(rests, axis=1), np.stack(freeds, axis=1), most
        )

    @cached_property
    def _least(self) -> _Costs:
        """What no partial mapping of each group stays below."""
        each, order, starts = self._each, self._order, self._starts
        rest, freed = (
            np.minimum.reduceat(part[:, :, order], starts, axis=2) for part in (each.rest, each.freed)
        )
        first, lanes = order[starts], np.maximum.reduceat(each.lanes[order], starts)
        return _Costs(each.covered[:, first], lanes, rest, freed, each.most[:, first])

    @cached_property
    def _lowest(self) -> Floats:
        """What each group costs at least whatever loops are added, without what lies outside: (r, groups)."""
        least = self._least
        cost = np.minimum(least.freed / least.most, least.freed) + least.rest
        found: Floats = cost.min(axis=1)
        return found

    @cached_property
    def _counts(self) -> tuple[IntArray, IntArray]:
        """Choices of each group, and those of them that lead to tiles after which nothing fits."""
        fits = np.isfinite(self._outside[:, 0]).astype(np.int64)
        lattice = self.bounds.lattice
        every = lattice.count_above(self._points, self.dims)
        lost = every - lattice.total_above(fits, self.dims)[self._points]
        return every * self._sizes, lost * self._sizes

    def counted(self, first: int, end: int) -> tuple[int, int]:
        """Return how many choices some groups have, and how many lead to tiles after which nothing fits."""
        every, lost = self._counts
        return int(every[first:end].sum()), int(lost[first:end].sum())

    def least(self, first: int) -> float:
        """Return what no choice of groups from a number on stays below; little work."""
        outside = self.bounds.lattice.least_above(self._outside, self.dims)[self._points[first:]]
        cost, lanes = self._lowest[:, first:].T + outside, self._least.lanes[first:]
        return float(self.bounds.judged(cost, lanes, self.place).min(initial=np.inf))

    def blocks(self, limit: Callable[[], float], first: int = 0) -> Iterator[Block]:
        """Choices that may stay within a limit, and some that do not, from a group on.

        The limit is asked for again and again: it may get lower, not higher.
        """
        if first >= len(self):
            return
        tiles = self._tiles(limit())
        step = max(1, _PAIRS // max(1, len(tiles)))
        for begin in range(first, len(self), step):
            end = min(begin + step, len(self))
            group, tile = np.nonzero(self.bounds.lattice.reaches(self._points[begin:end], tiles, self.dims))
            self.bounds.problem.work.done += (end - begin) * len(tiles) // _LOOKED
            group, tile = group + begin, tiles[tile]
            cost = self._lowest.take(group, axis=1) + self._outside_each.take(tile, axis=1)
            worth = self._priced(cost.T, self._least.lanes.take(group)) <= limit()
            yield from self._paired(*self._worth(group[worth], tile[worth], limit()))

    def _worth(self, group: IntArray, tile: IntArray, limit: float) -> tuple[IntArray, IntArray]:
        """Of pairs of groups and tiles, those that may stay within a limit."""
        if not np.isfinite(limit):
            return group, tile
        worth = np.empty(len(group), dtype=np.bool_)
        for at in range(0, len(group), BLOCK):
            some = slice(at, at + BLOCK)
            worth[some] = (self.values(self._least, group[some], tile[some]) <= limit).any(axis=0)
        return group[worth], tile[worth]

    def few(self, limit: float, count: int) -> Block:
        """Of the choices within a limit, for each tensor those with the least values; some more or less.

        Parameters
        ----------
        limit : float
        count : int
            Of each tensor. If many are alike some of them will do.
        """
        none = np.zeros(0, dtype=np.int64)
        kept = Block(none, none, np.zeros((len(TENSORS), 0)), 0, 0)
        limits, full = np.full((len(TENSORS), 1), limit), np.inf
        for block in self.blocks(lambda: min(float(limits.max()), full)):  # noqa: B023
            better = ((block.values <= limits) & (block.values < full)).any(axis=0)
            kept = together([kept, block.take(better)])
            if len(kept.rows) > _ALIKE * count:
                limits = np.minimum(limits, np.partition(kept.values, count, axis=1)[:, count, None])
                kept = kept.take((kept.values <= limits).any(axis=0))
            if len(kept.rows) > _ALIKE * count:
                least, chosen = kept.values.min(axis=0), np.zeros(len(kept.rows), dtype=np.bool_)
                order = np.argsort(least, kind="stable")[: _ALIKE * count]
                chosen[order] = True
                kept, full = kept.take(chosen), float(least[order[-1]])
        return replace(kept, values=np.where(kept.values <= limits, kept.values, np.inf))

    def _tiles(self, limit: float) -> IntArray:
        """Tiles that may be worth it for some group."""
        most = np.full(len(self._outside), self._least.lanes.max(), dtype=np.int64)
        value = self.bounds.judged(self._lowest.min(axis=1) + self._outside, most, self.place)
        return np.flatnonzero((value <= limit) & np.isfinite(value))

    def _paired(self, group: IntArray, tile: IntArray) -> Iterator[Block]:
        """Partial mappings of groups with the tiles of each: by group, partial mapping, tile."""
        if not len(group):
            return
        runs = np.flatnonzero(np.diff(group, prepend=-1))
        each = self._sizes[group[runs]]
        rows = self._order[ramps(self._starts[group[runs]], each)]
        starts, many = np.repeat(runs, each), np.repeat(np.diff(runs, append=len(group)), each)
        # Blocks of as many pairs as are worked out at a time; those with many tiles are alone.
        alone = many > BLOCK // 8
        block = np.cumsum(many) // BLOCK
        fresh = (np.diff(block, prepend=-1) != 0) | alone
        fresh[1:] |= alone[:-1]
        cuts = np.flatnonzero(fresh)
        for begin, end in zip(cuts, [*cuts[1:], len(rows)], strict=True):
            some, points = rows[begin:end], tile[starts[begin] : starts[begin] + many[begin]]
            if len(some) > 1:
                points = tile[ramps(starts[begin:end], many[begin:end])]
                some = np.repeat(some, many[begin:end])
            first, last = int(group[starts[begin]]), int(group[starts[end - 1]])
            yield Block(some, points, self.values(self._each, some, points), first, last + 1)

    def _priced(self, cost: Floats, lanes: IntArray) -> Floats:
        self.bounds.problem.work.done += cost.size // _LIGHT
        return self.bounds.priced(cost, lanes, self.place)

    def in_orders(self, block: Block, limit: float) -> Bools:
        """Return which choices stay within a limit, (3, n), by the tensor whose free loops are innermost.

        No loops at all are the same in every order: they stand for that of outputs.
        """
        worth: Bools = (block.values <= limit) & np.isfinite(block.values)
        same = block.points == self._at[block.rows]
        worth[TENSORS.index("outputs"), same] = worth[:, same].any(axis=0)
        return worth

    def values(self, costs: _Costs, rows: IntArray, points: IntArray) -> Floats:
        """Return what no completion stays below, (3, n), for rows (n,) or (1,) and tiles that loops reach."""
        covered = self._covered.take(points, axis=1) / costs.covered.take(rows, axis=1)
        rarer, every = covered[:-1], covered[-1]
        # Loops of this tensor alone: those that follow may make it rarer still.
        # (Each is a whole number of times the other, but for what float64 rounds off products over 2^53.)
        np.copyto(rarer, costs.most.take(rows, axis=1), where=rarer > 0.75 * every)
        words = costs.freed.take(rows, axis=2)
        cost = words / rarer
        if self.bounds.moves.one:
            np.minimum(cost, words, out=cost)
        cost += costs.rest.take(rows, axis=2)
        cost += self._outside_each.take(points, axis=1)[:, None]
        lanes = np.broadcast_to(costs.lanes.take(rows), rarer.shape).reshape(-1)
        return self._priced(cost.reshape(len(cost), -1).T, lanes).reshape(rarer.shape)
