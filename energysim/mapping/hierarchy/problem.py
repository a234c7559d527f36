"""What one search is about, and what its choices of bypasses have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import inf

from energysim.hardware.hierarchy import Hierarchy
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.held import ALIKE, Held
from energysim.mapping.hierarchy.images_table import ImageTable
from energysim.mapping.hierarchy.lattice import Lattice
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.prices import Objective, Prices
from energysim.mapping.hierarchy.space import bypasses
from energysim.mapping.hierarchy.states import DIMS, Floats
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Problem", "Widths", "Work"]

#: Bits of a weight, an input and an accumulator as they are held.
Widths = tuple[Fraction | int, int, int]
#: Numbers that tables kept for all choices of bypasses may hold together.
_KEPT = 20_000_000


@dataclass
class Work:
    """What a search has done, in numbers of about equal time, whatever the machine.

    Attributes
    ----------
    limit : float
        At which it stops with what is known.
    done : int
    """

    limit: float = inf
    done: int = 0

    @property
    def left(self) -> float:
        """What may still be done."""
        return self.limit - self.done


@dataclass(frozen=True, eq=False)
class Problem:
    """A layer to be mapped onto a hierarchy.

    Attributes
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    bits : (int or Fraction, int, int)
    prices : Prices
    objective : callable
    lanes_count : bool
        Whether the objective depends on how many multipliers are used.
    stored_only : bool
        Whether weights that do not exist are neither stored nor moved.
    products : int
        Multiplications that take words.
    held : Held
        What levels hold in another way than the widths say.
    needs : dict of (str, int) to int64 array (points,)
        Bits that one tile of each tensor takes, by tensor and place (-1: wherever all levels are
        alike), as far as they have been asked for.
    """

    hierarchy: Hierarchy
    nest: LoopNest
    rules: Rules
    bits: Widths
    prices: Prices
    objective: Objective
    lanes_count: bool = True
    stored_only: bool = False
    products: int = 0
    held: Held = ALIKE
    work: Work = field(default_factory=Work)
    needs: dict[tuple[str, int], IntArray] = field(default_factory=dict)
    _tables: dict[Hashable, Floats] = field(default_factory=dict)

    @cached_property
    def lattice(self) -> Lattice:
        """All sizes of tiles."""
        size = sizes(self.nest)
        return Lattice(tuple(size[dim] for dim in DIMS))

    @cached_property
    def images(self) -> ImageTable:
        """Positions of input tiles."""
        return ImageTable(self.nest, self.rules)

    @cached_property
    def bypasses(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """All choices of bypasses."""
        return tuple(bypasses(self.hierarchy))

    @cached_property
    def _shares(self) -> bool:
        numbers = len(self.bypasses) * len(self.lattice.extents) * len(self.prices.owner)
        return len(self.bypasses) > 1 and numbers < _KEPT

    def shared(self, key: Hashable, made: Callable[[], Floats]) -> Floats:
        """Return a table that several choices of bypasses have in common, if there is room to keep it."""
        if not self._shares:
            return made()
        if key not in self._tables:
            self._tables[key] = made()
        return self._tables[key]
