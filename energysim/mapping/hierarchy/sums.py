"""Output words: sums that travel outwards, partial sums that come back.

A tile of outputs that a level holds starts at zero, or with partial sums that come back:

* in the outermost level every element starts at zero, once;
* inside it, a tile starts at zero if the tile of the level outside did, and it is the first that
  is held for it; and if copies add their sums along an axis, in all of them but one (rule
  ``returned_sums=one``), or in all of them the first time only (``all``);
* where copies do not add their sums on the way, the memory outside completes the sums and every
  tile starts at zero.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from energysim.mapping.hierarchy.loops import PlacedLoop
from energysim.mapping.hierarchy.walk import Walk

__all__ = ["Sums"]

_SUMMED = "CRS"


@dataclass(frozen=True)
class Sums:
    """Counts of output elements.

    Attributes
    ----------
    walk : Walk
    """

    walk: Walk

    @property
    def keepers(self) -> tuple[int, ...]:
        """Places of the levels that hold outputs."""
        return self.walk.tree.keepers["outputs"]

    def arriving(self, inner: int, shared: Set[int]) -> int:
        """Sums that leave all copies of a level (or the multipliers).

        Parameters
        ----------
        inner : int
        shared : set of int
            Places of axes along which sums are added to one.
        """
        walk = self.walk
        if inner == walk.tree.end and walk.skips:

            def merged(loop: PlacedLoop) -> bool:
                return loop.dim in _SUMMED and loop.place in shared

            return walk.images * walk.support.count(merged)
        apart = (*walk.walked("outputs", inner), *walk.spread(inner, shared))
        return walk.nest.output_elements * walk.visits(_SUMMED, apart)

    def held(self, level: int, pinned: Set[PlacedLoop] = frozenset(), *, touched: bool = False) -> int:
        """Elements of all tiles that all copies of a level hold, one after the other.

        Parameters
        ----------
        level : int
            Number of the level among the keepers.
        pinned : set of PlacedLoop
            Loops of which only the first trip counts.
        touched : bool
            Whether to leave out elements to which nothing is added while the tile is held
            (there are such only if products are skipped).
        """
        walk, place = self.walk, self.keepers[level]
        free = {*walk.walked("outputs", place), *walk.spread(place)}
        if touched and walk.skips:
            return walk.images * walk.support.count(
                lambda loop: loop.dim in _SUMMED and loop not in free, lambda loop: loop in pinned
            )
        return walk.nest.output_elements * walk.visits(_SUMMED, free - pinned)

    def zero(
        self,
        target: int,
        pinned: Set[PlacedLoop] = frozenset(),
        *,
        touched: bool = False,
        level: int | None = None,
    ) -> int:
        """Of the elements that a level holds, those that start at zero.

        Parameters
        ----------
        target : int
            Number of the level among the keepers.
        pinned, touched
            As for :meth:`held`.
        level : int, optional
            Only look at what this level, outside the target, makes of it.
        """
        level = target if level is None else level
        if level == 0 or self.completed_outside(level):
            return self.held(target, pinned, touched=touched)
        first = pinned | self._first(level)
        if self.walk.own.returned_sums == "all":
            return self.zero(target, first, touched=touched, level=level - 1)
        one = pinned | self._copies(level)
        others = self.held(target, pinned, touched=touched) - self.held(target, one, touched=touched)
        return others + self.zero(target, first | one, touched=touched, level=level - 1)

    def returned(self, level: int, shared: Set[int]) -> int:
        """Partial sums that come back to a level; for several copies along a shared axis once.

        With ``returned_sums=one`` one copy gets them and nothing is shared.
        """
        if self.completed_outside(level):
            return 0
        one = self.walk.own.returned_sums == "one"
        pinned = self._copies(level, None if one else shared)
        zero = self.zero(level, pinned) if self.walk.rules.first_read == "elided" else 0
        return self.held(level, pinned) - zero

    def completed_outside(self, level: int) -> bool:
        """Whether sums of several copies reach the memory outside a level one by one."""
        outer, inner = self.keepers[level - 1], self.keepers[level]
        shared = self.walk.sharing("outputs", outer, inner)
        alone = set(self.walk.axes(outer, inner)) - shared
        return any(loop.dim in _SUMMED and loop.place in alone for loop in self.walk.tree.loops)

    def _first(self, level: int) -> frozenset[PlacedLoop]:
        """Loops that fetch tiles of a level while the level outside holds one tile."""
        outer, inner = self.keepers[level - 1], self.keepers[level]
        held = self.walk.walked("outputs", outer)
        return frozenset(
            lp for lp in self.walk.walked("outputs", inner) if lp.dim in _SUMMED and lp not in held
        )

    def _copies(self, level: int, places: Set[int] | None = None) -> frozenset[PlacedLoop]:
        """Loops along axes outside a level (or only some) whose copies add their sums."""
        outer, inner = self.keepers[level - 1], self.keepers[level]
        chosen = self.walk.sharing("outputs", outer, inner) if places is None else places
        return frozenset(lp for lp in self.walk.spread(inner) if lp.dim in _SUMMED and lp.place in chosen)
