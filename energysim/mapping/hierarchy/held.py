"""How levels on chip hold weights and inputs, where they do not all hold them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from energysim.kernels import IntArray

__all__ = ["ALIKE", "Held"]


@dataclass(frozen=True, eq=False)
class Held:
    """What differs from the widths and the storage that all levels on chip have in common.

    Attributes
    ----------
    weights : dict of int to (bool, Fraction)
        Place of a level -> whether weights that do not exist are left out there, and bits of each value.
    values : tuple of int
        Place of a level or axis -> how many values the whole weights have there; empty: in all alike.
    inputs : dict of int to callable
        Place of a level -> (elements of tiles, images times channels of them, int64 arrays) -> bits
        they get there; must not decrease with either.
    again : dict of int to Fraction
        Place of a level -> how often an input tile is fetched for each time that it is needed.
    """

    weights: Mapping[int, tuple[bool, Fraction]] = field(default_factory=dict)
    values: tuple[int, ...] = ()
    inputs: Mapping[int, Callable[[IntArray, IntArray], IntArray]] = field(default_factory=dict)
    again: Mapping[int, Fraction] = field(default_factory=dict)


#: All levels hold a tensor alike.
ALIKE = Held()
